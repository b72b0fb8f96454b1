//! What it costs to load and to reload a large configuration: 10,000 hosts and 10,000 rules, in time and in memory,
//! beside the parser that the seed system reads its files with.
//!
//! Prints JSON Lines as `gate` does. The peer only parses; it checks nothing and compiles nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark reports by printing, and by failing"
)]

use portcullis_core::config::{self, Occasion, Snapshot, Sources};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const HOSTS: usize = 10_000;
const RULES: usize = 10_000;
/// Loads of which the middle one counts.
const RUNS: usize = 7;

/// The peer: parses each file given, and says how long that took in milliseconds and how much memory it had at most in
/// KiB.
const PEER: &str = "
import json, sys, time, yaml
best = None
for _ in range(3):
    start = time.perf_counter()
    for name in sys.argv[1:]:
        with open(name) as file:
            yaml.safe_load(file)
    took = (time.perf_counter() - start) * 1000
    best = took if best is None else min(best, took)
# What the system counts for a child holds what its parent had when it was made.
with open('/proc/self/status') as file:
    peak = next(int(line.split()[1]) for line in file if line.startswith('VmHWM'))
print(json.dumps([best, peak]))
";

fn main() {
    let sources = large();
    let kept = Memory::now();
    let first = load(&sources);
    let held = Memory::now();
    let load_ms = middle(|| drop(load(&sources)));
    let mut edited = sources.clone();
    edited.policy = edited
        .policy
        .map(|text| text.replace("max_seconds: 30", "max_seconds: 31"));
    edited.servers = edited
        .servers
        .map(|text| text.replace("host-77 ", "host-77b "));
    let reload_ms = middle(|| {
        let next = config::load(&edited, Occasion::Reload).unwrap();
        assert!(next.missing_since(&first).is_empty());
        let changes = config::changes(&first, &next);
        assert_eq!((changes.limits.count, changes.rules.changed.count), (1, 0));
    });
    let look_ms = middle(|| assert_eq!(sources.digest().len(), 64));
    let mut broken = sources.clone();
    broken.policy = broken
        .policy
        .map(|text| text.replace("rule-5000\"", "rule-5000\", naem: x"));
    let fault_ms = middle(|| {
        assert_eq!(
            config::load(&broken, Occasion::Reload).unwrap_err().len(),
            1
        )
    });
    let bytes: usize = [&sources.servers, &sources.policy]
        .into_iter()
        .flatten()
        .map(String::len)
        .sum();
    let peer = peer(&sources);
    let time = peer.map(|(ms, _)| ("PyYAML safe_load", ms));
    let memory = peer.map(|(_, kib)| ("PyYAML safe_load", kib / 1024.0));
    let size = format!("{HOSTS} hosts, {RULES} rules");
    report("config_bytes", bytes as f64, "bytes", None);
    report(&format!("config_load ({size})"), load_ms, "ms", time);
    report(
        &format!("config_reload ({size}, with changes)"),
        reload_ms,
        "ms",
        time,
    );
    report(
        &format!("config_fault ({size}, one fault)"),
        fault_ms,
        "ms",
        time,
    );
    report(
        &format!("config_look ({size}, digest only)"),
        look_ms,
        "ms",
        None,
    );
    let mib = |kib: u64| kib as f64 / 1024.0;
    report(
        "config_memory_held",
        mib(held.rss_kib.saturating_sub(kept.rss_kib)),
        "MiB",
        None,
    );
    report(
        "config_memory_peak",
        mib(Memory::now().peak_kib),
        "MiB",
        memory,
    );
    assert_eq!(first.inventory.hosts().len(), HOSTS);
}

fn load(sources: &Sources) -> Snapshot {
    config::load(sources, Occasion::Start).unwrap()
}

/// The files of a large shop.
fn large() -> Sources {
    let mut servers = String::from("hosts:\n");
    for index in 0..HOSTS {
        writeln!(
            servers,
            "  - alias: host-{index}\n    host: 10.{}.{}.{}\n    credentials: operator\n    tags: [site-{}, web]\n    description: host-{index} of the shop",
            index / 65_536,
            index / 256 % 256,
            index % 256,
            index % 50
        )
        .unwrap();
    }
    let mut policy = String::from("limits: {max_seconds: 30}\ndeny_commands: [standard]\nrules:\n");
    for index in 0..RULES {
        writeln!(
            policy,
            "  - name: \"rule-{index}\"\n    action: allow\n    tags: [site-{}]\n    commands: [\"systemctl status unit-{index}\", \"tail -n 100 /var/log/app-{index}/*\"]",
            index % 50
        )
        .unwrap();
    }
    Sources {
        servers: Some(servers),
        credentials: Some("entries:\n  - {name: operator, username: u, key_path: k}\n".to_owned()),
        policy: Some(policy),
        ..Sources::default()
    }
}

/// The middle of some runs, in milliseconds.
fn middle(mut act: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            act();
            start.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(RUNS / 2).copied().unwrap()
}

/// What this process holds, and has held at most.
struct Memory {
    rss_kib: u64,
    peak_kib: u64,
}

impl Memory {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let of = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Self {
            rss_kib: of("VmRSS:"),
            peak_kib: of("VmHWM:"),
        }
    }
}

/// The peer's time in milliseconds and memory in KiB; `None` where it is not installed.
fn peer(sources: &Sources) -> Option<(f64, f64)> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &Option<String>| {
        let path = folder.path().join(name);
        fs::write(&path, text.as_deref().unwrap_or_default()).unwrap();
        path
    };
    let files = [
        write("servers.yml", &sources.servers),
        write("policy.yml", &sources.policy),
    ];
    let python = std::env::var_os("PORTCULLIS_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(Path::new(&python))
        .args(["-c", PEER])
        .args(files)
        .output()
        .ok()?;
    let figures: Vec<f64> = serde_json::from_slice(&output.stdout).ok()?;
    Some((*figures.first()?, *figures.get(1)?))
}

fn report(name: &str, value: f64, unit: &str, peer: Option<(&str, f64)>) {
    let (peer, peer_value, ratio) = match peer {
        Some((name, other)) => (json!(name), json!(other), json!(value / other)),
        None => (Value::Null, Value::Null, Value::Null),
    };
    println!(
        "{}",
        json!({"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value, "ratio": ratio})
    );
}
