//! Output past a redactor that answers with anything at all: either all of it is withheld, because a span makes no
//! sense, or nothing that a span covers is left, nothing else is lost, and no label says what a label may not.

use portcullis_core::output::{Context, PluginFailure, Scrubber, scrub_text};
use portcullis_core::redact::{Redactor, Span};
use std::sync::Mutex;

/// Labels that a guest may try.
const LABELS: [&str; 6] = [
    "x",
    "X_y",
    "]x[",
    "\u{1b}[2J",
    "",
    "REDACTED:a-very-long-label-of-more-than-thirty-two",
];

/// Answers with its spans, and keeps what it was shown.
struct Liar {
    spans: Vec<Span>,
    shown: Mutex<Vec<String>>,
}

impl Scrubber for Liar {
    fn spans(&self, _: &Context<'_>, text: &str) -> Result<Vec<Span>, (String, PluginFailure)> {
        self.shown.lock().unwrap().push(text.to_owned());
        Ok(self.spans.clone())
    }
}

/// Each span is four bytes: where it begins, how far it reaches, how far it falls back, its label.
pub(super) fn hold(places: &[u8], bytes: &[u8]) {
    let spans: Vec<Span> = places
        .chunks_exact(4)
        .map(|place| Span {
            start: usize::from(place[0]) * 3,
            end: (usize::from(place[0]) * 3)
                .wrapping_add(usize::from(place[1]))
                .wrapping_sub(usize::from(place[2] >> 4)),
            kind: LABELS[usize::from(place[3]) % LABELS.len()].to_owned(),
            ..Span::default()
        })
        .collect();
    let liar = Liar {
        spans,
        shown: Mutex::new(Vec::new()),
    };
    let out = scrub_text(bytes, &Redactor::default(), &liar, "web1", &[]);
    let seen = liar.shown.into_inner().unwrap();
    let masked = out.stdout.as_str();
    assert!(
        masked
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\t')),
        "{masked:?}"
    );
    let [text] = seen.as_slice() else {
        // Nothing to look at, or a line that stands for binary output.
        assert!(seen.is_empty());
        return;
    };
    let broken = |span: &Span| span.start > span.end || span.start > text.len();
    if liar.spans.iter().any(broken) {
        assert!(
            out.withheld.is_some() && masked.is_empty(),
            "{places:?} {text:?} {masked:?}"
        );
        return;
    }
    assert!(out.withheld.is_none(), "{places:?} {text:?}");
    // The native masks look the same, so only a text without them can be told apart.
    if text.contains("[REDACTED") {
        return;
    }
    let covered = |at: usize| {
        liar.spans
            .iter()
            .any(|span| span.start <= at && at < span.end)
    };
    let (mut at, mut left) = (0, 0);
    for (index, piece) in masked.split("[REDACTED:").enumerate() {
        // All but the first begin with the rest of a mask.
        let piece = match index {
            0 => piece,
            _ => {
                let (label, piece) = piece.split_once(']').unwrap();
                assert!(
                    label.len() <= 32
                        && label
                            .bytes()
                            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                    "{label:?}"
                );
                piece
            }
        };
        let found = text[at..].find(piece).map(|offset| at + offset);
        assert!(found.is_some(), "{places:?} {text:?} {masked:?}");
        at = found.unwrap() + piece.len();
        left += piece.len();
    }
    let uncovered = (0..text.len()).filter(|at| !covered(*at)).count();
    assert!(left <= uncovered, "{places:?} {text:?} {masked:?}");
}
