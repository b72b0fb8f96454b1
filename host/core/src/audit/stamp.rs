//! Who asked, through which door, under which configuration: the fields that every record carries, in the
//! journal and on standard error alike.
//!
//! Must not: mint ids or ask for the time; they come in.

use crate::redact::Redactor;
use crate::request::Principal;
use serde_json::{Map, Value, json};

/// The version of the records' shape. It rises when a field is renamed, removed or means something else;
/// a new field does not raise it.
pub const SHAPE_VERSION: u32 = 1;

/// Longest request id of a client in a record, in characters.
pub const REQUEST_ID_CHARS_MAX: usize = 128;

/// Through which door something was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A client of the MCP server.
    Mcp,
    /// The command line.
    Cli,
    /// A signal to a server.
    Signal,
    /// A server's own look at its files.
    Poll,
    /// The gate itself: its start and its end.
    Gate,
}

impl Door {
    /// The word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::Cli => "cli",
            Self::Signal => "signal",
            Self::Poll => "poll",
            Self::Gate => "gate",
        }
    }
}

/// Who asked, and the ids that tie together everything that came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// On whose behalf.
    pub principal: Principal,
    /// Through which door.
    pub door: Door,
    /// The gate's own id of the call: unique over all processes and times.
    pub call_id: String,
    request_id: Option<String>,
}

impl Origin {
    /// The origin of one call. `request_id` is what the client calls it, as it was sent: whatever stands
    /// there is made one clean and short line, with secrets masked, because a client may send anything.
    #[must_use]
    pub fn new(
        principal: Principal,
        door: Door,
        call_id: String,
        request_id: Option<&str>,
        redactor: &Redactor,
    ) -> Self {
        let clean = |id: &str| -> String {
            let id = redactor.mask(&crate::text::step(id)).0;
            id.chars().take(REQUEST_ID_CHARS_MAX).collect()
        };
        Self {
            principal,
            door,
            call_id,
            request_id: request_id.map(clean),
        }
    }

    /// What the client calls the call, clean and bounded; `None` where there is no client.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

/// Which configuration and plugins a decision was made under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Under {
    /// Digest of the configuration snapshot; empty while there is none.
    pub config_digest: String,
    /// SHA-256 of `policy.yml`; `None` where the file does not exist.
    pub policy_digest: Option<String>,
    /// `name@sha256` of each plugin, in order.
    pub plugins: Vec<String>,
}

/// The fields that every record begins with.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// Who asked.
    pub origin: &'a Origin,
    /// What held.
    pub under: &'a Under,
}

impl Stamp<'_> {
    /// Writes the fields into a record.
    pub fn fill(&self, body: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("principal", json!(self.origin.principal.as_str()));
        put("door", json!(self.origin.door.as_str()));
        put("call_id", json!(self.origin.call_id));
        put("request_id", json!(self.origin.request_id));
        put("config_digest", json!(self.under.config_digest));
        put("policy_digest", json!(self.under.policy_digest));
        put("plugins", json!(self.under.plugins));
    }

    /// A body that holds these fields and nothing else yet.
    #[must_use]
    pub fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        self.fill(&mut body);
        body
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn origin(request_id: &str) -> Origin {
        let (principal, redactor) = (Principal::local(7), Redactor::default());
        Origin::new(
            principal,
            Door::Mcp,
            "i-1".to_owned(),
            Some(request_id),
            &redactor,
        )
    }

    #[test]
    fn a_request_id_is_one_short_clean_line_without_secrets() {
        let hostile = "7\u{1b}[2J\u{202e}\n\r\"}\u{0}";
        let clean = origin(hostile);
        let id = clean.request_id().unwrap();
        assert!(
            !id.chars()
                .any(|c| c.is_control() || crate::text::is_hidden(c))
        );
        assert!(id.starts_with('7'), "{id:?}");
        let long = origin(&"é".repeat(5_000));
        assert_eq!(
            long.request_id().unwrap().chars().count(),
            REQUEST_ID_CHARS_MAX
        );
        let token = "ghp_Z9y8X7w6V5u4T3s2R1q0P9o8N7m6L5k4J3i2";
        assert!(!origin(token).request_id().unwrap().contains(token));
    }

    #[test]
    fn every_stamp_has_the_same_fields() {
        let (origin, under) = (origin("1"), Under::default());
        let stamp = Stamp {
            origin: &origin,
            under: &under,
        };
        let body = stamp.body();
        let names: Vec<&str> = body.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "call_id",
                "config_digest",
                "door",
                "plugins",
                "policy_digest",
                "principal",
                "request_id"
            ]
        );
        assert_eq!(body["policy_digest"], Value::Null);
    }
}
