//! Tokens, keys and addresses with a login inside base64: the encoded form of a known prefix is looked for at each of the
//! three ways it can fall on the alphabet, and the decoded text must then hold a whole token.

use super::catalog::shipped;
use super::source::{Found, Label, Source, is_base64};
use super::urls;
use base64::Engine as _;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

const ENCODED_KEY: Label<'static> = Label {
    rule: "encoded-key",
    kind: "private-key",
};

/// How much base64 is decoded to look for a token, in bytes.
const DECODED_BYTES_MAX: usize = 256;
/// Longest scheme of an address, in bytes.
const SCHEME_BYTES_MAX: usize = 12;
/// Longest encoded run that is masked at once, in bytes.
const RUN_BYTES_MAX: usize = 65_536;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One way in which a prefix can be written in base64.
#[derive(Debug, Clone)]
pub(super) struct Form {
    /// The letters that are the same whatever stands around the prefix.
    pub(super) literal: String,
    /// How many letters of its group stand before the literal.
    skipped: usize,
    /// Where the prefix begins in the decoded group, in bytes.
    offset: usize,
    pub(super) holds: Holds,
}

/// What stands in the decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A shipped token, by its index.
    Token(usize),
    /// The first line of a private key.
    Key,
    /// An address with a login.
    Address,
}

/// The schemes of addresses that hold logins.
const SCHEMES: [&str; 10] = [
    "postgres://",
    "postgresql://",
    "mysql://",
    "mariadb://",
    "mongodb",
    "redis://",
    "rediss://",
    "amqp://",
    "amqps://",
    "https://",
];

/// All forms of all prefixes that are rare enough.
pub(super) fn forms() -> Vec<Form> {
    let tokens = shipped()
        .tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.is_worth_decoding());
    let mut forms: Vec<Form> = tokens
        .flat_map(|(index, token)| {
            (0..3).map(move |offset| form(&token.prefix, offset, Holds::Token(index)))
        })
        .collect();
    forms.extend((0..3).map(|offset| form("-----BEGIN ", offset, Holds::Key)));
    let schemes = SCHEMES.iter();
    forms.extend(
        schemes.flat_map(|scheme| (0..3).map(|offset| form(scheme, offset, Holds::Address))),
    );
    forms.retain(|form| form.literal.len() >= 4);
    forms
}

/// The letters of a text in base64 that do not depend on its neighbours.
pub(super) fn inner(text: &[u8], offset: usize) -> (String, usize) {
    let mut padded = vec![0_u8; offset];
    padded.extend_from_slice(text);
    let encoded = STANDARD.encode(&padded);
    let skipped = (offset * 8).div_ceil(6);
    let clean = padded.len() * 8 / 6;
    (
        encoded.get(skipped..clean).unwrap_or_default().to_owned(),
        skipped,
    )
}

fn form(prefix: &str, offset: usize, holds: Holds) -> Form {
    let (literal, skipped) = inner(prefix.as_bytes(), offset);
    Form {
        literal,
        skipped,
        offset,
        holds,
    }
}

/// Letters that are decoded before all others.
const PROBE_LETTERS: usize = 64;

/// Whether the first letters of a long run may hold what a form promises: a run full of such beginnings
/// would decode the same letters again from each of them.
fn may_hold(letters: &[u8], form: &Form) -> bool {
    let Some(probe) = letters
        .get(..PROBE_LETTERS)
        .filter(|probe| probe.len() < letters.len())
    else {
        return true;
    };
    let mut buffer = [0; PROBE_LETTERS];
    let Ok(length) = LENIENT.decode_slice(probe, &mut buffer) else {
        return false;
    };
    let text = buffer.get(form.offset..length).unwrap_or_default();
    if form.holds == Holds::Address {
        return memchr::memmem::find(text, b"://").is_some();
    }
    let Holds::Token(index) = form.holds else {
        let line = text
            .iter()
            .position(|byte| *byte == b'\n' || !byte.is_ascii());
        return line.is_none_or(|end| {
            memchr::memmem::find(text.get(..end).unwrap_or_default(), b"PRIVATE KEY").is_some()
        });
    };
    shipped().tokens.get(index).is_some_and(|token| {
        let (prefix, body) = text.split_at(token.prefix.len().min(text.len()));
        token.prefix.as_bytes().starts_with(prefix)
            && body
                .iter()
                .take(token.least)
                .all(|byte| token.body.has(*byte))
    })
}

/// The encoded run around `at`, if it holds what its form promises. `floor` is where the last ended.
pub(super) fn at(
    source: Source<'_>,
    at: usize,
    form: &Form,
    floor: usize,
) -> Option<Found<'static>> {
    let mut found = in_line(source, at, form, floor)?;
    // `base64` wraps its output; a key goes on over the line ends.
    while form.holds == Holds::Key
        && source.at(found.end) == b'\n'
        && found.end - found.start < RUN_BYTES_MAX
    {
        let line = source.run(found.end + 1, RUN_BYTES_MAX, is_base64);
        if line - found.end < 4 || !matches!(source.at(line), b'\n' | 0) {
            break;
        }
        found.end = line;
    }
    Some(found)
}

/// The same as far as it stands on one line.
pub(super) fn in_line(
    source: Source<'_>,
    at: usize,
    form: &Form,
    floor: usize,
) -> Option<Found<'static>> {
    if source.slice(at, at + form.literal.len()) != form.literal.as_bytes() {
        return None;
    }
    let group = at
        .checked_sub(form.skipped)
        .filter(|group| *group >= floor)?;
    let window = source.run(group, DECODED_BYTES_MAX, is_base64);
    let letters: Vec<u8> = source
        .slice(group, window)
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        })
        .collect();
    if !may_hold(&letters, form) {
        return None;
    }
    let length = if letters.ends_with(b"=") {
        letters.len()
    } else {
        letters.len() - usize::from(letters.len() % 4 == 1)
    };
    let decoded = LENIENT.decode(letters.get(..length)?).ok()?;
    let text: String = decoded
        .get(form.offset..)?
        .iter()
        .map(|byte| {
            if byte.is_ascii() {
                char::from(*byte)
            } else {
                '\n'
            }
        })
        .collect();
    let label = match form.holds {
        Holds::Address => address(&text)?,
        Holds::Token(index) => shipped()
            .tokens
            .get(index)?
            .at(Source::new(&text), 0)
            .map(|found| found.label)?,
        Holds::Key => text
            .lines()
            .next()
            .filter(|line| line.contains("PRIVATE KEY"))
            .map(|_| ENCODED_KEY)?,
    };
    let start = source.back(at, RUN_BYTES_MAX, is_base64).max(floor);
    let end = source.run(at, RUN_BYTES_MAX, is_base64);
    Found::new(start, end, label)
}

/// What an address at the beginning of a decoded text holds.
fn address(text: &str) -> Option<Label<'static>> {
    let sign = text.find("://").filter(|sign| *sign <= SCHEME_BYTES_MAX)?;
    let source = Source::new(text);
    let found = urls::at(source, sign, "://", &mut urls::Ahead::default())?;
    Some(found.label)
}
