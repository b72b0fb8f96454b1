//! The records as operators get them: complete, as documented, readable, and exportable.

mod breakers;
mod reading;
mod shapes;

pub(crate) use shapes::compare_journal;

use portcullis_ssh::target::{Reply, Target, ThrowawayKey};
use portcullis_tests::sshd::GateFolder;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;

/// A server process and the lines that it was sent and answered.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// Reads standard error as it comes: a pipe that nobody empties would stop the server.
    errors: std::thread::JoinHandle<String>,
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
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut errors = String::new();
            stderr.read_to_string(&mut errors).unwrap();
            errors
        });
        Self {
            child,
            input,
            lines,
            errors,
        }
    }

    /// Sends one line and gives the answer.
    pub(crate) fn line(&mut self, line: &str) -> Value {
        writeln!(self.input, "{line}").unwrap();
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Calls a tool under an id.
    pub(crate) fn call(&mut self, id: Value, tool: &str, arguments: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
            "name": tool, "arguments": arguments,
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {}}}});
        self.line(&call.to_string())
    }

    pub(crate) fn hang_up(&self) {
        let status = std::process::Command::new("kill")
            .args(["-HUP", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Ends the input and gives what came on standard error.
    pub(crate) fn end(mut self) -> Vec<Value> {
        drop(self.input);
        let errors = self.errors.join().unwrap();
        assert!(self.child.wait().unwrap().success(), "{errors}");
        errors
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A target that answers every command, and a configuration for it.
pub(crate) async fn target() -> (Target, GateFolder) {
    let key = ThrowawayKey::generate().unwrap();
    let target = Target::start(key.public(), Arc::new(|_: &str| Reply::text("done\n")))
        .await
        .unwrap();
    let gate = GateFolder::new(
        target.address().port(),
        "demo",
        key.private().as_bytes(),
        &target.known_hosts_line(),
    );
    (target, gate)
}

/// Adds keys to portcullis.yml's audit section.
pub(crate) fn audit_keys(gate: &GateFolder, keys: &str) {
    let text = format!("audit:\n{keys}");
    fs::write(gate.config().join("portcullis.yml"), text).unwrap();
}

/// Every record of every segment, in order.
pub(crate) fn journal(gate: &GateFolder) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(gate.state().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"))
        .collect();
    // "journal-…" sorts before "journal.jsonl".
    files.sort();
    let text: String = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of_kind<'r>(records: &'r [Value], kind: &str) -> Vec<&'r Value> {
    records.iter().filter(|it| it["kind"] == kind).collect()
}

pub(crate) fn verify(gate: &GateFolder, more: &[&str]) -> Value {
    let mut verb = vec!["audit", "verify", "--format", "json"];
    verb.extend(more);
    let output = gate.portcullis(&verb).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Waits until the journal holds what is waited for.
fn wait_for(gate: &GateFolder, holds: impl Fn(&[Value]) -> bool) {
    for _ in 0..500 {
        if holds(&journal(gate)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it did not come within ten seconds");
}

/// A short session whose records all stay.
fn short(gate: &GateFolder) -> (Vec<Value>, Vec<Value>) {
    let mut server = Server::start(gate);
    server.call(json!(1), "ssh_ping", json!({}));
    server.call(
        json!(2),
        "ssh_plan",
        json!({"alias": "web1", "command": "echo plan"}),
    );
    server.call(
        json!(3),
        "ssh_run",
        json!({"alias": "web1", "command": "echo run"}),
    );
    server.call(
        json!(4),
        "ssh_run",
        json!({"alias": "web1", "command": "rm -r /x"}),
    );
    server.call(
        json!(5),
        "ssh_run",
        json!({"alias": "far1", "command": "echo far"}),
    );
    server.call(
        json!(6),
        "ssh_run",
        json!({"alias": "no body", "command": "id"}),
    );
    server.line("{nonsense");
    server.call(json!(7), "ssh_reload_config", json!({}));
    let events = server.end();
    (journal(gate), events)
}
