//! The fast path: how far a text goes on without a character that the scanner has to think about.
//!
//! Must not: change or copy anything.

use crate::text::class;
use fearless_simd::{Level, dispatch};

/// Bytes looked at in one go, without a branch inside.
const BLOCK_BYTES: usize = 64;

/// How many bytes from the start are surely seen text, line feeds and tabs; a border of characters.
pub(super) fn prefix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += clean_blocks(bytes.get(at..).unwrap_or_default());
        // One block's worth is read byte by byte before blocks are tried again: where one of them was not
        // clean, the next one seldom is.
        let stop = at.saturating_add(BLOCK_BYTES);
        while at < stop {
            match bytes.get(at) {
                None => return at,
                Some(byte) if is_clean(*byte) => at += 1,
                Some(0x80..) => match text.get(at..).and_then(|rest| rest.chars().next()) {
                    Some(c) if class::is_surely_seen(c) => at += c.len_utf8(),
                    _ => return at,
                },
                Some(_) => return at,
            }
        }
    }
}

/// How many bytes from the start are printable ASCII.
pub(super) fn printable(bytes: &[u8]) -> usize {
    let printable = |byte: &&u8| matches!(**byte, 0x20..=0x7E);
    bytes.iter().take_while(printable).count()
}

/// How many bytes of whole blocks from the start are clean.
fn clean_blocks(bytes: &[u8]) -> usize {
    dispatch!(Level::new(), _ => count_clean(bytes))
}

#[inline(always)]
fn count_clean(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    let clean = blocks.iter().take_while(|block| is_clean_block(block));
    clean.count() * BLOCK_BYTES
}

/// The fold has no early exit, so that the compiler turns it into vector code.
#[inline(always)]
fn is_clean_block(block: &[u8; BLOCK_BYTES]) -> bool {
    block
        .iter()
        .fold(true, |clean, byte| clean & is_clean(*byte))
}

#[inline(always)]
fn is_clean(byte: u8) -> bool {
    // Seen as signed, everything beyond ASCII lies below the blank too.
    let low = byte.cast_signed() < 0x20;
    let kept = (byte == b'\n') | (byte == b'\t');
    (!low | kept) & (byte != 0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_bytes_are_printable_ascii_line_feeds_and_tabs() {
        for byte in 0..=u8::MAX {
            let expected = matches!(byte, b'\n' | b'\t' | 0x20..=0x7E);
            assert_eq!(is_clean(byte), expected, "{byte:#x}");
        }
    }

    #[test]
    fn a_prefix_ends_before_what_needs_a_look() {
        for odd in [
            "\u{1b}", "\r", "\u{7f}", "\u{85}", "\u{ad}", "\u{200b}", "\u{e000}",
        ] {
            for before in [0, 1, 63, 64, 65, 127, 128, 200] {
                let seen = "aé日\t\n".repeat(40);
                let start = seen.floor_char_boundary(before);
                let text = format!(
                    "{}{odd}{}",
                    seen.get(..start).unwrap_or_default(),
                    "x".repeat(300)
                );
                assert_eq!(prefix(&text), start, "{odd:?} {before}");
            }
        }
        assert_eq!(prefix(&"x".repeat(1_000)), 1_000);
        assert_eq!(prefix(""), 0);
    }
}
