//! `portcullis completions SHELL`.

use super::{Cli, Exit, console};
use clap::{Args, CommandFactory};
use portcullis_core::text::SafeText;

/// Prints a completion script, e.g. `portcullis completions bash >/etc/bash_completion.d/portcullis`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

pub(super) fn main(verb: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(verb.shell, &mut Cli::command(), "portcullis", &mut script);
    let script = SafeText::new(&String::from_utf8_lossy(&script));
    console::written(console::text(&script), Exit::Ok)
}
