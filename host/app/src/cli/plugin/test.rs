//! `portcullis plugin test`: the vectors of a plugin, on the production engine.

use super::{VECTORS, component_beside, load, vectors};
use crate::cli::console::{self, Colour};
use crate::cli::{Exit, Format, Places};
use clap::Args;
use portcullis_plugin::Came;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Run a plugin's test vectors on the production engine and within its limits; prints fuel and peak memory of each.
/// Exit 1 where one does not come as expected.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The vectors.
    #[arg(default_value = VECTORS)]
    vectors: PathBuf,
    /// The component. Default: the only .wasm file beside the vectors.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Test) -> Exit {
    match run(places, verb) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run(places: &Places, verb: &Test) -> Result<Exit, Exit> {
    let vectors = vectors(&verb.vectors)?;
    let path = component_beside(verb.component.as_deref(), &verb.vectors)?;
    let (name, plugins) = load(places, &path, &vectors)?;
    // The plugin was loaded as what the vectors are for, so it is there.
    let came = plugins.prove(&name, &vectors).ok_or(Exit::Bug)?;
    let failed = came.iter().filter(|came| !came.passed).count();
    let exit = if failed == 0 { Exit::Ok } else { Exit::Refused };
    let text = match verb.format {
        Format::Json => json!({
            "ok": failed == 0,
            "component": path.display().to_string(),
            "vectors": came.iter().map(value).collect::<Vec<_>>(),
        })
        .to_string(),
        Format::Human => {
            let mut text: String = came.iter().map(human).collect();
            text.push_str(&format!(
                "{} of {} vectors came as expected",
                came.len().saturating_sub(failed),
                came.len()
            ));
            text
        }
    };
    Ok(console::written(console::line(&text), exit))
}

fn value(came: &Came) -> Value {
    let lines = came.lines.iter().map(|line| line.text.as_str());
    json!({
        "name": came.name,
        "pass": came.passed,
        "expected": came.expected,
        "got": came.got,
        "fuel": came.fuel,
        "memory_bytes": came.memory_bytes,
        "log": lines.collect::<Vec<_>>(),
    })
}

fn human(came: &Came) -> String {
    let mark = match came.passed {
        true => console::paint("ok    ", Colour::Green),
        false => console::paint("failed", Colour::Red),
    };
    let mut text = format!(
        "{mark}  {}  ({} fuel, {} KiB)\n",
        came.name,
        came.fuel,
        came.memory_bytes / 1_024
    );
    if !came.passed {
        text.push_str(&format!(
            "        expected {}\n        got      {}\n",
            came.expected, came.got
        ));
        for line in &came.lines {
            text.push_str(&format!("        log      {}\n", line.text));
        }
    }
    text
}
