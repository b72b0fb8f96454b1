//! Works a text off: which lines pass, which are looked at together, what is masked and released. Every step
//! depends on the text alone, never on how much of it is there yet: what cannot be decided waits.

use super::joints;
use super::open::{Close, Open};
use super::rows::Table;
use super::run::{Group, Progress, Run, head_of};
use super::scout::Hit;
use super::stream::{LINE_BYTES_MAX, Piece};
use super::stretches::Stretches;
use super::{Edge, OpenTable, Redactor, Span, blocks};
use std::ops::Range;

/// How much of a window is only looked ahead into, in bytes: longer than any token on one line.
const AHEAD_BYTES: usize = 4_096;
/// A value that ends so far before the end of its window ends for sure, in bytes.
const SURE_BYTES: usize = 1_024;
/// How much before a window is kept for the names in front of values, in bytes.
const CONTEXT_BYTES: usize = 1_024;
/// How far after a gap the end of a key is looked for whose beginning is missing, in bytes.
const GAP_BYTES_MAX: usize = 32_768;

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
    /// Up to where a long line has no end, in bytes of all text.
    searched: usize,
    /// The beginning of the line before.
    previous: String,
    /// The table whose rows follow.
    table: Option<Table>,
    hits: Vec<Hit>,
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

    /// The same behind a gap, before which a table was open.
    pub(super) fn below(mut self, table: OpenTable) -> Self {
        self.table = table.0.map(Table::apart);
        self
    }

    /// Whether text is being dropped.
    pub(super) fn drops(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn held_bytes(&self) -> usize {
        let table = self.table.as_ref().map_or(0, Table::held_bytes);
        self.hits.capacity() * size_of::<Hit>() + self.previous.capacity() + table
    }

    /// Works off as much of a text, which begins at a place in all text, as can be decided.
    pub(super) fn advance(
        &mut self,
        redactor: &Redactor,
        (text, base): (&str, usize),
        done: Progress,
        stretches: &Stretches,
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
            floor: 0,
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

    /// Masks what is open at the end of the text, and gives the table that may go on.
    pub(super) fn finish(
        &mut self,
        redactor: &Redactor,
        end: usize,
        emit: &mut dyn FnMut(Piece<'_>),
    ) -> OpenTable {
        if let Some(open) = self.open.take() {
            close(open, redactor, end, emit);
        }
        OpenTable(self.table.take())
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
                self.begin_long_line(run);
                true
            }
            None if run.end => self.lines(run, run.text.len()),
            None => false,
        }
    }

    fn begin_long_line(&mut self, run: &mut Run<'_, '_>) {
        let from = run.done.looked;
        run.pass(from);
        run.done.keep = from;
        // Only here is its beginning still at hand for the line below it.
        let line = run.text.get(from..).unwrap_or_default();
        self.previous = head_of(line).to_owned();
        self.in_long_line = true;
        self.searched = run.base + from;
        self.table = self.table.take().map(Table::apart);
    }

    /// Works off whole lines up to `to`. Says whether to go on.
    fn lines(&mut self, run: &mut Run<'_, '_>, to: usize) -> bool {
        let mut hits = std::mem::take(&mut self.hits);
        run.hits(run.done.looked, to, &mut hits);
        let mut next = 0;
        let mut goes_on = self.rows(run, &hits, to);
        while let Some(hit) = hits
            .get(next)
            .copied()
            .filter(|_| goes_on && self.open.is_none() && !self.in_long_line)
        {
            if hit.at < run.done.looked {
                next += 1;
                continue;
            }
            // Nothing before this line concerns it, except a key's body that waits for its end.
            run.done.looked = run.line_start(hit.at);
            let head = run.head(run.done.looked);
            let alone = head
                .as_ref()
                .map(|(_, end)| Group::Lines(run.done.looked..*end, None));
            let behind = hits.get(next..).unwrap_or_default();
            let (group, block) = match alone.or_else(|| run.group(behind)) {
                Some(Group::Lines(group, block)) => (group, block),
                Some(Group::Long(..)) => {
                    self.begin_long_line(run);
                    break;
                }
                None => {
                    goes_on = false;
                    break;
                }
            };
            let count = behind.iter().take_while(|hit| hit.at < group.end).count();
            let of_group = behind.get(..count).unwrap_or_default();
            next += count;
            let mut further = Vec::new();
            if group.end > to {
                run.hits(to, group.end, &mut further);
            }
            if run.is_dirty(&group, of_group) || run.is_dirty(&group, &further) {
                self.settle(run, group.clone(), block, Vec::new());
            }
            run.done.looked = run.done.looked.max(group.end);
            if let Some((head, _)) = head {
                self.table = Some(Table::new(head, self.table.as_ref()));
            }
            if self.open.is_some() {
                break;
            }
            goes_on = self.rows(run, &hits, to);
        }
        self.hits = hits;
        if self.open.is_some() || self.in_long_line {
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

    /// Works off the rows of the table that is open, up to `to` or the next head. A row under suspicion is looked at
    /// with the lines that belong to it, as any other line is. Says whether to go on.
    fn rows(&mut self, run: &mut Run<'_, '_>, hits: &[Hit], to: usize) -> bool {
        while let Some(table) = self.table.take() {
            let from = run.done.looked;
            let rest = run.text.get(from..to).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest.as_bytes()).map_or(to, |length| from + length + 1);
            let first = hits.partition_point(|hit| hit.at < from);
            let is_hit = hits.get(first).is_some_and(|hit| hit.at < end);
            if from >= to || self.open.is_some() || (is_hit && run.head(from).is_some()) {
                self.table = Some(table);
                return true;
            }
            let Some(row) = run.row(&table, from..end) else {
                return true;
            };
            let group = if is_hit {
                run.group(hits.get(first..).unwrap_or_default())
            } else {
                Some(Group::Lines(from..end, None))
            };
            let (group, block) = match group {
                Some(Group::Lines(group, block)) => (group, block),
                // Rows are judged one by one, whatever parts them.
                Some(Group::Long(group, block)) if row.0.is_close() => (group, block),
                Some(Group::Long(..)) => {
                    self.table = Some(table);
                    self.begin_long_line(run);
                    return true;
                }
                None => {
                    self.table = Some(table);
                    return false;
                }
            };
            let stop = group.end;
            let (mut table, mut secrets) = (Some(row.0), row.1);
            let mut line = end;
            while let Some(above) = table.take_if(|_| line < stop) {
                let rest = run.text.as_bytes().get(line..stop).unwrap_or_default();
                let end = memchr::memchr(b'\n', rest).map_or(stop, |length| line + length + 1);
                if let Some((below, more)) = run.row(&above, line..end) {
                    table = Some(below);
                    secrets.extend(more);
                }
                line = end;
            }
            if is_hit || !secrets.is_empty() {
                self.settle(run, group, block, secrets);
            }
            run.done.looked = run.done.looked.max(stop);
            self.table = table;
        }
        true
    }

    /// Finds and masks in the lines of a group, beside what is known already, and sees what it leaves open.
    fn settle(
        &mut self,
        run: &mut Run<'_, '_>,
        group: Range<usize>,
        block: Option<usize>,
        known: Vec<Span>,
    ) {
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
        let spans = run.find(&lead, start..group.end, known);
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
        let line_end = run.line_end(
            from.max(self.searched.saturating_sub(run.base)),
            from + near.len(),
        );
        self.searched = run.base + line_end.unwrap_or(from + near.len());
        let is_last = line_end.is_some() || (run.end && rest.len() < LINE_BYTES_MAX);
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
            run.find("", keep..stop, Vec::new())
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
            run.floor = stop;
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
                // It is followed from where it seems to end: what stands behind that may be the next name.
                let open = run.value(span, keep);
                self.show(run, &[], Some(open), end.min(stop));
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
