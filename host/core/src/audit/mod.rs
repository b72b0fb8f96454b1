//! What is recorded, and the proof that it was recorded before anything runs.
//!
//! A [`Draft`] is what a room wants recorded; the [`Sink`] gives it a number, chains it to the record
//! before by a MAC and makes it durable; the [`Receipt`] says under which number. [`open`] is the only
//! way from [`Admitted`] to [`Journaled`].
//!
//! Must not: open files, ask for the time, or print. `chain` holds the arithmetic of the MAC chain, for
//! the writer and for `audit verify` alike.

pub mod chain;

use crate::BoxFuture;
use crate::clock::Micros;
use crate::policy::{Admitted, Heard, Opinion, Refused, Verdict};
use crate::redact::Redactor;
use crate::request::{TaskId, sha256_hex};
use serde_json::{Map, Value, json};

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
    /// `run_open`, `run_close`, `refused`, `input_refused`, `plan`, `reload`, `read`.
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

/// Which configuration and plugins a decision was made under.
#[derive(Debug, Clone, Default)]
pub struct Under {
    /// Digest of the configuration snapshot.
    pub config_digest: String,
    /// `name@sha256` of each plugin, in order.
    pub plugins: Vec<String>,
}

/// Records a refusal, durably.
///
/// # Errors
/// [`SinkFault`]; the case stays refused either way.
pub async fn refuse(
    sink: &dyn Sink,
    redactor: &Redactor,
    under: &Under,
    refused: &Refused,
    at: Micros,
) -> Result<Receipt, SinkFault> {
    let mut body = decision_body(redactor, under, refused.heard());
    let refusal = refused.refusal();
    body.insert("allowed".to_owned(), json!(false));
    body.insert("code".to_owned(), json!(refusal.code.as_str()));
    body.insert("detail".to_owned(), json!(redactor.mask(&refusal.detail).0));
    if let Some(rule) = &refusal.rule {
        body.insert("rule".to_owned(), json!(rule.index));
    }
    sink.append(Draft {
        kind: "refused",
        at,
        body,
        durability: Durability::Synced,
    })
    .await
}

/// Records that a run is about to happen, durably, and turns the admitted run into one that may be run.
///
/// # Errors
/// The admitted run back, with the [`SinkFault`], so that it can be refused: no record, no run.
pub async fn open(
    sink: &dyn Sink,
    redactor: &Redactor,
    under: &Under,
    admitted: Admitted,
    task: TaskId,
    at: Micros,
) -> Result<Journaled, Box<(Admitted, SinkFault)>> {
    let mut body = decision_body(redactor, under, admitted.heard());
    body.insert("allowed".to_owned(), json!(true));
    body.insert("task_id".to_owned(), json!(task.as_str()));
    body.insert("addresses".to_owned(), json!(admitted.addresses()));
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

/// How a run ended, as the closing record and the stderr record carry it.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// Exit status, or -1 where there is none.
    pub exit_code: i64,
    /// `completed`, `failed`, `signalled`, `timed_out`, `cancelled`, `unreachable`, `unknown`.
    pub state: &'static str,
    /// `confirmed`, `signalled_unconfirmed` or `left_running`, where the gate ended the command.
    pub termination: Option<&'static str>,
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
    /// Secrets masked in the output, all kinds together.
    pub redactions: u64,
}

/// Records how a run ended.
///
/// # Errors
/// [`SinkFault`]; the command has run by then, so the caller is told beside the result.
pub async fn close(
    sink: &dyn Sink,
    spent: &Spent,
    closing: &Closing,
    at: Micros,
) -> Result<Receipt, SinkFault> {
    let mut body = Map::new();
    let case = &spent.heard().case;
    body.insert("opened".to_owned(), json!(spent.receipt().seq));
    body.insert("task_id".to_owned(), json!(spent.task().as_str()));
    body.insert("principal".to_owned(), json!(case.principal().as_str()));
    body.insert("alias".to_owned(), json!(case.target().host.alias.as_str()));
    body.insert("hash".to_owned(), json!(case.line().hash16()));
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
        if let Some(termination) = self.termination {
            body.insert("termination".to_owned(), json!(termination));
        }
        body.insert("duration_ms".to_owned(), json!(self.duration_ms));
        body.insert("bytes_out".to_owned(), json!(self.bytes_out));
        body.insert("bytes_err".to_owned(), json!(self.bytes_err));
        body.insert("cancelled".to_owned(), json!(self.cancelled));
        body.insert("timeout".to_owned(), json!(self.timeout));
        body.insert("target_ip".to_owned(), json!(self.target_ip));
        body.insert("redactions".to_owned(), json!(self.redactions));
    }
}

/// The part that a refusal and an opening share: who, where, what, by which rules, what was said.
fn decision_body(redactor: &Redactor, under: &Under, heard: &Heard) -> Map<String, Value> {
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
                    .map(|(command, user)| json!({"command": mask(command), "user": user}))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    let mut body = Map::new();
    body.insert("principal".to_owned(), json!(case.principal().as_str()));
    body.insert("alias".to_owned(), json!(case.target().host.alias.as_str()));
    body.insert("hash".to_owned(), json!(case.line().hash16()));
    body.insert(
        "rendered_sha256".to_owned(),
        json!(sha256_hex(heard.rendered.as_bytes())),
    );
    body.insert("command".to_owned(), json!(mask(case.line().as_str())));
    body.insert("leaves".to_owned(), Value::Array(leaves));
    body.insert(
        "verdicts".to_owned(),
        Value::Array(
            heard
                .opinions
                .iter()
                .map(|opinion| verdict(redactor, opinion))
                .collect(),
        ),
    );
    body.insert("config".to_owned(), json!(under.config_digest));
    body.insert("plugins".to_owned(), json!(under.plugins));
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
