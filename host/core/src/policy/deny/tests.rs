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
    assert!(!DenySet::standard().is_empty());
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

#[test]
fn zz_scratch() {
    let Ok(path) = std::env::var("SCRATCH_CASES") else {
        return;
    };
    let set = DenySet::standard();
    for (command, must) in rows(&path) {
        match (must.as_str(), said(&set, &command)) {
            ("deny", Said::Refused(why)) => println!("OK hit    {command:?} ({why})"),
            ("deny", Said::NotRead) => println!("OK unread {command:?}"),
            ("allow", Said::Nothing) => println!("OK pass   {command:?}"),
            (_, Said::Nothing) => println!("BAD passes {command:?}"),
            (_, Said::Refused(why)) => println!("BAD refused {command:?} ({why})"),
            (_, Said::NotRead) => println!("BAD notread {command:?}"),
        }
    }
}
