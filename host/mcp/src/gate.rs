//! The port behind which the gate's pipeline stands. The binary implements it; nothing in this crate
//! decides, resolves or runs anything.

use portcullis_core::BoxFuture;
use portcullis_core::answer::{Fault, Page, PageRequest, Plan, Reload, Run};
use portcullis_core::audit::Door;
use portcullis_core::inventory::Host;
use portcullis_core::request::Principal;
use tokio_util::sync::CancellationToken;

/// Who calls, and how the caller takes a call back.
#[derive(Debug, Clone)]
pub struct Caller {
    /// On whose behalf.
    pub principal: Principal,
    /// Through which door the call came.
    pub door: Door,
    /// What the client calls it, as it was sent; `None` where there is no client.
    pub request_id: Option<String>,
    /// Cancelled when the client cancels the call, its input ends, or the server is told to stop. A run
    /// that sees it ends the remote command and still answers.
    pub stop: CancellationToken,
    /// Where progress goes; `None` where the caller asked for none.
    pub progress: Option<tokio::sync::mpsc::Sender<Progress>>,
}

/// One note of progress of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// `connecting`, `connected` or `running`.
    pub phase: &'static str,
    /// Bytes that the command wrote so far.
    pub bytes_read: u64,
    /// Milliseconds since the run began.
    pub elapsed_ms: u64,
    /// The run's time limit in milliseconds.
    pub limit_ms: u64,
}

/// Something that a client sent and that was refused before any tool was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRefusal {
    /// On whose behalf.
    pub principal: Principal,
    /// What was wrong, as one stable word, e.g. `parse_error`, `busy`, `unknown_tool`, `input_type`.
    pub code: &'static str,
    /// What the client calls the request, as it was sent, where that could be read.
    pub request_id: Option<String>,
}

/// The gate, as this server sees it. Inputs come unchecked, as the client wrote them; checking them is
/// the gate's first step, so that every transport gets the same limits and events.
pub trait Gate: Send + Sync {
    /// Notes that a caller asked whether the server lives.
    fn ping(&self, caller: Caller) -> BoxFuture<'_, ()>;
    /// The hosts in file order.
    fn hosts(&self, caller: Caller) -> BoxFuture<'_, Vec<Host>>;
    /// One host.
    fn describe(&self, caller: Caller, alias: String) -> BoxFuture<'_, Result<Host, Fault>>;
    /// Decides without running.
    fn plan(
        &self,
        caller: Caller,
        alias: String,
        command: String,
    ) -> BoxFuture<'_, Result<Plan, Fault>>;
    /// Decides, and runs what was granted.
    fn run(
        &self,
        caller: Caller,
        alias: String,
        command: String,
    ) -> BoxFuture<'_, Result<Run, Fault>>;
    /// One page of a run's output, where the policy keeps it, for whoever ran it.
    fn page(&self, caller: Caller, request: PageRequest) -> BoxFuture<'_, Result<Page, Fault>>;
    /// Reads the configuration again.
    fn reload(&self, caller: Caller) -> BoxFuture<'_, Reload>;
    /// Notes what never became a call. It is called between two lines of the client, on a runtime, so it
    /// must return at once; a flood of such lines must not become a flood of anything else.
    fn refused(&self, refusal: EdgeRefusal);
}
