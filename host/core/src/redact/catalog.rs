//! The shipped rules as far as they are data, read from `data/rules.yml`, and the list of all rules with
//! their kinds and classes.
//!
//! Must not: look at a text.

use super::commands::{Command, Position};
use super::directives::Directive;
use super::options::{Class, RuleInfo};
use super::printed::Printer;
use super::tokens::{Inner, Token, TokenRow};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The file.
const RULES: &str = include_str!("data/rules.yml");

/// Everything that the file says.
#[derive(Debug, Default)]
pub(super) struct Shipped {
    pub(super) tokens: Vec<Token>,
    pub(super) inner: Vec<Inner>,
    pub(super) names: Names,
    pub(super) commands: Vec<Command>,
    pub(super) positions: Vec<Position>,
    pub(super) piped: Vec<String>,
    pub(super) printers: Vec<Printer>,
    pub(super) directives: Vec<Directive>,
    pub(super) hashes: Vec<String>,
    pub(super) schemes: Vec<String>,
    /// The rules that are code, by name.
    pub(super) coded: Vec<Coded>,
    /// What is wrong with the file. A test holds that nothing is.
    pub(super) fault: Option<String>,
}

/// A rule that is code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Coded {
    pub(super) name: String,
    pub(super) kinds: Vec<String>,
    #[serde(default)]
    pub(super) class: RawClass,
    pub(super) about: String,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawClass {
    #[default]
    Secret,
    Pii,
}

impl RawClass {
    pub(super) fn class(self) -> Class {
        match self {
            Self::Secret => Class::Secret,
            Self::Pii => Class::Pii,
        }
    }
}

/// What names of settings say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub(super) nouns: Vec<Noun>,
    pub(super) about: BTreeSet<String>,
    pub(super) not_pass: BTreeSet<String>,
    pub(super) perhaps: BTreeSet<String>,
}

/// A noun for secrets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noun {
    pub(super) noun: String,
    pub(super) kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    tokens: Vec<TokenRow>,
    inner: Vec<Inner>,
    names: Names,
    commands: Vec<Command>,
    positions: Vec<Position>,
    piped: Vec<String>,
    printers: Vec<Printer>,
    directives: Vec<Directive>,
    hashes: Vec<String>,
    schemes: Vec<String>,
    coded: Vec<Coded>,
}

static SHIPPED: LazyLock<Shipped> = LazyLock::new(|| read(RULES));

/// Reads the file. What cannot be read gives no rules and says so: a redactor over it withholds everything.
pub(super) fn read(text: &str) -> Shipped {
    match serde_yaml::from_str::<RawFile>(text) {
        Ok(raw) => Shipped {
            tokens: raw.tokens.iter().flat_map(TokenRow::tokens).collect(),
            inner: raw.inner,
            names: raw.names,
            commands: raw.commands,
            positions: raw.positions,
            piped: raw.piped,
            printers: raw.printers,
            directives: raw.directives,
            hashes: raw.hashes,
            schemes: raw.schemes,
            coded: raw.coded,
            fault: None,
        },
        Err(error) => Shipped {
            fault: Some(error.to_string()),
            ..Shipped::default()
        },
    }
}

/// The shipped rules, read once.
pub(super) fn shipped() -> &'static Shipped {
    &SHIPPED
}

/// Every shipped rule, by name.
pub(super) fn rules() -> Vec<RuleInfo> {
    let shipped = shipped();
    let token = |name: &str, kind: &str, about: String| RuleInfo {
        name: name.to_owned(),
        kinds: vec![kind.to_owned()],
        class: Class::Secret,
        about,
    };
    let mut rules: Vec<RuleInfo> = Vec::new();
    for row in &shipped.tokens {
        match rules.last_mut().filter(|last| last.name == row.name) {
            Some(last) => {
                last.about.push_str(", ");
                last.about.push_str(&row.prefix);
            }
            None => rules.push(token(
                &row.name,
                &row.kind,
                format!("begins with {}", row.prefix),
            )),
        }
    }
    for row in &shipped.inner {
        rules.push(token(&row.name, &row.kind, format!("holds {}", row.mark)));
    }
    for row in &shipped.coded {
        rules.push(RuleInfo {
            name: row.name.clone(),
            kinds: row.kinds.clone(),
            class: row.class.class(),
            about: row.about.clone(),
        });
    }
    rules
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_shipped_rules_are_read_and_named_once() {
        assert_eq!(shipped().fault, None);
        assert!(shipped().tokens.len() > 150, "{}", shipped().tokens.len());
        let mut names: Vec<String> = rules().into_iter().map(|rule| rule.name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
