//! What plugins cost, beside what an operator would use in their place: a program that is started for each question,
//! and Extism. Prints JSON Lines, then a table `goal, measured, held`. `cargo xtask bench` prepares everything.
//!
//! The sides take turns in rounds, so that what else the machine does falls on all of them; times are the middle ones of all
//! rounds. Rates count the time that the thread was on a processor. Goals are ratios wherever they can be.
//!
//! `PORTCULLIS_BENCH_ROUNDS` sets the number of rounds, `PORTCULLIS_BENCH_ONLY` names the one part that is measured: `calls`,
//! `threads`, `streams` or `warm`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark reports by printing, and by failing"
)]

mod calls;
mod peers;
mod report;
mod reused;
mod streams;
mod warm;

use portcullis_core::config::{PluginEntry, PluginKind, PluginLimits, PluginMode, PluginRuntime};
use portcullis_plugin::{Artifact, InProcess, Leaf, Plugins, Question};
use report::Report;
use std::path::PathBuf;

/// The words that the question is about; the last lies beneath a forbidden path, so that all of it is looked at.
const WORDS: [&str; 3] = ["tail", "-n", "/srv/private/notes.txt"];
const SETTINGS: &str = r#"{"deny":["/srv/private"]}"#;

/// A part of the benchmark: its name, and what it measures.
type Part = (&'static str, fn(&mut Report));

fn main() {
    // Cargo hands its own options on to benchmarks of this kind.
    let mut report = Report::default();
    report.add("load of the machine before", load(), "", report::Goal::None);
    let only = std::env::var("PORTCULLIS_BENCH_ONLY").ok();
    let parts: [Part; 4] = [
        ("calls", calls::measure),
        ("threads", calls::threads),
        ("streams", streams::measure),
        ("warm", warm::measure),
    ];
    for (name, measure) in parts {
        if only.as_deref().is_none_or(|only| only == name) {
            measure(&mut report);
        }
    }
    report.add("load of the machine after", load(), "", report::Goal::None);
    report.table("plugins");
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn guest(name: &str) -> Vec<u8> {
    let folder =
        std::env::var_os("PORTCULLIS_GUESTS").expect("cargo xtask bench sets PORTCULLIS_GUESTS");
    let file = PathBuf::from(folder).join(format!("{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
}

/// An entry with the limits that a file gives where it names none.
fn entry(name: &str, kind: PluginKind, runtime: PluginRuntime, settings: &str) -> PluginEntry {
    let interpreter = runtime == PluginRuntime::Interpreter;
    PluginEntry {
        name: name.to_owned(),
        kind,
        path: format!("{name}.wasm"),
        sha256: None,
        signature: None,
        vectors: None,
        runtime,
        mode: PluginMode::Enforce,
        wasi_inert: true,
        limits: PluginLimits {
            wall_ms: 1_000,
            fuel: if interpreter {
                20_000_000_000
            } else {
                200_000_000
            },
            memory_bytes: if interpreter { 134_217_728 } else { 33_554_432 },
            component_bytes: 33_554_432,
        },
        settings: settings.to_owned(),
    }
}

fn native(name: &str, settings: &str) -> PluginEntry {
    entry(name, PluginKind::Validator, PluginRuntime::Native, settings)
}

fn loaded(artifacts: Vec<(PluginEntry, Vec<u8>)>) -> Plugins {
    let artifacts = artifacts.into_iter().map(Artifact::from).collect();
    Plugins::load(artifacts, &InProcess, None).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn question() -> Question {
    let text = WORDS.join(" ");
    Question {
        alias: "web1".to_owned(),
        tags: vec!["web".to_owned(), "prod".to_owned()],
        principal: "local:1000".to_owned(),
        command: text.clone(),
        leaves: vec![Leaf {
            argv: WORDS.iter().map(|word| (*word).to_owned()).collect(),
            canonical: text.clone(),
            capabilities: vec!["read".to_owned()],
            open_words: Vec::new(),
        }],
        dry_run: false,
        facts: vec![("source".to_owned(), text)],
    }
}

/// The same question as the peers are given it.
fn question_json(question: &Question) -> String {
    let leaf = |leaf: &Leaf| {
        serde_json::json!({"argv": leaf.argv, "canonical": leaf.canonical, "capabilities": leaf.capabilities,
            "open_words": leaf.open_words})
    };
    serde_json::json!({"alias": question.alias, "tags": question.tags, "principal": question.principal,
        "command": question.command, "leaves": question.leaves.iter().map(leaf).collect::<Vec<_>>(),
        "dry_run": question.dry_run, "settings": SETTINGS, "facts": question.facts})
    .to_string()
}

/// Seconds that this thread was on a processor.
fn on_processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn asked(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}
