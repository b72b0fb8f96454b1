//! The records on standard error: one JSON object per line, in the shapes that log collectors of the
//! seed system already parse. The journal is the evidence; these lines are the alarm.
//!
//! Must not: hold a secret. Command text is redacted by the caller before it gets here.

use crate::files::FileFault;
use portcullis_core::audit::{Closing, Receipt, Spent};
use portcullis_core::clock::{Clock, Micros};
use portcullis_core::policy::Heard;
use portcullis_core::request::{InputFault, Principal};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// Whether records are printed. The command line's own verbs keep standard error for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// One JSON object per line on standard error.
    Stderr,
    /// Nowhere; the journal still has everything.
    Silent,
}

impl Events {
    /// Writes one record. A standard error that is gone must not end the server, so a failure is dropped:
    /// the journal, not this line, is what a run depends on.
    pub(crate) fn emit(self, record: &Value) {
        if self == Self::Silent {
            return;
        }
        let mut line = record.to_string();
        line.push('\n');
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// An input that was not taken, where it counts as an attack.
    pub(crate) fn input_refused(self, principal: &Principal, fault: &InputFault) {
        let Some(event) = fault.event() else { return };
        let mut body = security(principal, event);
        body.insert("field".to_owned(), json!(fault.field().name()));
        match fault {
            InputFault::TooLong {
                chars_max, chars, ..
            } => {
                body.insert("length".to_owned(), json!(chars));
                body.insert("max_length".to_owned(), json!(chars_max));
            }
            InputFault::ControlCharacter { code } | InputFault::HiddenCharacter { code } => {
                body.insert("char_code".to_owned(), json!(code));
            }
            InputFault::Required { .. } | InputFault::Characters { .. } | InputFault::NulByte => {}
        }
        self.emit(&Value::Object(body));
    }

    /// A denied text that only the normalised command shows.
    pub(crate) fn bypass_attempt(
        self,
        heard: &Heard,
        original: &str,
        normalised: &str,
        pattern: &str,
    ) {
        let mut body = security(heard.case.principal(), "command_bypass_attempt");
        body.insert(
            "alias".to_owned(),
            json!(heard.case.target().host.alias.as_str()),
        );
        body.insert("original_command".to_owned(), json!(original));
        body.insert("normalized_command".to_owned(), json!(normalised));
        body.insert("blocked_pattern".to_owned(), json!(pattern));
        self.emit(&Value::Object(body));
    }

    /// What was decided, whatever it was.
    pub(crate) fn policy_decision(
        self,
        heard: &Heard,
        code: Option<&str>,
        allowed: Allowed,
        at: Micros,
    ) {
        let case = &heard.case;
        self.emit(&json!({
            "type": "policy_decision",
            "ts": at.as_seconds(),
            "principal": case.principal().as_str(),
            "alias": case.target().host.alias.as_str(),
            "hash": case.line().hash16(),
            "allowed": allowed == Allowed::Yes,
            "code": code,
        }));
    }

    /// How a run ended, with the journal's newest number and MAC: a line that survives elsewhere proves a
    /// cut tail.
    pub(crate) fn audit(
        self,
        spent: &Spent,
        closing: &Closing,
        receipt: Option<&Receipt>,
        at: Micros,
    ) {
        let case = &spent.heard().case;
        let mut body = Map::new();
        body.insert("type".to_owned(), json!("audit"));
        body.insert("ts".to_owned(), json!(at.as_seconds()));
        body.insert("principal".to_owned(), json!(case.principal().as_str()));
        body.insert("alias".to_owned(), json!(case.target().host.alias.as_str()));
        body.insert("hash".to_owned(), json!(case.line().hash16()));
        body.insert("task_id".to_owned(), json!(spent.task().as_str()));
        closing.fill(&mut body);
        let receipt = receipt.unwrap_or_else(|| spent.receipt());
        body.insert("journal_seq".to_owned(), json!(receipt.seq));
        body.insert("journal_mac".to_owned(), json!(receipt.mac));
        self.emit(&Value::Object(body));
    }

    /// How far a run is.
    pub(crate) fn progress(self, task_id: &str, phase: &str, bytes_read: u64, elapsed_ms: u64) {
        self.emit(&json!({
            "type": "progress",
            "ts": SystemClock.now().as_seconds(),
            "task_id": task_id,
            "phase": phase,
            "bytes_read": bytes_read,
            "elapsed_ms": elapsed_ms,
        }));
    }
}

/// Where refusals of files go, and for whom the files are read.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// Where records go.
    pub(crate) events: Events,
    /// Who is behind what is read.
    pub(crate) principal: Principal,
}

impl Watch {
    /// Passes a result on, and records the refusal where it is one.
    pub(crate) fn pass<T>(&self, result: Result<T, FileFault>) -> Result<T, FileFault> {
        result.inspect_err(|fault| self.complain(fault))
    }

    /// Records a refusal, or something that is read and should be better protected.
    pub(crate) fn complain(&self, fault: &FileFault) {
        if let Some(mut event) = fault.event() {
            if let Some(body) = event.as_object_mut() {
                body.insert("principal".to_owned(), json!(self.principal.as_str()));
            }
            self.events.emit(&event);
        }
    }
}

/// Whether a decision lets a command run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// It may run.
    Yes,
    /// It does not run.
    No,
}

/// The head that the input, policy and DNS events share.
fn security(principal: &Principal, event: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("level".to_owned(), json!("error"));
    body.insert("msg".to_owned(), json!("security_event"));
    body.insert("type".to_owned(), json!(event));
    body.insert("ts".to_owned(), json!(SystemClock.now().as_seconds()));
    body.insert("principal".to_owned(), json!(principal.as_str()));
    body
}
