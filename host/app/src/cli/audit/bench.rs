//! `portcullis audit bench`: how fast the journal gets records onto a disk, through the writer that servers use. The
//! journal is a throwaway one in the named directory.

use crate::cli::{Exit, console, session};
use crate::events::SystemClock;
use crate::journal::{Journal, Keep};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use clap::Args;
use portcullis_core::audit::{Draft, Durability, Sink, SinkFault};
use portcullis_core::clock::Clock;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Measures how many runs a second the journal takes on a disk, and how long an opening record waits for its
/// sync. A run is an opening record, synced, and a closing one. Prints one JSON object.
#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    /// A directory on the disk that is to be measured.
    dir: PathBuf,
    /// Runs under way at once.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=256))]
    in_flight: u32,
    /// Runs altogether.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
}

pub(super) fn main(verb: &Bench) -> Exit {
    let report = measure(verb);
    match report {
        Ok(report) => console::written(console::line(&report.to_string()), Exit::Ok),
        Err(fault) => {
            console::fault(&fault, "");
            Exit::Config
        }
    }
}

fn measure(verb: &Bench) -> Result<Value, String> {
    let folder = tempfile::Builder::new()
        .prefix("portcullis-bench-")
        .tempdir_in(&verb.dir)
        .map_err(|fault| format!("{}: {fault}", verb.dir.display()))?;
    let state = Dir::open_ambient_dir(folder.path(), ambient_authority())
        .map_err(|fault| fault.to_string())?;
    let journal = Journal::open(&state, Keep::default()).map_err(|fault| fault.to_string())?;
    let runtime = session::runtime().map_err(|_| "no runtime".to_owned())?;
    let began = Instant::now();
    let waits = runtime.block_on(all(Arc::new(journal), verb));
    let took = began.elapsed().as_secs_f64();
    let mut waits = waits.map_err(|fault| fault.to_string())?;
    waits.sort_unstable();
    let at = |part: usize| {
        let index = (waits.len().saturating_sub(1)) * part / 100;
        waits.get(index).map(Duration::as_micros)
    };
    Ok(json!({
        "in_flight": verb.in_flight,
        "runs": waits.len(),
        "append_p50_us": at(50).map(|us| u64::try_from(us).unwrap_or(u64::MAX)),
        "append_p99_us": at(99).map(|us| u64::try_from(us).unwrap_or(u64::MAX)),
        "runs_per_s": waits.len() as f64 / took,
    }))
}

async fn all(journal: Arc<Journal>, verb: &Bench) -> Result<Vec<Duration>, SinkFault> {
    let each = verb.runs.div_ceil(verb.in_flight);
    let lanes: Vec<_> = (0..verb.in_flight)
        .map(|_| tokio::spawn(lane(Arc::clone(&journal), each)))
        .collect();
    let mut waits = Vec::new();
    for lane in lanes {
        let lane = lane.await.map_err(|fault| SinkFault(fault.to_string()))?;
        waits.extend(lane?);
    }
    journal.close();
    Ok(waits)
}

async fn lane(journal: Arc<Journal>, runs: u32) -> Result<Vec<Duration>, SinkFault> {
    let mut waits = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        journal
            .append(draft("run_open", 1_400, Durability::Synced))
            .await?;
        waits.push(began.elapsed());
        journal
            .append(draft("run_close", 700, Durability::Written))
            .await?;
    }
    Ok(waits)
}

/// A record of about the size that a real one has.
fn draft(kind: &'static str, bytes: usize, durability: Durability) -> Draft {
    let body = Map::from_iter([("filler".to_owned(), json!("x".repeat(bytes)))]);
    Draft {
        kind,
        at: SystemClock.now(),
        body,
        durability,
    }
}
