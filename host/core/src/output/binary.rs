//! Tells binary output from text, and what to say instead of it. Never shows a byte of it.

use crate::request::sha256_hex;
use fearless_simd::{Level, dispatch};

/// Control bytes below which output counts as text however short it is.
const CONTROLS_MIN: usize = 8;
/// One control byte in so many makes output binary.
const CONTROL_SHARE: usize = 10;

/// The first bytes of common formats, and which may only count where the rest is no text.
#[rustfmt::skip]
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x7fELF", "ELF program"), (b"\x1f\x8b", "gzip data"), (b"BZh", "bzip2 data"), (b"\xfd7zXZ\0", "xz data"), (b"\x28\xb5\x2f\xfd", "zstd data"), (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"PK\x03\x04", "zip archive"), (b"PK\x05\x06", "zip archive"), (b"7z\xbc\xaf\x27\x1c", "7z archive"), (b"Rar!\x1a\x07", "rar archive"), (b"\x89PNG\r\n\x1a\n", "PNG image"), (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF87a", "GIF image"), (b"GIF89a", "GIF image"), (b"%PDF-", "PDF document"), (b"SQLite format 3\0", "SQLite database"), (b"\xca\xfe\xba\xbe", "Java class or Mach-O"), (b"\xcf\xfa\xed\xfe", "Mach-O program"),
    (b"MZ", "Windows program"), (b"\0asm", "WebAssembly module"), (b"OggS", "Ogg media"), (b"fLaC", "FLAC audio"), (b"ID3", "MP3 audio"), (b"RIFF", "RIFF media"), (b"\x30\x82", "DER data"),
    (b"!<arch>\n", "ar archive"), (b"\xed\xab\xee\xdb", "RPM package"), (b"\xff\xfe", "UTF-16 text"), (b"\xfe\xff", "UTF-16 text"), (b"\x80\x02", "Python pickle"), (b"\xd4\xc3\xb2\xa1", "packet capture"),
];

/// The line that stands for binary output; `None` for text.
pub(super) fn described(head: &[u8], tail: Option<&[u8]>, total: u64) -> Option<String> {
    if !is_binary(head, tail.unwrap_or_default()) {
        return None;
    }
    let digest = sha256_hex(head);
    let of = match tail {
        None => String::new(),
        Some(_) => format!(" of the first {} bytes", head.len()),
    };
    Some(format!(
        "[binary output: {total} bytes, {}, sha256{of} {digest}]",
        guess(head)
    ))
}

/// NUL, or more than a tenth of other control bytes. What programs print to terminals (escape
/// sequences, backspaces, bells, form feeds) speaks for text.
fn is_binary(head: &[u8], tail: &[u8]) -> bool {
    if [head, tail]
        .iter()
        .any(|end| memchr::memchr(0, end).is_some())
    {
        return true;
    }
    // Each end by itself, so that the compiler turns it into vector code.
    let controls = controls(head) + controls(tail);
    let known = MAGIC
        .iter()
        .any(|(magic, _)| head.starts_with(magic) && magic.iter().any(|byte| !byte.is_ascii()));
    let crowded = controls >= CONTROLS_MIN
        && controls.saturating_mul(CONTROL_SHARE) > head.len() + tail.len();
    crowded || (known && std::str::from_utf8(head).is_err_and(|fault| fault.error_len().is_some()))
}

fn controls(bytes: &[u8]) -> usize {
    dispatch!(Level::new(), _ => count_controls(bytes))
}

#[inline(always)]
fn count_controls(bytes: &[u8]) -> usize {
    // Without a branch, and few enough at a time for a count of one byte.
    let is_one = |byte: u8| {
        (byte < 0x20) & (byte.wrapping_sub(0x07) > 0x06) & (byte != 0x1B) | (byte == 0x7F)
    };
    let some = |bytes: &[u8]| {
        let count = |sum: u8, byte: &u8| sum.wrapping_add(u8::from(is_one(*byte)));
        usize::from(bytes.iter().fold(0, count))
    };
    bytes.chunks(usize::from(u8::MAX)).map(some).sum()
}

fn guess(head: &[u8]) -> &'static str {
    if head.get(257..262) == Some(b"ustar") {
        return "tar archive";
    }
    MAGIC
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map_or("unknown type", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn binary_output_is_described_and_not_shown() {
        let line = described(b"\x7fELF\x02\x01\0\0secret", None, 14).unwrap();
        assert!(
            line.starts_with("[binary output: 14 bytes, ELF program, sha256 "),
            "{line}"
        );
        assert!(!line.contains("secret") && !line.contains('\n'));
        assert!(
            described(b"\x1f\x8b\xff\xfe\x9d\x01zz", None, 8)
                .unwrap()
                .contains("gzip")
        );
        assert!(
            described(&[b"ab".as_slice(), &[1; 30]].concat(), None, 32)
                .unwrap()
                .contains("unknown type")
        );
        assert!(
            described(b"a", Some(b"\0"), 900)
                .unwrap()
                .contains("of the first 1 bytes")
        );
    }

    #[test]
    fn controls_are_those_that_no_program_prints_to_a_terminal() {
        let counted: Vec<u8> = (1..=u8::MAX)
            .filter(|byte| controls(&[*byte]) == 1)
            .collect();
        let named: Vec<u8> = (0x01..=0x06)
            .chain(0x0E..=0x1A)
            .chain(0x1C..=0x1F)
            .chain([0x7F])
            .collect();
        assert_eq!(counted, named);
        assert_eq!(controls(&[1; 1_000]), 1_000);
    }

    #[test]
    fn terminal_output_is_text() {
        for text in [
            "\x1b[31m#\x1b[0m".repeat(50),
            "N\x08NA\x08A".repeat(9),
            "grün".repeat(9),
            "a\x01b".to_owned(),
            "%PDF-1.4 is a header".to_owned(),
            String::new(),
        ] {
            assert_eq!(
                described(text.as_bytes(), None, text.len() as u64),
                None,
                "{text:?}"
            );
        }
        assert_eq!(
            described(b"caf\xe9 au lait, gr\xfcn, na\xefve", None, 24),
            None
        );
    }
}
