//! error: E0599
//! A journaled run cannot be copied: one record, one run.
pub fn copy(run: portcullis_core::audit::Journaled) -> portcullis_core::audit::Journaled {
    run.clone()
}
