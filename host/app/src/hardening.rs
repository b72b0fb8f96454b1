//! What the process gives up before it does anything: core dumps, being looked into by others of its user, passing on
//! what it was started with, and panics that say what they hold.
//!
//! Must not: fail silently. A process that cannot be protected does not start.

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use serde_json::json;
use std::io::Write;
use std::panic::PanicHookInfo;

/// The first descriptor that is not one of the three that every program has.
const FIRST_DESCRIPTOR: i32 = 3;

/// Makes the process leave no memory behind and show none. Children inherit that they leave no core.
///
/// # Errors
/// What the system said.
pub(crate) fn harden() -> std::io::Result<()> {
    std::panic::set_hook(Box::new(report));
    // What whoever started the gate left open for it is not for the programs that the gate starts. Before any thread,
    // so that nothing is opened meanwhile.
    close_fds::set_fds_cloexec(FIRST_DESCRIPTOR, &[]);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none)?;
    // Beyond core dumps: nobody but root may attach to the process, or read its memory and its environment.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Says where a panic was, and never its text: that may hold what was worked on.
fn report(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    let mut line = json!({
        "level": "error",
        "type": "panic",
        "pid": std::process::id(),
        "at": at,
    })
    .to_string();
    line.push('\n');
    // A standard error that is gone changes nothing.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests: one has to panic")]
    use super::*;
    use std::process::{Command, Stdio};

    const CANARY: &str = "CANARY-in-a-panic";

    /// Run by the test below, in a process of its own: the hook is the process's.
    #[test]
    #[ignore = "run by a_panic_says_where_it_was_and_not_what_it_held"]
    fn panics() {
        harden().unwrap();
        let secret = std::env::var("PORTCULLIS_TEST_PANIC").unwrap_or_default();
        let caught = std::panic::catch_unwind(|| panic!("{secret}"));
        assert!(caught.is_err());
    }

    /// Run by the test below, with a descriptor that was left open for it.
    #[test]
    #[ignore = "run by what_was_left_open_for_the_gate_is_not_passed_on"]
    fn lists_what_a_child_has_open() {
        harden().unwrap();
        let listed = Command::new("/bin/ls")
            .args(["-l", "/proc/self/fd"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        std::io::stdout().lock().write_all(&listed.stdout).unwrap();
    }

    #[test]
    fn what_was_left_open_for_the_gate_is_not_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("left-open");
        std::fs::write(&left, "").unwrap();
        // The same list by a shell that has it open shows it.
        for (program, shows) in [
            ("/bin/ls -l /proc/self/fd", true),
            (
                "\"$2\" --ignored --exact hardening::tests::lists_what_a_child_has_open --nocapture",
                false,
            ),
        ] {
            let output = Command::new("/bin/sh")
                .args(["-c", &format!("exec 7<\"$1\"; exec {program}"), "sh"])
                .arg(&left)
                .arg(std::env::current_exe().unwrap())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.contains("/dev/null"), "{said}");
            assert_eq!(said.contains("left-open"), shows, "{said}");
        }
    }

    #[test]
    fn a_panic_says_where_it_was_and_not_what_it_held() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "hardening::tests::panics",
                "--nocapture",
            ])
            .env("PORTCULLIS_TEST_PANIC", CANARY)
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("\"type\":\"panic\""), "{said}");
        assert!(said.contains("hardening.rs"), "{said}");
        assert!(!said.contains(CANARY), "{said}");
    }
}
