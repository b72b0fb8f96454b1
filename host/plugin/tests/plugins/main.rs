//! The fences, with guests that try them: real components from `plugins/`, and components written out
//! by hand where a compiler would not make them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod attacks;
mod fuzzed;
mod guests;
mod loading;
mod mutated;
mod streams;
mod verdicts;
mod zoo;
