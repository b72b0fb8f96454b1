//! `portcullis man`: the manual page, from the same descriptions as `--help`.

use super::{Cli, Exit, console};
use clap::{Args, Command, CommandFactory};
use portcullis_core::text::SafeText;

/// Deepest nesting of verbs.
const DEPTH_MAX: usize = 4;

/// Prints the manual page, e.g. `portcullis man >/usr/local/share/man/man1/portcullis.1`; with a verb, that of
/// the verb.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The verb, e.g. `audit verify`. Default: the page of the whole.
    #[arg(value_name = "VERB")]
    verb: Vec<String>,
}

pub(super) fn main(verb: &Man) -> Exit {
    let mut command = Cli::command();
    // Options that hold everywhere are passed on to the verbs here.
    command.build();
    let Some(command) = below(command, &verb.verb) else {
        console::fault(
            "expected a verb, got another word",
            "portcullis --help lists the verbs",
        );
        return Exit::Usage;
    };
    let mut page = Vec::new();
    match clap_mangen::Man::new(command).render(&mut page) {
        Ok(()) => {
            let page = SafeText::new(&String::from_utf8_lossy(&page));
            console::written(console::text(&page), Exit::Ok)
        }
        Err(error) => {
            console::fault(&error.to_string(), "");
            Exit::Bug
        }
    }
}

fn below(command: Command, verbs: &[String]) -> Option<Command> {
    if verbs.len() > DEPTH_MAX {
        return None;
    }
    let mut command = command;
    for verb in verbs {
        command = command.find_subcommand(verb)?.clone();
    }
    Some(command)
}
