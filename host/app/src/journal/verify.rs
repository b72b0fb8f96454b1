//! Does every record of a journal hold, is nothing missing, and is the newest the one it should be?
//!
//! Must not: change anything.

use super::JournalFault;
use super::disk::{Snapshot, snapshot};
use super::segments::name_of;
use super::walk::{BadIn, Each, Walked, walk};
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{Known, Mac, Place, Reason};
use std::ops::ControlFlow;

/// A record that is known from outside the journal, e.g. from a line on standard error: it shows a tail that
/// was cut together with the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expect {
    /// Its number.
    pub(crate) seq: u64,
    /// Its MAC, 64 hex digits.
    pub(crate) mac: String,
}

/// What is to be said of the record that was expected from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing was expected.
    NotAsked,
    /// It is there, with that MAC.
    Found,
    /// It is not there, or has another MAC: the journal is not what it was.
    Missing,
    /// Its segment was removed by the retention, so its MAC cannot be compared any more.
    Removed,
}

impl Expected {
    /// The word for programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Found => "found",
            Self::Missing => "missing",
            Self::Removed => "removed",
        }
    }
}

/// The first thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    /// The file in the journal's directory.
    pub(crate) file: String,
    /// Its line, counted from 1; 0 where the head is at fault.
    pub(crate) line: u64,
    /// The number that the record has or should have; `None` where the head is at fault.
    pub(crate) seq: Option<u64>,
    /// What is wrong.
    pub(crate) reason: String,
}

impl Bad {
    /// What is wrong with the head.
    pub(super) fn of_the_head(reason: String) -> Self {
        Self {
            file: "head.json".to_owned(),
            line: 0,
            seq: None,
            reason,
        }
    }
}

impl From<BadIn> for Bad {
    fn from(bad: BadIn) -> Self {
        Self {
            file: bad.file,
            line: bad.bad.line,
            seq: Some(bad.bad.seq),
            reason: bad.bad.reason.to_string(),
        }
    }
}

/// What a verification found. The journal is intact where `bad` is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifyReport {
    /// Records that hold, from the first that is there.
    pub(crate) records: u64,
    /// Records before it, which the retention has removed.
    pub(crate) removed: u64,
    /// Segments that were read.
    pub(crate) segments: u64,
    /// The number of the newest record that holds.
    pub(crate) seq: u64,
    /// Its MAC, 64 hex digits.
    pub(crate) mac: String,
    /// Bytes that were read.
    pub(crate) bytes: u64,
    /// Records after the head: of a server that is at work, or of one that was ended.
    pub(crate) after_head: u64,
    /// Records that tell of a torn line which was cut off.
    pub(crate) recovered: u64,
    /// What is to be said of the record that was expected.
    pub(crate) expected: Expected,
    /// The first thing that does not hold.
    pub(crate) bad: Option<Bad>,
    /// Whether the reader of the records wanted no more; nothing is said of what comes after.
    pub(crate) ended: bool,
}

/// Verifies the journal of a state directory, from its first record to its last.
///
/// # Errors
/// [`JournalFault`] where there is nothing to verify with: no key, no journal, a file that cannot be read, an
/// expected MAC that is none.
pub(crate) fn verify(state: &Dir, expect: Option<&Expect>) -> Result<VerifyReport, JournalFault> {
    read(state, expect, &mut |_| ControlFlow::Continue(()))
}

/// As [`verify`], and hands each record that holds to `each`.
///
/// # Errors
/// As [`verify`].
pub(crate) fn read(
    state: &Dir,
    expect: Option<&Expect>,
    each: &mut Each<'_>,
) -> Result<VerifyReport, JournalFault> {
    let known = match expect {
        Some(expect) => Some(Known {
            seq: expect.seq,
            mac: Mac::parse(expect.mac.trim().as_bytes()).ok_or(JournalFault::ExpectedForm)?,
        }),
        None => None,
    };
    let snapshot = snapshot(state)?;
    let (head, head_fault) = head_of(&snapshot)?;
    let walked = walk(&snapshot, 0, head, known, each)?;
    let bad = walked.bad.clone().map(Bad::from);
    let bad = bad.or_else(|| missing_beginning(&snapshot, &walked));
    let head_bad = head_fault.map(Bad::of_the_head);
    let expected = expected(known, &walked);
    Ok(VerifyReport {
        records: walked.newest.seq.saturating_sub(walked.start.seq),
        removed: walked.start.seq,
        segments: walked.segments,
        seq: walked.newest.seq,
        mac: walked.newest.mac.to_string(),
        bytes: walked.bytes,
        after_head: walked.newest.seq.saturating_sub(head.seq),
        recovered: walked.recovered,
        expected,
        bad: bad.or(head_bad),
        ended: walked.ended,
    })
}

/// The place that the head names, or that there is none to go by.
pub(super) fn head_of(snapshot: &Snapshot) -> Result<(Place, Option<String>), JournalFault> {
    match &snapshot.head {
        Ok(place) => Ok((*place, None)),
        // The records are checked all the same: the head says only where they should end.
        Err(fault @ (JournalFault::HeadDamaged | JournalFault::Removed { .. })) => {
            Ok((Place::START, Some(fault.to_string())))
        }
        Err(fault) => Err(JournalFault::Io {
            what: "reading the head",
            source: std::io::Error::other(fault.to_string()),
        }),
    }
}

/// What is wrong with a journal that does not begin with its first record: nothing, where a record of the
/// retention says that everything before was removed.
pub(super) fn missing_beginning(snapshot: &Snapshot, walked: &Walked) -> Option<Bad> {
    let before = walked.start.seq;
    if before == 0 || walked.ended {
        return None;
    }
    let vouched = walked.removed_through.is_some_and(|through| {
        through.seq > before || through.seq == before && through.mac == walked.start.mac
    });
    if vouched {
        return None;
    }
    let reason = Reason::SegmentMissing {
        from: 1,
        to: before,
    };
    Some(Bad {
        file: name_of(snapshot.closed.first().map(|(first, _)| *first)),
        line: 1,
        seq: Some(1),
        reason: reason.to_string(),
    })
}

fn expected(known: Option<Known>, walked: &Walked) -> Expected {
    let Some(known) = known else {
        return Expected::NotAsked;
    };
    if known.seq == walked.start.seq && known.seq > 0 {
        // The record is gone, and the one after it names its MAC.
        return if known.mac == walked.start.mac {
            Expected::Found
        } else {
            Expected::Missing
        };
    }
    let differs = |bad: &BadIn| bad.bad.reason == Reason::NotTheExpected;
    if walked.bad.as_ref().is_some_and(differs) {
        return Expected::Missing;
    }
    if known.seq < walked.start.seq {
        return Expected::Removed;
    }
    let reached = known.seq > 0 && known.seq <= walked.newest.seq;
    if reached {
        Expected::Found
    } else {
        Expected::Missing
    }
}
