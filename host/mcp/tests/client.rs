//! The client of this crate against the server of this crate, as two processes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod session;

use portcullis_mcp::{CallFault, ChildStderr, Client, ConnectFault, connect_child};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

async fn connect(stderr: ChildStderr) -> Client {
    connect_child(&session::fake_gate(), &[], &[], stderr)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_client_lists_and_calls_tools_and_closes() {
    let client = connect(ChildStderr::Discard).await;
    assert_eq!(client.tools().await.unwrap().len(), 7);
    let pong = client.call("ssh_ping", json!(null)).await.unwrap();
    assert_eq!(
        (pong.structured, pong.is_error),
        (json!({"status": "pong"}), false)
    );
    assert_eq!(pong.text, r#"{"status":"pong"}"#);
    let fault = client.call("ssh_run", json!({"alias": ""})).await.unwrap();
    assert_eq!(
        (fault.text.as_str(), fault.is_error),
        ("Error: alias is required", true)
    );
    assert!(matches!(
        client.call("ssh_run", json!(1)).await,
        Err(CallFault::Arguments)
    ));
    assert!(matches!(
        client.call("rm", json!({})).await,
        Err(CallFault::Service(_))
    ));
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_is_taken_back() {
    let (sender, mut errors) = mpsc::channel(64);
    let client = Arc::new(connect(ChildStderr::Lines(sender)).await);
    let waiting = {
        let client = client.clone();
        let arguments = json!({"alias": "test1", "command": "wait"});
        tokio::spawn(async move { client.call("ssh_run", arguments).await })
    };
    let count = json!({"alias": "test1", "command": "count"});
    // The call under way is seen once its request was read; each look counts itself too.
    let mut looks = 0;
    loop {
        looks += 1;
        let seen = client
            .call("ssh_run", count.clone())
            .await
            .unwrap()
            .structured;
        if seen.get("output") == Some(&json!(format!("{} 0", looks + 1))) {
            break;
        }
    }
    waiting.abort();
    while errors.recv().await.unwrap() != "stopped" {}
}

#[tokio::test]
async fn a_program_that_is_no_server_is_a_fault() {
    let missing = connect_child(Path::new("/nonexistent/x"), &[], &[], ChildStderr::Discard).await;
    assert!(matches!(missing, Err(ConnectFault::Start(_))));
    let mute = connect_child(Path::new("/bin/true"), &[], &[], ChildStderr::Discard).await;
    assert!(matches!(mute, Err(ConnectFault::Begin(_))));
}
