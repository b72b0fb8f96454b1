//! What the words of known programs mean, from a table of data.
//!
//! Must not: decide. It tells what a command does; rules grant it or do not.

use super::capability::Uses;
use crate::shell::Word;

/// The known programs.
#[derive(Debug, Clone, Default)]
pub struct Profiles {}

impl Profiles {
    /// What a command does, by the profile of its program; `None` for a program that has none.
    #[must_use]
    pub fn uses(&self, _words: &[Word]) -> Option<Uses> {
        None
    }
}
