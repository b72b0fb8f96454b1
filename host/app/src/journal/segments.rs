//! The segments of a journal as files: what they are called, which there are, and how each begins.
//!
//! ```text
//! journal.jsonl                        the open segment, appended to
//! journal-00000000000000000001.jsonl   a closed one, by the number of its first record
//! journal.jsonl.new                    the next one, while a rotation makes it
//! ```
//!
//! Must not: believe what a file says. Whatever is read here is checked by the chain before it is relied on.

use super::JournalFault;
use super::disk::{JOURNAL, open_if_there};
use super::fault::{io, rustix_io};
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{self, Mac};
use portcullis_core::clock::Micros;
use portcullis_core::text::hex;
use rustix::fs::{AtFlags, OFlags};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self as stdio, Read};
use std::os::unix::fs::FileExt;

/// The next segment while it is made.
pub(super) const UNFINISHED: &str = "journal.jsonl.new";
const PREFIX: &str = "journal-";
const SUFFIX: &str = ".jsonl";
/// Digits of a number in a name: as many as the largest number has, so that names sort as numbers do.
const DIGITS: usize = 20;
/// Most closed segments that are looked at.
const SEGMENTS_MAX: usize = 65_536;
/// Most names of the directory that are looked at: whoever can write there could put any number.
const NAMES_MAX: usize = 4 * SEGMENTS_MAX;
/// How much of a file is read at once, in bytes.
const CHUNK_BYTES: usize = 262_144;

/// The name of a closed segment.
pub(super) fn closed_name(first: u64) -> String {
    format!("{PREFIX}{first:0DIGITS$}{SUFFIX}")
}

/// The number in the name of a closed segment; `None` for any other name, and any other spelling of one.
fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let first = digits.parse().ok()?;
    (closed_name(first) == name).then_some(first)
}

/// The closed segments of a directory, oldest first. A rotation that was ended half-way leaves the open one
/// under a closed name too; that one is not closed and not listed.
pub(super) fn closed(dir: &Dir, open: &File) -> Result<Vec<u64>, JournalFault> {
    let what = "listing the segments";
    let mut firsts = Vec::new();
    for (seen, entry) in dir.entries().map_err(io(what))?.enumerate() {
        let entry = entry.map_err(io(what))?;
        if let Some(first) = entry.file_name().to_str().and_then(first_of) {
            firsts.push(first);
        }
        if seen >= NAMES_MAX || firsts.len() > SEGMENTS_MAX {
            return Err(JournalFault::TooManySegments);
        }
    }
    firsts.sort_unstable();
    if let Some(last) = firsts.last()
        && is_same(dir, &closed_name(*last), open)?
    {
        firsts.pop();
    }
    Ok(firsts)
}

/// Whether a name is another name of an open file.
pub(super) fn is_same(dir: &Dir, name: &str, file: &File) -> Result<bool, JournalFault> {
    let what = "looking at a segment";
    let held = rustix::fs::fstat(file).map_err(rustix_io(what))?;
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(errno) => Err(rustix_io(what)(errno)),
    }
}

/// Opens a closed segment; `None` where it is gone.
pub(super) fn open_closed(dir: &Dir, first: u64) -> Result<Option<File>, JournalFault> {
    let (name, what) = (closed_name(first), "opening a closed segment");
    let Some(file) = open_if_there(dir, &name, OFlags::RDONLY, what)? else {
        return Ok(None);
    };
    let meta = file.metadata().map_err(io("looking at a segment"))?;
    if meta.is_file() {
        Ok(Some(file))
    } else {
        Err(JournalFault::NotAFile { name })
    }
}

/// How a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    /// The number of its first record.
    pub(super) first: u64,
    /// The MAC that it names as the one before.
    pub(super) prev: Mac,
    /// When it was written.
    pub(super) at: Micros,
}

/// Reads how a segment begins; `None` for an empty one and for one that no record begins.
pub(super) fn opening(file: &File) -> Result<Option<Opening>, JournalFault> {
    let mut start = [0_u8; chain::PEEK_BYTES_MAX];
    let mut read = 0;
    while let Some(rest) = start.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == stdio::ErrorKind::Interrupted => {}
            Err(source) => return Err(io("reading how a segment begins")(source)),
        }
    }
    let start = start.get(..read).unwrap_or_default();
    Ok(chain::peek(start).map(|peek| Opening {
        first: peek.seq,
        prev: peek.prev,
        at: peek.at,
    }))
}

/// The digest of a file's first `bytes`, 64 hex digits.
pub(super) fn digest(file: &File, bytes: u64) -> Result<String, JournalFault> {
    let what = "reading a segment for its digest";
    let mut hash = Sha256::new();
    let mut chunk = vec![0_u8; CHUNK_BYTES];
    let mut at = 0;
    while at < bytes {
        let want = usize::try_from(bytes - at).unwrap_or(CHUNK_BYTES);
        let part = chunk.get_mut(..want.min(CHUNK_BYTES)).unwrap_or_default();
        file.read_exact_at(part, at).map_err(io(what))?;
        hash.update(&*part);
        at += part.len() as u64;
    }
    Ok(hex(&hash.finalize()))
}

/// The name of a segment's file: of a closed one by its first record, of the open one its own.
pub(super) fn name_of(closed: Option<u64>) -> String {
    closed.map_or_else(|| JOURNAL.to_owned(), closed_name)
}

/// Reads a file from its start, at a place of its own: where the file is read or written otherwise is not moved.
pub(super) struct At<'f> {
    file: &'f File,
    at: u64,
}

impl<'f> At<'f> {
    /// Before the first byte.
    pub(super) fn start(file: &'f File) -> Self {
        Self::byte(file, 0)
    }

    /// Before the byte of that number.
    pub(super) fn byte(file: &'f File, at: u64) -> Self {
        Self { file, at }
    }
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> stdio::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Reads through a digest.
pub(super) struct Digesting<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Digesting<R> {
    pub(super) fn new(inner: R) -> Self {
        let hash = Sha256::new();
        Self {
            inner,
            hash,
            bytes: 0,
        }
    }

    /// How many bytes were read, and their digest.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes, hex(&self.hash.finalize()))
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> stdio::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_of_a_name_is_a_segment() {
        for first in [1, 9_999, u64::MAX] {
            assert_eq!(first_of(&closed_name(first)), Some(first));
        }
        for name in [
            "journal.jsonl",
            "journal-1.jsonl",
            "journal-+0000000000000000001.jsonl",
            "journal-000000000000000000001.jsonl",
            "journal-99999999999999999999.jsonl",
            "journal-00000000000000000001.jsonl.gz",
            "journal-0000000000000000000a.jsonl",
        ] {
            assert_eq!(first_of(name), None, "{name}");
        }
    }

    #[test]
    fn names_sort_as_their_numbers_do() {
        assert!(closed_name(9) < closed_name(10));
        assert!(closed_name(999_999) < closed_name(u64::MAX));
    }
}
