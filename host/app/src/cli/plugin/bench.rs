//! `portcullis plugin bench`: what a call of a plugin costs.

use super::{VECTORS, component_beside, load, vectors};
use crate::cli::console;
use crate::cli::{Exit, Format, Places};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest time for all calls together.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Most calls that can be asked for.
const CALLS_MAX: u64 = 1_000_000;

/// Measure what a call costs: the vectors again and again, each call on a fresh instance, as in production. At most 30
/// seconds.
#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    /// The vectors.
    #[arg(default_value = VECTORS)]
    vectors: PathBuf,
    /// The component. Default: the only .wasm file beside the vectors.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// How many calls, at least one round of the vectors.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=CALLS_MAX))]
    calls: u64,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Bench) -> Exit {
    match run(places, verb) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run(places: &Places, verb: &Bench) -> Result<Exit, Exit> {
    let vectors = vectors(&verb.vectors)?;
    let path = component_beside(verb.component.as_deref(), &verb.vectors)?;
    let loading = Instant::now();
    let (name, plugins) = load(places, &path, &vectors)?;
    let loaded = loading.elapsed();
    let round = vectors.vectors.len() as u64;
    let (mut rounds, mut fuel, mut memory) = (Vec::new(), 0_u64, 0_usize);
    let began = Instant::now();
    while rounds.is_empty()
        || (rounds.len() as u64).saturating_mul(round) < verb.calls && began.elapsed() < TIME_MAX
    {
        let start = Instant::now();
        let came = plugins.prove(&name, &vectors).ok_or(Exit::Bug)?;
        rounds.push(start.elapsed());
        for came in came {
            fuel = fuel.max(came.fuel);
            memory = memory.max(came.memory_bytes);
        }
    }
    rounds.sort_unstable();
    let calls = (rounds.len() as u64).saturating_mul(round);
    let total: Duration = rounds.iter().sum();
    let quantile = |share: usize| {
        let at = rounds.len().saturating_sub(1).saturating_mul(share) / 100;
        let of_round = rounds.get(at).copied().unwrap_or_default();
        of_round.as_secs_f64() * 1e6 / round as f64
    };
    let per_second = calls as f64 / total.as_secs_f64();
    let text = match verb.format {
        Format::Json => json!({
            "component": path.display().to_string(),
            "calls": calls,
            "calls_per_second": per_second,
            "call_us_p50": quantile(50),
            "call_us_p99": quantile(99),
            "fuel_max": fuel,
            "fuel_limit": vectors.limits.fuel,
            "memory_bytes_max": memory,
            "memory_bytes_limit": vectors.limits.memory_bytes,
            "load_ms": loaded.as_secs_f64() * 1e3,
        })
        .to_string(),
        Format::Human => format!(
            "{}: {calls} calls, {per_second:.0} a second\n  a call   p50 {:.1} us, p99 {:.1} us (means of rounds of {round})\n  fuel     at most {fuel} of {}\n  memory   at most {} of {} KiB\n  loading  {:.0} ms, compilation included",
            path.display(),
            quantile(50),
            quantile(99),
            vectors.limits.fuel,
            memory / 1_024,
            vectors.limits.memory_bytes / 1_024,
            loaded.as_secs_f64() * 1e3,
        ),
    };
    Ok(console::written(console::line(&text), Exit::Ok))
}
