//! `portcullis`: the gate that agents' commands pass on their way to real machines.
//!
//! The table of contents of the binary:
//!
//! * `cli`: the verbs, and the only file that prints to standard output
//! * `gate`: the pipeline that every door calls
//! * `files`: everything that is read from disk, beneath handles opened at start
//! * `journal`: the keyed, multi-process audit journal
//! * `doctor`: what would go wrong on this machine
//! * `plugins`: reading, compiling and keeping plugins
//! * `provider`: a secret that a program is asked for
//! * `events`: the records on standard error
//! * `hardening`: what the process gives up before it does anything
//! * `servers`: which servers run on a state directory
//! * `tasks`: the rows of asynchronous runs, and which runners live
//! * `spill`: redacted output that is kept to be paged through
//! * `logs`: the log lines there

mod cli;
mod doctor;
mod events;
mod files;
mod gate;
mod hardening;
mod journal;
mod logs;
mod plugins;
mod provider;
mod servers;
mod spill;
mod tasks;

use std::process::ExitCode;

/// A run makes and drops some thousand small values on several threads; the C library's allocator takes a quarter of
/// the gate's time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // SECURITY: before anything else, so that there is no moment in which a secret could be left behind.
    if let Err(error) = hardening::harden() {
        return cli::unprotected(&error);
    }
    cli::main()
}
