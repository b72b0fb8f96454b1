//! A text under work: what of it is looked at together, what is released. Judges nothing and keeps no state between
//! pieces.

use super::joints::{self, Joint};
use super::open::{Close, Open};
use super::rows::{Secrets, Table};
use super::scout::{Hit, Lead};
use super::source::Label;
use super::stream::{GROUP_BYTES_MAX, LINE_BYTES_MAX, Piece, suspect};
use super::stretches::Stretches;
use super::tables::{HEAD_BYTES_MAX, Head};
use super::view::{self, View};
use super::{Redactor, Span, blocks, printed};
use std::ops::Range;

/// Most bytes of a key's body that wait for the line that ends it.
const BODY_BYTES_MAX: usize = 13_312;
/// How much of the line before a group is kept, in bytes.
const PREVIOUS_BYTES_MAX: usize = 64;

/// How far a text is worked off.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// From where it must be kept.
    pub(super) keep: usize,
    pub(super) released: usize,
    /// Up to where nothing needs to be looked at again.
    pub(super) looked: usize,
}

impl Progress {
    /// The same with the kept part at the start.
    pub(super) fn from(self, keep: usize) -> Self {
        Self {
            keep: 0,
            released: self.released - keep,
            looked: self.looked - keep,
        }
    }
}

/// A text under work.
pub(super) struct Run<'a, 'e> {
    pub(super) redactor: &'a Redactor,
    pub(super) text: &'a str,
    pub(super) base: usize,
    pub(super) stretches: &'a Stretches,
    /// Whether nothing comes after the text.
    pub(super) end: bool,
    pub(super) emit: &'e mut dyn FnMut(Piece<'_>),
    pub(super) done: Progress,
    /// Where the last text was dropped up to. Nothing before it is looked back at, because in a stream it is gone.
    pub(super) floor: usize,
}

/// Longest line that may be a head with marks in it and what was erased, in bytes.
const RAW_HEAD_BYTES_MAX: usize = 4 * HEAD_BYTES_MAX;

/// Lines that are looked at together.
pub(super) enum Group {
    /// Where they stand, with the indentation of the block that they do not end.
    Lines(Range<usize>, Option<usize>),
    /// The first of them, in one line that is too long for that.
    Long(Range<usize>, Option<usize>),
}

/// The beginning of a line, as far as it is kept for the next.
pub(super) fn head_of(line: &str) -> &str {
    line.get(..line.floor_char_boundary(PREVIOUS_BYTES_MAX))
        .unwrap_or_default()
}

impl Run<'_, '_> {
    /// Gives the text up to `to` as it is.
    pub(super) fn pass(&mut self, to: usize) {
        if to > self.done.released {
            (self.emit)(Piece::Text(
                self.text.get(self.done.released..to).unwrap_or_default(),
            ));
            self.done.released = to;
        }
    }

    /// Goes on at `to`, where nothing before is of use.
    pub(super) fn skip(&mut self, to: usize) {
        self.floor = to;
        self.done = Progress {
            keep: to,
            released: to,
            looked: to,
        };
    }

    /// Gives the text up to `stop` with masks.
    pub(super) fn put(&mut self, spans: &[Span], stop: usize) {
        let bound = self.base + stop;
        for span in spans.iter().filter(|span| span.start < bound) {
            self.pass(span.start - self.base);
            (self.emit)(Piece::Mask(span));
            self.done.released = span.end - self.base;
        }
        self.pass(stop);
    }

    /// All that may be a secret in a part of the text, in order.
    pub(super) fn hits(&self, from: usize, to: usize, hits: &mut Vec<Hit>) {
        self.redactor
            .hits(self.text.get(from..to).unwrap_or_default(), hits);
        for hit in hits.iter_mut() {
            hit.at += from;
        }
        if !self.stretches.is_empty() {
            let split = self.stretches_in(from..to);
            hits.extend(split.iter().map(|range| suspect(range.start)));
            hits.sort_unstable();
        }
    }

    /// The stretches in a part of the text that a terminal would not have shown. Line ends are apart from what
    /// was erased beside them.
    pub(super) fn stretches_in(&self, part: Range<usize>) -> Vec<Range<usize>> {
        let mut split = Vec::new();
        for stretch in self
            .stretches
            .within(self.base + part.start..self.base + part.end)
        {
            let (mut at, end) = (stretch.start - self.base, stretch.end - self.base);
            let bytes = self.text.as_bytes().get(at..end).unwrap_or_default();
            for line in memchr::memchr_iter(b'\n', bytes) {
                let line = stretch.start - self.base + line;
                split.extend([at..line, line..line + 1]);
                at = line + 1;
            }
            split.push(at..end);
        }
        split.retain(|range| !range.is_empty());
        split
    }

    /// Where the line of a place begins, not before what is looked at.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let from = self.done.looked;
        let head = self.text.as_bytes().get(from..at).unwrap_or_default();
        memchr::memrchr(b'\n', head).map_or(from, |end| from + end + 1)
    }

    /// The beginning of the line before the one at `start`, if that is here.
    pub(super) fn line_before(&self, start: usize) -> Option<&str> {
        let head = self.text.get(..start)?.strip_suffix('\n')?;
        let from = memchr::memrchr(b'\n', head.as_bytes()).map_or(0, |end| end + 1);
        Some(head_of(head.get(from.max(self.floor)..)?))
    }

    /// The lines that belong to the next one; none if that is not known yet.
    pub(super) fn group(&self, hits: &[Hit]) -> Option<Group> {
        let line = self.done.looked;
        let rest = self.text.as_bytes().get(line..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(self.text.len(), |length| line + length);
        let of_line = hits.iter().take_while(|hit| hit.at <= end).last();
        let mut joint = Joint::new(self.text, line, of_line.map_or(line, |hit| hit.at));
        loop {
            let stop = joint.end();
            let soft = self.is_soft(stop);
            let group = |block| match soft {
                // What only carriage returns part is one line, however long.
                true => Group::Long(line..stop, block),
                false => Group::Lines(line..stop, block),
            };
            if !joint.wants(soft) || (stop >= self.text.len() && self.end) {
                return Some(Group::Lines(line..stop, None));
            }
            let rest = self.text.as_bytes().get(stop..).unwrap_or_default();
            let near = rest
                .get(..rest.len().min(LINE_BYTES_MAX))
                .unwrap_or_default();
            let after = match memchr::memchr(b'\n', near) {
                Some(length) => stop + length + 1,
                // The next line is too long to be looked at together with others.
                None if rest.len() >= LINE_BYTES_MAX => return Some(group(joint.block())),
                None if self.end => self.text.len(),
                None => return None,
            };
            if after - line > GROUP_BYTES_MAX {
                return Some(group(joint.block()));
            }
            if joint.block().is_none() && self.head(stop).is_some() {
                // It has lines of its own.
                return Some(Group::Lines(line..stop, None));
            }
            if !joint.take(after, soft) {
                return Some(Group::Lines(line..stop, None));
            }
        }
    }

    /// The table whose head the line at a place is, and where that line ends.
    pub(super) fn head(&self, at: usize) -> Option<(Head, usize)> {
        let rest = self.text.as_bytes().get(at..)?;
        let near = rest.get(..rest.len().min(RAW_HEAD_BYTES_MAX))?;
        let end = at + memchr::memchr(b'\n', near)? + 1;
        let head = Head::of(self.text.get(at..end)?);
        let head = head.or_else(|| Head::of(&self.shown(at..end)?.text))?;
        Some((head, end))
    }

    /// Reads a line as a row of a table, as it came and as a terminal would have shown it: the secrets in it, in
    /// bytes of all text, and the table as it is below it. None where the table is over.
    pub(super) fn row(&self, table: &Table, line: Range<usize>) -> Option<(Table, Vec<Span>)> {
        let came = table.row(self.text.get(line.clone()).unwrap_or_default());
        let view = self.shown(line.clone());
        let shown = view.as_ref().and_then(|view| table.row(&view.text));
        let span = |(cell, kind): (Range<usize>, &str)| Span {
            start: cell.start,
            end: cell.end,
            kind: kind.to_owned(),
            rule: "table".to_owned(),
            tag: String::new(),
        };
        let spans_of = |row: &Option<(Table, Secrets)>| -> Vec<Span> {
            let secrets = row.iter().flat_map(|(_, secrets)| secrets.iter().cloned());
            secrets.map(span).collect()
        };
        let mut spans = spans_of(&came);
        spans.extend(view.iter().flat_map(|view| view.back(spans_of(&shown))));
        spans.retain_mut(|span| {
            (span.start, span.end) = (
                span.start + line.start + self.base,
                span.end + line.start + self.base,
            );
            let (rule, kind) = (span.rule.as_str(), span.kind.as_str());
            self.redactor.is_on(Label { rule, kind })
        });
        let (table, _) = shown.or(came)?;
        Some((table, spans))
    }

    /// A line without the marks in it and what a terminal would have erased; none where that is all of it.
    fn shown(&self, line: Range<usize>) -> Option<View> {
        let text = self.text.get(line.clone())?;
        let mut left_out = view::marks(text);
        let erased = self.stretches_in(line.clone()).into_iter();
        let erased = erased.map(|range| range.start - line.start..range.end - line.start);
        left_out.extend(erased.filter(|range| text.get(range.clone()) != Some("\n")));
        View::without(text, left_out)
    }

    /// Where the first line ends, between two places, that not only a carriage return ends.
    pub(super) fn line_end(&self, from: usize, to: usize) -> Option<usize> {
        let part = self.text.as_bytes().get(from..to).unwrap_or_default();
        let mut ends = memchr::memchr_iter(b'\n', part).map(|length| from + length + 1);
        ends.find(|end| !self.is_soft(*end))
    }

    /// Whether only a carriage return ended the line before `stop`.
    pub(super) fn is_soft(&self, stop: usize) -> bool {
        let at = stop.saturating_sub(1);
        self.text.as_bytes().get(at) == Some(&b'\n') && self.stretches.has(self.base + at)
    }

    /// Whether any rule has something to look at in the lines of a group.
    pub(super) fn is_dirty(&self, group: &Range<usize>, hits: &[Hit]) -> bool {
        let text = self.text.get(group.clone()).unwrap_or_default();
        // A line is asked once for what it announces.
        let mut asked = 0;
        hits.iter().any(|hit| {
            let at = hit.at.saturating_sub(group.start);
            let names = hit.lead == Lead::Suspect || joints::names_secret(text, at);
            names
                || (at >= asked && {
                    let (announces, end) = printed::stands(text, at);
                    asked = end;
                    announces
                })
        })
    }

    /// The secrets of a part of the text, which stands after `lead`, with those that are known already, in bytes of
    /// all text.
    pub(super) fn find(&self, lead: &str, part: Range<usize>, mut known: Vec<Span>) -> Vec<Span> {
        let text = self.text.get(part.clone()).unwrap_or_default();
        let base = self.base + part.start;
        let split: Vec<Range<usize>> = self
            .stretches_in(part.clone())
            .into_iter()
            .map(|stretch| {
                let place = |at: usize| at - part.start + lead.len();
                place(stretch.start)..place(stretch.end)
            })
            .collect();
        for span in &mut known {
            span.start = span.start - base + lead.len();
            span.end = span.end - base + lead.len();
        }
        let mut spans = if lead.is_empty() {
            self.redactor.find_all(text, &split, known)
        } else {
            self.redactor
                .find_all(&format!("{lead}{text}"), &split, known)
        };
        spans.retain_mut(|span| {
            span.start = span.start.max(lead.len());
            span.start < span.end
        });
        for span in &mut spans {
            span.start = span.start - lead.len() + base;
            span.end = span.end - lead.len() + base;
        }
        spans
    }

    /// Where the lines begin before `to` that may be a key's body and have not been released.
    pub(super) fn body_start(&self, to: usize) -> usize {
        let mut start = to;
        let (mut short, mut long) = (0, 0);
        while start > self.done.released {
            let head = self
                .text
                .get(self.done.released..start - 1)
                .unwrap_or_default();
            let line = memchr::memrchr(b'\n', head.as_bytes())
                .map_or(self.done.released, |end| self.done.released + end + 1);
            let body = self.text.get(line..start - 1).unwrap_or_default();
            let is_short = body.len() < blocks::BODY_LINE_BYTES_MIN;
            short += usize::from(is_short);
            // One short line may end a body; a list of words is none.
            if to - line > BODY_BYTES_MAX
                || short > 1
                || (is_short && start != to)
                || !blocks::is_body(body.as_bytes())
            {
                break;
            }
            // Only what is of a body counts: a line that is not may be gone before the next one comes.
            long += usize::from(!is_short);
            start = line;
        }
        if long == 0 { to } else { start }
    }

    /// A value that fills its window and goes on.
    pub(super) fn value(&self, span: &Span, keep: usize) -> Open {
        let start = span.start - self.base;
        let before = self
            .text
            .get(keep..start)
            .unwrap_or_default()
            .bytes()
            .next_back();
        let close = match before {
            _ if span.rule == blocks::PRIVATE_KEY.rule => Close::Dashes("-----END"),
            Some(quote @ (b'"' | b'\'' | b'`')) => Close::Quote(quote),
            _ => Close::Blank,
        };
        Open::new(self.redactor, span.start, (&span.rule, &span.kind), close)
    }
}
