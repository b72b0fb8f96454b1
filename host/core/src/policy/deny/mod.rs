//! `deny_commands`: structured matchers for commands that are refused whatever a rule allows.
//!
//! An entry names programs, options in any spelling and order, operands, classes of paths, redirections
//! and variables. Everything that it names has to hold for one command; what the command leaves open
//! counts as holding. The word `standard` stands for the shipped entries (`standard.yml`).
//!
//! | file | holds |
//! |---|---|
//! | `words` | options in every spelling, operands, values that are not known |
//! | `class` | classes of paths |
//! | `whereabouts` | the directory in which a command runs |
//! | `entry` | one entry, and when it hits |
//! | `read` | how entries are written |
//! | `through` | the commands that a command runs |
//!
//! Must not: allow anything. LIMIT: a list of what is forbidden is a tripwire, not a boundary; a program
//! that no entry names passes (`a_program_that_no_entry_names_passes`).

mod class;
mod entry;
mod read;
mod through;
mod whereabouts;
mod words;

pub(crate) use read::{Fault, RawItem, STANDARD_TEXT};
pub(super) use whereabouts::{Trail, Whereabouts};

use super::path;
use crate::shell::{Assignment, Leaf, Redirection, Role, Script, Word};
use entry::Entry;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use through::each_command;

/// One command, as deny entries see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The program and its arguments; empty where only variables are set or files opened.
    pub(crate) words: &'a [Word],
    /// Its own redirections.
    pub(crate) redirections: &'a [Redirection],
    /// Those of the groups and loops around it.
    pub(crate) inherited: &'a [Redirection],
    /// The variables that are set for it.
    pub(crate) assignments: &'a [Assignment],
    /// How it is joined to its neighbours.
    pub(crate) role: Role,
    /// In which directory it runs.
    pub(crate) whereabouts: &'a Whereabouts,
}

impl<'a> Subject<'a> {
    /// Every redirection that holds for the command.
    fn all_redirections(&self) -> impl Iterator<Item = &'a Redirection> {
        self.redirections.iter().chain(self.inherited)
    }
}

/// An entry that a command hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit<'a> {
    /// The entry's name.
    pub(crate) name: &'a str,
    /// Why it is refused, as half a sentence: "removes the root directory or a system tree".
    pub(crate) why: &'a str,
}

/// Entries with an index by program.
#[derive(Debug, Default)]
struct Entries {
    entries: Vec<Entry>,
    /// Positions by the name of a program.
    named: HashMap<Box<str>, Vec<usize>>,
    /// Positions by what stands before the first dot of a program's name (`mkfs.*`).
    dotted: HashMap<Box<str>, Vec<usize>>,
    /// Positions of entries that name no program.
    unnamed: Vec<usize>,
    /// SECURITY: entries that could not be read deny everything.
    unreadable: bool,
}

/// Structured deny entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct DenySet {
    parts: Vec<Arc<Entries>>,
}

static STANDARD: LazyLock<Arc<Entries>> = LazyLock::new(|| Arc::new(read::standard()));

impl Entries {
    fn add(&mut self, entry: Entry, programs: &[String]) {
        let at = self.entries.len();
        for program in programs {
            let (index, key) = match program.strip_suffix(".*") {
                Some(stem) => (&mut self.dotted, stem),
                None => (&mut self.named, program.as_str()),
            };
            index.entry(key.into()).or_default().push(at);
        }
        if programs.is_empty() {
            self.unnamed.push(at);
        }
        self.entries.push(entry);
    }

    fn hit(&self, subject: &Subject<'_>) -> Option<&Entry> {
        let get = |at: &usize| self.entries.get(*at);
        if let Some(entry) = self
            .unnamed
            .iter()
            .filter_map(get)
            .find(|entry| entry.hits(subject))
        {
            return Some(entry);
        }
        let (program, arguments) = subject.words.split_first()?;
        // A lone question about the program itself does nothing else.
        if let [only] = arguments
            && only
                .known()
                .is_some_and(|text| matches!(text, "--help" | "--version"))
        {
            return None;
        }
        let base = path::base(&program.text);
        let plain = base.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
        let stem = base.split_once('.').map(|(stem, _)| stem);
        let named = self.named.get(base);
        let plain = self.named.get(plain).filter(|_| plain.len() < base.len());
        let dotted = stem.and_then(|stem| self.dotted.get(stem));
        named
            .into_iter()
            .chain(plain)
            .chain(dotted)
            .flatten()
            .filter_map(get)
            .find(|entry| entry.hits(subject))
    }
}

impl DenySet {
    /// The shipped entries.
    #[cfg(test)]
    pub(crate) fn standard() -> Self {
        Self {
            parts: vec![Arc::clone(&STANDARD)],
        }
    }

    /// The set that a list in a policy describes, and what is wrong with the list. Each fault names the
    /// item's position.
    pub(crate) fn read<'i>(
        items: impl IntoIterator<Item = &'i RawItem>,
    ) -> Result<Self, Vec<Fault>> {
        read::set(items)
    }

    /// The first entry that a command of a script hits, by itself or by what it runs.
    pub(super) fn hit_leaf(&self, leaf: &Leaf, trail: &Trail, index: usize) -> Option<Hit<'_>> {
        if self.parts.is_empty() {
            return None;
        }
        let subject = Subject {
            words: &leaf.words,
            redirections: &leaf.redirections,
            inherited: &leaf.inherited,
            assignments: &leaf.assignments,
            role: leaf.role,
            whereabouts: trail.at(index),
        };
        each_command(&subject, &mut |command| self.hit(command))
    }

    /// The name of the first entry that some command of a script hits.
    pub(crate) fn hit_alone(&self, script: &Script) -> Option<&str> {
        let trail = Trail::of(script.leaves());
        let mut leaves = script.leaves().iter().enumerate();
        leaves.find_map(|(index, leaf)| self.hit_leaf(leaf, &trail, index).map(|hit| hit.name))
    }

    /// The first entry that one command hits. What its words run has to be asked separately
    /// ([`each_command`] walks over it).
    pub(crate) fn hit(&self, subject: &Subject<'_>) -> Option<Hit<'_>> {
        if self.parts.is_empty() {
            return None;
        }
        if subject.words.first().is_some_and(Word::is_unknown) {
            return Some(Hit {
                name: "unknown-program",
                why: "runs a program whose name is decided on the host",
            });
        }
        self.parts.iter().find_map(|part| {
            if part.unreadable {
                return Some(Hit {
                    name: "standard",
                    why: "cannot be judged, because the shipped entries could not be read",
                });
            }
            part.hit(subject).map(|entry| Hit {
                name: &entry.name,
                why: &entry.why,
            })
        })
    }
}

#[cfg(test)]
mod tests;
