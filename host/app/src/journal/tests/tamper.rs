//! Attacks by somebody who can write the journal's directory and has not the key.

use super::*;

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
    let journal = open(&folder.state());
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
fn a_tail_that_is_cut_together_with_the_head_is_shown_by_a_line_from_elsewhere() {
    let folder = Folder::with(2);
    let (old, head) = (
        fs::read(folder.journal()).unwrap(),
        fs::read(folder.path("journal/head.json")).unwrap(),
    );
    let journal = open(&folder.state());
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
fn a_body_that_names_a_field_of_the_chain_fails_alone() {
    let folder = Folder::new();
    let journal = open(&folder.state());
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
fn a_line_that_is_longer_than_a_record_is_named_as_that() {
    let folder = Folder::with(3);
    let mut lines = folder.lines();
    lines[1].insert_str(5, &" ".repeat(2_000_000));
    folder.rewrite(&lines);
    let bad = folder.bad();
    assert_eq!((bad.line, bad.seq), (2, Some(2)));
    assert!(bad.reason.contains("bytes in a line"), "{}", bad.reason);
}
