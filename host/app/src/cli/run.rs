//! `portcullis run ALIAS COMMAND`: the same gate from a terminal; `fleet` for a tag.

mod fleet;

use super::{Exit, Format, Places, console, session};
use clap::Args;
use portcullis_core::answer;
use portcullis_mcp::gate::Gate;
use serde_json::{Value, json};

/// Runs a command on a host, or on every host that has a tag, if the policy allows it. Ctrl-C ends the remote command.
///
/// With `--tag` each host is decided by itself. Exit 0 if the command exited with 0 on all of them, 4 if it did not on
/// one, 1 if all that is wrong is that hosts were refused or not begun with.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The host, without --tag; then the command as one argument: quote it.
    #[arg(value_names = ["ALIAS", "COMMAND"], num_args = 1..=2, required = true)]
    words: Vec<String>,
    /// Run on every host that has this tag; only the command is given then.
    #[arg(long)]
    tag: Option<String>,
    #[command(flatten)]
    rolling: fleet::Arguments,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Run) -> Exit {
    let (alias, command) = match (&verb.tag, verb.words.as_slice()) {
        (None, [alias, command]) => (alias.clone(), command.clone()),
        (Some(tag), [command]) => return fleet::main(places, verb, tag, command),
        (None, _) => {
            console::fault(
                "expected a host and a command",
                "portcullis run ALIAS 'COMMAND', or portcullis run --tag TAG 'COMMAND'",
            );
            return Exit::Usage;
        }
        (Some(_), _) => {
            console::fault(
                "with --tag only the command is given, as one argument",
                "portcullis run --tag TAG -- 'COMMAND'",
            );
            return Exit::Usage;
        }
    };
    if verb.rolling.are_given() {
        console::fault("these options are for --tag", "portcullis run --help");
        return Exit::Usage;
    }
    let format = verb.format;
    session::with_gate(places, async move |gate, mut caller| {
        let (sender, progress) = tokio::sync::mpsc::channel(16);
        caller.progress = Some(sender);
        let talker = tokio::spawn(session::show_progress(progress));
        let answer = gate.run(caller, alias, command).await;
        // The sender is gone with the answer, so the talker has ended or is about to.
        let _ = talker.await;
        match answer {
            Ok(answer::Run::Ran(ran)) => ran_exit(&ran, format),
            Ok(answer::Run::Denied(denied)) => {
                match format {
                    Format::Json => {
                        return console::written(
                            console::line(&denied_json(&denied).to_string()),
                            Exit::Refused,
                        );
                    }
                    Format::Human => say_denied(&denied),
                }
                Exit::Refused
            }
            Err(fault) => session::answer_fault(&fault, format),
        }
    })
}

fn say_denied(denied: &answer::Denied) {
    let (refusal, code) = (&denied.refusal, denied.refusal.code.as_str());
    console::fault(&format!("{} ({code})", refusal.detail), "");
    for deciding in &refusal.network {
        console::say(&format!("  {deciding}"));
    }
    console::say(&format!("hint: {}", refusal.hint));
}

fn ran_exit(ran: &answer::Ran, format: Format) -> Exit {
    let exit = if ran.closing.state == "completed" {
        Exit::Ok
    } else {
        Exit::Remote
    };
    if format == Format::Json {
        return console::written(console::line(&ran_json(ran).to_string()), exit);
    }
    let mut written = console::text(&ran.shown.stdout);
    if !ran.shown.stdout.is_empty() && !ran.shown.stdout.ends_with('\n') {
        written = written.and_then(|()| console::line(""));
    }
    if !ran.shown.stderr.is_empty() {
        console::say(ran.shown.stderr.trim_end());
    }
    if let Some(fault) = &ran.fault {
        let at = fault
            .at
            .as_ref()
            .map(|alias| format!(" (jump host {alias})"));
        console::fault(&format!("{}{}", fault.message, at.unwrap_or_default()), "");
    }
    if let Some((plugin, failure)) = &ran.shown.withheld {
        console::fault(
            &format!(
                "the output is withheld: redactor {plugin} failed ({})",
                failure.code
            ),
            "",
        );
    }
    let masked: u64 = ran.shown.redactions.values().sum();
    let masked = if masked == 0 {
        String::new()
    } else {
        format!(", {masked} secrets masked")
    };
    let left = ran
        .closing
        .termination
        .map(|word| format!(", {word}"))
        .unwrap_or_default();
    console::say(&format!(
        "[{} on {}: exit {}, {} ms{masked}{left}]",
        ran.closing.state, ran.alias, ran.closing.exit_code, ran.closing.duration_ms
    ));
    if let (Some(_), true) = (&ran.paging, ran.shown.truncated) {
        console::say(&format!(
            "the whole output: portcullis output {}",
            ran.task_id
        ));
    }
    console::written(written, exit)
}

fn ran_json(ran: &answer::Ran) -> Value {
    let mut body = serde_json::Map::new();
    body.insert("task_id".to_owned(), json!(ran.task_id));
    body.insert("alias".to_owned(), json!(ran.alias.as_str()));
    body.insert("hash".to_owned(), json!(ran.hash));
    ran.closing.fill(&mut body);
    body.insert("output".to_owned(), json!(ran.shown.joined()));
    body.insert("truncated".to_owned(), json!(ran.shown.truncated));
    if let Some(paging) = &ran.paging {
        let paging = json!({
            "stdout_bytes": paging.stdout_bytes,
            "stderr_bytes": paging.stderr_bytes,
            "complete": paging.complete,
            "seconds": paging.seconds,
        });
        body.insert("paging".to_owned(), paging);
    }
    body.insert("redactions".to_owned(), json!(ran.shown.redactions));
    body.insert("sanitised".to_owned(), json!(ran.shown.sanitised));
    body.insert("signal".to_owned(), json!(ran.signal));
    body.insert(
        "fault".to_owned(),
        json!(ran.fault.as_ref().map(|fault| fault.code)),
    );
    if let Some(at) = ran.fault.as_ref().and_then(|fault| fault.at.as_ref()) {
        body.insert("failed_at".to_owned(), json!(at));
    }
    body.insert("rendered_sha256".to_owned(), json!(ran.rendered_sha256));
    Value::Object(body)
}

fn denied_json(denied: &answer::Denied) -> Value {
    json!({
        "status": "denied",
        "alias": denied.alias.as_str(),
        "hash": denied.hash,
        "command": denied.command,
        "code": denied.refusal.code.as_str(),
        "reason": denied.refusal.code.reason(),
        "detail": denied.refusal.detail,
        "hint": denied.refusal.hint,
        "rule": denied.refusal.rule.as_ref().map(|rule| rule.index),
        "capability": denied.refusal.capability.map(portcullis_core::policy::Capability::as_str),
        "offset": denied.refusal.offset,
        "network_entries": denied.refusal.network,
    })
}
