//! What has begun and has no end yet: keys, blocks, values longer than a window. It is dropped as it comes,
//! and one mask stands for it when its end, its bound or the end of the text is reached.

use super::blocks::{self, BLOCK_BYTES_MAX};
use super::joints;
use super::source::{Source, is_base64};
use super::{Mac256, Redactor, Span};
use hmac::Mac;

/// Most letters and dashes that end a key after its mark.
const LABEL_BYTES_MAX: usize = 96;
/// Longest line that a wrapped body has, in bytes.
const WRAPPED_BYTES_MAX: usize = 4_096;

/// What ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Close {
    /// The end of a key, with its label and dashes.
    Dashes(&'static str),
    /// The last line of a PuTTY key.
    Putty,
    /// A text of the operator's own.
    Text(String),
    /// A quote, or the end of the line.
    Quote(u8),
    /// A blank, a quote, or the end of the line.
    Blank,
    /// The first line that is not indented further.
    Indent(usize),
    /// The first line that is not hexadecimal.
    Hex,
    /// The first line that is not base64.
    Base64,
    /// Nothing.
    Never,
}

/// Something open.
#[derive(Debug)]
pub(super) struct Open {
    /// Where its mask begins, in bytes of all text.
    pub(super) start: usize,
    pub(super) kind: String,
    pub(super) rule: String,
    pub(super) close: Close,
    /// How many more bytes it may have.
    left: usize,
    /// Whether the last byte that was dropped ends a line. It belongs to the text behind.
    line_ended: bool,
    /// Whether the place is inside a line that belongs to it.
    in_line: bool,
    mac: Option<Mac256>,
}

/// How far something open was read.
pub(super) struct Read {
    /// Up to where it goes.
    pub(super) to: usize,
    /// Whether it ends there.
    pub(super) ends: bool,
}

impl Open {
    pub(super) fn new(
        redactor: &Redactor,
        start: usize,
        label: (&str, &str),
        close: Close,
    ) -> Self {
        let bounded = !matches!(close, Close::Quote(_) | Close::Blank | Close::Never);
        Self {
            start,
            rule: label.0.to_owned(),
            kind: label.1.to_owned(),
            close,
            left: if bounded { BLOCK_BYTES_MAX } else { usize::MAX },
            line_ended: false,
            in_line: false,
            mac: redactor.mac(),
        }
    }

    /// Takes text that belongs to it.
    pub(super) fn take(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.line_ended {
            self.sign(b"\n");
        }
        self.line_ended = self.is_of_lines() && text.ends_with('\n');
        self.left = self.left.saturating_sub(text.len());
        let shown = if self.line_ended {
            text.strip_suffix('\n').unwrap_or(text)
        } else {
            text
        };
        self.sign(shown.as_bytes());
    }

    fn sign(&mut self, bytes: &[u8]) {
        if let Some(mac) = &mut self.mac {
            mac.update(bytes);
        }
    }

    fn is_of_lines(&self) -> bool {
        matches!(self.close, Close::Indent(_) | Close::Hex | Close::Base64)
    }

    /// Its mask, where the text behind it begins at `end`, and whether a line end stands between.
    pub(super) fn close(self, end: usize) -> (Span, bool) {
        let end = end - usize::from(self.line_ended);
        let span = Span {
            start: self.start,
            end,
            kind: self.kind,
            rule: self.rule,
            tag: super::tag_of(self.mac),
        };
        (span, self.line_ended)
    }

    /// Reads on at `at`. What is read is taken; a few bytes may be left that wait for what follows them.
    pub(super) fn read(&mut self, text: &str, at: usize, end: bool) -> Read {
        let read = match &self.close {
            Close::Dashes(mark) => self.to_mark(text, at, end, mark, |source, after| {
                let label = source.run(after, LABEL_BYTES_MAX, |byte| {
                    byte.is_ascii_alphanumeric() || byte == b' '
                });
                source.run(label, 5, |byte| byte == b'-')
            }),
            Close::Putty => self.putty(text, at, end),
            Close::Text(mark) => self.to_mark(text, at, end, mark, |_, after| after),
            Close::Quote(quote) => to_quote(text, at, end, *quote),
            Close::Blank => {
                let source = Source::new(text);
                let to = source.run(at, text.len(), |byte| {
                    byte > b' ' && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
                });
                Read {
                    to,
                    ends: to < text.len(),
                }
            }
            Close::Never => Read {
                to: text.len(),
                ends: false,
            },
            Close::Indent(_) | Close::Hex | Close::Base64 => return self.lines(text, at, end),
        };
        self.take(text.get(at..read.to).unwrap_or_default());
        read
    }

    /// Up to a mark and what belongs to it.
    fn to_mark(
        &self,
        text: &str,
        at: usize,
        end: bool,
        mark: &str,
        rest: impl Fn(Source<'_>, usize) -> usize,
    ) -> Read {
        let bound = text.ceil_char_boundary(text.len().min(at.saturating_add(self.left)));
        let hay = text.get(at..bound).unwrap_or_default();
        if let Some(offset) = hay.find(mark) {
            let after = at + offset + mark.len();
            let to = rest(Source::new(text), after);
            if to + LABEL_BYTES_MAX + 8 > text.len() && !end {
                // The label may go on.
                return Read {
                    to: at + offset,
                    ends: false,
                };
            }
            return Read { to, ends: true };
        }
        if at.saturating_add(self.left) <= text.len() {
            return Read {
                to: bound,
                ends: true,
            };
        }
        let held = if end { 0 } else { mark.len() - 1 };
        Read {
            to: text
                .floor_char_boundary(text.len().saturating_sub(held))
                .max(at),
            ends: false,
        }
    }

    fn putty(&self, text: &str, at: usize, end: bool) -> Read {
        let bound = text.ceil_char_boundary(text.len().min(at.saturating_add(self.left)));
        let hay = text.get(at..bound).unwrap_or_default();
        let mark = [hay.find("Private-MAC:"), hay.find("Private-Hash:")]
            .into_iter()
            .flatten()
            .min();
        let Some(offset) = mark else {
            return self.to_mark(text, at, end, "Private-MAC:", |_, after| after);
        };
        let source = Source::new(text);
        let to = source.run(at + offset, WRAPPED_BYTES_MAX, |byte| byte != b'\n');
        if to == text.len() && !end && to - at - offset < WRAPPED_BYTES_MAX {
            return Read {
                to: at + offset,
                ends: false,
            };
        }
        Read { to, ends: true }
    }

    /// Line by line as long as they belong to it.
    fn lines(&mut self, text: &str, from: usize, end: bool) -> Read {
        let mut at = from;
        loop {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let line_end = memchr::memchr(b'\n', rest).map(|length| at + length + 1);
            if self.in_line {
                let to = line_end.unwrap_or(text.len());
                self.take(text.get(at..to).unwrap_or_default());
                self.in_line = line_end.is_none();
                at = to;
                if self.in_line {
                    return Read {
                        to: at,
                        ends: false,
                    };
                }
                continue;
            }
            let known = line_end.is_some() || end || rest.len() >= WRAPPED_BYTES_MAX;
            if !known {
                return Read {
                    to: at,
                    ends: false,
                };
            }
            let line = text
                .get(at..line_end.unwrap_or(text.len()))
                .unwrap_or_default();
            if line.is_empty() || self.left == 0 || !self.belongs(line) {
                return Read { to: at, ends: true };
            }
            self.in_line = true;
        }
    }

    fn belongs(&self, line: &str) -> bool {
        let shown = line.trim();
        match self.close {
            Close::Indent(outer) => joints::is_deeper(line, outer),
            Close::Hex => {
                shown.len() >= 2
                    && shown.len() < WRAPPED_BYTES_MAX
                    && shown.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Close::Base64 => {
                shown.len() >= 4 && shown.len() < WRAPPED_BYTES_MAX && shown.bytes().all(is_base64)
            }
            _ => false,
        }
    }

    /// What the lines of a group leave open behind its spans.
    pub(super) fn left(
        redactor: &Redactor,
        text: &str,
        spans: &[Span],
        base: usize,
        block: Option<usize>,
    ) -> Option<Self> {
        let make = |start: usize, label: (&str, &str), close: Close| {
            // A span that reaches over the beginning begins the mask.
            let start = spans
                .iter()
                .filter(|span| span.start < start && span.end > start)
                .map(|span| span.start)
                .min()
                .unwrap_or(start);
            Some(Self::new(redactor, start, label, close))
        };
        let key = blocks::PRIVATE_KEY;
        if redactor.is_on(key)
            && let Some((start, close)) = blocks::left_open(text)
        {
            return make(base + start, (key.rule, key.kind), close);
        }
        if let Some((start, label, close)) = redactor.own_block_left_open(text) {
            return make(
                base + start,
                (label.rule, label.kind),
                Close::Text(close.to_owned()),
            );
        }
        let end = base + text.trim_end().len();
        let last = spans.last().filter(|span| span.end >= end);
        let vault = blocks::VAULT;
        if redactor.is_on(vault) && blocks::is_vault_header(text) {
            return Some(Self::new(
                redactor,
                base + text.len(),
                (vault.rule, vault.kind),
                Close::Hex,
            ));
        }
        let last = last?;
        let close = match (last.rule.as_str(), block) {
            (rule, _) if rule == vault.rule => Close::Hex,
            ("encoded-key", _) => Close::Base64,
            (_, Some(indent)) => Close::Indent(indent),
            _ => return None,
        };
        Some(Self::new(
            redactor,
            last.start,
            (&last.rule, &last.kind),
            close,
        ))
    }
}

/// Up to a quote that no backslash takes away, or the end of the line.
fn to_quote(text: &str, at: usize, end: bool, quote: u8) -> Read {
    let source = Source::new(text);
    let mut to = at;
    loop {
        to = source.run(to, text.len(), |byte| {
            byte != quote && !matches!(byte, b'\\' | b'\n')
        });
        if to >= text.len() {
            return Read { to, ends: false };
        }
        if source.at(to) != b'\\' {
            return Read { to, ends: true };
        }
        if to + 1 >= text.len() {
            return Read {
                to: if end { text.len() } else { to },
                ends: false,
            };
        }
        to = text.ceil_char_boundary(to + 2);
    }
}
