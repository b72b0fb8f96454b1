//! The text of `.env`: lines of `KEY=value`, as the seed system reads them.
//!
//! Blanks at both ends of a line, a key and a value are dropped, as is one pair of the same quotes around a whole
//! value; `#` at the start of a line begins a comment; of one key's lines the last holds. There is no
//! `export`, no escape, no expansion, and no value over several lines.
//!
//! Must not: copy a value. What it gives are parts of the text, which its owner wipes.

use super::names::secret_variable;

/// What some editors write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Every key with its value, in the order of the lines; a key may come more than once.
pub fn entries(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.strip_prefix(BYTE_ORDER_MARK)
        .unwrap_or(text)
        .split(|byte| *byte == b'\n')
        .filter_map(entry)
}

/// The value of a secret's name: by the name itself, by the name in upper case, or by the variable that may
/// hold it, the first of the three that has a line.
#[must_use]
pub fn value<'t>(text: &'t [u8], name: &str) -> Option<&'t [u8]> {
    let keys = [
        name.to_owned(),
        name.to_ascii_uppercase(),
        secret_variable(name),
    ];
    keys.iter().find_map(|key| last(text, key.as_bytes()))
}

fn last<'t>(text: &'t [u8], wanted: &[u8]) -> Option<&'t [u8]> {
    entries(text)
        .filter(|(key, _)| *key == wanted)
        .last()
        .map(|(_, value)| value)
}

fn entry(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii();
    if line.starts_with(b"#") {
        return None;
    }
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (key, value) = line.split_at_checked(equals)?;
    let key = key.trim_ascii_end();
    let value = value.strip_prefix(b"=")?.trim_ascii_start();
    (!key.is_empty()).then_some((key, unquoted(value)))
}

/// Without one pair of the same quotes around the whole.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn found<'t>(text: &'t str, name: &str) -> Option<&'t str> {
        value(text.as_bytes(), name).map(|value| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn the_lines_of_an_env_file_are_read_as_the_seed_system_reads_them() {
        let text = "# c\nKEY1=a\n\n K2 = \"b c\" \nK3='d'\nK4=\"e'\nK5=x=y\nKEY1=z\n=q\nnoequals\nK6=\"\nexport K7=v\r\nK8=\n";
        for (key, expected) in [
            ("KEY1", Some("z")),
            ("K2", Some("b c")),
            ("K3", Some("d")),
            ("K4", Some("\"e'")),
            ("K5", Some("x=y")),
            ("K6", Some("\"")),
            ("K7", None),
            ("K8", Some("")),
            ("noequals", None),
            ("c", None),
            ("", None),
        ] {
            assert_eq!(found(text, key), expected, "{key}");
        }
        assert_eq!(found("", "K"), None);
        assert_eq!(found("\u{feff}K=v", "K"), Some("v"));
    }

    #[test]
    fn a_name_is_looked_for_in_three_spellings() {
        let text = "DB-PASS=upper\nMCP_SSH_SECRET_DB_PASS=variable\n";
        assert_eq!(found(text, "db-pass"), Some("upper"));
        assert_eq!(
            found("db-pass=own\nDB-PASS=upper\n", "db-pass"),
            Some("own")
        );
        assert_eq!(
            found("MCP_SSH_SECRET_DB_PASS=variable\n", "db-pass"),
            Some("variable")
        );
        assert_eq!(found("DB_PASS=another name\n", "db-pass"), None);
    }
}
