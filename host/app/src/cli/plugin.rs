//! `portcullis plugin inspect FILE`.

use super::console::{self, Colour};
use super::{Exit, Format};
use clap::{Args, Subcommand};
use portcullis_plugin::{ImportClass, inspect};
use serde_json::json;
use std::io::Read;
use std::path::PathBuf;

/// Largest file that is looked at, in bytes.
const FILE_BYTES_MAX: u64 = 67_108_864;

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Show what a component imports and exports, what stands behind each import, and its digest.
    Inspect(Inspect),
}

/// Arguments of `plugin inspect`.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The component.
    file: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(verb: &Plugin) -> Exit {
    let Plugin::Inspect(verb) = verb;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&verb.file)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    if let Err(error) = read {
        console::fault(&format!("{}: {error}", verb.file.display()), "");
        return Exit::Usage;
    }
    let inspection = match inspect(&bytes) {
        Ok(inspection) => inspection,
        Err(fault) => {
            console::fault(&fault.detail, &fault.hint);
            return Exit::Plugin;
        }
    };
    let exit = if inspection.loadable { Exit::Ok } else { Exit::Plugin };
    let text = match verb.format {
        Format::Json => json!({
            "file": verb.file.display().to_string(),
            "bytes": inspection.size_bytes,
            "sha256": inspection.sha256,
            "world": inspection.world,
            "imports": inspection
                .imports
                .iter()
                .map(|import| json!({"name": import.name, "class": class(import.class)}))
                .collect::<Vec<_>>(),
            "exports": inspection.exports,
            "verdict": inspection.verdict,
            "hint": inspection.hint,
        })
        .to_string(),
        Format::Human => {
            let mut text = format!(
                "{}\n  size    {} bytes\n  sha256  {}\n  world   {}\n",
                verb.file.display(),
                inspection.size_bytes,
                inspection.sha256,
                inspection.world
            );
            for import in &inspection.imports {
                text.push_str(&format!("  import  {}  ({})\n", import.name, class(import.class)));
            }
            for export in &inspection.exports {
                text.push_str(&format!("  export  {export}\n"));
            }
            let colour = if inspection.loadable { Colour::Green } else { Colour::Red };
            text.push_str(&format!("  verdict {}", console::paint(&inspection.verdict, colour)));
            if !inspection.hint.is_empty() {
                text.push_str(&format!("\n  hint    {}", inspection.hint));
            }
            text
        }
    };
    console::written(console::line(&text), exit)
}

fn class(class: ImportClass) -> &'static str {
    match class {
        ImportClass::Ours => "the gate's own",
        ImportClass::Inert => "an inert stub: no environment, fixed clock, fixed randomness",
        ImportClass::Refused => "refused",
    }
}
