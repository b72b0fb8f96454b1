//! Values that the host itself knows to be secret: the passwords, passphrases and keys it loaded.
//! They are looked for as they are and in the forms that output gives them: base64 at each offset,
//! percent, JSON. The surest rule of all, because nothing is guessed.

use super::encoded;
use super::source::{Found, Label};
use aho_corasick::{AhoCorasick, MatchKind};
use zeroize::Zeroizing;

const KNOWN: Label<'static> = Label {
    rule: "known",
    kind: "known-secret",
};

/// Shortest value that is looked for, in bytes. A shorter one would mask ordinary words.
pub(super) const EXACT_BYTES_MIN: usize = 6;

/// Shortest line of a value of several lines that is looked for, in bytes.
const LINE_BYTES_MIN: usize = 8;
/// The widths at which base64 is broken into lines.
const WIDTHS: [usize; 2] = [64, 76];

/// The forms of all known values. Wiped when dropped; the searcher over them is not, and lives as long.
#[derive(Clone, Default)]
pub(super) struct Exact {
    needles: Vec<Zeroizing<String>>,
    search: Option<AhoCorasick>,
}

impl Exact {
    /// Adds values in all their forms.
    pub(super) fn extend<V: AsRef<[u8]>>(&mut self, values: impl IntoIterator<Item = V>) {
        for value in values {
            self.add(value.as_ref());
        }
        // Shorter needles inside longer ones must not hide them.
        self.search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(self.needles.iter().map(|needle| needle.as_bytes()))
            .ok()
            .filter(|_| !self.needles.is_empty());
    }

    fn add(&mut self, value: &[u8]) {
        let Ok(text) = std::str::from_utf8(value) else {
            self.add_encoded(value);
            return;
        };
        let text = text.trim();
        if text.len() < EXACT_BYTES_MIN {
            return;
        }
        let json = serde_json::to_string(text).unwrap_or_default();
        // Lines are looked at one by one, and one line of a key is as telling as all of them.
        if text.contains('\n') {
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| line.len() >= LINE_BYTES_MIN);
            for line in lines.filter(|line| !line.starts_with("--")) {
                self.insert(line.to_owned());
            }
        } else {
            self.insert(text.to_owned());
        }
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
            for width in WIDTHS
                .iter()
                .filter(|width| offset == 0 && letters.len() > **width)
            {
                let mut rest = letters.as_str();
                while let Some((line, after)) = rest.split_at_checked(*width) {
                    self.insert(line.to_owned());
                    rest = after;
                }
                if rest.len() >= LINE_BYTES_MIN {
                    self.insert(rest.to_owned());
                }
            }
            self.insert(letters);
        }
    }

    fn insert(&mut self, needle: String) {
        let needle = Zeroizing::new(needle);
        if needle.len() >= EXACT_BYTES_MIN && !self.needles.contains(&needle) {
            self.needles.push(needle);
        }
    }

    /// The spans of all forms in a text, in one pass.
    pub(super) fn find<'r>(&self, text: &str, spans: &mut Vec<Found<'r>>) {
        let found = self.search.iter().flat_map(|search| search.find_iter(text));
        spans.extend(found.filter_map(|found| Found::new(found.start(), found.end(), KNOWN)));
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
