//! A raw client for the tests: JSON lines to and from the scripted server, without any protocol library
//! in between.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest wait for something that has to come. Only a broken server makes a test wait so long.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The scripted server. `cargo test` builds it with the tests; `cargo test --test …` does not.
pub(crate) fn fake_gate() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(|deps| deps.parent()).unwrap();
    target.join("examples").join("fake_gate")
}

/// A running server.
pub(crate) struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
    early: VecDeque<Value>,
}

fn pump(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Session {
    /// Starts a server without saying anything to it.
    pub(crate) fn start() -> Self {
        let mut child = Command::new(fake_gate())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let lines = pump(child.stdout.take().unwrap());
        let errors = pump(child.stderr.take().unwrap());
        Self {
            child,
            stdin,
            lines,
            errors,
            early: VecDeque::new(),
        }
    }

    /// Starts a server and a session of the older era.
    pub(crate) fn legacy() -> Self {
        let mut session = Self::start();
        let reply = session.initialize("2025-11-25");
        assert!(reply.get("result").is_some(), "{reply}");
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    pub(crate) fn initialize(&mut self, version: &str) -> Value {
        self.ask(
            json!("init"),
            "initialize",
            json!({
                "protocolVersion": version,
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }),
        )
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_raw(format!("{message}\n").as_bytes());
    }

    pub(crate) fn request(&mut self, id: Value, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
    }

    pub(crate) fn start_call(&mut self, id: Value, tool: &str, arguments: Value) {
        self.request(
            id,
            "tools/call",
            json!({"name": tool, "arguments": arguments}),
        );
    }

    pub(crate) fn start_run(&mut self, id: Value, command: &str) {
        self.start_call(id, "ssh_run", json!({"alias": "test1", "command": command}));
    }

    /// The next line, whatever it is about. Every line has to be a JSON-RPC message.
    pub(crate) fn next(&mut self) -> Value {
        if let Some(message) = self.early.pop_front() {
            return message;
        }
        let line = self.lines.recv_timeout(WAIT_MAX).unwrap();
        let message: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    /// The next message that fits; others are kept for later.
    pub(crate) fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.early.iter().position(&fits) {
            return self.early.remove(at).unwrap();
        }
        let mut others = std::mem::take(&mut self.early);
        loop {
            let message = self.next();
            if fits(&message) {
                self.early = others;
                return message;
            }
            others.push_back(message);
        }
    }

    /// The answer under an id.
    pub(crate) fn answer(&mut self, id: Value) -> Value {
        self.wait_for(|message| message.get("id") == Some(&id) && message.get("method").is_none())
    }

    pub(crate) fn ask(&mut self, id: Value, method: &str, params: Value) -> Value {
        self.request(id.clone(), method, params);
        self.answer(id)
    }

    /// Calls a tool and returns its `result`.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.start_call(json!("call"), tool, arguments);
        let answer = self.answer(json!("call"));
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].clone()
    }

    /// How many runs were started and how many saw that they were stopped, without this one.
    pub(crate) fn counts(&mut self) -> (u64, u64) {
        let result = self.call("ssh_run", json!({"alias": "test1", "command": "count"}));
        let output = result["structuredContent"]["output"]
            .as_str()
            .unwrap()
            .to_owned();
        let (started, stopped) = output.split_once(' ').unwrap();
        (
            started.parse::<u64>().unwrap() - 1,
            stopped.parse().unwrap(),
        )
    }

    /// Waits for that many lines on standard error that contain a text.
    pub(crate) fn wait_for_errors(&mut self, text: &str, times: usize) {
        let start = Instant::now();
        let mut seen = 0;
        while seen < times {
            let left = WAIT_MAX.saturating_sub(start.elapsed());
            let line = self.errors.recv_timeout(left).unwrap();
            seen += usize::from(line.contains(text));
        }
    }

    pub(crate) fn close_input(&mut self) {
        drop(self.stdin.take());
    }

    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end and returns the messages that were still unread.
    pub(crate) fn finish(mut self) -> (ExitStatus, Vec<Value>) {
        let mut rest: Vec<Value> = self.early.drain(..).collect();
        loop {
            match self.lines.recv_timeout(WAIT_MAX) {
                Ok(line) => rest.push(serde_json::from_str(&line).unwrap()),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server did not end"),
            }
        }
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
