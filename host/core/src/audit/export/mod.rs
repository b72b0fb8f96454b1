//! Records of the journal in the shapes that security information systems read.
//!
//! * `ocsf`: events of the Open Cybersecurity Schema Framework, version 1.6.0
//! * `ecs`: documents of the Elastic Common Schema, version 9.0.0
//!
//! Both are pure: a record goes in as it stands in the journal, values come out. What has no place in a schema goes
//! where the schema puts such things (`unmapped`, the namespace `portcullis`), so nothing of a record is lost.
//!
//! Must not: read files, or say more than the record does.

mod ecs;
mod ocsf;

pub use ecs::{ECS_VERSION, ecs};
pub use ocsf::{OCSF_VERSION, ocsf};

use crate::clock::Micros;
use serde_json::{Map, Value};

/// What exports.
#[derive(Debug, Clone, Copy)]
pub struct Exporter<'a> {
    /// The gate's version.
    pub version: &'a str,
    /// Writes an instant as RFC 3339 says; this room has no calendar.
    pub timestamp: fn(Micros) -> String,
}

/// A record, by its fields.
#[derive(Debug, Clone, Copy)]
struct Fields<'r>(&'r Map<String, Value>);

impl<'r> Fields<'r> {
    fn text(self, name: &str) -> Option<&'r str> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    fn number(self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    fn value(self, name: &str) -> Option<&'r Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn is(self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool) == Some(true)
    }

    fn kind(self) -> &'r str {
        self.text("kind").unwrap_or_default()
    }

    /// When.
    fn at(self) -> Micros {
        Micros(self.number("ts").unwrap_or_default())
    }

    /// When, in milliseconds since the Unix epoch.
    fn at_ms(self) -> u64 {
        self.at().0 / 1_000
    }

    /// What was asked for, as a tool's or a verb's name.
    fn operation(self) -> String {
        let of_read = |what: &str| match what {
            "ping" => "ssh_ping".to_owned(),
            "hosts" => "ssh_list_hosts".to_owned(),
            "host" => "ssh_describe_host".to_owned(),
            other => other.to_owned(),
        };
        match self.kind() {
            "run_open" | "run_close" | "refused" => "ssh_run".to_owned(),
            "fleet_open" | "fleet_close" => "ssh_run_on_tag".to_owned(),
            "task_start" => "ssh_run_async".to_owned(),
            "task_cancel" => "ssh_cancel_async_task".to_owned(),
            "plan" => "ssh_plan".to_owned(),
            "reload" => "ssh_reload_config".to_owned(),
            "read" => of_read(self.text("what").unwrap_or("read")),
            other => other.to_owned(),
        }
    }

    /// Whether what the record tells of went well; `None` where that is not known yet.
    fn went_well(self) -> Option<bool> {
        match self.kind() {
            "refused" | "input_refused" | "edge_refused" | "suppressed" | "gap" | "recovered" => {
                Some(false)
            }
            // Each host's end stands in its own record.
            "fleet_open" | "fleet_close" => None,
            "plan" | "contact" => Some(self.is("allowed")),
            "contact_end" => Some(self.text("code").is_none()),
            "host_key" => Some(self.text("outcome") == Some("accepted")),
            "run_close" => match self.text("state") {
                Some("completed") => Some(true),
                Some("unknown") | None => None,
                Some(_) => Some(false),
            },
            "reload" => Some(self.text("outcome") == Some("reloaded")),
            "plugin_breaker" => Some(self.text("state") == Some("closed")),
            "server_stop" => Some(self.text("reason") != Some("fault")),
            _ => Some(true),
        }
    }

    /// Whether the run never reached its host.
    fn is_unreachable(self) -> bool {
        self.text("state") == Some("unreachable")
    }

    /// One line for people.
    fn message(self) -> String {
        let alias = self.text("alias").unwrap_or("-");
        let command = self.text("command").unwrap_or_default();
        let code = self.text("code").unwrap_or_default();
        match self.kind() {
            "run_open" => format!("run on {alias}: {command}"),
            "run_close" => format!(
                "run on {alias} ended: {}",
                self.text("state").unwrap_or("unknown")
            ),
            "refused" => format!("refused on {alias} ({code}): {command}"),
            "plan" => format!("plan for {alias}: {command}"),
            kind => format!("{kind} {code}").trim_end().to_owned(),
        }
    }
}

/// A map of the pairs that have a value.
fn known<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// What a schema has no place for: the record without the fields of the chain, without what was placed, and
/// without what is empty.
fn rest(record: Fields<'_>, placed: &[&str]) -> Map<String, Value> {
    let chain = ["seq", "prev", "mac", "ts"];
    record
        .0
        .iter()
        .filter(|(name, value)| {
            let name = name.as_str();
            !value.is_null() && !chain.contains(&name) && !placed.contains(&name)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
