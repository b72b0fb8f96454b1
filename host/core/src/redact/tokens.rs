//! Tokens that tell by their own shape: a fixed prefix and a body of known letters, or a fixed
//! inner mark with known lengths around it. One table, one matcher.
//!
//! A body longer than its format says is masked whole: a token of a newer length is still a token.
//! *Source*: the vendors' published token formats.

use super::catalog::shipped;
use super::source::{Found, Label, Source, is_base64, is_word};
use serde::{Deserialize, Serialize};

/// The longest token that is followed to its end, in bytes. What is longer is masked up to here and
/// then on, piece by piece, by nothing: no known format comes near.
const TOKEN_BYTES_MAX: usize = 65_536;

/// Which letters a token's body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Word,
    /// As `Word`, and `.`.
    Dotted,
    /// As `Dotted`, and the rest of base64 and `~ % :`.
    Wide,
    /// Hexadecimal digits and `-`.
    Hex,
    /// Upper-case letters and digits.
    Upper,
}

/// How many alphabets there are.
pub(super) const BODIES: usize = 6;

impl Body {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => is_word(byte) || byte == b'-',
            Self::Dotted => is_word(byte) || matches!(byte, b'-' | b'.'),
            Self::Wide => is_base64(byte) || matches!(byte, b'.' | b'~' | b'%' | b':'),
            Self::Hex => byte.is_ascii_hexdigit() || byte == b'-',
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        }
    }
}

/// A sum that a token's last letters hold of the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// The last six letters are the CRC-32 of the ones before in base 62, as GitHub and npm write it.
    Crc32Base62,
}

/// What may stand before a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Left {
    /// Anything: the prefix is rare enough by itself.
    #[default]
    Any,
    /// No letter or digit: the prefix is the end of ordinary words as well.
    Border,
}

/// A row of the shipped file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRow {
    name: String,
    kind: Option<String>,
    prefixes: Vec<String>,
    body: Body,
    least: usize,
    #[serde(default)]
    left: Left,
    checksum: Option<Checksum>,
}

impl TokenRow {
    /// The formats of the row.
    pub(super) fn tokens(&self) -> impl Iterator<Item = Token> + '_ {
        self.prefixes.iter().map(|prefix| Token {
            name: self.name.clone(),
            kind: self.kind.clone().unwrap_or_else(|| self.name.clone()),
            prefix: prefix.clone(),
            body: self.body,
            least: self.least,
            left: self.left,
            checksum: self.checksum,
        })
    }
}

/// One fixed-prefix format.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) prefix: String,
    pub(super) body: Body,
    pub(super) least: usize,
    pub(super) left: Left,
    pub(super) checksum: Option<Checksum>,
}

/// Formats that tell by a mark inside them: the mark, what stands before it and after it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inner {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) mark: String,
    before: (Body, usize),
    after: (Body, usize),
}

impl Token {
    fn label(&self) -> Label<'_> {
        Label {
            rule: &self.name,
            kind: &self.kind,
        }
    }

    /// The token whose prefix stands at `start`.
    pub(super) fn at<'r>(&'r self, source: Source<'_>, start: usize) -> Option<Found<'r>> {
        let body = start + self.prefix.len();
        if source.slice(start, body) != self.prefix.as_bytes() {
            return None;
        }
        if self.left == Left::Border && is_word(source.before(start)) {
            return None;
        }
        let mut end = source.run(body, TOKEN_BYTES_MAX, |byte| self.body.has(byte));
        // A full stop or dash at the end belongs to the sentence.
        while matches!(source.before(end), b'.' | b':' | b'-') && end > body {
            end -= 1;
        }
        let letters = source.slice(body, end);
        let proven = self.checksum.is_some_and(|sum| sum.agrees(letters));
        if letters.len() < self.least || (is_specimen(letters) && !proven) {
            return None;
        }
        // Formats share beginnings; the longest prefix names the kind.
        let label = shipped()
            .tokens
            .iter()
            .filter(|other| other.prefix.len() > self.prefix.len())
            .filter(|other| {
                source.slice(start, start + other.prefix.len()) == other.prefix.as_bytes()
            })
            .max_by_key(|other| other.prefix.len())
            .map_or(self.label(), Token::label);
        Found::new(start, end, label)
    }

    /// Whether [`Self::at`] finds something, where it is known already that a run of its letters around the
    /// place ends at `end`.
    pub(super) fn ends_at(&self, source: Source<'_>, start: usize, end: usize) -> bool {
        let body = start + self.prefix.len();
        source.slice(start, body) == self.prefix.as_bytes()
            && !(self.left == Left::Border && is_word(source.before(start)))
            && end.saturating_sub(body) >= self.least
            && (!is_specimen(source.slice(body, end)) || self.at(source, start).is_some())
    }

    /// Which alphabet its body has, as an index below [`BODIES`].
    pub(super) fn alphabet(&self) -> usize {
        self.body as usize
    }

    /// Whether its base64 form is worth looking for: only a long prefix gives a rare one.
    pub(super) fn is_worth_decoding(&self) -> bool {
        self.left == Left::Any && self.prefix.len() >= 4
    }
}

impl Inner {
    /// The token whose mark stands at `at`.
    pub(super) fn around<'r>(&'r self, source: Source<'_>, at: usize) -> Option<Found<'r>> {
        let after = at + self.mark.len();
        if source.slice(at, after) != self.mark.as_bytes() {
            return None;
        }
        let (letters, least) = self.before;
        let start = source.back(at, 128, |byte| letters.has(byte));
        if at - start < least {
            return None;
        }
        let (letters, least_after) = self.after;
        let end = source.run(after, TOKEN_BYTES_MAX, |byte| letters.has(byte));
        if end - after < least_after {
            return None;
        }
        let label = Label {
            rule: &self.name,
            kind: &self.kind,
        };
        Found::new(start, end, label)
    }
}

impl Checksum {
    /// Whether the last letters of a body are the sum of the ones before.
    pub(super) fn agrees(self, body: &[u8]) -> bool {
        match self {
            Self::Crc32Base62 => {
                let Some((head, sum)) = body.split_last_chunk::<SUM_LETTERS>() else {
                    return false;
                };
                let mut value = 0_u64;
                for byte in sum {
                    let digit = match byte {
                        b'0'..=b'9' => byte - b'0',
                        b'A'..=b'Z' => byte - b'A' + 10,
                        b'a'..=b'z' => byte - b'a' + 36,
                        _ => return false,
                    };
                    value = value * 62 + u64::from(digit);
                }
                !head.is_empty() && value == u64::from(crc32(head))
            }
        }
    }
}

/// Letters of a sum in base 62.
const SUM_LETTERS: usize = 6;

/// The CRC-32 of IEEE 802.3, bit by bit: a token has few letters.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// Whether a body is one of the all-alike specimens of documentation, such as `xxxxxxxx`.
fn is_specimen(body: &[u8]) -> bool {
    let window = body.get(..body.len().min(64)).unwrap_or_default();
    window
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.eq_ignore_ascii_case(b)))
}

/// A JSON web token, signed or encrypted, also a cut one: `eyJ` and at least one further part. Where
/// there is none, says up to where there cannot be one either.
pub(super) fn web_token(source: Source<'_>, start: usize) -> Result<Found<'static>, usize> {
    if source.slice(start, start + 3) != b"eyJ" {
        return Err(start);
    }
    let part = |byte: u8| Body::Word.has(byte);
    let head = source.run(start, TOKEN_BYTES_MAX, part);
    let body = source.run(head + 1, TOKEN_BYTES_MAX, part);
    if head - start < 12 || source.at(head) != b'.' || body - head < 9 {
        return Err(head);
    }
    let end = source.run(body, TOKEN_BYTES_MAX, |byte| {
        Body::Dotted.has(byte) || byte == b'='
    });
    Ok(Found {
        start,
        end,
        label: WEB_TOKEN,
    })
}

const WEB_TOKEN: Label<'static> = Label {
    rule: "web-token",
    kind: "jwt",
};
const DISCORD_TOKEN: Label<'static> = Label {
    rule: "discord",
    kind: "discord-token",
};

/// How a Discord bot token may begin: the base64 of an account number.
pub(super) const DISCORD: &[&str] = &["MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT"];

/// A Discord bot token: account, time and signature between full stops.
pub(super) fn discord(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    if !matches!(source.at(start), b'M' | b'N' | b'O') || is_word(source.before(start)) {
        return None;
    }
    let part = |from: usize| source.run(from, 128, |byte| Body::Word.has(byte));
    let account = part(start);
    let time = part(account + 1);
    let end = part(time + 1);
    let dots = source.at(account) == b'.' && source.at(time) == b'.';
    let sized = (22..=30).contains(&(account - start))
        && (6..=8).contains(&(time - account))
        && end - time > 26;
    if dots && sized {
        Found::new(start, end, DISCORD_TOKEN)
    } else {
        None
    }
}
