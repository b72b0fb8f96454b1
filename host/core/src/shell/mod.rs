//! The recogniser: what a POSIX shell would run, as a tree, or a refusal with its offset.
//!
//! Anything that is not understood completely is [`Unanalysable`]; there is no best effort. What is
//! sent to a host is [`Script::render`], never the caller's text, so a shell that reads some byte
//! differently from this module never sees that byte bare.
//!
//! | file | holds |
//! |---|---|
//! | `tree` | the values: script, leaf, word, redirection |
//! | `characters` | which characters may stand in a script at all, and the small sets of the grammar |
//! | `word` | one word: quotes, escapes, globs, variables, and what a shell would expand |
//! | `grammar` | lists, pipelines, simple commands, assignments |
//! | `compound` | groups, subshells, conditions and loops |
//! | `redirect`, `here` | redirections and here-documents |
//! | `expand`, `names` | loops over known words: which names, which values, each command once for each |
//! | `spelling` | the two ways a tree is written out: canonical and rendered |
//! | `reason` | every reason for a refusal, by name |
//!
//! Must not: expand what the host decides, guess, or read anything but its argument.
//!
//! The accepted language is simple commands joined by `|`, `&&`, `||`, `;`, `&` and newlines, `!` before a
//! pipeline, comments, all three ways of quoting, and
//!
//! * `{ …; }`, `( … )`, `if`, `while`, `until` and `for … in …`, with redirections behind them;
//! * `$name`, `${name}`, `$?` and `$(…)` in arguments, in values of assignments and in the words of a loop, where
//!   they mark the word as unknown; and globs, `~` and `~/…` in arguments;
//! * `name=value` before a program or alone;
//! * redirections to and from files of a known name, `/dev/null` and single-digit descriptors;
//! * here-documents in which no shell expands anything. All are sent as quoted ones.
//!
//! Readings worth knowing:
//!
//! * `time` is a keyword in bash and a utility in POSIX. It is read as the utility and rendered
//!   quoted, so every shell runs the program named `time`.
//! * A backslash before a newline is accepted between words after a blank, and refused elsewhere.
//! * A `$` that no shell expands (`"foo$"`, `s/x$/y/`) is a plain character.
//! * The variable of a `for` loop over words that are known stands, in the loop's body, for each of them,
//!   if nothing else in the script may change it: [`Script::leaves`] then has the command once for each.
//!   Over a glob it is that glob. Where each value is one word without quotes, a bare `$x` is sent as
//!   `"$x"`, so that nothing is left for the host to cut.
//! * A command in `$(…)` is a leaf of its own, before the leaf whose word it is a part of.
//! * `>|` is sent as `>`: where the host forbids overwriting, it stays forbidden.
//!
//! Known limits: no `case`, `select`, functions, arrays, arithmetic, `[[ … ]]`, `${name…}` with an operator,
//! here-strings, or here-documents in `$(…)` (`each_refusal_names_its_place_and_reason`). What a glob
//! matches on the host is unknown, so such words are only flagged
//! (`a_glob_is_flagged_and_its_static_parts_are_quoted`). A variable that a loop goes over is unknown behind
//! the loop (`a_loop_over_known_words_is_judged_once_for_each`). In zsh, two redirections of one descriptor
//! are both done; each of them is judged. Renderings are shown to be read as judged by dash, bash and busybox
//! sh (`tests/shell_differential.rs`); they are written with zsh and ksh in mind, but fish, csh and rc read
//! quotes in other ways.

mod characters;
mod compound;
mod expand;
mod grammar;
mod here;
mod names;
pub mod reason;
mod redirect;
mod spelling;
mod tree;
mod word;

#[cfg(test)]
mod tests;

pub use tree::{Assignment, FileUse, Leaf, Redirection, Role, Script, Word};

use crate::limits::COMMAND_BYTES_MAX;

/// Most words in a whole script. A command within the character limit cannot hold more, so this
/// only bounds the memory of a caller that skipped that limit.
pub const SCRIPT_WORDS_MAX: usize = 5_000;
/// Most redirections of one command.
pub const REDIRECTIONS_MAX: usize = 16;
/// Most redirections that the leaves of a script have from what is around them, all together.
pub const INHERITED_MAX: usize = 512;
/// Most assignments of one simple command.
pub const ASSIGNMENTS_MAX: usize = 16;
/// Most here-documents of a script.
pub const HERE_DOCUMENTS_MAX: usize = 4;
/// Most words and redirections of a script's commands as they are judged, where loops make them more than
/// those that are written.
pub const JUDGED_WORDS_MAX: usize = 1_200;

/// Why a text is not a script that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct Unanalysable {
    /// Byte offset in the source where understanding ended.
    pub offset: usize,
    /// What was met there: one of the texts in [`reason`].
    pub reason: &'static str,
}

impl Unanalysable {
    fn new(offset: usize, reason: &'static str) -> Self {
        Self { offset, reason }
    }
}

/// Reads a text as a script.
///
/// # Errors
/// [`Unanalysable`] for everything outside the accepted language or over a budget.
pub fn parse(source: &str) -> Result<Script, Unanalysable> {
    if source.len() > COMMAND_BYTES_MAX {
        return Err(Unanalysable::new(COMMAND_BYTES_MAX, reason::TOO_LONG));
    }
    characters::check(source)?;
    grammar::Grammar::new(source).script()
}
