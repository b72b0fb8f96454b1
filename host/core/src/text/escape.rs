//! The state machine of terminal escape sequences. It says where a sequence ends and hands back what
//! turned out to be none; it emulates no terminal, so output can never rewrite earlier text.
//!
//! A string sequence (OSC, DCS, SOS, PM, APC) that ends properly is dropped with its payload, as a
//! terminal does. One that does not end within [`SEQUENCE_BYTES_MAX`], on its line, or at all, is no
//! sequence: its introducer goes and its payload comes back as text, because hiding lines from the
//! reader is worse than showing an odd one.

/// How long a sequence may be before it counts as text, in bytes.
pub(super) const SEQUENCE_BYTES_MAX: usize = 4_096;

/// Where the scanner stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// In text.
    #[default]
    Text,
    /// After ESC and any intermediate bytes.
    Escape(usize),
    /// In a control sequence, after its introducer.
    Control(usize),
    /// In a string sequence, with its payload so far.
    Payload(String),
    /// In a string sequence after an ESC that may be half of its terminator.
    PayloadEscape(String),
}

/// What one character does to a sequence under way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the sequence, which goes on.
    Goes(Mode),
    /// It ends the sequence and belongs to it.
    Ended,
    /// The sequence is over or was none: `shown` comes back as text, then the character is read
    /// anew in `mode`.
    Broken {
        /// Payload to show.
        shown: String,
        /// Where to read the character again.
        mode: Mode,
    },
}

/// The mode that a C1 control opens, if it opens one.
pub(super) fn introduced(c: char) -> Option<Mode> {
    match u32::from(c) {
        0x9B => Some(Mode::Control(0)),
        0x90 | 0x98 | 0x9D..=0x9F => Some(Mode::Payload(String::new())),
        _ => None,
    }
}

impl Mode {
    /// Reads one character inside a sequence. In [`Mode::Text`] nothing is under way.
    pub(super) fn read(self, c: char) -> Step {
        match self {
            Self::Text => broken(String::new(), Self::Text),
            Self::Escape(length) => escape(length, c),
            Self::Control(length) => control(length, c),
            Self::Payload(payload) => in_payload(payload, c),
            Self::PayloadEscape(payload) => match c {
                '\\' => Step::Ended,
                _ => broken(payload, Self::Escape(0)),
            },
        }
    }

    /// What a sequence that never ended shows.
    pub(super) fn unfinished(self) -> String {
        match self {
            Self::Text | Self::Escape(_) | Self::Control(_) => String::new(),
            Self::Payload(payload) | Self::PayloadEscape(payload) => payload,
        }
    }
}

fn broken(shown: String, mode: Mode) -> Step {
    Step::Broken { shown, mode }
}

fn escape(length: usize, c: char) -> Step {
    match c {
        '[' if length == 0 => Step::Goes(Mode::Control(0)),
        ']' | 'P' | 'X' | '^' | '_' if length == 0 => Step::Goes(Mode::Payload(String::new())),
        ' '..='/' if length < SEQUENCE_BYTES_MAX => Step::Goes(Mode::Escape(length + 1)),
        _ if is_passed_over(c) && length < SEQUENCE_BYTES_MAX => Step::Goes(Mode::Escape(length)),
        '0'..='~' => Step::Ended,
        _ => broken(String::new(), Mode::Text),
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
        _ => broken(String::new(), Mode::Text),
    }
}

fn in_payload(mut payload: String, c: char) -> Step {
    match c {
        '\u{7}' | '\u{9C}' => Step::Ended,
        '\u{1B}' => Step::Goes(Mode::PayloadEscape(payload)),
        '\n' | '\r' | '\u{18}' | '\u{1A}' => broken(payload, Mode::Text),
        _ if introduced(c).is_some() || payload.len() >= SEQUENCE_BYTES_MAX => {
            broken(payload, Mode::Text)
        }
        _ => {
            payload.push(c);
            Step::Goes(Mode::Payload(payload))
        }
    }
}
