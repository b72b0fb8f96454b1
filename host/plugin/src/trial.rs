//! What one call of a plugin came to: its result, what it used, and what it logged.

use portcullis_core::policy::PluginFailure;
use portcullis_core::redact::Redactor;

/// How much a log line of a plugin matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Of use when the plugin itself is looked into.
    Debug,
    /// Worth keeping.
    Info,
    /// Something is odd.
    Warn,
    /// Something is wrong.
    Error,
}

/// One log line of a plugin, sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// One line of clean text.
    pub text: String,
}

/// One call, or for a redactor all calls of one stream.
#[derive(Debug, Clone)]
pub struct Trial<T> {
    /// What came out.
    pub result: Result<T, PluginFailure>,
    /// Fuel that was burnt, instantiation included.
    pub fuel: u64,
    /// Largest memory over all linear memories, in bytes.
    pub memory_bytes: usize,
    /// What was logged, within the quota.
    pub lines: Vec<Line>,
    /// Log lines over the quota.
    pub lines_dropped: u64,
}

impl<T> Trial<T> {
    /// A call that was never made.
    pub(crate) fn failed(failure: PluginFailure) -> Self {
        Self {
            result: Err(failure),
            fuel: 0,
            memory_bytes: 0,
            lines: Vec::new(),
            lines_dropped: 0,
        }
    }

    /// Hands the lines to the operator's log under the plugin's name.
    ///
    /// SECURITY: what a validator is told is the command as it would be sent; a log is no place for its secrets.
    pub(crate) fn log(&self, plugin: &str) {
        let redactor = Redactor::default();
        for line in &self.lines {
            let (text, _) = redactor.mask(&line.text);
            match line.level {
                Level::Debug => tracing::debug!(plugin, "{text}"),
                Level::Info => tracing::info!(plugin, "{text}"),
                Level::Warn => tracing::warn!(plugin, "{text}"),
                Level::Error => tracing::error!(plugin, "{text}"),
            }
        }
        if self.lines_dropped > 0 {
            tracing::warn!(plugin, dropped = self.lines_dropped, "log quota passed");
        }
        if let Err(failure) = &self.result {
            let (detail, _) = redactor.mask(&failure.detail);
            tracing::warn!(plugin, code = failure.code, detail, "plugin failed");
        }
    }
}
