//! `portcullis`: the gate that agents' commands pass on their way to real machines.
//!
//! The table of contents of the binary:
//!
//! * `cli`: the verbs, and the only file that prints to standard output
//! * `gate`: the pipeline that every door calls
//! * `files`: everything that is read from disk, beneath handles opened at start
//! * `journal`: the keyed, multi-process audit journal
//! * `doctor`: what would go wrong on this machine
//! * `events`: the records on standard error

mod cli;
mod doctor;
mod events;
mod files;
mod gate;
mod journal;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
