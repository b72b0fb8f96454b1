//! The breaker: a plugin that fails again and again is not called any more for a while. It refuses all the
//! same; only the time and the log lines are saved.
//!
//! Must not: let anything through. An open breaker is one more failure with a code of its own.

use portcullis_core::policy::PluginFailure;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row after which a plugin is not called.
pub const BREAKER_FAILURES_MAX: u32 = 5;
/// How long it is not called, in milliseconds. Then one call is let through; a reload begins anew.
pub const BREAKER_OPEN_MS: u64 = 30_000;

/// Failures that say nothing of the guest's health: a full gate, and the guest's own orderly word that it
/// cannot judge, which costs no more than an answer.
const NOT_COUNTED: [&str; 2] = ["plugin_capacity", "plugin_error"];

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened: Option<Instant>,
}

/// The breaker of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

impl Breaker {
    /// Whether a call may be made at `now`.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), PluginFailure> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(opened) = state.opened else {
            return Ok(());
        };
        let rest = Duration::from_millis(BREAKER_OPEN_MS)
            .saturating_sub(now.saturating_duration_since(opened));
        if rest.is_zero() {
            // One call is a trial; others go on being refused until it is back.
            state.opened = Some(now);
            return Ok(());
        }
        Err(PluginFailure {
            code: "plugin_breaker",
            detail: format!(
                "failed {} times in a row and is not called for {} s more",
                state.failures,
                rest.as_secs().saturating_add(1)
            ),
        })
    }

    /// Takes a call's end in. Whether the breaker has just opened.
    pub(crate) fn note(&self, failure: Option<&PluginFailure>, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            None => {
                *state = State::default();
                false
            }
            Some(failure) if NOT_COUNTED.contains(&failure.code) => false,
            Some(_) => {
                state.failures = state.failures.saturating_add(1);
                let opens = state.failures >= BREAKER_FAILURES_MAX;
                let first = opens && state.opened.is_none();
                if opens {
                    state.opened = Some(now);
                }
                first
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn failure(code: &'static str) -> PluginFailure {
        PluginFailure {
            code,
            detail: String::new(),
        }
    }

    fn failed(times: u32, now: Instant) -> (Breaker, Vec<bool>) {
        let breaker = Breaker::default();
        let trap = failure("plugin_trap");
        let opened = (0..times).map(|_| breaker.note(Some(&trap), now)).collect();
        (breaker, opened)
    }

    #[test]
    fn it_opens_once_after_so_many_failures_in_a_row_and_refuses() {
        let now = Instant::now();
        let (breaker, opened) = failed(BREAKER_FAILURES_MAX - 1, now);
        assert!(breaker.admit(now).is_ok() && !opened.contains(&true));
        let (breaker, opened) = failed(BREAKER_FAILURES_MAX + 1, now);
        assert_eq!(breaker.admit(now).unwrap_err().code, "plugin_breaker");
        assert_eq!(opened.iter().filter(|it| **it).count(), 1);
    }

    #[test]
    fn a_success_between_begins_anew() {
        let now = Instant::now();
        let (breaker, _) = failed(BREAKER_FAILURES_MAX - 1, now);
        breaker.note(None, now);
        breaker.note(Some(&failure("plugin_trap")), now);
        assert!(breaker.admit(now).is_ok());
    }

    #[test]
    fn a_full_gate_and_a_plugins_own_word_do_not_count() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..BREAKER_FAILURES_MAX * 2 {
            breaker.note(Some(&failure("plugin_capacity")), now);
            breaker.note(Some(&failure("plugin_error")), now);
        }
        assert!(breaker.admit(now).is_ok());
    }

    #[test]
    fn after_a_while_one_call_is_a_trial() {
        let now = Instant::now();
        let (breaker, _) = failed(BREAKER_FAILURES_MAX, now);
        let before = now + Duration::from_millis(BREAKER_OPEN_MS - 1);
        assert!(breaker.admit(before).is_err());
        let later = now + Duration::from_millis(BREAKER_OPEN_MS);
        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later).is_err(), "a second one in the trial");
        breaker.note(None, later);
        assert!(breaker.admit(later).is_ok());
    }
}
