//! The cases through the other doors: the command line (`plan --cases`) and MCP. The first door, `core` itself,
//! is tried in `host/core/tests`.

use portcullis_tests::sshd::GateFolder;
use portcullis_tests::{portcullis, repository};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// The tools that exist so far.
const TOOLS: [&str; 7] = [
    "ssh_ping",
    "ssh_list_hosts",
    "ssh_describe_host",
    "ssh_plan",
    "ssh_run",
    "ssh_read_output",
    "ssh_reload_config",
];

pub(crate) fn cases(kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(repository().join("tests/cases/orchestrator.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["kind"] == kind)
        .cloned()
        .collect()
}

#[test]
fn policy_decisions_hold_through_the_command_line() {
    let rows = cases("policy_decision");
    assert!(rows.len() > 50, "only {} rows", rows.len());
    let mut child = Command::new(portcullis())
        .args(["plan", "--cases", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = rows
        .iter()
        .map(|row| {
            let line = json!({"id": row["id"], "host": row["host"], "command": row["command"],
                              "policy": row["policy"], "expect": row["expect"]});
            format!("{line}\n")
        })
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), rows.len(), "one answer for each row");
    let mut wrong = Vec::new();
    for (row, answer) in rows.iter().zip(&answers) {
        assert_eq!(row["id"], answer["id"], "answers come in order");
        let free = row["level"] == "note";
        if answer["pass"] == false && !free {
            wrong.push(format!("{answer}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_row_that_cannot_be_read_is_still_answered() {
    let mut child = Command::new(portcullis())
        .args(["plan", "--cases", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let rows = "not json\n{\"id\":1,\"host\":{\"alias\":\"a\"},\"command\":\"uptime\",\"policy\":{\"rulez\":[]}}\n\
                {\"id\":2,\"host\":{\"alias\":\"a b\"},\"command\":\"uptime\",\"policy\":{}}\n\
                {\"id\":3,\"host\":{\"alias\":\"a\"},\"command\":\"up\\u202etime\",\"policy\":{}}\n\
                {\"id\":4,\"host\":{\"alias\":\"a\"},\"command\":\"uptime\",\"policy\":{}}\n";
    child
        .stdin
        .take()
        .unwrap()
        .write_all(rows.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let decisions: Vec<(Value, Value)> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|answer| (answer["decision"].clone(), answer["code"].clone()))
        .collect();
    let expected = [
        ("invalid", "row"),
        ("invalid", "policy"),
        ("invalid", "input_characters"),
        ("invalid", "input_hidden_character"),
        ("deny", "no_rule"),
    ];
    let expected: Vec<(Value, Value)> = expected
        .iter()
        .map(|(decision, code)| (json!(decision), json!(code)))
        .collect();
    assert_eq!(decisions, expected);
}

/// Whether `whole` has everything that `part` asks for.
fn covers(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| covers(found, value))),
        _ => whole == part,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_responses_hold_through_mcp() {
    let mut tried = 0;
    for row in cases("tool_response") {
        let tool = row["tool"].as_str().unwrap();
        if row["level"] == "note" || !(TOOLS.contains(&tool) || tool == "tools/list") {
            continue;
        }
        tried += 1;
        let gate = GateFolder::new(22, "user1", b"", "");
        for (file, key) in [
            ("servers.yml", "servers"),
            ("credentials.yml", "credentials"),
            ("policy.yml", "policy"),
        ] {
            fs::write(gate.config().join(file), row["config"][key].to_string()).unwrap();
        }
        let client = gate.connect().await;
        let (id, expect) = (&row["id"], &row["expect"]);
        if tool == "tools/list" {
            let tools = client.tools().await.unwrap();
            for (name, wanted) in expect["annotations"].as_object().unwrap() {
                let listed = tools
                    .iter()
                    .find(|tool| tool["name"] == name.as_str())
                    .unwrap();
                assert!(covers(&listed["annotations"], wanted), "{id}: {listed}");
            }
        } else {
            let answer = client.call(tool, row["args"].clone()).await.unwrap();
            match (expect.get("error_text"), expect.get("error_contains")) {
                (Some(text), _) => assert_eq!(answer.text, text.as_str().unwrap(), "{id}"),
                (_, Some(part)) => {
                    let part = part.as_str().unwrap().to_lowercase();
                    assert!(
                        answer.is_error && answer.text.to_lowercase().contains(&part),
                        "{id}: {}",
                        answer.text
                    );
                }
                _ => assert!(
                    covers(&answer.structured, expect),
                    "{id}: {} lacks {expect}",
                    answer.structured
                ),
            }
            for key in row["must_have"].as_array().into_iter().flatten() {
                assert!(
                    answer.structured.get(key.as_str().unwrap()).is_some(),
                    "{id}: no {key}"
                );
            }
        }
        client.close().await.unwrap();
    }
    assert!(tried >= 9, "only {tried} rows were tried");
}
