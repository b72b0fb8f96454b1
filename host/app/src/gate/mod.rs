//! The pipeline: the one way of a command from an unchecked request to an answer. Both doors, the MCP
//! server and the command line, call [`Gatehouse`]; neither has a way around it.
//!
//! * `live`: the snapshot that holds, and how it is swapped
//! * `run`: decide, hear, admit, journal, run, scrub, close
//! * `plan`: the same up to the point where something would happen
//!
//! Must not: speak a protocol, or choose words for people beyond the fixed texts below.

mod live;
mod plan;
mod run;

pub(crate) use live::{Live, LoadFault, Scope, load};

use crate::events::{Events, SystemClock, Watch};
use crate::files::Dirs;
use crate::journal::Journal;
use portcullis_core::BoxFuture;
use portcullis_core::answer::{Fault, Plan, Reload, Run};
use portcullis_core::audit::{Draft, Durability, Sink};
use portcullis_core::clock::Clock;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::policy::Refusal;
use portcullis_core::request::{Alias, Principal, RunRequest};
use portcullis_mcp::gate::{Caller, Gate};
use portcullis_ssh::Engine;
use serde_json::{Map, Value, json};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_util::task::TaskTracker;

/// The gate as both doors hold it.
#[derive(Clone)]
pub(crate) struct Gatehouse(Arc<House>);

/// Everything that a request passes.
struct House {
    dirs: Dirs,
    live: RwLock<Arc<Live>>,
    engine: Engine,
    journal: Journal,
    events: Events,
    clock: SystemClock,
    runs: TaskTracker,
    reloading: tokio::sync::Mutex<()>,
}

impl Gatehouse {
    /// Builds the gate around a loaded snapshot.
    pub(crate) fn new(
        dirs: Dirs,
        live: Live,
        engine: Engine,
        journal: Journal,
        events: Events,
    ) -> Self {
        Self(Arc::new(House {
            dirs,
            live: RwLock::new(Arc::new(live)),
            engine,
            journal,
            events,
            clock: SystemClock,
            runs: TaskTracker::new(),
            reloading: tokio::sync::Mutex::new(()),
        }))
    }

    /// Waits until every run has answered and the journal is on the disk. Callers cancel the runs first;
    /// each then ends within the ladder's bound.
    pub(crate) async fn drain(&self) {
        self.0.runs.close();
        self.0.runs.wait().await;
        self.0.journal.close();
    }

    /// Reads the configuration again and swaps it whole, or keeps the last good one.
    pub(crate) async fn reload_scope(&self, principal: &Principal, scope: Scope) -> Reload {
        self.0.reload(principal, scope).await
    }
}

impl House {
    /// Where records go besides the journal, as the snapshot that holds says.
    fn events(&self) -> Events {
        if self.live().snapshot.settings.audit.stderr {
            self.events
        } else {
            Events::Silent
        }
    }

    /// Where refusals of files go that are read for somebody.
    fn watch(&self, principal: &Principal) -> Watch {
        Watch {
            events: self.events(),
            principal: principal.clone(),
        }
    }

    /// The snapshot that holds now. A run keeps the one it began with.
    fn live(&self) -> Arc<Live> {
        // A poisoned lock only says that a writer panicked between two whole snapshots; the one that is
        // there is whole.
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks the inputs and finds the host: the first two steps of every decision. What ends here is
    /// recorded too, without the text that was not taken.
    async fn admit_request(
        &self,
        live: &Live,
        principal: &Principal,
        alias: &str,
        command: &str,
    ) -> Result<(RunRequest, Target), Fault> {
        let fault = match RunRequest::parse(alias, command) {
            Ok(request) => match live.snapshot.inventory.resolve(&request.alias) {
                Some(target) => return Ok((request, target)),
                None => Fault::UnknownAlias(request.alias),
            },
            Err(fault) => {
                self.events().input_refused(principal, &fault);
                Fault::Input(fault)
            }
        };
        let body = Map::from_iter([("code".to_owned(), json!(fault.code()))]);
        self.note("input_refused", principal, body).await;
        Err(fault)
    }

    /// Records something that is not a decision. A read that cannot be recorded is still answered: a full
    /// disk must stop runs, not the operator's view.
    async fn note(&self, kind: &'static str, principal: &Principal, mut body: Map<String, Value>) {
        body.insert("principal".to_owned(), json!(principal.as_str()));
        let draft = Draft {
            kind,
            at: self.clock.now(),
            body,
            durability: Durability::Written,
        };
        if let Err(fault) = self.journal.append(draft).await {
            tracing::error!(%fault, kind, "a record was not written");
        }
    }

    async fn reload(&self, principal: &Principal, scope: Scope) -> Reload {
        let _turn = self.reloading.lock().await;
        let old = self.live();
        let loaded = load(&self.dirs, &self.watch(principal), scope, Some(&old)).await;
        let answer = match loaded {
            Ok(new) => {
                let changed = new.snapshot.digest != old.snapshot.digest;
                let answer = Reload::Reloaded {
                    digest: new.snapshot.digest.clone(),
                    hosts: new.snapshot.inventory.hosts().len(),
                    rules: new.snapshot.policy.rule_count(),
                    changed,
                };
                *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                answer
            }
            Err(fault) => {
                for line in fault.lines() {
                    tracing::error!(fault = %line, "the configuration was not reloaded");
                }
                Reload::Kept {
                    digest: old.snapshot.digest.clone(),
                    faults: fault.lines(),
                }
            }
        };
        let mut body = Map::new();
        match &answer {
            Reload::Reloaded {
                digest, changed, ..
            } => {
                body.insert("config".to_owned(), json!(digest));
                body.insert("changed".to_owned(), json!(changed));
            }
            Reload::Kept { digest, faults } => {
                body.insert("config".to_owned(), json!(digest));
                body.insert("faults".to_owned(), json!(faults.len()));
            }
        }
        self.note("reload", principal, body).await;
        answer
    }
}

impl Gate for Gatehouse {
    fn ping(&self, caller: Caller) -> BoxFuture<'_, ()> {
        let body = Map::from_iter([("what".to_owned(), json!("ping"))]);
        Box::pin(async move { self.0.note("read", &caller.principal, body).await })
    }

    fn hosts(&self, caller: Caller) -> BoxFuture<'_, Vec<Host>> {
        Box::pin(async move {
            self.0
                .note(
                    "read",
                    &caller.principal,
                    Map::from_iter([("what".to_owned(), json!("hosts"))]),
                )
                .await;
            self.0.live().snapshot.inventory.hosts().to_vec()
        })
    }

    fn describe(&self, caller: Caller, alias: String) -> BoxFuture<'_, Result<Host, Fault>> {
        Box::pin(async move {
            let alias = Alias::parse(&alias).map_err(|fault| {
                self.0.events().input_refused(&caller.principal, &fault);
                Fault::Input(fault)
            })?;
            let body = Map::from_iter([
                ("what".to_owned(), json!("host")),
                ("alias".to_owned(), json!(alias.as_str())),
            ]);
            self.0.note("read", &caller.principal, body).await;
            let live = self.0.live();
            let target = live.snapshot.inventory.resolve(&alias);
            target
                .map(|target| target.host)
                .ok_or(Fault::UnknownAlias(alias))
        })
    }

    fn plan(
        &self,
        caller: Caller,
        alias: String,
        command: String,
    ) -> BoxFuture<'_, Result<Plan, Fault>> {
        Box::pin(self.0.plan_request(caller, alias, command))
    }

    fn run(
        &self,
        caller: Caller,
        alias: String,
        command: String,
    ) -> BoxFuture<'_, Result<Run, Fault>> {
        Box::pin(Arc::clone(&self.0).run_request(caller, alias, command))
    }

    fn reload(&self, caller: Caller) -> BoxFuture<'_, Reload> {
        // Plugin bytes and pins change by signal or command line only: an agent can ask for the tool.
        Box::pin(async move { self.0.reload(&caller.principal, Scope::Yaml).await })
    }
}

/// A refusal that stands for a journal that cannot be written.
fn journal_refusal() -> Refusal {
    Refusal::journal_unavailable()
}
