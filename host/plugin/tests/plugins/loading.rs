//! What is let in and what is not, before any of it runs.

use crate::guests::{around, by_hand, guest, load, question, try_load, validator};
use portcullis_core::config::{PluginEntry, PluginKind};
use portcullis_core::policy::Verdict;
use portcullis_core::request::sha256_hex;
use portcullis_plugin::{
    COMPONENT_BYTES_CEILING, CompileFault, Compiler, Image, ImportClass, Job, LoadCause, LoadFault,
    Plugins, Standing, check, inspect,
};
use std::sync::atomic::{AtomicU32, Ordering};

fn fault(entry: PluginEntry, bytes: Vec<u8>) -> LoadFault {
    let mut faults = try_load(vec![(entry, bytes)]).expect_err("it was loaded");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}

fn refused(bytes: Vec<u8>, cause: LoadCause) -> LoadFault {
    let fault = fault(validator("subject", "{}"), bytes);
    assert_eq!(fault.cause, cause, "{fault:?}");
    assert_eq!(
        (fault.code, fault.plugin.as_str()),
        ("plugin_load", "subject")
    );
    assert!(!fault.hint.is_empty(), "{fault:?}");
    fault
}

fn importing(import: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {import})")).unwrap()
}

#[test]
fn an_example_imports_nothing_of_the_outside() {
    for (name, kind) in [
        ("path-guard", PluginKind::Validator),
        ("ticket-redactor", PluginKind::Redactor),
    ] {
        let bytes = guest(name);
        let inspection = inspect(&bytes).unwrap();
        assert_eq!(inspection.standing, Standing::Strict);
        assert_eq!(inspection.kinds, [kind]);
        assert_eq!(inspection.size, bytes.len() as u64);
        assert_eq!(inspection.sha256, sha256_hex(&bytes));
        assert!(
            inspection
                .imports
                .iter()
                .all(|import| import.class == ImportClass::Ours)
        );
        assert_eq!(inspection.hints, Vec::<String>::new());
    }
}

#[test]
fn files_sockets_http_and_the_unknown_are_refused_with_a_hint() {
    for name in [
        "wasi:filesystem/types@0.2.6",
        "wasi:filesystem/preopens@0.2.6",
        "wasi:sockets/tcp@0.2.6",
        "wasi:sockets/ip-name-lookup@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:cli/environment@0.3.0",
        "someone:else/thing@1.0.0",
    ] {
        let bytes = importing(&format!("(import \"{name}\" (instance))"));
        assert_eq!(inspect(&bytes).unwrap().standing, Standing::Refused);
        let mut entry = validator("subject", "{}");
        entry.wasi_inert = true;
        let fault = fault(entry, bytes);
        assert_eq!(fault.cause, LoadCause::Import, "{name}");
        assert!(fault.detail.contains(name), "{}", fault.detail);
    }
}

#[test]
fn an_import_that_is_no_instance_is_refused() {
    for import in [
        r#"(import "run" (func))"#,
        r#"(import "m" (core module))"#,
        r#"(import "c" (component))"#,
        r#"(import "portcullis:plugin/log@0.1.0" (component))"#,
    ] {
        refused(importing(import), LoadCause::Import);
    }
}

#[test]
fn what_is_no_component_is_refused() {
    refused(wat::parse_str("(module)").unwrap(), LoadCause::CoreModule);
    refused(Vec::new(), LoadCause::Invalid);
    refused(b"(component)".to_vec(), LoadCause::Invalid);
    let mut cut = guest("path-guard");
    cut.truncate(cut.len() - 1);
    refused(cut, LoadCause::Invalid);
}

#[test]
fn features_that_plugins_do_not_need_are_refused() {
    for module in [
        "(memory 1 1 shared)",
        "(memory i64 1)",
        "(memory 1) (memory 1)",
        "(type (struct))",
        "(tag)",
        "(func (param externref))",
        "(func (result v128) (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
    ] {
        let bytes = wat::parse_str(format!("(component (core module {module}))")).unwrap();
        refused(bytes, LoadCause::Invalid);
    }
}

#[test]
fn a_component_over_its_size_is_refused_and_one_at_it_is_not() {
    let bytes = guest("path-guard");
    let mut entry = validator("subject", "{}");
    entry.limits.component_bytes = bytes.len() as u64;
    assert!(check(&entry, &bytes).is_ok());
    entry.limits.component_bytes -= 1;
    assert_eq!(
        check(&entry, &bytes).unwrap_err().cause,
        LoadCause::TooLarge
    );
    let huge = vec![0; usize::try_from(COMPONENT_BYTES_CEILING).unwrap() + 1];
    assert_eq!(inspect(&huge).unwrap_err().cause, LoadCause::TooLarge);
}

#[test]
fn a_pin_that_does_not_match_is_refused_and_one_that_does_is_not() {
    let mut bytes = guest("path-guard");
    let mut entry = validator("subject", "{}");
    entry.sha256 = Some(sha256_hex(&bytes));
    assert!(check(&entry, &bytes).is_ok());
    bytes[100] ^= 1;
    assert_eq!(check(&entry, &bytes).unwrap_err().cause, LoadCause::Digest);
}

#[test]
fn the_wrong_kind_or_version_is_refused() {
    refused(guest("ticket-redactor"), LoadCause::World);
    refused(wat::parse_str("(component)").unwrap(), LoadCause::World);
    let later =
        r#"(component (instance $i) (export "portcullis:plugin/validator@0.2.0" (instance $i)))"#;
    let import = r#"(import "portcullis:plugin/log@0.2.0" (instance))"#;
    refused(importing(import), LoadCause::Version);
    let fault = refused(wat::parse_str(later).unwrap(), LoadCause::Version);
    assert!(
        fault
            .detail
            .contains("built for 0.2.0, this host speaks 0.1"),
        "{}",
        fault.detail
    );
}

#[test]
fn a_foreign_export_is_refused() {
    let more = r#"(component (instance $i)
        (export "portcullis:plugin/validator@0.1.0" (instance $i))
        (export "wasi:cli/run@0.2.0" (instance $i)))"#;
    refused(wat::parse_str(more).unwrap(), LoadCause::World);
}

#[test]
fn an_export_of_the_right_name_and_the_wrong_type_is_refused() {
    let empty =
        r#"(component (instance $i) (export "portcullis:plugin/validator@0.1.0" (instance $i)))"#;
    refused(wat::parse_str(empty).unwrap(), LoadCause::Compile);
}

#[test]
fn a_memory_that_no_limit_allows_is_refused() {
    refused(
        by_hand(
            "(func $f (drop (memory.grow (i32.const 0))))",
            "(i32.const 0)",
        )
        .split_off(1),
        LoadCause::Invalid,
    );
    let module = r#"(module (memory (export "memory") 8192)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "portcullis:plugin/validator@0.1.0#validate")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0)))"#;
    refused(around("validator-plugin", module), LoadCause::Compile);
}

#[test]
fn two_plugins_of_one_name_are_refused() {
    let bytes = guest("path-guard");
    let twice = vec![
        (validator("a", "{}"), bytes.clone()),
        (validator("a", "{}"), bytes),
    ];
    assert_eq!(
        try_load(twice).unwrap_err()[0].cause,
        LoadCause::DuplicateName
    );
}

#[test]
fn all_faults_are_named_at_once() {
    let faults = try_load(vec![
        (validator("a", "{}"), Vec::new()),
        (validator("b", "{}"), guest("path-guard")),
        (validator("c", "{}"), guest("ticket-redactor")),
    ])
    .unwrap_err();
    let named: Vec<(&str, LoadCause)> = faults
        .iter()
        .map(|fault| (fault.plugin.as_str(), fault.cause))
        .collect();
    assert_eq!(named, [("a", LoadCause::Invalid), ("c", LoadCause::World)]);
}

#[test]
fn a_loaded_set_names_its_bytes() {
    let bytes = guest("path-guard");
    let plugins = load(vec![(validator("guard", "{}"), bytes.clone())]);
    assert_eq!(
        plugins.identities(),
        [format!("guard@{}", sha256_hex(&bytes))]
    );
}

#[test]
fn wasi_is_refused_unless_the_entry_makes_it_inert() {
    let bytes = guest("hostile-validator-wasip2");
    let inspection = inspect(&bytes).unwrap();
    assert_eq!(inspection.standing, Standing::Inert, "{inspection:#?}");
    assert!(!inspection.hints.is_empty());
    refused(bytes.clone(), LoadCause::WasiNotEnabled);
}

#[test]
fn inert_wasi_shows_nothing_of_the_machine() {
    let bytes = guest("hostile-validator-wasip2");
    let entries = ["calm", "outside", "panic", "exit"]
        .into_iter()
        .map(|attack| {
            let mut entry = validator(attack, &format!("\"{attack}\""));
            entry.wasi_inert = true;
            (entry, bytes.clone())
        })
        .collect();
    let plugins = load(entries);
    let ask = |name| plugins.try_validator(name, &question(&["uptime"])).unwrap();
    assert_eq!(ask("calm").result, Ok(Verdict::NoObjection));
    let Ok(Verdict::Objection { reason, .. }) = ask("outside").result else {
        panic!("expected an objection, got {:?}", ask("outside"));
    };
    assert_eq!(reason, "0 variables, 0 arguments, Ok(0ns)");
    let panicked = ask("panic");
    assert_eq!(panicked.result.as_ref().unwrap_err().code, "plugin_trap");
    let logged = panicked
        .lines
        .iter()
        .map(|line| line.text.as_str())
        .collect::<String>();
    assert!(logged.contains("on purpose"), "{panicked:?}");
    assert_eq!(ask("exit").result.unwrap_err().code, "plugin_trap");
}

/// A compiler that would need too much, and counts what it is asked.
#[derive(Default)]
struct Exhausted {
    looked: AtomicU32,
    compiled: AtomicU32,
}

impl Compiler for Exhausted {
    fn image(&self, _: &Job<'_>) -> Result<Image, CompileFault> {
        self.compiled.fetch_add(1, Ordering::Relaxed);
        Err(CompileFault::Limit("too much".to_owned()))
    }

    fn validate(&self, _: &[u8]) -> Result<(), CompileFault> {
        self.looked.fetch_add(1, Ordering::Relaxed);
        Err(CompileFault::Limit("too much".to_owned()))
    }
}

/// A component in a component in a component: to validate it takes the square of its depth.
fn nested(depth: usize) -> Vec<u8> {
    const HEAD: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
    let mut bytes = HEAD.to_vec();
    for _ in 0..depth {
        let mut size = bytes.len();
        let mut around = HEAD.to_vec();
        around.push(4);
        while size > 127 {
            around.push(u8::try_from(size % 128).unwrap() | 128);
            size /= 128;
        }
        around.push(u8::try_from(size).unwrap());
        around.append(&mut bytes);
        bytes = around;
    }
    bytes
}

#[test]
fn what_takes_more_than_its_size_to_look_at_is_left_to_who_compiles() {
    // 80,000 levels take minutes to validate; nothing here may.
    let bytes = nested(80_000);
    assert_eq!(inspect(&bytes).unwrap().standing, Standing::Refused);
    assert!(check(&validator("subject", "{}"), &bytes).is_err());
    let exhausted = Exhausted::default();
    let load = |entry, bytes| {
        let faults = Plugins::load(vec![(entry, bytes).into()], &exhausted, None);
        faults.unwrap_err().remove(0).cause
    };
    assert_eq!(load(validator("subject", "{}"), bytes), LoadCause::World);
    assert_eq!(
        load(validator("subject", "{}"), guest("path-guard")),
        LoadCause::CompileLimit
    );
    let asked = [exhausted.looked, exhausted.compiled].map(AtomicU32::into_inner);
    assert_eq!(asked, [1, 1]);
}
