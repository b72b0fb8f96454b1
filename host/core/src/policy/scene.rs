//! The simple commands of a script in their order, and which of them run in a directory that is not
//! known because a `cd` stands before them.
//!
//! There, a relative path names something else than the rule's author had in mind: for an allow rule it
//! is an unknown word. Limit: a word without a slash may be a relative path too (`cat x`), which nobody
//! can tell from other words; only the file of an interpreter is taken for one (`wrappers`).

use super::deny::{Trail, Whereabouts};
use super::{path, wrappers};
use crate::shell::{Leaf, Word};

/// The builtins that change the directory.
const MOVERS: [&str; 4] = ["cd", "chdir", "popd", "pushd"];

/// Whether a command runs where the login put it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// No `cd` stands before it.
    Login,
    /// One does.
    Elsewhere,
}

/// The commands of a script.
pub(super) struct Scene<'a> {
    leaves: &'a [Leaf],
    pub(super) source: &'a str,
    /// The first command that runs in a directory that was changed to.
    first_behind: usize,
    /// The words of the commands behind it, their relative paths unknown.
    behind: Vec<Vec<Word>>,
    /// Where they run, as far as the script tells.
    trail: Option<Trail>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(leaves: &'a [Leaf], source: &'a str) -> Self {
        let first_behind = first_behind(leaves);
        let behind = leaves.iter().skip(first_behind);
        Self {
            leaves,
            source,
            first_behind,
            behind: behind.map(|leaf| dislocated(&leaf.words)).collect(),
            trail: (first_behind < leaves.len()).then(|| Trail::of(leaves)),
        }
    }

    pub(super) fn leaves(&self) -> &'a [Leaf] {
        self.leaves
    }

    /// Where a command runs.
    pub(super) fn place(&self, index: usize) -> Place {
        match self.first_behind <= index {
            true => Place::Elsewhere,
            false => Place::Login,
        }
    }

    /// The directories in which a command may run, where the script tells all of them. SECURITY: in a loop
    /// the next round begins where this one ended.
    pub(super) fn directories(&self, index: usize) -> Option<&Whereabouts> {
        let repeated = self.leaves.iter().any(|leaf| leaf.role.repeated);
        let trail = self.trail.as_ref().filter(|_| !repeated)?;
        Some(trail.at(index)).filter(|place| !place.is_anywhere())
    }

    /// The words of a command for a rule that spells the commands from `start` on: a `cd` that the rule
    /// itself spells makes nothing unknown.
    pub(super) fn words(&self, index: usize, start: usize) -> Option<&[Word]> {
        let behind = (self.first_behind <= start)
            .then(|| self.behind.get(index.checked_sub(self.first_behind)?))
            .flatten();
        match behind {
            Some(words) => Some(words),
            None => self.leaves.get(index).map(|leaf| leaf.words.as_slice()),
        }
    }
}

/// The first command behind one that changes the directory. SECURITY: in a loop, what stands before that
/// one runs behind it too, the next time.
pub(super) fn first_behind(leaves: &[Leaf]) -> usize {
    let Some(mover) = leaves.iter().position(|leaf| moves(&leaf.words)) else {
        return leaves.len();
    };
    let repeated = leaves
        .get(..=mover)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|leaf| leaf.role.repeated)
        .count();
    mover + 1 - repeated
}

/// Whether a command may change the directory, also through `command` or `eval`.
pub(super) fn moves(words: &[Word]) -> bool {
    words.split_first().is_some_and(|(program, arguments)| {
        let is_mover = |word: &Word| MOVERS.contains(&path::base(&word.text));
        is_mover(program)
            || matches!(program.text.as_str(), "eval" | "." | "source")
            || wrappers::why(&program.text).is_some() && arguments.iter().any(is_mover)
    })
}

/// Words with their relative paths unknown.
pub(super) fn dislocated(words: &[Word]) -> Vec<Word> {
    let dislocate = |word: &Word| {
        let mut word = word.clone();
        word.dynamic |= path::is_relative(&word.text);
        word
    };
    words.iter().map(dislocate).collect()
}
