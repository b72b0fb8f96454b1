//! Searchers for a few literals by SIMD: letter for letter, or in a text whose letters are folded.
//!
//! Must not: judge what stands at a place.

use super::source::Source;
use aho_corasick::{AhoCorasick, packed};

/// A searcher for a few literals.
#[derive(Debug)]
pub(super) enum Search {
    Packed(packed::Searcher),
    /// Where the processor has no fitting instructions.
    Plain(AhoCorasick),
    /// Could not be built; everything is under suspicion then.
    Broken,
}

impl Search {
    /// A searcher for rows of literals. It looks for those of a row together where it has as many groups as
    /// there are rows.
    pub(super) fn of_rows(rows: &[&'static [&'static str]]) -> Self {
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let columns =
            (0..longest).flat_map(|column| rows.iter().filter_map(move |row| row.get(column)));
        let literals: Vec<&str> = columns.copied().collect();
        Self::new(&literals)
    }

    pub(super) fn new(literals: &[&str]) -> Self {
        let mut config = packed::Config::new();
        config.only_teddy(true).heuristic_pattern_limits(false);
        if let Some(packed) = config.builder().extend(literals).build() {
            return Self::Packed(packed);
        }
        AhoCorasick::new(literals).map_or(Self::Broken, Self::Plain)
    }

    /// The next place of any of the literals from `from` on, and which it is.
    pub(super) fn next(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let found = match self {
            Self::Packed(search) => search.find_in(text, (from..text.len()).into()),
            Self::Plain(search) => search.find(aho_corasick::Input::new(text).range(from..)),
            Self::Broken => return None,
        };
        found.map(|found| (found.start(), found.pattern().as_usize()))
    }

    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }
}

/// Literals whose letters may be small or capital, searched in a folded text: few of them are faster to
/// find than all of their spellings. What stands in the text itself then decides.
#[derive(Debug)]
pub(super) struct Folded {
    search: Search,
    /// The spellings of each literal that is searched.
    spellings: Vec<Vec<&'static str>>,
}

impl Folded {
    pub(super) fn new(literals: impl IntoIterator<Item = &'static str>) -> Self {
        let mut folded: Vec<String> = Vec::new();
        let mut spellings: Vec<Vec<&'static str>> = Vec::new();
        for literal in literals {
            // All beginnings alike are one: the search looks at no more than these.
            let bytes = literal.bytes().take(FOLDED_BYTES).map(fold).map(char::from);
            let bytes: String = bytes.collect();
            match folded.iter().position(|known| *known == bytes) {
                Some(index) => spellings
                    .get_mut(index)
                    .into_iter()
                    .for_each(|all| all.push(literal)),
                None => {
                    folded.push(bytes);
                    spellings.push(vec![literal]);
                }
            }
        }
        let literals: Vec<&str> = folded.iter().map(String::as_str).collect();
        Self {
            search: Search::new(&literals),
            spellings,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.search.is_broken()
    }

    /// The next place from `from` on where one of the literals stands in any letters, and the one of its
    /// spellings that stands there, if it is one.
    pub(super) fn next(
        &self,
        source: Source<'_>,
        folded: &[u8],
        from: usize,
    ) -> Option<(usize, Option<&'static str>)> {
        let (start, literal) = self.search.next(folded, from)?;
        let all = self.spellings.get(literal).map_or(&[][..], Vec::as_slice);
        let rest = source.slice(start, source.len());
        // The last letter first: it tells most spellings apart.
        let stands = |spelling: &&&str| {
            let last = spelling.len().wrapping_sub(1);
            rest.get(last) == spelling.as_bytes().last() && rest.starts_with(spelling.as_bytes())
        };
        let spelt = all.iter().find(stands);
        Some((start, spelt.copied()))
    }
}

/// Bytes of a literal that are searched.
const FOLDED_BYTES: usize = 4;

/// A byte with what parts small from capital letters set. Other signs may fall together.
pub(super) fn fold(byte: u8) -> u8 {
    byte | 0x20
}
