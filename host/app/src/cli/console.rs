//! The one file that prints. Standard output carries data, standard error talk; a closed standard output
//! (`| head`) ends quietly.
//!
//! INVARIANT: nothing is printed that the scanner has not read, whoever wrote it. The gate's own colours are
//! put in after the scan, in place of marks that no text can hold but by [`paint`].

use super::Exit;
use portcullis_core::text::{SafeText, hex, safe_value};
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::sync::LazyLock;

/// Around a colour's number until the text was scanned. A noncharacter, which the scanner would mark.
const PAINT: char = '\u{FDD0}';

/// What tells marks of this process from those that a text brings along.
static NONCE: LazyLock<String> = LazyLock::new(|| {
    let mut bytes = [0_u8; 16];
    // Without randomness there are no colours: an empty nonce is never painted with.
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex(&bytes),
        Err(_) => String::new(),
    }
});

/// A text as it is printed.
fn printable(text: &str) -> String {
    // In a record for programs, escapes would hide from the scan what comes back when it is decoded.
    let escaped = ["\\u", "\\r", "\\b", "\\f"];
    if text.starts_with('{')
        && escaped.iter().any(|escape| text.contains(escape))
        && let Ok(record) = serde_json::from_str::<Value>(text)
    {
        return safe_value(record).to_string();
    }
    let mark = format!("{PAINT}{}", *NONCE);
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split(mark.as_str());
    out.push_str(&SafeText::from(parts.next().unwrap_or_default()));
    for part in parts {
        let colour = part.split_once(PAINT).filter(|(code, _)| {
            let known = |colour: &Colour| colour.code() == *code;
            code.is_empty() || Colour::ALL.iter().any(known)
        });
        let (code, rest) = colour.unwrap_or(("", part));
        if colour.is_some() {
            // An empty code is the way back.
            out.push_str(&format!(
                "\u{1b}[{}m",
                if code.is_empty() { "0" } else { code }
            ));
        }
        out.push_str(&SafeText::from(rest));
    }
    out
}

/// Prints one line of data. Returns whether anyone still reads.
pub(super) fn line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(printable(text).as_bytes())?;
    out.write_all(b"\n")
}

/// Prints a text as it is, without a line end of its own.
pub(super) fn text(text: &SafeText) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes bytes that no person reads, to a program that waits for them.
pub(super) fn bytes(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Says one line to a person. A standard error that is gone changes nothing.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", printable(text));
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
    if error.use_stderr() {
        // It quotes what was typed.
        say(error.render().to_string().trim_end());
        Exit::Usage
    } else {
        let _ = error.print();
        Exit::Ok
    }
}

/// A word in a colour, where standard output is a terminal and `NO_COLOR` is not set.
pub(super) fn paint(text: &str, colour: Colour) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || !std::io::stdout().is_terminal();
    if plain || NONCE.is_empty() {
        text.to_owned()
    } else {
        let nonce = NONCE.as_str();
        format!(
            "{PAINT}{nonce}{}{PAINT}{text}{PAINT}{nonce}{PAINT}",
            colour.code()
        )
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
    const ALL: [Self; 4] = [Self::Green, Self::Red, Self::Yellow, Self::Bold];

    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Bold => "1",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn hostile_text_is_printed_without_what_hides_or_moves() {
        let hostile = "a\u{1b}[31mb\u{202e}c\u{9b}2Jd\u{e0041}\re";
        assert_eq!(printable(hostile), "ab<U+202E>cd<U+E0041>\ne");
    }

    #[test]
    fn a_record_is_clean_when_it_is_decoded() {
        let record =
            serde_json::json!({"a": "x\u{1b}[1my\u{9b}2Jz", "b": "\\u001b", "c": 1}).to_string();
        let printed: Value = serde_json::from_str(&printable(&record)).unwrap();
        assert_eq!(
            printed,
            serde_json::json!({"a": "xyz", "b": "\\u001b", "c": 1})
        );
    }

    #[test]
    fn only_the_gate_paints() {
        let nonce = NONCE.as_str();
        let painted = format!("{PAINT}{nonce}31{PAINT}x\u{1b}[2J{PAINT}{nonce}{PAINT} y");
        assert_eq!(printable(&painted), "\u{1b}[31mx\u{1b}[0m y");
        for forged in [
            format!("{PAINT}31{PAINT}x"),
            format!("{PAINT}{nonce}5{PAINT}x"),
            format!("{PAINT}{nonce}x"),
            format!("{PAINT}{}31{PAINT}x", "0".repeat(32)),
        ] {
            assert!(!printable(&forged).contains('\u{1b}'), "{forged:?}");
        }
    }
}
