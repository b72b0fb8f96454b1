//! Finds where any of many beginnings may stand, in one pass of the same cost for each byte whatever the text
//! is: the first bytes of every place are looked up in a table of tags, eight places at a time, and only a
//! place whose tag agrees is compared. Every place is looked at, so beginnings that overlap are all found.
//!
//! Must not: judge what stands there. It cannot fail to build.

/// Tags of the table: few enough for the nearest cache.
const SLOTS: usize = 1 << 14;
/// The tag of a slot that beginnings with different tags fall into. It agrees with all of them.
const SHARED: u8 = 0;
/// That of a slot for nothing. No beginning has it, because those are odd.
const NOTHING: u8 = 2;
/// Places that are looked at together.
const PLACES: usize = 8;
/// What parts small from capital letters.
const CASE: u32 = 0x2020_2020;

/// Beginnings and what belongs to each.
#[derive(Debug)]
pub(super) struct Grams<T, const BYTES: usize> {
    tags: Box<[u8; SLOTS]>,
    /// Where in `entries` those of a slot stand; the first one is empty.
    slots: Box<[u16]>,
    entries: Vec<Vec<(u32, T)>>,
}

/// Beginnings of four bytes, letter for letter.
pub(super) type Fours<T> = Grams<T, 4>;
/// Beginnings of three bytes, whatever their case. Other signs may fall together.
pub(super) type Threes<T> = Grams<T, 3>;

/// Slot and tag of a beginning.
fn place(gram: u32) -> (usize, u8) {
    let mixed = gram.wrapping_mul(0x9E37_79B1);
    ((mixed >> 18) as usize, (mixed >> 10) as u8 | 1)
}

impl<T, const BYTES: usize> Grams<T, BYTES> {
    pub(super) fn new() -> Self {
        Self {
            tags: Box::new([NOTHING; SLOTS]),
            slots: vec![0; SLOTS].into_boxed_slice(),
            entries: vec![Vec::new()],
        }
    }

    fn gram(four: u32) -> u32 {
        if BYTES == 3 {
            (four | CASE) & 0x00FF_FFFF
        } else {
            four
        }
    }

    /// Enters what belongs to a beginning.
    pub(super) fn enter(&mut self, four: [u8; 4], value: T) {
        let gram = Self::gram(u32::from_le_bytes(four));
        let (slot, tag) = place(gram);
        let fresh = u16::try_from(self.entries.len()).unwrap_or(0);
        let Some(index) = self.slots.get_mut(slot) else {
            return;
        };
        if *index == 0 {
            *index = fresh;
            self.entries.push(Vec::new());
        }
        if let Some(known) = self.tags.get_mut(slot) {
            *known = if *known == NOTHING || *known == tag {
                tag
            } else {
                SHARED
            };
        }
        if let Some(entries) = self.entries.get_mut(usize::from(*index)) {
            entries.push((gram, value));
        }
    }

    /// Puts all that belongs to one beginning in an order.
    pub(super) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        for entries in &mut self.entries {
            entries.sort_by_key(|(_, value)| key(value));
        }
    }

    /// Calls `hit` with each place where a beginning stands and what belongs to it, ascending by place. What
    /// stands past the end counts as NUL.
    pub(super) fn each<'g>(&'g self, bytes: &[u8], mut hit: impl FnMut(usize, &'g T)) {
        let mut at = 0;
        while let Some(window) = bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<{ PLACES + 3 }>())
        {
            let [a, b, c, d, e, f, g, h, i, j, k] = *window;
            let (low, high) = (
                u64::from_le_bytes([a, b, c, d, e, f, g, h]),
                u64::from_le_bytes([d, e, f, g, h, i, j, k]),
            );
            let fours = [
                low as u32,
                (low >> 8) as u32,
                (low >> 16) as u32,
                (low >> 24) as u32,
                (low >> 32) as u32,
                (high >> 16) as u32,
                (high >> 24) as u32,
                (high >> 32) as u32,
            ];
            let any = fours
                .iter()
                .fold(false, |any, four| any | self.may_begin(*four));
            if any {
                for (place, four) in fours.iter().enumerate() {
                    if self.may_begin(*four) {
                        self.at(*four, |value| hit(at + place, value));
                    }
                }
            }
            at += PLACES;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        for place in 0..rest.len() {
            let mut four = [0; 4];
            for (to, from) in four.iter_mut().zip(rest.iter().skip(place)) {
                *to = *from;
            }
            let four = u32::from_le_bytes(four);
            if self.may_begin(four) {
                self.at(four, |value| hit(at + place, value));
            }
        }
    }

    #[inline(always)]
    fn may_begin(&self, four: u32) -> bool {
        let (slot, tag) = place(Self::gram(four));
        let known = self.tags.get(slot).copied().unwrap_or(SHARED);
        (known == tag) | (known == SHARED)
    }

    #[inline(never)]
    fn at<'g>(&'g self, four: u32, mut hit: impl FnMut(&'g T)) {
        let gram = Self::gram(four);
        let index = self.slots.get(place(gram).0).copied().unwrap_or(0);
        for (entered, value) in self.entries.get(usize::from(index)).into_iter().flatten() {
            if *entered == gram {
                hit(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_beginning_is_found_wherever_it_stands(
            beginnings in proptest::collection::vec("[abAB=]{4}", 1..100),
            text in "[abAB=c]{0,60}",
        ) {
            let mut grams = Fours::new();
            for (index, beginning) in beginnings.iter().enumerate() {
                let bytes = beginning.as_bytes();
                grams.enter([bytes[0], bytes[1], bytes[2], bytes[3]], index);
            }
            let mut found = Vec::new();
            grams.each(text.as_bytes(), |place, index| found.push((place, *index)));
            let mut expected = Vec::new();
            for place in 0..text.len() {
                for (index, beginning) in beginnings.iter().enumerate() {
                    if text[place..].starts_with(beginning.as_str()) {
                        expected.push((place, index));
                    }
                }
            }
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
