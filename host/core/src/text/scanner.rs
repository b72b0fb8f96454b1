//! Turns remote bytes into text that cannot move a cursor or hide anything. A streaming scanner:
//! however the bytes are cut into pushes, the text is the same. It must never widen its input by
//! more than eight times, and scanning its own output changes nothing.
//!
//! Known limit: a character erased by a backspace stays visible, because hiding it would let output
//! rewrite itself; [`Cleaned::overlooked`] tells the redactor where that happened.

use super::class;
use super::escape::{self, Mode, Step};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// How much of each kind was removed or marked: `ansi`, `control`, `carriage_return`, `bidi`,
/// `tags`, `variation`, `invisible`, `private_use`, `noncharacter`, `invalid_utf8`.
pub type Tally = BTreeMap<&'static str, u64>;

/// Hidden characters in a row that are still named one by one.
const NAMED_RUN_MAX: usize = 2;

/// How many overlooked stretches are remembered for the redactor. Past it a token split by carriage
/// returns is read as two words; ordinary progress output stays far below.
const OVERLOOKED_MAX: usize = 65_536;

/// Bytes looked at in one go by the fast path.
const CLEAN_BLOCK_BYTES: usize = 64;

/// A text after the scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The text.
    pub text: String,
    /// What was removed or marked.
    pub counts: Tally,
    /// Stretches of `text`, in bytes, that a terminal would not have shown: line ends that were lone
    /// carriage returns, characters erased by a backspace, and what an unfinished string sequence held.
    /// A secret may be split by them.
    pub overlooked: Vec<Range<usize>>,
}

/// Scans a whole text in the output profile.
#[must_use]
pub fn sanitise(bytes: &[u8]) -> Cleaned {
    let mut scanner = Sanitiser::default();
    let mut text = String::with_capacity(bytes.len());
    scanner.push(bytes, &mut text);
    let (counts, overlooked) = scanner.finish(&mut text);
    Cleaned {
        text,
        counts,
        overlooked,
    }
}

/// Scans a whole text in the step profile: nothing is marked, lines become blanks.
pub(super) fn strip(bytes: &[u8]) -> String {
    let mut scanner = Sanitiser {
        profile: Profile::Step,
        ..Sanitiser::default()
    };
    let mut text = String::with_capacity(bytes.len());
    scanner.push(bytes, &mut text);
    scanner.finish(&mut text);
    text
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Profile {
    #[default]
    Output,
    Step,
}

/// What stands before the next character, as far as joiners and variation selectors care.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Nothing,
    Seen(char),
    /// An emoji that already has its U+FE0F.
    Varied,
}

/// The streaming scanner of the output profile. Memory is bounded: three bytes of a cut character,
/// one sequence, one held character, and the overlooked stretches.
#[derive(Debug, Clone, Default)]
pub struct Sanitiser {
    profile: Profile,
    mode: Mode,
    /// The first bytes of a character whose rest has not come yet.
    carry: Vec<u8>,
    before: Before,
    /// A joiner or selector that stays only if the next character agrees.
    held: Option<char>,
    /// The hidden characters in a row so far: the first ones and how many.
    run: ([char; NAMED_RUN_MAX], usize),
    after_carriage_return: bool,
    /// Where the next backspace erases, in bytes of all that was written.
    erase_at: Option<usize>,
    written: usize,
    counts: Tally,
    overlooked: Vec<Range<usize>>,
}

impl Sanitiser {
    /// Scans more bytes and appends what is decided to `out`, which may hold earlier text.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        if self.carry.is_empty() {
            self.decode(bytes, out);
        } else {
            let mut joined = std::mem::take(&mut self.carry);
            joined.extend_from_slice(bytes);
            self.decode(&joined, out);
        }
    }

    /// Ends the text: what was under way is decided, and the counts come back with the stretches
    /// that a terminal would not have shown.
    pub fn finish(mut self, out: &mut String) -> (Tally, Vec<Range<usize>>) {
        if !self.carry.is_empty() {
            self.count("invalid_utf8");
            self.take(char::REPLACEMENT_CHARACTER, out);
        }
        let mode = std::mem::take(&mut self.mode);
        if mode != Mode::Text {
            self.count("ansi");
            self.replay(&mode.unfinished(), out);
        }
        self.settle(None, out);
        self.flush_run(out);
        (self.counts, self.overlooked)
    }

    /// Bytes to characters. A broken byte in 0x80–0x9F is what an 8-bit terminal takes for a C1
    /// control, so it goes the same way; any other becomes U+FFFD.
    fn decode(&mut self, bytes: &[u8], out: &mut String) {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.take_str(chunk.valid(), out);
            let broken = chunk.invalid();
            let cut = std::str::from_utf8(broken).is_err_and(|fault| fault.error_len().is_none());
            match broken {
                [] => {}
                _ if cut && chunks.peek().is_none() => self.carry = broken.to_vec(),
                [byte @ 0x80..=0x9F] => self.take(char::from(*byte), out),
                _ => {
                    self.count("invalid_utf8");
                    self.take(char::REPLACEMENT_CHARACTER, out);
                }
            }
        }
    }

    fn take_str(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        while !rest.is_empty() {
            let clean = self.clean_prefix(rest);
            if let Some((head, tail)) = rest.split_at_checked(clean)
                && let Some(last) = head.chars().next_back()
            {
                out.push_str(head);
                self.written = self.written.saturating_add(head.len());
                self.before = Before::Seen(last);
                self.after_carriage_return = false;
                self.erase_at = None;
                rest = tail;
            }
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                self.take(c, out);
            }
            rest = chars.as_str();
        }
    }

    /// How many bytes from the start are plain ASCII that nothing under way has a say in.
    fn clean_prefix(&self, text: &str) -> usize {
        let open = self.mode != Mode::Text
            || self.held.is_some()
            || self.run.1 > 0
            || self.after_carriage_return
            || self.profile == Profile::Step;
        if open {
            return 0;
        }
        let dirty = |byte: &u8| !matches!(byte, b'\n' | b'\t' | 0x20..=0x7E);
        let bytes = text.as_bytes();
        let mut clean = 0;
        for block in bytes.chunks(CLEAN_BLOCK_BYTES) {
            // The fold has no early exit, so that the compiler turns it into vector code.
            if block.iter().fold(false, |found, byte| found | dirty(byte)) {
                return clean + block.iter().position(dirty).unwrap_or(block.len());
            }
            clean += block.len();
        }
        clean
    }

    fn take(&mut self, c: char, out: &mut String) {
        if self.mode == Mode::Text {
            return self.take_text(c, out);
        }
        match std::mem::take(&mut self.mode).read(c) {
            Step::Goes(mode) => self.mode = mode,
            Step::Ended => self.count("ansi"),
            Step::Broken { shown, mode } => {
                self.count("ansi");
                self.replay(&shown, out);
                self.mode = mode;
                if self.mode == Mode::Text {
                    self.take_text(c, out);
                } else {
                    // One step at most: an escape hands back to text, never to another sequence.
                    self.take(c, out);
                }
            }
        }
    }

    /// Shows a payload that was none. It holds no introducer, so this cannot open a sequence. Many
    /// terminals show nothing of it, so what stands around it may be one word.
    fn replay(&mut self, payload: &str, out: &mut String) {
        if payload.is_empty() {
            return;
        }
        self.settle(None, out);
        self.flush_run(out);
        let from = self.written;
        for c in payload.chars() {
            self.take_text(c, out);
        }
        self.overlook(from..self.written);
    }

    fn take_text(&mut self, c: char, out: &mut String) {
        match c {
            '\n' if self.after_carriage_return => {
                // The pair is one line end, which a terminal shows as well.
                self.after_carriage_return = false;
                self.overlooked.pop_if(|range| range.end == self.written);
                self.uncount("carriage_return");
            }
            '\r' => {
                self.count("carriage_return");
                self.emit('\n', out);
                self.overlook(self.written.saturating_sub(1)..self.written);
                self.after_carriage_return = true;
            }
            '\u{1B}' => self.mode = Mode::Escape(0),
            '\u{8}' => {
                self.count("control");
                self.erase(out);
            }
            '\n' | '\t' => self.emit(c, out),
            _ if c.is_control() => match escape::introduced(c) {
                Some(mode) => self.mode = mode,
                None => self.count("control"),
            },
            _ => match class::hidden_kind(c) {
                Some(kind) => self.take_hidden(c, kind, out),
                None => self.emit(c, out),
            },
        }
    }

    fn take_hidden(&mut self, c: char, kind: &'static str, out: &mut String) {
        self.after_carriage_return = false;
        if self.held.is_none() && self.run.1 == 0 {
            match (c, self.before) {
                ('\u{FE0F}', Before::Seen(base)) if class::is_emoji(base) => {
                    self.write(c, out);
                    self.before = Before::Varied;
                    return;
                }
                ('\u{FE0F}', Before::Seen('0'..='9' | '#' | '*'))
                | ('\u{200D}', Before::Varied) => {
                    self.held = Some(c);
                    return;
                }
                ('\u{200C}' | '\u{200D}', Before::Seen(base))
                    if class::is_joining(base) || (c == '\u{200D}' && class::is_emoji(base)) =>
                {
                    self.held = Some(c);
                    return;
                }
                _ => {}
            }
        }
        self.settle(None, out);
        self.hide(c, kind);
    }

    /// Decides about a held character, knowing the next visible one (none at the end or before
    /// another hidden one).
    fn settle(&mut self, next: Option<char>, out: &mut String) {
        let Some(held) = self.held.take() else { return };
        let stays = match (held, self.before, next) {
            ('\u{FE0F}', _, next) => next == Some('\u{20E3}'),
            (_, Before::Seen(base), Some(next)) if class::is_joining(base) => {
                class::is_joining(next)
            }
            (_, _, Some(next)) => class::is_emoji(next),
            (_, _, None) => false,
        };
        if stays {
            self.write(held, out);
        } else {
            self.hide(held, class::hidden_kind(held).unwrap_or("invisible"));
        }
    }

    fn hide(&mut self, c: char, kind: &'static str) {
        self.count(kind);
        if let Some(slot) = self.run.0.get_mut(self.run.1) {
            *slot = c;
        }
        self.run.1 = self.run.1.saturating_add(1);
    }

    fn emit(&mut self, c: char, out: &mut String) {
        self.settle(Some(c), out);
        self.flush_run(out);
        self.after_carriage_return = false;
        let c = match (self.profile, c) {
            (Profile::Step, '\n' | '\t') => ' ',
            _ => c,
        };
        self.write(c, out);
        self.before = Before::Seen(c);
    }

    fn write(&mut self, c: char, out: &mut String) {
        out.push(c);
        self.written = self.written.saturating_add(c.len_utf8());
        self.erase_at = None;
    }

    fn flush_run(&mut self, out: &mut String) {
        let (named, length) = std::mem::take(&mut self.run);
        if length == 0 || self.profile == Profile::Step {
            return;
        }
        let from = out.len();
        if length > NAMED_RUN_MAX {
            // Writing to a String cannot fail.
            let _ = write!(out, "[{length} invisible characters removed]");
            self.before = Before::Seen(']');
        } else {
            for c in named.iter().take(length) {
                let _ = write!(out, "<U+{:04X}>", u32::from(*c));
            }
            self.before = Before::Seen('>');
        }
        self.written = self.written.saturating_add(out.len() - from);
    }

    /// Remembers which character a terminal's next one would stand over. Nothing is removed.
    fn erase(&mut self, out: &str) {
        let end = self.erase_at.unwrap_or(self.written);
        let shown = out
            .len()
            .checked_sub(self.written.saturating_sub(end))
            .and_then(|end| out.get(..end))
            .unwrap_or_default();
        if let Some(c) = shown.chars().next_back().filter(|c| *c != '\n') {
            let start = end.saturating_sub(c.len_utf8());
            self.erase_at = Some(start);
            self.overlook(start..end);
        }
    }

    fn overlook(&mut self, range: Range<usize>) {
        if self.overlooked.len() < OVERLOOKED_MAX && !range.is_empty() {
            self.overlooked.push(range);
        }
    }

    fn count(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }

    fn uncount(&mut self, kind: &'static str) {
        if let Some(count) = self.counts.get_mut(kind) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(kind);
            }
        }
    }
}

#[cfg(test)]
mod tests;
