//! The reader that walks a document: it collects every fault of a file instead of stopping at the first, and
//! knows the nearest key to a misspelt one.
//!
//! Must not: know any file's keys, or repeat a text of a file that may hold secrets.

use super::nearest::nearest;
use super::value::{Node, Value};
use super::{ConfigFault, yaml};
use crate::text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_yaml::Spanned;
use std::borrow::Cow;

/// Longest text of a file that a message quotes, in characters.
const QUOTE_CHARS_MAX: usize = 60;

/// Whether messages may quote what stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Short and cleaned.
    Allowed,
    /// Never: the file's texts, and even its keys, may be secrets in the wrong column.
    Forbidden,
}

/// A node and the way to it.
#[derive(Clone)]
pub(super) struct At<'n> {
    node: &'n Node,
    path: String,
}

impl<'n> At<'n> {
    /// The value.
    pub(super) fn value(&self) -> &'n Value {
        &self.node.value
    }

    /// Whether the value is `null` or nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }
}

/// The entries of a mapping, all with known keys.
pub(super) struct Fields<'n> {
    entries: Vec<(&'n str, At<'n>)>,
}

impl<'n> Fields<'n> {
    /// The value of a key; `None` where the key does not stand.
    pub(super) fn get(&self, key: &str) -> Option<At<'n>> {
        self.entries
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, at)| at.clone())
    }

    /// The value of a key where it stands and is not null.
    pub(super) fn some(&self, key: &str) -> Option<At<'n>> {
        self.get(key).filter(|at| !at.is_null())
    }
}

/// Reads one file and collects what is wrong with it.
pub(super) struct Reader {
    file: &'static str,
    quoting: Quoting,
    /// What is wrong.
    pub(super) faults: Vec<ConfigFault>,
    /// What is legal and probably not meant.
    pub(super) warnings: Vec<ConfigFault>,
}

impl Reader {
    /// A reader for a file of that name.
    pub(super) fn new(file: &'static str, quoting: Quoting) -> Self {
        Self {
            file,
            quoting,
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Parses the document. A fault of the YAML itself ends the reading of the file.
    pub(super) fn document(&mut self, text: &str) -> Option<Node> {
        match yaml::from_yaml::<Node>(self.file, text) {
            Ok(node) => Some(node),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    /// The whole document as a node with its way.
    pub(super) fn root<'n>(&self, node: &'n Node) -> At<'n> {
        At {
            node,
            path: String::new(),
        }
    }

    fn place(&self, at: &At<'_>, message: String, hint: &str) -> ConfigFault {
        ConfigFault {
            file: self.file,
            line: at.node.referenced.line(),
            column: at.node.referenced.column(),
            path: at.path.clone(),
            message,
            hint: hint.to_owned(),
        }
    }

    /// Notes a fault at a node.
    pub(super) fn fault(&mut self, at: &At<'_>, message: impl Into<String>, hint: &str) {
        let fault = self.place(at, message.into(), hint);
        self.faults.push(fault);
    }

    /// Notes a warning at a node.
    pub(super) fn warn(&mut self, at: &At<'_>, message: impl Into<String>, hint: &str) {
        let warning = self.place(at, message.into(), hint);
        self.warnings.push(warning);
    }

    /// Notes a fault about the whole file.
    pub(super) fn fault_of_file(&mut self, message: &str, hint: &str) {
        self.faults.push(whole_file(self.file, message, hint));
    }

    /// What a node holds, in words that may be shown.
    pub(super) fn got(&self, at: &At<'_>) -> String {
        let shown = self.quoting == Quoting::Allowed;
        match at.value() {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) if shown => format!("the boolean {value}"),
            Value::Int(value) if shown => format!("the number {value}"),
            Value::Float(value) if shown => format!("the number {value}"),
            Value::Text(value) if shown => format!("the text {}", quote(value)),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Int(_) | Value::Float(_) => "a number".to_owned(),
            Value::Text(_) => "a text".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// Notes that a node holds something else than was expected.
    pub(super) fn expected(&mut self, at: &At<'_>, what: &str, hint: &str) {
        let got = self.got(at);
        self.fault(at, format!("expected {what}, got {got}"), hint);
    }

    /// A mapping whose keys are all known. Unknown keys are faults; what is known is read all the same,
    /// so that its faults are named too.
    pub(super) fn map<'n>(&mut self, at: &At<'n>, known: &[&str]) -> Option<Fields<'n>> {
        self.map_but(at, known, &[])
    }

    /// The same where some keys are known to ask for what this version does not do: each of `refused` is a
    /// key with what its fault says and how it is mended. A restriction that is read and not enforced
    /// would be a hole.
    pub(super) fn map_but<'n>(
        &mut self,
        at: &At<'n>,
        known: &[&str],
        refused: &[Refused],
    ) -> Option<Fields<'n>> {
        let Value::Map(entries) = at.value() else {
            self.expected(
                at,
                &format!("a mapping with the keys {}", known.join(", ")),
                "",
            );
            return None;
        };
        let mut fields = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            if known.contains(&key.value.as_str()) {
                let path = join(&at.path, &key.value);
                fields.push((key.value.as_str(), At { node, path }));
            } else if let Some(refused) = refused.iter().find(|refused| refused.key == key.value) {
                self.faults.push(ConfigFault {
                    file: self.file,
                    line: key.referenced.line(),
                    column: key.referenced.column(),
                    path: join(&at.path, refused.key),
                    message: refused.message.to_owned(),
                    hint: refused.hint.to_owned(),
                });
            } else {
                self.unknown(at, key, known);
            }
        }
        Some(Fields { entries: fields })
    }

    /// A mapping whose keys are names that the file chooses.
    pub(super) fn named<'n>(&mut self, at: &At<'n>) -> Option<Vec<(&'n str, At<'n>)>> {
        let Value::Map(entries) = at.value() else {
            self.expected(at, "a mapping of names", "");
            return None;
        };
        let entry = |(key, node): &'n (Spanned<String>, Node)| {
            let path = join(&at.path, &shorten(&key.value));
            (key.value.as_str(), At { node, path })
        };
        Some(entries.iter().map(entry).collect())
    }

    fn unknown(&mut self, at: &At<'_>, key: &Spanned<String>, known: &[&str]) {
        let hint = match nearest(&key.value, known) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("Known keys: {}.", known.join(", ")),
        };
        let (path, message) = match self.quoting {
            Quoting::Allowed => {
                let name: String = shorten(&key.value);
                (join(&at.path, &name), format!("unknown key `{name}`"))
            }
            Quoting::Forbidden => (at.path.clone(), "unknown key".to_owned()),
        };
        self.faults.push(ConfigFault {
            file: self.file,
            line: key.referenced.line(),
            column: key.referenced.column(),
            path,
            message,
            hint,
        });
    }

    /// Notes that a key is missing in a mapping.
    pub(super) fn missing(&mut self, at: &At<'_>, key: &str) {
        self.fault(at, format!("expected the key `{key}`, got none"), "");
    }

    /// The members of a list.
    pub(super) fn list<'n>(&mut self, at: &At<'n>) -> Option<Vec<At<'n>>> {
        let Value::List(members) = at.value() else {
            self.expected(at, "a list", "Begin each member with `- `.");
            return None;
        };
        let member = |(index, node): (usize, &'n Node)| At {
            node,
            path: format!("{}[{index}]", at.path),
        };
        Some(members.iter().enumerate().map(member).collect())
    }

    /// The entries of a mapping with free keys, in file order.
    pub(super) fn entries<'n>(&mut self, at: &At<'n>) -> Option<Vec<(&'n str, At<'n>)>> {
        let Value::Map(entries) = at.value() else {
            self.expected(at, "a mapping", "");
            return None;
        };
        let entry = |(key, node): &'n (Spanned<String>, Node)| {
            let path = join(&at.path, &shorten(&key.value));
            (key.value.as_str(), At { node, path })
        };
        Some(entries.iter().map(entry).collect())
    }

    /// The list that stands under a key which must be there.
    pub(super) fn required_list<'n>(
        &mut self,
        at: &At<'n>,
        fields: &Fields<'n>,
        key: &str,
    ) -> Vec<At<'n>> {
        match fields.get(key) {
            Some(list) => self.list(&list).unwrap_or_default(),
            None => {
                self.missing(at, key);
                Vec::new()
            }
        }
    }

    /// A text; numbers and booleans are not taken for one, because YAML would have changed them.
    pub(super) fn text<'n>(&mut self, at: &At<'n>) -> Option<&'n str> {
        match at.value() {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                self.expected(at, "a text", "Put it in quotes.");
                None
            }
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.expected(at, "a text", "");
                None
            }
        }
    }

    /// The text under a key that must be there and hold more than blanks, trimmed.
    pub(super) fn required_text<'n>(
        &mut self,
        at: &At<'n>,
        fields: &Fields<'n>,
        key: &str,
    ) -> Option<(At<'n>, &'n str)> {
        let Some(value) = fields.get(key) else {
            self.missing(at, key);
            return None;
        };
        let text = self.text(&value)?.trim();
        if text.is_empty() {
            self.fault(&value, "expected a text, got an empty one", "");
            return None;
        }
        Some((value, text))
    }

    /// The text under a key, trimmed; `None` where the key, its value or its text is missing.
    pub(super) fn optional_text<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &str,
    ) -> Option<(At<'n>, &'n str)> {
        let value = fields.some(key)?;
        let text = self.text(&value)?.trim();
        (!text.is_empty()).then_some((value, text))
    }

    /// A boolean.
    pub(super) fn boolean(&mut self, at: &At<'_>) -> Option<bool> {
        if let Value::Bool(value) = at.value() {
            return Some(*value);
        }
        self.expected(at, "true or false", "");
        None
    }

    /// A whole number between two bounds, both taken.
    pub(super) fn number(&mut self, at: &At<'_>, min: u64, max: u64) -> Option<u64> {
        if let Value::Int(value) = at.value()
            && let Ok(value) = u64::try_from(*value)
            && (min..=max).contains(&value)
        {
            return Some(value);
        }
        self.expected(at, &format!("a whole number from {min} to {max}"), "");
        None
    }

    /// One word of a set.
    pub(super) fn word<T: Copy>(&mut self, at: &At<'_>, words: &[(&str, T)]) -> Option<T> {
        if let Value::Text(text) = at.value()
            && let Some((_, value)) = words.iter().find(|(word, _)| word == text)
        {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.expected(at, &names.join(" or "), "");
        None
    }

    /// A value of which this version takes one word only; every other is a fault that says so.
    pub(super) fn only(&mut self, at: &At<'_>, word: &str, hint: &str) {
        if !matches!(at.value(), Value::Text(text) if text == word) {
            let got = self.got(at);
            let message = format!("this version knows only `{word}`, got {got}");
            self.fault(at, message, hint);
        }
    }

    /// Checks the optional `version` key: the only version is 1.
    pub(super) fn version(&mut self, fields: &Fields<'_>) {
        if let Some(at) = fields.get("version")
            && !matches!(at.value(), Value::Int(1))
        {
            self.expected(&at, "version 1", "");
        }
    }
}

/// A key that this version knows only to refuse it.
pub(super) struct Refused {
    /// The key.
    pub(super) key: &'static str,
    /// What the fault says.
    pub(super) message: &'static str,
    /// How it is mended.
    pub(super) hint: &'static str,
}

/// The `version` key: the only one is 1.
pub(super) struct Version;

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": 1, "default": 1})
    }
}

/// A fault about a whole file.
pub(super) fn whole_file(file: &'static str, message: &str, hint: &str) -> ConfigFault {
    ConfigFault {
        file,
        line: 0,
        column: 0,
        path: String::new(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn shorten(value: &str) -> String {
    text::step(value).chars().take(QUOTE_CHARS_MAX).collect()
}

fn quote(value: &str) -> String {
    format!("{:?}", shorten(value))
}
