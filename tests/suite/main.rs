//! The suite: the gate as a whole, through its doors.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a failed expectation is the report"
)]

mod ansible;
mod audit;
mod canaries;
mod disk;
mod doctor;
mod doors;
mod end_to_end;
mod endings;
mod fleet;
mod hosts;
mod import;
mod journal;
mod layers;
mod network;
mod orchestrator;
mod output;
mod paths;
mod plugins;
mod promises;
mod proofs;
mod records;
mod reload;
mod replaced;
mod schemas;
mod signed;
mod soak;
mod tasks;
