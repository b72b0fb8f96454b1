//! Plugins that fail: one that is not called any more is recorded once, said once, and refuses all the while; what one
//! repeats of a command is no more in the log than the command is.

use super::{Server, compare_journal, journal, of_kind, target};
use portcullis_plugin::{BREAKER_FAILURES_MAX, BREAKER_OPEN_MS};
use portcullis_tests::guests;
use portcullis_tests::sshd::GateFolder;
use serde_json::json;
use std::fs;

/// Puts the hostile validator into force.
fn with_hostile(gate: &GateFolder, attack: &str) {
    let bytes = fs::read(guests().join("hostile-validator.wasm")).unwrap();
    fs::write(gate.config().join("plugins/hostile.wasm"), &bytes).unwrap();
    let digest = portcullis_core::request::sha256_hex(&bytes);
    let entry = format!(
        "plugins:\n  - name: hostile\n    kind: validator\n    path: hostile.wasm\n    sha256: {digest}\n    settings: {attack}\n"
    );
    fs::write(gate.config().join("plugins.yml"), entry).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_validator_repeats_of_a_command_is_redacted_everywhere() {
    const TOKEN: &str = "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";
    let (_target, gate) = target().await;
    with_hostile(&gate, "repeat");
    let (answer, events) = tokio::task::block_in_place(|| {
        let mut server = Server::start(&gate);
        let arguments = json!({"alias": "web1", "command": format!("echo {TOKEN}")});
        let answer = server.call(json!(1), "ssh_run", arguments);
        (answer.to_string(), server.end())
    });
    let logged = serde_json::to_string(&events).unwrap();
    assert!(answer.contains("plugin_error"), "{answer}");
    assert!(
        logged.contains("asked about echo [REDACTED:github-token]"),
        "{logged}"
    );
    let recorded = serde_json::to_string(&journal(&gate)).unwrap();
    for (place, text) in [("log", logged), ("journal", recorded)] {
        assert!(!text.contains(TOKEN), "{place}: {text}");
    }
    // The answer names the command as it was asked for, and nothing of what the plugin made of it.
    assert!(!answer.contains("asked about"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_that_opens_is_recorded_once_and_said_once() {
    let (_target, gate) = target().await;
    with_hostile(&gate, "panic");
    let (codes, events) = tokio::task::block_in_place(|| {
        let mut server = Server::start(&gate);
        let codes: Vec<String> = (0..BREAKER_FAILURES_MAX + 2)
            .map(|id| {
                let arguments = json!({"alias": "web1", "command": "echo run"});
                let answer = server.call(json!(id), "ssh_run", arguments);
                let text = answer["result"]["structuredContent"].to_string();
                match text.contains("plugin_breaker") {
                    true => "plugin_breaker".to_owned(),
                    false if text.contains("plugin_trap") => "plugin_trap".to_owned(),
                    false => answer.to_string(),
                }
            })
            .collect();
        (codes, server.end())
    });
    let failures = BREAKER_FAILURES_MAX as usize;
    assert!(
        codes[..failures].iter().all(|it| it == "plugin_trap"),
        "{codes:?}"
    );
    assert!(
        codes[failures..].iter().all(|it| it == "plugin_breaker"),
        "{codes:?}"
    );

    let records = journal(&gate);
    compare_journal(&records);
    let (opened, refused) = (
        of_kind(&records, "plugin_breaker"),
        of_kind(&records, "refused"),
    );
    assert_eq!((opened.len(), refused.len()), (1, failures + 2));
    let last_straw = refused[failures - 1];
    let said: Vec<_> = events
        .iter()
        .filter(|it| it["type"] == "plugin_breaker")
        .collect();
    assert_eq!(said.len(), 1, "{events:?}");
    for it in [opened[0], said[0]] {
        assert_eq!(
            (&it["plugin"], &it["state"], &it["failures"], &it["code"]),
            (
                &json!("hostile"),
                &json!("open"),
                &json!(BREAKER_FAILURES_MAX),
                &json!("plugin_trap")
            )
        );
        assert_eq!(it["seconds"], json!(BREAKER_OPEN_MS / 1_000));
        assert_eq!(it["call_id"], last_straw["call_id"]);
    }
}
