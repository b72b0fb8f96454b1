//! What is written down, and what must never be: the records on standard error, the journal, and the document
//! that describes them.

use portcullis_ssh::target::{Ending, Reply, Target, ThrowawayKey};
use portcullis_tests::repository;
use portcullis_tests::sshd::GateFolder;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

/// A made-up token in the form of a real one.
const TOKEN: &str = "ghp_Z9y8X7w6V5u4T3s2R1q0P9o8N7m6L5k4J3i2";

/// Serves one session: sends the calls one after the other, each when the one before is answered; gives the
/// answers and everything that came on standard error.
pub(crate) fn serve(gate: &GateFolder, calls: &[(&str, Value)]) -> (Vec<Value>, String) {
    let mut child = gate
        .portcullis(&["serve", "--stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answers = Vec::new();
    for (id, (tool, arguments)) in calls.iter().enumerate() {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
            "name": tool, "arguments": arguments,
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {}}}});
        writeln!(input, "{call}").unwrap();
        let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        answers.push(answer);
    }
    drop(input);
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{errors}");
    (answers, errors)
}

/// Every byte of every file below a folder.
fn bytes_below(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_below(&path));
        } else {
            all.extend(fs::read(&path).unwrap());
        }
    }
    all
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

async fn gate() -> (Target, ThrowawayKey, GateFolder) {
    let key = ThrowawayKey::generate().unwrap();
    let answer = Arc::new(|command: &str| {
        let reply = Reply::text(&format!("{command}\npassword: hunter2hunter2\n"));
        if command.starts_with("sleep") {
            reply.ending(Ending::UntilEnded)
        } else {
            reply
        }
    });
    let target = Target::start(key.public(), answer).await.unwrap();
    let port = target.address().port();
    let gate = GateFolder::new(
        port,
        "demo",
        key.private().as_bytes(),
        &target.known_hosts_line(),
    );
    (target, key, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_reach_neither_journal_nor_log() {
    let (_target, key, gate) = gate().await;
    let calls = [
        (
            "ssh_run",
            json!({"alias": "web1", "command": format!("echo token={TOKEN}")}),
        ),
        (
            "ssh_plan",
            json!({"alias": "web1", "command": format!("echo {TOKEN}")}),
        ),
        (
            "ssh_run",
            json!({"alias": "web1", "command": format!("curl -u admin:hunter2hunter2 -H 'Authorization: Bearer {TOKEN}'")}),
        ),
    ];
    let (answers, errors) = tokio::task::block_in_place(|| serve(&gate, &calls));
    assert_eq!(
        answers[0]["result"]["structuredContent"]["exit_code"], 0,
        "{}",
        answers[0]
    );
    assert_eq!(
        answers[2]["result"]["structuredContent"]["status"], "denied",
        "{}",
        answers[2]
    );

    let shown = answers[0]["result"].to_string();
    let journal = bytes_below(&gate.state());
    let key_line = key.private().lines().nth(1).unwrap();
    for secret in [TOKEN, "hunter2hunter2", key_line] {
        assert!(!holds(&journal, secret), "the journal holds {secret}");
        assert!(!errors.contains(secret), "standard error holds {secret}");
        assert!(!shown.contains(secret), "the answer holds {secret}");
    }
    // The records are there, so their silence means something.
    assert!(holds(&journal, "\"kind\":\"run_open\"") && holds(&journal, "\"kind\":\"refused\""));
    assert!(
        errors.contains("\"type\":\"audit\"") && errors.contains("\"type\":\"policy_decision\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_is_logged_as_an_event() {
    let (_target, _key, gate) = gate().await;
    let policy = fs::read_to_string(gate.config().join("policy.yml")).unwrap();
    let policy = policy.replace("deny_substrings: []", "deny_substrings: [\"rm -rf\"]");
    fs::write(gate.config().join("policy.yml"), policy).unwrap();
    let calls = [
        (
            "ssh_run",
            json!({"alias": "web1", "command": "echo a\u{0}b"}),
        ),
        (
            "ssh_run",
            json!({"alias": "web1", "command": "echo a\u{1b}b"}),
        ),
        (
            "ssh_run",
            json!({"alias": "web1", "command": "echo a\u{202e}b"}),
        ),
        (
            "ssh_run",
            json!({"alias": "a".repeat(101), "command": "uptime"}),
        ),
        (
            "ssh_run",
            json!({"alias": "web1", "command": "echo 'rm' -rf x"}),
        ),
    ];
    let (_, errors) = tokio::task::block_in_place(|| serve(&gate, &calls));
    let events: Vec<Value> = errors
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<&str> = events
        .iter()
        .filter(|event| event["msg"] == "security_event")
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let journal = bytes_below(&gate.state());
    assert!(holds(&journal, "\"kind\":\"input_refused\"") && !holds(&journal, "a\u{202e}b"));
    assert_eq!(
        types,
        [
            "null_byte_injection_attempt",
            "control_character_injection_attempt",
            "hidden_character_injection_attempt",
            "input_length_limit_exceeded",
            "command_bypass_attempt",
        ],
        "{errors}"
    );
    for event in events
        .iter()
        .filter(|event| event["msg"] == "security_event")
    {
        assert!(
            event["principal"].as_str().unwrap().starts_with("local:"),
            "{event}"
        );
    }
}

#[test]
fn security_says_how_to_report() {
    let text = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let part = text
        .split("## Reporting")
        .nth(1)
        .expect("a section on reporting");
    let part = part.split("\n## ").next().unwrap();
    for word in [
        "Not in a public issue",
        "48 hours",
        "7 days",
        "portcullis --version",
        "newest minor release",
    ] {
        assert!(part.contains(word), "the section does not say {word:?}");
    }
}

/// The words in code of the table under Monitoring.
fn monitored() -> Vec<String> {
    let text = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let part = text.split("## Monitoring").nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    part.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| what |"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .flat_map(|span| span.split(": "))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_that_monitoring_names_are_written() {
    let (_target, _key, gate) = gate().await;
    let append = |name: &str, text: &str| {
        let path = gate.config().join(name);
        let text = fs::read_to_string(&path).unwrap() + text;
        fs::write(path, text).unwrap();
    };
    append(
        "servers.yml",
        "  - alias: keyless\n    host: 127.0.0.1\n    credentials: keyless\n",
    );
    append(
        "credentials.yml",
        "  - name: keyless\n    username: nobody\n    key_path: none\n",
    );
    let run = |alias: &str, command: &str| ("ssh_run", json!({"alias": alias, "command": command}));
    let calls = [
        run("web1", "uptime"),
        run("db1", "sleep 60"),
        run("web1", "rm -r /srv"),
        run("web1", "echo a\u{0}b"),
        run("keyless", "uptime"),
    ];
    let (_, errors) = tokio::task::block_in_place(|| serve(&gate, &calls));
    let mut written = bytes_below(&gate.state());
    written.extend(errors.as_bytes());
    let words = monitored();
    assert!(words.len() >= 20, "{words:?}");
    for word in words {
        let found = holds(&written, &format!("\"{word}\"")) || word == "false";
        assert!(found, "no record has {word}:\n{errors}");
    }
    assert!(errors.contains("\"allowed\":false"), "{errors}");
}
