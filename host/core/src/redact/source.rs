//! A text with a byte cursor: the few looks that every matcher needs, each of them bounded and none
//! of them able to leave the text. Knows nothing about secrets.

use fearless_simd::{Level, dispatch};

/// A text under search.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    text: &'a str,
}

/// Which rule found something, and the kind that stands in the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label<'r> {
    pub(super) rule: &'r str,
    pub(super) kind: &'r str,
}

/// A stretch that a matcher found, in bytes, with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'r> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) label: Label<'r>,
}

impl<'r> Found<'r> {
    /// A find, unless it is empty.
    pub(super) fn new(start: usize, end: usize, label: Label<'r>) -> Option<Self> {
        (start < end).then_some(Self { start, end, label })
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    pub(super) fn len(self) -> usize {
        self.text.len()
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The byte at a position; NUL past the end, which no sanitised text holds.
    pub(super) fn at(self, position: usize) -> u8 {
        self.bytes().get(position).copied().unwrap_or(0)
    }

    /// The byte before a position; NUL at the start.
    pub(super) fn before(self, position: usize) -> u8 {
        position
            .checked_sub(1)
            .map_or(0, |position| self.at(position))
    }

    /// The bytes of a range, cut to the text.
    pub(super) fn slice(self, start: usize, end: usize) -> &'a [u8] {
        self.bytes()
            .get(start..end.min(self.len()))
            .unwrap_or_default()
    }

    /// The text of a range; empty where the range is not on character borders.
    pub(super) fn str(self, start: usize, end: usize) -> &'a str {
        self.text
            .get(start..end.min(self.len()))
            .unwrap_or_default()
    }

    /// Whether a literal stands at a position, whatever its case.
    pub(super) fn has(self, position: usize, literal: &str) -> bool {
        self.slice(position, position.saturating_add(literal.len()))
            .eq_ignore_ascii_case(literal.as_bytes())
    }

    /// Where a run of agreeing bytes ends, at most `most` bytes on.
    pub(super) fn run(self, start: usize, most: usize, agrees: impl Fn(u8) -> bool) -> usize {
        let window = self.slice(start, start.saturating_add(most));
        let length = window
            .iter()
            .position(|byte| !agrees(*byte))
            .unwrap_or(window.len());
        looked_at(length + 1);
        start + length
    }

    /// Where a run of agreeing bytes that ends before `end` begins, at most `most` bytes back.
    pub(super) fn back(self, end: usize, most: usize, agrees: impl Fn(u8) -> bool) -> usize {
        let window = self.slice(end.saturating_sub(most), end);
        let length = window
            .iter()
            .rev()
            .position(|byte| !agrees(*byte))
            .unwrap_or(window.len());
        looked_at(length + 1);
        end.saturating_sub(length)
    }

    /// The first place of a literal from `start`, looking at `most` bytes.
    pub(super) fn find(self, start: usize, most: usize, literal: &str) -> Option<usize> {
        let window = self.slice(start, start.saturating_add(most));
        let found = memchr::memmem::find(window, literal.as_bytes());
        looked_at(found.unwrap_or(window.len()) + 1);
        found.map(|offset| start + offset)
    }

    /// Where the line of a position ends, looking at `most` bytes.
    pub(super) fn line_end(self, start: usize, most: usize) -> usize {
        let window = self.slice(start, start.saturating_add(most));
        let length = memchr::memchr(b'\n', window).unwrap_or(window.len());
        looked_at(length + 1);
        start + length
    }

    /// Where the line of a position begins, looking at `most` bytes.
    pub(super) fn line_start(self, end: usize, most: usize) -> usize {
        let from = end.saturating_sub(most);
        let window = self.slice(from, end);
        let length =
            memchr::memrchr(b'\n', window).map_or(window.len(), |at| window.len() - at - 1);
        looked_at(length + 1);
        end.saturating_sub(length)
    }
}

/// Counts bytes that matchers looked at, so that a test can hold what the worst inputs cost without a clock.
#[cfg(not(test))]
#[inline(always)]
fn looked_at(_: usize) {}

#[cfg(test)]
fn looked_at(bytes: usize) {
    LOOKED_AT.with(|count| count.set(count.get().saturating_add(bytes as u64)));
}

#[cfg(test)]
thread_local! {
    /// Bytes that matchers of this thread looked at.
    pub(super) static LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Letters, digits and the signs of identifiers in prose and code.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Blank or tab.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The standard and the URL alphabet of base64, with padding.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// Whether all bytes are of base64.
pub(super) fn all_base64(bytes: &[u8]) -> bool {
    dispatch!(Level::new(), _ => are_base64(bytes))
}

/// Blocks are counted without an exit, which is vector code.
#[inline(always)]
fn are_base64(bytes: &[u8]) -> bool {
    let whole = |block: &[u8; 32]| block.iter().fold(true, |all, byte| all & is_base64(*byte));
    let (blocks, rest) = bytes.as_chunks::<32>();
    // The last block may overlap the one before it.
    let last = bytes.last_chunk::<32>();
    blocks.iter().all(whole)
        && match last {
            Some(last) => rest.is_empty() || whole(last),
            None => rest.iter().all(|byte| is_base64(*byte)),
        }
}
