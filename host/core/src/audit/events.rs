//! The records of standard error, in the shapes that log collectors of the seed system already parse, with the
//! fields of the stamp of the journal.
//!
//! Must not: print. Command text is redacted by the caller before it gets here.

use super::{Closing, Receipt, SHAPE_VERSION, Stamp};
use crate::clock::Micros;
use crate::policy::RuleRef;
use serde_json::{Map, Value, json};

/// What a record is about: a command on a host, and where it stands in the journal.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The host.
    pub alias: &'a str,
    /// The command's hash.
    pub hash: &'a str,
    /// The rule that decided: of a granted script that of its first command.
    pub rule: Option<&'a RuleRef>,
    /// The run's id, where there is a run.
    pub task_id: Option<&'a str>,
    /// The journal's record, where there is one.
    pub receipt: Option<&'a Receipt>,
}

impl Subject<'_> {
    fn fill(&self, body: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("alias", json!(self.alias));
        put("hash", json!(self.hash));
        put("task_id", json!(self.task_id));
        fill_rule(self.rule, body);
        fill_receipt(self.receipt, body);
    }
}

/// Writes the rule that decided: its position, and its name on one clean line.
pub(super) fn fill_rule(rule: Option<&RuleRef>, body: &mut Map<String, Value>) {
    let name = rule.and_then(|rule| rule.name.as_deref());
    body.insert("rule".to_owned(), json!(rule.map(|rule| rule.index)));
    body.insert("rule_name".to_owned(), json!(name.map(crate::text::step)));
}

/// Writes the journal's number and MAC: a line that survives elsewhere proves a cut tail.
fn fill_receipt(receipt: Option<&Receipt>, body: &mut Map<String, Value>) {
    let seq = receipt.map(|receipt| receipt.seq);
    let mac = receipt.map(|receipt| receipt.mac.as_str());
    body.insert("journal_seq".to_owned(), json!(seq));
    body.insert("journal_mac".to_owned(), json!(mac));
}

fn record(kind: &str, stamp: &Stamp<'_>, at: Micros) -> Map<String, Value> {
    let mut body = stamp.body();
    body.insert("v".to_owned(), json!(SHAPE_VERSION));
    body.insert("type".to_owned(), json!(kind));
    body.insert("ts".to_owned(), json!(at.as_seconds()));
    body
}

/// What was decided, whatever it was. `code` names the refusal.
#[must_use]
pub fn policy_decision(
    stamp: &Stamp<'_>,
    subject: &Subject<'_>,
    code: Option<&str>,
    at: Micros,
) -> Value {
    let mut body = record("policy_decision", stamp, at);
    subject.fill(&mut body);
    body.insert("allowed".to_owned(), json!(code.is_none()));
    body.insert("code".to_owned(), json!(code));
    Value::Object(body)
}

/// How a run ended.
#[must_use]
pub fn audit(stamp: &Stamp<'_>, subject: &Subject<'_>, closing: &Closing, at: Micros) -> Value {
    let mut body = record("audit", stamp, at);
    subject.fill(&mut body);
    closing.fill(&mut body);
    Value::Object(body)
}

/// How a reload ended; `fields` say how. The stamp names the configuration that holds afterwards.
#[must_use]
pub fn reload(stamp: &Stamp<'_>, fields: Map<String, Value>, at: Micros) -> Value {
    let mut body = record("reload", stamp, at);
    body.extend(fields);
    Value::Object(body)
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// `connecting`, `connected` or `running`.
    pub phase: &'static str,
    /// Bytes that the command wrote so far.
    pub bytes_read: u64,
    /// Milliseconds since the run began.
    pub elapsed_ms: u64,
}

/// How far a run is, as a record.
#[must_use]
pub fn progress(stamp: &Stamp<'_>, subject: &Subject<'_>, step: Step, at: Micros) -> Value {
    let mut body = record("progress", stamp, at);
    subject.fill(&mut body);
    body.insert("phase".to_owned(), json!(step.phase));
    body.insert("bytes_read".to_owned(), json!(step.bytes_read));
    body.insert("elapsed_ms".to_owned(), json!(step.elapsed_ms));
    Value::Object(body)
}

/// The head that the input, policy and journal events share; `event` is the record's `type`.
#[must_use]
pub fn security(stamp: &Stamp<'_>, event: &str, at: Micros) -> Map<String, Value> {
    let mut body = record(event, stamp, at);
    body.insert("level".to_owned(), json!("error"));
    body.insert("msg".to_owned(), json!("security_event"));
    body
}

/// A security event of files or configuration, which has a shape of its own, with the stamp added.
#[must_use]
pub fn with_stamp(event: Value, stamp: &Stamp<'_>) -> Value {
    let Value::Object(mut body) = event else {
        return event;
    };
    stamp.fill(&mut body);
    body.insert("v".to_owned(), json!(SHAPE_VERSION));
    Value::Object(body)
}

/// A value as one line of JSON that a terminal may show: characters that hide or reorder text, which JSON
/// lets stand as they are, are written as escapes. Reading the line gives the value back.
#[must_use]
pub fn json_line(value: &Value) -> String {
    escape_hidden(json_text(value))
}

/// Texts, numbers and values of JSON as JSON, of which none is beyond it.
pub(super) fn json_text(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The same for JSON that is text already. Outside of texts JSON is ASCII, so an escape is lawful wherever
/// such a character can stand.
#[must_use]
pub fn escape_hidden(json: String) -> String {
    let hidden = |c: char| c == '\u{7f}' || crate::text::is_hidden(c);
    if json.is_ascii() && !json.contains('\u{7f}') {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    let mut units = [0_u16; 2];
    for c in json.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_line_of_json_hides_nothing_and_reads_back_as_the_value() {
        let hostile =
            "a\u{202e}b\u{200b}\u{1b}[2J\u{9b}\u{7f}\u{e0041}\u{feff}\"\\\n\u{2028}é \u{1f600}";
        let value = json!({"\u{202e}key": hostile});
        let line = json_line(&value);
        let shown = |c: char| !c.is_control() && !crate::text::is_hidden(c);
        assert!(line.chars().all(shown), "{line:?}");
        assert!(line.contains('é') && line.contains('\u{1f600}'));
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back, value);
    }
}
