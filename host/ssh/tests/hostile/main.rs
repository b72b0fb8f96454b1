//! Hosts that break the rules of SSH: each costs a typed end, within bounds of time and memory, and no panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod bounds;
mod channels;
mod ends;
mod exchange;
#[path = "../harness/mod.rs"]
mod harness;
mod login;
mod scripts;
mod signals;
mod wire;
