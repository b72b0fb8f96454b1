//! Many hosts: a thousand that are played in this process, and a hundred behind one real server.

use crate::peers::Script;
use crate::report::{Goal, Report, Times};
use crate::way::nanoseconds;
use crate::{asked, progress, resident};
use portcullis_mcp::Client;
use portcullis_ssh::target::{Answer, Reply, Target, ThrowawayKey};
use portcullis_tests::sshd::{GateFolder, Sshd, plain_user};
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Hosts that are played in this process.
const TARGETS: usize = 1_000;
/// Rounds of warm runs on all of them.
const WARM_ROUNDS: usize = 5;
/// Calls under way at once: as many as the gate takes.
const CALLS_AT_ONCE: usize = portcullis_core::limits::MCP_IN_FLIGHT_MAX;
/// Hosts behind one server.
const HOSTS: usize = 100;
/// Rounds of a command on them.
const ROUNDS: usize = 5;
/// What a server is told that is to take them all at once.
const RAISED: &str = "MaxStartups 1000\n";

/// One command on each of a thousand hosts, through the gate and a client.
pub(crate) async fn targets(report: &mut Report) {
    let key = ThrowawayKey::generate().unwrap();
    let answer: Answer = Arc::new(|_| Reply::text("hello\n"));
    let (mut targets, mut hosts, mut known_hosts) = (Vec::new(), Vec::new(), String::new());
    for number in 0..TARGETS {
        let target = Target::start(key.public(), Arc::clone(&answer))
            .await
            .unwrap();
        hosts.push((
            format!("t{number}"),
            target.address().port(),
            "test".to_owned(),
        ));
        known_hosts.push_str(&target.known_hosts_line());
        targets.push(target);
    }
    let gate = GateFolder::new(1, "anyone", key.private().as_bytes(), &known_hosts);
    write_hosts(&gate, &hosts);
    let client = Arc::new(gate.connect().await);
    client.call("ssh_ping", json!({})).await.unwrap();
    let idle = resident::of_gate(&gate.config(), "VmRSS");
    let cold = on_all(&client, &hosts).await;
    let mut warm = Times::default();
    let busy = || resident::processor_time_of_gate(&gate.config());
    let (cold_busy, rounds) = (busy(), asked(WARM_ROUNDS));
    for round in 0..rounds {
        progress("targets", round);
        warm.extend([nanoseconds(on_all(&client, &hosts).await)]);
    }
    let warm_busy = (busy() - cold_busy) / rounds as f64;
    let logins: u64 = targets.iter().map(Target::logins).sum();
    assert_eq!(logins, TARGETS as u64, "each host is logged into once");
    let row = |report: &mut Report, name: &str, value, unit, goal| {
        report.add(
            &format!("1,000 hosts in this process: {name}"),
            value,
            unit,
            goal,
        );
    };
    row(
        report,
        "first command on each",
        cold.as_secs_f64(),
        "s",
        Goal::AtMost(1.5),
    );
    row(
        report,
        "further command on each, p50",
        warm.p50() / 1e6,
        "s",
        Goal::AtMost(0.3),
    );
    let none = Goal::None;
    row(
        report,
        "processor time of the gate, first",
        cold_busy,
        "s",
        none,
    );
    row(
        report,
        "processor time of the gate, further",
        warm_busy,
        "s",
        none,
    );
    row(report, "memory of the idle gate", idle, "MiB", Goal::None);
    let peak = resident::of_gate(&gate.config(), "VmHWM");
    row(
        report,
        "memory of the gate, peak",
        peak,
        "MiB",
        Goal::AtMost(150.0),
    );
    Arc::into_inner(client).unwrap().close().await.unwrap();
}

/// Writes an inventory of hosts of the tag `all` on 127.0.0.1: alias, port and the name of the credential.
fn write_hosts(gate: &GateFolder, hosts: &[(String, u16, String)]) {
    let mut text = String::from("hosts:\n");
    for (alias, port, credential) in hosts {
        text.push_str(&format!(
            "  - {{alias: {alias}, host: 127.0.0.1, port: {port}, credentials: {credential}, tags: [all]}}\n"
        ));
    }
    fs::write(gate.config().join("servers.yml"), text).unwrap();
}

/// The same command on all hosts; how long until the last has answered.
async fn on_all(client: &Arc<Client>, hosts: &[(String, u16, String)]) -> Duration {
    let places = Arc::new(Semaphore::new(CALLS_AT_ONCE));
    let (mut calls, began) = (JoinSet::new(), Instant::now());
    for (alias, _, _) in hosts {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let (client, call) = (
            Arc::clone(client),
            json!({"alias": alias, "command": "true"}),
        );
        calls.spawn(async move {
            let answer = client.call("ssh_run", call).await.unwrap().structured;
            drop(place);
            answer["exit_code"] == 0
        });
    }
    let ends = calls.join_all().await;
    let took = began.elapsed();
    assert!(ends.iter().all(|good| *good), "a run failed");
    took
}

/// `portcullis run --tag` on a hundred hosts behind one server, beside parallel-ssh.
pub(crate) async fn fleet(report: &mut Report) {
    let (raised, usual) = (Sshd::start_with(RAISED), Sshd::start());
    let (wide, narrow) = (gate(&raised), gate(&usual));
    let mut peer = Script::parallel_ssh(&raised, HOSTS);
    let mut peer_usual = Script::parallel_ssh(&usual, HOSTS);
    let [mut own, mut own_usual, mut parallel, mut parallel_usual] =
        [const { Times(Vec::new()) }; 4];
    let [
        mut failed,
        mut failed_usual,
        mut peer_failed,
        mut peer_failed_usual,
    ] = [0.0; 4];
    for round in 0..asked(ROUNDS) {
        progress("fleet", round);
        for (times, failures, gate) in [
            (&mut own, &mut failed, &wide),
            (&mut own_usual, &mut failed_usual, &narrow),
        ] {
            let (took, lost) = run_on_tag(gate);
            times.extend([nanoseconds(took)]);
            *failures += lost;
        }
        for (times, failures, peer) in [
            (&mut parallel, &mut peer_failed, &mut peer),
            (&mut parallel_usual, &mut peer_failed_usual, &mut peer_usual),
        ] {
            let round = &peer.rounds(1)[0];
            let took = Duration::from_secs_f64(round[0].as_f64().unwrap());
            times.extend([nanoseconds(took)]);
            *failures += round[1].as_f64().unwrap();
        }
    }
    let row = |report: &mut Report, name: &str, value, unit, goal| {
        report.add(
            &format!("100 hosts behind one sshd: {name}"),
            value,
            unit,
            goal,
        );
    };
    let none = Goal::None;
    row(
        report,
        "run --tag, MaxStartups raised, p50",
        own.p50() / 1e6,
        "s",
        none,
    );
    row(
        report,
        "parallel-ssh, MaxStartups raised, p50",
        parallel.p50() / 1e6,
        "s",
        none,
    );
    row(
        report,
        "failures of run --tag there",
        failed,
        "",
        Goal::AtMost(0.0),
    );
    row(
        report,
        "failures of parallel-ssh there",
        peer_failed,
        "",
        none,
    );
    row(
        report,
        "run --tag, default limits, p50",
        own_usual.p50() / 1e6,
        "s",
        none,
    );
    row(
        report,
        "parallel-ssh, default limits, p50",
        parallel_usual.p50() / 1e6,
        "s",
        none,
    );
    row(
        report,
        "failures of run --tag there, default limits",
        failed_usual,
        "",
        Goal::AtMost(0.0),
    );
    row(
        report,
        "failures of parallel-ssh there, default limits",
        peer_failed_usual,
        "",
        none,
    );
    let ratio = own.p50() / parallel.p50();
    row(
        report,
        "run --tag over parallel-ssh, MaxStartups raised",
        ratio,
        "x",
        Goal::AtMost(0.6),
    );
}

/// A gate that knows a hundred hosts at one address, each with a login of its own, so that none shares a connection.
fn gate(server: &Sshd) -> GateFolder {
    let key = fs::read(server.key()).unwrap();
    let gate = GateFolder::new(server.port(), &plain_user(), &key, &server.known_host());
    let name = |number| (format!("h{number}"), server.port(), format!("c{number}"));
    let hosts: Vec<_> = (0..HOSTS).map(name).collect();
    write_hosts(&gate, &hosts);
    let mut text = String::from("entries:\n");
    for (_, _, credential) in &hosts {
        text.push_str(&format!(
            "  - {{name: {credential}, username: {}, key_path: id_ed25519}}\n",
            plain_user()
        ));
    }
    fs::write(gate.config().join("credentials.yml"), text).unwrap();
    gate
}

/// How long it took, the start of the program and its end included, and how many hosts failed.
fn run_on_tag(gate: &GateFolder) -> (Duration, f64) {
    let began = Instant::now();
    let verb = [
        "run",
        "--tag",
        "all",
        "--concurrency",
        "64",
        "--format",
        "json",
    ];
    let output = gate
        .portcullis(&verb)
        .args(["--", "true"])
        .output()
        .unwrap();
    let took = began.elapsed();
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let done = answer["states"]["ok"].as_f64().unwrap_or(0.0);
    (took, HOSTS as f64 - done)
}
