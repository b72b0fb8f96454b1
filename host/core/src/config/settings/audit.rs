//! `audit:` what is recorded, where, and how long it is kept.
//!
//! Must not: turn the journal off. Nothing runs without a record.

use crate::config::shape::shape;
use crate::config::tree::{At, Fields, Reader};

/// Whether records go to standard error where the file says nothing.
const STDERR_DEFAULT: bool = true;
/// Size at which a segment is closed where the file says nothing, in bytes.
const ROTATE_BYTES_DEFAULT: u64 = 33_554_432;
/// Smallest size at which a segment may be closed, in bytes.
const ROTATE_BYTES_MIN: u64 = 65_536;
/// Largest size at which a segment may be closed, in bytes: closing reads it once for its digest.
const ROTATE_BYTES_MAX: u64 = 1_073_741_824;
/// Longest age of a segment and longest time that one is kept, in days.
const DAYS_MAX: u64 = 36_500;
/// Most closed segments that may be asked for.
const RETAIN_FILES_MAX: u64 = 60_000;

/// What is recorded, where, and how long it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Whether records go to standard error beside the journal.
    pub stderr: bool,
    /// Size at which a segment of the journal is closed, in bytes.
    pub rotate_bytes: u64,
    /// Age at which a segment is closed, in days; `None` for never.
    pub rotate_days: Option<u64>,
    /// How many closed segments are kept; `None` for all.
    pub retain_files: Option<u64>,
    /// How long a closed segment is kept, in days; `None` for ever.
    pub retain_days: Option<u64>,
}

impl Default for Audit {
    /// Nothing is removed: evidence goes only where an operator says so.
    fn default() -> Self {
        Self {
            stderr: STDERR_DEFAULT,
            rotate_bytes: ROTATE_BYTES_DEFAULT,
            rotate_days: None,
            retain_files: None,
            retain_days: None,
        }
    }
}

shape! {
    /// What is recorded, where, and how long it is kept.
    #[schemars(rename = "Audit")]
    pub(super) struct Keys {
        optional {
            /// Whether records go to standard error beside the journal. Collect them elsewhere: a line from there
            /// shows when somebody has cut the journal. Turn it off where a client shows standard error to
            /// people; the journal is kept either way.
            #[schemars(extend("default" = STDERR_DEFAULT))]
            stderr: bool,
            /// Size in bytes at which the journal's open segment is closed and the next one begins. Smaller segments
            /// are removed in smaller pieces; larger ones are fewer.
            #[schemars(range(min = ROTATE_BYTES_MIN, max = ROTATE_BYTES_MAX), extend("default" = ROTATE_BYTES_DEFAULT))]
            rotate_bytes: u64,
            /// Age in days at which the open segment is closed whatever its size; 0 for never. Set it where segments
            /// are copied elsewhere day by day.
            #[schemars(range(max = DAYS_MAX), extend("default" = 0))]
            rotate_days: u64,
            /// How many closed segments are kept; the oldest go first, each with a record that says so. 0 keeps
            /// all. Set it, or `retain_days`, so that the journal cannot fill the disk: a full disk stops all runs.
            #[schemars(range(max = RETAIN_FILES_MAX), extend("default" = 0))]
            retain_files: u64,
            /// How many days a segment is kept after it was closed; 0 for ever.
            #[schemars(range(max = DAYS_MAX), extend("default" = 0))]
            retain_days: u64,
        }
    }
}

/// Reads the section; a key that does not stand keeps its default.
pub(super) fn read(reader: &mut Reader, at: &At<'_>) -> Audit {
    let default = Audit::default();
    let Some(fields) = reader.map(at, Keys::KEYS) else {
        return default;
    };
    let stderr = fields.get("stderr").and_then(|at| reader.boolean(&at));
    let bytes = (ROTATE_BYTES_MIN, ROTATE_BYTES_MAX);
    Audit {
        stderr: stderr.unwrap_or(default.stderr),
        rotate_bytes: number(reader, &fields, "rotate_bytes", bytes)
            .unwrap_or(default.rotate_bytes),
        rotate_days: above_zero(reader, &fields, "rotate_days", DAYS_MAX),
        retain_files: above_zero(reader, &fields, "retain_files", RETAIN_FILES_MAX),
        retain_days: above_zero(reader, &fields, "retain_days", DAYS_MAX),
    }
}

fn number(
    reader: &mut Reader,
    fields: &Fields<'_>,
    key: &str,
    (min, max): (u64, u64),
) -> Option<u64> {
    let at = fields.get(key)?;
    reader.number(&at, min, max)
}

/// A number whose 0 means that there is none.
fn above_zero(reader: &mut Reader, fields: &Fields<'_>, key: &str, max: u64) -> Option<u64> {
    number(reader, fields, key, (0, max)).filter(|number| *number > 0)
}
