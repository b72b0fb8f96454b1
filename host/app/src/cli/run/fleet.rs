//! `portcullis run --tag TAG COMMAND`: one command on many hosts.

use super::super::spread::hosts_at_once;
use super::super::{Exit, Format, Places, console, session};
use super::{Run, denied_json, ran_exit, ran_json, say_denied};
use clap::Args;
use portcullis_core::answer::{Fleet, Member, MemberEnd, Rolling};
use portcullis_core::limits::HOSTS_AT_ONCE_DEFAULT;
use serde_json::{Value, json};
use std::io::IsTerminal;

/// How the command goes from host to host.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Arguments {
    /// With --tag: run on so many hosts at once (default 32).
    #[arg(long, value_name = "N", value_parser = hosts_at_once)]
    concurrency: Option<usize>,
    /// With --tag: run on the first N hosts first; where one of them does not exit with 0, no other begins.
    #[arg(long, value_name = "N")]
    canary: Option<usize>,
    /// With --tag: then N hosts at a time; the next ones begin when all of these have ended.
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// With --tag: begin with no further host once N have not exited with 0, refused ones among them.
    #[arg(long, value_name = "N")]
    stop_after_failures: Option<usize>,
}

impl Arguments {
    /// Whether any of them is given.
    pub(super) fn are_given(self) -> bool {
        let all = [
            self.concurrency,
            self.canary,
            self.batch,
            self.stop_after_failures,
        ];
        all.iter().any(Option::is_some)
    }

    fn rolling(self) -> Rolling {
        Rolling {
            at_once: self.concurrency.unwrap_or(HOSTS_AT_ONCE_DEFAULT),
            canary: self.canary.unwrap_or_default(),
            batch: self.batch.unwrap_or_default(),
            stop_after_failures: self.stop_after_failures.unwrap_or_default(),
        }
    }
}

pub(super) fn main(places: &Places, verb: &Run, tag: &str, command: &str) -> Exit {
    let (format, rolling) = (verb.format, verb.rolling.rolling());
    session::with_gate(places, async move |gate, caller| {
        let talks = std::io::stderr().is_terminal();
        let told = |member: &Member, over: usize| {
            if format == Format::Human {
                show(member);
            } else if talks {
                console::say(&format!("[{over}] {}: {}", member.alias, word(member)));
            }
        };
        let fleet = gate.run_on_tag(caller, tag, command, rolling, &told).await;
        match fleet {
            Ok(fleet) => answer(&fleet, format),
            Err(fault) => session::answer_fault(&fault, format),
        }
    })
}

/// One host's end for people, as soon as it is known.
fn show(member: &Member) {
    // On standard output, because the outputs that follow it there are to be told apart.
    let _ = console::line(&format!("== {}: {}", member.alias, word(member)));
    match &member.end {
        MemberEnd::Ran(ran) => {
            let _ = ran_exit(ran, Format::Human);
        }
        MemberEnd::Denied(denied) => say_denied(denied),
        MemberEnd::Fault(fault) => console::fault(&fault.to_string(), ""),
        MemberEnd::NotStarted => {}
    }
}

/// The end in a word, with the exit status where that says more.
fn word(member: &Member) -> String {
    match (member.state(), &member.end) {
        ("exit", MemberEnd::Ran(ran)) => format!("exit {}", ran.closing.exit_code),
        (state, _) => state.to_owned(),
    }
}

fn answer(fleet: &Fleet, format: Format) -> Exit {
    let exit = exit(fleet);
    if format == Format::Json {
        return console::written(console::line(&value(fleet).to_string()), exit);
    }
    if fleet.members.is_empty() {
        console::fault(
            "No hosts matched.",
            "portcullis hosts list shows the hosts with their tags",
        );
        return exit;
    }
    let states = fleet.states();
    let states: Vec<String> = states
        .iter()
        .map(|(state, hosts)| format!("{hosts} {state}"))
        .collect();
    console::say(&format!(
        "[{} hosts: {}, {} ms]",
        fleet.members.len(),
        states.join(", "),
        fleet.duration_ms
    ));
    exit
}

fn exit(fleet: &Fleet) -> Exit {
    if fleet.members.is_empty() {
        return Exit::Config;
    }
    if fleet.is_well() {
        return Exit::Ok;
    }
    let undone = |member: &Member| matches!(member.state(), "ok" | "denied" | "not_started");
    if fleet.members.iter().all(undone) {
        Exit::Refused
    } else {
        Exit::Remote
    }
}

fn value(fleet: &Fleet) -> Value {
    let members: Vec<Value> = fleet.members.iter().map(member).collect();
    let mut body = json!({
        "tag": fleet.tag,
        "hash": fleet.hash,
        "results": members,
        "states": fleet.states(),
        "duration_ms": fleet.duration_ms,
    });
    if fleet.members.is_empty()
        && let Some(body) = body.as_object_mut()
    {
        body.insert("note".to_owned(), json!("No hosts matched."));
    }
    body
}

/// One host: the same keys as the answer of a run on it, with its end beside them.
fn member(member: &Member) -> Value {
    let mut body = match &member.end {
        MemberEnd::Ran(ran) => ran_json(ran),
        MemberEnd::Denied(denied) => denied_json(denied),
        MemberEnd::Fault(fault) => json!({"code": fault.code(), "error": fault.to_string()}),
        MemberEnd::NotStarted => json!({}),
    };
    if let Some(body) = body.as_object_mut() {
        body.insert("alias".to_owned(), json!(member.alias.as_str()));
        body.insert("end".to_owned(), json!(member.state()));
    }
    body
}
