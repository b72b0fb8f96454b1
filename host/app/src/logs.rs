//! Where log lines go: standard error, one JSON object each, with every text in it made safe. A fault may
//! quote a host, a guest or a file, and the formatter escapes controls only for as long as nobody decodes
//! the line.
//!
//! Must not: choose what is logged.

use portcullis_core::text::{SafeText, safe_value};
use serde_json::Value;
use std::io::{self, Write};

/// Takes whole lines, as the formatter writes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SafeLines;

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
