//! One host: a command on a connection that is there, twenty at once, what the gate adds, and a first command.

use crate::peers::{OpenSsh, Script, Sharing, spawned};
use crate::report::{Goal, Report, Times};
use crate::way::{Way, in_a_row, nanoseconds};
use crate::{asked, progress};
use portcullis_core::inventory::Watchdog;
use portcullis_mcp::Client;
use portcullis_ssh::Guard;
use portcullis_tests::sshd::{GateFolder, Sshd, plain_user};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Rounds in which all sides take their turns.
const ROUNDS: usize = 40;
/// Runs of the engine and calls of the gate in one round; peers that start a program have fewer.
const RUNS: usize = 5;
const CALLS: usize = 5;
const SPAWNED: usize = 2;
/// Rounds of commands at once, and how many there are in each.
const CROWDS: usize = 7;
const AT_ONCE: usize = 20;
/// Rounds of first commands.
const COLD_ROUNDS: usize = 15;
/// What twenty commands at once do.
const NAP: &str = "sleep 0.2";

fn milliseconds(report: &mut Report, name: &str, times: &Times) {
    report.add(&format!("{name}, p50"), times.p50() / 1e3, "ms", Goal::None);
    report.add(
        &format!("{name}, p95"),
        times.at(950) / 1e3,
        "ms",
        Goal::None,
    );
}

/// A command on a connection that is there.
pub(crate) async fn pooled(report: &mut Report) {
    let server = Sshd::start();
    let (way, peer) = (Way::new(&server), OpenSsh::new(&server));
    let watched = Way::guarded(&server, Watchdog::Always);
    in_a_row(&way, 5).await;
    in_a_row(&watched, 5).await;
    let [
        mut own,
        mut channel,
        mut remote,
        mut beside,
        mut shared,
        mut started,
    ] = [const { Times(Vec::new()) }; 6];
    for round in 0..asked(ROUNDS) {
        progress("pooled", round);
        for _ in 0..RUNS {
            let (ended, took) = way.run("true").await;
            own.extend([nanoseconds(took)]);
            channel.extend([ended.times.channel_us * 1_000]);
            remote.extend([ended.times.remote_us * 1_000]);
            beside.extend([nanoseconds(watched.run("true").await.1)]);
        }
        for _ in 0..SPAWNED {
            shared.extend([nanoseconds(peer.timed(Sharing::Master, "true"))]);
            started.extend([nanoseconds(spawned())]);
        }
    }
    let spared = way.run("true").await.0.guard == Some(Guard::Signals);
    milliseconds(report, "a command on a pooled connection", &own);
    milliseconds(
        report,
        "  its channel, until the host has opened it",
        &channel,
    );
    milliseconds(report, "  its command, from sending to the end", &remote);
    milliseconds(
        report,
        "the same with a watchdog beside the command",
        &beside,
    );
    milliseconds(report, "ssh over a ControlMaster", &shared);
    milliseconds(report, "/bin/true, started and waited for", &started);
    report.add(
        "a command on a pooled connection over ssh with a ControlMaster",
        own.p50() / shared.p50(),
        "x",
        Goal::AtMost(0.35),
    );
    report.add(
        "a command on a pooled connection, p95 over p50",
        own.at(950) / own.p50(),
        "x",
        Goal::AtMost(2.0),
    );
    let name = "what the watchdog adds, p50";
    if spared {
        let adds = (beside.p50() - own.p50()) / 1e3;
        report.add(name, adds, "ms", Goal::AtMost(3.5));
    } else {
        report.lacks(name, "this server spares nobody the watchdog");
    }
}

/// Twenty commands at once, on a server with the limits that it has by default.
pub(crate) async fn together(report: &mut Report) {
    let server = Sshd::start();
    let (way, peer) = (Way::new(&server), OpenSsh::new(&server));
    let (mut own, mut shared) = (Times::default(), Times::default());
    let (mut least, mut least_of_peer) = (AT_ONCE, AT_ONCE);
    let mut first = Duration::ZERO;
    for round in 0..asked(CROWDS) {
        progress("together", round);
        let (took, done) = crowd(&way).await;
        least = least.min(done);
        if round == 0 {
            first = took;
        } else {
            own.extend([nanoseconds(took)]);
        }
        let (took, done) = peer.together(AT_ONCE, NAP);
        shared.extend([nanoseconds(took)]);
        least_of_peer = least_of_peer.min(done);
    }
    let row = |report: &mut Report, name: &str, value, unit, goal| {
        report.add(&format!("20 x `{NAP}` at once: {name}"), value, unit, goal);
    };
    let none = Goal::None;
    row(
        report,
        "without a connection",
        first.as_secs_f64(),
        "s",
        none,
    );
    row(
        report,
        "succeeded, least of all rounds",
        least as f64,
        "",
        Goal::AtLeast(20.0),
    );
    row(
        report,
        "on pooled connections, p50",
        own.p50() / 1e6,
        "s",
        Goal::AtMost(0.5),
    );
    row(
        report,
        "on pooled connections, slowest",
        own.at(1_000) / 1e6,
        "s",
        Goal::AtMost(0.5),
    );
    row(
        report,
        "ssh over a ControlMaster, p50",
        shared.p50() / 1e6,
        "s",
        none,
    );
    row(
        report,
        "ssh over a ControlMaster, least that succeeded",
        least_of_peer as f64,
        "",
        none,
    );
}

async fn crowd(way: &Arc<Way>) -> (Duration, usize) {
    let mut ready = Vec::new();
    for _ in 0..AT_ONCE {
        ready.push(way.journaled(NAP, "").await);
    }
    let (mut runs, began) = (JoinSet::new(), Instant::now());
    for journaled in ready {
        let way = Arc::clone(way);
        runs.spawn(async move { way.timed(journaled).await.0.end.exit_code() });
    }
    let ends = runs.join_all().await;
    let done = ends.into_iter().filter(|code| *code == 0).count();
    (began.elapsed(), done)
}

/// The parts of a run that are the gate's own.
const GATES_OWN: [&str; 5] = [
    "policy_us",
    "validators_us",
    "resolve_us",
    "journal_us",
    "output_us",
];
/// The parts that are the host's and the network's.
const REMOTE: [&str; 4] = ["connect_us", "authenticate_us", "channel_us", "remote_us"];

/// `ssh_run` as a client calls it, with two plugins and a journal on a disk, beside paramiko with a new connection for
/// each command.
pub(crate) async fn gate(report: &mut Report) {
    let server = Sshd::start();
    let key = std::fs::read(server.key()).unwrap();
    let gate =
        GateFolder::new(server.port(), &plain_user(), &key, &server.known_host()).with_plugins();
    let client = gate.connect().await;
    let mut paramiko = Script::paramiko(&server);
    paramiko.rounds(1);
    for _ in 0..RUNS {
        ssh_run(&client).await;
    }
    let (mut whole, mut added, mut peer) = (Times::default(), Times::default(), Times::default());
    let mut parts = vec![Times::default(); GATES_OWN.len() + REMOTE.len()];
    for round in 0..asked(ROUNDS) {
        progress("gate", round);
        for _ in 0..CALLS {
            let (timing, took) = ssh_run(&client).await;
            let took = nanoseconds(took);
            let of = |part: &&str| timing[part].as_u64().unwrap() * 1_000;
            let remote: u64 = REMOTE.iter().map(of).sum();
            whole.extend([took]);
            added.extend([took.saturating_sub(remote)]);
            for (times, part) in parts.iter_mut().zip(GATES_OWN.iter().chain(&REMOTE)) {
                times.extend([of(part)]);
            }
        }
        let seconds = paramiko.rounds(1)[0].as_f64().unwrap();
        peer.extend([nanoseconds(Duration::from_secs_f64(seconds))]);
    }
    milliseconds(
        report,
        "ssh_run over MCP, two plugins, synced journal",
        &whole,
    );
    for (times, part) in parts.iter().zip(GATES_OWN.iter().chain(&REMOTE)) {
        report.add(
            &format!("  {part}, p50"),
            times.p50() / 1e3,
            "ms",
            Goal::None,
        );
    }
    milliseconds(report, "paramiko, a new connection for each command", &peer);
    report.add(
        "what the gate adds to a run, client and pipes included, p50",
        added.p50() / 1e3,
        "ms",
        Goal::AtMost(1.5),
    );
    report.add(
        "paramiko over ssh_run",
        peer.p50() / whole.p50(),
        "x",
        Goal::AtLeast(20.0),
    );
    client.close().await.unwrap();
}

async fn ssh_run(client: &Client) -> (Value, Duration) {
    let began = Instant::now();
    let answer = client
        .call("ssh_run", json!({"alias": "web1", "command": "true"}))
        .await
        .unwrap();
    let took = began.elapsed();
    assert_eq!(answer.structured["exit_code"], 0, "{}", answer.structured);
    (answer.structured["timing"].clone(), took)
}

/// A first command: connection, login, command.
pub(crate) async fn cold(report: &mut Report) {
    let server = Sshd::start();
    let key = std::fs::read(server.key()).unwrap();
    let gate = GateFolder::new(server.port(), &plain_user(), &key, &server.known_host());
    let peer = OpenSsh::new(&server);
    let [mut own, mut connect, mut authenticate, mut ssh, mut verb] =
        [const { Times(Vec::new()) }; 5];
    for round in 0..asked(COLD_ROUNDS) {
        progress("cold", round);
        for _ in 0..2 {
            let (ended, took) = Way::new(&server).run("true").await;
            own.extend([nanoseconds(took)]);
            connect.extend([ended.times.connect_us * 1_000]);
            authenticate.extend([ended.times.authenticate_us * 1_000]);
        }
        ssh.extend([nanoseconds(peer.timed(Sharing::New, "true"))]);
        let began = Instant::now();
        let output = gate.portcullis(&["run", "web1", "true"]).output().unwrap();
        verb.extend([nanoseconds(began.elapsed())]);
        assert!(output.status.success(), "{output:?}");
    }
    milliseconds(report, "a first command", &own);
    milliseconds(report, "  its connection and key exchange", &connect);
    milliseconds(report, "  its login", &authenticate);
    milliseconds(
        report,
        "`portcullis run`, its start and end included",
        &verb,
    );
    milliseconds(
        report,
        "ssh with a new connection, its start and end included",
        &ssh,
    );
    report.add(
        "a first command over ssh with a new connection",
        own.p50() / ssh.p50(),
        "x",
        Goal::AtMost(0.35),
    );
}
