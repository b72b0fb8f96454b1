//! The shapes of the answers on the wire: what is serialised, and what the published schemas are made
//! from.
//!
//! A shape is flat and its optional keys are absent rather than null. The sentences here are read by
//! models, as descriptions in the schemas.
//!
//! Must not: hold anything but data.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

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
    pub(crate) error: String,
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
    pub(crate) hosts: Vec<String>,
}

/// One host.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HostShape {
    /// Its name here.
    pub(crate) alias: String,
    /// Its DNS name or address.
    pub(crate) host: String,
    /// Its SSH port.
    pub(crate) port: u16,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// What it is.
    pub(crate) description: String,
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
    pub(crate) name: Option<String>,
}

/// A plugin that decided.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PluginShape {
    /// Its name.
    pub(crate) name: String,
    /// Its own word for why.
    pub(crate) code: String,
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
    pub(crate) argv: Vec<String>,
    /// The part of the command that it is.
    pub(crate) source: String,
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
    pub(crate) why: String,
}

/// A command that another one runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InnerShape {
    /// Its words.
    pub(crate) command: String,
    /// The user that it runs as, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
}

/// What one validator says.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OpinionShape {
    /// Its name.
    pub(crate) plugin: String,
    /// `no_objection`, `objection`, `require_approval` or `failed`.
    pub(crate) verdict: &'static str,
    /// Its own word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// Why, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Whether it is only watched and not followed.
    pub(crate) observe: bool,
}

/// What would happen to a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanShape {
    /// The host.
    pub(crate) alias: String,
    /// The command, trimmed.
    pub(crate) command: String,
    /// First 16 hex digits of the command's SHA-256.
    pub(crate) hash: String,
    /// Whether it would run.
    pub(crate) allowed: bool,
    /// The limits that would hold.
    pub(crate) limits: LimitsShape,
    /// Why it would not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// Why it would not run, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// What would have to change, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// The part of the command that is refused, where it has more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) denied_command: Option<String>,
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
    /// One entry for each simple command.
    pub(crate) leaves: Vec<LeafShape>,
    /// What the address lists say of the host: `allowed`, `not_allowed`, `dns_failed` or `not_asked`.
    pub(crate) network: &'static str,
    /// The exact text that would be sent.
    pub(crate) rendered: String,
    /// SHA-256 of that text.
    pub(crate) rendered_sha256: String,
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
    pub(crate) alias: String,
    /// First 16 hex digits of the command's SHA-256.
    pub(crate) hash: String,
    /// The command, trimmed.
    pub(crate) command: String,
    /// Why, in one sentence.
    pub(crate) detail: String,
    /// What would have to change, and by whom.
    pub(crate) hint: String,
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
    pub(crate) part: Option<String>,
    /// The plugin that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plugin: Option<PluginShape>,
    /// For a refusal by the network lists: the host's name or address in the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<String>,
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
    /// Socket, key exchange and authentication; 0 on a connection that was open.
    pub(crate) connect_us: u64,
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
    pub(crate) task_id: String,
    /// The host.
    pub(crate) alias: String,
    /// First 16 hex digits of the command's SHA-256.
    pub(crate) hash: String,
    /// Exit status; -1 where there is none.
    pub(crate) exit_code: i64,
    /// Wall time in milliseconds.
    pub(crate) duration_ms: u64,
    /// Whether the run was taken back.
    pub(crate) cancelled: bool,
    /// Whether the time limit ended it.
    pub(crate) timeout: bool,
    /// The peer's address; empty where no connection was made.
    pub(crate) target_ip: String,
    /// Standard output, then standard error. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// Standard output, for `streams: split`. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stdout: Option<String>,
    /// Standard error, for `streams: split`. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stderr: Option<String>,
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
    pub(crate) signal: Option<String>,
    /// Where the gate ended the command: `confirmed`, `signalled_unconfirmed` or `left_running`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) termination: Option<&'static str>,
    /// Whether output was left out.
    pub(crate) truncated: bool,
    /// All bytes that the command wrote to standard output.
    pub(crate) stdout_bytes: u64,
    /// All bytes that the command wrote to standard error.
    pub(crate) stderr_bytes: u64,
    /// Secrets that were masked, counted by kind.
    pub(crate) redactions: BTreeMap<String, u64>,
    /// Characters that were marked or removed, counted by kind.
    pub(crate) sanitised: BTreeMap<String, u64>,
    /// The plugin that failed, where the output is withheld for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) withheld: Option<PluginShape>,
    /// SHA-256 of the text that was sent.
    pub(crate) rendered_sha256: String,
    /// Where the time went.
    pub(crate) timing: TimingShape,
    /// True where the run's closing record could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) journal_fault: Option<bool>,
}

/// The new configuration holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReloadedShape {
    /// Always `reloaded`.
    pub(crate) status: ReloadedWord,
    /// Digest of the configuration that holds.
    pub(crate) digest: String,
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
    pub(crate) files: Vec<String>,
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
    pub(crate) names: Vec<String>,
}

/// The new configuration is not taken; the last good one holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeptShape {
    /// Always `error`.
    pub(crate) status: ErrorWord,
    /// What is wrong, as one sentence.
    pub(crate) error: String,
    /// Everything that is wrong, one line each.
    pub(crate) faults: Vec<String>,
    /// Digest of the configuration that holds.
    pub(crate) digest: String,
}
