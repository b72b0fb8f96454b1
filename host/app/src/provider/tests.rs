//! Real programs that are asked, and every way in which one can misbehave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SHELL: &str = "/bin/sh";
const CANARY: &str = "CANARY-of-a-provider";

/// A test program: a script for a shell, named as any program is.
fn order(script: &str, field: Option<&str>) -> Order {
    Order {
        provider: "vault".to_owned(),
        command: [SHELL, "-c", script, "name"]
            .map(ToOwned::to_owned)
            .to_vec(),
        field: field.map(|field| field.split('.').map(ToOwned::to_owned).collect()),
        timeout_seconds: 20,
        environment: Vec::new(),
    }
}

async fn answer(order: &Order) -> Result<Vec<u8>, String> {
    let env = |name: &str| (name != "NOT_SET").then(|| OsString::from(format!("of {name}")));
    match ask(order, &env, &CancellationToken::new()).await {
        Ok(secret) => Ok(secret.expose().to_vec()),
        Err(fault) => {
            let told = format!("{fault} {fault:?}");
            assert!(!told.contains(CANARY), "{told}");
            assert!(told.contains("vault"), "{told}");
            Err(fault.to_string())
        }
    }
}

/// Whether a process of that number runs.
fn runs(pid: &Path) -> bool {
    let pid = fs::read_to_string(pid).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    // One that has ended and is not reaped yet does not run.
    status.is_ok_and(|status| !status.rsplit(") ").next().unwrap().starts_with('Z'))
}

#[tokio::test]
async fn a_value_is_found_in_json_and_in_text() {
    for (script, field, expected) in [
        (r#"echo '{"value": "s3cret"}'"#, Some("value"), "s3cret"),
        (
            r#"echo '{"a": {"b": {"c": " s "}}, "d": 1}'"#,
            Some("a.b.c"),
            " s ",
        ),
        (
            r#"printf '{"value":"a\\"b\\u00e9\\n"}'"#,
            Some("value"),
            "a\"b\u{e9}\n",
        ),
        ("printf ' s3cret \\n'", None, "s3cret"),
        // What is written to standard error is no part of it.
        ("echo noise >&2; echo s", None, "s"),
    ] {
        let answer = answer(&order(script, field)).await;
        assert_eq!(answer.as_deref(), Ok(expected.as_bytes()), "{script}");
    }
}

#[tokio::test]
async fn what_a_provider_does_wrong_is_a_fault_without_a_word_of_its_output() {
    for (script, field, part) in [
        (
            "echo CANARY-of-a-provider; echo CANARY-of-a-provider >&2; exit 3",
            None,
            "exit status: 3",
        ),
        ("echo CANARY-of-a-provider; kill -9 $$", None, "signal: 9"),
        ("echo CANARY-of-a-provider", Some("value"), "expected JSON"),
        (r#"printf '\377\376'"#, Some("value"), "expected JSON"),
        (
            r#"echo '{"other": "CANARY-of-a-provider"}'"#,
            Some("value"),
            "the field value",
        ),
        (
            r#"echo '{"value": {"x": "CANARY-of-a-provider"}}'"#,
            Some("value"),
            "the field value",
        ),
        (
            r#"echo '{"value": 4711}'"#,
            Some("value"),
            "the field value",
        ),
        (
            r#"echo '{"value": null}'"#,
            Some("value"),
            "the field value",
        ),
        (
            r#"echo '["CANARY-of-a-provider"]'"#,
            Some("value"),
            "the field value",
        ),
        (
            r#"echo '"CANARY-of-a-provider"'"#,
            Some("value"),
            "the field value",
        ),
        (
            r#"echo '{"value": "a"} CANARY-of-a-provider'"#,
            Some("value"),
            "expected JSON",
        ),
        (r#"echo '{"value": ""}'"#, Some("value"), "empty"),
        (r#"echo '{"value": " "}'"#, Some("value"), "empty"),
        (
            r#"echo '{"value": "a", "value": "CANARY-of-a-provider"}'"#,
            Some("value"),
            "twice",
        ),
        (
            r#"echo '{"a": {"b": "x", "c": 1, "\u0063": 2}}'"#,
            Some("a.b"),
            "twice",
        ),
        ("printf ' \\n'", None, "empty"),
        ("true", None, "empty"),
        (
            "head -c 65537 /dev/zero | tr '\\0' a",
            None,
            "more than 65536",
        ),
        ("cat /dev/zero", None, "more than 65536"),
    ] {
        let fault = answer(&order(script, field)).await.unwrap_err();
        assert!(fault.contains(part), "{script}: {fault}");
    }
    let at_the_bound = order("head -c 65536 /dev/zero | tr '\\0' a", None);
    assert_eq!(answer(&at_the_bound).await.unwrap().len(), OUTPUT_BYTES_MAX);
}

#[tokio::test]
async fn a_provider_sees_only_the_variables_that_are_named_and_no_input() {
    let mut order = order("/usr/bin/env | /usr/bin/sort; /bin/cat; pwd", None);
    let shell_sets = |line: &&str| {
        !["PWD=", "SHLVL=", "_="]
            .iter()
            .any(|own| line.starts_with(own))
    };
    let seen = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .filter(shell_sets)
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(answer(&order).await.unwrap()), ["/"]);
    order.environment = ["VAULT_ADDR", "NOT_SET"].map(ToOwned::to_owned).to_vec();
    assert_eq!(
        seen(answer(&order).await.unwrap()),
        ["VAULT_ADDR=of VAULT_ADDR", "/"]
    );
}

#[tokio::test]
async fn a_provider_gets_no_descriptor_of_the_gate() {
    const LIST: [&str; 2] = ["/bin/ls", "/proc/self/fd"];
    let _held = tempfile::tempfile().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let _dir =
        cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
    // What every child of this process is given by whoever started it.
    let plain = std::process::Command::new(LIST[0])
        .arg(LIST[1])
        .output()
        .unwrap();
    let mut order = order("", None);
    order.command = LIST.map(ToOwned::to_owned).to_vec();
    let seen = answer(&order).await.unwrap();
    assert_eq!(
        String::from_utf8(seen).unwrap().trim(),
        String::from_utf8(plain.stdout).unwrap().trim()
    );
}

#[tokio::test]
async fn nothing_of_a_provider_outlives_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let pids: Vec<PathBuf> = ["a", "b"].map(|name| folder.path().join(name)).to_vec();
    let script = format!(
        "echo $$ > {}; /bin/sleep 1000 & echo $! > {}; wait",
        pids[0].display(),
        pids[1].display()
    );
    let mut order = order(&script, None);
    order.timeout_seconds = 2;
    let fault = answer(&order).await.unwrap_err();
    assert!(fault.contains("within 2 s"), "{fault}");
    for pid in &pids {
        until(|| !runs(pid)).await;
    }
}

/// Waits, within a bound, until something holds.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never held");
}

#[tokio::test]
async fn what_a_provider_leaves_behind_is_killed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!(
        "/bin/sleep 1000 >/dev/null & echo $! > {}; echo s",
        pid.display()
    );
    assert_eq!(
        answer(&order(&script, None)).await.as_deref(),
        Ok(&b"s"[..])
    );
    until(|| !runs(&pid)).await;
}

#[tokio::test]
async fn a_stop_and_a_drop_kill_a_provider() {
    let folder = tempfile::tempdir().unwrap();
    for (name, stops) in [("stop", true), ("drop", false)] {
        let pid = folder.path().join(name);
        let order = order(&format!("echo $$ > {}; sleep 1000", pid.display()), None);
        let stop = CancellationToken::new();
        let (env, token) = (|_: &str| None, stop.clone());
        let asking = tokio::spawn(async move { ask(&order, &env, &token).await.map(drop) });
        until(|| fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'))).await;
        assert!(runs(&pid));
        if stops {
            stop.cancel();
            let fault = asking.await.unwrap().unwrap_err();
            assert!(fault.to_string().contains("the run was ended"), "{fault}");
        } else {
            asking.abort();
            assert!(asking.await.unwrap_err().is_cancelled());
        }
        until(|| !runs(&pid)).await;
    }
}

#[tokio::test]
async fn a_program_that_others_can_exchange_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, "#!/bin/sh\necho s\n").unwrap();
    let mut order = order("", None);
    order.command = vec![program.display().to_string()];
    for (mode, runs) in [
        (0o755, true),
        (0o700, true),
        (0o775, false),
        (0o757, false),
        (0o600, false),
    ] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(answer(&order).await.is_ok(), runs, "{mode:o}");
    }
    order.command = vec![folder.path().join("none").display().to_string()];
    let fault = answer(&order).await.unwrap_err();
    assert!(fault.contains("got none"), "{fault}");
}

/// What others could exchange on the way to a program counts as the program itself.
#[tokio::test]
async fn a_program_behind_a_directory_or_a_link_of_others_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for dir in ["open/deep", "safe"] {
        fs::create_dir_all(path(dir)).unwrap();
    }
    for program in ["open/program", "open/deep/program", "safe/program"] {
        fs::write(path(program), "#!/bin/sh\necho s\n").unwrap();
        fs::set_permissions(path(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::symlink("../safe/program", path("open/link")).unwrap();
    std::os::unix::fs::symlink(path("open/deep"), path("safe/way")).unwrap();
    std::os::unix::fs::symlink("program", path("safe/link")).unwrap();
    let asked = async |name: &str| {
        let mut order = order("", None);
        order.command = vec![path(name).display().to_string()];
        answer(&order).await
    };
    let all = [
        "open/program",
        "open/deep/program",
        "open/link",
        "safe/way/program",
    ];
    for (mode, runs) in [
        (0o777, false),
        (0o775, false),
        (0o1777, true),
        (0o755, true),
    ] {
        fs::set_permissions(path("open"), fs::Permissions::from_mode(mode)).unwrap();
        for name in all {
            let answer = asked(name).await;
            assert_eq!(answer.is_ok(), runs, "{mode:o} {name}: {answer:?}");
            if let Err(fault) = answer {
                assert!(fault.contains("only its owner can write"), "{fault}");
            }
        }
        assert!(asked("safe/program").await.is_ok());
        assert!(asked("safe/link").await.is_ok());
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(path("safe/link"), Some(4_711), None).unwrap();
        let fault = asked("safe/link").await.unwrap_err();
        assert!(fault.contains("user 4711"), "{fault}");
    }
}

#[tokio::test]
async fn a_provider_that_fails_is_an_event_that_names_its_program() {
    let told = async |order: &Order| {
        let fault = ask(order, &|_| None, &CancellationToken::new()).await;
        let told = std::cell::RefCell::new(None);
        let fault = fault.map(drop).unwrap_err();
        fault.tell(&|fault| *told.borrow_mut() = fault.event());
        let event = told.take().unwrap();
        assert!(!event.to_string().contains(CANARY), "{event}");
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("event_type"), text("reason"), text("attempted_path"))
    };
    let failed = |reason: &str| {
        (
            "secret_provider_failed".to_owned(),
            reason.to_owned(),
            SHELL.to_owned(),
        )
    };
    let mut slow = order("sleep 1000", None);
    slow.timeout_seconds = 1;
    assert_eq!(told(&slow).await, failed("timed_out"));
    assert_eq!(
        told(&order("echo CANARY-of-a-provider; exit 1", None)).await,
        failed("failed")
    );
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, "").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o777)).unwrap();
    let mut open = order("", None);
    open.command = vec![program.display().to_string()];
    let (event_type, reason, _) = told(&open).await;
    assert_eq!(
        (event_type.as_str(), reason.as_str()),
        (
            "insecure_file_permissions",
            "file_permissions_too_permissive"
        )
    );
}
