//! The records on standard error: one JSON object per line. The journal is the evidence; these lines are the
//! alarm. Their shapes are `portcullis_core::audit::events`.
//!
//! Must not: hold a secret. Command text is redacted by the caller before it gets here.

use crate::files::FileFault;
use crate::gate::owner;
use portcullis_core::audit::{Door, Origin, Stamp, Under, events};
use portcullis_core::clock::{Clock, Micros};
use portcullis_core::policy::Heard;
use portcullis_core::redact::Redactor;
use portcullis_core::request::InputFault;
use portcullis_core::text::safe_value;
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
    pub(crate) fn emit(self, record: Value) {
        if self == Self::Silent {
            return;
        }
        let mut line = events::json_line(&safe_value(record));
        line.push('\n');
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

/// Standard error for what comes of one call: every record gets the call's stamp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reports<'a> {
    /// Where they go.
    pub(crate) events: Events,
    /// Whose they are.
    pub(crate) stamp: Stamp<'a>,
}

impl Reports<'_> {
    /// A security event with fields of its own.
    pub(crate) fn security(&self, event: &str, fields: Map<String, Value>) {
        let mut body = events::security(&self.stamp, event, SystemClock.now());
        body.extend(fields);
        self.events.emit(Value::Object(body));
    }

    /// An input that was not taken, where it counts as an attack.
    pub(crate) fn input_refused(&self, fault: &InputFault) {
        let Some(event) = fault.event() else { return };
        let mut fields = Map::new();
        fields.insert("field".to_owned(), json!(fault.field().name()));
        match fault {
            InputFault::TooLong {
                chars_max, chars, ..
            } => {
                fields.insert("length".to_owned(), json!(chars));
                fields.insert("max_length".to_owned(), json!(chars_max));
            }
            InputFault::ControlCharacter { code } | InputFault::HiddenCharacter { code } => {
                fields.insert("char_code".to_owned(), json!(code));
            }
            InputFault::Required { .. } | InputFault::Characters { .. } | InputFault::NulByte => {}
        }
        self.security(event, fields);
    }

    /// A denied text that only the normalised command shows. The texts are redacted.
    pub(crate) fn bypass_attempt(
        &self,
        heard: &Heard,
        original: &str,
        normalised: &str,
        pattern: &str,
    ) {
        let alias = heard.case.target().host.alias.as_str();
        let fields = Map::from_iter([
            ("alias".to_owned(), json!(alias)),
            ("hash".to_owned(), json!(heard.case.line().hash16())),
            ("original_command".to_owned(), json!(original)),
            ("normalized_command".to_owned(), json!(normalised)),
            ("blocked_pattern".to_owned(), json!(pattern)),
        ]);
        self.security("command_bypass_attempt", fields);
    }
}

/// Where refusals of files go, and for whom the files are read. It owns what a record is stamped with, because
/// files are read before there is a call, and by tasks that outlive one.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    events: Events,
    origin: Origin,
    under: Under,
}

impl Watch {
    /// For what this process reads for its owner, before any call and under no configuration.
    pub(crate) fn first(events: Events, door: Door) -> Self {
        let call_id = "start".to_owned();
        Self {
            events,
            origin: Origin::new(owner(), door, call_id, None, &Redactor::default()),
            under: Under::default(),
        }
    }

    /// For what is read for a call.
    pub(crate) fn of(reports: &Reports<'_>) -> Self {
        Self {
            events: reports.events,
            origin: reports.stamp.origin.clone(),
            under: reports.stamp.under.clone(),
        }
    }

    /// Passes a result on, and records the refusal where it is one.
    pub(crate) fn pass<T>(&self, result: Result<T, FileFault>) -> Result<T, FileFault> {
        result.inspect_err(|fault| self.complain(fault))
    }

    /// Records a refusal, or something that is read and should be better protected.
    pub(crate) fn complain(&self, fault: &FileFault) {
        let stamp = Stamp {
            origin: &self.origin,
            under: &self.under,
        };
        if let Some(event) = fault.event() {
            self.events.emit(events::with_stamp(event, &stamp));
        }
    }
}
