//! `plugins.yml`: which plugins are called, in which order, within which limits.
//!
//! Must not: read a component, or lift a ceiling because a file asks for it.

use super::names::path_text;
use super::shape::{AnyValue, shape, words};
use super::tree::{At, Fields, Quoting, Reader, Version};
use super::value::Value;
use super::{
    ConfigFault, PLUGINS, PluginEntry, PluginKind, PluginLimits, PluginMode, PluginRuntime,
    PluginSignature,
};
use std::collections::{BTreeMap, HashSet};

/// Most plugins: each costs a call per command.
const PLUGINS_MAX: usize = 64;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Longest settings of one plugin as JSON, in bytes: they are handed to every call.
const SETTINGS_BYTES_MAX: usize = 65_536;
const MIB: u64 = 1_048_576;

/// Longest public key of minisign, in characters; the form has 56.
const PUBLIC_KEY_CHARS_MAX: usize = 100;

/// What the file may give where it says nothing else, for one runtime.
struct Defaults {
    validator_wall_ms: u64,
    redactor_wall_ms: u64,
    fuel: u64,
    memory_mib: u64,
    component_mib: u64,
}

/// Compiled languages: the fuel is some 40,000 plain verdicts.
const NATIVE: Defaults = Defaults {
    validator_wall_ms: 50,
    redactor_wall_ms: 250,
    fuel: 200_000_000,
    memory_mib: 32,
    component_mib: 8,
};
/// Guests that carry an interpreter, whose start alone takes milliseconds.
const INTERPRETER: Defaults = Defaults {
    validator_wall_ms: 1_000,
    redactor_wall_ms: 2_000,
    fuel: 5_000_000_000,
    memory_mib: 128,
    component_mib: 32,
};
/// Longest wall time that the file may give, in milliseconds.
const WALL_MS_MAX: u64 = 5_000;
/// Most fuel that the file may give.
const FUEL_MAX: u64 = 10_000_000_000;
/// Most memory that the file may give, in MiB.
const MEMORY_MIB_MAX: u64 = 256;

shape! {
    /// `plugins.yml`: WebAssembly components that can only tighten. They are called in the order of this file; a
    /// validator's objection refuses the command, a redactor's spans are masked in the output. A plugin that
    /// fails refuses, or withholds the output. Read at start and by SIGHUP, never because an agent asks.
    pub(super) struct Keys {
        required {
            /// The plugins, in the order in which they are called; at most 64.
            #[schemars(length(max = PLUGINS_MAX))]
            plugins: Vec<PluginKeys>,
        }
        optional {
            /// The version of this file's format.
            version: Version,
        }
    }
}

shape! {
    /// One plugin. Its bytes are pinned by `sha256` or by its entry in plugins.lock; only `dev: true` goes without.
    #[schemars(rename = "Plugin")]
    pub(super) struct PluginKeys {
        required {
            /// Its name in records and refusals; ASCII letters, digits, `-`, `_`, at most 64. Unique.
            #[schemars(regex(pattern = r"^\s*[A-Za-z0-9_-]{1,64}\s*$"))]
            name: String,
            /// What it is: a validator judges commands, a redactor finds spans to mask in output.
            kind: KindWord,
            /// The component beneath the plugins directory (PORTCULLIS_PLUGINS_DIR, else `plugins` inside or
            /// beside the configuration). Never with `..`, at most 500 characters.
            #[schemars(length(min = 1))]
            path: String,
        }
        optional {
            /// The component's SHA-256 as `portcullis plugin inspect FILE` prints it, 64 hex digits in quotes. A file
            /// with other bytes is not loaded. Default: the one in plugins.lock, which `portcullis plugin add` writes.
            #[schemars(regex(pattern = r"^\s*[0-9A-Fa-f]{64}\s*$"))]
            sha256: Option<String>,
            /// The file with the component's minisign signature, beneath the plugins directory. It stands with
            /// `public_key`, beside the pin and never in its place.
            #[schemars(length(min = 1))]
            signature: Option<String>,
            /// The author's public key of minisign, as one line of base64. A component without a signature of this
            /// key is not loaded.
            #[schemars(length(min = 1, max = PUBLIC_KEY_CHARS_MAX))]
            public_key: Option<String>,
            /// The file with test vectors, beneath the plugins directory. They are run whenever plugins are loaded;
            /// one that does not come out as it says keeps the earlier plugins in force.
            #[schemars(length(min = 1))]
            vectors: Option<String>,
            /// What the guest is: `native` for compiled languages, `interpreter` for JavaScript and Python, which
            /// has larger defaults and a larger ceiling for the component.
            #[schemars(extend("default" = "native"))]
            runtime: RuntimeWord,
            /// Goes without a pin, with a warning, while a plugin is being written.
            #[schemars(extend("default" = false))]
            dev: bool,
            /// Whether its word holds. `observe`: what it says is recorded and changes nothing; observe a new
            /// plugin for a day before you rely on it.
            #[schemars(extend("default" = "enforce"))]
            mode: ModeWord,
            /// `inert`: imports of wasi:cli, io, clocks and random get stand-ins without any power. `none`: they
            /// are a refusal. Files, sockets and http are always one.
            #[schemars(extend("default" = "inert"))]
            wasi: WasiWord,
            /// What a call may use. Raise one when the plugin is refused for it and its work is worth it.
            limits: Option<LimitKeys>,
            /// Whatever the plugin wants to know, handed to it as JSON; at most 65,536 bytes.
            #[schemars(extend("default" = {}))]
            settings: Option<AnyValue>,
        }
    }
}

shape! {
    /// The limits of one plugin; each has a ceiling that no file can lift.
    #[schemars(rename = "PluginLimits")]
    pub(super) struct LimitKeys {
        optional {
            /// Wall time of a call, in milliseconds. Default: 50 for a validator, 250 for a redactor; 1,000 and 2,000
            /// with `runtime: interpreter`.
            #[schemars(range(min = 1, max = WALL_MS_MAX))]
            wall_ms: u64,
            /// Work of a call, in the engine's units: the same on every machine, unlike time. Default: 200,000,000;
            /// 5,000,000,000 with `runtime: interpreter`.
            #[schemars(range(min = 1, max = FUEL_MAX))]
            fuel: u64,
            /// Memory, all of it together, in MiB. Default: 32; 128 with `runtime: interpreter`.
            #[schemars(range(min = 1, max = MEMORY_MIB_MAX))]
            memory_mib: u64,
            /// Size of the component, in MiB. Default and ceiling: 8; 32 with `runtime: interpreter`.
            #[schemars(range(min = 1, max = INTERPRETER.component_mib))]
            component_mib: u64,
        }
    }
}

words! { KindWord { Validator, Redactor } }
words! { ModeWord { Enforce, Observe } }
words! { WasiWord { Inert, None } }
words! { RuntimeWord { Native, Interpreter } }

/// What the lock says of one plugin.
pub(super) struct Pin {
    /// The component's file.
    pub(super) path: String,
    /// Its SHA-256.
    pub(super) sha256: String,
}

/// What was read, as far as it could be.
pub(super) struct Plugins {
    /// The plugins without a fault, in file order, which is the order of calls.
    pub(super) entries: Vec<PluginEntry>,
    /// What is wrong.
    pub(super) faults: Vec<ConfigFault>,
    /// What is legal and probably not meant.
    pub(super) warnings: Vec<ConfigFault>,
}

/// Reads the file. A file that does not exist has no plugins, unless some are pinned; one that exists and is empty is a
/// fault. A file cut short or lost must not take the validators away.
pub(super) fn read(text: Option<&str>, lock: &BTreeMap<String, Pin>) -> Plugins {
    let mut reader = Reader::new(PLUGINS, Quoting::Allowed);
    let mut entries = Vec::new();
    match text {
        None if lock.is_empty() => {}
        None => reader.fault_of_file(
            &format!(
                "the file does not exist, and plugins.lock pins {} plugins",
                lock.len()
            ),
            "Put it back; if there are to be no plugins, remove plugins.lock too.",
        ),
        Some(text) if super::yaml::is_empty(text) => reader.fault_of_file(
            "expected the key `plugins`, got an empty file",
            "Write `plugins: []`, or remove the file.",
        ),
        Some(text) => {
            if let Some(node) = reader.document(text) {
                let root = reader.root(&node);
                entries = document(&mut reader, &root, lock);
            }
        }
    }
    Plugins {
        entries,
        faults: reader.faults,
        warnings: reader.warnings,
    }
}

fn document(reader: &mut Reader, root: &At<'_>, lock: &BTreeMap<String, Pin>) -> Vec<PluginEntry> {
    let Some(fields) = reader.map(root, Keys::KEYS) else {
        return Vec::new();
    };
    reader.version(&fields);
    let list = reader.required_list(root, &fields, "plugins");
    if list.len() > PLUGINS_MAX {
        let message = format!("expected at most {PLUGINS_MAX} plugins, got {}", list.len());
        reader.fault(root, message, "");
        return Vec::new();
    }
    let mut names = HashSet::new();
    let mut entries = Vec::new();
    for at in &list {
        let Some(entry) = entry(reader, at, lock) else {
            continue;
        };
        if !names.insert(entry.name.clone()) {
            let message = format!("plugin \"{}\" is defined twice", entry.name);
            reader.fault(at, message, "");
        }
        entries.push(entry);
    }
    entries
}

fn entry(reader: &mut Reader, at: &At<'_>, lock: &BTreeMap<String, Pin>) -> Option<PluginEntry> {
    let fields = reader.map(at, PluginKeys::KEYS)?;
    let name = name(reader, at, &fields);
    let kind = kind(reader, at, &fields);
    let path = path(reader, at, &fields);
    let locked = name.as_ref().and_then(|name| lock.get(name));
    let sha256 = pin(reader, at, &fields, locked, path.as_deref());
    let signature = signature(reader, at, &fields);
    let vectors = match fields.some("vectors") {
        Some(at) => beneath(reader, &at).map(Some),
        None => Some(None),
    };
    let mode = match fields.get("mode") {
        Some(at) => mode(reader, &at),
        None => Some(PluginMode::Enforce),
    };
    let wasi_inert = match fields.get("wasi") {
        Some(at) => reader.word(&at, &[("inert", true), ("none", false)]),
        None => Some(true),
    };
    let runtime = runtime(reader, &fields);
    // The limits' defaults hang on kind and runtime; where those are broken the entry is not used anyway.
    let limits = limits(
        reader,
        &fields,
        kind.unwrap_or(PluginKind::Validator),
        runtime.unwrap_or(PluginRuntime::Interpreter),
    );
    let settings = match fields.some("settings") {
        Some(at) => settings(reader, &at),
        None => Some("{}".to_owned()),
    };
    Some(PluginEntry {
        name: name?,
        kind: kind?,
        path: path?,
        sha256: sha256?,
        signature: signature?,
        vectors: vectors?,
        mode: mode?,
        wasi_inert: wasi_inert?,
        runtime: runtime?,
        limits: limits?,
        settings: settings?,
    })
}

fn name(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>) -> Option<String> {
    let (at, text) = reader.required_text(at, fields, "name")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.len() <= NAME_CHARS_MAX && text.chars().all(allowed) {
        return Some(text.to_owned());
    }
    let what = format!("at most {NAME_CHARS_MAX} ASCII letters, digits, `-` and `_`");
    reader.expected(&at, &what, "");
    None
}

/// The word of a plugin's kind.
pub(super) fn kind(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>) -> Option<PluginKind> {
    let Some(at) = fields.get("kind") else {
        reader.missing(at, "kind");
        return None;
    };
    reader.word(
        &at,
        &[
            ("validator", PluginKind::Validator),
            ("redactor", PluginKind::Redactor),
        ],
    )
}

/// The word of a plugin's runtime.
pub(super) fn runtime(reader: &mut Reader, fields: &Fields<'_>) -> Option<PluginRuntime> {
    let words = [
        ("native", PluginRuntime::Native),
        ("interpreter", PluginRuntime::Interpreter),
    ];
    match fields.get("runtime") {
        Some(at) => reader.word(&at, &words),
        None => Some(PluginRuntime::Native),
    }
}

/// A signature's file and key: both or neither.
fn signature(
    reader: &mut Reader,
    at: &At<'_>,
    fields: &Fields<'_>,
) -> Option<Option<PluginSignature>> {
    match (fields.some("signature"), fields.some("public_key")) {
        (None, None) => Some(None),
        (Some(path_at), Some(key_at)) => {
            let path = beneath(reader, &path_at);
            let key = reader.text(&key_at)?.trim();
            let form = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
            if key.is_empty() || key.len() > PUBLIC_KEY_CHARS_MAX || !key.chars().all(form) {
                let hint = "It is the second line of the author's minisign.pub.";
                reader.expected(&key_at, "a public key of minisign", hint);
                return None;
            }
            Some(Some(PluginSignature {
                path: path?,
                public_key: key.to_owned(),
            }))
        }
        (Some(_), None) => {
            let hint = "Without the author's key a signature says nothing.";
            reader.fault(
                at,
                "expected `public_key` beside `signature`, got none",
                hint,
            );
            None
        }
        (None, Some(_)) => {
            let hint = "Name the .minisig file.";
            reader.fault(
                at,
                "expected `signature` beside `public_key`, got none",
                hint,
            );
            None
        }
    }
}

fn mode(reader: &mut Reader, at: &At<'_>) -> Option<PluginMode> {
    let words = [
        ("enforce", PluginMode::Enforce),
        ("observe", PluginMode::Observe),
    ];
    let mode = reader.word(at, &words)?;
    if mode == PluginMode::Observe {
        reader.warn(
            at,
            "the plugin is only observed: what it objects to runs, what it finds is shown",
            "",
        );
    }
    Some(mode)
}

fn path(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>) -> Option<String> {
    let (at, _) = reader.required_text(at, fields, "path")?;
    beneath(reader, &at)
}

/// The path of a file beneath the plugins directory.
fn beneath(reader: &mut Reader, at: &At<'_>) -> Option<String> {
    let text = reader.text(at)?.trim();
    if let Err(fault) = path_text(text) {
        reader.fault(at, fault.to_string(), "");
        return None;
    }
    if text.is_empty() || text.starts_with('/') {
        reader.expected(at, "a path beneath the plugins directory", "");
        return None;
    }
    Some(text.to_owned())
}

/// A SHA-256 as it is written in a file.
pub(super) fn sha256(reader: &mut Reader, at: &At<'_>) -> Option<String> {
    let text = reader.text(at)?.trim();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    reader.expected(at, "a SHA-256 as 64 hex digits", "Put it in quotes.");
    None
}

/// The pin: `Some(None)` only for a plugin that says `dev: true`.
fn pin(
    reader: &mut Reader,
    at: &At<'_>,
    fields: &Fields<'_>,
    locked: Option<&Pin>,
    path: Option<&str>,
) -> Option<Option<String>> {
    let dev = match fields.get("dev") {
        Some(at) => reader.boolean(&at)?,
        None => false,
    };
    match (fields.some("sha256"), dev, locked) {
        (Some(at), false, locked) => {
            let given = sha256(reader, &at)?;
            if locked.is_some_and(|locked| locked.sha256 != given) {
                let hint =
                    "Remove one of them, or write the lock anew with `portcullis plugin add`.";
                reader.fault(&at, "plugins.lock pins other bytes for this plugin", hint);
                return None;
            }
            Some(Some(given))
        }
        (Some(at), true, _) => {
            let message = "expected either `sha256` or `dev: true`, got both";
            reader.fault(&at, message, "Remove `dev`.");
            None
        }
        (None, true, _) => {
            reader.warn(
                at,
                "the plugin is not pinned: whoever can write its file decides what it says",
                "Replace `dev: true` by `sha256: …` before anybody relies on it.",
            );
            Some(None)
        }
        (None, false, Some(locked)) => {
            if path.is_some_and(|path| path != locked.path) {
                let hint = "Write the lock anew with `portcullis plugin add`.";
                reader.fault(at, "plugins.lock pins another file for this plugin", hint);
                return None;
            }
            Some(Some(locked.sha256.clone()))
        }
        (None, false, None) => {
            reader.fault(
                at,
                "expected the key `sha256`, got none",
                "`portcullis plugin add FILE` writes it to plugins.lock, `portcullis plugin inspect FILE` prints it; `dev: true` goes without, while you write the plugin.",
            );
            None
        }
    }
}

/// The limits of an entry, or of test vectors.
pub(super) fn limits(
    reader: &mut Reader,
    fields: &Fields<'_>,
    kind: PluginKind,
    runtime: PluginRuntime,
) -> Option<PluginLimits> {
    let defaults = match runtime {
        PluginRuntime::Native => NATIVE,
        PluginRuntime::Interpreter => INTERPRETER,
    };
    let wall_ms = match kind {
        PluginKind::Validator => defaults.validator_wall_ms,
        PluginKind::Redactor => defaults.redactor_wall_ms,
    };
    let given = match fields.some("limits") {
        Some(at) => Some(reader.map(&at, LimitKeys::KEYS)?),
        None => None,
    };
    let mut number =
        |key: &str, default: u64, max: u64| match given.as_ref().and_then(|given| given.get(key)) {
            Some(at) => reader.number(&at, 1, max),
            None => Some(default),
        };
    let wall_ms = number("wall_ms", wall_ms, WALL_MS_MAX);
    let fuel = number("fuel", defaults.fuel, FUEL_MAX);
    let memory_mib = number("memory_mib", defaults.memory_mib, MEMORY_MIB_MAX);
    let component_mib = number(
        "component_mib",
        defaults.component_mib,
        defaults.component_mib,
    );
    Some(PluginLimits {
        wall_ms: wall_ms?,
        fuel: fuel?,
        memory_bytes: usize::try_from(memory_mib? * MIB).ok()?,
        component_bytes: component_mib? * MIB,
    })
}

/// Settings as JSON.
pub(super) fn settings(reader: &mut Reader, at: &At<'_>) -> Option<String> {
    let Some(json) = json(at.value()) else {
        reader.fault(
            at,
            "expected values that JSON knows, got a number that it does not",
            "",
        );
        return None;
    };
    let text = json.to_string();
    if text.len() > SETTINGS_BYTES_MAX {
        let message = format!(
            "expected at most {SETTINGS_BYTES_MAX} bytes of settings, got {}",
            text.len()
        );
        reader.fault(at, message, "");
        return None;
    }
    Some(text)
}

/// A YAML value as JSON; `None` for a number that JSON cannot hold. The depth is bounded by the parser.
fn json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
            (Ok(value), _) => value.into(),
            (_, Ok(value)) => value.into(),
            (Err(_), Err(_)) => return None,
        },
        Value::Float(value) => serde_json::Number::from_f64(*value)?.into(),
        Value::Text(value) => value.as_str().into(),
        Value::List(members) => members
            .iter()
            .map(|member| json(&member.value))
            .collect::<Option<Vec<_>>>()?
            .into(),
        Value::Map(entries) => {
            let mut map = serde_json::Map::new();
            for (key, member) in entries {
                map.insert(key.value.clone(), json(&member.value)?);
            }
            map.into()
        }
    })
}
