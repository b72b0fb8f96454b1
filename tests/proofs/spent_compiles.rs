//! A run that is over is spent.
use portcullis_core::audit::{Journaled, Spent};
pub fn end(run: Journaled) -> Spent {
    run.spend()
}
