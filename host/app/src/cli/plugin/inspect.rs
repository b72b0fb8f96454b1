//! `portcullis plugin inspect FILE`.

use super::{component, inspected, kind_word};
use crate::cli::console::{self, Colour};
use crate::cli::{Exit, Format};
use clap::Args;
use portcullis_plugin::{ImportClass, Standing};
use serde_json::json;
use std::path::PathBuf;

/// Show what a component imports and exports, what stands behind each import, and its digest.
#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// The component.
    file: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(verb: &Inspect) -> Exit {
    let inspection = match component(&verb.file).and_then(|bytes| inspected(&bytes)) {
        Ok(inspection) => inspection,
        Err(exit) => return exit,
    };
    let exit = if inspection.standing == Standing::Refused {
        Exit::Plugin
    } else {
        Exit::Ok
    };
    let kinds: Vec<&str> = inspection
        .kinds
        .iter()
        .map(|kind| kind_word(*kind))
        .collect();
    let text = match verb.format {
        Format::Json => json!({
            "file": verb.file.display().to_string(),
            "bytes": inspection.size,
            "sha256": inspection.sha256,
            "kinds": kinds,
            "imports": inspection
                .imports
                .iter()
                .map(|import| json!({"name": import.name, "class": class(import.class)}))
                .collect::<Vec<_>>(),
            "exports": inspection.exports,
            "standing": standing(inspection.standing),
            "hints": inspection.hints,
        })
        .to_string(),
        Format::Human => {
            let mut text = format!(
                "{}\n  size    {} bytes\n  sha256  {}\n  is      {}\n",
                verb.file.display(),
                inspection.size,
                inspection.sha256,
                kinds.join(", ")
            );
            for import in &inspection.imports {
                text.push_str(&format!(
                    "  import  {}  ({})\n",
                    import.name,
                    class(import.class)
                ));
            }
            for export in &inspection.exports {
                text.push_str(&format!("  export  {export}\n"));
            }
            let colour = if exit == Exit::Ok {
                Colour::Green
            } else {
                Colour::Red
            };
            text.push_str(&format!(
                "  stands  {}",
                console::paint(standing(inspection.standing), colour)
            ));
            for hint in &inspection.hints {
                text.push_str(&format!("\n  hint    {hint}"));
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

pub(super) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Strict => "strict: imports nothing but the gate's own interfaces",
        Standing::Inert => "inert: what it imports of WASI has nothing behind it",
        Standing::Refused => "refused",
    }
}
