//! What a process leaves that is ended at any point.

use super::*;

#[test]
fn a_start_that_was_ended_before_the_key_was_in_place_is_repeated() {
    let folder = Folder::with(1);
    let fresh = Folder::new();
    let journal = open(&fresh.state());
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
    let journal = open(&folder.state());
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
fn what_was_only_written_is_under_the_head_once_the_journal_is_closed() {
    let folder = Folder::new();
    let journal = open(&folder.state());
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
    let journal = open(&folder.state());
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
fn a_process_that_is_killed_loses_no_acknowledged_record() {
    const ROUNDS: usize = 8;
    let folder = Folder::new();
    let mut all = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = child(&folder, 1_000_000, u64::MAX);
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
