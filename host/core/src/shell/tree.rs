//! The values of a read script. The tree holds how leaves are joined; the leaves themselves lie in
//! one list in source order.
//! Must not: be built anywhere but by the grammar; a leaf that was never read was never judged.

use super::spelling::{self, Spelling};
use std::ops::Range;

/// One word of a simple command, after quote removal. Two words are equal when a shell reads them alike,
/// wherever they stand and however they are quoted.
#[derive(Debug, Clone)]
pub struct Word {
    /// The static text, with each expansion as `$name` or `$(…)`. Of a word that is unknown it is for
    /// people and records only.
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
    /// The expansions in `text`, ascending.
    pub(super) holes: Box<[Hole]>,
}

/// A part of a word's text that stands for what the host puts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hole {
    /// Its first byte in the text, the `$`.
    pub(super) start: u32,
    /// The byte after it.
    pub(super) end: u32,
    pub(super) source: Source,
    pub(super) splitting: Splitting,
}

/// Where the value of an expansion comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// `$name`.
    Variable,
    /// `$(…)`.
    Command,
}

/// What a shell makes of the value of an expansion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Splitting {
    /// It stands in double quotes: a part of one word.
    Whole,
    /// It stands bare: it is cut at blanks, and its globs are expanded.
    Cut,
}

impl Hole {
    /// Where it stands in the text of its word.
    pub(super) fn range(&self) -> Range<usize> {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        at(self.start)..at(self.end)
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
            && self.tilde == other.tilde
            && self.active == other.active
            && self.holes == other.holes
    }
}

impl Eq for Word {}

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

    /// What an unknown word certainly begins with, before its first expansion or glob; empty where nothing
    /// is certain.
    #[must_use]
    pub fn known_start(&self) -> &str {
        let active = self.active.first().copied();
        let hole = self.holes.first().map(|hole| hole.start);
        let first = match (active, hole) {
            // SECURITY: what was put in by a program that runs this one stands anywhere in the word.
            (_, None) if self.dynamic => None,
            (Some(active), Some(hole)) => Some(active.min(hole)),
            (active, hole) => active.or(hole),
        };
        let first = first.and_then(|first| usize::try_from(first).ok());
        self.text
            .get(..first.unwrap_or_default())
            .unwrap_or_default()
    }

    /// Marks the word as decided on the host as a whole, whatever its text is.
    pub fn forget(&mut self) {
        self.dynamic = true;
        self.holes = Box::default();
    }

    /// A word in this one's place that stands for some path at any depth below a directory: a glob that ends
    /// in `/**`. The directory is an absolute path without a slash at its end.
    #[must_use]
    pub fn below(&self, directory: &str) -> Self {
        let text = format!("{directory}/**");
        // The source is at most `COMMAND_BYTES_MAX` long, so the offsets fit.
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self {
            text,
            span: self.span.clone(),
            quoted: false,
            glob: true,
            dynamic: false,
            tilde: false,
            active: [end.saturating_sub(2), end.saturating_sub(1)].into(),
            holes: Box::default(),
        }
    }

    /// A word in this one's place of which nothing is known, not even that it is no option.
    #[must_use]
    pub fn unseen(&self) -> Self {
        Self {
            text: "{}".to_owned(),
            span: self.span.clone(),
            quoted: false,
            glob: false,
            dynamic: true,
            tilde: false,
            active: Box::default(),
            holes: Box::default(),
        }
    }

    /// Byte offsets in `text` that are unquoted glob syntax, ascending: `*`, `?`, and every byte of a
    /// bracket expression.
    #[must_use]
    pub fn glob_offsets(&self) -> &[u32] {
        &self.active
    }

    /// Whether an expansion in it stands outside double quotes, so that it may become any number of
    /// words, none included.
    #[must_use]
    pub fn may_split(&self) -> bool {
        let mut holes = self.holes.iter();
        holes.any(|hole| hole.splitting == Splitting::Cut)
    }

    /// The name of the variable in an expansion of this word; `None` for a command's output.
    pub(super) fn variable(&self, hole: &Hole) -> Option<&str> {
        match hole.source {
            Source::Command => None,
            Source::Variable => self.text.get(hole.range())?.strip_prefix('$'),
        }
    }

    /// The part of the source that this word was read from.
    ///
    /// *Shape*: empty when `source` is not the text that was parsed.
    #[must_use]
    pub fn source<'s>(&self, source: &'s str) -> &'s str {
        source.get(self.span.clone()).unwrap_or_default()
    }
}

/// `name=value` before a program, or without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// What it is set to. It is never a glob and has no tilde.
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
        /// Which file. It is always known.
        target: Word,
    },
    /// The descriptor reads a text that stands in the script (`<<`).
    Here {
        /// The descriptor that is replaced.
        fd: u8,
        /// The text, without the line that ends it. No shell expands anything in it.
        body: String,
    },
}

impl Redirection {
    /// Bytes of text that it holds.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Self::ToNull { .. } | Self::FromNull { .. } | Self::Duplicate { .. } => 0,
            Self::File { target, .. } => target.text.len(),
            Self::Here { body, .. } => body.len(),
        }
    }
}

/// How a leaf is joined to its neighbours. What holds for a group or a loop holds for each leaf in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Role {
    /// Whether its standard input is the output of a leaf before it.
    pub reads_pipe: bool,
    /// Whether its standard output is the input of a leaf after it, or becomes a part of a word.
    pub feeds_pipe: bool,
    /// Whether the shell goes on without waiting for it.
    pub background: bool,
    /// Whether it stands in a loop, so that leaves behind it in the loop may run before it does.
    pub repeated: bool,
}

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its words; the first is the program. There is none where only variables are set.
    pub words: Vec<Word>,
    /// Where it stands in the source, in bytes, redirections included.
    pub span: Range<usize>,
    /// Its redirections, in the order in which the shell applies them.
    pub redirections: Vec<Redirection>,
    /// The redirections of the groups and loops around it, from the outermost inwards.
    pub inherited: Vec<Redirection>,
    /// The variables that are set for it, or for the shell where there is no program.
    pub assignments: Vec<Assignment>,
    /// How it is joined to its neighbours.
    pub role: Role,
}

impl Leaf {
    /// The words joined by one blank, each quoted only where it must be, and before them what is assigned:
    /// what globs match and what people are shown. Parsing it gives the same words again.
    #[must_use]
    pub fn canonical(&self) -> String {
        spelling::leaf(self, Spelling::Canonical)
    }

    /// The part of the source that this leaf was read from.
    ///
    /// *Shape*: empty when `source` is not the text that was parsed.
    #[must_use]
    pub fn source<'s>(&self, source: &'s str) -> &'s str {
        source.get(self.span.clone()).unwrap_or_default()
    }

    /// The static text of the program word; empty where there is none.
    #[must_use]
    pub fn program(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    fn means_the_same(&self, other: &Self) -> bool {
        self.words == other.words
            && self.redirections == other.redirections
            && self.inherited == other.inherited
            && self.assignments == other.assignments
            && self.role == other.role
    }
}

/// Everything that the shell would run, in source order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The commands as they are written, each once.
    pub(super) leaves: Vec<Leaf>,
    /// The commands as they are judged, where loops make them differ from those that are written.
    pub(super) judged: Option<Vec<Leaf>>,
    /// The `for` loops.
    pub(super) loops: Vec<Loop>,
    pub(super) list: Vec<Item>,
}

/// What a `for` loop goes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loop {
    pub(super) name: String,
    pub(super) values: Vec<Word>,
    /// The leaves of its body.
    pub(super) body: Range<usize>,
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

/// One command of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Index of a leaf.
    Simple(usize),
    /// Commands with a keyword or parentheses around them.
    Compound(Box<Compound>),
}

/// A command made of commands, with the redirections behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compound {
    pub(super) form: Form,
    pub(super) redirections: Vec<Redirection>,
}

/// The ways to put commands together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `{ …; }`
    Group(Vec<Item>),
    /// `( … )`
    Subshell(Vec<Item>),
    /// `if …; then …; elif …; then …; else …; fi`
    If {
        /// Conditions, each with what runs where it holds. There is always one.
        arms: Vec<(Vec<Item>, Vec<Item>)>,
        otherwise: Option<Vec<Item>>,
    },
    /// `while …; do …; done`, or with `until`.
    While {
        polarity: Polarity,
        condition: Vec<Item>,
        body: Vec<Item>,
    },
    /// `for …; do …; done`
    For {
        /// Index of the loop.
        over: usize,
        body: Vec<Item>,
    },
}

impl Script {
    /// The simple commands in source order, each in all the forms in which it may run: a command that
    /// uses the variable of a `for` loop over words that are known stands there once for each of them.
    /// A command in `$(…)` stands before the one that it is a part of. There is always one.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        self.judged.as_deref().unwrap_or(&self.leaves)
    }

    /// The text that is sent to a host: `parse(render(s))` has the same tree as `s`, and dash, bash
    /// and busybox sh read it as the words of [`leaves`](Self::leaves).
    ///
    /// *Shape*: never begins with `-` or `+`, which `sh -c` would take for an option. It ends with a
    /// newline where a here-document is the last of it.
    #[must_use]
    pub fn render(&self) -> String {
        spelling::script(self)
    }

    /// Whether this is one simple command and nothing else: no operator, no `!`, no redirection, no
    /// assignment, nothing around it.
    #[must_use]
    pub fn is_single(&self) -> bool {
        match (self.leaves.as_slice(), self.list.as_slice()) {
            ([leaf], [item]) => {
                leaf.redirections.is_empty()
                    && leaf.assignments.is_empty()
                    && item.ending == Ending::Sequential
                    && item.first.polarity == Polarity::Plain
                    && matches!(item.first.commands.as_slice(), [Command::Simple(_)])
            }
            _ => false,
        }
    }

    /// Whether two scripts run the same, however they were spelled: equality up to spans and quoting.
    #[must_use]
    pub fn means_the_same(&self, other: &Self) -> bool {
        self.list == other.list
            && self.loops == other.loops
            && same(&self.leaves, &other.leaves)
            && same(self.leaves(), other.leaves())
    }
}

fn same(one: &[Leaf], other: &[Leaf]) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.all(|(a, b)| a.means_the_same(b))
}
