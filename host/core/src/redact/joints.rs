//! Which lines belong together: a name at the end of a line and its value on the next, pairs of fields,
//! YAML blocks, lines that only a carriage return parts. Judges no value.

use super::MASK_START;
use super::masks;
use super::names;
use super::source::{Source, is_blank, is_word};
use super::view::{self, View};
use super::{commands, directives, settings};

/// How far from the name that is waited for a further line may begin, in bytes.
const WAIT_BYTES_MAX: usize = 192;
/// Deepest indentation that is measured, in bytes.
const INDENT_BYTES_MAX: usize = 512;

/// Lines that are put together one after another.
pub(super) struct Joint<'t> {
    text: &'t str,
    end: usize,
    /// Where the name ends whose value has not come.
    waits: Option<usize>,
    /// The indentation of the name of a YAML block.
    block: Option<usize>,
}

impl<'t> Joint<'t> {
    /// Begins with the line at `start`. `hit` is the last place in it that is under suspicion: a name that a
    /// further line belongs to is one of these.
    pub(super) fn new(text: &'t str, start: usize, hit: usize) -> Self {
        let rest = text.as_bytes().get(start..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(text.len(), |length| start + length + 1);
        let mut joint = Self {
            text,
            end,
            waits: None,
            block: None,
        };
        joint.read(start, hit);
        joint
    }

    /// Where the last line ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The indentation of the block that the lines are in.
    pub(super) fn block(&self) -> Option<usize> {
        self.block
    }

    /// Whether the line after the last may belong to it. `soft` says that only a carriage return parts them.
    pub(super) fn wants(&self, soft: bool) -> bool {
        soft || self.waits.is_some() || self.block.is_some()
    }

    /// Takes the next line, which ends at `after`, if it belongs to the others.
    pub(super) fn take(&mut self, after: usize, soft: bool) -> bool {
        let line = self.text.get(self.end..after).unwrap_or_default();
        let in_block = self.block.is_some_and(|outer| is_deeper(line, outer));
        if !(soft || self.waits.is_some() || in_block) {
            return false;
        }
        let start = self.end;
        self.end = after;
        if in_block {
            return true;
        }
        self.block = None;
        let is_filler = line.bytes().all(is_filler);
        let near = self
            .waits
            .is_some_and(|name| after - name <= WAIT_BYTES_MAX);
        if !(is_filler && near) {
            self.read(start, usize::MAX);
        }
        true
    }

    /// Sees what a line leaves for the next.
    fn read(&mut self, start: usize, hit: usize) {
        let line = self.text.get(start..self.end).unwrap_or_default();
        self.waits = None;
        let marks = view::marks(line);
        if let Some(view) = View::without(line, marks) {
            return self.read_plain(&view.text, start, usize::MAX);
        }
        self.read_plain(line, start, hit);
    }

    /// As [`Self::read`], for a line without marks.
    fn read_plain(&mut self, line: &str, start: usize, hit: usize) {
        let shown = line.trim_end();
        let mut head = shown.trim_end_matches(|c: char| u8::try_from(c).is_ok_and(is_filler));
        if shown.ends_with('>')
            && let Some((before, _)) = head.rsplit_once("</")
        {
            head = before.trim_end_matches(|c: char| u8::try_from(c).is_ok_and(is_filler));
        }
        let from = head
            .bytes()
            .rev()
            .take(WAIT_BYTES_MAX)
            .take_while(|byte| is_word(*byte) || matches!(byte, b'-' | b'.'))
            .count();
        if hit < start + head.len() - from {
            return;
        }
        let name = head.get(head.len() - from..).unwrap_or_default();
        let mask = (head.len() - from).checked_sub(MASK_START.len());
        let in_mask = mask.is_some_and(|mask| masks::at(Source::new(line), mask).is_some());
        // A number or a mode may stand between the name and its sign. The kind in a mask is no name.
        if in_mask || !names::has_fragment(name) {
            return;
        }
        self.waits = Some(start + head.len());
        let header = shown.trim_end_matches(|c: char| matches!(c, '-' | '+' | '0'..='9' | ' '));
        if header.ends_with(['|', '>']) {
            self.block = Some(indent(line));
            self.waits = None;
        }
    }
}

fn is_filler(byte: u8) -> bool {
    !(is_word(byte) || byte >= 0x80 || matches!(byte, b'$' | b'#' | b'%' | b'@' | b'~'))
}

/// How far a line is indented; a list's dash belongs to the indentation.
pub(super) fn indent(line: &str) -> usize {
    line.bytes()
        .take(INDENT_BYTES_MAX)
        .take_while(|byte| is_blank(*byte) || *byte == b'-')
        .count()
}

/// Whether a line is blank or indented further than a name.
pub(super) fn is_deeper(line: &str, outer: usize) -> bool {
    let blanks = line
        .bytes()
        .take(INDENT_BYTES_MAX)
        .take_while(|byte| is_blank(*byte))
        .count();
    blanks > outer || line.trim().is_empty()
}

/// Whether the name around a place in the lines of a group is one whose value some rule must look at.
pub(super) fn names_secret(text: &str, at: usize) -> bool {
    let source = Source::new(text);
    let (found, end) = settings::at(source, at);
    if found.is_some() {
        return true;
    }
    let start = source.back(at, 64, |byte| is_word(byte) || matches!(byte, b'-' | b'.'));
    let name = source.str(start, end).to_ascii_lowercase();
    (is_blank(source.at(end)) && directives::is_word_of_one(&name))
        || ["authoriz", "cookie", "bearer"]
            .iter()
            .any(|part| name.contains(part))
        || commands::takes(&name)
}

/// Whether the first line of a group begins with a word that the line before may introduce.
pub(super) fn looks_back(text: &str) -> bool {
    let line = text.trim_start_matches([' ', '\t']);
    line.get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case("pass"))
}
