//! What is authorised comes out of an outcome.
use portcullis_core::policy::{Authorized, Exec, Outcome};
pub fn take(outcome: Outcome) -> Option<Authorized<Exec>> {
    match outcome {
        Outcome::Granted(authorized) => Some(authorized),
        Outcome::Refused(_) => None,
    }
}
