//! `portcullis policy profile PROGRAM` and `portcullis policy data [FILE]`.
//!
//! Must not: decide; it prints what the gate decides with.

use super::console;
use super::{Exit, Format};
use clap::{Args, Subcommand};
use portcullis_core::config::{shipped_data, shipped_entry};
use serde_json::json;

/// What can be asked about the policy's shipped data.
#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Show what is known of a program: which options and words write, run others or read secrets.
    Profile(Profile),
    /// List the shipped data files, or print one: profiles, secret paths, and the `standard` deny set.
    Data(Data),
}

/// Arguments of `policy profile`.
#[derive(Debug, Args)]
pub(super) struct Profile {
    /// The program's name, without a path.
    program: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Arguments of `policy data`.
#[derive(Debug, Args)]
pub(super) struct Data {
    /// The file; without it, the files are listed.
    file: Option<String>,
    /// How to print the list.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(verb: &Policy) -> Exit {
    match verb {
        Policy::Profile(verb) => profile(verb),
        Policy::Data(verb) => data(verb),
    }
}

fn profile(verb: &Profile) -> Exit {
    let Some((file, entry)) = shipped_entry(&verb.program) else {
        console::fault(
            &format!("nothing is known of {}", verb.program),
            "A rule that names it lets any words through; write an entry under `profiles:` in policy.yml.",
        );
        return Exit::Refused;
    };
    let text = match verb.format {
        Format::Json => json!({"program": verb.program, "file": file, "entry": entry}).to_string(),
        Format::Human => format!(
            "# {file}; the format: portcullis policy data text.yml\n{}",
            entry.trim_end()
        ),
    };
    console::written(console::line(&text), Exit::Ok)
}

fn data(verb: &Data) -> Exit {
    let files = shipped_data();
    let Some(name) = &verb.file else {
        let text = match verb.format {
            Format::Json => {
                let each = files.iter();
                let list: Vec<_> = each
                    .map(|(name, text)| json!({"file": name, "bytes": text.len()}))
                    .collect();
                json!(list).to_string()
            }
            Format::Human => {
                let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
                names.join("\n")
            }
        };
        return console::written(console::line(&text), Exit::Ok);
    };
    match files.iter().find(|(file, _)| file == name) {
        Some((_, text)) => console::written(console::line(text.trim_end()), Exit::Ok),
        None => {
            let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            console::fault(
                &format!("no shipped file is called {name}"),
                &format!("The files are {}.", names.join(", ")),
            );
            Exit::Usage
        }
    }
}
