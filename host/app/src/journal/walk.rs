//! Reading a journal through all its segments, every record checked on the way.
//!
//! Must not: change anything, or hold the lock while it reads. Servers go on writing meanwhile; what they
//! add after the snapshot is the next reader's.

use super::JournalFault;
use super::disk::Snapshot;
use super::fault::io;
use super::segments::{self, At, Digesting, name_of};
use super::store::{Line, next_line};
use portcullis_core::audit::chain::{
    self, FirstBad, Known, Mac, Pass, Place, RECORD_BYTES_MAX, Reason,
};
use serde_json::Value;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 262_144;

/// A record that holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Its line, without the line end.
    pub(crate) line: &'a [u8],
}

/// What somebody does with each record that holds.
pub(crate) type Each<'e> = dyn FnMut(Entry<'_>) -> ControlFlow<()> + 'e;

/// The first record that does not hold, and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadIn {
    pub(super) file: String,
    pub(super) bad: FirstBad,
}

/// What a walk has seen.
pub(super) struct Walked {
    /// Before the first record that was looked at.
    pub(super) start: Place,
    /// After the newest record that held.
    pub(super) newest: Place,
    /// Bytes that were read.
    pub(super) bytes: u64,
    /// Segments that were read, the open one among them.
    pub(super) segments: u64,
    /// Records that tell of a torn line.
    pub(super) recovered: u64,
    /// The newest record that a retention removed, by the records that were seen.
    pub(super) removed_through: Option<Known>,
    /// The first record that does not hold.
    pub(super) bad: Option<BadIn>,
    /// Whether the one who was given the records wanted no more.
    pub(super) ended: bool,
}

/// How a segment's reading ended.
enum Read1 {
    /// At its end, with that many bytes behind the last line end.
    End(u64),
    Bad(FirstBad),
    Enough,
}

/// One walk.
struct Walk<'s, 'e> {
    pass: Pass<'s>,
    seen: Walked,
    /// Length and digest of the closed segment that was read last.
    previous: Option<(u64, String)>,
    each: &'e mut Each<'e>,
}

/// Reads from the closed segment at `from` (their number for the open one alone) to the end.
///
/// # Errors
/// [`JournalFault`] where a file cannot be read. A record that does not hold is no error: it ends the walk.
pub(super) fn walk<'e>(
    snapshot: &Snapshot,
    from: usize,
    head: Place,
    known: Option<Known>,
    each: &'e mut Each<'e>,
) -> Result<Walked, JournalFault> {
    let opened;
    let oldest = match snapshot.closed.get(from) {
        Some((first, Some(file))) => (Some(*first), file),
        Some((first, None)) => {
            opened = lazily(snapshot, *first)?;
            (Some(*first), &opened)
        }
        None => (None, &snapshot.records),
    };
    let start = start_of(oldest.1)?;
    let mut walk = Walk {
        pass: Pass::new(&snapshot.key, start, head, known),
        seen: Walked {
            start,
            newest: start,
            bytes: 0,
            segments: 0,
            recovered: 0,
            removed_through: None,
            bad: None,
            ended: false,
        },
        previous: None,
        each,
    };
    for (first, file) in snapshot.closed.iter().skip(from) {
        let opened;
        let file = match file {
            Some(file) => file,
            None => {
                opened = lazily(snapshot, *first)?;
                &opened
            }
        };
        if !walk.closed(*first, file)? {
            return Ok(walk.seen());
        }
    }
    walk.open(snapshot)?;
    Ok(walk.seen())
}

fn lazily(snapshot: &Snapshot, first: u64) -> Result<File, JournalFault> {
    let vanished = || JournalFault::Vanished {
        name: segments::closed_name(first),
    };
    segments::open_closed(&snapshot.dir, first)?.ok_or_else(vanished)
}

/// The place before a segment's first record, as the record itself names it. What comes before is not there to
/// be checked: the caller asks what became of it.
fn start_of(oldest: &File) -> Result<Place, JournalFault> {
    Ok(match segments::opening(oldest)? {
        Some(opening) if opening.first > 1 => Place {
            seq: opening.first - 1,
            mac: opening.prev,
            first: opening.first,
            bytes: 0,
        },
        Some(_) | None => Place::START,
    })
}

impl Walk<'_, '_> {
    fn seen(mut self) -> Walked {
        self.seen.newest = self.pass.place();
        self.seen
    }

    fn bad(&mut self, file: Option<u64>, bad: FirstBad) {
        let file = name_of(file);
        self.seen.bad = Some(BadIn { file, bad });
    }

    /// Reads a closed segment; whether the walk goes on.
    fn closed(&mut self, first: u64, file: &File) -> Result<bool, JournalFault> {
        if !self.follows(Some(first), file)? {
            return Ok(false);
        }
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, Digesting::new(At::start(file)));
        let read = self.lines(&mut reader)?;
        match read {
            Read1::End(0) => {}
            Read1::End(bytes) => {
                let bad = self.pass.bad(Reason::Torn { bytes });
                self.bad(Some(first), bad);
                return Ok(false);
            }
            Read1::Bad(bad) => {
                self.bad(Some(first), bad);
                return Ok(false);
            }
            Read1::Enough => return Ok(false),
        }
        let (bytes, sha256) = reader.into_inner().finish();
        self.seen.bytes += bytes;
        self.seen.segments += 1;
        self.previous = Some((bytes, sha256));
        Ok(true)
    }

    /// Reads the open segment and ends the pass.
    fn open(&mut self, snapshot: &Snapshot) -> Result<(), JournalFault> {
        if !self.follows(None, &snapshot.records)? {
            return Ok(());
        }
        let file = At::start(&snapshot.records).take(snapshot.bytes);
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, file);
        self.seen.segments += 1;
        match self.lines(&mut reader)? {
            Read1::Bad(bad) => self.bad(None, bad),
            Read1::Enough => {}
            Read1::End(torn) => {
                self.seen.bytes += snapshot.bytes;
                if let Err(bad) = self.pass.end(torn) {
                    self.bad(None, bad);
                }
            }
        }
        Ok(())
    }

    /// Whether a segment begins where the one before it ended.
    fn follows(&mut self, closed: Option<u64>, file: &File) -> Result<bool, JournalFault> {
        if self.seen.segments > 0 {
            self.pass.next_segment();
        }
        let expected = self.pass.place().seq.saturating_add(1);
        let opening = segments::opening(file)?;
        let got = opening.map_or(expected, |opening| opening.first);
        let misnamed = closed.is_some_and(|first| first != got);
        if got > expected || misnamed {
            let reason = if got > expected {
                Reason::SegmentMissing {
                    from: expected,
                    to: got - 1,
                }
            } else {
                Reason::Sequence { expected, got }
            };
            let bad = self.pass.bad(reason);
            self.bad(closed, bad);
            return Ok(false);
        }
        Ok(true)
    }

    fn lines(&mut self, reader: &mut impl std::io::BufRead) -> Result<Read1, JournalFault> {
        let mut line = Vec::new();
        loop {
            match next_line(reader, &mut line).map_err(io("reading the journal"))? {
                Line::End => return Ok(Read1::End(0)),
                // Longer than a record can be, so it was not torn off but put there.
                Line::Torn if line.len() > RECORD_BYTES_MAX => {}
                Line::Torn => return Ok(Read1::End(line.len() as u64)),
                Line::Whole => {}
            }
            if let Err(bad) = self.pass.line(&line) {
                return Ok(Read1::Bad(bad));
            }
            if let Err(bad) = self.own(&line) {
                return Ok(Read1::Bad(bad));
            }
            if (self.each)(Entry { line: &line }).is_break() {
                self.seen.ended = true;
                return Ok(Read1::Enough);
            }
        }
    }

    /// Takes in what the journal says about itself. The line holds: it was written with the key.
    fn own(&mut self, line: &[u8]) -> Result<(), FirstBad> {
        let Some(peek) = chain::peek(line) else {
            return Ok(());
        };
        match peek.kind {
            "recovered" => self.seen.recovered += 1,
            "retention" => {
                if let Some(through) = removed_through(line) {
                    self.seen.removed_through = Some(through);
                }
            }
            "rotated" => {
                if let Some((bytes, sha256)) = self.previous.take() {
                    let record: Value = serde_json::from_slice(line).unwrap_or_default();
                    let fits = record.get("previous_bytes").and_then(Value::as_u64) == Some(bytes)
                        && record.get("previous_sha256").and_then(Value::as_str)
                            == Some(sha256.as_str());
                    if !fits {
                        return Err(FirstBad {
                            line: 1,
                            seq: peek.seq,
                            reason: Reason::SegmentChanged,
                        });
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn removed_through(line: &[u8]) -> Option<Known> {
    let record: Value = serde_json::from_slice(line).ok()?;
    Some(Known {
        seq: record.get("through_seq")?.as_u64()?,
        mac: Mac::parse(record.get("through_mac")?.as_str()?.as_bytes())?,
    })
}
