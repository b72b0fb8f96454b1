//! Columns of tables whose head says that they hold secrets: comma-separated values, columns between bars, the
//! columns that a file of accounts names in a remark. The rows may be many and come in any pieces, so a row is
//! judged by itself, with the head before it.
//!
//! Known limits: the head is one line of plain labels that also names whose secrets they are (a user, a host,
//! a service); a value of letters alone is taken for a word.

use super::names::{self, Names};
use super::source::{Found, Label, Source};
use super::values::{self, Form, Value, Written};
use std::ops::Range;

/// Longest head of a table, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 256;
/// Longest row that is read, in bytes.
const ROW_BYTES_MAX: usize = 4_096;
/// Longest label of a column, in bytes.
const LABEL_BYTES_MAX: usize = 32;
/// Most columns.
const COLUMNS_MAX: usize = 32;
/// Shortest value that is masked, in bytes; and the shortest where the head names no password.
const PASSWORD_BYTES_MIN: usize = 4;
const TOKEN_BYTES_MIN: usize = 8;

/// Labels of columns that say whose secret stands in a row.
#[rustfmt::skip]
const OWNERS: &[&str] = &[
    "user", "users", "username", "userid", "login", "loginname", "account", "accountname", "email", "mail", "host", "hostname", "server", "service", "site", "url",
    "uri", "system", "device", "client", "name", "title", "group", "database", "db", "ip", "address", "realm", "domain", "application", "app", "role", "owner",
];

/// What parts the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// One sign; values may stand in quotes.
    Byte(u8),
    /// Bars, at the ends of a row as well or not.
    Bar,
    /// Any number of blanks; values may stand in quotes.
    Blank,
}

/// What the head of a table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    sign: Sign,
    columns: usize,
    /// Which columns hold secrets, and of what kind.
    secret: Vec<(usize, &'static str)>,
}

/// What a line below a head is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// Of no table.
    Other,
    /// A line between rows.
    Frame,
    /// A row, with the places of its secrets in the line.
    Values(Vec<(Range<usize>, &'static str)>),
}

impl Head {
    /// Reads a line as a head.
    pub(super) fn of(line: &str) -> Option<Self> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.len() > HEAD_BYTES_MAX {
            return None;
        }
        let remark = line.strip_prefix('#').map(str::trim_start);
        let sign = if line.contains('|') {
            Sign::Bar
        } else if let Some(byte) = [b',', b';', b'\t']
            .into_iter()
            .find(|byte| remark.is_none() && line.as_bytes().contains(byte))
        {
            Sign::Byte(byte)
        } else if remark.is_some() {
            Sign::Blank
        } else {
            return None;
        };
        let shown = remark.unwrap_or(line);
        let labels: Vec<&str> = match sign {
            // A label may be of two words; two blanks or a tab part them.
            Sign::Blank => shown
                .split(['\t'])
                .flat_map(|part| part.split("  "))
                .map(str::trim)
                .filter(|label| !label.is_empty())
                .take(COLUMNS_MAX + 1)
                .collect(),
            _ => cells(shown, sign)?
                .into_iter()
                .map(|cell| shown.get(cell).unwrap_or_default())
                .collect(),
        };
        let plain = |label: &&str| {
            !label.is_empty()
                && label.len() <= LABEL_BYTES_MAX
                && label.starts_with(|c: char| c.is_ascii_alphabetic())
                && label.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric()
                        || matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b'(' | b')')
                })
        };
        if !(2..=COLUMNS_MAX).contains(&labels.len()) || !labels.iter().all(plain) {
            return None;
        }
        let is_owner = |label: &str| {
            let letters = label.bytes().filter(u8::is_ascii_alphabetic);
            let word: String = letters
                .map(|b| char::from(b.to_ascii_lowercase()))
                .collect();
            OWNERS.contains(&word.as_str())
        };
        let secret: Vec<(usize, &'static str)> = labels
            .iter()
            .enumerate()
            .filter_map(
                |(column, label)| match names::judge(&label.replace(' ', "_"), "") {
                    Some(Names::Secret(kind)) => Some((column, kind)),
                    _ => None,
                },
            )
            .collect();
        if secret.is_empty() || !labels.iter().any(|label| is_owner(label)) {
            return None;
        }
        Some(Self {
            sign,
            columns: labels.len(),
            secret,
        })
    }

    /// Reads a line as a row.
    pub(super) fn row(&self, line: &str) -> Row {
        let line = line.trim_end_matches(['\r', '\n']);
        let frame = |c: char| {
            matches!(c, '-' | '+' | '=' | ':' | '|' | ' ') || ('\u{2500}'..='\u{257f}').contains(&c)
        };
        if line.len() > 2 && line.chars().all(frame) {
            return Row::Frame;
        }
        if line.trim().is_empty() || line.len() > ROW_BYTES_MAX {
            return Row::Other;
        }
        let Some(cells) = cells(line, self.sign) else {
            return Row::Other;
        };
        let fits = match self.sign {
            // The last column of such a file may be empty, or hold several words.
            Sign::Blank => cells.len() + 1 >= self.columns,
            _ => cells.len() == self.columns,
        };
        if !fits {
            return Row::Other;
        }
        let source = Source::new(line);
        let values = self.secret.iter().filter_map(|(column, kind)| {
            let cell = cells.get(*column)?.clone();
            holds_secret(source, &cell, kind).then_some((cell, *kind))
        });
        Row::Values(values.collect())
    }
}

/// The secrets below the head around a place, and up to where lines are read.
pub(super) fn at(source: Source<'_>, at: usize, found: &mut Vec<Found<'_>>) -> usize {
    let start = source.line_start(at, HEAD_BYTES_MAX);
    let end = source.line_end(at, HEAD_BYTES_MAX);
    let whole = matches!(source.before(start), b'\n' | 0) && source.at(end) == b'\n';
    let Some(head) = Head::of(source.str(start, end)).filter(|_| whole) else {
        return end;
    };
    let mut line = end + 1;
    while line < source.len() {
        let stop = source.line_end(line, ROW_BYTES_MAX + 1);
        match head.row(source.str(line, stop)) {
            Row::Other => break,
            Row::Frame => {}
            Row::Values(values) => found.extend(values.into_iter().filter_map(|(cell, kind)| {
                let label = Label {
                    rule: "table",
                    kind,
                };
                Found::new(line + cell.start, line + cell.end, label)
            })),
        }
        line = stop + 1;
    }
    line.min(source.len())
}

fn holds_secret(source: Source<'_>, cell: &Range<usize>, kind: &str) -> bool {
    let text = source.slice(cell.start, cell.end);
    let value = Value {
        start: cell.start,
        end: cell.end,
        form: Form::Quoted,
    };
    let has = |class: fn(&u8) -> bool| text.iter().any(class);
    let made = if kind == "password" {
        text.len() >= PASSWORD_BYTES_MIN
            && has(|byte| !byte.is_ascii_alphabetic() && !matches!(byte, b' ' | b'.'))
    } else {
        text.len() >= TOKEN_BYTES_MIN
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !text.contains(&b' ')
    };
    made && !values::is_placeholder(source, value, Written::Environment)
}

/// The places of the cells of a line, without blanks and quotes around them. None where there are too many, or a
/// quote is not closed.
fn cells(line: &str, sign: Sign) -> Option<Vec<Range<usize>>> {
    let bytes = line.as_bytes();
    let part = match sign {
        Sign::Byte(byte) => byte,
        Sign::Bar => b'|',
        Sign::Blank => b' ',
    };
    let parts = |byte: u8| byte == part || (sign == Sign::Blank && byte == b'\t');
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        let blank = |byte: &&u8| matches!(byte, b' ') || (sign == Sign::Blank && **byte == b'\t');
        at += bytes.get(at..)?.iter().take_while(blank).count();
        let rest = bytes.get(at..)?;
        if sign == Sign::Blank && rest.is_empty() {
            break;
        }
        let quote = rest
            .first()
            .copied()
            .filter(|byte| matches!(byte, b'"' | b'\''));
        let (cell, after) = match quote.filter(|_| sign != Sign::Bar) {
            Some(quote) => {
                let length = closing(rest.get(1..)?, quote)?;
                (at + 1..at + 1 + length, at + length + 2)
            }
            None => {
                let length = rest
                    .iter()
                    .position(|byte| parts(*byte))
                    .unwrap_or(rest.len());
                let text = line.get(at..at + length)?;
                (at..at + text.trim_end().len(), at + length)
            }
        };
        cells.push(cell);
        if cells.len() > COLUMNS_MAX + 2 {
            return None;
        }
        let gap = bytes.get(after..)?.iter().take_while(blank).count();
        match bytes.get(after + gap) {
            None => break,
            Some(_) if sign == Sign::Blank && gap > 0 => at = after + gap,
            Some(byte) if *byte == part && sign != Sign::Blank => at = after + gap + 1,
            Some(_) => return None,
        }
    }
    if sign == Sign::Bar {
        // What stands before the first bar and after the last is nothing where a row has them.
        let is_empty = |cell: Option<&Range<usize>>| cell.is_some_and(Range::is_empty);
        if is_empty(cells.first()) {
            cells.remove(0);
        }
        if is_empty(cells.last()) {
            cells.pop();
        }
    }
    Some(cells)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::super::{Edge, Piece, Redactor};

    fn masked(text: &str) -> String {
        Redactor::default().mask(text).0
    }

    #[test]
    fn a_column_of_secrets_is_masked_in_every_row() {
        let tables = [
            "host,user,pass\n10.0.0.21,root,Calv1n-R4ck\n10.0.0.22,root,Hobbes_R4ck\n",
            "\"Group\",\"Title\",\"Username\",\"Password\"\n\"Root\",\"core\",\"netops\",\"Lauch & Ei 9\"\n\"Root\",\"edge\",\"netops\",\"a \"\"b\"\" 7\"\n",
            "| Service | User  | Password |\n|---------|-------|----------|\n| Netbox  | admin | Reh-kitz_2022 |\n| IPAM    | root  | Falke/Hoehe5 |\n",
            "user;token\nci;9f86d081884c7d65\ncd;a1b2c3d4e5f60718\n",
            "# client\tserver\tsecret\t\t\tIP addresses\nbranch12    l2tpd     \"qE3L8utUpZSnffH\"    10.99.0.12\nbranch13 * wP5f!uu3 *\n",
        ];
        for table in tables {
            let text = masked(table);
            assert_eq!(text.matches("[REDACTED:").count(), 2, "{text}");
            assert_eq!(text.lines().count(), table.lines().count());
        }
    }

    #[test]
    fn tables_of_other_things_stay() {
        let tables = [
            "test,result,pass\nlogin-1,ok,yes-1\n",
            "user,password policy\nroot,min-12\n",
            "user,password\nroot,********\nadmin,never\nlocked,\n",
            "name,max_tokens\ngpt-4o,128000\n",
            "The user, the password\nand 10, or 12\n",
            "host,user,pass\nthere were 3 more\n10.0.0.1,root,x-1234\n",
        ];
        for table in tables {
            assert_eq!(masked(table), table);
        }
    }

    #[test]
    fn a_row_is_no_hiding_place_for_what_goes_on_below_it() {
        for text in [
            "host,user,pass\n10.0.0.1,root,password:\n  q9sUujZcL9PBQu\n",
            "host,user,pass\n10.0.0.1,root,x-1234\na,b,api_key: |\n  q9sUujZcL9PBQu\n",
        ] {
            assert!(!masked(text).contains("q9sUuj"), "{}", masked(text));
        }
    }

    #[test]
    fn a_long_table_in_pieces_is_masked_to_its_end() {
        let mut table = "host,user,password\n".to_owned();
        for row in 0..2_000 {
            table.push_str(&format!("10.0.0.{},root,Calv1n-R4ck{row}\n", row % 256));
        }
        for size in [1, 7, 4_096] {
            let (mut stream, mut count) = (Redactor::default().stream(Edge::Whole), 0);
            let mut emit = |piece: Piece<'_>| match piece {
                Piece::Text(text) => assert!(!text.contains("Calv1n"), "{text}"),
                Piece::Mask(_) => count += 1,
            };
            for piece in table.as_bytes().chunks(size) {
                stream.push(std::str::from_utf8(piece).unwrap(), &[], &mut emit);
            }
            stream.finish(&mut emit);
            assert_eq!(count, 2_000);
        }
    }
}
