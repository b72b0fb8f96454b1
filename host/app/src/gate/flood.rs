//! A bound on records that a caller can cause at no cost: reads, pings, inputs that are not taken. Up to the
//! bound each is recorded; beyond it they are counted, and the counts are recorded. So a flood of them can
//! neither fill the disk nor bury what matters, and none of them goes unmentioned.
//!
//! Must not: touch decisions and runs. Each of those is recorded by itself, whatever their number.

use portcullis_core::clock::Micros;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Records that may come at once.
const BURST_MAX: u64 = 64;
/// Records a second that may go on coming.
const PER_SECOND: u64 = 8;
/// How long counts wait until they are recorded.
pub(super) const COUNTS_WAIT: Duration = Duration::from_secs(10);
const MICROS: u64 = 1_000_000;

/// What to do with one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Record it.
    Record,
    /// It has been counted.
    Counted,
    /// It has been counted, as the first since the counts were last taken: somebody has to take them after
    /// [`COUNTS_WAIT`].
    CountedFirst,
}

/// A bucket of records, filled by time and emptied by records.
#[derive(Debug)]
pub(super) struct Flood(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What is left, in millionths of a record.
    left: u64,
    filled: Micros,
    counts: BTreeMap<&'static str, u64>,
    since: Micros,
}

impl Flood {
    /// A full bucket.
    pub(super) fn new(now: Micros) -> Self {
        Self(Mutex::new(State {
            left: BURST_MAX * MICROS,
            filled: now,
            counts: BTreeMap::new(),
            since: now,
        }))
    }

    /// Asks for one record of the word `what`.
    pub(super) fn ask(&self, what: &'static str, now: Micros) -> Admission {
        let mut state = self.lock();
        let passed = now.0.saturating_sub(state.filled.0);
        let filled = passed.saturating_mul(PER_SECOND);
        state.left = state.left.saturating_add(filled).min(BURST_MAX * MICROS);
        state.filled = now;
        if let Some(left) = state.left.checked_sub(MICROS) {
            state.left = left;
            return Admission::Record;
        }
        let first = state.counts.is_empty();
        if first {
            state.since = now;
        }
        let count = state.counts.entry(what).or_default();
        *count = count.saturating_add(1);
        if first {
            Admission::CountedFirst
        } else {
            Admission::Counted
        }
    }

    /// Takes the counts, as the fields of a record; `None` where nothing was counted.
    pub(super) fn take(&self) -> Option<Map<String, Value>> {
        let mut state = self.lock();
        if state.counts.is_empty() {
            return None;
        }
        let counts = std::mem::take(&mut state.counts);
        Some(Map::from_iter([
            ("since".to_owned(), json!(state.since.0)),
            ("counts".to_owned(), json!(counts)),
        ]))
    }

    /// A panic elsewhere leaves whole numbers behind.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    const START: u64 = 1_700_000_000 * MICROS;

    #[test]
    fn a_burst_at_the_bound_is_recorded_and_what_comes_after_is_counted() {
        let flood = Flood::new(Micros(START));
        for _ in 0..BURST_MAX {
            assert_eq!(flood.ask("ping", Micros(START)), Admission::Record);
        }
        assert_eq!(flood.ask("ping", Micros(START)), Admission::CountedFirst);
        for _ in 0..1_000_000 {
            assert_eq!(flood.ask("ping", Micros(START)), Admission::Counted);
        }
        assert_eq!(flood.ask("hosts", Micros(START)), Admission::Counted);
        let counts = flood.take().unwrap();
        assert_eq!(counts["counts"], json!({"hosts": 1, "ping": 1_000_001}));
        assert_eq!(counts["since"], START);
        assert!(flood.take().is_none());
    }

    #[test]
    fn time_fills_the_bucket_up_to_its_bound_and_a_clock_that_goes_back_fills_nothing() {
        let flood = Flood::new(Micros(START));
        while flood.ask("ping", Micros(START)) == Admission::Record {}
        let second = START + MICROS;
        let recorded = (0..100)
            .filter(|_| flood.ask("ping", Micros(second)) == Admission::Record)
            .count();
        assert_eq!(recorded as u64, PER_SECOND);
        assert_ne!(flood.ask("ping", Micros(START)), Admission::Record);
        let day = START + 86_400 * MICROS;
        let recorded = (0..1_000)
            .filter(|_| flood.ask("ping", Micros(day)) == Admission::Record)
            .count();
        assert_eq!(recorded as u64, BURST_MAX);
    }
}
