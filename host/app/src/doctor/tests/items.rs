//! Every item, made ok in one set-up and wrong in another.

use super::super::*;
use super::*;
use portcullis_core::config::{PluginEntry, PluginKind, PluginLimits, PluginMode, PluginRuntime};

type Facts = fn(&mut Machine, &mut Setup);
type Disk = fn(&Stage);

fn nothing(_: &Stage) {}
fn none(_: &mut Machine, _: &mut Setup) {}

fn container(machine: &mut Machine, _: &mut Setup) {
    machine.container = true;
    machine.mounts[0].read_only = true;
}

fn plugin(setup: &mut Setup, sha256: Option<String>, mode: PluginMode) {
    setup.snapshot.as_mut().unwrap().plugins.push(PluginEntry {
        signature: None,
        vectors: None,
        runtime: PluginRuntime::Native,
        name: "guard".to_owned(),
        kind: PluginKind::Validator,
        path: "guard.wasm".to_owned(),
        sha256,
        mode,
        wasi_inert: false,
        limits: PluginLimits {
            wall_ms: 1,
            fuel: 1,
            memory_bytes: 1,
            component_bytes: 1,
        },
        settings: "{}".to_owned(),
    });
}

fn signers(stage: &Stage) {
    stage.put("config/allowed_signers", "ann ssh-ed25519 AAAA\n");
}

/// What makes an item ok that is not so of itself.
const MAKING_OK: [(&str, Disk, Facts); 4] = [
    ("container-privileges", nothing, container),
    ("health-check", nothing, container),
    ("plugins", nothing, |_, setup| {
        plugin(setup, Some("ab".repeat(32)), PluginMode::Enforce);
    }),
    ("approvals", signers, |_, setup| {
        for seen in &mut setup.seen {
            seen.writable = false;
        }
    }),
];

/// What makes each item wrong.
const MAKING_WRONG: [(&str, Disk, Facts); 37] = [
    (
        "key-types",
        |stage| stage.key("id", &["-t", "rsa", "-b", "2048"], PASSPHRASE),
        none,
    ),
    (
        "key-modes",
        |stage| stage.mode("config/keys/id", 0o644),
        none,
    ),
    (
        "known-hosts-required",
        |stage| {
            stage.change(
                "config/policy.yml",
                "rules:",
                "limits: {require_known_host: false}\nrules:",
            )
        },
        none,
    ),
    (
        "known-hosts-populated",
        |stage| stage.change("config/keys/known_hosts", "10.0.0.2", "10.0.0.3"),
        none,
    ),
    (
        "allow-lists",
        |stage| stage.change("config/policy.yml", "10.0.0.0/8", "0.0.0.0/0"),
        none,
    ),
    (
        "deny-texts",
        |stage| {
            stage.change(
                "config/policy.yml",
                "rules:",
                "limits: {deny_substrings: []}\nrules:",
            )
        },
        none,
    ),
    (
        "deny-by-default",
        |stage| stage.change("config/policy.yml", "[df -h]", "['*']"),
        none,
    ),
    ("read-only-mounts", nothing, |machine, _| {
        machine.mounts[1].read_only = false
    }),
    (
        "no-plain-passwords",
        |stage| {
            stage.change(
                "config/credentials.yml",
                "key_path: id",
                "key_path: id, password: hunter2hunter2",
            )
        },
        none,
    ),
    ("log-collection", nothing, |machine, _| {
        machine.served.push(served(0, "/dev/null"))
    }),
    ("alerting", nothing, |machine, _| {
        machine.journal_stream = false
    }),
    (
        "incident-procedures",
        |stage| {
            for entry in fs::read_dir(stage.path("state/journal")).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    fs::write(path, "no record\n").unwrap();
                }
            }
        },
        none,
    ),
    (
        "policy-tested",
        |stage| {
            let examples = ", examples: {allow: [uptime -p], deny: [uptime -s]}";
            stage.change("config/policy.yml", examples, "");
        },
        none,
    ),
    (
        "environments-separated",
        |stage| stage.change("config/servers.yml", ", tags: [staging]", ""),
        none,
    ),
    (
        "limits-set",
        |stage| {
            stage.change(
                "config/policy.yml",
                "rules:",
                "limits: {max_seconds: 7200}\nrules:",
            )
        },
        none,
    ),
    ("container-privileges", nothing, |machine, setup| {
        container(machine, setup);
        machine.confinement.as_mut().unwrap().capabilities = 1 << 21;
    }),
    (
        "health-check",
        |stage| stage.put("config/policy.yml", "rulez: []\n"),
        container,
    ),
    (
        "specific-patterns",
        |stage| stage.change("config/policy.yml", "[df -h]", "['vim *']"),
        none,
    ),
    (
        "keys-rotated",
        |stage| {
            let key = fs::File::open(stage.path("config/keys/id")).unwrap();
            key.set_modified(SystemTime::now() - DAY * 100).unwrap();
        },
        none,
    ),
    ("program-current", nothing, |machine, _| {
        machine.program_written = Some(machine.now - DAY * 100);
    }),
    (
        "configuration",
        |stage| stage.put("config/servers.yml", "hosts: [x]\n"),
        none,
    ),
    ("one-person", nothing, |machine, _| {
        machine.account = Some(("ann".to_owned(), "/bin/bash".to_owned()));
    }),
    ("not-root", nothing, |machine, _| machine.uid = 0),
    (
        "others",
        |stage| stage.mode("config/policy.yml", 0o666),
        none,
    ),
    ("law-writable", nothing, |machine, _| {
        machine.mounts.truncate(1)
    }),
    (
        "journal-key",
        |stage| stage.mode("state/keys/journal.key", 0o644),
        none,
    ),
    ("state-kept", nothing, |machine, _| {
        machine.mounts[0].kind = "tmpfs".to_owned()
    }),
    (
        "open-rules",
        |stage| stage.change("config/policy.yml", "[df -h]", "['*']"),
        none,
    ),
    (
        "deny-lists",
        |stage| {
            stage.change(
                "config/policy.yml",
                "deny_commands: [standard]",
                "limits: {deny_substrings: []}",
            );
        },
        none,
    ),
    (
        "host-keys",
        |stage| {
            stage.key("short", &["-t", "rsa", "-b", "1024"], "");
            let public = fs::read_to_string(stage.path("config/keys/short.pub")).unwrap();
            stage.change(
                "config/keys/known_hosts",
                "10.0.0.2",
                &format!("10.0.0.9 {public}10.0.0.2"),
            );
        },
        none,
    ),
    (
        "passphrases",
        |stage| stage.key("id", &["-t", "ed25519"], ""),
        none,
    ),
    ("environment", nothing, |machine, _| {
        machine
            .secret_variables
            .insert("MCP_SSH_SECRET_PASS".to_owned());
    }),
    ("plugins", nothing, |_, setup| {
        plugin(setup, None, PluginMode::Observe)
    }),
    ("confinement", nothing, |machine, _| {
        machine.confinement.as_mut().unwrap().seccomp = false
    }),
    ("memory", nothing, |machine, _| machine.dumpable = true),
    (
        "clock",
        |stage| {
            let policy = fs::File::open(stage.path("config/policy.yml")).unwrap();
            policy.set_modified(SystemTime::now() + DAY).unwrap();
        },
        none,
    ),
    ("approvals", signers, none),
];

fn examined(disk: Disk, facts: Facts) -> Vec<Item> {
    let stage = Stage::new();
    disk(&stage);
    let (mut machine, mut setup) = (stage.machine(), stage.setup());
    facts(&mut machine, &mut setup);
    examine(&machine, &setup)
}

#[test]
fn every_item_of_the_checklist_has_an_answer() {
    let items = examined(nothing, none);
    let ids: Vec<&str> = items.iter().map(|item| item.id).collect();
    let wrong: Vec<&str> = MAKING_WRONG.iter().map(|(id, _, _)| *id).collect();
    assert_eq!(ids, wrong, "an item without a row");
    let checklist = items.iter().filter(|item| item.part == Part::Checklist);
    assert_eq!(checklist.count(), 20, "the seed system's items");
    // Whether somebody is told is seen from nowhere here, so it is never called ok.
    let open = [
        "container-privileges",
        "health-check",
        "plugins",
        "approvals",
        "alerting",
    ];
    for item in &items {
        let expected = if open.contains(&item.id) {
            "not applicable"
        } else {
            "ok"
        };
        assert_eq!(
            item.standing.word(),
            expected,
            "{}: {:?}",
            item.id,
            item.standing
        );
    }
}

#[test]
fn every_item_is_ok_in_one_set_up_and_wrong_in_another() {
    for (id, disk, facts) in MAKING_OK {
        let found = standing(&examined(disk, facts), id);
        assert_eq!(found.word(), "ok", "{id}: {found:?}");
    }
    for (id, disk, facts) in MAKING_WRONG {
        let found = standing(&examined(disk, facts), id);
        assert_eq!(found.word(), "wrong", "{id}: {found:?}");
        let Standing::Wrong { found, mend } = found else {
            panic!("{id}");
        };
        assert!(!found.is_empty() && !mend.is_empty(), "{id}");
        assert!(
            !found.contains("hunter2") && !found.contains(PASSPHRASE),
            "{id}: {found}"
        );
    }
}
