//! Redaction: however a text is cut, the same comes out; spans are in order, apart and on borders; masking
//! masked text changes nothing; what is held is bounded.

use portcullis_core::redact::{Edge, Piece, Redactor, apply};

/// What a stream holds at most between pushes, in bytes.
const HELD_BYTES_MAX: usize = 65_536;

/// What comes out of a text in pieces whose lengths repeat.
fn streamed(redactor: &Redactor, text: &str, sizes: &[u8], edge: Edge) -> String {
    let mut out = String::new();
    let mut emit = |piece: Piece<'_>| match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Mask(span) => out.push_str(&span.mask()),
    };
    let mut stream = redactor.stream(edge);
    let mut rest = text;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = usize::from(*sizes.next().unwrap_or(&255)).max(1);
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
        stream.push(piece, &[], &mut emit);
        assert!(stream.held_bytes() <= HELD_BYTES_MAX);
        rest = after;
    }
    stream.finish(&mut emit);
    out
}

pub(super) fn hold(sizes: &[u8], text: &str) {
    let redactor = Redactor::default();
    let spans = redactor.find(text);
    let mut last = 0;
    for span in &spans {
        assert!(
            span.start >= last && span.start < span.end,
            "{text:?} {span:?}"
        );
        assert!(
            text.get(span.start..span.end).is_some(),
            "{text:?} {span:?}"
        );
        assert!(!span.rule.is_empty());
        last = span.end;
    }
    let (masked, counts) = redactor.mask(text);
    assert_eq!(counts.values().sum::<u64>() as usize, spans.len());
    assert_eq!(apply(text, &spans).0, masked, "{text:?}");
    for edge in [Edge::Whole, Edge::AfterGap] {
        assert_eq!(
            streamed(&redactor, text, sizes, edge),
            streamed(&redactor, text, &[255], edge),
            "{sizes:?} {text:?}"
        );
    }
    assert_eq!(
        streamed(&redactor, text, sizes, Edge::Whole),
        masked,
        "{sizes:?} {text:?}"
    );
}
