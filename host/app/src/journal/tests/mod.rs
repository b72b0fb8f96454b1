//! Attacks on a journal on the disk, crashes, rotation, full disks, and many writers at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod crash;
mod disk;
mod laundering;
mod rotation;
mod tamper;
mod writers;

use super::*;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use portcullis_core::audit::{Draft, Durability, Receipt, Sink, SinkFault};
use portcullis_core::clock::Micros;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

const CHILD_STATE: &str = "PORTCULLIS_TEST_CHILD_STATE";
const CHILD_COUNT: &str = "PORTCULLIS_TEST_CHILD_COUNT";
const CHILD_ROTATE_BYTES: &str = "PORTCULLIS_TEST_CHILD_ROTATE_BYTES";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> Dir {
        dir(self.0.path())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn journal(&self) -> PathBuf {
        self.path("journal/journal.jsonl")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.journal()).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    fn rewrite(&self, lines: &[String]) {
        fs::write(self.journal(), lines.concat()).unwrap();
    }

    fn report(&self) -> VerifyReport {
        verify(&self.state(), None).unwrap()
    }

    fn bad(&self) -> Bad {
        self.report().bad.expect("the journal verifies")
    }

    /// A journal of that many records, closed.
    fn with(count: u64) -> Self {
        let folder = Self::new();
        let journal = open(&folder.state());
        let receipts = append(&journal, count, Durability::Synced);
        assert_eq!(receipts.last().unwrap().seq, count);
        journal.close();
        folder
    }

    /// Whether another process could go on writing.
    fn opens(&self) -> Result<(), JournalFault> {
        Journal::open(&self.state(), Keep::default()).map(|journal| journal.close())
    }
}

fn dir(path: &Path) -> Dir {
    Dir::open_ambient_dir(path, ambient_authority()).unwrap()
}

/// A journal that is kept in one segment.
fn open(state: &Dir) -> Journal {
    Journal::open(state, Keep::default()).unwrap()
}

fn draft(n: u64, durability: Durability) -> Draft {
    let mut body = Map::new();
    body.insert("n".to_owned(), json!(n));
    Draft {
        kind: "read",
        at: Micros(1_700_000_000_000_000 + n),
        body,
        durability,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn try_append(journal: &Journal, n: u64, durability: Durability) -> Result<Receipt, SinkFault> {
    runtime().block_on(journal.append(draft(n, durability)))
}

fn append(journal: &Journal, count: u64, durability: Durability) -> Vec<Receipt> {
    let runtime = runtime();
    (1..=count)
        .map(|n| {
            runtime
                .block_on(journal.append(draft(n, durability)))
                .unwrap()
        })
        .collect()
}

/// Not a test of its own: what the children of the tests below do. Prints each number and MAC that it was given.
#[test]
#[ignore = "runs as a child of other tests"]
fn child_that_appends() {
    let (Ok(state), Ok(count)) = (std::env::var(CHILD_STATE), std::env::var(CHILD_COUNT)) else {
        panic!("{CHILD_STATE} and {CHILD_COUNT} are not set");
    };
    let keep = Keep {
        rotate_bytes: std::env::var(CHILD_ROTATE_BYTES).unwrap().parse().unwrap(),
        ..Keep::default()
    };
    let journal = Journal::open(&dir(Path::new(&state)), keep).unwrap();
    let runtime = runtime();
    let mut out = std::io::stdout().lock();
    for n in 0..count.parse().unwrap() {
        let durability = if n % 4 == 3 {
            Durability::Written
        } else {
            Durability::Synced
        };
        let receipt = runtime
            .block_on(journal.append(draft(n, durability)))
            .unwrap();
        writeln!(out, "\nACK {} {}", receipt.seq, receipt.mac).unwrap();
    }
}

fn child(folder: &Folder, count: u64, rotate_bytes: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "journal::tests::child_that_appends",
            "--nocapture",
        ])
        .env(CHILD_STATE, folder.0.path())
        .env(CHILD_COUNT, count.to_string())
        .env(CHILD_ROTATE_BYTES, rotate_bytes.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The numbers and MACs that a child's output acknowledges.
fn acknowledged(output: &str) -> BTreeMap<u64, String> {
    let ack = |line: &str| {
        let (seq, mac) = line.strip_prefix("ACK ")?.split_once(' ')?;
        // A line that the kill has torn acknowledges nothing.
        (mac.len() == 64).then(|| (seq.parse().unwrap(), mac.to_owned()))
    };
    output.lines().filter_map(ack).collect()
}

/// The MACs of all records of all segments.
fn macs(folder: &Folder) -> BTreeMap<u64, String> {
    let record = |line: &String| {
        let value: Value = serde_json::from_str(line).unwrap();
        (
            value["seq"].as_u64().unwrap(),
            value["mac"].as_str().unwrap().to_owned(),
        )
    };
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder.path("journal")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let text = fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines.iter().map(record).collect()
}
