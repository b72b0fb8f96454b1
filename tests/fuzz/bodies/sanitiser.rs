//! Whatever bytes come, in whatever pieces: the text hides and moves nothing, scanning it again changes
//! nothing, it is at most eight times as long, and pieces change nothing.

use portcullis_core::text::{Sanitiser, is_hidden, sanitise};

pub(super) fn hold(data: &[u8]) {
    let whole = sanitise(data);
    for c in whole.text.chars() {
        // Joiners and one selector stay inside words and emoji; wide spaces are seen.
        let kept = matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE0F}') || c.is_whitespace();
        assert!(!c.is_control() || c == '\n' || c == '\t', "{c:?}");
        assert!(kept || !is_hidden(c), "{c:?}");
    }
    assert!(whole.text.len() <= data.len().saturating_mul(8));
    let twice = sanitise(whole.text.as_bytes());
    assert_eq!(twice.text, whole.text);
    assert!(twice.counts.is_empty());
    for size in [1, 2, 3, 7, 64] {
        let mut scanner = Sanitiser::default();
        let (mut text, mut overlooked) = (String::new(), Vec::new());
        for piece in data.chunks(size) {
            scanner.push(piece, &mut text);
            overlooked.extend(scanner.take_overlooked());
        }
        let (counts, rest) = scanner.finish(&mut text);
        overlooked.extend(rest);
        assert_eq!(text, whole.text, "in pieces of {size}");
        assert_eq!(counts, whole.counts, "in pieces of {size}");
        assert_eq!(overlooked, whole.overlooked, "in pieces of {size}");
    }
}
