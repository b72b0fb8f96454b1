//! How fast the journal gets records onto a disk, beside two plain ways to do the same, in one run on one disk.
//!
//! The journal is measured through the binary (`portcullis audit bench`): its own writer, group commit, chain, head and
//! lock. A run is an opening record that is synced before anything happens, and a closing one that shares a later
//! sync. The peers write a line of the same size for each of the two and sync each opening: `write` with `fdatasync`
//! from as many threads as there are runs in flight, on one file behind one lock; and SQLite in WAL
//! mode with `synchronous=FULL`, one commit for each opening.
//!
//! A disk's speed changes from second to second, so the three take turns, and each figure is the middle one of its
//! rounds. Prints JSON Lines like the other benchmarks, then a table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark reports by printing, and by failing"
)]

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Bytes of an opening record, about those of a real one.
const OPEN_BYTES: usize = 1_400;
/// Bytes of a closing record.
const CLOSE_BYTES: usize = 700;
/// Runs of a round, with one in flight and with many.
const RUNS: [(u32, u32); 2] = [(1, 120), (32, 1_920)];
/// How often each takes its turn.
const ROUNDS: usize = 5;

/// What one way of writing reached.
struct Reached {
    p50_us: f64,
    p99_us: f64,
    runs_per_s: f64,
}

fn main() {
    // The disk that is measured is that of the build output: a temporary folder may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut table = Vec::new();
    for (in_flight, runs) in RUNS {
        let (mut journals, mut plains, mut sqlites) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let round = tempfile::tempdir_in(folder.path()).unwrap();
            journals.push(journal(round.path(), in_flight, runs));
            plains.push(plain(round.path(), in_flight, runs));
            sqlites.push(sqlite(round.path(), in_flight, runs));
        }
        let (journal, plain, sqlite) = (middle(&journals), middle(&plains), middle(&sqlites));
        for (peer, reached) in [("write + fdatasync", &plain), ("sqlite, FULL", &sqlite)] {
            for (what, unit, value, peer_value) in [
                ("append p50", "us", journal.p50_us, reached.p50_us),
                ("append p99", "us", journal.p99_us, reached.p99_us),
                ("runs", "runs/s", journal.runs_per_s, reached.runs_per_s),
            ] {
                let name = format!("journal, {in_flight} in flight, {what}");
                let line = json!({"name": name, "value": value, "unit": unit, "peer": peer,
                    "peer_value": peer_value, "ratio": value / peer_value});
                println!("{line}");
                table.push((name, value, unit, peer, peer_value));
            }
        }
    }
    println!(
        "\n{:<36} {:>12} {:<7} {:<20} {:>12} {:>8}",
        "name", "value", "unit", "peer", "value", "ratio"
    );
    for (name, value, unit, peer, peer_value) in table {
        let ratio = value / peer_value;
        println!("{name:<36} {value:>12.1} {unit:<7} {peer:<20} {peer_value:>12.1} {ratio:>8.3}");
    }
}

/// The middle figures of some rounds.
fn middle(rounds: &[Reached]) -> Reached {
    let of = |figure: fn(&Reached) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Reached {
        p50_us: of(|it| it.p50_us),
        p99_us: of(|it| it.p99_us),
        runs_per_s: of(|it| it.runs_per_s),
    }
}

fn reached(mut waits: Vec<Duration>, took: Duration) -> Reached {
    waits.sort();
    let at = |part: usize| waits[(waits.len() - 1) * part / 100].as_secs_f64() * 1e6;
    Reached {
        p50_us: at(50),
        p99_us: at(99),
        runs_per_s: waits.len() as f64 / took.as_secs_f64(),
    }
}

fn journal(dir: &Path, in_flight: u32, runs: u32) -> Reached {
    let binary = std::env::var_os("PORTCULLIS_BIN").expect("cargo xtask bench sets PORTCULLIS_BIN");
    let output = Command::new(binary)
        .args(["audit", "bench", "--in-flight", &in_flight.to_string()])
        .args(["--runs", &runs.to_string()])
        .arg(dir)
        .output()
        .unwrap();
    read(&output.stdout)
}

fn read(text: &[u8]) -> Reached {
    let report: Value = serde_json::from_slice(text).unwrap();
    let number = |name: &str| report[name].as_f64().unwrap();
    Reached {
        p50_us: number("append_p50_us"),
        p99_us: number("append_p99_us"),
        runs_per_s: number("runs_per_s"),
    }
}

/// One append-only file, one sync for each opening.
fn plain(dir: &Path, in_flight: u32, runs: u32) -> Reached {
    let file = Mutex::new(fs::File::create(dir.join(format!("plain-{in_flight}"))).unwrap());
    let each = runs / in_flight;
    let lane = || {
        let (open, close) = (vec![b'x'; OPEN_BYTES], vec![b'x'; CLOSE_BYTES]);
        let mut waits = Vec::new();
        for _ in 0..each {
            let began = Instant::now();
            {
                let mut file = file.lock().unwrap();
                file.write_all(&open).unwrap();
                file.sync_data().unwrap();
            }
            waits.push(began.elapsed());
            file.lock().unwrap().write_all(&close).unwrap();
        }
        waits
    };
    let began = Instant::now();
    let waits = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..in_flight).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .flat_map(|lane| lane.join().unwrap())
            .collect()
    });
    reached(waits, began.elapsed())
}

/// SQLite from Python: WAL, `synchronous=FULL`, one connection for each run in flight.
const SQLITE: &str = r#"
import json, sqlite3, sys, threading, time
path, in_flight, runs, open_bytes, close_bytes = sys.argv[1], *map(int, sys.argv[2:6])
def connect():
    db = sqlite3.connect(path, isolation_level=None, timeout=60)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    return db
connect().execute("create table records(body text)")
waits, turn = [], threading.Lock()
def lane():
    db, mine = connect(), []
    for _ in range(runs // in_flight):
        began = time.perf_counter()
        with turn:
            db.execute("begin immediate")
            db.execute("insert into records values(?)", ("x" * open_bytes,))
            db.execute("commit")
        mine.append(time.perf_counter() - began)
        with turn:
            db.execute("pragma synchronous=normal")
            db.execute("insert into records values(?)", ("x" * close_bytes,))
            db.execute("pragma synchronous=full")
    waits.extend(mine)
began = time.perf_counter()
lanes = [threading.Thread(target=lane) for _ in range(in_flight)]
[it.start() for it in lanes]; [it.join() for it in lanes]
took = time.perf_counter() - began
waits.sort()
at = lambda part: waits[(len(waits) - 1) * part // 100] * 1e6
print(json.dumps({"append_p50_us": at(50), "append_p99_us": at(99), "runs_per_s": len(waits) / took}))
"#;

fn sqlite(dir: &Path, in_flight: u32, runs: u32) -> Reached {
    let python = std::env::var_os("PORTCULLIS_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .args(["-c", SQLITE])
        .arg(dir.join(format!("sqlite-{in_flight}")))
        .args([in_flight, runs].map(|it| it.to_string()))
        .args([OPEN_BYTES, CLOSE_BYTES].map(|it| it.to_string()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    read(&output.stdout)
}
