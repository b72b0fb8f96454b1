//! How commands without a watchdog end when the client takes a call back, goes away, or the server is told to end:
//! through the real door, on a real server.

use crate::audit::journal;
use portcullis_tests::sshd::{GateFolder, Sshd, plain_user, user};
use portcullis_tests::stdio::call;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Most runs until a connection is known to pass signals on, and most servers that are started for it: on a machine that is
/// busy the gate's question may take too long, and then the watchdog stays.
const RUNS_MAX: usize = 40;
const SERVERS_MAX: usize = 5;
/// Most looks for a process, 20 ms apart.
const LOOKS_MAX: usize = 1_000;

/// What ends the command.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// The client takes its call back.
    Cancel,
    /// The client goes away.
    EndOfInput,
    /// The server is told to end.
    Terminate,
}

/// A server that is spoken to line by line.
struct Serving {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    fn start(gate: &GateFolder) -> Self {
        let mut command = gate.portcullis(&["serve", "--stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let lines = BufReader::new(output).lines();
        Self {
            child,
            input,
            lines,
        }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn run(&mut self, id: usize, command: &str) {
        let arguments = json!({"alias": "web1", "command": command});
        self.send(&call(id, "ssh_run", &arguments));
    }

    fn answer(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

/// The closing record of the last run.
fn closed(gate: &GateFolder) -> Value {
    let mut records = journal(gate).into_iter().rev();
    records.find(|it| it["kind"] == "run_close").unwrap()
}

/// A server that ends its next command by signals.
fn spared(gate: &GateFolder) -> Serving {
    for _ in 0..SERVERS_MAX {
        let mut serving = Serving::start(gate);
        let mut probed = 0;
        for id in 0..RUNS_MAX {
            serving.run(id, "true");
            let answer = serving.answer();
            assert_eq!(
                answer["result"]["structuredContent"]["exit_code"], 0,
                "{answer}"
            );
            let record = closed(gate);
            probed += usize::from(record["probed"] == true);
            assert!(probed <= 1, "a connection is asked once");
            if record["guard"] == "signals" {
                assert_eq!(probed, 1);
                return serving;
            }
            assert_eq!(record["guard"], "watchdog");
        }
    }
    panic!("no connection was spared");
}

/// Whether a process has exactly these words.
fn runs(words: &str) -> bool {
    let wanted: String = words.split(' ').flat_map(|word| [word, "\0"]).collect();
    let lines = fs::read_dir("/proc").unwrap();
    lines
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .any(|line| line == wanted.as_bytes())
}

fn until(holds: impl Fn() -> bool) {
    for _ in 0..LOOKS_MAX {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it never held");
}

#[test]
fn a_cancel_the_end_of_input_and_a_signal_to_the_server_end_what_has_no_watchdog() {
    if user() != "root" {
        eprintln!(
            "skipped: signals are heeded for another user than the one that runs sshd, which takes root"
        );
        return;
    }
    let server = Sshd::start();
    let key = fs::read(server.key()).unwrap();
    let gate = GateFolder::new(server.port(), &plain_user(), &key, &server.known_host());
    let own = std::process::id();
    for (number, ending) in [Ending::Cancel, Ending::EndOfInput, Ending::Terminate]
        .into_iter()
        .enumerate()
    {
        let mut serving = spared(&gate);
        // Words that no other process has.
        let sleep = format!("sleep 60{own}{number}");
        serving.run(900, &sleep);
        until(|| runs(&sleep));
        match ending {
            Ending::Cancel => {
                let params = json!({"requestId": 900, "reason": "no longer needed"});
                let note = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
                serving.send(&note.to_string());
            }
            Ending::EndOfInput => drop(serving.input.take()),
            Ending::Terminate => {
                let id = serving.child.id().to_string();
                assert!(
                    Command::new("kill")
                        .args(["-s", "TERM", &id])
                        .status()
                        .unwrap()
                        .success()
                );
            }
        }
        until(|| !runs(&sleep));
        drop(serving.input.take());
        assert!(serving.child.wait().unwrap().success(), "{ending:?}");
        let record = closed(&gate);
        assert_eq!(
            (&record["guard"], &record["termination"], &record["state"]),
            (&json!("signals"), &json!("confirmed"), &json!("cancelled")),
            "{ending:?}: {record}"
        );
    }
}
