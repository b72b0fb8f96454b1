//! error: E0382
//! A run that is spent cannot be run again.
use portcullis_core::audit::{Journaled, Spent};
pub fn end(run: Journaled) -> (Spent, Journaled) {
    let spent = run.spend();
    (spent, run)
}
