//! Much output: how fast it comes, what it costs in memory, and what a neighbour notices of it.

use crate::peers::{OpenSsh, Sharing};
use crate::report::{Goal, Report, Times};
use crate::way::{Way, in_a_row, nanoseconds};
use crate::{asked, progress, resident};
use portcullis_ssh::End;
use portcullis_tests::sshd::Sshd;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Bytes of the large output.
const LARGE: u64 = 1 << 30;
/// Rounds of it.
const ROUNDS: usize = 3;
/// The cipher that the gate prefers, for the client whose default is another one.
const CIPHER: [&str; 2] = ["-o", "Ciphers=aes256-gcm@openssh.com"];
/// Rounds of neighbours, and commands in each.
const NEIGHBOUR_ROUNDS: usize = 6;
const NEIGHBOURS: usize = 25;

/// 1 GiB of output, beside the OpenSSH client.
pub(crate) async fn throughput(report: &mut Report) {
    let server = Sshd::start();
    let (way, peer) = (Way::new(&server), OpenSsh::new(&server));
    in_a_row(&way, 3).await;
    let [mut own, mut ssh, mut same] = [const { Vec::new() }; 3];
    let mut growth = 0.0_f64;
    let rate = |seconds: f64| LARGE as f64 / f64::from(1 << 20) / seconds;
    for round in 0..asked(ROUNDS) {
        progress("throughput", round);
        let command = format!("head -c {LARGE} /dev/zero");
        let journaled = way.journaled(&command, "max_seconds: 600").await;
        resident::forget_peak();
        let before = resident::own("VmRSS");
        let (ended, took) = way.timed(journaled).await;
        assert_eq!(ended.end, End::Exited(0), "{:?}", ended.fault);
        assert_eq!(ended.raw.stdout.total(), LARGE);
        growth = growth.max(resident::own("VmHWM") - before);
        own.push(rate(took.as_secs_f64()));
        for (rates, options) in [(&mut ssh, &[][..]), (&mut same, &CIPHER[..])] {
            let (took, came) = peer.carry(LARGE, options);
            assert_eq!(came, LARGE);
            rates.push(rate(took.as_secs_f64()));
        }
    }
    let [own, ssh, same] = [own, ssh, same].map(middle);
    report.add("1 GiB of output through a run", own, "MiB/s", Goal::None);
    report.add("1 GiB through ssh", ssh, "MiB/s", Goal::None);
    report.add(
        "1 GiB through ssh with the same cipher",
        same,
        "MiB/s",
        Goal::None,
    );
    let goal = Goal::AtLeast(0.9);
    report.add("output of a run over ssh", own / ssh, "x", goal);
    report.add(
        "output of a run over ssh with the same cipher",
        own / same,
        "x",
        goal,
    );
    report.add(
        "growth of memory in that, at most",
        growth,
        "MiB",
        Goal::AtMost(16.0),
    );
}

/// Commands beside one that floods the connection that they share.
pub(crate) async fn neighbour(report: &mut Report) {
    let server = Sshd::start();
    let (way, peer) = (Way::new(&server), OpenSsh::new(&server));
    in_a_row(&way, 5).await;
    let [mut quiet, mut beside, mut shared, mut shared_beside] = [const { Times(Vec::new()) }; 4];
    for round in 0..asked(NEIGHBOUR_ROUNDS) {
        progress("neighbour", round);
        quiet.extend(in_a_row(&way, NEIGHBOURS).await.0);
        let stop = CancellationToken::new();
        let (flooding, stopped) = (Arc::clone(&way), stop.clone());
        let flood = tokio::spawn(async move {
            let limits = "max_seconds: 600, output_hard_stop_bytes: 1000000000000";
            let command = "head -c 900000000000 /dev/zero";
            flooding.run_until(command, limits, stopped).await.end
        });
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        beside.extend(in_a_row(&way, NEIGHBOURS).await.0);
        stop.cancel();
        assert!(matches!(flood.await.unwrap(), End::Cancelled(_)));
        // The same for the peer, on its own shared connection.
        let time = || nanoseconds(peer.timed(Sharing::Master, "true"));
        shared.extend((0..NEIGHBOURS / 2).map(|_| time()));
        let flood = peer
            .command(Sharing::Master, &[])
            .arg("head -c 900000000000 /dev/zero")
            .spawn();
        let mut flood = flood.unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        shared_beside.extend((0..NEIGHBOURS / 2).map(|_| time()));
        flood.kill().unwrap();
        flood.wait().unwrap();
    }
    let row = |report: &mut Report, name: &str, times: &Times| {
        report.add(name, times.p50() / 1e3, "ms", Goal::None);
    };
    row(report, "a command on a quiet connection, p50", &quiet);
    row(
        report,
        "a command beside a flood on the same connection, p50",
        &beside,
    );
    row(report, "ssh over a quiet ControlMaster, p50", &shared);
    row(
        report,
        "ssh over a flooded ControlMaster, p50",
        &shared_beside,
    );
    report.add(
        "a command beside a flood over one without",
        beside.p50() / quiet.p50(),
        "x",
        Goal::AtMost(2.0),
    );
    report.add(
        "the same for ssh over a ControlMaster",
        shared_beside.p50() / shared.p50(),
        "x",
        Goal::None,
    );
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
