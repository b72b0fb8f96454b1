//! Passwords of several words without quotes, in files where a value goes on to the end of its line.
//!
//! Known limits: a phrase of plain words without a digit or sign is seen only behind a name that says
//! `passphrase` or `psk`; behind others it reads as prose.

use super::source::{Source, is_blank, is_word};
use super::ties::Name;
use super::values::{Form, Value};

/// Longest phrase, in bytes.
const PHRASE_BYTES_MAX: usize = 96;
/// Most words of one.
const WORDS_MAX: usize = 6;

/// Words of sentences about passwords.
#[rustfmt::skip]
const PROSE: &[&str] = &[
    "a", "about", "after", "all", "an", "and", "any", "are", "as", "ask", "at", "be", "been", "before", "by", "can", "chars", "characters", "changed", "check", "checked",
    "contact", "days", "default", "did", "do", "does", "enter", "error", "expired", "expires", "failed", "failure", "file", "for", "from", "generated", "has", "have", "if",
    "in", "invalid", "is", "it", "least", "leave", "length", "managed", "minimum", "missing", "must", "need", "never", "no", "not", "of", "off", "ok", "on", "only", "or",
    "please", "required", "reset", "rotated", "rotation", "same", "see", "set", "should", "stored", "the", "then", "there", "this", "to", "unchanged", "unset", "until",
    "update", "updated", "use", "used", "user", "using", "valid", "was", "when", "will", "with", "wrong", "you", "your",
];

/// Where a phrase ends that begins with a bare value: at the end of its line, if name and value are all of it
/// and it does not read as prose.
pub(super) fn end(source: Source<'_>, name: Name<'_>, value: Value, kind: &str) -> Option<usize> {
    if !matches!(kind, "password" | "passphrase") || value.form != Form::Bare {
        return None;
    }
    let sign = source.run(name.end, 8, is_blank);
    let gap = source.run(sign + 1, 8, is_blank);
    let spaced = sign > name.end && gap > sign + 1;
    let fits = match source.at(sign) {
        b':' => gap > sign + 1,
        // In a shell a command may follow `NAME=value`; in a file a name has small letters.
        b'=' => spaced || name.text.bytes().any(|byte| byte.is_ascii_lowercase()),
        _ => false,
    };
    if !fits || gap != value.start || !begins_line(source, name) {
        return None;
    }
    let line = source.line_end(value.start, PHRASE_BYTES_MAX + 1);
    let text = source.str(value.start, line).trim_end();
    let end = value.start + text.len();
    if end <= value.end || text.len() > PHRASE_BYTES_MAX || text.contains(super::MASK_START) {
        return None;
    }
    if spaced && !text.contains([' ', '\t', '"', '\'']) {
        // One word with any signs, where a blank to both sides of the sign says that this is a file.
        return (source.at(sign) == b'=').then_some(end);
    }
    let words = || text.split([' ', '\t']);
    let plain = !text.contains([
        '=', ':', '(', ')', '{', '}', '[', ']', '<', '>', '|', '"', '\'', '`', '$', ',', ';', '/',
        '\\',
    ]);
    let prose = words().any(|word| PROSE.contains(&word.to_ascii_lowercase().as_str()));
    let comment = words().any(|word| word.is_empty() || word.starts_with(['#', '-']));
    let made = text.bytes().any(|byte| byte.is_ascii_digit());
    let joined = name.text.contains(['_', '-']) || kind == "passphrase";
    let first = source.slice(value.start, value.end);
    let opens = first
        .iter()
        .all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    (plain && !prose && !comment && made && joined && opens && words().count() <= WORDS_MAX)
        .then_some(end)
}

/// Whether a name is the first of its line.
fn begins_line(source: Source<'_>, name: Name<'_>) -> bool {
    let start = source.back(name.start, 64, |byte| is_blank(byte) || byte == b'-');
    matches!(source.before(start), b'\n' | 0) && !is_word(source.before(name.start))
}
