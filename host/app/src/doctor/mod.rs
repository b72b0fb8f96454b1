//! What would go wrong here: the checklist of the seed system as found on this machine, and what makes the set-up
//! worthless.
//!
//! * `machine`: facts of the machine and of this process, from `/proc` and its like
//! * `setup`: facts of the configuration, keys, host keys and state, through the handles of `files`
//! * `checklist`: the seed system's 20 items
//! * `keys`, `rules`: what both ask of keys and of the policy
//! * `worth`: what no checklist names and what decides whether the gate is worth anything
//!
//! Facts are gathered first and judged then, so that a judgement can be tried on any facts. Must not: change
//! anything, hold a secret in a finding, or call something `ok` that it cannot see.

mod checklist;
mod keys;
mod machine;
mod rules;
mod setup;
mod worth;

pub(crate) use machine::Machine;
pub(crate) use setup::Setup;

use portcullis_core::config::Snapshot;
use portcullis_core::inventory::Host;
use portcullis_core::redact::Redactor;
use portcullis_core::text;
use std::sync::LazyLock;
use std::time::Duration;

/// Bits of other users.
const OTHERS: u32 = 0o077;
/// A quarter of a year, in days.
const QUARTER_DAYS: u64 = 92;
const DAY: Duration = Duration::from_secs(86_400);
/// Most names that one finding lists.
const NAMES_MAX: usize = 8;

/// How an item stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As it should be; what was seen.
    Ok(String),
    /// Not as it should be.
    Wrong {
        /// What was found.
        found: String,
        /// How to mend it.
        mend: &'static str,
    },
    /// It cannot be asked here; why.
    NotApplicable(String),
}

impl Standing {
    fn ok(text: impl Into<String>) -> Self {
        Self::Ok(text.into())
    }

    fn wrong(found: impl Into<String>, mend: &'static str) -> Self {
        Self::Wrong {
            found: found.into(),
            mend,
        }
    }

    fn not_applicable(why: impl Into<String>) -> Self {
        Self::NotApplicable(why.into())
    }

    /// Wrong where something is listed, else ok.
    fn none_of(list: Vec<String>, found: &str, mend: &'static str, ok: &str) -> Self {
        if list.is_empty() {
            Self::ok(ok)
        } else {
            Self::wrong(format!("{found}: {}", listed(&list)), mend)
        }
    }

    /// The word for programs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Wrong { .. } => "wrong",
            Self::NotApplicable(_) => "not applicable",
        }
    }
}

/// Where an item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The seed system's checklist.
    Checklist,
    /// What makes the set-up worthless.
    Worth,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The stable word for programs.
    pub(crate) id: &'static str,
    /// Where it comes from.
    pub(crate) part: Part,
    /// What is asked.
    pub(crate) title: &'static str,
    /// The answer.
    pub(crate) standing: Standing,
}

/// Judges everything.
pub(crate) fn examine(machine: &Machine, setup: &Setup) -> Vec<Item> {
    let mut items = checklist::items(machine, setup);
    items.extend(worth::items(machine, setup));
    for item in &mut items {
        // SECURITY: names of files, hosts and rules are texts that others may have written, and a key or a token may
        // stand where a name belongs.
        match &mut item.standing {
            Standing::Ok(text)
            | Standing::NotApplicable(text)
            | Standing::Wrong { found: text, .. } => *text = clean(text),
        }
    }
    items
}

/// One clean line in which whatever looks like a secret is masked: before the line is cut, so that no part of one is
/// left at its end, and after hidden characters are gone, which may have split one.
fn clean(text: &str) -> String {
    static RULES: LazyLock<Redactor> = LazyLock::new(Redactor::default);
    RULES.mask(&text::step(&RULES.mask(text).0)).0
}

/// What is said where the configuration does not load.
fn unloaded() -> Standing {
    Standing::not_applicable("the configuration does not load; portcullis check names why")
}

/// The hosts of a configuration.
fn hosts(snapshot: &Snapshot) -> &[Host] {
    snapshot.inventory.hosts()
}

/// Some names, the first few.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
