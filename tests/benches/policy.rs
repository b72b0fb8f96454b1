//! What a decision costs: over the acceptance cases, over the worst commands, under many rules.
//!
//! A figure for a command is the median of its runs, so that what else the machine does is left out; quantiles
//! are taken over commands.

use portcullis_core::config;
use portcullis_core::inventory::{Host, LoginShell, Target};
use portcullis_core::policy::{Case, Policy};
use portcullis_core::request::{Alias, CommandLine, Principal};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;

const ROWS: &str = include_str!("../cases/commands.jsonl");
const WORST: &str = include_str!("../cases/worst-commands.jsonl");
const POLICIES: &str = include_str!("../cases/command-policies.json");

/// Runs of each command.
const RUNS: usize = 51;
/// Rules of a large policy, and those of them that hold on the host.
const RULES: usize = 10_000;
const RULES_IN_SCOPE: usize = 50;

/// A measured value, with what it is to be compared with.
pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) peer: Option<(&'static str, f64)>,
}

fn measure(name: &str, value: f64, unit: &'static str) -> Measure {
    Measure {
        name: name.to_owned(),
        value,
        unit,
        peer: None,
    }
}

pub(crate) fn measures() -> Vec<Measure> {
    let mut all = Vec::new();
    acceptance(&mut all);
    worst(&mut all);
    many_rules(&mut all);
    all
}

fn host() -> Host {
    Host {
        alias: Alias::parse("web1").unwrap(),
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: vec!["web".to_owned()],
        description: String::new(),
        shell: LoginShell::Posix,
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    }
}

/// A policy as the gate has it: what holds on the host is found beforehand.
fn load(text: &str) -> Policy {
    let (mut policy, _) = config::policy(text).unwrap_or_else(|faults| panic!("{faults:?}"));
    policy.prepare([&host()].into_iter());
    policy
}

fn commands() -> Vec<CommandLine> {
    let rows = ROWS
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap());
    rows.filter_map(|row| CommandLine::parse(row["command"].as_str().unwrap()).ok())
        .collect()
}

/// The worst commands, written as a text that is repeated between two others.
pub(crate) fn worst_commands() -> Vec<(String, CommandLine)> {
    let rows = WORST
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap());
    rows.map(|row| {
        let text = |key: &str| row[key].as_str().unwrap();
        let count = usize::try_from(row["count"].as_u64().unwrap()).unwrap();
        let command = format!(
            "{}{}{}",
            text("prefix"),
            text("text").repeat(count),
            text("suffix")
        );
        (text("id").to_owned(), CommandLine::parse(&command).unwrap())
    })
    .collect()
}

/// The median time of a whole decision in microseconds: parse, judge, render.
fn decision_us(policy: &Policy, line: &CommandLine, runs: usize) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let target = Target {
                hops: Vec::new(),
                host: host(),
                credential: None,
            };
            let (principal, line) = (Principal::local(0), line.clone());
            let began = Instant::now();
            let decision = black_box(policy.decide(Case::new(principal, target, line), Vec::new()));
            let time = began.elapsed().as_secs_f64() * 1e6;
            drop(decision);
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * q).ceil() as usize]
}

fn acceptance(all: &mut Vec<Measure>) {
    let policies: Value = serde_json::from_str(POLICIES).unwrap();
    for name in ["allow:ops", "deny:std"] {
        let policy = load(&policies[name]["policy"].to_string());
        let mut times: Vec<f64> = commands()
            .iter()
            .map(|line| decision_us(&policy, line, RUNS))
            .collect();
        times.sort_by(f64::total_cmp);
        for (label, q) in [("p50", 0.5), ("p99", 0.99), ("worst", 1.0)] {
            let name = format!("decision over the cases under {name}, {label}");
            all.push(measure(&name, quantile(&times, q), "us"));
        }
    }
}

/// Broad rules behind deny rules that are slow to match.
fn hostile() -> String {
    let deny: Vec<String> = ('a'..='h').map(|c| format!("*{c}*{c}*{c}*b*c*z")).collect();
    let allow = ["*", "sudo *", "ls *", "echo *"];
    json!({"rules": [{"action": "allow", "commands": allow}, {"action": "deny", "commands": deny}]})
        .to_string()
}

fn worst(all: &mut Vec<Measure>) {
    let policies: Value = serde_json::from_str(POLICIES).unwrap();
    let mut texts: Vec<(String, String)> = policies
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, row)| (name.clone(), row["policy"].to_string()))
        .collect();
    texts.push(("hostile globs".to_owned(), hostile()));
    for (name, text) in texts {
        let policy = load(&text);
        let mut times: Vec<(f64, String)> = worst_commands()
            .into_iter()
            .map(|(id, line)| (decision_us(&policy, &line, 15), id))
            .collect();
        times.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (time, id) in times.iter().take(3) {
            all.push(measure(
                &format!("worst commands under {name}: {id}"),
                *time,
                "us",
            ));
        }
    }
}

/// Rules for other hosts around those for this one.
fn large(rules: usize) -> String {
    let own = |index: usize| json!({"action": "allow", "aliases": ["web*"], "commands": [format!("app{index} *")]});
    let apart = RULES / RULES_IN_SCOPE;
    let all: Vec<Value> = (0..rules)
        .map(|index| match rules == RULES_IN_SCOPE || index % apart == 0 {
            true => own(if rules == RULES_IN_SCOPE { index } else { index / apart }),
            false => {
                json!({"action": if index % 7 == 0 { "deny" } else { "allow" }, "aliases": [format!("db{index}-*")],
                       "tags": ["db"], "commands": [format!("tool{index} *"), format!("tool{index}")]})
            }
        })
        .collect();
    json!({"limits": {"deny_substrings": []}, "rules": all}).to_string()
}

fn many_rules(all: &mut Vec<Measure>) {
    let (many, few) = (large(RULES), load(&large(RULES_IN_SCOPE)));
    let before = resident_kib();
    let began = Instant::now();
    let policy = load(&many);
    let seconds = began.elapsed().as_secs_f64();
    all.push(measure("loading 10,000 rules", seconds * 1e3, "ms"));
    all.push(measure(
        "memory of 10,000 rules",
        (resident_kib() - before) / 1024.0,
        "MiB",
    ));
    let lines: Vec<CommandLine> = (0..RULES_IN_SCOPE)
        .map(|index| CommandLine::parse(&format!("app{index} -x /srv/a")).unwrap())
        .collect();
    let median = |policy: &Policy| {
        let mut times: Vec<f64> = lines
            .iter()
            .map(|line| decision_us(policy, line, 201))
            .collect();
        times.sort_by(f64::total_cmp);
        quantile(&times, 0.5)
    };
    let (alone, among) = (median(&few), median(&policy));
    all.push(Measure {
        name: "decision under 10,000 rules, 50 of them in scope".to_owned(),
        value: among,
        unit: "us",
        peer: Some(("under the 50 alone", alone)),
    });
}

/// Resident memory of this process; what the allocator keeps for later is in it.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(f64::NAN)
}
