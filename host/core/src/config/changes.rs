//! What a new configuration changes against the one that holds: bounded lists with counts.
//!
//! Must not: show a value of a file. Names of hosts and rules, and ways to keys, are all that it says.
//!
//! Limit: rules are told apart by what they say, then by their names, then by their places; an unnamed rule that is
//! moved and changed at once counts as changed in its place.

use super::Snapshot;
use crate::answer::{Changes, Difference, Names};
use crate::inventory::Target;
use crate::text;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most names that a list of changes holds; its count says how many there are.
const NAMES_MAX: usize = 20;
/// Longest name, in characters: a rule may have any.
const NAME_CHARS_MAX: usize = 80;

/// The digest of a part of a file: enough to tell two parts apart.
type Print = [u8; 16];

/// Which parts a policy was made of, as digests: what is compared when another takes its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prints {
    rules: Vec<RulePrint>,
    /// The other keys by the way to them: `limits.max_seconds`, `overrides.tags.db`, `network`.
    parts: BTreeMap<String, Print>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RulePrint {
    name: Option<String>,
    print: Print,
}

impl Prints {
    /// Notes the next rule.
    pub(super) fn rule(&mut self, name: Option<&str>, rule: &impl Serialize) {
        self.rules.push(RulePrint {
            name: name.map(ToOwned::to_owned),
            print: print(rule),
        });
    }

    /// Notes a key; one that says nothing counts as absent.
    pub(super) fn part(&mut self, way: &str, value: &impl Serialize) {
        let print = print(value);
        let nothing = print_of(b"null");
        if print != nothing {
            self.parts.insert(way.to_owned(), print);
        }
    }
}

fn print(value: &impl Serialize) -> Print {
    // A value that cannot be written counts as changed by nothing; there is none among the shapes.
    print_of(&serde_json::to_vec(value).unwrap_or_default())
}

fn print_of(bytes: &[u8]) -> Print {
    let mut print = Print::default();
    for (to, from) in print.iter_mut().zip(Sha256::digest(bytes)) {
        *to = from;
    }
    print
}

/// What `new` changes against `old`.
#[must_use]
pub fn changes(old: &Snapshot, new: &Snapshot) -> Changes {
    let files = old.files.iter().zip(&new.files);
    Changes {
        files: files
            .filter(|(old, new)| old.sha256 != new.sha256)
            .map(|(_, new)| new.name)
            .collect(),
        hosts: hosts(old, new),
        rules: rules(&old.prints.rules, &new.prints.rules),
        limits: names(parts(old, new, Part::Limits)),
        policy: names(parts(old, new, Part::Other)),
    }
}

/// A host is also changed where its login is.
fn hosts(old: &Snapshot, new: &Snapshot) -> Difference {
    let all = |snapshot: &Snapshot| -> BTreeMap<String, Option<Target>> {
        let hosts = snapshot.inventory.hosts().iter();
        hosts
            .map(|host| {
                let alias = host.alias.as_str().to_owned();
                (alias, snapshot.inventory.resolve(&host.alias))
            })
            .collect()
    };
    let (old, new) = (all(old), all(new));
    let missing = |from: &BTreeMap<String, Option<Target>>, other: &BTreeMap<_, _>| {
        let aliases = from.keys().filter(|alias| !other.contains_key(*alias));
        names(aliases.cloned().collect())
    };
    let changed = new
        .iter()
        .filter(|(alias, target)| old.get(*alias).is_some_and(|old| old != *target))
        .map(|(alias, _)| alias.clone())
        .collect();
    Difference {
        added: missing(&new, &old),
        removed: missing(&old, &new),
        changed: names(changed),
    }
}

/// Rules that say the same are the same, wherever they stand: a rule that denies wins from any place.
fn rules(old: &[RulePrint], new: &[RulePrint]) -> Difference {
    let (gone, come) = (unmatched(old, new), unmatched(new, old));
    let label = |position: usize, rule: &RulePrint| match &rule.name {
        Some(name) => text::step(name).chars().take(NAME_CHARS_MAX).collect(),
        None => format!("rules[{position}]"),
    };
    // Several rules may have one name, so names are counted.
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for (position, rule) in gone {
        *left.entry(label(position, rule)).or_default() += 1;
    }
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for (position, rule) in come {
        let label = label(position, rule);
        match left.get_mut(&label) {
            Some(count) if *count > 0 => {
                *count -= 1;
                changed.push(label);
            }
            Some(_) | None => added.push(label),
        }
    }
    let removed = left
        .into_iter()
        .flat_map(|(label, count)| std::iter::repeat_n(label, count));
    Difference {
        added: names(added),
        removed: names(removed.collect()),
        changed: names(changed),
    }
}

/// The rules of one list that the other has not, or not as often.
fn unmatched<'r>(rules: &'r [RulePrint], others: &[RulePrint]) -> Vec<(usize, &'r RulePrint)> {
    let mut there: HashMap<Print, usize> = HashMap::new();
    for other in others {
        *there.entry(other.print).or_default() += 1;
    }
    let mut unmatched = Vec::new();
    for (position, rule) in rules.iter().enumerate() {
        match there.get_mut(&rule.print) {
            Some(count) if *count > 0 => *count -= 1,
            Some(_) | None => unmatched.push((position, rule)),
        }
    }
    unmatched
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Limits,
    Other,
}

fn parts(old: &Snapshot, new: &Snapshot, part: Part) -> Vec<String> {
    let (old, new) = (&old.prints.parts, &new.prints.parts);
    let ways: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let is_limit = |way: &str| way.starts_with("limits.") || way.starts_with("overrides.");
    ways.into_iter()
        .filter(|way| is_limit(way) == (part == Part::Limits))
        .filter(|way| old.get(*way) != new.get(*way))
        .map(|way| text::step(way).chars().take(NAME_CHARS_MAX).collect())
        .collect()
}

fn names(mut names: Vec<String>) -> Names {
    let count = names.len();
    names.truncate(NAMES_MAX);
    Names { count, names }
}
