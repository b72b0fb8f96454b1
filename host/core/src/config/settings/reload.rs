//! `reload:` whether changed files are noticed without being told.
//!
//! Must not: say what a reload may change. Plugins change by a signal or a restart only.

use crate::config::shape::shape;
use crate::config::tree::{At, Reader};

/// Seconds between two looks where the file says nothing: never. Two files that belong together are saved one
/// after the other, and whoever edits them decides when both are whole; SIGHUP says so.
const POLL_SECONDS_DEFAULT: u64 = 0;
/// Longest time between two looks, in seconds.
const POLL_SECONDS_MAX: u64 = 3_600;

/// How changed files come into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// Seconds between two looks at the files' bytes; 0 for none.
    pub poll_seconds: u64,
}

impl Default for Reload {
    fn default() -> Self {
        Self {
            poll_seconds: POLL_SECONDS_DEFAULT,
        }
    }
}

shape! {
    /// How changed files come into force besides SIGHUP and `ssh_reload_config`.
    #[schemars(rename = "Reload")]
    pub(super) struct Keys {
        optional {
            /// Seconds between two looks at the files; 0 for none. Changed bytes that are the same in two looks are
            /// read as a whole, or the last good configuration stays; plugins and their pins stay in any case. Set 2
            /// where files are replaced from outside, as a mounted ConfigMap is; leave it where people edit the
            /// files in place, and send SIGHUP when all of them are done.
            #[schemars(range(max = POLL_SECONDS_MAX), extend("default" = POLL_SECONDS_DEFAULT))]
            poll_seconds: u64,
        }
    }
}

/// Reads the section; a key that does not stand keeps its default.
pub(super) fn read(reader: &mut Reader, at: &At<'_>) -> Reload {
    let mut reload = Reload::default();
    let Some(fields) = reader.map(at, Keys::KEYS) else {
        return reload;
    };
    if let Some(at) = fields.get("poll_seconds")
        && let Some(seconds) = reader.number(&at, 0, POLL_SECONDS_MAX)
    {
        reload.poll_seconds = seconds;
    }
    reload
}
