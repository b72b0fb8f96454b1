//! The fuzz targets of `tests/fuzz`, each for its time. They need a nightly compiler and `cargo-fuzz`; both
//! are installed where they are missing.
//!
//! What a run finds new stays in the target folder; the corpora in the source are only read.

use std::path::Path;
use std::process::{Command, Stdio};

/// A target: its name, its options (what it is made of, and its longest input in bytes), and its time in seconds
/// where nothing else is asked for. Each takes one processor.
struct Target {
    name: &'static str,
    options: &'static [&'static str],
    seconds: u64,
}

/// Time for what reads and judges commands, and for what fences guests: half an hour.
const JUDGING_SECONDS: u64 = 1_800;
/// Time for the loader of one file: a quarter of an hour.
const LOADING_SECONDS: u64 = 900;
const SHELL: &[&str] = &["-dict=tests/fuzz/shell.dict", "-max_len=10000"];
const FILE: &[&str] = &["-dict=tests/fuzz/config.dict", "-max_len=4096"];

const fn judging(name: &'static str, options: &'static [&'static str]) -> Target {
    Target {
        name,
        options,
        seconds: JUDGING_SECONDS,
    }
}

const fn loading(name: &'static str) -> Target {
    Target {
        name,
        options: FILE,
        seconds: LOADING_SECONDS,
    }
}

const TARGETS: [Target; 18] = [
    judging("recogniser", SHELL),
    judging("render", SHELL),
    judging("judge", SHELL),
    judging("policy", &["-dict=tests/fuzz/policy.dict", "-max_len=8192"]),
    judging("glob", &["-max_len=64"]),
    judging(
        "import_ssh",
        &["-dict=tests/fuzz/import.dict", "-max_len=4096"],
    ),
    judging(
        "import_ansible",
        &["-dict=tests/fuzz/import.dict", "-max_len=2048"],
    ),
    Target {
        name: "dotenv",
        options: &["-max_len=512"],
        seconds: LOADING_SECONDS,
    },
    judging(
        "redact",
        &["-dict=tests/fuzz/redact.dict", "-max_len=20000"],
    ),
    judging("spans", &["-max_len=512"]),
    judging("masker", &["-max_len=512"]),
    judging("component", &["-max_len=65536"]),
    judging(
        "sanitiser",
        &["-dict=tests/fuzz/terminal.dict", "-max_len=2048"],
    ),
    loading("servers"),
    loading("credentials"),
    loading("plugins"),
    loading("portcullis"),
    loading("companions"),
];
/// The variable that asks for another time.
const SECONDS_VARIABLE: &str = "PORTCULLIS_FUZZ_SECONDS";
const TOOLCHAIN: &str = "+nightly";

/// Runs every target; the first finding ends it with the path of the input.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let asked: Option<u64> = match std::env::var(SECONDS_VARIABLE) {
        Ok(text) => Some(text.parse().map_err(|_| {
            format!("expected {SECONDS_VARIABLE} to be a number of seconds, got {text:?}")
        })?),
        Err(_) => None,
    };
    if asked == Some(0) {
        return Ok(());
    }
    tools(root)?;
    let work = super::setup::target(root).join("fuzz");
    for target in TARGETS {
        let seconds = asked.unwrap_or(target.seconds);
        let (target, options) = (target.name, target.options);
        let found = work.join("found").join(target);
        std::fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
        eprintln!("fuzzing {target} for {seconds} seconds");
        super::run(
            cargo()
                .current_dir(root)
                .args(["fuzz", "run", "--fuzz-dir", "tests/fuzz", "-s", "none"])
                .arg("--target-dir")
                .arg(&work)
                .arg(target)
                .arg(&found)
                .arg(root.join("tests/fuzz/corpus").join(target))
                .arg("--")
                .args(options)
                .arg(format!("-max_total_time={seconds}")),
        )?;
    }
    Ok(())
}

/// The nightly cargo. This program was started by another one, which must not choose the compiler.
fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .arg(TOOLCHAIN)
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC");
    cargo
}

fn tools(root: &Path) -> Result<(), String> {
    let there = |command: &mut Command| {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    if !there(cargo().arg("--version")) {
        super::run(Command::new("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
        ]))?;
    }
    if !there(cargo().args(["fuzz", "--version"])) {
        super::run(super::cargo(root).args(["install", "cargo-fuzz", "--locked"]))?;
    }
    Ok(())
}
