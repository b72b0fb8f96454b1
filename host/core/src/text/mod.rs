//! One scanner for untrusted text, with two profiles: *output* marks what it removes and keeps
//! lines; *step text* strips to one short line.

/// Whether a character hides or reorders text: C1 controls, bidirectional controls, zero-width and
/// other invisible characters, variation selectors, the tag block, and spaces that are not the
/// ASCII blank.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    matches!(u32::from(c),
        0x80..=0xA0 | 0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x1680 | 0x17B4 | 0x17B5
        | 0x180B..=0x180F | 0x2000..=0x200F | 0x2028..=0x202F | 0x205F..=0x206F | 0x3000 | 0x3164
        | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
}

/// The second profile: one line of clean text, at most 500 characters, for plugin texts, host-supplied
/// names, error details and everything that passes between steps.
#[must_use]
pub fn step(text: &str) -> String {
    text.chars()
        .map(|c| {
            if matches!(c, '\n' | '\t' | '\r') {
                ' '
            } else {
                c
            }
        })
        .filter(|c| !c.is_control() && !is_hidden(*c))
        .take(500)
        .collect()
}
