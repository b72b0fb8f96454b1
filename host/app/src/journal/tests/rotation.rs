//! Segments: closing them, removing them, being ended in between, and what somebody without the key can do to them.

use super::super::disk::Wait;
use super::super::rotate::Step;
use super::super::segments::closed_name;
use super::super::store::{Making, Store};
use super::*;
use std::time::Duration;

/// Closes a segment after about four records.
pub(super) fn small() -> Keep {
    Keep {
        rotate_bytes: 900,
        ..Keep::default()
    }
}

pub(super) fn keeping(files: u64) -> Keep {
    Keep {
        retain_files: Some(files),
        ..small()
    }
}

/// A journal of that many records of the callers, in small segments.
pub(super) fn segmented(count: u64, keep: &Keep) -> Folder {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state(), keep.clone()).unwrap();
    append(&journal, count, Durability::Synced);
    journal.close();
    folder
}

/// The files of the journal's closed segments, oldest first.
pub(super) fn closed(folder: &Folder) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.path("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("journal-"))
        .collect();
    names.sort();
    names
}

fn in_journal(folder: &Folder, name: &str) -> PathBuf {
    folder.path("journal").join(name)
}

fn records_of(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Every record of every segment, in order.
fn all(folder: &Folder) -> Vec<Value> {
    let mut all = Vec::new();
    for name in closed(folder) {
        all.extend(records_of(&in_journal(folder, &name)));
    }
    all.extend(records_of(&folder.journal()));
    all
}

pub(super) fn count(folder: &Folder, kind: &str) -> usize {
    all(folder).iter().filter(|it| it["kind"] == kind).count()
}

#[test]
fn a_chain_goes_on_over_segments_and_each_names_its_predecessor() {
    let folder = segmented(40, &small());
    let closed = closed(&folder);
    assert!(closed.len() >= 5, "{closed:?}");
    let report = folder.report();
    assert_eq!(report.bad, None);
    assert_eq!(report.segments, closed.len() as u64 + 1);
    assert_eq!(report.records as usize, 40 + closed.len());
    let records = all(&folder);
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], index as u64 + 1);
    }
    for (index, name) in closed.iter().enumerate() {
        let next = match closed.get(index + 1) {
            Some(next) => in_journal(&folder, next),
            None => folder.journal(),
        };
        let first = records_of(&next).remove(0);
        let bytes = fs::read(in_journal(&folder, name)).unwrap();
        let last = records_of(&in_journal(&folder, name)).pop().unwrap();
        assert_eq!(first["kind"], "rotated");
        assert_eq!(first["previous_file"], name.as_str());
        assert_eq!(first["previous_seq"], last["seq"]);
        assert_eq!(first["previous_mac"], last["mac"]);
        assert_eq!(first["previous_bytes"], bytes.len());
        assert_eq!(
            first["previous_sha256"],
            portcullis_core::request::sha256_hex(&bytes)
        );
        assert_eq!(first["prev"], last["mac"]);
    }
}

#[test]
fn a_segment_is_closed_by_its_age_too() {
    let keep = Keep {
        rotate_age: Some(Duration::from_secs(1)),
        ..Keep::default()
    };
    let folder = Folder::new();
    let journal = Journal::open(&folder.state(), keep).unwrap();
    // The drafts' own time lies in the past, so the segment is old as soon as it has a record.
    append(&journal, 1, Durability::Synced);
    append(&journal, 1, Durability::Synced);
    journal.close();
    assert_eq!(closed(&folder), [closed_name(1)]);
    assert_eq!(folder.report().bad, None);
}

#[test]
fn many_processes_rotate_one_journal() {
    const EACH: u64 = 150;
    let folder = Folder::new();
    let keep = small();
    let children: Vec<Child> = (0..4)
        .map(|_| child(&folder, EACH, keep.rotate_bytes))
        .collect();
    let mut acked = BTreeMap::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        acked.append(&mut acknowledged(
            &String::from_utf8(output.stdout).unwrap(),
        ));
    }
    assert_eq!(acked.len() as u64, 4 * EACH);
    let report = folder.report();
    assert_eq!((report.bad, report.after_head), (None, 0));
    assert!(closed(&folder).len() > 50);
    let macs = macs(&folder);
    assert!(acked.iter().all(|(seq, mac)| macs.get(seq) == Some(mac)));
}

#[test]
fn a_process_that_is_killed_while_it_rotates_loses_no_acknowledged_record() {
    const ROUNDS: usize = 12;
    let folder = Folder::new();
    let mut all = BTreeMap::new();
    for round in 0..ROUNDS {
        // Each record closes a segment, so nearly every kill falls into a rotation.
        let mut child = child(&folder, 1_000_000, 1);
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while acknowledged(&text).len() < 3 + round {
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

#[test]
fn a_rotation_that_is_ended_at_any_step_leaves_a_journal_that_goes_on() {
    for step in [
        Step::Synced,
        Step::Made,
        Step::Named,
        Step::Switched,
        Step::NamesSynced,
        Step::HeadWritten,
    ] {
        let folder = Folder::with(3);
        {
            let stamp = Map::new();
            let mut store = Store::open(&folder.state(), Making::Allowed, &stamp).unwrap();
            store.stop_at = Some(step);
            let mut locked = store.lock().unwrap();
            let tended = locked.tend(&Keep {
                rotate_bytes: 1,
                ..Keep::default()
            });
            let switched = matches!(step, Step::Switched | Step::NamesSynced | Step::HeadWritten);
            assert_eq!(tended.is_err(), switched, "{step:?}");
        }
        // A reader finds it whole, whoever comes next goes on, and rotates as if nothing had been.
        let report = folder.report();
        assert_eq!(report.bad, None, "{step:?}");
        assert!(report.records >= 3, "{step:?}");
        let journal = Journal::open(&folder.state(), small()).unwrap();
        append(&journal, 12, Durability::Synced);
        journal.close();
        let report = folder.report();
        assert_eq!((report.bad, report.after_head), (None, 0), "{step:?}");
        assert_eq!(
            all(&folder)
                .iter()
                .filter(|it| it["kind"] == "read")
                .count(),
            15,
            "{step:?}"
        );
        assert!(!in_journal(&folder, "journal.jsonl.new").exists() || step == Step::Made);
    }
}

#[test]
fn old_segments_go_and_a_record_says_so() {
    let folder = segmented(60, &keeping(2));
    assert!(closed(&folder).len() <= 3, "{:?}", closed(&folder));
    let report = folder.report();
    assert_eq!(report.bad, None);
    assert!(report.removed > 20, "{report:?}");
    let records = all(&folder);
    let newest = records
        .iter()
        .rfind(|it| it["kind"] == "retention")
        .unwrap();
    assert_eq!(newest["reason"], "files");
    assert!(newest["through_seq"].as_u64().unwrap() >= report.removed);
    let gone = newest["removed"][0].clone();
    assert!(!in_journal(&folder, gone["file"].as_str().unwrap()).exists());
    assert_eq!(gone["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn old_segments_go_by_their_age() {
    let keep = Keep {
        retain_age: Some(Duration::ZERO),
        ..small()
    };
    let folder = segmented(30, &keep);
    let report = folder.report();
    assert_eq!(report.bad, None);
    assert!(report.removed > 5, "{report:?}");
    let records = all(&folder);
    let newest = records
        .iter()
        .rfind(|it| it["kind"] == "retention")
        .unwrap();
    assert_eq!(newest["reason"], "age");
}

#[test]
fn a_removal_that_is_ended_at_any_step_leaves_a_journal_that_goes_on() {
    for step in [Step::Recorded, Step::HalfRemoved] {
        let folder = segmented(40, &small());
        let before = closed(&folder).len();
        {
            let stamp = Map::new();
            let mut store = Store::open(&folder.state(), Making::Allowed, &stamp).unwrap();
            store.stop_at = Some(step);
            let keep = Keep {
                rotate_bytes: u64::MAX,
                ..keeping(1)
            };
            store.lock().unwrap().tend(&keep).unwrap();
        }
        let left = closed(&folder).len();
        match step {
            Step::HalfRemoved => assert!(left < before && left > 1, "{left} of {before}"),
            _ => assert_eq!(left, before),
        }
        assert_eq!(folder.report().bad, None, "{step:?}");
        let journal = Journal::open(&folder.state(), keeping(1)).unwrap();
        append(&journal, 12, Durability::Synced);
        journal.close();
        assert!(closed(&folder).len() <= 2);
        assert_eq!(folder.report().bad, None, "{step:?}");
    }
}

#[test]
fn removed_segments_without_a_record_are_named_as_missing() {
    let folder = segmented(40, &small());
    let names = closed(&folder);
    // The oldest, one in the middle, the newest closed one.
    for victim in [0, names.len() / 2, names.len() - 1] {
        let path = in_journal(&folder, &names[victim]);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let bad = folder.bad();
        assert!(bad.reason.contains("missing"), "{bad:?}");
        let first: u64 = names[victim][8..28].parse().unwrap();
        assert_eq!(bad.seq, Some(first), "{bad:?}");
        fs::write(&path, bytes).unwrap();
        assert_eq!(folder.report().bad, None);
    }
    // All of them: the open segment alone proves what is missing.
    for name in &names {
        fs::remove_file(in_journal(&folder, name)).unwrap();
    }
    let bad = folder.bad();
    assert_eq!((bad.seq, bad.file.as_str()), (Some(1), "journal.jsonl"));
}

#[test]
fn more_than_the_retention_removed_is_named_as_missing() {
    let folder = segmented(60, &keeping(3));
    assert_eq!(folder.report().bad, None);
    let oldest = closed(&folder).remove(0);
    fs::remove_file(in_journal(&folder, &oldest)).unwrap();
    let bad = folder.bad();
    assert!(bad.reason.contains("no record says so"), "{bad:?}");
}

#[test]
fn a_changed_closed_segment_is_named_with_file_and_line() {
    let folder = segmented(40, &small());
    let name = closed(&folder).remove(2);
    let path = in_journal(&folder, &name);
    let text = fs::read_to_string(&path).unwrap();
    let first: u64 = name[8..28].parse().unwrap();
    fs::write(&path, text.replacen("\"n\":", "\"m\":", 1)).unwrap();
    let bad = folder.bad();
    // The first line is the segment's own record, the first of the callers' is the second.
    assert_eq!((bad.file.as_str(), bad.line), (name.as_str(), 2));
    assert_eq!(bad.seq, Some(first + 1));
    // A byte behind the last record, an empty file, another segment under its name.
    for changed in [
        format!("{text}x"),
        format!("{text}\n"),
        String::new(),
        fs::read_to_string(in_journal(&folder, &closed(&folder)[1])).unwrap(),
    ] {
        fs::write(&path, changed).unwrap();
        assert!(folder.report().bad.is_some());
    }
    fs::write(&path, text).unwrap();
    assert_eq!(folder.report().bad, None);
}

#[test]
fn a_changed_segment_is_never_signed_as_removed() {
    let folder = segmented(40, &small());
    let name = closed(&folder).remove(0);
    let path = in_journal(&folder, &name);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"n\":1", "\"n\":9", 1)).unwrap();
    let journal = Journal::open(&folder.state(), keeping(1)).unwrap();
    append(&journal, 12, Durability::Synced);
    journal.close();
    assert!(path.exists(), "the evidence is gone");
    assert_eq!(count(&folder, "retention"), 0);
    assert_eq!(folder.bad().seq, Some(1));
}

#[test]
fn segments_that_somebody_puts_there_are_named_and_stop_neither_writers_nor_rotation() {
    let folder = segmented(20, &small());
    let names = closed(&folder);
    let copy = fs::read(in_journal(&folder, &names[1])).unwrap();
    for name in [
        closed_name(0),
        closed_name(u64::MAX),
        closed_name(names[1][8..28].parse::<u64>().unwrap() + 1),
    ] {
        let path = in_journal(&folder, &name);
        fs::write(&path, &copy).unwrap();
        assert!(folder.report().bad.is_some(), "{name}");
        let journal = Journal::open(&folder.state(), keeping(100)).unwrap();
        append(&journal, 8, Durability::Synced);
        journal.close();
        fs::remove_file(&path).unwrap();
        assert_eq!(folder.report().bad, None, "{name}");
    }
    // A name that is about to be needed: the rotation is put off, the records are taken.
    let next = records_of(&folder.journal())[0]["seq"].as_u64().unwrap();
    fs::write(in_journal(&folder, &closed_name(next)), b"mine").unwrap();
    let journal = Journal::open(&folder.state(), small()).unwrap();
    append(&journal, 20, Durability::Synced);
    journal.close();
    assert_eq!(
        fs::read(in_journal(&folder, &closed_name(next))).unwrap(),
        b"mine"
    );
    fs::remove_file(in_journal(&folder, &closed_name(next))).unwrap();
    assert_eq!(folder.report().bad, None);
}

#[test]
fn links_and_pipes_in_the_place_of_segments_are_neither_followed_nor_waited_on() {
    let folder = segmented(20, &small());
    let name = closed(&folder).remove(1);
    let path = in_journal(&folder, &name);
    let elsewhere = folder.path("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(matches!(
        verify(&folder.state(), None),
        Err(JournalFault::Io { .. })
    ));
    fs::remove_file(&path).unwrap();
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, rustix::fs::Mode::RWXU, 0).unwrap();
    assert!(matches!(
        verify(&folder.state(), None),
        Err(JournalFault::NotAFile { .. })
    ));
    // The next segment's unfinished file is made anew, never written through a link.
    let target = folder.path("target");
    fs::write(&target, b"keep me").unwrap();
    std::os::unix::fs::symlink(&target, in_journal(&folder, "journal.jsonl.new")).unwrap();
    let journal = Journal::open(&folder.state(), small()).unwrap();
    append(&journal, 8, Durability::Synced);
    journal.close();
    assert_eq!(fs::read(&target).unwrap(), b"keep me");
}

#[test]
fn a_head_of_an_older_segment_put_back_alone_stops_everything() {
    let folder = segmented(20, &small());
    let head = fs::read(folder.path("journal/head.json")).unwrap();
    let journal = Journal::open(&folder.state(), small()).unwrap();
    append(&journal, 20, Durability::Synced);
    journal.close();
    fs::write(folder.path("journal/head.json"), head).unwrap();
    // It names a record two segments back; only a rotation that was ended leaves it one back.
    assert!(matches!(
        folder.opens(),
        Err(JournalFault::NotTheHeads { .. })
    ));
}

#[test]
fn a_record_in_a_closed_segment_can_be_expected_and_one_in_a_removed_segment_not_any_more() {
    let folder = Folder::new();
    let journal = Journal::open(&folder.state(), small()).unwrap();
    let receipts = append(&journal, 40, Durability::Synced);
    journal.close();
    let ask = |receipt: &Receipt, mac: Option<&str>| {
        let expect = Expect {
            seq: receipt.seq,
            mac: mac.unwrap_or(&receipt.mac).to_owned(),
        };
        let report = verify(&folder.state(), Some(&expect)).unwrap();
        (report.expected, report.bad.map(|bad| bad.seq))
    };
    let (early, late) = (&receipts[2], &receipts[39]);
    assert_eq!(ask(early, None), (Expected::Found, None));
    assert_eq!(ask(late, None), (Expected::Found, None));
    let other = Some(late.mac.as_str());
    assert_eq!(
        ask(early, other),
        (Expected::Missing, Some(Some(early.seq)))
    );
    let beyond = Receipt {
        seq: 10_000,
        mac: late.mac.clone(),
    };
    assert_eq!(ask(&beyond, None).0, Expected::Missing);

    let journal = Journal::open(&folder.state(), keeping(1)).unwrap();
    append(&journal, 8, Durability::Synced);
    journal.close();
    assert_eq!(ask(early, None), (Expected::Removed, None));
    // The last record of the removed part is named by the one after it, so it can still be compared.
    let removed = folder.report().removed;
    let edge = receipts.iter().find(|it| it.seq == removed);
    if let Some(edge) = edge {
        assert_eq!(ask(edge, None), (Expected::Found, None));
        assert_eq!(ask(edge, other).0, Expected::Missing);
    }
}

#[test]
fn a_lock_that_is_held_through_a_rotation_keeps_the_others_out() {
    let folder = Folder::with(3);
    let stamp = Map::new();
    let mut store = Store::open(&folder.state(), Making::Allowed, &stamp).unwrap();
    let mut locked = store.lock().unwrap();
    let dir = dir(&folder.path("journal"));
    let flags = rustix::fs::OFlags::RDONLY;
    assert!(super::super::disk::try_lock(&dir, flags).unwrap().is_none());
    let keep = Keep {
        rotate_bytes: 1,
        ..Keep::default()
    };
    locked.tend(&keep).unwrap();
    assert!(super::super::disk::try_lock(&dir, flags).unwrap().is_none());
    drop(locked);
    assert!(super::super::disk::lock(&dir, flags, Wait::Bounded).is_ok());
}

#[test]
fn the_newest_records_come_from_as_many_segments_as_it_takes_and_are_followed_over_rotations() {
    let folder = segmented(30, &small());
    let numbers = |lines: &std::collections::VecDeque<Vec<u8>>| -> Vec<u64> {
        let number = |line: &Vec<u8>| {
            serde_json::from_slice::<Value>(line).unwrap()["n"]
                .as_u64()
                .unwrap()
        };
        lines.iter().map(number).collect()
    };
    let reads = |line: &[u8]| line.windows(14).any(|part| part == b"\"kind\":\"read\",");
    let newest = newest(&folder.state(), 11, &reads).unwrap();
    assert_eq!(numbers(&newest.lines), (20..=30).collect::<Vec<_>>());
    assert!(newest.bad.is_none());
    let all = super::super::newest(&folder.state(), 1_000, &reads).unwrap();
    assert_eq!(all.lines.len(), 30);

    let mut follower = newest.follower;
    let journal = Journal::open(&folder.state(), small()).unwrap();
    append(&journal, 20, Durability::Synced);
    let mut seen = std::collections::VecDeque::new();
    let mut each = |line: &[u8]| {
        if reads(line) {
            seen.push_back(line.to_vec());
        }
    };
    assert!(follower.poll(&folder.state(), &mut each).unwrap().is_none());
    assert!(follower.poll(&folder.state(), &mut each).unwrap().is_none());
    assert_eq!(numbers(&seen), (1..=20).collect::<Vec<_>>());
    journal.close();
}
