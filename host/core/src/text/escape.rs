//! The state machine of terminal escape sequences. It says where a sequence ends and hands back what
//! turned out to be none; it emulates no terminal, so output can never rewrite earlier text.
//!
//! A string sequence (OSC, DCS, SOS, PM, APC) that ends properly is dropped with its payload, as a
//! terminal does. One that does not end within [`SEQUENCE_BYTES_MAX`], on its line, or at all, is no
//! sequence: its introducer goes and its payload comes back as text, because hiding lines from the
//! reader is worse than showing an odd one.

/// How long a sequence may be before it counts as text, in bytes.
pub(super) const SEQUENCE_BYTES_MAX: usize = 4_096;

/// Where the scanner stands. The payload of a string sequence is the scanner's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// In text.
    #[default]
    Text,
    /// After ESC and so many intermediate bytes.
    Escape(usize),
    /// In a control sequence, so many bytes after its introducer.
    Control(usize),
    /// In a string sequence.
    Payload,
    /// In a string sequence after an ESC that may be half of its terminator.
    PayloadEscape,
}

/// What one character does to a sequence under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the sequence, which goes on.
    Goes(Mode),
    /// It belongs to the payload of a string sequence.
    Held,
    /// It ends the sequence and belongs to it.
    Ended,
    /// The sequence is over or was none: its payload comes back as text, then the character is read
    /// anew in this mode.
    Broken(Mode),
}

/// The mode that ESC or a C1 control opens, if it opens one.
pub(super) fn opened(c: char) -> Option<Mode> {
    match u32::from(c) {
        0x1B => Some(Mode::Escape(0)),
        0x9B => Some(Mode::Control(0)),
        0x90 | 0x98 | 0x9D..=0x9F => Some(Mode::Payload),
        _ => None,
    }
}

/// The first character of a text and its length in bytes, where it is one that sequences are made of: ASCII
/// or a C1 control.
pub(super) fn near(text: &[u8]) -> Option<(char, usize)> {
    match text {
        [byte @ ..=0x7F, ..] => Some((char::from(*byte), 1)),
        [0xC2, byte @ 0x80..=0x9F, ..] => Some((char::from(*byte), 2)),
        _ => None,
    }
}

/// Reads over introducers and control sequences, the parts of sequences that hold nothing: the mode behind
/// them, how many bytes they are, and how many sequences were over. Says the same as [`Mode::read`] does for
/// one character after the other, faster.
pub(super) fn skim(mut mode: Mode, bytes: &[u8]) -> (Mode, usize, u64) {
    let (mut at, mut over) = (0_usize, 0_u64);
    while let Some(byte) = bytes.get(at) {
        mode = match (mode, byte) {
            (Mode::Text, 0x1B) => Mode::Escape(0),
            (Mode::Escape(0) | Mode::Control(_), 0x1B) => {
                over += 1;
                Mode::Escape(0)
            }
            (Mode::Escape(0), b'[') => Mode::Control(0),
            (Mode::Escape(0), b']' | b'P' | b'X' | b'^' | b'_') => Mode::Payload,
            (Mode::Control(length), b' '..=b'?') if length < SEQUENCE_BYTES_MAX => {
                Mode::Control(length + 1)
            }
            (Mode::Control(_), b'@'..=b'~') => {
                over += 1;
                Mode::Text
            }
            (Mode::Payload, 0x1B) => Mode::PayloadEscape,
            (Mode::PayloadEscape, 0x1B) => {
                over += 2;
                Mode::Escape(0)
            }
            (Mode::PayloadEscape, b']' | b'P' | b'X' | b'^' | b'_') => {
                over += 1;
                Mode::Payload
            }
            (Mode::PayloadEscape, b'[') => {
                over += 1;
                Mode::Control(0)
            }
            _ => break,
        };
        at += 1;
    }
    (mode, at, over)
}

impl Mode {
    /// Reads one character inside a sequence with so many bytes of payload. In [`Mode::Text`] nothing is
    /// under way.
    pub(super) fn read(self, c: char, payload_bytes: usize) -> Step {
        match self {
            Self::Text => Step::Broken(Self::Text),
            Self::Escape(length) => escape(length, c),
            Self::Control(length) => control(length, c),
            Self::Payload => in_payload(c, payload_bytes),
            Self::PayloadEscape => match c {
                '\\' => Step::Ended,
                _ => Step::Broken(Self::Escape(0)),
            },
        }
    }
}

fn escape(length: usize, c: char) -> Step {
    match c {
        '[' if length == 0 => Step::Goes(Mode::Control(0)),
        ']' | 'P' | 'X' | '^' | '_' if length == 0 => Step::Goes(Mode::Payload),
        ' '..='/' if length < SEQUENCE_BYTES_MAX => Step::Goes(Mode::Escape(length + 1)),
        _ if is_passed_over(c) && length < SEQUENCE_BYTES_MAX => Step::Goes(Mode::Escape(length)),
        '0'..='~' => Step::Ended,
        _ => Step::Broken(Mode::Text),
    }
}

/// A control that terminals carry out or ignore inside a sequence, without ending it and without a
/// trace in the text.
fn is_passed_over(c: char) -> bool {
    matches!(c, '\0'..='\u{7}' | '\u{E}'..='\u{17}' | '\u{19}' | '\u{1C}'..='\u{1F}' | '\u{7F}')
}

fn control(length: usize, c: char) -> Step {
    match c {
        _ if is_passed_over(c) && length < SEQUENCE_BYTES_MAX => {
            Step::Goes(Mode::Control(length + 1))
        }
        ' '..='?' if length < SEQUENCE_BYTES_MAX => Step::Goes(Mode::Control(length + 1)),
        '@'..='~' => Step::Ended,
        _ => Step::Broken(Mode::Text),
    }
}

fn in_payload(c: char, payload_bytes: usize) -> Step {
    match c {
        '\u{7}' | '\u{9C}' => Step::Ended,
        '\u{1B}' => Step::Goes(Mode::PayloadEscape),
        '\n' | '\r' | '\u{18}' | '\u{1A}' => Step::Broken(Mode::Text),
        _ if opened(c).is_some() || payload_bytes >= SEQUENCE_BYTES_MAX => Step::Broken(Mode::Text),
        _ => Step::Held,
    }
}
