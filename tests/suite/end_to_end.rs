//! The gate from a real MCP client to a real sshd and back.

use portcullis_tests::sshd::{GateFolder, Sshd, user};
use portcullis_tests::stdio::bytes_below;
use portcullis_tests::{portcullis, repository};
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};

fn folder(server: &Sshd) -> GateFolder {
    let key = fs::read(server.key()).unwrap();
    GateFolder::new(server.port(), &user(), &key, &server.known_host()).with_plugins()
}

/// The Python client, in both protocol eras; see `tests/python/end_to_end.py` for the checks.
#[test]
fn a_real_client_of_both_eras_reaches_a_real_sshd() {
    let Some(python) = std::env::var_os("PORTCULLIS_PYTHON") else {
        panic!("PORTCULLIS_PYTHON is not set: run cargo xtask test");
    };
    let server = Sshd::start();
    let gate = folder(&server);
    let marker = gate.state().with_file_name("marker");
    fs::write(&marker, "still here").unwrap();
    let setup = json!({
        "binary": portcullis(),
        "config": gate.config(),
        "state": gate.state(),
        "marker": marker,
    });
    let output = Command::new(python)
        .arg(repository().join("tests/python/end_to_end.py"))
        .arg(setup.to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "passed so far:\n{out}\nthen:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(out.lines().count() >= 49, "only these checks ran:\n{out}");

    let verified = gate
        .portcullis(&["audit", "verify", "--format", "json"])
        .output()
        .unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}

#[test]
fn what_an_observed_redactor_would_have_masked_is_shown_and_recorded() {
    let server = Sshd::start();
    let gate = folder(&server);
    let file = gate.config().join("plugins.yml");
    let plugins = fs::read_to_string(&file).unwrap();
    let observed = plugins.replace("name: tickets\n", "name: tickets\n    mode: observe\n");
    assert_ne!(observed, plugins);
    fs::write(&file, observed).unwrap();
    let run = gate
        .portcullis(&["run", "web1", "echo OPS-1234 and OPS-77"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(said.contains("OPS-1234 and OPS-77"), "{run:?}");
    let journal = bytes_below(&gate.state());
    let journal = String::from_utf8_lossy(&journal);
    let closing = journal
        .lines()
        .find(|line| line.contains("\"run_close\""))
        .unwrap();
    assert!(
        closing.contains("\"observed\":{\"tickets/ticket\":2}"),
        "{closing}"
    );
    assert!(!closing.contains("OPS-"), "{closing}");
}
