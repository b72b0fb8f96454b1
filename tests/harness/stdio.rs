//! A server that is spoken to line by line, without a client's help.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// A call as a line of the protocol.
#[must_use]
pub fn call(id: usize, tool: &str, arguments: &Value) -> String {
    let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
        "name": tool, "arguments": arguments,
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": {}}}});
    call.to_string()
}

/// Serves one session: sends the calls one after the other, each when the one before is answered, until the server
/// ends or all are answered. Gives the answers, standard error, and whether the server ended well.
///
/// # Panics
/// When the server does not start, or answers something else.
#[must_use]
pub fn serve(command: &mut Command, calls: &[(&str, Value)]) -> (Vec<Value>, String, bool) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = child.stderr.take().unwrap();
    // Read beside the answers: a full pipe would stop the server.
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        errors.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answers = Vec::new();
    for (id, (tool, arguments)) in calls.iter().enumerate() {
        // A server that does not start reads nothing.
        if writeln!(input, "{}", call(id, tool, arguments)).is_err() {
            break;
        }
        let Some(Ok(line)) = lines.next() else { break };
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        answers.push(answer);
    }
    drop(input);
    let ended = child.wait().unwrap().success();
    (answers, errors.join().unwrap(), ended)
}

/// Every byte of every file below a folder.
///
/// # Panics
/// When something cannot be read.
#[must_use]
pub fn bytes_below(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_below(&path));
        } else {
            all.extend(fs::read(&path).unwrap());
        }
    }
    all
}
