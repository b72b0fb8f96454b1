//! `portcullis plugin new`: a folder with everything that a plugin is built from.
//!
//! Must not: write over anything, or need the network. The SDK and the interface come out of this binary, so they are
//! those that this gate speaks.

use crate::cli::console;
use crate::cli::{Exit, Format};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Longest name, in characters: as in plugins.yml.
const NAME_CHARS_MAX: usize = 64;

/// The languages that there is a form for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    /// Small and fast: some 30 kB, some 20 us a call.
    Rust,
    /// Carries an interpreter: 12 MB, some milliseconds a call. Needs Node.
    Js,
    /// Carries an interpreter: 18 MB, some milliseconds a call. Needs Python.
    Python,
}

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// It judges commands.
    Validator,
    /// It finds what must not be shown in output.
    Redactor,
}

/// Make a folder with a plugin that works, its test vectors, and the interface.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// Its name: ASCII letters, digits, `-`, `_`, beginning with a letter.
    name: String,
    /// The language.
    #[arg(long, value_enum, default_value = "rust")]
    lang: Lang,
    /// What it is.
    #[arg(long, value_enum, default_value = "validator")]
    kind: Kind,
    /// The folder to make. Default: one of the plugin's name.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("templates/", $path, ".txt"))
    };
}

macro_rules! sdk {
    ($path:literal) => {
        include_str!(concat!("../../../../../plugins/sdk/", $path))
    };
}

const WIT: &str = include_str!("../../../../../wit/0.1/portcullis.wit");

/// The files of a new plugin, with `{{name}}` and `{{runtime}}` to be filled in.
fn files(lang: Lang, kind: Kind) -> Vec<(&'static str, &'static str)> {
    let vectors = match kind {
        Kind::Validator => template!("validator.vectors"),
        Kind::Redactor => template!("redactor.vectors"),
    };
    let mut files = vec![("vectors.yaml", vectors)];
    match lang {
        Lang::Rust => files.extend([
            ("Cargo.toml", template!("rust/Cargo.toml")),
            (
                "src/lib.rs",
                match kind {
                    Kind::Validator => template!("rust/validator.rs"),
                    Kind::Redactor => template!("rust/redactor.rs"),
                },
            ),
            (".gitignore", "target\n*.wasm\n"),
            ("sdk/Cargo.toml", sdk!("Cargo.toml")),
            ("sdk/README.md", sdk!("README.md")),
            ("sdk/src/lib.rs", sdk!("src/lib.rs")),
            ("sdk/src/heap.rs", sdk!("src/heap.rs")),
            ("sdk/src/hold.rs", sdk!("src/hold.rs")),
            ("sdk/src/lines.rs", sdk!("src/lines.rs")),
            ("sdk/src/log.rs", sdk!("src/log.rs")),
            ("sdk/wit/portcullis.wit", WIT),
        ]),
        Lang::Js => files.extend([
            ("package.json", template!("js/package.json")),
            ("build.mjs", template!("js/build.mjs")),
            (
                "plugin.js",
                match kind {
                    Kind::Validator => template!("js/validator.js"),
                    Kind::Redactor => template!("js/redactor.js"),
                },
            ),
            (".gitignore", "node_modules\n*.wasm\n"),
            ("wit/portcullis.wit", WIT),
        ]),
        Lang::Python => {
            files.extend([
                ("requirements.txt", template!("python/requirements.txt")),
                (".gitignore", ".venv\n__pycache__\n*.wasm\n"),
                ("wit/portcullis.wit", WIT),
            ]);
            match kind {
                Kind::Validator => files.push(("plugin.py", template!("python/validator.py"))),
                Kind::Redactor => files.extend([
                    ("plugin.py", template!("python/plugin.py")),
                    ("redactor.py", template!("python/redactor.py")),
                ]),
            }
        }
    }
    files
}

pub(super) fn main(verb: &New) -> Exit {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let named = verb.name.starts_with(|c: char| c.is_ascii_alphabetic())
        && verb.name.chars().all(allowed)
        && verb.name.len() <= NAME_CHARS_MAX;
    if !named {
        let text = format!(
            "expected a name of at most {NAME_CHARS_MAX} ASCII letters, digits, `-` and `_` that begins with a letter"
        );
        console::fault(&text, "");
        return Exit::Usage;
    }
    let dir = verb
        .dir
        .clone()
        .unwrap_or_else(|| PathBuf::from(&verb.name));
    if let Err(fault) = write(verb, &dir) {
        console::fault(&fault, "Name another folder with --dir.");
        return Exit::Usage;
    }
    let shown = dir.display().to_string();
    let text = match verb.format {
        Format::Json => json!({"ok": true, "dir": shown}).to_string(),
        Format::Human => format!(
            "{shown}: made\n  portcullis plugin build {shown}\n  portcullis plugin test {shown}/vectors.yaml"
        ),
    };
    console::written(console::line(&text), Exit::Ok)
}

fn write(verb: &New, dir: &Path) -> Result<(), String> {
    let said = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let runtime = match verb.lang {
        Lang::Rust => "native",
        Lang::Js | Lang::Python => "interpreter",
    };
    std::fs::create_dir(dir).map_err(|error| said(dir, error))?;
    for (name, template) in files(verb.lang, verb.kind) {
        let path = dir.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| said(folder, error))?;
        }
        let text = template
            .replace("{{name}}", &verb.name)
            .replace("{{runtime}}", runtime);
        std::fs::write(&path, text).map_err(|error| said(&path, error))?;
    }
    Ok(())
}
