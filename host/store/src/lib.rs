//! The embedded store: what outlives a process and has to be asked for by more than its name. The only room that
//! knows SQL.
//!
//! * `open`: the file beneath the state directory, its settings and its shape
//! * `writer`: one thread that writes, and commits what came meanwhile together
//! * `tasks`: asynchronous runs and what they have printed
//!
//! What is kept is fit to be read: commands are masked and output is redacted before they get here.
//!
//! Must not: run anything, decide whose a row is (every question names the principal), or take time from the
//! system: callers bring it.

mod open;
mod tasks;
mod writer;

pub use open::{STORE_BYTES_MAX, Store};
pub use tasks::{
    CHUNK_BYTES_MAX, Chunk, Chunks, Claim, End, Id, New, State, TASK_OUTPUT_BYTES_MAX,
    TASKS_PENDING_MAX, TASKS_RUNNING_MAX, TASKS_RUNNING_PER_HOST_MAX, Task,
};

/// Why the store did not do what it was asked. The text is for operators.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file is not one of the gate's own: what was expected.
    #[error("the store is not used: expected {0}")]
    File(&'static str),
    /// The system says no.
    #[error("the store: {0}")]
    System(#[from] std::io::Error),
    /// The database says no.
    #[error("the store: {0}")]
    Database(#[from] rusqlite::Error),
    /// The file is of a later release.
    #[error("the store has shape {found}; this release knows shapes up to {known}")]
    Newer {
        /// The file's.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// One more task could make the file larger than it may be.
    #[error(
        "the store has no room for another task (at most {0} bytes): results make room when their time is over"
    )]
    NoRoom(u64),
    /// As many tasks wait as may.
    #[error("too many tasks wait for their turn (at most {0})")]
    Full(usize),
    /// The thread that writes has ended.
    #[error("the store is closed")]
    Closed,
}
