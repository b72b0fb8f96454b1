//! One stretch of a stream on its way to the client: its text, and how each place of the text lies in
//! the raw bytes, so that a later cut can say exactly how many bytes it left out.

use crate::redact::{Counts, Edge, OpenTable, Redactor, Span, unite};
use crate::text::Sanitiser;
use fearless_simd::{Level, dispatch};
use std::ops::Range;

/// Pieces that are kept exactly. Past it, neighbours are put together, and cuts fall up to
/// [`COARSE_RAW_BYTES`] beside the best place.
const PIECES_MAX: usize = 65_536;
/// Raw bytes of a piece that was put together.
const COARSE_RAW_BYTES: u64 = 4_096;
/// Most raw bytes that are sanitised in one go where they are no plain text.
const ODD_RUN_BYTES_MAX: usize = 4_096;

/// How a piece's text and raw bytes belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Byte by byte.
    Exact,
    /// As a whole only.
    Changed,
    /// As a whole only, and the text is a mask, which is never cut.
    Mask,
}

/// Neighbouring bytes of text and the raw bytes they come from, by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    text: usize,
    raw: u64,
    form: Form,
}

/// A text with its origin.
#[derive(Debug)]
pub(super) struct Part {
    text: String,
    pieces: Vec<Piece>,
    overlooked: Vec<Range<usize>>,
    edge: Edge,
}

/// One end of a part: where it is cut in the text, and how many raw bytes lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) at: usize,
    pub(super) raw: u64,
}

impl Part {
    /// Sanitises raw bytes. After a gap, the rest of a cut character at the start counts as missing.
    pub(super) fn sanitise(raw: &[u8], edge: Edge, counts: &mut Counts) -> Self {
        let skipped = match edge {
            Edge::Whole => 0,
            Edge::AfterGap => raw
                .iter()
                .take(3)
                .take_while(|byte| matches!(byte, 0x80..=0xBF))
                .count(),
        };
        let mut rest = raw.get(skipped..).unwrap_or_default();
        let mut scanner = Sanitiser::default();
        let mut text = String::with_capacity(raw.len());
        let (mut pieces, mut overlooked) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let plain = plain_length(rest);
            let length = if plain > 0 {
                plain
            } else {
                let odd = rest.iter().take(ODD_RUN_BYTES_MAX);
                odd.take_while(|byte| !is_plain(**byte)).count()
            };
            let Some((run, after)) = rest.split_at_checked(length) else {
                break;
            };
            rest = after;
            let from = text.len();
            scanner.push(run, &mut text);
            // Taken as they come, because the scanner remembers only so many.
            overlooked.append(&mut scanner.take_overlooked());
            align(&mut pieces, run, text.get(from..).unwrap_or_default());
        }
        let from = text.len();
        let (tally, mut last) = scanner.finish(&mut text);
        overlooked.append(&mut last);
        push(
            &mut pieces,
            Piece {
                text: text.len() - from,
                raw: 0,
                form: Form::Changed,
            },
        );
        for (kind, count) in tally {
            *counts.entry(kind.to_owned()).or_default() += count;
        }
        Self {
            text,
            pieces,
            overlooked,
            edge,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Masks what the native rules find, which is the same as what comes out of a stream. `table` is the one that was
    /// open before this part; the one that is open behind it comes back.
    pub(super) fn redact(&mut self, redactor: &Redactor, table: OpenTable) -> (Counts, OpenTable) {
        let (spans, table) = redactor.find_on(&self.text, &self.overlooked, self.edge, table);
        (self.mask(&spans), table)
    }

    /// Masks spans of the text; a span that is not on borders masks to the nearest ones outside it.
    pub(super) fn mask(&mut self, spans: &[Span]) -> Counts {
        let mut counts = Counts::new();
        if spans.is_empty() {
            return counts;
        }
        let spans = unite(&self.text, spans.to_vec());
        let old = std::mem::take(&mut self.text);
        let mut old_pieces = Cursor::new(std::mem::take(&mut self.pieces));
        let mut at = 0;
        for span in &spans {
            self.text
                .push_str(old.get(at..span.start).unwrap_or_default());
            old_pieces.take(span.start - at, |piece| push(&mut self.pieces, piece));
            let mut raw = 0_u64;
            old_pieces.take(span.end - span.start, |piece| {
                raw = raw.saturating_add(piece.raw)
            });
            let mask = span.mask();
            push(
                &mut self.pieces,
                Piece {
                    text: mask.len(),
                    raw,
                    form: Form::Mask,
                },
            );
            self.text.push_str(&mask);
            *counts.entry(span.kind.clone()).or_default() += 1;
            at = span.end;
        }
        self.text.push_str(old.get(at..).unwrap_or_default());
        old_pieces.rest(|piece| push(&mut self.pieces, piece));
        // The stretches were places in the old text, and what they split has been found.
        self.overlooked.clear();
        counts
    }

    /// The longest start of the text with at most so many bytes, of text and of raw output, that cuts
    /// neither a character nor a mask.
    pub(super) fn head(&self, text_max: usize, raw_max: u64) -> End {
        let mut end = End { at: 0, raw: 0 };
        for piece in &self.pieces {
            let room = room(&end, piece, text_max, raw_max, end.at);
            if room >= piece.text && end.raw.saturating_add(piece.raw) <= raw_max {
                end.at += piece.text;
                end.raw = end.raw.saturating_add(piece.raw);
                continue;
            }
            if piece.form == Form::Exact {
                let at = self.text.floor_char_boundary(end.at + room);
                end.raw = end.raw.saturating_add(at.saturating_sub(end.at) as u64);
                end.at = at.max(end.at);
            }
            break;
        }
        end
    }

    /// As [`Self::head`], for the end of the text.
    pub(super) fn tail(&self, text_max: usize, raw_max: u64) -> End {
        let mut end = End {
            at: self.text.len(),
            raw: 0,
        };
        for piece in self.pieces.iter().rev() {
            let room = room(&end, piece, text_max, raw_max, self.text.len() - end.at);
            if room >= piece.text && end.raw.saturating_add(piece.raw) <= raw_max {
                end.at = end.at.saturating_sub(piece.text);
                end.raw = end.raw.saturating_add(piece.raw);
                continue;
            }
            if piece.form == Form::Exact {
                let at = self
                    .text
                    .ceil_char_boundary(end.at.saturating_sub(room))
                    .min(end.at);
                end.raw = end.raw.saturating_add((end.at - at) as u64);
                end.at = at;
            }
            break;
        }
        end
    }
}

#[inline(always)]
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\t' | 0x20..=0x7E)
}

/// How many bytes from the start are plain.
fn plain_length(bytes: &[u8]) -> usize {
    dispatch!(Level::new(), _ => count_plain(bytes))
}

/// Blocks are counted without an exit, which is vector code.
#[inline(always)]
fn count_plain(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<64>();
    let is_clean = |block: &&[u8; 64]| {
        block
            .iter()
            .fold(true, |clean, byte| clean & is_plain(*byte))
    };
    let clean = blocks.iter().take_while(is_clean).count() * 64;
    let rest = bytes.get(clean..).unwrap_or_default();
    clean + rest.iter().take_while(|byte| is_plain(**byte)).count()
}

/// How many bytes of a piece's text there is room for.
fn room(end: &End, piece: &Piece, text_max: usize, raw_max: u64, used: usize) -> usize {
    let text = text_max.saturating_sub(used);
    match piece.form {
        Form::Exact => {
            text.min(usize::try_from(raw_max.saturating_sub(end.raw)).unwrap_or(usize::MAX))
        }
        Form::Changed | Form::Mask => text,
    }
}

/// Says how a run of raw bytes became text: what both end with is the same bytes, what stands before
/// it belongs together as a whole. So a mark or a dropped sequence before plain text makes two pieces.
fn align(pieces: &mut Vec<Piece>, raw: &[u8], text: &str) {
    let same = if raw == text.as_bytes() {
        raw.len()
    } else {
        let pairs = raw.iter().rev().zip(text.bytes().rev());
        pairs.take_while(|(raw, text)| **raw == *text).count()
    };
    let same = text.len() - text.ceil_char_boundary(text.len() - same);
    push(
        pieces,
        Piece {
            text: text.len() - same,
            raw: (raw.len() - same) as u64,
            form: Form::Changed,
        },
    );
    push(
        pieces,
        Piece {
            text: same,
            raw: same as u64,
            form: Form::Exact,
        },
    );
}

/// Adds a piece, put together with the one before it where that loses nothing or there are too many.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    if piece.text == 0 && piece.raw == 0 {
        return;
    }
    let crowded = pieces.len() >= PIECES_MAX;
    match pieces.last_mut() {
        Some(last) if last.form == Form::Exact && piece.form == Form::Exact => {
            last.text += piece.text;
            last.raw = last.raw.saturating_add(piece.raw);
        }
        Some(last)
            if crowded
                && last.form != Form::Mask
                && piece.form != Form::Mask
                && last.raw < COARSE_RAW_BYTES
                && piece.raw < COARSE_RAW_BYTES =>
        {
            last.text += piece.text;
            last.raw = last.raw.saturating_add(piece.raw);
            last.form = Form::Changed;
        }
        _ => pieces.push(piece),
    }
}

/// Takes pieces from the front by length of text.
struct Cursor {
    pieces: std::vec::IntoIter<Piece>,
    current: Option<Piece>,
}

impl Cursor {
    fn new(pieces: Vec<Piece>) -> Self {
        let mut pieces = pieces.into_iter();
        let current = pieces.next();
        Self { pieces, current }
    }

    fn take(&mut self, text: usize, mut each: impl FnMut(Piece)) {
        let mut left = text;
        while left > 0 {
            let Some(piece) = self.current else { return };
            if piece.text <= left {
                left -= piece.text;
                each(piece);
                self.current = self.pieces.next();
                continue;
            }
            // A changed piece that is divided leaves its raw bytes to its first half.
            let raw = if piece.form == Form::Exact {
                left as u64
            } else {
                piece.raw
            };
            each(Piece {
                text: left,
                raw,
                form: piece.form,
            });
            self.current = Some(Piece {
                text: piece.text - left,
                raw: piece.raw.saturating_sub(raw),
                form: piece.form,
            });
            left = 0;
        }
    }

    fn rest(&mut self, mut each: impl FnMut(Piece)) {
        while let Some(piece) = self.current {
            each(piece);
            self.current = self.pieces.next();
        }
    }
}
