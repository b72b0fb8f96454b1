//! .
#![cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the verbs that use the rooms below are wired up beside them"
    )
)]

mod files;
mod journal;

fn main() {}
