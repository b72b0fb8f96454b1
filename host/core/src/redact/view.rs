//! A text without some of its stretches, and the way back from places in it to places in the text.
//! A secret that a mark or a carriage return splits is whole in such a view.

use super::Span;
use memchr::memmem::Finder;
use std::ops::Range;
use std::sync::LazyLock;

/// How an address begins behind its scheme where it stands in another one.
const SCHEME: &[u8] = b"%3A%2F%2F";
/// Most backslashes before a sign.
const SLASHES_MAX: usize = 8;

/// The sign of two hexadecimal digits; NUL where they are none.
fn code(high: u8, low: u8) -> u8 {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => high << 4 | low,
        _ => 0,
    }
}

/// A text with stretches left out.
pub(super) struct View {
    pub(super) text: String,
    /// Where each kept stretch begins: in the view and in the text.
    pieces: Vec<(usize, usize)>,
    /// Whether a sign of the view may stand for several of the text.
    escaped: bool,
}

impl View {
    /// A view without the given stretches, which may overlap and stand in any order. None if nothing
    /// is left out.
    pub(super) fn without(text: &str, mut left_out: Vec<Range<usize>>) -> Option<Self> {
        left_out.sort_by_key(|range| range.start);
        let mut view = Self {
            text: String::with_capacity(text.len()),
            pieces: Vec::new(),
            escaped: false,
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
            escaped: false,
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

    /// A view in which signs stand for themselves that JSON and addresses may write otherwise: `\/`, `\u0040`, and, where
    /// an address is written so from its scheme on, `%40`. None if there are none.
    pub(super) fn unescaped(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let rest = |at: usize| bytes.get(at..).unwrap_or_default();
        let percent = memchr::memchr_iter(b'%', bytes).any(|at| {
            rest(at)
                .get(..SCHEME.len())
                .is_some_and(|sign| sign.eq_ignore_ascii_case(SCHEME))
        });
        let mut view = Self {
            text: String::with_capacity(text.len()),
            pieces: Vec::new(),
            escaped: true,
        };
        let mut kept = 0;
        for at in memchr::memchr2_iter(b'\\', b'%', bytes) {
            if at < kept {
                continue;
            }
            let slashes = rest(at)
                .iter()
                .take(SLASHES_MAX)
                .take_while(|byte| **byte == b'\\')
                .count();
            let (sign, length) = match rest(at + slashes) {
                [b'/', ..] if slashes > 0 => (b'/', slashes + 1),
                [b'u', b'0', b'0', high, low, ..] if slashes > 0 => {
                    (code(*high, *low), slashes + 5)
                }
                [b'%', high, low, ..] if slashes == 0 && percent => (code(*high, *low), 3),
                _ => continue,
            };
            // A sign that ends a value where it stands must not begin to do so.
            if !sign.is_ascii_graphic() || matches!(sign, b'"' | b'\'' | b'\\') {
                continue;
            }
            view.keep(text, kept, at);
            view.pieces.push((view.text.len(), at));
            view.text.push(char::from(sign));
            kept = at + length;
        }
        if kept == 0 {
            return None;
        }
        view.keep(text, kept, text.len());
        view.pieces.push((view.text.len(), text.len()));
        Some(view)
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
                end: if self.escaped {
                    self.place(span.end)
                } else {
                    self.place(span.end - 1) + 1
                },
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
