//! What plugins.yml, plugins.lock and test vectors may say.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use crate::output::Stream;

const PIN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn loaded(plugins: &str, lock: Option<&str>) -> Result<Vec<PluginEntry>, Vec<ConfigFault>> {
    let sources = Sources {
        servers: Some("hosts: []".to_owned()),
        plugins: Some(plugins.to_owned()),
        plugins_lock: lock.map(str::to_owned),
        ..Sources::default()
    };
    load(&sources, Occasion::Start).map(|snapshot| snapshot.plugins)
}

fn one(rest: &str) -> String {
    format!("plugins:\n  - {{name: a, kind: validator, path: a.wasm{rest}}}\n")
}

fn lock_of(name: &str, path: &str, sha256: &str) -> String {
    locked(None, name, path, sha256).unwrap()
}

#[test]
fn a_pin_comes_from_the_lock_where_the_entry_has_none() {
    let entries = loaded(&one(""), Some(&lock_of("a", "a.wasm", PIN))).unwrap();
    assert_eq!(entries[0].sha256.as_deref(), Some(PIN));
    for (plugins, lock) in [
        (one(""), lock_of("b", "a.wasm", PIN)),
        (one(""), lock_of("a", "b.wasm", PIN)),
        (
            one(&format!(", sha256: \"{OTHER}\"")),
            lock_of("a", "a.wasm", PIN),
        ),
    ] {
        assert_eq!(
            loaded(&plugins, Some(&lock)).unwrap_err().len(),
            1,
            "{plugins} {lock}"
        );
    }
    assert!(
        loaded(
            &one(&format!(", sha256: \"{PIN}\"")),
            Some(&lock_of("a", "a.wasm", PIN))
        )
        .is_ok()
    );
}

#[test]
fn a_plugins_file_that_is_lost_does_not_take_pinned_plugins_with_it() {
    let sources = |lock: Option<String>| Sources {
        servers: Some("hosts: []".to_owned()),
        plugins_lock: lock,
        ..Sources::default()
    };
    let lock = lock_of("a", "a.wasm", PIN);
    let faults = load(&sources(Some(lock)), Occasion::Start).unwrap_err();
    assert_eq!((faults.len(), faults[0].file), (1, PLUGINS));
    for lock in [None, Some("plugins: []\n".to_owned())] {
        assert!(load(&sources(lock), Occasion::Start).is_ok());
    }
}

#[test]
fn the_digest_of_what_holds_is_not_that_of_files_that_wait() {
    let of = |plugins: &str| Sources {
        servers: Some("hosts: []".to_owned()),
        plugins: Some(plugins.to_owned()),
        ..Sources::default()
    };
    let loaded = |plugins: &str| load(&of(plugins), Occasion::Start).unwrap();
    let pinned = format!(", sha256: \"{PIN}\"");
    let (enforced, observed) = (
        loaded(&one(&pinned)),
        one(&format!("{pinned}, mode: observe")),
    );
    let mut waiting = loaded(&observed);
    let digest = waiting.keep_plugins_of(&enforced);
    assert_eq!(waiting.plugins, enforced.plugins);
    assert!(digest != waiting.digest && digest != enforced.digest);
    // It goes on as long as they wait.
    let mut later = loaded(&observed);
    assert_eq!(later.keep_plugins_of(&waiting), digest);
    let mut back = loaded(&one(&pinned));
    assert_eq!(back.keep_plugins_of(&later), enforced.digest);
}

#[test]
fn a_broken_lock_is_a_fault_of_its_own_file() {
    for lock in [
        "",
        "plugins: {}",
        "plugins: [{name: a, path: a.wasm}]",
        "plugins: [{name: a, path: a.wasm, sha256: abc}]",
        &format!("plugins: [{{name: a, path: x, sha256: \"{PIN}\", limits: {{}}}}]"),
        &format!(
            "plugins: [{{name: a, path: x, sha256: \"{PIN}\"}}, {{name: a, path: x, sha256: \"{PIN}\"}}]"
        ),
    ] {
        let faults = loaded("plugins: []\n", Some(lock)).unwrap_err();
        assert_eq!(faults[0].file, PLUGINS_LOCK, "{lock}");
        assert!(locked(Some(lock), "a", "a.wasm", PIN).is_err(), "{lock}");
    }
}

#[test]
fn a_lock_that_is_written_anew_keeps_the_others() {
    let first = lock_of("a \"b\": #", "a.wasm", PIN);
    let both = locked(Some(&first), "c", "c.wasm", OTHER).unwrap();
    let again = locked(Some(&both), "c", "d.wasm", PIN).unwrap();
    assert!(
        both.starts_with('#') && again.contains("\"a \\\"b\\\": #\"") && !again.contains(OTHER)
    );
    let entries = loaded(
        "plugins:\n  - {name: c, kind: redactor, path: d.wasm}\n",
        Some(&again),
    );
    assert_eq!(entries.unwrap()[0].sha256.as_deref(), Some(PIN));
}

#[test]
fn an_interpreter_has_limits_of_its_own() {
    let pinned = format!(", sha256: \"{PIN}\"");
    let of = |rest: &str| loaded(&one(&format!("{pinned}{rest}")), None).map(|it| it[0].limits);
    let native = of("").unwrap();
    let interpreter = of(", runtime: interpreter").unwrap();
    assert_eq!((native.wall_ms, interpreter.wall_ms), (50, 1_000));
    assert_eq!(interpreter.memory_bytes, 128 << 20);
    assert_eq!(interpreter.component_bytes, 32 << 20);
    assert!(of(", runtime: interpreter, limits: {component_mib: 32}").is_ok());
    for rest in [
        ", limits: {component_mib: 9}",
        ", runtime: interpreter, limits: {component_mib: 33}",
        ", runtime: jit",
    ] {
        assert!(of(rest).is_err(), "{rest}");
    }
}

#[test]
fn a_signature_stands_with_a_key_and_a_file_beneath_the_plugins() {
    let of = |rest: &str| loaded(&one(&format!(", sha256: \"{PIN}\"{rest}")), None);
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let entries = of(&format!(", signature: a.minisig, public_key: {key}")).unwrap();
    assert_eq!(entries[0].signature.as_ref().unwrap().public_key, key);
    for rest in [
        ", signature: a.minisig".to_owned(),
        format!(", public_key: {key}"),
        format!(", signature: ../a.minisig, public_key: {key}"),
        format!(", signature: /a.minisig, public_key: {key}"),
        ", signature: a.minisig, public_key: \"a b\"".to_owned(),
        ", vectors: ../v.yaml".to_owned(),
    ] {
        assert_eq!(of(&rest).unwrap_err().len(), 1, "{rest}");
    }
}

#[test]
fn vectors_are_questions_with_answers() {
    let text = "kind: validator\nsettings: {deny: [/x]}\nvectors:\n  - {name: n, command: uptime, expect: objection, code: c, tags: [t], unix_time: 7}\n";
    let read = vectors(text).unwrap();
    assert_eq!(read.settings, r#"{"deny":["/x"]}"#);
    assert_eq!(read.limits.wall_ms, 50);
    let vector = &read.vectors[0];
    assert_eq!(
        (vector.alias.as_str(), vector.tags.as_slice()),
        ("web1", &["t".to_owned()][..])
    );
    let Asked::Command {
        unix_time, expect, ..
    } = &vector.asked
    else {
        panic!()
    };
    assert_eq!(
        (*unix_time, expect),
        (7, &Expect::Objection(Some("c".to_owned())))
    );

    let text = "kind: redactor\nvectors:\n  - {name: n, text: \"a b\", stream: stderr, masked: [b]}\n  - {name: m, text: x, expect: failed}\n";
    let read = vectors(text).unwrap();
    let Asked::Text { stream, masked, .. } = &read.vectors[0].asked else {
        panic!()
    };
    assert_eq!(
        (*stream, masked.as_deref()),
        (Stream::Stderr, Some(&["b".to_owned()][..]))
    );
    let Asked::Text { masked: None, .. } = &read.vectors[1].asked else {
        panic!()
    };
}

#[test]
fn vectors_that_would_test_nothing_are_faults() {
    let validator = |row: &str| format!("kind: validator\nvectors:\n  - {{name: n, {row}}}\n");
    let redactor = |row: &str| format!("kind: redactor\nvectors:\n  - {{name: n, {row}}}\n");
    for text in [
        String::new(),
        "kind: validator\nvectors: []\n".to_owned(),
        "vectors: [{name: n, command: x, expect: failed}]\n".to_owned(),
        "kind: judge\nvectors: [{name: n, command: x, expect: failed}]\n".to_owned(),
        validator("command: uptime"),
        validator("expect: no_objection"),
        validator("command: uptime, expect: allow"),
        validator("command: uptime, expect: no_objection, code: c"),
        validator("command: uptime, expect: no_objection, masked: []"),
        validator("command: uptime, expect: no_objection, alias: \"a b\""),
        validator("command: uptime, expect: no_objection, hint: x"),
        redactor("text: x"),
        redactor("masked: []"),
        redactor("text: x, masked: [], expect: failed"),
        redactor("text: x, expect: no_objection"),
        redactor("text: x, masked: [], command: x"),
    ] {
        let faults = vectors(&text).unwrap_err();
        assert!(!faults.is_empty() && faults[0].file == VECTORS, "{text}");
    }
}

#[test]
fn the_form_of_vectors_is_described() {
    let schema = schema(VECTORS).unwrap();
    assert_eq!(schema["properties"]["kind"]["enum"][0], "validator");
}
