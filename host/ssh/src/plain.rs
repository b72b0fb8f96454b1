//! The exec text without a watchdog, for connections on which signals are known to work, and the text that finds that
//! out.
//!
//! The login shell names its process group, gives the command `/dev/null` to read, switches pagers off as the watchdog
//! does, and becomes `sh`, which becomes the command. Nothing of it stays beside the command, so nothing on the host
//! ends the command when the connection is gone: only the gate does, by `signals`.
//!
//! The command stands in single quotes. The text of the question is quoted in the same way and holds every character
//! that a shell might read in another way, so that an answer shows that this login shell does not. The answer names the
//! login shell too: one that was started as `sh` need not become `sh`, and reads the command itself, on a line of its own.
//!
//! Must not: decide anything. Policy judges the rendered command; this is put around it after.

use crate::watchdog::{self, PAGERS};

const FIRST: &str = r#"echo "portcullis: the process group is $$" >&2; exec </dev/null; "#;
const LAST: &str = "exec sh -c '";
/// What comes before a command that the login shell reads itself.
const LINE: &str = "\n";
/// What every character between single quotes stands for itself with, but for the quote.
const QUOTE: &str = r"'\''";

/// What the question prints before it is signalled: all that shells are known to read in ways of their own.
pub(crate) const READY: &str = "it's \\ \"!\" $x `y` # ~ * {a,b} <&|>; %s\té\nready\n";
/// What it prints when a signal has reached a child that is no child of the server.
pub(crate) const HEARD: &str = "heard\n";
/// How long the question lives where no signal reaches it, in seconds.
const LIVES_SECONDS: u32 = 2;

/// How the login shell was started, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginShell {
    /// As `sh`: what the command was judged to be read by.
    Sh,
    /// Under another name.
    Other,
}

impl LoginShell {
    /// By the name that it goes by.
    pub(crate) fn named(name: &[u8]) -> Self {
        if name == b"sh" { Self::Sh } else { Self::Other }
    }
}

/// Wraps a rendered command. [`unwrap_plain`] is its exact inverse.
pub(crate) fn wrap(rendered: &str, shell: LoginShell) -> String {
    match shell {
        // What stands before has been done when a shell comes to the next line, whatever that is.
        LoginShell::Sh => [FIRST, PAGERS, LINE, rendered].concat(),
        LoginShell::Other => quoted(rendered, "'"),
    }
}

fn quoted(script: &str, end: &str) -> String {
    let script = script.replace('\'', QUOTE);
    [FIRST, PAGERS, LAST, &script, end].concat()
}

/// The question whether signals work, and what the login shell is called. A child and its parent wait to be signalled as a
/// group. The parent dies of it, and the child says so. A child whose last command was the `sleep` would become it, and
/// say nothing.
pub(crate) fn question() -> String {
    let ready = READY.replace('\'', QUOTE);
    let heard = HEARD.trim_end();
    let script = format!(
        r#"kill -s 0 -- "-$$" 2>/dev/null || kill -s 0 "-$$" || exit; (trap 'echo {heard}; exit' TERM; printf '%s\n%s' "$0" '{ready}'; sleep {LIVES_SECONDS}; :) & wait; exit"#
    );
    quoted(&script, r#"' "$0""#)
}

/// The name of the login shell in what the question has printed, and what comes after.
pub(crate) fn name_and_rest(said: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = said.iter().position(|byte| *byte == b'\n')?;
    let (name, rest) = said.split_at(end);
    rest.get(1..).map(|rest| (name, rest))
}

/// The rendered command inside an exec text of the gate, with or without a watchdog, or `None` where the text is not
/// one, byte for byte. For servers that stand in for a host and run nothing.
#[must_use]
pub fn unwrap_exec(text: &str) -> Option<String> {
    watchdog::unwrap_watched(text).or_else(|| unwrap_plain(text))
}

fn unwrap_plain(text: &str) -> Option<String> {
    let rest = text.strip_prefix(FIRST)?.strip_prefix(PAGERS)?;
    if let Some(rendered) = rest.strip_prefix(LINE) {
        return Some(rendered.to_owned());
    }
    let quoted = rest.strip_prefix(LAST)?.strip_suffix('\'')?;
    let rendered = quoted.replace(QUOTE, "'");
    (rendered.replace('\'', QUOTE) == quoted).then_some(rendered)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::words::{FirstWord, LEADS};
    use proptest::prelude::*;
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Command, Output, Stdio};

    /// The shells of this machine that may be a login shell, and the names that they are started under.
    const SHELLS: [(&str, &str); 5] = [
        ("dash", "dash"),
        ("bash", "bash"),
        ("dash", "sh"),
        ("bash", "sh"),
        ("busybox", "sh"),
    ];

    fn start((program, name): (&str, &str), text: &str) -> Command {
        let mut command = Command::new(program);
        command.arg0(name).arg("-c").arg(text);
        command.process_group(0).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(shell: (&str, &str), rendered: &str) -> Output {
        let text = wrap(rendered, LoginShell::named(shell.1.as_bytes()));
        let mut child = start(shell, &text).spawn().unwrap();
        let stdin = child.stdin.take();
        let mut output = child.wait_with_output().unwrap();
        drop(stdin);
        let mut rest = Vec::new();
        let mut pass = |bytes: &[u8]| rest.extend_from_slice(bytes);
        assert!(
            FirstWord::default()
                .push(&output.stderr, &mut pass)
                .is_some()
        );
        output.stderr = rest;
        output
    }

    #[test]
    fn status_signal_streams_and_surroundings_are_as_under_the_watchdog() {
        for shell in SHELLS {
            let output = run(shell, "echo out; echo err >&2; exit 7");
            assert_eq!(output.status.code(), Some(7), "{shell:?}");
            assert_eq!(
                (&*output.stdout, &*output.stderr),
                (&b"out\n"[..], &b"err\n"[..])
            );
            assert_eq!(
                run(shell, "kill -9 $$").status.signal(),
                Some(9),
                "{shell:?}"
            );
            let output = run(
                shell,
                r#"cat; echo "$PAGER,$SYSTEMD_PAGER,$LESSSECURE,$0,$#""#,
            );
            assert_eq!(output.stdout, b"cat,,1,sh,0\n", "{shell:?}");
            let text = format!("printf %s '{}'", READY.replace('\'', QUOTE));
            assert_eq!(String::from_utf8_lossy(&run(shell, &text).stdout), READY);
            let here = "cat <<'END'\n$x `y`\nEND\n# nothing";
            assert_eq!(run(shell, here).stdout, b"$x `y`\n", "{shell:?}");
            // A command that no shell can read is no more than that: what stands before it was done.
            assert_ne!(run(shell, "echo 'open").status.code(), Some(0), "{shell:?}");
        }
    }

    #[test]
    fn the_question_is_answered_by_a_group_that_is_signalled_and_by_no_other() {
        use std::io::Read as _;
        for shell in SHELLS {
            let mut child = start(shell, &question()).spawn().unwrap();
            let mut ready = vec![0; shell.1.len() + 1 + READY.len()];
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut ready).unwrap();
            let said = (shell.1.as_bytes(), READY.as_bytes());
            assert_eq!(name_and_rest(&ready), Some(said), "{shell:?}");
            let group = format!("-{}", child.id());
            let signalled = Command::new("kill")
                .args(["-s", "TERM", "--", &group])
                .status();
            assert!(signalled.unwrap().success());
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            assert_eq!(
                (rest.as_str(), child.wait().unwrap().signal()),
                (HEARD, Some(15)),
                "{shell:?}"
            );

            let mut child = start(shell, &question()).spawn().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut ready).unwrap();
            let id = child.id().to_string();
            assert!(Command::new("kill").arg(id).status().unwrap().success());
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            assert_eq!(
                (rest.as_str(), child.wait().unwrap().signal()),
                ("", Some(15)),
                "{shell:?}"
            );
        }
    }

    #[test]
    fn only_an_exec_text_of_the_gate_is_unwrapped() {
        let text = wrap("it's", LoginShell::Other);
        let line = wrap("it's", LoginShell::Sh);
        assert_eq!(unwrap_exec(&line).as_deref(), Some("it's"));
        assert_eq!(unwrap_exec(&text).as_deref(), Some("it's"));
        assert_eq!(
            unwrap_exec(&watchdog::wrap("it's")).as_deref(),
            Some("it's")
        );
        for other in [
            "uptime",
            "",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text} "),
        ] {
            assert_eq!(unwrap_exec(other), None, "{other}");
        }
        assert_eq!(unwrap_exec(&text.replace(QUOTE, "'")), None);
        assert!(FIRST.as_bytes().windows(LEADS.len()).any(|it| it == LEADS));
    }

    proptest! {
        #[test]
        fn unwrapping_is_the_exact_inverse(rendered in any::<String>()) {
            for shell in [LoginShell::Sh, LoginShell::Other] {
                prop_assert_eq!(unwrap_plain(&wrap(&rendered, shell)), Some(rendered.clone()));
            }
        }
    }
}
