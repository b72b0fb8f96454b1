//! A session from its first line to its end.
//!
//! The session ends when the input ends, when the output breaks, or when it is told to stop. All calls
//! are ended at that moment; they have [`ENDING_MS_MAX`] to answer.
//!
//! Must not: end the process. Known limit: a gate that does not heed `stop` is left behind when the time
//! is up (`a_gate_that_does_not_stop_is_left_behind` in `tests/edges.rs`); whoever ends the process must not
//! wait for it (`Runtime::shutdown_background`).

use crate::calls::Calls;
use crate::edge::Edge;
use crate::gate::Gate;
use crate::refusals::Refusals;
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
    let refusals = Refusals::new(gate.clone(), settings.principal.clone());
    let wire = Wire::open(
        input,
        output,
        calls.clone(),
        refusals.clone(),
        settings.stop,
        ended.clone(),
    );
    let edge = Edge::new(gate, settings.principal, calls.clone(), refusals);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::gate::Caller;
    use portcullis_core::BoxFuture;
    use portcullis_core::answer::{Fault, Page, PageRequest, Plan, Reload, Run};
    use portcullis_core::inventory::Host;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;

    /// A gate that answers nothing until it is stopped.
    struct Slow;

    impl Gate for Slow {
        fn ping(&self, _: Caller) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }

        fn hosts(&self, caller: Caller) -> BoxFuture<'_, Vec<Host>> {
            Box::pin(async move {
                caller.stop.cancelled().await;
                Vec::new()
            })
        }

        fn describe(&self, _: Caller, _: String) -> BoxFuture<'_, Result<Host, Fault>> {
            Box::pin(async { Err(Fault::Busy) })
        }

        fn plan(&self, _: Caller, _: String, _: String) -> BoxFuture<'_, Result<Plan, Fault>> {
            Box::pin(async { Err(Fault::Busy) })
        }

        fn run(&self, caller: Caller, _: String, _: String) -> BoxFuture<'_, Result<Run, Fault>> {
            Box::pin(async move {
                caller.stop.cancelled().await;
                Err(Fault::Busy)
            })
        }

        fn page(&self, _: Caller, _: PageRequest) -> BoxFuture<'_, Result<Page, Fault>> {
            Box::pin(async { Err(Fault::Busy) })
        }

        fn reload(&self, _: Caller) -> BoxFuture<'_, Reload> {
            Box::pin(async {
                Reload::Kept {
                    digest: String::new(),
                    faults: Vec::new(),
                }
            })
        }

        fn refused(&self, _: crate::gate::EdgeRefusal) {}
    }

    struct Played {
        input: DuplexStream,
        output: DuplexStream,
        stop: CancellationToken,
        served: JoinHandle<Result<(), ServeFault>>,
    }

    /// A session over memory, begun, with room for `output_bytes` unread bytes of answers.
    async fn play(output_bytes: usize) -> Played {
        let (mut input, far_input) = tokio::io::duplex(1 << 20);
        let (mut output, far_output) = tokio::io::duplex(output_bytes);
        let stop = CancellationToken::new();
        let settings = ServeSettings {
            principal: Principal::local(1),
            stop: stop.clone(),
        };
        let served = tokio::spawn(serve(Arc::new(Slow), settings, far_input, far_output));
        let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        input.write_all(hello.as_bytes()).await.unwrap();
        input.write_all(b"\n").await.unwrap();
        while output.read_u8().await.unwrap() != b'\n' {}
        Played {
            input,
            output,
            stop,
            served,
        }
    }

    async fn call(played: &mut Played, id: u32, tool: &str) {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#
        );
        played.input.write_all(line.as_bytes()).await.unwrap();
        played.input.write_all(b"\n").await.unwrap();
    }

    #[tokio::test]
    async fn an_output_that_breaks_ends_the_session_and_its_calls() {
        let mut played = play(1 << 20).await;
        call(&mut played, 1, "ssh_run").await;
        played.output = tokio::io::duplex(1).0;
        call(&mut played, 2, "ssh_ping").await;
        // The input stays open: it is the broken output that ends the session.
        let fault = played.served.await.unwrap();
        assert!(
            !matches!(fault, Err(ServeFault::StillRunning { .. })),
            "{fault:?}"
        );
        drop(played.input);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_cannot_hold_up_the_end() {
        let mut played = play(64).await;
        for id in 1..50 {
            call(&mut played, id, "ssh_ping").await;
        }
        played.stop.cancel();
        let fault = played.served.await.unwrap();
        assert!(
            matches!(fault, Err(ServeFault::StillRunning { .. })),
            "{fault:?}"
        );
        drop(played.output);
    }

    #[tokio::test]
    async fn reads_too_are_ended_when_the_session_is() {
        let mut played = play(1 << 20).await;
        call(&mut played, 1, "ssh_list_hosts").await;
        call(&mut played, 2, "ssh_ping").await;
        while played.output.read_u8().await.unwrap() != b'\n' {}
        played.stop.cancel();
        assert!(played.served.await.unwrap().is_ok());
        let mut rest = String::new();
        played.output.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains(r#""hosts":[]"#), "{rest}");
    }
}
