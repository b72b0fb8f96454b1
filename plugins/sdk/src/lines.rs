//! Redactors that look at one line at a time, which most do: a line is looked at when its end is there.

use crate::{Found, Hold, LAG_BYTES_MAX, Span, Style};

/// A stretch of a line: its start, its length, its label.
pub type Stretch = (usize, usize, &'static str);

/// A stream as lines.
///
/// A line of more than [`LAG_BYTES_MAX`] bytes is looked at in parts, as the host withholds the stream of a plugin
/// that holds back more; what lies across the border of two parts is not seen as one.
#[derive(Debug, Default)]
pub struct Lines(Hold);

impl Lines {
    /// Takes the next bytes, and looks at every line that ends in them.
    pub fn push(&mut self, chunk: &[u8], look: impl Fn(&[u8]) -> Vec<Stretch>) -> Found {
        self.0.push(chunk);
        let bytes = self.0.bytes();
        let ended = bytes.iter().rposition(|byte| *byte == b'\n');
        let ended = ended.map_or(0, |at| at + 1);
        self.look(ended.max(bytes.len().saturating_sub(LAG_BYTES_MAX)), look)
    }

    /// Looks at what is left.
    pub fn finish(&mut self, look: impl Fn(&[u8]) -> Vec<Stretch>) -> Found {
        self.look(self.0.bytes().len(), look)
    }

    fn look(&mut self, end: usize, look: impl Fn(&[u8]) -> Vec<Stretch>) -> Found {
        let mut spans = Vec::new();
        let mut at = self.0.start();
        let bytes = self.0.bytes().get(..end).unwrap_or_default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let found = look(line).into_iter().filter(|(_, length, _)| *length > 0);
            spans.extend(found.map(|(start, length, label)| Span {
                offset: at + start as u64,
                length: length as u64,
                label: label.to_owned(),
                style: Style::Labelled,
            }));
            at += line.len() as u64;
        }
        Found {
            spans,
            release: self.0.release(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `x` of a line.
    fn look(line: &[u8]) -> Vec<Stretch> {
        let places = line.iter().enumerate().filter(|(_, byte)| **byte == b'x');
        places.map(|(at, _)| (at, 1, "x")).collect()
    }

    #[test]
    fn a_line_is_looked_at_when_it_has_ended_wherever_it_is_split() {
        let text = b"ax\nbbx\nx";
        for cut in 0..=text.len() {
            let (left, right) = text.split_at(cut);
            let mut lines = Lines::default();
            let mut offsets = Vec::new();
            for found in [
                lines.push(left, look),
                lines.push(right, look),
                lines.finish(look),
            ] {
                offsets.extend(found.spans.iter().map(|span| span.offset));
            }
            assert_eq!(offsets, [1, 5, 7], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_held_back_for_ever() {
        let mut lines = Lines::default();
        let found = lines.push(&vec![b'a'; LAG_BYTES_MAX + 10], look);
        assert_eq!(found.release, 10);
    }
}
