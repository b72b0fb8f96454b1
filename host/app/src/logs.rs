//! Where log lines go: standard error, one JSON object each, with every text in it made safe. A fault may
//! quote a host, a guest or a file, and the formatter escapes controls only for as long as nobody decodes
//! the line.
//!
//! SECURITY: the library that speaks the protocol logs whole messages where it is asked for details, with the
//! commands in them as the client wrote them. Those lines are never written, whatever is asked for.

use portcullis_core::text::{SafeText, safe_value};
use serde_json::Value;
use std::io::{self, Write};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterFn, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The variable that says how much is logged.
const LOG_VARIABLE: &str = "PORTCULLIS_LOG";

/// Logs for programs: a server's. Where a log is set up already, that one is kept.
pub(crate) fn records() {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(|| SafeLines)
        .with_filter(no_messages());
    let _ = tracing_subscriber::registry()
        .with(chosen("warn"))
        .with(lines)
        .try_init();
}

/// Logs for the person who runs a verb. Where a log is set up already, that one is kept.
pub(crate) fn lines() {
    let lines = tracing_subscriber::fmt::layer()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(io::stderr)
        .with_filter(no_messages());
    let _ = tracing_subscriber::registry()
        .with(chosen("error"))
        .with(lines)
        .try_init();
}

fn chosen(default: &str) -> EnvFilter {
    EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(default))
}

fn no_messages() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|line| !line.target().starts_with("rmcp") || *line.level() <= Level::INFO)
}

/// Takes whole lines, as the formatter writes them.
#[derive(Debug, Clone, Copy)]
struct SafeLines;

impl Write for SafeLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(safe(line).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

fn safe(line: &[u8]) -> String {
    match serde_json::from_slice::<Value>(line) {
        Ok(record) => format!("{}\n", safe_value(record)),
        // What is no record is shown all the same.
        Err(_) => SafeText::new(&String::from_utf8_lossy(line)).into_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_clean_before_and_after_it_is_decoded() {
        let line = "{\"fields\":{\"fault\":\"a\\u001b[31mb\\u202ec\u{9b}2Jd\"}}\n";
        assert_eq!(
            safe(line.as_bytes()),
            "{\"fields\":{\"fault\":\"ab<U+202E>cd\"}}\n"
        );
        assert_eq!(safe(b"no \x1b[1mrecord\n"), "no record\n");
    }
}
