//! Builds the guests: everything in `plugins/` that is a `cdylib` becomes a component.
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

/// Builds every guest of `root/plugins` and writes `out/NAME.wasm` for each, and
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
