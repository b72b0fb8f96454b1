//! A part of the table of attacks on paths through the real server: the refusal is logged with its event, and
//! nothing of what lies outside is in any answer, log or record. All rows are tried by the tests of the binary.

use portcullis_tests::attacks::{self, Attack, CANARY, Ground, INSIDE, private};
use portcullis_tests::repository;
use portcullis_tests::sshd::GateFolder;
use portcullis_tests::stdio::{bytes_below, serve};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const POLICY: &str = "rules: [{action: allow, commands: [uptime]}]\n";

/// A configuration that names what the row asks for, in folders of its own.
fn configured(gate: &GateFolder, root: &Path, kind: &str, ask: &str) {
    for name in ["keys", "secrets", "plugins"] {
        let dir = root.join(name);
        fs::create_dir_all(dir.join("sub/deep")).unwrap();
        for file in ["inside", "sub/inside", "sub/deep/inside"] {
            private(&dir.join(file), INSIDE.as_bytes());
        }
    }
    let (mut key, mut passphrase, mut known_hosts) = ("inside", None, "known_hosts");
    fs::write(root.join("keys/known_hosts"), "").unwrap();
    match kind {
        "key" => key = ask,
        "secret" => passphrase = Some(ask),
        "known_hosts" => known_hosts = ask,
        "config" => {}
        kind => panic!("no such kind here: {kind}"),
    }
    let entry = json!({"name": "test", "username": "demo", "key_path": key,
                       "key_passphrase_secret": passphrase});
    // JSON is YAML, and its quotes are told apart from the text in them.
    let credentials = json!({"entries": [entry]}).to_string();
    fs::write(gate.config().join("credentials.yml"), credentials).unwrap();
    let policy = format!("known_hosts_path: {}\n{POLICY}", json!(known_hosts));
    fs::write(gate.config().join("policy.yml"), policy).unwrap();
}

fn tried(attack: &Attack, kind: &str, expected: &str) -> Option<()> {
    let gate = GateFolder::new(1, "demo", b"", "");
    let config = gate.config();
    let root = config.parent().unwrap();
    let out = root.join("out");
    let dir = match kind {
        "secret" => root.join("secrets"),
        "config" => config.clone(),
        _ => root.join("keys"),
    };
    let ground = Ground {
        root,
        dir: &dir,
        out: &out,
    };
    let ask = attack.ask(&ground);
    configured(&gate, root, kind, &ask);
    if kind == "config" {
        fs::remove_file(config.join("policy.yml")).unwrap();
    }
    ground.plant();
    let prepared = attack.prepare(&ground)?;
    let mut command = gate.portcullis(&["serve", "--stdio"]);
    for (variable, name) in [
        ("PORTCULLIS_KEYS_DIR", "keys"),
        ("PORTCULLIS_SECRETS_DIR", "secrets"),
        ("PORTCULLIS_PLUGINS_DIR", "plugins"),
    ] {
        command.env(variable, root.join(name));
    }
    let calls = [("ssh_run", json!({"alias": "web1", "command": "uptime"}))];
    let (answers, errors, _) = serve(&mut command, &calls);
    drop(prepared);
    let id = &attack.id;
    let events: Vec<Value> = errors
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["kind"] == "security_audit")
        .collect();
    let names: Vec<String> = events
        .iter()
        .map(|event| {
            for name in [
                "ts",
                "timestamp",
                "attempted_path",
                "resolved_path",
                "principal",
            ] {
                assert!(!event[name].is_null(), "{id}: no {name}: {event}");
            }
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            format!("{}/{}", text("event_type"), text("reason"))
        })
        .collect();
    if expected == "read" {
        assert!(names.is_empty(), "{id} {kind}: {names:?}");
    } else {
        assert!(
            names.iter().any(|name| name == expected),
            "{id} {kind} ({expected}): {errors}"
        );
    }
    let state = if gate.state().exists() {
        bytes_below(&gate.state())
    } else {
        Vec::new()
    };
    let answers: String = answers.iter().map(ToString::to_string).collect();
    let all = format!("{answers}{errors}{}", String::from_utf8_lossy(&state));
    assert!(
        !all.contains(CANARY),
        "{id} {kind}: what lies outside came back: {all}"
    );
    assert!(
        ground.is_untouched(),
        "{id} {kind}: something outside was changed"
    );
    Some(())
}

#[test]
fn no_attack_on_a_path_leads_out_of_the_real_server() {
    let mut count = 0;
    for attack in attacks::attacks(&repository())
        .iter()
        .filter(|attack| attack.binary)
    {
        for (kind, expected) in &attack.expect {
            if kind != "plugin" {
                count += usize::from(tried(attack, kind, expected).is_some());
            }
        }
    }
    assert!(count >= 40, "only {count} were tried");
}
