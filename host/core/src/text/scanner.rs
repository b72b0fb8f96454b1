//! Turns remote bytes into text that cannot move a cursor or hide anything. A streaming scanner:
//! however the bytes are cut into pushes, the text is the same. It must never widen its input by
//! more than eight times, and scanning its own output changes nothing.
//!
//! Known limit: a character erased by a backspace stays visible, because hiding it would let output
//! rewrite itself; [`Cleaned::overlooked`] tells the redactor where that happened, as far back as
//! [`ERASED_BYTES_MAX`].

mod plain;

use super::class::{self, Kind};
use super::escape::{self, Mode, Step};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// How much of each kind was removed or marked: `ansi`, `control`, `carriage_return`, `bidi`,
/// `tags`, `variation`, `invisible`, `private_use`, `noncharacter`, `invalid_utf8`.
pub type Tally = BTreeMap<&'static str, u64>;

/// Hidden characters in a row that are still named one by one.
const NAMED_RUN_MAX: usize = 2;

/// How many overlooked stretches are remembered until they are taken. Past it a token split by carriage
/// returns is read as two words; whoever takes them after each 64 KiB stays below.
const OVERLOOKED_MAX: usize = 131_072;

/// How far back a backspace reaches, in bytes of text.
pub const ERASED_BYTES_MAX: usize = 1_024;

/// Bytes that are decoded in one go, so that all passes over them find them in the nearest cache.
const BLOCK_BYTES: usize = 8_192;

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

/// Whether a text is one that the scanner would leave alone at first sight.
pub(super) fn is_plain(text: &str) -> bool {
    plain::prefix(text) == text.len()
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
/// one sequence, one held character, what a backspace may reach, and the overlooked stretches.
#[derive(Debug, Clone, Default)]
pub struct Sanitiser {
    profile: Profile,
    mode: Mode,
    /// What the string sequence under way holds.
    payload: String,
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
    /// The end of what earlier calls wrote.
    recent: String,
    /// Where this call's text begins: in the caller's text, and in all that was written.
    call: (usize, usize),
    counts: [u64; Kind::ALL.len()],
    overlooked: Vec<Range<usize>>,
}

impl Sanitiser {
    /// Scans more bytes and appends what is decided to `out`, which may hold earlier text.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.call = (out.len(), self.written);
        for block in bytes.chunks(BLOCK_BYTES) {
            self.decode(block, out);
        }
        self.remember(out);
    }

    /// Ends the text: what was under way is decided, and the counts come back with the stretches
    /// that a terminal would not have shown and that were not taken before.
    pub fn finish(mut self, out: &mut String) -> (Tally, Vec<Range<usize>>) {
        self.call = (out.len(), self.written);
        if !self.carry.is_empty() {
            self.count(Kind::InvalidUtf8);
            self.take(char::REPLACEMENT_CHARACTER, out);
        }
        if self.mode != Mode::Text {
            self.mode = Mode::Text;
            self.count(Kind::Ansi);
            self.replay(out);
        }
        self.settle(None, out);
        self.flush_run(out);
        (self.tally(), self.overlooked)
    }

    /// What was removed or marked so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let counts = Kind::ALL.iter().zip(self.counts);
        let counts = counts.filter(|(_, count)| *count > 0);
        counts.map(|(kind, count)| (kind.name(), count)).collect()
    }

    /// Takes the stretches found since the last call that a terminal would not have shown, as bytes of all
    /// the text so far. One may begin up to [`ERASED_BYTES_MAX`] before what the last push wrote.
    pub fn take_overlooked(&mut self) -> Vec<Range<usize>> {
        let decided = self.written - self.undecided_bytes();
        let open = self.overlooked.pop_if(|range| range.end > decided);
        let kept = open.into_iter().collect();
        std::mem::replace(&mut self.overlooked, kept)
    }

    /// How many bytes at the end of what was written may yet turn out not to be overlooked: a carriage return may be
    /// half of a line end.
    #[must_use]
    pub fn undecided_bytes(&self) -> usize {
        usize::from(self.after_carriage_return)
    }

    /// Bytes to characters. A broken byte in 0x80–0x9F is what an 8-bit terminal takes for a C1
    /// control, so it goes the same way; any other becomes U+FFFD.
    fn decode(&mut self, bytes: &[u8], out: &mut String) {
        let mut rest = self.complete(bytes, out);
        while !rest.is_empty() {
            let fault = match std::str::from_utf8(rest) {
                Ok(text) => return self.take_str(text, out),
                Err(fault) => fault,
            };
            let (valid, broken) = rest
                .split_at_checked(fault.valid_up_to())
                .unwrap_or((&[], rest));
            self.take_str(std::str::from_utf8(valid).unwrap_or_default(), out);
            let Some((broken, after)) = fault
                .error_len()
                .and_then(|length| broken.split_at_checked(length))
            else {
                self.carry = broken.to_vec();
                return;
            };
            self.take_broken(broken, out);
            rest = after;
            // Bytes that begin no character are seen without decoding what follows them each time.
            while let [byte @ (0x80..=0xC1 | 0xF5..), after @ ..] = rest {
                self.take_broken(&[*byte], out);
                rest = after;
            }
        }
    }

    /// Puts a cut character together, and gives what follows it.
    fn complete<'b>(&mut self, bytes: &'b [u8], out: &mut String) -> &'b [u8] {
        let mut rest = bytes;
        while !self.carry.is_empty()
            && let Some((byte, after)) = rest.split_first()
        {
            self.carry.push(*byte);
            let fault = match std::str::from_utf8(&self.carry) {
                Ok(text) => {
                    let c = text.chars().next();
                    self.carry.clear();
                    if let Some(c) = c {
                        self.take(c, out);
                    }
                    return after;
                }
                Err(fault) => fault,
            };
            if fault.error_len().is_some() {
                // The byte does not belong to it, so it is read again by itself.
                self.carry.pop();
                let broken = std::mem::take(&mut self.carry);
                self.take_broken(&broken, out);
                return rest;
            }
            rest = after;
        }
        rest
    }

    fn take_broken(&mut self, broken: &[u8], out: &mut String) {
        match broken {
            [byte @ 0x80..=0x9F] => self.take(char::from(*byte), out),
            _ => {
                self.count(Kind::InvalidUtf8);
                self.take(char::REPLACEMENT_CHARACTER, out);
            }
        }
    }

    fn take_str(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.mode != Mode::Text {
                rest = self.take_sequence(rest, out);
                continue;
            }
            rest = self.take_plain(rest, out);
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                self.take_text(c, out);
            }
            rest = chars.as_str();
        }
    }

    /// Copies what nothing under way has a say in, and gives what follows it.
    fn take_plain<'t>(&mut self, text: &'t str, out: &mut String) -> &'t str {
        let open = self.held.is_some()
            || self.run.1 > 0
            || self.after_carriage_return
            || self.profile == Profile::Step;
        if open {
            return text;
        }
        let Some((plain, rest)) = text.split_at_checked(plain::prefix(text)) else {
            return text;
        };
        if let Some(last) = plain.chars().next_back() {
            out.push_str(plain);
            self.written = self.written.saturating_add(plain.len());
            self.before = Before::Seen(last);
            self.erase_at = None;
        }
        rest
    }

    /// Reads on inside a sequence until it is over, and gives what follows it. Sequences back to back are
    /// read in one go, because a hostile stream may consist of nothing else.
    fn take_sequence<'t>(&mut self, text: &'t str, out: &mut String) -> &'t str {
        let (mut rest, mut mode, mut over) = (text.as_bytes(), self.mode, 0);
        loop {
            if self.payload.is_empty() {
                let (next, length, more) = escape::skim(mode, rest);
                (mode, over) = (next, over + more);
                rest = rest.get(length..).unwrap_or_default();
            } else if mode == Mode::Payload {
                let room = escape::SEQUENCE_BYTES_MAX.saturating_sub(self.payload.len());
                let length = plain::printable(rest).min(room);
                let held = rest.get(..length).unwrap_or_default();
                self.payload
                    .push_str(std::str::from_utf8(held).unwrap_or_default());
                rest = rest.get(length..).unwrap_or_default();
            }
            let Some((c, length)) = escape::near(rest) else {
                break;
            };
            let step = match mode {
                Mode::Text => match escape::opened(c) {
                    Some(next) => Step::Goes(next),
                    None => break,
                },
                _ => mode.read(c, self.payload.len()),
            };
            match step {
                Step::Goes(next) => mode = next,
                Step::Held => self.payload.push(c),
                Step::Ended => {
                    (mode, over) = (Mode::Text, over + 1);
                    self.payload.clear();
                }
                Step::Broken(next) if self.payload.is_empty() => {
                    (mode, over) = (next, over + 1);
                    continue;
                }
                Step::Broken(_) => break,
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        self.mode = mode;
        self.count_many(Kind::Ansi, over);
        let read = text.len() - rest.len();
        let mut chars = text.get(read..).unwrap_or_default().chars();
        if mode != Mode::Text
            && let Some(c) = chars.next()
        {
            // A character that no sequence is made of, or one that shows what it held.
            self.take(c, out);
        }
        chars.as_str()
    }

    fn take(&mut self, c: char, out: &mut String) {
        if self.mode == Mode::Text {
            return self.take_text(c, out);
        }
        match self.mode.read(c, self.payload.len()) {
            Step::Goes(mode) => self.mode = mode,
            Step::Held => self.payload.push(c),
            Step::Ended => {
                self.mode = Mode::Text;
                self.payload.clear();
                self.count(Kind::Ansi);
            }
            Step::Broken(mode) => {
                self.count(Kind::Ansi);
                self.mode = Mode::Text;
                self.replay(out);
                self.mode = mode;
                if mode == Mode::Text {
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
    fn replay(&mut self, out: &mut String) {
        if self.payload.is_empty() {
            return;
        }
        let payload = std::mem::take(&mut self.payload);
        self.settle(None, out);
        self.flush_run(out);
        let from = self.written;
        self.take_str(&payload, out);
        self.overlook(from..self.written);
    }

    fn take_text(&mut self, c: char, out: &mut String) {
        match c {
            '\n' if self.after_carriage_return => {
                // The pair is one line end, which a terminal shows as well.
                self.after_carriage_return = false;
                self.overlooked.pop_if(|range| range.end == self.written);
                self.uncount(Kind::CarriageReturn);
            }
            '\r' => {
                self.count(Kind::CarriageReturn);
                self.emit('\n', out);
                self.overlook(self.written.saturating_sub(1)..self.written);
                self.after_carriage_return = true;
            }
            '\u{8}' => {
                self.count(Kind::Control);
                self.erase(out);
            }
            '\n' | '\t' | ' '..='~' => self.emit(c, out),
            _ if c.is_control() => match escape::opened(c) {
                Some(mode) => self.mode = mode,
                None => self.count(Kind::Control),
            },
            _ => match class::hidden_kind(c) {
                Some(kind) => self.take_hidden(c, kind, out),
                None => self.emit(c, out),
            },
        }
    }

    fn take_hidden(&mut self, c: char, kind: Kind, out: &mut String) {
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
            self.hide(held, class::hidden_kind(held).unwrap_or(Kind::Invisible));
        }
    }

    fn hide(&mut self, c: char, kind: Kind) {
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
        let (out_start, written_start) = self.call;
        let shown = match end.checked_sub(written_start) {
            Some(length) if length > 0 => out
                .get(out_start..out_start.saturating_add(length))
                .unwrap_or_default(),
            _ => {
                let back = written_start.saturating_sub(end);
                let length = self.recent.len().checked_sub(back);
                length
                    .and_then(|length| self.recent.get(..length))
                    .unwrap_or_default()
            }
        };
        if let Some(c) = shown.chars().next_back().filter(|c| *c != '\n') {
            let start = end.saturating_sub(c.len_utf8());
            if self.written.saturating_sub(start) <= ERASED_BYTES_MAX {
                self.erase_at = Some(start);
                self.overlook(start..end);
            }
        }
    }

    /// Keeps the end of the text for the backspaces of later calls.
    fn remember(&mut self, out: &str) {
        let written = out.get(self.call.0..).unwrap_or_default();
        if written.len() >= ERASED_BYTES_MAX {
            self.recent.clear();
        }
        let from = written.len().saturating_sub(2 * ERASED_BYTES_MAX);
        let from = written.floor_char_boundary(from);
        self.recent
            .push_str(written.get(from..).unwrap_or_default());
        if self.recent.len() > 4 * ERASED_BYTES_MAX {
            let cut = self.recent.len() - 2 * ERASED_BYTES_MAX;
            self.recent.drain(..self.recent.floor_char_boundary(cut));
        }
    }

    fn overlook(&mut self, range: Range<usize>) {
        if self.overlooked.len() < OVERLOOKED_MAX && !range.is_empty() {
            self.overlooked.push(range);
        }
    }

    fn count(&mut self, kind: Kind) {
        self.count_many(kind, 1);
    }

    fn count_many(&mut self, kind: Kind, count: u64) {
        if let Some(counter) = self.counts.get_mut(kind as usize) {
            *counter = counter.saturating_add(count);
        }
    }

    fn uncount(&mut self, kind: Kind) {
        if let Some(counter) = self.counts.get_mut(kind as usize) {
            *counter = counter.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
