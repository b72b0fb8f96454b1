//! Secrets after a fixed word in configuration files and on consoles (`requirepass x`, `password 7 x`),
//! and in SQL (`IDENTIFIED BY 'x'`). Only words that introduce a secret on the same line.

use super::catalog::shipped;
use super::source::{Found, Label, Source, is_blank, is_word};
use super::values::{self, Form, Value, Written};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

const DIRECTIVE: Label<'static> = Label {
    rule: "directive",
    kind: "password",
};
const SQL: Label<'static> = Label {
    rule: "sql",
    kind: "password",
};

/// Words that may stand between a directive and its secret.
const SUB_WORDS: &[&str] = &[
    "ENC ",
    "ascii-text ",
    "ascii ",
    "hexadecimal ",
    "hex ",
    "encrypted ",
    "-String ",
];
/// Most of them in a row.
const SUB_WORDS_MAX: usize = 3;

/// Words after which a secret stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Directive {
    words: Vec<String>,
    /// What must begin their line.
    #[serde(default)]
    line: String,
    /// Whether that may stand anywhere in the line.
    #[serde(default)]
    anywhere: bool,
}

/// The literals by which directives are found, and SQL with them.
pub(super) fn starts() -> Vec<&'static str> {
    let mut starts: Vec<&str> = shipped()
        .directives
        .iter()
        .flat_map(|rule| rule.words.iter().map(String::as_str))
        .chain(["identified "])
        .collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The secret after the directive whose literal stands at `start`.
pub(super) fn at(source: Source<'_>, start: usize, literal: &str) -> Option<Found<'static>> {
    let after = start + literal.len();
    if is_word(source.before(start)) {
        return None;
    }
    if literal == "identified " {
        return identified(source, after);
    }
    let line = source.line_start(start, 256);
    // In `.netrc` the words of one entry may stand on lines of their own.
    let alone = source.slice(line, start).iter().all(|byte| is_blank(*byte));
    let from_line = if alone {
        source.line_start(line.saturating_sub(1), 256)
    } else {
        line
    };
    let head = source.str(from_line, start).to_ascii_lowercase();
    let fits = shipped()
        .directives
        .iter()
        .any(|rule| rule.words.iter().any(|word| word == literal) && rule.leads(&head));
    if !fits {
        return None;
    }
    let mut from = source.run(after, 64, is_blank);
    // Encryption types, `ENC` or sub-words before the secret.
    for _ in 0..SUB_WORDS_MAX {
        let typed = source.run(from, 2, |byte| byte.is_ascii_digit());
        if typed > from && is_blank(source.at(typed)) {
            from = source.run(typed, 64, is_blank);
        }
        if let Some(word) = SUB_WORDS.iter().find(|word| source.has(from, word)) {
            from = source.run(from + word.len(), 64, is_blank);
        }
    }
    let value = match values::quoted(source, from) {
        Some(value) => value,
        None => Value {
            start: from,
            end: source.run(from, 1_024, |byte| byte > b' ' && byte != b';'),
            form: Form::Bare,
        },
    };
    let length = value.end - value.start;
    let prose = literal.ends_with("password ")
        && values::begins_prose(source, value)
        && !head.contains("login ")
        && !head.contains("machine ");
    if length < 3
        || prose
        || source.at(value.start) == b'-'
        || values::is_placeholder(source, value, Written::Environment)
    {
        return None;
    }
    // Prose says "password for …"; a directive's word is followed by few others.
    Found::new(value.start, value.end, DIRECTIVE)
}

/// The words that directives are made of.
static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let rules = shipped().directives.iter();
    rules
        .flat_map(|rule| {
            rule.words
                .iter()
                .flat_map(|word| word.split_ascii_whitespace())
        })
        .collect()
});

/// The words that directives are made of.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().copied()
}

/// Whether a word is one of those that directives are made of.
pub(super) fn is_word_of_one(word: &str) -> bool {
    WORDS.contains(word)
        || (word.bytes().any(|byte| byte.is_ascii_uppercase())
            && WORDS.contains(word.to_ascii_lowercase().as_str()))
}

impl Directive {
    /// Whether a line begins as the directive wants.
    fn leads(&self, head: &str) -> bool {
        self.line.is_empty()
            || head.trim_start().starts_with(&self.line)
            || (self.anywhere && head.contains(&self.line))
    }
}

/// `IDENTIFIED BY 'x'`, `IDENTIFIED WITH plugin AS 'x'`.
fn identified(source: Source<'_>, after: usize) -> Option<Found<'static>> {
    let end = source.run(after, 96, |byte| {
        !matches!(byte, b'\'' | b'"' | b';' | b'\n')
    });
    let between = source.str(after, end).to_ascii_lowercase();
    let says = between
        .split_ascii_whitespace()
        .any(|word| word == "by" || word == "as");
    if !says {
        return None;
    }
    let value = match values::quoted(source, end) {
        Some(value) => value,
        None => {
            // Oracle writes the password bare.
            let start = source.run(after, 8, |byte| !is_blank(byte));
            let start = source.run(start, 8, is_blank);
            Value {
                start,
                end: source.run(start, 256, |byte| byte > b' ' && byte != b';'),
                form: Form::Bare,
            }
        }
    };
    if values::is_placeholder(source, value, Written::Environment) || value.end - value.start < 3 {
        return None;
    }
    Found::new(value.start, value.end, SQL)
}
