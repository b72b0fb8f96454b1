//! Which characters hide, reorder or join: one table for both profiles. Decides nothing about what
//! happens to them. Known limit: flag emoji made of tag characters are treated as tags, because the
//! same characters carry smuggled text.

/// What the sanitiser counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ansi,
    Control,
    CarriageReturn,
    Bidi,
    Tags,
    Variation,
    Invisible,
    PrivateUse,
    Noncharacter,
    InvalidUtf8,
}

impl Kind {
    /// Every kind, in the order of the counters.
    pub(super) const ALL: [Self; 10] = [
        Self::Ansi,
        Self::Control,
        Self::CarriageReturn,
        Self::Bidi,
        Self::Tags,
        Self::Variation,
        Self::Invisible,
        Self::PrivateUse,
        Self::Noncharacter,
        Self::InvalidUtf8,
    ];

    /// Its name in results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ansi => "ansi",
            Self::Control => "control",
            Self::CarriageReturn => "carriage_return",
            Self::Bidi => "bidi",
            Self::Tags => "tags",
            Self::Variation => "variation",
            Self::Invisible => "invisible",
            Self::PrivateUse => "private_use",
            Self::Noncharacter => "noncharacter",
            Self::InvalidUtf8 => "invalid_utf8",
        }
    }
}

/// The kind under which a hidden character is counted; `None` for a character that a reader sees.
/// Spaces wider than the blank count as seen.
pub(super) fn hidden_kind(c: char) -> Option<Kind> {
    let kind = match u32::from(c) {
        0x61C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069 => Kind::Bidi,
        0xE0000..=0xE007F => Kind::Tags,
        0x180B..=0x180D | 0x180F | 0xFE00..=0xFE0F | 0xE0100..=0xE01EF => Kind::Variation,
        0xAD
        | 0x34F
        | 0x115F
        | 0x1160
        | 0x17B4
        | 0x17B5
        | 0x180E
        | 0x200B..=0x200D
        | 0x2028
        | 0x2029
        | 0x2060..=0x2065
        | 0x206A..=0x206F
        | 0x3164
        | 0xFEFF
        | 0xFFA0
        | 0xFFF0..=0xFFFB
        | 0x13430..=0x1343F
        | 0x16FE4
        | 0x1BCA0..=0x1BCA3
        | 0x1D159
        | 0x1D173..=0x1D17A
        | 0xE0080..=0xE0FFF => Kind::Invisible,
        code if is_noncharacter(code) => Kind::Noncharacter,
        0xE000..=0xF8FF | 0xF0000..=0x0010_FFFF => Kind::PrivateUse,
        _ => return None,
    };
    Some(kind)
}

/// Whether a character beyond ASCII is surely seen and no control: a coarse part of what
/// [`hidden_kind`] says, for the fast path.
pub(super) fn is_surely_seen(c: char) -> bool {
    matches!(u32::from(c),
        0xA0..=0xAC | 0xAE..=0x34E | 0x350..=0x61B | 0x61D..=0x115E | 0x1161..=0x17B3 | 0x17B6..=0x180A
        | 0x1810..=0x200A | 0x2010..=0x2027 | 0x202F..=0x205F | 0x2070..=0x3163 | 0x3165..=0xD7FF
        | 0xF900..=0xFDCF | 0xFDF0..=0xFDFF | 0xFE10..=0xFEFE | 0xFF01..=0xFF9F | 0xFFA1..=0xFFEF
        | 0xFFFD | 0x1F000..=0x1FAFF | 0x20000..=0x2FFFD)
}

/// The code points that Unicode promises never to assign.
pub(super) fn is_noncharacter(code: u32) -> bool {
    matches!(code, 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE
}

/// Whether a character may be shown as an emoji, and so may carry one U+FE0F or stand at a joiner.
pub(super) fn is_emoji(c: char) -> bool {
    matches!(u32::from(c),
        0xA9 | 0xAE | 0x203C | 0x2049 | 0x2122 | 0x2139 | 0x2194..=0x21AA | 0x231A..=0x23FF
        | 0x24C2 | 0x25AA..=0x25FE | 0x2600..=0x27BF | 0x2934..=0x2935 | 0x2B05..=0x2B55 | 0x3030
        | 0x303D | 0x3297 | 0x3299 | 0x1F000..=0x1FAFF)
}

/// Whether a character is of a script whose words need joiners: Arabic and its kin, the Indic
/// scripts, Tibetan, Burmese, Khmer, Mongolian. Digits are left out, because no word joins them.
pub(super) fn is_joining(c: char) -> bool {
    matches!(u32::from(c),
        0x0600..=0x085F | 0x0860..=0x08FF | 0x0900..=0x0DFF | 0x0F00..=0x109F | 0x1780..=0x17D3
        | 0x1800..=0x18AF | 0xA8E0..=0xA8FF | 0xFB50..=0xFDCF | 0xFE70..=0xFEFC
        | 0x11000..=0x1167F)
        && !c.is_numeric()
        && hidden_kind(c).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_surely_seen_is_neither_hidden_nor_a_control() {
        for c in ('\u{80}'..=char::MAX).filter(|c| is_surely_seen(*c)) {
            assert!(hidden_kind(c).is_none() && !c.is_control(), "{c:?}");
        }
    }
}
