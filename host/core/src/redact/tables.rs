//! Heads of tables that say which columns hold secrets: comma-separated values, columns between bars, the columns that a
//! file of accounts names in a remark. The rows below them are judged in `rows`.
//!
//! Known limits: the head is one line of plain labels that also names whose secrets they are (a user, a host,
//! a service).

use super::names::{self, Names};
use super::rows;
use std::ops::Range;

/// Longest head of a table, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 256;
/// Longest label of a column, in bytes.
const LABEL_BYTES_MAX: usize = 32;
/// Most columns.
const COLUMNS_MAX: usize = 32;

/// Labels of columns that say whose secret stands in a row.
#[rustfmt::skip]
const OWNERS: &[&str] = &[
    "user", "users", "username", "userid", "login", "loginname", "account", "accountname", "email", "mail", "host", "hostname", "server", "service", "site", "url",
    "uri", "system", "device", "client", "clientid", "name", "title", "group", "database", "db", "ip", "address", "realm", "domain", "application", "app", "role", "owner",
    "accesskeyid", "keyid", "benutzer", "benutzername", "nutzer", "konto", "kunde", "dienst",
];
/// How longer labels of that kind end.
const OWNERS_END: &[&str] = &["username", "hostname", "userid", "login", "email"];

/// Labels beside which a column called `pass` counts tests.
const OUTCOMES: &[&str] = &[
    "fail", "fails", "failed", "failure", "failures", "skip", "skipped",
];

/// What parts the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
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
    pub(super) sign: Sign,
    pub(super) columns: usize,
    /// Which columns hold secrets, and of what kind.
    pub(super) secret: Vec<(usize, &'static str)>,
    /// Whether a bar stands before the first column and after the last.
    pub(super) framed: (bool, bool),
    /// Whether blanks stand beside the signs.
    pub(super) spaced: bool,
    /// How many characters stand before the first sign.
    pub(super) first: usize,
    /// Whether its labels are words of a listing, below which a value must look random unless it is a password.
    pub(super) listed: bool,
}

impl Head {
    /// Reads a line as a head.
    pub(super) fn of(line: &str) -> Option<Self> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.len() > HEAD_BYTES_MAX {
            return None;
        }
        let remark = line.strip_prefix('#').map(str::trim_start);
        let remark = remark.filter(|rest| !rest.starts_with([',', ';', '|']));
        let sign = if line.contains(rows::BARS) {
            Sign::Bar
        } else if let Some(byte) = [b',', b';', b'\t']
            .into_iter()
            .find(|byte| remark.is_none() && line.as_bytes().contains(byte))
        {
            Sign::Byte(byte)
        } else if remark.is_some() || is_listing(line) {
            Sign::Blank
        } else {
            return None;
        };
        let listed = sign == Sign::Blank && remark.is_none();
        let shown = remark.unwrap_or(line);
        let (mut labels, mut cells, mut framed) = (Vec::new(), Vec::new(), (false, false));
        if sign == Sign::Blank {
            // A label may be of two words; two blanks or a tab part them.
            let parts = shown.split('\t').flat_map(|part| part.split("  "));
            let parts = parts.map(str::trim).filter(|label| !label.is_empty());
            labels.extend(parts.take(COLUMNS_MAX + 1));
        } else {
            cells = rows::cells(shown, sign).places;
            let label = |cell: &Range<usize>| shown.get(cell.clone()).unwrap_or_default();
            labels.extend(cells.iter().map(label));
            if sign == Sign::Bar {
                framed.0 = labels.first().is_some_and(|label| label.is_empty());
                framed.1 = labels.len() > 1 && labels.last().is_some_and(|label| label.is_empty());
            } else {
                // A sign behind the last label parts it from nothing.
                labels.pop_if(|label| label.is_empty());
            }
            labels.drain(..usize::from(framed.0));
            labels.truncate(labels.len() - usize::from(framed.1).min(labels.len()));
        }
        // The first column may be a number that has no name.
        let unnamed = labels.len() > 2
            && labels
                .first()
                .is_some_and(|label| matches!(*label, "" | "#"));
        let named = labels.get(usize::from(unnamed)..).unwrap_or_default();
        if !(2..=COLUMNS_MAX).contains(&labels.len()) || !named.iter().all(|label| is_plain(label))
        {
            return None;
        }
        let secret = secret_columns(&labels);
        if secret.is_empty() || !(listed || labels.iter().any(|label| is_owner(label))) {
            return None;
        }
        let (spaced, first) = rows::spacing(shown, sign, &cells);
        Some(Self {
            sign,
            columns: labels.len(),
            secret,
            framed,
            spaced,
            first,
            listed,
        })
    }

    /// The same with what an earlier head of as many columns said: a row that looks like a head must not turn it off.
    pub(super) fn below(mut self, earlier: &Self) -> Self {
        if (self.sign, self.columns) == (earlier.sign, earlier.columns) {
            for known in &earlier.secret {
                match self
                    .secret
                    .iter_mut()
                    .find(|(column, _)| *column == known.0)
                {
                    Some(own) if known.1 == rows::PASSWORD => *own = *known,
                    Some(_) => {}
                    None => self.secret.push(*known),
                }
            }
        }
        self
    }
}

/// Whether a line may be the head of a listing: words in capitals, parted by two blanks or more.
fn is_listing(line: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'_' | b'-');
    line.contains("  ")
        && line.starts_with(|c: char| c.is_ascii_uppercase())
        && line.bytes().all(plain)
}

fn is_plain(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= LABEL_BYTES_MAX
        && label.starts_with(|c: char| c.is_ascii_alphabetic())
        && label.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b'(' | b')')
        })
}

/// The letters of a label in lower case.
fn letters(label: &str) -> String {
    let letters = label.bytes().filter(u8::is_ascii_alphabetic);
    letters
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect()
}

fn is_owner(label: &str) -> bool {
    let word = letters(label);
    OWNERS.contains(&word.as_str()) || OWNERS_END.iter().any(|end| word.ends_with(end))
}

fn secret_columns(labels: &[&str]) -> Vec<(usize, &'static str)> {
    let counts = labels
        .iter()
        .any(|label| OUTCOMES.contains(&letters(label).as_str()));
    let judge = |label: &str| match names::judge(&label.replace(' ', "_"), "") {
        Some(Names::Secret(_)) if counts && letters(label) == "pass" => None,
        Some(Names::Secret(kind)) => Some(kind),
        _ => None,
    };
    let columns = labels.iter().enumerate();
    columns
        .filter_map(|(column, label)| Some((column, judge(label)?)))
        .collect()
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
            "host,user,pass\nthere were 3 more\n\n10.0.0.1, root, x-1234\n",
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
