//! What an awk program does besides reading its files and printing.
//!
//! Must not: parse awk. It reads the program text just far enough to overlook nothing.

use super::Effect;
use crate::policy::Capability;

/// What `text` does.
pub(super) fn scan(text: &str) -> Vec<Effect<'_>> {
    let _ = text;
    vec![Effect::Needs(
        Capability::Execute,
        "can run another program",
    )]
}
