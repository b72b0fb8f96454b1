//! Reading a whole journal: does every record hold, and is the newest the one it should be?
//!
//! Must not: change anything, or hold the lock while it reads. Servers go on writing meanwhile; what they
//! add after the snapshot is the next verification's.

use super::JournalFault;
use super::store::{Line, Snapshot, next_line, snapshot};
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{FirstBad, Known, Pass, Place};
use std::fs::File;
use std::io::{self, BufReader, Read};

/// How a record about a torn line begins behind its opening.
const RECOVERED: &[u8] = b",\"kind\":\"recovered\",";
/// Where the kind of a record stands at the latest: behind number and MAC.
const KIND_BYTES_MAX: usize = 140;

/// What the head file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadState {
    /// It names this place.
    Names(Place),
    /// There is none; a cut tail cannot be seen.
    Missing,
    /// It was changed, or written without the key.
    Damaged,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifyReport {
    /// Records that hold, from the first.
    pub(crate) records: u64,
    /// After the newest of them.
    pub(crate) newest: Place,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// What the head says.
    pub(crate) head: HeadState,
    /// Records after the head.
    pub(crate) after_head: u64,
    /// Records that tell of a torn line which was cut off.
    pub(crate) recovered: u64,
    /// The first record that does not hold.
    pub(crate) first_bad: Option<FirstBad>,
}

impl VerifyReport {
    /// Whether everything holds: each record, the head, and what was expected from outside.
    pub(crate) fn holds(&self) -> bool {
        self.first_bad.is_none() && matches!(self.head, HeadState::Names(_))
    }
}

/// Verifies the journal of a state directory. `known` is a record from outside, e.g. from a line on
/// standard error: it shows a tail that was cut together with the head.
///
/// # Errors
/// [`JournalFault`] where there is nothing to verify with: no key, no journal, a file that cannot be read.
pub(crate) fn verify(state: &Dir, known: Option<Known>) -> Result<VerifyReport, JournalFault> {
    let Snapshot {
        key,
        head,
        records,
        bytes,
    } = snapshot(state)?;
    let head = match head {
        Ok(Some(place)) => HeadState::Names(place),
        Ok(None) => HeadState::Missing,
        Err(JournalFault::HeadDamaged) => HeadState::Damaged,
        Err(fault) => return Err(fault),
    };
    let place = match head {
        HeadState::Names(place) => place,
        HeadState::Missing | HeadState::Damaged => Place::START,
    };
    let mut pass = Pass::new(&key, place, known);
    let mut recovered = 0;
    let read = lines(records, bytes, &mut pass, &mut recovered).map_err(|source| {
        let what = "reading the journal";
        JournalFault::Io { what, source }
    })?;
    let newest = pass.place();
    let (after_head, first_bad) = match read.and_then(|torn| pass.end(torn)) {
        Ok(verified) => (verified.after_head, None),
        Err(bad) => (newest.seq.saturating_sub(place.seq), Some(bad)),
    };
    Ok(VerifyReport {
        records: newest.seq,
        newest,
        bytes,
        head,
        after_head,
        recovered,
        first_bad,
    })
}

/// Feeds every line to the pass; the bytes of a torn last line, or the first bad record.
fn lines(
    records: File,
    bytes: u64,
    pass: &mut Pass<'_>,
    recovered: &mut u64,
) -> io::Result<Result<u64, FirstBad>> {
    let mut reader = BufReader::new(records.take(bytes));
    let mut line = Vec::new();
    loop {
        match next_line(&mut reader, &mut line)? {
            Line::End => return Ok(Ok(0)),
            Line::Torn => return Ok(Ok(line.len() as u64)),
            Line::Whole => {}
        }
        if let Err(bad) = pass.line(&line) {
            return Ok(Err(bad));
        }
        let start = line.get(..KIND_BYTES_MAX).unwrap_or(&line);
        if start.windows(RECOVERED.len()).any(|w| w == RECOVERED) {
            *recovered += 1;
        }
    }
}
