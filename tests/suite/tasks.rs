//! Asynchronous runs on a real sshd, from start to end, through the processes that a person or a client would start.

use crate::audit::{compare_journal, journal, verify};
use crate::hosts::{folder, json};
use portcullis_tests::sshd::{GateFolder, Sshd};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

const TOKEN: &str = "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";

fn start(gate: &GateFolder, alias: &str, command: &str) -> String {
    let (answer, exit) = json(gate, &["task", "start", alias, command]);
    assert_eq!(
        (&answer["status"], exit),
        (&Value::from("pending"), 0),
        "{answer}"
    );
    answer["task_id"].as_str().unwrap().to_owned()
}

fn status(gate: &GateFolder, task: &str) -> Value {
    json(gate, &["task", "status", task]).0
}

/// Asks until it holds.
fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..300 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("it did not come within thirty seconds");
}

fn printed(gate: &GateFolder, task: &str, since: &str) -> (String, Value) {
    let (answer, exit) = json(gate, &["task", "output", task, "--since", since]);
    assert_eq!(exit, 0, "{answer}");
    let chunks = answer["chunks"].as_array().unwrap().iter();
    let text = chunks.map(|it| it["text"].as_str().unwrap()).collect();
    (text, answer)
}

#[test]
fn a_task_goes_on_by_itself_and_its_output_is_followed_redacted() {
    let server = Sshd::start();
    let gate = folder(&server);
    let command = format!("echo one {TOKEN}; sleep 6; echo two >&2; ls /nowhere");
    let task = start(&gate, "web1", &command);
    let id: Vec<&str> = task.split(':').collect();
    assert_eq!((id.len(), id[0], id[1].len()), (3, "web1", 16), "{task}");
    // While it runs, what it has printed is there, and no secret of it is.
    until(|| printed(&gate, &task, "0").0.contains("one"));
    let (text, answer) = printed(&gate, &task, "0");
    assert_eq!(text, "one [REDACTED:github-token]\n");
    let running = status(&gate, &task);
    assert_eq!(running["status"], "running", "{running}");
    assert_eq!(
        (&running["keepAlive"], &running["pollFrequency"]),
        (&300.into(), &5.into())
    );
    assert!(running["bytes_read"].as_u64().unwrap() > 0, "{running}");
    let (unfinished, exit) = json(&gate, &["task", "result", &task]);
    assert_eq!((&unfinished["status"], exit), (&Value::from("running"), 1));
    let next = answer["next_seq"].to_string();

    let (ended, exit) = json(&gate, &["task", "wait", &task]);
    assert_eq!(
        (&ended["status"], exit),
        (&Value::from("failed"), 4),
        "{ended}"
    );
    assert_eq!(ended["exit_code"], 2);
    let output = ended["output"].as_str().unwrap();
    assert!(
        output.starts_with("one [REDACTED:github-token]\n"),
        "{output}"
    );
    // Reading goes on where it stopped.
    let (rest, answer) = printed(&gate, &task, &next);
    assert!(
        rest.starts_with("two\n") && rest.contains("/nowhere"),
        "{rest}"
    );
    assert_eq!(answer["chunks"][0]["stream"], "stderr");
    assert_eq!(answer["has_more"], false);

    // Recorded like every run, under the same id.
    let records = journal(&gate);
    compare_journal(&records);
    for kind in ["task_start", "run_open", "run_close"] {
        let of = records.iter().filter(|it| it["kind"] == kind);
        let ids: Vec<&Value> = of.map(|it| &it["task_id"]).collect();
        assert_eq!(ids, [task.as_str()], "{kind}");
    }
    assert_eq!(verify(&gate, &[])["ok"], true);

    // Nothing on the disk holds the secret, and nobody else can read the store.
    for entry in fs::read_dir(gate.state()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o077, 0, "{path:?}");
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(TOKEN.len()).any(|it| it == TOKEN.as_bytes());
            assert!(!found, "{path:?}");
        }
    }
    let (list, _) = json(&gate, &["task", "list"]);
    assert_eq!(list["tasks"][0]["task_id"], task.as_str());
    assert!(!list.to_string().contains(TOKEN));
}

#[test]
fn a_task_that_is_refused_fails_or_takes_too_long_says_so() {
    let server = Sshd::start();
    let gate = folder(&server);
    let ends = |alias: &str, command: &str| {
        let task = start(&gate, alias, command);
        json(&gate, &["task", "wait", &task])
    };
    let (denied, exit) = ends("web1", "id");
    assert_eq!(
        (&denied["status"], exit),
        (&Value::from("denied"), 1),
        "{denied}"
    );
    assert_eq!(denied["code"], "no_rule");
    let (denied, exit) = ends("far1", "true");
    assert_eq!(
        (&denied["code"], exit),
        (&Value::from("network_not_allowed"), 1)
    );
    let (late, exit) = ends("db1", "sleep 15");
    assert_eq!(
        (&late["status"], exit),
        (&Value::from("timed_out"), 4),
        "{late}"
    );
    assert_eq!(
        (&late["timeout"], &late["termination"]),
        (&true.into(), &"confirmed".into())
    );
    let (well, exit) = ends("web1", "true");
    assert_eq!(
        (&well["status"], exit),
        (&Value::from("completed"), 0),
        "{well}"
    );
    assert_eq!(
        (&well["output"], &well["target_ip"]),
        (&"".into(), &"127.0.0.1".into())
    );
    // What is no task at all is said at once.
    let (input, exit) = json(&gate, &["task", "start", "a b", "true"]);
    assert_eq!(
        (&input["code"], exit),
        (&Value::from("input_characters"), 2)
    );
    let (unknown, exit) = json(&gate, &["task", "start", "nobody", "true"]);
    assert_eq!((&unknown["code"], exit), (&Value::from("unknown_alias"), 3));
}

#[test]
fn a_task_that_is_taken_back_is_ended_and_stays_so() {
    let server = Sshd::start();
    let gate = folder(&server);
    let task = start(&gate, "web1", "sleep 18");
    until(|| status(&gate, &task)["phase"] == "running");
    let (answer, exit) = json(&gate, &["task", "cancel", &task]);
    assert_eq!((&answer["cancelled"], exit), (&Value::from(true), 0));
    let (ended, exit) = json(&gate, &["task", "wait", &task]);
    assert_eq!(
        (&ended["status"], exit),
        (&Value::from("cancelled"), 4),
        "{ended}"
    );
    assert_eq!(
        (&ended["cancelled"], &ended["termination"]),
        (&true.into(), &"confirmed".into())
    );
    let (again, exit) = json(&gate, &["task", "cancel", &task]);
    assert_eq!((&again["cancelled"], exit), (&Value::from(false), 1));
    assert_eq!(status(&gate, &task)["status"], "cancelled");
    let records = journal(&gate);
    let close = records.iter().find(|it| it["kind"] == "run_close").unwrap();
    assert_eq!(
        (&close["cancelled"], &close["task_id"]),
        (&true.into(), &task.as_str().into())
    );
    assert!(records.iter().any(|it| it["kind"] == "task_cancel"));
    compare_journal(&records);
}

/// The process that runs tasks of a state directory.
fn runners(gate: &GateFolder) -> Vec<String> {
    let state = gate.state().display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains("run-task") && line.contains(&state) {
            // What is asked of a host is no argument of a process.
            assert!(!line.contains("sleep"), "{line}");
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

#[test]
fn a_task_whose_runner_is_killed_is_unknown() {
    let server = Sshd::start();
    let gate = folder(&server);
    let task = start(&gate, "web1", "echo begun; sleep 18");
    until(|| printed(&gate, &task, "0").0.contains("begun"));
    let runners = runners(&gate);
    assert_eq!(runners.len(), 1, "{runners:?}");
    let killed = Command::new("kill").args(["-KILL", &runners[0]]).status();
    assert!(killed.unwrap().success());
    until(|| status(&gate, &task)["status"] == "unknown");
    let (ended, exit) = json(&gate, &["task", "wait", &task]);
    assert_eq!(
        (&ended["status"], exit),
        (&Value::from("unknown"), 4),
        "{ended}"
    );
    // What it had printed is still there.
    assert_eq!(printed(&gate, &task, "0").0, "begun\n");
    assert_eq!(verify(&gate, &[])["ok"], true);
}

/// Writes another principal into a task's row, as if somebody else had started it.
fn give_away(gate: &GateFolder, task: &str) {
    let code = "import sqlite3, sys\n\
        store = sqlite3.connect(sys.argv[1])\n\
        store.execute(\"UPDATE tasks SET principal = 'local:4294967294' WHERE id = ?\", [sys.argv[2]])\n\
        store.commit()\n\
        sys.exit(store.total_changes != 1)";
    let mut python = Command::new("python3");
    let given = python
        .args(["-c", code])
        .arg(gate.state().join("store.sqlite3"));
    assert!(given.arg(task).status().unwrap().success());
}

#[test]
fn what_is_no_task_of_ones_own_is_answered_in_the_same_words() {
    let server = Sshd::start();
    let gate = folder(&server);
    let task = start(&gate, "web1", "true");
    json(&gate, &["task", "wait", &task]);
    let (listed, _) = json(&gate, &["task", "list"]);
    assert_eq!(listed["tasks"][0]["task_id"], task.as_str(), "{listed}");
    give_away(&gate, &task);
    let (listed, _) = json(&gate, &["task", "list"]);
    assert_eq!(listed["tasks"].as_array().unwrap().len(), 0, "{listed}");
    let unknown = format!(
        "{}{}",
        &task[..task.len() - 1],
        if task.ends_with('0') { '1' } else { '0' }
    );
    let long = "x".repeat(1_000);
    let mut answers = std::collections::BTreeSet::new();
    for id in [
        task.as_str(),
        unknown.as_str(),
        "nobody",
        "../../etc/passwd",
        "a b",
        "\u{1b}[2J",
        "",
        &long,
    ] {
        for verb in ["status", "output", "result", "cancel", "wait"] {
            let mut call = gate.portcullis(&["task", verb, "--format", "json"]);
            let output = call.args(["--", id]).output().unwrap();
            assert_eq!(output.status.code(), Some(3), "{verb} {id:?}");
            answers.insert(String::from_utf8(output.stdout).unwrap());
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[test]
fn no_more_tasks_run_on_a_host_than_may_and_those_that_wait_get_their_turn() {
    let server = Sshd::start();
    let gate = folder(&server);
    let tasks: Vec<String> = (0..5).map(|_| start(&gate, "web1", "sleep 4")).collect();
    let (mut seen_waiting, mut most) = (false, 0);
    until(|| {
        let (list, _) = json(&gate, &["task", "list"]);
        let count = |state: &str| {
            let tasks = list["tasks"].as_array().unwrap().iter();
            tasks.filter(|it| it["status"] == state).count()
        };
        seen_waiting |= count("running") == 4 && count("pending") == 1;
        most = most.max(count("running"));
        count("completed") == 5
    });
    assert!(most <= 4, "{most} at once");
    for task in tasks {
        assert_eq!(status(&gate, &task)["status"], "completed");
    }
    // On a machine that is slow to start them the first may have ended before the last began.
    assert!(seen_waiting || most < 4, "{most}");
    assert_eq!(verify(&gate, &[])["ok"], true);
}

#[test]
fn what_waits_is_not_run_under_files_that_do_not_hold_any_more() {
    let server = Sshd::start();
    let gate = folder(&server);
    let running: Vec<String> = (0..4).map(|_| start(&gate, "web1", "sleep 5")).collect();
    until(|| {
        running
            .iter()
            .all(|task| status(&gate, task)["status"] == "running")
    });
    let waits = start(&gate, "web1", "sleep 4");
    let policy = gate.config().join("policy.yml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, "rules: nonsense\n").unwrap();
    until(|| {
        let records = journal(&gate);
        records.iter().any(|it| it["outcome"] == "kept")
    });
    fs::write(&policy, text).unwrap();
    until(|| status(&gate, &waits)["status"] == "denied");
    let (result, exit) = json(&gate, &["task", "result", &waits]);
    assert_eq!(
        (&result["code"], exit),
        (&Value::from("configuration"), 1),
        "{result}"
    );
}

#[test]
fn where_a_plugin_redacts_nothing_is_released_before_it_has() {
    let server = Sshd::start();
    let gate = folder(&server).with_plugins();
    let task = start(&gate, "web1", "echo see OPS-4711; sleep 5; echo end");
    until(|| status(&gate, &task)["bytes_read"].as_u64().unwrap() > 0);
    let (text, answer) = printed(&gate, &task, "0");
    assert_eq!(
        (text.as_str(), &answer["status"]),
        ("", &Value::from("running"))
    );
    json(&gate, &["task", "wait", &task]);
    let (text, _) = printed(&gate, &task, "0");
    assert!(text.ends_with("end\n") && !text.contains("4711"), "{text}");
}
