#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

const NOW: u64 = 1_700_000_000 * MICROS;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let directory = std::fs::File::open(folder.path()).unwrap();
    let store = Store::open(directory).unwrap();
    (folder, store)
}

fn id(task: &str) -> Id {
    Id {
        task: task.to_owned(),
        principal: "local:1".to_owned(),
    }
}

fn new(task: &str, alias: &str) -> New {
    New {
        id: id(task),
        alias: alias.to_owned(),
        hash: "0".repeat(16),
        command: "uptime".to_owned(),
        max_seconds: 60,
        ttl_seconds: 300,
        progress_seconds: 5,
    }
}

fn start(store: &Store, task: &str, alias: &str) {
    store.start(new(task, alias), NOW).unwrap();
}

fn end(state: State) -> End {
    End {
        state,
        end: "{}".to_owned(),
        ttl_seconds: None,
    }
}

fn state(store: &Store, task: &str) -> State {
    store.task(&id(task), NOW).unwrap().unwrap().state
}

fn finish(store: &Store, task: &str, how: State) {
    store.finish(&id(task), end(how), Vec::new(), NOW).unwrap();
}

#[test]
fn a_task_goes_forward_and_its_end_is_final() {
    for how in State::ALL.into_iter().filter(|state| state.is_final()) {
        let (_folder, store) = store();
        start(&store, "t", "a");
        assert_eq!(state(&store, "t"), State::Pending);
        assert_eq!(store.claim(&id("t"), NOW).unwrap(), Claim::Granted);
        assert_eq!(state(&store, "t"), State::Running);
        assert_eq!(store.claim(&id("t"), NOW).unwrap(), Claim::Gone);
        finish(&store, "t", how);
        for other in State::ALL.into_iter().filter(|state| state.is_final()) {
            finish(&store, "t", other);
            store.lose(vec!["t".to_owned()], NOW).unwrap();
            assert!(!store.cancel(&id("t")).unwrap());
            assert_eq!(state(&store, "t"), how);
        }
    }
}

#[test]
fn somebody_elses_task_is_answered_like_one_that_is_not_there() {
    let (_folder, store) = store();
    start(&store, "t", "a");
    store.claim(&id("t"), NOW).unwrap();
    let printed = vec![("stdout", "secret plans".to_owned())];
    store.progress(&id("t"), "running", 1, printed).unwrap();
    let other = Id {
        task: "t".to_owned(),
        principal: "local:2".to_owned(),
    };
    for stranger in [other, id("u"), id(""), id("t' OR '1'='1"), id("%")] {
        assert_eq!(store.task(&stranger, NOW).unwrap(), None);
        assert_eq!(store.chunks(&stranger, 0, NOW).unwrap(), None);
        assert!(!store.cancel(&stranger).unwrap());
        assert_eq!(store.claim(&stranger, NOW).unwrap(), Claim::Gone);
        store
            .finish(&stranger, end(State::Completed), Vec::new(), NOW)
            .unwrap();
        let printed = vec![("stdout", "forged".to_owned())];
        store.progress(&stranger, "running", 9, printed).unwrap();
    }
    assert_eq!(store.tasks("local:2", NOW).unwrap(), []);
    let task = store.task(&id("t"), NOW).unwrap().unwrap();
    assert_eq!(
        (task.state, task.cancel, task.chunks),
        (State::Running, false, 1)
    );
}

#[test]
fn turns_come_in_order_within_the_bounds_of_a_host_and_of_all() {
    let (_folder, store) = store();
    let claim = |task: &str| store.claim(&id(task), NOW).unwrap();
    for number in 0..=TASKS_RUNNING_PER_HOST_MAX {
        start(&store, &format!("a{number}"), "a");
    }
    // The last of the host waits; a task of another host does not.
    let last = format!("a{TASKS_RUNNING_PER_HOST_MAX}");
    start(&store, "b", "b");
    assert_eq!((claim(&last), claim("b")), (Claim::Waits, Claim::Granted));
    for number in (0..TASKS_RUNNING_PER_HOST_MAX).rev() {
        assert_eq!(claim(&format!("a{number}")), Claim::Granted);
    }
    assert_eq!(claim(&last), Claim::Waits);
    finish(&store, "a2", State::Completed);
    assert_eq!(claim(&last), Claim::Granted);
    finish(&store, "b", State::Failed);

    let (_folder, store) = self::store();
    let claim = |task: &str| store.claim(&id(task), NOW).unwrap();
    for number in 0..=TASKS_RUNNING_MAX {
        start(&store, &format!("t{number}"), &format!("host{number}"));
    }
    let last = format!("t{TASKS_RUNNING_MAX}");
    assert_eq!(claim(&last), Claim::Waits);
    for number in 0..TASKS_RUNNING_MAX {
        assert_eq!(claim(&format!("t{number}")), Claim::Granted);
    }
    assert_eq!(claim(&last), Claim::Waits);
    store.lose(vec!["t0".to_owned()], NOW).unwrap();
    assert_eq!(claim(&last), Claim::Granted);
}

#[test]
fn no_more_wait_than_may() {
    let (_folder, store) = store();
    for number in 0..TASKS_PENDING_MAX {
        start(&store, &number.to_string(), "a");
    }
    let full = store.start(new("one more", "b"), NOW);
    assert!(matches!(full, Err(Fault::Full(TASKS_PENDING_MAX))));
    assert_eq!(store.claim(&id("0"), NOW).unwrap(), Claim::Granted);
    start(&store, "one more", "b");
}

#[test]
fn a_store_without_room_takes_no_task_and_keeps_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let directory = std::fs::File::open(folder.path()).unwrap();
    let bytes_max = 2 * TASK_BYTES_RESERVED + 1_000_000;
    let store = Store::open_within(directory, bytes_max).unwrap();
    start(&store, "a", "a");
    start(&store, "b", "a");
    let none = |task: &str| matches!(store.start(new(task, "a"), NOW), Err(Fault::NoRoom(max)) if max == bytes_max);
    assert!(none("c"));
    // All that the two may print has room, and their ends are written down.
    let piece = "x".repeat(CHUNK_BYTES_MAX);
    for task in ["a", "b"] {
        assert_eq!(store.claim(&id(task), NOW).unwrap(), Claim::Granted);
        for _ in 0..TASK_OUTPUT_BYTES_MAX / CHUNK_BYTES_MAX {
            let printed = vec![("stdout", piece.clone())];
            store.progress(&id(task), "running", 1, printed).unwrap();
        }
        let end = End {
            state: State::Completed,
            end: format!(
                "{{\"output\": \"{}\"}}",
                "y".repeat(TASK_OUTPUT_BYTES_MAX / 2)
            ),
            ttl_seconds: None,
        };
        store.finish(&id(task), end, Vec::new(), NOW).unwrap();
        assert_eq!(state(&store, task), State::Completed);
    }
    let file = std::fs::metadata(folder.path().join("store.sqlite3"));
    assert!(file.unwrap().len() <= bytes_max);
    assert!(none("c"));
    // The results make room when their time is over.
    let later = NOW + 301 * MICROS;
    store.start(new("c", "a"), later).unwrap();
    assert_eq!(store.task(&id("a"), later).unwrap(), None);
}

#[test]
fn a_task_that_is_taken_back_while_it_waits_gets_no_turn() {
    let (_folder, store) = store();
    start(&store, "t", "a");
    assert!(store.cancel(&id("t")).unwrap());
    assert_eq!(store.claim(&id("t"), NOW).unwrap(), Claim::Gone);
    finish(&store, "t", State::Cancelled);
    assert_eq!(state(&store, "t"), State::Cancelled);
}

#[test]
fn an_ended_task_is_there_for_its_time_and_not_for_longer() {
    let (_folder, store) = store();
    start(&store, "t", "a");
    let printed = vec![("stdout", "text".to_owned())];
    store.claim(&id("t"), NOW).unwrap();
    store
        .finish(&id("t"), end(State::Completed), printed, NOW)
        .unwrap();
    let at = |seconds: u64| NOW + seconds * MICROS;
    assert!(store.task(&id("t"), at(299)).unwrap().is_some());
    assert!(store.chunks(&id("t"), 0, at(299)).unwrap().is_some());
    assert!(store.task(&id("t"), at(300)).unwrap().is_none());
    assert!(store.chunks(&id("t"), 0, at(300)).unwrap().is_none());
    assert_eq!(store.tasks("local:1", at(300)).unwrap(), []);
    store.evict(at(300)).unwrap();
    let left = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        store
            .reader()
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!((left("tasks"), left("chunks")), (0, 0));
    // The limits that held in the end may keep it longer or shorter than was thought.
    start(&store, "u", "a");
    let short = End {
        ttl_seconds: Some(1),
        ..end(State::Denied)
    };
    store.finish(&id("u"), short, Vec::new(), NOW).unwrap();
    assert!(store.task(&id("u"), at(1)).unwrap().is_none());
}

#[test]
fn ten_thousand_ended_tasks_leave_no_more_than_are_kept() {
    let (_folder, store) = store();
    store
        .write(|it| {
            for number in 0..10_000_u32 {
                it.execute(
                    "INSERT INTO tasks (id, principal, alias, hash, command, state, created_us, ended_us, ttl_seconds, \
                     progress_seconds, max_seconds) VALUES (?1, 'p', 'a', '', '', 'completed', ?2, ?2, 1000000, 5, 60)",
                    params![number.to_string(), db(NOW + u64::from(number))],
                )?;
            }
            Ok(())
        })
        .unwrap();
    start(&store, "t", "a");
    let left: i64 = store
        .reader()
        .query_row("SELECT count(*) FROM tasks", [], |row| row.get(0))
        .unwrap();
    assert_eq!(ours(left), TASKS_KEPT_MAX as u64 + 1);
}

#[test]
fn output_is_read_on_from_any_number_and_its_oldest_pieces_make_room() {
    let (_folder, store) = store();
    start(&store, "t", "a");
    store.claim(&id("t"), NOW).unwrap();
    let print = |stream, text: String| {
        store
            .progress(&id("t"), "running", 0, vec![(stream, text)])
            .unwrap();
    };
    let read = |since| store.chunks(&id("t"), since, NOW).unwrap().unwrap();
    assert_eq!((read(0).first, read(0).last), (1, 0));
    print("stdout", "one\n".to_owned());
    print("stderr", "two\n".to_owned());
    let all = read(0);
    let texts: Vec<_> = all
        .chunks
        .iter()
        .map(|it| (it.seq, it.stream.as_str(), it.text.as_str()))
        .collect();
    assert_eq!(texts, [(1, "stdout", "one\n"), (2, "stderr", "two\n")]);
    assert_eq!(read(2).chunks.len(), 1);
    assert_eq!(read(3).chunks, []);
    // A long text comes in pieces that are cut between characters.
    let long = "é".repeat(CHUNK_BYTES_MAX);
    print("stdout", long.clone());
    let pieces = read(3).chunks;
    assert!(pieces.iter().all(|it| it.text.len() <= CHUNK_BYTES_MAX));
    let joined: String = pieces.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(joined, long);
    // The bound of a task: what comes last stays, whole.
    let piece = "x".repeat(CHUNK_BYTES_MAX);
    for _ in 0..TASK_OUTPUT_BYTES_MAX / CHUNK_BYTES_MAX + 3 {
        print("stdout", piece.clone());
    }
    let kept = store.task(&id("t"), NOW).unwrap().unwrap().chunks;
    assert_eq!(kept as usize, TASK_OUTPUT_BYTES_MAX / CHUNK_BYTES_MAX);
    let first = read(0).first;
    assert!(first > 1);
    assert_eq!(read(0).chunks[0].seq, first);
    assert_eq!(read(0).last - first + 1, kept);
}
