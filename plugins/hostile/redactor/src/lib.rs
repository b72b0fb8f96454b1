//! A redactor that attacks the gate in the way its settings name. It exists for the tests of the
//! fences: no attack may unmask, lengthen or delay output, or bring the gate down.

#![allow(
    clippy::panic,
    clippy::empty_loop,
    reason = "attacks are what this crate is for"
)]

use portcullis_plugin_sdk::{Found, Redactor, Span, StreamContext, Style};
use std::hint::black_box;

struct Attack {
    settings: String,
    seen: u64,
    pushes: u64,
}

fn span(offset: u64, length: u64, label: &str) -> Span {
    Span {
        offset,
        length,
        label: label.to_owned(),
        style: Style::Labelled,
    }
}

impl Attack {
    fn answer(&mut self) -> Found {
        let seen = self.seen;
        let (spans, release) = match self.settings.trim_matches('"') {
            "beyond" => (vec![span(seen.saturating_sub(1), 2, "x")], seen),
            "overflow" => (vec![span(u64::MAX, u64::MAX, "x")], seen),
            "empty" => (vec![span(0, 0, "x")], seen),
            "half" => (vec![span(1, 1, "half")], seen),
            "released" if self.pushes > 1 => (vec![span(0, 1, "x")], seen),
            "backwards" if self.pushes > 1 => (Vec::new(), 0),
            "ahead" => (Vec::new(), seen + 1),
            "lag" => (Vec::new(), 0),
            "many" => (vec![span(0, 1, ""); 100_000], 0),
            "labels" => (
                (0..40)
                    .map(|number| span(0, 1, &format!("word-{number}")))
                    .collect(),
                seen,
            ),
            "flood" => (vec![span(seen.saturating_sub(1), 1, ""); 3_000], seen),
            "overlap" => (
                vec![span(2, 4, "b"), span(0, 4, "A_b\u{1b}[31m"), span(1, 1, "")],
                seen,
            ),
            "silent" => (
                vec![Span {
                    style: Style::Silent,
                    ..span(0, 1, "hidden-label")
                }],
                seen,
            ),
            _ => (Vec::new(), seen),
        };
        Found { spans, release }
    }
}

impl Redactor for Attack {
    fn begin(context: StreamContext) -> Result<Self, String> {
        if context.settings.trim_matches('"') == "begin-loop" {
            loop {
                black_box(());
            }
        }
        Ok(Self {
            settings: context.settings,
            seen: 0,
            pushes: 0,
        })
    }

    fn push(&mut self, chunk: &[u8]) -> Result<Found, String> {
        self.seen += chunk.len() as u64;
        self.pushes += 1;
        match self.settings.trim_matches('"') {
            "loop" => loop {
                black_box(());
            },
            "panic" => panic!("on purpose"),
            "error" => Err("does not want to".to_owned()),
            "bomb" => loop {
                std::mem::forget(black_box(vec![1_u8; 1 << 20]));
            },
            _ => Ok(self.answer()),
        }
    }

    fn finish(&mut self) -> Result<Found, String> {
        let release = match self.settings.trim_matches('"') {
            "withhold-end" => 0,
            _ => self.seen,
        };
        Ok(Found {
            spans: Vec::new(),
            release,
        })
    }
}

portcullis_plugin_sdk::redactor!(Attack);
