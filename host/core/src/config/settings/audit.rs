//! `audit:` what is recorded, and where.
//!
//! Must not: turn the journal off. Nothing runs without a record.

use crate::config::shape::shape;
use crate::config::tree::{At, Reader};

/// Whether records go to standard error where the file says nothing.
const STDERR_DEFAULT: bool = true;

/// What is recorded, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Whether records go to standard error beside the journal.
    pub stderr: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            stderr: STDERR_DEFAULT,
        }
    }
}

shape! {
    /// What is recorded, and where.
    pub(super) struct Keys {
        optional {
            /// Whether records go to standard error beside the journal. Collect them elsewhere: a line from there
            /// shows when somebody has cut the journal. Turn it off where a client shows standard error to
            /// people; the journal is kept either way.
            #[schemars(extend("default" = STDERR_DEFAULT))]
            stderr: bool,
        }
    }
}

/// Reads the section; a key that does not stand keeps its default.
pub(super) fn read(reader: &mut Reader, at: &At<'_>) -> Audit {
    let mut audit = Audit::default();
    let Some(fields) = reader.map(at, Keys::KEYS) else {
        return audit;
    };
    if let Some(at) = fields.get("stderr")
        && let Some(stderr) = reader.boolean(&at)
    {
        audit.stderr = stderr;
    }
    audit
}
