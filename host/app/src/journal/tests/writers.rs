//! Many writers, and one that ends.

use super::*;

#[test]
fn a_journal_goes_on_where_it_was_closed_and_verifies() {
    let folder = Folder::with(3);
    let journal = open(&folder.state());
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
fn a_lock_that_is_held_holds_an_append_up_and_loses_nothing() {
    let folder = Folder::new();
    let journal = Arc::new(open(&folder.state()));
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
fn an_ended_writer_fails_the_append() {
    let folder = Folder::new();
    let journal = open(&folder.state());
    journal.close();
    assert!(try_append(&journal, 1, Durability::Written).is_err());
    journal.close();
}

#[test]
fn many_calls_at_once_get_one_number_each() {
    let folder = Folder::new();
    let journal = Arc::new(open(&folder.state()));
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

#[test]
fn four_processes_and_two_threads_leave_one_chain() {
    const EACH: u64 = 200;
    let folder = Folder::new();
    let children: Vec<Child> = (0..4).map(|_| child(&folder, EACH, u64::MAX)).collect();
    let state = folder.0.path().to_owned();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let state = state.clone();
            std::thread::spawn(move || {
                let journal = open(&dir(&state));
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
