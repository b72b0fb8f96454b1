//! Rows of a table whose head is known: which of their cells hold secrets, and where the table ends. The rows may be
//! many and come in any pieces, so a row is judged by itself with the head and a few words about the lines before it.
//!
//! A row that has another number of cells than the head has columns does not end the table: where its secret may
//! stand, all is masked. After lines that are no rows at all (a blank line, a remark, a key) the rows must look like
//! the head to be taken for rows again.
//!
//! Known limits: a value of letters alone is taken for a word; a value that goes on over lines is masked as far as its
//! parts look like one; a row of more than a window is not judged.

use super::source::Source;
use super::tables::{Head, Sign};
use super::values::{self, Form, Value, Written};
use std::ops::Range;

/// Most lines in a row that are none of a table that goes on below them.
const LINES_APART_MAX: u8 = 64;
/// Most cells of a row; the last one takes the rest.
const CELLS_MAX: usize = 64;
/// Most cells by which a row may be longer than the head and still be one whose value is cut by its signs.
const SURPLUS_MAX: usize = 2;
/// Most words of a cell where the head has blanks beside its signs, as a sentence has.
const CELL_WORDS_MAX: usize = 2;
/// Shortest value that is masked, in bytes; and the shortest where the head names no password.
const PASSWORD_BYTES_MIN: usize = 4;
const TOKEN_BYTES_MIN: usize = 8;
/// The kind whose values are masked for the least reason.
pub(super) const PASSWORD: &str = "password";
/// What may stand between columns, on paper or in a box.
pub(super) const BARS: [char; 3] = ['|', '│', '┃'];

/// A table under way.
#[derive(Debug, Clone)]
pub(super) struct Table {
    head: Head,
    state: State,
}

/// What is known of the lines before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    /// How many lines that are no rows stand behind the last one that is.
    apart: u8,
    /// How many lines a quoted value may still go on.
    quoted: u8,
}

/// Where the secrets of a row stand, with their kinds.
pub(super) type Secrets = Vec<(Range<usize>, &'static str)>;

impl Table {
    /// The table that a head opens, where another one may stand above it.
    pub(super) fn new(head: Head, above: Option<&Self>) -> Self {
        let head = match above {
            Some(above) => head.below(&above.head),
            None => head,
        };
        Self {
            head,
            state: State::default(),
        }
    }

    /// The table behind something that was not read.
    #[must_use]
    pub(super) fn apart(mut self) -> Self {
        self.state.apart = self.state.apart.max(1);
        self.state.quoted = 0;
        self
    }

    /// Whether the last line was a row.
    pub(super) fn is_close(&self) -> bool {
        self.state.apart == 0
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.head.secret.capacity() * size_of::<(usize, &str)>()
    }

    /// Reads a line as a row: the secrets in it, and the table as it is below it. None where the table is over.
    pub(super) fn row(&self, line: &str) -> Option<(Self, Secrets)> {
        let line = line.trim_end_matches(['\r', '\n']);
        let is_frame = |c: char| {
            matches!(c, '-' | '+' | '=' | ':' | '|' | ' ') || ('\u{2500}'..='\u{257f}').contains(&c)
        };
        let (state, secrets) = if line.len() > 2 && line.chars().all(is_frame) {
            (self.state, Secrets::new())
        } else {
            self.read(line)?
        };
        let head = self.head.clone();
        Some((Self { head, state }, secrets))
    }

    fn read(&self, line: &str) -> Option<(State, Secrets)> {
        let (head, state) = (&self.head, self.state);
        let mut cells = cells(line, head.sign);
        let quoted = if cells.open { LINES_APART_MAX } else { 0 };
        head.trim(line, &mut cells.places);
        let count = cells.places.len();
        if state.apart == 0 || head.is_alike(line, &cells.places) {
            let fits = match head.sign {
                // The last column of such a file may be empty, or hold several words.
                Sign::Blank => count >= head.columns || (count + 1 == head.columns && count > 1),
                Sign::Byte(_) | Sign::Bar => count == head.columns,
            };
            let adjacent = State { apart: 0, quoted };
            if fits && !line.trim().is_empty() {
                let places = |column: usize| column..column + 1;
                return Some((adjacent, self.secrets(line, &cells.places, places)));
            }
            let is_ragged = head.sign != Sign::Blank && state.apart == 0 && count > 1;
            if is_ragged && (state.quoted > 0 || head.is_alike_in_part(line, &cells.places)) {
                let secrets = match count.checked_sub(head.columns) {
                    Some(more) => {
                        self.secrets(line, &cells.places, |column| column..column + more + 1)
                    }
                    None => {
                        let fewer = head.columns - count;
                        self.secrets(line, &cells.places, |column| {
                            column.saturating_sub(fewer)..column + 1
                        })
                    }
                };
                return Some((adjacent, secrets));
            }
        }
        let apart = state.apart + u8::from(state.quoted == 0);
        let quoted = state.quoted.saturating_sub(1);
        let goes_on = head.sign != Sign::Blank && apart <= LINES_APART_MAX;
        goes_on.then(|| (State { apart, quoted }, Secrets::new()))
    }

    /// The secrets of a row, each of which stands in one of several cells, or in all of them.
    fn secrets(
        &self,
        line: &str,
        cells: &[Range<usize>],
        places: impl Fn(usize) -> Range<usize>,
    ) -> Secrets {
        let mut secrets = Secrets::new();
        for (column, kind) in &self.head.secret {
            let places = places(*column);
            let surplus = cells.len().saturating_sub(self.head.columns);
            let cells = cells.get(places.start..places.end.min(cells.len()));
            let filled = cells
                .unwrap_or_default()
                .iter()
                .filter(|cell| !cell.is_empty());
            let holds = |cell: &Range<usize>| {
                holds_secret(line, cell, kind, self.head.sign)
                    && (!self.head.listed || *kind == PASSWORD || is_listed(line, cell))
            };
            let all = filled
                .clone()
                .cloned()
                .reduce(|one, next| one.start..next.end);
            let is_cut = (1..=SURPLUS_MAX).contains(&surplus);
            match all.filter(|all| is_cut && (holds(all) || filled.clone().any(holds))) {
                Some(all) => secrets.push((all, *kind)),
                None => secrets.extend(
                    filled
                        .filter(|cell| holds(cell))
                        .map(|cell| (cell.clone(), *kind)),
                ),
            }
        }
        secrets
    }
}

impl Head {
    /// Leaves out the empty cells that stand for nothing: outside the bars that the head has as well, and behind a
    /// last sign.
    fn trim(&self, line: &str, cells: &mut Vec<Range<usize>>) {
        let is_empty = |cell: Option<&Range<usize>>| cell.is_some_and(Range::is_empty);
        if self.sign == Sign::Bar {
            if self.framed.0 && is_empty(cells.first()) && line.trim_start().starts_with(BARS) {
                cells.remove(0);
            }
            if self.framed.1 && is_empty(cells.last()) && line.trim_end().ends_with(BARS) {
                cells.pop();
            }
        } else if cells.len() > self.columns {
            cells.pop_if(|cell| cell.start == cell.end);
        }
    }

    /// Whether the signs of a line stand as those of the head do, each of them.
    fn is_alike(&self, line: &str, cells: &[Range<usize>]) -> bool {
        let (spaced, first) = spacing(line, self.sign, cells);
        match self.sign {
            Sign::Bar if self.spaced => first == self.first,
            Sign::Byte(_) if self.spaced => {
                cells.iter().all(|cell| words(line, cell) <= CELL_WORDS_MAX)
            }
            Sign::Bar | Sign::Byte(_) => !spaced,
            Sign::Blank => true,
        }
    }

    /// As [`Self::is_alike`], where one sign is enough.
    fn is_alike_in_part(&self, line: &str, cells: &[Range<usize>]) -> bool {
        match self.sign {
            Sign::Byte(_) if !self.spaced => cells.iter().skip(1).any(|cell| !is_apart(line, cell)),
            Sign::Byte(_) => self.is_alike(line, cells),
            Sign::Bar | Sign::Blank => true,
        }
    }
}

fn words(line: &str, cell: &Range<usize>) -> usize {
    let cell = line.get(cell.clone()).unwrap_or_default();
    cell.split(' ').filter(|word| !word.is_empty()).count()
}

/// Whether a blank stands beside the signs of a line, and how many characters before the first one.
pub(super) fn spacing(line: &str, sign: Sign, cells: &[Range<usize>]) -> (bool, usize) {
    if sign != Sign::Bar {
        return (cells.iter().skip(1).any(|cell| is_apart(line, cell)), 0);
    }
    let first = line.chars().take_while(|c| !BARS.contains(c)).count();
    let mut parts = line.split(BARS);
    let begins = parts.next().is_some_and(|part| part.ends_with(' '));
    let spaced = begins || parts.any(|part| part.starts_with(' '));
    (spaced, first)
}

/// Whether a blank stands before a cell.
fn is_apart(line: &str, cell: &Range<usize>) -> bool {
    let before = line.get(..cell.start).unwrap_or_default();
    let before = before.strip_suffix(['"', '\'']).unwrap_or(before);
    before.ends_with(' ')
}

fn holds_secret(line: &str, cell: &Range<usize>, kind: &str, sign: Sign) -> bool {
    let source = Source::new(line);
    let text = source.slice(cell.start, cell.end);
    let value = Value {
        start: cell.start,
        end: cell.end,
        form: Form::Quoted,
    };
    let has = |class: fn(&u8) -> bool| text.iter().any(class);
    let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'/');
    let made = if kind == PASSWORD {
        text.len() >= PASSWORD_BYTES_MIN
            && has(|byte| !byte.is_ascii_alphabetic() && !matches!(byte, b' ' | b'.'))
            // Below a remark any file may stand: ports and addresses are what its lines hold.
            && !(sign == Sign::Blank && text.iter().all(is_number))
    } else {
        text.len() >= TOKEN_BYTES_MIN
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !text.contains(&b' ')
            && !is_object_name(text)
    };
    made && !is_date(text)
        && !says_none(text)
        && !values::is_placeholder(source, value, Written::Environment)
}

/// Whether a value of a listing is a secret and no name of an object.
fn is_listed(line: &str, cell: &Range<usize>) -> bool {
    let source = Source::new(line);
    let text = source.slice(cell.start, cell.end);
    let value = Value {
        start: cell.start,
        end: cell.end,
        form: Form::Bare,
    };
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'.').collect();
    // The token by which a machine joins a cluster.
    let joins = matches!(parts.as_slice(), [id, secret] if id.len() == 6 && secret.len() == 16);
    let joint = |byte: &u8| matches!(byte, b'-' | b'/' | b'.' | b'_' | b':');
    let named = text.iter().all(|byte| plain(byte) || joint(byte)) && text.iter().any(joint);
    values::is_uuid(text)
        || (joins && text.iter().all(|byte| plain(byte) || *byte == b'.'))
        || (!named && values::looks_random(source, value))
}

/// Whether a value is a day, with its time or not: `2026-05-01T10:00:00Z`.
fn is_date(text: &[u8]) -> bool {
    let is_day = |day: &[u8]| {
        day.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => matches!(byte, b'-' | b'/' | b'.'),
            _ => byte.is_ascii_digit(),
        })
    };
    let is_time = |byte: &u8| byte.is_ascii_digit() || b" TZ:.+-".contains(byte);
    text.split_at_checked(10)
        .is_some_and(|(day, time)| is_day(day) && time.iter().all(is_time))
}

/// Whether several words say that there is no value: `never expires (0)`.
fn says_none(text: &[u8]) -> bool {
    let Some(blank) = memchr::memchr(b' ', text) else {
        return false;
    };
    let first = text.get(..blank).unwrap_or_default();
    [
        "never", "n/a", "none", "not", "unknown", "locked", "expired", "disabled",
    ]
    .iter()
    .any(|word| first.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a value is the name of another object: words joined by dashes, one of them a noun for secrets, with a
/// version at the end or not.
fn is_object_name(text: &[u8]) -> bool {
    let name = String::from_utf8_lossy(text);
    let mut words = name.split('-').peekable();
    let mut has_noun = false;
    while let Some(word) = words.next() {
        let is_version = words.peek().is_none() && word.len() <= 3 && word.starts_with('v');
        if !is_version && !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return false;
        }
        has_noun |= ["secret", "token", "key", "cred", "tls", "auth"]
            .iter()
            .any(|noun| word.starts_with(noun));
    }
    has_noun && name.contains('-')
}

/// The cells of a line.
pub(super) struct Cells {
    /// Where they stand, without blanks and quotes around them.
    pub(super) places: Vec<Range<usize>>,
    /// Whether the last one begins with a quote that is not closed.
    open: bool,
}

/// How long a sign is that parts columns, if one begins at a place.
fn sign_length(rest: &[u8], sign: Sign) -> Option<usize> {
    match (sign, rest.first()?) {
        (Sign::Byte(byte), first) => (byte == *first).then_some(1),
        (Sign::Blank, first) => matches!(first, b' ' | b'\t').then_some(1),
        (Sign::Bar, b'|') => Some(1),
        (Sign::Bar, _) => {
            (rest.starts_with("│".as_bytes()) || rest.starts_with("┃".as_bytes())).then_some(3)
        }
    }
}

/// Parts a line. A quote that nothing closes before the next sign is part of its cell.
pub(super) fn cells(line: &str, sign: Sign) -> Cells {
    let bytes = line.as_bytes();
    let rest = |at: usize| bytes.get(at..).unwrap_or_default();
    let is_blank = |byte: &&u8| **byte == b' ' || (sign == Sign::Blank && **byte == b'\t');
    let blanks = |at: usize| rest(at).iter().take_while(is_blank).count();
    let mut cells = Cells {
        places: Vec::new(),
        open: false,
    };
    let mut at = 0;
    loop {
        at += blanks(at);
        if sign == Sign::Blank && at >= bytes.len() {
            break;
        }
        let quote = rest(at).first().copied();
        let quote = quote.filter(|byte| sign != Sign::Bar && matches!(byte, b'"' | b'\''));
        let closed = quote
            .and_then(|quote| closing(rest(at + 1), quote))
            .map(|length| at + 1 + length);
        let ends = |end: &usize| {
            let gap = blanks(end + 1);
            let behind = rest(end + 1 + gap);
            behind.is_empty()
                || gap > 0 && sign == Sign::Blank
                || sign_length(behind, sign).is_some()
        };
        cells.open = quote == Some(b'"') && closed.is_none();
        let (cell, after) = if let Some(end) = closed.filter(ends) {
            (at + 1..end, end + 1)
        } else {
            let length = (at..bytes.len()).find(|at| sign_length(rest(*at), sign).is_some());
            let end = length
                .filter(|_| cells.places.len() + 1 < CELLS_MAX)
                .unwrap_or(bytes.len());
            let text = line.get(at..end).unwrap_or_default();
            (at..at + text.trim_end_matches(' ').len(), end)
        };
        cells.places.push(cell);
        let gap = blanks(after);
        match sign_length(rest(after + gap), sign) {
            _ if sign == Sign::Blank && gap > 0 => at = after + gap,
            Some(length) if sign != Sign::Blank => at = after + gap + length,
            _ => break,
        }
    }
    cells
}

/// Where a quoted cell ends; a doubled quote is part of it.
fn closing(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(quote, bytes.get(at..)?)?;
        if bytes.get(at + 1) != Some(&quote) {
            return Some(at);
        }
        at += 2;
    }
}
