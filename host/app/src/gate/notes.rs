//! Records of what is no decision: reads, inputs that are not taken, reloads, the server's start and end. And
//! what is said when the journal cannot be written: runs are refused elsewhere, everything here is still answered.
//!
//! Must not: hold a call up. What can be asked for without end is bounded by [`super::flood`].

use super::flood::{Admission, COUNTS_WAIT, Flood};
use super::reload::changes_value;
use super::{House, Live, Scope};
use crate::events::Reports;
use crate::journal::Keep;
use portcullis_core::answer::{Fault, Reload};
use portcullis_core::audit::{Door, Draft, Durability, Origin, Receipt, Sink, SinkFault, Stamp};
use portcullis_core::clock::{Clock, Micros};
use portcullis_core::config::{PluginKind, PluginMode};
use portcullis_core::redact::Redactor;
use portcullis_core::request::Principal;
use portcullis_core::text;
use portcullis_mcp::gate::{Caller, EdgeRefusal};
use portcullis_plugin::{BREAKER_OPEN_MS, BreakerState};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Most faults of a reload whose texts are recorded; the others are counted.
const FAULTS_MAX: usize = 20;
const DAY_SECONDS: u64 = 86_400;

/// What the notes of one process need.
pub(super) struct Notes {
    /// Begins every call's id: random, so that no two processes share one.
    instance: String,
    calls: AtomicU64,
    reads: Flood,
    inputs: Flood,
    /// Wakes the task that records counts.
    counted: tokio::sync::Notify,
    /// Whether the journal refused the newest record.
    down: AtomicBool,
    /// Records that it refused since it last took one.
    lost: AtomicU64,
    began: Micros,
}

impl Notes {
    pub(super) fn new(now: Micros) -> Self {
        let mut random = [0_u8; 8];
        if getrandom::fill(&mut random).is_err() {
            // The ids are for correlation, not for security: time and process tell processes apart too.
            let fallback = now.0 ^ u64::from(std::process::id()).rotate_left(48);
            random = fallback.to_be_bytes();
        }
        Self {
            instance: text::hex(&random),
            calls: AtomicU64::new(0),
            reads: Flood::new(now),
            inputs: Flood::new(now),
            counted: tokio::sync::Notify::new(),
            down: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            began: now,
        }
    }

    fn call_id(&self) -> String {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}-{number}", self.instance)
    }
}

/// What the journal keeps under a configuration, and the stamp of its own records.
pub(crate) fn keep(live: &Live, owner: &Principal) -> Keep {
    let audit = &live.snapshot.settings.audit;
    let days = |days: Option<u64>| days.map(|days| Duration::from_secs(days * DAY_SECONDS));
    let call_id = "journal".to_owned();
    let origin = Origin::new(
        owner.clone(),
        Door::Gate,
        call_id,
        None,
        &Redactor::default(),
    );
    let stamp = Stamp {
        origin: &origin,
        under: &live.under,
    };
    Keep {
        rotate_bytes: audit.rotate_bytes,
        rotate_age: days(audit.rotate_days),
        retain_files: audit.retain_files,
        retain_age: days(audit.retain_days),
        stamp: stamp.body(),
    }
}

/// Fields of a record from names and values.
pub(super) fn fields<const N: usize>(all: [(&str, Value); N]) -> Map<String, Value> {
    let own = |(name, value): (&str, Value)| (name.to_owned(), value);
    all.into_iter().map(own).collect()
}

impl House {
    /// The origin of a call.
    pub(super) fn origin(&self, caller: &Caller) -> Origin {
        Origin::new(
            caller.principal.clone(),
            caller.door,
            self.notes.call_id(),
            caller.request_id.as_deref(),
            &Redactor::default(),
        )
    }

    /// The origin of what no client asked for.
    pub(super) fn own_origin(&self, door: Door, principal: &Principal) -> Origin {
        let call_id = self.notes.call_id();
        Origin::new(principal.clone(), door, call_id, None, &Redactor::default())
    }

    /// Standard error for what comes of a call.
    pub(super) fn reports<'a>(&self, stamp: Stamp<'a>) -> Reports<'a> {
        let events = self.events();
        Reports { events, stamp }
    }

    /// Says once that the journal refuses records, and once that it takes them again, with how many are missing.
    pub(super) async fn journal_said<T>(&self, said: &Result<T, SinkFault>, stamp: Stamp<'_>) {
        match said {
            Err(fault) => {
                self.notes.lost.fetch_add(1, Ordering::Relaxed);
                if !self.notes.down.swap(true, Ordering::Relaxed) {
                    tracing::error!(%fault, "the journal refuses records: nothing runs until it takes them again");
                    let detail = text::step(&fault.to_string());
                    self.reports(stamp)
                        .security("audit_unavailable", fields([("detail", json!(detail))]));
                }
            }
            Ok(_) => {
                if self.notes.down.swap(false, Ordering::Relaxed) {
                    let lost = self.notes.lost.swap(0, Ordering::Relaxed);
                    let missing = fields([("missing", json!(lost))]);
                    let draft = self.draft("gap", Durability::Synced, stamp, missing.clone());
                    if self.journal.append(draft).await.is_ok() {
                        self.reports(stamp).security("audit_restored", missing);
                    } else {
                        // Room for one small record is no room: it is not restored yet.
                        self.notes.lost.fetch_add(lost, Ordering::Relaxed);
                        self.notes.down.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    fn draft(
        &self,
        kind: &'static str,
        durability: Durability,
        stamp: Stamp<'_>,
        fields: Map<String, Value>,
    ) -> Draft {
        let mut body = stamp.body();
        body.extend(fields);
        Draft {
            kind,
            at: self.clock.now(),
            body,
            durability,
        }
    }

    /// Records something that is not a decision. What cannot be recorded is still answered: a full disk must
    /// stop runs, not the operator's view.
    pub(super) async fn note(
        &self,
        kind: &'static str,
        durability: Durability,
        stamp: Stamp<'_>,
        fields: Map<String, Value>,
    ) {
        let _ = self.noted(kind, durability, stamp, fields).await;
    }

    /// Records something that must not happen unrecorded.
    pub(super) async fn noted(
        &self,
        kind: &'static str,
        durability: Durability,
        stamp: Stamp<'_>,
        fields: Map<String, Value>,
    ) -> Result<Receipt, SinkFault> {
        let draft = self.draft(kind, durability, stamp, fields);
        let said = self.journal.append(draft).await;
        self.journal_said(&said, stamp).await;
        said
    }

    /// Records a read: each by itself, or counted where they come as a flood.
    pub(super) async fn note_read(
        &self,
        what: &'static str,
        stamp: Stamp<'_>,
        more: Map<String, Value>,
    ) {
        if self.asked(&self.notes.reads, what) {
            let mut body = fields([("what", json!(what))]);
            body.extend(more);
            self.note("read", Durability::Written, stamp, body).await;
        }
    }

    /// Records an input that was not taken, without the text that was not taken.
    pub(super) async fn note_input(&self, fault: &Fault, stamp: Stamp<'_>) {
        if !self.asked(&self.notes.inputs, fault.code()) {
            return;
        }
        let field = match fault {
            Fault::Input(fault) => {
                self.reports(stamp).input_refused(fault);
                Some(fault.field().name())
            }
            Fault::UnknownAlias(_) => Some("alias"),
            Fault::Busy | Fault::Setup { .. } => None,
        };
        let alias = match fault {
            // A token may stand where an alias belongs.
            Fault::UnknownAlias(alias) => Some(Redactor::default().mask(alias.as_str()).0),
            Fault::Input(_) | Fault::Busy | Fault::Setup { .. } => None,
        };
        let body = fields([
            ("code", json!(fault.code())),
            ("field", json!(field)),
            ("alias", json!(alias)),
        ]);
        self.note("input_refused", Durability::Written, stamp, body)
            .await;
    }

    fn asked(&self, flood: &Flood, what: &'static str) -> bool {
        match flood.ask(what, self.clock.now()) {
            Admission::Record => true,
            Admission::Counted => false,
            Admission::CountedFirst => {
                self.notes.counted.notify_one();
                false
            }
        }
    }

    /// Records what was only counted.
    pub(super) async fn note_counts(&self) {
        let (live, origin) = (self.live(), self.own_origin(Door::Gate, &self.owner));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        for (flood, of) in [(&self.notes.reads, "reads"), (&self.notes.inputs, "inputs")] {
            if let Some(mut counts) = flood.take() {
                counts.insert("of".to_owned(), json!(of));
                self.reports(stamp)
                    .security("records_suppressed", counts.clone());
                self.note("suppressed", Durability::Written, stamp, counts)
                    .await;
            }
        }
    }

    /// Records that a server begins, and its plugins.
    pub(super) async fn note_start(&self) {
        let (live, origin) = (self.live(), self.own_origin(Door::Gate, &self.owner));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let body = fields([
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("instance", json!(self.notes.instance)),
            ("pid", json!(std::process::id())),
            ("directories", json!(self.dirs().digests())),
            ("hosts", json!(live.snapshot.inventory.hosts().len())),
            ("rules", json!(live.snapshot.policy.rule_count())),
        ]);
        self.note("server_start", Durability::Synced, stamp, body)
            .await;
        self.note_plugins(&live, None, stamp).await;
    }

    /// Records that a server ends.
    pub(super) async fn note_stop(&self, reason: &'static str) {
        self.note_counts().await;
        let (live, origin) = (self.live(), self.own_origin(Door::Gate, &self.owner));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let lived_us = self.clock.now().0.saturating_sub(self.notes.began.0);
        let body = fields([
            ("reason", json!(reason)),
            ("instance", json!(self.notes.instance)),
            ("runs_left", json!(self.runs.len())),
            ("uptime_ms", json!(lived_us / 1_000)),
        ]);
        self.note("server_stop", Durability::Synced, stamp, body)
            .await;
    }

    /// Records each plugin that was not loaded before.
    async fn note_plugins(&self, live: &Live, before: Option<&Live>, stamp: Stamp<'_>) {
        for (entry, pinned) in live.snapshot.plugins.iter().zip(&live.under.plugins) {
            if before.is_some_and(|before| before.under.plugins.contains(pinned)) {
                continue;
            }
            let sha256 = pinned.rsplit_once('@').map(|(_, sha256)| sha256);
            let body = fields([
                ("plugin", json!(entry.name)),
                ("sha256", json!(sha256)),
                (
                    "plugin_kind",
                    json!(match entry.kind {
                        PluginKind::Validator => "validator",
                        PluginKind::Redactor => "redactor",
                    }),
                ),
                (
                    "mode",
                    json!(match entry.mode {
                        PluginMode::Enforce => "enforce",
                        PluginMode::Observe => "observe",
                    }),
                ),
            ]);
            // The synced record before it names every plugin by its digest.
            self.note("plugin_loaded", Durability::Written, stamp, body)
                .await;
        }
    }

    /// Records which breakers of plugins opened or closed, and says so. It comes with the call that was the last straw.
    pub(super) async fn note_breakers(&self, live: &Live, stamp: Stamp<'_>) {
        for notice in live.plugins.breaker_notices() {
            let (state, failures, code, seconds) = match notice.state {
                BreakerState::Open { failures, code } => {
                    ("open", failures, Some(code), BREAKER_OPEN_MS / 1_000)
                }
                BreakerState::Closed => ("closed", 0, None, 0),
            };
            let body = fields([
                ("plugin", json!(notice.plugin)),
                ("state", json!(state)),
                ("failures", json!(failures)),
                ("code", json!(code)),
                ("seconds", json!(seconds)),
            ]);
            self.reports(stamp).security("plugin_breaker", body.clone());
            self.note("plugin_breaker", Durability::Written, stamp, body)
                .await;
        }
    }

    /// Whether a reload is recorded. One that changes nothing is counted where a client asks for it again and again:
    /// it must not push everything else out of the journal.
    pub(super) fn is_told(&self, origin: &Origin, old: &Live, new: Option<&Live>) -> bool {
        let changed = new.is_some_and(|new| new.under != old.under);
        changed || origin.door != Door::Mcp || self.asked(&self.notes.inputs, "reload")
    }

    /// Records a reload before the new snapshot is swapped in. `new` is `None` where the old one is kept.
    pub(super) async fn note_reload(
        &self,
        origin: &Origin,
        scope: Scope,
        old: &Live,
        new: Option<&Live>,
        answer: &Reload,
    ) {
        let stamp = Stamp {
            origin,
            under: &new.unwrap_or(old).under,
        };
        let (faults, changes): (&[String], _) = match answer {
            Reload::Reloaded { changes, .. } => (&[], Some(changes_value(changes))),
            Reload::Kept { faults, .. } => (faults, None),
        };
        let redactor = Redactor::default();
        let shown: Vec<String> = faults
            .iter()
            .take(FAULTS_MAX)
            .map(|fault| redactor.mask(&text::step(fault)).0)
            .collect();
        let changed = new.is_some_and(|new| new.under != old.under);
        let body = fields([
            ("scope", json!(scope.as_str())),
            (
                "outcome",
                json!(if new.is_some() { "reloaded" } else { "kept" }),
            ),
            ("old_config_digest", json!(old.under.config_digest)),
            ("old_policy_digest", json!(old.under.policy_digest)),
            ("changed", json!(changed)),
            ("changes", json!(changes)),
            ("faults", json!(shown)),
            ("fault_count", json!(faults.len())),
        ]);
        self.note("reload", Durability::Synced, stamp, body).await;
        if let Some(new) = new {
            self.note_plugins(new, Some(old), stamp).await;
        }
    }

    /// Notes what the server refused before it became a call.
    pub(super) fn note_refusal(self: &Arc<Self>, refusal: EdgeRefusal) {
        if !self.asked(&self.notes.inputs, refusal.code) {
            return;
        }
        let house = Arc::clone(self);
        // Bounded by the flood's bucket. A tracked task, so that the server's end waits for it.
        self.runs.spawn(async move {
            let origin = Origin::new(
                refusal.principal,
                Door::Mcp,
                house.notes.call_id(),
                refusal.request_id.as_deref(),
                &Redactor::default(),
            );
            let live = house.live();
            let stamp = Stamp {
                origin: &origin,
                under: &live.under,
            };
            let body = fields([("code", json!(refusal.code))]);
            house
                .note("edge_refused", Durability::Written, stamp, body)
                .await;
        });
    }
}

/// Records counts some time after the first of them, as long as the house stands.
pub(super) async fn record_counts(house: Weak<House>) {
    loop {
        {
            // The borrow ends before the wait does: the house must not stand for this task's sake.
            let Some(strong) = house.upgrade() else {
                return;
            };
            let waiting = tokio::time::timeout(COUNTS_WAIT, strong.notes.counted.notified());
            if waiting.await.is_err() {
                continue;
            }
        }
        tokio::time::sleep(COUNTS_WAIT).await;
        let Some(strong) = house.upgrade() else {
            return;
        };
        strong.note_counts().await;
    }
}
