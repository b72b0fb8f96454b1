//! The journal on the disk: one file of chained records, written by many processes.
//!
//! * `disk`: the files one by one, the lock, the key
//! * `store`: one batch at a time, and what a crash left; synchronous
//! * `writer`: the thread of a process that gathers drafts into batches, and [`Journal`] in front of it
//! * `verify`: reads the whole file and names the first bad record
//!
//! ```text
//! <state>/journal/journal.jsonl   the records, appended only
//! <state>/journal/head.json       newest number, length and MAC, with a MAC of its own
//! <state>/journal/lock            held for a batch
//! <state>/keys/journal.key        32 random bytes; not beside what it vouches for
//! ```
//!
//! Must not: decide what is recorded, or print. The arithmetic is `portcullis_core::audit::chain`.
//!
//! Limits: whoever reads the key can write records; that is this user and root. A journal and a head that
//! are put back together to an earlier state, or removed together with the key, are seen only with a
//! later line from elsewhere. The file is not rotated.

mod disk;
mod fault;
mod store;
mod verify;
mod writer;

pub(crate) use fault::JournalFault;
pub(crate) use verify::{Expect, verify};
pub(crate) use writer::Journal;

#[cfg(test)]
mod tests;
