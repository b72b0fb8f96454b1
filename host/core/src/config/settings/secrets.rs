//! `secrets:` programs that are asked for secrets, and which secret comes from which of them.
//!
//! Must not: hold a secret, or run anything. A provider is an argument list, never a text for a shell.

use crate::config::names::{path_text, secret_name};
use crate::config::shape::shape;
use crate::config::tree::{At, Fields, Reader};
use crate::text::is_hidden;
use schemars::JsonSchema;
use std::collections::BTreeMap;

/// Seconds that a provider may take where the file says nothing.
const TIMEOUT_SECONDS_DEFAULT: u64 = 10;
/// Most seconds that a provider may take.
const TIMEOUT_SECONDS_MAX: u64 = 60;
/// Most words of a provider's command.
const WORDS_MAX: usize = 64;
/// Longest word of a command, key or field, in characters.
const WORD_CHARS_MAX: usize = 1_000;
/// Most variables that a provider may see.
const VARIABLES_MAX: usize = 64;
/// The field of a provider's answer where the file says nothing.
const FIELD_DEFAULT: &str = "value";
/// What stands in a command for the key that is asked for.
const KEY_PLACEHOLDER: &str = "{key}";
/// Variables that may hold secrets of the gate; no provider sees them.
const SECRET_VARIABLES: &str = "MCP_SSH_SECRET_";

/// Programs that are asked for secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    providers: BTreeMap<String, Provider>,
    from: BTreeMap<String, Origin>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Provider {
    command: Vec<String>,
    output: Output,
    field: String,
    timeout_seconds: u64,
    environment: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    provider: String,
    key: String,
    field: Option<String>,
}

/// What a provider writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Json,
    Text,
}

/// What is run for one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The provider's name.
    pub provider: String,
    /// The program, an absolute path, and its arguments.
    pub command: Vec<String>,
    /// Where the secret stands in the JSON that is written, step by step; `None` where the whole output is the
    /// secret.
    pub field: Option<Vec<String>>,
    /// How long it may take, in seconds.
    pub timeout_seconds: u64,
    /// The variables that it sees.
    pub environment: Vec<String>,
}

impl Secrets {
    /// The program of each provider, by the provider's name.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().filter_map(|(name, provider)| {
            let program = provider.command.first()?;
            Some((name.as_str(), program.as_str()))
        })
    }

    /// What is run for a secret; `None` where no provider is named for it.
    #[must_use]
    pub fn order(&self, name: &str) -> Option<Order> {
        let origin = self.from.get(name)?;
        let provider = self.providers.get(&origin.provider)?;
        let field = match provider.output {
            Output::Text => None,
            Output::Json => {
                let field = origin.field.as_ref().unwrap_or(&provider.field);
                Some(field.split('.').map(ToOwned::to_owned).collect())
            }
        };
        Some(Order {
            provider: origin.provider.clone(),
            command: provider
                .command
                .iter()
                .map(|word| word.replace(KEY_PLACEHOLDER, &origin.key))
                .collect(),
            field,
            timeout_seconds: provider.timeout_seconds,
            environment: provider.environment.clone(),
        })
    }
}

shape! {
    /// Programs that are asked for secrets, and which secret comes from which of them.
    pub(super) struct Keys {
        optional {
            /// The programs, each under a name of your own.
            providers: BTreeMap<String, ProviderKeys>,
            /// The secrets that come from a program: the secret's name with the provider's, or with a mapping.
            /// Such a secret is looked for nowhere else.
            from: BTreeMap<String, OriginShape>,
        }
    }
}

shape! {
    /// A program that is asked for secrets.
    pub(super) struct ProviderKeys {
        required {
            /// The program, an absolute path, and its arguments, without a shell. `{key}` in an argument stands for
            /// the key that is asked for.
            command: Vec<String>,
        }
        optional {
            /// What it writes to standard output: `json` or `text`. Of a text the blanks at both ends are dropped.
            #[schemars(extend("default" = "json", "enum" = ["json", "text"]))]
            output: String,
            /// Where the secret stands in the JSON: a key, or keys with dots between them.
            #[schemars(extend("default" = FIELD_DEFAULT))]
            field: String,
            /// How long it may take, in seconds; then it is killed with everything that it started.
            #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX), extend("default" = TIMEOUT_SECONDS_DEFAULT))]
            timeout_seconds: u64,
            /// The environment variables of the gate that it sees. None, where nothing stands here.
            environment: Vec<String>,
        }
    }
}

shape! {
    /// Where a secret comes from.
    pub(super) struct OriginKeys {
        required {
            /// The provider's name.
            provider: String,
        }
        optional {
            /// What stands for `{key}` in the provider's command, if it is not the secret's own name.
            key: String,
            /// Where the secret stands in the JSON, if it is not where the provider says.
            field: String,
        }
    }
}

/// The two ways of writing an origin.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "it is described, never built")]
pub(super) enum OriginShape {
    /// The provider's name.
    Provider(String),
    /// The provider with a key or a field.
    Full(OriginKeys),
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader, at: &At<'_>) -> Secrets {
    let mut secrets = Secrets::default();
    let Some(fields) = reader.map(at, Keys::KEYS) else {
        return secrets;
    };
    // The names are known even where a provider has faults, so that nobody is told of a missing one.
    let mut names = Vec::new();
    if let Some(at) = fields.some("providers") {
        for (name, at) in reader.named(&at).unwrap_or_default() {
            names.push(name.to_owned());
            if secret_name(name).is_err() {
                reader.fault(&at, "expected a name of letters, digits, `-` and `_`", "");
            } else if let Some(provider) = provider(reader, &at) {
                secrets.providers.insert(name.to_owned(), provider);
            }
        }
    }
    if let Some(at) = fields.some("from") {
        for (name, at) in reader.named(&at).unwrap_or_default() {
            if let Err(fault) = secret_name(name) {
                reader.fault(&at, fault.to_string(), "Here stands the name of a secret.");
            } else if let Some(origin) = origin(reader, &at, name, &names) {
                secrets.from.insert(name.to_owned(), origin);
            }
        }
    }
    secrets
}

fn provider(reader: &mut Reader, at: &At<'_>) -> Option<Provider> {
    let fields = reader.map(at, ProviderKeys::KEYS)?;
    let command = command(reader, at, &fields)?;
    let output = match fields.some("output") {
        None => Output::Json,
        Some(at) => match reader.text(&at)? {
            "json" => Output::Json,
            "text" => Output::Text,
            _ => {
                reader.expected(&at, "`json` or `text`", "");
                return None;
            }
        },
    };
    let field = match (fields.some("field"), output) {
        (None, _) => FIELD_DEFAULT.to_owned(),
        (Some(at), Output::Json) => field(reader, &at)?,
        (Some(at), Output::Text) => {
            reader.fault(&at, "a text has no fields", "Leave `output: text` out.");
            return None;
        }
    };
    let timeout_seconds = match fields.some("timeout_seconds") {
        None => TIMEOUT_SECONDS_DEFAULT,
        Some(at) => reader.number(&at, 1, TIMEOUT_SECONDS_MAX)?,
    };
    Some(Provider {
        command,
        output,
        field,
        timeout_seconds,
        environment: environment(reader, &fields)?,
    })
}

fn command(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>) -> Option<Vec<String>> {
    const HINT: &str =
        "A list: the program's absolute path, then its arguments. No shell reads it.";
    let mut words = Vec::new();
    let Some(at) = fields.get("command") else {
        reader.missing(at, "command");
        return None;
    };
    for (position, at) in reader.list(&at)?.iter().enumerate() {
        let word = word(reader, at)?;
        if position == 0 && !is_program(word) {
            reader.fault(at, "expected the absolute path of a program", HINT);
            return None;
        }
        words.push(word.to_owned());
    }
    if words.is_empty() || words.len() > WORDS_MAX {
        let message = format!("expected 1 to {WORDS_MAX} words, got {}", words.len());
        reader.fault(&at, message, HINT);
        return None;
    }
    Some(words)
}

fn is_program(word: &str) -> bool {
    word.starts_with('/')
        && !word.ends_with('/')
        && !word.contains(KEY_PLACEHOLDER)
        && path_text(word).is_ok()
}

/// A text that can be an argument of a program.
fn word<'n>(reader: &mut Reader, at: &At<'n>) -> Option<&'n str> {
    let word = reader.text(at)?;
    let odd = |c: char| c.is_control() || is_hidden(c);
    if word.chars().count() > WORD_CHARS_MAX || word.chars().any(odd) {
        let message = format!(
            "expected at most {WORD_CHARS_MAX} characters without control and hidden characters"
        );
        reader.fault(at, message, "");
        return None;
    }
    Some(word)
}

fn field(reader: &mut Reader, at: &At<'_>) -> Option<String> {
    let field = word(reader, at)?;
    if field.split('.').any(str::is_empty) {
        reader.fault(at, "expected keys with one dot between each two", "");
        return None;
    }
    Some(field.to_owned())
}

fn environment(reader: &mut Reader, fields: &Fields<'_>) -> Option<Vec<String>> {
    let Some(at) = fields.some("environment") else {
        return Some(Vec::new());
    };
    let mut names = Vec::new();
    let list = reader.list(&at)?;
    if list.len() > VARIABLES_MAX {
        reader.fault(&at, format!("expected at most {VARIABLES_MAX} names"), "");
        return None;
    }
    for at in &list {
        let name = word(reader, at)?;
        let start = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !start || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            reader.fault(at, "expected the name of a variable", "");
            return None;
        }
        if name.starts_with(SECRET_VARIABLES) {
            reader.fault(
                at,
                "a variable that holds a secret of the gate is not shown to a program",
                "Give the program's own secret under another name.",
            );
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}

fn origin(reader: &mut Reader, at: &At<'_>, name: &str, providers: &[String]) -> Option<Origin> {
    let is_map = matches!(at.value(), crate::config::value::Value::Map(_));
    let (provider_at, key, field) = if is_map {
        let fields = reader.map(at, OriginKeys::KEYS)?;
        let Some(provider) = fields.get("provider") else {
            reader.missing(at, "provider");
            return None;
        };
        let key = match fields.some("key") {
            Some(at) => Some((word(reader, &at)?.to_owned(), at)),
            None => None,
        };
        let field = match fields.some("field") {
            Some(at) => Some(self::field(reader, &at)?),
            None => None,
        };
        (provider, key, field)
    } else {
        (at.clone(), None, None)
    };
    let provider = reader.text(&provider_at)?.to_owned();
    if !providers.contains(&provider) {
        reader.expected(
            &provider_at,
            "the name of a provider",
            "Name one that stands under `providers`.",
        );
        return None;
    }
    let (key, key_at) = key.unwrap_or_else(|| (name.to_owned(), at.clone()));
    if key.is_empty() || key.starts_with('-') {
        reader.fault(
            &key_at,
            "expected a key that does not begin with `-`, which would be read as an option",
            "",
        );
        return None;
    }
    Some(Origin {
        provider,
        key,
        field,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::read as settings;
    use super::*;

    fn read(text: &str) -> Result<Secrets, Vec<String>> {
        let (settings, faults) = settings(Some(text));
        if faults.is_empty() {
            Ok(settings.secrets)
        } else {
            Err(faults.iter().map(ToString::to_string).collect())
        }
    }

    const VAULT: &str = "secrets:\n  providers:\n    vault:\n      command: [/usr/bin/vault, kv, get, -format=json, \"secret/{key}\"]\n      field: data.data.value\n      timeout_seconds: 5\n      environment: [VAULT_ADDR]\n    op: {command: [/usr/bin/op, read, \"op://infra/{key}/password\"], output: text}\n";

    #[test]
    fn a_secret_becomes_the_order_of_its_provider() {
        let from = "  from:\n    prod-key: vault\n    db: {provider: vault, key: teams/db, field: data.pass}\n    web: op\n";
        let secrets = read(&format!("{VAULT}{from}")).unwrap();
        let order = secrets.order("prod-key").unwrap();
        assert_eq!(order.provider, "vault");
        assert_eq!(order.command.last().unwrap(), "secret/prod-key");
        assert_eq!(order.field.unwrap(), ["data", "data", "value"]);
        assert_eq!(order.timeout_seconds, 5);
        assert_eq!(order.environment, ["VAULT_ADDR"]);
        let order = secrets.order("db").unwrap();
        assert_eq!(order.command.last().unwrap(), "secret/teams/db");
        assert_eq!(order.field.unwrap(), ["data", "pass"]);
        let order = secrets.order("web").unwrap();
        assert_eq!(order.command.last().unwrap(), "op://infra/web/password");
        assert_eq!((order.field, order.timeout_seconds), (None, 10));
        assert_eq!(secrets.order("other"), None);
        assert_eq!(read("version: 1\n").unwrap().order("web"), None);
    }

    #[test]
    fn what_a_provider_must_not_be_is_a_fault_with_its_place() {
        let provider = |body: &str| format!("secrets:\n  providers:\n    p: {body}\n");
        let from = |body: &str| format!("{VAULT}  from:\n    {body}\n");
        for (text, part) in [
            (provider("{command: [vault, x]}"), "absolute path"),
            (provider("{command: [\"/bin/{key}\"]}"), "absolute path"),
            (provider("{command: [/opt/../bin/x]}"), "absolute path"),
            (provider("{command: [/opt/]}"), "absolute path"),
            (provider("{command: []}"), "1 to 64"),
            (provider("{command: \"/bin/sh -c x\"}"), "a list"),
            (provider("{command: [/bin/x, \"a\\u202eb\"]}"), "hidden"),
            (provider("{}"), "`command`"),
            (
                provider("{command: [/bin/x], output: xml}"),
                "`json` or `text`",
            ),
            (
                provider("{command: [/bin/x], output: text, field: a}"),
                "no fields",
            ),
            (provider("{command: [/bin/x], field: a..b}"), "one dot"),
            (
                provider("{command: [/bin/x], timeout_seconds: 0}"),
                "from 1 to 60",
            ),
            (
                provider("{command: [/bin/x], timeout_seconds: 61}"),
                "from 1 to 60",
            ),
            (
                provider("{command: [/bin/x], environment: [A=b]}"),
                "name of a variable",
            ),
            (
                provider("{command: [/bin/x], environment: [MCP_SSH_SECRET_A]}"),
                "not shown",
            ),
            (provider("{command: [/bin/x], shell: true}"), "unknown key"),
            (from("a: none"), "name of a provider"),
            (from("a/b: vault"), "letters, digits"),
            (from("\"-a\": vault"), "begin with `-`"),
            (from("a: {provider: vault, key: \"-rf\"}"), "begin with `-`"),
            (from("a: {key: x}"), "`provider`"),
            (from("a: [vault]"), "a text"),
        ] {
            let faults = read(&text).unwrap_err();
            assert!(faults.len() == 1, "{text}: {faults:?}");
            let fault = faults.concat();
            assert!(fault.contains(part), "{text}: {fault}");
            assert!(fault.starts_with("portcullis.yml:"), "{fault}");
        }
    }
}
