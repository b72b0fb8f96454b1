//! Text of any length through the sanitiser and the native rules, in bounded memory: what comes out does not
//! depend on how it was cut. Where something was masked is told by line and column, never what.
//!
//! Must not: ask plugins, or cut. That is done to what is kept of a command's output.

use super::binary;
use crate::redact::{Counts, Edge, Piece, Redactor, Span, Stream};
use crate::text::{SafeText, Sanitiser};
use std::collections::VecDeque;

/// Bytes that are sanitised before the redactor sees them.
const BLOCK_BYTES: usize = 65_536;
/// Bytes at the start that tell whether a text is one.
pub const OPENING_BYTES: usize = 65_536;

/// What a flow releases, in order.
#[derive(Debug)]
pub enum Released<'a> {
    /// Text that is fit to be read, masks included.
    Text(SafeText),
    /// Why a mask stands in the text that was released just before.
    Mask(Place<'a>),
}

/// Where something was masked, in the sanitised text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The stretch in bytes, its kind and its rule.
    pub span: &'a Span,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in bytes, counted from 1.
    pub column: usize,
}

/// Text under way.
#[derive(Debug)]
pub struct Flow {
    scanner: Sanitiser,
    stream: Stream,
    /// Sanitised text that was not handed on yet.
    text: String,
    lines: Lines,
    redactions: Counts,
}

/// Whether text that begins like this is none; it is described by a line then, not shown.
#[must_use]
pub fn is_binary(opening: &[u8]) -> bool {
    binary::described(opening, None, opening.len() as u64).is_some()
}

impl Flow {
    /// A text that begins here.
    #[must_use]
    pub fn new(redactor: &Redactor) -> Self {
        Self {
            scanner: Sanitiser::default(),
            stream: redactor.stream(Edge::Whole),
            text: String::new(),
            lines: Lines::default(),
            redactions: Counts::new(),
        }
    }

    /// Takes more bytes and releases what is decided.
    pub fn push(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Released<'_>)) {
        for block in bytes.chunks(BLOCK_BYTES) {
            self.scanner.push(block, &mut self.text);
            let overlooked = self.scanner.take_overlooked();
            self.hand_on(&overlooked, emit);
        }
    }

    /// Hands on all of which the scanner has said everything: whether a line end is a whole one, only the next
    /// byte tells.
    fn hand_on(
        &mut self,
        overlooked: &[std::ops::Range<usize>],
        emit: &mut dyn FnMut(Released<'_>),
    ) {
        let decided = self.text.len() - self.scanner.undecided_bytes().min(self.text.len());
        let text = self.text.get(..decided).unwrap_or_default();
        self.lines.read(text);
        let (lines, redactions) = (&mut self.lines, &mut self.redactions);
        self.stream.push(text, overlooked, &mut |piece| {
            release(&piece, lines, redactions, emit);
        });
        self.text.drain(..decided);
    }

    /// Ends the text: the counts of what was masked, and of what was removed or marked.
    pub fn finish(mut self, emit: &mut dyn FnMut(Released<'_>)) -> (Counts, Counts) {
        let scanner = std::mem::take(&mut self.scanner);
        let (tally, overlooked) = scanner.finish(&mut self.text);
        self.hand_on(&overlooked, emit);
        let (mut lines, mut redactions) = (self.lines, self.redactions);
        self.stream.finish(&mut |piece| {
            release(&piece, &mut lines, &mut redactions, emit);
        });
        let counts = tally.into_iter();
        let sanitised = counts.map(|(kind, count)| (kind.to_owned(), count));
        (redactions, sanitised.collect())
    }
}

fn release(
    piece: &Piece<'_>,
    lines: &mut Lines,
    redactions: &mut Counts,
    emit: &mut dyn FnMut(Released<'_>),
) {
    match piece {
        Piece::Text(text) => emit(Released::Text(SafeText::scanned((*text).to_owned()))),
        Piece::Mask(span) => {
            *redactions.entry(span.kind.clone()).or_default() += 1;
            emit(Released::Text(SafeText::scanned(span.mask())));
            let (line, column) = lines.place(span.start);
            emit(Released::Mask(Place { span, line, column }));
        }
    }
}

/// Where lines begin, as far back as something may still be masked.
#[derive(Debug, Default)]
struct Lines {
    /// Bytes of text that were read.
    bytes: usize,
    /// Where the lines after the one at `start` begin.
    starts: VecDeque<usize>,
    /// Lines before `start`.
    before: usize,
    start: usize,
}

/// Most beginnings of lines that are kept. A mask that covers more lines is placed at a later one.
const LINES_MAX: usize = 131_072;

impl Lines {
    fn read(&mut self, text: &str) {
        for at in memchr::memchr_iter(b'\n', text.as_bytes()) {
            if self.starts.len() == LINES_MAX {
                self.step();
            }
            self.starts.push_back(self.bytes + at + 1);
        }
        self.bytes += text.len();
    }

    fn step(&mut self) {
        if let Some(start) = self.starts.pop_front() {
            (self.start, self.before) = (start, self.before + 1);
        }
    }

    /// Line and column of a place; places come in order.
    fn place(&mut self, at: usize) -> (usize, usize) {
        while self.starts.front().is_some_and(|start| *start <= at) {
            self.step();
        }
        (self.before + 1, at.saturating_sub(self.start) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "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";

    /// The text that comes out, and what was masked where.
    fn run(text: &[u8], chunk: usize) -> (String, Vec<(usize, usize, String)>, Counts, Counts) {
        let (mut out, mut places) = (String::new(), Vec::new());
        let mut flow = Flow::new(&Redactor::default());
        let mut emit = |released: Released<'_>| match released {
            Released::Text(text) => out.push_str(&text),
            Released::Mask(place) => {
                places.push((place.line, place.column, place.span.kind.clone()));
            }
        };
        for chunk in text.chunks(chunk) {
            flow.push(chunk, &mut emit);
        }
        let (redactions, sanitised) = flow.finish(&mut emit);
        (out, places, redactions, sanitised)
    }

    #[test]
    fn masks_are_placed_by_line_and_column() {
        let text = format!("one\n  {TOKEN} x\n\nDB_PASSWORD=q9sUujZcL9PBQu\n");
        let (out, places, redactions, _) = run(text.as_bytes(), 7);
        assert_eq!(
            out,
            "one\n  [REDACTED:github-token] x\n\nDB_PASSWORD=[REDACTED:password]\n"
        );
        let expected = [(2, 3, "github-token"), (4, 13, "password")];
        let expected = expected.map(|(line, column, kind)| (line, column, kind.to_owned()));
        assert_eq!(places, expected);
        assert_eq!(redactions.values().sum::<u64>(), 2);
    }

    #[test]
    fn however_it_is_cut_it_comes_out_as_output_does() {
        let mut text = String::new();
        for line in 0..400 {
            text.push_str(&format!(
                "line {line} é\x1b[31m{}\x1b[0m 日\r\n",
                if line % 7 == 0 { TOKEN } else { "x" }
            ));
            text.push_str("10%\r20%\rAPI_KEY=a\x08sdkj3489fskdj\u{202e}\n");
        }
        let whole = super::super::scrub_text(
            text.as_bytes(),
            &Redactor::default(),
            &super::super::NoScrubber,
            "-",
            &[],
        );
        for chunk in [1, 2, 3, 5, 64, 1_000, 1_000_000] {
            let (out, _, redactions, sanitised) = run(text.as_bytes(), chunk);
            assert_eq!(whole.stdout, out, "{chunk}");
            assert_eq!(
                (&whole.redactions, &whole.sanitised),
                (&redactions, &sanitised)
            );
        }
    }

    #[test]
    fn programs_and_archives_are_no_text() {
        assert!(is_binary(b"\x7fELF\0\0\0") && !is_binary("grün\n".as_bytes()));
    }
}
