//! Works a text off: which lines pass, which are looked at together, what is masked and released. Every step
//! depends on the text alone, never on how much of it is there yet: what cannot be decided waits.

use super::joints::{self, Joint};
use super::open::{Close, Open};
use super::scout::{Hit, Lead};
use super::stream::{GROUP_BYTES_MAX, LINE_BYTES_MAX, Piece, STRETCHES_MAX, suspect};
use super::{Edge, Redactor, Span, blocks};
use std::ops::Range;

/// How much of a window is only looked ahead into, in bytes: longer than any token on one line.
const AHEAD_BYTES: usize = 4_096;
/// A value that ends so far before the end of its window ends for sure, in bytes.
const SURE_BYTES: usize = 1_024;
/// How much before a window is kept for the names in front of values, in bytes.
const CONTEXT_BYTES: usize = 1_024;
/// Most bytes of a key's body that wait for the line that ends it.
const BODY_BYTES_MAX: usize = 13_312;
/// How far after a gap the end of a key is looked for whose beginning is missing, in bytes.
const GAP_BYTES_MAX: usize = 32_768;
/// How much of the line before a group is kept, in bytes.
const PREVIOUS_BYTES_MAX: usize = 64;

/// Rule and kind of the one mask for all text, where the rules cannot be asked.
const WITHHELD: (&str, &str) = ("withheld", "withheld");

/// What the machine knows beside the text.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// What has begun and not ended.
    open: Option<Open>,
    /// Whether the place where the text goes on is inside a long line.
    in_long_line: bool,
    /// Whether a block may have begun in what is missing before the text.
    after_gap: bool,
    /// The beginning of the line before.
    previous: String,
    hits: Vec<Hit>,
}

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
struct Run<'a, 'e> {
    redactor: &'a Redactor,
    text: &'a str,
    base: usize,
    stretches: &'a [Range<usize>],
    /// Whether nothing comes after the text.
    end: bool,
    emit: &'e mut dyn FnMut(Piece<'_>),
    done: Progress,
}

impl Work {
    pub(super) fn new(redactor: &Redactor, edge: Edge) -> Self {
        let withheld = redactor.withholds();
        Self {
            open: withheld.then(|| Open::new(redactor, 0, WITHHELD, Close::Never)),
            after_gap: edge == Edge::AfterGap && !withheld,
            ..Self::default()
        }
    }

    /// Whether text is being dropped.
    pub(super) fn drops(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.hits.capacity() * size_of::<Hit>() + self.previous.capacity()
    }

    /// Works off as much of a text, which begins at a place in all text, as can be decided.
    pub(super) fn advance(
        &mut self,
        redactor: &Redactor,
        (text, base): (&str, usize),
        done: Progress,
        stretches: &[Range<usize>],
        end: bool,
        emit: &mut dyn FnMut(Piece<'_>),
    ) -> Progress {
        let mut run = Run {
            redactor,
            text,
            base,
            stretches,
            end,
            emit,
            done,
        };
        if self.after_gap && !self.close_gap(&mut run) {
            return done;
        }
        let mut goes_on = true;
        while goes_on && run.done.looked < text.len() {
            goes_on = if self.open.is_some() {
                self.drop(&mut run)
            } else if self.in_long_line {
                self.window(&mut run)
            } else {
                self.some_lines(&mut run)
            };
        }
        if end && run.done.looked >= text.len() {
            // Lines that waited for the end of a key have waited in vain.
            run.pass(text.len());
        }
        if !self.in_long_line {
            run.done.keep = run.done.released;
        }
        if let Some(line) = run
            .line_before(run.done.keep)
            .filter(|_| !self.in_long_line)
        {
            self.previous = line.to_owned();
        }
        // Room for the hits of a whole text is not kept.
        self.hits = Vec::new();
        run.done
    }

    /// Masks what is open at the end of the text.
    pub(super) fn finish(
        &mut self,
        redactor: &Redactor,
        end: usize,
        emit: &mut dyn FnMut(Piece<'_>),
    ) {
        if let Some(open) = self.open.take() {
            close(open, redactor, end, emit);
        }
    }

    /// After a gap: masks up to the end of a key whose beginning is missing. Says whether it could.
    fn close_gap(&mut self, run: &mut Run<'_, '_>) -> bool {
        if !run.end && run.text.len() < GAP_BYTES_MAX {
            return false;
        }
        self.after_gap = false;
        let window = run.text.floor_char_boundary(GAP_BYTES_MAX);
        let window = run.text.get(..window).unwrap_or_default();
        let key = blocks::PRIVATE_KEY;
        if run.redactor.is_on(key)
            && let Some(stop) = blocks::ends_unbegun(window)
        {
            let mut open = Open::new(run.redactor, run.base, (key.rule, key.kind), Close::Blank);
            open.take(run.text.get(..stop).unwrap_or_default());
            close(open, run.redactor, run.base + stop, run.emit);
            run.skip(stop);
        }
        true
    }

    /// Reads on in what is open.
    fn drop(&mut self, run: &mut Run<'_, '_>) -> bool {
        let Some(open) = &mut self.open else {
            return true;
        };
        let read = open.read(run.text, run.done.looked, run.end);
        run.skip(read.to);
        if !read.ends {
            return false;
        }
        if let Some(open) = self.open.take() {
            // A value in a long line ends inside it; all else ends where a line may begin.
            self.in_long_line &= matches!(open.close, Close::Quote(_) | Close::Blank);
            close(open, run.redactor, run.base + read.to, run.emit);
        }
        self.previous.clear();
        true
    }

    /// Works off the lines that end within a window, or finds that a long one begins.
    fn some_lines(&mut self, run: &mut Run<'_, '_>) -> bool {
        let from = run.done.looked;
        let rest = run.text.as_bytes().get(from..).unwrap_or_default();
        let near = rest
            .get(..rest.len().min(LINE_BYTES_MAX))
            .unwrap_or_default();
        match memchr::memrchr(b'\n', near) {
            Some(last) => self.lines(run, from + last + 1),
            None if rest.len() >= LINE_BYTES_MAX => {
                run.pass(from);
                run.done.keep = from;
                self.in_long_line = true;
                true
            }
            None if run.end => self.lines(run, run.text.len()),
            None => false,
        }
    }

    /// Works off whole lines up to `to`. Says whether to go on.
    fn lines(&mut self, run: &mut Run<'_, '_>, to: usize) -> bool {
        let mut hits = std::mem::take(&mut self.hits);
        run.hits(run.done.looked, to, &mut hits);
        let mut next = 0;
        let mut goes_on = true;
        while let Some(hit) = hits.get(next).copied() {
            if hit.at < run.done.looked {
                next += 1;
                continue;
            }
            // Nothing before this line concerns it, except a key's body that waits for its end.
            run.done.looked = run.line_start(hit.at);
            let Some((group, block)) = run.group(hits.get(next..).unwrap_or_default()) else {
                goes_on = false;
                break;
            };
            let behind = hits.get(next..).unwrap_or_default();
            let count = behind.iter().take_while(|hit| hit.at < group.end).count();
            let of_group = behind.get(..count).unwrap_or_default();
            next += count;
            let mut further = Vec::new();
            if group.end > to {
                run.hits(to, group.end, &mut further);
            }
            if run.is_dirty(&group, of_group) || run.is_dirty(&group, &further) {
                self.settle(run, group.clone(), block);
            }
            run.done.looked = group.end;
            if self.open.is_some() {
                break;
            }
        }
        self.hits = hits;
        if self.open.is_some() {
            return true;
        }
        if goes_on {
            run.done.looked = run.done.looked.max(to);
        }
        let is_last = run.end && run.done.looked >= run.text.len();
        let hold = if is_last {
            run.done.looked
        } else {
            run.body_start(run.done.looked)
        };
        run.pass(hold);
        goes_on
    }

    /// Finds and masks in the lines of a group, and sees what it leaves open.
    fn settle(&mut self, run: &mut Run<'_, '_>, group: Range<usize>, block: Option<usize>) {
        let lines = run.text.get(group.clone()).unwrap_or_default();
        let start = if blocks::ends_unbegun(lines).is_some() {
            run.body_start(group.start)
        } else {
            group.start
        };
        let text = run.text.get(start..group.end).unwrap_or_default();
        let lead = if joints::looks_back(lines) {
            run.line_before(start).unwrap_or(&self.previous).to_owned() + "\n"
        } else {
            String::new()
        };
        let spans = run.find(&lead, start..group.end);
        let open = Open::left(run.redactor, text, &spans, run.base + start, block);
        if spans.is_empty() && open.is_none() {
            return;
        }
        self.show(run, &spans, open, group.end);
    }

    /// Gives the text up to `stop` with its masks; what is open takes the rest.
    fn show(&mut self, run: &mut Run<'_, '_>, spans: &[Span], open: Option<Open>, stop: usize) {
        match open {
            Some(mut open) => {
                let start = open.start - run.base;
                run.put(spans, start);
                open.take(run.text.get(start..stop).unwrap_or_default());
                run.skip(stop);
                self.open = Some(open);
            }
            None => run.put(spans, stop),
        }
    }

    /// Works off the next part of a long line. Says whether to go on.
    fn window(&mut self, run: &mut Run<'_, '_>) -> bool {
        let (keep, from) = (run.done.keep, run.done.released);
        let rest = run.text.as_bytes().get(from..).unwrap_or_default();
        let near = rest
            .get(..rest.len().min(LINE_BYTES_MAX))
            .unwrap_or_default();
        let line_end = memchr::memchr(b'\n', near).map(|length| from + length + 1);
        let is_last = line_end.is_some() || (run.end && rest.len() <= LINE_BYTES_MAX);
        if !is_last && rest.len() < LINE_BYTES_MAX {
            return false;
        }
        let stop = match line_end {
            Some(end) => end,
            None => run
                .text
                .floor_char_boundary(from.saturating_add(LINE_BYTES_MAX)),
        };
        let mut hits = std::mem::take(&mut self.hits);
        run.hits(keep, stop, &mut hits);
        let dirty = run.is_dirty(&(keep..stop), &hits);
        self.hits = hits;
        let mut spans = if dirty {
            run.find("", keep..stop)
        } else {
            Vec::new()
        };
        spans.retain_mut(|span| {
            span.start = span.start.max(run.base + from);
            span.start < span.end
        });
        if is_last {
            let text = run.text.get(keep..stop).unwrap_or_default();
            let open = Open::left(run.redactor, text, &spans, run.base + keep, None);
            let open = open.filter(|_| dirty).map(|mut open| {
                open.start = open.start.max(run.base + from);
                open
            });
            self.in_long_line = false;
            self.show(run, &spans, open, stop);
            run.done.looked = stop;
            return true;
        }
        let mut cut = run.text.floor_char_boundary(stop - AHEAD_BYTES);
        let over = spans
            .iter()
            .find(|span| span.start < run.base + cut && span.end > run.base + cut);
        if let Some(span) = over {
            let (start, end) = (span.start - run.base, span.end - run.base);
            if end + SURE_BYTES <= stop {
                cut = end;
            } else if start > from {
                cut = start;
            } else {
                let open = run.value(span, keep);
                self.show(run, &[], Some(open), stop);
                return true;
            }
        }
        run.put(&spans, cut);
        run.done.looked = cut;
        run.done.keep = run
            .text
            .floor_char_boundary(cut.saturating_sub(CONTEXT_BYTES))
            .max(keep);
        true
    }
}

fn close(open: Open, _: &Redactor, end: usize, emit: &mut dyn FnMut(Piece<'_>)) {
    let (span, line_ended) = open.close(end);
    if span.start < span.end {
        emit(Piece::Mask(&span));
    }
    if line_ended {
        emit(Piece::Text("\n"));
    }
}

/// The beginning of a line, as far as it is kept for the next.
fn head_of(line: &str) -> &str {
    line.get(..line.floor_char_boundary(PREVIOUS_BYTES_MAX))
        .unwrap_or_default()
}

impl Run<'_, '_> {
    /// Gives the text up to `to` as it is.
    fn pass(&mut self, to: usize) {
        if to > self.done.released {
            (self.emit)(Piece::Text(
                self.text.get(self.done.released..to).unwrap_or_default(),
            ));
            self.done.released = to;
        }
    }

    /// Goes on at `to`, where nothing before is of use.
    fn skip(&mut self, to: usize) {
        self.done = Progress {
            keep: to,
            released: to,
            looked: to,
        };
    }

    /// Gives the text up to `stop` with masks.
    fn put(&mut self, spans: &[Span], stop: usize) {
        let bound = self.base + stop;
        for span in spans.iter().filter(|span| span.start < bound) {
            self.pass(span.start - self.base);
            (self.emit)(Piece::Mask(span));
            self.done.released = span.end - self.base;
        }
        self.pass(stop);
    }

    /// All that may be a secret in a part of the text, in order.
    fn hits(&self, from: usize, to: usize, hits: &mut Vec<Hit>) {
        self.redactor
            .hits(self.text.get(from..to).unwrap_or_default(), hits);
        for hit in hits.iter_mut() {
            hit.at += from;
        }
        let split = self.stretches_in(from..to);
        if !split.is_empty() {
            hits.extend(
                split
                    .iter()
                    .map(|range| suspect(range.start.max(self.base + from) - self.base)),
            );
            hits.sort_unstable();
        }
    }

    fn stretches_in(&self, range: Range<usize>) -> &[Range<usize>] {
        let (from, to) = (self.base + range.start, self.base + range.end);
        let first = self
            .stretches
            .partition_point(|stretch| stretch.end <= from);
        let rest = self.stretches.get(first..).unwrap_or_default();
        let count = rest.partition_point(|stretch| stretch.start < to);
        rest.get(..count.min(STRETCHES_MAX)).unwrap_or_default()
    }

    /// Where the line of a place begins, not before what is looked at.
    fn line_start(&self, at: usize) -> usize {
        let from = self.done.looked;
        let head = self.text.as_bytes().get(from..at).unwrap_or_default();
        memchr::memrchr(b'\n', head).map_or(from, |end| from + end + 1)
    }

    /// The beginning of the line before the one at `start`, if that is here.
    fn line_before(&self, start: usize) -> Option<&str> {
        let head = self.text.get(..start)?.strip_suffix('\n')?;
        let from = memchr::memrchr(b'\n', head.as_bytes()).map_or(0, |end| end + 1);
        Some(head_of(head.get(from..)?))
    }

    /// The lines that belong to the next one, with the indentation of the block that they do not end; none
    /// if that is not known yet.
    fn group(&self, hits: &[Hit]) -> Option<(Range<usize>, Option<usize>)> {
        let line = self.done.looked;
        let rest = self.text.as_bytes().get(line..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(self.text.len(), |length| line + length);
        let of_line = hits.iter().take_while(|hit| hit.at <= end).last();
        let mut joint = Joint::new(self.text, line, of_line.map_or(line, |hit| hit.at));
        loop {
            let stop = joint.end();
            let soft = self.is_soft(line, stop);
            if !joint.wants(soft) || (stop >= self.text.len() && self.end) {
                return Some((line..stop, None));
            }
            let rest = self.text.as_bytes().get(stop..).unwrap_or_default();
            let near = rest
                .get(..rest.len().min(LINE_BYTES_MAX))
                .unwrap_or_default();
            let after = match memchr::memchr(b'\n', near) {
                Some(length) => stop + length + 1,
                // The next line is too long to be looked at together with others.
                None if rest.len() >= LINE_BYTES_MAX => return Some((line..stop, joint.block())),
                None if self.end => self.text.len(),
                None => return None,
            };
            if after - line > GROUP_BYTES_MAX {
                return Some((line..stop, joint.block()));
            }
            if !joint.take(after, soft) {
                return Some((line..stop, None));
            }
        }
    }

    /// Whether only a carriage return ended the line before `stop`.
    fn is_soft(&self, line: usize, stop: usize) -> bool {
        let at = stop.saturating_sub(1);
        self.stretches_in(line..stop).len() < STRETCHES_MAX
            && self.text.as_bytes().get(at) == Some(&b'\n')
            && !self.stretches_in(at..stop).is_empty()
    }

    /// Whether any rule has something to look at in the lines of a group.
    fn is_dirty(&self, group: &Range<usize>, hits: &[Hit]) -> bool {
        let text = self.text.get(group.clone()).unwrap_or_default();
        hits.iter().any(|hit| {
            hit.lead == Lead::Suspect
                || joints::names_secret(text, hit.at.saturating_sub(group.start))
        })
    }

    /// The secrets of a part of the text, which stands after `lead`, in bytes of all text.
    fn find(&self, lead: &str, part: Range<usize>) -> Vec<Span> {
        let text = self.text.get(part.clone()).unwrap_or_default();
        let base = self.base + part.start;
        let split: Vec<Range<usize>> = self
            .stretches_in(part)
            .iter()
            .map(|stretch| {
                let (from, to) = (stretch.start.max(base) - base, stretch.end - base);
                from + lead.len()..to.min(text.len()) + lead.len()
            })
            .collect();
        let mut spans = if lead.is_empty() {
            self.redactor.find_all(text, &split)
        } else {
            self.redactor.find_all(&format!("{lead}{text}"), &split)
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
    fn body_start(&self, to: usize) -> usize {
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
            long += usize::from(!is_short);
            // One short line may end a body; a list of words is none.
            if to - line > BODY_BYTES_MAX
                || short > 1
                || (is_short && start != to)
                || !blocks::is_body(body.as_bytes())
            {
                break;
            }
            start = line;
        }
        if long == 0 { to } else { start }
    }

    /// A value that fills its window and goes on.
    fn value(&self, span: &Span, keep: usize) -> Open {
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
