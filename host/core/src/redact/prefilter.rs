//! Finds where any of many short literals stands, in one linear pass and whatever its case.
//!
//! The method is the scalar form of the bucket search that SIMD literal searchers use: each of the
//! first bytes of a position looks up a set of buckets, and only a position whose sets intersect is
//! compared with the literals of those buckets. Every position is looked at, so literals that overlap
//! are all found, which an ordinary multi-pattern search leaves out. A bytewise table also cannot
//! fail to build.

/// Buckets: one bit each.
const BUCKETS: usize = 64;

/// How many bytes of a position are looked up before literals are compared.
const LOOKED_UP: usize = 4;

/// A built searcher.
pub(super) struct Prefilter {
    tables: [[u64; 256]; LOOKED_UP],
    literals: Vec<Vec<u8>>,
    buckets: [Vec<usize>; BUCKETS],
}

impl Prefilter {
    /// Builds the tables. Literals shorter than three bytes make the search slow; none is empty.
    pub(super) fn new(literals: Vec<Vec<u8>>) -> Self {
        let mut tables = [[0_u64; 256]; LOOKED_UP];
        let mut buckets = [const { Vec::new() }; BUCKETS];
        let mut order: Vec<usize> = (0..literals.len()).collect();
        // Neighbours share a bucket, so that a bucket's first bytes stay few.
        order.sort_by_key(|index| literals.get(*index).map(|l| l.to_ascii_lowercase()));
        let share = literals.len().div_ceil(BUCKETS).max(1);
        for (members, bucket) in order.chunks(share).zip(buckets.iter_mut()) {
            bucket.extend_from_slice(members);
        }
        for (bit, bucket) in buckets.iter().enumerate() {
            for literal in bucket.iter().filter_map(|index| literals.get(*index)) {
                mark(&mut tables, literal, 1 << bit);
            }
        }
        Self {
            tables,
            literals,
            buckets,
        }
    }

    /// Calls `hit` with each position and the index of the literal that stands there, ascending by
    /// position.
    pub(super) fn each(&self, text: &[u8], mut hit: impl FnMut(usize, usize)) {
        let [first, second, third, fourth] = &self.tables;
        let look = |table: &[u64; 256], byte: u8| table.get(usize::from(byte)).copied();
        for position in 0..text.len() {
            let Some(rest) = text.get(position..) else {
                return;
            };
            let mut padded = [0_u8; LOOKED_UP];
            let window = match rest.first_chunk::<LOOKED_UP>() {
                Some(window) => window,
                None => {
                    for (to, from) in padded.iter_mut().zip(rest) {
                        *to = *from;
                    }
                    &padded
                }
            };
            let [a, b, c, d] = *window;
            let set = look(first, a).unwrap_or(0) & look(second, b).unwrap_or(0);
            if set == 0 {
                continue;
            }
            let set = set & look(third, c).unwrap_or(0) & look(fourth, d).unwrap_or(0);
            if set != 0 {
                self.compare(set, rest, |literal| hit(position, literal));
            }
        }
    }

    fn compare(&self, mut set: u64, rest: &[u8], mut hit: impl FnMut(usize)) {
        while set != 0 {
            let bit = set.trailing_zeros() as usize;
            set &= set - 1;
            for index in self.buckets.get(bit).into_iter().flatten() {
                let stands = self.literals.get(*index).is_some_and(|literal| {
                    rest.get(..literal.len())
                        .is_some_and(|start| start.eq_ignore_ascii_case(literal))
                });
                if stands {
                    hit(*index);
                }
            }
        }
    }
}

/// Enters a literal's first bytes; a place past its end agrees with every byte.
fn mark(tables: &mut [[u64; 256]; LOOKED_UP], literal: &[u8], bit: u64) {
    for (place, table) in tables.iter_mut().enumerate() {
        for (byte, set) in (0_u8..=u8::MAX).zip(table.iter_mut()) {
            if literal
                .get(place)
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(&byte))
            {
                *set |= bit;
            }
        }
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
            literals in proptest::collection::vec("[abAB=]{1,5}", 1..100),
            text in "[abAB=c]{0,60}",
        ) {
            let searcher = Prefilter::new(literals.iter().map(|l| l.clone().into_bytes()).collect());
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
