//! What the words of known programs mean, from a table of data.
//!
//! The data lie in `data/*.yml` and describe their own format; `config` reads them, and what an
//! operator writes under `profiles:` and `secret_paths:` in the same format.
//!
//! Must not: decide. It tells what a command does; rules grant it or do not.

mod cutting;
mod globs;
mod model;
mod reading;
mod scan;
mod secret;

pub(crate) use model::{Kind, Opt, Options, Profile, Spelled, Style, Unlisted, Value, Verbs};
pub(crate) use secret::SecretPaths;

use super::capability::Uses;
use super::path;
use crate::shell::Word;
use std::collections::HashMap;
use std::sync::Arc;

/// The known programs.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    programs: HashMap<Box<str>, Arc<Profile>>,
    secrets: Arc<SecretPaths>,
}

impl Profiles {
    /// Puts profiles together.
    pub(crate) fn new(
        programs: HashMap<Box<str>, Arc<Profile>>,
        secrets: Arc<SecretPaths>,
    ) -> Self {
        Self { programs, secrets }
    }

    /// What a command does, by the profile of its program; `None` for a program that has none.
    #[must_use]
    pub fn uses(&self, words: &[Word]) -> Option<Uses> {
        let program = words.first()?;
        let profile = self.find(&program.text)?;
        Some(reading::read(profile, &self.secrets, words))
    }

    /// Whether a program has a profile, whatever directory or version stands in its name.
    #[must_use]
    pub fn knows(&self, program: &str) -> bool {
        self.find(program).is_some()
    }

    /// Whether a program is known to give a shell in more ways than a profile can tell.
    pub(crate) fn gives_shell(&self, program: &str) -> bool {
        self.find(program)
            .is_some_and(|profile| profile.gives_shell)
    }

    /// Whether a path, as the program gets it, holds secrets. A relative one is judged by its last parts.
    #[must_use]
    pub fn is_secret(&self, path: &str) -> bool {
        self.secrets.holds(path)
    }

    /// Whether reading a path, or whatever a glob gives, or all below it, may show a secret.
    pub(crate) fn may_read_secret(&self, path: &str, glob: bool) -> bool {
        self.secrets.may_hold(path, glob, true)
    }

    /// The names of the programs that have a profile, in no order.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(AsRef::as_ref)
    }

    /// The profiles by name, for those that read more of them.
    pub(crate) fn entries(&self) -> &HashMap<Box<str>, Arc<Profile>> {
        &self.programs
    }

    /// The secret paths.
    pub(crate) fn secrets(&self) -> &Arc<SecretPaths> {
        &self.secrets
    }

    fn find(&self, program: &str) -> Option<&Profile> {
        let name = path::base(program);
        if let Some(found) = self.programs.get(name) {
            return Some(found);
        }
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
        if plain.is_empty() || plain == name {
            return None;
        }
        self.programs.get(plain).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests;
