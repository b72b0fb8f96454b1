//! ECS 9.0.0: one document for each record.
//!
//! *Source*: the schema's flat definition at tag v9.0.0 (github.com/elastic/ecs).

use super::{Exporter, Fields, known, rest};
use serde_json::{Map, Value, json};

/// The version of the schema.
pub const ECS_VERSION: &str = "9.0.0";

/// Fields of a record that a document has a place for.
const PLACED: [&str; 19] = [
    "v",
    "kind",
    "principal",
    "alias",
    "hostname",
    "port",
    "login",
    "command",
    "task_id",
    "exit_code",
    "target_ip",
    "duration_ms",
    "rule",
    "rule_name",
    "code",
    "detail",
    "plugin",
    "sha256",
    "addresses",
];

/// The document of one record.
#[must_use]
pub fn ecs(record: &Map<String, Value>, exporter: &Exporter<'_>) -> Value {
    let it = Fields(record);
    let (category, kind_of) = category(it);
    let outcome = match it.went_well() {
        Some(true) => "success",
        Some(false) => "failure",
        None => "unknown",
    };
    let event = known([
        ("kind", Some(json!("event"))),
        ("category", Some(json!([category]))),
        ("type", Some(json!([kind_of]))),
        ("outcome", Some(json!(outcome))),
        ("action", Some(json!(it.kind()))),
        ("provider", Some(json!("portcullis"))),
        ("dataset", Some(json!("portcullis.journal"))),
        ("module", Some(json!("portcullis"))),
        ("sequence", it.number("seq").map(Value::from)),
        ("id", it.text("mac").map(Value::from)),
        ("code", it.text("code").map(Value::from)),
        ("reason", it.text("detail").map(Value::from)),
        (
            "duration",
            it.number("duration_ms")
                .map(|ms| json!(ms.saturating_mul(1_000_000))),
        ),
    ]);
    let mut document = known([
        ("@timestamp", Some(json!((exporter.timestamp)(it.at())))),
        ("ecs", Some(json!({"version": ECS_VERSION}))),
        ("message", Some(json!(it.message()))),
        ("event", Some(Value::Object(event))),
        ("observer", Some(observer(exporter))),
        (
            "user",
            it.text("principal")
                .map(|principal| json!({"name": principal, "id": principal})),
        ),
        ("portcullis", Some(Value::Object(rest(it, &PLACED)))),
    ]);
    document.extend(host(it));
    document.extend(process(it));
    document.extend(decision(it));
    document.extend(related(it));
    Value::Object(document)
}

fn observer(exporter: &Exporter<'_>) -> Value {
    json!({
        "vendor": "Portcullis",
        "product": "portcullis",
        "type": "gateway",
        "version": exporter.version,
    })
}

/// The category, and the type that is lawful in it.
fn category(it: Fields<'_>) -> (&'static str, &'static str) {
    match it.kind() {
        "run_open" | "fleet_open" => ("process", "start"),
        "run_close" | "fleet_close" => ("process", "end"),
        "refused" | "input_refused" | "edge_refused" | "suppressed" => ("api", "denied"),
        "plan" => ("api", "info"),
        "read" => ("api", "access"),
        "contact" if it.went_well() == Some(false) => ("network", "denied"),
        "contact" | "contact_end" => ("network", "connection"),
        "task_start" => ("process", "info"),
        "task_cancel" => ("process", "change"),
        "reload" | "host_key" => ("configuration", "change"),
        "server_start" => ("host", "start"),
        "server_stop" => ("host", "end"),
        "plugin_loaded" => ("library", "start"),
        "plugin_breaker" => ("host", "change"),
        "rotated" => ("file", "creation"),
        "retention" => ("file", "deletion"),
        "recovered" => ("file", "change"),
        _ => ("host", "info"),
    }
}

/// The host, and the address that was connected to.
fn host(it: Fields<'_>) -> Map<String, Value> {
    let Some(alias) = it.text("alias") else {
        return Map::new();
    };
    let ip = it.text("target_ip");
    let host = known([
        ("name", Some(json!(alias))),
        ("hostname", it.text("hostname").map(Value::from)),
        ("ip", ip.map(|ip| json!([ip]))),
    ]);
    let destination = known([
        ("address", it.text("hostname").map(Value::from)),
        ("ip", ip.map(Value::from)),
        ("port", it.number("port").map(Value::from)),
    ]);
    known([
        ("host", Some(Value::Object(host))),
        (
            "destination",
            (!destination.is_empty()).then_some(Value::Object(destination)),
        ),
    ])
}

fn process(it: Fields<'_>) -> Map<String, Value> {
    let login = it.text("login").map(|login| json!({"name": login}));
    let process = known([
        ("entity_id", it.text("task_id").map(Value::from)),
        ("command_line", it.text("command").map(Value::from)),
        (
            "exit_code",
            it.value("exit_code")
                .filter(|_| !it.is_unreachable())
                .cloned(),
        ),
        ("user", login.filter(|_| it.text("task_id").is_some())),
    ]);
    known([(
        "process",
        (!process.is_empty()).then_some(Value::Object(process)),
    )])
}

/// By which rule, and what went wrong.
fn decision(it: Fields<'_>) -> Map<String, Value> {
    let rule = known([
        (
            "id",
            it.number("rule").map(|index| json!(index.to_string())),
        ),
        ("name", it.text("rule_name").map(Value::from)),
        ("ruleset", Some(json!("policy.yml"))),
        ("version", it.text("policy_digest").map(Value::from)),
    ]);
    let error = known([
        ("code", it.text("code").map(Value::from)),
        ("message", it.text("detail").map(Value::from)),
    ]);
    known([
        (
            "rule",
            rule.contains_key("id").then_some(Value::Object(rule)),
        ),
        ("error", (!error.is_empty()).then_some(Value::Object(error))),
    ])
}

/// What an analyst looks for across documents.
fn related(it: Fields<'_>) -> Map<String, Value> {
    let mut ips: Vec<&str> = it.text("target_ip").into_iter().collect();
    let addresses = it.value("addresses").and_then(Value::as_array);
    for address in addresses.into_iter().flatten().filter_map(Value::as_str) {
        if !ips.contains(&address) {
            ips.push(address);
        }
    }
    let mut users: Vec<&str> = it.text("principal").into_iter().collect();
    users.extend(it.text("login"));
    let mut hashes: Vec<&str> = it.text("rendered_sha256").into_iter().collect();
    hashes.extend(it.text("sha256"));
    let list = |all: Vec<&str>| (!all.is_empty()).then(|| json!(all));
    let related = known([
        ("ip", list(ips)),
        ("user", list(users)),
        ("hosts", list(it.text("alias").into_iter().collect())),
        ("hash", list(hashes)),
    ]);
    let service = it
        .text("plugin")
        .map(|plugin| json!({"name": plugin, "type": "plugin"}));
    known([
        (
            "related",
            (!related.is_empty()).then_some(Value::Object(related)),
        ),
        ("service", service),
    ])
}
