//! The samples, the schemas and the reference page against the loader: what is shown to operators is what is read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use portcullis_core::config::{
    self, COMPANIONS, CREDENTIALS, FILES, Occasion, PLUGINS, POLICY, PORTCULLIS, SERVERS, Sources,
};
use serde_json::Value;
use std::path::PathBuf;

const REFRESH: &str = "run `cargo xtask reference`";

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config"))
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each sample with the file that it stands for.
fn samples() -> Vec<(String, &'static str)> {
    let mut samples: Vec<(String, &str)> = FILES
        .iter()
        .map(|file| ((*file).to_owned(), *file))
        .collect();
    samples.push(("policy.production.yml".to_owned(), POLICY));
    samples
}

fn validator(file: &str) -> jsonschema::Validator {
    jsonschema::validator_for(&config::schema(file).unwrap()).unwrap()
}

/// What the schema of a file says against a text.
fn complaints(file: &str, text: &str) -> Vec<String> {
    let value: Value = serde_yaml::from_str(text).unwrap();
    validator(file)
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// A set of files that loads, with one of them replaced.
fn with(file: &str, text: &str) -> Sources {
    let mut sources = Sources {
        servers: Some("hosts: []".to_owned()),
        ..Sources::default()
    };
    let place = match file {
        SERVERS => &mut sources.servers,
        CREDENTIALS => &mut sources.credentials,
        POLICY => &mut sources.policy,
        PLUGINS => &mut sources.plugins,
        PORTCULLIS => &mut sources.portcullis,
        COMPANIONS => &mut sources.companions,
        other => panic!("{other}"),
    };
    *place = Some(text.to_owned());
    sources
}

fn loads(file: &str, text: &str) -> bool {
    config::load(&with(file, text), Occasion::Start).is_ok()
}

#[test]
fn the_schemas_and_the_reference_page_are_current() {
    for file in FILES {
        let name = file.trim_end_matches(".yml");
        let made = format!("{:#}\n", config::schema(file).unwrap());
        let kept = read(&format!("schema/{name}.json"));
        assert!(
            made == kept,
            "config/schema/{name}.json is stale: {REFRESH}"
        );
    }
    assert!(
        config::reference().trim_end() == read("reference.md").trim_end(),
        "config/reference.md is stale: {REFRESH}"
    );
}

#[test]
fn every_sample_is_taken_by_its_schema_and_names_it() {
    for (sample, file) in samples() {
        let text = read(&sample);
        let name = file.trim_end_matches(".yml");
        let line = format!("# yaml-language-server: $schema=schema/{name}.json");
        assert_eq!(text.lines().next(), Some(line.as_str()), "{sample}");
        let found = complaints(file, &text);
        assert!(found.is_empty(), "{sample}: {found:?}");
    }
}

#[test]
fn every_sample_loads() {
    let mut sources = Sources::default();
    for file in FILES {
        let text = read(file);
        let place = match file {
            SERVERS => &mut sources.servers,
            CREDENTIALS => &mut sources.credentials,
            POLICY => &mut sources.policy,
            PLUGINS => &mut sources.plugins,
            PORTCULLIS => &mut sources.portcullis,
            _ => &mut sources.companions,
        };
        *place = Some(text);
    }
    for policy in ["policy.yml", "policy.production.yml"] {
        sources.policy = Some(read(policy));
        let snapshot = config::load(&sources, Occasion::Start).unwrap_or_else(|f| panic!("{f:?}"));
        assert!(snapshot.warnings.is_empty(), "{:?}", snapshot.warnings);
    }
}

/// What stands in a sample behind `# ` with a key is described there too; a sample shows every key of its file.
#[test]
fn every_key_stands_in_a_sample() {
    for file in FILES {
        let schema = config::schema(file).unwrap();
        let mut text = read(file);
        if file == POLICY {
            text.push_str(&read("policy.production.yml"));
            // The format of profiles and deny entries is described by the shipped data.
            text.push_str(&read("README.md"));
        }
        let mut parts = vec![("", &schema)];
        let defs = schema["$defs"].as_object();
        parts.extend(
            defs.into_iter()
                .flatten()
                .map(|(name, part)| (name.as_str(), part)),
        );
        for (name, part) in parts {
            if ["Profile", "When", "DenyEntry"].contains(&name) {
                continue;
            }
            let keys = part["properties"].as_object();
            for key in keys.into_iter().flatten().map(|(key, _)| key) {
                let stands = text.contains(&format!("{key}:")) || text.contains(&format!("`{key}"));
                assert!(stands, "{file}: no sample shows `{key}` of {name:?}");
            }
        }
    }
}

/// Every key of a schema has words, and every shape refuses keys that it does not know.
#[test]
fn every_key_is_described_and_no_other_is_taken() {
    for file in FILES {
        let schema = config::schema(file).unwrap();
        let mut parts = vec![("", &schema)];
        let defs = schema["$defs"].as_object();
        parts.extend(
            defs.into_iter()
                .flatten()
                .map(|(name, part)| (name.as_str(), part)),
        );
        for (name, part) in parts {
            let Some(keys) = part["properties"].as_object() else {
                continue;
            };
            assert_eq!(part["additionalProperties"], false, "{file} {name}");
            for (key, value) in keys {
                let words = value["description"].as_str().unwrap_or_default();
                assert!(
                    words.len() > 10,
                    "{file} {name}: `{key}` has no description"
                );
            }
        }
    }
}

/// The rows of the acceptance cases that hold a policy: what loads is taken by the schema.
#[test]
fn a_policy_of_the_cases_that_loads_is_taken_by_the_schema() {
    let cases = folder().join("../tests/cases");
    let validator = validator(POLICY);
    let (mut taken, mut refused) = (0, 0);
    let file = std::fs::read_to_string(cases.join("orchestrator.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let other = std::fs::read_to_string(cases.join("command-policies.json")).unwrap();
    let other: Value = serde_json::from_str(&other).unwrap();
    let mut policies: Vec<&Value> = Vec::new();
    collect(&file, &mut policies);
    collect(&other, &mut policies);
    for policy in policies {
        if config::policy(&policy.to_string()).is_err() {
            refused += 1;
            continue;
        }
        let found: Vec<String> = validator
            .iter_errors(policy)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(found.is_empty(), "{found:?} of {policy}");
        taken += 1;
    }
    assert!(
        taken > 100 && refused > 5,
        "{taken} taken, {refused} refused"
    );
}

/// Every mapping in a document that has rules or limits.
fn collect<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(map) => {
            if map.contains_key("rules") || map.contains_key("network") && !map.contains_key("id") {
                found.push(value);
            } else {
                map.values().for_each(|value| collect(value, found));
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Shapes that both must take, and shapes that both must refuse.
#[test]
fn the_loader_and_the_schema_agree() {
    let long = "x".repeat(501);
    let companion = |more: &str| {
        format!("companions: [{{name: c, transport: stdio, command: /bin/c, {more}}}]")
    };
    let entry = |more: &str| format!("entries: [{{name: a, username: b, {more}}}]");
    let plugin = |more: &str| {
        format!("plugins: [{{name: a, kind: validator, path: a.wasm, dev: true, {more}}}]")
    };
    for (file, text) in [
        (SERVERS, "hosts: [{alias: a, host: h, port: '22', tags: , description: , shell: }]".to_owned()),
        (SERVERS, "version: 1\nhosts: [{alias: ' a ', host: '::1', tags: [' x ']}]".to_owned()),
        (CREDENTIALS, entry("key_path: , password_secret: ' s '")),
        (CREDENTIALS, entry("password_secret: s, env: {password_secret: S}")),
        (POLICY, "rules:\nlimits:\nnetwork:\noverrides:\n".to_owned()),
        (POLICY, "version: 2\nmode: simple\ndeny_commands: [standard, {programs: [x]}]".to_owned()),
        (PLUGINS, plugin("limits: , settings: ")),
        (PLUGINS, plugin("limits: {wall_ms: 1}, settings: {a: [1, x, null]}")),
        (PORTCULLIS, "audit: {}\nreload: {poll_seconds: 2}\nroles: {}\nprincipals: []".to_owned()),
        (PORTCULLIS, "transports: {stdio: true, http: false}\nstore: {kind: files}\ndns: {resolver: system, timeout_seconds: 5}\napprovals: {enabled: false}\nprincipals: [{name: 'local:*', roles: [caller]}]".to_owned()),
        (PORTCULLIS, "dns: {resolver: hickory, servers: [192.0.2.53, '[2001:db8::53]', '192.0.2.53:5353', '[::1]:53'], cache_seconds: 0}".to_owned()),
        (COMPANIONS, "companions: []".to_owned()),
        (COMPANIONS, companion("tools: [{name: a, effect: write, undo: a}]")),
    ] {
        assert!(loads(file, &text), "{file}: {text}");
        let found = complaints(file, &text);
        assert!(found.is_empty(), "{file}: {text}: {found:?}");
    }
    for (file, text) in [
        (SERVERS, "hosts: [{alias: a, host: h, prt: 1}]".to_owned()),
        (SERVERS, "hosts: [{alias: a, host: h, port: 0}]".to_owned()),
        (SERVERS, "hosts: [{alias: a b, host: h}]".to_owned()),
        (SERVERS, "hosts: [{host: h}]".to_owned()),
        (SERVERS, "hosts: x".to_owned()),
        (CREDENTIALS, entry("password: x")),
        (CREDENTIALS, entry("password_secret: a/b")),
        (
            CREDENTIALS,
            entry("password_secret: s, env: {password_secret: 1X}"),
        ),
        (POLICY, "rules: [{action: permit}]".to_owned()),
        (POLICY, "rules: [{action: allow, commands: x}]".to_owned()),
        (POLICY, "limits: {max_seconds: 0}".to_owned()),
        (
            POLICY,
            "deny_commands: [{programs: [x], flagz: [-r]}]".to_owned(),
        ),
        (POLICY, "version: 3".to_owned()),
        (PLUGINS, plugin("mode: skip")),
        (PLUGINS, plugin("limits: {fuel: 0}")),
        (PORTCULLIS, "transports: {http: true}".to_owned()),
        (
            PORTCULLIS,
            "transports: {http: {listen: '127.0.0.1:1'}}".to_owned(),
        ),
        (PORTCULLIS, "transports: {stdio: false}".to_owned()),
        (
            PORTCULLIS,
            "roles: {reader: {tools: [ssh_ping]}}".to_owned(),
        ),
        (PORTCULLIS, "principals: [{name: 'local:1000'}]".to_owned()),
        (PORTCULLIS, "store: {kind: postgresql}".to_owned()),
        (PORTCULLIS, "dns: {resolver: bind}".to_owned()),
        (PORTCULLIS, "dns: {servers: []}".to_owned()),
        (PORTCULLIS, "dns: {servers: [ns1.example.com]}".to_owned()),
        (PORTCULLIS, "dns: {cache_seconds: 3601}".to_owned()),
        (PORTCULLIS, "approvals: {enabled: true}".to_owned()),
        (PORTCULLIS, "reload: {poll_seconds: 3601}".to_owned()),
        (COMPANIONS, companion("timeout_seconds: 0")),
        (
            COMPANIONS,
            companion("tools: [{name: a, effect: harmless}]"),
        ),
        (
            COMPANIONS,
            "companions: [{name: C, transport: stdio, command: /c}]".to_owned(),
        ),
    ] {
        assert!(!loads(file, &text), "{file}: {text}");
        assert!(!complaints(file, &text).is_empty(), "{file}: {text}");
    }
    assert!(!loads(
        COMPANIONS,
        &companion(&format!("description: {long}"))
    ));
}
