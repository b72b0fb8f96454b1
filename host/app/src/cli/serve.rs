//! `portcullis serve --stdio`: the MCP server.

use super::{Exit, Places, session};
use crate::events::Events;
use crate::gate::{Gatehouse, Scope};
use clap::Args;
use portcullis_core::audit::Door;
use portcullis_mcp::{ServeSettings, serve_stdio};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the record of the server's end.
const STOP_RECORD_MAX: Duration = Duration::from_secs(1);

/// Serves one client over standard input and output until the input ends. Standard output carries the
/// protocol and nothing else; records and logs go to standard error, one JSON object per line.
///
/// SIGHUP reads the configuration and the plugins again; `reload.poll_seconds` in portcullis.yml lets changed files be
/// noticed without it. SIGTERM ends the runs and then the server.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Speak over standard input and output.
    #[arg(long, required = true)]
    stdio: bool,
}

pub(super) fn main(places: &Places, _verb: &Serve) -> Exit {
    crate::logs::records();
    let runtime = match session::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(async {
        let gate = match session::open(places, Events::Stderr, Door::Gate).await {
            Ok(gate) => gate,
            Err(exit) => return exit,
        };
        gate.started().await;
        let stop = session::stop_on_signal();
        reload_on_hangup(&gate);
        // Only now: a signal that nobody listens for would end this process.
        let presence = session::presence(places);
        reload_on_change(&gate);
        let settings = ServeSettings {
            principal: session::principal(),
            stop: stop.clone(),
        };
        let served = serve_stdio(Arc::new(gate.clone()), settings).await;
        session::drain(&gate).await;
        let reason = match (&served, stop.is_cancelled()) {
            (Err(_), _) => "fault",
            (Ok(()), true) => "signal",
            (Ok(()), false) => "input_ended",
        };
        // A journal that hangs must not hold up the end; the record is then missing.
        let _ = tokio::time::timeout(STOP_RECORD_MAX, gate.stopped(reason)).await;
        gate.close();
        drop(presence);
        match served {
            Ok(()) => Exit::Ok,
            Err(fault) => {
                tracing::error!(%fault, "the server ended");
                Exit::Bug
            }
        }
    });
    // A blocked read of standard input must not hold the process after everything is recorded.
    runtime.shutdown_background();
    exit
}

/// Reads configuration and plugins again on SIGHUP, one reload at a time.
fn reload_on_hangup(gate: &Gatehouse) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        return;
    };
    let gate = gate.clone();
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            gate.reload_scope(Door::Signal, &session::principal(), Scope::Everything)
                .await;
        }
    });
}

/// Reads the configuration again when its bytes have changed, where the settings ask for that.
fn reload_on_change(gate: &Gatehouse) {
    let gate = gate.clone();
    tokio::spawn(async move { gate.watch(&session::principal()).await });
}
