//! OCSF 1.6.0. Which record becomes what:
//!
//! | record | class |
//! |---|---|
//! | a call: `refused`, `fleet_open`, `fleet_close`, `plan`, `read`, `contact`, `contact_end`, `reload`, `host_key`, `task_start`, `task_cancel`, `input_refused`, `edge_refused`, `suppressed` | API Activity (6003) |
//! | `run_open` | API Activity (6003), and the launch as Process Activity (1007) |
//! | `run_close` | the end as Process Activity (1007), and the connection as SSH Activity (4007) |
//! | `server_start`, `server_stop`, `plugin_loaded`, `plugin_breaker` | Application Lifecycle (6002) |
//! | the journal's own: `rotated`, `retention`, `recovered`, `gap` | Event Log Activity (1008) |
//!
//! *Source*: the schema's own definitions at tag 1.6.0 (github.com/ocsf/ocsf-schema).

use super::{Exporter, Fields, known, rest};
use serde_json::{Map, Value, json};

/// The version of the schema.
pub const OCSF_VERSION: &str = "1.6.0";

/// A class, its category, and what the record did in it.
#[derive(Debug, Clone, Copy)]
struct Class {
    uid: u64,
    name: &'static str,
    activity: u64,
    activity_name: &'static str,
}

impl Class {
    const fn new(uid: u64, name: &'static str, activity: u64, activity_name: &'static str) -> Self {
        Self {
            uid,
            name,
            activity,
            activity_name,
        }
    }

    fn api(activity: u64, activity_name: &'static str) -> Self {
        Self::new(6003, "API Activity", activity, activity_name)
    }

    fn process(activity: u64, activity_name: &'static str) -> Self {
        Self::new(1007, "Process Activity", activity, activity_name)
    }

    fn ssh(activity: u64, activity_name: &'static str) -> Self {
        Self::new(4007, "SSH Activity", activity, activity_name)
    }

    fn lifecycle(activity: u64, activity_name: &'static str) -> Self {
        Self::new(6002, "Application Lifecycle", activity, activity_name)
    }

    fn event_log(activity: u64, activity_name: &'static str) -> Self {
        Self::new(1008, "Event Log Activity", activity, activity_name)
    }

    /// The category is the thousands of the class.
    fn category(self) -> (u64, &'static str) {
        match self.uid / 1_000 {
            1 => (1, "System Activity"),
            4 => (4, "Network Activity"),
            _ => (6, "Application Activity"),
        }
    }
}

/// Fields of a record that every event has a place for.
const PLACED: [&str; 8] = [
    "v",
    "kind",
    "principal",
    "door",
    "call_id",
    "code",
    "detail",
    "policy_digest",
];

/// The events of one record, at most two; none for a line that is no record of this gate.
#[must_use]
pub fn ocsf(record: &Map<String, Value>, exporter: &Exporter<'_>) -> Vec<Value> {
    let it = Fields(record);
    let event = |class: Class, more: Map<String, Value>| event(it, exporter, class, more);
    match it.kind() {
        "run_open" => vec![
            event(Class::api(99, "Run"), call(it)),
            event(Class::process(1, "Launch"), process(it)),
        ],
        "run_close" => {
            let (process_class, ssh_class) = if it.is_unreachable() {
                (Class::process(1, "Launch"), Class::ssh(4, "Fail"))
            } else {
                (Class::process(2, "Terminate"), Class::ssh(1, "Open"))
            };
            vec![
                event(process_class, process(it)),
                event(ssh_class, connection(it)),
            ]
        }
        "refused" | "input_refused" | "edge_refused" | "suppressed" | "fleet_open"
        | "fleet_close" => {
            vec![event(Class::api(99, "Run"), call(it))]
        }
        "plan" | "read" | "contact" | "contact_end" => {
            vec![event(Class::api(2, "Read"), call(it))]
        }
        "task_start" => vec![event(Class::api(1, "Create"), call(it))],
        "reload" | "host_key" | "task_cancel" => vec![event(Class::api(3, "Update"), call(it))],
        "server_start" => vec![event(
            Class::lifecycle(3, "Start"),
            application(it, exporter),
        )],
        "server_stop" => vec![event(
            Class::lifecycle(4, "Stop"),
            application(it, exporter),
        )],
        "plugin_loaded" => vec![event(
            Class::lifecycle(6, "Enable"),
            application(it, exporter),
        )],
        "plugin_breaker" => {
            let class = match it.text("state") {
                Some("open") => Class::lifecycle(7, "Disable"),
                _ => Class::lifecycle(6, "Enable"),
            };
            vec![event(class, application(it, exporter))]
        }
        "rotated" => vec![event(Class::event_log(5, "Rotate"), log(it))],
        "retention" => vec![event(Class::event_log(2, "Delete"), log(it))],
        "recovered" | "gap" => vec![event(Class::event_log(99, "Recover"), log(it))],
        _ => Vec::new(),
    }
}

fn event(it: Fields<'_>, exporter: &Exporter<'_>, class: Class, more: Map<String, Value>) -> Value {
    let (category_uid, category_name) = class.category();
    let (severity_id, severity) = severity(it);
    let (status_id, status) = status(it, class);
    let mut event = known([
        ("category_uid", Some(json!(category_uid))),
        ("category_name", Some(json!(category_name))),
        ("class_uid", Some(json!(class.uid))),
        ("class_name", Some(json!(class.name))),
        ("activity_id", Some(json!(class.activity))),
        ("activity_name", Some(json!(class.activity_name))),
        ("type_uid", Some(json!(class.uid * 100 + class.activity))),
        (
            "type_name",
            Some(json!(format!("{}: {}", class.name, class.activity_name))),
        ),
        ("time", Some(json!(it.at_ms()))),
        ("severity_id", Some(json!(severity_id))),
        ("severity", Some(json!(severity))),
        ("status_id", Some(json!(status_id))),
        ("status", Some(json!(status))),
        ("status_code", it.text("code").map(Value::from)),
        ("status_detail", it.text("detail").map(Value::from)),
        ("message", Some(json!(it.message()))),
        ("actor", Some(actor(it))),
        ("policy", policy(it)),
        ("metadata", Some(metadata(it, exporter, class))),
        ("unmapped", Some(Value::Object(rest(it, &PLACED)))),
    ]);
    if let Some((action_id, action, disposition_id, disposition)) = action(it) {
        event.extend(known([
            ("action_id", Some(json!(action_id))),
            ("action", Some(json!(action))),
            ("disposition_id", Some(json!(disposition_id))),
            ("disposition", Some(json!(disposition))),
        ]));
    }
    event.extend(more);
    Value::Object(event)
}

/// What was said no to is worth a look; what says that evidence is missing more.
fn severity(it: Fields<'_>) -> (u64, &'static str) {
    match it.kind() {
        "gap" | "recovered" => (4, "High"),
        "plugin_breaker" if it.went_well() != Some(true) => (4, "High"),
        "refused" => (3, "Medium"),
        "input_refused" | "edge_refused" | "suppressed" => (2, "Low"),
        "reload" if it.went_well() != Some(true) => (2, "Low"),
        _ => (1, "Informational"),
    }
}

fn status(it: Fields<'_>, class: Class) -> (u64, &'static str) {
    // An opening says that the command is about to be sent, not that it was.
    if it.kind() == "run_open" && class.uid == 1007 {
        return (0, "Unknown");
    }
    // A connection that was made was made, whatever became of the command.
    if class.uid == 4007 && !it.is_unreachable() {
        return (1, "Success");
    }
    match it.went_well() {
        Some(true) => (1, "Success"),
        Some(false) => (2, "Failure"),
        None => (0, "Unknown"),
    }
}

/// What the gate did with a call that it had to decide.
fn action(it: Fields<'_>) -> Option<(u64, &'static str, u64, &'static str)> {
    let allowed = (1, "Allowed", 1, "Allowed");
    let denied = (2, "Denied", 2, "Blocked");
    match it.kind() {
        "run_open" | "run_close" => Some(allowed),
        "refused" => Some(denied),
        "input_refused" | "edge_refused" | "suppressed" => Some((2, "Denied", 25, "Rejected")),
        "plan" => Some((3, "Observed", 17, "Logged")),
        _ => None,
    }
}

fn actor(it: Fields<'_>) -> Value {
    let principal = it.text("principal").unwrap_or("unknown");
    json!({"user": {"name": principal, "uid": principal}, "app_name": it.text("door").unwrap_or("gate")})
}

fn policy(it: Fields<'_>) -> Option<Value> {
    let digest = it.text("policy_digest")?;
    Some(json!({"name": "policy.yml", "uid": digest, "is_applied": true}))
}

fn metadata(it: Fields<'_>, exporter: &Exporter<'_>, class: Class) -> Value {
    // Two events of one record are two events.
    let uid = it.text("mac").map(|mac| format!("{mac}:{}", class.uid));
    Value::Object(known([
        ("version", Some(json!(OCSF_VERSION))),
        ("product", Some(product(exporter))),
        ("profiles", Some(json!(["security_control"]))),
        ("log_name", Some(json!("portcullis journal"))),
        ("log_provider", Some(json!("portcullis"))),
        (
            "log_version",
            it.number("v").map(|version| json!(version.to_string())),
        ),
        ("event_code", Some(json!(it.kind()))),
        ("sequence", it.number("seq").map(Value::from)),
        ("uid", uid.map(Value::from)),
        ("correlation_uid", it.text("call_id").map(Value::from)),
    ]))
}

fn product(exporter: &Exporter<'_>) -> Value {
    json!({"name": "Portcullis", "vendor_name": "Portcullis", "version": exporter.version})
}

/// The call: which, from where, about which host.
fn call(it: Fields<'_>) -> Map<String, Value> {
    let response = known([
        ("error", it.text("code").map(Value::from)),
        ("error_message", it.text("detail").map(Value::from)),
    ]);
    let api = known([
        ("operation", Some(json!(it.operation()))),
        ("service", Some(json!({"name": "portcullis"}))),
        (
            "request",
            it.text("call_id").map(|call_id| json!({"uid": call_id})),
        ),
        (
            "response",
            (!response.is_empty()).then_some(Value::Object(response)),
        ),
    ]);
    known([
        ("api", Some(Value::Object(api))),
        (
            "src_endpoint",
            Some(json!({"name": "local", "svc_name": it.text("door").unwrap_or("gate")})),
        ),
        ("dst_endpoint", it.text("alias").map(|_| endpoint(it))),
        (
            "resources",
            it.text("alias")
                .map(|alias| json!([{"name": alias, "type": "host"}])),
        ),
    ])
}

/// The host as the other end of a connection.
fn endpoint(it: Fields<'_>) -> Value {
    Value::Object(known([
        ("name", it.text("alias").map(Value::from)),
        ("hostname", it.text("hostname").map(Value::from)),
        ("ip", it.text("target_ip").map(Value::from)),
        ("port", it.number("port").map(Value::from)),
    ]))
}

/// The command on the host.
fn process(it: Fields<'_>) -> Map<String, Value> {
    let task = it.text("task_id").unwrap_or("unknown");
    let process = known([
        ("uid", Some(json!(task))),
        ("cmd_line", it.text("command").map(Value::from)),
        ("name", program(it).map(Value::from)),
        ("user", it.text("login").map(|login| json!({"name": login}))),
    ]);
    let mut more = times(it);
    more.extend(known([
        ("process", Some(Value::Object(process))),
        ("device", Some(device(it))),
        (
            "exit_code",
            it.value("exit_code")
                .filter(|_| !it.is_unreachable())
                .cloned(),
        ),
    ]));
    more
}

/// The program of the script's first command.
fn program(it: Fields<'_>) -> Option<&str> {
    let leaf = it.0.get("leaves")?.as_array()?.first()?;
    leaf.get("canonical")?.as_str()?.split(' ').next()
}

fn device(it: Fields<'_>) -> Value {
    Value::Object(known([
        ("type_id", Some(json!(0))),
        ("type", Some(json!("Unknown"))),
        ("name", Some(json!(it.text("alias").unwrap_or("unknown")))),
        ("hostname", it.text("hostname").map(Value::from)),
        ("ip", it.text("target_ip").map(Value::from)),
    ]))
}

/// The connection of a run.
fn connection(it: Fields<'_>) -> Map<String, Value> {
    let bytes = |name| it.number(name).unwrap_or_default();
    let traffic = bytes("bytes_out").saturating_add(bytes("bytes_err"));
    let mut more = times(it);
    more.extend(known([
        ("src_endpoint", Some(json!({"name": "portcullis"}))),
        ("dst_endpoint", Some(endpoint(it))),
        ("auth_type_id", Some(json!(6))),
        ("auth_type", Some(json!("Public Key"))),
        ("traffic", Some(json!({"bytes_in": traffic}))),
    ]));
    more
}

/// When it began and ended, where the record knows how long it took.
fn times(it: Fields<'_>) -> Map<String, Value> {
    let Some(duration) = it.number("duration_ms") else {
        return Map::new();
    };
    let end = it.at_ms();
    known([
        ("duration", Some(json!(duration))),
        ("start_time", Some(json!(end.saturating_sub(duration)))),
        ("end_time", Some(json!(end))),
    ])
}

fn application(it: Fields<'_>, exporter: &Exporter<'_>) -> Map<String, Value> {
    let app = match it.text("plugin") {
        Some(plugin) => Value::Object(known([
            ("name", Some(json!(plugin))),
            ("uid", it.text("sha256").map(Value::from)),
            ("feature", Some(json!({"name": "plugin"}))),
        ])),
        None => product(exporter),
    };
    known([("app", Some(app))])
}

fn log(it: Fields<'_>) -> Map<String, Value> {
    let file = it.text("previous_file").map(|name| {
        Value::Object(known([
            ("name", Some(json!(name))),
            ("type_id", Some(json!(1))),
            ("size", it.number("previous_bytes").map(Value::from)),
            (
                "hashes",
                it.text("previous_sha256").map(
                    |sha256| json!([{"algorithm_id": 3, "algorithm": "SHA-256", "value": sha256}]),
                ),
            ),
        ]))
    });
    known([
        ("log_name", Some(json!("portcullis journal"))),
        ("log_provider", Some(json!("portcullis"))),
        ("log_type_id", Some(json!(99))),
        ("log_type", Some(json!("Audit"))),
        ("file", file),
    ])
}
