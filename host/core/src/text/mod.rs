//! One scanner for untrusted text, with two profiles: *output* marks what it removes and keeps
//! lines; *step text* strips to one short line. [`SafeText`] is what either of them makes. Does not look
//! for secrets.

mod class;
mod escape;
mod safe;
mod scanner;

pub use safe::{SafeText, safe_record, safe_value};
pub use scanner::{Cleaned, ERASED_BYTES_MAX, Sanitiser, Tally, sanitise};

/// Longest text of the step profile, in characters.
pub const STEP_CHARS_MAX: usize = 500;

/// How much of a text the step profile reads, in bytes. What a plugin or a host sends may be of any
/// length, and only [`STEP_CHARS_MAX`] characters of it are wanted.
const STEP_READ_BYTES_MAX: usize = 65_536;

/// Bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 0xF));
    }
    out
}

/// Whether a character hides or reorders text: C1 controls, bidirectional controls, zero-width and
/// other invisible characters, variation selectors, the tag block, noncharacters, and spaces that
/// are not the ASCII blank. Private use is not among them.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    matches!(u32::from(c),
        0x80..=0xA0 | 0x1680 | 0x180E | 0x2000..=0x200F | 0x2028..=0x202F | 0x205F..=0x206F | 0x3000)
        || class::hidden_kind(c).is_some_and(|kind| kind != class::Kind::PrivateUse)
}

/// The second profile: one line of clean text, at most 500 characters, for plugin texts, host-supplied
/// names, error details and everything that passes between steps. Escape sequences go as a whole.
#[must_use]
pub fn step(text: &str) -> SafeText {
    let bytes = text.as_bytes();
    let read = bytes.get(..STEP_READ_BYTES_MAX).unwrap_or(bytes);
    // Most texts are printable ASCII, and nothing is taken from these.
    if read.iter().all(|byte| matches!(byte, 0x20..=0x7E)) {
        let end = read.len().min(STEP_CHARS_MAX);
        return SafeText::scanned(text.get(..end).unwrap_or_default().to_owned());
    }
    let stripped = scanner::strip(read);
    let seen = stripped
        .chars()
        .filter(|c| !c.is_control() && !is_hidden(*c));
    SafeText::scanned(seen.take(STEP_CHARS_MAX).collect())
}
