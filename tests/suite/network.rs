//! Names, addresses and lists, through the gate's doors: who is asked, how often, what is dialled, and what a refusal
//! names. All of it on loopback, with a DNS server that knows the names of one test.

use crate::records::serve;
use portcullis_ssh::target::{Reply, Target, ThrowawayKey};
use portcullis_tests::dns::{DnsServer, Zone};
use portcullis_tests::sshd::{GateFolder, Sshd, user};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Plans that come one after the other: more than a second may see, on any machine.
const PLANS: usize = 60;

/// A gate whose host `web1` has a name, and the target that the name may lead to.
async fn gate(name: &str, dns: &DnsServer, settings: &str) -> (Target, GateFolder) {
    let key = ThrowawayKey::generate().unwrap();
    let target = Target::start(key.public(), Arc::new(|_: &str| Reply::text("here\n")))
        .await
        .unwrap();
    let port = target.address().port();
    let known = target.known_hosts_line();
    let known = known.replace("127.0.0.1", name);
    let gate = GateFolder::new(port, "demo", key.private().as_bytes(), &known);
    change(&gate.config().join("servers.yml"), |text| {
        text.replacen("host: 127.0.0.1", &format!("host: {name}"), 1)
    });
    let server = dns.address();
    let text = format!("dns: {{servers: [\"{server}\"]{settings}}}\n");
    fs::write(gate.config().join("portcullis.yml"), text).unwrap();
    (target, gate)
}

pub(crate) fn change(path: &Path, how: impl Fn(String) -> String) {
    let before = fs::read_to_string(path).unwrap();
    let after = how(before.clone());
    assert_ne!(before, after, "nothing was changed");
    fs::write(path, after).unwrap();
}

fn addresses(texts: &[&str]) -> Zone {
    Zone::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
}

fn run(alias: &str) -> (&'static str, Value) {
    ("ssh_run", json!({"alias": alias, "command": "true"}))
}

fn plan(alias: &str) -> (&'static str, Value) {
    ("ssh_plan", json!({"alias": alias, "command": "true"}))
}

fn answered(gate: &GateFolder, calls: &[(&str, Value)]) -> (Vec<Value>, Vec<Value>) {
    let (answers, errors) = tokio::task::block_in_place(|| serve(gate, calls));
    let content = |answer: &Value| answer["result"]["structuredContent"].clone();
    let records = errors
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    (answers.iter().map(content).collect(), records.collect())
}

fn of_type<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records
        .iter()
        .filter(|record| record["type"] == kind)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admitted_addresses_of_a_name_are_dialled_and_it_is_asked_for_once() {
    let name = "web.portcullis.test";
    let dns = DnsServer::start(&[(name, addresses(&["10.255.255.1", "127.0.0.1", "::1"]))]);
    let (target, gate) = gate(name, &dns, "").await;
    let calls = [run("web1"), run("web1"), plan("web1")];
    let (answers, _) = answered(&gate, &calls);
    for ran in &answers[..2] {
        assert_eq!(
            (&ran["exit_code"], &ran["output"]),
            (&json!(0), &json!("here")),
            "{ran}"
        );
        assert_eq!(ran["target_ip"], "127.0.0.1");
    }
    assert_eq!(answers[2]["network"], "allowed");
    assert_eq!(target.commands().len(), 2);
    // Answers of a second's life are kept for a minute: the lists judge them anew each time.
    assert_eq!(dns.asked(name), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv4_address_that_is_answered_as_ipv6_is_judged_and_dialled_as_ipv4() {
    let name = "mapped.portcullis.test";
    let dns = DnsServer::start(&[(name, addresses(&["::ffff:127.0.0.1"]))]);
    let (_target, gate) = gate(name, &dns, "").await;
    let (answers, _) = answered(&gate, &[run("web1")]);
    assert_eq!(answers[0]["target_ip"], "127.0.0.1", "{}", answers[0]);
    change(&gate.config().join("policy.yml"), |text| {
        text.replace(
            "allow_cidrs: [\"127.0.0.0/8\"]",
            "block_cidrs: [\"127.0.0.0/8\"]",
        )
    });
    let (answers, _) = answered(&gate, &[run("web1")]);
    let entries = json!(["network.block_cidrs: 127.0.0.0/8"]);
    assert_eq!(answers[0]["network_entries"], entries, "{}", answers[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_the_lists_names_the_deciding_entry_at_every_door() {
    let name = "elsewhere.portcullis.test";
    let dns = DnsServer::start(&[(name, addresses(&["10.1.2.3", "192.0.2.1", "2001:db8::1"]))]);
    let (target, gate) = gate(name, &dns, "").await;
    change(&gate.config().join("policy.yml"), |text| {
        text.replace(
            "network:\n",
            "network:\n  block_cidrs: [10.0.0.0/8, 2001:db8::/32]\n",
        )
        .replace(
            "    short:\n",
            "    short:\n      network: {block_ips: [127.0.0.1]}\n",
        )
    });
    let common = json!([
        "network.block_cidrs: 10.0.0.0/8",
        "network.block_cidrs: 2001:db8::/32",
        "no entry of network.allow_* matches",
    ]);
    let own = json!(["overrides.tags.short.network.block_ips: 127.0.0.1"]);
    let calls = [run("web1"), plan("web1"), run("db1"), plan("db1")];
    let (answers, _) = answered(&gate, &calls);
    for (answer, entries) in answers.iter().zip([&common, &common, &own, &own]) {
        assert_eq!(answer["code"], "network_not_allowed", "{answer}");
        assert_eq!(&answer["network_entries"], entries, "{answer}");
        assert_eq!(
            answer["detail"],
            "No resolved IPs allowed by policy.network"
        );
    }
    for verb in ["run", "plan"] {
        for (format, entry) in [
            (
                "json",
                "\"overrides.tags.short.network.block_ips: 127.0.0.1\"",
            ),
            ("human", "overrides.tags.short.network.block_ips: 127.0.0.1"),
        ] {
            let said = gate.portcullis(&[verb, "db1", "true", "--format", format]);
            let said = { said }.output().unwrap();
            assert_eq!(said.status.code(), Some(1), "{said:?}");
            let text = [said.stdout, said.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(entry), "{verb} {format}: {text}");
        }
    }
    let refused = records_of(&gate, "refused");
    assert_eq!(refused[0]["network_entries"], common, "{refused:?}");
    assert_eq!(refused[1]["network_entries"], own, "{refused:?}");
    assert_eq!(target.connections(), 0, "a refused address was dialled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_asked_for_too_often_is_refused_with_an_event() {
    let (name, other) = ("often.portcullis.test", "other.portcullis.test");
    let here = || addresses(&["127.0.0.1"]);
    let dns = DnsServer::start(&[(name, here()), (other, here())]);
    let (_target, gate) = gate(name, &dns, ", cache_seconds: 0").await;
    change(&gate.config().join("servers.yml"), |text| {
        text.replacen("host: 127.0.0.1", &format!("host: {other}"), 1)
    });
    let mut calls: Vec<_> = (0..PLANS).map(|_| plan("web1")).collect();
    calls.push(plan("db1"));
    let (answers, records) = answered(&gate, &calls);
    let events = of_type(&records, "dns_rate_limit_exceeded");
    assert!(!events.is_empty(), "no event in {} records", records.len());
    for event in &events {
        assert_eq!(
            (&event["level"], &event["msg"]),
            (&json!("error"), &json!("security_event"))
        );
        assert_eq!(event["hostname"], name);
        assert_eq!(event["max_per_second"], 10);
    }
    let refused = |answer: &&Value| answer["network"] == "dns_failed";
    assert_eq!(answers.iter().filter(refused).count(), events.len());
    assert_eq!(dns.asked(name), PLANS - events.len());
    // The limit is each name's own.
    assert_eq!(answers[PLANS]["network"], "allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_answers_for_has_no_address_and_an_event_says_so() {
    let name = "silent.portcullis.test";
    let dns = DnsServer::start(&[(name, Zone::Silence)]);
    let (_target, gate) = gate(name, &dns, "").await;
    let (answers, records) = answered(&gate, &[run("web1"), plan("web1")]);
    assert_eq!(answers[0]["code"], "dns_failed", "{}", answers[0]);
    assert_eq!(answers[0]["detail"], "DNS resolution failed");
    assert_eq!(answers[1]["network"], "dns_failed");
    let events = of_type(&records, "dns_lookup_timed_out");
    assert!(!events.is_empty(), "{records:?}");
    assert_eq!(events[0]["hostname"], name);
    assert_eq!(events[0]["timeout_seconds"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_hosts_file_are_found_whoever_is_asked() {
    let dns = DnsServer::start(&[]);
    for settings in ["{resolver: system}", "{resolver: hickory}"] {
        let (_target, gate) = gate("localhost", &dns, "").await;
        fs::write(
            gate.config().join("portcullis.yml"),
            format!("dns: {settings}\n"),
        )
        .unwrap();
        let (answers, _) = answered(&gate, &[run("web1")]);
        assert_eq!(answers[0]["exit_code"], 0, "{settings}: {}", answers[0]);
        assert_eq!(answers[0]["target_ip"], "127.0.0.1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_behind_a_jump_host_is_reached_recorded_and_held_to_the_lists_of_both() {
    let (bastion, hidden) = (Sshd::start(), Sshd::start());
    let known = format!("{}{}", bastion.known_host(), hidden.known_host());
    let key = fs::read(hidden.key()).unwrap();
    let gate = GateFolder::new(hidden.port(), &user(), &key, &known);
    let config = gate.config();
    fs::copy(bastion.key(), config.join("keys/id_bastion")).unwrap();
    change(&config.join("credentials.yml"), |text| {
        format!(
            "{text}  - name: door\n    username: {}\n    key_path: id_bastion\n",
            user()
        )
    });
    change(&config.join("servers.yml"), |text| {
        let text = text.replacen(
            "    credentials: test\n",
            "    credentials: test\n    jump: [door1]\n",
            1,
        );
        let port = bastion.port();
        format!(
            "{text}  - alias: door1\n    host: 127.0.0.1\n    port: {port}\n    credentials: door\n"
        )
    });
    let (answers, _) = answered(&gate, &[run("web1"), run("web1"), plan("web1")]);
    for ran in &answers[..2] {
        assert_eq!(ran["exit_code"], 0, "{ran}");
        assert_eq!(ran["target_ip"], "127.0.0.1");
    }
    assert_eq!(answers[2]["network"], "allowed", "{}", answers[2]);
    let via = json!([{"alias": "door1", "addresses": ["127.0.0.1"]}]);
    let opened: Vec<Value> = records_of(&gate, "run_open");
    assert_eq!(opened.len(), 2);
    assert!(
        opened.iter().all(|record| record["via"] == via),
        "{opened:?}"
    );
    let ping = { gate.portcullis(&["hosts", "ping", "web1"]) }
        .output()
        .unwrap();
    assert!(ping.status.success(), "{ping:?}");

    change(&config.join("policy.yml"), |text| {
        format!("{text}  aliases:\n    door1:\n      network: {{block_cidrs: [127.0.0.0/8]}}\n")
    });
    let (answers, _) = answered(&gate, &[run("web1"), run("db1"), plan("web1")]);
    let entries = json!(["door1: overrides.aliases.door1.network.block_cidrs: 127.0.0.0/8"]);
    for refused in [&answers[0], &answers[2]] {
        assert_eq!(refused["network_entries"], entries, "{refused}");
    }
    assert_eq!(answers[1]["exit_code"], 0, "{}", answers[1]);
    drop(bastion);
    change(&config.join("policy.yml"), |text| {
        text.replace("block_cidrs: [127", "block_cidrs: [126")
    });
    let (answers, _) = answered(&gate, &[run("web1")]);
    let said = (
        &answers[0]["code"],
        &answers[0]["failed_at"],
        &answers[0]["state"],
    );
    assert_eq!(
        said,
        (
            &json!("connection_refused"),
            &json!("door1"),
            &json!("unreachable")
        )
    );
}

/// The journal's records of one kind.
fn records_of(gate: &GateFolder, kind: &str) -> Vec<Value> {
    let tail = { gate.portcullis(&["audit", "export", "--format", "json"]) }
        .output()
        .unwrap();
    let text = String::from_utf8(tail.stdout).unwrap();
    let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
    records
        .filter(|record: &Value| record["kind"] == kind)
        .collect()
}
