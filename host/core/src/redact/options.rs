//! What an operator may choose of redaction, as plain values: classes, kinds and rules switched on or off,
//! rules of their own. Where the values come from (keys of `policy.yml`) is not this room's business.

use super::tokens::{Body, Checksum};
use std::collections::BTreeMap;

/// Most rules that an operator may add.
pub const OWN_RULES_MAX: usize = 256;
/// Longest text of one part of a rule (prefix, word, pattern), in bytes.
pub const OWN_TEXT_BYTES_MAX: usize = 1_024;
/// Most words, names or programs of one rule.
pub const OWN_WORDS_MAX: usize = 64;
/// Shortest word, prefix or mark, in bytes: a shorter one would stand in every line.
pub const OWN_TEXT_BYTES_MIN: usize = 3;

/// A class of rules, which is switched as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Credentials: what opens something. On unless switched off.
    Secret,
    /// Personal data: cards, account numbers, mail addresses. Off unless switched on.
    Pii,
}

impl Class {
    /// `secret` or `pii`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Pii => "pii",
        }
    }
}

/// What one gate, host or tag wants of redaction. The default is every rule of class `secret`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedactionOptions {
    /// Names of classes, kinds or rules that are switched on. A rule's name says more than its kind, a
    /// kind more than its class; what says more wins, whichever way it switches.
    pub enable: Vec<String>,
    /// Names of classes, kinds or rules that are switched off.
    pub disable: Vec<String>,
    /// Rules of the operator's own.
    pub rules: Vec<RuleSpec>,
}

/// A rule of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// Its name. *Shape:* 1 to 48 lower-case ASCII letters, digits and `-`; no name of a shipped rule.
    pub name: String,
    /// What stands in the mask; the name where the operator gives none. *Shape:* as the name.
    pub kind: String,
    /// Which class it belongs to.
    pub class: Class,
    /// What it looks for.
    pub pattern: Pattern,
}

/// What a rule looks for: the kinds of rule that the shipped ones have, and regular expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// A token with a fixed beginning.
    Token {
        /// How it begins, letter for letter.
        prefix: String,
        /// Which letters follow.
        body: Body,
        /// The fewest letters that follow.
        least: usize,
        /// Whether no letter or digit may stand before it.
        border: bool,
        /// A sum that its last letters must agree with.
        checksum: Option<Checksum>,
    },
    /// The value of a setting whose name holds one of these words (compared without case and
    /// without separators), in every dialect that the shipped rules know.
    Setting {
        /// Words of letters and digits.
        words: Vec<String>,
    },
    /// All of the value of these headers.
    Header {
        /// Names of headers, without the colon.
        names: Vec<String>,
    },
    /// The value of a flag of these programs.
    Flag {
        /// Base names of programs.
        programs: Vec<String>,
        /// The flag with its dashes.
        flag: String,
    },
    /// The word after these words on their line.
    Word {
        /// What stands before the secret, e.g. `acme unlock`.
        text: String,
    },
    /// Lines from a beginning to an end, both included. Without an end the block goes on for
    /// [`super::BLOCK_BYTES_MAX`] bytes.
    Block {
        /// The text that begins it.
        begin: String,
        /// The text that ends it.
        end: String,
    },
    /// A regular expression, matched within one line in bytes without Unicode. The group named
    /// `secret` is masked, or the whole match where there is none.
    Regex {
        /// The expression, in the syntax of the `regex` crate.
        pattern: String,
    },
}

/// Something of an option that is not wrong but that the operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The rule.
    pub rule: String,
    /// What to know.
    pub message: String,
}

/// Something of an option that is wrong; with one of these nothing is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// Where, from the options down, e.g. `rules[2].pattern`.
    pub path: String,
    /// What was expected and what was got.
    pub message: String,
    /// What to write instead; may be empty.
    pub hint: String,
}

/// One rule as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleInfo {
    /// Its name.
    pub name: String,
    /// The kinds that it masks with.
    pub kinds: Vec<String>,
    /// Its class.
    pub class: Class,
    /// What it looks for, in a few words.
    pub about: String,
}

impl RuleInfo {
    /// How a rule of the operator's own is listed.
    pub(super) fn own(spec: &RuleSpec) -> Self {
        let about = match &spec.pattern {
            Pattern::Token { prefix, .. } => format!("begins with {prefix}"),
            Pattern::Setting { words } => format!("values of settings named {}", words.join(", ")),
            Pattern::Header { names } => format!("headers {}", names.join(", ")),
            Pattern::Flag { programs, flag } => format!("{flag} of {}", programs.join(", ")),
            Pattern::Word { text } => format!("the word after {text:?}"),
            Pattern::Block { begin, end } => format!("from {begin:?} to {end:?}"),
            Pattern::Regex { pattern } => format!("matches {pattern}"),
        };
        Self {
            name: spec.name.clone(),
            kinds: vec![spec.kind.clone()],
            class: spec.class,
            about,
        }
    }
}

/// Which rules are on.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    names: BTreeMap<String, bool>,
    kinds: BTreeMap<String, bool>,
    classes: BTreeMap<Class, bool>,
}

impl Choice {
    /// Reads the two lists against the rules that there are.
    pub(super) fn read(
        options: &RedactionOptions,
        known: &[RuleInfo],
    ) -> Result<Self, Vec<RuleFault>> {
        let mut choice = Self::default();
        let mut faults = Vec::new();
        let lists = [
            ("enable", &options.enable, true),
            ("disable", &options.disable, false),
        ];
        for (list, names, on) in lists {
            for (index, name) in names.iter().enumerate() {
                let before = choice.enter(name, on, known);
                let fault = |message: String, hint: String| RuleFault {
                    path: format!("{list}[{index}]"),
                    message,
                    hint,
                };
                match before {
                    None => faults.push(fault(
                        format!("expected the name of a class, kind or rule, got {name:?}"),
                        "`portcullis redact --rules` lists them".to_owned(),
                    )),
                    Some(true) => faults.push(fault(
                        format!("{name:?} is in both lists"),
                        "leave it in one of them".to_owned(),
                    )),
                    Some(false) => {}
                }
            }
        }
        if faults.is_empty() {
            Ok(choice)
        } else {
            Err(faults)
        }
    }

    /// Enters one switch. None where nothing has that name; otherwise whether it contradicts another.
    fn enter(&mut self, name: &str, on: bool, known: &[RuleInfo]) -> Option<bool> {
        let class = [Class::Secret, Class::Pii]
            .into_iter()
            .find(|class| class.name() == name);
        let is_kind = known
            .iter()
            .any(|rule| rule.kinds.iter().any(|kind| kind == name));
        let is_rule = known.iter().any(|rule| rule.name == name);
        let mut clash = false;
        let mut found = false;
        // `secret` is a class and a kind; as a bare word it is the class.
        if let Some(class) = class {
            found = true;
            clash |= self.classes.insert(class, on).is_some_and(|was| was != on);
        } else {
            if is_rule {
                found = true;
                clash |= self
                    .names
                    .insert(name.to_owned(), on)
                    .is_some_and(|was| was != on);
            }
            if is_kind {
                found = true;
                clash |= self
                    .kinds
                    .insert(name.to_owned(), on)
                    .is_some_and(|was| was != on);
            }
        }
        found.then_some(clash)
    }

    /// Whether a rule is on when it masks with a kind.
    pub(super) fn is_on(&self, rule: &str, kind: &str, class: Class) -> bool {
        self.names
            .get(rule)
            .or_else(|| self.kinds.get(kind))
            .or_else(|| self.classes.get(&class))
            .copied()
            .unwrap_or(class == Class::Secret)
    }
}
