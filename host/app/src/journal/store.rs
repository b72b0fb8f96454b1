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
    open_directory, open_if_there, read_head, read_key, sync_directory,
};
use super::fault::io;
use super::rotate::Step;
use super::segments;
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{
    self, FirstBad, Key, Place, RECORD_BYTES_MAX, Reason, SealFault, Verifier,
};
use portcullis_core::audit::{Draft, Receipt};
use portcullis_core::clock::Micros;
use portcullis_core::text::hex;
use rustix::fs::OFlags;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self as stdio, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// How often the ages of segments are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The files of one journal, for one process.
pub(super) struct Store {
    pub(super) dir: Dir,
    pub(super) key: Key,
    /// After the newest record that this process has seen; it may be newer than the head on the disk.
    pub(super) seen: Place,
    /// The stamp of records that the journal writes about itself.
    stamp: Map<String, Value>,
    /// When the segment with that first record began.
    began: Option<(u64, Micros)>,
    looked: Option<Instant>,
    put_off: Option<Instant>,
    #[cfg(test)]
    pub(super) stop_at: Option<Step>,
}

/// The files while the lock is held.
pub(super) struct Locked<'s> {
    pub(super) store: &'s mut Store,
    pub(super) records: File,
    pub(super) head: File,
    _lock: File,
}

/// Whether a journal may be made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    /// It may: nobody has seen one there.
    Allowed,
    /// There was one, and this is the newest place in it that this process has seen. What is found now must
    /// be that journal, not older.
    After(Place),
}

impl Store {
    /// Opens the journal of a state, makes it where there is none, and mends what a crash left.
    pub(super) fn open(
        state: &Dir,
        making: Making,
        stamp: &Map<String, Value>,
    ) -> Result<Self, JournalFault> {
        let opened = match making {
            Making::Allowed => directory,
            // Where there was one, an empty one in its place would only be in the way of what comes back.
            Making::After(_) => open_directory,
        };
        let (dir, keys) = (opened(state, JOURNAL_DIR)?, opened(state, KEYS_DIR)?);
        let held = lock(&dir, OFlags::RDWR | OFlags::CREATE, Wait::Bounded)?;
        let key = match (read_key(&keys)?, making) {
            (Some(key), _) => key,
            (None, Making::Allowed) => {
                let key = initialise(&dir, &keys)?;
                sync_directory(state)?;
                key
            }
            (None, Making::After(_)) => return Err(JournalFault::KeyMissing),
        };
        let mut store = Self {
            dir,
            key,
            seen: match making {
                Making::Allowed => Place::START,
                Making::After(seen) => seen,
            },
            stamp: stamp.clone(),
            began: None,
            looked: None,
            put_off: None,
            #[cfg(test)]
            stop_at: None,
        };
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
        let length = length(&records)?;
        self.still_there(named, &records)?;
        let known = in_segment(&self.key, self.known(named)?, &records)?;
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

    /// Takes the stamp of records that the journal writes about itself.
    pub(super) fn set_stamp(&mut self, stamp: &Map<String, Value>) {
        if self.stamp != *stamp {
            self.stamp.clone_from(stamp);
        }
    }

    /// When a segment began, where that has been looked up.
    pub(super) fn began(&self, first: u64) -> Option<Micros> {
        self.began
            .filter(|(of, _)| *of == first)
            .map(|(_, began)| began)
    }

    /// Remembers when a segment began.
    pub(super) fn set_began(&mut self, first: u64, began: Micros) -> Micros {
        self.began = Some((first, began));
        began
    }

    /// Whether it is time to look at old segments again; the time begins anew then.
    pub(super) fn looks_again(&mut self) -> bool {
        let due = self.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        if due {
            self.looked = Some(Instant::now());
        }
        due
    }

    /// Leaves the segment as it is for a while, because it could not be closed.
    pub(super) fn put_off(&mut self) {
        self.put_off = Some(Instant::now());
    }

    /// Whether closing the segment is still put off.
    pub(super) fn is_put_off(&self) -> bool {
        self.put_off.is_some_and(|at| at.elapsed() < LOOK_EVERY)
    }

    /// A point at which tests end what is being done.
    #[cfg(test)]
    pub(super) fn step(&self, step: Step) -> Result<(), JournalFault> {
        if self.stop_at == Some(step) {
            let source = stdio::Error::other("ended by a test");
            return Err(io("a step")(source));
        }
        Ok(())
    }

    /// A point at which tests end what is being done; nothing in a product.
    #[cfg(not(test))]
    #[allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the tests' twin of this function uses both"
    )]
    pub(super) fn step(&self, _: Step) -> Result<(), JournalFault> {
        Ok(())
    }

    /// Whether what this process has seen still stands where it stood, where others have gone on since. A journal
    /// that was put back to an earlier state and written on from there has a newer head and another past.
    fn still_there(&self, head: Place, records: &File) -> Result<(), JournalFault> {
        let seen = self.seen;
        if head.seq <= seen.seq || seen.bytes == 0 {
            return Ok(());
        }
        let opening = segments::opening(records)?;
        if opening.is_some_and(|opening| opening.first == seen.first) {
            return check_end(records, &seen);
        }
        // A segment that is gone was removed, and the record of that is in the chain.
        match segments::open_closed(&self.dir, seen.first)? {
            Some(closed) => check_end(&closed, &seen),
            None => Ok(()),
        }
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

/// A place in the open segment. Where a rotation was ended before it could write the head, the open segment begins
/// right behind the place that is known.
///
/// SECURITY: that it does is believed only of a whole first record which the key vouches for and which names
/// that place. Otherwise a few bytes in the place of the journal would take everything in it away.
fn in_segment(key: &Key, known: Place, records: &File) -> Result<Place, JournalFault> {
    let not_the_heads = JournalFault::NotTheHeads { seq: known.seq };
    match segments::opening(records)? {
        // Empty, or nothing that a record begins with: what is known of its length says whether that is right.
        None => Ok(known),
        Some(opening) if opening.first == known.first => Ok(known),
        Some(opening) if opening.first == known.seq.saturating_add(1) => {
            let mut line = Vec::new();
            let mut reader = BufReader::new(segments::At::start(records));
            let read = next_line(&mut reader, &mut line).map_err(io("reading records"))?;
            let follows = matches!(read, Line::Whole)
                && Verifier::after(key, known).take(&line).is_ok()
                && serde_json::from_slice::<Value>(&line).is_ok_and(|record| {
                    record.get("kind") == Some(&json!("rotated"))
                        && record.get("previous_first") == Some(&json!(known.first))
                        && record.get("previous_bytes") == Some(&json!(known.bytes))
                });
            if follows {
                Ok(known.next_segment())
            } else {
                Err(not_the_heads)
            }
        }
        Some(_) => Err(not_the_heads),
    }
}

/// Whether the bytes before a place end with its MAC: a journal that was exchanged for another of the
/// same length is seen before anything is added to it.
fn check_end(records: &File, place: &Place) -> Result<(), JournalFault> {
    if place.bytes == 0 {
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
                    let place = verifier.place();
                    JournalFault::Bad(bad_at(place, reason))
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
            return Err(JournalFault::Bad(bad_at(self.store.seen, Reason::TooLong)));
        }
        self.records
            .set_len(self.store.seen.bytes)
            .map_err(io("cutting off a torn record"))?;
        let mut body = self.store.stamp.clone();
        let sha256 = hex(&Sha256::digest(torn));
        body.insert("torn_bytes".to_owned(), json!(torn.len()));
        body.insert("torn_sha256".to_owned(), json!(sha256));
        self.record_own("recovered", body)?;
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
        self.write_head()
    }

    /// Lets the head name the newest record.
    pub(super) fn write_head(&self) -> Result<(), JournalFault> {
        self.head
            .write_all_at(&head_block(&self.store.key, &self.store.seen), 0)
            .map_err(io("writing the head"))
    }
}

/// The fault of the record that should follow a place.
fn bad_at(place: Place, reason: Reason) -> FirstBad {
    FirstBad {
        line: place.next_line(),
        seq: place.seq.saturating_add(1),
        reason,
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
