//! `portcullis config schema [FILE]` and `portcullis config reference`.
//!
//! Must not: read a configuration; `check` does.

use super::{Exit, console};
use clap::{Args, Subcommand};
use portcullis_core::config::{FILES, reference, schema};
use serde_json::{Map, Value};

/// What can be asked about the configuration files.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Print the JSON Schema of a file, or of all files as one object, for editors and other programs.
    Schema(Schema),
    /// Print the reference page of all files, as Markdown.
    Reference,
}

/// Arguments of `config schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// The file, e.g. policy.yml; without it all of them.
    file: Option<String>,
}

pub(super) fn main(verb: &Config) -> Exit {
    let text = match verb {
        Config::Reference => reference(),
        Config::Schema(Schema { file: None }) => {
            let all = FILES
                .iter()
                .filter_map(|file| Some(((*file).to_owned(), schema(file)?)));
            format!("{:#}", Value::Object(all.collect::<Map<_, _>>()))
        }
        Config::Schema(Schema { file: Some(file) }) => match schema(file) {
            Some(schema) => format!("{schema:#}"),
            None => {
                console::fault(
                    &format!("no configuration file is called {file}"),
                    &format!("The files are {}.", FILES.join(", ")),
                );
                return Exit::Usage;
            }
        },
    };
    console::written(console::line(text.trim_end()), Exit::Ok)
}
