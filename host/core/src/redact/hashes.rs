//! Password hashes: crypt strings, LDAP schemes, Django, SCRAM, MySQL, NTLM dumps. A hash can be
//! guessed at leisure, so it counts as the password.

use super::source::{Found, Source, is_word};

/// The starts by which a hash is known.
#[rustfmt::skip]
pub(super) const STARTS: &[&str] = &[
    "$1$", "$2a$", "$2b$", "$2x$", "$2y$", "$5$", "$6$", "$7$", "$8$", "$9$", "$y$", "$gy$", "$apr1$", "$sha1$", "$md5", "$argon2",
    "$scrypt$", "$pbkdf2", "$bcrypt", "$krb5", "$P$", "$H$", "$S$", "{SSHA", "{SHA", "{SMD5}", "{MD5}", "{CRYPT}", "{PBKDF2",
    "{ARGON2", "pbkdf2_sha", "bcrypt_sha256$", "bcrypt$$", "argon2$argon2", "scrypt$", "scrypt:", "pbkdf2:sha", "SCRAM-SHA-",
];

/// Shortest rest of a hash after its start, in bytes.
const REST_BYTES_MIN: usize = 13;
/// Longest hash that is followed, in bytes.
const HASH_BYTES_MAX: usize = 512;

/// The hash that begins with a known start at `start`.
pub(super) fn started(source: Source<'_>, start: usize, literal: &str) -> Option<Found> {
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
        Found::new(start, end, "password-hash")
    } else {
        None
    }
}

/// A MySQL `*` hash whose star stands at `start`: forty upper-case hexadecimal digits.
pub(super) fn mysql(source: Source<'_>, start: usize) -> Option<Found> {
    let end = source.run(start + 1, 64, |byte| {
        byte.is_ascii_digit() || matches!(byte, b'A'..=b'F')
    });
    if end - start == 41 && !is_word(source.at(end)) {
        Found::new(start, end, "password-hash")
    } else {
        None
    }
}

/// The pair of LM and NT hashes in a password dump, around a `:::` at `end`.
pub(super) fn windows_dump(source: Source<'_>, end: usize) -> Option<Found> {
    let start = source.back(end, 65, |byte| byte.is_ascii_hexdigit() || byte == b':');
    let pair = source.slice(start, end);
    let shaped = pair.len() == 65
        && pair.get(32) == Some(&b':')
        && pair.iter().filter(|byte| **byte == b':').count() == 1;
    if shaped {
        Found::new(start, end, "password-hash")
    } else {
        None
    }
}
