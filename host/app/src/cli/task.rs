//! `portcullis task`: runs that go on when the verb that started them has ended.
//!
//! Must not: show another principal's task, or tell it from one that is not there.

mod runner;
mod start;

pub(super) use runner::{Runner, VERB, main as run};

use super::audit::rfc3339;
use super::console::{self, Colour};
use super::{Exit, Format, Places, session};
use crate::gate::Gatehouse;
use clap::{Args, Subcommand};
use portcullis_core::clock::Micros;
use portcullis_mcp::gate::Caller;
use portcullis_store::{Chunks, State, Task as Row};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Between two looks at a task that is waited for.
const LOOK: Duration = Duration::from_millis(250);
/// Most of the newest lines that are shown at once.
const LINES_MAX: u64 = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Start a command on a host and come back at once with a task id. Decided when its turn comes.
    Start(start::Start),
    /// List your tasks, newest first.
    List(List),
    /// Show where a task stands.
    Status(Status),
    /// Show what a task has printed so far, from a number on.
    Output(Output),
    /// Show how a task ended, and its output as far as the policy shows it.
    Result(Ended),
    /// Take a task back: one that runs is ended on its host, one that waits gets no turn.
    Cancel(Cancel),
    /// Wait for a task's end and show it as `task result` does.
    Wait(Wait),
}

/// Lists your tasks that have not ended, and those that are kept since their end.
#[derive(Debug, Args)]
pub(super) struct List {
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Shows where a task stands.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The task's id.
    task: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Shows what a task has printed: sanitised and redacted, in numbered pieces. Lines come when they are finished. Where
/// the host's output goes through redactor plugins, all of it comes when the command has ended.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// The task's id.
    task: String,
    /// Begin with the piece of this number.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    since: u64,
    /// Go on until the task has ended.
    #[arg(long)]
    follow: bool,
    /// Show the newest lines only, at most so many, in the order in which they came.
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["since", "follow"], value_parser = clap::value_parser!(u64).range(1..=LINES_MAX))]
    lines: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Shows how a task ended. Exit 0 if the command exited with 0, 4 if it did not, 1 if it was refused or has not ended.
#[derive(Debug, Args)]
pub(super) struct Ended {
    /// The task's id.
    task: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Takes a task back.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The task's id.
    task: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Waits for a task's end. Ending the wait does not end the task.
#[derive(Debug, Args)]
pub(super) struct Wait {
    /// The task's id.
    task: String,
    /// Wait at most so many seconds.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Task) -> Exit {
    match verb {
        Task::Start(verb) => start::main(places, verb),
        Task::List(verb) => list(places, verb),
        Task::Status(verb) => status(places, verb),
        Task::Output(verb) => output(places, verb),
        Task::Result(verb) => result(places, verb),
        Task::Cancel(verb) => cancel(places, verb),
        Task::Wait(verb) => wait(places, verb),
    }
}

fn list(places: &Places, verb: &List) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let tasks = match gate.tasks(&caller).await {
            Ok(tasks) => tasks,
            Err(fault) => return session::answer_fault(&fault, verb.format),
        };
        let written = match verb.format {
            Format::Json => {
                let tasks: Vec<Value> = tasks.iter().map(standing).collect();
                console::line(&json!({ "tasks": tasks }).to_string())
            }
            Format::Human => tasks.iter().try_for_each(|task| {
                console::line(&format!(
                    "{}  {} {}  $ {}",
                    rfc3339(Micros(task.created_us)),
                    paint(task.state),
                    task.task,
                    task.command
                ))
            }),
        };
        console::written(written, Exit::Ok)
    })
}

fn status(places: &Places, verb: &Status) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let task = match gate.task(&caller, &verb.task).await {
            Ok(task) => task,
            Err(fault) => return session::answer_fault(&fault, verb.format),
        };
        let written = match verb.format {
            Format::Json => console::line(&standing(&task).to_string()),
            Format::Human => console::line(&format!(
                "{} on {}: {} s of {} s, {} bytes, {} pieces of output",
                paint(task.state).trim_end(),
                task.alias,
                elapsed_ms(&task) / 1_000,
                task.max_seconds,
                task.bytes_read,
                task.chunks
            )),
        };
        console::written(written, Exit::Ok)
    })
}

fn output(places: &Places, verb: &Output) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        if let Some(most) = verb.lines {
            return newest(gate, &caller, verb, most).await;
        }
        let (mut since, mut first) = (verb.since, true);
        loop {
            let found = gate.task_output(&caller, &verb.task, since, first);
            let chunks = match found.await {
                Ok(chunks) => chunks,
                Err(fault) => return session::answer_fault(&fault, verb.format),
            };
            let next = chunks.chunks.last().map(|it| it.seq + 1);
            let more = next.is_some_and(|next| next <= chunks.last);
            let over = !more && (!verb.follow || chunks.state.is_final());
            let quiet = chunks.chunks.is_empty() && !(first && over);
            let gap = chunks.first > since.max(1);
            if gap && verb.format == Format::Human && !quiet {
                console::say(&format!(
                    "the output before piece {} is no longer kept",
                    chunks.first
                ));
            }
            let written = match verb.format {
                _ if quiet => Ok(()),
                Format::Json => console::line(&pieces(&verb.task, since, &chunks).to_string()),
                Format::Human => chunks
                    .chunks
                    .iter()
                    .try_for_each(|it| console::text(&it.text.as_str().into())),
            };
            if over || written.is_err() {
                return console::written(written, Exit::Ok);
            }
            since = next.unwrap_or(since);
            first = false;
            if !more {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = caller.stop.cancelled() => return Exit::Ok,
                }
            }
        }
    })
}

/// The newest lines of what is kept of a task's output. Only so many are held at a time.
async fn newest(gate: &Gatehouse, caller: &Caller, verb: &Output, most: u64) -> Exit {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (mut lines, mut open, mut total) = (VecDeque::new(), String::new(), 0_u64);
    let mut keep = |line: String| {
        total += 1;
        lines.push_back(line);
        if lines.len() > most {
            lines.pop_front();
        }
    };
    // What is printed after the first look is not waited for: a task may print faster than this reads.
    let (mut since, mut end) = (0, None);
    let (state, oldest) = loop {
        let found = gate.task_output(caller, &verb.task, since, end.is_none());
        let chunks = match found.await {
            Ok(chunks) => chunks,
            Err(fault) => return session::answer_fault(&fault, verb.format),
        };
        let end = *end.get_or_insert(chunks.last);
        for chunk in chunks.chunks.iter().filter(|it| it.seq <= end) {
            open.push_str(&chunk.text);
            if let Some(at) = open.rfind('\n') {
                let rest = open.split_off(at + 1);
                open.split_terminator('\n')
                    .for_each(|line| keep(line.to_owned()));
                open = rest;
            }
        }
        match chunks.chunks.last() {
            Some(last) if last.seq < end => since = last.seq + 1,
            Some(_) | None => break (chunks.state, chunks.first),
        }
    };
    if !open.is_empty() {
        keep(open);
    }
    if oldest > 1 && verb.format == Format::Human {
        console::say(&format!(
            "the output before piece {oldest} is no longer kept"
        ));
    }
    let written = match verb.format {
        Format::Json => {
            let answer = json!({
                "task_id": verb.task,
                "status": state.as_str(),
                "returned": lines.len(),
                "total_lines": total,
                "has_more": total > lines.len() as u64 || oldest > 1,
                "lines": lines,
            });
            console::line(&answer.to_string())
        }
        Format::Human => lines.iter().try_for_each(|line| console::line(line)),
    };
    console::written(written, Exit::Ok)
}

fn result(places: &Places, verb: &Ended) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        match gate.task(&caller, &verb.task).await {
            Ok(task) => ended(&task, verb.format),
            Err(fault) => session::answer_fault(&fault, verb.format),
        }
    })
}

fn wait(places: &Places, verb: &Wait) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let until = verb
            .timeout
            .map(|s| Instant::now() + Duration::from_secs(s));
        let mut found = gate.task(&caller, &verb.task).await;
        loop {
            let task = match found {
                Ok(task) => task,
                Err(fault) => return session::answer_fault(&fault, verb.format),
            };
            let late = until.is_some_and(|until| Instant::now() >= until);
            if task.state.is_final() || late || caller.stop.is_cancelled() {
                return ended(&task, verb.format);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = caller.stop.cancelled() => {}
            }
            found = gate.look(&caller, &verb.task).await;
        }
    })
}

fn cancel(places: &Places, verb: &Cancel) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let cancelled = match gate.cancel_task(&caller, &verb.task).await {
            Ok(cancelled) => cancelled,
            Err(fault) => return session::answer_fault(&fault, verb.format),
        };
        let message = if cancelled {
            "Cancellation signaled"
        } else {
            "Task not found or not cancellable"
        };
        let exit = if cancelled { Exit::Ok } else { Exit::Refused };
        let written = match verb.format {
            Format::Json => {
                let answer =
                    json!({"task_id": verb.task, "cancelled": cancelled, "message": message});
                console::line(&answer.to_string())
            }
            Format::Human => {
                console::say(message);
                Ok(())
            }
        };
        console::written(written, exit)
    })
}

/// A task's end, or that it has none yet.
fn ended(task: &Row, format: Format) -> Exit {
    let exit = match task.state {
        State::Completed => Exit::Ok,
        State::Pending | State::Running | State::Denied => Exit::Refused,
        State::Failed | State::Cancelled | State::TimedOut | State::Unknown => Exit::Remote,
    };
    let end = end_of(task);
    if format == Format::Json {
        let mut body = json!({
            "task_id": task.task,
            "status": task.state.as_str(),
            "alias": task.alias,
            "hash": task.hash,
            "max_seconds": task.max_seconds,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(end);
        }
        return console::written(console::line(&body.to_string()), exit);
    }
    let text = |name: &str| end.get(name).and_then(Value::as_str).unwrap_or_default();
    let output = text("output");
    let mut written = console::text(&output.into());
    if !output.is_empty() && !output.ends_with('\n') {
        written = written.and_then(|()| console::line(""));
    }
    if !text("message").is_empty() {
        console::fault(
            &format!("{} ({})", text("message"), text("code")),
            text("hint"),
        );
    }
    let number = |name: &str| end.get(name).map(ToString::to_string).unwrap_or_default();
    let how = if task.state.is_final() && task.state != State::Unknown {
        format!(
            ", exit {}, {} ms",
            number("exit_code"),
            number("duration_ms")
        )
    } else {
        String::new()
    };
    console::say(&format!("[{} on {}{how}]", task.state.as_str(), task.alias));
    console::written(written, exit)
}

/// What was written down of a task's end.
fn end_of(task: &Row) -> Map<String, Value> {
    let end = task.end.as_deref();
    let end = end.and_then(|end| serde_json::from_str(end).ok());
    end.unwrap_or_default()
}

fn pieces(task: &str, since: u64, chunks: &Chunks) -> Value {
    let pieces = chunks.chunks.iter();
    let pieces: Vec<Value> = pieces
        .map(|it| json!({"seq": it.seq, "stream": it.stream, "text": it.text}))
        .collect();
    let next = chunks.chunks.last().map_or(since.max(1), |it| it.seq + 1);
    json!({
        "task_id": task,
        "status": chunks.state.as_str(),
        "chunks": pieces,
        "next_seq": next,
        "first_seq": chunks.first,
        "last_seq": chunks.last,
        "has_more": next <= chunks.last,
    })
}

/// Where a task stands, for programs.
fn standing(task: &Row) -> Value {
    let elapsed = elapsed_ms(task);
    let percent = if task.state.is_final() {
        100
    } else {
        (elapsed / 10)
            .checked_div(task.max_seconds)
            .unwrap_or(0)
            .min(100)
    };
    json!({
        "task_id": task.task,
        "status": task.state.as_str(),
        "alias": task.alias,
        "hash": task.hash,
        "command": task.command,
        "keepAlive": task.ttl_seconds,
        "pollFrequency": task.progress_seconds,
        "progress_percent": percent,
        "elapsed_ms": elapsed,
        "bytes_read": task.bytes_read,
        "phase": task.phase,
        "output_chunks_available": task.chunks,
        "cancel_requested": task.cancel,
        "created": rfc3339(Micros(task.created_us)),
    })
}

/// From the task's turn to its end, or to now.
fn elapsed_ms(task: &Row) -> u64 {
    use portcullis_core::clock::Clock;
    let now = || crate::events::SystemClock.now().0;
    let began = task.started_us.unwrap_or(task.created_us);
    task.ended_us.unwrap_or_else(now).saturating_sub(began) / 1_000
}

fn paint(state: State) -> String {
    let colour = match state {
        State::Completed => Colour::Green,
        State::Pending | State::Running => Colour::Bold,
        State::Failed | State::Denied => Colour::Red,
        State::Cancelled | State::TimedOut | State::Unknown => Colour::Yellow,
    };
    console::paint(&format!("{:<9}", state.as_str()), colour)
}
