//! `servers.yml`: the hosts that exist.
//!
//! Must not: look a name up, or know credentials other than by name.

use super::shape::shape;
use super::tree::{At, Quoting, Reader, Refused, Version};
use super::value::Value;
use super::{ConfigFault, SERVERS};
use crate::inventory::{self, Host, HostKeyPin, LoginShell, Watchdog};
use crate::request::{Alias, Tag};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The SSH port where none is given.
const PORT_DEFAULT: u16 = 22;
/// Longest DNS name, in characters.
const HOST_CHARS_MAX: usize = 253;
/// Most keys that one host may be pinned to.
const PINS_MAX: usize = 8;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 1_000;

shape! {
    /// `servers.yml`: the hosts that exist. What does not stand here cannot be named by anybody. Read again by
    /// SIGHUP, `ssh_reload_config` and the poll of portcullis.yml; a file with a fault changes nothing.
    pub(super) struct Keys {
        required {
            /// The hosts, in the order in which they are listed.
            hosts: Vec<HostKeys>,
        }
        optional {
            /// The version of this file's format.
            version: Version,
        }
    }
}

shape! {
    /// One host.
    #[schemars(rename = "Host")]
    pub(super) struct HostKeys {
        required {
            /// The name that agents use; ASCII letters, digits, `.`, `_`, `-`, at most 100. Unique.
            #[schemars(regex(pattern = r"^\s*[A-Za-z0-9._-]{1,100}\s*$"))]
            alias: String,
            /// DNS name or address. A name is resolved once for each run, and the address is then held against
            /// `network` in policy.yml.
            #[schemars(regex(pattern = r"^\s*[A-Za-z0-9._:%][A-Za-z0-9._:%-]{0,252}\s*$"))]
            host: String,
        }
        optional {
            /// SSH port; a number, or one in quotes.
            #[schemars(extend("default" = PORT_DEFAULT))]
            port: Port,
            /// The entry of credentials.yml to log in with. Default: none; such a host can be described, not used.
            credentials: Option<String>,
            /// What rules, limits and tag runs select by; the characters of an alias, at most 50 each. Default: none.
            tags: Option<Vec<TagText>>,
            /// What it is, for people; agents see it too. At most 1,000 characters. Default: empty.
            description: Option<String>,
            /// The login shell on the host. It reads what is sent, so one that does not read quotes and operators as
            /// POSIX says refuses every command. Default: a POSIX shell.
            #[schemars(extend("examples" = LoginShell::POSIX))]
            shell: Option<String>,
            /// The keys that the host has to show, as `ssh-keygen -l` writes them: `SHA256:…`, or with the type before it
            /// (`ssh-ed25519 SHA256:…`), which is then the only type that is asked for. One, or a list of at most eight
            /// (two while a key is exchanged). They stand for what known_hosts says of the host; what it revokes stays
            /// revoked. Default: known_hosts decides.
            host_key: HostKeyPins,
            /// The hosts that lead to it, as aliases of this file, the one that is reached first before the others; at most
            /// four with those that lead to the first. The gate logs into each with its own credentials, under its own
            /// host key and its own address lists. Default: none, the host is dialled directly.
            jump: Vec<AliasText>,
            /// What ends a command when its time is up. `always`: a watchdog beside each command, which acts also when the
            /// gate has died or the network is gone; it costs about three milliseconds. `probed`: the same, but where the
            /// gate has found on a connection that signals reach a whole process group, its later commands there run
            /// without one, and the gate ends them by signals. The gate asks by a harmless command of its own. Choose
            /// `always` where a command must not outlive the gate.
            #[schemars(extend("default" = "probed", "enum" = Watchdog::WORDS))]
            watchdog: Option<String>,
        }
    }
}

/// An alias.
#[derive(JsonSchema)]
#[schemars(inline)]
struct AliasText(
    #[schemars(regex(pattern = r"^\s*[A-Za-z0-9._-]{1,100}\s*$"))]
    #[allow(dead_code, reason = "it is described, never built")]
    String,
);

/// A tag.
#[derive(JsonSchema)]
#[schemars(inline)]
struct TagText(
    #[schemars(regex(pattern = r"^\s*[A-Za-z0-9._-]{1,50}\s*$"))]
    #[allow(dead_code, reason = "it is described, never built")]
    String,
);

/// A port.
struct Port;

impl JsonSchema for Port {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": u16::MAX},
                {"type": "string", "pattern": r"^\s*[0-9]+\s*$"},
            ],
        })
    }
}

/// The pins of a host's keys.
struct HostKeyPins;

impl JsonSchema for HostKeyPins {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HostKeyPins".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds = HostKeyPin::KINDS.join("|");
        let pin = format!("^\\s*(({kinds}) )?SHA256:[A-Za-z0-9+/]{{43}}\\s*$");
        json_schema!({
            "anyOf": [
                {"type": "string", "pattern": pin},
                {"type": "array", "items": {"type": "string", "pattern": pin}, "minItems": 1, "maxItems": PINS_MAX},
            ],
        })
    }
}

/// What this version does not do; each would be missed, so each is named.
const REFUSED: [Refused; 3] = [
    Refused {
        key: "proxy_jump",
        message: "the hosts on the way stand under `jump`",
        hint: "Give each an entry of its own and write `jump: [ALIAS, …]`.",
    },
    Refused {
        key: "user",
        message: "a host has no user of its own",
        hint: "Write `username` in an entry of credentials.yml and name that entry here.",
    },
    Refused {
        key: "hostname",
        message: "the name or address stands under `host`",
        hint: "Write `host: …`.",
    },
];

/// What was read, as far as it could be.
pub(super) struct Servers {
    /// The hosts without a fault, in file order.
    pub(super) hosts: Vec<Host>,
    /// What is wrong.
    pub(super) faults: Vec<ConfigFault>,
    /// What is legal and probably not meant.
    pub(super) warnings: Vec<ConfigFault>,
}

/// Reads the file. `credentials` are the names that exist; `None` where they are not known.
pub(super) fn read(text: &str, credentials: Option<&HashSet<String>>) -> Servers {
    let mut reader = Reader::new(SERVERS, Quoting::Allowed);
    let mut hosts = Vec::new();
    if super::yaml::is_empty(text) {
        reader.fault_of_file(
            "expected the key `hosts`, got an empty file",
            "Write `hosts: []` for an inventory without hosts.",
        );
    } else if let Some(node) = reader.document(text) {
        let root = reader.root(&node);
        hosts = document(&mut reader, &root, credentials);
    }
    Servers {
        hosts,
        faults: reader.faults,
        warnings: reader.warnings,
    }
}

/// What stands for a file that does not exist: without hosts there is nothing to serve.
pub(super) fn missing() -> Servers {
    let mut reader = Reader::new(SERVERS, Quoting::Allowed);
    reader.fault_of_file(
        "the file does not exist",
        "It lists the hosts; begin with the sample servers.yml.",
    );
    Servers {
        hosts: Vec::new(),
        faults: reader.faults,
        warnings: Vec::new(),
    }
}

fn document(
    reader: &mut Reader,
    root: &At<'_>,
    credentials: Option<&HashSet<String>>,
) -> Vec<Host> {
    let Some(fields) = reader.map(root, Keys::KEYS) else {
        return Vec::new();
    };
    reader.version(&fields);
    let entries = reader.required_list(root, &fields, "hosts");
    if entries.is_empty() && reader.faults.is_empty() {
        reader.warn(root, "the inventory has no hosts", "");
    }
    let mut aliases = HashSet::new();
    let mut hosts = Vec::new();
    let mut places = Vec::new();
    for at in &entries {
        let Some(host) = entry(reader, at, credentials) else {
            continue;
        };
        if !aliases.insert(host.alias.clone()) {
            let message = format!("alias \"{}\" is defined twice", host.alias);
            reader.fault(at, message, "Give each host an alias of its own.");
        }
        hosts.push(host);
        places.push(at);
    }
    if hosts.len() == entries.len() {
        ways(reader, &hosts, &places);
    }
    hosts
}

/// Whether each host's `jump` leads to it, over hosts that can be logged into.
fn ways(reader: &mut Reader, hosts: &[Host], places: &[&At<'_>]) {
    let by_alias: HashMap<&str, &Host> = hosts
        .iter()
        .map(|host| (host.alias.as_str(), host))
        .collect();
    let find = |alias: &Alias| by_alias.get(alias.as_str()).copied();
    for (host, at) in hosts.iter().zip(places) {
        match inventory::way(host, find) {
            Ok(hops) => {
                for hop in hops.iter().filter(|hop| hop.credentials.is_none()) {
                    let message = format!(
                        "`jump` leads over \"{}\", which names no credentials",
                        hop.alias
                    );
                    reader.fault(at, message, "Add `credentials: NAME` to that host.");
                }
            }
            Err(fault) => reader.fault(
                at,
                fault.to_string(),
                "List aliases of this file, the one reached first before the others.",
            ),
        }
    }
}

/// One host. Every field is read, so that one pass names all that is wrong.
fn entry(reader: &mut Reader, at: &At<'_>, known: Option<&HashSet<String>>) -> Option<Host> {
    let fields = reader.map_but(at, HostKeys::KEYS, &REFUSED)?;
    let alias = reader
        .required_text(at, &fields, "alias")
        .and_then(|(at, text)| {
            Alias::parse(text)
                .map_err(|fault| reader.fault(&at, fault.to_string(), ""))
                .ok()
        });
    let host = reader
        .required_text(at, &fields, "host")
        .and_then(|(at, text)| address(reader, &at, text));
    let port = match fields.get("port") {
        Some(at) => port(reader, &at),
        None => Some(PORT_DEFAULT),
    };
    let credentials = reader.optional_text(&fields, "credentials");
    match &credentials {
        Some((at, name)) if known.is_some_and(|known| !known.contains(*name)) => {
            let got = reader.got(at);
            let message = format!("expected the name of an entry of credentials.yml, got {got}");
            reader.fault(at, message, "");
        }
        Some(_) => {}
        None => reader.warn(
            at,
            "the host names no credentials, so nothing can be run on it",
            "Add `credentials: NAME`.",
        ),
    }
    let tags = match fields.some("tags") {
        Some(at) => tags(reader, &at),
        None => Vec::new(),
    };
    let description = reader.optional_text(&fields, "description");
    if let Some((at, text)) = &description
        && text.chars().count() > DESCRIPTION_CHARS_MAX
    {
        let message = format!("expected at most {DESCRIPTION_CHARS_MAX} characters");
        reader.fault(at, message, "");
    }
    let shell = match reader.optional_text(&fields, "shell") {
        Some((at, name)) => shell(reader, &at, name),
        None => LoginShell::default(),
    };
    let host_keys = match fields.get("host_key") {
        Some(at) => pins(reader, &at),
        None => Vec::new(),
    };
    let jump = match fields.get("jump") {
        Some(at) => jump(reader, &at),
        None => Vec::new(),
    };
    let watchdog = match reader.optional_text(&fields, "watchdog") {
        Some((at, word)) => Watchdog::named(word).unwrap_or_else(|| {
            reader.expected(&at, "`probed` or `always`", "");
            Watchdog::Always
        }),
        None => Watchdog::default(),
    };
    Some(Host {
        alias: alias?,
        host: host?,
        port: port?,
        credentials: credentials.map(|(_, name)| name.to_owned()),
        tags,
        description: description.map_or_else(String::new, |(_, text)| text.to_owned()),
        shell,
        host_keys,
        jump,
        watchdog,
    })
}

fn jump(reader: &mut Reader, at: &At<'_>) -> Vec<Alias> {
    let mut jump = Vec::new();
    for at in reader.list(at).unwrap_or_default() {
        let Some(text) = reader.text(&at) else {
            continue;
        };
        match Alias::parse(text) {
            Ok(alias) => jump.push(alias),
            Err(fault) => reader.fault(&at, fault.to_string(), ""),
        }
    }
    jump
}

/// The pins of a host's keys, one or a list. One that cannot be read is a fault: left out, it would leave the host to
/// known_hosts.
fn pins(reader: &mut Reader, at: &At<'_>) -> Vec<HostKeyPin> {
    let entries = match at.value() {
        Value::Text(_) => vec![at.clone()],
        _ => reader.list(at).unwrap_or_default(),
    };
    if entries.is_empty() || entries.len() > PINS_MAX {
        reader.expected(at, &format!("1 to {PINS_MAX} fingerprints"), "");
    }
    let mut pins = Vec::new();
    for at in &entries {
        let Some(text) = reader.text(at) else {
            continue;
        };
        match HostKeyPin::parse(text) {
            Some(pin) => pins.push(pin),
            None => reader.expected(
                at,
                "a fingerprint such as SHA256:…, with or without a type before it",
                "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host prints it.",
            ),
        }
    }
    pins
}

/// The login shell. A known one that reads commands in another way is kept, and refused with each
/// command, so that the other hosts can be used.
fn shell(reader: &mut Reader, at: &At<'_>, name: &str) -> LoginShell {
    if let Some(shell) = LoginShell::named(name) {
        if let LoginShell::Other(name) = shell {
            let message = format!("nothing can be run on this host: {name} is not a POSIX shell");
            reader.warn(at, message, "Give the login a POSIX shell.");
        }
        return shell;
    }
    let known = LoginShell::POSIX.join(", ");
    reader.expected(at, &format!("the name of a shell: {known}"), "");
    LoginShell::default()
}

/// A DNS name or an address. What else stands there would be handed to a resolver or a log as it is.
fn address(reader: &mut Reader, at: &At<'_>, text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if text.len() <= HOST_CHARS_MAX && text.chars().all(allowed) && !text.starts_with('-') {
        return Some(text.to_owned());
    }
    reader.expected(
        at,
        &format!("a DNS name or an address of at most {HOST_CHARS_MAX} characters"),
        "",
    );
    None
}

/// A port as a number or as numeric text, which the seed system's files hold too.
fn port(reader: &mut Reader, at: &At<'_>) -> Option<u16> {
    let number = match at.value() {
        Value::Int(number) => u16::try_from(*number).ok(),
        Value::Text(text) if text.trim().bytes().all(|byte| byte.is_ascii_digit()) => {
            text.trim().parse().ok()
        }
        Value::Text(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Map(_) => None,
    };
    let number = number.filter(|number| *number > 0);
    if number.is_none() {
        reader.expected(at, "a port from 1 to 65535", "");
    }
    number
}

fn tags(reader: &mut Reader, at: &At<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for at in reader.list(at).unwrap_or_default() {
        let Some(text) = reader.text(&at) else {
            continue;
        };
        match Tag::parse(text) {
            Ok(tag) if tags.iter().any(|known| known == tag.as_str()) => {
                reader.warn(&at, "the tag stands twice", "");
            }
            Ok(tag) => tags.push(tag.as_str().to_owned()),
            Err(fault) => reader.fault(&at, fault.to_string(), ""),
        }
    }
    tags
}
