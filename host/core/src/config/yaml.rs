//! The one door through which YAML (and JSON, which is YAML) becomes typed values. It refuses what a
//! configuration never needs and an attacker or a slip of the pen would use: anchors, aliases, merge
//! keys, foreign tags, duplicate keys, deep nesting, `yes` for `true`.
//!
//! Must not: know any file's keys. Texts of `credentials.yml` never get into a fault's message.
//!
//! Limit: the parser stops at its first fault, so a file with two broken lines names one of them at
//! a time; what compiles the typed values names all of its own faults at once.

use super::ConfigFault;
use super::value::{Node, Value};
use crate::{limits, text};
use serde::de::DeserializeOwned;
use serde_yaml::options::{AliasLimits, DuplicateKeyPolicy, MergeKeyPolicy};
use serde_yaml::{Error, Location, Options};

/// Deepest nesting of a configuration file; the files that exist need six.
const DEPTH_MAX: usize = 32;
/// The one file whose texts may be secrets that stand in the wrong place.
const CREDENTIALS: &str = "credentials.yml";
/// Longest text of a file that a message quotes, in characters.
const QUOTE_CHARS_MAX: usize = 60;

/// Reads one document as a value. An empty document is a fault here; callers that have a default for
/// it ask [`is_empty`] first.
///
/// # Errors
/// A [`ConfigFault`] with the position and, where it can be found, the path of the key.
pub(crate) fn from_yaml<T: DeserializeOwned>(
    file: &'static str,
    text: &str,
) -> Result<T, ConfigFault> {
    if text.len() as u64 > limits::YAML_BYTES_MAX {
        let message = format!(
            "expected at most {} bytes, got {}",
            limits::YAML_BYTES_MAX,
            text.len()
        );
        return Err(ConfigFault {
            file,
            line: 0,
            column: 0,
            path: String::new(),
            message,
            hint: String::new(),
        });
    }
    serde_yaml::from_str_with_options(text, options(DuplicateKeyPolicy::Error)).map_err(|error| {
        let error = error.without_snippet();
        let secret = file == CREDENTIALS;
        let (message, hint) = words(error, secret);
        let location = error.location();
        let path = location
            .filter(|_| !secret || names_known_keys(error))
            .and_then(|location| path_at(text, location));
        ConfigFault {
            file,
            line: location.map_or(0, |l| l.line()),
            column: location.map_or(0, |l| l.column()),
            path: path.unwrap_or_default(),
            message,
            hint: hint.to_owned(),
        }
    })
}

/// SECURITY: whether every key on the way to the fault is one that the file's shape knows. A key that
/// it does not know may be a secret in the wrong column, and must not be repeated for a credentials file.
fn names_known_keys(error: &Error) -> bool {
    matches!(
        error,
        Error::SerdeInvalidType { .. }
            | Error::SerdeInvalidValue { .. }
            | Error::SerdeMissingField { .. }
            | Error::InvalidBooleanStrict { .. }
    )
}

/// Whether a document holds nothing but blanks, comments and document marks. One that is too large is not looked
/// through; [`from_yaml`] refuses it.
pub(crate) fn is_empty(text: &str) -> bool {
    if text.len() as u64 > limits::YAML_BYTES_MAX {
        return false;
    }
    text.trim_start_matches('\u{feff}').lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
    })
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    let mut aliases = AliasLimits::default();
    aliases.max_total_replayed_events = 0;
    aliases.max_replay_stack_depth = 0;
    aliases.max_alias_expansions_per_anchor = 0;
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_depth: DEPTH_MAX,
            max_documents: 1,
            max_merge_keys: 0,
        },
        duplicate_keys: duplicate_keys,
        merge_keys: MergeKeyPolicy::Error,
        alias_limits: aliases,
        strict_booleans: true,
        strict_indentation: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        with_snippet: false,
    }
}

/// A text of the file, short and clean, or a word in its place where the file may hold secrets.
pub(super) fn quote(value: &str, secret: bool) -> String {
    if secret {
        return "another value".to_owned();
    }
    let value = text::step(value);
    if value.chars().count() > QUOTE_CHARS_MAX {
        let head: String = value.chars().take(QUOTE_CHARS_MAX).collect();
        format!("{head}...")
    } else {
        value.into_string()
    }
}

/// The message and the hint. Keys are names that the operator typed, but in a credentials file even
/// a key may be a secret in the wrong column, so there they are not repeated either.
fn words(error: &Error, secret: bool) -> (String, &'static str) {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => {
            let got = if secret {
                "an unknown key".to_owned()
            } else {
                format!("unknown key `{}`", quote(field, false))
            };
            (
                format!(
                    "expected one of the keys {}; got {got}",
                    expected.join(", ")
                ),
                "Check the spelling; keys that this version does not support are refused, never skipped.",
            )
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("expected the key `{field}`; it is missing"), "")
        }
        Error::SerdeInvalidType {
            unexpected,
            expected,
            ..
        }
        | Error::SerdeInvalidValue {
            unexpected,
            expected,
            ..
        } => (
            format!(
                "expected {}; got {}",
                quote(expected, false),
                quote(unexpected, secret)
            ),
            "",
        ),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            format!(
                "expected one of {}; got {}",
                expected.join(", "),
                quote(variant, secret)
            ),
            "",
        ),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().filter(|_| !secret);
            (
                key.map_or_else(
                    || "expected each key once; got one twice".to_owned(),
                    |key| format!("expected each key once; got `{}` twice", quote(key, false)),
                ),
                "Join the two entries.",
            )
        }
        Error::InvalidBooleanStrict { .. } => (
            "expected true or false; got another spelling".to_owned(),
            "",
        ),
        Error::Unexpected { expected, .. } => (
            format!("expected {expected}; got another kind of value"),
            "",
        ),
        Error::UnsupportedTag { .. } | Error::TaggedStructFieldName { .. } => (
            "expected a value without a tag".to_owned(),
            "Remove the `!tag`.",
        ),
        Error::Budget { .. } | Error::MergeKeyNotAllowed { .. } => (
            format!(
                "expected one plain document, at most {DEPTH_MAX} levels deep, without anchors, aliases and merge keys"
            ),
            "Write the value out where it is used.",
        ),
        Error::MultipleDocuments { .. } => ("expected one document; got several".to_owned(), ""),
        _ if secret => (
            "expected well-formed YAML of the documented shape".to_owned(),
            "",
        ),
        other => (
            format!(
                "expected well-formed YAML; got: {}",
                text::step(&other.to_string())
            ),
            "",
        ),
    }
}

/// The path of the key or value that begins at a position, e.g. `rules[2].comands`; `None` where
/// nothing begins exactly there.
fn path_at(text: &str, location: Location) -> Option<String> {
    let root: Node =
        serde_yaml::from_str_with_options(text, options(DuplicateKeyPolicy::LastWins)).ok()?;
    let mut path = String::new();
    find(&root.value, location, &mut path).then_some(path)
}

fn same(a: Location, b: Location) -> bool {
    (a.line(), a.column()) == (b.line(), b.column())
}

fn find(value: &Value, location: Location, path: &mut String) -> bool {
    let here = path.len();
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => false,
        Value::List(items) => items.iter().enumerate().any(|(index, item)| {
            path.push_str(&format!("[{index}]"));
            let found = find(&item.value, location, path) || same(item.defined, location);
            if !found {
                path.truncate(here);
            }
            found
        }),
        Value::Map(entries) => entries.iter().any(|(key, value)| {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&quote(&key.value, false));
            let found = find(&value.value, location, path)
                || same(key.defined, location)
                || same(value.defined, location);
            if !found {
                path.truncate(here);
            }
            found
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        on: Option<bool>,
        names: Option<Vec<String>>,
        n: Option<u64>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        list: Vec<Inner>,
    }

    fn accepts(text: &str) -> bool {
        from_yaml::<serde::de::IgnoredAny>("policy.yml", text).is_ok()
    }

    fn fault(text: &str) -> ConfigFault {
        from_yaml::<Outer>("policy.yml", text).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let fault = fault("list:\n  - on: true\n  - oon: true\n");
        assert_eq!((fault.line, fault.column), (3, 5), "{fault}");
        assert_eq!(fault.path, "list[1].oon");
        assert!(fault.message.contains("unknown key `oon`"), "{fault}");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        for (text, line, path) in [
            ("list:\n  - names: x\n", 2, "list[0].names"),
            ("list:\n  - on: yes\n", 2, "list[0].on"),
            ("list:\n  - n: abc\n", 2, "list[0].n"),
            ("list:\n  - n: -1\n", 2, "list[0].n"),
            ("list: 3\n", 1, "list"),
            (r#"{"list":[{"names":"x"}]}"#, 1, "list[0].names"),
        ] {
            let fault = fault(text);
            assert_eq!(
                (fault.line, fault.path.as_str()),
                (line, path),
                "{text}: {fault}"
            );
        }
    }

    #[test]
    fn duplicate_keys_anchors_aliases_merges_tags_and_depth_are_faults() {
        for text in [
            "a: 1\na: 2\n",
            "a: &x 1\nb: 2\n",
            "a: &x 1\nb: *x\n",
            "a: &x {b: 1}\nc:\n  <<: *x\n",
            "<<: {a: 1}\n",
            "a: !!python/object x\n",
            "a: !secret x\n",
            "a: 1\n---\nb: 2\n",
            "a: [\n",
            "a: 'x\n",
        ] {
            let parsed = from_yaml::<BTreeMap<String, serde_json::Value>>("policy.yml", text);
            assert!(parsed.is_err(), "{text:?} gave {parsed:?}");
        }
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(accepts(&deep(DEPTH_MAX)));
        assert!(!accepts(&deep(DEPTH_MAX + 1)));
        assert!(!accepts(&deep(100_000)));
    }

    #[test]
    fn a_credentials_fault_repeats_no_text_of_the_file() {
        for text in [
            "list:\n  - n: hunter2\n",
            "list:\n  - hunter2: x\n",
            "list: hunter2\n",
            "list:\n  - hunter2\n",
            "hunter2: 1\n",
            "list: [\n hunter2: 'x\n",
            "list: !hunter2 x\n",
            "list:\n  - {on: hunter2}\n",
        ] {
            let fault = from_yaml::<Outer>(CREDENTIALS, text).unwrap_err();
            assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
        }
    }

    #[test]
    fn an_empty_document_is_seen_as_empty() {
        for text in ["", "\n\n", "# only words\n", "---\n# x\n...\n", "\u{feff}"] {
            assert!(is_empty(text), "{text:?}");
        }
        assert!(!is_empty("a: 1"));
        assert!(!is_empty("{}"));
    }

    #[test]
    fn null_is_not_a_list() {
        assert!(from_yaml::<Outer>("policy.yml", "list:\n").is_err());
    }
}
