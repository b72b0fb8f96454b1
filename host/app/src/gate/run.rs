//! A run, from the unchecked request to the answer.
//!
//! INVARIANT: the order of the steps is carried by types. What this file adds is that a run outlives the
//! call that asked for it: when a client goes away, its call is dropped, and the run must still end the
//! remote command and write its closing record.

use super::aside::{aside, at_once};
use super::feed::{Feed, Following, Hearing, Rest};
use super::login::Keys;
use super::{House, Live, journal_refusal};
use crate::events::Watch;
use crate::spill::Owner;
use portcullis_core::answer::{Denied, Fault, Paging, Ran, Run, Timing};
use portcullis_core::audit::events::{self, Step, Subject};
use portcullis_core::audit::{self, Closing, Receipt, Spent, Stamp};
use portcullis_core::clock::Clock;
use portcullis_core::output::{Caps, Paged, PluginFailure, Shown};
use portcullis_core::policy::{
    Admitted, Case, Decision, Heard, Outcome, Refusal, Refused, RuleRef,
};
use portcullis_core::redact::Redactor;
use portcullis_core::request::{RunRequest, TaskId, sha256_hex};
use portcullis_mcp::gate::{Caller, Progress};
use portcullis_ssh::{Ear, End, Ended, Guard, Phase};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Most bytes of output that are redacted at once; the worst text of that length takes some milliseconds.
const AT_ONCE_BYTES_MAX: u64 = 16_384;

/// Why a case is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be run if it is granted.
    Run,
    /// To be explained.
    Plan,
}

/// What a run has beyond a command on a host.
#[derive(Default)]
pub(super) struct Errand {
    /// The id that it has been promised; otherwise it gets one.
    pub(super) task: Option<TaskId>,
    /// Who follows its output.
    pub(super) feed: Option<Feed>,
}

/// Hears the validators where waiting is allowed: a guest may take its whole time limit.
pub(super) async fn conclude(
    live: &Arc<Live>,
    decision: Decision,
    purpose: Purpose,
) -> Result<Outcome, Fault> {
    if decision.validators().is_empty() {
        return Ok(decision.conclude(live.plugins.as_ref(), purpose == Purpose::Plan));
    }
    let live = Arc::clone(live);
    // A panic there is our bug; nothing was decided, so nothing runs.
    aside(move || decision.conclude(live.plugins.as_ref(), purpose == Purpose::Plan))
        .await
        .map_err(|_| Fault::Setup {
            code: "internal",
            message: "the decision was not completed",
        })
}

impl House {
    /// Starts the run as a task of its own and waits for it. Dropping this future (the client went away)
    /// cancels the run; the task still ends the remote command and records it.
    pub(super) async fn run_request(
        self: Arc<Self>,
        caller: Caller,
        alias: String,
        command: String,
    ) -> Result<Run, Fault> {
        let run = self.run_errand(caller, alias, command, Errand::default());
        run.await.map(|(run, _)| run)
    }

    /// The same for a run that has an id already, or that somebody follows; with what is left of its output then.
    pub(super) async fn run_errand(
        self: Arc<Self>,
        mut caller: Caller,
        alias: String,
        command: String,
        errand: Errand,
    ) -> Result<(Run, Option<Rest>), Fault> {
        caller.stop = caller.stop.child_token();
        let _ends_with_the_call = caller.stop.clone().drop_guard();
        let gate = Arc::clone(&self);
        let run = self.runs.spawn(async move {
            let mut rest = None;
            let ends = gate.run_to_end(caller, &alias, &command, errand, &mut rest);
            ends.await.map(|run| (run, rest))
        });
        run.await.unwrap_or(Err(Fault::Setup {
            code: "internal",
            message: "the run was not completed",
        }))
    }

    async fn run_to_end(
        &self,
        caller: Caller,
        alias: &str,
        command: &str,
        errand: Errand,
        rest: &mut Option<Rest>,
    ) -> Result<Run, Fault> {
        let began = Instant::now();
        let mut timing = Timing::default();
        let (live, origin) = (self.live(), self.origin(&caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let (request, target) = self.admit_request(&live, stamp, alias, command).await?;

        let case = Case::new(caller.principal.clone(), target, request.line.clone());
        let decision = live.snapshot.policy.decide(case, live.validators());
        timing.policy_us = micros(began);
        let hearing = Instant::now();
        let outcome = conclude(&live, decision, Purpose::Run).await?;
        timing.validators_us = micros(hearing);
        self.note_breakers(&live, stamp).await;

        let authorized = match outcome {
            Outcome::Granted(authorized) => authorized,
            Outcome::Refused(refused) => {
                return Ok(self.deny(&live, stamp, &request, refused, &[]).await);
            }
        };
        let resolving = Instant::now();
        let target = authorized.heard().case.target();
        let (addresses, hops) = self.resolve_way(stamp, target).await;
        timing.resolve_us = micros(resolving);
        let admitted = match authorized.admit_through(&addresses, &hops) {
            Ok(admitted) => admitted,
            Err(refused) => {
                let denied = self.deny(&live, stamp, &request, *refused, &addresses);
                return Ok(denied.await);
            }
        };
        let reports = self.reports(stamp);
        let keys = Keys {
            live: &live,
            dirs: self.dirs(),
            watch: Watch::of(&reports),
            credential: admitted.heard().case.target().credential.clone(),
            stop: caller.stop.clone(),
        };
        let (access, redactor) = match self.access(keys, &admitted).await {
            Ok(access) => access,
            Err(fault) => return self.cannot_log_in(&live, stamp, admitted, fault).await,
        };
        self.note_bypass(&redactor, stamp, admitted.heard());

        let task = match errand.task {
            Some(task) => task,
            None => self.mint(&request)?,
        };
        let journaling = Instant::now();
        let opened = audit::open(
            &self.journal,
            &redactor,
            &stamp,
            admitted,
            task,
            self.clock.now(),
        )
        .await;
        timing.journal_us = micros(journaling);
        let journaled = match opened {
            Ok(journaled) => journaled,
            Err(failed) => {
                let (admitted, fault) = *failed;
                self.journal_said::<()>(&Err(fault), stamp).await;
                let refused = admitted.refuse(journal_refusal());
                return Ok(self.deny(&live, stamp, &request, refused, &[]).await);
            }
        };
        self.journal_said(&Ok(()), stamp).await;
        let heard = journaled.admitted().heard();
        let task_id = journaled.task().as_str().to_owned();
        let receipt = journaled.receipt().clone();
        self.decided(stamp, heard, None, Some(&task_id), Some(&receipt));

        let limit_ms = heard.limits.max_seconds.saturating_mul(1_000);
        let (hash, rule) = (request.line.hash16(), rule_of(heard));
        let (hearing, following) = match &errand.feed {
            Some(feed) => self.follow(feed, &live, &request, &redactor),
            None => (None, None),
        };
        let report = |phase: Phase, bytes_read: u64| {
            if let Some(hearing) = &hearing {
                hearing.progress(phase, bytes_read);
            }
            let elapsed_ms = micros(began) / 1_000;
            let subject = Subject {
                alias: request.alias.as_str(),
                hash: &hash,
                rule: rule.as_ref(),
                task_id: Some(&task_id),
                receipt: Some(&receipt),
            };
            let step = Step {
                phase: phase.as_str(),
                bytes_read,
                elapsed_ms,
            };
            let record = events::progress(&stamp, &subject, step, self.clock.now());
            reports.events.emit(record);
            if let Some(sender) = &caller.progress {
                // A client that does not take its progress loses notes of it, nothing else.
                let _ = sender.try_send(Progress {
                    phase: phase.as_str(),
                    bytes_read,
                    elapsed_ms,
                    limit_ms,
                });
            }
        };
        let ear = hearing.clone().map(|hearing| hearing as Arc<dyn Ear>);
        let ended = self
            .engine
            .run_heard(journaled, &access, caller.stop.clone(), Some(&report), ear)
            .await;
        drop(hearing);
        if let Some(following) = following {
            *rest = Some(following.rest().await);
        }
        Ok(Run::Ran(Box::new(
            self.finish((&live, redactor), stamp, &request, ended, timing, began)
                .await,
        )))
    }

    /// Begins to follow a run. Where that cannot be, the run is made all the same, and its output comes at the end.
    fn follow(
        &self,
        feed: &Feed,
        live: &Live,
        request: &RunRequest,
        known: &Redactor,
    ) -> (Option<Arc<Hearing>>, Option<Following>) {
        // Redactor plugins judge whole texts.
        let whole = !live.plugins.redactors().is_empty();
        let redactor = live.redactor_of(&request.alias).knowing_as(known);
        match feed.follow((!whole).then_some(redactor)) {
            Ok((hearing, following)) => (Some(hearing), Some(following)),
            Err(error) => {
                tracing::error!(%error, "the output of a task is not followed");
                (None, None)
            }
        }
    }

    /// Makes the output fit to be read, records the end, and builds the answer. `known` knows what the gate
    /// logged in with.
    async fn finish(
        &self,
        (live, known): (&Arc<Live>, Redactor),
        stamp: Stamp<'_>,
        request: &RunRequest,
        ended: Ended,
        mut timing: Timing,
        began: Instant,
    ) -> Ran {
        let Ended {
            spent,
            raw,
            end,
            peer,
            fault,
            times,
            guard,
            asked,
        } = ended;
        timing.connect_us = times.connect_us;
        timing.authenticate_us = times.authenticate_us;
        timing.channel_us = times.channel_us;
        timing.remote_us = times.remote_us;

        let scrubbing = Instant::now();
        let (snapshot, host) = (Arc::clone(live), spent.heard().case.target().host.clone());
        let limits = &spent.heard().limits;
        let caps = Caps {
            shown_bytes_max: limits.max_output_bytes,
            paged_bytes_max: limits.output_spill_bytes,
        };
        let kept_seconds = limits.task_result_ttl;
        let (bytes_out, bytes_err) = (raw.stdout.total(), raw.stderr.total());
        let quick = bytes_out.saturating_add(bytes_err) <= AT_ONCE_BYTES_MAX
            && live.plugins.redactors().is_empty();
        let scrub = move || {
            raw.cap(caps)
                .sanitise()
                .redact(
                    &snapshot.redactor_of(&host.alias).knowing_as(&known),
                    snapshot.plugins.as_ref(),
                    host.alias.as_str(),
                    &host.tags,
                )
                .into_shown()
        };
        let scrubbed = if quick {
            at_once(scrub)
        } else {
            aside(scrub).await
        };
        self.note_breakers(live, stamp).await;
        // A panic there is our bug. The command has run all the same: its record is closed, its output withheld.
        let mut shown = scrubbed.unwrap_or_else(|_| withheld(bytes_out, bytes_err));
        let paging = match shown.paged.take() {
            Some(paged) => self.keep(&spent, paged, kept_seconds).await,
            None => None,
        };
        timing.output_us = micros(scrubbing);

        let closing = Closing {
            exit_code: end.exit_code(),
            state: end.state(),
            termination: end.termination(),
            guard: guard.map(Guard::as_str),
            probed: asked,
            duration_ms: micros(began) / 1_000,
            bytes_out: shown.stdout_bytes,
            bytes_err: shown.stderr_bytes,
            cancelled: matches!(end, End::Cancelled(_)),
            timeout: matches!(end, End::TimedOut(_)),
            target_ip: peer.map(|peer| peer.to_string()).unwrap_or_default(),
            redactions: shown.redactions.clone(),
            observed: shown.observed.clone(),
        };
        let now = self.clock.now();
        let closed = audit::close(&self.journal, &stamp, &spent, &closing, now).await;
        self.journal_said(&closed, stamp).await;
        let subject = Subject {
            alias: request.alias.as_str(),
            hash: &request.line.hash16(),
            rule: audit::deciding_rule(spent.heard(), None),
            task_id: Some(spent.task().as_str()),
            receipt: Some(closed.as_ref().unwrap_or(spent.receipt())),
        };
        let record = events::audit(&stamp, &subject, &closing, now);
        self.events().emit(record);
        Ran {
            task_id: spent.task().as_str().to_owned(),
            alias: request.alias.clone(),
            hash: request.line.hash16(),
            rendered_sha256: sha256_hex(spent.heard().rendered.as_bytes()),
            closing,
            signal: end.signal(),
            shown,
            paging,
            fault,
            timing,
            journal_fault: closed.is_err(),
        }
    }

    /// Keeps redacted output to be paged through. Where that fails the run has still been made, so the answer
    /// says nothing of pages and the log says why.
    async fn keep(&self, spent: &Spent, paged: Paged, seconds: u64) -> Option<Paging> {
        let paging = Paging {
            stdout_bytes: paged.stdout.len() as u64,
            stderr_bytes: paged.stderr.len() as u64,
            complete: paged.complete,
            seconds,
        };
        let owner = Owner {
            task: spent.task().as_str().to_owned(),
            principal: spent.heard().case.principal().as_str().to_owned(),
        };
        let (spills, now) = (self.spills.clone()?, self.clock.now());
        let kept = tokio::task::spawn_blocking(move || spills.keep(&owner, &paged, now, seconds));
        match kept.await {
            Ok(Ok(())) => Some(paging),
            Ok(Err(fault)) => {
                tracing::error!(%fault, "output was not kept to be paged through");
                None
            }
            Err(_) => None,
        }
    }

    /// Records a refusal and answers it. The case stays refused when the record cannot be written.
    async fn deny(
        &self,
        live: &Live,
        stamp: Stamp<'_>,
        request: &RunRequest,
        refused: Refused,
        addresses: &[IpAddr],
    ) -> Run {
        let refusal = refused.refusal().clone();
        self.note_bypass(&live.redactor, stamp, refused.heard());
        self.record_refusal(live, stamp, &refused, addresses).await;
        let hostname = (refusal.code.reason() == "network")
            .then(|| refused.heard().case.target().host.host.clone());
        Run::Denied(Box::new(Denied {
            alias: request.alias.clone(),
            hash: request.line.hash16(),
            command: request.line.as_str().to_owned(),
            refusal,
            hostname,
        }))
    }

    /// The host cannot be logged into with what the operator configured: recorded like a refusal, because
    /// nothing ran, and answered as a fault, because no rule said no.
    async fn cannot_log_in(
        &self,
        live: &Live,
        stamp: Stamp<'_>,
        admitted: Admitted,
        fault: Fault,
    ) -> Result<Run, Fault> {
        let addresses = admitted.addresses().to_vec();
        let refused = admitted.refuse(Refusal::login_unavailable());
        self.record_refusal(live, stamp, &refused, &addresses).await;
        Err(fault)
    }

    async fn record_refusal(
        &self,
        live: &Live,
        stamp: Stamp<'_>,
        refused: &Refused,
        addresses: &[IpAddr],
    ) {
        let (now, redactor) = (self.clock.now(), &live.redactor);
        let said = audit::refuse(&self.journal, redactor, &stamp, refused, addresses, now).await;
        self.journal_said(&said, stamp).await;
        let (heard, refusal) = (refused.heard(), Some(refused.refusal()));
        self.decided(stamp, heard, refusal, None, said.as_ref().ok());
    }

    /// Says on standard error what was decided, with where it stands in the journal.
    pub(super) fn decided(
        &self,
        stamp: Stamp<'_>,
        heard: &Heard,
        refusal: Option<&Refusal>,
        task_id: Option<&str>,
        receipt: Option<&Receipt>,
    ) {
        let subject = Subject {
            alias: heard.case.target().host.alias.as_str(),
            hash: &heard.case.line().hash16(),
            rule: audit::deciding_rule(heard, refusal),
            task_id,
            receipt,
        };
        let code = refusal.map(|refusal| refusal.code.as_str());
        let record = events::policy_decision(&stamp, &subject, code, self.clock.now());
        self.events().emit(record);
    }

    pub(super) fn mint(&self, request: &RunRequest) -> Result<TaskId, Fault> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|_| Fault::Setup {
            code: "internal",
            message: "no randomness for a task id",
        })?;
        Ok(TaskId::mint(
            &request.alias,
            &request.line,
            self.clock.now(),
            random,
        ))
    }

    /// Says so when a denied text was hidden by quoting or spacing.
    pub(super) fn note_bypass(&self, redactor: &Redactor, stamp: Stamp<'_>, heard: &Heard) {
        let Some(pattern) = &heard.judgement.bypass_attempt else {
            return;
        };
        let original = redactor.mask(heard.case.line().as_str()).0;
        let normalised = portcullis_core::policy::normalise(heard.case.line().as_str());
        let normalised = redactor.mask(&normalised).0;
        self.reports(stamp)
            .bypass_attempt(heard, &original, &normalised, pattern);
    }
}

/// What is shown of output that could not be processed: how much there was.
fn withheld(stdout_bytes: u64, stderr_bytes: u64) -> Shown {
    let failure = PluginFailure {
        code: "output_failed",
        detail: "the output could not be processed".to_owned(),
    };
    Shown {
        stdout_bytes,
        stderr_bytes,
        withheld: Some(("gate".to_owned(), failure)),
        ..Shown::default()
    }
}

/// The deciding rule of a granted script, for records that outlive it.
fn rule_of(heard: &Heard) -> Option<RuleRef> {
    audit::deciding_rule(heard, None).cloned()
}

pub(super) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
