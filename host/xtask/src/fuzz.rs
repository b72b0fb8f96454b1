//! The fuzz targets of `tests/fuzz`, each for its time. They need a nightly compiler and `cargo-fuzz`; both
//! are installed where they are missing.
//!
//! What a run finds new stays in the target folder; the corpora in the source are only read.

use std::path::Path;
use std::process::{Command, Stdio};

/// Each target with its options: what it is made of, and its longest input in bytes.
const TARGETS: [(&str, &[&str]); 10] = [
    (
        "recogniser",
        &["-dict=tests/fuzz/shell.dict", "-max_len=10000"],
    ),
    ("render", &["-dict=tests/fuzz/shell.dict", "-max_len=10000"]),
    ("judge", &["-dict=tests/fuzz/shell.dict", "-max_len=10000"]),
    ("policy", &["-dict=tests/fuzz/policy.dict", "-max_len=8192"]),
    ("glob", &["-max_len=64"]),
    (
        "import_ssh",
        &["-dict=tests/fuzz/import.dict", "-max_len=4096"],
    ),
    (
        "import_ansible",
        &["-dict=tests/fuzz/import.dict", "-max_len=2048"],
    ),
    ("dotenv", &["-max_len=512"]),
    (
        "redact",
        &["-dict=tests/fuzz/redact.dict", "-max_len=20000"],
    ),
    ("spans", &["-max_len=512"]),
];
/// Seconds for each target where nothing else is asked for. Each takes one processor.
const SECONDS: u64 = 1_800;
/// The variable that asks for another time.
const SECONDS_VARIABLE: &str = "PORTCULLIS_FUZZ_SECONDS";
const TOOLCHAIN: &str = "+nightly";

/// Runs every target; the first finding ends it with the path of the input.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let seconds = match std::env::var(SECONDS_VARIABLE) {
        Ok(text) => text.parse().map_err(|_| {
            format!("expected {SECONDS_VARIABLE} to be a number of seconds, got {text:?}")
        })?,
        Err(_) => SECONDS,
    };
    if seconds == 0 {
        return Ok(());
    }
    tools(root)?;
    let work = super::setup::target(root).join("fuzz");
    for (target, options) in TARGETS {
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
