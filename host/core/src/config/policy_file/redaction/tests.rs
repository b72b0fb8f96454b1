//! What `redaction` of a policy may say, and where its faults are named.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use crate::config::policy_file::read;
use crate::inventory::LoginShell;
use crate::request::Alias;

fn host(alias: &str, tags: &[&str]) -> Host {
    Host {
        alias: Alias::parse(alias).unwrap(),
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        description: String::new(),
        shell: LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: crate::inventory::Watchdog::default(),
    }
}

fn layers(text: &str) -> (RedactionLayers, Vec<ConfigFault>) {
    let (_, (_, layers), warnings) = read(text).unwrap_or_else(|faults| panic!("{faults:?}"));
    (layers, warnings)
}

fn shown(layers: &RedactionLayers, alias: &str, tags: &[&str], text: &str) -> String {
    layers.of(&host(alias, tags)).unwrap().redactor.mask(text).0
}

const CARD: &str = "card 4111 1111 1111 1111 end";
const PASSWORD: &str = "DB_PASSWORD=q9sUujZcL9PBQu";

#[test]
fn without_a_word_secrets_are_masked_and_personal_data_is_not() {
    let (layers, warnings) = layers("rules: []\n");
    assert!(warnings.is_empty());
    assert_eq!(shown(&layers, "a", &[], CARD), CARD);
    assert_eq!(
        shown(&layers, "a", &[], PASSWORD),
        "DB_PASSWORD=[REDACTED:password]"
    );
}

#[test]
fn what_any_place_switches_on_is_on() {
    let (layers, _) = layers(
        "redaction:\n  disable: [password]\noverrides:\n  tags:\n    t: {redaction: {enable: [pii]}}\n    \
         u: {redaction: {enable: [password], keyed_tags: true}}\n",
    );
    assert_eq!(shown(&layers, "a", &[], PASSWORD), PASSWORD);
    assert_eq!(shown(&layers, "a", &["t"], PASSWORD), PASSWORD);
    assert!(!shown(&layers, "a", &["t"], CARD).contains("4111"));
    let both = ["t", "u"];
    assert!(shown(&layers, "a", &both, PASSWORD).contains("[REDACTED:password"));
    assert!(!shown(&layers, "a", &both, CARD).contains("4111"));
    assert!(layers.of(&host("a", &both)).unwrap().keyed_tags);
    let records = layers.of_records().unwrap().redactor;
    assert!(
        records.mask(PASSWORD).0.contains("[REDACTED:password]")
            && !records.mask(CARD).0.contains("4111")
    );
}

#[test]
fn every_kind_of_own_rule_is_read() {
    let (layers, _) = layers(
        "redaction:\n  rules:\n    - {name: a, prefix: acme_, body: hex, least: 8}\n    - {name: b, settings: [frobnicator]}\n    \
         - {name: c, headers: [X-Acme]}\n    - {name: d, flag: --unlock, programs: [acmectl]}\n    - {name: e, after: acme unlocks}\n    \
         - {name: f, begin: \"<<ACME\", end: \"ACME>>\"}\n    - {name: g, kind: gg, regex: 'acme-id (?<secret>[0-9]{6})'}\n",
    );
    for (text, left) in [
        ("x acme_0123456789ab y", "x [REDACTED:a] y"),
        ("frobnicator=hunter2x9", "frobnicator=[REDACTED:b]"),
        ("acme-id 123456 y", "acme-id [REDACTED:gg] y"),
    ] {
        assert_eq!(shown(&layers, "a", &[], text), left);
    }
}

#[test]
fn faults_are_named_at_their_place() {
    for (text, line, column, path) in [
        (
            "redaction:\n  enable: [pii, nothing]\n",
            2,
            17,
            "redaction.enable[1]",
        ),
        (
            "redaction:\n  rules:\n    - {name: a, prefix: x_, regex: x}\n",
            3,
            7,
            "redaction.rules[0]",
        ),
        (
            "redaction:\n  rules:\n    - {name: a}\n",
            3,
            7,
            "redaction.rules[0]",
        ),
        (
            "redaction:\n  rules:\n    - {name: a, body: hex, regex: abcd}\n",
            3,
            7,
            "redaction.rules[0]",
        ),
        (
            "redaction:\n  rules:\n    - {name: a, regex: 'abcd('}\n",
            3,
            7,
            "redaction.rules[0].regex",
        ),
        (
            "limits:\n  redaction: {enable: [pii]}\n",
            2,
            14,
            "limits.redaction",
        ),
        (
            "overrides:\n  aliases:\n    w: {redaction: {disable: [odd]}}\n",
            3,
            31,
            "overrides.aliases.w.redaction.disable[0]",
        ),
    ] {
        let faults = read(text).err().unwrap_or_else(|| panic!("{text}"));
        let fault = &faults[0];
        assert_eq!((fault.line, fault.column), (line, column), "{fault:?}");
        assert!(
            fault.path.starts_with(path.split(".regex").next().unwrap()),
            "{fault:?}"
        );
    }
    assert!(read("redaction:\n  enabled: [pii]\n").is_err());
}

#[test]
fn turning_secrets_off_is_loud_and_a_slow_rule_is_told() {
    let (_, warnings) = layers(
        "redaction:\n  rules:\n    - {name: slow, regex: '[a-z]+[0-9]+'}\noverrides:\n  tags:\n    lab: {redaction: {disable: [secret]}}\n",
    );
    let told: Vec<(u64, &str)> = warnings
        .iter()
        .map(|it| (it.line, it.path.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (3, "redaction.rules.slow"),
            (6, "overrides.tags.lab.redaction.disable")
        ],
        "{warnings:?}"
    );
    assert!(
        warnings[1].message.contains("SECRETS ARE SHOWN")
            && warnings[1].message.contains("tag `lab`")
    );
}
