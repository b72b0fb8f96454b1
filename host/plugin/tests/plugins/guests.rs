//! The guests, and entries for them.

use portcullis_core::config::{PluginEntry, PluginKind, PluginLimits, PluginMode, PluginRuntime};
use portcullis_plugin::{Artifact, InProcess, Leaf, LoadFault, Plugins, Question, encode};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use wit_component::{StringEncoding, embed_component_metadata};

/// The bytes of a guest; they are built once where `PORTCULLIS_GUESTS` names no folder.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("PORTCULLIS_GUESTS") {
            return PathBuf::from(folder);
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let status = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--package", "xtask", "--", "guests"])
            .current_dir(&root)
            .status()
            .unwrap();
        assert!(status.success(), "the guests could not be built: {status}");
        root.join("target/guests")
    });
    let file = folder.join(format!("{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
}

/// The usual limits, with time to spare: a test must fail by what it is about and not by a slow machine.
pub(crate) const LIMITS: PluginLimits = PluginLimits {
    wall_ms: 5_000,
    fuel: 200_000_000,
    memory_bytes: 33_554_432,
    component_bytes: 8_388_608,
};

pub(crate) fn entry(name: &str, kind: PluginKind, settings: &str) -> PluginEntry {
    PluginEntry {
        name: name.to_owned(),
        kind,
        path: format!("{name}.wasm"),
        sha256: None,
        signature: None,
        vectors: None,
        runtime: PluginRuntime::Native,
        mode: PluginMode::Enforce,
        wasi_inert: false,
        limits: LIMITS,
        settings: settings.to_owned(),
    }
}

pub(crate) fn validator(name: &str, settings: &str) -> PluginEntry {
    entry(name, PluginKind::Validator, settings)
}

pub(crate) fn redactor(name: &str, settings: &str) -> PluginEntry {
    entry(name, PluginKind::Redactor, settings)
}

pub(crate) fn try_load(entries: Vec<(PluginEntry, Vec<u8>)>) -> Result<Plugins, Vec<LoadFault>> {
    let artifacts = entries.into_iter().map(Artifact::from).collect();
    Plugins::load(artifacts, &InProcess, None)
}

pub(crate) fn load(entries: Vec<(PluginEntry, Vec<u8>)>) -> Plugins {
    try_load(entries).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// A question about one simple command.
pub(crate) fn question(words: &[&str]) -> Question {
    Question {
        alias: "web1".to_owned(),
        tags: vec!["web".to_owned(), "prod".to_owned()],
        principal: "local:1000".to_owned(),
        command: words.join(" "),
        leaves: vec![Leaf {
            argv: words.iter().map(|word| (*word).to_owned()).collect(),
            canonical: words.join(" "),
            capabilities: vec!["operate".to_owned()],
            open_words: Vec::new(),
        }],
        dry_run: false,
        facts: vec![("source".to_owned(), words.join(" "))],
    }
}

/// A component of the given world around a core module in text form.
pub(crate) fn around(world: &str, module: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1");
    let (package, _) = resolve.push_dir(folder).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut bytes = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).unwrap();
    encode(&bytes).unwrap()
}

/// A validator by hand: `fields` are further parts of its module, `body` is the body of `validate`, which
/// leaves the address of its answer.
pub(crate) fn by_hand(fields: &str, body: &str) -> Vec<u8> {
    let module = format!(
        r#"(module
            (memory (export "memory") 2)
            (global $next (mut i32) (i32.const 65536))
            {fields}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "portcullis:plugin/validator@0.1.0#validate")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                {body}))"#
    );
    around("validator-plugin", &module)
}
