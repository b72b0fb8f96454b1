//! What comes out of the gate, through its real doors: no secret of a host, no text that hides or moves, and
//! the rest of a long output page by page.

use portcullis_core::text::SafeText;
use portcullis_ssh::target::{Reply, Target, ThrowawayKey};
use portcullis_tests::sshd::{GateFolder, Sshd, user};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

/// ESC sequences, a bidirectional override, C1 controls, tag characters, a backspace, a lone carriage return.
const HOSTILE: &str =
    "a\u{1b}[31mb\u{1b}]0;t\u{7}c\u{202e}d\u{9b}2Je\u{e0041}\u{e0042}\u{e0043}f\u{8}g\rh\u{200b}i";

/// Made-up secrets of many kinds, as a host may print them.
const CANARIES: [(&str, &str); 10] = [
    ("token ghp_", "Z9y8X7w6V5u4T3s2R1q0P9o8N7m6L5k4J3i2"),
    ("DB_PASSWORD=", "q9sUujZcL9PBQuWe"),
    (
        "aws_secret_access_key = ",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYzzkq8vTnoPqW",
    ),
    ("postgres://app:", "Tr0ub4dorAnd3Xyz@db/app"),
    ("Authorization: Bearer ", "mF9B5f41JqMkQ7wErTyUiOpAsDfGh"),
    (
        "root:$6$",
        "rounds5000saltstr$fFq3zY7mK2pX9wL4vB8nD6sT1hG5jR0cQeUoIyAxZ.WtMkNbVl/PrSuHdEgCfOi2",
    ),
    ("Set-Cookie: session=", "s3ss10nC00k13ValueQwErTy"),
    ("xoxb-", "123456789012-abcdefGHIJKLmnopQRSTuv"),
    ("client_secret: ", "Yx7Qp2Lm9Vt4Rk6Ws1Zn"),
    ("mysql -u app -p", "Mn4Bv6Cx8Zl2Kj0Hg"),
];
const KEY_LINE: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gt";

fn canary_text() -> String {
    let mut text: String = CANARIES
        .iter()
        .map(|(before, secret)| format!("{before}{secret}\n"))
        .collect();
    text.push_str(&format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{KEY_LINE}\n-----END OPENSSH PRIVATE KEY-----\n"
    ));
    text
}

/// Whether any stretch of twelve bytes of a secret is there.
fn leaks(bytes: &[u8]) -> Vec<&'static str> {
    let secrets = CANARIES.iter().map(|(_, secret)| *secret).chain([KEY_LINE]);
    secrets
        .filter(|secret| {
            let secret = secret.split('@').next().unwrap();
            secret
                .as_bytes()
                .windows(12)
                .any(|window| bytes.windows(window.len()).any(|found| found == window))
        })
        .collect()
}

/// Every byte of every file below a folder.
fn bytes_below(dir: &Path) -> Vec<u8> {
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

/// Fails where a text, or a text inside a record, holds what the scanner would touch.
fn assert_clean(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{what} is no UTF-8"));
    assert_eq!(SafeText::new(text), text, "{what}");
    for line in text.lines() {
        if let Ok(record) = serde_json::from_str::<Value>(line) {
            assert_clean_value(what, &record);
        }
    }
}

fn assert_clean_value(what: &str, value: &Value) {
    match value {
        Value::String(text) => assert_eq!(SafeText::new(text), text.as_str(), "{what}"),
        Value::Array(values) => values
            .iter()
            .for_each(|value| assert_clean_value(what, value)),
        Value::Object(record) => {
            for (key, value) in record {
                assert_eq!(SafeText::new(key), key.as_str(), "{what}");
                assert_clean_value(what, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn assert_clean_output(what: &str, output: &Output) {
    assert_clean(&format!("standard output of {what}"), &output.stdout);
    assert_clean(&format!("standard error of {what}"), &output.stderr);
}

fn edit(gate: &GateFolder, name: &str, change: impl Fn(String) -> String) {
    let path = gate.config().join(name);
    fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
}

/// Gives the binary a text and waits for what it makes of it.
fn feed(mut command: Command, text: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = text.to_vec();
    let writer = std::thread::spawn(move || {
        // A verb that refuses its arguments reads nothing.
        let _ = input.write_all(&text);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

async fn stand_in(reply: Reply) -> (Target, GateFolder) {
    let key = ThrowawayKey::generate().unwrap();
    let answer = Arc::new(move |_: &str| reply.clone());
    let target = Target::start(key.public(), answer).await.unwrap();
    let port = target.address().port();
    let gate = GateFolder::new(
        port,
        "demo",
        key.private().as_bytes(),
        &target.known_hosts_line(),
    );
    (target, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_printed_by_a_host_reach_no_client_log_journal_or_kept_file() {
    let server = Sshd::start();
    let key = fs::read(server.key()).unwrap();
    let gate = GateFolder::new(server.port(), &user(), &key, &server.known_host());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("canary.txt");
    fs::write(&file, canary_text()).unwrap();
    edit(&gate, "policy.yml", |text| {
        text.replace(
            "\"cat /srv/*\"",
            &format!("\"cat {}/*\"", folder.path().display()),
        )
        .replace(
            "  max_seconds: 20\n",
            "  max_seconds: 20\n  output_spill_bytes: 100000\n",
        )
    });
    let command = format!("cat {}", file.display());

    let client = gate.connect().await;
    let answer = client
        .call("ssh_run", json!({"alias": "web1", "command": command}))
        .await
        .unwrap()
        .structured;
    assert_eq!(answer["exit_code"], 0, "{answer}");
    assert!(
        answer["redactions"].as_object().unwrap().len() >= 6,
        "{answer}"
    );
    let page = client
        .call("ssh_read_output", json!({"task_id": answer["task_id"]}))
        .await
        .unwrap()
        .structured;
    assert_eq!(
        page["text"].as_str().unwrap().trim(),
        answer["output"],
        "{page}"
    );
    client.close().await.unwrap();

    let run = gate
        .portcullis(&["run", "web1", &command, "--format", "json"])
        .output()
        .unwrap();
    let human = gate
        .portcullis(&["run", "web1", &command])
        .output()
        .unwrap();
    let task = serde_json::from_slice::<Value>(&run.stdout).unwrap()["task_id"].clone();
    let paged = gate
        .portcullis(&["output", task.as_str().unwrap()])
        .output()
        .unwrap();
    assert!(
        paged.status.success() && paged.stdout == human.stdout,
        "{paged:?}"
    );

    let kept = bytes_below(&gate.state().join("output"));
    assert!(
        kept.windows(9).any(|found| found == b"[REDACTED"),
        "nothing is kept"
    );
    for (what, bytes) in [
        ("the client's answer", answer.to_string().into_bytes()),
        ("the client's page", page.to_string().into_bytes()),
        ("the state", bytes_below(&gate.state())),
        ("run", [run.stdout, run.stderr].concat()),
        ("run for people", [human.stdout, human.stderr].concat()),
        ("output", [paged.stdout, paged.stderr].concat()),
        (
            "redact",
            feed(
                gate.portcullis(&["redact", "--explain", "--report"]),
                canary_text().as_bytes(),
            )
            .stdout,
        ),
        (
            "redact's words",
            feed(
                gate.portcullis(&["redact", "--explain", "--report"]),
                canary_text().as_bytes(),
            )
            .stderr,
        ),
    ] {
        assert_eq!(leaks(&bytes), Vec::<&str>::new(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_of_a_host_reaches_no_door_as_it_is() {
    let reply = Reply {
        stdout: HOSTILE.as_bytes().to_vec(),
        stderr: [HOSTILE.as_bytes(), b"\x9b31m\xff"].concat(),
        ..Reply::text("")
    };
    let (_target, gate) = stand_in(reply).await;
    let client = gate.connect().await;
    for streams in ["joined", "split"] {
        let answer = client
            .call(
                "ssh_run",
                json!({"alias": "web1", "command": "uptime", "streams": streams}),
            )
            .await
            .unwrap()
            .structured;
        assert_eq!(answer["sanitised"]["bidi"], 2, "{answer}");
        assert_clean_value("the client's answer", &answer);
    }
    client.close().await.unwrap();
    for format in ["human", "json"] {
        let run = gate
            .portcullis(&["run", "web1", "uptime", "--format", format])
            .output()
            .unwrap();
        assert!(
            run.status.success() && !run.stderr.is_empty() || format == "json",
            "{run:?}"
        );
        assert_clean_output("run", &run);
    }
    assert_clean(
        "the journal",
        &fs::read(gate.state().join("journal/journal.jsonl")).unwrap(),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_of_files_callers_and_servers_reaches_no_door_as_it_is() {
    let (_target, gate) = stand_in(Reply::text("ok\n")).await;
    // A server that is none, with a hostile greeting and version.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the test's process; how many of the verbs dial it is not this test's matter.
    std::thread::spawn(move || {
        for stream in listener.incoming().take(8).flatten() {
            let mut stream = stream;
            let _ = stream.write_all(format!("{HOSTILE}\nSSH-2.0-{HOSTILE}\r\n").as_bytes());
        }
    });
    // Escaped, as YAML takes it.
    let escaped = HOSTILE.chars().map(|c| format!("\\U{:08x}", u32::from(c)));
    let quoted = format!("\"{}\"", escaped.collect::<String>());
    edit(&gate, "servers.yml", |text| {
        format!(
            "{text}  - alias: odd1\n    host: 127.0.0.1\n    port: {port}\n    credentials: test\n    description: {quoted}\n"
        )
    });
    edit(&gate, "keys/known_hosts", |text| {
        format!(
            "{text}{} ssh-ed25519 AAAA {HOSTILE}\n",
            HOSTILE.replace('\r', "")
        )
    });

    for format in ["human", "json"] {
        for verb in [
            vec!["check", "--format", format],
            vec!["plan", "web1", "uptime", "--format", format],
            vec!["plan", HOSTILE, "uptime", "--format", format],
            vec!["plan", "web1", HOSTILE, "--format", format],
            vec!["run", HOSTILE, "uptime", "--format", format],
            vec!["run", "odd1", "uptime", "--format", format],
            vec!["output", HOSTILE, "--format", format],
            vec!["audit", "verify", "--format", format],
            vec!["redact", "--host", HOSTILE],
            vec!["redact", "--rules", HOSTILE],
            vec![HOSTILE],
            vec!["plugin", "inspect", HOSTILE],
        ] {
            let output = gate.portcullis(&verb).output().unwrap();
            assert_clean_output(&format!("{verb:?}"), &output);
        }
    }

    let mut serve = gate.portcullis(&["serve", "--stdio"]);
    serve.env("PORTCULLIS_LOG", "debug");
    let mut lines = String::new();
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {}});
    for (id, (tool, arguments)) in [
        ("ssh_run", json!({"alias": HOSTILE, "command": "uptime"})),
        ("ssh_run", json!({"alias": "web1", "command": HOSTILE})),
        (
            "ssh_run",
            json!({"alias": "web1", "command": "uptime", "streams": HOSTILE}),
        ),
        ("ssh_describe_host", json!({"alias": "odd1"})),
        ("ssh_describe_host", json!({HOSTILE: "x"})),
        ("ssh_read_output", json!({"task_id": HOSTILE})),
        ("ssh_plan", json!({"alias": "web1", "command": "reboot"})),
        (HOSTILE, json!({})),
        ("ssh_reload_config", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": meta}});
        lines.push_str(&format!("{call}\n"));
    }
    let output = feed(serve, lines.as_bytes());
    assert_eq!(
        output.stdout.iter().filter(|byte| **byte == b'\n').count(),
        9,
        "{output:?}"
    );
    assert_clean_output("serve", &output);
    assert_clean(
        "the journal",
        &fs::read(gate.state().join("journal/journal.jsonl")).unwrap(),
    );

    // Faults of files: each is named, none is repeated as it stands.
    for (name, text) in [
        ("policy.yml", format!("rules:\n  - action: {quoted}\n")),
        ("policy.yml", format!("{quoted}: 1\n")),
        ("policy.yml", format!("redaction:\n  enable: [{quoted}]\n")),
        (
            "servers.yml",
            format!("hosts:\n  - alias: {quoted}\n    host: 127.0.0.1\n"),
        ),
        (
            "plugins.yml",
            format!("plugins:\n  - name: {quoted}\n    kind: {quoted}\n"),
        ),
        ("portcullis.yml", format!("audit: {quoted}\n")),
    ] {
        let path = gate.config().join(name);
        let before = fs::read(&path).ok();
        fs::write(&path, text).unwrap();
        for format in ["human", "json"] {
            let output = gate
                .portcullis(&["check", "--format", format])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(3), "{name}: {output:?}");
            assert_clean_output(&format!("check of {name}"), &output);
        }
        match before {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_and_a_tag_have_their_own_rules() {
    let text = "card 4111 1111 1111 1111\nDB_PASSWORD=q9sUujZcL9PBQuWe\nacme_0123456789abcdefXYZ\n";
    let (_target, gate) = stand_in(Reply::text(text)).await;
    edit(&gate, "policy.yml", |policy| {
        policy
            .replace("overrides:\n  tags:\n    short:\n", "overrides:\n  aliases:\n    web1:\n      redaction:\n        disable: [secret]\n        enable: [acme]\n  tags:\n    short:\n      redaction:\n        enable: [pii]\n")
            + "redaction:\n  rules:\n    - {name: acme, prefix: acme_, body: word, least: 12}\n"
    });
    let check = gate.portcullis(&["check"]).output().unwrap();
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(check.status.success(), "{said}");
    assert!(
        said.contains("SECRETS ARE SHOWN") && said.contains("host `web1`"),
        "{said}"
    );

    let shown = |alias: &str| {
        let run = gate
            .portcullis(&["run", alias, "uptime", "--format", "json"])
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&run.stdout).unwrap()
    };
    let (web1, db1) = (shown("web1"), shown("db1"));
    let of = |answer: &Value| answer["output"].as_str().unwrap().to_owned();
    assert!(
        of(&web1).contains("4111") && of(&web1).contains("q9sUujZcL9PBQuWe"),
        "{web1}"
    );
    assert!(of(&web1).contains("[REDACTED:acme]"), "{web1}");
    for hidden in ["4111 1111", "q9sUujZcL9PBQuWe", "0123456789abcdef"] {
        assert!(!of(&db1).contains(hidden), "{db1}");
    }
    for (alias, answer) in [("web1", &web1), ("db1", &db1)] {
        let redact = feed(
            gate.portcullis(&["redact", "--host", alias]),
            text.as_bytes(),
        );
        assert_eq!(
            String::from_utf8(redact.stdout).unwrap().trim(),
            of(answer),
            "{alias}"
        );
    }
    // The journal counts by kind, and never loosens: a command's text is masked on the loose host too.
    let command = "echo DB_PASSWORD=q9sUujZcL9PBQuWe";
    gate.portcullis(&["run", "web1", command]).output().unwrap();
    let journal = fs::read_to_string(gate.state().join("journal/journal.jsonl")).unwrap();
    assert!(
        journal.contains("\"redactions_by_kind\":{\"acme\":1}"),
        "{journal}"
    );
    assert!(!journal.contains("q9sUujZcL9PBQuWe"), "{journal}");
}

#[test]
fn redact_explains_reports_and_reads_in_any_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let redact = |arguments: &[&str], text: &[u8]| {
        let mut command = Command::new(portcullis_tests::portcullis());
        command.arg("redact").args(arguments);
        for name in [
            "PORTCULLIS_CONFIG_DIR",
            "MCP_SSH_CONFIG_DIR",
            "XDG_CONFIG_HOME",
        ] {
            command.env(name, folder.path());
        }
        feed(command, text)
    };
    let text = format!("first\n{}\u{1b}[1mlast é\u{1b}[0m\n", canary_text());
    let whole = redact(&[], text.as_bytes());
    assert!(
        whole.status.success() && leaks(&whole.stdout).is_empty(),
        "{whole:?}"
    );
    for chunk in ["1", "7", "4096"] {
        assert_eq!(
            redact(&["--chunk", chunk], text.as_bytes()).stdout,
            whole.stdout,
            "{chunk}"
        );
    }
    let told = redact(&["--explain", "--report"], text.as_bytes());
    assert_eq!(told.stdout, whole.stdout);
    let words = String::from_utf8(told.stderr).unwrap();
    assert!(
        words.contains("line 2, column 7, bytes 12-52: github-token (rule"),
        "{words}"
    );
    let report: Value = serde_json::from_str(words.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&report["bytes"], &report["sanitised"]["ansi"]),
        (&json!(text.len()), &json!(2))
    );

    let records = redact(
        &["--format", "json", "--explain", "--report"],
        text.as_bytes(),
    );
    let records: Vec<Value> = String::from_utf8(records.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let texts: String = records
        .iter()
        .filter_map(|record| record["text"].as_str())
        .collect();
    assert_eq!(texts.as_bytes(), whole.stdout);
    assert!(
        records.iter().any(|record| record["masked"]["line"] == 2),
        "{records:?}"
    );

    let cards = redact(
        &["--class", "pii"],
        b"4111 1111 1111 1111 DB_PASSWORD=q9sUujZcL9PBQuWe\n",
    );
    let cards = String::from_utf8(cards.stdout).unwrap();
    assert!(
        cards.contains("q9sUujZcL9PBQuWe") && !cards.contains("4111"),
        "{cards}"
    );
    let listed = redact(&["--rules"], b"");
    assert!(String::from_utf8(listed.stdout).unwrap().lines().count() > 20);
    assert_eq!(
        redact(&["--rules", "nothing-like-it"], b"x").status.code(),
        Some(2)
    );
    let program = redact(&["--report"], b"\x7fELF\0\0\0secret");
    assert!(
        program
            .stdout
            .starts_with(b"[binary output: 13 bytes, ELF program"),
        "{program:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_output_is_paged_by_its_owner_and_counts_what_is_cut() {
    let line = |number: usize| format!("line {number} of the report\n");
    let text: String = (0..5_000).map(line).collect();
    let (_target, gate) = stand_in(Reply::text(&text)).await;
    edit(&gate, "policy.yml", |policy| {
        policy.replace(
            "  max_seconds: 20\n",
            "  max_seconds: 20\n  max_output_bytes: 1000\n  output_spill_bytes: 1000000\n",
        )
    });
    let client = gate.connect().await;
    let call =
        async |name: &str, arguments: Value| client.call(name, arguments).await.unwrap().structured;
    let answer = call("ssh_run", json!({"alias": "web1", "command": "uptime"})).await;
    assert_eq!(answer["truncated"], true, "{answer}");
    assert_eq!(answer["paging"]["stdout_bytes"], text.len(), "{answer}");
    assert_eq!(answer["paging"]["complete"], true, "{answer}");
    let (mut all, mut offset) = (String::new(), Some(json!(0)));
    while let Some(from) = offset {
        let page = call(
            "ssh_read_output",
            json!({"task_id": answer["task_id"], "offset": from, "bytes": 10_000}),
        )
        .await;
        all.push_str(page["text"].as_str().unwrap());
        offset = page.get("next_offset").cloned();
    }
    assert!(all == text, "the pages are not the text");
    for wrong in [json!("web1:0:1-00"), json!(""), json!("../../x")] {
        let fault = call("ssh_read_output", json!({"task_id": wrong})).await;
        assert_eq!(fault["code"], "unknown_task", "{fault}");
    }
    client.close().await.unwrap();

    let task = answer["task_id"].as_str().unwrap();
    let page = gate
        .portcullis(&["output", task, "--offset", "7", "--bytes", "9"])
        .output()
        .unwrap();
    assert_eq!(page.stdout, text.as_bytes()[7..16]);
    let all = gate.portcullis(&["output", task]).output().unwrap();
    assert!(all.stdout == text.as_bytes());
    let unknown = gate
        .portcullis(&["output", "web1:0:1-00"])
        .output()
        .unwrap();
    assert_eq!(unknown.status.code(), Some(3), "{unknown:?}");
}
