//! What may run where. Pure: a [`Case`] goes in, a [`Decision`] comes out, and says why.
//!
//! The steps of the gate are types, and each consumes the one before:
//! [`Case`] → [`Decision`] → [`Outcome`] → [`Authorized`] → [`Admitted`].

mod gate;
mod limits;
mod refusal;
mod rules;

pub use gate::{
    Admitted, Authorized, Case, Decision, Exec, Heard, Hearing, Jury, Opinion, Outcome,
    PluginFailure, Refused, Verdict,
};
pub use limits::Limits;
pub use refusal::{Code, Refusal, RuleRef};
pub use rules::{Finding, Judgement, Policy};
