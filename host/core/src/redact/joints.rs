//! Which lines belong together: a name at the end of a line and its value on the next, pairs of fields,
//! YAML blocks, lines that only a carriage return parts. Judges no value.

use super::MASK_START;
use super::masks;
use super::names;
use super::source::{Source, is_blank, is_word};
use super::view::{self, View};
use super::{commands, directives, nested, printed, settings};

/// How far from the name that is waited for a further line may begin, in bytes.
const WAIT_BYTES_MAX: usize = 192;
/// Most fields between a name and the line that holds its value.
const FIELDS_MAX: u8 = 3;
/// Longest line that is such a field, in bytes.
const FIELD_BYTES_MAX: usize = 96;
/// Deepest indentation that is measured, in bytes.
const INDENT_BYTES_MAX: usize = 512;

/// Lines that are put together one after another.
pub(super) struct Joint<'t> {
    text: &'t str,
    end: usize,
    /// Where the name ends whose value has not come.
    waits: Option<usize>,
    /// How many fields may stand before it.
    fields: u8,
    /// How many lines may hold what a line announced.
    announced: u8,
    /// The indentation of a name of several secrets, and how many lines may hold them.
    below: Option<(usize, u8)>,
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
            fields: 0,
            announced: 0,
            below: None,
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
        soft || self.waits.is_some() || self.below.is_some() || self.block.is_some()
    }

    /// Takes the next line, which ends at `after`, if it belongs to the others.
    pub(super) fn take(&mut self, after: usize, soft: bool) -> bool {
        let line = self.text.get(self.end..after).unwrap_or_default();
        let in_block = self.block.is_some_and(|outer| is_deeper(line, outer));
        let below = self.below.take();
        let below = below.filter(|(outer, left)| *left > 0 && is_below(line, *outer));
        if !(soft || self.waits.is_some() || below.is_some() || in_block) {
            return false;
        }
        let start = self.end;
        self.end = after;
        if in_block {
            self.below = below;
            return true;
        }
        self.block = None;
        let is_filler = line.bytes().all(is_filler);
        let near = self
            .waits
            .is_some_and(|name| after - name <= WAIT_BYTES_MAX);
        if is_filler && near {
            self.below = below;
            return true;
        }
        let (waits, fields, announced) = (self.waits, self.fields, self.announced);
        self.read(start, usize::MAX);
        if self.waits.is_none() && announced > 1 && printed::may_hold(line) {
            (self.waits, self.announced) = (waits, announced - 1);
        } else if self.waits.is_none() && near && fields > 0 && is_field(line) {
            (self.waits, self.fields) = (waits, fields - 1);
        }
        if self.below.is_none() {
            self.below = below.map(|(outer, left)| (outer, left - 1));
        }
        true
    }

    /// Sees what a line leaves for the next.
    fn read(&mut self, start: usize, hit: usize) {
        let line = self.text.get(start..self.end).unwrap_or_default();
        (self.waits, self.fields, self.announced, self.below) = (None, 0, 0, None);
        let marks = view::marks(line);
        if let Some(view) = View::without(line, marks) {
            return self.read_plain(&view.text, start, usize::MAX);
        }
        self.read_plain(line, start, hit);
    }

    /// As [`Self::read`], for a line without marks.
    fn read_plain(&mut self, line: &str, start: usize, hit: usize) {
        let shown = without_remark(line.trim_end());
        if let Some(announced) = printed::announces(shown) {
            self.waits = Some(start + shown.len());
            self.announced = announced.lines;
        }
        let header = shown.trim_end_matches(|c: char| matches!(c, '-' | '+' | '0'..='9' | ' '));
        // In `<key>password</key>` the sign is one of a tag.
        let opens_block = header
            .strip_suffix(['|', '>'])
            .is_some_and(|before| before.ends_with([' ', '\t', ':']));
        let shown = if opens_block {
            without_tag(header)
        } else {
            shown
        };
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
        self.fields = FIELDS_MAX;
        if shown.ends_with([':', '[', '{']) && nested::holder(name).is_some() {
            self.below = Some((indent(line), nested::LINES_MAX));
        }
        if opens_block {
            self.block = Some(indent(line));
            self.waits = None;
        }
    }
}

/// A line that ends in a sign without the remark behind that: `password: # of the test`.
fn without_remark(line: &str) -> &str {
    line.find(": #")
        .filter(|at| matches!(line.as_bytes().get(at + 3), Some(b' ' | b'\t')))
        .and_then(|at| line.get(..=at))
        .unwrap_or(line)
}

/// The head of a block without the tag before its sign: `password: !!binary |`.
fn without_tag(header: &str) -> &str {
    let before = header
        .get(..header.len() - 1)
        .unwrap_or_default()
        .trim_end();
    match before.rsplit_once(' ') {
        Some((head, tag)) if tag.starts_with('!') => head.trim_end(),
        _ => header,
    }
}

/// Whether a line is one of a list or a map below a name.
fn is_below(line: &str, outer: usize) -> bool {
    is_deeper(line, outer)
        || line.trim_start_matches([' ', '\t']).starts_with("- ") && indent(line) >= outer
}

/// Whether a line is a field with a short value: `"type": "string",`, `type: string`.
fn is_field(line: &str) -> bool {
    let line = line.trim().trim_end_matches(',');
    let Some((name, value)) = line.split_once(':') else {
        return false;
    };
    let name = name.trim_matches(['"', '\'']);
    let is_plain = |byte: u8| is_word(byte) || byte == b'-';
    line.len() <= FIELD_BYTES_MAX
        && !name.is_empty()
        && name.bytes().all(is_plain)
        && value.starts_with(' ')
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
    if nested::below(source, at, &mut Vec::new()) {
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
