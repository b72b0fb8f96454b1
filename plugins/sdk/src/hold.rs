//! The bytes of a stream that a redactor has seen and not yet released: a match may be split over two
//! pushes, so its beginning has to be kept until its end is known.

/// How far a release mark may lag behind what was pushed, in bytes; the host withholds the stream of a
/// plugin that lags more.
pub const LAG_BYTES_MAX: usize = 65_536;

/// A window over a stream: what is held back, and where in the stream it begins.
#[derive(Debug, Default)]
pub struct Hold {
    bytes: Vec<u8>,
    start: u64,
}

impl Hold {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// What is held back.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the stream the held bytes begin: the release mark.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Lets the first `count` bytes go, at most all, and more than asked for where otherwise more than
    /// [`LAG_BYTES_MAX`] bytes would stay. Gives the new release mark.
    pub fn release(&mut self, count: usize) -> u64 {
        let needed = self.bytes.len().saturating_sub(LAG_BYTES_MAX);
        let count = count.max(needed).min(self.bytes.len());
        self.bytes.drain(..count);
        self.start += count as u64;
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_counts_from_the_start_of_the_stream() {
        let mut hold = Hold::default();
        hold.push(b"abcdef");
        assert_eq!(hold.release(4), 4);
        hold.push(b"gh");
        assert_eq!(hold.bytes(), b"efgh");
        assert_eq!(hold.release(100), 8);
    }

    #[test]
    fn no_more_is_held_than_the_host_allows() {
        let mut hold = Hold::default();
        hold.push(&vec![b'x'; LAG_BYTES_MAX + 1]);
        assert_eq!(hold.release(0), 1);
        assert_eq!(hold.bytes().len(), LAG_BYTES_MAX);
    }
}
