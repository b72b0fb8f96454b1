//! The limits that hold for one host, after overrides.

use crate::limits;

/// Effective limits for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Wall time of a run in seconds, 1 to [`limits::RUN_SECONDS_MAX`].
    pub max_seconds: u64,
    /// Output shown, both streams together, in bytes, up to [`limits::OUTPUT_BYTES_MAX`].
    pub max_output_bytes: u64,
    /// Output after which the command is ended, in bytes.
    pub output_hard_stop_bytes: u64,
    /// Read for compatibility and ignored: unknown host keys are never added.
    pub host_key_auto_add: bool,
    /// Read for compatibility and ignored: host keys are always verified.
    pub require_known_host: bool,
    /// Seconds that a finished task's result is kept.
    pub task_result_ttl: u64,
    /// Seconds between progress notes.
    pub task_progress_interval: u64,
    /// The texts that deny wherever they occur.
    pub deny_substrings: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_seconds: limits::RUN_SECONDS_DEFAULT,
            max_output_bytes: limits::OUTPUT_BYTES_DEFAULT,
            output_hard_stop_bytes: limits::OUTPUT_HARD_STOP_BYTES_DEFAULT,
            host_key_auto_add: false,
            require_known_host: true,
            task_result_ttl: limits::TASK_RESULT_TTL_SECONDS_DEFAULT,
            task_progress_interval: limits::TASK_PROGRESS_INTERVAL_SECONDS_DEFAULT,
            deny_substrings: Vec::new(),
        }
    }
}
