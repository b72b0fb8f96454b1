//! How the gate's answers become the shapes of the wire.
//!
//! Everything in a shape comes from a typed value of the gate. Output of a command stands in `output`,
//! `stdout` and `stderr` alone.
//!
//! Must not: judge, sanitise or shorten; that was done before.

use crate::shapes::{
    ChangesShape, DeniedShape, DeniedWord, DifferenceShape, ErrorWord, FaultShape, HostShape,
    HostsShape, InnerShape, KeptShape, LeafShape, LimitsShape, NamesShape, NeedShape, OpinionShape,
    PageShape, PagingShape, PlanShape, PluginShape, RanShape, ReloadedShape, ReloadedWord,
    RuleShape, Text, TimingShape,
};
use portcullis_core::answer::{
    Changes, Denied, Difference, Fault, Names, Page, Plan, Ran, Reload, Timing,
};
use portcullis_core::inventory::Host;
use portcullis_core::output::Stream;
use portcullis_core::policy::{Capability, Finding, Need, Opinion, RuleRef, Verdict};
use portcullis_core::redact::Counts;
use rmcp::model::{CallToolResult, ContentBlock};
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
        Err(_) => fault("internal", "the answer cannot be written"),
    }
}

/// A fault as a tool's answer. The text block holds the sentence alone.
pub(crate) fn fault(code: &'static str, text: &str) -> CallToolResult {
    let error = Text::from(format!("Error: {text}"));
    let mut result = shaped_fault(&FaultShape {
        status: ErrorWord::Error,
        code,
        error: error.clone(),
        retryable: (code == Fault::Busy.code()).then_some(true),
    });
    result.content = vec![ContentBlock::text(error.to_string())];
    result
}

fn shaped_fault(shape: &FaultShape) -> CallToolResult {
    CallToolResult::structured_error(serde_json::json!(shape))
}

/// A fault of the gate.
pub(crate) fn gate_fault(found: &Fault) -> CallToolResult {
    fault(found.code(), &found.to_string())
}

/// Too much is under way.
pub(crate) fn busy() -> CallToolResult {
    gate_fault(&Fault::Busy)
}

/// The hosts.
pub(crate) fn hosts(hosts: Vec<Host>) -> HostsShape {
    let hosts = hosts
        .into_iter()
        .map(|host| Text::from(host.alias.as_str()));
    HostsShape {
        hosts: hosts.collect(),
    }
}

/// One host.
pub(crate) fn host(host: Host) -> HostShape {
    HostShape {
        alias: host.alias.as_str().into(),
        host: host.host.into(),
        port: host.port,
        tags: texts(host.tags),
        description: host.description.into(),
        has_credentials_ref: host.credentials.is_some(),
    }
}

fn rule(rule: RuleRef) -> RuleShape {
    RuleShape {
        index: rule.index,
        name: rule.name.map(Text::from),
    }
}

fn plugin((name, code): (String, String)) -> PluginShape {
    PluginShape {
        name: name.into(),
        code: code.into(),
    }
}

fn texts(texts: Vec<String>) -> Vec<Text> {
    texts.into_iter().map(Text::from).collect()
}

fn counts(counts: Counts) -> BTreeMap<Text, u64> {
    let counts = counts.into_iter();
    counts.map(|(kind, count)| (kind.into(), count)).collect()
}

fn leaf(finding: Finding) -> LeafShape {
    LeafShape {
        argv: texts(finding.argv),
        source: finding.source.into(),
        allowed: finding.allowed,
        rule: finding.rule.map(rule),
        needs: finding.needs.into_iter().map(need).collect(),
        runs: finding.runs.into_iter().map(inner).collect(),
    }
}

fn need(need: Need) -> NeedShape {
    NeedShape {
        capability: need.capability.as_str(),
        why: need.why.into_owned().into(),
    }
}

fn inner((command, user): (String, Option<String>)) -> InnerShape {
    InnerShape {
        command: command.into(),
        user: user.map(Text::from),
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
        plugin: opinion.plugin.into(),
        verdict,
        code: code.map(Text::from),
        reason: reason.map(Text::from),
        observe: opinion.observe,
    }
}

/// A plan.
pub(crate) fn plan(plan: Plan) -> PlanShape {
    let mut shape = PlanShape {
        alias: plan.alias.as_str().into(),
        command: plan.command.into(),
        hash: plan.hash.into(),
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
        capability: None,
        offset: None,
        plugin: None,
        network_entries: Vec::new(),
        leaves: plan.findings.into_iter().map(leaf).collect(),
        network: plan.network,
        rendered: plan.rendered.into(),
        rendered_sha256: plan.rendered_sha256.into(),
        validators: plan.opinions.into_iter().map(opinion).collect(),
    };
    if let Some(refusal) = plan.refusal {
        shape.why = Some(match &refusal.part {
            Some(part) => format!("Policy blocked command in chain: '{part}'").into(),
            None => "Policy blocked this command.".into(),
        });
        shape.denied_command = refusal.part.map(Text::from);
        shape.detail = Some(refusal.detail.into());
        shape.hint = Some(refusal.hint.into());
        shape.code = Some(refusal.code.as_str());
        shape.reason = Some(refusal.code.reason());
        shape.rule = refusal.rule.map(rule);
        shape.capability = refusal.capability.map(Capability::as_str);
        shape.offset = refusal.offset;
        shape.plugin = refusal.plugin.map(plugin);
        shape.network_entries = refusal.network.into_iter().map(Text::from).collect();
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
        alias: denied.alias.as_str().into(),
        hash: denied.hash.into(),
        command: denied.command.into(),
        detail: refusal.detail.into(),
        hint: refusal.hint.into(),
        rule: refusal.rule.map(rule),
        capability: refusal.capability.map(Capability::as_str),
        offset: refusal.offset,
        part: refusal.part.map(Text::from),
        plugin: refusal.plugin.map(plugin),
        hostname: denied.hostname.map(Text::from),
        network_entries: refusal.network.into_iter().map(Text::from).collect(),
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
            Some(joined(&shown.stdout, &shown.stderr, message).into()),
            None,
            None,
        ),
        Streams::Split => (None, Some(shown.stdout.into()), Some(shown.stderr.into())),
    };
    let shape = RanShape {
        task_id: ran.task_id.into(),
        alias: ran.alias.as_str().into(),
        hash: ran.hash.into(),
        exit_code: closing.exit_code,
        duration_ms: closing.duration_ms,
        cancelled: closing.cancelled,
        timeout: closing.timeout,
        target_ip: closing.target_ip.into(),
        output,
        stdout,
        stderr,
        state: closing.state,
        code: ran.fault.as_ref().map(|fault| fault.code),
        error: message,
        signal: ran.signal.map(Text::from),
        termination: closing.termination,
        truncated: shown.truncated,
        stdout_bytes: shown.stdout_bytes,
        stderr_bytes: shown.stderr_bytes,
        paging: ran.paging.map(|paging| PagingShape {
            stdout_bytes: paging.stdout_bytes,
            stderr_bytes: paging.stderr_bytes,
            complete: paging.complete,
            seconds: paging.seconds,
        }),
        redactions: counts(shown.redactions),
        sanitised: counts(shown.sanitised),
        withheld: shown
            .withheld
            .map(|(name, failure)| plugin((name, failure.code.to_owned()))),
        rendered_sha256: ran.rendered_sha256.into(),
        timing: timing(ran.timing),
        journal_fault: ran.journal_fault.then_some(true),
        failed_at: ran.fault.and_then(|fault| fault.at).map(Text::from),
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
        authenticate_us: timing.authenticate_us,
        channel_us: timing.channel_us,
        remote_us: timing.remote_us,
        output_us: timing.output_us,
    }
}

/// One page of a run's output.
pub(crate) fn page(task: &str, stream: Stream, page: Page) -> PageShape {
    PageShape {
        task_id: task.into(),
        stream: stream.name(),
        text: page.text.into(),
        offset: page.offset,
        next_offset: (page.next < page.total).then_some(page.next),
        total_bytes: page.total,
        complete: page.complete,
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
            changes: what,
        } => shaped(
            &ReloadedShape {
                status: ReloadedWord::Reloaded,
                digest: digest.into(),
                hosts,
                rules,
                changed,
                changes: changes(*what),
            },
            Standing::Worked,
        ),
        Reload::Kept { digest, faults } => shaped(
            &KeptShape {
                status: ErrorWord::Error,
                error: "the new configuration has faults; the last good one still holds".into(),
                faults: texts(faults),
                digest: digest.into(),
            },
            Standing::Fault,
        ),
    }
}

fn changes(changes: Changes) -> ChangesShape {
    ChangesShape {
        files: changes.files.into_iter().map(Text::from).collect(),
        hosts: difference(changes.hosts),
        rules: difference(changes.rules),
        limits: names(changes.limits),
        policy: names(changes.policy),
    }
}

fn difference(difference: Difference) -> DifferenceShape {
    DifferenceShape {
        added: names(difference.added),
        removed: names(difference.removed),
        changed: names(difference.changed),
    }
}

fn names(names: Names) -> NamesShape {
    NamesShape {
        count: names.count,
        names: texts(names.names),
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
