//! The arithmetic of the journal. One record is one line:
//!
//! ```text
//! {"seq":7,"prev":"<64 hex>","kind":"run_open","ts":<microseconds>,"v":1, …body… ,"mac":"<64 hex>"}
//! ```
//!
//! `mac` is HMAC-SHA256 over a domain word, the MAC of the record before, and the exact bytes of the
//! line up to `,"mac":`. Verification reads bytes, never a parsed form, so there is no second
//! spelling of a record that verifies too.
//!
//! A journal is cut into segments, one file each. The chain does not care: numbers and MACs go on from the last
//! record of one segment to the first of the next, which says of its predecessor where it ended and what the
//! digest of the whole file is.
//!
//! Must not: open files or ask for randomness; keys and bytes come in as arguments.
//!
//! Limit: whoever holds the key can write a chain of his own. Limit: a tail that is cut together with a
//! head of the same age is seen only with a later line from elsewhere (`verify` takes one).

use super::events::{escape_hidden, json_text};
use super::{Draft, SHAPE_VERSION};
use crate::text::hex;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Longest record in bytes, its line end not counted. The longest command, every leaf and every
/// verdict, all escaped, stay well below it.
pub const RECORD_BYTES_MAX: usize = 1_048_576;
/// Size of the key in bytes.
pub const KEY_BYTES: usize = 32;
/// The fields that the chain itself writes; a body that holds one of them is not taken.
pub const RESERVED: [&str; 6] = ["seq", "prev", "kind", "ts", "v", "mac"];

const RECORD_DOMAIN: &[u8] = b"portcullis journal record 1\0";
const HEAD_DOMAIN: &[u8] = b"portcullis journal head 2\0";
const MAC_FIELD: &[u8] = b",\"mac\":\"";
const PROOF_FIELD: &[u8] = b",\"proof\":\"";
const CLOSE: &[u8] = b"\"}";
const MAC_HEX: usize = 64;

/// The key of a journal. No `Debug`, no `Clone`; wiped when dropped.
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// A key from a file's bytes; `None` unless there are exactly [`KEY_BYTES`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    fn mac(&self, parts: &[&[u8]]) -> Mac {
        // HMAC takes a key of any length, so this arm is never taken; a MAC of zeros verifies nothing.
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else {
            return Mac::GENESIS;
        };
        for part in parts {
            hmac.update(part);
        }
        Mac(hmac.finalize().into_bytes().into())
    }
}

/// A record's MAC.
#[derive(Debug, Clone, Copy)]
pub struct Mac([u8; 32]);

impl Mac {
    /// What the first record names as the MAC before it.
    pub const GENESIS: Self = Self([0; 32]);

    /// The MAC of 64 lower-case hex digits; `None` for anything else.
    #[must_use]
    pub fn parse(hex: &[u8]) -> Option<Self> {
        if hex.len() != MAC_HEX {
            return None;
        }
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(bytes))
    }
}

impl PartialEq for Mac {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Mac {}

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A point in the chain: after the record of that number, which has that MAC, that many bytes into the segment
/// that begins with the record `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of the newest record; 0 before the first.
    pub seq: u64,
    /// Its MAC; [`Mac::GENESIS`] before the first.
    pub mac: Mac,
    /// The number of the segment's first record; of an empty segment the number that it will have.
    pub first: u64,
    /// Bytes of the segment up to and with the record's line end.
    pub bytes: u64,
}

impl Place {
    /// Before the first record.
    pub const START: Self = Self {
        seq: 0,
        mac: Mac::GENESIS,
        first: 1,
        bytes: 0,
    };

    /// The same point at the beginning of a new segment.
    #[must_use]
    pub fn next_segment(self) -> Self {
        Self {
            first: self.seq.saturating_add(1),
            bytes: 0,
            ..self
        }
    }

    /// The line of the next record in its segment, counted from 1.
    #[must_use]
    pub fn next_line(&self) -> u64 {
        self.seq.saturating_add(2).saturating_sub(self.first)
    }
}

/// Why a draft cannot become a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// The body names a field that the chain writes.
    #[error("the body holds the reserved field {0:?}")]
    Reserved(String),
    /// The record would be longer than [`RECORD_BYTES_MAX`].
    #[error("expected at most {RECORD_BYTES_MAX} bytes in a record, got {0}")]
    TooLong(usize),
    /// There is no next number.
    #[error("the sequence numbers are used up")]
    Exhausted,
}

/// Turns a draft into the record after `place`: appends its line, with the line end, to `out` and
/// returns the place after it.
///
/// # Errors
/// [`SealFault`]; `out` is as it was then.
pub fn seal(
    key: &Key,
    place: &Place,
    draft: &Draft,
    out: &mut Vec<u8>,
) -> Result<Place, SealFault> {
    if let Some(name) = RESERVED.iter().find(|name| draft.body.contains_key(**name)) {
        return Err(SealFault::Reserved((*name).to_owned()));
    }
    let seq = place.seq.checked_add(1).ok_or(SealFault::Exhausted)?;
    let mut line = opening(seq, &place.mac);
    line.push_str(",\"kind\":");
    line.push_str(&json_text(&draft.kind));
    line.push_str(&format!(",\"ts\":{},\"v\":{SHAPE_VERSION}", draft.at.0));
    let opening = line.len();
    for (name, value) in &draft.body {
        line.push(',');
        line.push_str(&json_text(name));
        line.push(':');
        line.push_str(&json_text(value));
    }
    // A journal is looked at with `tail` and `less`: what hides or reorders text is written as an escape.
    let body = escape_hidden(line.split_off(opening));
    line.push_str(&body);
    let length = line.len() + MAC_FIELD.len() + MAC_HEX + CLOSE.len();
    if length > RECORD_BYTES_MAX {
        return Err(SealFault::TooLong(length));
    }
    let mac = key.mac(&[RECORD_DOMAIN, &place.mac.0, line.as_bytes()]);
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(MAC_FIELD);
    out.extend_from_slice(mac.to_string().as_bytes());
    out.extend_from_slice(CLOSE);
    out.push(b'\n');
    let bytes = place.bytes + length as u64 + 1;
    let first = place.first;
    Ok(Place {
        seq,
        mac,
        first,
        bytes,
    })
}

fn opening(seq: u64, prev: &Mac) -> String {
    format!("{{\"seq\":{seq},\"prev\":\"{prev}\"")
}

/// What is wrong with a record or with the end of the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The line has not the frame of a record.
    #[error("expected a record, got a line of another form")]
    Form,
    /// The line is longer than a record can be.
    #[error("expected at most {RECORD_BYTES_MAX} bytes in a line")]
    TooLong,
    /// The record has another number: records before it were taken out, added or moved.
    #[error("expected record {expected}, got record {got}")]
    Sequence {
        /// The number that would follow.
        expected: u64,
        /// The number that stands there.
        got: u64,
    },
    /// The record does not follow the one before.
    #[error("the record names another predecessor than the one before it")]
    Previous,
    /// The record's bytes are not the ones that were written with the key.
    #[error("the record's MAC does not fit its bytes: it was altered, or written without the key")]
    Altered,
    /// The last line has no end.
    #[error("the last line is torn: {bytes} bytes without a line end")]
    Torn {
        /// How many bytes it has.
        bytes: u64,
    },
    /// The head says that there were more records.
    #[error(
        "records are missing at the end: the head names record {head}, the journal ends before it"
    )]
    CutTail {
        /// The newest record by the head.
        head: u64,
    },
    /// A segment is not the file that its successor vouches for.
    #[error(
        "the file is not the one that the next segment vouches for: its digest or length differs"
    )]
    SegmentChanged,
    /// Records between two segments are not there.
    #[error("records {from} to {to} are missing: their segment was removed, and no record says so")]
    SegmentMissing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The record that the head names has another MAC or stands elsewhere.
    #[error("the record is not the one that the head names")]
    NotTheHeads,
    /// The record that a later line from elsewhere names is not there, or has another MAC.
    #[error("the record is not the one that was expected from outside the journal")]
    NotTheExpected,
}

/// Checks records one after the other, from a place that is known to hold.
pub struct Verifier<'k> {
    key: &'k Key,
    place: Place,
}

impl<'k> Verifier<'k> {
    /// Starts after a place; [`Place::START`] for a whole journal.
    #[must_use]
    pub fn after(key: &'k Key, place: Place) -> Self {
        Self { key, place }
    }

    /// After the newest record that held.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Goes on to the next segment.
    pub fn next_segment(&mut self) {
        self.place = self.place.next_segment();
    }

    /// Checks the next line, given without its line end.
    ///
    /// # Errors
    /// The [`Reason`] why it is not the record that follows; the place stays where it was.
    pub fn take(&mut self, line: &[u8]) -> Result<Place, Reason> {
        if line.len() > RECORD_BYTES_MAX {
            return Err(Reason::TooLong);
        }
        let expected = self.place.seq.checked_add(1).ok_or(Reason::Form)?;
        let (body, mac) = split(line, MAC_FIELD).ok_or(Reason::Form)?;
        let (got, prev) = read_opening(body).ok_or(Reason::Form)?;
        if got != expected {
            return Err(Reason::Sequence { expected, got });
        }
        if prev != self.place.mac {
            return Err(Reason::Previous);
        }
        if self.key.mac(&[RECORD_DOMAIN, &prev.0, body]) != mac {
            return Err(Reason::Altered);
        }
        self.place = Place {
            seq: expected,
            mac,
            first: self.place.first,
            bytes: self.place.bytes + line.len() as u64 + 1,
        };
        Ok(self.place)
    }
}

/// Splits `…,"mac":"<64 hex>"}` into what the MAC covers and the MAC.
fn split<'l>(line: &'l [u8], field: &[u8]) -> Option<(&'l [u8], Mac)> {
    let line = line.strip_suffix(CLOSE)?;
    let (rest, hex) = line.split_at_checked(line.len().checked_sub(MAC_HEX)?)?;
    Some((rest.strip_suffix(field)?, Mac::parse(hex)?))
}

/// Reads `{"seq":N,"prev":"<64 hex>"` and accepts only the spelling that [`opening`] writes.
fn read_opening(body: &[u8]) -> Option<(u64, Mac)> {
    let rest = body.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let seq: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let (hex, _) = rest
        .strip_prefix(b",\"prev\":\"")?
        .split_at_checked(MAC_HEX)?;
    let prev = Mac::parse(hex)?;
    body.starts_with(opening(seq, &prev).as_bytes())
        .then_some((seq, prev))
}

/// What stands at the beginning of a record, read without looking at its MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek<'l> {
    /// Its number.
    pub seq: u64,
    /// The MAC that it names as the one before.
    pub prev: Mac,
    /// Its kind.
    pub kind: &'l str,
    /// When it was written.
    pub at: crate::clock::Micros,
}

/// Longest part of a line that [`peek`] has to see, in bytes.
pub const PEEK_BYTES_MAX: usize = 256;

/// Reads the beginning of a line; `None` for one that no record begins with. Proves nothing.
#[must_use]
pub fn peek(line: &[u8]) -> Option<Peek<'_>> {
    let (seq, prev) = read_opening(line)?;
    let rest = line.get(opening(seq, &prev).len()..)?;
    let rest = rest.strip_prefix(b",\"kind\":\"")?;
    let (kind, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'"')?)?;
    let rest = rest.strip_prefix(b"\",\"ts\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let at = std::str::from_utf8(rest.get(..digits)?)
        .ok()?
        .parse()
        .ok()?;
    let kind = std::str::from_utf8(kind).ok()?;
    Some(Peek {
        seq,
        prev,
        kind,
        at: crate::clock::Micros(at),
    })
}

/// The head's line for a place: one JSON object with its own MAC, without a line end.
#[must_use]
pub fn seal_head(key: &Key, place: &Place) -> String {
    let body = format!(
        "{{\"seq\":{},\"first\":{},\"bytes\":{},\"mac\":\"{}\"",
        place.seq, place.first, place.bytes, place.mac
    );
    let proof = key.mac(&[HEAD_DOMAIN, body.as_bytes()]);
    format!("{body},\"proof\":\"{proof}\"}}")
}

/// The place that a head's line names; `None` unless it was written with the key.
#[must_use]
pub fn open_head(key: &Key, line: &[u8]) -> Option<Place> {
    let (body, proof) = split(line, PROOF_FIELD)?;
    if key.mac(&[HEAD_DOMAIN, body]) != proof {
        return None;
    }
    // What is read from here on was written by `seal_head`.
    let text = std::str::from_utf8(body).ok()?.strip_prefix("{\"seq\":")?;
    let (seq, text) = text.split_once(",\"first\":")?;
    let (first, text) = text.split_once(",\"bytes\":")?;
    let (bytes, mac) = text.split_once(",\"mac\":\"")?;
    Some(Place {
        seq: seq.parse().ok()?,
        mac: Mac::parse(mac.strip_suffix('"')?.as_bytes())?,
        first: first.parse().ok()?,
        bytes: bytes.parse().ok()?,
    })
}

/// A journal that holds from its first record to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// After the newest record.
    pub newest: Place,
    /// Records that were written after the head: those of a process that was ended in between.
    pub after_head: u64,
}

/// The first record that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, record {seq}: {reason}")]
pub struct FirstBad {
    /// Its line in its segment, counted from 1.
    pub line: u64,
    /// The number that the record has or should have.
    pub seq: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// A record that is known from outside the journal, e.g. from a line on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub seq: u64,
    /// Its MAC.
    pub mac: Mac,
}

/// What one pass over the lines of a journal finds, fed line by line.
pub struct Pass<'k> {
    verifier: Verifier<'k>,
    head: Place,
    known: Option<Known>,
}

impl<'k> Pass<'k> {
    /// Begins after a place; [`Place::START`] for a whole journal.
    #[must_use]
    pub fn new(key: &'k Key, start: Place, head: Place, known: Option<Known>) -> Self {
        let verifier = Verifier::after(key, start);
        Self {
            verifier,
            head,
            known,
        }
    }

    /// After the newest record that held.
    #[must_use]
    pub fn place(&self) -> Place {
        self.verifier.place()
    }

    /// Goes on to the next segment.
    pub fn next_segment(&mut self) {
        self.verifier.next_segment();
    }

    /// Takes the next whole line, without its line end.
    ///
    /// # Errors
    /// [`FirstBad`]: the pass is over, what follows proves nothing.
    pub fn line(&mut self, line: &[u8]) -> Result<(), FirstBad> {
        let before = self.verifier.place();
        let bad = |reason| FirstBad {
            line: before.next_line(),
            seq: before.seq.saturating_add(1),
            reason,
        };
        let place = self.verifier.take(line).map_err(bad)?;
        if place.seq == self.head.seq && place != self.head {
            return Err(bad(Reason::NotTheHeads));
        }
        match self.known {
            Some(known) if known.seq == place.seq && known.mac != place.mac => {
                Err(bad(Reason::NotTheExpected))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Ends the pass; `torn` is the number of bytes after the last line end.
    ///
    /// # Errors
    /// [`FirstBad`] where the journal ends too early, or with a torn line.
    pub fn end(&self, torn: u64) -> Result<Verified, FirstBad> {
        let newest = self.verifier.place();
        if newest.seq < self.head.seq {
            let head = self.head.seq;
            return Err(self.bad(Reason::CutTail { head }));
        }
        if let Some(known) = self.known
            && newest.seq < known.seq
        {
            return Err(self.bad(Reason::NotTheExpected));
        }
        if torn > 0 {
            return Err(self.bad(Reason::Torn { bytes: torn }));
        }
        Ok(Verified {
            newest,
            after_head: newest.seq.saturating_sub(self.head.seq),
        })
    }

    /// The fault of the record that should come next.
    #[must_use]
    pub fn bad(&self, reason: Reason) -> FirstBad {
        let place = self.verifier.place();
        FirstBad {
            line: place.next_line(),
            seq: place.seq.saturating_add(1),
            reason,
        }
    }
}

/// Checks a whole journal that is at hand as bytes. See [`Pass`] for one that is read piece by piece.
///
/// # Errors
/// The [`FirstBad`] record.
pub fn verify(
    journal: &[u8],
    key: &Key,
    head: Place,
    known: Option<Known>,
) -> Result<Verified, FirstBad> {
    let mut pass = Pass::new(key, Place::START, head, known);
    let mut rest = journal;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        pass.line(line)?;
        rest = after.get(1..).unwrap_or(&[]);
    }
    pass.end(rest.len() as u64)
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
