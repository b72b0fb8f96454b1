//! Closing a segment, and removing old ones, in an order that a crash at any point leaves verifiable.
//!
//! ```text
//! close    sync, head │ make the next with its first record, sync │ second name for the old │ rename │ sync names │ head
//! remove   check the old against what vouches for it │ record what goes, sync │ remove │ sync names
//! ```
//!
//! The open segment is never missing: its name passes from the old file to the new one in one rename. Until then
//! the old one is the journal, from then on the new one is, whose first record is in the chain.
//!
//! Must not: remove what no record says is removed, or sign for a segment that is not as it was closed.

use super::JournalFault;
use super::disk::{JOURNAL, open, sync_directory};
use super::fault::{io, rustix_io};
use super::keep::{Keep, is_older, now};
use super::segments::{self, At, Digesting, UNFINISHED, closed_name};
use super::store::{Line, Locked, next_line};
use portcullis_core::audit::chain::{self, Place, SealFault, Verifier};
use portcullis_core::audit::{Draft, Durability};
use rustix::fs::{AtFlags, OFlags};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufReader, Write};
use std::time::Duration;

/// Most segments that are removed at once, so that the record of it is bounded; the others go next time.
const REMOVED_MAX: usize = 64;

/// Where a rotation or a removal can be ended, for tests that end it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Records and head are synced, nothing is changed.
    Synced,
    /// The next segment is made under a name of its own.
    Made,
    /// The old segment has its closed name too.
    Named,
    /// The new segment is the open one.
    Switched,
    /// The names are on the disk.
    NamesSynced,
    /// The head names the new segment.
    HeadWritten,
    /// What goes is recorded.
    Recorded,
    /// Half of it is gone.
    HalfRemoved,
}

/// How a rotation failed.
pub(super) enum RotateFault {
    /// The journal is what it was: it can be written on, and closed another time.
    Before(JournalFault),
    /// The new segment is there and something after it failed: nothing may be answered on it yet.
    After(JournalFault),
}

impl Locked<'_> {
    /// Closes the open segment if it is due, then removes what is due. What cannot be done before
    /// anything is changed is said and put off.
    ///
    /// # Errors
    /// What failed after a change; the next to take the lock finds a journal that holds.
    pub(super) fn tend(&mut self, keep: &Keep) -> Result<(), JournalFault> {
        if self.is_due(keep)? {
            match self.rotate(keep) {
                Ok(()) => {}
                Err(RotateFault::Before(fault)) => {
                    tracing::warn!(%fault, "the journal's segment is not closed yet");
                    self.store.put_off();
                    return Ok(());
                }
                Err(RotateFault::After(fault)) => return Err(fault),
            }
        } else if !self.store.looks_again() {
            return Ok(());
        }
        if let Err(fault) = self.retain(keep) {
            tracing::warn!(%fault, "old segments of the journal are not removed");
        }
        Ok(())
    }

    fn is_due(&mut self, keep: &Keep) -> Result<bool, JournalFault> {
        let place = self.place();
        // A segment without a record of its own has nothing to close.
        if place.seq < place.first || self.store.is_put_off() {
            return Ok(false);
        }
        if place.bytes >= keep.rotate_bytes {
            return Ok(true);
        }
        let began = match self.store.began(place.first) {
            Some(began) => began,
            None => match segments::opening(&self.records)? {
                Some(opening) => self.store.set_began(place.first, opening.at),
                None => return Ok(false),
            },
        };
        Ok(is_older(began, keep.rotate_age))
    }

    fn rotate(&mut self, keep: &Keep) -> Result<(), RotateFault> {
        let before = RotateFault::Before;
        let after = RotateFault::After;
        self.sync().map_err(before)?;
        // The head is never more than one segment behind, also after a power cut.
        self.head
            .sync_data()
            .map_err(|source| before(io("syncing the head")(source)))?;
        let old = self.place();
        let (line, place) = self.first_record(keep, old).map_err(before)?;
        self.store.step(Step::Synced).map_err(before)?;
        let made = self.make(&line).map_err(before)?;
        self.store.step(Step::Made).map_err(before)?;
        self.name_closed(old.first).map_err(before)?;
        self.store.step(Step::Named).map_err(before)?;
        rustix::fs::renameat(&self.store.dir, UNFINISHED, &self.store.dir, JOURNAL)
            .map_err(|errno| before(rustix_io("putting the next segment in place")(errno)))?;
        // INVARIANT: from here on the chain goes on in the new segment, whatever fails.
        self.records = made;
        self.store.seen = place;
        self.store.step(Step::Switched).map_err(after)?;
        // SECURITY: whoever can write the directory could have exchanged the file before it was renamed, and
        // records would go where nobody reads.
        if !segments::is_same(&self.store.dir, JOURNAL, &self.records).map_err(after)? {
            return Err(after(JournalFault::NotTheHeads { seq: place.seq }));
        }
        sync_directory(&self.store.dir).map_err(after)?;
        self.store.step(Step::NamesSynced).map_err(after)?;
        self.write_head().map_err(after)?;
        self.store.step(Step::HeadWritten).map_err(after)?;
        self.head
            .sync_data()
            .map_err(|source| after(io("syncing the head")(source)))
    }

    /// The record that the next segment begins with: what it follows.
    fn first_record(&self, keep: &Keep, old: Place) -> Result<(Vec<u8>, Place), JournalFault> {
        let mut body = keep.stamp.clone();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("previous_file", json!(closed_name(old.first)));
        put("previous_first", json!(old.first));
        put("previous_seq", json!(old.seq));
        put("previous_mac", json!(old.mac.to_string()));
        put("previous_bytes", json!(old.bytes));
        let sha256 = segments::digest(&self.records, old.bytes)?;
        put("previous_sha256", json!(sha256));
        let draft = Draft {
            kind: "rotated",
            at: now(),
            body,
            durability: Durability::Synced,
        };
        let mut line = Vec::new();
        let place = chain::seal(&self.store.key, &old.next_segment(), &draft, &mut line)
            .map_err(JournalFault::Seal)?;
        Ok((line, place))
    }

    fn make(&self, line: &[u8]) -> Result<File, JournalFault> {
        let dir = &self.store.dir;
        match rustix::fs::unlinkat(dir, UNFINISHED, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(rustix_io("clearing an unfinished segment")(errno)),
        }
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        let made = open(dir, UNFINISHED, flags).map_err(rustix_io("making the next segment"))?;
        (&made)
            .write_all(line)
            .and_then(|()| made.sync_all())
            .map_err(io("writing the next segment"))?;
        Ok(made)
    }

    /// Gives the open segment its closed name beside the open one.
    fn name_closed(&self, first: u64) -> Result<(), JournalFault> {
        let (dir, name) = (&self.store.dir, closed_name(first));
        match rustix::fs::linkat(dir, JOURNAL, dir, &name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            // Left by a rotation that was ended; anything else under that name is not ours to replace.
            Err(rustix::io::Errno::EXIST) => match segments::is_same(dir, &name, &self.records)? {
                true => Ok(()),
                false => Err(JournalFault::NameTaken { name }),
            },
            Err(errno) => Err(rustix_io("naming a closed segment")(errno)),
        }
    }

    /// Removes the oldest segments that are not to be kept, after a record that says so.
    fn retain(&mut self, keep: &Keep) -> Result<(), JournalFault> {
        if keep.retain_files.is_none() && keep.retain_age.is_none() {
            return Ok(());
        }
        let closed = segments::closed(&self.store.dir, &self.records)?;
        let open = self.place().first;
        // SECURITY: a name that no segment follows would count as one, and have an honest one removed too early.
        for (index, first) in closed.iter().enumerate() {
            self.followed_by(*first, closed.get(index + 1).copied(), open)?;
        }
        self.begins_where_it_may(&closed)?;
        let mut removed = Vec::new();
        let (mut through, mut reason) = (None, "files");
        for (index, first) in closed.iter().take(REMOVED_MAX).enumerate() {
            let left = closed.len() - index;
            let too_many = keep.retain_files.is_some_and(|files| left as u64 > files);
            let next = closed.get(index + 1).copied();
            if !too_many && !self.is_closed_for(next, keep.retain_age)? {
                break;
            }
            if !too_many {
                reason = "age";
            }
            let follower = self.follower(*first, next, open)?;
            removed.push((*first, follower.facts));
            through = Some(follower.before);
        }
        let Some(through) = through else {
            return Ok(());
        };
        let mut body = keep.stamp.clone();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        let facts: Vec<&Value> = removed.iter().map(|(_, facts)| facts).collect();
        put("removed", json!(facts));
        put("through_seq", json!(through.seq));
        put("through_mac", json!(through.mac.to_string()));
        put("reason", json!(reason));
        self.record_own("retention", body)?;
        self.sync()?;
        // INVARIANT: the record is on the disk before the first segment goes.
        self.store.step(Step::Recorded)?;
        for (count, (first, _)) in removed.iter().enumerate() {
            if count * 2 >= removed.len() {
                self.store.step(Step::HalfRemoved)?;
            }
            match rustix::fs::unlinkat(&self.store.dir, closed_name(*first), AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(rustix_io("removing a segment")(errno)),
            }
        }
        sync_directory(&self.store.dir)
    }

    /// Whether what is missing before the oldest segment is what the newest removal was recorded to remove.
    ///
    /// SECURITY: a removal says that everything up to a number was removed. Somebody who deleted the oldest segments
    /// by hand would have that said of them too.
    fn begins_where_it_may(&self, closed: &[u64]) -> Result<(), JournalFault> {
        let Some(oldest) = closed.first().copied().filter(|oldest| *oldest > 1) else {
            return Ok(());
        };
        let mut through = newest_removal(&self.records)?;
        for first in closed.iter().rev() {
            if through.is_some() {
                break;
            }
            if let Some(file) = segments::open_closed(&self.store.dir, *first)? {
                through = newest_removal(&file)?;
            }
        }
        // A removal that was ended half-way leaves segments that it has recorded.
        if through.is_some_and(|through| through >= oldest - 1) {
            return Ok(());
        }
        Err(JournalFault::SegmentMissing {
            name: closed_name(oldest),
        })
    }

    /// Whether the segment that follows a closed one began that long ago.
    fn is_closed_for(
        &self,
        next: Option<u64>,
        age: Option<Duration>,
    ) -> Result<bool, JournalFault> {
        if age.is_none() {
            return Ok(false);
        }
        let opened = match next {
            Some(next) => segments::open_closed(&self.store.dir, next)?,
            None => None,
        };
        let opening = segments::opening(opened.as_ref().unwrap_or(&self.records))?;
        Ok(opening.is_some_and(|opening| is_older(opening.at, age)))
    }

    /// Appends one record of the journal's own.
    pub(super) fn record_own(
        &mut self,
        kind: &'static str,
        body: Map<String, Value>,
    ) -> Result<(), JournalFault> {
        let draft = Draft {
            kind,
            at: now(),
            body,
            durability: Durability::Synced,
        };
        let answers = self.append(&[&draft])?;
        let sealed: Result<Vec<_>, SealFault> = answers.into_iter().collect();
        sealed.map(drop).map_err(JournalFault::Seal)
    }

    /// How the segment after a closed one begins: the place before it and its first record, which the key vouches
    /// for and which names the closed one.
    fn followed_by(
        &self,
        first: u64,
        next: Option<u64>,
        open: u64,
    ) -> Result<(Place, Value), JournalFault> {
        let changed = || JournalFault::SegmentChanged {
            name: closed_name(first),
        };
        let opened;
        let following = match next {
            Some(next) => {
                opened = segments::open_closed(&self.store.dir, next)?.ok_or_else(changed)?;
                &opened
            }
            None => &self.records,
        };
        let opening = segments::opening(following)?.ok_or_else(changed)?;
        if opening.first != next.unwrap_or(open) {
            return Err(changed());
        }
        let before = Place {
            seq: opening.first.saturating_sub(1),
            mac: opening.prev,
            first: opening.first,
            bytes: 0,
        };
        let mut line = Vec::new();
        let mut reader = BufReader::new(At::start(following));
        next_line(&mut reader, &mut line).map_err(io("reading how a segment begins"))?;
        Verifier::after(&self.store.key, before)
            .take(&line)
            .map_err(|_| changed())?;
        let record: Value = serde_json::from_slice(&line).map_err(|_| changed())?;
        if record.get("previous_first") != Some(&json!(first)) {
            return Err(changed());
        }
        Ok((before, record))
    }

    /// What the segment after one says of it, checked against the key and against the file.
    ///
    /// SECURITY: whatever this lets through is signed as removed. Somebody who changed an old segment must not
    /// have the traces taken away, so a segment that is not as it was written, record by record, stays; its
    /// digest alone would vouch for what was changed while the segment was still open.
    fn follower(&self, first: u64, next: Option<u64>, open: u64) -> Result<Follower, JournalFault> {
        let changed = || JournalFault::SegmentChanged {
            name: closed_name(first),
        };
        let (before, record) = self.followed_by(first, next, open)?;
        let file = segments::open_closed(&self.store.dir, first)?.ok_or_else(changed)?;
        let opening = segments::opening(&file)?.ok_or_else(changed)?;
        let start = Place {
            seq: first.saturating_sub(1),
            mac: opening.prev,
            first,
            bytes: 0,
        };
        let mut verifier = Verifier::after(&self.store.key, start);
        let mut reader = BufReader::new(Digesting::new(At::start(&file)));
        let mut line = Vec::new();
        loop {
            match next_line(&mut reader, &mut line).map_err(io("reading a closed segment"))? {
                Line::Whole => verifier.take(&line).map(drop).map_err(|_| changed())?,
                Line::Torn => return Err(changed()),
                Line::End => break,
            }
        }
        let end = verifier.place();
        let (bytes, sha256) = reader.into_inner().finish();
        let fits = (end.seq, end.mac) == (before.seq, before.mac)
            && record.get("previous_bytes") == Some(&json!(bytes))
            && record.get("previous_sha256") == Some(&json!(sha256));
        if !fits {
            return Err(changed());
        }
        Ok(Follower {
            before,
            facts: json!({
                "file": closed_name(first),
                "first": first,
                "last": before.seq,
                "bytes": bytes,
                "sha256": sha256,
            }),
        })
    }
}

/// The number through which the newest removal in a segment removed. It is not checked by the chain here: whoever
/// writes one of his own breaks the chain where it stands, and a broken segment is never signed for.
fn newest_removal(file: &File) -> Result<Option<u64>, JournalFault> {
    let mut reader = BufReader::new(At::start(file));
    let (mut line, mut through) = (Vec::new(), None);
    while let Line::Whole =
        next_line(&mut reader, &mut line).map_err(io("looking for the newest removal"))?
    {
        if chain::peek(&line).is_some_and(|peek| peek.kind == "retention") {
            let record: Option<Value> = serde_json::from_slice(&line).ok();
            through = record.and_then(|record| record.get("through_seq")?.as_u64());
        }
    }
    Ok(through)
}

/// What follows a closed segment.
struct Follower {
    /// After the segment's last record.
    before: Place,
    /// The segment, for the record of its removal.
    facts: Value,
}
