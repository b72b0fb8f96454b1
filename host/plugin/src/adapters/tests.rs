//! A host of two versions: each component is asked in its own, and one for a third is told so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use crate::{Artifact, InProcess, Leaf, LoadCause, Plugins, Question, inspect};
use portcullis_core::config::{PluginEntry, PluginKind, PluginLimits, PluginMode, PluginRuntime};
use portcullis_core::policy::Verdict;
use portcullis_core::request::sha256_hex;
use std::path::Path;
use wit_component::{StringEncoding, embed_component_metadata};

/// A component of the world `validator-plugin` of a folder around a module in text form.
fn around(folder: &str, module: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (package, _) = resolve.push_dir(folder).unwrap();
    let world = resolve
        .select_world(&[package], Some("validator-plugin"))
        .unwrap();
    let mut bytes = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).unwrap();
    crate::encode(&bytes).unwrap()
}

/// The parts that every guest by hand has: a memory, and a place for what it is given.
const PARTS: &str = r#"(memory (export "memory") 2)
    (global $next (mut i32) (i32.const 65536))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
        (global.set $next (i32.add (local.get $at) (local.get 3)))
        (local.get $at))"#;

fn older() -> Vec<u8> {
    let module = format!(
        r#"(module {PARTS}
            (func (export "portcullis:plugin/validator@0.1.0#validate")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (i32.const 0)))"#
    );
    around("../../wit/0.1", &module)
}

/// Says stop when it is asked about two commands, as the length of its list tells.
fn newer() -> Vec<u8> {
    let module = format!(
        r#"(module {PARTS}
            (import "portcullis:plugin/log@0.99.0" "say" (func $say (param i32 i32)))
            (data (i32.const 16) "hello")
            (func (export "portcullis:plugin/validator@0.99.0#judge")
                (param $argv i32) (param $leaves i32) (param i32 i32 i32 i32) (result i32)
                (call $say (i32.const 16) (i32.const 5))
                (i32.eq (local.get $leaves) (i32.const 2))))"#
    );
    // Imports stand before everything else in a module.
    let (import, start) = (
        "(import \"portcullis:plugin/log@0.99.0\"",
        module.find("(import").unwrap(),
    );
    let end = start + module[start..].find(")))").unwrap() + 3;
    assert!(module[start..].starts_with(import));
    let moved = format!(
        "(module {}{}{}",
        &module[start..end],
        &module["(module ".len()..start],
        &module[end..]
    );
    around("tests/wit/next", &moved)
}

fn artifact(name: &str, bytes: Vec<u8>) -> Artifact {
    let entry = PluginEntry {
        name: name.to_owned(),
        kind: PluginKind::Validator,
        path: format!("{name}.wasm"),
        sha256: None,
        signature: None,
        vectors: None,
        mode: PluginMode::Enforce,
        wasi_inert: false,
        runtime: PluginRuntime::Native,
        limits: PluginLimits {
            wall_ms: 5_000,
            fuel: 10_000_000,
            memory_bytes: 1 << 20,
            component_bytes: 1 << 20,
        },
        settings: "{}".to_owned(),
    };
    (entry, bytes).into()
}

fn question(leaves: usize) -> Question {
    Question {
        alias: "web1".to_owned(),
        leaves: vec![
            Leaf {
                argv: vec!["uptime".to_owned()],
                ..Leaf::default()
            };
            leaves
        ],
        ..Question::default()
    }
}

#[test]
fn a_host_of_two_versions_asks_each_component_in_its_own() {
    let artifacts = vec![artifact("older", older()), artifact("newer", newer())];
    let plugins = Plugins::load(artifacts, &InProcess, None).unwrap();
    let said = |leaves| -> Vec<Verdict> {
        let opinions = plugins.ask(&question(leaves)).into_iter();
        opinions.map(|opinion| opinion.verdict).collect()
    };
    assert_eq!(said(1), [Verdict::NoObjection, Verdict::NoObjection]);
    let stop = Verdict::Objection {
        code: "stop".to_owned(),
        reason: "it says stop".to_owned(),
    };
    assert_eq!(said(2), [Verdict::NoObjection, stop]);
    let trial = plugins.try_validator("newer", &question(1)).unwrap();
    assert_eq!(trial.lines[0].text, "hello");
}

#[test]
fn a_component_for_a_third_version_is_told_which_are_spoken() {
    let third = wat::parse_str(
        r#"(component (instance $i) (export "portcullis:plugin/validator@0.42.0" (instance $i)))"#,
    )
    .unwrap();
    let inspection = inspect(&third).unwrap();
    assert!(inspection.hints[0].contains("0.42.0"), "{inspection:?}");
    let faults = Plugins::load(vec![artifact("third", third)], &InProcess, None).unwrap_err();
    assert_eq!(faults[0].cause, LoadCause::Version);
    assert!(
        faults[0]
            .detail
            .contains("built for 0.42.0, this host speaks 0.1, 0.99"),
        "{}",
        faults[0].detail
    );
}

#[test]
fn a_component_of_two_versions_at_once_is_refused() {
    let both = wat::parse_str(
        r#"(component (import "portcullis:plugin/log@0.1.0" (instance)) (instance $i)
            (export "portcullis:plugin/validator@0.99.0" (instance $i)))"#,
    )
    .unwrap();
    let faults = Plugins::load(vec![artifact("both", both)], &InProcess, None).unwrap_err();
    assert_eq!(faults[0].cause, LoadCause::Version, "{faults:?}");
}

/// The released files and their digests. A file that is on this list never changes: guests were built against it.
const RELEASED: [(&str, &str); 1] = [(
    "0.1/portcullis.wit",
    "1f37f652ea4ccdc4d65886bdf66353a5457da2df51507f2800908a61cb2ab048",
)];

#[test]
fn a_released_interface_never_changes() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    for (file, digest) in RELEASED {
        let bytes = std::fs::read(wit.join(file)).unwrap();
        assert_eq!(
            sha256_hex(&bytes),
            digest,
            "{file}: make a new minor version"
        );
    }
    let mut folders = 0;
    for entry in std::fs::read_dir(&wit).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let listed = RELEASED
            .iter()
            .any(|(file, _)| file.starts_with(&format!("{name}/")));
        assert!(listed, "{name} is not on the list of released files");
        folders += 1;
    }
    assert_eq!(folders, RELEASED.len());
    // The SDK is published by itself, so it carries its own copy of the newest.
    let carried = wit.join("../plugins/sdk/wit/portcullis.wit");
    let newest = RELEASED.last().unwrap().1;
    assert_eq!(sha256_hex(&std::fs::read(carried).unwrap()), newest);
}
