//! Tells which places of a text may begin one of many literals, and which end a run of token letters, in one pass of
//! vector instructions that costs the same for each byte whatever the text is. What may begin at a place is judged
//! by its first four bytes, each looked up in a table of bits, one bit for each bucket of literals.
//!
//! Must not: leave out a place where a literal stands, whatever the processor is. It may name places where none does,
//! and who asks looks at the text there.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x32, u8x64};
use std::ops::Range;

/// Bytes by which a place is judged.
const WIDTH: usize = 4;
/// Buckets of a set: as many as a byte has bits.
pub(super) const SET_BUCKETS: usize = 8;
/// Places that are marked together.
pub(super) const CHUNK: usize = 64;
/// The same with the bytes behind the last of them.
const CHUNK_BYTES: usize = CHUNK + WIDTH - 1;
/// Shortest run of token letters that is marked, in bytes.
pub(super) const RUN_BYTES_MIN: usize = 15;

/// Bytes of ASCII.
pub(super) type Signs = u128;
/// Any byte at all.
pub(super) const ANY: Signs = Signs::MAX;

/// What the first bytes at a place may be.
pub(super) type Pattern = [Signs; WIDTH];

/// The pattern of what begins with a literal.
pub(super) fn pattern(literal: &str) -> Pattern {
    let mut pattern = [ANY; WIDTH];
    for (signs, byte) in pattern.iter_mut().zip(literal.bytes()) {
        *signs = sign(byte);
    }
    pattern
}

/// One byte; any where it is not of ASCII.
pub(super) fn sign(byte: u8) -> Signs {
    if byte.is_ascii() { 1 << byte } else { ANY }
}

/// Which buckets a byte may belong to, in the forms that different processors look up.
#[derive(Debug, Clone)]
struct Column {
    /// By the six low bits.
    six: [u8; 64],
    /// By the four low bits and by the four high ones, each twice over.
    low: [u8; 32],
    high: [u8; 32],
}

impl Column {
    const EMPTY: Self = Self {
        six: [0; 64],
        low: [0; 32],
        high: [0; 32],
    };

    fn enter(&mut self, signs: Signs, bit: u8) {
        // What any byte fits, one fits that is not of ASCII.
        let bytes = (0..=u8::MAX).filter(|byte| match byte.is_ascii() {
            true => signs & (1 << byte) != 0,
            false => signs == ANY,
        });
        for byte in bytes {
            let set = |table: &mut [u8], index: u8| {
                if let Some(bits) = table.get_mut(usize::from(index)) {
                    *bits |= bit;
                }
            };
            set(&mut self.six, byte & 0x3F);
            for block in [0, 16] {
                set(&mut self.low, block + (byte & 0x0F));
                set(&mut self.high, block + (byte >> 4));
            }
        }
    }
}

/// A built sieve of [`SET_BUCKETS`] buckets for each of its sets.
#[derive(Debug)]
pub(super) struct Sieve<const SETS: usize> {
    columns: Box<[[Column; WIDTH]; SETS]>,
    /// Which buckets a byte belongs to, letter for letter.
    letters: Box<[[u32; 256]; WIDTH]>,
    /// A sign that is marked by itself.
    alone: u8,
    level: Level,
}

/// Which places of a block are of interest: bit `n` of word `m` stands for place `64 m + n`.
#[derive(Debug)]
pub(super) struct Marks<const CHUNKS: usize> {
    /// Where a literal may begin.
    pub(super) literals: [u64; CHUNKS],
    /// Where a run has become as long as [`RUN_BYTES_MIN`], and each further byte of it.
    pub(super) runs: [u64; CHUNKS],
}

impl<const CHUNKS: usize> Marks<CHUNKS> {
    pub(super) const NONE: Self = Self {
        literals: [0; CHUNKS],
        runs: [0; CHUNKS],
    };
}

/// Calls `hit` with the places of a part that words of bits stand for, ascending. The first word stands for what
/// begins at `base`.
#[inline]
pub(super) fn each_in(words: &[u64], base: usize, part: Range<usize>, mut hit: impl FnMut(usize)) {
    let first = part.start.saturating_sub(base) / CHUNK;
    for (index, word) in words.iter().enumerate().skip(first) {
        let from = base + index * CHUNK;
        if from >= part.end {
            break;
        }
        let before = part.start.saturating_sub(from).min(CHUNK) as u32;
        let past = u64::MAX.checked_shl((part.end - from).min(CHUNK) as u32);
        let mut word = word & u64::MAX.checked_shl(before).unwrap_or(0) & !past.unwrap_or(0);
        while word != 0 {
            hit(from + word.trailing_zeros() as usize);
            word &= word - 1;
        }
    }
}

/// Calls `each` with the runs that end in words of bits, from their first letter. `open` is where one began that has
/// not ended.
pub(super) fn runs(
    words: &[u64],
    base: usize,
    open: &mut Option<usize>,
    mut each: impl FnMut((usize, usize)),
) {
    for (index, word) in words.iter().enumerate() {
        let (from, mut at) = (base + index * CHUNK, 0);
        loop {
            // What is left of the word, from its lowest bit on.
            let rest = word.checked_shr(at).unwrap_or(0);
            match *open {
                None if rest == 0 => break,
                None => {
                    at += rest.trailing_zeros();
                    *open = Some((from + at as usize + 1).saturating_sub(RUN_BYTES_MIN));
                }
                Some(start) => {
                    at += rest.trailing_ones();
                    if at >= CHUNK as u32 {
                        break;
                    }
                    each((start, from + at as usize));
                    *open = None;
                }
            }
        }
    }
}

/// The first four bytes of a text. What stands past its end counts as NUL.
#[inline]
pub(super) fn four(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(first(bytes))
}

/// The first eight.
#[inline]
pub(super) fn eight(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(first(bytes))
}

#[inline]
fn first<const COUNT: usize>(bytes: &[u8]) -> [u8; COUNT] {
    match bytes.first_chunk() {
        Some(first) => *first,
        None => std::array::from_fn(|index| bytes.get(index).copied().unwrap_or(0)),
    }
}

/// What a run is made of.
pub(super) fn in_run(byte: u8) -> bool {
    (byte >= 0x30 && byte != b':' && byte < 0x80) || byte == b'-'
}

impl<const SETS: usize> Sieve<SETS> {
    /// A sieve for patterns, with the bucket of each; it marks every place of one more sign, which is in none.
    /// Patterns that are alike share a bucket.
    pub(super) fn new(patterns: &[Pattern], alone: u8) -> (Self, Vec<usize>) {
        let buckets = grouped(patterns, SETS * SET_BUCKETS);
        let mut sieve = Self {
            columns: Box::new([const { [const { Column::EMPTY }; WIDTH] }; SETS]),
            letters: Box::new([[0; 256]; WIDTH]),
            alone,
            level: Level::new(),
        };
        for (pattern, bucket) in patterns.iter().zip(&buckets) {
            sieve.enter(pattern, *bucket);
        }
        (sieve, buckets)
    }

    fn enter(&mut self, pattern: &Pattern, bucket: usize) {
        if let Some(columns) = self.columns.get_mut(bucket / SET_BUCKETS) {
            for (column, signs) in columns.iter_mut().zip(pattern) {
                column.enter(*signs, 1 << (bucket % SET_BUCKETS));
            }
        }
        for (letters, signs) in self.letters.iter_mut().zip(pattern) {
            for (byte, buckets) in letters.iter_mut().enumerate() {
                if *signs == ANY || (byte < 128 && signs & (1 << byte) != 0) {
                    *buckets |= 1 << bucket;
                }
            }
        }
    }

    /// The buckets of what may begin with four bytes, a bit for each.
    #[inline]
    pub(super) fn buckets(&self, four: u32) -> u32 {
        let columns = self.letters.iter().zip(four.to_le_bytes());
        columns.fold(u32::MAX, |all, (letters, byte)| {
            all & letters.get(usize::from(byte)).copied().unwrap_or(u32::MAX)
        })
    }

    /// Calls `hit` with each place of a part of a text where a literal may begin.
    pub(super) fn each(&self, bytes: &[u8], part: Range<usize>, mut hit: impl FnMut(usize)) {
        let mut marks = Marks::<1>::NONE;
        for from in part.clone().step_by(CHUNK) {
            self.mark_letters(bytes, from, &mut marks);
            each_in(&marks.literals, from, from..part.end, &mut hit);
        }
    }

    /// As [`Self::mark`], with all letters of runs.
    pub(super) fn mark_letters<const CHUNKS: usize>(
        &self,
        bytes: &[u8],
        from: usize,
        marks: &mut Marks<CHUNKS>,
    ) {
        let rest = bytes.get(from..).unwrap_or_default();
        match self.level {
            level if is_plain(level) => self.plain(rest, marks),
            level => dispatch!(level, simd => self.block(simd, rest, marks)),
        }
    }

    /// Marks the places of the block that begins at `from`, and says whether there are any. `before` tells which of
    /// the last places before it were in a run, and is kept for the next block.
    pub(super) fn mark<const CHUNKS: usize>(
        &self,
        bytes: &[u8],
        from: usize,
        before: &mut u64,
        marks: &mut Marks<CHUNKS>,
    ) {
        self.mark_letters(bytes, from, marks);
        for runs in &mut marks.runs {
            let letters = *runs;
            let mut long = (u128::from(letters) << 64) | u128::from(*before);
            // Each step doubles what is known to be in a run up to a place, the last makes it fifteen.
            for step in [1, 2, 4, RUN_BYTES_MIN - 8] {
                long &= long << step;
            }
            *before = letters;
            *runs = (long >> 64) as u64;
        }
    }

    /// Without vector instructions.
    fn plain<const CHUNKS: usize>(&self, rest: &[u8], marks: &mut Marks<CHUNKS>) {
        let chunks = marks.literals.iter_mut().zip(&mut marks.runs).enumerate();
        for (index, (literals, runs)) in chunks {
            (*literals, *runs) = (0, 0);
            let from = index * CHUNK;
            for place in from..rest.len().min(from + CHUNK) {
                let four = four(rest.get(place..).unwrap_or_default());
                let [byte, ..] = four.to_le_bytes();
                let marked = byte == self.alone || self.buckets(four) != 0;
                *literals |= u64::from(marked) << (place - from);
                *runs |= u64::from(in_run(byte)) << (place - from);
            }
        }
    }

    #[inline(always)]
    fn block<S: Simd, const CHUNKS: usize>(&self, simd: S, rest: &[u8], marks: &mut Marks<CHUNKS>) {
        let chunks = marks.literals.iter_mut().zip(&mut marks.runs).enumerate();
        for (index, (literals, runs)) in chunks {
            let rest = rest.get(index * CHUNK..).unwrap_or_default();
            (*literals, *runs) = match rest.first_chunk::<CHUNK_BYTES>() {
                Some(chunk) => self.chunk(simd, chunk),
                None if rest.is_empty() => (0, 0),
                None => {
                    let mut chunk = [0; CHUNK_BYTES];
                    for (to, from) in chunk.iter_mut().zip(rest) {
                        *to = *from;
                    }
                    let (literals, runs) = self.chunk(simd, &chunk);
                    let past = u64::MAX.checked_shl(rest.len() as u32).unwrap_or(0);
                    (literals & !past, runs & !past)
                }
            };
        }
    }

    /// The places of a chunk where a literal may begin, and those of letters of a run.
    #[inline(always)]
    fn chunk<S: Simd>(&self, simd: S, chunk: &[u8; CHUNK_BYTES]) -> (u64, u64) {
        if has_wide_tables(simd.level()) {
            return self.wide(simd, chunk);
        }
        let (literals, runs) = self.half(simd, chunk, 0);
        let (more, further) = self.half(simd, chunk, CHUNK / 2);
        (
            literals | more << (CHUNK / 2),
            runs | further << (CHUNK / 2),
        )
    }

    // Nothing below goes through a closure or an iterator of vectors: these would not become one piece of code.

    /// As [`Self::chunk`], by tables of six bits.
    #[inline(always)]
    fn wide<S: Simd>(&self, simd: S, chunk: &[u8; CHUNK_BYTES]) -> (u64, u64) {
        let a = wide_at(simd, chunk, 0);
        let (a_six, b_six) = (a & 0x3F, wide_at(simd, chunk, 1) & 0x3F);
        let (c_six, d_six) = (
            wide_at(simd, chunk, 2) & 0x3F,
            wide_at(simd, chunk, 3) & 0x3F,
        );
        let mut any = u8x64::splat(simd, 0);
        for [first, second, third, fourth] in self.columns.iter() {
            let two = u8x64::from_slice(simd, &first.six).swizzle_dyn(a_six)
                & u8x64::from_slice(simd, &second.six).swizzle_dyn(b_six);
            let more = u8x64::from_slice(simd, &third.six).swizzle_dyn(c_six)
                & u8x64::from_slice(simd, &fourth.six).swizzle_dyn(d_six);
            any |= two & more;
        }
        let letters = (a - 0x30).simd_lt(0x50) & !a.simd_eq(b':');
        let runs = letters | a.simd_eq(b'-');
        let marked = !any.simd_eq(0) | a.simd_eq(self.alone);
        (marked.to_bitmask(), runs.to_bitmask())
    }

    /// As [`Self::chunk`] for half of it, by tables of four bits.
    #[inline(always)]
    fn half<S: Simd>(&self, simd: S, chunk: &[u8; CHUNK_BYTES], from: usize) -> (u64, u64) {
        let (a, b) = (half_at(simd, chunk, from), half_at(simd, chunk, from + 1));
        let (c, d) = (
            half_at(simd, chunk, from + 2),
            half_at(simd, chunk, from + 3),
        );
        let mut any = u8x32::splat(simd, 0);
        for [first, second, third, fourth] in self.columns.iter() {
            any |= by_nibbles(simd, first, a)
                & by_nibbles(simd, second, b)
                & by_nibbles(simd, third, c)
                & by_nibbles(simd, fourth, d);
        }
        let letters = (a - 0x30).simd_lt(0x50) & !a.simd_eq(b':');
        let runs = letters | a.simd_eq(b'-');
        let marked = !any.simd_eq(0) | a.simd_eq(self.alone);
        let half = u64::from(u32::MAX);
        (marked.to_bitmask() & half, runs.to_bitmask() & half)
    }
}

#[inline(always)]
fn wide_at<S: Simd>(simd: S, chunk: &[u8; CHUNK_BYTES], from: usize) -> u8x64<S> {
    match chunk.get(from..from + CHUNK) {
        Some(bytes) => u8x64::from_slice(simd, bytes),
        None => u8x64::splat(simd, 0),
    }
}

#[inline(always)]
fn half_at<S: Simd>(simd: S, chunk: &[u8; CHUNK_BYTES], from: usize) -> u8x32<S> {
    match chunk.get(from..from + CHUNK / 2) {
        Some(bytes) => u8x32::from_slice(simd, bytes),
        None => u8x32::splat(simd, 0),
    }
}

/// The buckets that bytes may belong to.
#[inline(always)]
fn by_nibbles<S: Simd>(simd: S, column: &Column, bytes: u8x32<S>) -> u8x32<S> {
    let low = u8x32::from_slice(simd, &column.low).swizzle_dyn_within_blocks(bytes & 0x0F);
    let high = u8x32::from_slice(simd, &column.high).swizzle_dyn_within_blocks(bytes >> 4);
    low & high
}

/// Whether a processor looks up a table of 64 bytes by one instruction.
#[inline(always)]
fn has_wide_tables(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(level, Level::Avx512(_));
    #[cfg(not(target_arch = "x86_64"))]
    return level.is_fallback() && !is_plain(level);
}

/// Whether a processor has no instruction that looks bytes up.
fn is_plain(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(level, Level::Sse2(_)) || level.is_fallback();
    #[cfg(not(target_arch = "x86_64"))]
    return level.is_fallback();
}

/// Puts patterns into buckets, so that the mixtures of what is in a bucket are few. Gives the bucket of each.
fn grouped(patterns: &[Pattern], buckets: usize) -> Vec<usize> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let six = pattern.map(|signs| (signs | signs >> 64) as u64);
        match groups.iter_mut().find(|group| group.pattern == *pattern) {
            Some(group) => group.members.push(index),
            None => groups.push(Group {
                pattern: *pattern,
                six,
                cost: cost(&six),
                members: vec![index],
            }),
        }
    }
    // Counting bits takes most of the time, which newer processors have an instruction for.
    dispatch!(Level::new(), _ => join(&mut groups, buckets));
    let mut found = vec![0; patterns.len()];
    for (bucket, group) in groups.iter().enumerate() {
        for member in &group.members {
            if let Some(place) = found.get_mut(*member) {
                *place = bucket;
            }
        }
    }
    found
}

/// Patterns that share a bucket.
struct Group {
    /// That of the first of them, until they are joined.
    pattern: Pattern,
    /// What they may begin with, as signs fall together where they are looked up by six bits.
    six: [u64; WIDTH],
    cost: u64,
    members: Vec<usize>,
}

/// How much more than another sign a common one counts.
const COMMON_WEIGHT: u64 = 3;

/// In how many places of a text a bucket is mistaken. Small letters, digits and blanks are what most of a text is
/// made of.
#[inline(always)]
fn cost(six: &[u64; WIDTH]) -> u64 {
    six.iter().fold(1, |product, signs| {
        let common = u64::from((signs >> 32).count_ones());
        product * (u64::from(signs.count_ones()) + COMMON_WEIGHT * common)
    })
}

#[inline(always)]
fn both(one: &Group, other: &Group) -> [u64; WIDTH] {
    let ([a, b, c, d], [e, f, g, h]) = (one.six, other.six);
    [a | e, b | f, c | g, d | h]
}

/// The group behind one that costs least to put together with it, and how much more they cost than apart.
#[inline(always)]
fn partner(groups: &[Group], index: usize) -> Option<(u64, usize)> {
    let one = groups.get(index)?;
    let mut best: Option<(u64, usize)> = None;
    for (further, other) in groups.iter().enumerate().skip(index + 1) {
        let more = cost(&both(one, other)).saturating_sub(one.cost + other.cost);
        if best.is_none_or(|(least, _)| more < least) {
            best = Some((more, further));
        }
    }
    best
}

/// Puts the pair together that costs least, until the buckets suffice.
#[inline(always)]
fn join(groups: &mut Vec<Group>, buckets: usize) {
    let mut best: Vec<Option<(u64, usize)>> = Vec::new();
    for index in 0..groups.len() {
        best.push(partner(groups, index));
    }
    while groups.len() > buckets {
        let pairs = best.iter().enumerate();
        let pairs =
            pairs.filter_map(|(index, best)| best.map(|(more, other)| (more, index, other)));
        let Some((_, index, further)) = pairs.min() else {
            return;
        };
        let other = groups.remove(further);
        best.remove(further);
        if let Some(one) = groups.get_mut(index) {
            one.six = both(one, &other);
            one.cost = cost(&one.six);
            one.members.extend(other.members);
        }
        for at in 0..groups.len() {
            let known = best.get(at).copied().flatten();
            let again = match known {
                Some((_, partner)) => at == index || partner == index || partner == further,
                None => false,
            };
            let found = if again {
                partner(groups, at)
            } else {
                // Those behind the gap have moved up, and the joint group costs at least what its parts did.
                known.map(|(more, partner)| (more, partner - usize::from(partner > further)))
            };
            if let Some(slot) = best.get_mut(at) {
                *slot = found;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    /// Each kind of processor that this one can act as.
    fn levels() -> Vec<Level> {
        let level = Level::new();
        #[cfg(target_arch = "x86_64")]
        let others = [
            level.as_avx2().map(|simd| simd.level()),
            level.as_sse4_2().map(|simd| simd.level()),
            level.as_sse2().map(|simd| simd.level()),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let others = [None];
        others.into_iter().flatten().chain([level]).collect()
    }

    proptest! {
        #[test]
        fn on_every_processor_literals_are_marked_and_runs_are_read(
            literals in proptest::collection::vec("[abAB=$]{1,5}", 1..60),
            parts in proptest::collection::vec(("[abAB=$c:é-]{0,70}", 0..90_usize), 0..90),
        ) {
            let text: String = parts.iter().map(|(part, more)| part.clone() + &"z".repeat(*more)).collect();
            let bytes = text.as_bytes();
            let patterns: Vec<Pattern> = literals.iter().map(|literal| pattern(literal)).collect();
            let (mut sieve, buckets) = Sieve::<2>::new(&patterns, b'c');
            let mut expected = Vec::new();
            let mut start = 0;
            for at in 0..=bytes.len() {
                if at == bytes.len() || !in_run(bytes[at]) {
                    if at - start >= RUN_BYTES_MIN {
                        expected.push((start, at));
                    }
                    start = at + 1;
                }
            }
            for level in levels() {
                sieve.level = level;
                let (mut marks, mut before, mut open) = (Marks::<3>::NONE, 0, None);
                let (mut marked, mut read) = (vec![false; bytes.len()], Vec::new());
                for from in (0..bytes.len()).step_by(3 * CHUNK) {
                    sieve.mark(bytes, from, &mut before, &mut marks);
                    each_in(&marks.literals, from, 0..usize::MAX, |place| marked[place] = true);
                    runs(&marks.runs, from, &mut open, |run| read.push(run));
                }
                read.extend(open.map(|start| (start, bytes.len())));
                prop_assert_eq!(&read, &expected, "{:?}", level);
                prop_assert!(text.match_indices('c').all(|(at, _)| marked[at]));
                for (literal, bucket) in literals.iter().zip(&buckets) {
                    for (at, _) in text.match_indices(literal.as_str()) {
                        prop_assert!(marked[at], "{:?}: {} at {}", level, literal, at);
                        prop_assert!(sieve.buckets(four(&bytes[at..])) & (1 << bucket) != 0);
                    }
                }
            }
        }
    }

    #[test]
    fn literals_that_begin_alike_share_a_bucket() {
        let literals = ["pass", "password", "Pass", "token", "key", "=="];
        let patterns = literals.map(pattern);
        let (_, buckets) = Sieve::<1>::new(&patterns, 0);
        assert_eq!(buckets[0], buckets[1]);
        let (_, buckets) = Sieve::<1>::new(&vec![ANY_BYTES; 100], 0);
        assert_eq!(buckets, vec![0; 100]);
    }

    const ANY_BYTES: Pattern = [ANY; WIDTH];
}
