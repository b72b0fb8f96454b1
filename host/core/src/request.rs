//! What a caller asks for, bounded and clean. A value of these types has passed the input limits;
//! nothing behind this room looks at lengths or characters again.
//!
//! Must not: decide anything, or look a host up.

use crate::limits;
use crate::text::hex;
use sha2::{Digest, Sha256};

/// Which input a fault is about. The text is the parameter's name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The host alias.
    Alias,
    /// The tag that selects hosts.
    Tag,
    /// The command line.
    Command,
    /// The id of a task.
    TaskId,
}

impl Field {
    /// The parameter's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Tag => "tag",
            Self::Command => "command",
            Self::TaskId => "task_id",
        }
    }
}

/// Why an input was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputFault {
    /// Nothing was given, or only blanks.
    Required {
        /// Which input.
        field: Field,
    },
    /// Longer than its limit, counted in characters after trimming.
    TooLong {
        /// Which input.
        field: Field,
        /// The limit in characters.
        chars_max: usize,
        /// What was given, in characters.
        chars: usize,
    },
    /// A character outside the set of an identifier.
    Characters {
        /// Which input.
        field: Field,
    },
    /// A NUL in a command.
    NulByte,
    /// A control character other than LF, TAB and CR in a command.
    ControlCharacter {
        /// The character's code point.
        code: u32,
    },
    /// A character that hides or reorders text: C1, bidirectional, zero width, tags, odd spaces.
    HiddenCharacter {
        /// The character's code point.
        code: u32,
    },
}

impl InputFault {
    /// The stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Required { .. } => "input_required",
            Self::TooLong { .. } => "input_too_long",
            Self::Characters { .. } => "input_characters",
            Self::NulByte => "input_null_byte",
            Self::ControlCharacter { .. } => "input_control_character",
            Self::HiddenCharacter { .. } => "input_hidden_character",
        }
    }

    /// The security event that the fault is logged under, if it is one.
    #[must_use]
    pub fn event(&self) -> Option<&'static str> {
        match self {
            Self::Required { .. } | Self::Characters { .. } => None,
            Self::TooLong { .. } => Some("input_length_limit_exceeded"),
            Self::NulByte => Some("null_byte_injection_attempt"),
            Self::ControlCharacter { .. } => Some("control_character_injection_attempt"),
            Self::HiddenCharacter { .. } => Some("hidden_character_injection_attempt"),
        }
    }

    /// Which input the fault is about.
    #[must_use]
    pub fn field(&self) -> Field {
        match self {
            Self::Required { field } | Self::TooLong { field, .. } | Self::Characters { field } => {
                *field
            }
            Self::NulByte | Self::ControlCharacter { .. } | Self::HiddenCharacter { .. } => {
                Field::Command
            }
        }
    }
}

impl std::fmt::Display for InputFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Required { field } => write!(f, "{} is required", field.name()),
            Self::TooLong { field, chars_max, .. } => {
                write!(f, "{} too long (max {chars_max} characters)", field.name())
            }
            Self::Characters { field: Field::TaskId } => f.write_str(
                "task_id contains invalid characters (only alphanumeric, colon, dash, underscore, dot allowed)",
            ),
            Self::Characters { field } => write!(
                f,
                "{} contains invalid characters (only alphanumeric, dot, dash, underscore allowed)",
                field.name()
            ),
            Self::NulByte => {
                f.write_str("command contains invalid characters (null bytes not allowed)")
            }
            Self::ControlCharacter { .. } => {
                f.write_str("command contains invalid control characters")
            }
            Self::HiddenCharacter { code } => write!(
                f,
                "command contains invalid characters (U+{code:04X} hides or reorders text)"
            ),
        }
    }
}

impl std::error::Error for InputFault {}

/// Trims what a person may leave at the ends: blanks and line ends, nothing that could hide.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

fn identifier(
    text: &str,
    field: Field,
    chars_max: usize,
    allowed: fn(char) -> bool,
) -> Result<String, InputFault> {
    let text = trim(text);
    if text.is_empty() {
        return Err(InputFault::Required { field });
    }
    let chars = text.chars().count();
    if chars > chars_max {
        return Err(InputFault::TooLong {
            field,
            chars_max,
            chars,
        });
    }
    if !text.chars().all(allowed) {
        return Err(InputFault::Characters { field });
    }
    Ok(text.to_owned())
}

fn name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The name of a host in the inventory: ASCII letters, digits, `.`, `_`, `-`; at most
/// [`limits::ALIAS_CHARS_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias(String);

impl Alias {
    /// Trims and checks.
    ///
    /// # Errors
    /// [`InputFault::Required`], [`InputFault::TooLong`] or [`InputFault::Characters`], in that order.
    pub fn parse(text: &str) -> Result<Self, InputFault> {
        identifier(text, Field::Alias, limits::ALIAS_CHARS_MAX, name_char).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Alias {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag: the characters of an alias, at most [`limits::TAG_CHARS_MAX`] of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// Trims and checks.
    ///
    /// # Errors
    /// [`InputFault::Required`], [`InputFault::TooLong`] or [`InputFault::Characters`], in that order.
    pub fn parse(text: &str) -> Result<Self, InputFault> {
        identifier(text, Field::Tag, limits::TAG_CHARS_MAX, name_char).map(Self)
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a run: `alias:hash16:<microseconds>-<32 hex digits>`; at most
/// [`limits::TASK_ID_CHARS_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskId(String);

impl TaskId {
    /// Trims and checks an id that a caller names. The characters are those of an alias and `:`.
    ///
    /// # Errors
    /// [`InputFault::Required`], [`InputFault::TooLong`] or [`InputFault::Characters`], in that order.
    pub fn parse(text: &str) -> Result<Self, InputFault> {
        identifier(text, Field::TaskId, limits::TASK_ID_CHARS_MAX, |c| {
            name_char(c) || c == ':'
        })
        .map(Self)
    }

    /// Makes the id of a new run. `random` must come from the system's generator: possession of an
    /// id is not authority, but guessing one must not be possible either.
    #[must_use]
    pub fn mint(
        alias: &Alias,
        line: &CommandLine,
        now: crate::clock::Micros,
        random: [u8; 16],
    ) -> Self {
        Self(format!(
            "{alias}:{}:{}-{}",
            line.hash16(),
            now.0,
            hex(&random)
        ))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A command as the caller wrote it, trimmed: 1 to [`limits::COMMAND_CHARS_MAX`] characters, without
/// NUL, without controls other than LF, TAB and CR, without characters that hide or reorder text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(String);

impl CommandLine {
    /// Trims and checks.
    ///
    /// # Errors
    /// Each [`InputFault`] but [`InputFault::Characters`]; the length is looked at before characters.
    pub fn parse(text: &str) -> Result<Self, InputFault> {
        let text = trim(text);
        if text.is_empty() {
            return Err(InputFault::Required {
                field: Field::Command,
            });
        }
        let chars_max = limits::COMMAND_CHARS_MAX;
        let chars = text.chars().count();
        if chars > chars_max {
            return Err(InputFault::TooLong {
                field: Field::Command,
                chars_max,
                chars,
            });
        }
        for c in text.chars() {
            let code = u32::from(c);
            if c == '\0' {
                return Err(InputFault::NulByte);
            }
            if code < 0x20 && !matches!(c, '\n' | '\t' | '\r') || code == 0x7f {
                return Err(InputFault::ControlCharacter { code });
            }
            if crate::text::is_hidden(c) {
                return Err(InputFault::HiddenCharacter { code });
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The trimmed text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 hex digits of the SHA-256 of the text.
    #[must_use]
    pub fn hash16(&self) -> String {
        hash16(&self.0)
    }
}

/// The first 16 hex digits of the SHA-256 of a text's UTF-8 bytes; its first 12 are the short form
/// that older records carry.
#[must_use]
pub fn hash16(text: &str) -> String {
    let mut hex = sha256_hex(text.as_bytes());
    hex.truncate(16);
    hex
}

/// The SHA-256 of some bytes, as 64 lower-case hex digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// On whose behalf a call is made, e.g. `local:1000` for the owner of a stdio server's process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(String);

impl Principal {
    /// The owner of the process that speaks over stdio or runs the command line.
    #[must_use]
    pub fn local(uid: u32) -> Self {
        Self(format!("local:{uid}"))
    }

    /// The name, as records and plugins see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request to run or plan one command on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// Which host.
    pub alias: Alias,
    /// Which command.
    pub line: CommandLine,
}

impl RunRequest {
    /// Checks both inputs, the alias first.
    ///
    /// # Errors
    /// The first [`InputFault`].
    pub fn parse(alias: &str, command: &str) -> Result<Self, InputFault> {
        Ok(Self {
            alias: Alias::parse(alias)?,
            line: CommandLine::parse(command)?,
        })
    }
}
