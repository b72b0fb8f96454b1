//! Lines from an untrusted stream, in bounded memory.
//!
//! A line that is too long is thrown away up to its end and reported once; the next line is read as
//! usual. Bytes after the last line feed are not a line: a message that was cut off must not be acted
//! on.
//!
//! Must not: look at what a line says.

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Bytes that one read may take from the stream.
const READ_BYTES_MAX: usize = 65_536;
/// Room that an empty line buffer may keep for the next line.
const KEPT_BYTES_MAX: usize = 65_536;

/// What the stream gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A whole line without its line end.
    Whole(Vec<u8>),
    /// A line that was longer than the limit, and its length in bytes without its line end.
    TooLong {
        /// The length in bytes.
        bytes: u64,
    },
    /// The stream ended, or broke.
    End,
}

/// The lines of a stream.
pub(crate) struct Lines<R> {
    stream: BufReader<R>,
    line_bytes_max: usize,
    line: Vec<u8>,
    dropped: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads lines of at most `line_bytes_max` bytes, line end not counted.
    pub(crate) fn new(stream: R, line_bytes_max: usize) -> Self {
        Self {
            stream: BufReader::with_capacity(READ_BYTES_MAX, stream),
            line_bytes_max,
            line: Vec::new(),
            dropped: 0,
        }
    }

    /// The next line.
    ///
    /// *Cancel*: nothing is lost; a part of a line stays here and the next call goes on from it.
    pub(crate) async fn next(&mut self) -> Line {
        loop {
            let Ok(available) = self.stream.fill_buf().await else {
                return Line::End;
            };
            if available.is_empty() {
                return Line::End;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = available.get(..end.unwrap_or(available.len()));
            let part = part.unwrap_or_default();
            let taken = part.len() + usize::from(end.is_some());
            let fits = self.line.len() + part.len() <= self.line_bytes_max;
            if self.dropped == 0 && fits {
                self.line.extend_from_slice(part);
            } else {
                self.dropped += (self.line.len() + part.len()) as u64;
                self.line = Vec::new();
            }
            self.stream.consume(taken);
            if end.is_some() {
                return self.finish();
            }
        }
    }

    fn finish(&mut self) -> Line {
        let bytes = std::mem::take(&mut self.dropped);
        if bytes > 0 {
            return Line::TooLong { bytes };
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        self.line = Vec::with_capacity(line.capacity().min(KEPT_BYTES_MAX));
        Line::Whole(line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    async fn read_all(input: &[u8], line_bytes_max: usize) -> Vec<Line> {
        let mut lines = Lines::new(input, line_bytes_max);
        let mut all = Vec::new();
        loop {
            match lines.next().await {
                Line::End => return all,
                line => all.push(line),
            }
        }
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn a_line_at_the_limit_is_read_and_one_past_it_is_not() {
        let all = read_all(b"12345\n123456\nafter\n", 5).await;
        assert_eq!(
            all,
            vec![whole("12345"), Line::TooLong { bytes: 6 }, whole("after")]
        );
    }

    #[tokio::test]
    async fn a_long_line_is_measured_and_dropped_without_being_kept() {
        let mut input = vec![b'x'; 3_000_000];
        input.extend_from_slice(b"\nnext\r\n");
        let all = read_all(&input, 1000).await;
        assert_eq!(all, vec![Line::TooLong { bytes: 3_000_000 }, whole("next")]);
    }

    #[tokio::test]
    async fn bytes_after_the_last_line_end_are_no_line() {
        assert_eq!(read_all(b"one\ntw", 10).await, vec![whole("one")]);
        assert_eq!(read_all(b"\n", 10).await, vec![whole("")]);
    }

    #[tokio::test]
    async fn a_reader_that_is_dropped_in_the_middle_of_a_line_loses_nothing() {
        let (mut near, far) = tokio::io::duplex(64);
        let mut lines = Lines::new(far, 100);
        tokio::io::AsyncWriteExt::write_all(&mut near, b"first ")
            .await
            .unwrap();
        assert!(futures::poll!(std::pin::pin!(lines.next())).is_pending());
        tokio::io::AsyncWriteExt::write_all(&mut near, b"half\n")
            .await
            .unwrap();
        assert_eq!(lines.next().await, whole("first half"));
    }
}
