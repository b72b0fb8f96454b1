//! Keeps the two ends of an endless stream in bounded memory. Looks at no byte.

use crate::limits::OUTPUT_CUT_SLACK_BYTES;

/// Keeps the head and the tail of one stream in bounded memory and counts all of it.
#[derive(Debug, Default)]
pub struct Capture {
    head: Vec<u8>,
    tail: std::collections::VecDeque<u8>,
    side_bytes_max: usize,
    total: u64,
}

impl Capture {
    /// Keeps at most `side_bytes_max` bytes at either end.
    #[must_use]
    pub fn new(side_bytes_max: usize) -> Self {
        Self {
            side_bytes_max,
            ..Self::default()
        }
    }

    /// Takes bytes in; never waits and never fails.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let room = self.side_bytes_max.saturating_sub(self.head.len());
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let rest = rest
            .get(rest.len().saturating_sub(self.side_bytes_max)..)
            .unwrap_or_default();
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.side_bytes_max);
        self.tail.drain(..excess.min(self.tail.len()));
        self.tail.extend(rest);
    }

    /// How many bytes to keep at either end, so that [`super::Raw::cap`] with the same maximum has
    /// all that it may show and the slack that redaction needs.
    #[must_use]
    pub fn sides_for(output_bytes_max: u64) -> usize {
        let half = usize::try_from(output_bytes_max.div_ceil(2)).unwrap_or(usize::MAX);
        half.saturating_add(OUTPUT_CUT_SLACK_BYTES)
    }

    /// Both ends and how much there was. The ends touch where nothing is missing.
    pub(super) fn into_ends(self) -> (Vec<u8>, Vec<u8>, u64) {
        (self.head, self.tail.into(), self.total)
    }

    /// All bytes that were pushed, kept or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_ends_of_what_was_pushed_are_kept(
            pushes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..10),
            side in 0usize..30,
        ) {
            let all = pushes.concat();
            let mut capture = Capture::new(side);
            for push in &pushes {
                capture.push(push);
            }
            let (head, tail, total) = capture.into_ends();
            prop_assert_eq!(total, all.len() as u64);
            let head_len = side.min(all.len());
            let tail_len = side.min(all.len() - head_len);
            prop_assert_eq!(Some(head.as_slice()), all.get(..head_len));
            prop_assert_eq!(Some(tail.as_slice()), all.get(all.len() - tail_len..));
        }
    }
}
