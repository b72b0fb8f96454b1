//! Each bound: at it, and one past it.

use super::super::{REDIRECTIONS_MAX, SCRIPT_WORDS_MAX, Script, Word, parse};
use super::{check, refuses};
use crate::limits::{COMMAND_BYTES_MAX, SHELL_LEAVES_MAX, SHELL_WORDS_MAX};

#[test]
fn a_script_holds_its_budget_of_commands_and_no_more() {
    let most = vec!["a"; SHELL_LEAVES_MAX].join("; ");
    check(&most, &most);
    for joint in ["; ", " | ", " && ", "\n"] {
        let most = vec!["a"; SHELL_LEAVES_MAX].join(joint);
        assert!(parse(&most).is_ok());
        let over = format!("{most}{joint}a");
        refuses(&over, most.len() + joint.len(), "too_many_commands");
    }
}

#[test]
fn a_command_holds_its_budget_of_words_and_no_more() {
    let most = vec!["a"; SHELL_WORDS_MAX].join(" ");
    check(&most, &most);
    refuses(&format!("{most} a"), most.len() + 1, "too_many_words");
}

#[test]
fn a_script_holds_its_budget_of_words_and_no_more() {
    let words = vec!["a"; SCRIPT_WORDS_MAX];
    let lines: Vec<String> = words.chunks(500).map(|line| line.join(" ")).collect();
    let most = lines.join("\n");
    assert!(parse(&most).is_ok());
    refuses(&format!("{most} a"), most.len() + 1, "too_many_words");
}

#[test]
fn a_command_holds_its_budget_of_redirections_and_no_more() {
    let most = format!("a{}", " 2>&1".repeat(REDIRECTIONS_MAX));
    check(&most, &most);
    refuses(
        &format!("{most} 2>&1"),
        most.len() + 1,
        "too_many_redirections",
    );
}

#[test]
fn a_script_holds_its_budget_of_bytes_and_no_more() {
    let most = format!("echo {}", "a".repeat(COMMAND_BYTES_MAX - 5));
    check(&most, &most);
    refuses(&format!("{most}a"), COMMAND_BYTES_MAX, "too_long");
}

/// Bytes that a script keeps.
fn kept(script: &Script) -> usize {
    let word =
        |word: &Word| size_of::<Word>() + word.text.capacity() + size_of_val(word.glob_offsets());
    script
        .leaves()
        .iter()
        .map(|leaf| {
            size_of_val(leaf)
                + leaf.words.iter().map(word).sum::<usize>()
                + leaf.redirections.capacity() * 4
        })
        .sum()
}

#[test]
fn a_script_keeps_at_most_sixteen_times_the_longest_command() {
    let words = vec!["a"; SCRIPT_WORDS_MAX];
    let lines: Vec<String> = words.chunks(500).map(|line| line.join(" ")).collect();
    let globs = format!("a {}", "*".repeat(COMMAND_BYTES_MAX - 2));
    let quotes = format!("a {}", "'".repeat(COMMAND_BYTES_MAX - 2));
    for source in [lines.join("\n"), globs, quotes] {
        let script = parse(&source).unwrap();
        assert!(kept(&script) <= 16 * COMMAND_BYTES_MAX, "{}", kept(&script));
        assert!(script.render().len() <= 4 * source.len() + 2);
    }
}

#[test]
fn long_runs_of_one_byte_neither_overflow_nor_stall() {
    for unit in [
        "(", "{ ", "! ", "[", "$(", "\"", "'", "\\", "a|", "a&&", "<", ">", "#", "\n", "~", "{,",
        "1", "é",
    ] {
        let source = unit.repeat(COMMAND_BYTES_MAX / unit.len());
        match parse(&source) {
            Ok(script) => assert!(!script.leaves().is_empty()),
            Err(refusal) => assert!(refusal.offset <= source.len()),
        }
    }
}
