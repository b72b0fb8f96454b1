//! What program texts among a command's words do.
//!
//! Must not: run or fully parse a language. A scanner reads far enough to overlook nothing; what it
//! does not understand needs `Execute`.

mod awk;
mod jq;
mod mongo;
mod ps;
mod sed;
mod sql;

use super::super::capability::Capability;
use super::model::Language;

/// One thing that a program text does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect<'a> {
    /// It needs a capability.
    Needs(Capability, &'static str),
    /// It reads the content of a path.
    Reads(&'a str),
    /// It writes a path.
    Writes(&'a str),
}

/// Longest program text that is read; a longer one counts as one that runs something.
const TEXT_BYTES_MAX: usize = 8_192;

/// What a program text does.
pub(super) fn scan(language: Language, text: &str) -> Vec<Effect<'_>> {
    if text.len() > TEXT_BYTES_MAX {
        return vec![Effect::Needs(
            Capability::Execute,
            "has a program text that is too long to be read",
        )];
    }
    match language {
        Language::Awk => awk::scan(text),
        Language::Sed => sed::scan(text),
        Language::Jq => jq::scan(text),
        Language::Mongo => mongo::scan(text),
        Language::Ps => ps::scan(text),
        Language::Psql | Language::Mysql | Language::Sqlite => sql::scan(language, text),
    }
}

#[cfg(test)]
mod tests;
