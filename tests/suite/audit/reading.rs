//! Records as they are shown, followed and exported.

use super::{Server, of_kind, short, target, wait_for};
use crate::schemas;
use portcullis_tests::sshd::GateFolder;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn lines(gate: &GateFolder, verb: &[&str]) -> (i32, Vec<String>, String) {
    let output = gate.portcullis(verb).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code().unwrap(),
        text.lines().map(str::to_owned).collect(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_records_are_shown_and_followed() {
    let (_target, gate) = target().await;
    tokio::task::block_in_place(|| {
        short(&gate);
        let (code, shown, errors) = lines(&gate, &["audit", "tail", "-n", "3"]);
        assert_eq!((code, shown.len()), (0, 3), "{errors}");
        assert!(shown[2].contains("server_stop"), "{}", shown[2]);
        let (_, shown, _) = lines(&gate, &["audit", "tail", "-n", "1", "--format", "json"]);
        let record: Value = serde_json::from_str(&shown[0]).unwrap();
        assert_eq!(
            (&record["kind"], &record["what"]),
            (&json!("read"), &json!("audit_tail"))
        );
        let (_, shown, _) = lines(
            &gate,
            &[
                "audit", "tail", "--kind", "refused", "--alias", "far1", "--since", "1h",
            ],
        );
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert!(
            shown[0].contains("network_not_allowed") && shown[0].contains("$ echo far"),
            "{shown:?}"
        );
        let (_, shown, _) = lines(&gate, &["audit", "tail", "--since", "2100-01-01"]);
        assert!(shown.is_empty(), "{shown:?}");

        let mut child = gate
            .portcullis(&[
                "audit",
                "tail",
                "-n",
                "0",
                "--follow",
                "--kind",
                "run_close",
                "--format",
                "json",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut followed = BufReader::new(child.stdout.take().unwrap());
        wait_for(&gate, |records| {
            of_kind(records, "read")
                .iter()
                .filter(|it| it["what"] == "audit_tail")
                .count()
                >= 5
        });
        short(&gate);
        let mut line = String::new();
        followed.read_line(&mut line).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["kind"], "run_close");
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_have_the_required_fields_and_lawful_values_of_their_schemas() {
    let (_target, gate) = target().await;
    let gate = gate.with_plugins();
    tokio::task::block_in_place(|| {
        // An unreachable host: its port is closed.
        let servers = fs::read_to_string(gate.config().join("servers.yml")).unwrap();
        let closed = format!(
            "{servers}  - alias: gone1\n    host: 127.0.0.1\n    port: 1\n    credentials: test\n"
        );
        fs::write(gate.config().join("servers.yml"), closed).unwrap();
        let mut server = Server::start(&gate);
        server.call(
            json!(1),
            "ssh_run",
            json!({"alias": "gone1", "command": "echo gone"}),
        );
        server.end();
        let (records, _) = short(&gate);
        let (code, exported, errors) = lines(&gate, &["audit", "export", "--format", "ocsf"]);
        assert_eq!(code, 0, "{errors}");
        let events: Vec<Value> = exported
            .iter()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        let mut classes = BTreeSet::new();
        for event in &events {
            schemas::ocsf(event);
            classes.insert(event["class_uid"].as_u64().unwrap());
        }
        assert_eq!(classes, BTreeSet::from([1007, 4007, 6002, 6003]));
        let twice = ["run_open", "run_close"];
        let expected: usize = records
            .iter()
            .map(|it| {
                if twice.contains(&it["kind"].as_str().unwrap()) {
                    2
                } else {
                    1
                }
            })
            .sum();
        assert_eq!(events.len(), expected);
        let uids: BTreeSet<&str> = events
            .iter()
            .map(|it| it["metadata"]["uid"].as_str().unwrap())
            .collect();
        assert_eq!(uids.len(), events.len(), "two events have one name");
        for record in records.iter().filter(|it| it["config_digest"].is_string()) {
            let digest = record["config_digest"].as_str().unwrap();
            assert!(exported.iter().any(|it| it.contains(digest)), "{record}");
        }
        let launch = events
            .iter()
            .find(|it| {
                it["type_uid"] == 100_701 && it["status_id"] == 0 && it["device"]["name"] == "web1"
            })
            .unwrap();
        assert_eq!(launch["process"]["cmd_line"], "echo run");
        assert_eq!(launch["process"]["user"]["name"], "demo");
        let denied = events
            .iter()
            .find(|it| it["status_code"] == "deny_rule")
            .unwrap();
        assert_eq!(
            (&denied["action_id"], &denied["api"]["operation"]),
            (&json!(2), &json!("ssh_run"))
        );
        let failed = events.iter().find(|it| it["type_uid"] == 400_704).unwrap();
        assert_eq!(
            (&failed["status_id"], &failed["dst_endpoint"]["name"]),
            (&json!(2), &json!("gone1"))
        );

        let (code, exported, errors) = lines(&gate, &["audit", "export", "--format", "ecs"]);
        assert_eq!(code, 0, "{errors}");
        let mut categories = BTreeSet::new();
        for line in &exported {
            let document: Value = serde_json::from_str(line).unwrap();
            schemas::ecs(&document);
            categories.insert(
                document["event"]["category"][0]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            );
        }
        assert!(categories.len() >= 5, "{categories:?}");
        let (_, all, _) = lines(&gate, &["audit", "export"]);
        let (_, none, _) = lines(&gate, &["audit", "export", "--until", "2000-01-01"]);
        assert!(all.len() > records.len() && none.is_empty());
        let first: Map<String, Value> = serde_json::from_str(&all[0]).unwrap();
        assert_eq!(Value::Object(first), records[0]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_journal_that_does_not_hold_stops_there_and_says_so() {
    let (_target, gate) = target().await;
    tokio::task::block_in_place(|| {
        short(&gate);
        let file = gate.state().join("journal/journal.jsonl");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("echo plan", "echo plot", 1)).unwrap();
        let (code, exported, errors) = lines(&gate, &["audit", "export"]);
        assert_eq!(code, 1, "{errors}");
        assert!(
            errors.contains("does not hold") && errors.contains("journal.jsonl"),
            "{errors}"
        );
        let kinds: Vec<Value> = exported
            .iter()
            .map(|it| serde_json::from_str::<Value>(it).unwrap()["kind"].clone())
            .collect();
        assert_eq!(kinds, [json!("server_start"), json!("read")]);
        let (code, _, errors) = lines(&gate, &["audit", "tail"]);
        assert_eq!(code, 1, "{errors}");
    });
}
