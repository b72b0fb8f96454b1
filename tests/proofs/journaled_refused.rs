//! error: E0451
//! A journaled run cannot be made without the journal.
use portcullis_core::audit::{Journaled, Receipt};
pub fn forge(
    admitted: portcullis_core::policy::Admitted,
    task: portcullis_core::request::TaskId,
    receipt: Receipt,
) -> Journaled {
    Journaled { admitted, task, receipt }
}
