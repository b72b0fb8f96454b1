//! Which bytes of a text a terminal would not have shown, one bit each: however many there are, they take an eighth
//! of the text, and in what order they were told makes no difference.
//!
//! Must not: know what the text says.

use std::ops::Range;

/// Bytes that one word stands for.
const WORD_BYTES: usize = 64;

/// A set of bytes of a text of which only the end is kept.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    words: Vec<u64>,
    /// How many words were dropped before the first.
    dropped: usize,
    /// Where the last stretch ends.
    end: usize,
}

impl Stretches {
    pub(super) fn of(ranges: &[Range<usize>]) -> Self {
        let mut stretches = Self::default();
        for range in ranges {
            stretches.add(range.clone());
        }
        stretches
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// Adds a stretch, as far as that part of the text is kept.
    pub(super) fn add(&mut self, range: Range<usize>) {
        let mut at = range.start.max(self.dropped * WORD_BYTES);
        if at >= range.end {
            return;
        }
        self.end = self.end.max(range.end);
        let count = range.end.div_ceil(WORD_BYTES) - self.dropped;
        if count > self.words.len() {
            self.words.resize(count, 0);
        }
        while at < range.end {
            let stop = range.end.min((at / WORD_BYTES + 1) * WORD_BYTES);
            if let Some(word) = self.words.get_mut(at / WORD_BYTES - self.dropped) {
                *word |= ones(stop - at) << (at % WORD_BYTES);
            }
            at = stop;
        }
    }

    /// Forgets what lies before a place; nothing before it is asked about again.
    pub(super) fn drop_before(&mut self, place: usize) {
        if self.end <= place {
            self.words.clear();
            self.dropped = place / WORD_BYTES;
            return;
        }
        let count = (place / WORD_BYTES).saturating_sub(self.dropped);
        self.words.drain(..count.min(self.words.len()));
        self.dropped += count;
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.next(at, at + 1, 0).is_some()
    }

    /// The stretches in a part of the text, in order, apart from each other and cut to it.
    pub(super) fn within(&self, part: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let (mut at, end) = (part.start, part.end.min(self.end));
        std::iter::from_fn(move || {
            let start = self.next(at, end, 0)?;
            at = self.next(start, end, u64::MAX).unwrap_or(end);
            Some(start..at)
        })
    }

    /// The first byte from `at` on and before `end` that is in the set; or that is not, where all bits are turned.
    fn next(&self, at: usize, end: usize, turned: u64) -> Option<usize> {
        let mut at = at.max(self.dropped * WORD_BYTES);
        while at < end {
            let word = self.words.get(at / WORD_BYTES - self.dropped)?;
            let rest = (word ^ turned) >> (at % WORD_BYTES);
            if rest != 0 {
                let found = at + rest.trailing_zeros() as usize;
                return Some(found).filter(|found| *found < end);
            }
            at = (at / WORD_BYTES + 1) * WORD_BYTES;
        }
        None
    }
}

/// So many ones, 64 at most.
fn ones(count: usize) -> u64 {
    u64::MAX >> (WORD_BYTES - count.clamp(1, WORD_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_added_and_is_kept_is_what_is_there(
            ranges in proptest::collection::vec((0usize..600, 1usize..150), 0..12),
            dropped in 0usize..700,
            part in (0usize..700, 0usize..300),
            first in 0usize..12,
        ) {
            let ranges: Vec<Range<usize>> = ranges.into_iter().map(|(at, length)| at..at + length).collect();
            let (before, after) = ranges.split_at(first.min(ranges.len()));
            let mut stretches = Stretches::of(before);
            stretches.drop_before(dropped);
            for range in after {
                stretches.add(range.start.max(dropped)..range.end.max(dropped));
            }
            let part = part.0.max(dropped)..part.0.max(dropped) + part.1;
            let found: Vec<Range<usize>> = stretches.within(part.clone()).collect();
            let is_in = |at: usize| ranges.iter().any(|range| range.contains(&at));
            for at in part.clone() {
                prop_assert_eq!(found.iter().any(|range| range.contains(&at)), is_in(at), "{}", at);
                prop_assert_eq!(stretches.has(at), is_in(at), "{}", at);
            }
            prop_assert!(found.iter().all(|range| range.start < range.end && part.start <= range.start && range.end <= part.end));
            prop_assert!(found.is_sorted_by(|one, next| one.end < next.start));
        }
    }
}
