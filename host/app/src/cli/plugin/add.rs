//! `portcullis plugin add`: a component comes into the plugins directory, its digest into plugins.lock, its entry into
//! plugins.yml. Running servers take it with `plugin reload`.
//!
//! Must not: change anything where the component does not pass what `serve` would ask of it, or where the file that
//! would be written does not say exactly what it said before and the new plugin.

use super::list::{read, say, texts};
use super::{kind_word, name_of, vectors_in};
use crate::cli::console;
use crate::cli::{Exit, Format, Places, session};
use crate::events::Events;
use crate::plugins::{SIGNATURE_BYTES_MAX, VECTORS_BYTES_MAX, Workshop};
use clap::{Args, ValueEnum};
use portcullis_core::config::{
    PLUGINS, PLUGINS_LOCK, PluginEntry, PluginKind, PluginMode, PluginRuntime, Snapshot, locked,
};
use portcullis_core::request::sha256_hex;
use portcullis_plugin::{Artifact, Plugins, inspect};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Larger components carry an interpreter.
const NATIVE_BYTES_MAX: usize = 8_388_608;

/// Whether a plugin's word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// It does.
    Enforce,
    /// What it says is recorded and changes nothing.
    Observe,
}

/// Put a component into force: it is checked, compiled and tested as `serve` would, copied into the plugins directory,
/// pinned in plugins.lock, and entered in plugins.yml. The bytes of a plugin that is there already are replaced.
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The component.
    file: PathBuf,
    /// Its name. Default: its file's.
    #[arg(long)]
    name: Option<String>,
    /// Its test vectors; they are run now and at every load.
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    /// Its settings, as JSON. Default: those of the vectors.
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// Its author's public key of minisign. A new plugin is entered with it: from then on the gate loads no bytes under that
    /// name without a signature of this key. For a plugin that is there, it has to be the key that plugins.yml names.
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    /// The signature. Default, where a key is named: the component's file with .minisig behind its name.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Whether its word holds; of a plugin that is there already plugins.yml says so. Default: enforce.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Add) -> Exit {
    match run(places, verb) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn usage(text: &str, hint: &str) -> Exit {
    console::fault(text, hint);
    Exit::Usage
}

fn run(places: &Places, verb: &Add) -> Result<Exit, Exit> {
    let dirs = session::dirs(places, &session::watch(Events::Silent))?;
    let (present, lock) = texts(&dirs)?;
    let before = read(present.clone(), lock.clone()).map_err(|faults| say(&faults))?;
    let bytes = super::component(&verb.file)?;
    let inspection = inspect(&bytes).map_err(|fault| {
        console::fault(&fault.detail, &fault.hint);
        Exit::Plugin
    })?;
    // Read once, so that what is tested is what is stored.
    let text = match &verb.vectors {
        Some(path) => Some(super::file(path, VECTORS_BYTES_MAX)?),
        None => None,
    };
    let tests = match verb.vectors.as_deref().zip(text.as_deref()) {
        Some((path, text)) => Some(vectors_in(path, text)?),
        None => None,
    };
    let name = verb.name.clone().unwrap_or_else(|| name_of(&verb.file));
    let kind = match (&tests, inspection.kinds.as_slice()) {
        (Some(tests), _) => tests.kind,
        (None, [only]) => *only,
        (None, _) => {
            let text = "the component is no plugin, or validator and redactor at once";
            return Err(usage(text, "Test vectors say which: --vectors FILE."));
        }
    };
    let runtime = match &tests {
        Some(tests) => tests.runtime,
        None if bytes.len() > NATIVE_BYTES_MAX => PluginRuntime::Interpreter,
        None => PluginRuntime::Native,
    };
    let settings = settings(verb, tests.as_ref().map(|tests| tests.settings.as_str()))?;
    let file = format!("{name}.wasm");
    let tested = verb
        .vectors
        .is_some()
        .then(|| format!("{name}.vectors.yaml"));
    let digest = sha256_hex(&bytes);
    let known = before.plugins.iter().find(|entry| entry.name == name);
    let path = known.map_or(file.as_str(), |entry| entry.path.as_str());
    let new_lock = locked(lock.as_deref(), &name, path, &digest).map_err(|faults| say(&faults))?;
    signing(verb, known)?;
    standing(verb, known)?;
    let form = Form {
        name: &name,
        public_key: verb.public_key.as_deref(),
        kind,
        runtime,
        mode: verb.mode.unwrap_or(Mode::Enforce),
        file: &file,
        vectors: tested.as_deref(),
        settings: &settings,
    };
    let new = match known {
        Some(_) => present.clone(),
        None => Some(form.appended(present.as_deref())),
    };
    let after = read(new.clone(), Some(new_lock.clone())).map_err(|faults| {
        say(&faults);
        console::say(&format!("the entry would be:\n{}", form.text()));
        Exit::Config
    })?;
    let entry = added(&before, &after, &name).ok_or_else(|| {
        let text = "plugins.yml cannot be written without changing what it says";
        usage(text, &format!("Write the entry by hand:\n{}", form.text()))
    })?;
    // As `serve` would load it, whose it is included.
    let signature = match &entry.signature {
        Some(_) => signature(verb)?,
        None => None,
    };
    let artifact = Artifact {
        entry: entry.clone(),
        bytes: bytes.clone(),
        signature: signature.clone(),
    };
    let refused = |fault: &portcullis_plugin::LoadFault| {
        console::fault(&format!("{fault} ({})", fault.cause.as_str()), &fault.hint);
        Exit::Plugin
    };
    let plugins =
        Plugins::load(vec![artifact], &Workshop::open(&dirs), None).map_err(|faults| {
            faults.iter().for_each(|fault| {
                refused(fault);
            });
            Exit::Plugin
        })?;
    if let Some(tests) = &tests {
        plugins
            .self_test(&name, tests)
            .map_err(|fault| refused(&fault))?;
    }
    let folder = dirs.plugins_path();
    std::fs::create_dir_all(folder)
        .map_err(|error| usage(&format!("{}: {error}", folder.display()), ""))?;
    place(&folder.join(&entry.path), &bytes)?;
    if let (Some(text), Some(to)) = (&signature, &entry.signature) {
        place(&folder.join(&to.path), text.as_bytes())?;
    }
    if let (Some(text), Some(to)) = (&text, &entry.vectors) {
        place(&folder.join(to), text)?;
    }
    place(&dirs.config_path().join(PLUGINS_LOCK), new_lock.as_bytes())?;
    if let (None, Some(text)) = (known, &new) {
        place(&dirs.config_path().join(PLUGINS), text.as_bytes())?;
    }
    let done = if known.is_some() { "replaced" } else { "added" };
    let text = match verb.format {
        Format::Json => json!({
            "ok": true,
            "done": done,
            "name": name,
            "kind": kind_word(kind),
            "sha256": digest,
            "signed": entry.signature.is_some(),
            "path": entry.path,
            "settings": serde_json::from_str::<Value>(&entry.settings).ok(),
        })
        .to_string(),
        Format::Human => format!(
            "{name}: {done}, {} {digest}\n  portcullis check\n  portcullis plugin reload    # running servers take it",
            kind_word(kind)
        ),
    };
    Ok(console::written(console::line(&text), Exit::Ok))
}

/// The settings: what was given, or what the vectors are for.
fn settings(verb: &Add, of_vectors: Option<&str>) -> Result<String, Exit> {
    let Some(text) = &verb.settings else {
        return Ok(of_vectors.unwrap_or("{}").to_owned());
    };
    serde_json::from_str::<Value>(text)
        .map(|value| value.to_string())
        .map_err(|error| usage(&format!("--settings: expected JSON, got: {error}"), ""))
}

/// Whether what is said of a signature fits what is there: a key is named once, in plugins.yml or now.
fn signing(verb: &Add, known: Option<&PluginEntry>) -> Result<(), Exit> {
    let named = known.and_then(|entry| entry.signature.as_ref());
    match (known, named, &verb.public_key) {
        (Some(_), Some(named), Some(key)) if named.public_key != *key => Err(usage(
            "plugins.yml names another public key for this plugin",
            "Who may sign is changed in plugins.yml by hand, never on the way.",
        )),
        (Some(_), None, Some(_)) => Err(usage(
            "plugins.yml names no public key for this plugin",
            "Write `signature` and `public_key` into its entry, then add it again.",
        )),
        (_, None, None) if verb.signature.is_some() => Err(usage(
            "a signature without a public key says nothing",
            "--public-key names the author's key; it has to come from elsewhere than the component.",
        )),
        _ => Ok(()),
    }
}

/// What an entry says already is not changed on the way.
fn standing(verb: &Add, known: Option<&PluginEntry>) -> Result<(), Exit> {
    let Some(known) = known else {
        return Ok(());
    };
    let mode = match known.mode {
        PluginMode::Enforce => Mode::Enforce,
        PluginMode::Observe => Mode::Observe,
    };
    let same = |text: &str| {
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        value(text) == value(&known.settings)
    };
    let other = if verb.mode.is_some_and(|asked| asked != mode) {
        "--mode"
    } else if verb.settings.as_deref().is_some_and(|asked| !same(asked)) {
        "--settings"
    } else {
        return Ok(());
    };
    Err(usage(
        &format!(
            "{other}: plugins.yml says otherwise of {}, which is there already",
            known.name
        ),
        "Change its entry in plugins.yml by hand; add without that option replaces the component alone.",
    ))
}

/// The text of the signature: of the file that was named, or of the one beside the component, if there is one.
fn signature(verb: &Add) -> Result<Option<String>, Exit> {
    let path = match &verb.signature {
        Some(path) => path.clone(),
        None => {
            let mut beside = verb.file.clone().into_os_string();
            beside.push(".minisig");
            let beside = PathBuf::from(beside);
            if !beside.exists() {
                return Ok(None);
            }
            beside
        }
    };
    let text = super::file(&path, SIGNATURE_BYTES_MAX)?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// The new entry, where everything else is as it was.
fn added<'a>(before: &Snapshot, after: &'a Snapshot, name: &str) -> Option<&'a PluginEntry> {
    let others = |snapshot: &Snapshot| -> Vec<PluginEntry> {
        let others = snapshot.plugins.iter().filter(|entry| entry.name != name);
        others.cloned().collect()
    };
    let same = others(before) == others(after);
    after
        .plugins
        .iter()
        .find(|entry| entry.name == name)
        .filter(|_| same)
}

/// What an entry is written from.
struct Form<'a> {
    name: &'a str,
    kind: PluginKind,
    runtime: PluginRuntime,
    mode: Mode,
    file: &'a str,
    vectors: Option<&'a str>,
    public_key: Option<&'a str>,
    settings: &'a str,
}

impl Form<'_> {
    /// The entry as YAML. A JSON value is a YAML value, whatever stands in it.
    fn text(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut text = format!(
            "  - name: {}\n    kind: {}\n    path: {}\n",
            quoted(self.name),
            kind_word(self.kind),
            quoted(self.file)
        );
        if let Some(vectors) = self.vectors {
            text.push_str(&format!("    vectors: {}\n", quoted(vectors)));
        }
        if let Some(key) = self.public_key {
            let signature = format!("{}.minisig", self.file);
            text.push_str(&format!(
                "    signature: {}\n    public_key: {}\n",
                quoted(&signature),
                quoted(key)
            ));
        }
        if self.runtime == PluginRuntime::Interpreter {
            text.push_str("    runtime: interpreter\n");
        }
        if self.mode == Mode::Observe {
            let word = super::mode_word(PluginMode::Observe);
            text.push_str(&format!("    mode: {word}\n"));
        }
        if self.settings != "{}" {
            text.push_str(&format!("    settings: {}\n", self.settings));
        }
        text
    }

    /// The file with the entry at its end. Whoever calls this reads the result and looks at what it says.
    fn appended(&self, present: Option<&str>) -> String {
        const EMPTY: &str = "plugins: []";
        let text = present.unwrap_or("version: 1\nplugins: []\n");
        let lines = text.lines();
        let emptied: Vec<&str> = lines
            .map(|line| {
                if line.trim_end() == EMPTY {
                    "plugins:"
                } else {
                    line
                }
            })
            .collect();
        format!("{}\n{}", emptied.join("\n"), self.text())
    }
}

/// Puts a file in its place, whole: written beside it, synced, renamed.
fn place(path: &Path, bytes: &[u8]) -> Result<(), Exit> {
    let said = |error: &dyn std::fmt::Display| usage(&format!("{}: {error}", path.display()), "");
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| said(&error))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| said(&error))?;
    // Readable as configuration is; a temporary file is its owner's alone.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file()
        .set_permissions(mode)
        .map_err(|error| said(&error))?;
    file.persist(path).map_err(|error| said(&error))?;
    Ok(())
}
