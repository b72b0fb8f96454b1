//! One companion.
//!
//! Must not: take a key that the transport has no use for; whoever wrote it relies on it.

use super::keys::CompanionKeys;
use super::{Companion, Transport, tools};
use crate::config::names::{path_text, secret_name, variable_name};
use crate::config::tree::{At, Fields, Reader};
use crate::config::value::Value;

/// Most arguments of a program.
pub(super) const ARGS_MAX: usize = 64;
/// Most variables of a program.
const VARIABLES_MAX: usize = 64;
/// Longest argument, value or address, in characters.
const TEXT_CHARS_MAX: usize = 4_096;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Time for a call where the file says nothing, in seconds.
pub(super) const TIMEOUT_SECONDS_DEFAULT: u64 = 30;
/// Longest time for a call, in seconds.
pub(super) const TIMEOUT_SECONDS_MAX: u64 = 3_600;
/// Calls under way at once where the file says nothing.
pub(super) const CONCURRENCY_DEFAULT: u64 = 4;
/// Most calls under way at once that the file may give.
pub(super) const CONCURRENCY_MAX: u64 = 64;
/// Restarts where the file says nothing.
pub(super) const RESTARTS_DEFAULT: u64 = 5;
/// Most restarts that the file may give.
pub(super) const RESTARTS_MAX: u64 = 100;
/// Keys of the one transport and of the other.
const STDIO_KEYS: [&str; 4] = ["command", "args", "env", "secrets"];
const HTTP_KEYS: [&str; 2] = ["url", "token_secret"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Stdio,
    Http,
}

/// Reads one companion. Every key is read, so that one pass names all that is wrong.
pub(super) fn read(reader: &mut Reader, at: &At<'_>) -> Option<Companion> {
    let fields = reader.map(at, CompanionKeys::KEYS)?;
    let name = name(reader, at, &fields);
    let description = description(reader, &fields);
    let way = match fields.get("transport") {
        Some(at) => reader.word(&at, &[("stdio", Way::Stdio), ("http", Way::Http)]),
        None => {
            reader.missing(at, "transport");
            None
        }
    };
    let stdio = stdio(reader, at, &fields, way);
    let http = http(reader, at, &fields, way);
    let mut number = |key: &str, default: u64, min: u64, max: u64| match fields.get(key) {
        Some(at) => reader.number(&at, min, max),
        None => Some(default),
    };
    let timeout = number(
        "timeout_seconds",
        TIMEOUT_SECONDS_DEFAULT,
        1,
        TIMEOUT_SECONDS_MAX,
    );
    let concurrency = number("concurrency_max", CONCURRENCY_DEFAULT, 1, CONCURRENCY_MAX);
    let restarts = number("restarts_max", RESTARTS_DEFAULT, 0, RESTARTS_MAX);
    let tools = match fields.get("tools") {
        Some(at) => tools::read(reader, &at),
        None => Vec::new(),
    };
    Some(Companion {
        name: name?,
        description: description?,
        transport: match way? {
            Way::Stdio => stdio?,
            Way::Http => http?,
        },
        timeout_seconds: timeout?,
        concurrency_max: concurrency?,
        restarts_max: restarts?,
        tools,
    })
}

fn name(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>) -> Option<String> {
    let (at, text) = reader.required_text(at, fields, "name")?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && text.len() <= NAME_CHARS_MAX && text.chars().all(allowed) {
        return Some(text.to_owned());
    }
    let what = format!(
        "a lower-case letter, then lower-case letters, digits, `-` and `_`, at most {NAME_CHARS_MAX}"
    );
    reader.expected(&at, &what, "");
    None
}

fn description(reader: &mut Reader, fields: &Fields<'_>) -> Option<String> {
    let Some((at, text)) = reader.optional_text(fields, "description") else {
        return Some(String::new());
    };
    if text.chars().count() > DESCRIPTION_CHARS_MAX || !is_plain(text) {
        let message = format!(
            "expected one line of at most {DESCRIPTION_CHARS_MAX} characters without hidden characters"
        );
        reader.fault(&at, message, "");
        return None;
    }
    Some(text.to_owned())
}

fn stdio(
    reader: &mut Reader,
    at: &At<'_>,
    fields: &Fields<'_>,
    way: Option<Way>,
) -> Option<Transport> {
    if way == Some(Way::Http) {
        foreign(reader, fields, &STDIO_KEYS, "http");
        return None;
    }
    let command = match (reader.optional_text(fields, "command"), way) {
        (Some((at, text)), _) => program(reader, &at, text),
        (None, Some(Way::Stdio)) => {
            reader.missing(at, "command");
            None
        }
        (None, Some(Way::Http) | None) => None,
    };
    let args = match fields.get("args") {
        Some(at) => arguments(reader, &at),
        None => Some(Vec::new()),
    };
    let env = variables(reader, fields, "env");
    let secrets = variables(reader, fields, "secrets");
    for (at, _, name) in secrets.iter().flatten() {
        if let Err(fault) = secret_name(name) {
            let hint = "Here stands the name of a secret, not the secret.";
            reader.fault(at, fault.to_string(), hint);
        }
    }
    for (at, name, _) in secrets.iter().flatten() {
        if env.iter().flatten().any(|(_, plain, _)| plain == name) {
            let message = "expected each variable once, got one under `env` and `secrets`";
            reader.fault(at, message, "Remove one of the two.");
        }
    }
    let plain = |list: Vec<(At<'_>, String, String)>| {
        list.into_iter()
            .map(|(_, name, value)| (name, value))
            .collect()
    };
    Some(Transport::Stdio {
        command: command?,
        args: args?,
        env: plain(env?),
        secrets: plain(secrets?),
    })
}

fn program(reader: &mut Reader, at: &At<'_>, text: &str) -> Option<String> {
    if let Err(fault) = path_text(text) {
        reader.fault(at, fault.to_string(), "");
        return None;
    }
    if !text.starts_with('/') {
        let hint = "The program is not looked for along PATH.";
        reader.expected(at, "an absolute path", hint);
        return None;
    }
    Some(text.to_owned())
}

fn arguments(reader: &mut Reader, at: &At<'_>) -> Option<Vec<String>> {
    let list = reader.list(at)?;
    if list.len() > ARGS_MAX {
        let message = format!("expected at most {ARGS_MAX} arguments, got {}", list.len());
        reader.fault(at, message, "");
        return None;
    }
    let texts: Vec<Option<String>> = list
        .iter()
        .map(|at| {
            let text = reader.text(at)?;
            plain(reader, at, text)
        })
        .collect();
    texts.into_iter().collect()
}

/// The variables under a key, each with its place.
fn variables<'n>(
    reader: &mut Reader,
    fields: &Fields<'n>,
    key: &str,
) -> Option<Vec<(At<'n>, String, String)>> {
    let Some(at) = fields.get(key) else {
        return Some(Vec::new());
    };
    let entries = reader.entries(&at)?;
    if entries.len() > VARIABLES_MAX {
        let got = entries.len();
        let message = format!("expected at most {VARIABLES_MAX} variables, got {got}");
        reader.fault(&at, message, "");
        return None;
    }
    let mut variables = Vec::new();
    for (name, at) in entries {
        if let Err(fault) = variable_name(name) {
            reader.fault(&at, fault.to_string(), "");
            continue;
        }
        let text = reader.text(&at);
        if let Some(text) = text.and_then(|text| plain(reader, &at, text)) {
            variables.push((at, name.to_owned(), text));
        }
    }
    Some(variables)
}

fn http(
    reader: &mut Reader,
    at: &At<'_>,
    fields: &Fields<'_>,
    way: Option<Way>,
) -> Option<Transport> {
    if way == Some(Way::Stdio) {
        foreign(reader, fields, &HTTP_KEYS, "stdio");
        return None;
    }
    let url = match (reader.optional_text(fields, "url"), way) {
        (Some((at, text)), _) => address(reader, &at, text),
        (None, Some(Way::Http)) => {
            reader.missing(at, "url");
            None
        }
        (None, Some(Way::Stdio) | None) => None,
    };
    let token = reader.optional_text(fields, "token_secret");
    if let Some((at, name)) = &token
        && let Err(fault) = secret_name(name)
    {
        let hint = "Here stands the name of a secret, not the secret.";
        reader.fault(at, fault.to_string(), hint);
    }
    Some(Transport::Http {
        url: url?,
        token_secret: token.map(|(_, name)| name.to_owned()),
    })
}

/// An address: `https`, or `http` on loopback, where nobody else listens. What stands before an `@` would be a
/// secret in the file.
fn address(reader: &mut Reader, at: &At<'_>, text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://");
    let loopback = text.strip_prefix("http://").filter(|rest| {
        ["127.0.0.1", "[::1]", "localhost"].iter().any(|host| {
            rest.strip_prefix(host)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        })
    });
    let sound = rest.or(loopback).is_some_and(|rest| {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        !host.is_empty() && !host.starts_with(':')
    });
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '#' | '\\');
    if sound && is_plain(text) && !text.contains(odd) && text.len() <= TEXT_CHARS_MAX {
        return Some(text.to_owned());
    }
    // An address may hold a password, so it is not repeated.
    reader.fault(
        at,
        "expected an address that begins with `https://`, or `http://` on loopback, without user, password and fragment",
        "A token belongs in a secret: `token_secret: NAME`.",
    );
    None
}

/// A key of the other transport is a fault.
fn foreign(reader: &mut Reader, fields: &Fields<'_>, keys: &[&str], transport: &str) {
    for key in keys {
        if let Some(at) = fields.get(key)
            && !matches!(at.value(), Value::Null)
        {
            let message = format!("`{key}` has no meaning with the transport `{transport}`");
            reader.fault(&at, message, "Remove it, or change `transport`.");
        }
    }
}

/// A text that a program is started with: short enough, and nothing hidden in it. It may be a secret in the
/// wrong place, so the fault does not repeat it.
fn plain(reader: &mut Reader, at: &At<'_>, text: &str) -> Option<String> {
    if text.chars().count() <= TEXT_CHARS_MAX && is_plain(text) {
        return Some(text.to_owned());
    }
    let message = format!(
        "expected one line of at most {TEXT_CHARS_MAX} characters without hidden characters"
    );
    reader.fault(at, message, "");
    None
}

fn is_plain(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() || crate::text::is_hidden(c))
}
