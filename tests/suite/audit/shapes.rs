//! Which records there are, which fields each has, and how many of them a flood makes.

use super::{Server, audit_keys, journal, of_kind, short, target, verify, wait_for};
use portcullis_tests::repository;
use portcullis_tests::sshd::GateFolder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::ChildStdin;

/// The table between two marks of config/audit.md: what stands in its first cell, and the fields of its last.
fn documented(mark: &str) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let text = fs::read_to_string(repository().join("config/audit.md")).unwrap();
    let table = text.split(&format!("<!-- {mark} -->")).nth(1).unwrap();
    let mut all = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
        for field in cells.last().unwrap().split('`').skip(1).step_by(2) {
            match field.strip_suffix('?') {
                Some(field) => may.insert(field.to_owned()),
                None => must.insert(field.to_owned()),
            };
        }
        all.insert(cells[0].trim_matches('`').to_owned(), (must, may));
    }
    assert!(all.len() >= 10, "{mark}: only {} rows", all.len());
    all
}

/// The fields of the stamp, as the document lists them.
fn stamp() -> BTreeSet<String> {
    let text = fs::read_to_string(repository().join("config/audit.md")).unwrap();
    let part = text.split("## Who, and under what").nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let stamp: BTreeSet<String> = part
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(stamp.len(), 7, "{stamp:?}");
    stamp
}

/// Compares records with a table of the document; gives the words that occurred.
fn compare(records: &[Value], word: &str, mark: &str, frame: &[&str]) -> BTreeSet<String> {
    let (documented, stamp) = (documented(mark), stamp());
    let mut seen = BTreeSet::new();
    for record in records {
        let name = record[word].as_str().unwrap();
        let (must, may) = documented
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not documented: {record}"));
        let fields: BTreeSet<String> = record.as_object().unwrap().keys().cloned().collect();
        let frame: BTreeSet<String> = frame.iter().map(|field| (*field).to_owned()).collect();
        let expected: BTreeSet<String> = &(&frame | &stamp) | must;
        let missing: Vec<_> = expected.difference(&fields).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}: {record}");
        let known = &expected | may;
        let unknown: Vec<_> = fields.difference(&known).collect();
        assert!(unknown.is_empty(), "{name} has {unknown:?}: {record}");
        assert_eq!(record["v"], 1);
        seen.insert(name.to_owned());
    }
    seen
}

/// Holds records of the journal against the document.
pub(crate) fn compare_journal(records: &[Value]) {
    compare(
        records,
        "kind",
        "journal",
        &["seq", "prev", "kind", "ts", "v", "mac"],
    );
}

/// Everything that a gate can be made to record, but for a disk that fails and a crash: those have tests of their own.
fn drive(gate: &GateFolder) -> (Vec<Value>, Vec<Value>) {
    let policy = fs::read_to_string(gate.config().join("policy.yml")).unwrap();
    let named = policy.replace(
        "rules:\n  - action: allow\n",
        "rules:\n  - action: allow\n    name: look\n",
    );
    let named = named.replace("deny_substrings: []", "deny_substrings: [\"rm -rf\"]");
    fs::write(gate.config().join("policy.yml"), &named).unwrap();
    audit_keys(gate, "  rotate_bytes: 65536\n  retain_files: 1\n");
    let mut server = Server::start(gate);
    server.call(json!(1), "ssh_ping", json!({}));
    server.call(json!("two"), "ssh_list_hosts", json!({}));
    server.call(json!(3), "ssh_describe_host", json!({"alias": "web1"}));
    server.call(
        json!(4),
        "ssh_plan",
        json!({"alias": "web1", "command": "echo plan"}),
    );
    server.call(
        json!("run\u{1b}[2J\u{202e}5"),
        "ssh_run",
        json!({"alias": "web1", "command": "echo run"}),
    );
    server.call(
        json!(6),
        "ssh_run",
        json!({"alias": "web1", "command": "id"}),
    );
    server.call(
        json!(7),
        "ssh_run",
        json!({"alias": "far1", "command": "echo far"}),
    );
    server.call(
        json!(8),
        "ssh_run",
        json!({"alias": "nobody", "command": "echo far"}),
    );
    for command in ["a\u{0}b", "a\u{1b}b", "a\u{202e}b", "echo 'rm' -rf x"] {
        server.call(
            json!(9),
            "ssh_run",
            json!({"alias": "web1", "command": command}),
        );
    }
    server.call(
        json!(10),
        "ssh_run",
        json!({"alias": "a".repeat(101), "command": "id"}),
    );
    server.call(json!(11), "ssh_run", json!({"alias": "web1", "bogus": 1}));
    server.call(json!(12), "ssh_nothing", json!({}));
    server.line("{nonsense");
    let stranger = json!({"jsonrpc": "2.0", "id": "m", "method": "no/such", "params": {
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": {}}}});
    let stranger = server.line(&stranger.to_string());
    assert_eq!(stranger["error"]["code"], -32601, "{stranger}");
    server.call(json!(13), "ssh_reload_config", json!({}));
    fs::write(gate.config().join("policy.yml"), "rules: 7\n").unwrap();
    server.call(json!(14), "ssh_reload_config", json!({}));
    fs::write(gate.config().join("policy.yml"), &named).unwrap();
    // A flood of reads: the first are recorded, the others counted.
    for _ in 0..200 {
        server.call(json!(15), "ssh_ping", json!({}));
    }
    // Long commands fill segments until the retention has something to remove.
    let long = format!("echo {}", "x".repeat(9_000));
    for _ in 0..12 {
        server.call(
            json!(16),
            "ssh_run",
            json!({"alias": "web1", "command": long}),
        );
    }
    server.hang_up();
    wait_for(gate, |records| {
        of_kind(records, "reload")
            .iter()
            .any(|it| it["door"] == "signal")
    });
    let events = server.end();
    (journal(gate), events)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_have_the_documented_fields_and_their_ids_tie_them_together() {
    let (_target, gate) = target().await;
    let (records, events) = tokio::task::block_in_place(|| drive(&gate));
    let frame = ["seq", "prev", "kind", "ts", "v", "mac"];
    let seen = compare(&records, "kind", "journal", &frame);
    let missing: Vec<String> = documented("journal")
        .into_keys()
        .filter(|kind| !seen.contains(kind))
        .collect();
    // What was removed by the retention is not there to be seen.
    let elsewhere = [
        "gap",
        "recovered",
        "plugin_loaded",
        "plugin_breaker",
        "contact",
        "contact_end",
        "host_key",
        "fleet_open",
        "fleet_close",
        "task_start",
        "task_cancel",
    ];
    let gone = [
        "server_start",
        "read",
        "plan",
        "refused",
        "input_refused",
        "edge_refused",
    ];
    for kind in missing {
        let known = elsewhere.contains(&kind.as_str()) || gone.contains(&kind.as_str());
        assert!(known, "{kind} did not occur");
    }
    // The program's own log lines are no records: they have a target and no type.
    let events: Vec<Value> = events
        .into_iter()
        .filter(|line| line.get("target").is_none())
        .collect();
    let seen = compare(&events, "type", "events", &["type", "ts", "v"]);
    for event in [
        "policy_decision",
        "audit",
        "progress",
        "null_byte_injection_attempt",
        "control_character_injection_attempt",
        "hidden_character_injection_attempt",
        "input_length_limit_exceeded",
        "command_bypass_attempt",
        "records_suppressed",
    ] {
        assert!(seen.contains(event), "{event} did not occur");
    }

    let run = events.iter().find(|it| it["type"] == "audit").unwrap();
    let decision = events
        .iter()
        .find(|it| it["type"] == "policy_decision" && it["call_id"] == run["call_id"])
        .unwrap();
    let progress = events
        .iter()
        .find(|it| it["type"] == "progress" && it["call_id"] == run["call_id"])
        .unwrap();
    for other in [decision, progress] {
        for field in [
            "principal",
            "task_id",
            "request_id",
            "rule",
            "config_digest",
            "policy_digest",
            "plugins",
            "alias",
            "hash",
        ] {
            assert_eq!(other[field], run[field], "{field}");
        }
    }
    assert_eq!(
        (&run["rule"], &run["rule_name"]),
        (&json!(0), &json!("look"))
    );
    // The client's id, without what would act on a terminal.
    let id = run["request_id"].as_str().unwrap();
    assert!(id.starts_with("run") && id.ends_with('5'), "{id:?}");
    assert!(!id.contains('\u{1b}') && !id.contains('\u{202e}'), "{id:?}");
    assert_eq!(run["policy_digest"].as_str().unwrap().len(), 64);
    let verified = verify(&gate, &[]);
    assert_eq!(verified["ok"], true, "{verified}");
    assert!(verified["removed"].as_u64().unwrap() > 0, "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_administrative_act_is_recorded_with_who_and_under_what() {
    let (_target, gate) = target().await;
    let gate = gate.with_plugins();
    let (records, events) = tokio::task::block_in_place(|| short(&gate));
    let kinds: Vec<&str> = records
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "server_start",
            "plugin_loaded",
            "plugin_loaded",
            "read",
            "plan",
            "run_open",
            "run_close",
            "refused",
            "refused",
            "input_refused",
            "edge_refused",
            "reload",
            "server_stop"
        ]
    );
    let start = &records[0];
    assert_eq!(start["version"], env!("CARGO_PKG_VERSION"));
    let directories = start["directories"].as_object().unwrap();
    assert_eq!(directories.len(), 5);
    let path = gate.config().display().to_string();
    assert!(
        !records.iter().any(|it| it.to_string().contains(&path)),
        "a path is recorded"
    );
    assert!(
        directories
            .values()
            .all(|it| it.as_str().unwrap().len() == 16)
    );
    assert_eq!(records[1]["plugin"], "path-guard");
    for record in &records {
        assert!(
            record["principal"].as_str().unwrap().starts_with("local:"),
            "{record}"
        );
        assert_eq!(record["plugins"].as_array().unwrap().len(), 2, "{record}");
        assert!(
            record["plugins"][0]
                .as_str()
                .unwrap()
                .starts_with("path-guard@"),
            "{record}"
        );
        assert_eq!(record["config_digest"], start["config_digest"]);
    }
    // What a run's records have in common.
    let (open, close) = (&records[5], &records[6]);
    for field in [
        "call_id",
        "request_id",
        "task_id",
        "alias",
        "hash",
        "principal",
        "rule",
    ] {
        assert_eq!(open[field], close[field], "{field}");
    }
    assert_eq!(close["opened"], open["seq"]);
    let audit = events.iter().find(|it| it["type"] == "audit").unwrap();
    assert_eq!(audit["call_id"], open["call_id"]);
    assert_eq!(audit["journal_seq"], close["seq"]);
    assert_eq!(audit["journal_mac"], close["mac"]);
    let decision = events
        .iter()
        .find(|it| it["task_id"] == open["task_id"])
        .unwrap();
    assert_eq!(
        (&decision["journal_seq"], &decision["journal_mac"]),
        (&open["seq"], &open["mac"])
    );
    // A refusal by a rule names it; one by the address lists names the addresses.
    assert_eq!(
        (&records[7]["code"], &records[7]["rule"]),
        (&json!("deny_rule"), &json!(1))
    );
    assert_eq!(records[8]["code"], "network_not_allowed");
    assert_eq!(records[8]["addresses"], json!(["10.255.255.1"]));
    assert_eq!(
        (&records[9]["code"], &records[9]["field"]),
        (&json!("input_characters"), &json!("alias"))
    );
    assert_eq!(records[10]["code"], "parse_error");
    assert_eq!(
        (&records[11]["outcome"], &records[11]["door"]),
        (&json!("reloaded"), &json!("mcp"))
    );
    assert_eq!(records[12]["reason"], "input_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_lines_that_are_no_calls_is_counted_and_does_not_fill_the_journal() {
    const LINES: u64 = 20_000;
    let (_target, gate) = target().await;
    let records = tokio::task::block_in_place(|| {
        let mut server = Server::start(&gate);
        let mut input = server.input.try_clone_for_flood();
        let writer = std::thread::spawn(move || {
            let line = "{nonsense\n".repeat(100);
            for _ in 0..LINES / 100 {
                input.write_all(line.as_bytes()).unwrap();
            }
        });
        for _ in 0..LINES {
            server.lines.next().unwrap().unwrap();
        }
        writer.join().unwrap();
        server.end();
        journal(&gate)
    });
    let recorded = of_kind(&records, "edge_refused").len() as u64;
    let counted: u64 = of_kind(&records, "suppressed")
        .iter()
        .map(|it| it["counts"]["parse_error"].as_u64().unwrap())
        .sum();
    assert_eq!(recorded + counted, LINES);
    assert!(recorded < 1_000, "{recorded} records");
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_that_change_nothing_are_counted_when_a_client_asks_for_many() {
    const CALLS: u64 = 600;
    let (_target, gate) = target().await;
    let records = tokio::task::block_in_place(|| {
        let mut server = Server::start(&gate);
        for id in 0..CALLS {
            let answer = server.call(json!(id), "ssh_reload_config", json!({}));
            assert_eq!(answer["result"]["isError"], false, "{answer}");
        }
        server.end();
        journal(&gate)
    });
    let recorded = of_kind(&records, "reload").len() as u64;
    let counted: u64 = of_kind(&records, "suppressed")
        .iter()
        .filter_map(|it| it["counts"]["reload"].as_u64())
        .sum();
    assert_eq!(recorded + counted, CALLS);
    assert!(recorded < CALLS, "{recorded} records");
}

/// A second handle on a child's input.
trait CloneForFlood {
    fn try_clone_for_flood(&self) -> fs::File;
}

impl CloneForFlood for ChildStdin {
    fn try_clone_for_flood(&self) -> fs::File {
        use std::os::fd::AsFd;
        fs::File::from(self.as_fd().try_clone_to_owned().unwrap())
    }
}
