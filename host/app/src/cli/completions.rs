//! `portcullis completions SHELL`.

use super::{Cli, Exit, console};
use clap::{Args, CommandFactory};

/// Prints a completion script, e.g. `portcullis completions bash >/etc/bash_completion.d/portcullis`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

pub(super) fn main(verb: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(verb.shell, &mut Cli::command(), "portcullis", &mut script);
    console::written(console::raw(&script), Exit::Ok)
}
