//! The shape of a profile: a program's options, operands and verbs, and what each of them does.
//!
//! Must not: read words or files; `reading` does the one and `config` the other.

use super::super::capability::Capability;
use super::super::glob::Glob;
use std::sync::Arc;

/// What an option, its value, an operand or a verb is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It carries no capability.
    Text,
    /// As `Text`, and neither does any value that is decided on the host.
    Free,
    /// A path of which only name and metadata are used.
    Name,
    /// A path whose content is read.
    Content,
    /// What a repository holds: behind a `:` stands a path whose content is read, and without one a path
    /// may be meant.
    Object,
    /// A path that is written, created or removed; without a value, something is written.
    Write,
    /// An archive that is read; a name with a host in it runs a remote shell.
    Archive,
    /// An archive that is written; a name with a host in it runs a remote shell.
    ArchiveWrite,
    /// The address of another machine; a `file:` address is a path that is read.
    Url,
    /// Data to send; behind a `@` or a `<` stands a path that is read.
    Data,
    /// It needs this capability.
    Needs(Capability),
    /// A program text that a scanner reads.
    Program(Language),
    /// Directories are read with all that lies in them.
    Recursive,
    /// The operands that would be read are written.
    InPlace,
    /// A directory that relative operands lie in.
    Base,
}

/// The languages that scanners know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// `awk`.
    Awk,
    /// `sed`.
    Sed,
    /// `jq` and `yq`.
    Jq,
    /// SQL with the commands of `psql`.
    Psql,
    /// SQL with the commands of `mysql`.
    Mysql,
    /// SQL with the commands of `sqlite3`.
    Sqlite,
    /// What the shell of MongoDB evaluates.
    Mongo,
    /// A word of `ps`: letters of BSD, or names of columns.
    Ps,
}

impl Kind {
    /// The kind that a word of the data names.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "text" | "read" => Self::Text,
            "free" => Self::Free,
            "name" => Self::Name,
            "content" => Self::Content,
            "object" => Self::Object,
            "write" => Self::Write,
            "archive" => Self::Archive,
            "archive_write" => Self::ArchiveWrite,
            "url" => Self::Url,
            "data" => Self::Data,
            "operate" => Self::Needs(Capability::Operate),
            "execute" => Self::Needs(Capability::Execute),
            "secret" => Self::Needs(Capability::Secret),
            "network" => Self::Needs(Capability::Network),
            "recursive" => Self::Recursive,
            "in_place" => Self::InPlace,
            "base" => Self::Base,
            "awk" => Self::Program(Language::Awk),
            "sed" => Self::Program(Language::Sed),
            "jq" => Self::Program(Language::Jq),
            "psql" => Self::Program(Language::Psql),
            "mysql" => Self::Program(Language::Mysql),
            "sqlite" => Self::Program(Language::Sqlite),
            "mongo" => Self::Program(Language::Mongo),
            "ps" => Self::Program(Language::Ps),
            _ => return None,
        })
    }

    /// The capability that a use of this kind needs, where no value decides on it.
    pub(crate) fn need(self) -> Option<Capability> {
        match self {
            Self::Needs(capability) => Some(capability),
            Self::Write | Self::ArchiveWrite => Some(Capability::Write),
            Self::Url => Some(Capability::Network),
            Self::Text
            | Self::Free
            | Self::Name
            | Self::Content
            | Self::Object
            | Self::Archive
            | Self::Data
            | Self::Program(_)
            | Self::Recursive
            | Self::InPlace
            | Self::Base => None,
        }
    }

    /// Whether an option of this kind does harm where a value, or else a name without a slash, becomes
    /// that option.
    fn is_dangerous(self, from: Origin) -> bool {
        match self {
            // SECURITY: `--files0-from=/etc/shadow` is no name that lies around, but a command may print it.
            Self::Content | Self::Recursive => from == Origin::Value,
            Self::Text | Self::Free | Self::Name | Self::Object | Self::Base => false,
            Self::Write
            | Self::Archive
            | Self::ArchiveWrite
            | Self::Url
            | Self::Data
            | Self::Needs(_)
            | Self::Program(_)
            | Self::InPlace => true,
        }
    }
}

/// Where a word that may become an option comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A glob, so it is the name of a file.
    Glob,
    /// A variable or a command, so it may be anything.
    Value,
}

/// Whether an option has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// It has none.
    Absent,
    /// The rest of the word or the next word.
    Required,
    /// The rest of the word, if there is one.
    Attached,
    /// The next two words; the second one counts.
    Two,
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opt {
    /// Whether it has a value.
    pub(crate) value: Value,
    /// What it does, or what its value is.
    pub(crate) kind: Kind,
}

/// How an option is spelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spelled {
    /// `-x`
    Short(char),
    /// `--name`, and in the other styles `-name` and `name=`.
    Long(Box<str>),
}

/// The options of a program, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    short: Vec<(char, Opt)>,
    long: Vec<(Box<str>, Opt)>,
}

impl Options {
    /// Adds an option, or replaces the one of the same name.
    pub(crate) fn set(&mut self, spelled: Spelled, opt: Opt) {
        match spelled {
            Spelled::Short(letter) => match self.short.binary_search_by_key(&letter, |(c, _)| *c) {
                Ok(at) => self.short.splice(at..=at, [(letter, opt)]).for_each(drop),
                Err(at) => self.short.insert(at, (letter, opt)),
            },
            Spelled::Long(name) => match self.long.binary_search_by(|(n, _)| n.cmp(&name)) {
                Ok(at) => self.long.splice(at..=at, [(name, opt)]).for_each(drop),
                Err(at) => self.long.insert(at, (name, opt)),
            },
        }
    }

    /// Adds options, which replace those of the same name.
    pub(crate) fn extend(&mut self, other: Self) {
        for (letter, opt) in other.short {
            self.set(Spelled::Short(letter), opt);
        }
        for (name, opt) in other.long {
            self.set(Spelled::Long(name), opt);
        }
    }

    /// The option that is spelled so.
    pub(crate) fn get(&self, spelled: &Spelled) -> Option<Opt> {
        match spelled {
            Spelled::Short(letter) => self.short(*letter),
            Spelled::Long(name) => self.long(name),
        }
    }

    /// The option of a letter.
    pub(crate) fn short(&self, letter: char) -> Option<Opt> {
        let at = self.short.binary_search_by_key(&letter, |(c, _)| *c).ok()?;
        self.short.get(at).map(|(_, opt)| *opt)
    }

    /// The option of exactly this name.
    pub(crate) fn long(&self, name: &str) -> Option<Opt> {
        let at = self
            .long
            .binary_search_by(|(own, _)| own.as_ref().cmp(name))
            .ok()?;
        self.long.get(at).map(|(_, opt)| *opt)
    }

    /// The options whose names begin so, in the order of their names.
    pub(crate) fn abbreviated<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, Opt)> {
        let from = self.long.partition_point(|(own, _)| own.as_ref() < prefix);
        self.long
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(move |(own, _)| own.starts_with(prefix))
            .map(|(own, opt)| (own.as_ref(), *opt))
    }

    /// Whether some option does more than show something.
    fn any_dangerous(&self, from: Origin) -> bool {
        let short = self.short.iter().map(|(_, opt)| opt.kind);
        let long = self.long.iter().map(|(_, opt)| opt.kind);
        short.chain(long).any(|kind| kind.is_dangerous(from))
    }
}

/// How options are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// `-x`, `-xyz`, `-xVALUE`, `--name`, `--name=VALUE`, `--nam`.
    #[default]
    Gnu,
    /// `-name VALUE`, `-name=VALUE`, `--name`; no clusters.
    Single,
    /// `name=VALUE`.
    Pairs,
    /// There are none; every word is an operand.
    Bare,
}

/// What an option that the profile does not list does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Unlisted {
    /// It may run something.
    #[default]
    Execute,
    /// Nothing that matters.
    Harmless,
}

/// The words that say what the rest of the words mean.
#[derive(Debug, Clone)]
pub(crate) struct Verbs {
    /// The verbs, sorted by name.
    pub(crate) known: Vec<(Box<str>, Arc<Profile>)>,
    /// What holds for a verb that is not listed.
    pub(crate) other: Arc<Profile>,
    /// What holds where there is no verb.
    pub(crate) none: Kind,
}

/// What the words of one program, or behind one verb, mean.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    /// How options are written.
    pub(crate) style: Style,
    /// The options that are known.
    pub(crate) options: Options,
    /// What other options do.
    pub(crate) unlisted: Unlisted,
    /// Whether options end at the first operand.
    pub(crate) posix: bool,
    /// Whether the first word may hold option letters without a dash.
    pub(crate) bundle: bool,
    /// Whether verbs (and options, in the style `single`) may be abbreviated.
    pub(crate) abbreviate: bool,
    /// Whether case counts for nothing in verbs.
    pub(crate) ignore_case: bool,
    /// The kinds of the operands in their order; the last one repeats.
    pub(crate) operands: Vec<Kind>,
    /// The kind of the last operand, where there are several.
    pub(crate) last: Option<Kind>,
    /// Operands that are of a kind of their own wherever they stand; the first match counts.
    pub(crate) patterns: Vec<(Glob, Kind)>,
    /// Values of options that are of a kind of their own; the first match counts.
    pub(crate) values: Vec<(Spelled, Glob, Kind)>,
    /// The options that stand for the first operand.
    pub(crate) drops_first: Vec<Spelled>,
    /// The options that begin a command which ends at `;` or `+`; something else judges it.
    pub(crate) clauses: Vec<Spelled>,
    /// What every use needs.
    pub(crate) need: Option<Kind>,
    /// Whether directories are read with all that lies in them.
    pub(crate) recursive: bool,
    /// Whether it runs what is piped into it.
    pub(crate) runs_input: bool,
    /// Whether files of the directory that it runs in say what it does.
    pub(crate) surroundings: bool,
    /// Whether it gives a shell in ways that no profile can tell.
    pub(crate) gives_shell: bool,
    /// The verbs, where it has some.
    pub(crate) verbs: Option<Verbs>,
    /// What holds instead when one of some options is there.
    pub(crate) when: Vec<(Vec<Spelled>, Profile)>,
}

impl Profile {
    /// Whether some word could become an option that does harm.
    pub(crate) fn has_dangerous_options(&self, from: Origin) -> bool {
        self.style != Style::Bare
            && (self.unlisted == Unlisted::Execute || self.options.any_dangerous(from))
    }
}
