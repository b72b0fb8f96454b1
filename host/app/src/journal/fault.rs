//! Why the journal cannot be used, in words for operators.

use portcullis_core::audit::chain::{self, FirstBad, SealFault};
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
    /// The key belongs to somebody else, who can read it and change it.
    #[error("expected keys/journal.key to belong to this user or to root, got user id {uid}")]
    KeyOwner {
        /// Whose it is.
        uid: u32,
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
        name: String,
    },
    /// Somebody put something under the name of a segment that is about to be closed.
    #[error("expected no journal/{name} before the segment is closed, got one")]
    NameTaken {
        /// Where.
        name: String,
    },
    /// A closed segment is not as it was closed, so it is neither removed nor vouched for.
    #[error("journal/{name} is not as it was closed")]
    SegmentChanged {
        /// Which.
        name: String,
    },
    /// What stood before a segment is gone, and no removal that is recorded took it.
    #[error("segments before journal/{name} are missing, and no recorded removal took them")]
    SegmentMissing {
        /// The oldest that is there.
        name: String,
    },
    /// A segment was removed while it was to be read.
    #[error("journal/{name} was removed while the journal was read; try again")]
    Vanished {
        /// Which.
        name: String,
    },
    /// The directory holds more segments, or other names, than can be looked at.
    #[error("the directory journal/ holds too many files")]
    TooManySegments,
    /// A record of the journal's own cannot be made.
    #[error("{0}")]
    Seal(SealFault),
    /// What was expected from outside is no MAC.
    #[error("expected a MAC of 64 lower-case hex digits")]
    ExpectedForm,
    /// The lock's file is exchanged again and again.
    #[error("the lock's file does not stay the same")]
    LockMoved,
}

impl JournalFault {
    /// Whether the fault may pass without anybody touching the journal: a disk that is full or cannot be
    /// written now, a right that is missing, a lock that is held. Anything else may be somebody's doing and
    /// has to be looked at.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::NotFound
                    | io::ErrorKind::StaleNetworkFileHandle
            ),
            Self::LockHeld => true,
            Self::Random
            | Self::KeyMissing
            | Self::KeyForm
            | Self::KeyExposed { .. }
            | Self::KeyOwner { .. }
            | Self::Removed { .. }
            | Self::HeadDamaged
            | Self::Cut { .. }
            | Self::NotTheHeads { .. }
            | Self::Bad(_)
            | Self::NotAFile { .. }
            | Self::NameTaken { .. }
            | Self::SegmentChanged { .. }
            | Self::SegmentMissing { .. }
            | Self::Vanished { .. }
            | Self::TooManySegments
            | Self::Seal(_)
            | Self::ExpectedForm
            | Self::LockMoved => false,
        }
    }

    /// What an operator does about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free space on the disk of the state directory; nothing has to be restarted"
                }
                io::ErrorKind::ReadOnlyFilesystem => "mount the state directory's disk writable",
                io::ErrorKind::PermissionDenied => {
                    "the state directory belongs to the user that the gate runs as, mode 700"
                }
                _ => "portcullis audit verify names what is wrong; nothing runs without a journal",
            },
            _ => "portcullis audit verify names what is wrong; nothing runs without a journal",
        }
    }
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
