//! Why the journal cannot be used, in words for operators.

use portcullis_core::audit::chain::{self, FirstBad};
use std::io;

use super::disk::LOCK_MS_MAX;

/// Why the journal cannot be used. Nothing runs while it holds. The texts are for operators.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalFault {
    /// The system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no randomness for a key.
    #[error("no random bytes for the journal's key")]
    Random,
    /// There are records, and the key that vouches for them is gone.
    #[error("expected the key keys/journal.key of a journal that has records, got none")]
    KeyMissing,
    /// The key's file does not hold a key.
    #[error("expected {} bytes in keys/journal.key", chain::KEY_BYTES)]
    KeyForm,
    /// Others may read or write the key.
    #[error("expected keys/journal.key to be its owner's alone (chmod 600), got mode {mode:o}")]
    KeyExposed {
        /// The file's mode.
        mode: u32,
    },
    /// The key exists and what it vouches for does not.
    #[error("expected the file journal/{name}, which the key vouches for; it was removed")]
    Removed {
        /// Which file.
        name: &'static str,
    },
    /// The head was changed, or written without the key.
    #[error("expected a head that was written with the key in journal/head.json")]
    HeadDamaged,
    /// The journal is shorter than the head says.
    #[error("expected {expected} bytes of records, got {got}: the journal was cut")]
    Cut {
        /// What the head or this process knows.
        expected: u64,
        /// What is there.
        got: u64,
    },
    /// What stands where the newest record ends is another record.
    #[error("expected record {seq} at the end that the head names, got other bytes")]
    NotTheHeads {
        /// The newest record's number.
        seq: u64,
    },
    /// Records after the head do not hold.
    #[error("records after the head do not hold: {0}")]
    Bad(FirstBad),
    /// Another process holds the lock and does not let go.
    #[error("another process holds the lock for more than {LOCK_MS_MAX} ms")]
    LockHeld,
    /// Something else than a file stands there.
    #[error("expected a regular file in journal/{name}")]
    NotAFile {
        /// Where.
        name: &'static str,
    },
    /// What was expected from outside is no MAC.
    #[error("expected a MAC of 64 lower-case hex digits")]
    ExpectedForm,
    /// The lock's file is exchanged again and again.
    #[error("the lock's file does not stay the same")]
    LockMoved,
}

pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> JournalFault {
    move |source| JournalFault::Io { what, source }
}

pub(super) fn rustix_io(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> JournalFault {
    move |errno| JournalFault::Io {
        what,
        source: errno.into(),
    }
}
