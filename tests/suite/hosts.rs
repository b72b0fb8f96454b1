//! The verbs about hosts, on a real sshd: what they say, what they write down, and what they leave alone.

use crate::audit::{compare_journal, journal, verify};
use portcullis_tests::sshd::{GateFolder, Sshd, free_port, user};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};

pub(crate) fn folder(server: &Sshd) -> GateFolder {
    let key = fs::read(server.key()).unwrap();
    GateFolder::new(server.port(), &user(), &key, &server.known_host())
}

/// The answer of a verb and its exit status.
pub(crate) fn json(gate: &GateFolder, verb: &[&str]) -> (Value, i32) {
    let mut verb = verb.to_vec();
    verb.extend(["--format", "json"]);
    let output = gate.portcullis(&verb).output().unwrap();
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|fault| panic!("{verb:?}: {fault}: {}", said(&output)));
    (value, output.status.code().unwrap())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn add_host(gate: &GateFolder, entry: &str) {
    let path = gate.config().join("servers.yml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}  - {entry}\n")).unwrap();
}

fn known_hosts(gate: &GateFolder) -> String {
    fs::read_to_string(gate.config().join("keys/known_hosts")).unwrap_or_default()
}

#[test]
fn hosts_are_listed_by_tag_and_described_without_secrets() {
    let server = Sshd::start();
    let gate = folder(&server);
    let (all, exit) = json(&gate, &["hosts", "list"]);
    assert_eq!((all["hosts"].as_array().unwrap().len(), exit), (3, 0));
    let (short, _) = json(&gate, &["hosts", "list", "--tag", "short"]);
    assert_eq!(short["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(short["hosts"][0]["alias"], "db1");
    let (none, exit) = json(&gate, &["hosts", "list", "--tag", "nobody"]);
    assert_eq!((&none["code"], exit), (&Value::from("no_hosts"), 3));
    let (bad, exit) = json(&gate, &["hosts", "list", "--tag", "a b"]);
    assert_eq!((&bad["code"], exit), (&Value::from("input_characters"), 2));

    let (shown, exit) = json(&gate, &["hosts", "describe", "db1"]);
    assert_eq!(exit, 0);
    assert_eq!(shown["limits"]["max_seconds"], 2);
    assert_eq!(shown["network"]["allow"][0], "127.0.0.0/8");
    assert_eq!(shown["login"]["username"], user().as_str());
    assert_eq!(shown["login"]["methods"][0], "key");
    let recorded = shown["host_keys"]["recorded"][0].as_str().unwrap();
    assert!(recorded.starts_with("ssh-ed25519 SHA256:"), "{recorded}");
    assert_eq!(shown["policy"]["sha256"].as_str().unwrap().len(), 64);
    let human = gate.portcullis(&["hosts", "describe", "db1"]).output();
    let human = String::from_utf8(human.unwrap().stdout).unwrap();
    for text in [human, shown.to_string()] {
        assert!(
            text.contains("127.0.0.0/8") && text.contains(recorded),
            "{text}"
        );
        assert!(
            !text.contains("id_ed25519"),
            "where the key lies is shown: {text}"
        );
    }
    let (unknown, exit) = json(&gate, &["hosts", "describe", "nobody"]);
    assert_eq!((&unknown["code"], exit), (&Value::from("unknown_alias"), 3));
}

#[test]
fn a_ping_tells_apart_what_works_what_is_refused_and_what_is_not_there() {
    let server = Sshd::start();
    let gate = folder(&server);
    add_host(
        &gate,
        &format!(
            "{{alias: gone1, host: 127.0.0.1, port: {}, credentials: test}}",
            free_port()
        ),
    );
    let (one, exit) = json(&gate, &["hosts", "ping", "web1"]);
    let ping = &one["results"][0];
    assert_eq!((&ping["state"], exit), (&Value::from("ok"), 0), "{one}");
    assert_eq!(ping["target_ip"], "127.0.0.1");
    for step in [
        "connect_ms",
        "authenticate_ms",
        "channel_ms",
        "exec_ms",
        "total_ms",
    ] {
        assert!(ping[step].as_f64().unwrap() > 0.0, "{step}: {one}");
    }
    let (one, exit) = json(&gate, &["hosts", "ping", "web1", "--no-exec"]);
    let ping = &one["results"][0];
    assert_eq!(
        (&ping["state"], exit),
        (&Value::from("logged_in"), 0),
        "{one}"
    );
    assert!(ping["authenticate_ms"].as_f64().unwrap() > 0.0, "{one}");
    assert_eq!(ping["exec_ms"], 0.0);

    // gone1 has no host key on record, so it is not even dialled; far1 is not on the lists.
    let (many, exit) = json(&gate, &["hosts", "ping", "far1", "web1", "gone1", "web1"]);
    let state = |at: usize| many["results"][at]["state"].as_str().unwrap();
    assert_eq!(
        [state(0), state(1), state(2)],
        ["refused", "ok", "unreachable"],
        "{many}"
    );
    assert_eq!((&many["well"], &many["hosts"]), (&1.into(), &3.into()));
    assert_eq!(many["results"][2]["code"], "host_key_unknown");
    assert_eq!(exit, 4);
    let (_, exit) = json(&gate, &["hosts", "ping", "far1", "web1"]);
    assert_eq!(exit, 1);
    let (_, exit) = json(&gate, &["hosts", "ping", "web1", "nobody"]);
    assert_eq!(exit, 3);
    let verdict = verify(&gate, &[]);
    assert_eq!(verdict["ok"], true, "{verdict}");
}

#[test]
fn a_ping_runs_nothing_that_the_policy_does_not_let_run() {
    let server = Sshd::start();
    let gate = folder(&server);
    let path = gate.config().join("policy.yml");
    let policy = fs::read_to_string(&path).unwrap();
    fs::write(path, policy.replace("\"true\", ", "")).unwrap();
    let (one, exit) = json(&gate, &["hosts", "ping", "web1"]);
    let ping = &one["results"][0];
    assert_eq!(
        (&ping["state"], exit),
        (&Value::from("logged_in"), 0),
        "{one}"
    );
    assert_eq!(ping["code"], "no_rule");
    let records = journal(&gate);
    let kinds: Vec<&str> = records
        .iter()
        .filter_map(|it| it["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["read", "refused", "contact", "contact_end"]);
    compare_journal(&records);
    let (contact, end) = (&records[2], &records[3]);
    assert_eq!(contact["purpose"], "ping");
    assert_eq!(contact["login"], user().as_str());
    assert_eq!(
        (&end["state"], &end["target_ip"]),
        (&"logged_in".into(), &"127.0.0.1".into())
    );
}

#[test]
fn nobody_is_contacted_where_that_cannot_be_recorded() {
    let server = Sshd::start();
    let gate = folder(&server);
    json(&gate, &["hosts", "list"]);
    // A journal that is no journal: the verb does not even begin.
    fs::write(gate.state().join("journal/journal.jsonl"), "broken\n").unwrap();
    for verb in ["ping", "scan-keys"] {
        let output = gate.portcullis(&["hosts", verb, "web1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    }
}

/// The fingerprint as OpenSSH prints it.
fn fingerprint(server: &Sshd) -> String {
    let line = server.known_host();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, line.split_once(' ').unwrap().1).unwrap();
    let output = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_host_key_is_recorded_only_under_the_fingerprint_that_a_person_names() {
    let server = Sshd::start();
    let gate = folder(&server);
    let file = gate.config().join("keys/known_hosts");
    // The file's last line has no end, as an editor may leave it.
    fs::write(&file, "# ours").unwrap();
    let (scan, exit) = json(&gate, &["hosts", "scan-keys", "web1"]);
    let key = &scan["hosts"][0]["keys"][0];
    assert_eq!((&key["standing"], exit), (&Value::from("new"), 0), "{scan}");
    let print = fingerprint(&server);
    assert_eq!(key["fingerprint"], print.as_str());
    assert_eq!(
        format!("{}\n", key["line"].as_str().unwrap()),
        server.known_host()
    );
    assert_eq!(known_hosts(&gate), "# ours");

    for wrong in ["SHA256:AAAA", "", "yes", "*", &print[..20]] {
        let (scan, exit) = json(&gate, &["hosts", "scan-keys", "web1", "--accept", wrong]);
        let accepted = &scan["accepted"][0];
        assert_eq!(
            (&accepted["code"], exit),
            (&Value::from("fingerprint_not_shown"), 1),
            "{wrong}"
        );
        assert_eq!(known_hosts(&gate), "# ours");
    }
    let many = gate.portcullis(&["hosts", "scan-keys", "web1", "db1", "--accept", &print]);
    let mut many = many;
    assert_eq!(many.output().unwrap().status.code(), Some(2));
    assert_eq!(known_hosts(&gate), "# ours");

    let (scan, exit) = json(&gate, &["hosts", "scan-keys", "web1", "--accept", &print]);
    assert_eq!(
        (&scan["accepted"][0]["accepted"], exit),
        (&Value::from(true), 0),
        "{scan}"
    );
    assert_eq!(
        known_hosts(&gate),
        format!("# ours\n{}", server.known_host())
    );
    let (ping, exit) = json(&gate, &["hosts", "ping", "web1"]);
    assert_eq!(
        (&ping["results"][0]["state"], exit),
        (&Value::from("ok"), 0),
        "{ping}"
    );
    // Once more changes nothing.
    let (scan, exit) = json(&gate, &["hosts", "scan-keys", "web1", "--accept", &print]);
    assert_eq!(
        (&scan["hosts"][0]["keys"][0]["standing"], exit),
        (&Value::from("known"), 0)
    );
    assert_eq!(
        known_hosts(&gate),
        format!("# ours\n{}", server.known_host())
    );

    let records = journal(&gate);
    let keys: Vec<&Value> = records
        .iter()
        .filter(|it| it["kind"] == "host_key")
        .collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (&keys[0]["fingerprint"], &keys[0]["outcome"]),
        (&print.into(), &"accepted".into())
    );
    compare_journal(&records);
}

#[test]
fn a_changed_host_key_is_a_conflict_that_cannot_be_accepted() {
    let (server, other) = (Sshd::start(), Sshd::start());
    let gate = folder(&server);
    let recorded = server.known_host().split_once(' ').unwrap().0.to_owned();
    let changed = format!(
        "{recorded} {}",
        other.known_host().split_once(' ').unwrap().1
    );
    fs::write(gate.config().join("keys/known_hosts"), &changed).unwrap();
    let print = fingerprint(&server);
    let verb = ["hosts", "scan-keys", "web1", "--accept", &print];
    let (scan, exit) = json(&gate, &verb);
    assert_eq!(scan["hosts"][0]["keys"][0]["standing"], "changed");
    assert_eq!(
        (&scan["accepted"][0]["code"], exit),
        (&Value::from("host_key_mismatch"), 1)
    );
    assert_eq!(known_hosts(&gate), changed);
    // What can be put into a file holds no line for it.
    let output = gate
        .portcullis(&["hosts", "scan-keys", "web1"])
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.lines().all(|line| line.starts_with('#')), "{lines}");

    let revoked = format!(
        "@revoked {recorded} {}",
        server.known_host().split_once(' ').unwrap().1
    );
    fs::write(gate.config().join("keys/known_hosts"), &revoked).unwrap();
    let (scan, exit) = json(&gate, &verb);
    assert_eq!(
        (&scan["accepted"][0]["code"], exit),
        (&Value::from("host_key_revoked"), 1)
    );
    assert_eq!(known_hosts(&gate), revoked);
}

#[test]
fn keys_are_asked_for_only_where_the_address_lists_admit() {
    let server = Sshd::start();
    let gate = folder(&server);
    let (scan, exit) = json(&gate, &["hosts", "scan-keys", "far1"]);
    assert_eq!(
        (&scan["hosts"][0]["code"], exit),
        (&Value::from("network_not_allowed"), 1)
    );
    let records = journal(&gate);
    let contact = records.iter().find(|it| it["kind"] == "contact").unwrap();
    assert_eq!(
        (&contact["allowed"], &contact["purpose"]),
        (&false.into(), &"scan_keys".into())
    );
    assert!(!records.iter().any(|it| it["kind"] == "contact_end"));
}

#[test]
fn a_known_hosts_file_that_others_could_have_put_there_is_not_added_to() {
    let server = Sshd::start();
    let gate = folder(&server);
    let file = gate.config().join("keys/known_hosts");
    let elsewhere = gate.state().with_file_name("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let print = fingerprint(&server);
    let verb = ["hosts", "scan-keys", "web1", "--accept", &print];
    let (scan, exit) = json(&gate, &verb);
    assert_eq!(
        (&scan["hosts"][0]["code"], exit),
        (&Value::from("known_hosts_unavailable"), 4),
        "{scan}"
    );
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
    // A file that is not there yet is made, for its owner alone.
    fs::remove_file(&file).unwrap();
    let (scan, exit) = json(&gate, &verb);
    assert_eq!(
        (&scan["accepted"][0]["accepted"], exit),
        (&Value::from(true), 0),
        "{scan}"
    );
    assert_eq!(known_hosts(&gate), server.known_host());
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    // One that is there and cannot be used may say that a key is revoked, so nothing is called new.
    fs::write(&file, format!("@revoked * {}", server.known_host())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let (scan, exit) = json(&gate, &["hosts", "scan-keys", "web1"]);
    assert_eq!(
        (&scan["hosts"][0]["code"], exit),
        (&Value::from("known_hosts_unavailable"), 4),
        "{scan}"
    );
}
