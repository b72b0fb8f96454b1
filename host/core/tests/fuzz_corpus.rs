//! The corpora of the fuzz targets, replayed without the fuzzer; and the worst commands.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "../../../tests/fuzz/bodies/mod.rs"]
mod bodies;

use portcullis_core::limits::COMMAND_CHARS_MAX;
use portcullis_core::shell;
use serde_json::Value;
use std::path::{Path, PathBuf};

const ROWS: &str = include_str!("../../../tests/cases/commands.jsonl");
const WORST: &str = include_str!("../../../tests/cases/worst-commands.jsonl");
/// What a corpus may hold, so that it stays a part of the source.
const FILES_MAX: usize = 300;
const BYTES_MAX: usize = 500_000;

fn corpus(target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    root.join(target)
}

#[test]
fn every_input_of_the_corpora_holds() {
    for (target, body) in bodies::TARGETS {
        let folder = corpus(target);
        let files = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let (mut count, mut bytes) = (0, 0);
        for file in files {
            let data = std::fs::read(file.unwrap().path()).unwrap();
            body(&data);
            count += 1;
            bytes += data.len();
        }
        assert!((20..=FILES_MAX).contains(&count), "{target}: {count} files");
        assert!(bytes <= BYTES_MAX, "{target}: {bytes} bytes");
    }
}

#[test]
fn the_acceptance_commands_hold_too() {
    for row in ROWS.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let command = row["command"].as_str().unwrap().as_bytes();
        bodies::recogniser(command);
        bodies::render(command);
        bodies::judge(command);
    }
}

#[test]
fn the_worst_commands_hold_and_half_of_them_are_read() {
    let (mut read, mut all) = (0, 0);
    for row in WORST.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let text = |key: &str| row[key].as_str().unwrap();
        let count = usize::try_from(row["count"].as_u64().unwrap()).unwrap();
        let command = format!(
            "{}{}{}",
            text("prefix"),
            text("text").repeat(count),
            text("suffix")
        );
        assert!(
            command.chars().count() <= COMMAND_CHARS_MAX,
            "{}",
            text("id")
        );
        bodies::recogniser(command.as_bytes());
        bodies::render(command.as_bytes());
        bodies::judge(command.as_bytes());
        all += 1;
        read += usize::from(shell::parse(&command).is_ok());
    }
    assert!(read * 2 >= all, "{read} of {all} are read");
}
