//! The breaker: a plugin that fails again and again is not called any more for a while. It refuses all the
//! same; only the time and the log lines are saved.
//!
//! Must not: let anything through. An open breaker is one more failure with a code of its own.

use portcullis_core::policy::PluginFailure;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row after which a plugin is not called.
pub const BREAKER_FAILURES_MAX: u32 = 5;
/// How long it is not called, in milliseconds. Then one call is let through; a reload begins anew.
pub const BREAKER_OPEN_MS: u64 = 30_000;

/// Failures that say nothing of the guest's health: a full gate, and the guest's own orderly word that it
/// cannot judge, which costs no more than an answer.
const NOT_COUNTED: [&str; 2] = ["plugin_capacity", ORDERLY];
/// The guest's own word that it cannot judge.
const ORDERLY: &str = "plugin_error";

/// Most changes of one breaker that wait to be told; of more the oldest are forgotten. Between two of them there are
/// five failures, or a trial.
const NOTICES_MAX: usize = 8;

/// What a breaker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The plugin is not called any more: so many failures in a row, the last with this code.
    Open {
        /// How many.
        failures: u32,
        /// The last one's code.
        code: &'static str,
    },
    /// It is called again.
    Closed,
}

/// A breaker that opened or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerNotice {
    /// The plugin.
    pub plugin: String,
    /// What its breaker did.
    pub state: BreakerState,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened: Option<Instant>,
    /// What nobody was told yet.
    notices: VecDeque<BreakerState>,
}

impl State {
    fn tell(&mut self, notice: BreakerState) {
        if self.notices.len() >= NOTICES_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    fn close(&mut self) {
        self.failures = 0;
        if self.opened.take().is_some() {
            self.tell(BreakerState::Closed);
        }
    }
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

    /// Takes a call's end in.
    pub(crate) fn note(&self, failure: Option<&PluginFailure>, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            None => state.close(),
            // A trial that ends in an orderly word has shown that the guest is well.
            Some(failure) if failure.code == ORDERLY && state.opened.is_some() => state.close(),
            Some(failure) if NOT_COUNTED.contains(&failure.code) => {}
            Some(failure) => {
                state.failures = state.failures.saturating_add(1);
                let failures = state.failures;
                if failures >= BREAKER_FAILURES_MAX && state.opened.replace(now).is_none() {
                    let code = failure.code;
                    state.tell(BreakerState::Open { failures, code });
                }
            }
        }
    }

    /// What it did since this was asked last.
    pub(crate) fn notices(&self) -> VecDeque<BreakerState> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.notices)
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

    fn failed(times: u32, now: Instant) -> Breaker {
        let breaker = Breaker::default();
        let trap = failure("plugin_trap");
        (0..times).for_each(|_| breaker.note(Some(&trap), now));
        breaker
    }

    /// The notice of one that opened.
    const OPENED: BreakerState = BreakerState::Open {
        failures: BREAKER_FAILURES_MAX,
        code: "plugin_trap",
    };

    #[test]
    fn it_opens_once_after_so_many_failures_in_a_row_and_refuses() {
        let now = Instant::now();
        let breaker = failed(BREAKER_FAILURES_MAX - 1, now);
        assert!(breaker.admit(now).is_ok() && breaker.notices().is_empty());
        let breaker = failed(BREAKER_FAILURES_MAX + 1, now);
        assert_eq!(breaker.admit(now).unwrap_err().code, "plugin_breaker");
        assert_eq!(breaker.notices(), [OPENED]);
        assert!(breaker.notices().is_empty(), "it is told once");
    }

    #[test]
    fn a_success_between_begins_anew() {
        let now = Instant::now();
        let breaker = failed(BREAKER_FAILURES_MAX - 1, now);
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
        let breaker = failed(BREAKER_FAILURES_MAX, now);
        let before = now + Duration::from_millis(BREAKER_OPEN_MS - 1);
        assert!(breaker.admit(before).is_err());
        let later = now + Duration::from_millis(BREAKER_OPEN_MS);
        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later).is_err(), "a second one in the trial");
        breaker.note(None, later);
        assert!(breaker.admit(later).is_ok());
        assert_eq!(breaker.notices(), [OPENED, BreakerState::Closed]);
    }

    #[test]
    fn a_trial_that_ends_in_the_plugins_own_word_closes_it() {
        let now = Instant::now();
        let breaker = failed(BREAKER_FAILURES_MAX, now);
        let later = now + Duration::from_millis(BREAKER_OPEN_MS);
        assert!(breaker.admit(later).is_ok());
        breaker.note(Some(&failure("plugin_capacity")), later);
        assert!(breaker.admit(later).is_err(), "a full gate says nothing");
        breaker.note(Some(&failure(ORDERLY)), later);
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn what_nobody_asks_for_does_not_pile_up() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..NOTICES_MAX {
            (0..BREAKER_FAILURES_MAX)
                .for_each(|_| breaker.note(Some(&failure("plugin_trap")), now));
            breaker.note(None, now);
        }
        assert_eq!(breaker.notices().len(), NOTICES_MAX);
    }
}
