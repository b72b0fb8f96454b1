//! Somebody without the key who wants the journal itself to take his traces away: what he changed must neither be
//! signed as removed nor be written on from.

use super::rotation::{closed, count, keeping, segmented, small};
use super::*;

#[test]
fn what_was_altered_before_its_segment_was_closed_is_never_signed_as_removed() {
    let folder = Folder::with(4);
    let mut lines = folder.lines();
    let altered = lines[0].replace("\"n\":1", "\"n\":9");
    assert_ne!(altered, lines[0]);
    lines[0] = altered;
    folder.rewrite(&lines);
    let journal = Journal::open(&folder.state(), keeping(1)).unwrap();
    append(&journal, 40, Durability::Synced);
    journal.close();
    assert_eq!(folder.bad().seq, Some(1));
    assert_eq!(count(&folder, "retention"), 0);
}

#[test]
fn a_few_bytes_in_the_place_of_the_journal_take_nothing_away() {
    let zeros = "0".repeat(64);
    for line in [
        format!("{{\"seq\":5,\"prev\":\"{zeros}\",\"kind\":\"x\",\"ts\":1"),
        format!(
            "{{\"seq\":5,\"prev\":\"{zeros}\",\"kind\":\"rotated\",\"ts\":1,\"mac\":\"{zeros}\"}}\n"
        ),
    ] {
        let folder = Folder::with(4);
        let living = open(&folder.state());
        fs::write(folder.journal(), &line).unwrap();
        assert!(folder.opens().is_err(), "{line}");
        assert!(
            try_append(&living, 5, Durability::Synced).is_err(),
            "{line}"
        );
        assert_eq!(fs::read_to_string(folder.journal()).unwrap(), line);
    }
}

#[test]
fn names_that_no_segment_stands_behind_have_no_honest_one_removed() {
    let folder = segmented(30, &keeping(4));
    let honest = closed(&folder);
    let removals = count(&folder, "retention");
    for number in 900_001..900_004_u64 {
        let name = format!("journal-{number:020}.jsonl");
        fs::write(folder.path("journal").join(name), "").unwrap();
    }
    let journal = Journal::open(&folder.state(), keeping(4)).unwrap();
    append(&journal, 12, Durability::Synced);
    journal.close();
    for number in 900_001..900_004_u64 {
        let name = format!("journal-{number:020}.jsonl");
        fs::remove_file(folder.path("journal").join(name)).unwrap();
    }
    let left = closed(&folder);
    assert!(honest.iter().all(|name| left.contains(name)), "{left:?}");
    assert_eq!(count(&folder, "retention"), removals);
    assert_eq!(folder.report().bad, None);
}

#[test]
fn a_living_process_sees_that_its_journal_was_put_back_and_written_on() {
    let folder = Folder::with(2);
    let living = open(&folder.state());
    let kept = (
        fs::read(folder.journal()).unwrap(),
        fs::read(folder.path("journal/head.json")).unwrap(),
    );
    for n in 101..104 {
        try_append(&living, n, Durability::Synced).unwrap();
    }
    fs::write(folder.journal(), kept.0).unwrap();
    fs::write(folder.path("journal/head.json"), kept.1).unwrap();
    let other = open(&folder.state());
    append(&other, 6, Durability::Synced);
    other.close();
    assert!(try_append(&living, 4, Durability::Synced).is_err());
}

#[test]
fn a_segment_that_was_deleted_by_hand_is_never_covered_by_a_later_removal() {
    for keep in [small(), keeping(8)] {
        let folder = segmented(30, &keep);
        let before = count(&folder, "retention");
        let oldest = closed(&folder).remove(0);
        fs::remove_file(folder.path("journal").join(&oldest)).unwrap();
        let journal = Journal::open(&folder.state(), keeping(2)).unwrap();
        append(&journal, 30, Durability::Synced);
        journal.close();
        assert_eq!(count(&folder, "retention"), before, "{oldest}");
        assert!(folder.report().bad.is_some(), "{oldest}");
    }
}

#[test]
fn removals_go_on_after_removals() {
    let folder = segmented(30, &keeping(3));
    assert!(count(&folder, "retention") > 0);
    let newest = |folder: &Folder| closed(folder).pop().unwrap();
    let then = newest(&folder);
    let journal = Journal::open(&folder.state(), keeping(3)).unwrap();
    append(&journal, 40, Durability::Synced);
    journal.close();
    assert!(!closed(&folder).contains(&then));
    assert_eq!(folder.report().bad, None);
}

#[test]
fn the_newest_records_are_not_shown_as_whole_where_the_head_or_the_beginning_is_gone() {
    let shown = |folder: &Folder| newest(&folder.state(), 100, &|_| true).unwrap();
    let folder = Folder::with(4);
    assert_eq!(shown(&folder).bad, None);
    fs::remove_file(folder.path("journal/head.json")).unwrap();
    assert!(shown(&folder).bad.is_some());

    let folder = segmented(12, &small());
    assert_eq!(shown(&folder).bad, None);
    let oldest = closed(&folder).remove(0);
    fs::remove_file(folder.path("journal").join(oldest)).unwrap();
    assert!(shown(&folder).bad.is_some());
}

#[test]
fn who_follows_a_journal_sees_that_it_was_put_back() {
    let folder = Folder::with(2);
    let kept = fs::read(folder.journal()).unwrap();
    let journal = open(&folder.state());
    append(&journal, 3, Durability::Synced);
    journal.close();
    let mut follower = newest(&folder.state(), 1, &|_| true).unwrap().follower;
    assert_eq!(follower.poll(&folder.state(), &mut |_| {}).unwrap(), None);
    fs::write(folder.journal(), kept).unwrap();
    assert!(
        follower
            .poll(&folder.state(), &mut |_| {})
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_key_of_another_user_is_no_key() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give a file away.
        return;
    }
    let folder = Folder::with(1);
    std::os::unix::fs::chown(folder.path("keys/journal.key"), Some(65_534), None).unwrap();
    assert!(matches!(
        folder.opens(),
        Err(JournalFault::KeyOwner { uid: 65_534 })
    ));
}
