//! The pipeline: the one way of a command from an unchecked request to an answer. Both doors, the MCP
//! server and the command line, call [`Gatehouse`]; neither has a way around it.
//!
//! * `live`: the snapshot that holds
//! * `reload`: how it is swapped for another, and what is said of that
//! * `names`: how the name of a host becomes addresses
//! * `login`: what a run logs in with
//! * `contact`: what an operator asks about hosts
//! * `fleet`: one command on many hosts
//! * `tasks`: asynchronous runs; `feed`: what they print, while they do
//! * `run`: decide, hear, admit, journal, run, scrub, close
//! * `plan`: the same up to the point where something would happen
//! * `notes`: records of what is no decision; `flood`: how many of them
//!
//! Must not: speak a protocol, or choose words for people beyond the fixed texts below.

mod aside;
mod contact;
mod feed;
mod fleet;
mod flood;
mod live;
mod login;
mod names;
mod notes;
mod plan;
mod reload;
mod run;
mod tasks;

pub(crate) use contact::{NoContact, NotAccepted, Ping, PingState, Portrait, Scan};
pub(crate) use live::{Live, LoadFault, Scope, load, owner, tagged};
pub(crate) use notes::keep;

use crate::events::{Events, SystemClock, Watch};
use crate::files::Dirs;
use crate::journal::Journal;
use crate::spill::{Owner, Spills};
use crate::tasks::Tasks;
use notes::{Notes, fields};
use portcullis_core::BoxFuture;
use portcullis_core::answer::{
    Fault, Fleet, Member, Page, PageRequest, Plan, Reload, Rolling, Run,
};
use portcullis_core::audit::{Door, Origin, Stamp};
use portcullis_core::clock::Clock;
use portcullis_core::config::changes;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::policy::Refusal;
use portcullis_core::request::{Alias, Principal, RunRequest};
use portcullis_mcp::gate::{Caller, EdgeRefusal, Gate};
use portcullis_ssh::Engine;
use serde_json::{Map, json};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio_util::task::TaskTracker;

/// The gate as both doors hold it.
#[derive(Clone)]
pub(crate) struct Gatehouse(Arc<House>);

/// Everything that a request passes.
struct House {
    /// Exchanged together with the snapshot that was read through them.
    dirs: RwLock<Arc<Dirs>>,
    live: RwLock<Arc<Live>>,
    engine: Engine,
    journal: Journal,
    /// `None` where no state is known to keep output in.
    spills: Option<Spills>,
    events: Events,
    clock: SystemClock,
    runs: TaskTracker,
    notes: Notes,
    /// The asynchronous runs, once somebody has asked for them.
    tasks: Arc<Mutex<Option<Arc<Tasks>>>>,
    /// Whom this process belongs to.
    owner: Principal,
    reloading: tokio::sync::Mutex<()>,
}

impl Gatehouse {
    /// Builds the gate around a loaded snapshot.
    pub(crate) fn new(
        dirs: Dirs,
        live: Live,
        engine: Engine,
        journal: Journal,
        spills: Option<Spills>,
        events: Events,
        owner: Principal,
    ) -> Self {
        let house = Self(Arc::new(House {
            dirs: RwLock::new(Arc::new(dirs)),
            live: RwLock::new(Arc::new(live)),
            engine,
            journal,
            spills,
            events,
            clock: SystemClock,
            runs: TaskTracker::new(),
            notes: Notes::new(SystemClock.now()),
            tasks: Arc::default(),
            owner,
            reloading: tokio::sync::Mutex::new(()),
        }));
        house.0.ask_names_as_set();
        tokio::spawn(notes::record_counts(Arc::downgrade(&house.0)));
        house
    }

    /// Records that a server begins.
    pub(crate) async fn started(&self) {
        self.0.note_start().await;
    }

    /// Waits until every run has answered. Callers cancel the runs first; each then ends within the ladder's
    /// bound.
    pub(crate) async fn runs_ended(&self) {
        self.0.runs.close();
        self.0.runs.wait().await;
    }

    /// Records that a server ends.
    pub(crate) async fn stopped(&self, reason: &'static str) {
        self.0.note_stop(reason).await;
    }

    /// Puts the journal on the disk and closes it.
    pub(crate) fn close(&self) {
        self.0.journal.close();
    }

    /// Runs a command on every host that has a tag; `told` hears of each that has ended, and how many have.
    pub(crate) async fn run_on_tag(
        &self,
        caller: Caller,
        tag: &str,
        command: &str,
        rolling: Rolling,
        told: &(dyn Fn(&Member, usize) + Send + Sync),
    ) -> Result<Fleet, Fault> {
        let house = Arc::clone(&self.0);
        house.run_on_tag(caller, tag, command, rolling, told).await
    }

    /// Asks a host for a sign of life; with `exec` also by a command that has no effect.
    pub(crate) async fn ping_host(
        &self,
        caller: Caller,
        alias: &str,
        exec: bool,
    ) -> Result<Ping, Fault> {
        self.0.ping(caller, alias, exec).await
    }

    /// Asks a host for its keys.
    pub(crate) async fn scan(&self, caller: &Caller, alias: &str) -> Result<Scan, NoContact> {
        self.0.scan(caller, alias).await
    }

    /// Writes down a key that a person has named by its fingerprint; the line.
    pub(crate) async fn accept(
        &self,
        caller: &Caller,
        scan: &Scan,
        fingerprint: &str,
    ) -> Result<String, NotAccepted> {
        self.0.accept(caller, scan, fingerprint).await
    }

    /// Everything that holds on a host, without secrets.
    pub(crate) async fn portrait(&self, caller: &Caller, alias: &str) -> Result<Portrait, Fault> {
        self.0.portrait(caller, alias).await
    }

    /// Reads the configuration again and swaps it whole, or keeps the last good one.
    pub(crate) async fn reload_scope(
        &self,
        door: Door,
        principal: &Principal,
        scope: Scope,
    ) -> Reload {
        let origin = self.0.own_origin(door, principal);
        self.0.reload(&origin, scope).await
    }

    /// Looks at the files again and again, as the settings say, and reloads what has changed. Never ends.
    pub(crate) async fn watch(&self, principal: &Principal) {
        let origin = self.0.own_origin(Door::Poll, principal);
        self.0.watch(&origin).await;
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

    /// The snapshot that holds now. A run keeps the one it began with.
    fn live(&self) -> Arc<Live> {
        // A poisoned lock only says that a writer panicked between two whole snapshots; the one that is
        // there is whole.
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The directories that the snapshot was read through. A run keeps those that it began with.
    fn dirs(&self) -> Arc<Dirs> {
        Arc::clone(&self.dirs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where a reload reads. The operator's signal opens everything anew. A tool that an agent can call reads on
    /// through the handles of the start, and is told where that is no longer what stands at the paths.
    fn reading_from(&self, scope: Scope, watch: &Watch) -> Result<Arc<Dirs>, LoadFault> {
        let dirs = self.dirs();
        let found = if scope == Scope::Everything {
            dirs.reopen(&|name| std::env::var_os(name)).map(Arc::new)
        } else {
            dirs.in_place().map(|()| dirs)
        };
        let fault = |fault| LoadFault::Files(vec![fault], Vec::new());
        watch.pass(found).map_err(fault)
    }

    /// Checks the inputs and finds the host: the first two steps of every decision. What ends here is
    /// recorded too, without the text that was not taken.
    async fn admit_request(
        &self,
        live: &Live,
        stamp: Stamp<'_>,
        alias: &str,
        command: &str,
    ) -> Result<(RunRequest, Target), Fault> {
        let fault = match RunRequest::parse(alias, command) {
            Ok(request) => match live.snapshot.inventory.resolve(&request.alias) {
                Some(target) => return Ok((request, target)),
                None => Fault::UnknownAlias(request.alias),
            },
            Err(fault) => Fault::Input(fault),
        };
        self.note_input(&fault, stamp).await;
        Err(fault)
    }

    /// One page of a run's output. A run that is unknown, over its time, or another principal's is answered in
    /// the same words.
    async fn page_request(&self, caller: Caller, request: PageRequest) -> Result<Page, Fault> {
        let (live, origin) = (self.live(), self.origin(&caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let task = portcullis_core::text::step(&request.task);
        let more = fields([
            ("task_id", json!(live.redactor.mask(&task).0)),
            ("stream", json!(request.stream.name())),
            ("offset", json!(request.offset)),
        ]);
        self.note_read("output", stamp, more).await;
        let owner = Owner {
            task: request.task.trim().to_owned(),
            principal: caller.principal.as_str().to_owned(),
        };
        let (spills, now) = (self.spills.clone(), self.clock.now());
        let page = tokio::task::spawn_blocking(move || {
            let page = spills?.page(&owner, request.stream, request.offset, request.bytes, now);
            page.unwrap_or_else(|fault| {
                tracing::error!(%fault, "kept output cannot be read");
                None
            })
        });
        page.await.ok().flatten().ok_or(Fault::Setup {
            code: "unknown_task",
            message: "No output is kept under this task id",
        })
    }

    async fn reload(&self, origin: &Origin, scope: Scope) -> Reload {
        let _turn = self.reloading.lock().await;
        let old = self.live();
        let stamp = Stamp {
            origin,
            under: &old.under,
        };
        let watch = Watch::of(&self.reports(stamp));
        let loaded = match self.reading_from(scope, &watch) {
            Ok(dirs) => {
                let loaded = load(&dirs, &watch, scope, Some(&old)).await;
                loaded.map(|new| (dirs, new))
            }
            Err(fault) => Err(fault),
        };
        let told = self.is_told(origin, &old, loaded.as_ref().ok().map(|(_, new)| new));
        match loaded {
            Ok((dirs, new)) => {
                let answer = Reload::Reloaded {
                    digest: new.snapshot.digest.clone(),
                    hosts: new.snapshot.inventory.hosts().len(),
                    rules: new.snapshot.policy.rule_count(),
                    changed: new.snapshot.digest != old.snapshot.digest,
                    changes: Box::new(changes(&old.snapshot, &new.snapshot)),
                };
                if told {
                    self.note_reload(origin, scope, &old, Some(&new), &answer)
                        .await;
                }
                self.journal.set_keep(keep(&new, &self.owner));
                *self.dirs.write().unwrap_or_else(PoisonError::into_inner) = dirs;
                *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                self.ask_names_as_set();
                // What was logged in under the old files serves nobody who is judged by the new ones.
                self.engine.retire();
                // Whoever hears of it may ask at once, and is answered by the new snapshot.
                if told {
                    self.say_reload(origin, &answer);
                }
                answer
            }
            Err(fault) => {
                for line in fault.lines() {
                    tracing::error!(fault = %line, "the configuration was not reloaded");
                }
                let answer = Reload::Kept {
                    digest: old.snapshot.digest.clone(),
                    faults: fault.lines(),
                };
                if told {
                    self.say_reload(origin, &answer);
                    self.note_reload(origin, scope, &old, None, &answer).await;
                }
                answer
            }
        }
    }
}

impl House {
    async fn read(&self, caller: Caller, what: &'static str) {
        let (live, origin) = (self.live(), self.origin(&caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        self.note_read(what, stamp, Map::new()).await;
    }

    async fn describe(&self, caller: Caller, alias: String) -> Result<Host, Fault> {
        let (live, origin) = (self.live(), self.origin(&caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let found = Alias::parse(&alias)
            .map_err(Fault::Input)
            .and_then(|alias| {
                let target = live.snapshot.inventory.resolve(&alias);
                let unknown = || Fault::UnknownAlias(alias);
                target.map(|target| target.host).ok_or_else(unknown)
            });
        match &found {
            Ok(host) => {
                let more = fields([("alias", json!(host.alias.as_str()))]);
                self.note_read("host", stamp, more).await;
            }
            Err(fault) => self.note_input(fault, stamp).await,
        }
        found
    }
}

impl Gate for Gatehouse {
    fn ping(&self, caller: Caller) -> BoxFuture<'_, ()> {
        Box::pin(self.0.read(caller, "ping"))
    }

    fn hosts(&self, caller: Caller) -> BoxFuture<'_, Vec<Host>> {
        Box::pin(async move {
            self.0.read(caller, "hosts").await;
            self.0.live().snapshot.inventory.hosts().to_vec()
        })
    }

    fn describe(&self, caller: Caller, alias: String) -> BoxFuture<'_, Result<Host, Fault>> {
        Box::pin(self.0.describe(caller, alias))
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

    fn page(&self, caller: Caller, request: PageRequest) -> BoxFuture<'_, Result<Page, Fault>> {
        Box::pin(self.0.page_request(caller, request))
    }

    fn reload(&self, caller: Caller) -> BoxFuture<'_, Reload> {
        // Plugin bytes and pins change by signal or command line only: an agent can ask for the tool.
        Box::pin(async move { self.0.reload(&self.0.origin(&caller), Scope::Yaml).await })
    }

    fn refused(&self, refusal: EdgeRefusal) {
        self.0.note_refusal(refusal);
    }
}

/// A refusal that stands for a journal that cannot be written.
fn journal_refusal() -> Refusal {
    Refusal::journal_unavailable()
}
