//! How a value is tied to its name: signs, flags, quotes, columns, pairs of fields. Says where the
//! value begins and judges neither name nor value.

use super::source::{Source, is_base64, is_blank, is_word};
use super::values;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Most blanks between name, sign and value.
const GAP_BYTES_MAX: usize = 64;

/// How name and value are tied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    Equals,
    Colon,
    /// A blank after a command-line flag.
    Flag,
    /// A blank before a quote, as in SQL, or a call with a literal.
    Quote,
    Element,
    /// A second field that holds the value.
    Pair,
    /// The next column of a table.
    Column,
}

/// A name with its place.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
}

fn is_flag(name: Name<'_>) -> bool {
    name.text.starts_with('-')
}

/// Where the value begins and what ties it to the name.
pub(super) fn tie(source: Source<'_>, name: Name<'_>) -> Option<(usize, Tie)> {
    let mut at = name.end;
    if is_blank(source.at(at)) && source.at(at + 1).is_ascii_digit() {
        let number = source.run(at + 1, 4, |byte| byte.is_ascii_digit());
        at = if source.at(number) == b':' {
            number
        } else {
            at
        };
    }
    if source.at(at) == b'(' && matches!(source.at(at + 1), b'"' | b'\'') {
        return Some((at + 1, Tie::Quote));
    }
    if let Some(found) = tuple(source, name).or_else(|| directory(source, name)) {
        return Some(found);
    }
    let closed = close(source, at);
    let gap = skip_blanks(source, closed);
    if let Some(found) = sign(source, gap) {
        return Some(found);
    }
    if source.at(closed) == b'>' && matches!(source.before(name.start), b'<' | b':') {
        return Some((closed + 1, Tie::Element));
    }
    if let Some(found) = pair(source, name, closed) {
        return Some(found);
    }
    argument(source, name, closed, gap).or_else(|| {
        if gap > closed && closed == at {
            word_apart(source, name, gap)
        } else {
            None
        }
    })
}

/// `{default_pass, <<"x">>}`: a name and its value in a tuple.
fn tuple(source: Source<'_>, name: Name<'_>) -> Option<(usize, Tie)> {
    if source.at(name.end) != b',' || source.before(name.start) != b'{' {
        return None;
    }
    let value = skip_blanks(source, name.end + 1);
    let value = if source.has(value, "<<\"") {
        value + 2
    } else {
        value
    };
    (source.at(value) == b'"').then_some((value, Tie::Quote))
}

/// `userPassword:: <base64>`, an attribute of a directory at the beginning of its line.
fn directory(source: Source<'_>, name: Name<'_>) -> Option<(usize, Tie)> {
    let begins = matches!(source.before(name.start), b'\n' | 0);
    if !begins || source.slice(name.end, name.end + 3) != b":: " {
        return None;
    }
    let start = skip_blanks(source, name.end + 3);
    let end = source.run(start, 256, is_base64);
    let whole = matches!(source.at(end), b'\n' | 0) && (end - start).is_multiple_of(4);
    (whole && end - start >= 8).then_some((start, Tie::Equals))
}

/// How far before a name in a row the word is looked for that inserts it, in bytes.
const ROW_BYTES_MAX: usize = 256;

/// Whether a place is behind the comma of a row that is inserted: `VALUES (1,'smtp_password','x')`.
fn is_inserted(source: Source<'_>, at: usize) -> bool {
    let row = source.str(at.saturating_sub(ROW_BYTES_MAX), at);
    source.before(at) == b',' && row.to_ascii_uppercase().contains(" VALUES ")
}

/// A name and a value as neighbouring arguments: `define('DB_PASSWORD', 'x')`.
fn argument(source: Source<'_>, name: Name<'_>, closed: usize, gap: usize) -> Option<(usize, Tie)> {
    if closed == name.end || source.at(gap) != b',' {
        return None;
    }
    let open = source.back(name.start, 8, |byte| {
        is_blank(byte) || matches!(byte, b'"' | b'\'')
    });
    let value = skip_blanks(source, gap + 1);
    let quoted = matches!(source.at(value), b'"' | b'\'');
    let first = source.before(open) == b'(';
    (quoted && (first || is_inserted(source, open))).then_some((value, Tie::Quote))
}

/// The words that set the next word to the one after it.
const SETTERS: &[&str] = &[
    "env",
    "setenv",
    "setx",
    "fastcgi_param",
    "proxy_set_header",
    "add_header",
    "putenv",
    "passenv",
];

/// Whether a word sets the next word to the one after it.
pub(super) fn sets(word: &str) -> bool {
    SETTERS
        .iter()
        .any(|setter| setter.eq_ignore_ascii_case(word))
}

/// A value that only a blank parts from its name: after a flag or a setter, in quotes, in a column.
fn word_apart(source: Source<'_>, name: Name<'_>, gap: usize) -> Option<(usize, Tie)> {
    let switch = source.before(name.start) == b' '
        && ["-x ", "-gx ", "-Ux "].iter().any(|switch| {
            source.str(name.start.saturating_sub(switch.len()), name.start) == *switch
        });
    let before = word_before(source, name.start);
    if is_flag(name) || switch || sets(before) {
        // A shell's command may go on in the next line.
        let goes_on = source.at(gap) == b'\\' && source.at(gap + 1) == b'\n';
        let value = if goes_on {
            skip_blanks(source, gap + 2)
        } else {
            gap
        };
        return Some((value, Tie::Flag));
    }
    if matches!(source.at(gap), b'"' | b'\'') {
        return Some((gap, Tie::Quote));
    }
    if source.has(gap, "for ") {
        let line = source.line_end(gap, 96);
        if let Some(is) = source.find(gap, line - gap, " is ") {
            let value = skip_blanks(source, is + 4);
            let end = source.run(value, 256, |byte| byte > b' ');
            return is_mixed(source.slice(value, end)).then_some((value, Tie::Column));
        }
        let end = source.run(gap, 96, |byte| !matches!(byte, b'=' | b':' | b'\n' | b';'));
        return sign(source, end).filter(|(value, tie)| {
            let end = source.run(*value, 256, |byte| byte > b' ');
            *tie == Tie::Equals || is_mixed(source.slice(*value, end))
        });
    }
    if matches!(before, "set" | "config") {
        let end = source.run(gap, 256, |byte| byte > b' ');
        if is_mixed(source.slice(gap, end)) {
            return Some((gap, Tie::Column));
        }
    }
    told(source, gap)
        .or_else(|| column(source, name, gap))
        .or_else(|| element_with_attributes(source, name, gap))
}

/// A password that a sentence tells: `the password is x`, `password generated for bob: x`.
fn told(source: Source<'_>, gap: usize) -> Option<(usize, Tie)> {
    let says = [
        "is ",
        "is: ",
        "generated",
        "set to ",
        "was set to ",
        "changed to ",
        "reset to ",
        "has been set to ",
        "has been changed to ",
        "has been reset to ",
    ];
    if !matches!(
        source.at(gap) | 0x20,
        b'i' | b'g' | b's' | b'w' | b'c' | b'r' | b'h'
    ) {
        return None;
    }
    let said = says.iter().rfind(|words| source.has(gap, words))?;
    let line = source.line_end(gap, 128);
    let colon = source.find(gap, line - gap, ": ").map(|colon| colon + 2);
    let start = skip_blanks(source, colon.unwrap_or(gap + said.len()));
    let end = source.run(start, 256, |byte| byte > b' ');
    is_mixed(source.slice(start, end)).then_some((start, Tie::Column))
}

/// Built once, because it is asked for in ordinary lines.
static IS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" is "));

/// Words after which a password is told, or `for x =`.
pub(super) fn may_be_told(source: Source<'_>, at: usize) -> bool {
    let words = [
        "is ",
        "is: ",
        "generated",
        "set to ",
        "was set ",
        "changed to ",
        "reset to ",
        "has been set to ",
        "has been changed to ",
        "has been reset to ",
    ];
    words.iter().any(|word| source.has(at, word))
        || (source.has(at, "for ") && {
            let rest = source.slice(at, at + 96);
            let line =
                memchr::memchr(b'\n', rest).map_or(rest, |end| rest.get(..end).unwrap_or_default());
            memchr::memchr2(b'=', b':', line).is_some() || IS.find(line).is_some()
        })
}

/// Whether the word before a name sets it: `env NAME x`, `-x NAME x`.
pub(super) fn is_introduced(source: Source<'_>, start: usize) -> bool {
    let gap = source.back(start, 8, is_blank);
    let word = source.str(source.back(gap, 16, |byte| byte > b' '), gap);
    word.starts_with('-') || matches!(word, "set" | "config") || sets(word)
}

/// Whether a word looks made up: long, letters and digits.
pub(super) fn is_mixed(text: &[u8]) -> bool {
    text.len() >= 8
        && text.iter().any(u8::is_ascii_digit)
        && text.iter().any(u8::is_ascii_alphabetic)
}

/// The only other column of a table's row: after two blanks, a tab or a bar, alone on its line.
fn column(source: Source<'_>, name: Name<'_>, gap: usize) -> Option<(usize, Tie)> {
    // The bars of boxes are of three bytes, of which the last is one of two.
    let is_bar = |at: usize| {
        source.at(at) == 0xE2
            && source.at(at + 1) == 0x94
            && matches!(source.at(at + 2), 0x82 | 0x83)
    };
    let frame = |byte: u8| is_blank(byte) || matches!(byte, b'|' | 0xE2 | 0x94 | 0x82 | 0x83);
    let first = matches!(source.before(source.back(name.start, 64, frame)), b'\n' | 0);
    let barred = (source.at(gap) == b'|' && source.at(gap + 1) != b'|') || is_bar(gap);
    let wide = gap - name.end >= 2 || source.at(name.end) == b'\t';
    // `password x` alone on a line, as files of accounts have it.
    let alone = ["password", "passwd", "passphrase"].contains(&name.text);
    if !first || !(barred || wide || alone) {
        // The rest may be long, and is read for the one name that begins its line.
        return None;
    }
    let start = source.run(gap, GAP_BYTES_MAX, frame);
    let end = source.run(start, values::VALUE_BYTES_MAX, |byte| byte > b' ');
    let last = source.run(end, GAP_BYTES_MAX, frame);
    let is_last = matches!(source.at(last), b'\n' | 0);
    let text = source.slice(start, end);
    let mixed = is_mixed(text)
        && (barred
            || wide
            || (text.iter().any(u8::is_ascii_uppercase)
                && text.iter().any(u8::is_ascii_lowercase)));
    (is_last && mixed).then_some((start, Tie::Column))
}

/// An assigning sign, with where the value begins. Comparisons and scopes assign nothing.
pub(super) fn sign(source: Source<'_>, at: usize) -> Option<(usize, Tie)> {
    let (length, tie) = match (source.at(at), source.at(at + 1), source.at(at + 2)) {
        // The signs as an address writes them, and the wide ones that look the same.
        (b'%', b'3', b'D' | b'd') | (0xEF, 0xBC, 0x9D) => (3, Tie::Equals),
        (b'%', b'3', b'A' | b'a') | (0xEF, 0xBC, 0x9A) => (3, Tie::Colon),
        (b'=', b'=' | b'~', _) | (b':', b':', _) | (b':', b'/', b'/') => return None,
        (b'=', b'>', _) | (b'?' | b'+', b'=', _) | (b':', b'=', _) => (2, Tie::Equals),
        (b'=', _, _) => (1, Tie::Equals),
        (b':', _, _) => (1, Tie::Colon),
        _ => return None,
    };
    Some((skip_blanks(source, at + length), tie))
}

/// Past the quote and bracket that close a name: `"name"`, `\"name\"`, `['name']`.
pub(super) fn close(source: Source<'_>, at: usize) -> usize {
    let slashes = source.run(at, 8, |byte| byte == b'\\');
    let written = ["\\u0022", "&quot;", "&#34;", "%22", "%5D"]
        .iter()
        .filter(|_| matches!(source.at(at), b'\\' | b'&' | b'%'))
        .find(|quote| source.has(at, quote));
    let quoted = if let Some(quote) = written {
        at + quote.len()
    } else if matches!(source.at(slashes), b'"' | b'\'' | b'`') {
        slashes + 1
    } else {
        at
    };
    let index = source.run(quoted + 1, 4, |byte| byte.is_ascii_digit());
    if matches!(source.at(quoted), b']') {
        quoted + 1
    } else if source.at(quoted) == b'[' && index > quoted + 1 && source.at(index) == b']' {
        // `password[0]`.
        index + 1
    } else {
        quoted
    }
}

pub(super) fn skip_blanks(source: Source<'_>, at: usize) -> usize {
    let mut end = at;
    loop {
        let blanks = source.run(end, GAP_BYTES_MAX, is_blank);
        end = blanks + wide(source, blanks);
        if end == blanks || end - at > GAP_BYTES_MAX {
            return end;
        }
    }
}

/// How many bytes a space has that is no blank and looks like one; none if there is none.
fn wide(source: Source<'_>, at: usize) -> usize {
    match (source.at(at), source.at(at + 1), source.at(at + 2)) {
        (0xC2, 0xA0, _) => 2,
        (0xE2, 0x80, 0x80..=0x8A | 0xAF) | (0xE2, 0x81, 0x9F) | (0xE3, 0x80, 0x80) => 3,
        _ => 0,
    }
}

pub(super) fn word_before(source: Source<'_>, start: usize) -> &str {
    let gap = source.back(start, 4, is_blank);
    let word = source.back(gap, 16, is_word);
    if gap < start {
        source.str(word, gap)
    } else {
        ""
    }
}

/// The words for the first field of a pair of name and value.
const NAME_FIELDS: &[&str] = &[
    "name",
    "key",
    "parameterkey",
    "keyname",
    "id",
    "parametername",
    "variable",
    "field",
    "property",
    "option_name",
    "env",
];
/// The words for the second.
const VALUE_FIELDS: &[&str] = &[
    "value",
    "parametervalue",
    "val",
    "content",
    "defaultvalue",
    "default",
    "stringvalue",
    "option_value",
    "data",
    "string",
];

/// Most fields between a name and its value.
const FIELDS_BETWEEN_MAX: usize = 2;

/// Past a quoted field that is not the value: `"Type": "String"`.
fn past_field(source: Source<'_>, at: usize) -> Option<usize> {
    let end = source.run(at, 24, is_word);
    let field = source.str(at, end).to_ascii_lowercase();
    if end == at
        || VALUE_FIELDS.contains(&field.as_str())
        || !matches!(source.at(end), b'"' | b'\\')
    {
        return None;
    }
    let (from, _) = sign(source, skip_blanks(source, close(source, end)))?;
    let value =
        values::quoted(source, from).filter(|value| value.end - value.start <= GAP_BYTES_MAX)?;
    Some(close(source, value.end))
}

/// A secret's name that is itself the value of a `name` field, before a `value` field:
/// `- name: DB_PASSWORD` / `value: x`, `{"Name": "Token", "Value": "x"}`, `<add key="x" value="y"/>`.
fn pair(source: Source<'_>, name: Name<'_>, closed: usize) -> Option<(usize, Tie)> {
    let joint = |byte: u8| {
        matches!(
            byte,
            b'"' | b'\'' | b'\\' | b':' | b'=' | b' ' | b'\t' | b'>'
        )
    };
    // A parameter's name may be a path.
    let path = source.back(name.start, 128, |byte| {
        is_word(byte) || matches!(byte, b'/' | b'-' | b'.')
    });
    let gap = source.back(path, 16, joint);
    if gap == path {
        return None;
    }
    let field = source.str(source.back(gap, 16, is_word), gap);
    if !NAME_FIELDS
        .iter()
        .any(|name| name.eq_ignore_ascii_case(field))
    {
        return None;
    }
    let filler = |byte: u8| {
        matches!(
            byte,
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',' | b'\\' | b'<' | b'/' | b'{' | b'-'
        )
    };
    // A closing brace ends the object that the name stands in: the next one has names of its own.
    if source.at(closed) == b'>' && matches!(source.before(closed), b'"' | b'\'') {
        // `<entry key="name">value</entry>`.
        return Some((closed + 1, Tie::Element));
    }
    let mut at = source.run(closed, GAP_BYTES_MAX, filler);
    for _ in 0..FIELDS_BETWEEN_MAX {
        at = past_field(source, at).map_or(at, |after| source.run(after, GAP_BYTES_MAX, filler));
    }
    if source.before(at) == b'/' && source.has(at, field) {
        // The closing tag of the first field.
        at = source.run(at + field.len() + 1, GAP_BYTES_MAX, filler);
    }
    let end = source.run(at, 24, is_word);
    let second = source.str(at, end).to_ascii_lowercase();
    if !VALUE_FIELDS.contains(&second.as_str()) {
        let field = source.back(gap, 16, is_word);
        return value_before(source, field).map(|value| (value, Tie::Pair));
    }
    let after = close(source, end);
    if source.at(after) == b'>' {
        return Some((after + 1, Tie::Element));
    }
    let (value, _) = sign(source, skip_blanks(source, after))?;
    Some((value, Tie::Pair))
}

/// `{"value":"x","name":"DB_PASSWORD"}`: where the value before the first field begins, with its quote.
fn value_before(source: Source<'_>, field: usize) -> Option<usize> {
    let joint = |byte: u8| matches!(byte, b' ' | b'"');
    let comma = source.back(field, 4, joint);
    if source.before(comma) != b',' || source.before(comma - 1) != b'"' {
        return None;
    }
    let open = source.back(comma - 2, 256, |byte| !matches!(byte, b'"' | b'\n'));
    let gap = source.back(open.checked_sub(1)?, 8, |byte| {
        matches!(byte, b' ' | b':' | b'"')
    });
    let word = source.str(source.back(gap, 24, is_word), gap);
    let is_value = VALUE_FIELDS.contains(&word.to_ascii_lowercase().as_str());
    (source.before(open) == b'"' && is_value).then_some(open - 1)
}

/// `<password type="plain">value<`: the value after the attributes.
fn element_with_attributes(source: Source<'_>, name: Name<'_>, gap: usize) -> Option<(usize, Tie)> {
    if !matches!(source.before(name.start), b'<' | b':') {
        return None;
    }
    let end = source.run(gap, 256, |byte| !matches!(byte, b'<' | b'>' | b'\n'));
    (source.at(end) == b'>' && source.before(end) != b'/').then_some((end + 1, Tie::Element))
}
