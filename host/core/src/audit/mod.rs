//! What is recorded, and the proof that it was recorded before anything runs.
//!
//! A [`Draft`] is what a room wants recorded; the [`Sink`] gives it a number, chains it to the record
//! before by a MAC and makes it durable; the [`Receipt`] says under which number. [`open`] is the only
//! way from [`Admitted`] to [`Journaled`].
//!
//! Must not: open files, ask for the time, or print.

//!
//! * `stamp`: who asked and under what, the fields that every record carries
//! * `chain`: the arithmetic of the MAC chain, for the writer and for `audit verify` alike
//! * `events`: the records of standard error
//! * `export`: records in the shapes of other schemas

pub mod chain;
pub mod events;
pub mod export;
mod stamp;

pub use stamp::{Door, Origin, REQUEST_ID_CHARS_MAX, SHAPE_VERSION, Stamp, Under};

use crate::BoxFuture;
use crate::clock::Micros;
use crate::policy::{Admitted, Heard, Opinion, Refusal, Refused, RuleRef, Verdict};
use crate::redact::{Counts, Redactor};
use crate::request::{TaskId, sha256_hex};
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// When a record has to be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced before the sink answers: decisions and runs.
    Synced,
    /// Written before the sink answers, synced with the next batch: closings, reads, pings.
    Written,
}

/// A record before it has a number.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which record it is: `run_open`, `run_close`, `refused`, `plan` and the rest of the table in
    /// `config/audit.md`.
    pub kind: &'static str,
    /// When.
    pub at: Micros,
    /// The rest. Holds no secret: command text and plugin text are redacted before they get here.
    pub body: Map<String, Value>,
    /// When it has to be on the disk.
    pub durability: Durability,
}

/// Under which number and MAC a record stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record's sequence number.
    pub seq: u64,
    /// The record's MAC, 64 hex digits.
    pub mac: String,
}

/// Why a record could not be written. The text is for operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written: {0}")]
pub struct SinkFault(pub String);

/// Where records go.
pub trait Sink: Send + Sync {
    /// Numbers, chains and writes one record.
    ///
    /// # Errors
    /// [`SinkFault`] when the record is not as durable as asked for. Nothing may run then.
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<Receipt, SinkFault>>;
}

/// A run that stands in the journal: the only thing that the SSH engine takes. Not `Clone`.
#[derive(Debug)]
#[must_use]
pub struct Journaled {
    admitted: Admitted,
    task: TaskId,
    receipt: Receipt,
}

impl Journaled {
    /// The admitted run.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    /// The run's id.
    #[must_use]
    pub fn task(&self) -> &TaskId {
        &self.task
    }

    /// Where the run stands in the journal.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Ends the licence to run and keeps what the closing record needs. The engine calls it when it has
    /// done what it could; nothing can be run with what is left.
    pub fn spend(self) -> Spent {
        Spent {
            admitted: self.admitted,
            task: self.task,
            receipt: self.receipt,
        }
    }
}

/// A run that is over.
#[derive(Debug)]
#[must_use]
pub struct Spent {
    admitted: Admitted,
    task: TaskId,
    receipt: Receipt,
}

impl Spent {
    /// The case and what was found.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        self.admitted.heard()
    }

    /// The run's id.
    #[must_use]
    pub fn task(&self) -> &TaskId {
        &self.task
    }

    /// Where the opening stands in the journal.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }
}

/// Records a refusal, durably. `addresses` are those that the host's name has, where the lists refuse them.
///
/// # Errors
/// [`SinkFault`]; the case stays refused either way.
pub async fn refuse(
    sink: &dyn Sink,
    redactor: &Redactor,
    stamp: &Stamp<'_>,
    refused: &Refused,
    addresses: &[IpAddr],
    at: Micros,
) -> Result<Receipt, SinkFault> {
    let mut body = decision_body(redactor, stamp, refused.heard(), Some(refused.refusal()));
    body.insert("addresses".to_owned(), json!(addresses));
    sink.append(Draft {
        kind: "refused",
        at,
        body,
        durability: Durability::Synced,
    })
    .await
}

/// Records a plan. A plan sends nothing, so it need not be synced before it is answered, and it is answered
/// where it cannot be recorded: a full disk must not hide from an operator what would run.
///
/// # Errors
/// [`SinkFault`].
pub async fn plan(
    sink: &dyn Sink,
    redactor: &Redactor,
    stamp: &Stamp<'_>,
    planned: Planned<'_>,
    at: Micros,
) -> Result<Receipt, SinkFault> {
    let mut body = decision_body(redactor, stamp, planned.heard, planned.refusal);
    body.insert("network".to_owned(), json!(planned.network));
    sink.append(Draft {
        kind: "plan",
        at,
        body,
        durability: Durability::Written,
    })
    .await
}

/// A planned command.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'a> {
    /// What was found.
    pub heard: &'a Heard,
    /// Why it would not run, if it would not.
    pub refusal: Option<&'a Refusal>,
    /// What the address lists say of the host.
    pub network: &'static str,
}

/// Records that a run is about to happen, durably, and turns the admitted run into one that may be run.
///
/// # Errors
/// The admitted run back, with the [`SinkFault`], so that it can be refused: no record, no run.
pub async fn open(
    sink: &dyn Sink,
    redactor: &Redactor,
    stamp: &Stamp<'_>,
    admitted: Admitted,
    task: TaskId,
    at: Micros,
) -> Result<Journaled, Box<(Admitted, SinkFault)>> {
    let mut body = decision_body(redactor, stamp, admitted.heard(), None);
    body.insert("task_id".to_owned(), json!(task.as_str()));
    body.insert("addresses".to_owned(), json!(admitted.addresses()));
    let legs = admitted.legs();
    let via: Vec<Value> = legs
        .iter()
        .rev()
        .skip(1)
        .rev()
        .map(|leg| json!({"alias": leg.host().alias.as_str(), "addresses": leg.addresses()}))
        .collect();
    if !via.is_empty() {
        body.insert("via".to_owned(), json!(via));
    }
    match sink
        .append(Draft {
            kind: "run_open",
            at,
            body,
            durability: Durability::Synced,
        })
        .await
    {
        Ok(receipt) => Ok(Journaled {
            admitted,
            task,
            receipt,
        }),
        Err(fault) => Err(Box::new((admitted, fault))),
    }
}

/// The rule that decided: the refusal's, or that of the first command of a granted script. Each command of a
/// script has its own in the record's `leaves`.
#[must_use]
pub fn deciding_rule<'a>(heard: &'a Heard, refusal: Option<&'a Refusal>) -> Option<&'a RuleRef> {
    match refusal {
        Some(refusal) => refusal.rule.as_ref(),
        None => heard.judgement.findings.first()?.rule.as_ref(),
    }
}

/// How a run ended, as the closing record and the stderr record carry it.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// Exit status, or -1 where there is none.
    pub exit_code: i64,
    /// `completed`, `failed`, `signalled`, `timed_out`, `cancelled`, `unreachable`, `unknown`.
    pub state: &'static str,
    /// `confirmed`, `signalled_unconfirmed` or `left_running`, where the gate ended the command.
    pub termination: Option<&'static str>,
    /// `watchdog` or `signals`: what was to end the command; `None` where nothing was sent.
    pub guard: Option<&'static str>,
    /// Whether the gate asked the host beside this run, by a command of its own, whether signals work there.
    pub probed: bool,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// All bytes of standard output.
    pub bytes_out: u64,
    /// All bytes of standard error.
    pub bytes_err: u64,
    /// Whether a caller or the end of its input ended the command.
    pub cancelled: bool,
    /// Whether the time limit ended the command.
    pub timeout: bool,
    /// The peer's address; empty where no connection was made.
    pub target_ip: String,
    /// Secrets masked in the output, counted by kind.
    pub redactions: Counts,
    /// What plugins that only observe would have masked, as `plugin/label`, and how they failed, as `plugin/code`.
    pub observed: Counts,
}

/// Records how a run ended.
///
/// # Errors
/// [`SinkFault`]; the command has run by then, so the caller is told beside the result.
pub async fn close(
    sink: &dyn Sink,
    stamp: &Stamp<'_>,
    spent: &Spent,
    closing: &Closing,
    at: Micros,
) -> Result<Receipt, SinkFault> {
    let mut body = stamp.body();
    let heard = spent.heard();
    body.insert("opened".to_owned(), json!(spent.receipt().seq));
    body.insert("task_id".to_owned(), json!(spent.task().as_str()));
    fill_target(heard, &mut body);
    events::fill_rule(deciding_rule(heard, None), &mut body);
    closing.fill(&mut body);
    sink.append(Draft {
        kind: "run_close",
        at,
        body,
        durability: Durability::Written,
    })
    .await
}

impl Closing {
    /// Writes the fields into a record.
    pub fn fill(&self, body: &mut Map<String, Value>) {
        body.insert("exit_code".to_owned(), json!(self.exit_code));
        body.insert("state".to_owned(), json!(self.state));
        body.insert("termination".to_owned(), json!(self.termination));
        body.insert("guard".to_owned(), json!(self.guard));
        body.insert("probed".to_owned(), json!(self.probed));
        body.insert("duration_ms".to_owned(), json!(self.duration_ms));
        body.insert("bytes_out".to_owned(), json!(self.bytes_out));
        body.insert("bytes_err".to_owned(), json!(self.bytes_err));
        body.insert("cancelled".to_owned(), json!(self.cancelled));
        body.insert("timeout".to_owned(), json!(self.timeout));
        body.insert("target_ip".to_owned(), json!(self.target_ip));
        let masked: u64 = self.redactions.values().sum();
        body.insert("redactions".to_owned(), json!(masked));
        if masked > 0 {
            body.insert("redactions_by_kind".to_owned(), json!(self.redactions));
        }
        if !self.observed.is_empty() {
            body.insert("observed".to_owned(), json!(self.observed));
        }
    }
}

/// Where a command goes: the host, as whom, and which command.
fn fill_target(heard: &Heard, body: &mut Map<String, Value>) {
    let target = heard.case.target();
    let login = target.credential.as_ref().map(|it| it.username.as_str());
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("alias", json!(target.host.alias.as_str()));
    put("hostname", json!(target.host.host));
    put("port", json!(target.host.port));
    put("login", json!(login));
    put("hash", json!(heard.case.line().hash16()));
}

/// The part that a refusal, a plan and an opening share: who, where, what, by which rules, what was said.
fn decision_body(
    redactor: &Redactor,
    stamp: &Stamp<'_>,
    heard: &Heard,
    refusal: Option<&Refusal>,
) -> Map<String, Value> {
    let case = &heard.case;
    let mask = |text: &str| redactor.mask(text).0;
    let leaves: Vec<Value> = heard
        .judgement
        .findings
        .iter()
        .map(|finding| {
            json!({
                "canonical": mask(&finding.canonical),
                "allowed": finding.allowed,
                "rule": finding.rule.as_ref().map(|rule| rule.index),
                "capabilities": finding.capabilities(),
                "runs": finding
                    .runs
                    .iter()
                    .map(|(command, user)| json!({"command": mask(command), "user": user.as_deref().map(mask)}))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    let verdicts = heard.opinions.iter();
    let verdicts: Vec<Value> = verdicts.map(|opinion| verdict(redactor, opinion)).collect();
    let mut body = stamp.body();
    fill_target(heard, &mut body);
    events::fill_rule(deciding_rule(heard, refusal), &mut body);
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("allowed", json!(refusal.is_none()));
    put("code", json!(refusal.map(|refusal| refusal.code.as_str())));
    put(
        "detail",
        json!(refusal.map(|refusal| mask(&refusal.detail))),
    );
    let deciding = refusal.map_or(&[][..], |refusal| &refusal.network);
    if !deciding.is_empty() {
        put("network_entries", json!(deciding));
    }
    put(
        "rendered_sha256",
        json!(sha256_hex(heard.rendered.as_bytes())),
    );
    put("command", json!(mask(case.line().as_str())));
    put("leaves", Value::Array(leaves));
    put("verdicts", Value::Array(verdicts));
    body
}

fn verdict(redactor: &Redactor, opinion: &Opinion) -> Value {
    let clean = |text: &str| redactor.mask(&crate::text::step(text)).0;
    let said = match &opinion.verdict {
        Verdict::NoObjection => json!("no_objection"),
        Verdict::Objection { code, reason } => {
            json!({"objection": clean(code), "reason": clean(reason)})
        }
        Verdict::RequireApproval { reason } => json!({"require_approval": clean(reason)}),
        Verdict::Failed(failure) => {
            json!({"failed": failure.code, "detail": clean(&failure.detail)})
        }
    };
    json!({"plugin": opinion.plugin, "observe": opinion.observe, "said": said})
}
