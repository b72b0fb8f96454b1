//! The cases of runs, of the ways to a host and of asynchronous tasks, as data, through the real binary. Each row is
//! driven by what it says; a row that nobody can drive is a failure. Where a row asks for more than a suite has time
//! for, it names the test that shows it. Times are not asserted: what has to go on beside something else is shown by
//! the order of records and answers.

use crate::audit::journal;
use crate::doors::cases;
use crate::hosts::{folder, json};
use crate::network::change;
use crate::promises::tests;
use crate::records::serve;
use crate::reload::Server;
use portcullis_ssh::target::{Ending, Reply, Target, ThrowawayKey};
use portcullis_ssh::{DnsResolver, DnsSettings, DnsTrouble, Engine, EngineSettings};
use portcullis_tests::dns::{DnsServer, Zone};
use portcullis_tests::sshd::{GateFolder, Sshd};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// Callers of one session that run at once.
const CALLERS: u64 = 8;

/// A gate before a target that answers each command with itself.
async fn stand_in() -> (Target, GateFolder) {
    let key = ThrowawayKey::generate().unwrap();
    let answer = Arc::new(|command: &str| match command {
        "sleep 100" => Reply::text("").ending(Ending::UntilEnded),
        _ => Reply::text(command),
    });
    let target = Target::start(key.public(), answer).await.unwrap();
    let port = target.address().port();
    let key = key.private().as_bytes();
    let gate = GateFolder::new(port, "demo", key, &target.known_hosts_line());
    (target, gate)
}

fn run(gate: &GateFolder, alias: &str, command: &str) -> Value {
    let call = json!({"alias": alias, "command": command});
    let (answers, _) = serve(gate, &[("ssh_run", call)]);
    answers[0]["result"]["structuredContent"].clone()
}

/// A session in which `sleep 100` runs on `web1` as its second call.
fn beside_a_run(gate: &GateFolder) -> Server {
    let mut server = Server::start(gate);
    server.send("ssh_run", &json!({"alias": "web1", "command": "sleep 100"}));
    // It runs before anything else is sent.
    server.record(|it| it["type"] == "progress" && it["phase"] == "running");
    server
}

fn closed(gate: &GateFolder) -> Value {
    let records = journal(gate);
    let close = records.iter().rfind(|it| it["kind"] == "run_close");
    close.cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_as_the_cases_say() {
    for row in cases("exec") {
        let scenario = &row["scenario"];
        let has = |name: &str| !scenario[name].is_null();
        let got = if has("stdout") {
            let server = Sshd::start();
            let text = |name: &str| scenario[name].as_str().unwrap();
            let command = format!("echo {}; echo {} >&2", text("stdout"), text("stderr"));
            json!({"output": run(&folder(&server), "web1", &command)["output"]})
        } else if has("connect_error") {
            let (_target, gate) = stand_in().await;
            change(&gate.config().join("servers.yml"), |text| {
                text.replacen("host: 127.0.0.1", "host: 127.0.0.9", 1)
            });
            change(&gate.config().join("keys/known_hosts"), |text| {
                format!("{text}{}", text.replace("127.0.0.1", "127.0.0.9"))
            });
            let ran = run(&gate, "web1", "true");
            json!({"exit_code": ran["exit_code"], "target_ip": ran["target_ip"]})
        } else if has("two_runs_same_host") {
            let (target, gate) = stand_in().await;
            let one = ("ssh_run", json!({"alias": "web1", "command": "true"}));
            let (answers, _) = serve(&gate, &[one.clone(), one]);
            assert_eq!(answers.len(), 2);
            json!({"handshakes": target.connections()})
        } else if let Some(bytes) = scenario["stdout_bytes"].as_u64() {
            let server = Sshd::start();
            let gate = folder(&server);
            let ran = run(&gate, "web1", &format!("printf %0{bytes}d 0"));
            assert_eq!(ran["exit_code"], 0, "{ran}");
            assert_eq!(closed(&gate)["bytes_out"], bytes, "{row}");
            continue;
        } else if scenario["tool"] == "ssh_run_on_tag" {
            let server = Sshd::start();
            let (gate, hosts) = (folder(&server), scenario["hosts"].as_u64().unwrap());
            let more: String = (0..hosts)
                .map(|number| {
                    let port = server.port();
                    format!("  - {{alias: t{number}, host: 127.0.0.1, port: {port}, credentials: test, tags: [all]}}\n")
                })
                .collect();
            change(&gate.config().join("servers.yml"), |text| text + &more);
            let command = format!("sleep {}", scenario["each_sleeps_s"]);
            let (_, exit) = json(&gate, &["run", "--tag", "all", &command]);
            let records = journal(&gate);
            let at = |kind: &str| -> Vec<u64> {
                let of = records.iter().filter(|it| it["kind"] == kind);
                of.map(|it| it["ts"].as_u64().unwrap()).collect()
            };
            let (begun, ended) = (at("run_open"), at("run_close"));
            assert_eq!(
                (exit, begun.len() as u64, ended.len()),
                (0, hosts, begun.len())
            );
            // All have begun before the first has ended.
            assert!(begun.iter().max() < ended.iter().min(), "{row}");
            continue;
        } else if scenario["meanwhile"] == "ssh_ping" {
            let (_target, gate) = stand_in().await;
            let mut server = beside_a_run(&gate);
            // The run has no closing record when the ping is answered.
            assert_eq!(
                server.call("ssh_ping", &json!({}))["status"],
                "pong",
                "{row}"
            );
            assert_eq!(closed(&gate), Value::Null, "{row}");
            tokio::task::block_in_place(|| server.end());
            continue;
        } else if scenario["meanwhile"] == "cancel" {
            let (_target, gate) = stand_in().await;
            let mut server = beside_a_run(&gate);
            server.cancel(2);
            let end = server.record(|it| it["type"] == "audit");
            tokio::task::block_in_place(|| server.end());
            json!({"cancellable": end["cancelled"]})
        } else if has("connect_to_disallowed_ip") {
            let (target, gate) = stand_in().await;
            let denied = run(&gate, "far1", "true");
            let executed = target.connections() > 0 || !closed(&gate).is_null();
            json!({"executed": executed, "status": denied["status"]})
        } else {
            panic!("nobody drives {row}")
        };
        assert_eq!(got, row["expect"], "{row}");
    }
}

/// A key of known_hosts as the cases name it, for the target; `wrong` is another one.
fn known(lines: &Value, target: &Target, port: u64) -> String {
    let line = target.known_hosts_line();
    let (name, key) = line.trim_end().split_once(' ').unwrap();
    let wrong = target.wrong_known_hosts_line().unwrap();
    let (_, other) = wrong.trim_end().split_once(' ').unwrap();
    // The target stands for port 22 where the case does: its name is then the one that vouches.
    let name = if port == 22 { name } else { "127.0.0.1" };
    let lines = lines.as_array().into_iter().flatten();
    lines
        .map(|it| {
            let line = it.as_str().unwrap().replace("10.0.0.1", name);
            let line = line.replace("KEY-A", key).replace("KEY-B", other);
            format!("{line}\n")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_are_taken_and_refused_as_the_cases_say() {
    for row in cases("host_key") {
        let (target, gate) = stand_in().await;
        let scenario = &row["scenario"];
        let port = scenario["port"].as_u64().unwrap();
        let home = tempfile::tempdir().unwrap();
        let write = |path: &Path, text: String| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            &gate.config().join("keys/known_hosts"),
            known(&scenario["known_hosts"], &target, port),
        );
        write(
            &home.path().join(".ssh/known_hosts"),
            known(&scenario["system_known_hosts"], &target, port),
        );
        let policy = gate.config().join("policy.yml");
        if scenario["known_hosts_path"] == "" {
            change(&policy, |text| {
                let (_, rest) = text.split_once('\n').unwrap();
                rest.to_owned()
            });
        }
        for switch in ["require_known_host", "host_key_auto_add"] {
            if let Some(value) = scenario[switch].as_bool() {
                change(&policy, |text| {
                    text.replace("limits:\n", &format!("limits:\n  {switch}: {value}\n"))
                });
                let check = gate.portcullis(&["check"]).output().unwrap();
                let said = String::from_utf8_lossy(&check.stderr).into_owned()
                    + &String::from_utf8_lossy(&check.stdout);
                assert!(said.contains(switch), "{row}: {said}");
            }
        }
        let mut run = gate.portcullis(&["run", "web1", "true"]);
        let ran = run.env("HOME", home.path()).output().unwrap();
        let got = if ran.status.success() {
            "accept"
        } else {
            "reject"
        };
        assert_eq!(row["expect"], got, "{row}: {ran:?}");
        assert_eq!(
            target.commands().len(),
            usize::from(got == "accept"),
            "{row}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_said_in_the_words_of_the_cases() {
    for row in cases("ssh_error") {
        let (target, gate) = stand_in().await;
        let config = gate.config();
        let mut verb = gate.portcullis(&["run", "web1", "true"]);
        let mut _dns = None;
        match row["cause"].as_str().unwrap() {
            "host key differs" => {
                let wrong = target.wrong_known_hosts_line().unwrap();
                fs::write(config.join("keys/known_hosts"), wrong).unwrap();
            }
            "host key unknown" => fs::write(config.join("keys/known_hosts"), "").unwrap(),
            "key file missing" => fs::remove_file(config.join("keys/id_ed25519")).unwrap(),
            "name does not resolve" => {
                let dns = DnsServer::start(&[]);
                let text = format!("dns: {{servers: [\"{}\"]}}\n", dns.address());
                fs::write(config.join("portcullis.yml"), text).unwrap();
                change(&config.join("servers.yml"), |text| {
                    text.replacen("127.0.0.1", "nobody.portcullis.test", 1)
                });
                _dns = Some(dns);
            }
            "network unreachable" => {
                // A network of its own, in which not even loopback is up.
                let mut alone = Command::new("unshare");
                alone.args(["--net", "--map-root-user", "--"]);
                if !alone
                    .arg("true")
                    .status()
                    .is_ok_and(|status| status.success())
                {
                    eprintln!("this machine gives no network of its own: {row} is not tried");
                    continue;
                }
                let mut alone = Command::new("unshare");
                alone.args(["--net", "--map-root-user", "--"]);
                alone.arg(verb.get_program()).args(verb.get_args());
                verb = alone;
            }
            _ => panic!("nobody drives {row}"),
        }
        let output = verb.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{row}: {said}");
        assert!(
            said.contains(row["expect"].as_str().unwrap()),
            "{row}: {said}"
        );
        assert!(target.commands().is_empty(), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_asked_for_as_the_cases_say() {
    let here = || Zone::Addresses(vec!["127.0.0.1".parse().unwrap()]);
    let name = |it: &Value| format!("{}.portcullis.test", it.as_str().unwrap());
    for row in cases("dns") {
        let scenario = &row["scenario"];
        let (exhausted, asked) = (&scenario["exhausted_host"], &scenario["query"]);
        let dns = DnsServer::start(&[
            ("a.portcullis.test", here()),
            ("b.portcullis.test", here()),
            ("silent.portcullis.test", Zone::Silence),
        ]);
        let engine = Engine::new(EngineSettings::default());
        let settings = DnsSettings {
            resolver: DnsResolver::Servers(vec![dns.address()]),
            cache: Duration::ZERO,
        };
        assert_eq!(engine.set_dns(&settings), None);
        let found = if let Some(hostname) = scenario["hostname"].as_str() {
            engine.resolve(hostname).await
        } else if scenario["answer"] == "timeout-5s" {
            let found = engine.resolve("silent.portcullis.test").await;
            assert_eq!(found.trouble, Some(DnsTrouble::TimedOut), "{row}");
            found
        } else if exhausted.is_string() {
            // More than a second may see, on any machine.
            let mut limited = false;
            for _ in 0..200 {
                let found = engine.resolve(&name(exhausted)).await;
                limited |= found.trouble == Some(DnsTrouble::RateLimited);
            }
            assert!(limited, "{row}");
            engine.resolve(&name(asked)).await
        } else {
            panic!("nobody drives {row}")
        };
        let got = if found.addresses.is_empty() {
            "empty"
        } else {
            "resolved"
        };
        assert_eq!(row["expect"], got, "{row}");
    }
}

fn limits(gate: &GateFolder, lines: &str) {
    change(&gate.config().join("policy.yml"), |text| {
        text.replace("limits:\n", &format!("limits:\n{lines}"))
    });
}

fn started(gate: &GateFolder, command: &str) -> String {
    let (answer, exit) = json(gate, &["task", "start", "web1", command]);
    assert_eq!(exit, 0, "{answer}");
    answer["task_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_as_the_cases_say() {
    for row in cases("async_task") {
        let scenario = &row["scenario"];
        let has = |name: &str| !scenario[name].is_null();
        // What takes more than a suite has time for is shown elsewhere.
        let elsewhere = match scenario {
            _ if has("finished_tasks") => "ten_thousand_ended_tasks_leave_no_more_than_are_kept",
            _ if has("concurrent") => {
                "no_more_tasks_run_on_a_host_than_may_and_those_that_wait_get_their_turn"
            }
            _ => "",
        };
        if !elsewhere.is_empty() {
            assert!(tests().contains(elsewhere), "{row}: no test {elsewhere}");
            continue;
        }
        let (_target, gate) = stand_in().await;
        let got = if has("exit_code") {
            assert_eq!(scenario["exit_code"], 0, "nobody drives {row}");
            let task = started(&gate, "true");
            json!({"status": json(&gate, &["task", "wait", &task]).0["status"]})
        } else if let (Some(age), Some(ttl)) =
            (scenario["result_age_s"].as_u64(), scenario["ttl"].as_u64())
        {
            // A result that is too old is waited for with a time of a second.
            let ttl = if age > ttl { 1 } else { ttl };
            limits(&gate, &format!("  task_result_ttl: {ttl}\n"));
            let task = started(&gate, "true");
            if age > 300 {
                std::thread::sleep(Duration::from_secs(1));
                let gone = || json(&gate, &["task", "result", &task]).0["code"] == "unknown_task";
                let soon = (0..300).any(|_| {
                    std::thread::sleep(Duration::from_millis(100));
                    gone()
                });
                json!({"result": if soon { "not-found" } else { "present" }})
            } else {
                let (ended, _) = json(&gate, &["task", "wait", &task]);
                assert_eq!(ended["status"], "completed", "{row}");
                let (result, _) = json(&gate, &["task", "result", &task]);
                assert_eq!(result["status"], "completed", "{row}");
                json!({"result": "present"})
            }
        } else if scenario["cancel_while"] == "running" {
            let task = started(&gate, "sleep 100");
            let status = || json(&gate, &["task", "status", &task]).0["status"].clone();
            while status() != "running" {
                std::thread::sleep(Duration::from_millis(50));
            }
            let (cancelled, _) = json(&gate, &["task", "cancel", &task]);
            let (ended, _) = json(&gate, &["task", "wait", &task]);
            assert_eq!(status(), "cancelled", "{row}");
            json!({"status": ended["status"], "cancelled": cancelled["cancelled"]})
        } else if scenario["look_for"] == "audit record" {
            let task = started(&gate, "true");
            json(&gate, &["task", "wait", &task]);
            json!({"audit_record": closed(&gate)["task_id"] == task.as_str()})
        } else if let Some(ttl) = scenario["task_result_ttl"].as_u64() {
            limits(&gate, &format!("  task_result_ttl: {ttl}\n"));
            let task = started(&gate, "true");
            let (status, _) = json(&gate, &["task", "status", &task]);
            let field = scenario["field"].as_str().unwrap();
            json(&gate, &["task", "wait", &task]);
            json!({field: status[field]})
        } else {
            panic!("nobody drives {row}")
        };
        assert_eq!(got, row["expect"], "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_lines_of_a_task_are_given_as_the_cases_say() {
    for row in cases("task_output") {
        let lines = row["lines"].as_u64().unwrap();
        let key = ThrowawayKey::generate().unwrap();
        let text: String = (1..=lines).map(|line| format!("line {line}\n")).collect();
        let answer = Arc::new(move |_: &str| Reply::text(&text));
        let target = Target::start(key.public(), answer).await.unwrap();
        let port = target.address().port();
        let key = key.private().as_bytes();
        let gate = GateFolder::new(port, "demo", key, &target.known_hosts_line());
        let task = started(&gate, "true");
        json(&gate, &["task", "wait", &task]);
        let most = row["max_lines"].to_string();
        let (answer, exit) = json(&gate, &["task", "output", &task, "--lines", &most]);
        assert_eq!(exit, 0, "{answer}");
        let got = answer["lines"].as_array().unwrap();
        let most = row["max_lines"].as_u64().unwrap();
        let expected: Vec<String> = (lines.saturating_sub(most) + 1..=lines)
            .map(|line| format!("line {line}"))
            .collect();
        assert_eq!(got, &expected, "{row}");
        // Where the seed answers that there is no such task, an empty list is the answer.
        let expect = match &row["expect"] {
            Value::Null => json!({"returned": 0, "total_lines": 0, "has_more": false}),
            expect => expect.clone(),
        };
        for field in ["returned", "total_lines", "has_more"] {
            assert_eq!(answer[field], expect[field], "{row}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_runs_differ_as_the_cases_say() {
    for row in cases("task_id") {
        let (_target, gate) = stand_in().await;
        let count = row["count"].as_u64().unwrap();
        let client = Arc::new(gate.connect().await);
        let ids = Arc::new(Mutex::new(BTreeSet::new()));
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (client, ids, command) = (client.clone(), ids.clone(), row["command"].clone());
            callers.spawn(async move {
                for _ in (caller..count).step_by(CALLERS as usize) {
                    let run = json!({"alias": "web1", "command": command});
                    let answer = client.call("ssh_run", run).await.unwrap().structured;
                    let id = answer["task_id"].as_str().unwrap().to_owned();
                    ids.lock().unwrap().insert(id);
                }
            });
        }
        callers.join_all().await;
        assert_eq!(ids.lock().unwrap().len() as u64, count, "{row}");
        Arc::into_inner(client).unwrap().close().await.unwrap();
    }
}
