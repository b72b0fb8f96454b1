//! What the server promises at its edges, shown by raw lines against a real process: both protocol
//! eras, ids, caps, lines, the end of the input, and taking calls back.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod session;

use portcullis_core::limits;
use serde_json::{Value, json};
use session::Session;

fn modern_meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn run_arguments(command: &str) -> Value {
    json!({"alias": "test1", "command": command})
}

#[test]
fn each_version_with_a_handshake_is_served_as_asked() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut session = Session::start();
        let reply = session.initialize(version);
        assert_eq!(reply["result"]["protocolVersion"], version);
        assert_eq!(reply["result"]["serverInfo"]["name"], "portcullis");
        assert!(
            reply["result"]["instructions"]
                .as_str()
                .unwrap()
                .contains("ssh_plan")
        );
        let result = session.call("ssh_ping", json!({}));
        assert_eq!(result["structuredContent"], json!({"status": "pong"}));
        assert_eq!(result["content"][0]["text"], r#"{"status":"pong"}"#);
        assert!(result.get("resultType").is_none(), "{result}");
    }
}

#[test]
fn the_version_without_a_handshake_is_served_from_the_first_request() {
    let mut session = Session::start();
    let meta = json!({"_meta": modern_meta("2026-07-28")});
    let found = session.ask(json!(1), "server/discover", meta);
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2024-11-05")));
    let mut params = json!({"name": "ssh_run", "arguments": run_arguments("uptime")});
    params["_meta"] = modern_meta("2026-07-28");
    let ran = session.ask(json!(2), "tools/call", params);
    assert_eq!(ran["result"]["resultType"], "complete");
    assert_eq!(ran["result"]["structuredContent"]["output"], "done");
}

#[test]
fn an_unknown_version_is_refused_with_the_list_of_known_ones() {
    let mut session = Session::start();
    for method in ["server/discover", "tools/list"] {
        let meta = json!({"_meta": modern_meta("2031-01-01")});
        let reply = session.ask(json!(1), method, meta);
        assert_eq!(reply["error"]["code"], -32022, "{reply}");
        let known = reply["error"]["data"]["supported"].as_array().unwrap();
        assert!(known.contains(&json!("2026-07-28")));
    }
    // And the session is still there.
    let reply = session.initialize("2031-01-01");
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn what_comes_before_the_session_does_not_end_it() {
    let mut session = Session::start();
    session.send_raw(b"\n{nonsense\n[]\n");
    session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    session.send(&json!({"jsonrpc": "2.0", "id": 5, "result": {}}));
    session.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
    );
    let early = session.ask(json!(1), "tools/list", json!({}));
    assert!(early["error"]["code"].is_i64());
    let reply = session.initialize("2025-11-25");
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn a_second_request_of_an_id_under_way_is_refused_and_runs_nothing() {
    let mut session = Session::legacy();
    session.start_run(json!(7), "wait");
    session.start_run(json!(7), "uptime");
    let refused = session.wait_for(|message| message.get("error").is_some());
    assert_eq!(
        refused["error"]["data"],
        json!({"code": "duplicate_request_id", "id": 7})
    );
    // Under the id it would read as the answer to the first call.
    assert!(refused.get("id").is_none());
    session.wait_for_errors("started", 1);
    assert_eq!(session.counts(), (1, 0));
    session.close_input();
    let (_, rest) = session.finish();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0]["id"], 7);
    assert_eq!(rest[0]["result"]["structuredContent"]["state"], "cancelled");
}

#[test]
fn an_id_may_be_used_again_once_it_was_answered() {
    let mut session = Session::legacy();
    for _ in 0..200 {
        let result = session.call("ssh_ping", json!({}));
        assert_eq!(result["isError"], false);
    }
}

#[test]
fn calls_past_the_cap_are_answered_as_busy_and_the_rest_goes_on() {
    let mut session = Session::legacy();
    let cap = limits::MCP_IN_FLIGHT_MAX;
    for id in 0..cap + 100 {
        session.start_run(json!(id), "wait");
    }
    for id in cap..cap + 100 {
        let result = session.answer(json!(id))["result"].clone();
        assert_eq!(result["isError"], true);
        assert_eq!(result["structuredContent"]["code"], "busy");
        assert_eq!(result["structuredContent"]["retryable"], true);
    }
    session.wait_for_errors("started", cap);
    // What needs no host is still answered, and a call that is taken back makes room.
    assert_eq!(session.call("ssh_list_hosts", json!({}))["isError"], false);
    session.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}}),
    );
    session.wait_for_errors("stopped", 1);
    let room = (0..10_000).find_map(|_| {
        session.start_run(json!("again"), "count");
        let answer = session.answer(json!("again"));
        let structured = &answer["result"]["structuredContent"];
        (structured["code"] != "busy").then(|| structured["output"].clone())
    });
    assert_eq!(room, Some(json!(format!("{} 1", cap + 1))));
}

#[test]
fn a_flood_that_nobody_reads_is_answered_to_the_last_call() {
    let mut session = Session::legacy();
    let cap = limits::MCP_IN_FLIGHT_MAX;
    let mut flood = String::new();
    for id in 0..20_000 {
        let message = json!({
            "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "ssh_run", "arguments": run_arguments("wait")},
        });
        flood.push_str(&format!("{message}\n"));
    }
    session.send_raw(flood.as_bytes());
    for id in (cap..20_000).rev().take(3) {
        let answer = session.wait_for(|message| message.get("id") == Some(&json!(id)));
        assert_eq!(answer["result"]["structuredContent"]["code"], "busy");
    }
    session.close_input();
    let (status, rest) = session.finish();
    assert!(status.success());
    assert_eq!(rest.len(), 20_000 - 3);
}

#[test]
fn a_line_past_the_limit_is_refused_and_the_next_request_works() {
    let mut session = Session::legacy();
    let mut line = |bytes: usize| {
        let shell = json!({
            "jsonrpc": "2.0", "id": "long", "method": "tools/call",
            "params": {"name": "ssh_ping", "arguments": {}, "pad": ""},
        })
        .to_string();
        let pad = "x".repeat(bytes - shell.len());
        let line = shell.replace(r#""pad":"""#, &format!(r#""pad":"{pad}""#));
        assert_eq!(line.len(), bytes);
        session.send_raw(format!("{line}\n").as_bytes());
        session.next()
    };
    let fits = line(limits::MCP_LINE_BYTES_MAX);
    assert_eq!(fits["result"]["isError"], false);
    let refused = line(limits::MCP_LINE_BYTES_MAX + 1);
    assert_eq!(refused["error"]["data"]["code"], "line_too_long");
    session.send_raw(&vec![b'y'; 20 << 20]);
    session.send_raw(b"\n");
    assert_eq!(session.next()["error"]["data"]["bytes"], 20 << 20);
    assert_eq!(session.call("ssh_ping", json!({}))["isError"], false);
}

#[test]
fn lines_that_are_no_message_are_answered_and_the_session_lives() {
    let mut session = Session::legacy();
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ssh_run","arguments":{"alias":"test1","command":"uptime","command":"reboot"}}}"#;
    for (line, code) in [
        ("{\"cut", -32700),
        (deep.as_str(), -32700),
        (twice, -32700),
        ("\u{feff}[]", -32600),
        ("42", -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
    ] {
        session.send_raw(format!("{line}\n").as_bytes());
        let reply = session.next();
        assert_eq!(reply["error"]["code"], code, "{line:.60}");
        assert!(reply.get("id").is_none());
    }
    session.send_raw(b"\xff\xfe\n");
    assert_eq!(session.next()["error"]["code"], -32700);
    assert_eq!(
        session.ask(json!(1), "no/such", json!({}))["error"]["code"],
        -32601
    );
    assert_eq!(
        session.ask(json!(2), "tools/call", json!({}))["error"]["code"],
        -32602
    );
    let strange = session.ask(json!(3), "tools/call", json!({"name": "rm"}));
    assert_eq!(strange["error"]["code"], -32602);
    assert_eq!(session.counts(), (0, 0));
}

#[test]
fn calls_do_not_wait_for_each_other() {
    let mut session = Session::legacy();
    session.start_run(json!(1), "wait");
    session.wait_for_errors("started", 1);
    assert_eq!(session.call("ssh_ping", json!({}))["isError"], false);
    assert_eq!(
        session.call("ssh_run", run_arguments("uptime"))["isError"],
        false
    );
    assert_eq!(session.counts(), (2, 0));
}

#[test]
fn the_end_of_the_input_ends_every_call_and_the_process() {
    let mut session = Session::legacy();
    for id in 0..3 {
        session.start_run(json!(id), "wait");
    }
    session.wait_for_errors("started", 3);
    session.close_input();
    let (status, rest) = session.finish();
    assert!(status.success());
    let mut states: Vec<&Value> = rest
        .iter()
        .map(|m| &m["result"]["structuredContent"]["state"])
        .collect();
    states.dedup();
    assert_eq!((rest.len(), states), (3, vec![&json!("cancelled")]));
}

#[test]
fn a_termination_signal_ends_every_call_and_the_process() {
    let mut session = Session::legacy();
    session.start_run(json!(1), "wait");
    session.wait_for_errors("started", 1);
    session.terminate();
    let (status, rest) = session.finish();
    assert!(status.success());
    assert_eq!(rest[0]["result"]["structuredContent"]["state"], "cancelled");
}

#[test]
fn progress_that_nobody_takes_does_not_hold_up_the_end() {
    let mut session = Session::legacy();
    let mut params = json!({"name": "ssh_run", "arguments": run_arguments("wait")});
    params["_meta"] = json!({"progressToken": "t"});
    session.request(json!(1), "tools/call", params);
    session.wait_for_errors("started", 1);
    session.close_input();
    let (status, rest) = session.finish();
    assert!(status.success());
    assert_eq!(rest.len(), 1);
}

#[test]
fn a_gate_that_does_not_stop_is_left_behind() {
    let mut session = Session::legacy();
    session.start_run(json!(1), "deaf");
    session.wait_for_errors("started", 1);
    session.close_input();
    let (status, rest) = session.finish();
    // The scripted server reports the fault by its exit code; a run of ten minutes was under way.
    assert!(!status.success());
    assert_eq!(rest, Vec::<Value>::new());
}

#[test]
fn a_call_that_is_taken_back_is_ended_and_not_answered() {
    let mut session = Session::legacy();
    session.start_run(json!("back"), "wait");
    session.start_run(json!("stays"), "wait");
    session.wait_for_errors("started", 2);
    session.send(&json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": "back", "reason": "changed my mind"},
    }));
    session.wait_for_errors("stopped", 1);
    assert_eq!(session.counts(), (2, 1));
    session.close_input();
    let (_, rest) = session.finish();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0]["id"], "stays");
}

#[test]
fn taking_back_what_is_not_under_way_does_nothing() {
    let mut session = Session::legacy();
    for id in [json!(99), json!("init"), json!(null), json!({})] {
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    }
    assert_eq!(
        session.call("ssh_run", run_arguments("uptime"))["isError"],
        false
    );
}

#[test]
fn progress_grows_and_comes_before_the_answer() {
    let mut session = Session::legacy();
    let mut params = json!({"name": "ssh_run", "arguments": run_arguments("progress")});
    params["_meta"] = json!({"progressToken": "mine"});
    session.request(json!(1), "tools/call", params);
    let mut values = Vec::new();
    let answer = loop {
        let message = session.next();
        if message.get("id").is_some() {
            break message;
        }
        assert_eq!(message["method"], "notifications/progress");
        let params = &message["params"];
        assert_eq!(params["progressToken"], "mine");
        assert!(
            params["message"]
                .as_str()
                .unwrap()
                .starts_with("task running: ")
        );
        assert!(params["total"].as_f64() >= params["progress"].as_f64());
        values.push(params["progress"].as_f64().unwrap());
    };
    assert_eq!(answer["result"]["structuredContent"]["output"], "noted");
    assert_eq!(values.len(), 5);
    assert!(values.is_sorted_by(|one, next| one < next), "{values:?}");
}

#[test]
fn without_a_token_there_is_no_progress() {
    let mut session = Session::legacy();
    session.start_run(json!(1), "progress");
    let answer = session.next();
    assert_eq!(answer["result"]["structuredContent"]["output"], "not asked");
}

#[test]
fn a_gate_that_panics_answers_as_a_fault_and_the_session_lives() {
    let mut session = Session::legacy();
    let result = session.call("ssh_run", run_arguments("panic"));
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"]["code"], "internal");
    assert!(!result.to_string().contains("scripted"));
    assert_eq!(session.call("ssh_ping", json!({}))["isError"], false);
}

#[test]
fn a_client_that_goes_away_without_a_word_ends_the_process() {
    let mut session = Session::start();
    session.close_input();
    let (status, rest) = session.finish();
    assert!(status.success());
    assert!(rest.is_empty());
}

/// A client on a socket pair, as Node gives its children, instead of two pipes.
#[test]
fn a_socket_pair_is_served_and_does_not_hold_up_the_end() {
    use std::io::{BufRead, BufReader, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let (near, far) = UnixStream::pair().unwrap();
    let twin = far.try_clone().unwrap();
    let mut child = std::process::Command::new(session::fake_gate())
        .stdin(OwnedFd::from(far))
        .stdout(OwnedFd::from(twin))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(near.try_clone().unwrap()).lines();
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    });
    (&near).write_all(format!("{hello}\n").as_bytes()).unwrap();
    let reply: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
    // The input stays open: a read that blocks must not keep the process from ending.
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .unwrap();
    assert!(sent.success());
    assert!(child.wait().unwrap().success());
    drop(near);
}
