//! Values that the host itself knows to be secret: the passwords, passphrases and keys it loaded.
//! They are looked for as they are and in the forms that output gives them: base64 at each offset,
//! percent, JSON. The surest rule of all, because nothing is guessed.
//!
//! Our own search and not an automaton's: an automaton over a key takes milliseconds to build, which each run would
//! pay, and keeps copies that nobody wipes. Every third place of a text is looked up among the few bytes that
//! values begin with; what is found there is compared.

use super::source::{Found, Label};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// Bytes that are looked up at once.
const GRAM_BYTES: usize = 4;
/// How far apart the places of a text are that are looked up. One of them falls so into each value that the
/// bytes there are among the value's first ones.
const STEP_BYTES: usize = EXACT_BYTES_MIN - GRAM_BYTES + 1;
/// Bits of the table that says which bytes begin no value: a power of two.
const TABLE_BITS: usize = 65_536;

/// The forms of all known values, and where they begin. All of it is wiped when dropped.
#[derive(Clone, Default)]
pub(super) struct Exact {
    needles: Vec<Zeroizing<String>>,
    /// The first grams of each needle, in order, with the needle's index and the gram's place in it.
    grams: Zeroizing<Vec<(u32, u32, u32)>>,
    /// One bit for each gram, by its hash.
    table: Zeroizing<Vec<u64>>,
}

impl Exact {
    /// Adds values in all their forms.
    pub(super) fn extend<V: AsRef<[u8]>>(&mut self, values: impl IntoIterator<Item = V>) {
        for value in values {
            self.add(value.as_ref());
        }
        self.needles
            .sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        self.needles.dedup();
        self.index();
    }

    /// Notes where each needle begins.
    fn index(&mut self) {
        let each = self
            .needles
            .iter()
            .zip(0_u32..)
            .flat_map(|(needle, index)| {
                let places = (0_u32..).zip(needle.as_bytes().windows(GRAM_BYTES).take(STEP_BYTES));
                places.filter_map(move |(place, gram)| Some((gram_at(gram, 0)?, index, place)))
            });
        let mut grams = Zeroizing::new(Vec::with_capacity(self.needles.len() * STEP_BYTES));
        grams.extend(each);
        grams.sort_unstable();
        let mut table = Zeroizing::new(Vec::new());
        if !grams.is_empty() {
            table.resize(TABLE_BITS / 64, 0_u64);
        }
        for (gram, _, _) in grams.iter() {
            let (word, bit) = cell(*gram);
            if let Some(word) = table.get_mut(word) {
                *word |= bit;
            }
        }
        (self.grams, self.table) = (grams, table);
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
        // Lines are looked at one by one, and one line of a key is as telling as all of them.
        if text.contains('\n') {
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| line.len() >= LINE_BYTES_MIN);
            for line in lines.filter(|line| !line.starts_with("--")) {
                self.insert(line);
            }
        } else {
            self.insert(text);
        }
        self.add_quoted(text);
        // As a form's field; what else percent signs make of it is undone in the text.
        let mut field = Zeroizing::new(String::with_capacity(text.len()));
        field.extend(
            text.chars()
                .map(|letter| if letter == ' ' { '+' } else { letter }),
        );
        self.insert(&field);
        self.add_encoded(text.as_bytes());
    }

    /// As it stands in JSON, and between the single quotes of a shell.
    fn add_quoted(&mut self, text: &str) {
        let mut json = Zeroizing::new(Vec::with_capacity(text.len() * ESCAPED_BYTES_MAX + 2));
        if serde_json::to_writer(&mut *json, text).is_ok()
            && let Ok(json) = std::str::from_utf8(&json)
        {
            let inner = json
                .strip_prefix('"')
                .and_then(|json| json.strip_suffix('"'));
            self.insert(inner.unwrap_or(json));
        }
        let mut quoted = Zeroizing::new(String::with_capacity(text.len() * ESCAPED_BYTES_MAX));
        for (index, part) in text.split('\'').enumerate() {
            if index > 0 {
                quoted.push_str("'\\''");
            }
            quoted.push_str(part);
        }
        self.insert(&quoted);
    }

    fn add_encoded(&mut self, value: &[u8]) {
        if value.len() < EXACT_BYTES_MIN {
            return;
        }
        for offset in 0..3 {
            let Some(letters) = inner(value, offset) else {
                continue;
            };
            let mut url_safe = Zeroizing::new(String::with_capacity(letters.len()));
            url_safe.extend(letters.chars().map(|letter| match letter {
                '+' => '-',
                '/' => '_',
                letter => letter,
            }));
            self.insert(&url_safe);
            for width in WIDTHS
                .iter()
                .filter(|width| offset == 0 && letters.len() > **width)
            {
                let mut rest = letters.as_str();
                while let Some((line, after)) = rest.split_at_checked(*width) {
                    self.insert(line);
                    rest = after;
                }
                if rest.len() >= LINE_BYTES_MIN {
                    self.insert(rest);
                }
            }
            self.insert(&letters);
        }
    }

    fn insert(&mut self, needle: &str) {
        if needle.len() >= EXACT_BYTES_MIN {
            self.needles.push(Zeroizing::new(needle.to_owned()));
        }
    }

    /// The spans of all forms in a text, as it stands and with its percent forms undone: writers do not agree on
    /// which characters need one.
    pub(super) fn find<'r>(&self, text: &str, spans: &mut Vec<Found<'r>>) {
        if self.grams.is_empty() {
            return;
        }
        self.find_in(text.as_bytes(), spans);
        let Some(plain) = Plain::of(text.as_bytes()) else {
            return;
        };
        let mut found = Vec::new();
        self.find_in(&plain.bytes, &mut found);
        let back = found.into_iter().filter_map(|found: Found<'r>| {
            Found::new(plain.place(found.start), plain.place(found.end), KNOWN)
        });
        spans.extend(back);
    }

    /// The spans of needles, in one pass.
    fn find_in<'r>(&self, bytes: &[u8], spans: &mut Vec<Found<'r>>) {
        let mut at = 0;
        while let Some(gram) = gram_at(bytes, at) {
            let (word, bit) = cell(gram);
            if self.table.get(word).is_some_and(|word| word & bit != 0) {
                self.compare(bytes, at, gram, spans);
            }
            at += STEP_BYTES;
        }
    }

    /// Compares the needles that have this gram among their first ones.
    fn compare<'r>(&self, bytes: &[u8], at: usize, gram: u32, spans: &mut Vec<Found<'r>>) {
        let first = self.grams.partition_point(|(known, _, _)| *known < gram);
        let candidates = self.grams.iter().skip(first);
        for (_, index, place) in candidates.take_while(|(known, _, _)| *known == gram) {
            let Some(start) = at.checked_sub(*place as usize) else {
                continue;
            };
            let needle = self.needles.get(*index as usize);
            let rest = bytes.get(start..).unwrap_or_default();
            if let Some(needle) = needle.filter(|needle| rest.starts_with(needle.as_bytes())) {
                join(spans, start, start + needle.len());
            }
        }
    }
}

/// Adds a find, or makes the last one longer where the two overlap: a value that repeats itself is found at every
/// place of a text that does.
fn join(spans: &mut Vec<Found<'_>>, start: usize, end: usize) {
    match spans.last_mut() {
        Some(last) if last.label == KNOWN && (last.start..last.end).contains(&start) => {
            last.end = last.end.max(end);
        }
        _ => spans.extend(Found::new(start, end, KNOWN)),
    }
}

/// The bytes at a place, as a number.
fn gram_at(bytes: &[u8], at: usize) -> Option<u32> {
    let gram: &[u8; GRAM_BYTES] = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*gram))
}

/// Where a gram's bit stands in the table.
fn cell(gram: u32) -> (usize, u64) {
    let hash = (gram.wrapping_mul(0x9E37_79B1) >> 16) as usize % TABLE_BITS;
    (hash / 64, 1 << (hash % 64))
}

/// Most bytes that an escape makes of one.
const ESCAPED_BYTES_MAX: usize = 6;

/// A text with its percent forms undone.
struct Plain {
    bytes: Zeroizing<Vec<u8>>,
    /// The places in `bytes` of what was written in three letters.
    undone: Vec<usize>,
}

impl Plain {
    /// Nothing where nothing is to be undone.
    fn of(text: &[u8]) -> Option<Self> {
        let mut undone = Vec::new();
        let mut bytes = Zeroizing::new(Vec::new());
        let mut done = 0;
        for at in memchr::memchr_iter(b'%', text) {
            let digit = |place: usize| char::from(*text.get(place)?).to_digit(16);
            let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                continue;
            };
            if undone.is_empty() {
                // The whole room at once, so that no copy is left behind.
                bytes.reserve_exact(text.len());
            }
            bytes.extend_from_slice(text.get(done..at).unwrap_or_default());
            undone.push(bytes.len());
            bytes.extend(u8::try_from(high * 16 + low));
            done = at + 3;
        }
        if undone.is_empty() {
            return None;
        }
        bytes.extend_from_slice(text.get(done..).unwrap_or_default());
        Some(Self { bytes, undone })
    }

    /// Where a place of the plain text stands in the written one.
    fn place(&self, at: usize) -> usize {
        at + 2 * self.undone.partition_point(|undone| *undone < at)
    }
}

/// The letters of a value in base64 that do not depend on its neighbours, where `offset` bytes stand before it.
fn inner(value: &[u8], offset: usize) -> Option<Zeroizing<String>> {
    let mut padded = Zeroizing::new(Vec::with_capacity(offset + value.len()));
    padded.resize(offset, 0);
    padded.extend_from_slice(value);
    let mut encoded = Zeroizing::new(vec![0; padded.len().div_ceil(3) * 4]);
    STANDARD.encode_slice(&*padded, &mut encoded).ok()?;
    let letters = encoded.get((offset * 8).div_ceil(6)..padded.len() * 8 / 6)?;
    Some(Zeroizing::new(
        std::str::from_utf8(letters).ok()?.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn found(exact: &Exact, text: &str) -> Vec<(usize, usize)> {
        let mut spans = Vec::new();
        exact.find(text, &mut spans);
        let places = spans.iter().map(|span| (span.start, span.end));
        united(places.collect())
    }

    /// The stretches that overlap as one.
    fn united(mut places: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
        places.sort_unstable();
        let mut united: Vec<(usize, usize)> = Vec::new();
        for (start, end) in places {
            match united.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => united.push((start, end)),
            }
        }
        united
    }

    proptest! {
        #[test]
        fn every_needle_is_found_wherever_it_stands(
            values in proptest::collection::vec("[ab&é '\"]{6,12}", 1..4),
            pieces in proptest::collection::vec("[ab&é '\"]{0,7}", 1..5),
        ) {
            let mut exact = Exact::default();
            exact.extend(&values);
            let needles = exact.needles.clone();
            let mut text = String::new();
            for (piece, needle) in pieces.iter().zip(needles.iter().cycle()) {
                text.push_str(piece);
                text.push_str(needle);
            }
            let mut expected = Vec::new();
            for needle in &needles {
                let places = (0..text.len()).filter(|at| text.as_bytes()[*at..].starts_with(needle.as_bytes()));
                expected.extend(places.map(|at| (at, at + needle.len())));
            }
            prop_assert_eq!(found(&exact, &text), united(expected));
        }
    }

    #[test]
    fn percent_forms_are_found_whatever_was_thought_to_need_one() {
        let mut exact = Exact::default();
        exact.extend(["a-b c/d.é"]);
        for written in [
            "a-b%20c/d.%C3%A9",
            "a%2Db+c%2fd.é",
            "%61%2D%62%20%63%2F%64%2E%c3%a9",
            "a-b c/d.é",
        ] {
            let text = format!("é 100%; %zz {written}é%");
            let start = "é 100%; %zz ".len();
            let expected = vec![(start, start + written.len())];
            assert_eq!(found(&exact, &text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_repeats_itself_makes_one_span() {
        let mut exact = Exact::default();
        exact.extend(["abababab"]);
        let mut spans = Vec::new();
        exact.find(&"ab".repeat(50_000), &mut spans);
        assert_eq!(spans.len(), 1);
    }

    #[test]
    fn the_same_value_twice_is_kept_once() {
        let mut exact = Exact::default();
        exact.extend(["hunter22zz"]);
        let before = exact.needles.len();
        exact.extend(["hunter22zz", " hunter22zz\n"]);
        assert_eq!(exact.needles.len(), before);
        assert!(
            Exact::default().grams.is_empty() && found(&Exact::default(), "any text").is_empty()
        );
    }
}
