//! The newest records of a journal, and those that come after them.
//!
//! Must not: wait. Whoever follows asks again when he likes.

use super::JournalFault;
use super::disk::{Snapshot, snapshot};
use super::fault::io;
use super::segments::{self, At, name_of};
use super::store::{Line, next_line};
use super::verify::{Bad, head_of, missing_beginning};
use super::walk::{BadIn, walk};
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{FirstBad, Place, Reason, Verifier};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;

/// The newest records that somebody wants, and where the journal ended.
pub(crate) struct Newest {
    /// The lines, oldest first, without line ends.
    pub(crate) lines: VecDeque<Vec<u8>>,
    /// The first record that does not hold, of the segments that were read.
    pub(crate) bad: Option<Bad>,
    /// Goes on from there.
    pub(crate) follower: Follower,
}

/// Reads the newest `count` records that are `wanted`, from as many segments as it takes.
///
/// # Errors
/// [`JournalFault`] where there is no journal, no key, or a file cannot be read.
pub(crate) fn newest(
    state: &Dir,
    count: usize,
    wanted: &dyn Fn(&[u8]) -> bool,
) -> Result<Newest, JournalFault> {
    let snapshot = snapshot(state)?;
    let (head, head_fault) = head_of(&snapshot)?;
    // The open segment alone, then twice as many closed ones each time.
    let mut back = 0;
    loop {
        let from = snapshot.closed.len().saturating_sub(back);
        let mut lines = VecDeque::new();
        let walked = walk(&snapshot, from, head, None, &mut |entry| {
            if wanted(entry.line) && count > 0 {
                if lines.len() >= count {
                    lines.pop_front();
                }
                lines.push_back(entry.line.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        if lines.len() >= count || from == 0 || walked.bad.is_some() {
            let beginning = || match from {
                0 => missing_beginning(&snapshot, &walked),
                _ => None,
            };
            let bad = walked.bad.clone().map(Bad::from).or_else(beginning);
            return Ok(Newest {
                lines,
                bad: bad.or_else(|| head_fault.map(Bad::of_the_head)),
                follower: Follower {
                    place: walked.newest,
                },
            });
        }
        back = back * 2 + 1;
    }
}

/// A place in a journal from which it is followed.
pub(crate) struct Follower {
    place: Place,
}

impl Follower {
    /// Hands on every record that has come since the last call.
    ///
    /// # Errors
    /// [`JournalFault`] where a file cannot be read; `Ok(Some)` is the first record that does not hold.
    pub(crate) fn poll(
        &mut self,
        state: &Dir,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Bad>, JournalFault> {
        let snapshot = snapshot(state)?;
        let mut verifier = Verifier::after(&snapshot.key, self.place);
        let mut bad = None;
        for (index, (first, file, bytes)) in since(&snapshot, self.place.first)?.iter().enumerate()
        {
            if index > 0 {
                verifier.next_segment();
            }
            let file = file.as_ref().unwrap_or(&snapshot.records);
            let from = verifier.place().bytes;
            if *bytes < from {
                let place = verifier.place();
                bad = Some(Bad::from(BadIn {
                    file: name_of(*first),
                    bad: FirstBad {
                        line: place.next_line(),
                        seq: place.seq,
                        reason: Reason::CutTail { head: place.seq },
                    },
                }));
                break;
            }
            let part = At::byte(file, from).take(bytes.saturating_sub(from));
            if let Some(fault) = lines(part, &mut verifier, each)? {
                bad = Some(Bad::from(BadIn {
                    file: name_of(*first),
                    bad: fault,
                }));
                break;
            }
        }
        self.place = verifier.place();
        Ok(bad)
    }
}

type Part = (Option<u64>, Option<File>, u64);

/// The segments from one on: the closed ones, each opened, and the open one.
fn since(snapshot: &Snapshot, first: u64) -> Result<Vec<Part>, JournalFault> {
    let mut parts = Vec::new();
    for (closed, _) in snapshot
        .closed
        .iter()
        .filter(|(closed, _)| *closed >= first)
    {
        let name = || segments::closed_name(*closed);
        let file = segments::open_closed(&snapshot.dir, *closed)?
            .ok_or_else(|| JournalFault::Vanished { name: name() })?;
        let bytes = file.metadata().map_err(io("looking at a segment"))?.len();
        parts.push((Some(*closed), Some(file), bytes));
    }
    parts.push((None, None, snapshot.bytes));
    Ok(parts)
}

fn lines(
    part: impl Read,
    verifier: &mut Verifier<'_>,
    each: &mut dyn FnMut(&[u8]),
) -> Result<Option<FirstBad>, JournalFault> {
    let mut reader = BufReader::new(part);
    let mut line = Vec::new();
    loop {
        match next_line(&mut reader, &mut line).map_err(io("reading the journal"))? {
            Line::Whole => {}
            // A line that a crash has torn is the writers' to mend.
            Line::Torn | Line::End => return Ok(None),
        }
        let before = verifier.place();
        if let Err(reason) = verifier.take(&line) {
            return Ok(Some(FirstBad {
                line: before.next_line(),
                seq: before.seq.saturating_add(1),
                reason,
            }));
        }
        each(&line);
    }
}
