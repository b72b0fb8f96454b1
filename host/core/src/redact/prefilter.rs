//! Finds where any of many short literals stands, in one linear pass and whatever its case. Every place is
//! looked at, so literals that overlap are all found, which an ordinary multi-pattern search leaves out.

use super::grams::Threes;

/// A built searcher.
pub(super) struct Prefilter {
    grams: Threes<usize>,
    literals: Vec<Literal>,
}

/// A literal, and which bytes may follow it where it is shorter than three.
pub(super) struct Literal {
    pub(super) text: Vec<u8>,
    /// Whether a byte may follow. Literals of three bytes and more are not asked.
    pub(super) follows: fn(u8) -> bool,
}

impl Prefilter {
    /// Builds the tables. No literal is shorter than two bytes.
    pub(super) fn new(literals: Vec<Literal>) -> Self {
        let mut grams = Threes::new();
        for (index, literal) in literals.iter().enumerate() {
            match literal.text.as_slice() {
                [a, b, c, ..] => grams.enter([*a, *b, *c, 0], index),
                [a, b] => {
                    // Each gram once, though two bytes may fall together.
                    let folded = |byte: u8| byte & 0x20 != 0;
                    let all = (0..=u8::MAX).filter(|byte| folded(*byte));
                    let may = |byte: u8| (literal.follows)(byte) || (literal.follows)(byte & !0x20);
                    for c in all.filter(|byte| may(*byte)) {
                        grams.enter([*a, *b, c, 0], index);
                    }
                }
                _ => {}
            }
        }
        // At one place the shorter literal comes first, as if in alphabetical order.
        let order: Vec<Vec<u8>> = literals
            .iter()
            .map(|literal| literal.text.to_ascii_lowercase())
            .collect();
        grams.sort_by_key(|index| (order.get(*index).cloned(), *index));
        Self { grams, literals }
    }

    /// Calls `hit` with each position and the index of the literal that stands there, ascending by
    /// position.
    pub(super) fn each(&self, text: &[u8], mut hit: impl FnMut(usize, usize)) {
        self.grams.each(text, |position, index| {
            let stands = self.literals.get(*index).is_some_and(|literal| {
                let end = position + literal.text.len();
                text.get(position..end)
                    .is_some_and(|start| start.eq_ignore_ascii_case(&literal.text))
            });
            if stands {
                hit(position, *index);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_literal_is_found_where_it_stands(
            literals in proptest::collection::vec("[abAB=]{2,5}", 1..100),
            text in "[abAB=c]{0,60}",
        ) {
            let searcher = Prefilter::new(
                literals
                    .iter()
                    .map(|l| Literal { text: l.clone().into_bytes(), follows: |_| true })
                    .collect(),
            );
            let mut found = Vec::new();
            searcher.each(text.as_bytes(), |position, literal| found.push((position, literal)));
            found.sort_unstable();
            let mut expected = Vec::new();
            for position in 0..text.len() {
                for (index, literal) in literals.iter().enumerate() {
                    let end = position + literal.len();
                    if end <= text.len() && text[position..end].eq_ignore_ascii_case(literal) {
                        expected.push((position, index));
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
