//! Personal data: payment cards, account numbers, mail addresses, telephone and social security numbers.
//! Off unless chosen. Where a check digit exists it must agree; where none does, the written form must be
//! one that people write and machines do not.
//!
//! Known limits: names and street addresses are not looked for; a telephone number without a country's
//! code is seen only in the North American form or beside a word that says what it is.

use super::source::{Found, Label, Source, is_blank, is_word};

macro_rules! label {
    ($name:ident, $rule:literal) => {
        const $name: Label<'static> = Label {
            rule: $rule,
            kind: $rule,
        };
    };
}
label!(CARD, "card");
label!(IBAN, "iban");
label!(EMAIL, "email");
label!(PHONE, "phone");
label!(SSN, "ssn");

/// Most digits of a number that is looked at, with its separators, in bytes.
const NUMBER_BYTES_MAX: usize = 40;
/// Longest local part of an address. *Source*: RFC 5321.
const LOCAL_BYTES_MAX: usize = 64;
/// Longest domain. *Source*: RFC 5321.
const DOMAIN_BYTES_MAX: usize = 255;

/// Whether a rule is one of these.
pub(super) fn is_rule(name: &str) -> bool {
    matches!(name, "card" | "iban" | "email" | "phone" | "ssn")
}

/// Which of the rules are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) card: bool,
    pub(super) iban: bool,
    pub(super) email: bool,
    pub(super) phone: bool,
    pub(super) ssn: bool,
}

impl Wanted {
    /// Whether any is.
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    fn numbers(self) -> bool {
        self.card || self.phone || self.ssn
    }
}

/// All that is wanted in a text. One pass; each look is bounded.
pub(super) fn scan(source: Source<'_>, wanted: Wanted, found: &mut Vec<Found<'_>>) {
    let mut at = 0;
    let mut covered = 0;
    while at < source.len() {
        let next = source.run(at, source.len(), |byte| {
            !(byte.is_ascii_digit() || matches!(byte, b'@' | b'+' | b'(' | b'%'))
        });
        let hit = match source.at(next) {
            b'@' if wanted.email => email(source, (next, next + 1), covered),
            b'%' if wanted.email && source.has(next, "%40") => {
                email(source, (next, next + 3), covered)
            }
            b'@' | b'%' => None,
            _ if next >= source.len() => return,
            _ => number(source, next, wanted).or_else(|| {
                let letters = next.checked_sub(2).filter(|start| *start >= covered);
                letters
                    .filter(|_| wanted.iban)
                    .and_then(|start| iban(source, start))
            }),
        };
        at = match hit {
            Some(hit) => {
                covered = hit.end;
                found.push(hit);
                hit.end.max(next + 1)
            }
            // The rest of a run of digits begins nothing.
            None if source.at(next).is_ascii_digit() => {
                source.run(next, source.len(), |byte| byte.is_ascii_digit())
            }
            None => next + 1,
        };
    }
}

/// Digits with their separators: where they end, and the digits.
struct Number {
    end: usize,
    digits: Vec<u8>,
    /// The lengths of the groups that separators part.
    groups: Vec<usize>,
    separators: Vec<u8>,
}

fn read(source: Source<'_>, start: usize) -> Number {
    let mut number = Number {
        end: start,
        digits: Vec::new(),
        groups: Vec::new(),
        separators: Vec::new(),
    };
    let mut at = start;
    while at - start < NUMBER_BYTES_MAX {
        let end = source.run(at, NUMBER_BYTES_MAX, |byte| byte.is_ascii_digit());
        if end == at {
            break;
        }
        number
            .digits
            .extend(source.slice(at, end).iter().map(|byte| byte - b'0'));
        number.groups.push(end - at);
        number.end = end;
        let separator = source.at(end);
        if !matches!(separator, b' ' | b'-' | b'.') || !source.at(end + 1).is_ascii_digit() {
            break;
        }
        number.separators.push(separator);
        at = end + 1;
    }
    number
}

/// Whether a number that begins at `start` is no part of a longer word.
fn stands_alone(source: Source<'_>, start: usize, end: usize) -> bool {
    let before = source.before(start);
    let after = source.at(end);
    let joined =
        |byte: u8| is_word(byte) || matches!(byte, b'-' | b'.' | b'+' | b'#' | b'$' | b'%');
    let further = matches!(after, b'.' | b'-') && is_word(source.at(end + 1));
    !joined(before) && !is_word(after) && !further
}

fn number(source: Source<'_>, start: usize, wanted: Wanted) -> Option<Found<'static>> {
    if !wanted.numbers() {
        return None;
    }
    if matches!(source.at(start), b'+' | b'(') {
        return if wanted.phone {
            phone(source, start)
        } else {
            None
        };
    }
    let number = read(source, start);
    let label = if wanted.card && is_card(&number) && stands_alone(source, start, number.end) {
        CARD
    } else if wanted.ssn && is_ssn(&number) && stands_alone(source, start, number.end) {
        SSN
    } else {
        return if wanted.phone {
            phone(source, start)
        } else {
            None
        };
    };
    Found::new(start, number.end, label)
}

/// The length and first digits of a known issuer, the usual groups, and the check digit of ISO/IEC 7812.
fn is_card(number: &Number) -> bool {
    let digits = number.digits.as_slice();
    let head = |count: usize| {
        digits
            .iter()
            .take(count)
            .fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit))
    };
    let issued = match digits.len() {
        13 | 19 => head(1) == 4 || (digits.len() == 19 && matches!(head(2), 62 | 65)),
        14 => matches!(head(2), 36 | 38 | 39) || matches!(head(3), 300..=305),
        15 => matches!(head(2), 34 | 37),
        16 => {
            head(1) == 4
                || matches!(head(2), 50..=58 | 62 | 65 | 67)
                || matches!(head(3), 644..=649)
                || matches!(head(4), 2221..=2720 | 3528..=3589 | 6011)
        }
        _ => false,
    };
    let grouped = match number.groups.as_slice() {
        [_] => true,
        [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 4, 3] => {
            number
                .separators
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a == b))
                && number.separators.first() != Some(&b'.')
        }
        _ => false,
    };
    issued && grouped && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(
            |(place, digit)| match u32::from(*digit) * (1 + place as u32 % 2) {
                high @ 10.. => high - 9,
                low => low,
            },
        )
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

/// `AAA-GG-SSSS` with numbers that are given out. *Source*: Social Security Administration.
fn is_ssn(number: &Number) -> bool {
    let part = |from: usize, to: usize| {
        let digits = number.digits.get(from..to).unwrap_or_default();
        digits
            .iter()
            .fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit))
    };
    let dashes = number.separators == [b'-', b'-'] || number.separators == [b' ', b' '];
    let area = part(0, 3);
    number.groups == [3, 2, 4]
        && dashes
        && area != 0
        && area != 666
        && area < 900
        && part(3, 5) != 0
        && part(5, 9) != 0
}

/// Words that say that a number is a telephone's.
const PHONE_WORDS: [&str; 9] = [
    "phone", "tel", "mobile", "cell", "fax", "call", "sms", "whatsapp", "msisdn",
];

/// `+49 30 1234567`, `(555) 123-4567`, `555-123-4567`, or any number beside a word for telephones.
fn phone(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let before = source.before(start);
    if is_word(before) || matches!(before, b'-' | b'.' | b'/' | b'+' | b'=') && before != b'=' {
        return None;
    }
    let international = source.at(start) == b'+';
    let first = start + usize::from(international);
    if international && !matches!(source.at(first), b'1'..=b'9') {
        return None;
    }
    let sign =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/');
    let run = source.run(first, NUMBER_BYTES_MAX, sign);
    let end = source.back(run, run - first, |byte| !byte.is_ascii_digit());
    let text = source.slice(first, end);
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let doubled = text.windows(2).any(|pair| {
        matches!(pair, [a, b] if !a.is_ascii_digit() && !b.is_ascii_digit() && !matches!((a, b), (b')', b' ') | (b' ', b'(')))
    });
    if is_word(source.at(end)) || doubled || !(7..=15).contains(&digits) {
        return None;
    }
    let said = || {
        let line = source.line_start(start, 24);
        let head = source.str(line, start).to_ascii_lowercase();
        let word = head.trim_end_matches([' ', ':', '=', '"', '\'', '.', '\t']);
        PHONE_WORDS.iter().any(|name| {
            word.ends_with(name)
                || word
                    .strip_suffix("number")
                    .is_some_and(|word| word.trim_end_matches([' ', '_', '-']).ends_with(name))
        })
    };
    let fits = if international {
        digits >= 9
    } else {
        north_american(text) || said()
    };
    if fits {
        Found::new(start, end, PHONE)
    } else {
        None
    }
}

/// `(555) 123-4567`, `555-123-4567`, `555.123.4567` with an area and an exchange that exist.
fn north_american(text: &[u8]) -> bool {
    let shape: Vec<u8> = text
        .iter()
        .map(|byte| if byte.is_ascii_digit() { b'd' } else { *byte })
        .collect();
    let shapes: [&[u8]; 4] = [
        b"(ddd) ddd-dddd",
        b"ddd-ddd-dddd",
        b"ddd.ddd.dddd",
        b"(ddd)ddd-dddd",
    ];
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    shapes.contains(&shape.as_slice())
        && matches!(digits.first(), Some(b'2'..=b'9'))
        && matches!(digits.get(3), Some(b'2'..=b'9'))
}

/// How long the numbers of each country are. *Source*: the IBAN registry of SWIFT.
#[rustfmt::skip]
const COUNTRIES: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22), ("BR", 29), ("BY", 28), ("CH", 21),
    ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18), ("FO", 18), ("FR", 27),
    ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27), ("GT", 28), ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26),
    ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27),
    ("MD", 24), ("ME", 22), ("MK", 19), ("MR", 27), ("MT", 31), ("MU", 30), ("NL", 18), ("NO", 15), ("PK", 24), ("PL", 28), ("PS", 29), ("PT", 25),
    ("QA", 29), ("RO", 24), ("RS", 22), ("SA", 24), ("SC", 31), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27), ("ST", 25), ("SV", 28), ("TL", 23),
    ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20),
];

/// An account number: country, check digits, and as many letters as that country's have.
fn iban(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let country = source.slice(start, start + 2);
    let (_, length) = COUNTRIES
        .iter()
        .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(country))?;
    if is_word(source.before(start)) || !source.at(start + 3).is_ascii_digit() {
        return None;
    }
    let mut letters = Vec::with_capacity(*length);
    let mut at = start;
    while letters.len() < *length {
        let byte = source.at(at);
        let gap = matches!(byte, b' ' | b'-') && letters.len() % 4 == 0 && !letters.is_empty();
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => letters.push(byte.to_ascii_uppercase()),
            _ if gap && !is_blank(source.before(at)) => {}
            _ => return None,
        }
        at += 1;
    }
    if is_word(source.at(at)) {
        return None;
    }
    let (head, rest) = letters.split_at_checked(4)?;
    let sum = rest.iter().chain(head).fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    if sum == 1 {
        Found::new(start, at, IBAN)
    } else {
        None
    }
}

/// Last labels that name units and local zones rather than domains of mail.
#[rustfmt::skip]
const NOT_MAIL: &[&str] = &[
    "service", "socket", "target", "mount", "automount", "timer", "slice", "scope", "path", "device", "swap", "local", "internal", "lan", "localdomain", "cluster",
    "png", "jpg", "svg", "js", "ts", "py", "rb", "go", "rs", "json", "yml", "yaml", "gz", "tar", "zip", "html", "css", "conf", "sock", "so",
];
/// Domains of names of algorithms, which look like addresses.
const ALGORITHMS: [&str; 4] = ["openssh.com", "libssh.org", "lysator.liu.se", "ssh.com"];
/// Programs and signs after which an address is where to log in.
const LOGINS: [&str; 9] = [
    "ssh",
    "scp",
    "sftp",
    "rsync",
    "mosh",
    "ssh-copy-id",
    "sshfs",
    "sshpass",
    "autossh",
];

/// A mail address around an `@`, plain or as an address writes it, and no login, unit, repository or algorithm.
fn email(source: Source<'_>, (at, after): (usize, usize), floor: usize) -> Option<Found<'static>> {
    let local = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
    };
    let mut start = source.back(at, LOCAL_BYTES_MAX, local).max(floor);
    while start < at && matches!(source.at(start), b'.' | b'-' | b'\'' | b'+') {
        start += 1;
    }
    let domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let run = source.run(after, DOMAIN_BYTES_MAX, domain);
    let end = source.back(run, run - after, |byte| matches!(byte, b'.' | b'-'));
    let host = source.str(after, end);
    let mut labels = host.rsplit('.');
    let top = labels.next()?;
    let rest = labels.clone().count();
    let shaped = rest >= 1
        && (2..=24).contains(&top.len())
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && labels.all(|label| !label.is_empty() && !label.starts_with('-'))
        && !NOT_MAIL.contains(&top.to_ascii_lowercase().as_str());
    let before = source.before(start);
    let in_address =
        matches!(before, b'/' | b':') && source.before(start.saturating_sub(1)) == b'/';
    let follows = source.at(end);
    // `git@host:path` and `user@host:~$` are places, `user@host/x` a resource.
    let is_place = (follows == b':' && source.at(end + 1) > b' ') || matches!(follows, b'/' | b'@');
    let gap = source.back(start, 4, is_blank);
    let word = source.str(
        source.back(gap, 16, |byte| is_word(byte) || byte == b'-'),
        gap,
    );
    let logs_in = gap < start && LOGINS.contains(&word);
    if start == at || !shaped || in_address || is_place || logs_in || ALGORITHMS.contains(&host) {
        return None;
    }
    Found::new(start, end, EMAIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(String, &'static str)> {
        let wanted = Wanted {
            card: true,
            iban: true,
            email: true,
            phone: true,
            ssn: true,
        };
        let mut found = Vec::new();
        scan(Source::new(text), wanted, &mut found);
        found
            .iter()
            .map(|found| {
                (
                    text.get(found.start..found.end)
                        .unwrap_or_default()
                        .to_owned(),
                    found.label.kind,
                )
            })
            .collect()
    }

    #[test]
    fn personal_data_is_found_in_its_usual_forms() {
        for (text, what, kind) in [
            ("pan 4111111111111111.", "4111111111111111", "card"),
            ("pan=4111 1111 1111 1111", "4111 1111 1111 1111", "card"),
            ("3782-822463-10005 ok", "3782-822463-10005", "card"),
            (
                "\"iban\":\"DE89370400440532013000\"",
                "DE89370400440532013000",
                "iban",
            ),
            (
                "GB82 WEST 1234 5698 7654 32 paid",
                "GB82 WEST 1234 5698 7654 32",
                "iban",
            ),
            (
                "to=<a.b+c@mail.example.co.uk>, x",
                "a.b+c@mail.example.co.uk",
                "email",
            ),
            ("bob@example.com: ok", "bob@example.com", "email"),
            ("call +49 30 901820 now", "+49 30 901820", "phone"),
            ("fax: (212) 555-0123", "(212) 555-0123", "phone"),
            ("phone=2125550123", "2125550123", "phone"),
            ("ssn 399-76-4066", "399-76-4066", "ssn"),
        ] {
            assert_eq!(kinds(text), [(what.to_owned(), kind)], "{text}");
        }
    }

    #[test]
    fn what_only_resembles_personal_data_stays() {
        for text in [
            "4111111111111112",
            "order 1234567890123456",
            "ts=1700000000123456789",
            "2024-05-01T10:11:12.123456789Z",
            "10.0.0.1 192.168.100.200",
            "https://user@host.example.com/path",
            "git@github.com:org/repo.git",
            "bob@db1.example.com:~$ ls",
            "ssh bob@db1.example.com",
            "chacha20-poly1305@openssh.com,x",
            "user@1000.service",
            "getty@tty1.service",
            "contact: @oncall",
            "000-12-3456 666-12-3456 900-12-3456",
            "598017d1-6155-9def-9217-f3104ecc7679",
            "1.24.0-98411111111111111",
            "+Inf 1.23456789012345e+16",
            "eth0: 1500 +3 ms",
            "GB82WEST12345698765433",
            "0x4111111111111111",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }
}
