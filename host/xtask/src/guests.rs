//! Builds the guests: everything in `plugins/` that is a `cdylib` becomes a component, and so do the examples in
//! JavaScript and Python.
//!
//! Must not: be part of the gate. Nothing that runs in production compiles guests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What guests are compiled for: no imports but those that the interface names.
const TARGET: &str = "wasm32-unknown-unknown";
/// The other target that authors use: its standard library imports WASI. One guest is built for it as
/// well, so that the gate's stubs are tested against what a compiler really emits.
const TARGET_WASI: &str = "wasm32-wasip2";
/// The guest that is built for both.
const GUEST_WASI: &str = "hostile-validator";

/// Builds every guest in Rust of `root/plugins` and writes `out/NAME.wasm` for each, and
/// `out/hostile-validator-wasip2.wasm`; gives the files.
///
/// A file whose bytes would not change is left alone, so that readers of the folder do not see a half
/// written component when nothing changed.
///
/// # Errors
/// In words: which program failed, or which file could not be read, encoded or written.
pub(crate) fn build(root: &Path, out: &Path) -> Result<Vec<PathBuf>, String> {
    let workspace = root.join("plugins");
    ensure_targets(&workspace)?;
    let modules = compile(&workspace, TARGET, &[])?;
    let with_wasi = compile(&workspace, TARGET_WASI, &["--package", GUEST_WASI])?;
    fs::create_dir_all(out).map_err(|fault| format!("{}: {fault}", out.display()))?;
    let mut files = Vec::new();
    for module in modules {
        files.push(write(&encode(&module)?, &name(&module)?, out)?);
    }
    for component in with_wasi {
        let bytes = fs::read(&component).map_err(|fault| named(&component, &fault))?;
        files.push(write(
            &bytes,
            &format!("{}-wasip2", name(&component)?),
            out,
        )?);
    }
    files.sort();
    Ok(files)
}

/// Folders of `plugins/` with guests in other languages: examples, and what is measured only.
pub(crate) const EXAMPLES: &str = "examples";
pub(crate) const MEASURED: &str = "measured";

/// Makes components of the guests in JavaScript and Python in one folder of `root/plugins`. Their toolchains are
/// installed for it, which is more than the main job needs.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_interpreted(root: &Path, folder: &str, out: &Path) -> Result<(), String> {
    for language in [Language::JavaScript, Language::Python] {
        for folder in written_in(language, &root.join("plugins").join(folder))? {
            componentize(root, &folder, language, out)?;
        }
    }
    Ok(())
}

/// Builds the peer that plugins are measured beside: the program that holds Extism, and its guest.
///
/// # Errors
/// In words: cargo failed.
pub(crate) fn extism(root: &Path) -> Result<(PathBuf, PathBuf), String> {
    const NAME: &str = "portcullis-bench-extism";
    let folder = root.join("tests/bench-extism");
    let target = crate::setup::target(root).join("extism");
    let cargo = |arguments: &[&str]| {
        let mut cargo = crate::cargo(&folder);
        cargo.args(["build", "--release", "--quiet", "--locked", "--target-dir"]);
        cargo.arg(&target).args(arguments);
        crate::run(&mut cargo)
    };
    cargo(&["--package", NAME])?;
    let guest = format!("{NAME}-guest");
    cargo(&["--package", &guest, "--target", TARGET])?;
    let guest = target
        .join(TARGET)
        .join("release")
        .join(guest.replace('-', "_"));
    Ok((
        target.join("release").join(NAME),
        guest.with_extension("wasm"),
    ))
}

/// A language whose plugins carry an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    JavaScript,
    Python,
}

impl Language {
    fn source(self) -> &'static str {
        match self {
            Self::JavaScript => "plugin.js",
            Self::Python => "plugin.py",
        }
    }
}

/// The guests in a language.
fn written_in(language: Language, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|fault| named(folder, &fault))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join(language.source()).is_file())
        .collect();
    found.sort();
    Ok(found)
}

/// Makes a guest a component, unless one of the same source and interface is there: it takes half a minute.
fn componentize(root: &Path, folder: &Path, language: Language, out: &Path) -> Result<(), String> {
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| named(folder, &"expected a UTF-8 file name"))?;
    let read = |path: &Path| fs::read_to_string(path).map_err(|fault| named(path, &fault));
    let wit = root.join("wit/0.1");
    let entries = fs::read_dir(folder).map_err(|fault| named(folder, &fault))?;
    let mut parts: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    parts.sort();
    parts.push(wit.join("portcullis.wit"));
    let source: String = parts
        .iter()
        .map(|path| read(path))
        .collect::<Result<_, _>>()?;
    let (file, stamp) = (
        out.join(format!("{name}.wasm")),
        out.join(format!("{name}.source")),
    );
    if file.exists() && fs::read_to_string(&stamp).is_ok_and(|have| have == source) {
        return Ok(());
    }
    let world = match source.contains("kind: redactor\n") {
        true => "redactor-plugin",
        false => "validator-plugin",
    };
    let mut command = match language {
        Language::JavaScript => {
            let node = crate::setup::node(root)?;
            let script = node.join("build.mjs");
            let template = root.join("host/app/src/cli/plugin/templates/js/build.mjs.txt");
            // The script reads `plugin.js` and `wit` where it runs; a folder beneath the packages has both.
            let stage = node.join(name);
            let _ = fs::remove_dir_all(&stage);
            fs::create_dir_all(stage.join("wit")).map_err(|fault| named(&stage, &fault))?;
            let copy = |from: &Path, to: &Path| {
                fs::copy(from, to)
                    .map(drop)
                    .map_err(|fault| named(from, &fault))
            };
            copy(&template, &script)?;
            copy(&folder.join("plugin.js"), &stage.join("plugin.js"))?;
            copy(
                &wit.join("portcullis.wit"),
                &stage.join("wit/portcullis.wit"),
            )?;
            let mut command = Command::new("node");
            command
                .arg("../build.mjs")
                .arg(world)
                .arg(&file)
                .current_dir(&stage);
            command
        }
        Language::Python => {
            let python = crate::setup::python(root)?;
            let mut command = Command::new(python.with_file_name("componentize-py"));
            command.arg("--wit-path").arg(&wit).args(["--world", world]);
            command
                .args(["componentize", "--stub-wasi", "plugin", "-o"])
                .arg(&file);
            command.current_dir(folder);
            command
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::null());
    eprintln!("making a component of {name}");
    let status = command.status().map_err(|fault| named(folder, &fault))?;
    if !status.success() {
        return Err(named(
            folder,
            &format!("the componentizer ended with {status}"),
        ));
    }
    fs::write(&stamp, source).map_err(|fault| named(&stamp, &fault))
}

/// Installs the targets where rustup is there and does not have them. Without rustup the compiler
/// says itself what is missing.
fn ensure_targets(workspace: &Path) -> Result<(), String> {
    let Ok(listed) = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .current_dir(workspace)
        .output()
    else {
        return Ok(());
    };
    let listed = String::from_utf8_lossy(&listed.stdout);
    for target in [TARGET, TARGET_WASI] {
        if listed.lines().any(|line| line.trim() == target) {
            continue;
        }
        let status = Command::new("rustup")
            .args(["target", "add", target])
            .current_dir(workspace)
            .status()
            .map_err(|fault| format!("rustup: {fault}"))?;
        if !status.success() {
            return Err(format!("rustup target add {target} failed: {status}"));
        }
    }
    Ok(())
}

/// Compiles the workspace and gives the modules that cargo names, so that what an older crate left in
/// the target directory is not taken for a guest.
fn compile(workspace: &Path, target: &str, chosen: &[&str]) -> Result<Vec<PathBuf>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--quiet", "--target", target])
        .args(chosen)
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(workspace.join("target"))
        .current_dir(workspace)
        .stderr(Stdio::inherit());
    // Flags that are meant for the host's code have no place in a guest's.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    let output = command
        .output()
        .map_err(|fault| format!("cargo: {fault}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo build of the guests failed: {}",
            output.status
        ));
    }
    let mut modules: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("filenames").cloned())
        .filter_map(|names| names.as_array().cloned())
        .flatten()
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    modules.sort();
    modules.dedup();
    if modules.is_empty() {
        return Err("cargo named no module; expected at least one cdylib in plugins/".to_owned());
    }
    Ok(modules)
}

/// Encodes one module to a component.
fn encode(module: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(module).map_err(|fault| named(module, &fault))?;
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|fault| named(module, &format!("{fault:#}")))
}

/// The crate's name.
fn name(module: &Path) -> Result<String, String> {
    module
        .file_stem()
        .and_then(|stem| stem.to_str())
        .map(|stem| stem.replace('_', "-"))
        .ok_or_else(|| named(module, &"expected a UTF-8 file name"))
}

fn named(file: &Path, fault: &dyn std::fmt::Display) -> String {
    format!("{}: {fault}", file.display())
}

/// Writes a component under its name, all at once.
fn write(component: &[u8], name: &str, out: &Path) -> Result<PathBuf, String> {
    let file = out.join(format!("{name}.wasm"));
    if fs::read(&file).is_ok_and(|present| present == component) {
        return Ok(file);
    }
    let partial = out.join(format!(".{name}.{}", std::process::id()));
    fs::write(&partial, component).map_err(|fault| named(&partial, &fault))?;
    fs::rename(&partial, &file).map_err(|fault| named(&file, &fault))?;
    Ok(file)
}
