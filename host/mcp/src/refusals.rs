//! What was refused before it became a call, on its way to the gate's records.
//!
//! Must not: hold anything back or wait; the gate bounds what becomes of a flood.

use crate::gate::{EdgeRefusal, Gate};
use portcullis_core::request::Principal;
use rmcp::model::{ErrorCode, RequestId};
use std::sync::Arc;

/// Where refusals go, for one session.
#[derive(Clone)]
pub(crate) struct Refusals {
    gate: Arc<dyn Gate>,
    principal: Principal,
}

impl Refusals {
    /// For the session of one principal.
    pub(crate) fn new(gate: Arc<dyn Gate>, principal: Principal) -> Self {
        Self { gate, principal }
    }

    /// Hands one refusal on.
    pub(crate) fn note(&self, code: &'static str, id: Option<&RequestId>) {
        self.gate.refused(EdgeRefusal {
            principal: self.principal.clone(),
            code,
            request_id: id.map(ToString::to_string),
        });
    }
}

/// The word of a fault of the protocol.
pub(crate) fn word(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::PARSE_ERROR => "parse_error",
        ErrorCode::INVALID_PARAMS => "invalid_params",
        _ => "invalid_request",
    }
}
