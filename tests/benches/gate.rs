//! What the parts of a run cost, beside their peers, in one run on one machine.
//!
//! Prints JSON Lines `{"name","value","unit","peer","peer_value","ratio"}` (ratio = value / peer_value), then a
//! table. Ratios are the anchor; single figures belong to the machine. `cargo xtask bench` prepares everything; what it is at
//! stands on standard error. `PORTCULLIS_BENCH_ONLY` names the one part that is measured: `decisions`, `policy`, `output`,
//! `rows`, `validators`, `redaction` or `start`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark reports by printing, and by failing"
)]

mod output;
mod policy;
#[path = "ssh/resident.rs"]
mod resident;

use portcullis_core::config;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::policy::{Case, Jury, Outcome, Policy};
use portcullis_core::redact::Redactor;
use portcullis_core::request::{Alias, CommandLine, Principal};
use portcullis_tests::sshd::{GateFolder, Sshd, user};
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Servers that are started one after the other, and calls of one that runs.
const STARTS: usize = 10;
const PINGS: usize = 200;
/// Time after which a server that is left alone counts as idle.
const SETTLED: Duration = Duration::from_millis(800);

/// One measured figure and what stands beside it.
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    peer: Option<(String, f64)>,
}

#[derive(Default)]
struct Report {
    figures: Vec<Figure>,
}

impl Report {
    fn add(&mut self, name: &str, value: f64, unit: &'static str, peer: Option<(&str, f64)>) {
        let peer = peer.map(|(name, value)| (name.to_owned(), value));
        let figure = Figure {
            name: name.to_owned(),
            value,
            unit,
            peer,
        };
        let (peer, peer_value) = match &figure.peer {
            Some((name, value)) => (json!(name), json!(value)),
            None => (Value::Null, Value::Null),
        };
        let ratio = figure.peer.as_ref().map(|(_, value)| figure.value / value);
        println!(
            "{}",
            json!({"name": figure.name, "value": figure.value, "unit": unit, "peer": peer,
                   "peer_value": peer_value, "ratio": ratio})
        );
        self.figures.push(figure);
    }

    fn table(&self) {
        println!(
            "\n{:<44} {:>12} {:<7} {:<34} {:>12} {:>8}",
            "name", "value", "unit", "peer", "value", "ratio"
        );
        for figure in &self.figures {
            let (peer, value, ratio) = match &figure.peer {
                Some((name, value)) => (
                    name.as_str(),
                    format!("{value:.3}"),
                    format!("{:.3}", figure.value / value),
                ),
                None => ("", String::new(), String::new()),
            };
            println!(
                "{:<44} {:>12.3} {:<7} {peer:<34} {value:>12} {ratio:>8}",
                figure.name, figure.value, figure.unit
            );
        }
    }
}

/// The parts, in the order in which they are measured.
const PARTS: [&str; 7] = [
    "decisions",
    "policy",
    "output",
    "rows",
    "validators",
    "redaction",
    "start",
];

fn main() {
    let only = std::env::var("PORTCULLIS_BENCH_ONLY").ok();
    let mut report = Report::default();
    for part in PARTS {
        if only.as_deref().is_none_or(|only| only == part) {
            // Some take minutes, and say nothing before they are through.
            eprintln!("{part}");
            measure(part, &mut report);
        }
    }
    report.table();
}

fn measure(part: &str, report: &mut Report) {
    let all = |report: &mut Report, measures: Vec<policy::Measure>| {
        for it in measures {
            report.add(&it.name, it.value, it.unit, it.peer);
        }
    };
    match part {
        "decisions" => decisions(report),
        "policy" => all(report, policy::measures()),
        "output" => all(report, output::measures()),
        "rows" => rows(report),
        "validators" => validators(report),
        "redaction" => redaction(report),
        "start" => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(start(report)),
        _ => panic!("no such part: {part}"),
    }
}

/// The middle and the 99th of a hundred of some durations, in the given unit of seconds.
fn quantiles(mut times: Vec<Duration>, unit: f64) -> (f64, f64) {
    times.sort();
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize].as_secs_f64() / unit;
    (at(0.5), at(0.99))
}

fn time<T>(count: usize, mut act: impl FnMut() -> T) -> Vec<Duration> {
    (0..count)
        .map(|_| {
            let began = Instant::now();
            black_box(act());
            began.elapsed()
        })
        .collect()
}

fn case(command: &str) -> Case {
    let host = Host {
        alias: Alias::parse("web1").unwrap(),
        host: "127.0.0.1".to_owned(),
        port: 22,
        credentials: None,
        tags: vec!["web".to_owned()],
        description: String::new(),
        shell: portcullis_core::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    };
    let target = Target {
        hops: Vec::new(),
        host,
        credential: None,
    };
    Case::new(
        Principal::local(0),
        target,
        CommandLine::parse(command).unwrap(),
    )
}

fn policy() -> Policy {
    let text = "limits: {deny_substrings: []}\nrules:\n  - action: allow\n    commands: ['uptime*', 'df *', 'echo *', 'ps *', 'grep *', 'cat /var/log/*', 'journalctl *', 'systemctl status *']\n  - action: deny\n    commands: ['rm *', 'shutdown*']\n";
    config::policy(text)
        .map_err(|faults| format!("{faults:?}"))
        .unwrap()
        .0
}

const COMMANDS: [&str; 5] = [
    "uptime",
    "systemctl status nginx && journalctl -u nginx -n 50 --no-pager",
    "ps aux | grep 'nginx: worker' | grep -v grep",
    "cat /var/log/syslog",
    "echo a; rm -rf /srv/data",
];

fn decisions(report: &mut Report) {
    let policy = policy();
    let mut times = Vec::new();
    for command in COMMANDS {
        times.extend(time(20_000, || policy.decide(case(command), Vec::new())));
    }
    let (p50, p99) = quantiles(times, 1e-6);
    report.add("decision, parse to verdict, p50", p50, "us", None);
    report.add("decision, parse to verdict, p99", p99, "us", None);
}

/// Rows for a second of `plan --cases`, over the acceptance cases with the policy in each row.
fn rows(report: &mut Report) {
    const ROWS: usize = 50_000;
    let cases = include_str!("../cases/commands.jsonl");
    let policies: Value =
        serde_json::from_str(include_str!("../cases/command-policies.json")).unwrap();
    let policies: Vec<&Value> = policies
        .as_object()
        .unwrap()
        .values()
        .map(|it| &it["policy"])
        .collect();
    let cases: Vec<Value> = cases
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut text = String::new();
    for index in 0..ROWS {
        let case = &cases[index % cases.len()];
        let row = json!({"id": index, "host": {"alias": "web1", "tags": ["web"]},
            "command": case["command"], "policy": policies[index / cases.len() % policies.len()]});
        text.push_str(&format!("{row}\n"));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.jsonl");
    fs::write(&file, &text).unwrap();
    let binary = std::env::var_os("PORTCULLIS_BIN").expect("cargo xtask bench sets PORTCULLIS_BIN");
    let seconds = time(3, || {
        let output = Command::new(&binary)
            .args(["plan", "--format", "json", "--cases"])
            .arg(&file)
            .env("PORTCULLIS_CONFIG_DIR", folder.path())
            .output()
            .unwrap();
        let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, ROWS, "{}", String::from_utf8_lossy(&output.stderr));
    });
    report.add(
        "rows of `plan --cases`, with a policy in each",
        ROWS as f64 / quantiles(seconds, 1.0).0,
        "rows/s",
        None,
    );
}

fn validators(report: &mut Report) {
    let mut plugins = portcullis_tests::load_plugin(
        "path-guard",
        "validator",
        "path-guard.wasm",
        r#"{"deny":["/srv/private"]}"#,
    );
    let policy = policy();
    let hear = |plugins: &portcullis_plugin::Plugins| {
        let began = Instant::now();
        let outcome = policy
            .decide(case("cat /var/log/syslog"), plugins.validators())
            .conclude(plugins, true);
        assert!(matches!(outcome, Outcome::Granted(_)), "{outcome:?}");
        began.elapsed()
    };
    for _ in 0..200 {
        hear(&plugins);
    }
    let times: Vec<Duration> = (0..5_000).map(|_| hear(&plugins)).collect();
    let (p50, p99) = quantiles(times, 1e-6);
    let spawned = time(200, || Command::new("/bin/true").status().unwrap());
    let (spawn, _) = quantiles(spawned, 1e-6);
    report.add(
        "fresh validator call with decision, p50",
        p50,
        "us",
        Some(("fork+exec /bin/true", spawn)),
    );
    report.add("fresh validator call with decision, p99", p99, "us", None);
    // The jury alone, for the difference.
    let _: &dyn Jury = &mut plugins;
}

/// A log with one secret in ten thousand lines.
fn log(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 256);
    let mut line = 0_u32;
    while text.len() < bytes {
        line += 1;
        if line.is_multiple_of(10_000) {
            text.push_str("2026-11-21T10:00:00Z web1 app[812]: login token=ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8 ok\n");
        } else {
            text.push_str(&format!(
                "2026-11-21T10:00:{:02}Z web1 nginx[{}]: GET /api/v1/items/{} 200 {} \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
                line % 60,
                line % 32_768,
                line,
                line % 9_999
            ));
        }
    }
    text
}

fn redaction(report: &mut Report) {
    let text = log(32 << 20);
    let redactor = Redactor::default();
    let rate = |act: &dyn Fn() -> usize| {
        let times = time(3, act);
        text.len() as f64 / 1e6 / quantiles(times, 1.0).0
    };
    let masked = rate(&|| redactor.mask(&text).0.len());
    let whole = rate(&|| {
        portcullis_core::output::scrub_text(
            text.as_bytes(),
            &redactor,
            &portcullis_core::output::NoScrubber,
            "web1",
            &[],
        )
        .stdout
        .len()
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    fs::write(&file, &text).unwrap();
    let sed = time(3, || {
        let status = Command::new("sed")
            .args([
                "-E",
                "-e",
                "s/ghp_[A-Za-z0-9]{36}/X/g",
                "-e",
                "s/AKIA[A-Z0-9]{16}/X/g",
            ])
            .args([
                "-e",
                "s/(password|secret|token)=[^ ]+/X/g",
                "-e",
                "s/xox[bp]-[0-9A-Za-z-]+/X/g",
            ])
            .args([
                "-e",
                "s/eyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+/X/g",
            ])
            .arg(&file)
            .env("LC_ALL", "C")
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    });
    let sed = text.len() as f64 / 1e6 / quantiles(sed, 1.0).0;
    report.add(
        "native redaction",
        masked,
        "MB/s",
        Some(("sed, five expressions", sed)),
    );
    report.add(
        "sanitise and redact",
        whole,
        "MB/s",
        Some(("sed, five expressions", sed)),
    );
}

/// How long a client waits for a server that it starts, and what an idle one takes. What a run costs beside its peers is
/// measured by the benchmark `ssh`.
async fn start(report: &mut Report) {
    let server = Sshd::start();
    let key = fs::read(server.key()).unwrap();
    let gate = GateFolder::new(server.port(), &user(), &key, &server.known_host()).with_plugins();
    let (mut first_reply, mut first_run) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let began = Instant::now();
        let client = gate.connect().await;
        client.call("ssh_ping", json!({})).await.unwrap();
        first_reply.push(began.elapsed());
        let run = json!({"alias": "web1", "command": "true"});
        let answer = client.call("ssh_run", run).await.unwrap().structured;
        assert_eq!(answer["exit_code"], 0, "{answer}");
        first_run.push(began.elapsed());
        client.close().await.unwrap();
    }
    report.add(
        "cold start to first reply (2 plugins), p50",
        quantiles(first_reply, 1e-3).0,
        "ms",
        None,
    );
    report.add(
        "cold start to first run, p50",
        quantiles(first_run, 1e-3).0,
        "ms",
        None,
    );

    let client = gate.connect().await;
    let mut pings = Vec::new();
    for _ in 0..PINGS {
        let began = Instant::now();
        client.call("ssh_ping", json!({})).await.unwrap();
        pings.push(began.elapsed());
    }
    report.add("ssh_ping, p50", quantiles(pings, 1e-6).0, "us", None);
    tokio::time::sleep(SETTLED).await;
    report.add(
        "idle RSS of the server (2 plugins)",
        resident::of_gate(&gate.config(), "VmRSS"),
        "MiB",
        None,
    );
    client.close().await.unwrap();
}
