//! When a segment is closed and when closed ones go: the operator's wishes, as the journal takes them.
//!
//! Must not: touch a file.

use portcullis_core::clock::Micros;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the journal keeps, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keep {
    /// A segment of at least this many bytes is closed before the next record.
    pub(crate) rotate_bytes: u64,
    /// A segment whose first record is this old is closed before the next record; `None` for never.
    pub(crate) rotate_age: Option<Duration>,
    /// How many closed segments stay; `None` for all.
    pub(crate) retain_files: Option<u64>,
    /// How long a closed segment stays; `None` for ever.
    pub(crate) retain_age: Option<Duration>,
    /// The stamp of records that the journal writes about itself.
    pub(crate) stamp: Map<String, Value>,
}

impl Default for Keep {
    /// One segment of any size, and nothing is ever removed.
    fn default() -> Self {
        Self {
            rotate_bytes: u64::MAX,
            rotate_age: None,
            retain_files: None,
            retain_age: None,
            stamp: Map::new(),
        }
    }
}

/// The present instant, for the records that the journal writes about itself.
pub(super) fn now() -> Micros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Whether `age` has passed since an instant. An instant that lies ahead (a clock that was set back) is young.
pub(super) fn is_older(then: Micros, age: Option<Duration>) -> bool {
    let passed = Duration::from_micros(now().0.saturating_sub(then.0));
    age.is_some_and(|age| passed >= age)
}
