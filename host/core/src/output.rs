//! From remote bytes to what a client may read: [`Raw`] → [`Capped`] → [`Sanitised`] →
//! [`Redacted`] or [`Withheld`]. Only the last two have a wire form ([`Shown`]).

use crate::redact::{Counts, Redactor, Span};

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

/// Keeps the head and the tail of one stream in bounded memory and counts all of it.
#[derive(Debug, Default)]
pub struct Capture {
    head: Vec<u8>,
    tail: std::collections::VecDeque<u8>,
    side_bytes_max: usize,
    total: u64,
}

impl Capture {
    /// Keeps at most `side_bytes_max` bytes at either end.
    #[must_use]
    pub fn new(side_bytes_max: usize) -> Self {
        Self {
            side_bytes_max,
            ..Self::default()
        }
    }

    /// Takes bytes in; never waits and never fails.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let room = self.side_bytes_max.saturating_sub(self.head.len());
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let rest = rest
            .get(rest.len().saturating_sub(self.side_bytes_max)..)
            .unwrap_or_default();
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.side_bytes_max);
        self.tail.drain(..excess.min(self.tail.len()));
        self.tail.extend(rest);
    }

    /// All bytes that were pushed, kept or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
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
    raw: Raw,
    output_bytes_max: u64,
}

/// Output without a byte that could move a cursor or hide text.
#[derive(Debug)]
#[must_use]
pub struct Sanitised {
    capped: Capped,
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
    pub stdout: String,
    /// Standard error, cut and clean.
    pub stderr: String,
    /// Whether anything was left out by the cap.
    pub truncated: bool,
    /// All bytes that the command wrote to standard output.
    pub stdout_bytes: u64,
    /// All bytes that the command wrote to standard error.
    pub stderr_bytes: u64,
    /// What was masked, per kind.
    pub redactions: Counts,
    /// What was removed or marked by the sanitiser, per kind.
    pub sanitised: Counts,
    /// The plugin and its failure, where the output is withheld.
    pub withheld: Option<(String, PluginFailure)>,
}

impl Raw {
    /// Cuts to `output_bytes_max` bytes for both streams together, head and tail of each.
    pub fn cap(self, output_bytes_max: u64) -> Capped {
        Capped {
            raw: self,
            output_bytes_max,
        }
    }
}

impl Capped {
    /// Removes or marks what could move a cursor or hide text.
    pub fn sanitise(self) -> Sanitised {
        Sanitised { capped: self }
    }
}

impl Sanitised {
    /// Masks secrets, natively and then by the plugins' spans, and cuts to the cap.
    pub fn redact(
        self,
        _redactor: &Redactor,
        _scrubber: &dyn Scrubber,
        _alias: &str,
        _tags: &[String],
    ) -> Scrubbed {
        let _ = (self.capped.raw, self.capped.output_bytes_max);
        Scrubbed::Redacted(Redacted {
            shown: Shown::default(),
        })
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
