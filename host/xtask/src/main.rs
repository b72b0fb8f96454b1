//! The project's chores: `cargo xtask guests [FOLDER]` builds the guests as components.

mod guests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]
fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let done = match (words.next().as_deref(), words.next()) {
        (Some("guests"), out) => {
            let out = out.map_or_else(|| root.join("target/guests"), PathBuf::from);
            guests::build(&root, &out)
        }
        _ => Err("expected: xtask guests [FOLDER]".to_owned()),
    };
    match done {
        Ok(files) => {
            for file in files {
                println!("{}", file.display());
            }
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}
