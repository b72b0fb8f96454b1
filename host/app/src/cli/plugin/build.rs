//! `portcullis plugin build`: from an author's source to a component, with the author's own compiler.
//!
//! Rust is encoded in this process; JavaScript and Python go through their componentizers, which are installed into the
//! project where they are missing.

use super::{VECTORS, name_of, vectors};
use crate::cli::console::{self, Colour};
use crate::cli::{Exit, Format};
use clap::Args;
use portcullis_core::config::PluginKind;
use portcullis_plugin::{Standing, encode};
use serde_json::{Value, json};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a plugin in Rust is compiled for: there its standard library imports nothing.
const TARGET: &str = "wasm32-unknown-unknown";
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js";
const COMPONENTIZE_PY: &str = "componentize-py";

/// Build the plugin in a folder that `plugin new` made, as FOLDER/NAME.wasm. Needs cargo, or node and npm, or python3.
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The file to write. Default: NAME.wasm in the folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// What went wrong, and how to mend it.
type Fault = (String, &'static str);

pub(super) fn main(verb: &Build) -> Exit {
    match run(verb) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run(verb: &Build) -> Result<Exit, Exit> {
    let said = |(text, hint): Fault| {
        console::fault(&text, hint);
        Exit::Usage
    };
    let dir = std::fs::canonicalize(&verb.dir)
        .map_err(|error| said((format!("{}: {error}", verb.dir.display()), "")))?;
    let out = verb
        .out
        .clone()
        .unwrap_or_else(|| verb.dir.join(format!("{}.wasm", name_of(&dir))));
    let bytes = if dir.join("Cargo.toml").is_file() {
        rust(&dir).map_err(said)?
    } else if dir.join("plugin.js").is_file() || dir.join("plugin.py").is_file() {
        let world = match vectors(&dir.join(VECTORS))?.kind {
            PluginKind::Validator => "validator-plugin",
            PluginKind::Redactor => "redactor-plugin",
        };
        let folder = tempfile::tempdir().map_err(|error| said((error.to_string(), "")))?;
        let file = folder.path().join("plugin.wasm");
        if dir.join("plugin.js").is_file() {
            javascript(&dir, world, &file).map_err(said)?;
        } else {
            python(&dir, world, &file).map_err(said)?;
        }
        super::component(&file)?
    } else {
        let text = format!(
            "{}: expected Cargo.toml, plugin.js or plugin.py, got none",
            verb.dir.display()
        );
        return Err(said((text, "`portcullis plugin new` makes a folder.")));
    };
    let inspection = super::inspected(&bytes)?;
    std::fs::write(&out, &bytes)
        .map_err(|error| said((format!("{}: {error}", out.display()), "")))?;
    let refused = inspection.standing == Standing::Refused;
    let standing = super::inspect::standing(inspection.standing);
    let text = match verb.format {
        Format::Json => json!({
            "ok": !refused,
            "file": out.display().to_string(),
            "bytes": inspection.size,
            "sha256": inspection.sha256,
            "standing": standing,
            "hints": inspection.hints,
        })
        .to_string(),
        Format::Human => {
            let colour = if refused { Colour::Red } else { Colour::Green };
            let mut text = format!(
                "{}: {} bytes, sha256 {}\n  {}",
                out.display(),
                inspection.size,
                inspection.sha256,
                console::paint(standing, colour)
            );
            for hint in &inspection.hints {
                text.push_str(&format!("\n  hint: {hint}"));
            }
            text
        }
    };
    let exit = if refused { Exit::Plugin } else { Exit::Ok };
    Ok(console::written(console::line(&text), exit))
}

/// Runs a program to its end. What it prints goes to standard error: standard output is for the answer.
fn run_program(command: &mut Command, hint: &'static str) -> Result<(), Fault> {
    let name = command.get_program().to_string_lossy().into_owned();
    let talk = std::io::stderr().as_fd().try_clone_to_owned();
    let talk = talk.map_err(|error| (format!("standard error: {error}"), ""))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(talk)
        .status()
        .map_err(|error| (format!("{name}: {error}"), hint))?;
    if status.success() {
        Ok(())
    } else {
        Err((format!("{name} ended with {status}"), hint))
    }
}

fn rust(dir: &Path) -> Result<Vec<u8>, Fault> {
    const HINT: &str = "Install Rust (rustup.rs), then: rustup target add wasm32-unknown-unknown";
    let output = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(dir)
        // Flags that are meant for another program have no place here.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| (format!("cargo: {error}"), HINT))?;
    if !output.status.success() {
        return Err((format!("cargo build ended with {}", output.status), HINT));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let names = messages.filter_map(|message| message.get("filenames").cloned());
    let names = names
        .filter_map(|names| names.as_array().cloned())
        .flatten();
    let mut modules = names
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .filter(|path| path.extension().is_some_and(|it| it == "wasm"));
    let module = modules.next().ok_or((
        "cargo named no module".to_owned(),
        "The crate has to be a cdylib.",
    ))?;
    let bytes =
        std::fs::read(&module).map_err(|error| (format!("{}: {error}", module.display()), ""))?;
    encode(&bytes).map_err(|fault| {
        let hint = "Name the plugin in portcullis_plugin_sdk::validator! or redactor!.";
        (format!("the module is no plugin: {fault}"), hint)
    })
}

fn javascript(dir: &Path, world: &str, file: &Path) -> Result<(), Fault> {
    const HINT: &str = "Install Node 20 or later with npm.";
    let there = format!("await import('{COMPONENTIZE_JS}')");
    let there = Command::new("node")
        .args(["--input-type=module", "--eval", &there])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| (format!("node: {error}"), HINT))?;
    if !there.success() {
        console::say("npm install");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
        run_program(npm.current_dir(dir), HINT)?;
    }
    let mut node = Command::new("node");
    node.arg("build.mjs").arg(world).arg(file).current_dir(dir);
    run_program(&mut node, "What the componentizer said stands above.")
}

fn python(dir: &Path, world: &str, file: &Path) -> Result<(), Fault> {
    const HINT: &str = "Install Python 3.10 or later with venv.";
    let own = dir.join(".venv/bin").join(COMPONENTIZE_PY);
    let there = |program: &Path| {
        let quiet = Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        quiet.is_ok_and(|status| status.success())
    };
    let program = if there(&own) {
        own
    } else if there(Path::new(COMPONENTIZE_PY)) {
        PathBuf::from(COMPONENTIZE_PY)
    } else {
        console::say("pip install, into .venv");
        let mut venv = Command::new("python3");
        run_program(venv.args(["-m", "venv", ".venv"]).current_dir(dir), HINT)?;
        let mut pip = Command::new(dir.join(".venv/bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["-r", "requirements.txt"]);
        run_program(pip.current_dir(dir), HINT)?;
        own
    };
    let mut componentize = Command::new(program);
    componentize
        .args(["--wit-path", "wit", "--world", world])
        .args(["componentize", "--stub-wasi", "plugin", "-o"])
        .arg(file)
        .current_dir(dir);
    run_program(
        &mut componentize,
        "What the componentizer said stands above.",
    )
}
