//! The process behind a task: reads one request, takes it down as a task, says its id, and runs it to its end. No
//! person calls it.

use super::super::{Exit, Places, console, session};
use crate::events::Events;
use crate::gate::Gatehouse;
use clap::Args;
use portcullis_core::answer::Fault;
use portcullis_core::audit::Door;
use portcullis_core::limits::COMMAND_BYTES_MAX;
use portcullis_mcp::gate::Caller;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;

/// The verb, for the gate itself.
pub(in crate::cli) const VERB: &str = "run-task";
/// Longest request, in bytes: JSON may write a character as an escape of six bytes, or two of them. What is
/// longer than a command may be is refused when it is looked at.
const REQUEST_BYTES_MAX: u64 = 8 * COMMAND_BYTES_MAX as u64;

/// Run the task on standard input; called by the gate itself.
#[derive(Debug, Args)]
pub(in crate::cli) struct Runner {}

#[derive(Debug, Deserialize)]
struct Request {
    alias: String,
    command: String,
}

pub(in crate::cli) fn main(places: &Places, _: &Runner) -> Exit {
    // Away from the terminal, so that what ends the verb that started it does not end the task.
    let _ = rustix::process::setsid();
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(REQUEST_BYTES_MAX)
        .read_to_string(&mut text);
    let request: Request = match read.map(|_| serde_json::from_str(&text)) {
        Ok(Ok(request)) => request,
        Ok(Err(_)) | Err(_) => {
            return refuse("usage", "input_encoding", "the request cannot be read");
        }
    };
    let runtime = match session::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    runtime.block_on(async {
        let gate = match session::open(places, Events::Silent, Door::Cli).await {
            Ok(gate) => gate,
            Err(exit) => {
                refuse(
                    "config",
                    "configuration",
                    "the gate does not open; portcullis check says why",
                );
                return exit;
            }
        };
        let exit = run(&gate, request).await;
        session::drain(&gate).await;
        gate.close();
        exit
    })
}

async fn run(gate: &Gatehouse, request: Request) -> Exit {
    let caller = Caller {
        principal: session::principal(),
        door: Door::Cli,
        request_id: None,
        stop: session::stop_on_signal(),
        progress: None,
    };
    let Request { alias, command } = request;
    let waiting = match gate.wait_in_line(&caller, &alias, &command).await {
        Ok(waiting) => waiting,
        Err(fault) => {
            let exit = match &fault {
                Fault::Input(_) => "usage",
                Fault::UnknownAlias(_) | Fault::Setup { .. } => "config",
                Fault::Busy => "refused",
            };
            return refuse(exit, fault.code(), &fault.to_string());
        }
    };
    let look = gate.look(&caller, waiting.id()).await;
    let answer = match look {
        Ok(task) => json!({
            "task_id": task.task,
            "status": "pending",
            "alias": task.alias,
            "hash": task.hash,
            "command": task.command,
            "keepAlive": task.ttl_seconds,
            "pollFrequency": task.progress_seconds,
        }),
        Err(_) => json!({"task_id": waiting.id(), "status": "pending"}),
    };
    say(&answer);
    match gate.run_task(caller, waiting).await {
        Ok(()) => Exit::Ok,
        Err(fault) => {
            // The row says `unknown` once this process is gone.
            tracing::error!(%fault, "a task was not ended");
            Exit::Bug
        }
    }
}

fn refuse(exit: &str, code: &str, error: &str) -> Exit {
    say(&json!({"status": "error", "code": code, "error": error, "exit": exit}));
    Exit::Refused
}

/// The one line. Whoever waited for it may be gone; the task is there all the same.
fn say(answer: &Value) {
    let _ = console::line(&answer.to_string());
}
