//! A decision is read.
pub fn allowed(decision: &portcullis_core::policy::Decision) -> bool {
    decision.judgement().refusal.is_none()
}
