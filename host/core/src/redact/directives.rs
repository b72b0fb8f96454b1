//! Secrets after a fixed word in configuration files and on consoles (`requirepass x`, `password 7 x`),
//! and in SQL (`IDENTIFIED BY 'x'`). Only words that introduce a secret on the same line.

use super::catalog::shipped;
use super::source::{Found, Label, Source, is_blank, is_word};
use super::values::{self, Form, Value, Written};
use aho_corasick::AhoCorasick;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
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
    "md5 ",
    "encrypted ",
    "-String ",
    "--plaintext ",
    "--iscrypted ",
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

/// How far before a directive the beginning of its line is looked for, in bytes.
const HEAD_BYTES_MAX: usize = 256;

/// What may lead directives in a text, found in one pass when the first directive asks for it. Places come
/// in ascending order.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// Where they begin and which of [`ANYWHERE`] they are.
    found: Option<Vec<(usize, usize)>>,
    /// How many of them end before the last directive.
    passed: usize,
    /// The last place of each.
    last: Vec<Option<usize>>,
}

/// What may stand anywhere in a directive's line.
struct Anywhere {
    leads: Vec<String>,
    /// None where it could not be built; each is then looked for by itself.
    search: Option<AhoCorasick>,
}

static ANYWHERE: LazyLock<Anywhere> = LazyLock::new(|| {
    let rules = shipped().directives.iter();
    let mut leads: Vec<String> = rules
        .filter(|rule| rule.anywhere && !rule.line.is_empty())
        .map(|rule| rule.line.clone())
        .collect();
    leads.sort_unstable();
    leads.dedup();
    let search = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(&leads)
        .ok();
    Anywhere { leads, search }
});

impl Leads {
    /// Whether a lead that may stand anywhere stands between two places.
    fn stands(&mut self, source: Source<'_>, lead: &str, from: usize, to: usize) -> bool {
        let anywhere = &*ANYWHERE;
        let (Some(search), Some(index)) = (
            &anywhere.search,
            anywhere.leads.iter().position(|other| other == lead),
        ) else {
            return source.str(from, to).to_ascii_lowercase().contains(lead);
        };
        let found = self.found.get_or_insert_with(|| {
            let all = search.find_overlapping_iter(source.bytes());
            all.map(|found| (found.start(), found.pattern().as_usize()))
                .collect()
        });
        self.last.resize(anywhere.leads.len(), None);
        while let Some((start, which)) = found.get(self.passed)
            && anywhere
                .leads
                .get(*which)
                .is_some_and(|lead| start + lead.len() <= to)
        {
            if let Some(last) = self.last.get_mut(*which) {
                *last = Some(last.unwrap_or(0).max(*start));
            }
            self.passed += 1;
        }
        let last = self.last.get(index).copied().flatten();
        last.is_some_and(|last| last >= from)
    }
}

/// Whether a line begins with a lead, after blanks, between two places.
fn begins(source: Source<'_>, lead: &str, from: usize, to: usize) -> bool {
    let head = source.str(from, to).trim_start();
    head.get(..lead.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(lead))
}

/// The secret after the directive whose literal stands at `start`.
pub(super) fn at(
    source: Source<'_>,
    start: usize,
    literal: &str,
    leads: &mut Leads,
) -> Option<Found<'static>> {
    let after = start + literal.len();
    if is_word(source.before(start)) {
        return None;
    }
    if literal == "identified " {
        return identified(source, after);
    }
    let line = source.line_start(start, HEAD_BYTES_MAX);
    // In `.netrc` the words of one entry may stand on lines of their own.
    let alone = source.slice(line, start).iter().all(|byte| is_blank(*byte));
    let from_line = if alone {
        source.line_start(line.saturating_sub(1), HEAD_BYTES_MAX)
    } else {
        line
    };
    // What is cut within a character counts as empty.
    let cut = source.str(from_line, start).is_empty();
    let fits = BY_WORD.get(literal).into_iter().flatten().any(|rule| {
        rule.line.is_empty()
            || (!cut && begins(source, &rule.line, from_line, start))
            || (!cut && rule.anywhere && leads.stands(source, &rule.line, from_line, start))
    });
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
    if literal == "auth-pass " {
        // The name of what is watched stands between.
        from = source.run(from, 64, |byte| byte > b' ');
        from = source.run(from, 64, is_blank);
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
    let prose = literal.ends_with("password ") && values::begins_prose(source, value) && {
        let head = source.str(from_line, start).to_ascii_lowercase();
        !head.contains("login ") && !head.contains("machine ")
    };
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

/// The directives of each literal.
static BY_WORD: LazyLock<HashMap<&'static str, Vec<&'static Directive>>> = LazyLock::new(|| {
    let mut by_word: HashMap<&str, Vec<&Directive>> = HashMap::new();
    for rule in &shipped().directives {
        for word in &rule.words {
            by_word.entry(word).or_default().push(rule);
        }
    }
    by_word
});

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
