//! Asynchronous runs: started here, run to their end by a runner, asked for by whoever started them.
//!
//! A run outlives whoever asked for it: a client's server ends with the client, and a verb with its line. So each task has
//! a process of its own (the same program, detached) that waits for its turn, decides, runs and records like every other run, and
//! writes what is decided about it into the store. It obeys what is written there (a cancel), and when it is killed its lock is
//! free and its task is `unknown`. One process for each costs some megabytes while it waits, and buys that nothing but
//! the store has to be running, and that a fault of one takes no other with it.
//!
//! The decision is made when the task's turn has come, under the files as they are then: what was allowed an hour ago
//! may not be now.
//!
//! Must not: answer for somebody else's task. One that is not there, one of another principal and a text that is no id
//! are answered in the same words.

use super::feed::{Feed, Printed, pieces};
use super::notes::fields;
use super::run::Errand;
use super::{Gatehouse, House};
use crate::tasks::{Life, Tasks};
use portcullis_core::answer::{Fault, Ran, Reload, Run};
use portcullis_core::audit::{Durability, Stamp};
use portcullis_core::clock::Clock;
use portcullis_core::request::TaskId;
use portcullis_core::text::SafeText;
use portcullis_mcp::gate::Caller;
use portcullis_store::{self as store, Chunks, Claim, End, Id, New, State, Task};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at whether a task's turn has come, or whether it was taken back.
const LOOK: Duration = Duration::from_millis(250);
/// Looks at the queue between two looks for runners that are gone.
const LOOKS_BETWEEN_SETTLING: u32 = 20;
/// Most output that is kept as a task's result, in bytes; the policy's cap holds too.
const RESULT_BYTES_MAX: usize = 1_048_576;

/// The answer to a task that is not there for whoever asks.
const UNKNOWN_TASK: Fault = Fault::Setup {
    code: "unknown_task",
    message: "Task not found or expired",
};

/// The answer where the store cannot be used. Why stands in the operator's log.
const NO_STORE: Fault = Fault::Setup {
    code: "store_unavailable",
    message: "The store of tasks cannot be used",
};

/// The answer where the store may not grow.
const STORE_FULL: Fault = Fault::Setup {
    code: "store_full",
    message: "The store of tasks is full: results make room when their time (task_result_ttl) is over",
};

/// A task that waits, and the life of its runner.
pub(crate) struct Waiting {
    tasks: Arc<Tasks>,
    id: Id,
    task: TaskId,
    alias: String,
    command: String,
    _life: Life,
}

impl Waiting {
    /// What whoever started it is told.
    pub(crate) fn id(&self) -> &str {
        &self.id.task
    }
}

impl House {
    /// The store, opened when it is first asked for.
    async fn tasks(&self) -> Result<Arc<Tasks>, Fault> {
        let (held, dirs) = (Arc::clone(&self.tasks), self.dirs());
        let opening = tokio::task::spawn_blocking(move || {
            // One after the other: opening brings the file's shape up to date.
            let mut held = held
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(tasks) = held.as_ref() {
                return Some(Arc::clone(tasks));
            }
            let state = dirs.state();
            let state = state.inspect_err(|fault| tracing::error!(%fault, "no state for tasks"));
            let tasks = Tasks::open(&state.ok()?);
            let tasks = tasks.inspect_err(|fault| tracing::error!(%fault, "no store of tasks"));
            Some(Arc::clone(held.insert(Arc::new(tasks.ok()?))))
        });
        opening.await.ok().flatten().ok_or(NO_STORE)
    }

    /// Asks the store something, away from the runtime's threads.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Tasks, u64) -> Result<T, store::Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let tasks = self.tasks().await?;
        let now = self.clock.now().0;
        let asking = tokio::task::spawn_blocking(move || question(&tasks, now));
        match asking.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(store::Fault::Full(_))) => Err(Fault::Busy),
            Ok(Err(fault @ store::Fault::NoRoom(_))) => {
                tracing::warn!(%fault, "a task is not taken");
                Err(STORE_FULL)
            }
            Ok(Err(fault)) => {
                tracing::error!(%fault, "the store of tasks does not answer");
                Err(NO_STORE)
            }
            Err(_) => Err(NO_STORE),
        }
    }

    async fn wait_in_line(
        &self,
        caller: &Caller,
        alias: &str,
        command: &str,
    ) -> Result<Waiting, Fault> {
        let (live, origin) = (self.live(), self.origin(caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let (request, target) = self.admit_request(&live, stamp, alias, command).await?;
        let limits = live.snapshot.policy.limits_for(&target.host);
        let task = self.mint(&request)?;
        let id = Id {
            task: task.as_str().to_owned(),
            principal: caller.principal.as_str().to_owned(),
        };
        let new = New {
            id: id.clone(),
            alias: request.alias.as_str().to_owned(),
            hash: request.line.hash16(),
            command: live.redactor.mask(request.line.as_str()).0,
            max_seconds: limits.max_seconds,
            ttl_seconds: limits.task_result_ttl,
            progress_seconds: limits.task_progress_interval,
        };
        let tasks = self.tasks().await?;
        let life = self
            .ask(move |tasks, now| {
                tasks.settle()?;
                let life = tasks.live(&new.id.task)?;
                tasks.store.start(new, now)?;
                Ok(life)
            })
            .await?;
        let body = fields([
            ("task_id", json!(id.task)),
            ("alias", json!(request.alias.as_str())),
            ("hash", json!(request.line.hash16())),
        ]);
        self.note("task_start", Durability::Written, stamp, body)
            .await;
        Ok(Waiting {
            tasks,
            id,
            task,
            alias: request.alias.as_str().to_owned(),
            command: command.to_owned(),
            _life: life,
        })
    }

    /// Waits for the task's turn; whether it came. Says too whether others were before it.
    async fn turn(&self, waiting: &Waiting, caller: &Caller) -> Result<(bool, bool), Fault> {
        let mut looks = 0;
        loop {
            let id = waiting.id.clone();
            let settles = looks % LOOKS_BETWEEN_SETTLING == 0;
            let claim = self.ask(move |tasks, now| {
                if settles {
                    // A place that is held by a runner that is gone is free.
                    tasks.settle()?;
                }
                tasks.store.claim(&id, now)
            });
            match claim.await? {
                Claim::Granted => return Ok((true, looks > 0)),
                Claim::Gone => return Ok((false, false)),
                Claim::Waits => {}
            }
            looks += 1;
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = caller.stop.cancelled() => return Ok((false, false)),
            }
        }
    }

    /// Takes the run back when the store says so. Never ends otherwise.
    async fn obey(&self, id: &Id, caller: &Caller) {
        loop {
            tokio::time::sleep(LOOK).await;
            let id = id.clone();
            let asked = self.ask(move |tasks, now| tasks.store.task(&id, now)).await;
            // A store that cannot be read cannot say stop; the time limit holds.
            if matches!(asked, Ok(Some(task)) if task.cancel) {
                caller.stop.cancel();
                return;
            }
        }
    }

    async fn end(&self, id: &Id, end: End, printed: Printed) -> Result<(), Fault> {
        let id = id.clone();
        self.ask(move |tasks, now| tasks.store.finish(&id, end, printed, now))
            .await
    }

    /// Records that somebody asked about tasks.
    async fn note_tasks(&self, caller: &Caller, what: &'static str) {
        let (live, origin) = (self.live(), self.origin(caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        self.note_read(what, stamp, Map::new()).await;
    }
}

impl Gatehouse {
    /// Takes a command as a task that waits, for a process that will run it.
    pub(crate) async fn wait_in_line(
        &self,
        caller: &Caller,
        alias: &str,
        command: &str,
    ) -> Result<Waiting, Fault> {
        self.0.wait_in_line(caller, alias, command).await
    }

    /// Runs a task that waits, to its end, and writes that down.
    pub(crate) async fn run_task(&self, caller: Caller, waiting: Waiting) -> Result<(), Fault> {
        let house = &self.0;
        let (came, waited) = house.turn(&waiting, &caller).await?;
        if !came {
            let end = plain_end(State::Cancelled, "cancelled", "taken back before its turn");
            return house.end(&waiting.id, end, Printed::new()).await;
        }
        if waited {
            let origin = house.own_origin(caller.door, &caller.principal);
            let files = house.reload(&origin, super::Scope::Everything).await;
            if matches!(files, Reload::Kept { .. }) {
                // What held when it began to wait does not hold any more, and what holds now says nothing.
                let why = "the configuration was changed while the task waited, and does not load";
                let end = plain_end(State::Denied, "configuration", why);
                return house.end(&waiting.id, end, Printed::new()).await;
            }
        }
        let feed = Feed::new(Arc::clone(&waiting.tasks), waiting.id.clone());
        let errand = Errand {
            task: Some(waiting.task.clone()),
            feed: Some(feed),
        };
        let run = Arc::clone(house).run_errand(
            caller.clone(),
            waiting.alias.clone(),
            waiting.command.clone(),
            errand,
        );
        let answer = tokio::select! {
            answer = run => answer,
            // Only takes the run back, which then answers.
            () = async {
                house.obey(&waiting.id, &caller).await;
                std::future::pending::<()>().await;
            } => return Err(NO_STORE),
        };
        let (end, printed) = match answer {
            Ok((Run::Ran(ran), rest)) => {
                let (complete, printed) = match rest {
                    Some(rest) if rest.complete => (true, rest.printed),
                    // What is missing is in the result; here it would come twice.
                    Some(rest) if rest.released => (false, rest.printed),
                    _ => (false, pieces(&ran.shown)),
                };
                (ran_end(&ran, complete), printed)
            }
            Ok((Run::Denied(denied), _)) => {
                let refusal = &denied.refusal;
                let detail = house.live().redactor.mask(&refusal.detail).0;
                let mut end = plain_end(State::Denied, refusal.code.as_str(), &detail);
                end.end = with(
                    &end.end,
                    "hint",
                    json!(SafeText::from(refusal.hint.as_str())),
                );
                (end, Printed::new())
            }
            Err(fault) => {
                let end = plain_end(State::Failed, fault.code(), &fault.to_string());
                (end, Printed::new())
            }
        };
        house.end(&waiting.id, end, printed).await
    }

    /// The caller's tasks, newest first.
    pub(crate) async fn tasks(&self, caller: &Caller) -> Result<Vec<Task>, Fault> {
        self.0.note_tasks(caller, "tasks").await;
        let principal = caller.principal.as_str().to_owned();
        let list = move |tasks: &Tasks, now| {
            tasks.settle()?;
            tasks.store.tasks(&principal, now)
        };
        self.0.ask(list).await
    }

    /// One of the caller's tasks.
    pub(crate) async fn task(&self, caller: &Caller, task: &str) -> Result<Task, Fault> {
        self.0.note_tasks(caller, "task").await;
        self.look(caller, task).await
    }

    /// The same for a verb that asks again and again, and has been recorded once.
    pub(crate) async fn look(&self, caller: &Caller, task: &str) -> Result<Task, Fault> {
        let id = own(caller, task)?;
        let found = self.0.ask(move |tasks, now| {
            tasks.settle()?;
            tasks.store.task(&id, now)
        });
        found.await?.ok_or(UNKNOWN_TASK)
    }

    /// What one of the caller's tasks has printed, from a number on. `first` says that it is recorded.
    pub(crate) async fn task_output(
        &self,
        caller: &Caller,
        task: &str,
        since: u64,
        first: bool,
    ) -> Result<Chunks, Fault> {
        if first {
            self.0.note_tasks(caller, "task_output").await;
        }
        let id = own(caller, task)?;
        let found = self.0.ask(move |tasks, now| {
            tasks.settle()?;
            tasks.store.chunks(&id, since, now)
        });
        found.await?.ok_or(UNKNOWN_TASK)
    }

    /// Takes one of the caller's tasks back; whether it had not ended.
    pub(crate) async fn cancel_task(&self, caller: &Caller, task: &str) -> Result<bool, Fault> {
        let id = own(caller, task)?;
        let house = &self.0;
        let (asked, known) = (id.clone(), id.task.clone());
        let found = house.ask(move |tasks, now| {
            tasks.settle()?;
            tasks.store.task(&asked, now)
        });
        let alias = found.await?.ok_or(UNKNOWN_TASK)?.alias;
        let (live, origin) = (house.live(), house.origin(caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let body = fields([("task_id", json!(known)), ("alias", json!(alias))]);
        house
            .note("task_cancel", Durability::Written, stamp, body)
            .await;
        house.ask(move |tasks, _| tasks.store.cancel(&id)).await
    }
}

/// The caller's own task of that id. A text that is no id is no task.
fn own(caller: &Caller, task: &str) -> Result<Id, Fault> {
    let task = TaskId::parse(task).map_err(|_| UNKNOWN_TASK)?;
    Ok(Id {
        task: task.as_str().to_owned(),
        principal: caller.principal.as_str().to_owned(),
    })
}

/// The end of a task that was not run, or of one whose run says no more.
fn plain_end(state: State, code: &str, message: &str) -> End {
    let body = json!({
        "exit_code": -1,
        "code": code,
        "message": SafeText::from(message),
        "cancelled": state == State::Cancelled,
        "timeout": false,
        "duration_ms": 0,
        "target_ip": "",
        "output": "",
    });
    End {
        state,
        end: body.to_string(),
        ttl_seconds: None,
    }
}

/// An end with one field more.
fn with(end: &str, name: &str, value: Value) -> String {
    let mut body: Map<String, Value> = serde_json::from_str(end).unwrap_or_default();
    body.insert(name.to_owned(), value);
    Value::Object(body).to_string()
}

/// The end of a task that was run.
fn ran_end(ran: &Ran, followed: bool) -> End {
    let state = match ran.closing.state {
        "completed" => State::Completed,
        "timed_out" => State::TimedOut,
        "cancelled" => State::Cancelled,
        "unknown" => State::Unknown,
        // A signal, another status than 0, too much output, a host that cannot be reached.
        _ => State::Failed,
    };
    let mut body = Map::new();
    ran.closing.fill(&mut body);
    let output = SafeText::from(ran.shown.joined());
    let clipped = output.len() > RESULT_BYTES_MAX;
    let more = fields([
        ("end", json!(ran.closing.state)),
        ("output", json!(output.clipped(RESULT_BYTES_MAX))),
        ("truncated", json!(ran.shown.truncated || clipped)),
        ("signal", json!(ran.signal)),
        ("code", json!(ran.fault.as_ref().map(|fault| fault.code))),
        (
            "message",
            json!(ran.fault.as_ref().map(|fault| fault.message)),
        ),
        ("withheld", json!(ran.shown.withheld.is_some())),
        ("paged", json!(ran.paging.is_some())),
        ("followed", json!(followed)),
        ("rendered_sha256", json!(ran.rendered_sha256)),
    ]);
    body.extend(more);
    body.remove("state");
    End {
        state,
        end: Value::Object(body).to_string(),
        ttl_seconds: None,
    }
}
