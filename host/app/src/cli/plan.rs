//! `portcullis plan ALIAS COMMAND` and `portcullis plan --cases FILE`.

mod cases;

use super::console::{self, Colour};
use super::{Exit, Format, Places, session};
use clap::Args;
use portcullis_core::answer;
use portcullis_core::policy::{Capability, Finding};
use portcullis_mcp::gate::Gate;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Decides without running anything, and says why.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The host.
    #[arg(required_unless_present = "cases")]
    alias: Option<String>,
    /// The command, as one argument: quote it.
    #[arg(required_unless_present = "cases")]
    command: Option<String>,
    /// A file of cases, one JSON object per line (`-` for standard input): `{"id","alias" or
    /// "host","command","policy"?,"expect"?}`. Prints one answer per line; exit 1 when an `expect` fails.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["alias", "command"])]
    cases: Option<PathBuf>,
    /// How to print. For `--cases` the default is JSON Lines, and `human` shows the failing rows.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) fn main(places: &Places, verb: &Plan) -> Exit {
    if let Some(file) = &verb.cases {
        return cases::main(places, file, verb.format.unwrap_or(Format::Json));
    }
    let (Some(alias), Some(command)) = (verb.alias.clone(), verb.command.clone()) else {
        return Exit::Usage;
    };
    let format = verb.format.unwrap_or(Format::Human);
    session::with_gate(places, async move |gate, caller| {
        match gate.plan(caller, alias, command).await {
            Ok(plan) => {
                let exit = if plan.allowed {
                    Exit::Ok
                } else {
                    Exit::Refused
                };
                let text = match format {
                    Format::Json => json(&plan).to_string(),
                    Format::Human => human(&plan),
                };
                console::written(console::line(&text), exit)
            }
            Err(fault) => session::answer_fault(&fault, format),
        }
    })
}

/// The plan for programs; the keys are those of `ssh_plan`.
fn json(plan: &answer::Plan) -> Value {
    let leaves: Vec<Value> = plan
        .findings
        .iter()
        .map(|finding| {
            json!({
                "argv": finding.argv,
                "allowed": finding.allowed,
                "rule": finding.rule.as_ref().map(|rule| rule.index),
                "needs": needs(finding),
                "runs": runs(finding),
            })
        })
        .collect();
    let validators: Vec<Value> = plan.opinions.iter().map(session::opinion).collect();
    json!({
        "alias": plan.alias.as_str(),
        "command": plan.command,
        "hash": plan.hash,
        "allowed": plan.allowed,
        "code": plan.refusal.as_ref().map(|refusal| refusal.code.as_str()),
        "detail": plan.refusal.as_ref().map(|refusal| refusal.detail.clone()),
        "hint": plan.refusal.as_ref().map(|refusal| refusal.hint.clone()),
        "capability": plan
            .refusal
            .as_ref()
            .and_then(|refusal| refusal.capability)
            .map(Capability::as_str),
        "offset": plan.refusal.as_ref().and_then(|refusal| refusal.offset),
        "leaves": leaves,
        "validators": validators,
        "network": plan.network,
        "network_entries": plan.refusal.as_ref().map(|refusal| refusal.network.clone()).unwrap_or_default(),
        "rendered": plan.rendered,
        "rendered_sha256": plan.rendered_sha256,
        "limits": {
            "max_seconds": plan.limits.max_seconds,
            "max_output_bytes": plan.limits.max_output_bytes,
        },
    })
}

/// What a command does besides reading, for programs.
pub(super) fn needs(finding: &Finding) -> Vec<Value> {
    let each = finding.needs.iter();
    each.map(|need| json!({"capability": need.capability.as_str(), "why": need.why}))
        .collect()
}

/// The commands that a command runs, for programs.
pub(super) fn runs(finding: &Finding) -> Vec<Value> {
    let each = finding.runs.iter();
    each.map(|(command, user)| json!({"command": command, "user": user}))
        .collect()
}

/// The plan for a person: the verdict, each part with the rule that decided, and what would be sent.
fn human(plan: &answer::Plan) -> String {
    let mut text = if plan.allowed {
        console::paint("allowed", Colour::Green)
    } else {
        console::paint("refused", Colour::Red)
    };
    text.push_str(&format!(" on {}\n", plan.alias));
    for finding in &plan.findings {
        let mark = if finding.allowed { "ok" } else { "no" };
        let rule = finding.rule.as_ref().map_or_else(
            || "no rule".to_owned(),
            |rule| match &rule.name {
                Some(name) => format!("rule {} ({name})", rule.index),
                None => format!("rule {}", rule.index),
            },
        );
        text.push_str(&format!("  {mark}  {}  [{rule}]\n", finding.canonical));
        for (command, user) in &finding.runs {
            let user = user.as_deref().map(|user| format!(" as {user}"));
            let user = user.unwrap_or_default();
            text.push_str(&format!("        runs {command}{user}\n"));
        }
        for need in &finding.needs {
            let (capability, why) = (need.capability.as_str(), &need.why);
            text.push_str(&format!("        {capability}: {why}\n"));
        }
    }
    for opinion in &plan.opinions {
        text.push_str(&format!("  validator {}\n", session::opinion(opinion)));
    }
    if let Some(refusal) = &plan.refusal {
        text.push_str(&format!(
            "why     {} ({})\n",
            refusal.detail,
            refusal.code.as_str()
        ));
        for deciding in &refusal.network {
            text.push_str(&format!("        {deciding}\n"));
        }
        text.push_str(&format!("hint    {}\n", refusal.hint));
    }
    text.push_str(&format!("network {}\n", plan.network));
    if plan.allowed {
        text.push_str(&format!("sent    {}\n", plan.rendered));
    }
    text.push_str(&format!(
        "limits  {} s, {} bytes shown",
        plan.limits.max_seconds, plan.limits.max_output_bytes
    ));
    text
}
