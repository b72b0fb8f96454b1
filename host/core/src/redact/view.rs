//! A text without some of its stretches, and the way back from places in it to places in the text.
//! A secret that a mark or a carriage return splits is whole in such a view.

use super::Span;
use memchr::memmem::Finder;
use std::ops::Range;
use std::sync::LazyLock;

/// A text with stretches left out.
pub(super) struct View {
    pub(super) text: String,
    /// Where each kept stretch begins: in the view and in the text.
    pieces: Vec<(usize, usize)>,
}

impl View {
    /// A view without the given stretches, which may overlap and stand in any order. None if nothing
    /// is left out.
    pub(super) fn without(text: &str, mut left_out: Vec<Range<usize>>) -> Option<Self> {
        left_out.sort_by_key(|range| range.start);
        let mut view = Self {
            text: String::with_capacity(text.len()),
            pieces: Vec::new(),
        };
        let mut kept = 0;
        let mut omitted = false;
        for range in left_out {
            if range.end <= kept {
                continue;
            }
            view.keep(text, kept, range.start.max(kept));
            kept = range.end;
            omitted = true;
        }
        view.keep(text, kept, text.len());
        omitted.then_some(view)
    }

    /// A view with masks in the place of spans, which are in order and apart.
    pub(super) fn masked(text: &str, spans: &[Span]) -> Self {
        let mut view = Self {
            text: String::with_capacity(text.len()),
            pieces: Vec::new(),
        };
        let mut at = 0;
        for span in spans {
            view.keep(text, at, span.start);
            // All of a mask is the place of the span's last byte, its first letter that of the first one.
            view.pieces.push((view.text.len(), span.start));
            view.text.push_str(&span.mask());
            view.pieces.push((view.text.len() - 1, span.end - 1));
            at = span.end;
        }
        view.keep(text, at, text.len());
        view
    }

    fn keep(&mut self, text: &str, start: usize, end: usize) {
        if let Some(piece) = text.get(start..end).filter(|piece| !piece.is_empty()) {
            self.pieces.push((self.text.len(), start));
            self.text.push_str(piece);
        }
    }

    /// The place in the text of a byte of the view.
    fn place(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|(view, _)| *view <= at);
        index
            .checked_sub(1)
            .and_then(|index| self.pieces.get(index))
            .map_or(at, |(view, text)| text + (at - view))
    }

    /// Spans of the view as spans of the text, with what was left out inside them.
    pub(super) fn back(&self, spans: Vec<Span>) -> impl Iterator<Item = Span> + '_ {
        spans
            .into_iter()
            .filter(|span| span.start < span.end)
            .map(|span| Span {
                start: self.place(span.start),
                end: self.place(span.end - 1) + 1,
                ..span
            })
    }
}

static NAMED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("<U+"));
static REMOVED: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(" invisible characters removed]"));

static FIRST_ARGUMENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("a0=\""));
static ARGUMENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("=\""));

/// What a kernel's audit writes around the words of a command: `a0="mysql" a1="-pword"`. Without it the
/// command stands there.
pub(super) fn argument_frames(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut frames = Vec::new();
    if FIRST_ARGUMENT.find(bytes).is_none() {
        return frames;
    }
    for sign in ARGUMENT.find_iter(bytes) {
        let head = bytes.get(..sign).unwrap_or_default();
        let digits = head
            .iter()
            .rev()
            .take(4)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let letter = sign.wrapping_sub(digits + 1);
        let first = letter.checked_sub(1).and_then(|before| bytes.get(before));
        let value = sign + ARGUMENT.needle().len();
        let end = bytes
            .get(value..)
            .and_then(|rest| memchr::memchr2(b'"', b'\n', rest));
        if digits > 0
            && bytes.get(letter) == Some(&b'a')
            && first.is_none_or(|byte| matches!(byte, b' ' | b'\n'))
            && let Some(end) = end.map(|length| value + length)
            && bytes.get(end) == Some(&b'"')
        {
            frames.push(letter..value);
            frames.push(end..end + 1);
        }
    }
    frames
}

/// The marks that the sanitiser leaves in a text: `<U+200B>` and `[N invisible characters removed]`.
pub(super) fn marks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for start in NAMED.find_iter(text.as_bytes()) {
        let rest = text.get(start + 3..).unwrap_or_default();
        let digits = rest
            .bytes()
            .take(7)
            .take_while(u8::is_ascii_hexdigit)
            .count();
        if (4..=6).contains(&digits) && rest.as_bytes().get(digits) == Some(&b'>') {
            found.push(start..start + 3 + digits + 1);
        }
    }
    for at in REMOVED.find_iter(text.as_bytes()) {
        let head = text.get(..at).unwrap_or_default();
        let digits = head
            .bytes()
            .rev()
            .take(20)
            .take_while(u8::is_ascii_digit)
            .count();
        if digits > 0 && head.as_bytes().get(at.wrapping_sub(digits + 1)) == Some(&b'[') {
            found.push(at - digits - 1..at + REMOVED.needle().len());
        }
    }
    found
}
