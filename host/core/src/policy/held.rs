//! The rules that hold on one host, found by program: a policy has many rules, and a command asks few.
//!
//! Must not: judge. It is built when a policy is loaded, so its cost is not paid for each command.

use super::Limits;
use super::rule::{Effect, Rule, Shape};
use crate::net::Network;
use std::collections::HashMap;
use std::sync::Arc;

/// How a host's commands may be joined and how globs are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// One command, no operator.
    Simple,
    /// Commands joined by operators, each judged by itself.
    #[default]
    Compound,
    /// As `Compound`, with globs read over the text of each command.
    Legacy,
}

impl Mode {
    /// The word in policies and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Compound => "compound",
            Self::Legacy => "legacy",
        }
    }
}

/// One way of an allow rule to say which commands it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Position of the rule in the policy.
    pub(super) rule: usize,
    /// Which of its shapes.
    pub(super) shape: Shape,
}

/// What holds on one host.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// Allow rules whose program is spelled.
    by_program: HashMap<Box<str>, Vec<Entry>>,
    /// Allow rules for programs that are not spelled.
    any: Vec<Entry>,
    /// Allow rules for sequences of commands.
    pub(super) sequences: Vec<Entry>,
    /// Positions of the deny rules.
    pub(super) denies: Vec<usize>,
    /// Whether some allow rule asks for a human's approval.
    pub(super) approvals: bool,
    pub(super) limits: Limits,
    pub(super) network: Arc<Network>,
}

impl Held {
    /// What holds where the rules at these positions do; they are in file order.
    pub(super) fn new(
        rules: &[Rule],
        positions: impl Iterator<Item = usize>,
        limits: Limits,
        network: Arc<Network>,
    ) -> Self {
        let mut held = Self {
            limits,
            network,
            ..Self::default()
        };
        for position in positions {
            let Some(rule) = rules.get(position) else {
                continue;
            };
            match rule.effect() {
                Effect::Deny => held.denies.push(position),
                Effect::Allow => held.add(position, rule),
            }
        }
        held
    }

    fn add(&mut self, position: usize, rule: &Rule) {
        self.approvals |= rule.grants().require_approval;
        rule.each_shape(self.limits.mode, |shape, program| {
            let entry = Entry {
                rule: position,
                shape,
            };
            match (shape, program) {
                (Shape::Sequence(_), _) => self.sequences.push(entry),
                (_, Some(name)) => self.by_program.entry(name.into()).or_default().push(entry),
                (_, None) => self.any.push(entry),
            }
        });
    }

    /// The allow rules that may be about a program, in file order.
    pub(super) fn candidates<'h>(&'h self, program: &str) -> impl Iterator<Item = Entry> + use<'h> {
        let named = self.by_program.get(program).map_or(&[][..], Vec::as_slice);
        let (mut named, mut any) = (named.iter().peekable(), self.any.iter().peekable());
        std::iter::from_fn(move || match (named.peek(), any.peek()) {
            (Some(a), Some(b)) if a <= b => named.next().copied(),
            (Some(_), None) => named.next().copied(),
            (_, Some(_)) => any.next().copied(),
            (None, None) => None,
        })
    }
}
