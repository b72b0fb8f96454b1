//! The journal's files and the lock over them: what one process does while no other may.
//!
//! The order of a batch is what the promises rest on: append, sync, then the head, then the answer. A
//! process that is ended in between leaves records after the head, and the next one checks and
//! adopts them; it never leaves a head that names more than the file holds.
//!
//! The head is one block of fixed size, written in place. A rename would need two more syncs to survive a
//! power cut without an empty file; a block below a sector's size is either the old one or the new one.
//! It is not synced: a head that is behind is caught up by the chain.
//!
//! Must not: start threads, or answer anybody.

use super::JournalFault;
use super::disk::{
    HEAD, JOURNAL, JOURNAL_DIR, KEYS_DIR, Wait, directory, head_block, initialise, length, lock,
    open_if_there, read_head, read_key, sync_directory,
};
use super::fault::io;
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{
    self, FirstBad, Key, Place, RECORD_BYTES_MAX, Reason, SealFault, Verifier,
};
use portcullis_core::audit::{Draft, Durability, Receipt};
use portcullis_core::clock::Micros;
use rustix::fs::OFlags;
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self as stdio, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The present instant, for the records that the journal writes about itself.
fn now() -> Micros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The files of one journal, for one process.
pub(super) struct Store {
    dir: Dir,
    key: Key,
    /// After the newest record that this process has seen; it may be newer than the head on the disk.
    seen: Place,
}

/// The files while the lock is held.
pub(super) struct Locked<'s> {
    store: &'s mut Store,
    records: File,
    head: File,
    _lock: File,
}

impl Store {
    /// Opens the journal of a state, makes it where there is none, and mends what a crash left.
    pub(super) fn open(state: &Dir) -> Result<Self, JournalFault> {
        let dir = directory(state, JOURNAL_DIR)?;
        let keys = directory(state, KEYS_DIR)?;
        let held = lock(&dir, OFlags::RDWR | OFlags::CREATE, Wait::Bounded)?;
        let key = match read_key(&keys)? {
            Some(key) => key,
            None => {
                let key = initialise(&dir, &keys)?;
                sync_directory(state)?;
                key
            }
        };
        let seen = Place::START;
        let mut store = Self { dir, key, seen };
        store.locked(held)?.sync()?;
        Ok(store)
    }

    /// Takes the lock and looks at what others have written meanwhile.
    pub(super) fn lock(&mut self) -> Result<Locked<'_>, JournalFault> {
        let held = lock(&self.dir, OFlags::RDWR | OFlags::CREATE, Wait::Unbounded)?;
        self.locked(held)
    }

    fn locked(&mut self, held: File) -> Result<Locked<'_>, JournalFault> {
        let removed = |name| JournalFault::Removed { name };
        let head = open_if_there(&self.dir, HEAD, OFlags::RDWR, "opening the head")?
            .ok_or(removed(HEAD))?;
        let records = open_if_there(
            &self.dir,
            JOURNAL,
            OFlags::RDWR | OFlags::APPEND,
            "opening the journal",
        )?
        .ok_or(removed(JOURNAL))?;
        let named = read_head(&head, &self.key)?;
        let known = self.known(named)?;
        let length = length(&records)?;
        if length < known.bytes {
            return Err(JournalFault::Cut {
                expected: known.bytes,
                got: length,
            });
        }
        check_end(&records, &known)?;
        self.seen = known;
        let mut locked = Locked {
            store: self,
            records,
            head,
            _lock: held,
        };
        if length > known.bytes {
            locked.adopt()?;
        }
        Ok(locked)
    }

    /// The newest place that is known to hold: the head's, or the one this process wrote after it.
    fn known(&self, head: Place) -> Result<Place, JournalFault> {
        if head.seq > self.seen.seq {
            return Ok(head);
        }
        if head.seq == self.seen.seq && head != self.seen {
            return Err(JournalFault::NotTheHeads { seq: head.seq });
        }
        Ok(self.seen)
    }
}

/// Whether the bytes before a place end with its MAC: a journal that was exchanged for another of the
/// same length is seen before anything is added to it.
fn check_end(records: &File, place: &Place) -> Result<(), JournalFault> {
    if place.seq == 0 {
        return Ok(());
    }
    let end = format!(",\"mac\":\"{}\"}}\n", place.mac);
    let fault = JournalFault::NotTheHeads { seq: place.seq };
    let Some(start) = place.bytes.checked_sub(end.len() as u64) else {
        return Err(fault);
    };
    let mut found = vec![0_u8; end.len()];
    records
        .read_exact_at(&mut found, start)
        .map_err(io("reading the newest record"))?;
    if found == end.as_bytes() {
        Ok(())
    } else {
        Err(fault)
    }
}

impl Locked<'_> {
    /// Takes records over that stand after the known place: those of other processes that have not
    /// written the head yet, or of one that was ended before it could. A torn last line is cut off,
    /// and a record says so.
    fn adopt(&mut self) -> Result<(), JournalFault> {
        let start = self.store.seen;
        let mut file = &self.records;
        file.seek(SeekFrom::Start(start.bytes))
            .map_err(io("reading records"))?;
        let mut reader = BufReader::new(file);
        let mut verifier = Verifier::after(&self.store.key, start);
        let mut line = Vec::new();
        let torn = loop {
            match next_line(&mut reader, &mut line).map_err(io("reading records"))? {
                Line::Whole => verifier.take(&line).map(|_| ()).map_err(|reason| {
                    let seq = verifier.place().seq.saturating_add(1);
                    JournalFault::Bad(FirstBad {
                        line: seq,
                        seq,
                        reason,
                    })
                })?,
                Line::Torn => break true,
                Line::End => break false,
            }
        };
        self.store.seen = verifier.place();
        if torn {
            self.cut_off(&line)?;
        }
        Ok(())
    }

    fn cut_off(&mut self, torn: &[u8]) -> Result<(), JournalFault> {
        if torn.len() > RECORD_BYTES_MAX {
            let seq = self.store.seen.seq.saturating_add(1);
            let reason = Reason::TooLong;
            return Err(JournalFault::Bad(FirstBad {
                line: seq,
                seq,
                reason,
            }));
        }
        self.records
            .set_len(self.store.seen.bytes)
            .map_err(io("cutting off a torn record"))?;
        let sha256: String = Sha256::digest(torn)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut body = Map::new();
        body.insert("torn_bytes".to_owned(), json!(torn.len()));
        body.insert("torn_sha256".to_owned(), json!(sha256));
        let draft = Draft {
            kind: "recovered",
            at: now(),
            body,
            durability: Durability::Synced,
        };
        self.append(&[&draft])?;
        self.sync()
    }

    /// Appends a batch with one write and returns an answer for each draft. After a fault none of them
    /// is in the journal.
    pub(super) fn append(
        &mut self,
        drafts: &[&Draft],
    ) -> Result<Vec<Result<Receipt, SealFault>>, JournalFault> {
        let before = self.store.seen;
        let (mut place, mut bytes) = (before, Vec::new());
        let mut answers = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let sealed = chain::seal(&self.store.key, &place, draft, &mut bytes);
            answers.push(sealed.map(|after| {
                place = after;
                Receipt {
                    seq: after.seq,
                    mac: after.mac.to_string(),
                }
            }));
        }
        if let Err(source) = (&self.records).write_all(&bytes) {
            self.take_back(before);
            let what = "appending records";
            return Err(JournalFault::Io { what, source });
        }
        self.store.seen = place;
        Ok(answers)
    }

    /// Removes what was appended after a place. Where that fails too, the next to take the lock finds whole
    /// records, which it adopts, or a torn one, which it cuts off.
    pub(super) fn take_back(&mut self, to: Place) {
        if self.records.set_len(to.bytes).is_ok() {
            self.store.seen = to;
        }
    }

    /// After the newest record.
    pub(super) fn place(&self) -> Place {
        self.store.seen
    }

    /// Makes everything durable that stands in the journal, then lets the head name it.
    pub(super) fn sync(&mut self) -> Result<(), JournalFault> {
        self.records
            .sync_data()
            .map_err(io("syncing the journal"))?;
        // INVARIANT: the head follows the sync; before it, a power cut could leave a head that names
        // records which the disk has not got, and that is what a cut tail looks like.
        self.head
            .write_all_at(&head_block(&self.store.key, &self.store.seen), 0)
            .map_err(io("writing the head"))
    }
}

/// What a read for the next line found.
pub(super) enum Line {
    /// A line with its end, which is not part of the bytes.
    Whole,
    /// Bytes without a line end: the last ones, or more than a record can have.
    Torn,
    /// Nothing.
    End,
}

/// Reads the next line; never more than a record's bound and one byte.
pub(super) fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> stdio::Result<Line> {
    line.clear();
    let most = RECORD_BYTES_MAX as u64 + 1;
    reader.by_ref().take(most).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole);
    }
    Ok(if line.is_empty() {
        Line::End
    } else {
        Line::Torn
    })
}
