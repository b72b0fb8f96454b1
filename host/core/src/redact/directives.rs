//! Secrets after a fixed word in configuration files and on consoles (`requirepass x`, `password 7 x`),
//! and in SQL (`IDENTIFIED BY 'x'`). Only words that introduce a secret on the same line.

use super::source::{Found, Source, is_blank, is_word};
use super::values::{self, Form, Value, Written};

/// Words after which a secret stands, in configuration files and consoles: the word, what must stand
/// before it on its line (if anything).
#[rustfmt::skip]
const DIRECTIVES: &[(&str, &str)] = &[
    ("requirepass ", ""), ("masterauth ", ""), ("rocommunity ", ""), ("rwcommunity ", ""), ("rocommunity6 ", ""), ("rwcommunity6 ", ""), ("snmp-server community ", ""), ("com2sec ", ""),
    ("key-string ", ""), ("pre-shared-key ", ""), ("password ", "login "), ("password ", "enable"), ("password ", "username "), ("password ", "chap "), ("password ", "neighbor "), ("password ", "machine "),
    ("password ", "user "), ("password 0 ", ""), ("password 7 ", ""), ("password 5 ", ""), ("secret 0 ", ""), ("secret 5 ", ""), ("secret 7 ", ""), ("secret 8 ", ""), ("secret 9 ", ""), ("secret ", "enable"), ("key 7 ", ""), ("key 0 ", ""),
    ("md5 7 ", ""), ("md5 0 ", ""), ("encrypted-password ", ""), ("plaintext-password ", ""), ("auth-key ", ""), ("session-key ", ""), ("community ", "snmp"), ("ConvertTo-SecureString ", ""), ("bindpw ", ""), ("rootpw ", ""), ("passwd ", "mail"),
    ("ppp-password ", ""), ("shared-secret ", ""), ("radius-server key ", ""), ("tacacs-server key ", ""), ("--token ", "join"), ("psk ", ""), ("wpa-psk ", ""), ("wireless-key ", ""), ("auth_pass ", ""), ("quit_pass ", ""),
    ("credentials ", "ldap"), ("set password ", ""), ("set passwd ", ""), ("set psksecret ", ""),
];

/// The literals by which directives are found, and SQL with them.
pub(super) fn starts() -> Vec<&'static str> {
    let mut starts: Vec<&str> = DIRECTIVES
        .iter()
        .map(|rule| rule.0)
        .chain(["identified "])
        .collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The secret after the directive whose literal stands at `start`.
pub(super) fn at(source: Source<'_>, start: usize, literal: &str) -> Option<Found> {
    let after = start + literal.len();
    if is_word(source.before(start)) {
        return None;
    }
    if literal == "identified " {
        return identified(source, after);
    }
    let line = source.line_start(start, 256);
    // In `.netrc` the words of one entry may stand on lines of their own.
    let alone = source.slice(line, start).iter().all(|byte| is_blank(*byte));
    let from_line = if alone {
        source.line_start(line.saturating_sub(1), 256)
    } else {
        line
    };
    let head = source.str(from_line, start).to_ascii_lowercase();
    let fits = DIRECTIVES
        .iter()
        .any(|(word, before)| *word == literal && leads(&head, before));
    if !fits {
        return None;
    }
    let mut from = source.run(after, 64, is_blank);
    // An encryption type, `ENC` or a sub-word before the secret.
    let typed = source.run(from, 2, |byte| byte.is_ascii_digit());
    if typed > from && is_blank(source.at(typed)) {
        from = source.run(typed, 64, is_blank);
    }
    for word in [
        "ENC ",
        "ascii-text ",
        "hexadecimal ",
        "encrypted ",
        "-String ",
    ] {
        if source.has(from, word) {
            from += word.len();
        }
    }
    let value = match values::quoted(source, from) {
        Some(value) => value,
        None => Value {
            start: from,
            end: source.run(from, 1_024, |byte| byte > b' ' && byte != b';'),
            form: Form::Bare,
        },
    };
    let length = value.end - value.start;
    let prose = literal.ends_with("password ")
        && values::begins_prose(source, value)
        && !head.contains("login ")
        && !head.contains("machine ");
    if length < 3
        || prose
        || source.at(value.start) == b'-'
        || values::is_placeholder(source, value, Written::Environment)
    {
        return None;
    }
    // Prose says "password for …"; a directive's word is followed by few others.
    Found::new(value.start, value.end, "password")
}

/// Whether a line begins as the directive wants; a few of them stand anywhere in theirs.
fn leads(head: &str, before: &str) -> bool {
    let anywhere = matches!(before, "chap " | "join" | "ldap" | "snmp" | "login ");
    before.is_empty()
        || head.trim_start().starts_with(before)
        || (anywhere && head.contains(before))
}

/// `IDENTIFIED BY 'x'`, `IDENTIFIED WITH plugin AS 'x'`.
fn identified(source: Source<'_>, after: usize) -> Option<Found> {
    let end = source.run(after, 96, |byte| {
        !matches!(byte, b'\'' | b'"' | b';' | b'\n')
    });
    let between = source.str(after, end).to_ascii_lowercase();
    let says = between
        .split_ascii_whitespace()
        .any(|word| word == "by" || word == "as");
    if !says {
        return None;
    }
    let value = match values::quoted(source, end) {
        Some(value) => value,
        None => {
            // Oracle writes the password bare.
            let start = source.run(after, 8, |byte| !is_blank(byte));
            let start = source.run(start, 8, is_blank);
            Value {
                start,
                end: source.run(start, 256, |byte| byte > b' ' && byte != b';'),
                form: Form::Bare,
            }
        }
    };
    if values::is_placeholder(source, value, Written::Environment) || value.end - value.start < 3 {
        return None;
    }
    Found::new(value.start, value.end, "password")
}
