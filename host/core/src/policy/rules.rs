//! The rules and how they are matched.

use super::{Limits, Refusal, RuleRef};
use crate::inventory::Host;
use crate::net::Lists;
use crate::request::CommandLine;
use crate::shell::Script;

/// What the rules say of one simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The caller's bytes of the command.
    pub source: String,
    /// Its words after quote removal.
    pub argv: Vec<String>,
    /// The canonical text that globs matched.
    pub canonical: String,
    /// Whether a rule allows it and none denies it.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: Option<RuleRef>,
}

/// What the rules say of a whole script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// One finding for each simple command, in source order.
    pub findings: Vec<Finding>,
    /// The first refusal, if there is one; all parts are looked at first.
    pub refusal: Option<Refusal>,
    /// A text of `deny_substrings` that only the normalised line shows: an attempt to hide it.
    pub bypass_attempt: Option<String>,
}

/// A loaded policy: rules, limits, address lists.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Where known_hosts lies, where the policy says so.
    pub known_hosts_path: Option<String>,
}

impl Policy {
    /// The limits that hold for a host.
    #[must_use]
    pub fn limits_for(&self, _host: &Host) -> Limits {
        Limits::default()
    }

    /// The address lists that hold for a host.
    #[must_use]
    pub fn network_for(&self, _host: &Host) -> Lists {
        Lists::default()
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        0
    }

    /// The text of `deny_substrings` that only the normalised line shows, if there is one.
    #[must_use]
    pub fn bypass_attempt(&self, _host: &Host, _line: &CommandLine) -> Option<String> {
        None
    }

    /// Judges a parsed script for a host. Every part is looked at before the verdict is given.
    #[must_use]
    pub fn judge(&self, _host: &Host, _line: &CommandLine, _script: &Script) -> Judgement {
        Judgement {
            findings: Vec::new(),
            refusal: None,
            bypass_attempt: None,
        }
    }
}
