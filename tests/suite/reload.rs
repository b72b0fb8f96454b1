//! How a new configuration comes into force while the server runs: by a tool, by a signal, and because the files'
//! bytes changed. The real binary, with its records read as a collector would.

use portcullis_ssh::target::{Ending, Reply, Target, ThrowawayKey};
use portcullis_tests::sshd::GateFolder;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longest wait for one line of the server.
const LINE_MAX: Duration = Duration::from_secs(60);

/// A server with its answers and its records.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    records: Receiver<Value>,
    calls: u64,
}

/// Reads lines of JSON on a thread of its own until the pipe ends.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<Value> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if let Ok(value) = serde_json::from_str(&line) {
                let _ = send.send(value);
            }
        }
    });
    receive
}

impl Server {
    pub(crate) fn start(gate: &GateFolder) -> Self {
        let mut child = gate
            .portcullis(&["serve", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self {
            input: child.stdin.take().unwrap(),
            answers: lines(child.stdout.take().unwrap()),
            records: lines(child.stderr.take().unwrap()),
            child,
            calls: 0,
        };
        // It has read its files before it answers.
        assert_eq!(server.call("ssh_ping", &json!({}))["status"], "pong");
        server
    }

    /// Sends a call and gives its number.
    pub(crate) fn send(&mut self, tool: &str, arguments: &Value) -> u64 {
        self.calls += 1;
        let call = json!({"jsonrpc": "2.0", "id": self.calls, "method": "tools/call", "params": {
            "name": tool, "arguments": arguments,
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {}}}});
        writeln!(self.input, "{call}").unwrap();
        self.calls
    }

    /// What the tool with that number answered.
    fn answer(&self, id: u64) -> Value {
        loop {
            let answer = self.answers.recv_timeout(LINE_MAX).unwrap();
            if answer["id"] == id {
                return answer["result"]["structuredContent"].clone();
            }
        }
    }

    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.send(tool, arguments);
        self.answer(id)
    }

    fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-HUP", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The next record of a reload.
    fn reloaded(&self, by: &str) -> Value {
        let record = self.record(|it| it["type"] == "reload");
        assert_eq!(record["door"], by, "{record}");
        record
    }

    /// The next record that is one of these.
    pub(crate) fn record(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let record = self.records.recv_timeout(LINE_MAX).unwrap();
            if is_it(&record) {
                return record;
            }
        }
    }

    /// Takes the call with that number back.
    pub(crate) fn cancel(&mut self, id: u64) {
        let note = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                          "params": {"requestId": id}});
        writeln!(self.input, "{note}").unwrap();
    }

    /// Ends the server; the records of reloads that nobody asked for.
    pub(crate) fn end(mut self) -> Vec<Value> {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
        let rest = self.records.into_iter();
        rest.filter(|record| record["type"] == "reload").collect()
    }
}

async fn gate() -> (Target, GateFolder) {
    let key = ThrowawayKey::generate().unwrap();
    let answer = Arc::new(|command: &str| {
        let reply = Reply::text(command);
        if command.starts_with("sleep") {
            reply.ending(Ending::UntilEnded)
        } else {
            reply
        }
    });
    let target = Target::start(key.public(), answer).await.unwrap();
    let gate = GateFolder::new(
        target.address().port(),
        "demo",
        key.private().as_bytes(),
        &target.known_hosts_line(),
    );
    (target, gate)
}

fn write(gate: &GateFolder, name: &str, text: &str) {
    // As an operator's editor does it: the whole file at once.
    let path = gate.config().join(name);
    let whole = path.with_extension("new");
    fs::write(&whole, text).unwrap();
    fs::rename(&whole, &path).unwrap();
}

fn policy(seconds: u64, rules: &str) -> String {
    format!(
        "known_hosts_path: known_hosts\nlimits: {{max_seconds: {seconds}}}\nrules:\n- {{name: sleep, action: allow, commands: ['sleep *']}}\n{rules}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_names_what_changed_by_tool_by_signal_and_by_poll() {
    let (_target, gate) = gate().await;
    write(&gate, "policy.yml", &policy(20, ""));
    let servers = fs::read_to_string(gate.config().join("servers.yml")).unwrap();
    let mut server = Server::start(&gate);

    // The tool: the answer and the record say the same.
    write(
        &gate,
        "policy.yml",
        &policy(21, "- {name: look, action: allow, commands: [uptime]}\n"),
    );
    let answer = server.call("ssh_reload_config", &json!({}));
    assert_eq!(
        (&answer["status"], &answer["changed"]),
        (&json!("reloaded"), &json!(true)),
        "{answer}"
    );
    let changes = &answer["changes"];
    assert_eq!(changes["files"], json!(["policy.yml"]), "{answer}");
    assert_eq!(
        changes["rules"]["added"],
        json!({"count": 1, "names": ["look"]}),
        "{answer}"
    );
    assert_eq!(
        changes["limits"]["names"],
        json!(["limits.max_seconds"]),
        "{answer}"
    );
    let record = server.reloaded("mcp");
    assert_eq!(
        (&record["changes"], &record["config_digest"]),
        (changes, &answer["digest"]),
        "{record}"
    );

    // The signal.
    let more = format!("{servers}  - {{alias: other, host: 192.0.2.7}}\n");
    write(&gate, "servers.yml", &more);
    server.hang_up();
    let record = server.reloaded("signal");
    assert_eq!(
        record["changes"]["hosts"]["added"]["names"],
        json!(["other"]),
        "{record}"
    );

    // The poll, once it is turned on.
    write(&gate, "portcullis.yml", "reload: {poll_seconds: 1}\n");
    server.hang_up();
    server.reloaded("signal");
    write(&gate, "policy.yml", &policy(22, ""));
    let record = server.reloaded("poll");
    assert_eq!(
        record["changes"]["rules"]["removed"]["names"],
        json!(["look"]),
        "{record}"
    );
    let plan = server.call("ssh_plan", &json!({"alias": "web1", "command": "sleep 1"}));
    assert_eq!(plan["limits"]["max_seconds"], 22, "{plan}");

    // A broken file is said once, however often it is looked at, and the last good snapshot stays.
    write(&gate, "policy.yml", "rulez: []\n");
    let record = server.reloaded("poll");
    assert_eq!(record["fault_count"], 1, "{record}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    let plan = server.call("ssh_plan", &json!({"alias": "web1", "command": "sleep 1"}));
    assert_eq!(plan["allowed"], true, "{plan}");
    write(&gate, "policy.yml", &policy(23, ""));
    let record = server.reloaded("poll");
    assert_eq!(
        record["changes"]["limits"]["names"],
        json!(["limits.max_seconds"]),
        "{record}"
    );
    let rest = tokio::task::block_in_place(|| server.end());
    assert_eq!(rest, Vec::<Value>::new());

    let journal = fs::read_to_string(gate.state().join("journal/journal.jsonl")).unwrap();
    let records: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|record| record["kind"] == "reload")
        .collect();
    let by: Vec<&str> = records
        .iter()
        .map(|record| record["door"].as_str().unwrap())
        .collect();
    assert_eq!(by, ["mcp", "signal", "signal", "poll", "poll", "poll"]);
    assert_eq!(
        records[0]["changes"]["rules"]["added"]["names"],
        json!(["look"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_that_is_revoked_in_known_hosts_is_refused_from_the_next_look_on() {
    let (_target, gate) = gate().await;
    write(
        &gate,
        "policy.yml",
        &policy(20, "- {name: say, action: allow, commands: ['echo *']}\n"),
    );
    write(&gate, "portcullis.yml", "reload: {poll_seconds: 1}\n");
    let mut server = Server::start(&gate);
    let run = json!({"alias": "web1", "command": "echo hello"});
    assert_eq!(server.call("ssh_run", &run)["exit_code"], 0);
    let path = gate.config().join("keys/known_hosts");
    let known = fs::read_to_string(&path).unwrap();
    let revoked: String = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, key)| format!("@revoked * {key}\n"))
        .collect();
    fs::write(&path, format!("{known}{revoked}")).unwrap();
    server.reloaded("poll");
    // The connection that is open serves no further run.
    let answer = server.call("ssh_run", &run);
    assert_eq!(answer["code"], "host_key_revoked", "{answer}");
    tokio::task::block_in_place(|| server.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_command_keeps_the_snapshot_that_it_began_with() {
    let (_target, gate) = gate().await;
    write(&gate, "policy.yml", &policy(6, ""));
    let mut server = Server::start(&gate);
    let run = server.send("ssh_run", &json!({"alias": "web1", "command": "sleep 100"}));
    // The decision stands in the records before the files are changed.
    server.record(|it| it["type"] == "policy_decision");
    write(&gate, "policy.yml", "rules: []\n");
    let answer = server.call("ssh_reload_config", &json!({}));
    assert_eq!(answer["status"], "reloaded", "{answer}");
    let plan = server.call(
        "ssh_plan",
        &json!({"alias": "web1", "command": "sleep 100"}),
    );
    assert_eq!(plan["allowed"], false, "{plan}");
    let ran = server.answer(run);
    assert_eq!(ran["timeout"], true, "{ran}");
    tokio::task::block_in_place(|| server.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_and_their_pins_change_by_signal_only() {
    let (_target, gate) = gate().await;
    write(&gate, "policy.yml", &policy(20, ""));
    write(&gate, "portcullis.yml", "reload: {poll_seconds: 1}\n");
    let mut server = Server::start(&gate);
    // A plugin that is not there: whoever loads it fails.
    write(
        &gate,
        "plugins.yml",
        "plugins:\n- {name: nowhere, kind: validator, path: nowhere.wasm, dev: true}\n",
    );
    let record = server.reloaded("poll");
    assert_eq!(
        record["changes"]["files"],
        json!(["plugins.yml"]),
        "{record}"
    );
    let answer = server.call("ssh_reload_config", &json!({}));
    assert_eq!(answer["status"], "reloaded", "{answer}");
    server.reloaded("mcp");
    let plan = server.call("ssh_plan", &json!({"alias": "web1", "command": "sleep 1"}));
    assert_eq!(plan["allowed"], true, "{plan}");
    server.hang_up();
    let record = server.reloaded("signal");
    assert_eq!(record["fault_count"], 1, "{record}");
    tokio::task::block_in_place(|| server.end());
}
