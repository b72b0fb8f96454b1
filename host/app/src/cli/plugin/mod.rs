//! `portcullis plugin`: for those who write plugins and those who put them into force.
//!
//! Everything that runs a plugin here runs it on the production engine, compiled in the same way and within the
//! same limits as `serve` does.

mod add;
mod bench;
mod build;
mod inspect;
mod list;
mod new;
mod reload;
mod replay;
mod replay_text;
mod test;

use super::console;
use super::{Exit, Places};
use crate::files::Dirs;
use crate::plugins::{VECTORS_BYTES_MAX, Workshop, child};
use clap::Subcommand;
use portcullis_core::config::{self, ConfigFault, PluginEntry, PluginKind, PluginMode, Vectors};
use portcullis_plugin::{Inspection, LoadFault, Plugins, inspect};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file that is looked at, in bytes.
const FILE_BYTES_MAX: u64 = 67_108_864;
/// What vectors are called where nobody says otherwise.
const VECTORS: &str = "vectors.yaml";

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    New(new::New),
    Build(build::Build),
    Inspect(inspect::Inspect),
    Test(test::Test),
    Bench(bench::Bench),
    Replay(replay::Replay),
    Add(add::Add),
    List(list::List),
    Reload(reload::Reload),
}

pub(super) fn main(places: &Places, verb: &Plugin) -> Exit {
    match verb {
        Plugin::New(verb) => new::main(verb),
        Plugin::Build(verb) => build::main(verb),
        Plugin::Inspect(verb) => inspect::main(verb),
        Plugin::Test(verb) => test::main(places, verb),
        Plugin::Bench(verb) => bench::main(places, verb),
        Plugin::Replay(verb) => replay::main(places, verb),
        Plugin::Add(verb) => add::main(places, verb),
        Plugin::List(verb) => list::main(places, verb),
        Plugin::Reload(verb) => reload::main(places, verb),
    }
}

/// Reads a file that was named on the command line, within a bound.
fn file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Exit> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| {
        file.take(bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)
    });
    let fault = match read {
        Err(error) => format!("{}: {error}", path.display()),
        Ok(_) if bytes.len() as u64 > bytes_max => {
            format!("{}: more than {bytes_max} bytes", path.display())
        }
        Ok(_) => return Ok(bytes),
    };
    console::fault(&fault, "");
    Err(Exit::Usage)
}

/// Reads a component.
fn component(path: &Path) -> Result<Vec<u8>, Exit> {
    file(path, FILE_BYTES_MAX)
}

/// What a component is, once a process under limits has found it valid.
fn inspected(bytes: &[u8]) -> Result<Inspection, Exit> {
    inspect(bytes)
        .and_then(|inspection| whole(bytes).map(|()| inspection))
        .map_err(|fault| {
            console::fault(&fault.detail, &fault.hint);
            Exit::Plugin
        })
}

/// Whether a component is valid, functions and all.
fn whole(bytes: &[u8]) -> Result<(), LoadFault> {
    child::validate(bytes).map_err(|fault| LoadFault::of_compiler(&fault))
}

/// Reads test vectors.
fn vectors(path: &Path) -> Result<Vectors, Exit> {
    vectors_in(path, &file(path, VECTORS_BYTES_MAX)?)
}

/// Test vectors in the text of a file.
fn vectors_in(path: &Path, text: &[u8]) -> Result<Vectors, Exit> {
    config::vectors(&String::from_utf8_lossy(text)).map_err(|faults| {
        for fault in &faults {
            console::fault(&in_file(path, fault), &fault.hint);
        }
        Exit::Usage
    })
}

/// A fault of a file that is called otherwise than the fault believes.
fn in_file(path: &Path, fault: &ConfigFault) -> String {
    let place = match fault.path.as_str() {
        "" => String::new(),
        place => format!("{place}: "),
    };
    format!(
        "{}:{}:{}: {place}{}",
        path.display(),
        fault.line,
        fault.column,
        fault.message
    )
}

/// The component that belongs to vectors: the one that was named, or the only one beside them.
fn component_beside(named: Option<&Path>, vectors: &Path) -> Result<PathBuf, Exit> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let folder = match vectors.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|it| it == "wasm"))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => {
            let text = format!(
                "expected a component beside {}, got none",
                vectors.display()
            );
            console::fault(
                &text,
                "`portcullis plugin build` makes it, --component names another.",
            );
            Err(Exit::Usage)
        }
        (Some(_), false) => {
            let text = format!("more than one component lies beside {}", vectors.display());
            console::fault(&text, "Name one with --component.");
            Err(Exit::Usage)
        }
    }
}

/// What a component is called where nobody says otherwise: its file without the ending, in the characters of a name.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy());
    let name: String = stem
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(64)
        .collect();
    if name.is_empty() {
        "plugin".to_owned()
    } else {
        name
    }
}

/// Loads one component by the limits of its vectors, as `serve` would.
fn load(places: &Places, path: &Path, vectors: &Vectors) -> Result<(String, Plugins), Exit> {
    let bytes = component(path)?;
    let name = name_of(path);
    let entry = PluginEntry {
        name: name.clone(),
        kind: vectors.kind,
        path: String::new(),
        sha256: None,
        signature: None,
        vectors: None,
        mode: PluginMode::Enforce,
        wasi_inert: true,
        runtime: vectors.runtime,
        limits: vectors.limits,
        settings: vectors.settings.clone(),
    };
    // An author need not have a configuration; where there is one, machine code is kept.
    let named = |name: &str| std::env::var_os(name);
    let dirs = Dirs::open(places.config.as_deref(), places.state.as_deref(), &named);
    let workshop = match &dirs {
        Ok(dirs) => Workshop::open(dirs),
        Err(_) => Workshop::forgetful(),
    };
    Plugins::load(vec![(entry, bytes).into()], &workshop, None)
        .map(|plugins| (name, plugins))
        .map_err(|faults| {
            for fault in faults {
                console::fault(&format!("{fault} ({})", fault.cause.as_str()), &fault.hint);
            }
            Exit::Plugin
        })
}

/// The word of a kind.
fn kind_word(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Validator => "validator",
        PluginKind::Redactor => "redactor",
    }
}

/// The word of a mode.
fn mode_word(mode: PluginMode) -> &'static str {
    match mode {
        PluginMode::Enforce => "enforce",
        PluginMode::Observe => "observe",
    }
}
