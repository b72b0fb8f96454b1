//! The paths and names in `credentials.yml`, `plugins.yml`, `portcullis.yml` and `companions.yml` that are refused by their text alone: the
//! same texts that are faults of the files, for whoever has to write down what was attempted.
//!
//! Must not: decide anything. That a file is wrong is said by its reader.

use super::names::{PathFault, SecretNameFault, path_text, secret_name};
use super::{COMPANIONS, CREDENTIALS, PLUGINS, PORTCULLIS, Sources, yaml};
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
    /// It is no path of a plugin.
    PluginPath(PathFault),
    /// It is no path of a program that is asked for secrets.
    ProgramPath(PathFault),
}

/// A text that is refused. It may hold anything, a secret too, and is masked before it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RefusedText {
    /// The text.
    pub text: String,
    /// Why.
    pub why: RefusedAs,
}

/// Finds what is refused in a file.
type Finder = fn(&Value) -> Vec<RefusedText>;

/// The texts that are refused, file by file in their order; none of a file that cannot be read as YAML.
#[must_use]
pub fn refused_texts(sources: &Sources) -> Vec<RefusedText> {
    let files: [(_, _, Finder); 4] = [
        (CREDENTIALS, &sources.credentials, of_credentials),
        (PLUGINS, &sources.plugins, of_plugins),
        (PORTCULLIS, &sources.portcullis, of_settings),
        (COMPANIONS, &sources.companions, of_companions),
    ];
    let mut refused = Vec::new();
    for (file, text, found) in files {
        let text = text.as_deref().unwrap_or_default();
        if let Ok(document) = yaml::from_yaml::<Value>(file, text) {
            refused.extend(found(&document).into_iter().take(TEXTS_MAX));
        }
    }
    refused
}

fn of_credentials(document: &Value) -> Vec<RefusedText> {
    let entries = document.get("entries").and_then(Value::as_array);
    entries.into_iter().flatten().flat_map(of_entry).collect()
}

fn of_plugins(document: &Value) -> Vec<RefusedText> {
    let plugins = document.get("plugins").and_then(Value::as_array);
    let paths = plugins.into_iter().flatten().filter_map(|plugin| {
        let path = plugin.get("path")?.as_str()?.trim();
        Some((path, path_text(path).map_err(RefusedAs::PluginPath)))
    });
    refused(paths)
}

fn of_settings(document: &Value) -> Vec<RefusedText> {
    let section = |name: &str| document.get("secrets")?.get(name)?.as_object();
    let programs = section("providers").into_iter().flatten();
    let programs = programs.filter_map(|(_, provider)| {
        let program = provider.get("command")?.get(0)?.as_str()?.trim();
        Some((program, path_text(program).map_err(RefusedAs::ProgramPath)))
    });
    let names = section("from").into_iter().flatten();
    refused(programs.chain(names.map(|(name, _)| named(name.trim()))))
}

fn of_companions(document: &Value) -> Vec<RefusedText> {
    let companions = document.get("companions").and_then(Value::as_array);
    let of_companion = |companion: &Value| {
        let text = |value: Option<&Value>| Some(value?.as_str()?.trim().to_owned());
        let program = text(companion.get("command"));
        let secrets = companion.get("secrets").and_then(Value::as_object);
        let secrets = secrets.into_iter().flatten();
        let names = secrets.filter_map(|(_, name)| text(Some(name)));
        let names: Vec<String> = names.chain(text(companion.get("token_secret"))).collect();
        let program = program.iter().map(|program| {
            let checked = path_text(program).map_err(RefusedAs::ProgramPath);
            (program.as_str(), checked)
        });
        refused(program.chain(names.iter().map(|name| named(name))))
    };
    companions
        .into_iter()
        .flatten()
        .flat_map(of_companion)
        .collect()
}

fn of_entry(entry: &Value) -> Vec<RefusedText> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::trim);
    let texts = [
        text("key_path").map(|text| (text, path_text(text).map_err(RefusedAs::KeyPath))),
        text("certificate_path").map(|text| (text, path_text(text).map_err(RefusedAs::KeyPath))),
        text("key_passphrase_secret").map(named),
        text("password_secret").map(named),
    ];
    refused(texts.into_iter().flatten())
}

/// Those of some texts that are refused; an empty one attempts nothing.
fn refused<'t>(texts: impl Iterator<Item = (&'t str, Result<(), RefusedAs>)>) -> Vec<RefusedText> {
    texts
        .filter(|(text, _)| !text.is_empty())
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

    #[test]
    fn what_plugins_and_settings_name_is_refused_by_its_text_too() {
        let sources = Sources {
            plugins: Some(
                "plugins:\n  - {name: a, path: ../../etc/passwd}\n  - {name: b, path: b.wasm}\n"
                    .to_owned(),
            ),
            portcullis: Some(
                "secrets:\n  providers:\n    v: {command: [/opt/../bin/x, \"..\"]}\n    w: {command: [/bin/w]}\n    x: 1\n  from:\n    ../../etc/shadow: v\n    fine: v\n"
                    .to_owned(),
            ),
            companions: Some(
                "companions:\n  - {name: c, command: /opt/../x, secrets: {A: fine, B: ../b}, token_secret: a/b}\n  - 1\n"
                    .to_owned(),
            ),
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
                (
                    "../../etc/passwd",
                    RefusedAs::PluginPath(PathFault::Traversal)
                ),
                (
                    "/opt/../bin/x",
                    RefusedAs::ProgramPath(PathFault::Traversal)
                ),
                (
                    "../../etc/shadow",
                    RefusedAs::SecretName(SecretNameFault::Characters)
                ),
                ("/opt/../x", RefusedAs::ProgramPath(PathFault::Traversal)),
                ("../b", RefusedAs::SecretName(SecretNameFault::Characters)),
                ("a/b", RefusedAs::SecretName(SecretNameFault::Characters)),
            ]
        );
    }
}
