//! Masking of spans as a plugin may give them: whatever they are, nothing that they cover is left, and
//! nothing else is lost.

use portcullis_core::redact::{Span, apply};

pub(super) fn hold(places: &[u8], text: &str) {
    let spans: Vec<Span> = places
        .chunks_exact(3)
        .map(|place| Span {
            start: usize::from(place[0]) * 3,
            end: (usize::from(place[0]) * 3)
                .wrapping_add(usize::from(place[1]))
                .wrapping_sub(usize::from(place[2])),
            kind: "x".to_owned(),
            ..Span::default()
        })
        .collect();
    let (masked, counts) = apply(text, &spans);
    let covered = |at: usize| spans.iter().any(|span| span.start <= at && at < span.end);
    // What is left is the text without stretches that hold all that is covered, in order.
    let pieces: Vec<&str> = masked.split("[REDACTED:x]").collect();
    if !text.contains("[REDACTED:") {
        assert_eq!(
            counts.values().sum::<u64>() as usize + 1,
            pieces.len(),
            "{places:?} {text:?}"
        );
        let mut at = 0;
        for piece in &pieces {
            let found = text[at..].find(piece).map(|offset| at + offset);
            assert!(found.is_some(), "{places:?} {text:?} {masked:?}");
            at = found.unwrap() + piece.len();
        }
        let left: usize = pieces.iter().map(|piece| piece.len()).sum();
        let uncovered = (0..text.len()).filter(|at| !covered(*at)).count();
        assert!(left <= uncovered, "{places:?} {text:?} {masked:?}");
    }
    assert!(masked.len() <= text.len() + spans.len() * "[REDACTED:x]".len());
}
