//! The paths and names in `credentials.yml` that are refused by their text alone: the same texts that are faults of the
//! file, for whoever has to write down what was attempted.
//!
//! Must not: decide anything. That a file is wrong is said by its reader.

use super::names::{PathFault, SecretNameFault, path_text, secret_name};
use super::{CREDENTIALS, Sources, yaml};
use serde_json::Value;

/// Most texts of one file; a file of nothing else must not flood a log.
const TEXTS_MAX: usize = 64;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedAs {
    /// It is no path of a key.
    KeyPath(PathFault),
    /// It is no name of a secret.
    SecretName(SecretNameFault),
}

/// A text that is refused. It may hold anything, a secret too, and is masked before it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RefusedText {
    /// The text.
    pub text: String,
    /// Why.
    pub why: RefusedAs,
}

/// The texts that are refused, in the order of the file; none where the file cannot be read as YAML.
#[must_use]
pub fn refused_texts(sources: &Sources) -> Vec<RefusedText> {
    let text = sources.credentials.as_deref().unwrap_or_default();
    let Ok(document) = yaml::from_yaml::<Value>(CREDENTIALS, text) else {
        return Vec::new();
    };
    let entries = document.get("entries").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    entries.flat_map(of_entry).take(TEXTS_MAX).collect()
}

fn of_entry(entry: &Value) -> Vec<RefusedText> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::trim);
    let texts = [
        text("key_path").map(|text| (text, path_text(text).map_err(RefusedAs::KeyPath))),
        text("key_passphrase_secret").map(named),
        text("password_secret").map(named),
    ];
    let refused = texts
        .into_iter()
        .flatten()
        .filter(|(text, _)| !text.is_empty());
    refused
        .filter_map(|(text, checked)| {
            let why = checked.err()?;
            let text = text.to_owned();
            Some(RefusedText { text, why })
        })
        .collect()
}

fn named(text: &str) -> (&str, Result<(), RefusedAs>) {
    (text, secret_name(text).map_err(RefusedAs::SecretName))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_by_its_text_is_known_with_its_reason() {
        let text = "entries:\n  - {name: a, key_path: ../x, key_passphrase_secret: a.b, password_secret: ok}\n  - {name: b, key_path: good, password_secret: \"\"}\n  - {name: c, key_path: [list]}\n";
        let sources = Sources {
            credentials: Some(text.to_owned()),
            ..Sources::default()
        };
        let refused = refused_texts(&sources);
        let found: Vec<_> = refused
            .iter()
            .map(|refused| (refused.text.as_str(), refused.why))
            .collect();
        assert_eq!(
            found,
            [
                ("../x", RefusedAs::KeyPath(PathFault::Traversal)),
                ("a.b", RefusedAs::SecretName(SecretNameFault::Characters)),
            ]
        );
        let many = format!("entries:\n{}", "  - {key_path: ..}\n".repeat(1_000));
        let sources = Sources {
            credentials: Some(many),
            ..Sources::default()
        };
        assert_eq!(refused_texts(&sources).len(), TEXTS_MAX);
        for text in ["", "entries: [", "entries: 1", "- a"] {
            let sources = Sources {
                credentials: Some(text.to_owned()),
                ..Sources::default()
            };
            assert!(refused_texts(&sources).is_empty(), "{text}");
        }
    }
}
