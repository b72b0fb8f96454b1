//! `examples:` of a rule, judged by that rule alone when the policy is loaded: a policy whose rules do
//! not say what their author meant does not load.
//!
//! Must not: judge by anything but the gate's own policy.

use super::Notes;
use super::rule::RawExamples;
use crate::inventory::Host;
use crate::policy::{Effect, LimitKeys, LimitLayers, Policy, Profiles, Rule};
use crate::request::{Alias, CommandLine};
use crate::shell;
use serde_yaml::Spanned;
use std::sync::Arc;

/// Checks a rule against its own examples.
pub(super) fn verify(
    index: usize,
    rule: &Rule,
    examples: &RawExamples,
    profiles: &Arc<Profiles>,
    notes: &mut Notes,
) {
    let alone = |rule: &Rule| alone(rule).with_profiles(Arc::clone(profiles));
    let policy = alone(rule);
    for (key, texts, expected) in [
        ("allow", &examples.allow, true),
        ("deny", &examples.deny, false),
    ] {
        for (position, text) in texts.iter().enumerate() {
            let path = format!("rules[{index}].examples.{key}[{position}]");
            match allows(&policy, text) {
                Err(why) => notes.fault(text.defined, &path, why, ""),
                Ok(Ok(())) if expected => {}
                Ok(Err(_)) if !expected => {}
                Ok(Ok(())) => notes.fault(
                    text.defined,
                    &path,
                    "the rule allows this command, and its author says that it must not",
                    "Make the rule say less, or correct the example.",
                ),
                Ok(Err(why)) => notes.fault(
                    text.defined,
                    &path,
                    format!("the rule does not allow this command: {why}"),
                    "Correct the rule or the example; each is judged by this rule alone.",
                ),
            }
        }
    }
    warn_of_idle_patterns(index, rule, examples, alone, notes);
}

/// A pattern that none of the examples needs may be misspelt.
fn warn_of_idle_patterns(
    index: usize,
    rule: &Rule,
    examples: &RawExamples,
    alone: impl Fn(&Rule) -> Policy,
    notes: &mut Notes,
) {
    let texts = match rule.effect() {
        Effect::Allow => &examples.allow,
        Effect::Deny => &examples.deny,
    };
    let Some(first) = texts.first() else {
        return;
    };
    for (position, single) in rule.single_patterns() {
        let policy = alone(&single);
        let wanted = rule.effect() == Effect::Allow;
        let idle = texts
            .iter()
            .all(|text| matches!(allows(&policy, text), Ok(found) if found.is_ok() != wanted));
        if idle {
            notes.warn(
                first.defined,
                &format!("rules[{index}].commands[{position}]"),
                "matches none of the rule's own examples",
                "Add an example for it, or correct it.",
            );
        }
    }
}

/// A policy of one rule that holds everywhere. A deny rule stands beside one that allows everything.
fn alone(rule: &Rule) -> Policy {
    let mut rules = vec![rule.everywhere()];
    if rule.effect() == Effect::Deny {
        rules.push(Rule::everything());
    }
    let keys = LimitKeys {
        deny_substrings: Some(Vec::new()),
        ..LimitKeys::default()
    };
    let limits = LimitLayers::new(&keys, [].into(), [].into());
    Policy::new(None, rules, limits, crate::policy::NetworkLayers::default())
}

/// Whether a policy allows a command, and if not, why not; or why that cannot be told.
fn allows(policy: &Policy, text: &Spanned<String>) -> Result<Result<(), String>, String> {
    let line = CommandLine::parse(&text.value).map_err(|fault| fault.to_string())?;
    let script = match shell::parse(line.as_str()) {
        Ok(script) => script,
        Err(fault) => return Ok(Err(fault.to_string())),
    };
    let alias = Alias::parse("example").map_err(|fault| fault.to_string())?;
    let host = Host {
        alias,
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: Vec::new(),
        description: String::new(),
        shell: crate::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: crate::inventory::Watchdog::default(),
    };
    let judgement = policy.judge(&host, &line, &script);
    Ok(match judgement.refusal {
        None => Ok(()),
        Some(refusal) => Err(refusal.detail),
    })
}
