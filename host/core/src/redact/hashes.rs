//! Password hashes: crypt strings, LDAP schemes, Django, SCRAM, MySQL, NTLM dumps. A hash can be
//! guessed at leisure, so it counts as the password.

use super::source::{Found, Label, Source, is_word};

const HASH: Label<'static> = Label {
    rule: "hash",
    kind: "password-hash",
};
const MYSQL: Label<'static> = Label {
    rule: "hash-mysql",
    kind: "password-hash",
};
const WINDOWS: Label<'static> = Label {
    rule: "hash-windows",
    kind: "password-hash",
};

/// Shortest rest of a hash after its start, in bytes.
const REST_BYTES_MIN: usize = 13;
/// Longest hash that is followed, in bytes.
const HASH_BYTES_MAX: usize = 512;

/// The hash that begins with a known start at `start`.
pub(super) fn started(source: Source<'_>, start: usize, literal: &str) -> Option<Found<'static>> {
    let after = start + literal.len();
    if source.slice(start, after) != literal.as_bytes() || is_word(source.before(start)) {
        return None;
    }
    let end = source.run(after, HASH_BYTES_MAX, |byte| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'.' | b'/' | b'$' | b'=' | b',' | b'+' | b'_' | b'-' | b':' | b'}' | b'*'
            )
    });
    // In `/etc/shadow` the hash ends at a colon; only the kinds that hold one may go past it.
    let holds_colon = ["SCRAM", "scrypt:", "pbkdf2:", "{"]
        .iter()
        .any(|kind| literal.starts_with(kind));
    let end = match source
        .slice(after, end)
        .iter()
        .position(|byte| *byte == b':')
    {
        Some(colon) if !holds_colon => after + colon,
        _ => end,
    };
    let rest = source.slice(after, end);
    let is_hash = rest.len() >= REST_BYTES_MIN
        && (rest.iter().any(u8::is_ascii_digit) || rest.contains(&b'$'))
        && rest.iter().any(u8::is_ascii_alphabetic)
        && (literal.starts_with('$')
            || rest
                .iter()
                .any(|byte| matches!(byte, b'$' | b'}') || byte.is_ascii_uppercase()));
    if is_hash {
        Found::new(start, end, HASH)
    } else {
        None
    }
}

/// A MySQL `*` hash whose star stands at `start`: forty upper-case hexadecimal digits.
pub(super) fn mysql(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let end = source.run(start + 1, 64, |byte| {
        byte.is_ascii_digit() || matches!(byte, b'A'..=b'F')
    });
    if end - start == 41 && !is_word(source.at(end)) {
        Found::new(start, end, MYSQL)
    } else {
        None
    }
}

/// The pair of LM and NT hashes in a password dump, around a `:::` at `end`.
pub(super) fn windows_dump(source: Source<'_>, end: usize) -> Option<Found<'static>> {
    let start = source.back(end, 65, |byte| byte.is_ascii_hexdigit() || byte == b':');
    let pair = source.slice(start, end);
    let shaped = pair.len() == 65
        && pair.get(32) == Some(&b':')
        && pair.iter().filter(|byte| **byte == b':').count() == 1;
    if shaped {
        Found::new(start, end, WINDOWS)
    } else {
        None
    }
}
