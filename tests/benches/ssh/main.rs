//! What reaching hosts costs, beside what an operator would use in its place: the OpenSSH client with and without a shared
//! connection, paramiko and parallel-ssh, on real servers on loopback with the limits that they have by default. Prints
//! JSON Lines, then a table `goal, measured, held`; what it is at stands on standard error. `cargo xtask bench` prepares everything.
//!
//! The sides take turns in rounds, so that what else the machine does falls on all of them; times are the middle ones of all
//! rounds. Goals are ratios wherever they can be; the load of the machine stands beside them.
//!
//! `PORTCULLIS_BENCH_ROUNDS` sets the number of rounds, `PORTCULLIS_BENCH_ONLY` names the one part that is measured: `pooled`,
//! `together`, `gate`, `cold`, `targets`, `fleet`, `throughput` or `neighbour`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark reports by printing, and by failing"
)]

mod flow;
mod many;
mod one;
mod peers;
#[path = "../../../host/plugin/benches/plugins/report.rs"]
mod report;
mod resident;
mod way;

use report::{Goal, Report};

/// The parts, in the order in which they are measured.
const PARTS: [&str; 8] = [
    "pooled",
    "together",
    "gate",
    "cold",
    "targets",
    "fleet",
    "throughput",
    "neighbour",
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let only = std::env::var("PORTCULLIS_BENCH_ONLY").ok();
    let mut report = Report::default();
    for part in PARTS {
        if only.as_deref().is_none_or(|only| only == part) {
            report.add(
                &format!("load of the machine before {part}"),
                load(),
                "",
                Goal::None,
            );
            runtime.block_on(measure(part, &mut report));
        }
    }
    report.add("load of the machine at the end", load(), "", Goal::None);
    report.table("hosts");
}

async fn measure(part: &str, report: &mut Report) {
    match part {
        "pooled" => one::pooled(report).await,
        "together" => one::together(report).await,
        "gate" => one::gate(report).await,
        "cold" => one::cold(report).await,
        "targets" => many::targets(report).await,
        "fleet" => many::fleet(report).await,
        "throughput" => flow::throughput(report).await,
        "neighbour" => flow::neighbour(report).await,
        _ => panic!("no such part: {part}"),
    }
}

/// The load of the last minute, other work of the machine included.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// How many rounds there are, where nobody asks for another number.
fn asked(usual: usize) -> usize {
    std::env::var("PORTCULLIS_BENCH_ROUNDS").map_or(usual, |text| text.parse().unwrap())
}

/// Says what is measured, for whoever waits.
fn progress(part: &str, round: usize) {
    if round.is_multiple_of(5) {
        eprintln!("{part}, round {round}");
    }
}
