//! Two corpora of commands, both ways: what attacks is refused and what is harmless passes, under broad
//! rules that a hurried operator writes. The second corpus was written without sight of the rules' data.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test"
)]

use portcullis_core::config;
use portcullis_core::inventory::Host;
use portcullis_core::policy::Policy;
use portcullis_core::request::{Alias, CommandLine};
use portcullis_core::shell;
use serde_json::Value;
use std::collections::HashMap;

/// The corpora, by name.
const CORPORA: [(&str, &str); 2] = [
    ("given", include_str!("../../../tests/cases/commands.jsonl")),
    (
        "own",
        include_str!("../../../tests/cases/own-commands.jsonl"),
    ),
];
/// What a review tried, under the same policies or with broad globs for whatever the rows name.
const REVIEW: &str = include_str!("../../../tests/cases/review-commands.jsonl");
const POLICIES: &str = include_str!("../../../tests/cases/command-policies.json");

struct Row {
    id: String,
    command: String,
    hint: String,
    allowed: bool,
}

fn rows(corpus: &str) -> Vec<Row> {
    let (_, rows) = CORPORA.iter().find(|(name, _)| *name == corpus).unwrap();
    read(rows)
}

fn read(rows: &str) -> Vec<Row> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| Row {
            id: text(&row, "id"),
            command: text(&row, "command"),
            hint: text(&row, "policy_hint"),
            allowed: row["must"] == "allow",
        })
        .collect()
}

fn policy(name: &str) -> Policy {
    let all: Value = serde_json::from_str(POLICIES).unwrap();
    load(name, &all[name]["policy"])
}

fn load(name: &str, policy: &Value) -> Policy {
    let text = policy.to_string();
    let (mut policy, _) =
        config::policy(&text).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
    policy.prepare([&host()].into_iter());
    policy
}

fn host() -> Host {
    Host {
        alias: Alias::parse("web1").unwrap(),
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: Vec::new(),
        description: String::new(),
        shell: portcullis_core::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    }
}

/// Why a command is refused, if it is.
fn refusal(policy: &Policy, command: &str) -> Option<String> {
    let line = match CommandLine::parse(command) {
        Ok(line) => line,
        Err(fault) => return Some(fault.to_string()),
    };
    match shell::parse(line.as_str()) {
        Ok(script) => policy
            .judge(&host(), &line, &script)
            .refusal
            .map(|refusal| refusal.detail),
        Err(fault) => Some(fault.to_string()),
    }
}

/// The programs that a policy's rules list, by their first word.
fn listed(name: &str) -> Vec<String> {
    let all: Value = serde_json::from_str(POLICIES).unwrap();
    let rules = all[name]["policy"]["rules"].as_array().unwrap().clone();
    let commands = rules
        .iter()
        .flat_map(|rule| rule["commands"].as_array().unwrap().clone());
    commands
        .map(|text| {
            let text = text.as_str().unwrap();
            let first = text.split(' ').next().unwrap();
            first.trim_end_matches('*').to_owned()
        })
        .collect()
}

/// Every program of a harmless command.
fn programs(command: &str) -> Vec<String> {
    shell::parse(command).map_or_else(
        |_| Vec::new(),
        |script| {
            let leaves = script.leaves().iter();
            leaves.map(|leaf| leaf.program().to_owned()).collect()
        },
    )
}

/// Prints what went wrong and counts it.
fn misses(what: &str, wrong: &[(String, String)], of: usize) -> usize {
    println!("{what}: {} of {of} wrong", wrong.len());
    for (row, why) in wrong {
        println!("  {row}  -- {why}");
    }
    wrong.len()
}

fn attacks_let_through(corpus: &str, name: &str, hint: &str) -> (Vec<(String, String)>, usize) {
    let policy = policy(name);
    let attacks: Vec<Row> = rows(corpus)
        .into_iter()
        .filter(|row| row.hint == hint && !row.allowed)
        .collect();
    let wrong = attacks
        .iter()
        .filter(|row| refusal(&policy, &row.command).is_none())
        .map(|row| {
            (
                format!("{} {:?}", row.id, row.command),
                "allowed".to_owned(),
            )
        })
        .collect();
    (wrong, attacks.len())
}

fn harmless_refused(corpus: &str, name: &str, only_listed: bool) -> (Vec<(String, String)>, usize) {
    let policy = policy(name);
    let listed = listed(name);
    let harmless: Vec<Row> = rows(corpus)
        .into_iter()
        .filter(|row| row.allowed && (row.hint == "allow:ops" || !only_listed))
        .filter(|row| {
            !only_listed
                || programs(&row.command)
                    .iter()
                    .all(|program| listed.contains(program))
        })
        .collect();
    let wrong = harmless
        .iter()
        .filter_map(|row| {
            refusal(&policy, &row.command).map(|why| (format!("{} {:?}", row.id, row.command), why))
        })
        .collect();
    (wrong, harmless.len())
}

#[test]
fn attacks_on_broad_read_only_rules_are_refused() {
    let mut let_through = 0;
    for (corpus, least) in [("given", 90), ("own", 950)] {
        for name in ["allow:ro", "allow:ops"] {
            let (wrong, of) = attacks_let_through(corpus, name, "allow:ro");
            assert!(of >= least);
            let_through += misses(&format!("{corpus}: attacks on {name}"), &wrong, of);
        }
    }
    assert_eq!(let_through, 0);
}

/// What looks harmless and needs a grant that these rules do not give; each row says which.
#[test]
fn what_needs_a_grant_of_its_own_is_refused() {
    let mut let_through = 0;
    for (name, least) in [("allow:ops", 20), ("deny:cmd", 50)] {
        let (wrong, of) = attacks_let_through("own", name, name);
        assert!(of >= least);
        let_through += misses(&format!("own: not granted by {name}"), &wrong, of);
    }
    assert_eq!(let_through, 0);
}

#[test]
fn harmless_commands_pass_broad_rules() {
    let mut refused = 0;
    for (corpus, least) in [("given", 80), ("own", 1500)] {
        let (wrong, of) = harmless_refused(corpus, "allow:ops", true);
        assert!(of >= least);
        refused += misses(&format!("{corpus}: harmless under allow:ops"), &wrong, of);
    }
    assert_eq!(refused, 0);
}

#[test]
fn harmless_commands_whose_programs_are_listed_pass_the_read_only_rules() {
    let mut refused = 0;
    for (corpus, least) in [("given", 40), ("own", 800)] {
        let (mut wrong, of) = harmless_refused(corpus, "allow:ro", true);
        // These rules name a program's arguments too (`cat /var/log/*`, `mount`), so they are narrower.
        wrong.retain(|(row, _)| !row.contains("cat "));
        assert!(of >= least);
        refused += misses(&format!("{corpus}: harmless under allow:ro"), &wrong, of);
    }
    assert_eq!(refused, 0);
}

#[test]
fn the_standard_set_refuses_what_destroys_and_lets_all_else_through() {
    let mut too_many = Vec::new();
    for (corpus, attacks, harmless) in [("given", 270, 100), ("own", 1800, 1900)] {
        // With the texts of a usual list, and the set alone.
        for name in ["deny:std", "deny:cmd"] {
            let (wrong, of) = attacks_let_through(corpus, name, "deny:std");
            assert!(of >= attacks);
            let let_through = misses(&format!("{corpus}: destruction under {name}"), &wrong, of);
            if let_through * 100 > of * 3 {
                too_many.push((corpus, name));
            }
        }
        let (wrong, of) = harmless_refused(corpus, "deny:cmd", false);
        assert!(of >= harmless);
        if misses(&format!("{corpus}: harmless under deny:cmd"), &wrong, of) > 0 {
            too_many.push((corpus, "harmless"));
        }
    }
    assert_eq!(too_many, []);
}

/// What texts alone refuse; a figure, not a promise.
#[test]
fn texts_alone_are_a_tripwire_with_holes() {
    let all: Value = serde_json::from_str(POLICIES).unwrap();
    let mut text = all["deny:std"]["policy"].clone();
    text.as_object_mut().unwrap().remove("deny_commands");
    let (policy, _) = config::policy(&text.to_string()).unwrap();
    let attacks: Vec<Row> = rows("given")
        .into_iter()
        .filter(|row| row.hint == "deny:std")
        .collect();
    let by_text = |row: &&Row| {
        let refused = refusal(&policy, &row.command);
        refused.is_some_and(|why| why.contains("denied text"))
    };
    let refused = attacks.iter().filter(by_text).count();
    println!("texts alone: {refused} of {} refused", attacks.len());
    assert!(refused < attacks.len());
}

/// A broad glob for every program that the rows run, but for what stands for any other program.
fn wide(rows: &[Row]) -> Policy {
    let mut globs: Vec<String> = rows
        .iter()
        .flat_map(|row| programs(&row.command))
        .filter(|name| !name.is_empty() && !name.contains(['/', '$', '`']) && name != "evil")
        .map(|name| format!("{name} *"))
        .collect();
    globs.sort();
    globs.dedup();
    let policy = serde_json::json!({
        "limits": {"deny_substrings": []},
        "rules": [{"action": "allow", "commands": globs}],
    });
    load("wide", &policy)
}

#[test]
fn what_the_review_tried_is_refused_and_its_neighbours_pass() {
    let rows = read(REVIEW);
    assert!(rows.len() >= 300);
    let wide = wide(&rows);
    let harmless = rows.iter().filter(|row| row.allowed);
    let wrong: Vec<_> = harmless
        .clone()
        .filter_map(|row| {
            refusal(&wide, &row.command).map(|why| (format!("{} {:?}", row.id, row.command), why))
        })
        .collect();
    assert_eq!(misses("review harmless", &wrong, harmless.count()), 0);
    for (name, policy) in [
        ("wide", wide),
        ("allow:ro", policy("allow:ro")),
        ("allow:ops", policy("allow:ops")),
    ] {
        let meant = |row: &&Row| !row.allowed && (name == "wide" || row.hint == "allow:ro");
        let attacks = rows.iter().filter(meant);
        let wrong: Vec<_> = attacks
            .clone()
            .filter(|row| refusal(&policy, &row.command).is_none())
            .map(|row| {
                (
                    format!("{} {:?}", row.id, row.command),
                    "allowed".to_owned(),
                )
            })
            .collect();
        assert_eq!(
            misses(&format!("review attacks, {name}"), &wrong, attacks.count()),
            0
        );
    }
}

#[test]
fn each_policy_hint_of_the_corpora_is_known() {
    for (corpus, _) in CORPORA {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for row in rows(corpus) {
            *counts.entry(row.hint).or_default() += 1;
        }
        let mut names: Vec<&String> = counts.keys().collect();
        names.sort();
        assert_eq!(names, ["allow:ops", "allow:ro", "deny:cmd", "deny:std"]);
    }
}
