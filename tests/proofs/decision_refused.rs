//! error: E0616
//! A decision cannot be changed.
pub fn allow(mut decision: portcullis_core::policy::Decision) -> portcullis_core::policy::Decision {
    decision.judgement.refusal = None;
    decision
}
