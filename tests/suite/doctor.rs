//! `doctor` through the command line: its exit status, its two forms, and that it changes nothing.

use portcullis_tests::sshd::{GateFolder, Sshd, user};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A secret in the environment that must not be shown.
const SECRET: &str = "hunter2hunter2";

fn everything(dir: &Path) -> Vec<(String, u64, i64, u32)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        all.push((
            path.display().to_string(),
            meta.len(),
            meta.mtime(),
            meta.mode(),
        ));
        if meta.is_dir() {
            all.extend(everything(&path));
        }
    }
    all.sort();
    all
}

#[test]
fn doctor_answers_for_a_real_set_up_changes_nothing_and_shows_no_secret() {
    let server = Sshd::start();
    let gate = GateFolder::new(
        server.port(),
        &user(),
        &fs::read(server.key()).unwrap(),
        &server.known_host(),
    );
    let run = gate
        .portcullis(&["run", "web1", "echo hello"])
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let folder = gate.config().parent().unwrap().to_path_buf();
    let before = everything(&folder);
    let doctor = |verb: &[&str]| {
        gate.portcullis(verb)
            .env("MCP_SSH_SECRET_PASS", SECRET)
            .output()
            .unwrap()
    };
    let output = doctor(&["doctor", "--format", "json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The harness's set-up denies no text and leaves a secret in the environment.
    assert_eq!(
        (output.status.code(), &answer["ok"]),
        (Some(1), &Value::Bool(false))
    );
    let standing = |id: &str| -> String {
        let items = answer["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["id"] == id);
        item.unwrap_or_else(|| panic!("no {id}"))["standing"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (id, expected) in [
        ("key-types", "ok"),
        ("known-hosts-required", "ok"),
        // `far1` has no record.
        ("known-hosts-populated", "wrong"),
        ("deny-texts", "wrong"),
        ("deny-by-default", "ok"),
        ("incident-procedures", "ok"),
        ("journal-key", "ok"),
        ("passphrases", "wrong"),
        ("environment", "wrong"),
    ] {
        assert_eq!(standing(id), expected, "{id}: {answer}");
    }
    let human = doctor(&["doctor"]);
    assert_eq!(human.status.code(), Some(1));
    for text in [&output.stdout, &output.stderr, &human.stdout, &human.stderr] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains(SECRET), "{text}");
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text}"
        );
    }
    assert_eq!(everything(&folder), before);

    fs::write(gate.config().join("policy.yml"), "rulez: []\n").unwrap();
    let output = doctor(&["doctor", "--format", "json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{answer}");
    assert_eq!(
        answer["items"].as_array().unwrap().len(),
        37,
        "the rest is answered all the same"
    );
}
