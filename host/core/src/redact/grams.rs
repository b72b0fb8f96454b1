//! Finds where any of many beginnings may stand, in one pass of the same cost for each byte whatever the text
//! is: the first bytes of every place are looked up in a table of bits, sixteen places at a time without a
//! branch, and only a place whose bit is set is compared. Every place is looked at, so beginnings that overlap
//! are all found.
//!
//! Must not: judge what stands there. It cannot fail to build.

/// Bytes of the table: few enough for the nearest cache, so many that one place in two hundred of ordinary
/// text is compared in vain.
const SLOTS: usize = 1 << 15;
/// How far the slot's number stands from the low end of a mixed gram, and that of the bit below it.
const SLOT_SHIFT: u32 = 17;
const BIT_SHIFT: u32 = 14;
/// Places that are looked at together.
const PLACES: usize = 16;
/// Bytes that these places begin.
const WINDOW_BYTES: usize = PLACES + 3;
/// What parts small from capital letters.
const CASE: u32 = 0x2020_2020;

/// Beginnings and what belongs to each.
#[derive(Debug)]
pub(super) struct Grams<T, const BYTES: usize> {
    bits: Box<[u8; SLOTS]>,
    /// Where in `entries` those of a slot stand; the first one is empty.
    slots: Box<[u16]>,
    entries: Vec<Vec<(u32, T)>>,
}

/// Beginnings of four bytes, letter for letter.
pub(super) type Fours<T> = Grams<T, 4>;
/// Beginnings of three bytes, whatever their case. Other signs may fall together.
pub(super) type Threes<T> = Grams<T, 3>;

/// Slot of a beginning, and which of its bits.
#[inline(always)]
fn place(gram: u32) -> (usize, u32) {
    let mixed = gram.wrapping_mul(0x9E37_79B1);
    ((mixed >> SLOT_SHIFT) as usize, (mixed >> BIT_SHIFT) & 7)
}

impl<T, const BYTES: usize> Grams<T, BYTES> {
    pub(super) fn new() -> Self {
        Self {
            bits: Box::new([0; SLOTS]),
            slots: vec![0; SLOTS].into_boxed_slice(),
            entries: vec![Vec::new()],
        }
    }

    #[inline(always)]
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
        let (slot, bit) = place(gram);
        let fresh = u16::try_from(self.entries.len()).unwrap_or(0);
        let Some(index) = self.slots.get_mut(slot) else {
            return;
        };
        if *index == 0 {
            *index = fresh;
            self.entries.push(Vec::new());
        }
        if let Some(bits) = self.bits.get_mut(slot) {
            *bits |= 1 << bit;
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
            .and_then(|rest| rest.first_chunk::<WINDOW_BYTES>())
        {
            self.window(window, PLACES, |place, value| hit(at + place, value));
            at += PLACES;
        }
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let mut window = [0; WINDOW_BYTES];
            for (to, from) in window.iter_mut().zip(rest) {
                *to = *from;
            }
            self.window(&window, rest.len(), |place, value| hit(at + place, value));
            at += PLACES;
        }
    }

    /// The same for the first of the places of a window.
    #[inline(always)]
    fn window<'g>(
        &'g self,
        window: &[u8; WINDOW_BYTES],
        places: usize,
        mut hit: impl FnMut(usize, &'g T),
    ) {
        // Counted without an exit: a branch for each place costs more than all that it saves.
        let any = fours(window).fold(0, |any, four| any | self.bit(four));
        if any & 1 != 0 {
            for (place, four) in fours(window).enumerate().take(places) {
                if self.bit(four) & 1 != 0 {
                    self.entered(four, |value| hit(place, value));
                }
            }
        }
    }

    /// Its lowest bit says whether anything may begin so.
    #[inline(always)]
    fn bit(&self, four: u32) -> u8 {
        let (slot, bit) = place(Self::gram(four));
        self.bits.get(slot).copied().unwrap_or(u8::MAX) >> bit
    }

    /// Calls `hit` with what belongs to the beginning that stands at the start of four bytes.
    #[inline]
    pub(super) fn at<'g>(&'g self, four: u32, hit: impl FnMut(&'g T)) {
        if self.bit(four) & 1 != 0 {
            self.entered(four, hit);
        }
    }

    #[inline(never)]
    fn entered<'g>(&'g self, four: u32, mut hit: impl FnMut(&'g T)) {
        let gram = Self::gram(four);
        let index = self.slots.get(place(gram).0).copied().unwrap_or(0);
        for (entered, value) in self.entries.get(usize::from(index)).into_iter().flatten() {
            if *entered == gram {
                hit(value);
            }
        }
    }
}

/// The four bytes from each place on.
#[inline(always)]
fn fours(window: &[u8; WINDOW_BYTES]) -> impl Iterator<Item = u32> + '_ {
    window.windows(4).map(|four| match four {
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => 0,
    })
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
