#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]
use super::*;
use crate::shell::{self, Script};
use serde_json::Value;

/// What a set says of a script.
enum Said {
    Nothing,
    Refused(String),
    NotRead,
}

fn said(set: &DenySet, command: &str) -> Said {
    let Ok(script) = shell::parse(command.trim()) else {
        return Said::NotRead;
    };
    of_script(set, &script)
}

fn of_script(set: &DenySet, script: &Script) -> Said {
    let mut whereabouts = Whereabouts::LOGIN;
    for leaf in script.leaves() {
        let subject = Subject {
            words: &leaf.words,
            redirections: &leaf.redirections,
            inherited: &leaf.inherited,
            assignments: &leaf.assignments,
            role: leaf.role,
            whereabouts: &whereabouts,
        };
        let found = each_command(&subject, &mut |inner| {
            set.hit(inner)
                .map(|hit| format!("{}: {}", hit.name, hit.why))
        });
        if let Some(found) = found {
            return Said::Refused(found);
        }
        whereabouts.pass(leaf);
    }
    Said::Nothing
}

fn rows(path: &str) -> Vec<(String, String)> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("command"), text("must"))
        })
        .collect()
}

#[test]
fn the_shipped_entries_are_well_formed() {
    let faults = read::shipped_faults();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(matches!(
        said(&DenySet::standard(), "uptime"),
        Said::Nothing
    ));
}

#[test]
fn the_rows_of_the_standard_set_hold_in_both_directions() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/cases/deny_commands.jsonl"
    );
    let set = DenySet::standard();
    let (mut wrong, mut denied, mut unread, mut allowed) = (Vec::new(), 0, 0, 0);
    for (command, must) in rows(path) {
        match (must.as_str(), said(&set, &command)) {
            ("deny", Said::Refused(_)) => denied += 1,
            ("deny", Said::NotRead) => unread += 1,
            ("allow", Said::Nothing) => allowed += 1,
            (_, Said::Nothing) => wrong.push(format!("passes:  {command}")),
            (_, Said::Refused(why)) => wrong.push(format!("refused: {command}  ({why})")),
            (_, Said::NotRead) => wrong.push(format!("refused: {command}  (not read)")),
        }
    }
    println!("denied {denied}, not read {unread}, allowed {allowed}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(denied + unread >= 300 && allowed >= 150);
}

fn own(yaml: &str) -> DenySet {
    let items: Vec<RawItem> = serde_yaml::from_str(yaml).unwrap();
    DenySet::read(&items).unwrap()
}

/// Which of the commands a set hits has to be exactly those that are marked.
fn check(yaml: &str, rows: &[(&str, bool)]) {
    let set = own(yaml);
    for (command, expected) in rows {
        let hit = match said(&set, command) {
            Said::Nothing => false,
            Said::Refused(_) => true,
            Said::NotRead => panic!("not read: {command}"),
        };
        assert_eq!(hit, *expected, "{command}");
    }
}

#[test]
fn a_flag_is_found_in_every_spelling() {
    check(
        "[{programs: [rm], flags: ['-r|-R|--recursive', '-f|--force']}]",
        &[
            ("rm -rf x", true),
            ("rm -f x -r", true),
            ("rm --rec --forc x", true),
            ("rm -r x", false),
            ("rm -f -- -r x", false),
            ("rm --r --f x", true),
            ("rm x", false),
            ("rm -v \"$x\" -f", true),
            ("rm -f 'r'", false),
        ],
    );
}

#[test]
fn the_value_of_an_option_is_no_operand_where_the_options_are_known() {
    check(
        "[{programs: [x], takes: [-n, --name], verbs: [stop]}]",
        &[
            ("x stop", true),
            ("x -n 5 stop", true),
            ("x -n5 stop", true),
            ("x --name=5 stop", true),
            ("x -n stop", false),
            ("x -v stop", true),
            ("x show stop", false),
            ("x -n 5 show stop", false),
            ("x \"$v\"", true),
        ],
    );
    check(
        "[{programs: [x], verbs: [stop]}]",
        &[("x --zone a stop", true), ("x a stop", false)],
    );
}

#[test]
fn a_program_is_known_by_its_base_name_and_its_version() {
    check(
        "[{programs: [python, 'mkfs.*']}]",
        &[
            ("python3.11 x", true),
            ("/usr/bin/python3 x", true),
            ("mkfs.ext4 x", true),
            ("mkfs x", false),
            ("python --version", false),
            ("python-config x", false),
        ],
    );
}

#[test]
fn a_place_is_compared_part_by_part() {
    check(
        "[{programs: [rm], paths: ['/data/*/live/**', '**/.keep', '!/data/a/live/tmp']}]",
        &[
            ("rm /data/a/live", true),
            ("rm /data/a/live/x/y", true),
            ("rm /data/a/b/../live", true),
            ("rm /data/a/live/tmp", false),
            ("rm /data/a/other", false),
            ("rm /data/live", false),
            ("rm /data/*/liv?", true),
            ("rm /data/*/dead", false),
            ("rm sub/.keep", true),
            ("rm sub/*", false),
            ("cd /data/a && rm live", true),
            ("cd /data/b && rm dead", false),
            ("cd \"$d\" && rm dead", true),
            ("rm ../x", true),
            ("rm x/../y", false),
        ],
    );
}

#[test]
fn a_word_of_a_wrapped_command_is_no_program() {
    let set = DenySet::standard();
    for command in [
        "sudo grep reboot /var/log/syslog",
        "timeout 5 systemctl status ssh",
        "watch grep reboot f",
        "xargs grep reboot",
        "nice -n 5 man shutdown",
    ] {
        assert!(matches!(said(&set, command), Said::Nothing), "{command}");
    }
}

#[test]
fn a_program_that_no_entry_names_passes() {
    // LIMIT: this is a tripwire; only rules that allow little are a boundary.
    assert!(matches!(
        said(&DenySet::standard(), "unheard-of --erase-everything /"),
        Said::Nothing
    ));
}

#[test]
fn commands_too_deep_inside_each_other_are_hit() {
    let deep = format!("{}uptime", "nice ".repeat(40));
    assert!(matches!(
        said(&DenySet::standard(), &deep),
        Said::Refused(_)
    ));
}

#[test]
fn a_set_that_cannot_be_read_hits_everything() {
    let broken = DenySet {
        parts: vec![Arc::new(Entries {
            unreadable: true,
            ..Entries::default()
        })],
    };
    assert!(matches!(said(&broken, "uptime"), Said::Refused(_)));
    assert!(matches!(said(&DenySet::default(), "reboot"), Said::Nothing));
}

#[test]
fn what_is_too_long_to_be_looked_through_counts_as_hit() {
    let set = own("[{programs: [x], words: ['*needle*']}, {programs: [y], paths: ['/data']}]");
    let hit = |command: &str| matches!(said(&set, command), Said::Refused(_));
    assert!(!hit(&format!("x {}", "a".repeat(2_048))));
    assert!(hit(&format!("x {}", "a".repeat(2_049))));
    assert!(!hit(&format!("y {}", "/a".repeat(64))));
    assert!(hit(&format!("y {}", "/a".repeat(65))));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_shipped_set_panic(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "rm", "-rf", "sudo", "find", "-exec", "sh", "-c", "'", "\"", "/", "*", "..", "~", "$x",
                " ", " ", " ", ";", "|", "cd", ">", "=", "--", "-", "[", "]", "{}", "+", "env", "xargs",
                "/proc/self/root", "é", "a",
            ]),
            0..40,
        )
    ) {
        let _ = said(&DenySet::standard(), &parts.concat());
    }
}
