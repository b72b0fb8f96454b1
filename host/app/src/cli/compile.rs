//! `portcullis compile-plugin`: what a child process of the gate does. No person calls it.

use super::{Exit, console};
use crate::plugins::child;
use clap::Args;

/// Compile the plugin on standard input, under limits; called by the gate itself.
#[derive(Debug, Args)]
pub(super) struct Compile {}

pub(super) fn main(_: &Compile) -> Exit {
    match child::main(std::io::stdin().lock()) {
        Ok(sealed) => console::written(console::bytes(&sealed), Exit::Ok),
        Err((status, why)) => {
            console::say(&why);
            match status {
                child::REFUSED => Exit::Refused,
                child::INVALID => Exit::Usage,
                _ => Exit::Bug,
            }
        }
    }
}
