//! Exported records against the field lists of the schemas that they claim: `tests/cases/ocsf-1.6.0.json` and
//! `tests/cases/ecs-9.0.0.json`, taken from the schemas' own definitions.

use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::LazyLock;

static OCSF: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../cases/ocsf-1.6.0.json")).unwrap());
static ECS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../cases/ecs-9.0.0.json")).unwrap());

fn texts(value: &Value) -> Vec<&str> {
    let all = value.as_array().into_iter().flatten();
    all.map(|text| text.as_str().unwrap()).collect()
}

/// Holds one OCSF event against its class.
pub(crate) fn ocsf(event: &Value) {
    let class = event["class_uid"].as_u64().unwrap();
    let shape = &OCSF["classes"][class.to_string()];
    assert!(shape.is_object(), "no class {class}");
    assert_eq!(event["category_uid"], shape["category_uid"], "{event}");
    assert_eq!(event["class_name"], shape["name"], "{event}");
    let activity = event["activity_id"].as_u64().unwrap();
    assert_eq!(event["type_uid"], class * 100 + activity, "{event}");
    assert_eq!(event["metadata"]["version"], "1.6.0");
    // Milliseconds: after 2020, before 2100.
    let time = event["time"].as_u64().unwrap();
    assert!(
        (1_577_836_800_000..4_102_444_800_000).contains(&time),
        "{time}"
    );
    object(event.as_object().unwrap(), shape, &class.to_string());
}

/// Holds an object against its shape, and every object in it.
fn object(value: &Map<String, Value>, shape: &Value, name: &str) {
    for field in texts(&shape["required"]) {
        assert!(value.contains_key(field), "{name} lacks {field}: {value:?}");
    }
    let one = texts(&shape["at_least_one"]);
    assert!(
        one.is_empty() || one.iter().any(|field| value.contains_key(*field)),
        "{name} has none of {one:?}: {value:?}"
    );
    for (field, inner) in value {
        let kind = shape["attributes"][field]
            .as_str()
            .unwrap_or_else(|| panic!("{name} has no attribute {field}"));
        match kind.strip_suffix("[]") {
            Some(kind) => {
                for inner in inner.as_array().unwrap() {
                    typed(inner, kind, field);
                }
            }
            None => typed(inner, kind, field),
        }
        if let Some(allowed) = shape["enums"][field].as_array() {
            assert!(allowed.contains(inner), "{name}.{field} is {inner}");
        }
    }
}

fn typed(value: &Value, kind: &str, field: &str) {
    let holds = match kind {
        "string_t" | "hostname_t" | "uuid_t" => value.as_str().is_some_and(|text| !text.is_empty()),
        "integer_t" | "long_t" | "timestamp_t" => value.is_i64() || value.is_u64(),
        "port_t" => value.as_u64().is_some_and(|port| port <= 65_535),
        "boolean_t" => value.is_boolean(),
        "ip_t" => value
            .as_str()
            .is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
        "object" => value.is_object(),
        named => {
            let shape = &OCSF["objects"][named];
            assert!(shape.is_object(), "{field}: no shape of {named}");
            object(value.as_object().unwrap(), shape, named);
            true
        }
    };
    assert!(holds, "{field} is no {kind}: {value}");
}

/// Holds one ECS document against the fields that the schema has.
pub(crate) fn ecs(document: &Value) {
    for field in ["@timestamp", "ecs", "event", "message", "observer"] {
        assert!(document.get(field).is_some(), "no {field}: {document}");
    }
    assert_eq!(document["ecs"]["version"], "9.0.0");
    let time = document["@timestamp"].as_str().unwrap();
    assert!(
        time.len() >= 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T',
        "{time}"
    );
    fields(document, "");
    let category = document["event"]["category"][0].as_str().unwrap();
    let types = texts(&ECS["types_of_category"][category]);
    let kind = document["event"]["type"][0].as_str().unwrap();
    assert!(types.contains(&kind), "{category} does not expect {kind}");
}

fn fields(value: &Value, prefix: &str) {
    for (name, inner) in value.as_object().unwrap() {
        // The namespace that ECS leaves to those who have more to say.
        if prefix.is_empty() && name == "portcullis" {
            assert!(inner.is_object());
            continue;
        }
        let path = format!("{prefix}{name}");
        let Some(kind) = ECS["fields"][&path].as_str() else {
            assert!(inner.is_object(), "no field {path} in the schema: {inner}");
            fields(inner, &format!("{path}."));
            continue;
        };
        let all = match kind.strip_suffix("[]") {
            Some(_) => inner
                .as_array()
                .unwrap_or_else(|| panic!("{path} is no list"))
                .clone(),
            None => vec![inner.clone()],
        };
        for one in &all {
            let holds = match kind.trim_end_matches("[]") {
                "long" => one.is_i64() || one.is_u64(),
                "ip" => one.as_str().is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
                _ => one.as_str().is_some_and(|text| !text.is_empty()),
            };
            assert!(holds, "{path} is no {kind}: {one}");
            if let Some(allowed) = ECS["allowed"][&path].as_array() {
                assert!(allowed.contains(one), "{path} is {one}");
            }
        }
    }
}
