//! `portcullis plugin reload`: running servers read configuration and plugins again.

use crate::cli::console;
use crate::cli::{Exit, Format, Places, session};
use crate::events::Events;
use crate::gate::{Scope, load};
use crate::servers;
use clap::Args;
use serde_json::json;

/// Have the running servers of this state directory read configuration and plugins again, as SIGHUP does. First everything
/// is loaded here; where that fails, no server is told. A server whose own load fails keeps what it has.
#[derive(Debug, Args)]
pub(in crate::cli) struct Reload {
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Reload) -> Exit {
    match run(places, verb) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run(places: &Places, verb: &Reload) -> Result<Exit, Exit> {
    let watch = session::watch(Events::Silent);
    let dirs = session::dirs(places, &watch)?;
    session::runtime()?
        .block_on(load(&dirs, &watch, Scope::Start, None))
        .map_err(|fault| {
            for line in fault.lines() {
                console::fault(&line, "");
            }
            console::say(
                "hint: no server was told; portcullis check shows every fault with its hint",
            );
            if fault.is_plugin() {
                Exit::Plugin
            } else {
                Exit::Config
            }
        })?;
    let state = dirs.state().map_err(|fault| {
        console::fault(&fault.to_string(), fault.hint());
        Exit::Config
    })?;
    let told = servers::hang_up(&state).map_err(|fault| {
        console::fault(&fault, "");
        Exit::Config
    })?;
    let text = match verb.format {
        Format::Json => json!({"ok": true, "servers": told}).to_string(),
        Format::Human if told.is_empty() => {
            "no server is running on this state directory".to_owned()
        }
        Format::Human => format!("told {} servers: {told:?}", told.len()),
    };
    Ok(console::written(console::line(&text), Exit::Ok))
}
