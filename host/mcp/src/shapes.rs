//! The shapes of the answers on the wire: what is serialised, and what the published schemas are made
//! from.
//!
//! A shape is flat and its optional keys are absent rather than null. The sentences here are read by
//! models, as descriptions in the schemas.
//!
//! Must not: hold anything but data, or a text that is not [`Text`].

use portcullis_core::text::SafeText;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A text of an answer. Whoever wrote it, it has been through the scanner: there is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Text(SafeText);

impl<T: Into<SafeText>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// `error`: the only value.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorWord {
    Error,
}

/// `denied`: the only value.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeniedWord {
    Denied,
}

/// `pong`: the only value.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PongWord {
    Pong,
}

/// `reloaded`: the only value.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReloadedWord {
    Reloaded,
}

/// A call that failed: bad input, an unknown host, too much under way.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FaultShape {
    /// Always `error`.
    pub(crate) status: ErrorWord,
    /// What is wrong, as one stable word.
    pub(crate) code: &'static str,
    /// What is wrong, as one sentence.
    pub(crate) error: Text,
    /// True where the same call may work later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retryable: Option<bool>,
}

/// The server is alive.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PingShape {
    /// Always `pong`.
    pub(crate) status: PongWord,
}

/// The hosts.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HostsShape {
    /// The aliases, in the order of the file.
    pub(crate) hosts: Vec<Text>,
}

/// One host.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HostShape {
    /// Its name here.
    pub(crate) alias: Text,
    /// Its DNS name or address.
    pub(crate) host: Text,
    /// Its SSH port.
    pub(crate) port: u16,
    /// Its tags.
    pub(crate) tags: Vec<Text>,
    /// What it is.
    pub(crate) description: Text,
    /// Whether it names credentials. Their name is not told.
    pub(crate) has_credentials_ref: bool,
}

/// A rule of the policy.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RuleShape {
    /// Its position, counted from 0.
    pub(crate) index: usize,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Text>,
}

/// A plugin that decided.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PluginShape {
    /// Its name.
    pub(crate) name: Text,
    /// Its own word for why.
    pub(crate) code: Text,
}

/// Limits that hold for a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LimitsShape {
    /// Wall time in seconds.
    pub(crate) max_seconds: u64,
    /// Output shown, both streams together, in bytes.
    pub(crate) max_output_bytes: u64,
    /// Whether unknown host keys are added: never.
    pub(crate) host_key_auto_add: bool,
    /// Whether host keys are verified: always.
    pub(crate) require_known_host: bool,
}

/// What the rules found for one simple command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LeafShape {
    /// Its words after quote removal.
    pub(crate) argv: Vec<Text>,
    /// The part of the command that it is.
    pub(crate) source: Text,
    /// Whether the rules allow it.
    pub(crate) allowed: bool,
    /// The rule that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<RuleShape>,
    /// What it does besides reading what anyone may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<NeedShape>,
    /// The commands that it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) runs: Vec<InnerShape>,
}

/// Something that a rule has to grant.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NeedShape {
    /// `operate`, `write`, `execute`, `secret`, `network`, `redirect_output`, `redirect_input`, `assign`
    /// or `state`.
    pub(crate) capability: &'static str,
    /// What the command does, as half a sentence.
    pub(crate) why: Text,
}

/// A command that another one runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InnerShape {
    /// Its words.
    pub(crate) command: Text,
    /// The user that it runs as, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<Text>,
}

/// What one validator says.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OpinionShape {
    /// Its name.
    pub(crate) plugin: Text,
    /// `no_objection`, `objection`, `require_approval` or `failed`.
    pub(crate) verdict: &'static str,
    /// Its own word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Text>,
    /// Why, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Text>,
    /// Whether it is only watched and not followed.
    pub(crate) observe: bool,
}

/// What would happen to a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanShape {
    /// The host.
    pub(crate) alias: Text,
    /// The command, trimmed.
    pub(crate) command: Text,
    /// First 16 hex digits of the command's SHA-256.
    pub(crate) hash: Text,
    /// Whether it would run.
    pub(crate) allowed: bool,
    /// The limits that would hold.
    pub(crate) limits: LimitsShape,
    /// Why it would not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<Text>,
    /// Why it would not run, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<Text>,
    /// What would have to change, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<Text>,
    /// The part of the command that is refused, where it has more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) denied_command: Option<Text>,
    /// Why it would not run, as one stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// Which part of the gate refuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    /// The rule that refuses, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<RuleShape>,
    /// The kind of effect that no rule grants, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capability: Option<&'static str>,
    /// Byte offset in the command, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<usize>,
    /// The plugin that refuses, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plugin: Option<PluginShape>,
    /// For a refusal by the address lists: which entries refuse, or that none allows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) network_entries: Vec<Text>,
    /// One entry for each simple command.
    pub(crate) leaves: Vec<LeafShape>,
    /// What the address lists say of the host: `allowed`, `not_allowed`, `dns_failed` or `not_asked`.
    pub(crate) network: &'static str,
    /// The exact text that would be sent.
    pub(crate) rendered: Text,
    /// SHA-256 of that text.
    pub(crate) rendered_sha256: Text,
    /// One entry for each validator that was heard.
    pub(crate) validators: Vec<OpinionShape>,
}

/// A refused run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeniedShape {
    /// Always `denied`.
    pub(crate) status: DeniedWord,
    /// Why, as one stable word.
    pub(crate) code: &'static str,
    /// Which part of the gate refused: `policy`, `network`, `validator`, `approval` or `journal`.
    pub(crate) reason: &'static str,
    /// The host.
    pub(crate) alias: Text,
    /// First 16 hex digits of the command's SHA-256.
    pub(crate) hash: Text,
    /// The command, trimmed.
    pub(crate) command: Text,
    /// Why, in one sentence.
    pub(crate) detail: Text,
    /// What would have to change, and by whom.
    pub(crate) hint: Text,
    /// The rule that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<RuleShape>,
    /// The kind of effect that no rule grants, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capability: Option<&'static str>,
    /// Byte offset in the command, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<usize>,
    /// The refused part of the command, where it has more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<Text>,
    /// The plugin that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plugin: Option<PluginShape>,
    /// For a refusal by the network lists: the host's name or address in the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<Text>,
    /// For a refusal by the network lists: which entries refuse, or that none allows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) network_entries: Vec<Text>,
}

/// Where the time of a run went, in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TimingShape {
    /// Rules and parsing.
    pub(crate) policy_us: u64,
    /// Validators.
    pub(crate) validators_us: u64,
    /// The opening record.
    pub(crate) journal_us: u64,
    /// Name resolution.
    pub(crate) resolve_us: u64,
    /// Socket and key exchange; next to nothing on a connection that was open already.
    pub(crate) connect_us: u64,
    /// The login; 0 on a connection that was open already.
    pub(crate) authenticate_us: u64,
    /// Opening the channel and sending the command.
    pub(crate) channel_us: u64,
    /// From then to the end of the command.
    pub(crate) remote_us: u64,
    /// Sanitising, redacting and cutting the output.
    pub(crate) output_us: u64,
}

/// A run that was made, or tried.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RanShape {
    /// The run's id.
    pub(crate) task_id: Text,
    /// The host.
    pub(crate) alias: Text,
    /// First 16 hex digits of the command's SHA-256.
    pub(crate) hash: Text,
    /// Exit status; -1 where there is none.
    pub(crate) exit_code: i64,
    /// Wall time in milliseconds.
    pub(crate) duration_ms: u64,
    /// Whether the run was taken back.
    pub(crate) cancelled: bool,
    /// Whether the time limit ended it.
    pub(crate) timeout: bool,
    /// The peer's address; empty where no connection was made.
    pub(crate) target_ip: Text,
    /// Standard output, then standard error. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Text>,
    /// Standard output, for `streams: split`. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stdout: Option<Text>,
    /// Standard error, for `streams: split`. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stderr: Option<Text>,
    /// `completed`, `failed`, `signalled`, `timed_out`, `cancelled`, `unreachable` or `unknown`.
    pub(crate) state: &'static str,
    /// What went wrong, as one stable word, where the run could not be made or its end is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// The same as one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'static str>,
    /// The signal that ended the command, without `SIG`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signal: Option<Text>,
    /// Where the gate ended the command: `confirmed`, `signalled_unconfirmed` or `left_running`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) termination: Option<&'static str>,
    /// Whether output was left out.
    pub(crate) truncated: bool,
    /// All bytes that the command wrote to standard output.
    pub(crate) stdout_bytes: u64,
    /// All bytes that the command wrote to standard error.
    pub(crate) stderr_bytes: u64,
    /// What ssh_read_output can read of the output, where the operator has it kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paging: Option<PagingShape>,
    /// Secrets that were masked, counted by kind.
    pub(crate) redactions: BTreeMap<Text, u64>,
    /// Characters that were marked or removed, counted by kind.
    pub(crate) sanitised: BTreeMap<Text, u64>,
    /// The plugin that failed, where the output is withheld for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) withheld: Option<PluginShape>,
    /// SHA-256 of the text that was sent.
    pub(crate) rendered_sha256: Text,
    /// Where the time went.
    pub(crate) timing: TimingShape,
    /// True where the run's closing record could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) journal_fault: Option<bool>,
    /// Where something went wrong on the way: the alias of the jump host at which it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed_at: Option<Text>,
}

/// What of a run's output can be paged through.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PagingShape {
    /// Bytes of standard output that are kept, redacted.
    pub(crate) stdout_bytes: u64,
    /// Bytes of standard error that are kept, redacted.
    pub(crate) stderr_bytes: u64,
    /// Whether that is all of the output; otherwise its two ends around a line that counts what is missing.
    pub(crate) complete: bool,
    /// For how many seconds it is kept.
    pub(crate) seconds: u64,
}

/// One page of a run's output.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PageShape {
    /// The run's id.
    pub(crate) task_id: Text,
    /// `stdout` or `stderr`.
    pub(crate) stream: &'static str,
    /// The page. Untrusted text of the remote host.
    pub(crate) text: Text,
    /// Where it begins, in bytes of the stream's text.
    pub(crate) offset: u64,
    /// Where the next page begins; absent behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_offset: Option<u64>,
    /// All bytes of the stream's text that are kept.
    pub(crate) total_bytes: u64,
    /// Whether all of the output is kept.
    pub(crate) complete: bool,
}

/// The new configuration holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReloadedShape {
    /// Always `reloaded`.
    pub(crate) status: ReloadedWord,
    /// Digest of the configuration that holds.
    pub(crate) digest: Text,
    /// How many hosts it has.
    pub(crate) hosts: usize,
    /// How many rules it has.
    pub(crate) rules: usize,
    /// Whether anything changed.
    pub(crate) changed: bool,
    /// What changed against the configuration that held before.
    pub(crate) changes: ChangesShape,
}

/// What a new configuration changes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ChangesShape {
    /// The files whose bytes differ.
    pub(crate) files: Vec<Text>,
    /// Hosts by alias.
    pub(crate) hosts: DifferenceShape,
    /// Rules by name, or by place where they have none.
    pub(crate) rules: DifferenceShape,
    /// Limits by the way to their keys.
    pub(crate) limits: NamesShape,
    /// Other keys of the policy.
    pub(crate) policy: NamesShape,
}

/// How two sets differ.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DifferenceShape {
    /// In the new one only.
    pub(crate) added: NamesShape,
    /// In the old one only.
    pub(crate) removed: NamesShape,
    /// In both, and not the same.
    pub(crate) changed: NamesShape,
}

/// Some names.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NamesShape {
    /// How many there are.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) names: Vec<Text>,
}

/// The new configuration is not taken; the last good one holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeptShape {
    /// Always `error`.
    pub(crate) status: ErrorWord,
    /// What is wrong, as one sentence.
    pub(crate) error: Text,
    /// Everything that is wrong, one line each.
    pub(crate) faults: Vec<Text>,
    /// Digest of the configuration that holds.
    pub(crate) digest: Text,
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_shape_holds_a_text_that_was_not_read_by_the_scanner() {
        let source = include_str!("shapes.rs");
        let shapes = source.split("/// `error`: the only value.").nth(1);
        let shapes = shapes.and_then(|shapes| shapes.split("#[cfg(test)]").next());
        let shapes = shapes.unwrap_or_default();
        assert!(shapes.contains("struct RanShape"));
        for plain in ["String", "Value", "SafeText"] {
            assert!(!shapes.contains(plain), "a shape holds a {plain}");
        }
    }
}
