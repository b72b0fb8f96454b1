//! From remote bytes to what a client may read: [`Raw`] → [`Capped`] → [`Sanitised`] →
//! [`Redacted`] or [`Withheld`]. Only the last two have a wire form ([`Shown`]). Each value is made by
//! the one before it and by nothing else, so no byte reaches a client past the sanitiser, the native
//! rules or the plugins.
//!
//! The order is the guarantee. Sanitising comes before redaction, or an escape sequence inside a token
//! would hide it; native rules come before plugins, so that plugins see the least; the last cut comes
//! after both, or a token at the cut would lose the part by which it is known.

mod binary;
mod capture;
mod cut;
mod flow;
mod part;

pub use capture::Capture;
pub use flow::{Flow, OPENING_BYTES, Place, Released, is_binary};

use crate::limits::{OUTPUT_CUT_SLACK_BYTES, PLUGIN_LABEL_BYTES_MAX, PLUGIN_SPANS_MAX};
use crate::redact::{Counts, Edge, OpenTable, Redactor, Span, add};
use crate::text::SafeText;
use cut::Body;
use part::Part;
use std::collections::BTreeMap;

/// Which stream of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What a command printed, as it came. Proves nothing.
#[derive(Debug, Default)]
pub struct Raw {
    /// Standard output.
    pub stdout: Capture,
    /// Standard error.
    pub stderr: Capture,
}

/// What one redactor plugin needs to know besides the text.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The host's alias.
    pub alias: &'a str,
    /// The host's tags.
    pub tags: &'a [String],
    /// Which stream the text is of.
    pub stream: Stream,
}

/// Why a redactor's part of the output cannot be shown.
pub use crate::policy::PluginFailure;

/// The redactor plugins. They see sanitised, natively redacted text and answer with spans of it.
pub trait Scrubber: Send + Sync {
    /// The spans that the plugins want masked, each with the failing plugin's name on failure.
    ///
    /// # Errors
    /// The plugin's name and its failure; the stream is withheld then.
    fn spans(
        &self,
        context: &Context<'_>,
        text: &str,
    ) -> Result<Vec<Span>, (String, PluginFailure)>;

    /// As [`Self::spans`]; adds to `observed` what plugins that only observe would have masked, as
    /// `plugin/label`, and how they failed, as `plugin/code`. Never a value.
    ///
    /// # Errors
    /// As [`Self::spans`].
    fn spans_and_observed(
        &self,
        context: &Context<'_>,
        text: &str,
        observed: &mut Counts,
    ) -> Result<Vec<Span>, (String, PluginFailure)> {
        let _ = observed;
        self.spans(context, text)
    }
}

/// A scrubber without plugins.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoScrubber;

impl Scrubber for NoScrubber {
    fn spans(&self, _: &Context<'_>, _: &str) -> Result<Vec<Span>, (String, PluginFailure)> {
        Ok(Vec::new())
    }
}

/// Raw output cut to what may be kept, with slack around the cut for redaction.
#[derive(Debug)]
#[must_use]
pub struct Capped {
    stdout: Kept,
    stderr: Kept,
    caps: Caps,
}

/// How much of the output is shown, and how much is kept to be paged through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Shown, both streams together, in bytes.
    pub shown_bytes_max: u64,
    /// Kept, each stream by itself, in bytes; 0 keeps nothing.
    pub paged_bytes_max: u64,
}

impl From<u64> for Caps {
    /// So much is shown and nothing is kept.
    fn from(shown_bytes_max: u64) -> Self {
        Self {
            shown_bytes_max,
            paged_bytes_max: 0,
        }
    }
}

/// The redacted text of both streams, as far as it is kept to be paged through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paged {
    /// Standard output.
    pub stdout: SafeText,
    /// Standard error.
    pub stderr: SafeText,
    /// Whether nothing was left out.
    pub complete: bool,
}

/// What is kept of one stream: all of it in `head`, or both ends around a gap.
#[derive(Debug)]
struct Kept {
    head: Vec<u8>,
    tail: Option<Vec<u8>>,
    total: u64,
}

/// Output without a byte that could move a cursor or hide text.
#[derive(Debug)]
#[must_use]
pub struct Sanitised {
    stdout: Clean,
    stderr: Clean,
    caps: Caps,
}

/// One sanitised stream.
#[derive(Debug)]
struct Clean {
    body: Body,
    total: u64,
    counts: Counts,
}

/// Output that is fit to be read.
#[derive(Debug)]
#[must_use]
pub struct Redacted {
    shown: Shown,
}

/// Output that is not shown because a redactor failed; the counts are kept.
#[derive(Debug)]
#[must_use]
pub struct Withheld {
    shown: Shown,
}

/// Either end of the way.
#[derive(Debug)]
#[must_use]
pub enum Scrubbed {
    /// Fit to be read.
    Redacted(Redacted),
    /// Not shown.
    Withheld(Withheld),
}

/// The wire form of output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Standard output, cut and clean.
    pub stdout: SafeText,
    /// Standard error, cut and clean.
    pub stderr: SafeText,
    /// Whether anything was left out by the cap.
    pub truncated: bool,
    /// All bytes that the command wrote to standard output.
    pub stdout_bytes: u64,
    /// All bytes that the command wrote to standard error.
    pub stderr_bytes: u64,
    /// What was masked, per kind.
    pub redactions: Counts,
    /// What plugins that only observe would have masked, as `plugin/label`, and how they failed.
    pub observed: Counts,
    /// What was removed or marked by the sanitiser, per kind.
    pub sanitised: Counts,
    /// What is kept to be paged through, where that was asked for.
    pub paged: Option<Paged>,
    /// The plugin and its failure, where the output is withheld.
    pub withheld: Option<(String, PluginFailure)>,
}

impl Shown {
    /// Both streams as one text: standard output, a line end, standard error, without blanks around.
    #[must_use]
    pub fn joined(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
            .trim()
            .to_owned()
    }
}

/// Puts a whole text through the same way as output, without a cap: what `portcullis redact` shows is
/// what a client would have seen.
pub fn scrub_text(
    bytes: &[u8],
    redactor: &Redactor,
    scrubber: &dyn Scrubber,
    alias: &str,
    tags: &[String],
) -> Shown {
    let whole = |bytes: &[u8]| Kept {
        head: bytes.to_vec(),
        tail: None,
        total: bytes.len() as u64,
    };
    let capped = Capped {
        stdout: whole(bytes),
        stderr: whole(&[]),
        caps: Caps::from(u64::MAX),
    };
    capped
        .sanitise()
        .redact(redactor, scrubber, alias, tags)
        .into_shown()
}

impl Raw {
    /// Cuts to what is shown, for both streams together, or to what can be paged through, head and tail of
    /// each.
    pub fn cap(self, caps: impl Into<Caps>) -> Capped {
        let caps = caps.into();
        let side = Capture::sides_for(caps.shown_bytes_max.max(caps.paged_bytes_max));
        Capped {
            stdout: keep(self.stdout, side),
            stderr: keep(self.stderr, side),
            caps,
        }
    }
}

/// Both ends of a capture, or all of it where nothing is missing and it fits.
fn keep(capture: Capture, side: usize) -> Kept {
    let (mut head, mut tail, total) = capture.into_ends();
    if (head.len() + tail.len()) as u64 == total {
        head.append(&mut tail);
        if head.len() <= side.saturating_mul(2) {
            return Kept {
                head,
                tail: None,
                total,
            };
        }
        tail = head.split_off(head.len() - side);
    }
    head.truncate(side);
    tail.drain(..tail.len().saturating_sub(side));
    Kept {
        head,
        tail: Some(tail),
        total,
    }
}

impl Capped {
    /// Removes or marks what could move a cursor or hide text. Binary output becomes one line.
    pub fn sanitise(self) -> Sanitised {
        Sanitised {
            stdout: clean(self.stdout),
            stderr: clean(self.stderr),
            caps: self.caps,
        }
    }
}

fn clean(kept: Kept) -> Clean {
    let mut counts = Counts::new();
    let body = if let Some(line) = binary::described(&kept.head, kept.tail.as_deref(), kept.total) {
        counts.insert("binary".to_owned(), 1);
        Body::Binary(line)
    } else if let Some(tail) = &kept.tail {
        Body::Ends {
            head: Part::sanitise(&kept.head, Edge::Whole, &mut counts),
            head_raw_max: visible(kept.head.len()),
            tail: Part::sanitise(tail, Edge::AfterGap, &mut counts),
            tail_raw_max: visible(tail.len()),
        }
    } else {
        Body::Whole(Part::sanitise(&kept.head, Edge::Whole, &mut counts))
    };
    Clean {
        body,
        total: kept.total,
        counts,
    }
}

/// How much of an end may be shown: the slack beside the gap only lets redaction see. An end that is
/// shorter than two slacks gives half of itself.
fn visible(length: usize) -> u64 {
    (length - OUTPUT_CUT_SLACK_BYTES.min(length / 2)) as u64
}

impl Sanitised {
    /// Masks secrets, natively and then by the plugins' spans, and cuts to the cap.
    pub fn redact(
        self,
        redactor: &Redactor,
        scrubber: &dyn Scrubber,
        alias: &str,
        tags: &[String],
    ) -> Scrubbed {
        let Self {
            mut stdout,
            mut stderr,
            caps,
        } = self;
        let mut shown = Shown {
            stdout_bytes: stdout.total,
            stderr_bytes: stderr.total,
            ..Shown::default()
        };
        add(&mut shown.sanitised, &stdout.counts);
        add(&mut shown.sanitised, &stderr.counts);
        for (stream, clean) in [(Stream::Stdout, &mut stdout), (Stream::Stderr, &mut stderr)] {
            let context = Context {
                alias,
                tags,
                stream,
            };
            let mut parts = clean.body.parts();
            // Rows of a table go on behind the gap, where its head is not.
            let mut table = OpenTable::default();
            for part in &mut parts {
                let (counts, open) = part.redact(redactor, table);
                add(&mut shown.redactions, &counts);
                table = open;
            }
            // SECURITY: one stream for a plugin also where the middle is gone: what it learned from the beginning
            // must still hold at the end.
            let mut marks =
                |text: &str| plugin_marks(scrubber, &context, text, &mut shown.observed);
            let marked = match parts.as_slice() {
                [whole] => marks(whole.text()),
                ends => marks(&ends.iter().map(|part| part.text()).collect::<String>()),
            };
            match marked {
                Ok(spans) => {
                    let mut from = 0;
                    for part in parts {
                        let length = part.text().len();
                        let masked = part.mask(&within(&spans, from, length));
                        add(&mut shown.redactions, &masked);
                        from = from.saturating_add(length);
                    }
                }
                Err(failure) => {
                    // SECURITY: both streams go, because what one plugin was to hide in this one
                    // may stand in the other.
                    shown.withheld = Some(failure);
                    return Scrubbed::Withheld(Withheld { shown });
                }
            }
        }
        let budget = usize::try_from(caps.shown_bytes_max).unwrap_or(usize::MAX);
        let (for_stdout, for_stderr) = cut::share(budget, stdout.body.wants(), stderr.body.wants());
        if caps.paged_bytes_max > 0 {
            let room = usize::try_from(caps.paged_bytes_max).unwrap_or(usize::MAX);
            let (out, out_cut) = stdout.body.render(room, stdout.total);
            let (err, err_cut) = stderr.body.render(room, stderr.total);
            shown.paged = Some(Paged {
                stdout: SafeText::scanned(out),
                stderr: SafeText::scanned(err),
                complete: !out_cut && !err_cut,
            });
        }
        let (text, stdout_cut) = stdout.body.into_rendered(for_stdout, stdout.total);
        shown.stdout = SafeText::scanned(text);
        let (text, stderr_cut) = stderr.body.into_rendered(for_stderr, stderr.total);
        shown.stderr = SafeText::scanned(text);
        shown.truncated = stdout_cut || stderr_cut;
        Scrubbed::Redacted(Redacted { shown })
    }
}

/// What spans of a text are in the part of it that begins at `from`.
fn within(spans: &[Span], from: usize, length: usize) -> Vec<Span> {
    let inside = |span: &Span| {
        let start = span.start.max(from).saturating_sub(from);
        let end = span.end.saturating_sub(from).min(length);
        (start < end).then(|| Span {
            start,
            end,
            ..span.clone()
        })
    };
    spans.iter().filter_map(inside).collect()
}

/// The spans that the plugins want masked in one text. Spans that make no sense are a failure of the
/// plugins: to leave them out would show what somebody wanted hidden.
///
/// # Errors
/// The plugin's name and its failure.
pub fn plugin_spans(
    scrubber: &dyn Scrubber,
    context: &Context<'_>,
    text: &str,
) -> Result<Vec<Span>, (String, PluginFailure)> {
    plugin_marks(scrubber, context, text, &mut Counts::new())
}

/// As [`plugin_spans`], with what plugins that only observe would have masked.
///
/// # Errors
/// The plugin's name and its failure.
pub fn plugin_marks(
    scrubber: &dyn Scrubber,
    context: &Context<'_>,
    text: &str,
    observed: &mut Counts,
) -> Result<Vec<Span>, (String, PluginFailure)> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut spans = scrubber.spans_and_observed(context, text, observed)?;
    let broken = |detail: String| {
        let failure = PluginFailure {
            code: "plugin_output",
            detail,
        };
        Err(("redactors".to_owned(), failure))
    };
    let mut by_plugin: BTreeMap<&str, usize> = BTreeMap::new();
    for span in &spans {
        *by_plugin.entry(&span.rule).or_default() += 1;
    }
    if let Some(most) = by_plugin
        .values()
        .max()
        .filter(|it| **it > PLUGIN_SPANS_MAX)
    {
        return broken(format!("{most} spans, at most {PLUGIN_SPANS_MAX}"));
    }
    if spans
        .iter()
        .any(|span| span.start > span.end || span.start > text.len())
    {
        return broken("a span that ends before it begins or lies outside the text".to_owned());
    }
    for span in &mut spans {
        span.kind = label(&span.kind);
    }
    Ok(spans)
}

/// A plugin's label with the letters that a mask may hold.
fn label(kind: &str) -> String {
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
    let label: String = kind
        .chars()
        .map(|c| {
            if c == '_' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .filter(allowed)
        .take(PLUGIN_LABEL_BYTES_MAX)
        .collect();
    if label.is_empty() {
        "plugin".to_owned()
    } else {
        label
    }
}

impl Scrubbed {
    /// What a client may read.
    #[must_use]
    pub fn into_shown(self) -> Shown {
        match self {
            Self::Redacted(redacted) => redacted.shown,
            Self::Withheld(withheld) => withheld.shown,
        }
    }
}

#[cfg(test)]
mod tests;
