//! What may run where. Pure: a [`Case`] goes in, a [`Decision`] comes out, and says why.
//!
//! The steps of the gate are types, and each consumes the one before:
//! [`Case`] → [`Decision`] → [`Outcome`] → [`Authorized`] → [`Admitted`].

mod bench;
mod capability;
mod command;
mod contact;
mod deny;
mod gate;
mod glob;
mod grants;
mod held;
mod limits;
mod networks;
mod path;
mod pattern;
pub(crate) mod profile;
mod refusal;
mod rule;
mod rules;
mod scene;
mod scopes;
mod tripwire;
mod wrapped;
mod wrappers;

pub use capability::{Capability, Need, PathUse, UsedPath, Uses};
pub use contact::Contact;
pub(crate) use deny::{DenySet, RawItem as RawDenyItem, STANDARD_TEXT};
pub use gate::{
    Admitted, Authorized, Case, Decision, Exec, Heard, Hearing, Jury, Opinion, Outcome,
    PluginFailure, Refused, Verdict,
};
pub use glob::{Glob, Piece};
pub(crate) use grants::{Grants, PathGlob};
pub use held::Mode;
pub use limits::{LimitKeys, LimitLayers, Limits};
pub use networks::{Leg, NetworkLayers};
pub use profile::Profiles;
pub use refusal::{Code, Refusal, RuleRef};
pub use rule::{Effect, ExtraArgs, Rule};
pub(crate) use rule::{PathArgs, Scope, Simple, Structured};
pub use rules::{Finding, Judgement, Policy};
pub use tripwire::normalise;

#[cfg(test)]
mod tests;
