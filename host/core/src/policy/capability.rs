//! What a command does besides running its own program, as the words that rules grant.
//!
//! Must not: know any program; `profile` tells what a command's words mean.

use std::borrow::Cow;

/// One kind of effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// It reads what anyone who may log in may read.
    Read,
    /// It does the program's ordinary changing work: `systemctl restart`.
    Operate,
    /// It writes or removes a file, or changes what the system is set to.
    Write,
    /// It runs something that no rule has judged.
    Execute,
    /// It reads a path that holds secrets.
    Secret,
    /// It talks to another machine.
    Network,
    /// It sends output to a file by a redirection.
    RedirectOutput,
    /// It takes a file as input by a redirection.
    RedirectInput,
    /// It sets a variable for a command or for the shell.
    Assign,
    /// It changes what later commands of the script do.
    State,
}

impl Capability {
    /// The word in policies, records and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Write => "write",
            Self::Execute => "execute",
            Self::Secret => "secret",
            Self::Network => "network",
            Self::RedirectOutput => "redirect_output",
            Self::RedirectInput => "redirect_input",
            Self::Assign => "assign",
            Self::State => "state",
        }
    }
}

/// Something that a command needs a rule's grant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Which kind of effect.
    pub capability: Capability,
    /// Index of the word that brings it about; a rule that spells every word up to and with this one
    /// grants it. [`Need::NOT_IN_WORDS`] where no word shows it, so that no rule can.
    pub word: usize,
    /// The path that is read or written, normalised, where it is known; for [`Capability::Assign`], the
    /// variable's name.
    pub path: Option<String>,
    /// Why, as half a sentence that follows the command: "can run another program".
    pub why: Cow<'static, str>,
}

impl Need {
    /// No word of the command shows what would be done.
    pub const NOT_IN_WORDS: usize = usize::MAX;

    /// The directory shows it; a rule grants it that spells the change to that directory too.
    pub const IN_PLACE: usize = usize::MAX - 1;

    /// The `why` of a use of a program that gives a shell in ways that no profile can tell; a rule with
    /// `unsafe_ok` grants it.
    pub const GIVES_A_SHELL: &str = "is known to give a shell";
}

/// How a path among a command's words is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathUse {
    /// Only its name and metadata: `ls`, `stat`, `du`.
    Name,
    /// Its content is read.
    Content,
    /// It is written, created or removed.
    Write,
}

/// A path among a command's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedPath {
    /// Index of the word that holds it.
    pub word: usize,
    /// The path as the program gets it; for an unknown word, its static text.
    pub path: String,
    /// How it is used.
    pub usage: PathUse,
}

/// What a profile says of one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// What has to be granted besides `Read`, in word order.
    pub needs: Vec<Need>,
    /// The paths among its words.
    pub paths: Vec<UsedPath>,
    /// Whether the program takes its input for a program text when something is piped into it.
    pub runs_input: bool,
    /// Whether files of the directory that it runs in say what it does.
    pub surroundings: bool,
}
