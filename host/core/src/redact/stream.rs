//! The one machine that redacts: text in, in any pieces, and out of it text and masks. What is masked does
//! not depend on how the text was cut, and a whole text goes the same way as a stream.
//!
//! The text is worked off by lines (`work`). Lines without a suspicion (`scout`) pass. A line with one is
//! looked at together with the lines that may belong to it (`joints`), as a text of its own, and a line is
//! released when nothing that may still come has a say in it. A longer line than [`LINE_BYTES_MAX`] goes
//! through windows that overlap. What has begun and has no end yet is dropped as it comes (`open`), to its
//! end or its bound, which takes no memory.
//!
//! SECURITY: at the end of the text everything that is still open is masked.
//!
//! Known limits: a secret that spans lines is seen within [`GROUP_BYTES_MAX`], and one in a longer line than
//! a window where its name or its beginning stands at most a kilobyte before it.

use super::run::Progress;
use super::scout::Hit;
use super::stretches::Stretches;
use super::work::Work;
use super::{Edge, OpenTable, Redactor, Span};
use std::ops::Range;

/// Longest line that is looked at as a whole, in bytes. A longer one goes through windows of this length.
pub const LINE_BYTES_MAX: usize = 16_384;
/// Most bytes of lines that are looked at together.
pub const GROUP_BYTES_MAX: usize = 8_192;
/// Most bytes that wait: a key's body, a group, the line after it, context.
const CARRY_BYTES_MAX: usize = 40_960;

/// What comes out of a stream, in order.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Text as it came in.
    Text(&'a str),
    /// A secret; its place is in bytes of all text that was pushed. [`Span::mask`] stands for it.
    Mask(&'a Span),
}

/// A redactor under way. What it holds between pushes is below 64 KiB.
#[derive(Debug)]
pub struct Stream {
    redactor: Redactor,
    /// Text that is not released, and context before it.
    carry: String,
    /// Where the carry begins, in bytes of all text.
    base: usize,
    /// How far the carry is worked off.
    progress: Progress,
    /// Stretches that a terminal would not have shown, in bytes of all text.
    stretches: Stretches,
    work: Work,
}

impl Redactor {
    /// A redactor for text that comes in pieces.
    #[must_use]
    pub fn stream(&self, edge: Edge) -> Stream {
        Stream {
            redactor: self.clone(),
            carry: String::new(),
            base: 0,
            progress: Progress::default(),
            stretches: Stretches::default(),
            work: Work::new(self, edge),
        }
    }

    /// Puts a whole text through the machine.
    pub(super) fn run(
        &self,
        text: &str,
        overlooked: &[Range<usize>],
        edge: Edge,
        emit: &mut dyn FnMut(Piece<'_>),
    ) {
        self.run_on(text, overlooked, edge, OpenTable::default(), emit);
    }

    /// As [`Self::run`], after a text whose table may go on, and says which one is open at the end.
    pub(super) fn run_on(
        &self,
        text: &str,
        overlooked: &[Range<usize>],
        edge: Edge,
        table: OpenTable,
        emit: &mut dyn FnMut(Piece<'_>),
    ) -> OpenTable {
        let mut work = Work::new(self, edge).below(table);
        let stretches = Stretches::of(overlooked);
        work.advance(self, (text, 0), Progress::default(), &stretches, true, emit);
        work.finish(self, text.len(), emit)
    }
}

impl Stream {
    /// Takes more text and gives what is decided. `overlooked` are stretches, in bytes of all text that was
    /// pushed, that a terminal would not have shown; they lie in this piece or in the line that is not
    /// finished.
    pub fn push(
        &mut self,
        text: &str,
        overlooked: &[Range<usize>],
        emit: &mut dyn FnMut(Piece<'_>),
    ) {
        let mut rest = text;
        let mut stretches = overlooked.to_vec();
        stretches.sort_unstable_by_key(|range| range.start);
        let mut stretches = stretches.as_slice();
        while !rest.is_empty() {
            let plain = stretches.is_empty() && self.stretches.is_empty();
            if plain && self.carry.is_empty() && self.is_due_in(rest, 0) {
                self.pass_through(rest, emit);
                break;
            }
            let room = CARRY_BYTES_MAX.saturating_sub(self.carry.len()).max(4);
            let mut taken = rest.floor_char_boundary(room.min(rest.len()));
            if plain
                && memchr::memchr(b'\n', self.carry.as_bytes()).is_none()
                && let Some(end) =
                    memchr::memchr(b'\n', rest.get(..taken).unwrap_or_default().as_bytes())
            {
                // What follows the line that was begun need not be copied.
                taken = end + 1;
            }
            let (piece, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
            let fresh = self.carry.len();
            self.carry(piece);
            rest = after;
            stretches = self.remember(stretches);
            if self.is_due(fresh) {
                self.advance(false, emit);
            }
        }
        // What is said without any text is about the line that is not finished.
        self.remember(stretches);
    }

    /// Keeps a piece of text. Room is made in steps, but not beyond what may wait.
    fn carry(&mut self, piece: &str) {
        let needed = self.carry.len() + piece.len();
        if needed > self.carry.capacity() {
            let room = needed.next_power_of_two().min(CARRY_BYTES_MAX).max(needed);
            self.carry.reserve_exact(room - self.carry.len());
        }
        self.carry.push_str(piece);
    }

    /// Ends the text: what is open is masked, the rest comes out.
    pub fn finish(mut self, emit: &mut dyn FnMut(Piece<'_>)) {
        let end = self.base + self.carry.len();
        self.advance(true, emit);
        self.work.finish(&self.redactor, end, emit);
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.carry.capacity()
            + self.stretches.held_bytes()
            + self.work.held_bytes()
            + size_of::<Self>()
    }

    /// Works off text that nothing waits before, and keeps what is not decided.
    fn pass_through(&mut self, text: &str, emit: &mut dyn FnMut(Piece<'_>)) {
        let text = (text, self.base);
        let progress = self.work.advance(
            &self.redactor,
            text,
            self.progress,
            &self.stretches,
            false,
            emit,
        );
        let kept = text.0.get(progress.keep..).unwrap_or_default();
        self.carry.reserve_exact(kept.len());
        self.carry.push_str(kept);
        self.base += progress.keep;
        self.stretches.drop_before(self.base);
        self.progress = progress.from(progress.keep);
    }

    /// Whether there can be anything new to decide: a line end, a full window, or something to drop.
    fn is_due(&self, fresh: usize) -> bool {
        self.is_due_in(&self.carry, fresh)
    }

    fn is_due_in(&self, text: &str, fresh: usize) -> bool {
        let bytes = text.as_bytes();
        let new = bytes.get(fresh..).unwrap_or_default();
        let line = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        self.work.drops()
            || memchr::memchr(b'\n', new).is_some()
            || bytes.len() - line.max(self.progress.looked) >= LINE_BYTES_MAX
    }

    /// Keeps the stretches of the text that is there, and gives those that may go on beyond it.
    fn remember<'s>(&mut self, stretches: &'s [Range<usize>]) -> &'s [Range<usize>] {
        let until = self.base + self.carry.len();
        let begun = stretches.partition_point(|range| range.start < until);
        let (here, _) = stretches.split_at_checked(begun).unwrap_or_default();
        for range in here {
            self.stretches
                .add(range.start.max(self.base)..range.end.min(until));
        }
        let over = here
            .iter()
            .position(|range| range.end > until)
            .unwrap_or(begun);
        stretches.get(over..).unwrap_or_default()
    }

    fn advance(&mut self, end: bool, emit: &mut dyn FnMut(Piece<'_>)) {
        let text = (self.carry.as_str(), self.base);
        let progress = self.work.advance(
            &self.redactor,
            text,
            self.progress,
            &self.stretches,
            end,
            emit,
        );
        let keep = progress.keep;
        self.carry.drain(..keep);
        self.base += keep;
        self.progress = progress.from(keep);
        self.stretches.drop_before(self.base);
    }
}

/// Something for the rules at a place.
pub(super) fn suspect(at: usize) -> Hit {
    Hit {
        at,
        lead: super::scout::Lead::Suspect,
    }
}
