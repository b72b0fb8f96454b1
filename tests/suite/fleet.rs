//! One command on many hosts, on a real sshd: every host has one end, and the summary is true.

use crate::audit::{compare_journal, journal, verify};
use crate::hosts::{folder, json};
use portcullis_tests::sshd::{GateFolder, Sshd, free_port};
use serde_json::{Value, json as object};
use std::fs;
use std::process::Stdio;

/// A gate over hosts of the tag `all`, each on its own entry: alias, address, more tags.
fn gate(server: &Sshd, hosts: &[(&str, &str, &str)]) -> GateFolder {
    let gate = folder(server);
    let mut text = String::from("hosts:\n");
    for (alias, place, tags) in hosts {
        let (host, port) = match *place {
            "here" => ("127.0.0.1", server.port()),
            "gone" => ("127.0.0.1", free_port()),
            other => (other, 22),
        };
        text.push_str(&format!(
            "  - {{alias: {alias}, host: {host}, port: {port}, credentials: test, tags: [all{tags}]}}\n"
        ));
    }
    fs::write(gate.config().join("servers.yml"), text).unwrap();
    gate
}

fn ends(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|it| it["end"].as_str().unwrap())
        .collect()
}

#[test]
fn every_host_of_a_tag_has_one_end_of_its_own_and_the_summary_adds_up() {
    let server = Sshd::start();
    let hosts = [
        ("a1", "here", ""),
        ("slow1", "here", ", short"),
        ("far1", "10.255.255.1", ""),
        ("gone1", "gone", ""),
        ("z1", "here", ""),
    ];
    let gate = gate(&server, &hosts);
    let command = "echo begun; sleep 4";
    let (answer, exit) = json(&gate, &["run", "--tag", "all", command]);
    assert_eq!(
        ends(&answer),
        ["ok", "timed_out", "denied", "unreachable", "ok"],
        "{answer}"
    );
    assert_eq!(exit, 4);
    let states = object!({"ok": 2, "timed_out": 1, "denied": 1, "unreachable": 1});
    assert_eq!(answer["states"], states);
    assert_eq!(answer["results"][0]["output"], "begun");
    assert_eq!(answer["results"][1]["output"], "begun");
    assert_eq!(answer["results"][2]["reason"], "network");
    for (alias, at) in [("a1", 0), ("far1", 2), ("z1", 4)] {
        assert_eq!(answer["results"][at]["alias"], alias);
    }

    let records = journal(&gate);
    compare_journal(&records);
    let of =
        |kind: &str| -> Vec<&Value> { records.iter().filter(|it| it["kind"] == kind).collect() };
    assert_eq!(
        (
            of("run_open").len(),
            of("run_close").len(),
            of("refused").len()
        ),
        (4, 4, 1)
    );
    let (open, close) = (of("fleet_open")[0], of("fleet_close")[0]);
    assert_eq!(
        (&open["hosts"], &open["tag"], &close["states"]),
        (&5.into(), &"all".into(), &states)
    );
    for run in of("run_open").into_iter().chain(of("refused")) {
        assert_eq!(run["request_id"], open["call_id"], "{run}");
        assert_eq!(run["hash"], open["hash"]);
    }
    assert_eq!(verify(&gate, &[])["ok"], true);
}

#[test]
fn a_roll_out_ends_where_it_was_told_to_and_what_did_not_begin_says_so() {
    let server = Sshd::start();
    let hosts = [
        ("a1", "here", ""),
        ("b1", "here", ""),
        ("c1", "here", ""),
        ("d1", "here", ""),
    ];
    let gate = gate(&server, &hosts);
    let run = |more: &[&str], command: &str| {
        let mut words = vec!["run", "--tag", "all", "--format", "json"];
        words.extend(more);
        let mut call = gate.portcullis(&words);
        let output = call.args(["--", command]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (answer, output.status.code().unwrap())
    };
    let (answer, exit) = run(&["--canary", "1"], "ls /nowhere");
    assert_eq!(
        ends(&answer),
        ["exit", "not_started", "not_started", "not_started"],
        "{answer}"
    );
    assert_eq!(exit, 4);
    let (answer, exit) = run(&["--canary", "1", "--batch", "2"], "true");
    assert_eq!((ends(&answer), exit), (vec!["ok"; 4], 0), "{answer}");
    let stop = ["--concurrency", "1", "--stop-after-failures", "2"];
    let (answer, exit) = run(&stop, "ls /nowhere");
    assert_eq!(
        ends(&answer),
        ["exit", "exit", "not_started", "not_started"]
    );
    assert_eq!(exit, 4);
    // A refusal is no success either, and where nothing ran nothing was remote.
    let (answer, exit) = run(&stop, "id");
    assert_eq!(
        ends(&answer),
        ["denied", "denied", "not_started", "not_started"]
    );
    assert_eq!(exit, 1);
    assert_eq!(answer["states"], object!({"denied": 2, "not_started": 2}));
}

#[test]
fn a_tag_that_no_host_has_is_said_and_wrong_words_are_usage() {
    let server = Sshd::start();
    let gate = gate(&server, &[("a1", "here", "")]);
    let (answer, exit) = json(&gate, &["run", "--tag", "nobody", "true"]);
    assert_eq!(
        (&answer["note"], exit),
        (&Value::from("No hosts matched."), 3)
    );
    assert_eq!(answer["results"], object!([]));
    let (answer, exit) = json(&gate, &["run", "--tag", "a b", "true"]);
    assert_eq!(
        (&answer["code"], exit),
        (&Value::from("input_characters"), 2)
    );
    for verb in [
        &["run", "true"][..],
        &["run", "--tag", "all", "a1", "true"],
        &["run", "--canary", "1", "a1", "true"],
        &["run", "--tag", "all", "--concurrency", "0", "true"],
        &["run", "--tag", "all", "--concurrency", "257", "true"],
    ] {
        let output = gate.portcullis(verb).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{verb:?}");
    }
}

#[test]
fn an_interrupt_ends_what_runs_and_begins_nothing_more() {
    let server = Sshd::start();
    let hosts = [("a1", "here", ""), ("b1", "here", ""), ("c1", "here", "")];
    let gate = gate(&server, &hosts);
    let verb = [
        "run",
        "--tag",
        "all",
        "--concurrency",
        "2",
        "--format",
        "json",
        "sleep 15",
    ];
    let child = gate
        .portcullis(&verb)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..500 {
        let opened = |it: &Value| it["kind"] == "run_open";
        let begun = gate.state().join("journal").exists()
            && journal(&gate).iter().filter(|it| opened(it)).count() == 2;
        if begun {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        ends(&answer),
        ["cancelled", "cancelled", "not_started"],
        "{answer}"
    );
    assert_eq!(output.status.code(), Some(4));
    let closed: Vec<Value> = journal(&gate)
        .into_iter()
        .filter(|it| it["kind"] == "run_close")
        .collect();
    assert_eq!(closed.len(), 2);
    assert!(
        closed.iter().all(|it| it["cancelled"] == true),
        "{closed:?}"
    );
}

#[test]
fn a_host_that_ends_first_is_shown_first_whatever_the_others_do() {
    let server = Sshd::start();
    let gate = gate(
        &server,
        &[("slow1", "here", ""), ("fast1", "10.255.255.1", "")],
    );
    let output = gate
        .portcullis(&["run", "--tag", "all", "echo begun; sleep 3"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let heads: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("== "))
        .collect();
    assert_eq!(heads, ["== fast1: denied", "== slow1: ok"], "{text}");
    assert!(text.ends_with("begun\n"), "{text}");
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("2 hosts: 1 denied, 1 ok")
    );
}
