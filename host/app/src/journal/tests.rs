//! Attacks on a journal on the disk, crashes, and many writers at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::verify::{Bad, VerifyReport};
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
        let journal = Journal::open(&folder.state()).unwrap();
        let receipts = append(&journal, count, Durability::Synced);
        assert_eq!(receipts.last().unwrap().seq, count);
        journal.close();
        folder
    }

    /// Whether another process could go on writing.
    fn opens(&self) -> Result<(), JournalFault> {
        Journal::open(&self.state()).map(|journal| journal.close())
    }
}

fn dir(path: &Path) -> Dir {
    Dir::open_ambient_dir(path, ambient_authority()).unwrap()
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

#[test]
fn a_journal_goes_on_where_it_was_closed_and_verifies() {
    let folder = Folder::with(3);
    let journal = Journal::open(&folder.state()).unwrap();
    let receipts = append(&journal, 2, Durability::Written);
    assert_eq!(receipts[1].seq, 5);
    journal.close();
    let report = folder.report();
    assert_eq!((report.records, report.seq, report.bad), (5, 5, None));
    assert_eq!(
        (report.mac, report.after_head),
        (receipts[1].mac.clone(), 0)
    );
}

#[test]
fn directories_and_files_are_their_owners_alone() {
    let folder = Folder::with(1);
    for (name, mode) in [
        ("journal", 0o700),
        ("keys", 0o700),
        ("journal/journal.jsonl", 0o600),
        ("journal/head.json", 0o600),
        ("journal/lock", 0o600),
        ("keys/journal.key", 0o600),
    ] {
        let found = fs::metadata(folder.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    assert!(!folder.path("keys/journal.key.new").exists());
    assert_eq!(fs::read(folder.path("keys/journal.key")).unwrap().len(), 32);
}

#[test]
fn an_edited_byte_is_named_with_its_record() {
    for (line, from, to) in [
        (0, "\"n\":1", "\"n\":9"),
        (2, "\"kind\":\"read\"", "\"kind\":\"reap\""),
    ] {
        let folder = Folder::with(4);
        let mut lines = folder.lines();
        lines[line] = lines[line].replace(from, to);
        folder.rewrite(&lines);
        let bad = folder.bad();
        assert_eq!(
            (bad.line, bad.seq),
            (line as u64 + 1, Some(line as u64 + 1)),
            "{bad:?}"
        );
        assert_eq!(folder.report().records, line as u64);
    }
}

#[test]
fn a_deleted_or_moved_record_is_named() {
    let folder = Folder::with(5);
    let lines = folder.lines();
    let mut gone = lines.clone();
    gone.remove(1);
    folder.rewrite(&gone);
    assert_eq!(folder.bad().seq, Some(2));
    let mut moved = lines.clone();
    moved.swap(2, 3);
    folder.rewrite(&moved);
    assert_eq!(folder.bad().seq, Some(3));
    folder.rewrite(&lines);
    assert_eq!(folder.report().bad, None);
}

#[test]
fn a_cut_tail_is_named_and_nothing_is_added_behind_it() {
    let folder = Folder::with(5);
    let lines = folder.lines();
    for left in 0..5 {
        folder.rewrite(&lines[..left]);
        assert_eq!(folder.bad().seq, Some(left as u64 + 1));
        assert!(
            matches!(folder.opens(), Err(JournalFault::Cut { .. })),
            "{left}"
        );
    }
    let mut torn = lines.clone();
    torn[4].truncate(40);
    folder.rewrite(&torn);
    assert_eq!(folder.bad().seq, Some(5));
    assert!(matches!(folder.opens(), Err(JournalFault::Cut { .. })));
}

#[test]
fn a_tail_that_is_cut_under_a_running_writer_stops_it() {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state()).unwrap();
    append(&journal, 3, Durability::Synced);
    let lines = folder.lines();
    folder.rewrite(&lines[..2]);
    let fault = try_append(&journal, 4, Durability::Synced).unwrap_err();
    assert!(fault.0.contains("was cut"), "{fault}");
    assert_eq!(folder.lines().len(), 2);
}

#[test]
fn a_removed_head_journal_or_key_stops_everything() {
    for name in ["journal/head.json", "journal/journal.jsonl"] {
        let folder = Folder::with(2);
        fs::remove_file(folder.path(name)).unwrap();
        assert!(
            matches!(folder.opens(), Err(JournalFault::Removed { .. })),
            "{name}"
        );
    }
    let folder = Folder::with(2);
    fs::remove_file(folder.path("journal/head.json")).unwrap();
    let report = folder.report();
    assert_eq!((report.records, report.bad.unwrap().seq), (2, None));

    let folder = Folder::with(2);
    fs::remove_dir_all(folder.path("journal")).unwrap();
    assert!(matches!(folder.opens(), Err(JournalFault::Removed { .. })));

    let folder = Folder::with(2);
    fs::remove_file(folder.path("keys/journal.key")).unwrap();
    assert!(matches!(folder.opens(), Err(JournalFault::KeyMissing)));
    assert!(matches!(
        verify(&folder.state(), None),
        Err(JournalFault::KeyMissing)
    ));
    // An emptied journal beside a head that names records is not taken for a new one.
    fs::write(folder.journal(), "").unwrap();
    assert!(matches!(folder.opens(), Err(JournalFault::KeyMissing)));
}

#[test]
fn a_start_that_was_ended_before_the_key_was_in_place_is_repeated() {
    let folder = Folder::with(1);
    let fresh = Folder::new();
    let journal = Journal::open(&fresh.state()).unwrap();
    journal.close();
    fs::rename(
        fresh.path("keys/journal.key"),
        fresh.path("keys/journal.key.new"),
    )
    .unwrap();
    assert!(fresh.opens().is_ok());
    assert_eq!(fresh.report().bad, None);
    assert_eq!(folder.report().records, 1);
}

#[test]
fn an_edited_head_is_named_and_stops_everything() {
    let folder = Folder::with(2);
    let head = fs::read(folder.path("journal/head.json")).unwrap();
    assert_eq!(head.len(), 512);
    let _: Value = serde_json::from_slice(&head).unwrap();
    let text = String::from_utf8(head.clone()).unwrap();
    let mut longer = head.clone();
    longer.push(b'\n');
    for changed in [
        text.replace("{\"seq\":2", "{\"seq\":1").into_bytes(),
        Vec::new(),
        head[..511].to_vec(),
        longer,
    ] {
        fs::write(folder.path("journal/head.json"), changed).unwrap();
        let bad = folder.bad();
        assert_eq!((bad.line, bad.seq), (0, None));
        assert!(matches!(folder.opens(), Err(JournalFault::HeadDamaged)));
    }
}

#[test]
fn a_forged_record_is_named_and_stops_everything() {
    let folder = Folder::with(2);
    let mut lines = folder.lines();
    let forged = lines[1].replace("\"seq\":2", "\"seq\":3");
    lines.push(forged);
    folder.rewrite(&lines);
    assert_eq!(folder.bad().seq, Some(3));
    assert!(matches!(folder.opens(), Err(JournalFault::Bad(bad)) if bad.seq == 3));
}

#[test]
fn a_journal_of_the_same_length_with_another_end_stops_everything() {
    let folder = Folder::with(2);
    let mut lines = folder.lines();
    lines[1] = lines[1].replace("\"mac\":\"", "\"mac\":\"0");
    lines[1] = lines[1].replace("\"n\":2", "\"n\":");
    folder.rewrite(&lines);
    assert!(matches!(
        folder.opens(),
        Err(JournalFault::NotTheHeads { seq: 2 })
    ));
}

#[test]
fn a_torn_line_after_the_head_is_cut_off_and_recorded() {
    let folder = Folder::with(2);
    let torn = b"{\"seq\":3,\"prev\":\"ab\0\0";
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(folder.journal())
        .unwrap();
    file.write_all(torn).unwrap();
    let bad = folder.bad();
    assert_eq!(bad.seq, Some(3));
    assert!(bad.reason.contains("torn"), "{bad:?}");
    folder.opens().unwrap();
    let report = folder.report();
    assert_eq!((report.records, report.recovered, report.bad), (3, 1, None));
    let record: Value = serde_json::from_str(&folder.lines()[2]).unwrap();
    assert_eq!(record["kind"], "recovered");
    assert_eq!(record["torn_bytes"], torn.len());
    assert_eq!(
        record["torn_sha256"].as_str().unwrap(),
        portcullis_core::request::sha256_hex(torn)
    );
}

#[test]
fn whole_records_after_the_head_are_adopted() {
    let folder = Folder::with(2);
    let head = fs::read(folder.path("journal/head.json")).unwrap();
    let journal = Journal::open(&folder.state()).unwrap();
    append(&journal, 3, Durability::Synced);
    journal.close();
    fs::write(folder.path("journal/head.json"), head).unwrap();
    assert_eq!(folder.report().after_head, 3);
    folder.opens().unwrap();
    let report = folder.report();
    assert_eq!(
        (report.records, report.after_head, report.bad),
        (5, 0, None)
    );
}

#[test]
fn a_tail_that_is_cut_together_with_the_head_is_shown_by_a_line_from_elsewhere() {
    let folder = Folder::with(2);
    let (old, head) = (
        fs::read(folder.journal()).unwrap(),
        fs::read(folder.path("journal/head.json")).unwrap(),
    );
    let journal = Journal::open(&folder.state()).unwrap();
    let newest = append(&journal, 1, Durability::Synced).remove(0);
    journal.close();
    let expect = |receipt: &Receipt| Expect {
        seq: receipt.seq,
        mac: receipt.mac.clone(),
    };
    assert_eq!(
        verify(&folder.state(), Some(&expect(&newest))).unwrap().bad,
        None
    );
    fs::write(folder.journal(), old).unwrap();
    fs::write(folder.path("journal/head.json"), head).unwrap();
    assert_eq!(folder.report().bad, None);
    let bad = verify(&folder.state(), Some(&expect(&newest)))
        .unwrap()
        .bad
        .unwrap();
    assert_eq!(bad.seq, Some(3));
    let wrong = Expect {
        seq: 1,
        mac: newest.mac,
    };
    assert_eq!(
        verify(&folder.state(), Some(&wrong))
            .unwrap()
            .bad
            .unwrap()
            .seq,
        Some(1)
    );
    let none = Expect {
        seq: 1,
        mac: "xyz".to_owned(),
    };
    assert!(matches!(
        verify(&folder.state(), Some(&none)),
        Err(JournalFault::ExpectedForm)
    ));
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let folder = Folder::with(1);
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(
            folder.path("keys/journal.key"),
            fs::Permissions::from_mode(mode),
        )
        .unwrap();
        assert!(
            matches!(folder.opens(), Err(JournalFault::KeyExposed { .. })),
            "{mode:o}"
        );
    }
    fs::set_permissions(
        folder.path("keys/journal.key"),
        fs::Permissions::from_mode(0o400),
    )
    .unwrap();
    folder.opens().unwrap();
    for bytes in [31, 33, 0] {
        fs::remove_file(folder.path("keys/journal.key")).unwrap();
        fs::write(folder.path("keys/journal.key"), vec![1; bytes]).unwrap();
        fs::set_permissions(
            folder.path("keys/journal.key"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        assert!(
            matches!(folder.opens(), Err(JournalFault::KeyForm)),
            "{bytes}"
        );
    }
}

#[test]
fn links_and_directories_in_the_place_of_files_are_not_followed() {
    for name in [
        "journal/journal.jsonl",
        "journal/head.json",
        "journal/lock",
        "keys/journal.key",
    ] {
        let folder = Folder::with(1);
        fs::rename(folder.path(name), folder.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(folder.path("elsewhere"), folder.path(name)).unwrap();
        assert!(
            matches!(folder.opens(), Err(JournalFault::Io { .. })),
            "{name}"
        );
        fs::remove_file(folder.path(name)).unwrap();
        fs::create_dir(folder.path(name)).unwrap();
        assert!(folder.opens().is_err(), "{name}");
    }
    for name in ["journal", "keys"] {
        let folder = Folder::with(1);
        fs::rename(folder.path(name), folder.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(folder.path("elsewhere"), folder.path(name)).unwrap();
        assert!(
            matches!(folder.opens(), Err(JournalFault::Io { .. })),
            "{name}"
        );
    }
}

#[test]
fn a_journal_that_cannot_be_written_fails_the_append() {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state()).unwrap();
    append(&journal, 1, Durability::Synced);
    fs::rename(folder.journal(), folder.path("elsewhere")).unwrap();
    fs::create_dir(folder.journal()).unwrap();
    for durability in [Durability::Synced, Durability::Written] {
        assert!(try_append(&journal, 2, durability).is_err());
    }
    // Once the file is back, so is the journal.
    fs::remove_dir(folder.journal()).unwrap();
    fs::rename(folder.path("elsewhere"), folder.journal()).unwrap();
    assert_eq!(try_append(&journal, 2, Durability::Synced).unwrap().seq, 2);
}

#[test]
fn a_full_disk_fails_the_append_and_leaves_no_part_of_a_record() {
    let folder = Folder::new();
    let disk = folder.path("disk");
    fs::create_dir(&disk).unwrap();
    // A file system of its own needs rights that not every machine gives.
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=32k", "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let journal = Journal::open(&dir(&disk)).unwrap();
        let mut big = draft(1, Durability::Synced);
        big.body.insert("x".to_owned(), json!("y".repeat(6_000)));
        let runtime = runtime();
        let mut kept = 0;
        for _ in 0..32 {
            match runtime.block_on(journal.append(big.clone())) {
                Ok(_) => kept += 1,
                Err(_) => break,
            }
        }
        assert!((1..32).contains(&kept), "{kept}");
        let report = verify(&dir(&disk), None).unwrap();
        assert_eq!((report.records, report.bad), (kept, None));
        // A record that still fits is taken: the failed one has left nothing behind.
        assert_eq!(
            try_append(&journal, 2, Durability::Synced).unwrap().seq,
            kept + 1
        );
        journal.close();
    });
    let unmounted = Command::new("umount").arg(&disk).status().unwrap();
    assert!(unmounted.success());
    outcome.unwrap();
}

#[test]
fn a_pipe_in_the_journals_place_is_not_written_to() {
    let folder = Folder::new();
    folder.opens().unwrap();
    fs::remove_file(folder.journal()).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.journal(),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    assert!(matches!(folder.opens(), Err(JournalFault::NotAFile { .. })));
}

#[test]
fn a_lock_that_is_held_holds_an_append_up_and_loses_nothing() {
    let folder = Folder::new();
    let journal = Arc::new(Journal::open(&folder.state()).unwrap());
    let held = fs::File::open(folder.path("journal/lock")).unwrap();
    held.lock().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let asked = {
        let journal = Arc::clone(&journal);
        runtime.spawn(async move { journal.append(draft(1, Durability::Synced)).await })
    };
    // Somebody who gives up before the lock is free has nothing recorded, and is told so.
    let gone = runtime.block_on(async {
        tokio::time::timeout(
            std::time::Duration::from_millis(100),
            journal.append(draft(2, Durability::Synced)),
        )
        .await
    });
    assert!(gone.is_err());
    assert!(folder.lines().is_empty());
    drop(held);
    assert_eq!(runtime.block_on(asked).unwrap().unwrap().seq, 1);
    journal.close();
    assert_eq!((folder.report().records, folder.report().bad), (1, None));
}

#[test]
fn a_body_that_names_a_field_of_the_chain_fails_alone() {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state()).unwrap();
    let mut bad = draft(1, Durability::Synced);
    bad.body.insert("mac".to_owned(), json!("x"));
    let runtime = runtime();
    let (refused, taken) = runtime.block_on(async {
        tokio::join!(
            journal.append(bad),
            journal.append(draft(2, Durability::Synced))
        )
    });
    assert!(refused.is_err());
    assert_eq!(taken.unwrap().seq, 1);
}

#[test]
fn an_ended_writer_fails_the_append() {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state()).unwrap();
    journal.close();
    assert!(try_append(&journal, 1, Durability::Written).is_err());
    journal.close();
}

#[test]
fn what_was_only_written_is_under_the_head_once_the_journal_is_closed() {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state()).unwrap();
    append(&journal, 20, Durability::Written);
    drop(journal);
    let report = folder.report();
    assert_eq!(
        (report.records, report.after_head, report.bad),
        (20, 0, None)
    );
}

#[test]
fn a_record_whose_sync_failed_is_under_the_head_once_the_journal_is_closed() {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state()).unwrap();
    append(&journal, 1, Durability::Written);
    let head = folder.path("journal/head.json");
    fs::rename(&head, folder.path("elsewhere")).unwrap();
    // A batch that fails stands for the sync that was due.
    assert!(try_append(&journal, 2, Durability::Synced).is_err());
    fs::rename(folder.path("elsewhere"), &head).unwrap();
    journal.close();
    let report = folder.report();
    assert_eq!(
        (report.records, report.after_head, report.bad),
        (1, 0, None)
    );
}

#[test]
fn a_line_that_is_longer_than_a_record_is_named_as_that() {
    let folder = Folder::with(3);
    let mut lines = folder.lines();
    lines[1].insert_str(5, &" ".repeat(2_000_000));
    folder.rewrite(&lines);
    let bad = folder.bad();
    assert_eq!((bad.line, bad.seq), (2, Some(2)));
    assert!(bad.reason.contains("bytes in a line"), "{}", bad.reason);
}

#[test]
fn many_calls_at_once_get_one_number_each() {
    let folder = Folder::new();
    let journal = Arc::new(Journal::open(&folder.state()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut numbers: Vec<u64> = runtime.block_on(async {
        let mut calls = Vec::new();
        for n in 0..600 {
            let journal = Arc::clone(&journal);
            let durability = if n % 3 == 0 {
                Durability::Written
            } else {
                Durability::Synced
            };
            calls.push(tokio::spawn(async move {
                journal.append(draft(n, durability)).await
            }));
        }
        let mut numbers = Vec::new();
        for call in calls {
            numbers.push(call.await.unwrap().unwrap().seq);
        }
        numbers
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=600).collect::<Vec<_>>());
    journal.close();
    assert_eq!(folder.report().bad, None);
}

/// Not a test of its own: what the children of the tests below do. Prints each number and MAC that it was given.
#[test]
#[ignore = "runs as a child of other tests"]
fn child_that_appends() {
    let (Ok(state), Ok(count)) = (std::env::var(CHILD_STATE), std::env::var(CHILD_COUNT)) else {
        panic!("{CHILD_STATE} and {CHILD_COUNT} are not set");
    };
    let journal = Journal::open(&dir(Path::new(&state))).unwrap();
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

fn child(folder: &Folder, count: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "journal::tests::child_that_appends",
            "--nocapture",
        ])
        .env(CHILD_STATE, folder.0.path())
        .env(CHILD_COUNT, count.to_string())
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

fn macs(folder: &Folder) -> BTreeMap<u64, String> {
    let record = |line: &String| {
        let value: Value = serde_json::from_str(line).unwrap();
        (
            value["seq"].as_u64().unwrap(),
            value["mac"].as_str().unwrap().to_owned(),
        )
    };
    folder.lines().iter().map(record).collect()
}

#[test]
fn four_processes_and_two_threads_leave_one_chain() {
    const EACH: u64 = 200;
    let folder = Folder::new();
    let children: Vec<Child> = (0..4).map(|_| child(&folder, EACH)).collect();
    let state = folder.0.path().to_owned();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let state = state.clone();
            std::thread::spawn(move || {
                let journal = Journal::open(&dir(&state)).unwrap();
                append(&journal, EACH, Durability::Synced).len()
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap() as u64, EACH);
    }
    let mut all = BTreeMap::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        all.append(&mut acknowledged(
            &String::from_utf8(output.stdout).unwrap(),
        ));
    }
    assert_eq!(all.len() as u64, 4 * EACH);
    let report = folder.report();
    assert_eq!(
        (report.records, report.after_head, report.bad),
        (6 * EACH, 0, None)
    );
    let macs = macs(&folder);
    assert!(all.iter().all(|(seq, mac)| macs.get(seq) == Some(mac)));
}

#[test]
fn a_process_that_is_killed_loses_no_acknowledged_record() {
    const ROUNDS: usize = 8;
    let folder = Folder::new();
    let mut all = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = child(&folder, 1_000_000);
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        // Killed in the middle of its appends, each round after another number of them.
        while acknowledged(&text).len() < 5 + round * 3 {
            assert!(
                reader.read_line(&mut text).unwrap() > 0,
                "the child ended by itself"
            );
        }
        child.kill().unwrap();
        child.wait().unwrap();
        reader.read_to_string(&mut text).unwrap();
        all.append(&mut acknowledged(&text));
        folder.opens().unwrap();
        assert_eq!(folder.report().bad, None, "round {round}");
    }
    let macs = macs(&folder);
    for (seq, mac) in &all {
        assert_eq!(macs.get(seq), Some(mac), "record {seq} was acknowledged");
    }
}
