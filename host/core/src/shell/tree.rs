//! The values of a read script. The tree holds how leaves are joined; the leaves themselves lie in
//! one list in source order, so that groups and substitutions can be added without moving them.
//! Must not: be built anywhere but in `grammar`; a leaf that was never read was never judged.

use super::spelling::{self, Spelling};
use std::ops::Range;

/// One word of a simple command, after quote removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The static text.
    pub text: String,
    /// Where it stands in the source, in bytes.
    pub span: Range<usize>,
    /// Whether any part was quoted or escaped.
    pub quoted: bool,
    /// Whether it holds an unquoted glob character. What the program gets is then unknown.
    pub glob: bool,
    /// Whether it holds a `$name` or a `$(…)` whose value is decided on the host.
    pub dynamic: bool,
    /// Whether it begins with a `~` that the host expands.
    pub tilde: bool,
    /// Byte offsets in `text` that are glob syntax, ascending. All of them are ASCII.
    pub(super) active: Box<[u32]>,
}

impl Word {
    /// The text that the program gets, where that is certain: no glob, expansion or tilde in it.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        (!self.is_unknown()).then_some(self.text.as_str())
    }

    /// Whether what the program gets is decided on the host.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.glob || self.dynamic || self.tilde
    }

    /// Byte offsets in `text` that are unquoted glob syntax, ascending: `*`, `?`, and every byte of a
    /// bracket expression.
    #[must_use]
    pub fn glob_offsets(&self) -> &[u32] {
        &self.active
    }

    /// The part of the source that this word was read from.
    ///
    /// *Shape*: empty when `source` is not the text that was parsed.
    #[must_use]
    pub fn source<'s>(&self, source: &'s str) -> &'s str {
        source.get(self.span.clone()).unwrap_or_default()
    }

    fn means_the_same(&self, other: &Self) -> bool {
        self.text == other.text && self.active == other.active
    }
}

/// `name=value` before a program, or without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// What it is set to.
    pub value: Word,
}

/// How a redirection opens a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    /// `<`
    Read,
    /// `>` and `>|`
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
}

/// What a simple command does with its descriptors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirection {
    /// `2>/dev/null` (and `>>`, which is the same for that device).
    ToNull {
        /// The descriptor that is discarded.
        fd: u8,
    },
    /// `</dev/null`.
    FromNull {
        /// The descriptor that reads nothing.
        fd: u8,
    },
    /// `2>&1`: descriptor `from` becomes a copy of `to`.
    Duplicate {
        /// The descriptor that is replaced.
        from: u8,
        /// The descriptor that it becomes a copy of.
        to: u8,
    },
    /// A file other than `/dev/null` is opened. It has to be granted by a rule.
    File {
        /// The descriptor that is replaced.
        fd: u8,
        /// How it is opened.
        access: FileUse,
        /// Which file.
        target: Word,
    },
    /// The descriptor reads a text that stands in the script (`<<`).
    Here {
        /// The descriptor that is replaced.
        fd: u8,
        /// The text, without the line that ends it.
        body: String,
    },
}

/// How a leaf is joined to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// Whether its standard input is the output of the leaf before it.
    pub reads_pipe: bool,
    /// Whether its standard output is the input of the leaf after it.
    pub feeds_pipe: bool,
    /// Whether the shell goes on without waiting for it.
    pub background: bool,
}

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its words; the first is the program. There is always one.
    pub words: Vec<Word>,
    /// Where it stands in the source, in bytes, redirections included.
    pub span: Range<usize>,
    /// Its redirections, in the order in which the shell applies them.
    pub redirections: Vec<Redirection>,
    /// The variables that are set for it.
    pub assignments: Vec<Assignment>,
    /// How it is joined to its neighbours.
    pub role: Role,
}

impl Leaf {
    /// The words joined by one blank, each quoted only where it must be: what globs match and what
    /// people are shown. Parsing it gives the same words again.
    #[must_use]
    pub fn canonical(&self) -> String {
        spelling::words(&self.words, Spelling::Canonical)
    }

    /// The part of the source that this leaf was read from.
    ///
    /// *Shape*: empty when `source` is not the text that was parsed.
    #[must_use]
    pub fn source<'s>(&self, source: &'s str) -> &'s str {
        source.get(self.span.clone()).unwrap_or_default()
    }

    /// The static text of the program word.
    #[must_use]
    pub fn program(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    fn means_the_same(&self, other: &Self) -> bool {
        self.words.len() == other.words.len()
            && self.redirections == other.redirections
            && self.assignments == other.assignments
            && self.role == other.role
            && self
                .words
                .iter()
                .zip(&other.words)
                .all(|(a, b)| a.means_the_same(b))
    }
}

/// Everything that the shell would run, in source order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub(super) leaves: Vec<Leaf>,
    pub(super) list: Vec<Item>,
}

/// One entry of a list: pipelines joined by `&&` and `||`, and what stands after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) first: Pipeline,
    pub(super) rest: Vec<(Connector, Pipeline)>,
    pub(super) ending: Ending,
}

/// What joins two pipelines. Both bind equally and from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connector {
    And,
    Or,
}

/// What stands after an entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// `;`, a newline or the end.
    Sequential,
    /// `&`.
    Background,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pipeline {
    pub(super) polarity: Polarity,
    pub(super) commands: Vec<Command>,
}

/// Whether a pipeline's status is inverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Polarity {
    Plain,
    Negated,
}

/// One command of a pipeline. Groups, subshells and loops will be further variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Index of a leaf.
    Simple(usize),
}

impl Script {
    /// The simple commands, in source order. There is always one.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The text that is sent to a host: `parse(render(s))` has the same tree as `s`, and dash, bash
    /// and busybox sh read it as the words of [`leaves`](Self::leaves).
    ///
    /// *Shape*: never begins with `-` or `+`, which `sh -c` would take for an option.
    #[must_use]
    pub fn render(&self) -> String {
        spelling::script(self)
    }

    /// Whether this is one simple command and nothing else: no operator, no `!`, no redirection.
    #[must_use]
    pub fn is_single(&self) -> bool {
        match (self.leaves.as_slice(), self.list.as_slice()) {
            ([leaf], [item]) => {
                leaf.redirections.is_empty()
                    && item.ending == Ending::Sequential
                    && item.first.polarity == Polarity::Plain
            }
            _ => false,
        }
    }

    /// Whether two scripts run the same, however they were spelled: equality up to spans and quoting.
    #[must_use]
    pub fn means_the_same(&self, other: &Self) -> bool {
        self.list == other.list
            && self.leaves.len() == other.leaves.len()
            && self
                .leaves
                .iter()
                .zip(&other.leaves)
                .all(|(a, b)| a.means_the_same(b))
    }
}
