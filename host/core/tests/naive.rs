//! A second implementation of the rules, as plain as it can be, against the first: random policies and
//! commands, half of them near misses of a rule, and both have to say the same of each.
//!
//! It shares with the first one the recogniser and nothing else: the policy is read as a JSON value, patterns
//! are tried word by word and character by character, and nothing is prepared. Programs have no profile and
//! run nothing, so that words alone decide.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "naive/evaluator.rs"]
mod evaluator;
#[path = "naive/generator.rs"]
mod generator;

use generator::Random;
use portcullis_core::config;
use portcullis_core::inventory::{Host, LoginShell};
use portcullis_core::request::{Alias, CommandLine};
use portcullis_core::shell;

/// Policies, and commands for each of them, in the test and in a soak.
const POLICIES: (usize, usize) = (200, 12_000);
const COMMANDS: usize = 100;

fn host() -> Host {
    Host {
        alias: Alias::parse("web1").unwrap(),
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: vec!["web".to_owned(), "db".to_owned()],
        description: String::new(),
        shell: LoginShell::Posix,
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    }
}

#[test]
fn soak_a_naive_evaluator_says_the_same() {
    let host = host();
    let tags: Vec<&str> = host.tags.iter().map(String::as_str).collect();
    let seed = std::env::var("PORTCULLIS_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    let mut random = Random(seed);
    let policies = match std::env::var_os("PORTCULLIS_SOAK") {
        Some(_) => POLICIES.1,
        None => POLICIES.0,
    };
    let (mut pairs, mut allowed, mut unread) = (0_usize, 0_usize, 0_usize);
    for _ in 0..policies {
        let value = generator::policy(&mut random);
        let (mut policy, _) = config::policy(&value.to_string())
            .unwrap_or_else(|faults| panic!("{value}: {faults:?}"));
        if random.one_in(2) {
            policy.prepare([&host].into_iter());
        }
        for _ in 0..COMMANDS {
            let command = generator::command(&mut random, &value);
            let Ok(line) = CommandLine::parse(&command) else {
                continue;
            };
            let Ok(script) = shell::parse(line.as_str()) else {
                unread += 1;
                continue;
            };
            let judgement = policy.judge(&host, &line, &script);
            let said = judgement.refusal.is_none();
            let expected = evaluator::allows(&value, host.alias.as_str(), &tags, &line, &script);
            assert_eq!(
                said, expected,
                "PORTCULLIS_SEED={seed}\npolicy: {value}\ncommand: {command}\nthe core: {:?}",
                judgement.refusal
            );
            pairs += 1;
            allowed += usize::from(said);
        }
    }
    eprintln!("{pairs} pairs, {allowed} allowed, {unread} commands not read");
    assert!(pairs > policies * COMMANDS / 2, "{pairs}");
    assert!(
        (pairs / 10..pairs * 9 / 10).contains(&allowed),
        "{allowed} of {pairs} are allowed: the test has gone blind"
    );
}
