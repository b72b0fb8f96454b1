//! The answer to one command on many hosts: an end for each host, and a summary that is true.
//!
//! Must not: call anything well that did not exit with 0.

use super::{Denied, Fault, Ran};
use crate::request::Alias;
use crate::text::SafeText;
use std::collections::BTreeMap;

/// How a command goes from host to host. Hosts are taken in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolling {
    /// Most hosts at once, at least 1.
    pub at_once: usize,
    /// So many hosts go first; where one of them does not end well, no other begins. 0 for none.
    pub canary: usize,
    /// After the canary so many hosts at a time: the next ones begin when all of these have ended. 0 for all.
    pub batch: usize,
    /// No host begins once so many have not ended well. 0 for no such bound.
    pub stop_after_failures: usize,
}

/// How it ended on one host.
#[derive(Debug)]
pub enum MemberEnd {
    /// It was run, or tried.
    Ran(Box<Ran>),
    /// It was refused.
    Denied(Box<Denied>),
    /// The host cannot be logged into with what is configured.
    Fault(Fault),
    /// It was not its turn before the roll-out was stopped.
    NotStarted,
}

/// One host's part.
#[derive(Debug)]
pub struct Member {
    /// The host.
    pub alias: Alias,
    /// How it ended.
    pub end: MemberEnd,
}

impl Member {
    /// The one word for the end: `ok`, `exit` (another status than 0), `signalled`, `timed_out`, `output_limit`, `cancelled`,
    /// `unreachable`, `unknown`, `denied`, `fault`, `not_started`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match &self.end {
            MemberEnd::Ran(ran) => match ran.closing.state {
                "completed" => "ok",
                "failed" if ran.closing.termination.is_some() => "output_limit",
                "failed" => "exit",
                other => other,
            },
            MemberEnd::Denied(_) => "denied",
            MemberEnd::Fault(_) => "fault",
            MemberEnd::NotStarted => "not_started",
        }
    }

    /// Whether the command exited with 0.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.state() == "ok"
    }

    /// Leaves at most so many bytes of what is shown, standard output first.
    pub fn clip(&mut self, bytes_max: usize) {
        let MemberEnd::Ran(ran) = &mut self.end else {
            return;
        };
        let shown = &mut ran.shown;
        let before = shown.stdout.len() + shown.stderr.len();
        if before <= bytes_max {
            return;
        }
        let clip = |text: &mut SafeText, most| *text = std::mem::take(text).clipped(most);
        clip(&mut shown.stdout, bytes_max);
        let left = bytes_max - shown.stdout.len();
        clip(&mut shown.stderr, left);
        shown.truncated = true;
    }
}

/// One command on all hosts of a tag.
#[derive(Debug)]
pub struct Fleet {
    /// The tag.
    pub tag: String,
    /// The command's hash.
    pub hash: String,
    /// One for each host that has the tag, in file order. Empty where none has.
    pub members: Vec<Member>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
}

impl Fleet {
    /// How many hosts ended in each state. The numbers add up to the number of hosts.
    #[must_use]
    pub fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for member in &self.members {
            *states.entry(member.state()).or_default() += 1;
        }
        states
    }

    /// Whether there are hosts and the command exited with 0 on all of them.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.members.is_empty() && self.members.iter().all(Member::is_well)
    }
}
