//! Claims about the table of wrappers: a command in, the place of what it runs out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;

/// What a command runs in the end, through all its wrappers.
#[derive(Debug, PartialEq, Eq)]
enum Inner {
    Nothing,
    At(usize),
    Whole,
    Unseen,
}

fn inner(words: &[Word]) -> Inner {
    match look(words) {
        Look::Nothing => Inner::Nothing,
        Look::Unseen => Inner::Unseen,
        Look::Spelled(at, _) if at + 1 == words.len() => Inner::Whole,
        Look::Spelled(at, _) => Inner::At(at),
        Look::Runs(runs) => {
            let run = runs.last().unwrap();
            match inner(&run.words) {
                Inner::Nothing => Inner::At(run.at),
                Inner::At(deeper) => Inner::At(run.at + deeper),
                other => other,
            }
        }
    }
}

/// Words stand between blanks; a `_` is a blank inside a word. Everything is quoted, so nothing
/// in a word is syntax.
fn of(line: &str) -> Inner {
    let quoted: Vec<String> = line
        .split(' ')
        .map(|text| format!("'{}'", text.replace('_', " ")))
        .collect();
    let script = crate::shell::parse(&quoted.join(" ")).unwrap();
    inner(&script.leaves()[0].words)
}

#[test]
fn every_program_stands_in_the_table_once() {
    for (index, wrapper) in WRAPPERS.iter().enumerate() {
        assert!(!wrapper.why.is_empty());
        let first = WRAPPERS.iter().position(|other| other.name == wrapper.name);
        assert_eq!(first, Some(index), "{}", wrapper.name);
    }
}

#[test]
fn an_ordinary_program_runs_nothing_else() {
    for line in [
        "ls -la",
        "uptime",
        "systemctl restart sudo",
        "echo sh -c id",
    ] {
        assert_eq!(of(line), Inner::Nothing, "{line}");
    }
}

#[test]
fn the_inner_program_is_found_behind_options() {
    for (line, expected) in [
        ("sudo id", Inner::At(1)),
        ("/usr/bin/sudo id", Inner::At(1)),
        ("sudo -u app -n id", Inner::At(4)),
        ("sudo -uapp id", Inner::At(2)),
        ("sudo --user app id", Inner::At(3)),
        ("sudo --user=app id", Inner::At(2)),
        ("sudo PATH=x id", Inner::At(2)),
        ("sudo -- id", Inner::At(2)),
        ("env A=1 B=2 id", Inner::At(3)),
        ("nice -n 5 id", Inner::At(3)),
        ("nice -5 id", Inner::At(2)),
        ("timeout -k 1 5 id", Inner::At(4)),
        ("timeout 5 id", Inner::At(2)),
        ("xargs -n 1 id", Inner::At(3)),
        ("busybox ls", Inner::At(1)),
        ("source /etc/profile", Inner::Whole),
        ("python3 /opt/x.py a", Inner::At(1)),
        ("python3.11 /opt/x.py", Inner::Whole),
    ] {
        assert_eq!(of(line), expected, "{line}");
    }
}

#[test]
fn wrappers_are_followed_through_wrappers() {
    assert_eq!(of("sudo env A=1 nice id"), Inner::At(4));
    assert_eq!(of("sudo sh -c id_x"), Inner::At(3));
    assert_eq!(of("sudo bash -ec id_x"), Inner::At(3));
    assert_eq!(of("sudo zsh -c id_x"), Inner::Whole);
    assert_eq!(of("sudo sh"), Inner::Unseen);
    assert_eq!(of("busybox sh -c id_x"), Inner::At(3));
    assert_eq!(of("sudo env"), Inner::At(1));
}

#[test]
fn an_unknown_option_has_to_be_spelled_with_everything_else() {
    for line in [
        "sudo -s id",
        "sudo -i",
        "sudo --xyz id",
        "env -S id",
        "time -o x id",
    ] {
        assert_eq!(of(line), Inner::Whole, "{line}");
    }
}

#[test]
fn a_program_that_reads_its_commands_is_never_seen_through() {
    for line in [
        "bash",
        "sh -s",
        "python3 -",
        "su",
        "chroot /x",
        "sudo bash",
        "bash -i",
    ] {
        assert_eq!(of(line), Inner::Unseen, "{line}");
    }
}

#[test]
fn what_is_handed_to_a_shell_has_to_be_spelled_whole() {
    for line in [
        "sh -xyz -c id",
        "sh -c if",
        "eval id",
        "flock /tmp/l id",
        "strace -f id",
        "watch ls",
        "ssh h ls",
        "su -c id",
        "python3 -c x",
    ] {
        assert_eq!(of(line), Inner::Whole, "{line}");
    }
}

#[test]
fn xargs_hands_unseen_words_to_a_wrapper() {
    assert_eq!(of("xargs sh"), Inner::Whole);
    assert_eq!(of("xargs env"), Inner::Whole);
    assert_eq!(of("xargs -0 rm"), Inner::At(2));
    assert_eq!(of("xargs"), Inner::Nothing);
}

#[test]
fn a_question_runs_nothing() {
    for line in [
        "command -v nginx",
        "sudo -l",
        "python3 --version",
        "python3 -V",
        "bash --version",
        "numactl --hardware",
        "numactl -s",
        "sudo -v",
        "env",
        "nice",
        "time",
        "ssh -V",
    ] {
        assert_eq!(of(line), Inner::Nothing, "{line}");
    }
}

/// As [`of`], without quotes: a `*` is a glob.
fn bare(line: &str) -> Inner {
    let script = crate::shell::parse(line).unwrap();
    inner(&script.leaves()[0].words)
}

#[test]
fn a_glob_that_may_become_a_command_or_an_action_is_unseen() {
    for line in [
        "env -u /usr/bin/i?",
        "xargs -n /usr/bin/i?",
        "find *",
        "find /x -exe?",
        "find /x [-]delete",
    ] {
        assert_eq!(bare(line), Inner::Unseen, "{line}");
    }
    for line in ["timeout *", "sudo -u * id", "xargs -a /usr/bin/i?"] {
        assert_ne!(bare(line), Inner::Nothing, "{line}");
    }
    for line in [
        "find /var/log/*.log -mtime 1",
        "awk '{print $1}' /var/log/*.log",
    ] {
        assert_eq!(bare(line), Inner::Nothing, "{line}");
    }
}

#[test]
fn a_long_option_with_its_value_attached_must_be_known() {
    for line in [
        "env --split-string=id",
        "strace --output=|id ls",
        "time --output=/etc/x ls",
        "sudo --xyz=1 id",
    ] {
        assert_eq!(of(line), Inner::Whole, "{line}");
    }
    assert_eq!(of("sudo --preserve-env=LANG id"), Inner::At(2));
    assert_eq!(of("xargs --max-args=1 ls"), Inner::At(2));
    assert_eq!(of("env - id"), Inner::At(2));
}

#[test]
fn a_clause_ends_where_every_implementation_ends_it() {
    assert_eq!(of("find /x -exec env -u + id ;"), Inner::Whole);
    assert_eq!(of("find /x -ok env -u {} + id ;"), Inner::Whole);
    assert_eq!(of("find /x -exec ls {} + -exec id ;"), Inner::At(7));
    assert_eq!(of("find /x -exec echo -delete ;"), Inner::At(3));
}

#[test]
fn an_option_that_no_interpreter_must_know_is_not_a_question() {
    assert_eq!(of("tclsh --version"), Inner::Whole);
    assert_eq!(of("csh --help"), Inner::Whole);
    assert_eq!(of("deno run /tmp/x"), Inner::Whole);
    assert_eq!(of("perl --version"), Inner::Nothing);
}
