//! What the verbs share: opening the gate, and turning its answers into words and exit statuses.

use super::{Exit, Format, Places, console};
use crate::events::{Events, SystemClock, Watch};
use crate::files::Dirs;
use crate::gate::{self, Gatehouse, Live, LoadFault, Scope, keep, load};
use crate::journal::Journal;
use crate::servers::Presence;
use crate::spill::Spills;
use portcullis_core::answer::Fault;
use portcullis_core::audit::Door;
use portcullis_core::clock::Clock;
use portcullis_core::policy::{Opinion, Verdict};
use portcullis_core::request::Principal;
use portcullis_mcp::gate::{Caller, Progress};
use portcullis_ssh::{Engine, EngineSettings};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a verb waits for its runs to end after it was told to stop: the ladder and a margin.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// The owner of this process.
pub(super) fn principal() -> Principal {
    gate::owner()
}

/// A runtime with the system's threads.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            console::fault(&format!("the runtime does not start: {error}"), "");
            Exit::Bug
        })
}

/// Where refusals of files go that this process reads for its owner.
pub(super) fn watch(events: Events) -> Watch {
    Watch::first(events, Door::Cli)
}

/// Opens the directories that hold everything else.
pub(super) fn dirs(places: &Places, watch: &Watch) -> Result<Dirs, Exit> {
    let opened = Dirs::open(places.config.as_deref(), places.state.as_deref(), &|name| {
        std::env::var_os(name)
    });
    watch.pass(opened).map_err(|fault| {
        console::fault(&fault.to_string(), fault.hint());
        Exit::Config
    })
}

/// Opens the whole gate, and says what is wrong if it cannot be.
pub(super) async fn open(places: &Places, events: Events, door: Door) -> Result<Gatehouse, Exit> {
    let watch = Watch::first(events, door);
    let dirs = dirs(places, &watch)?;
    // Plugins keep their machine code there. What is wrong with it is said when the journal is opened.
    let _ = dirs.state();
    let live = load(&dirs, &watch, Scope::Start, None)
        .await
        .map_err(|fault| {
            say_load_fault(&fault);
            if fault.is_plugin() {
                Exit::Plugin
            } else {
                Exit::Config
            }
        })?;
    let state = watch.pass(dirs.state()).map_err(|fault| fault.to_string());
    let journal = state.and_then(|state| {
        let keep = keep(&live, &principal());
        let journal = Journal::open(&state, keep).map_err(|fault| fault.to_string())?;
        Ok((journal, Spills::open(&state, SystemClock.now())))
    });
    let (journal, spills) = journal.map_err(|fault| {
        console::fault(
            &format!("the audit journal cannot be opened: {fault}"),
            "portcullis audit verify names what is wrong; nothing runs without a journal",
        );
        Exit::Config
    })?;
    Ok(Gatehouse::new(
        dirs,
        live,
        Engine::new(EngineSettings::default()),
        journal,
        spills
            .inspect_err(|fault| tracing::error!(%fault, "no output is kept to be paged through"))
            .ok(),
        events,
        principal(),
    ))
}

/// Says that this process serves, so that it can be told to read its plugins again. A server that cannot is told by
/// signal.
pub(super) fn presence(places: &Places) -> Option<Presence> {
    let state = dirs(places, &watch(Events::Silent)).ok()?.state().ok()?;
    Presence::announce(&state)
        .inspect_err(|fault| tracing::warn!(%fault, "`plugin reload` will not find this server"))
        .ok()
}

fn say_load_fault(fault: &LoadFault) {
    for line in fault.lines() {
        console::say(&format!("error: {line}"));
    }
    console::say("hint: portcullis check shows every fault with its hint");
}

/// Loads configuration and plugins for a verb that runs nothing; the first fault as text.
pub(super) fn load_quietly(places: &Places) -> Result<Live, String> {
    let dirs = Dirs::open(places.config.as_deref(), places.state.as_deref(), &|name| {
        std::env::var_os(name)
    })
    .map_err(|fault| fault.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| error.to_string())?;
    runtime
        .block_on(load(&dirs, &watch(Events::Silent), Scope::Start, None))
        .map_err(|fault| {
            fault
                .lines()
                .into_iter()
                .next()
                .unwrap_or_else(|| "the configuration does not load".to_owned())
        })
}

/// Opens the gate, does one thing through it, and ends every run before it returns. Ctrl-C and SIGTERM
/// cancel the one thing; the answer still comes.
pub(super) fn with_gate<Act>(places: &Places, act: Act) -> Exit
where
    Act: AsyncFnOnce(&Gatehouse, Caller) -> Exit,
{
    // What a person has to know who runs a verb: why a key or a secret cannot be read.
    crate::logs::lines();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    runtime.block_on(async {
        let gate = match open(places, Events::Silent, Door::Cli).await {
            Ok(gate) => gate,
            Err(exit) => return exit,
        };
        let stop = stop_on_signal();
        let caller = Caller {
            principal: principal(),
            door: Door::Cli,
            request_id: None,
            stop,
            progress: None,
        };
        let exit = act(&gate, caller).await;
        drain(&gate).await;
        gate.close();
        exit
    })
}

/// Waits for the runs of a gate within a bound.
pub(super) async fn drain(gate: &Gatehouse) {
    let ended = tokio::time::timeout(DRAIN_MAX, gate.runs_ended());
    if ended.await.is_err() {
        console::say("warning: a run did not end in time; its closing record is missing");
    }
}

/// A token that SIGINT and SIGTERM cancel.
pub(super) fn stop_on_signal() -> CancellationToken {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        // Without the handler the signal ends the process at once, which is the system's own default.
        if let Ok(mut signals) = signal(kind) {
            let stop = stop.clone();
            tokio::spawn(async move {
                signals.recv().await;
                stop.cancel();
            });
        }
    }
    stop
}

/// Shows progress on a terminal once a run takes longer than a second.
pub(super) async fn show_progress(mut progress: tokio::sync::mpsc::Receiver<Progress>) {
    let terminal = std::io::stderr().is_terminal();
    while let Some(note) = progress.recv().await {
        if terminal && note.elapsed_ms >= 1_000 {
            console::say(&format!(
                "{} after {} s of {} s, {} bytes",
                note.phase,
                note.elapsed_ms / 1_000,
                note.limit_ms / 1_000,
                note.bytes_read
            ));
        }
    }
}

/// Says a fault and gives its exit status.
pub(super) fn answer_fault(fault: &Fault, format: Format) -> Exit {
    let exit = match fault {
        Fault::Input(_) => Exit::Usage,
        Fault::UnknownAlias(_) | Fault::Setup { .. } => Exit::Config,
        Fault::Busy => Exit::Refused,
    };
    match format {
        Format::Json => {
            let line = json!({"status": "error", "code": fault.code(), "error": fault.to_string()});
            console::written(console::line(&line.to_string()), exit)
        }
        Format::Human => {
            console::fault(&fault.to_string(), "");
            exit
        }
    }
}

/// What a validator said, for programs.
pub(super) fn opinion(opinion: &Opinion) -> Value {
    let said = match &opinion.verdict {
        Verdict::NoObjection => json!({"verdict": "no_objection"}),
        Verdict::Objection { code, reason } => {
            json!({"verdict": "objection", "code": code, "reason": reason})
        }
        Verdict::RequireApproval { reason } => {
            json!({"verdict": "require_approval", "reason": reason})
        }
        Verdict::Failed(failure) => {
            json!({"verdict": "failed", "code": failure.code, "detail": failure.detail})
        }
    };
    json!({"plugin": opinion.plugin, "observe": opinion.observe, "said": said})
}
