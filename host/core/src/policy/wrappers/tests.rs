//! Claims about the table of wrappers: a command in, the place of what it runs out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;

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
        ("flock /tmp/l id", Inner::At(2)),
        ("xargs -n 1 id", Inner::At(3)),
        ("busybox ls", Inner::At(1)),
        ("source /etc/profile", Inner::At(1)),
        ("python3 /opt/x.py a", Inner::At(1)),
        ("python3.11 /opt/x.py", Inner::At(1)),
    ] {
        assert_eq!(of(line), expected, "{line}");
    }
}

#[test]
fn wrappers_are_followed_through_wrappers() {
    assert_eq!(of("sudo env A=1 nice id"), Inner::At(4));
    assert_eq!(of("sudo sh -c id"), Inner::Whole);
    assert_eq!(of("sudo sh"), Inner::Unseen);
    assert_eq!(of("busybox sh -c id"), Inner::Whole);
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
        "sh -c id",
        "eval id",
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
    assert_eq!(of("xargs sh"), Inner::Unseen);
    assert_eq!(of("xargs env"), Inner::Unseen);
    assert_eq!(of("xargs -0 rm"), Inner::At(2));
    assert_eq!(of("xargs"), Inner::Nothing);
}

#[test]
fn find_is_a_reader_until_a_word_makes_it_act() {
    assert_eq!(of("find /x -name y"), Inner::Nothing);
    assert_eq!(of("find /x -delete"), Inner::At(2));
    assert_eq!(of("find /x -exec rm {} ;"), Inner::At(3));
    assert_eq!(of("find /x -exec ls {} ; -delete"), Inner::At(6));
    assert_eq!(of("find /x -exec sh -c id ;"), Inner::Whole);
    assert_eq!(of("find /x -fprintf /etc/y z"), Inner::At(2));
}

#[test]
fn awk_is_a_reader_until_its_text_acts() {
    for line in [
        "awk {print_$1} /etc/hosts",
        "awk -F| {print_$1}",
        "awk $3_>_80_{print_$1}",
        "awk $1||$2",
    ] {
        assert_eq!(of(line), Inner::Nothing, "{line}");
    }
    for line in [
        "awk BEGIN{system(\"id\")}",
        "awk {print_>_\"/etc/x\"}",
        "awk {print|\"sh\"}",
        "awk -f /tmp/x",
        "awk {\"id\"|getline}",
        "gawk @load_\"x\"",
    ] {
        assert_eq!(of(line), Inner::Whole, "{line}");
    }
}

#[test]
fn a_question_runs_nothing() {
    for line in [
        "command -v nginx",
        "sudo -l",
        "python3 --version",
        "python3 -V",
        "bash --version",
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
        "flock /usr/bin/i?",
        "timeout *",
        "xargs -a /usr/bin/i?",
        "find *",
        "find /x -exe?",
        "find /x [-]delete",
    ] {
        assert_eq!(bare(line), Inner::Unseen, "{line}");
    }
    assert_eq!(bare("awk *"), Inner::Whole);
    assert_eq!(bare("awk -v * x"), Inner::Whole);
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
fn wrappers_inside_each_other_are_looked_through_in_bounded_work() {
    // Without the bounds these would take two to the power of their words.
    assert_eq!(of(&"find -exec ".repeat(200)), Inner::Whole);
    assert_eq!(of(&"find -exec ls {} + ".repeat(100)), Inner::At(497));
    assert_eq!(of(&"env ".repeat(500)), Inner::Whole);
}

#[test]
fn a_clause_ends_where_every_implementation_ends_it() {
    assert_eq!(of("find /x -exec env -u + id ;"), Inner::Whole);
    assert_eq!(of("find /x -ok env -u {} + id ;"), Inner::Whole);
    assert_eq!(of("find /x -exec ls {} + -delete"), Inner::At(6));
    assert_eq!(of("find /x -exec echo -delete ;"), Inner::At(3));
}

#[test]
fn an_option_that_no_interpreter_must_know_is_not_a_question() {
    assert_eq!(of("tclsh --version"), Inner::Whole);
    assert_eq!(of("csh --help"), Inner::Whole);
    assert_eq!(of("deno run /tmp/x"), Inner::Whole);
    assert_eq!(of("perl --version"), Inner::Nothing);
}

#[test]
fn awk_cannot_hide_what_it_writes_or_runs() {
    for line in [
        "awk BEGIN{print_\"a;b\"_>_\"/x\"}",
        "awk BEGIN{print_\"print;\"_>_\"/x\"}",
        "awk BEGIN{print_/;/_>_\"/x\"}",
        "awk BEGIN{printf_\"}\",1_|_\"sh\"}",
        "awk BEGIN{print_\"\\\";\"_>_\"/x\"}",
        "awk 1system(\"id\")",
        "awk system_(\"id\")",
        "gawk -o/tmp/x 1",
        "awk -bf /tmp/x",
        "awk -- BEGIN{system(\"id\")}",
    ] {
        assert_eq!(of(line), Inner::Whole, "{line}");
    }
    assert_eq!(bare("awk 'BEGIN{print \"a\" \\\n > \"/x\"}'"), Inner::Whole);
    for line in [
        "awk {print_$1} /var/log/system.log a@b",
        "awk /systemd|cron/{print}",
        "awk /Filesystem/",
        "awk {print_$1/1024}",
        "awk -F: -vx=1 {print_x;}_$3>5",
    ] {
        assert_eq!(of(line), Inner::Nothing, "{line}");
    }
}
