//! A disk that is full, read-only, or gone.

use super::*;

#[test]
fn a_journal_that_cannot_be_written_fails_the_append() {
    let folder = Folder::new();
    let journal = open(&folder.state());
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
        let journal = open(&dir(&disk));
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
