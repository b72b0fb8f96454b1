//! The recogniser: what a POSIX shell would run, as a tree, or a refusal with its offset.
//!
//! Anything that is not understood completely is [`Unanalysable`]; there is no best effort. What is
//! sent to a host is [`Script::render`], never the caller's text.

use std::ops::Range;

/// Why a text is not a script that can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanalysable {
    /// Byte offset in the source where understanding ended.
    pub offset: usize,
    /// What was met there.
    pub reason: &'static str,
}

/// One word of a simple command, after quote removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The static text.
    pub text: String,
    /// Where it stands in the source, in bytes.
    pub span: Range<usize>,
    /// Whether any part was quoted or escaped.
    pub quoted: bool,
    /// Whether it holds an unquoted glob character.
    pub glob: bool,
}

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its words; the first is the program.
    pub words: Vec<Word>,
    /// Where it stands in the source, in bytes.
    pub span: Range<usize>,
}

/// Everything that the shell would run, in source order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    leaves: Vec<Leaf>,
}

impl Script {
    /// The simple commands, in source order.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The text that is sent to a host: `parse(render(s))` has the same tree as `s`.
    #[must_use]
    pub fn render(&self) -> String {
        String::new()
    }
}

impl Leaf {
    /// The words joined by one blank, each quoted only where it must be: what globs match and what
    /// people are shown.
    #[must_use]
    pub fn canonical(&self) -> String {
        String::new()
    }
}

/// Reads a text as a script.
///
/// # Errors
/// [`Unanalysable`] for everything outside the accepted language or over a budget.
pub fn parse(_source: &str) -> Result<Script, Unanalysable> {
    Err(Unanalysable {
        offset: 0,
        reason: "not_built",
    })
}
