//! The shapes of the answers on the wire, and how the gate's answers become them.
//!
//! A shape is flat, its optional keys are absent rather than null, and everything in it comes from a
//! typed value of the gate. Output of a command stands in `output`, `stdout` and `stderr` alone.
//!
//! Must not: judge, sanitise or shorten; that was done before.

use portcullis_core::answer::{Denied, Fault, Plan, Ran, Reload, Timing};
use portcullis_core::inventory::Host;
use portcullis_core::policy::{Finding, Opinion, RuleRef, Verdict};
use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Whether an answer is a fault, for the protocol's `isError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The gate worked; a refusal is its work too.
    Worked,
    /// A fault: of the caller's input, of the network, of the gate.
    Fault,
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
    status: ErrorWord,
    /// What is wrong, as one stable word.
    code: &'static str,
    /// What is wrong, as one sentence.
    error: String,
    /// True where the same call may work later.
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
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
    hosts: Vec<String>,
}

/// One host.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HostShape {
    /// Its name here.
    alias: String,
    /// Its DNS name or address.
    host: String,
    /// Its SSH port.
    port: u16,
    /// Its tags.
    tags: Vec<String>,
    /// What it is.
    description: String,
    /// Whether it names credentials. Their name is not told.
    has_credentials_ref: bool,
}

/// A rule of the policy.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RuleShape {
    /// Its position, counted from 0.
    index: usize,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// A plugin that decided.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PluginShape {
    /// Its name.
    name: String,
    /// Its own word for why.
    code: String,
}

/// Limits that hold for a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LimitsShape {
    /// Wall time in seconds.
    max_seconds: u64,
    /// Output shown, both streams together, in bytes.
    max_output_bytes: u64,
    /// Whether unknown host keys are added: never.
    host_key_auto_add: bool,
    /// Whether host keys are verified: always.
    require_known_host: bool,
}

/// What the rules found for one simple command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LeafShape {
    /// Its words after quote removal.
    argv: Vec<String>,
    /// The part of the command that it is.
    source: String,
    /// Whether the rules allow it.
    allowed: bool,
    /// The rule that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleShape>,
}

/// What one validator says.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OpinionShape {
    /// Its name.
    plugin: String,
    /// `no_objection`, `objection`, `require_approval` or `failed`.
    verdict: &'static str,
    /// Its own word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Why, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether it is only watched and not followed.
    observe: bool,
}

/// What would happen to a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanShape {
    /// The host.
    alias: String,
    /// The command, trimmed.
    command: String,
    /// First 16 hex digits of the command's SHA-256.
    hash: String,
    /// Whether it would run.
    allowed: bool,
    /// The limits that would hold.
    limits: LimitsShape,
    /// Why it would not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Why it would not run, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What would have to change, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The part of the command that is refused, where it has more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_command: Option<String>,
    /// Why it would not run, as one stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Which part of the gate refuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The rule that refuses, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleShape>,
    /// Byte offset in the command, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    /// The plugin that refuses, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<PluginShape>,
    /// One entry for each simple command.
    leaves: Vec<LeafShape>,
    /// What the address lists say of the host: `allowed`, `not_allowed`, `dns_failed` or `not_asked`.
    network: &'static str,
    /// The exact text that would be sent.
    rendered: String,
    /// SHA-256 of that text.
    rendered_sha256: String,
    /// One entry for each validator that was heard.
    validators: Vec<OpinionShape>,
}

/// A refused run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeniedShape {
    /// Always `denied`.
    status: DeniedWord,
    /// Why, as one stable word.
    code: &'static str,
    /// Which part of the gate refused: `policy`, `network`, `validator`, `approval` or `journal`.
    reason: &'static str,
    /// The host.
    alias: String,
    /// First 16 hex digits of the command's SHA-256.
    hash: String,
    /// The command, trimmed.
    command: String,
    /// Why, in one sentence.
    detail: String,
    /// What would have to change, and by whom.
    hint: String,
    /// The rule that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleShape>,
    /// Byte offset in the command, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    /// The refused part of the command, where it has more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    /// The plugin that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<PluginShape>,
    /// For a refusal by the network lists: the host's name or address in the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
}

/// Where the time of a run went, in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TimingShape {
    /// Rules and parsing.
    policy_us: u64,
    /// Validators.
    validators_us: u64,
    /// The opening record.
    journal_us: u64,
    /// Name resolution.
    resolve_us: u64,
    /// Socket, key exchange and authentication; 0 on a connection that was open.
    connect_us: u64,
    /// Opening the channel and sending the command.
    channel_us: u64,
    /// From then to the end of the command.
    remote_us: u64,
    /// Sanitising, redacting and cutting the output.
    output_us: u64,
}

/// A run that was made, or tried.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RanShape {
    /// The run's id.
    task_id: String,
    /// The host.
    alias: String,
    /// First 16 hex digits of the command's SHA-256.
    hash: String,
    /// Exit status; -1 where there is none.
    exit_code: i64,
    /// Wall time in milliseconds.
    duration_ms: u64,
    /// Whether the run was taken back.
    cancelled: bool,
    /// Whether the time limit ended it.
    timeout: bool,
    /// The peer's address; empty where no connection was made.
    target_ip: String,
    /// Standard output, then standard error. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// Standard output, for `streams: split`. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<String>,
    /// Standard error, for `streams: split`. Untrusted text of the remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<String>,
    /// `completed`, `failed`, `signalled`, `timed_out`, `cancelled`, `unreachable` or `unknown`.
    state: &'static str,
    /// What went wrong, as one stable word, where the run could not be made or its end is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The same as one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// The signal that ended the command, without `SIG`.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    /// Where the gate ended the command: `confirmed`, `signalled_unconfirmed` or `left_running`.
    #[serde(skip_serializing_if = "Option::is_none")]
    termination: Option<&'static str>,
    /// Whether output was left out.
    truncated: bool,
    /// All bytes that the command wrote to standard output.
    stdout_bytes: u64,
    /// All bytes that the command wrote to standard error.
    stderr_bytes: u64,
    /// Secrets that were masked, counted by kind.
    redactions: BTreeMap<String, u64>,
    /// Characters that were marked or removed, counted by kind.
    sanitised: BTreeMap<String, u64>,
    /// The plugin that failed, where the output is withheld for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<PluginShape>,
    /// SHA-256 of the text that was sent.
    rendered_sha256: String,
    /// Where the time went.
    timing: TimingShape,
    /// True where the run's closing record could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_fault: Option<bool>,
}

/// The new configuration holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReloadedShape {
    /// Always `reloaded`.
    status: ReloadedWord,
    /// Digest of the configuration that holds.
    digest: String,
    /// How many hosts it has.
    hosts: usize,
    /// How many rules it has.
    rules: usize,
    /// Whether anything changed.
    changed: bool,
}

/// The new configuration is not taken; the last good one holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeptShape {
    /// Always `error`.
    status: ErrorWord,
    /// What is wrong, as one sentence.
    error: String,
    /// Everything that is wrong, one line each.
    faults: Vec<String>,
    /// Digest of the configuration that holds.
    digest: String,
}

/// Which streams a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// One text.
    Joined,
    /// Two texts.
    Split,
}

/// A shape as a tool's answer: structured, and the same JSON as text.
pub(crate) fn shaped<T: Serialize>(shape: &T, standing: Standing) -> CallToolResult {
    match serde_json::to_value(shape) {
        Ok(value) if standing == Standing::Worked => CallToolResult::structured(value),
        Ok(value) => CallToolResult::structured_error(value),
        // Every key of the shapes is a text, so this does not happen; the run may have, so say so.
        Err(_) => fault("internal", "the answer cannot be written".to_owned()),
    }
}

/// A fault as a tool's answer. The text block holds the sentence alone.
pub(crate) fn fault(code: &'static str, text: String) -> CallToolResult {
    let error = format!("Error: {text}");
    let mut result = shaped_fault(&FaultShape {
        status: ErrorWord::Error,
        code,
        error: error.clone(),
        retryable: (code == Fault::Busy.code()).then_some(true),
    });
    result.content = vec![ContentBlock::text(error)];
    result
}

fn shaped_fault(shape: &FaultShape) -> CallToolResult {
    CallToolResult::structured_error(serde_json::json!(shape))
}

/// A fault of the gate.
pub(crate) fn gate_fault(found: &Fault) -> CallToolResult {
    fault(found.code(), found.to_string())
}

/// Too much is under way.
pub(crate) fn busy() -> CallToolResult {
    gate_fault(&Fault::Busy)
}

/// The hosts.
pub(crate) fn hosts(hosts: Vec<Host>) -> HostsShape {
    let hosts = hosts.into_iter().map(|host| host.alias.to_string());
    HostsShape {
        hosts: hosts.collect(),
    }
}

/// One host.
pub(crate) fn host(host: Host) -> HostShape {
    HostShape {
        alias: host.alias.to_string(),
        host: host.host,
        port: host.port,
        tags: host.tags,
        description: host.description,
        has_credentials_ref: host.credentials.is_some(),
    }
}

fn rule(rule: RuleRef) -> RuleShape {
    RuleShape {
        index: rule.index,
        name: rule.name,
    }
}

fn plugin((name, code): (String, String)) -> PluginShape {
    PluginShape { name, code }
}

fn leaf(finding: Finding) -> LeafShape {
    LeafShape {
        argv: finding.argv,
        source: finding.source,
        allowed: finding.allowed,
        rule: finding.rule.map(rule),
    }
}

fn opinion(opinion: Opinion) -> OpinionShape {
    let (verdict, code, reason) = match opinion.verdict {
        Verdict::NoObjection => ("no_objection", None, None),
        Verdict::Objection { code, reason } => ("objection", Some(code), Some(reason)),
        Verdict::RequireApproval { reason } => ("require_approval", None, Some(reason)),
        Verdict::Failed(failure) => (
            "failed",
            Some(failure.code.to_owned()),
            Some(failure.detail),
        ),
    };
    OpinionShape {
        plugin: opinion.plugin,
        verdict,
        code,
        reason,
        observe: opinion.observe,
    }
}

/// A plan.
pub(crate) fn plan(plan: Plan) -> PlanShape {
    let mut shape = PlanShape {
        alias: plan.alias.to_string(),
        command: plan.command,
        hash: plan.hash,
        // Both must say so: an answer that lost its refusal on the way must not read as a grant.
        allowed: plan.allowed && plan.refusal.is_none(),
        limits: LimitsShape {
            max_seconds: plan.limits.max_seconds,
            max_output_bytes: plan.limits.max_output_bytes,
            // What holds, not what the file says: both keys are read for compatibility and ignored.
            host_key_auto_add: false,
            require_known_host: true,
        },
        why: None,
        detail: None,
        hint: None,
        denied_command: None,
        code: None,
        reason: None,
        rule: None,
        offset: None,
        plugin: None,
        leaves: plan.findings.into_iter().map(leaf).collect(),
        network: plan.network,
        rendered: plan.rendered,
        rendered_sha256: plan.rendered_sha256,
        validators: plan.opinions.into_iter().map(opinion).collect(),
    };
    if let Some(refusal) = plan.refusal {
        shape.why = Some(match &refusal.part {
            Some(part) => format!("Policy blocked command in chain: '{part}'"),
            None => "Policy blocked this command.".to_owned(),
        });
        shape.denied_command = refusal.part;
        shape.detail = Some(refusal.detail);
        shape.hint = Some(refusal.hint);
        shape.code = Some(refusal.code.as_str());
        shape.reason = Some(refusal.code.reason());
        shape.rule = refusal.rule.map(rule);
        shape.offset = refusal.offset;
        shape.plugin = refusal.plugin.map(plugin);
    }
    shape
}

/// A refused run.
pub(crate) fn denied(denied: Denied) -> DeniedShape {
    let refusal = denied.refusal;
    DeniedShape {
        status: DeniedWord::Denied,
        code: refusal.code.as_str(),
        reason: refusal.code.reason(),
        alias: denied.alias.to_string(),
        hash: denied.hash,
        command: denied.command,
        detail: refusal.detail,
        hint: refusal.hint,
        rule: refusal.rule.map(rule),
        offset: refusal.offset,
        part: refusal.part,
        plugin: refusal.plugin.map(plugin),
        hostname: denied.hostname,
    }
}

/// A run, and whether it is a fault.
pub(crate) fn ran(ran: Ran, streams: Streams) -> (RanShape, Standing) {
    let standing = if ran.fault.is_some() {
        Standing::Fault
    } else {
        Standing::Worked
    };
    let (shown, closing) = (ran.shown, ran.closing);
    let message = ran.fault.as_ref().map(|fault| fault.message);
    let (output, stdout, stderr) = match streams {
        Streams::Joined => (
            Some(joined(&shown.stdout, &shown.stderr, message)),
            None,
            None,
        ),
        Streams::Split => (None, Some(shown.stdout), Some(shown.stderr)),
    };
    let shape = RanShape {
        task_id: ran.task_id,
        alias: ran.alias.to_string(),
        hash: ran.hash,
        exit_code: closing.exit_code,
        duration_ms: closing.duration_ms,
        cancelled: closing.cancelled,
        timeout: closing.timeout,
        target_ip: closing.target_ip,
        output,
        stdout,
        stderr,
        state: closing.state,
        code: ran.fault.as_ref().map(|fault| fault.code),
        error: message,
        signal: ran.signal,
        termination: closing.termination,
        truncated: shown.truncated,
        stdout_bytes: shown.stdout_bytes,
        stderr_bytes: shown.stderr_bytes,
        redactions: shown.redactions,
        sanitised: shown.sanitised,
        withheld: shown.withheld.map(|(name, failure)| PluginShape {
            name,
            code: failure.code.to_owned(),
        }),
        rendered_sha256: ran.rendered_sha256,
        timing: timing(ran.timing),
        journal_fault: ran.journal_fault.then_some(true),
    };
    (shape, standing)
}

/// Standard output, a line end, standard error, trimmed; the fault's text where nothing was printed.
fn joined(stdout: &str, stderr: &str, message: Option<&'static str>) -> String {
    let text = match (stdout.is_empty(), stderr.is_empty()) {
        (_, true) => stdout.to_owned(),
        (true, false) => stderr.to_owned(),
        (false, false) => format!("{}\n{stderr}", stdout.strip_suffix('\n').unwrap_or(stdout)),
    };
    match text.trim() {
        "" => message.unwrap_or_default().to_owned(),
        text => text.to_owned(),
    }
}

fn timing(timing: Timing) -> TimingShape {
    TimingShape {
        policy_us: timing.policy_us,
        validators_us: timing.validators_us,
        journal_us: timing.journal_us,
        resolve_us: timing.resolve_us,
        connect_us: timing.connect_us,
        channel_us: timing.channel_us,
        remote_us: timing.remote_us,
        output_us: timing.output_us,
    }
}

/// A reload.
pub(crate) fn reload(reload: Reload) -> CallToolResult {
    match reload {
        Reload::Reloaded {
            digest,
            hosts,
            rules,
            changed,
        } => shaped(
            &ReloadedShape {
                status: ReloadedWord::Reloaded,
                digest,
                hosts,
                rules,
                changed,
            },
            Standing::Worked,
        ),
        Reload::Kept { digest, faults } => shaped(
            &KeptShape {
                status: ErrorWord::Error,
                error: "the new configuration has faults; the last good one still holds".to_owned(),
                faults,
                digest,
            },
            Standing::Fault,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_joined_by_one_line_end_and_trimmed() {
        assert_eq!(joined("out", "err", None), "out\nerr");
        assert_eq!(joined("out\n", "err\n", None), "out\nerr");
        assert_eq!(joined("out\n", "", None), "out");
        assert_eq!(joined("", "err\n", None), "err");
        assert_eq!(joined("", "", None), "");
    }

    #[test]
    fn a_fault_is_told_where_nothing_was_printed_and_nowhere_else() {
        assert_eq!(joined("", "", Some("no route")), "no route");
        assert_eq!(joined("half", "", Some("connection lost")), "half");
    }
}
