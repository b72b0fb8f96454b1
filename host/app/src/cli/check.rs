//! `portcullis check`: everything is loaded as `serve` would, and every fault is named.

use super::console::{self, Colour};
use super::{Exit, Format, Places, session};
use crate::events::Events;
use crate::gate::{Scope, load};
use clap::Args;
use portcullis_core::config::ConfigFault;
use serde_json::{Value, json};

/// Loads everything as `serve` would, runs nothing, and names every fault. Exit 3 on a fault.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Check) -> Exit {
    let watch = session::watch(Events::Silent);
    let (dirs, runtime) =
        match session::dirs(places, &watch).and_then(|dirs| Ok((dirs, session::runtime()?))) {
            Ok(opened) => opened,
            Err(exit) => return exit,
        };
    match runtime.block_on(load(&dirs, &watch, Scope::Start, None)) {
        Ok(live) => {
            let mut warnings = live.warnings();
            let (refused, missing) = live.program_faults();
            if !refused.is_empty() {
                return wrong(verb.format, &refused, Exit::Config);
            }
            warnings.extend(missing);
            let text = match verb.format {
                Format::Json => json!({
                    "ok": true,
                    "digest": live.snapshot.digest,
                    "hosts": live.snapshot.inventory.hosts().len(),
                    "rules": live.snapshot.policy.rule_count(),
                    "plugins": live.under.plugins,
                    "warnings": warnings.iter().map(value).collect::<Vec<_>>(),
                })
                .to_string(),
                Format::Human => {
                    let mut text: String = warnings
                        .iter()
                        .map(|warning| human("warning", Colour::Yellow, warning))
                        .collect();
                    text.push_str(&format!(
                        "{}: {} hosts, {} rules, {} plugins, digest {}",
                        console::paint("ok", Colour::Green),
                        live.snapshot.inventory.hosts().len(),
                        live.snapshot.policy.rule_count(),
                        live.under.plugins.len(),
                        live.snapshot.digest.get(..16).unwrap_or_default(),
                    ));
                    text
                }
            };
            console::written(console::line(&text), Exit::Ok)
        }
        Err(fault) => {
            let exit = if fault.is_plugin() {
                Exit::Plugin
            } else {
                Exit::Config
            };
            wrong(verb.format, &fault.config_faults(), exit)
        }
    }
}

fn wrong(format: Format, faults: &[ConfigFault], exit: Exit) -> Exit {
    let text = match format {
        Format::Json => json!({
            "ok": false,
            "faults": faults.iter().map(value).collect::<Vec<_>>(),
        })
        .to_string(),
        Format::Human => {
            let mut text: String = faults
                .iter()
                .map(|fault| human("error", Colour::Red, fault))
                .collect();
            text.push_str(&format!("{} faults; nothing was loaded", faults.len()));
            text
        }
    };
    console::written(console::line(&text), exit)
}

fn human(kind: &str, colour: Colour, fault: &ConfigFault) -> String {
    let mut text = format!("{}: {fault}\n", console::paint(kind, colour));
    if !fault.hint.is_empty() {
        text.push_str(&format!("  hint: {}\n", fault.hint));
    }
    text
}

fn value(fault: &ConfigFault) -> Value {
    json!({
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "path": fault.path,
        "message": fault.message,
        "hint": fault.hint,
    })
}
