//! The one file that prints. Standard output carries data, standard error talk; a closed standard output
//! (`| head`) ends quietly.

use super::Exit;
use std::io::{IsTerminal, Write};

/// Prints one line of data. Returns whether anyone still reads.
pub(super) fn line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

/// Prints data as it is.
pub(super) fn raw(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Says one line to a person. A standard error that is gone changes nothing.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says what went wrong and how to mend it.
pub(super) fn fault(text: &str, hint: &str) {
    say(&format!("error: {text}"));
    if !hint.is_empty() {
        say(&format!("hint: {hint}"));
    }
}

/// Turns a failed write into an exit status: a reader that left is no error.
pub(super) fn written(result: std::io::Result<()>, exit: Exit) -> Exit {
    match result {
        Ok(()) => exit,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => exit,
        Err(error) => {
            say(&format!("error: standard output: {error}"));
            Exit::Bug
        }
    }
}

/// Help and version go to standard output and are no error; the rest is usage.
pub(super) fn usage(error: &clap::Error) -> Exit {
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Ok
    }
}

/// A word in a colour, where standard output is a terminal and `NO_COLOR` is not set.
pub(super) fn paint(text: &str, colour: Colour) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || !std::io::stdout().is_terminal();
    if plain {
        text.to_owned()
    } else {
        format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code())
    }
}

/// The colours in use.
#[derive(Debug, Clone, Copy)]
pub(super) enum Colour {
    /// Allowed, fine.
    Green,
    /// Refused, broken.
    Red,
    /// Worth a look.
    Yellow,
    /// A heading.
    Bold,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Bold => "1",
        }
    }
}
