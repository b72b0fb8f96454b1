//! What the files may hold, for editors and people: a JSON Schema for each, and a reference page. Both are made
//! from the shapes that the readers take their keys from.
//!
//! Must not: describe anything that is not in a shape.

use super::settings::Keys as Settings;
use super::{COMPANIONS, CREDENTIALS, PLUGINS, POLICY, PORTCULLIS, SERVERS, VECTORS};
use super::{companions, credentials, plugins, policy_file, servers, vectors};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The files in the order in which they are described.
pub const FILES: [&str; 6] = [
    SERVERS,
    CREDENTIALS,
    POLICY,
    PLUGINS,
    PORTCULLIS,
    COMPANIONS,
];

/// The JSON Schema (draft 2020-12) of a file, with its keys sorted; `None` for a file that does not exist.
#[must_use]
pub fn schema(file: &str) -> Option<Value> {
    let generator = || SchemaSettings::draft2020_12().into_generator();
    let schema: Schema = match file {
        SERVERS => generator().into_root_schema_for::<servers::Keys>(),
        CREDENTIALS => generator().into_root_schema_for::<credentials::Keys>(),
        POLICY => generator().into_root_schema_for::<policy_file::RawPolicy>(),
        PLUGINS => generator().into_root_schema_for::<plugins::Keys>(),
        PORTCULLIS => generator().into_root_schema_for::<Settings>(),
        COMPANIONS => generator().into_root_schema_for::<companions::Keys>(),
        // Beside a plugin, not in the configuration, so it is on no list.
        VECTORS => generator().into_root_schema_for::<vectors::Keys>(),
        _ => return None,
    };
    let mut schema = tidy(schema.to_value());
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), file.into());
    }
    Some(schema)
}

/// Sorts the keys, and takes out what the generator says of no consequence: a default that is nothing, and the
/// width of a number.
fn tidy(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries: BTreeMap<String, Value> = map
                .into_iter()
                .filter(|(key, value)| !(key == "default" && is_nothing(value)))
                .filter(|(key, value)| !(key == "format" && value.is_string()))
                .map(|(key, value)| (key, tidy(value)))
                .collect();
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(members) => Value::Array(members.into_iter().map(tidy).collect()),
        Value::String(text) => Value::String(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(members) => members.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The reference page of all files, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# The configuration files, key by key\n\n\
         Made by `portcullis config reference`; change the descriptions where the keys are read, then run `cargo xtask \
         reference`. How rules are judged stands in [README.md](README.md), samples stand beside this page.\n",
    );
    for file in FILES {
        if let Some(schema) = schema(file) {
            describe_file(&mut page, file, &schema);
        }
    }
    page
}

fn describe_file(page: &mut String, file: &str, schema: &Value) {
    let text = text_of(schema);
    // Writing to a text cannot fail.
    let _ = writeln!(page, "\n## {file}\n\n{text}\n");
    table(page, file, schema);
    let empty = Map::new();
    let parts = schema.get("$defs").and_then(Value::as_object);
    for (name, part) in parts.unwrap_or(&empty) {
        if part.get("properties").is_none() {
            continue;
        }
        let text = text_of(part);
        let _ = writeln!(page, "\n### {file}: {name}\n\n{text}\n");
        table(page, file, part);
    }
}

/// A description on one line.
fn text_of(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str);
    let words: Vec<&str> = text.unwrap_or_default().split_whitespace().collect();
    words.join(" ")
}

fn table(page: &mut String, file: &str, schema: &Value) {
    let Some(keys) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    page.push_str("| key | value | default | what it is |\n|---|---|---|---|\n");
    let (needed, others): (Vec<_>, Vec<_>) = keys
        .iter()
        .partition(|(name, _)| required.contains(&name.as_str()));
    for (name, key) in needed.into_iter().chain(others) {
        let default = match key.get("default") {
            Some(default) => format!("`{default}`"),
            None if required.contains(&name.as_str()) => "required".to_owned(),
            None => String::new(),
        };
        let value = kind(file, key);
        let text = text_of(key).replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {value} | {default} | {text} |");
    }
}

/// What stands behind a key, in a few words.
fn kind(file: &str, schema: &Value) -> String {
    if let Some(part) = schema.get("$ref").and_then(Value::as_str) {
        let name = part.rsplit('/').next().unwrap_or_default();
        let anchor = format!("{file} {name}").to_lowercase();
        let anchor: String = anchor
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ' ')
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        return format!("[{name}](#{anchor})");
    }
    if let Some(only) = schema.get("const") {
        return format!("`{only}`").replace('"', "");
    }
    let words = |list: &Vec<Value>| {
        let words: Vec<String> = list
            .iter()
            .filter(|word| !word.is_null())
            .map(|word| format!("`{word}`").replace('"', ""))
            .collect();
        words.join(", ")
    };
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return words(list);
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(list) = schema.get(several).and_then(Value::as_array) {
            let mut kinds: Vec<String> = list
                .iter()
                .map(|one| kind(file, one))
                .filter(|kind| kind != "nothing")
                .collect();
            kinds.dedup();
            return kinds.join(" or ");
        }
    }
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => names.first().and_then(Value::as_str).unwrap_or("any"),
        _ => "any",
    };
    match name {
        "array" => match schema.get("items") {
            Some(items) => format!("list of {}", kind(file, items)),
            None => "list".to_owned(),
        },
        "integer" => {
            let bound = |key: &str| schema.get(key).map(ToString::to_string);
            match (bound("minimum"), bound("maximum")) {
                (Some(min), Some(max)) => format!("{min} to {max}"),
                (Some(min), None) => format!("number from {min}"),
                (None, Some(max)) => format!("number to {max}"),
                (None, None) => "number".to_owned(),
            }
        }
        "boolean" => "`true` or `false`".to_owned(),
        "string" => "text".to_owned(),
        "object" => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("mapping to {}", kind(file, values)),
            _ => "mapping".to_owned(),
        },
        "null" => "nothing".to_owned(),
        _ => "any value".to_owned(),
    }
}
