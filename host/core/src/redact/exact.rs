//! Values that the host itself knows to be secret: the passwords, passphrases and keys it loaded.
//! They are looked for as they are and in the forms that output gives them: base64 at each offset,
//! percent, JSON. The surest rule of all, because nothing is guessed.

use super::encoded;
use super::source::{Found, Label};
use zeroize::Zeroizing;

const KNOWN: Label<'static> = Label {
    rule: "known",
    kind: "known-secret",
};

/// Shortest value that is looked for, in bytes. A shorter one would mask ordinary words.
pub(super) const EXACT_BYTES_MIN: usize = 6;

/// The forms of all known values. Wiped when dropped.
#[derive(Clone, Default)]
pub(super) struct Exact {
    needles: Vec<Zeroizing<String>>,
}

impl Exact {
    /// Adds a value in all its forms.
    pub(super) fn add(&mut self, value: &[u8]) {
        let Ok(text) = std::str::from_utf8(value) else {
            self.add_encoded(value);
            return;
        };
        let text = text.trim();
        if text.len() < EXACT_BYTES_MIN {
            return;
        }
        let json = serde_json::to_string(text).unwrap_or_default();
        self.insert(text.replace("\r\n", "\n"));
        self.insert(json.trim_matches('"').to_owned());
        self.insert(percent(text, |byte| format!("%{byte:02X}")));
        self.insert(percent(text, |byte| format!("%{byte:02x}")));
        self.insert(percent(text, |byte| {
            if byte == b' ' {
                "+".to_owned()
            } else {
                format!("%{byte:02X}")
            }
        }));
        self.insert(text.replace('\'', "'\\''"));
        self.add_encoded(text.as_bytes());
    }

    fn add_encoded(&mut self, value: &[u8]) {
        if value.len() < EXACT_BYTES_MIN {
            return;
        }
        for offset in 0..3 {
            let (letters, _) = encoded::inner(value, offset);
            self.insert(letters.replace('+', "-").replace('/', "_"));
            self.insert(letters);
        }
    }

    fn insert(&mut self, needle: String) {
        let needle = Zeroizing::new(needle);
        if needle.len() >= EXACT_BYTES_MIN && !self.needles.contains(&needle) {
            self.needles.push(needle);
        }
    }

    /// The spans of all forms in a text, each search linear in the text.
    pub(super) fn find(&self, text: &str, spans: &mut Vec<Found<'_>>) {
        for needle in &self.needles {
            for (start, found) in text.match_indices(needle.as_str()) {
                spans.extend(Found::new(start, start + found.len(), KNOWN));
            }
        }
    }
}

fn percent(text: &str, escape: impl Fn(u8) -> String) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                char::from(byte).to_string()
            } else {
                escape(byte)
            }
        })
        .collect()
}
