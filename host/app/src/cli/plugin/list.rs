//! `portcullis plugin list`: which plugins are configured, and how each stands.

use super::{kind_word, mode_word};
use crate::cli::console::{self, Colour};
use crate::cli::{Exit, Format, Places, session};
use crate::events::Events;
use crate::files::Dirs;
use crate::plugins::SIGNATURE_BYTES_MAX;
use clap::Args;
use portcullis_core::config::{
    self, ConfigFault, Occasion, PLUGINS, PLUGINS_LOCK, PluginEntry, PluginRuntime, Snapshot,
    Sources,
};
use portcullis_plugin::{check, check_signature};
use serde_json::{Value, json};

/// List the configured plugins in the order in which they are called: what each is, whether its bytes are those that are
/// pinned and whose they are, and what stands behind its imports. Nothing is compiled. Exit 5 where one would not be loaded.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// One plugin and how it stands.
struct Row {
    entry: PluginEntry,
    bytes: usize,
    sha256: String,
    standing: Result<&'static str, (String, String)>,
}

pub(super) fn main(places: &Places, verb: &List) -> Exit {
    match run(places, verb) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run(places: &Places, verb: &List) -> Result<Exit, Exit> {
    let dirs = session::dirs(places, &session::watch(Events::Silent))?;
    let (plugins, lock) = texts(&dirs)?;
    let snapshot = read(plugins, lock).map_err(|faults| say(&faults))?;
    let rows: Vec<Row> = snapshot
        .plugins
        .into_iter()
        .map(|entry| row(&dirs, entry))
        .collect();
    let broken = rows.iter().any(|row| row.standing.is_err());
    let exit = if broken { Exit::Plugin } else { Exit::Ok };
    let text = match verb.format {
        Format::Json => json!({
            "ok": !broken,
            "plugins": rows.iter().map(value).collect::<Vec<_>>(),
        })
        .to_string(),
        Format::Human if rows.is_empty() => {
            "no plugins; `portcullis plugin add FILE` adds one".to_owned()
        }
        Format::Human => rows.iter().map(human).collect::<Vec<_>>().join("\n"),
    };
    Ok(console::written(console::line(&text), exit))
}

/// The texts of plugins.yml and plugins.lock.
pub(super) fn texts(dirs: &Dirs) -> Result<(Option<String>, Option<String>), Exit> {
    let read = |name| {
        dirs.config_file(name).map_err(|fault| {
            console::fault(&fault.to_string(), fault.hint());
            Exit::Config
        })
    };
    Ok((read(PLUGINS)?, read(PLUGINS_LOCK)?))
}

/// What they say, without a look at any other file.
pub(super) fn read(
    plugins: Option<String>,
    lock: Option<String>,
) -> Result<Snapshot, Vec<ConfigFault>> {
    let sources = Sources {
        servers: Some("hosts: []".to_owned()),
        plugins,
        plugins_lock: lock,
        ..Sources::default()
    };
    config::load(&sources, Occasion::Start)
}

/// Says faults of the files.
pub(super) fn say(faults: &[ConfigFault]) -> Exit {
    for fault in faults {
        console::fault(&fault.to_string(), &fault.hint);
    }
    Exit::Config
}

fn row(dirs: &Dirs, entry: PluginEntry) -> Row {
    let bytes = match dirs.plugin(&entry.path, entry.limits.component_bytes) {
        Ok(bytes) => bytes,
        Err(fault) => {
            let standing = Err((fault.to_string(), fault.hint().to_owned()));
            return Row {
                entry,
                bytes: 0,
                sha256: String::new(),
                standing,
            };
        }
    };
    let signed = entry.signature.as_ref().map(|signature| {
        let text = dirs.plugin(&signature.path, SIGNATURE_BYTES_MAX).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    });
    let checked = check(&entry, &bytes).and_then(|inspection| {
        check_signature(&entry, signed.flatten().as_deref(), &bytes)?;
        super::whole(&bytes)?;
        Ok(inspection)
    });
    let standing = match checked {
        Ok(inspection) => Ok(super::inspect::standing(inspection.standing)),
        Err(fault) => Err((
            format!("{} ({})", fault.detail, fault.cause.as_str()),
            fault.hint,
        )),
    };
    Row {
        sha256: portcullis_core::request::sha256_hex(&bytes),
        bytes: bytes.len(),
        entry,
        standing,
    }
}

fn runtime_word(runtime: PluginRuntime) -> &'static str {
    match runtime {
        PluginRuntime::Native => "native",
        PluginRuntime::Interpreter => "interpreter",
    }
}

fn value(row: &Row) -> Value {
    let entry = &row.entry;
    json!({
        "name": entry.name,
        "kind": kind_word(entry.kind),
        "mode": mode_word(entry.mode),
        "runtime": runtime_word(entry.runtime),
        "path": entry.path,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "pinned": entry.sha256.is_some(),
        "signed": entry.signature.is_some(),
        "vectors": entry.vectors,
        "limits": {
            "wall_ms": entry.limits.wall_ms,
            "fuel": entry.limits.fuel,
            "memory_bytes": entry.limits.memory_bytes,
        },
        "standing": row.standing.as_ref().ok(),
        "fault": row.standing.as_ref().err().map(|(fault, _)| fault),
        "hint": row.standing.as_ref().err().map(|(_, hint)| hint),
    })
}

fn human(row: &Row) -> String {
    let entry = &row.entry;
    let pinned = match entry.sha256 {
        Some(_) => "pinned",
        None => "NOT pinned",
    };
    let signed = match entry.signature {
        Some(_) => ", signature asked for",
        None => "",
    };
    let mut text = format!(
        "{}  {}, {}, {pinned}{signed}\n  {}  {} bytes, {} ms, {} fuel, {} MiB",
        console::paint(&entry.name, Colour::Bold),
        kind_word(entry.kind),
        mode_word(entry.mode),
        entry.path,
        row.bytes,
        entry.limits.wall_ms,
        entry.limits.fuel,
        entry.limits.memory_bytes / 1_048_576,
    );
    match &row.standing {
        Ok(standing) => text.push_str(&format!("\n  {standing}")),
        Err((fault, hint)) => {
            text.push_str(&format!("\n  {}", console::paint(fault, Colour::Red)));
            text.push_str(&format!("\n  hint: {hint}"));
        }
    }
    text
}
