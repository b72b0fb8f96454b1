//! Values that stand inside something: a member of an object that a name holds, an element in an element, a list
//! of the bytes of a key, the new value of a change. Says where they are and judges nothing.

use super::masks;
use super::source::{Source, is_blank, is_word};
use super::values::{self, Form, Value};

/// Longest text between a name and the value in its object, in bytes.
const OBJECT_BYTES_MAX: usize = 160;
/// Most members before the value.
const MEMBERS_MAX: usize = 4;
/// Longest list of bytes, in bytes of text.
const NUMBERS_BYTES_MAX: usize = 512;
/// Fewest bytes that make a key.
const NUMBERS_MIN: usize = 16;

/// In `"db_password": {"sensitive": true, "value": "x"}` the place of the value, with its quote.
pub(super) fn member(source: Source<'_>, open: usize) -> Option<usize> {
    let blank = |byte: u8| is_blank(byte) || byte == b'\n';
    let limit = open + OBJECT_BYTES_MAX;
    let mut at = source.run(open + 1, 64, blank);
    for _ in 0..MEMBERS_MAX {
        let name = values::quoted(source, at).filter(|name| name.end < limit)?;
        let colon = source.run(name.end + 1, 4, is_blank);
        if source.at(colon) != b':' {
            return None;
        }
        let value = source.run(colon + 1, 8, is_blank);
        if source.str(name.start, name.end) == "value" {
            return (source.at(value) == b'"').then_some(value);
        }
        let end = match source.at(value) {
            b'"' => {
                values::quoted(source, value)
                    .filter(|value| value.end < limit)?
                    .end
                    + 1
            }
            _ => source.run(value, 16, is_word),
        };
        let comma = source.run(end, 4, is_blank);
        if end == value || source.at(comma) != b',' {
            return None;
        }
        at = source.run(comma + 1, 64, blank);
    }
    None
}

/// Whether a brace opens a map without quotes around its names, as in `{bob: x}`.
pub(super) fn is_map(source: Source<'_>, open: usize) -> bool {
    let name = source.run(open + 1, 4, is_blank);
    let end = source.run(name, 64, |byte| is_word(byte) || byte == b'-');
    end > name && source.at(end) == b':' && is_blank(source.at(end + 1))
}

/// In `<Password><Value>x</Value>` where the text of the inner element begins.
pub(super) fn element(source: Source<'_>, at: usize) -> Option<usize> {
    let tag = source.run(at, 64, |byte| is_blank(byte) || byte == b'\n');
    ["<Value>", "<PlainText>", "<string>"]
        .iter()
        .find(|inner| source.has(tag, inner))
        .map(|inner| tag + inner.len())
}

/// The inside of `[11, 203, 45, …]`, where it may be a key.
pub(super) fn numbers(source: Source<'_>, open: usize) -> Option<Value> {
    let end = source.run(open + 1, NUMBERS_BYTES_MAX, |byte| {
        byte.is_ascii_hexdigit() || matches!(byte, b',' | b' ' | b'x')
    });
    let value = Value {
        start: open + 1,
        end,
        form: Form::Quoted,
    };
    (source.at(end) == b']' && is_numbers(source.slice(open + 1, end))).then_some(value)
}

/// Whether a text is a list of bytes that may be a key.
pub(super) fn is_numbers(text: &[u8]) -> bool {
    let is_byte = |part: &[u8]| {
        let part = std::str::from_utf8(part).unwrap_or_default().trim();
        match part.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).is_ok(),
            None => part.parse::<u8>().is_ok(),
        }
    };
    let parts = || text.split(|byte| *byte == b',');
    text.len() <= NUMBERS_BYTES_MAX && parts().count() >= NUMBERS_MIN && parts().all(is_byte)
}

/// After a value that is masked or none, in `password = "x" -> "y"`: where the one that replaces it begins.
pub(super) fn replacement(source: Source<'_>, value: Value) -> Option<usize> {
    let end = value.end + usize::from(value.form == Form::Quoted);
    let text = source.str(value.start, value.end);
    let is_none = text == "null"
        || text.is_empty()
        || masks::at(source, value.start).is_some()
        || text.starts_with("(");
    let arrow = source.run(end, 8, is_blank);
    let next = source.run(arrow + 2, 8, is_blank);
    (is_none && source.has(arrow, "->") && source.at(next) == b'"').then_some(next)
}
