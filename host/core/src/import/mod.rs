//! Proposals for `servers.yml` and `credentials.yml` from the inventories of other tools.
//!
//! * `ssh_config`: an OpenSSH client's configuration
//! * `ansible`: an Ansible inventory, as INI or YAML
//! * `proposal`: what both become: hosts whose every value is one that the gate takes
//! * `render`: a proposal as YAML, each value with a comment that says where it came from
//!
//! Every text of a foreign file is hostile: what is proposed is quoted, comments are one clean line, and a
//! value that looks like a secret is never repeated. Nothing is dropped silently: what is not taken is named
//! with its place and the reason.
//!
//! Must not: open files, look a name up, or take anything into force. Files that a file includes are asked
//! for through [`Shelf`].

mod ansible;
mod proposal;
mod render;
mod ssh_config;

pub use ansible::Inventory;
pub use proposal::{Host, Login, Proposal, Skipped};
pub use ssh_config::{Settings, SshConfig};

use crate::redact::Redactor;
use crate::text;
use std::sync::LazyLock;

/// Most bytes of all texts of one import together.
pub const IMPORT_BYTES_MAX: usize = 4_194_304;
/// Most files of one import.
pub const IMPORT_FILES_MAX: usize = 256;
/// Most hosts of one import.
pub const IMPORT_HOSTS_MAX: usize = 5_000;
/// Most steps of work for one import: blocks looked at, patterns compared and values set, over all hosts. Enough for
/// the most hosts with a block each.
pub const IMPORT_STEPS_MAX: usize = 30_000_000;

/// How much of a text is looked at before it is shown, in bytes. Longer ones are shown to their beginning only.
const SHOWN_BYTES_MAX: usize = 16_384;

/// A text of a foreign file, or the name of one, as people may see it: one clean line in which whatever looks like a
/// secret is masked.
#[must_use]
pub fn shown(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    // The whole first: of a secret that lies across the end of a line's bound, a part would be left. Then the line:
    // hidden characters may have split one.
    let whole = mask(text.get(..end).unwrap_or_default());
    let line = text::step(&whole).into_string();
    without_passwords(&if line == whole { line } else { mask(&line) })
}

/// Whether something in a text looks like a secret, so that nothing may be named after it.
fn is_secret(text: &str) -> bool {
    if text.len() > SHOWN_BYTES_MAX || mask(text) != text {
        return true;
    }
    let line = text::step(text).into_string();
    line != text && mask(&line) != line
}

fn mask(text: &str) -> String {
    static RULES: LazyLock<Redactor> = LazyLock::new(Redactor::default);
    RULES.mask(text).0
}

/// `user:password@host`, as it stands in the place of a host, without its password.
fn without_passwords(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let login = word
            .rsplit_once('@')
            .and_then(|(login, host)| Some((login.split_once(':')?.0, host)));
        match login {
            Some((user, host)) => format!("{user}:[REDACTED:url-password]@{host}"),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A text with the name of the file that it stood in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The file's name, for people.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Gives the files that another file names.
pub trait Shelf {
    /// The files that a pattern names, in the order of their names; none where nothing is there. The pattern is
    /// absolute or begins with `~/`, and may hold `*`, `?` and `[…]`. No more is read than there is room for.
    ///
    /// # Errors
    /// In words, where a file is there and cannot be read, or there is no room for it.
    fn find(&self, pattern: &str, room: Room) -> Result<Vec<Text>, String>;
}

/// What one import may still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// So many files.
    pub files: usize,
    /// So many bytes in all of them together.
    pub bytes: usize,
}

/// A shelf with nothing on it.
#[derive(Debug, Clone, Copy)]
pub struct NoShelf;

impl Shelf for NoShelf {
    fn find(&self, _: &str, _: Room) -> Result<Vec<Text>, String> {
        Ok(Vec::new())
    }
}

/// What is known of the user whose files are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The name that `ssh` would log in with where nothing names one; `None` where it is not known.
    pub user: Option<String>,
}

/// A line of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1; 0 for the file as a whole.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = text::step(&self.file);
        match self.line {
            0 => f.write_str(&file),
            line => write!(f, "{file}:{line}"),
        }
    }
}

/// Something that is said of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// What.
    pub text: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Why a file cannot be read as what it is said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct ImportFault {
    /// Where.
    pub place: Place,
    /// What was expected and what was got. Repeats no value of the file.
    pub text: String,
    /// How to mend it; empty where there is nothing to say.
    pub hint: &'static str,
}

impl ImportFault {
    /// SECURITY: the words of a shelf hold names of files, and whoever made these chose every byte of them.
    fn new(place: Place, text: impl AsRef<str>, hint: &'static str) -> Self {
        Self {
            place,
            text: shown(text.as_ref()),
            hint,
        }
    }
}

/// The work that is left.
struct Budget {
    steps: usize,
}

impl Budget {
    fn new() -> Self {
        Self {
            steps: IMPORT_STEPS_MAX,
        }
    }

    fn spend(&mut self, steps: usize) -> Result<(), ImportFault> {
        self.steps = self.steps.checked_sub(steps).ok_or_else(|| {
            ImportFault::new(
                Place::default(),
                format!("expected at most {IMPORT_STEPS_MAX} steps of work, got more"),
                "Split the file.",
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
