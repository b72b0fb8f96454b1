//! A session from its first line to its end.
//!
//! The session ends when the input ends, when the output breaks, or when it is told to stop. All calls
//! are ended at that moment; they have [`ENDING_MS_MAX`] to answer.
//!
//! Must not: end the process. Known limit: a gate that does not heed `stop` is left behind when the time
//! is up (`a_gate_that_does_not_stop_is_left_behind` in `tests/edges.rs`).

use crate::calls::Calls;
use crate::edge::Edge;
use crate::gate::Gate;
use crate::stdio;
use crate::wire::Wire;
use portcullis_core::limits;
use portcullis_core::request::Principal;
use rmcp::service::{QuitReason, ServerInitializeError, ServiceExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// Time for calls to end and answer once the session is over, in milliseconds: the whole ladder for
/// ending a remote command, and a second to write the answers.
pub const ENDING_MS_MAX: u64 = limits::END_LADDER_MS_MAX + 1_000;

/// What a server needs to know.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// On whose behalf every call of the session is made.
    pub principal: Principal,
    /// Cancel it to end the session, e.g. on SIGTERM and SIGINT.
    pub stop: CancellationToken,
}

/// Why a session did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeFault {
    /// Standard input or output could not be opened.
    #[error("standard input and output cannot be used: {0}")]
    Stdio(#[from] std::io::Error),
    /// The session could not begin.
    #[error("the session could not begin")]
    Begin(#[source] Box<ServerInitializeError>),
    /// A task of the session failed.
    #[error("a task of the session failed")]
    Task(#[source] tokio::task::JoinError),
    /// The session is over and calls did not end in time.
    #[error("{calls} calls did not end within {ENDING_MS_MAX} ms")]
    StillRunning {
        /// How many.
        calls: usize,
    },
}

/// Serves one client over standard input and output until the input ends or `settings.stop` is
/// cancelled, and returns at most [`ENDING_MS_MAX`] later. Call it once for a process, inside a
/// multi-thread runtime; nothing else may use standard input or output.
///
/// # Errors
/// Each [`ServeFault`].
///
/// *Cancel*: a dropped future ends every call; they are not waited for.
pub async fn serve_stdio(gate: Arc<dyn Gate>, settings: ServeSettings) -> Result<(), ServeFault> {
    let (input, output) = stdio::open()?;
    serve(gate, settings, input, output).await
}

async fn serve<R, W>(
    gate: Arc<dyn Gate>,
    settings: ServeSettings,
    input: R,
    output: W,
) -> Result<(), ServeFault>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let calls = Arc::new(Calls::default());
    let _stop_calls_on_drop = StopOnDrop(calls.clone());
    let ended = CancellationToken::new();
    let wire = Wire::open(input, output, calls.clone(), settings.stop, ended.clone());
    let edge = Edge::new(gate, settings.principal, calls.clone());
    let session = async {
        let running = match edge.serve(wire).await {
            Ok(running) => running,
            // Nobody said anything before the input ended.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(fault) => return Err(ServeFault::Begin(Box::new(fault))),
        };
        match running.waiting().await {
            Ok(QuitReason::JoinError(fault)) | Err(fault) => Err(ServeFault::Task(fault)),
            Ok(_) => Ok(()),
        }
    };
    let time_is_up = async {
        ended.cancelled().await;
        tokio::time::sleep(Duration::from_millis(ENDING_MS_MAX)).await;
    };
    tokio::select! {
        ended = session => match (ended, calls.count()) {
            (Ok(()), 1..) => Err(ServeFault::StillRunning { calls: calls.count() }),
            (ended, _) => ended,
        },
        () = time_is_up => Err(ServeFault::StillRunning { calls: calls.count() }),
    }
}

struct StopOnDrop(Arc<Calls>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop_all();
    }
}
