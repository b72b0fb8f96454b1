//! A file of cases against a policy: the unit test of an operator's rules.
//!
//! One answer for each row, in order, also for a row that cannot be read. Policies that stand in rows are
//! compiled once for each distinct text.

use super::super::{Exit, Format, Places, console, session};
use crate::gate::Live;
use portcullis_core::config;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::limits;
use portcullis_core::policy::{Case, Finding, Outcome, Policy};
use portcullis_core::request::{Alias, CommandLine, Principal};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Longest row, in bytes: a policy and a command of the largest permitted size.
const ROW_BYTES_MAX: u64 = limits::YAML_BYTES_MAX;
/// Most distinct policies kept compiled at once.
const POLICIES_MAX: usize = 1_024;

/// One row. `host` and `policy` stand in for the configured ones.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    alias: Option<String>,
    #[serde(default)]
    host: Option<RowHost>,
    command: String,
    #[serde(borrow, default)]
    policy: Option<&'a RawValue>,
    #[serde(default)]
    expect: Option<String>,
}

/// The keys of a host in `servers.yml`; only the alias and the tags matter to a policy.
#[derive(Deserialize)]
struct RowHost {
    alias: String,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// What a row is answered with, before it is printed.
struct Answer {
    decision: &'static str,
    body: Map<String, Value>,
}

pub(super) fn main(places: &Places, file: &Path, format: Format) -> Exit {
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        match std::fs::File::open(file) {
            Ok(file) => Box::new(file),
            Err(error) => {
                console::fault(&format!("{}: {error}", file.display()), "");
                return Exit::Usage;
            }
        }
    };
    let mut bench = Bench {
        places,
        policies: HashMap::new(),
        live: None,
    };
    match bench.run(BufReader::with_capacity(1 << 16, input), format) {
        Ok(exit) => exit,
        Err(error) => console::written(Err(error), Exit::Ok),
    }
}

/// The policies that rows brought, and the configuration, loaded when the first row needs it.
struct Bench<'a> {
    places: &'a Places,
    policies: HashMap<String, Result<Policy, String>>,
    live: Option<Result<Arc<Live>, String>>,
}

impl Bench<'_> {
    fn run(&mut self, mut input: impl BufRead, format: Format) -> std::io::Result<Exit> {
        let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        let (mut rows, mut failed) = (0_u64, 0_u64);
        let mut line = Vec::new();
        loop {
            line.clear();
            if input
                .by_ref()
                .take(ROW_BYTES_MAX)
                .read_until(b'\n', &mut line)?
                == 0
            {
                break;
            }
            let Ok(text) = std::str::from_utf8(&line) else {
                rows += 1;
                failed += 1;
                writeln!(out, "{}", unreadable("not UTF-8"))?;
                continue;
            };
            if text.trim().is_empty() {
                continue;
            }
            rows += 1;
            let (answer, pass) = self.answer(text);
            if pass == Some(false) {
                failed += 1;
            }
            match format {
                Format::Json => writeln!(out, "{answer}")?,
                Format::Human if pass == Some(false) => {
                    writeln!(out, "FAIL {answer}\n     {}", text.trim())?;
                }
                Format::Human => {}
            }
        }
        if format == Format::Human {
            writeln!(out, "{rows} cases, {failed} failed")?;
        }
        out.flush()?;
        Ok(if failed == 0 { Exit::Ok } else { Exit::Refused })
    }

    fn answer(&mut self, text: &str) -> (Value, Option<bool>) {
        let row: Row<'_> = match serde_json::from_str(text) {
            Ok(row) => row,
            Err(error) => return (unreadable(&error.to_string()), Some(false)),
        };
        let Answer { decision, body } = self.decide(&row);
        let pass = row.expect.as_deref().map(|expect| {
            // A policy or an input that is not taken satisfies a wish for a refusal.
            expect == decision
                || (decision == "invalid" && matches!(expect, "deny" | "reject"))
                || (decision == "deny" && expect == "reject")
        });
        let mut answer = Map::new();
        answer.insert("id".to_owned(), row.id);
        answer.insert("decision".to_owned(), json!(decision));
        answer.extend(body);
        if let Some(pass) = pass {
            answer.insert("pass".to_owned(), json!(pass));
        }
        (Value::Object(answer), pass)
    }

    fn decide(&mut self, row: &Row<'_>) -> Answer {
        let line = match CommandLine::parse(&row.command) {
            Ok(line) => line,
            Err(fault) => return invalid(fault.code(), &fault.to_string()),
        };
        let named = row
            .host
            .as_ref()
            .map(|host| host.alias.as_str())
            .or(row.alias.as_deref());
        let Some(named) = named else {
            return invalid("input_required", "a row needs alias or host");
        };
        let alias = match Alias::parse(named) {
            Ok(alias) => alias,
            Err(fault) => return invalid(fault.code(), &fault.to_string()),
        };
        let target = match &row.host {
            Some(host) => stand_in(alias, host.tags.clone().unwrap_or_default()),
            None => match self.configured(&alias, row.policy.is_some()) {
                Ok(target) => target,
                Err(answer) => return answer,
            },
        };
        let principal = session::principal();
        match row.policy {
            Some(policy) => match self.compiled(policy.get(), &target.host) {
                Ok(policy) => judge(policy, None, principal, target, line),
                Err(reason) => invalid("policy", reason),
            },
            None => match self.live() {
                Ok(live) => judge(&live.snapshot.policy, Some(&live), principal, target, line),
                Err(reason) => invalid("config", &reason),
            },
        }
    }

    /// The policy of a row, ready for its host.
    fn compiled(&mut self, text: &str, host: &Host) -> Result<&Policy, &str> {
        if !self.policies.contains_key(text) {
            if self.policies.len() >= POLICIES_MAX {
                self.policies.clear();
            }
            let compiled = config::policy(text)
                .map(|(policy, _)| policy)
                .map_err(|faults| {
                    faults.first().map_or_else(
                        || "the policy does not load".to_owned(),
                        ToString::to_string,
                    )
                });
            self.policies.insert(text.to_owned(), compiled);
        }
        match self.policies.get_mut(text) {
            Some(Ok(policy)) => {
                policy.prepare_one(host);
                Ok(policy)
            }
            Some(Err(reason)) => Err(reason),
            None => Err("the policy does not load"),
        }
    }

    fn live(&mut self) -> Result<Arc<Live>, String> {
        let places = self.places;
        self.live
            .get_or_insert_with(|| session::load_quietly(places).map(Arc::new))
            .clone()
    }

    /// The configured host of that alias. A row that brings its policy may name any alias when there is no
    /// configuration at all.
    fn configured(&mut self, alias: &Alias, has_policy: bool) -> Result<Target, Answer> {
        match self.live() {
            Ok(live) => {
                live.snapshot.inventory.resolve(alias).ok_or_else(|| {
                    invalid("unknown_alias", &format!("Host alias not found: {alias}"))
                })
            }
            Err(_) if has_policy => Ok(stand_in(alias.clone(), Vec::new())),
            Err(reason) => Err(invalid("config", &reason)),
        }
    }
}

fn stand_in(alias: Alias, tags: Vec<String>) -> Target {
    let host = Host {
        host: alias.as_str().to_owned(),
        alias,
        port: 22,
        credentials: None,
        tags,
        description: String::new(),
        shell: portcullis_core::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    };
    Target {
        hops: Vec::new(),
        host,
        credential: None,
    }
}

fn judge(
    policy: &Policy,
    live: Option<&Live>,
    principal: Principal,
    target: Target,
    line: CommandLine,
) -> Answer {
    let case = Case::new(principal, target, line);
    let outcome = match live {
        Some(live) => policy
            .decide(case, live.validators())
            .conclude(live.plugins.as_ref(), true),
        None => policy.decide(case, Vec::new()).conclude(&NoJury, true),
    };
    let (heard, refusal) = match &outcome {
        Outcome::Refused(refused) => (refused.heard(), Some(refused.refusal())),
        Outcome::Granted(authorized) => (authorized.heard(), None),
    };
    let findings = &heard.judgement.findings;
    let mut body = Map::new();
    let first_rule = findings.first().and_then(|finding| finding.rule.as_ref());
    match refusal {
        Some(refusal) => {
            body.insert("code".to_owned(), json!(refusal.code.as_str()));
            body.insert("reason".to_owned(), json!(refusal.detail));
            body.insert(
                "rule".to_owned(),
                json!(refusal.rule.as_ref().map(|rule| rule.index)),
            );
            if let Some(capability) = refusal.capability {
                body.insert("capability".to_owned(), json!(capability.as_str()));
            }
            if let Some(offset) = refusal.offset {
                body.insert("offset".to_owned(), json!(offset));
            }
        }
        None => {
            body.insert("code".to_owned(), json!("allowed"));
            body.insert(
                "reason".to_owned(),
                json!("Every part is allowed by a rule."),
            );
            body.insert("rule".to_owned(), json!(first_rule.map(|rule| rule.index)));
        }
    }
    body.insert(
        "leaves".to_owned(),
        Value::Array(findings.iter().map(leaf).collect()),
    );
    body.insert("rendered".to_owned(), json!(heard.rendered));
    let decision = match refusal {
        None => "allow",
        Some(refusal) if refusal.code == portcullis_core::policy::Code::ApprovalUnavailable => {
            "require_approval"
        }
        Some(_) => "deny",
    };
    Answer { decision, body }
}

fn leaf(finding: &Finding) -> Value {
    json!({
        "argv": finding.argv,
        "source": finding.source,
        "allowed": finding.allowed,
        "rule": finding.rule.as_ref().map(|rule| rule.index),
        "needs": super::needs(finding),
        "runs": super::runs(finding),
    })
}

fn invalid(code: &str, reason: &str) -> Answer {
    let body = Map::from_iter([
        ("code".to_owned(), json!(code)),
        ("reason".to_owned(), json!(reason)),
    ]);
    Answer {
        decision: "invalid",
        body,
    }
}

fn unreadable(reason: &str) -> Value {
    json!({"id": null, "decision": "invalid", "code": "row", "reason": reason, "pass": false})
}

/// A jury for policies that come without plugins.
struct NoJury;

impl portcullis_core::policy::Jury for NoJury {
    fn hear(
        &self,
        _: &portcullis_core::policy::Hearing<'_>,
    ) -> Vec<portcullis_core::policy::Opinion> {
        Vec::new()
    }
}
