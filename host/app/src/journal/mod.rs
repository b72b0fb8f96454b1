//! The journal on the disk: one file of chained records, written by many processes.
//!
//! * `disk`: the files one by one, the lock, the key; `segments`: what the journal is cut into
//! * `store`: one batch at a time, and what a crash left; synchronous
//! * `rotate`: closing a segment, removing old ones; `keep`: when
//! * `writer`: the thread of a process that gathers drafts into batches, and [`Journal`] in front of it
//! * `walk`: reads through all segments; `verify`: names the first bad record; `follow`: the newest ones
//!
//! ```text
//! <state>/journal/journal.jsonl                       the open segment, appended only
//! <state>/journal/journal-<number of its first>.jsonl closed segments, never written again
//! <state>/journal/head.json                           newest number, length and MAC, with a MAC of its own
//! <state>/journal/lock                                held for a batch
//! <state>/keys/journal.key                            32 random bytes; not beside what it vouches for
//! ```
//!
//! Must not: decide what is recorded, or print. The arithmetic is `portcullis_core::audit::chain`.
//!
//! Limits: whoever reads the key can write records; that is this user and root. A journal and a head that
//! are put back together to an earlier state, or removed together with the key, are seen only with a
//! later line from elsewhere. What somebody with the right to write the directory can always do is stop the
//! journal: runs stop with it.

mod disk;
mod fault;
mod follow;
mod keep;
mod rotate;
mod segments;
mod store;
mod verify;
mod walk;
mod writer;

pub(crate) use fault::JournalFault;
pub(crate) use follow::{Follower, newest};
pub(crate) use keep::Keep;
pub(crate) use verify::{Bad, Expect, Expected, VerifyReport, read, verify};

pub(crate) use writer::Journal;

#[cfg(test)]
mod tests;
