//! `portcullis plugin replay`: what a candidate would have said to the decisions that stand in the journal.
//!
//! A question is made anew from the record: the recorded command, host, principal and time, the host's tags as they
//! are now, and what the gate's data knows of the command.
//!
//! LIMIT: secrets are masked in the journal, so a candidate that looks at them sees the mask. Output is never recorded,
//! so redactors are replayed over a text that is given: `replay_text`.

use super::{VECTORS, component_beside, load, replay_text, vectors};
use crate::cli::console;
use crate::cli::{Exit, Format, Places, session};
use crate::events::Events;
use crate::journal;
use clap::Args;
use portcullis_core::config::{Asked, Expect, PluginKind, Vector};
use portcullis_core::policy::Verdict;
use portcullis_core::request::Alias;
use portcullis_plugin::{Plugins, question_of};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Most changes that are shown; all are counted.
pub(super) const SHOWN_MAX: usize = 1_000;
/// The records that carry a decision.
const DECISIONS: [&str; 3] = ["run_open", "refused", "plan"];

/// Ask a candidate about the decisions in the journal, and show where its word would have changed one; of a redactor,
/// show where it would mask a text otherwise. The settings and limits are those of its test vectors.
#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    /// The vectors, whose settings and limits count.
    #[arg(default_value = VECTORS)]
    vectors: PathBuf,
    /// The component. Default: the only .wasm file beside the vectors.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The configured plugin that it is to follow: what that one said is compared. Default: the candidate's name.
    #[arg(long, value_name = "NAME")]
    pub(super) plugin: Option<String>,
    /// For a redactor: the text to look through, such as saved output; `-` is standard input. Output is not recorded.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// For a redactor: treat the text as output of this host.
    #[arg(long, value_name = "ALIAS", requires = "input")]
    pub(super) host: Option<String>,
    /// Other settings than those of the vectors, as JSON.
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

/// What the records came to.
#[derive(Default)]
struct Tally {
    decisions: u64,
    asked: u64,
    unread: u64,
    changed: u64,
    shown: Vec<Value>,
}

pub(super) fn main(places: &Places, verb: &Replay) -> Exit {
    match run(places, verb) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run(places: &Places, verb: &Replay) -> Result<Exit, Exit> {
    let mut vectors = vectors(&verb.vectors)?;
    let unfit = match (vectors.kind, &verb.input) {
        (PluginKind::Redactor, None) => Some((
            "output is never recorded, so a redactor needs a text to be replayed over",
            "Name one with --input, such as output that you saved.",
        )),
        (PluginKind::Validator, Some(_)) => Some((
            "--input is for redactors; a validator is replayed over the journal",
            "Leave --input away.",
        )),
        _ => None,
    };
    if let Some((text, hint)) = unfit {
        console::fault(text, hint);
        return Err(Exit::Usage);
    }
    if let Some(text) = &verb.settings {
        let value = serde_json::from_str::<Value>(text).map_err(|error| {
            console::fault(&format!("--settings: expected JSON, got: {error}"), "");
            Exit::Usage
        })?;
        vectors.settings = value.to_string();
    }
    let path = component_beside(verb.component.as_deref(), &verb.vectors)?;
    let (name, plugins) = load(places, &path, &vectors)?;
    if let Some(input) = &verb.input {
        return replay_text::run(places, verb, input, &name, &plugins);
    }
    let live = session::load_quietly(places).map_err(|fault| {
        console::fault(&fault, "portcullis check shows every fault with its hint");
        Exit::Config
    })?;
    let dirs = session::dirs(places, &session::watch(Events::Silent))?;
    let state = dirs.state().map_err(|fault| {
        console::fault(&fault.to_string(), fault.hint());
        Exit::Config
    })?;
    let follows = verb.plugin.clone().unwrap_or_else(|| name.clone());
    let tags = |alias: &Alias| {
        let target = live.snapshot.inventory.resolve(alias);
        target.map(|target| target.host.tags).unwrap_or_default()
    };
    let mut tally = Tally::default();
    let report = journal::read(&state, None, &mut |entry| {
        if let Ok(record) = serde_json::from_slice::<Value>(entry.line) {
            tally.take(&record, &plugins, &name, &follows, &tags);
        }
        ControlFlow::Continue(())
    })
    .map_err(|fault| {
        console::fault(&fault.to_string(), fault.hint());
        Exit::Config
    })?;
    if report.bad.is_some() {
        let hint = "portcullis audit verify says where; what stands before it was replayed";
        console::fault("the journal does not hold", hint);
    }
    let exit = if report.bad.is_some() {
        Exit::Refused
    } else {
        Exit::Ok
    };
    let text = match verb.format {
        Format::Json => json!({
            "ok": report.bad.is_none(),
            "decisions": tally.decisions,
            "asked": tally.asked,
            "unread": tally.unread,
            "changed": tally.changed,
            "changes": tally.shown,
        })
        .to_string(),
        Format::Human => tally.human(),
    };
    Ok(console::written(console::line(&text), exit))
}

impl Tally {
    fn take(
        &mut self,
        record: &Value,
        plugins: &Plugins,
        name: &str,
        follows: &str,
        tags: &dyn Fn(&Alias) -> Vec<String>,
    ) {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let kind = text("kind").unwrap_or_default();
        if !DECISIONS.contains(&kind) {
            return;
        }
        self.decisions = self.decisions.saturating_add(1);
        let verdicts = record.get("verdicts").and_then(Value::as_array);
        let verdicts: &[Value] = verdicts.map_or(&[], Vec::as_slice);
        let allowed = record.get("allowed").and_then(Value::as_bool) == Some(true);
        // What the rules refused, no validator was asked about.
        if !allowed && verdicts.is_empty() {
            return;
        }
        let alias = text("alias").map(Alias::parse);
        let (Some(Ok(alias)), Some(command)) = (alias, text("command")) else {
            self.unread = self.unread.saturating_add(1);
            return;
        };
        let micros = record.get("ts").and_then(Value::as_u64).unwrap_or_default();
        let vector = Vector {
            name: String::new(),
            tags: tags(&alias),
            alias,
            settings: None,
            asked: Asked::Command {
                command: command.to_owned(),
                principal: text("principal").unwrap_or_default().to_owned(),
                login: text("login").map(str::to_owned),
                dry_run: kind == "plan",
                unix_time: micros / 1_000_000,
                expect: Expect::NoObjection,
            },
        };
        let trial = question_of(&vector)
            .ok()
            .and_then(|question| plugins.try_validator(name, &question));
        let Some(trial) = trial else {
            self.unread = self.unread.saturating_add(1);
            return;
        };
        self.asked = self.asked.saturating_add(1);
        let (now, words) = match trial.result {
            Ok(Verdict::NoObjection) => ("no_objection", String::new()),
            Ok(Verdict::Objection { code, reason }) => ("objection", format!("{code}: {reason}")),
            Ok(Verdict::RequireApproval { reason }) => ("require_approval", reason),
            Ok(Verdict::Failed(failure)) | Err(failure) => {
                ("failed", format!("{}: {}", failure.code, failure.detail))
            }
        };
        let earlier = verdicts
            .iter()
            .find(|it| it.get("plugin").and_then(Value::as_str) == Some(follows));
        let was = earlier.map_or("not_asked", |it| said(it.get("said")));
        // A plugin that was not there had nothing against it.
        let before = if was == "not_asked" {
            "no_objection"
        } else {
            was
        };
        if before == now {
            return;
        }
        self.changed = self.changed.saturating_add(1);
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(json!({
                "seq": record.get("seq"),
                "kind": kind,
                "alias": vector.alias.as_str(),
                "command": command,
                "allowed": allowed,
                "was": was,
                "would_be": now,
                "reason": words,
            }));
        }
    }

    fn human(&self) -> String {
        let mut text = String::new();
        for change in &self.shown {
            let word = |key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default();
            let seq = change
                .get("seq")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            text.push_str(&format!(
                "record {seq}  {}: {}\n  {} -> {}  {}\n",
                word("alias"),
                word("command"),
                word("was"),
                word("would_be"),
                word("reason"),
            ));
        }
        text.push_str(&format!(
            "{} decisions, {} asked about, {} would have changed, {} could not be read",
            self.decisions, self.asked, self.changed, self.unread
        ));
        text
    }
}

/// The word of a recorded verdict.
fn said(said: Option<&Value>) -> &'static str {
    let has = |key| said.is_some_and(|said| said.get(key).is_some());
    if has("objection") {
        "objection"
    } else if has("require_approval") {
        "require_approval"
    } else if has("failed") {
        "failed"
    } else {
        "no_objection"
    }
}
