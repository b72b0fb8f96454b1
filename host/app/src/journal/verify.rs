//! Reading a whole journal: does every record hold, and is the newest the one it should be?
//!
//! Must not: change anything, or hold the lock while it reads. Servers go on writing meanwhile; what they
//! add after the snapshot is the next verification's.

use super::JournalFault;
use super::disk::{Snapshot, snapshot};
use super::store::{Line, next_line};
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{FirstBad, Known, Mac, Pass, Place, RECORD_BYTES_MAX};
use std::fs::File;
use std::io::{self, BufReader, Read};

/// How a record about a torn line begins behind its opening.
const RECOVERED: &[u8] = b",\"kind\":\"recovered\",";
/// Where the kind of a record stands at the latest: behind number and MAC.
const KIND_BYTES_MAX: usize = 140;

/// A record that is known from outside the journal, e.g. from a line on standard error: it shows a tail that
/// was cut together with the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expect {
    /// Its number.
    pub(crate) seq: u64,
    /// Its MAC, 64 hex digits.
    pub(crate) mac: String,
}

/// The first thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    /// The line of `journal.jsonl`, counted from 1; 0 where the head is at fault.
    pub(crate) line: u64,
    /// The number that the record has or should have; `None` where the head is at fault.
    pub(crate) seq: Option<u64>,
    /// What is wrong.
    pub(crate) reason: String,
}

/// What a verification found. The journal is intact where `bad` is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifyReport {
    /// Records that hold, from the first.
    pub(crate) records: u64,
    /// The number of the newest of them.
    pub(crate) seq: u64,
    /// Its MAC, 64 hex digits.
    pub(crate) mac: String,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Records after the head: of a server that is at work, or of one that was ended.
    pub(crate) after_head: u64,
    /// Records that tell of a torn line which was cut off.
    pub(crate) recovered: u64,
    /// The first thing that does not hold.
    pub(crate) bad: Option<Bad>,
}

/// Verifies the journal of a state directory, from its first record to its last.
///
/// # Errors
/// [`JournalFault`] where there is nothing to verify with: no key, no journal, a file that cannot be read, an
/// expected MAC that is none.
pub(crate) fn verify(state: &Dir, expect: Option<&Expect>) -> Result<VerifyReport, JournalFault> {
    let known = match expect {
        Some(expect) => Some(Known {
            seq: expect.seq,
            mac: Mac::parse(expect.mac.trim().as_bytes()).ok_or(JournalFault::ExpectedForm)?,
        }),
        None => None,
    };
    let Snapshot {
        key,
        head,
        records,
        bytes,
    } = snapshot(state)?;
    let (head, head_fault) = match head {
        Ok(place) => (place, None),
        Err(fault @ (JournalFault::HeadDamaged | JournalFault::Removed { .. })) => {
            // The records are checked all the same: the head says only where they should end.
            (Place::START, Some(fault.to_string()))
        }
        Err(fault) => return Err(fault),
    };
    let mut pass = Pass::new(&key, head, known);
    let mut recovered = 0;
    let read = lines(records, bytes, &mut pass, &mut recovered).map_err(|source| {
        let what = "reading the journal";
        JournalFault::Io { what, source }
    })?;
    let newest = pass.place();
    let bad = read.and_then(|torn| pass.end(torn)).err().map(|bad| Bad {
        line: bad.line,
        seq: Some(bad.seq),
        reason: bad.reason.to_string(),
    });
    let head_bad = head_fault.map(|reason| Bad {
        line: 0,
        seq: None,
        reason,
    });
    Ok(VerifyReport {
        records: newest.seq,
        seq: newest.seq,
        mac: newest.mac.to_string(),
        bytes,
        after_head: newest.seq.saturating_sub(head.seq),
        recovered,
        bad: bad.or(head_bad),
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
            // Longer than a record can be, so it was not torn off but put there.
            Line::Torn if line.len() > RECORD_BYTES_MAX => {}
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
