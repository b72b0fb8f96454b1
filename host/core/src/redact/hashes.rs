//! Password hashes: crypt strings, LDAP schemes, Django, SCRAM, MySQL, NTLM dumps. A hash can be
//! guessed at leisure, so it counts as the password.

use super::source::{Found, Label, Source, is_word};
use std::ops::Range;

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

/// What was read ahead, so that beginnings back to back are read once. A hash of some kinds may hold a colon.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    colons: Stretch,
    no_colons: Stretch,
}

/// Letters of a hash, and the last places of what one must have.
#[derive(Debug, Default)]
struct Stretch {
    read: Range<usize>,
    letter: Option<usize>,
    digit: Option<usize>,
    capital: Option<usize>,
}

impl Stretch {
    /// Reads from a place on. Places come in ascending order.
    fn read(&mut self, source: Source<'_>, start: usize, agrees: impl Fn(u8) -> bool) {
        if !self.read.contains(&start) {
            *self = Self {
                read: start..start,
                ..Self::default()
            };
        }
        let from = self.read.end;
        let limit = start.saturating_add(HASH_BYTES_MAX);
        let end = source.run(from, limit.saturating_sub(from), agrees);
        let last = |is_one: fn(&u8) -> bool| {
            let place = source.slice(from, end).iter().rposition(is_one);
            place.map(|place| from + place)
        };
        self.letter = last(u8::is_ascii_alphabetic).or(self.letter);
        self.digit = last(|byte| byte.is_ascii_digit() || *byte == b'$').or(self.digit);
        self.capital =
            last(|byte| matches!(byte, b'$' | b'}') || byte.is_ascii_uppercase()).or(self.capital);
        self.read.end = end;
    }
}

/// The hash that begins with a known start at `start`.
pub(super) fn started(
    source: Source<'_>,
    start: usize,
    literal: &str,
    ahead: &mut Ahead,
) -> Option<Found<'static>> {
    let after = start + literal.len();
    if source.slice(start, after) != literal.as_bytes() || is_word(source.before(start)) {
        return None;
    }
    // In `/etc/shadow` the hash ends at a colon; only the kinds that hold one may go past it.
    let holds_colon = ["SCRAM", "scrypt:", "pbkdf2:", "{"]
        .iter()
        .any(|kind| literal.starts_with(kind));
    let stretch = if holds_colon {
        &mut ahead.colons
    } else {
        &mut ahead.no_colons
    };
    stretch.read(source, after, |byte| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'.' | b'/' | b'$' | b'=' | b',' | b'+' | b'_' | b'-' | b'}' | b'*'
            )
            || (holds_colon && byte == b':')
    });
    let end = stretch.read.end;
    let has = |last: Option<usize>| last.is_some_and(|last| last >= after);
    let is_hash = end - after >= REST_BYTES_MIN
        && has(stretch.digit)
        && has(stretch.letter)
        && (literal.starts_with('$') || has(stretch.capital));
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

/// Longest user and realm in a line of a digest file, in bytes.
const DIGEST_BYTES_MAX: usize = 128;

/// `user:Realm of it:<32 hexadecimal digits>`, a line of a digest file whose last colon stands at `colon`. A realm is
/// words for people, which a version or a path is not.
pub(super) fn digest(source: Source<'_>, colon: usize) -> Option<Found<'static>> {
    let end = source.run(
        colon + 1,
        40,
        |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    );
    if end - colon != 33 || !matches!(source.at(end), b'\n' | 0) {
        return None;
    }
    let line = source.line_start(colon, DIGEST_BYTES_MAX);
    let (user, realm) = source.str(line, colon).split_once(':')?;
    let is_user = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'-' | b'@');
    let is_realm = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'-' | b'\'');
    let fits = !user.is_empty()
        && user.bytes().all(is_user)
        && realm.bytes().all(is_realm)
        && realm.starts_with(|c: char| c.is_ascii_uppercase());
    fits.then(|| Found::new(colon + 1, end, HASH)).flatten()
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
