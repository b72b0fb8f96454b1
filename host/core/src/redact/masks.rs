//! The masks that stand in a text already, which are no secrets and are never cut. Whoever prints a text can write
//! one, so only what the gate itself would have written is taken for one.
//!
//! Known limit: kinds of an operator's own rules and labels of plugins are not known here; of these only words of
//! small letters, joined by dashes, are taken for a kind.

use super::catalog;
use super::source::Source;
use super::{MASK_START, TAG_LETTERS};
use crate::limits::PLUGIN_LABEL_BYTES_MAX;
use memchr::memmem::Finder;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

/// Longest kind, in bytes.
const KIND_BYTES_MAX: usize = 64;

static STARTS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MASK_START));

static KINDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let shipped = catalog::rules().into_iter().flat_map(|rule| rule.kinds);
    shipped.chain(["withheld".to_owned()]).collect()
});

/// Where the mask ends that begins at a place.
pub(super) fn at(source: Source<'_>, start: usize) -> Option<usize> {
    let from = start + MASK_START.len();
    if source.slice(start, from) != MASK_START.as_bytes() {
        return None;
    }
    let end = source.run(from, KIND_BYTES_MAX, |byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
    });
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let tag = end + 1;
    let close = match source.at(end) {
        b'#' if source.run(tag, TAG_LETTERS, is_hex) == tag + TAG_LETTERS => tag + TAG_LETTERS,
        _ => end,
    };
    (source.at(close) == b']' && is_kind(source.str(from, end))).then_some(close + 1)
}

fn is_kind(kind: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    KINDS.contains(kind) || (kind.len() <= PLUGIN_LABEL_BYTES_MAX && kind.split('-').all(is_word))
}

/// The masks of a text.
pub(super) fn all(text: &str) -> Vec<Range<usize>> {
    within(Source::new(text), 0..text.len()).collect()
}

/// The masks that begin in a part of a text.
fn within(source: Source<'_>, part: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let starts = STARTS.find_iter(source.slice(part.start, part.end));
    starts.filter_map(move |offset| {
        let start = part.start + offset;
        at(source, start).map(|end| start..end)
    })
}

/// A part of a text without the masks that begin in it.
pub(super) fn without(source: Source<'_>, part: Range<usize>) -> String {
    let (mut rest, mut from) = (String::new(), part.start);
    for mask in within(source, part.clone()) {
        rest.push_str(source.str(from, mask.start));
        from = mask.end;
    }
    rest.push_str(source.str(from, part.end.max(from)));
    rest
}
