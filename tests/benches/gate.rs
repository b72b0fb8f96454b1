//! What the parts of a run cost, beside their peers, in one run on one machine.
//!
//! Prints JSON Lines `{"name","value","unit","peer","peer_value","ratio"}` (ratio = value / peer_value), then a
//! table. Ratios are the anchor; single figures belong to the machine. `cargo xtask bench` prepares everything.
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

use portcullis_core::config;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::policy::{Case, Jury, Outcome, Policy};
use portcullis_core::redact::Redactor;
use portcullis_core::request::{Alias, CommandLine, Principal};
use portcullis_mcp::Client;
use portcullis_tests::sshd::{GateFolder, Sshd, user};
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs of a command against a real server, and of its peers.
const RUNS: usize = 40;

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

fn main() {
    let mut report = Report::default();
    decisions(&mut report);
    for it in policy::measures() {
        report.add(&it.name, it.value, it.unit, it.peer);
    }
    for it in output::measures() {
        report.add(&it.name, it.value, it.unit, it.peer);
    }
    rows(&mut report);
    validators(&mut report);
    redaction(&mut report);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(runs(&mut report));
    report.table();
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

async fn call(client: &Client) -> Value {
    let answer = client
        .call("ssh_run", json!({"alias": "web1", "command": "true"}))
        .await
        .unwrap();
    assert_eq!(answer.structured["exit_code"], 0, "{}", answer.structured);
    answer.structured
}

async fn runs(report: &mut Report) {
    let server = Sshd::start();
    let key = fs::read(server.key()).unwrap();
    let gate = GateFolder::new(server.port(), &user(), &key, &server.known_host()).with_plugins();
    let (control, plain, paramiko) = peers(&server, &gate);

    // Cold: from starting the server to the first answer, and to the first finished run.
    let (mut first_reply, mut first_run) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let began = Instant::now();
        let client = gate.connect().await;
        client.call("ssh_ping", json!({})).await.unwrap();
        first_reply.push(began.elapsed());
        call(&client).await;
        first_run.push(began.elapsed());
        client.close().await.unwrap();
    }
    report.add(
        "cold start to first reply (2 plugins compiled), p50",
        quantiles(first_reply, 1e-3).0,
        "ms",
        None,
    );
    report.add(
        "cold start to first run, p50",
        quantiles(first_run, 1e-3).0,
        "ms",
        Some(("ssh, new connection", plain)),
    );

    let client = gate.connect().await;
    for _ in 0..5 {
        call(&client).await;
    }
    let mut pings = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        client.call("ssh_ping", json!({})).await.unwrap();
        pings.push(began.elapsed());
    }
    report.add("ssh_ping, p50", quantiles(pings, 1e-6).0, "us", None);
    let (mut warm, mut parts) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let began = Instant::now();
        let answer = call(&client).await;
        warm.push(began.elapsed());
        parts.push(answer["timing"].clone());
    }
    let (p50, p99) = quantiles(warm, 1e-3);
    report.add(
        "warm ssh_run (server up, connection new), p50",
        p50,
        "ms",
        Some(("ssh with ControlMaster", control)),
    );
    report.add(
        "warm ssh_run beside paramiko, p50",
        p50,
        "ms",
        Some(("paramiko, new connection", paramiko)),
    );
    report.add("warm ssh_run, p99", p99, "ms", None);
    for part in [
        "policy_us",
        "validators_us",
        "resolve_us",
        "journal_us",
        "connect_us",
        "authenticate_us",
        "channel_us",
        "remote_us",
        "output_us",
    ] {
        let mut values: Vec<f64> = parts
            .iter()
            .map(|timing| timing[part].as_f64().unwrap_or(f64::NAN))
            .collect();
        values.sort_by(f64::total_cmp);
        report.add(
            &format!("part of a run: {part}, p50"),
            values[values.len() / 2],
            "us",
            None,
        );
    }
    client.close().await.unwrap();
    report.add(
        "idle RSS of the server (2 plugins)",
        idle_rss(&gate).await,
        "MiB",
        None,
    );
}

/// Resident memory of a server that has answered once and then did nothing.
async fn idle_rss(gate: &GateFolder) -> f64 {
    let client = gate.connect().await;
    client.call("ssh_ping", json!({})).await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let config = gate.config().display().to_string();
    let rss = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let words = fs::read(path.join("cmdline")).ok()?;
            let words = String::from_utf8_lossy(&words).into_owned();
            (words.contains("portcullis\0serve") && words.contains(&config)).then_some(())?;
            let status = fs::read_to_string(path.join("status")).ok()?;
            let line = status
                .lines()
                .find(|line| line.starts_with("VmRSS:"))?
                .to_owned();
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        })
        .next()
        .expect("the server's process is found");
    client.close().await.unwrap();
    rss / 1024.0
}

/// The OpenSSH client over a shared connection, over a new one, and paramiko over a new one, in milliseconds.
fn peers(server: &Sshd, gate: &GateFolder) -> (f64, f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let port = server.port().to_string();
    let ssh = |extra: &[&str]| {
        let mut command = Command::new("ssh");
        command
            .args(["-F", "none", "-p", &port, "-o", "BatchMode=yes", "-i"])
            .arg(server.key());
        command.arg("-o").arg(format!(
            "UserKnownHostsFile={}",
            gate.config().join("keys/known_hosts").display()
        ));
        command
            .args(extra)
            .arg(format!("{}@127.0.0.1", user()))
            .arg("true");
        command.stdin(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "ssh failed");
    };
    let socket = format!("ControlPath={}", folder.path().join("mux").display());
    ssh(&[
        "-o",
        "ControlMaster=yes",
        "-o",
        &socket,
        "-o",
        "ControlPersist=60",
    ]);
    let control = quantiles(time(RUNS, || ssh(&["-o", &socket])), 1e-3).0;
    let _ = Command::new("ssh")
        .args(["-F", "none", "-O", "exit", "-o", &socket, "127.0.0.1"])
        .stderr(Stdio::null())
        .status();
    let plain = quantiles(time(10, || ssh(&[])), 1e-3).0;
    let script = "import sys,time,paramiko\nhost,port,user,key,known,n=sys.argv[1:]\nfor i in range(int(n)):\n  t=time.perf_counter()\n  c=paramiko.SSHClient()\n  c.load_host_keys(known)\n  c.connect(host,int(port),user,key_filename=key,allow_agent=False,look_for_keys=False)\n  _,o,_=c.exec_command('true')\n  o.channel.recv_exit_status()\n  c.close()\n  print(time.perf_counter()-t)\n";
    let python =
        std::env::var_os("PORTCULLIS_PYTHON").expect("cargo xtask bench sets PORTCULLIS_PYTHON");
    let output = Command::new(python)
        .args(["-c", script, "127.0.0.1", &port, &user()])
        .arg(server.key())
        .arg(gate.config().join("keys/known_hosts"))
        .arg(RUNS.to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let times = String::from_utf8(output.stdout).unwrap();
    let times = times
        .lines()
        .map(|line| Duration::from_secs_f64(line.parse().unwrap()))
        .collect();
    (control, plain, quantiles(times, 1e-3).0)
}
