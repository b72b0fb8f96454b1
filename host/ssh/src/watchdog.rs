//! The exec text with a watchdog: the rendered command, wrapped so that its whole process tree ends when the gate says
//! so or goes away. Nothing in SSH does that: closing a channel leaves the command running, and a
//! `signal` request does nothing for root on OpenSSH and orphans children on dropbear.
//!
//! A wrapper that leads a process group names it first on standard error ([`crate::words`]).
//!
//! There are two ways, because what a server reports and when it closes a channel differ.
//!
//! *Under OpenSSH* the wrapper leads a process group. It starts a watcher, no child of the command, and
//! becomes the command by `exec`, so exit status and signal are the command's own. The watcher reads the
//! channel's standard input. The gate sends nothing there but the line `end`. That line, or the end of
//! input while the command lives, makes it act: it leaves the group, sends TERM to the group, KILL
//! half a second later, and looks until nothing of the group is left. It then writes [`GONE`] to the command's
//! standard error, which it reopened before it began and which keeps the channel open until then: that
//! is the proof. End of input after the command's end makes it go without a word, so that a daemon which
//! a command started on purpose stays.
//!
//! *Under dropbear or a forced command* the wrapper leads no group, and dropbear closes a channel as soon
//! as its own child has ended. So the wrapper stays, gives the command a session of its own by `setsid`,
//! and does the ending itself. A command that a signal ended is reported with 128 and the signal's
//! number there, as shells do.
//!
//! The command's standard input is `/dev/null`, and pagers are switched off.
//!
//! Only POSIX `sh` is needed; the login shell may be any that knows single quotes, because the text has
//! no line end, no backslash, no `!` and no quote inside its quotes except as `\0ooo` for `printf %b`.
//!
//! Must not: decide anything. Policy judges the rendered command; the wrapper is put on after.
//!
//! LIMIT: a process that calls `setsid` itself, or that runs as another user (`sudo`), is out of reach;
//! the first is not seen, the second keeps the proof from being given.
//! LIMIT: without `setsid` or `/proc` on the host the tree is ended but the proof is missing.
//! LIMIT: what a finished command left in the background is left, as SSH does: OpenSSH closes standard
//! input when the command ends, and with it goes the way to say anything.

/// What the watcher writes to standard error when nothing of the process group is left.
pub(crate) const GONE: &[u8] = b"portcullis: the process group has ended\n";
/// What the gate writes to standard input to have the process tree ended.
pub(crate) const END: &[u8] = b"end\n";
/// Longest exec text, in bytes: Linux takes no longer argument (`MAX_ARG_STRLEN`, with its NUL), and the
/// login shell gets the text as one.
pub(crate) const EXEC_BYTES_MAX: usize = 131_071;

macro_rules! pagers {
    () => {
        "PAGER=cat; GIT_PAGER=cat; MANPAGER=cat; SYSTEMD_PAGER=; SYSTEMD_PAGERSECURE=1; LESSSECURE=1; \
         export PAGER GIT_PAGER MANPAGER SYSTEMD_PAGER SYSTEMD_PAGERSECURE LESSSECURE; "
    };
}

/// Switches pagers off.
pub(crate) const PAGERS: &str = pagers!();

/// The script. `$1` is the script itself, `$2` the command, and `$3` says that it is encoded. Started again as
/// the ending of a group, `$2` is the group and `$3` the word `kill`.
/// Every line ends in something after which a blank may follow, because the lines are joined.
///
/// What it starts waits for its turn on a busy host, and the command with it, so it starts no more than it must.
const SCRIPT: &str = concat!(
    // Signals a process or a group. Shells differ in whether they want `--` before a group.
    r#"q() { kill -s "$1" -- "$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null; }; "#,
    // Whether a group is empty. A refusal to signal is no proof, hence the look at the words.
    r#"e() { case $(LC_ALL=C; export LC_ALL; { kill -s 0 -- "$1" || kill -s 0 "$1"; } 2>&1) in *"o such process"*) return 0;; esac; return 1; }; "#,
    // Whether all that is left of a group is dead and waits for a slow init to take note of it. The state and
    // the group stand behind the name in brackets; without a dead one nothing is said.
    r#"v() { z=; for f in /proc/[0-9]*/stat; do read -r t <"$f" || continue; set -- "$1" ${t##*) }; [ "$4" = "$1" ] || continue; "#,
    r#"case $2 in [ZX]) z=1;; *) return 1;; esac; done 2>/dev/null; [ "$z" ]; }; "#,
    // The ending of the group `$1`, from outside of it. Its leader counts as well, because a group that is
    // not made yet looks like one that is gone. Where `sleep` knows no fractions the steps are seconds.
    r#"x() { trap "" HUP INT PIPE TERM USR1; q TERM "$1"; n=0; s=0.2; k=3; while [ "$n" -lt 90 ]; do "#,
    r#"if { e "$1" && e "${1#-}"; } || v "${1#-}"; then echo "portcullis: the process group has ended" >&2; return 0; fi; "#,
    r#"[ "$n" -lt "$k" ] || q KILL "$1"; sleep "$s" 2>/dev/null || { s=1; k=1; sleep 1; }; n=$((n+1)); done; return 1; }; "#,
    r#"if [ "$3" = kill ]; then x "$2"; exit; fi; "#,
    // What waits for the gate's word; returns for the word, and fails for the end of input.
    r#"l() { exec >/dev/null 2>&1; trap "" HUP INT PIPE TERM; m=; while read -r m <&3; do [ "$m" = end ] && break; done; exec 3<&-; [ "$m" = end ]; }; "#,
    pagers!(),
    r#"c=$2; [ "$3" ] && c=$(printf %b "$2"); p=; [ -p /dev/fd/0 ] && p=1; exec 3<&0 </dev/null; g=-$$; "#,
    // No leader, and `setsid` is there: the command leads a session of its own, and this shell stays. The
    // word is repeated, because one that comes before `wait` would be missed.
    r#"q 0 "$g" || { g=0; command -v setsid >/dev/null 2>&1 && { k=; trap k=1 USR1; setsid sh -c "$c" 3<&- & j=$! ; "#,
    r#"{ l; while q USR1 "$$"; do sleep 1; done; } & w=$! ; exec 3<&-; wait "$j"; r=$?; "#,
    r#"[ "$k" ] || { q KILL "$w"; exit "$r"; }; x "-$j"; exit 143; }; }; "#,
    // A leader says so.
    r#"[ "$g" = 0 ] || echo "portcullis: the process group is $$" >&2; "#,
    // The watcher. It redirects itself by `exec`: a redirected function would keep copies of the streams
    // and hold the channel open.
    r#"w() { l || q 0 "$$" || exit 0; "#,
    r#"[ "$g" = 0 ] || { command -v setsid && { h=/proc/$$/fd/2; { [ -p "$h" ] && true 2>"$h"; } || h=/dev/null; exec setsid sh -c "$1" portcullis "$1" "$g" kill 2>"$h"; }; }; "#,
    r#"q TERM 0; sleep 1; q KILL 0; }; "#,
    // Started through a subshell that ends at once, the watcher is nobody's child here: a program that
    // waits for all its children would wait for it. The subshell lets go of the streams, so that the watcher never has
    // them: the end of the command is heard without the watcher's having had a turn.
    r#"if [ "$p" ]; then ( exec >/dev/null 2>&1; w "$1" & ); exec sh -c "$c" 3<&-; fi; "#,
    // Where standard input is a socket it is standard output's too, and a watcher that outlives the
    // command would keep the channel open.
    r#"w "$1" & sh -c "$c" 3<&-; r=$?; q KILL $! ; exit "$r""#,
);

const HEAD: &str = r#"exec sh -c 'eval "$1"' portcullis '"#;
const MIDDLE: &str = "' '";
const TAIL: &str = "'";
/// How the text ends where the command is encoded.
const TAIL_ENCODED: &str = "' encoded";

/// Wraps a rendered command. [`unwrap_watched`] is its exact inverse.
pub(crate) fn wrap(rendered: &str) -> String {
    let command = encode(rendered);
    let tail = if command == rendered {
        TAIL
    } else {
        TAIL_ENCODED
    };
    [HEAD, SCRIPT, MIDDLE, &command, tail].concat()
}

/// The text that ends a process group from outside of it, and says [`GONE`] when nothing of it is left.
pub(crate) fn ending(group: u32) -> String {
    format!("{HEAD}{SCRIPT}{MIDDLE}-{group}' kill")
}

/// The rendered command inside an exec text with a watchdog, or `None` where the text is not one, byte for byte.
pub(crate) fn unwrap_watched(text: &str) -> Option<String> {
    let rest = text.strip_prefix(HEAD)?;
    let rest = rest.strip_prefix(SCRIPT)?;
    let rest = rest.strip_prefix(MIDDLE)?;
    let encoded = rest.strip_suffix(TAIL_ENCODED);
    let rendered = decode(encoded.or_else(|| rest.strip_suffix(TAIL))?)?;
    (wrap(&rendered) == text).then_some(rendered)
}

/// Whether a character cannot stand between single quotes in every login shell.
fn needs_code(c: char) -> bool {
    matches!(c, '\'' | '\\' | '!') || c.is_ascii_control() && c != '\t'
}

/// Writes what cannot stand between single quotes as `\0ooo`, which `printf %b` turns back.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if needs_code(c) {
            out.push_str(&format!("\\0{:03o}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('\\');
    out.push_str(parts.next()?);
    for part in parts {
        let digits = part.strip_prefix('0')?.get(..3)?;
        let code = u8::from_str_radix(digits, 8).ok()?;
        out.push(char::from(code));
        out.push_str(part.get(4..)?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]
    use super::*;
    use crate::words::FirstWord;
    use proptest::prelude::*;
    use std::io::{Read as _, Write as _};
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Command, Output, Stdio};

    /// The shells of this machine that may be a login shell or `sh`.
    const SHELLS: [&[&str]; 3] = [&["dash"], &["bash"], &["busybox", "sh"]];

    fn start(shell: &[&str], rendered: &str, leads: Leads) -> Command {
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg("-c").arg(wrap(rendered));
        match leads {
            Leads::OwnGroup => {
                command.process_group(0);
            }
            Leads::Nothing => {}
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Leads {
        /// As under OpenSSH.
        OwnGroup,
        /// As under dropbear or a forced command.
        Nothing,
    }

    fn run(shell: &[&str], rendered: &str, leads: Leads) -> Output {
        // Standard input stays open until the command has ended, as a channel's does.
        let mut child = start(shell, rendered, leads).spawn().unwrap();
        let stdin = child.stdin.take();
        let group = child.id();
        let mut output = child.wait_with_output().unwrap();
        drop(stdin);
        let mut rest = Vec::new();
        let mut pass = |bytes: &[u8]| rest.extend_from_slice(bytes);
        let named = FirstWord::default().push(&output.stderr, &mut pass);
        assert_eq!(named, (leads == Leads::OwnGroup).then_some(group));
        output.stderr = rest;
        output
    }

    /// Waits as sshd does: the dead are reaped at once, the streams are read to their end beside that.
    fn reap(mut child: std::process::Child) -> (std::process::ExitStatus, Vec<u8>) {
        let mut stderr = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            text
        });
        let stdin = child.stdin.take();
        let status = child.wait().unwrap();
        let text = reader.join().unwrap();
        drop(stdin);
        (status, text)
    }

    #[test]
    fn status_and_streams_are_the_commands_own() {
        for shell in SHELLS {
            for leads in [Leads::OwnGroup, Leads::Nothing] {
                for code in [0, 1, 2, 126, 127, 129, 137, 255] {
                    let output = run(
                        shell,
                        &format!("echo out; echo err >&2; exit {code}"),
                        leads,
                    );
                    assert_eq!(output.status.code(), Some(code), "{shell:?}");
                    assert_eq!(output.stdout, b"out\n", "{shell:?}");
                    assert_eq!(output.stderr, b"err\n", "{shell:?}");
                }
                let status = run(shell, "kill -9 $$", leads).status;
                match leads {
                    Leads::OwnGroup => assert_eq!(status.signal(), Some(9), "{shell:?}"),
                    Leads::Nothing => assert_eq!(status.code(), Some(137), "{shell:?}"),
                }
            }
        }
    }

    #[test]
    fn the_command_reads_nothing_and_meets_no_pager() {
        let output = run(
            &["dash"],
            r#"cat; echo "$PAGER,$SYSTEMD_PAGER,$LESSSECURE,$0,$#""#,
            Leads::OwnGroup,
        );
        assert_eq!(output.stdout, b"cat,,1,sh,0\n");
    }

    #[test]
    fn the_command_sees_no_child_and_no_descriptor_of_the_wrapper() {
        let output = run(
            &["dash"],
            "exec python3 -c 'import os\ntry: os.wait()\nexcept ChildProcessError: print(sorted(map(int, os.listdir(\"/proc/self/fd\")))[:4])'",
            Leads::OwnGroup,
        );
        // The fourth is the listing's own.
        assert_eq!(String::from_utf8_lossy(&output.stdout), "[0, 1, 2, 3]\n");
    }

    #[test]
    fn every_character_arrives() {
        let text: String = (1..0x180)
            .filter_map(char::from_u32)
            .filter(|c| *c != '\'')
            .collect();
        for shell in SHELLS {
            let output = run(shell, &format!("printf %s '{text}'"), Leads::OwnGroup);
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text, "{shell:?}");
        }
        let output = run(
            &["bash"],
            r#"printf %s "it's \\ \"here\"!""#,
            Leads::OwnGroup,
        );
        assert_eq!(output.stdout, b"it's \\ \"here\"!");
    }

    #[test]
    fn the_word_end_ends_the_group_and_says_so() {
        for shell in SHELLS {
            for leads in [Leads::OwnGroup, Leads::Nothing] {
                let rendered = "sh -c 'trap : TERM; while :; do sleep 5; done' & sleep 300 & echo up; wait; sleep 300";
                let mut child = start(shell, rendered, leads).spawn().unwrap();
                let mut up = [0; 3];
                child.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
                child.stdin.as_mut().unwrap().write_all(END).unwrap();
                let (status, stderr) = reap(child);
                assert!(!status.success(), "{shell:?}");
                assert!(
                    stderr.ends_with(GONE),
                    "{shell:?} {:?}",
                    String::from_utf8_lossy(&stderr)
                );
            }
        }
    }

    #[test]
    fn a_group_is_ended_from_outside_with_what_ignores_the_first_signal() {
        for shell in SHELLS {
            let rendered = "sh -c 'trap : TERM; while :; do sleep 5; done' & exec sleep 300";
            let mut child = start(shell, rendered, Leads::OwnGroup).spawn().unwrap();
            let stdin = child.stdin.take();
            let ended = Command::new(shell[0])
                .args(&shell[1..])
                .arg("-c")
                .arg(ending(child.id()))
                .output();
            assert!(ended.unwrap().stderr.ends_with(GONE), "{shell:?}");
            assert!(!child.wait().unwrap().success());
            drop(stdin);
        }
    }

    #[test]
    fn the_end_of_input_ends_a_living_command_and_spares_what_a_finished_one_left() {
        let mut child = start(&["dash"], "echo up; sleep 300", Leads::OwnGroup)
            .spawn()
            .unwrap();
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 3])
            .unwrap();
        drop(child.stdin.take());
        assert!(reap(child).1.ends_with(GONE));

        let output = run(
            &["dash"],
            "sleep 30 >/dev/null 2>&1 & echo $!",
            Leads::OwnGroup,
        );
        let left = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        // The watcher got its end of input when `run` dropped the pipe; TERM would have been sent at
        // once, so a process that outlives a whole further run was spared.
        run(&["dash"], "sleep 1", Leads::OwnGroup);
        let alive = Command::new("kill").args(["-9", &left]).status().unwrap();
        assert!(alive.success());
    }

    #[test]
    fn on_a_socket_the_watcher_does_not_outlive_the_command() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let theirs = std::os::fd::OwnedFd::from(theirs);
        let mut child = Command::new("dash")
            .arg("-c")
            .arg(wrap("echo out; exit 7"))
            .process_group(0)
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = Vec::new();
        (&ours).read_to_end(&mut out).unwrap();
        assert_eq!(
            (out.as_slice(), child.wait().unwrap().code()),
            (&b"out\n"[..], Some(7))
        );
    }

    #[test]
    fn only_an_exec_text_of_the_gate_is_unwrapped() {
        let text = wrap("uptime");
        assert_eq!(unwrap_watched(&text).as_deref(), Some("uptime"));
        for other in [
            "uptime",
            "",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text} "),
        ] {
            assert_eq!(unwrap_watched(other), None);
        }
        // Not as this gate writes it: a quote that is no code, a code for a plain letter.
        assert_eq!(unwrap_watched(&text.replace("uptime", "up'time")), None);
        assert_eq!(unwrap_watched(&text.replace("uptime", "\\0165ptime")), None);
    }

    #[test]
    fn the_script_holds_nothing_that_a_login_shell_reads_within_single_quotes() {
        // A csh takes `!` for history, except before a blank.
        assert!(!SCRIPT.replace("$! ;", "").chars().any(needs_code));
        assert!(SCRIPT.contains(std::str::from_utf8(GONE).unwrap().trim_end()));
    }

    proptest! {
        #[test]
        fn unwrapping_is_the_exact_inverse(rendered in any::<String>()) {
            prop_assert_eq!(unwrap_watched(&wrap(&rendered)), Some(rendered));
        }
    }
}
