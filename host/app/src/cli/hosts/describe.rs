//! `portcullis hosts describe`: everything that holds on a host.

use super::super::{Exit, Format, Places, console, session};
use crate::gate::Portrait;
use clap::Args;
use portcullis_core::inventory::{Credential, HostKeyPin, LoginMethod, LoginShell};
use portcullis_core::net::{Entry, Lists};
use serde_json::{Value, json};
use std::sync::Arc;

/// Shows everything that holds on a host, without secrets. Contacts no host; `portcullis plan` says what the rules
/// make of a command.
#[derive(Debug, Args)]
pub(in crate::cli) struct Describe {
    /// The host.
    alias: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Describe) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let portrait = match gate.portrait(&caller, &verb.alias).await {
            Ok(portrait) => portrait,
            Err(fault) => return session::answer_fault(&fault, verb.format),
        };
        let shown = value(&portrait);
        let written = match verb.format {
            Format::Json => console::line(&shown.to_string()),
            Format::Human => lines(&shown)
                .iter()
                .try_for_each(|line| console::line(line)),
        };
        console::written(written, Exit::Ok)
    })
}

fn value(portrait: &Portrait) -> Value {
    let (host, limits) = (&portrait.target.host, &portrait.limits);
    let (keys, fault) = match &portrait.host_keys {
        Ok(keys) => (keys.clone(), None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    json!({
        "alias": host.alias.as_str(),
        "host": host.host,
        "port": host.port,
        "tags": host.tags,
        "description": host.description,
        "shell": match host.shell {
            LoginShell::Posix => "posix",
            LoginShell::Other(name) => name,
        },
        "login": portrait.target.credential.as_ref().map(login),
        "policy": {
            "file": portcullis_core::config::POLICY,
            "sha256": portrait.policy_digest,
        },
        "limits": {
            "max_seconds": limits.max_seconds,
            "max_output_bytes": limits.max_output_bytes,
            "output_hard_stop_bytes": limits.output_hard_stop_bytes,
            "output_spill_bytes": limits.output_spill_bytes,
            "task_result_ttl": limits.task_result_ttl,
            "task_progress_interval": limits.task_progress_interval,
            "mode": limits.mode.as_str(),
            "deny_substrings": limits.deny_substrings.len(),
        },
        "network": network(portrait.network.layers()),
        "host_keys": {
            "file": portrait.known_hosts_path.as_deref().unwrap_or("~/.ssh/known_hosts"),
            "pinned": host.host_keys.iter().map(pin).collect::<Vec<_>>(),
            "recorded": keys,
            "fault": fault,
        },
    })
}

/// A pin as servers.yml has it.
fn pin(pin: &HostKeyPin) -> String {
    match &pin.kind {
        Some(kind) => format!("{kind} {}", pin.fingerprint),
        None => pin.fingerprint.clone(),
    }
}

/// The common lists, and under `narrowed` those of the overrides; an address has to pass all of them.
fn network(layers: &[Arc<Lists>]) -> Value {
    let texts = |entries: &[(&'static str, Entry)]| -> Vec<String> {
        entries
            .iter()
            .map(|(_, entry)| entry.text.clone())
            .collect()
    };
    let (common, own) = match layers.split_first() {
        Some((common, own)) => (Arc::clone(common), own),
        None => (Arc::default(), &[][..]),
    };
    let own = own.iter().map(|lists| {
        json!({"by": lists.path, "allow": texts(&lists.allow), "block": texts(&lists.block)})
    });
    json!({
        "allow": texts(&common.allow),
        "block": texts(&common.block),
        "narrowed": own.collect::<Vec<_>>(),
    })
}

/// The entry by name and the ways that are tried, in order; never where keys and secrets lie.
fn login(credential: &Credential) -> Value {
    let word = |method: &LoginMethod| {
        let mut words = LoginMethod::WORDS.iter();
        words
            .find(|(_, of)| of == method)
            .map_or("other", |(word, _)| word)
    };
    let methods: Vec<&str> = credential.methods.iter().map(word).collect();
    json!({"credentials": credential.name, "username": credential.username, "methods": methods})
}

/// The same for people: one line for each name, in the order above.
fn lines(shown: &Value) -> Vec<String> {
    let field = |path: &str| shown.pointer(path).map(text).unwrap_or_default();
    let limits = [
        ("max_seconds", " s"),
        ("max_output_bytes", " bytes shown"),
        ("output_hard_stop_bytes", " bytes at most"),
        ("output_spill_bytes", " bytes kept"),
        ("task_result_ttl", " s kept"),
    ];
    let limits: Vec<String> = limits
        .iter()
        .map(|(name, unit)| format!("{}{unit}", field(&format!("/limits/{name}"))))
        .collect();
    let or = |text: String, none: &str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text
        }
    };
    let login = shown.pointer("/login").filter(|login| login.is_object());
    let login = match login {
        Some(_) => format!(
            "{} with {} ({})",
            field("/login/username"),
            field("/login/credentials"),
            field("/login/methods")
        ),
        None => "none: the host names no credentials".to_owned(),
    };
    let narrowed = shown.pointer("/network/narrowed").and_then(Value::as_array);
    let narrowed = narrowed.into_iter().flatten().map(|lists| {
        let of = |key: &str| text(&lists[key]);
        let (by, allow, block) = (of("by"), of("allow"), of("block"));
        let allow = or(allow, "any address");
        let block = if block.is_empty() {
            block
        } else {
            format!(" but {block}")
        };
        ("narrowed", format!("{allow}{block} (by {by})"))
    });
    let mut rows = vec![
        ("alias", field("/alias")),
        (
            "address",
            format!("{} port {}", field("/host"), field("/port")),
        ),
        ("login", login),
        ("tags", or(field("/tags"), "none")),
        ("description", or(field("/description"), "none")),
        ("shell", field("/shell")),
        (
            "policy",
            format!(
                "{} (sha256 {})",
                field("/policy/file"),
                or(field("/policy/sha256"), "none: everything is refused")
            ),
        ),
        ("limits", limits.join(", ")),
        (
            "commands",
            format!(
                "{}, {} denied texts",
                field("/limits/mode"),
                field("/limits/deny_substrings")
            ),
        ),
        (
            "may dial",
            or(field("/network/allow"), "any address that is not blocked"),
        ),
        ("blocked", or(field("/network/block"), "none")),
    ];
    rows.extend(narrowed);
    rows.extend([
        ("host keys", field("/host_keys/file")),
        (
            "pinned",
            or(field("/host_keys/pinned"), "none: the record decides"),
        ),
        (
            "recorded",
            or(
                or(field("/host_keys/recorded"), &field("/host_keys/fault")),
                "none: portcullis hosts scan-keys shows what the host has",
            ),
        ),
    ]);
    rows.iter()
        .map(|(name, text)| format!("{name:<12}{text}"))
        .collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
