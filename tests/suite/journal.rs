//! One journal, many processes: what an operator's machine looks like when every client starts a server of its
//! own.

use portcullis_ssh::target::{Reply, Target, ThrowawayKey};
use portcullis_tests::sshd::GateFolder;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;

/// Servers on one state directory.
const SERVERS: usize = 4;
/// Runs of each server.
const RUNS: usize = 1_000;
/// Calls under way at once in each server.
const IN_FLIGHT: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn four_servers_with_a_thousand_runs_each_leave_one_journal() {
    let key = ThrowawayKey::generate().unwrap();
    let target = Target::start(key.public(), Arc::new(|_: &str| Reply::text("")))
        .await
        .unwrap();
    let gate = GateFolder::new(
        target.address().port(),
        "demo",
        key.private().as_bytes(),
        &target.known_hosts_line(),
    );
    let gate = Arc::new(gate);
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        let gate = Arc::clone(&gate);
        servers.push(tokio::spawn(async move { serve_and_run(&gate).await }));
    }
    for server in servers {
        server.await.unwrap();
    }
    let output = gate
        .portcullis(&["audit", "verify", "--format", "json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report}");

    // Every run stands there twice: opened before it ran, closed with its result; and no number is missing.
    let text = fs::read_to_string(gate.state().join("journal/journal.jsonl")).unwrap();
    let (mut opened, mut closed, mut last) = (0, 0, None);
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let seq = record["seq"].as_u64().unwrap();
        assert!(
            last.is_none_or(|last| seq == last + 1),
            "{last:?} is followed by {seq}"
        );
        last = Some(seq);
        match record["kind"].as_str().unwrap() {
            "run_open" => opened += 1,
            "run_close" => closed += 1,
            _ => {}
        }
    }
    assert_eq!((opened, closed), (SERVERS * RUNS, SERVERS * RUNS));
}

async fn serve_and_run(gate: &GateFolder) {
    let client = Arc::new(gate.connect().await);
    let mut lanes = Vec::new();
    for _ in 0..IN_FLIGHT {
        let client = Arc::clone(&client);
        lanes.push(tokio::spawn(async move {
            for _ in 0..RUNS / IN_FLIGHT {
                let answer = client
                    .call("ssh_run", json!({"alias": "web1", "command": "true"}))
                    .await
                    .unwrap();
                assert_eq!(answer.structured["exit_code"], 0, "{}", answer.structured);
            }
        }));
    }
    for lane in lanes {
        lane.await.unwrap();
    }
    if let Ok(client) = Arc::try_unwrap(client) {
        client.close().await.unwrap();
    }
}
