//! Secrets that tell by the name before them: `name = value` in all its dialects (environment, YAML,
//! JSON, JSON in JSON, INI, XML, SQL, code, command-line flags, query strings), and pairs of a name
//! and a value in two fields. The name and the signs stay, the value goes.

use super::MASK_START;
use super::names::{self, Names};
use super::source::{Found, Source, is_blank, is_word};
use super::values::{self, Around, Form, Value, Written};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest name, in bytes, to either side of its fragment.
const NAME_BYTES_MAX: usize = 64;
/// Most blanks between name, sign and value.
const GAP_BYTES_MAX: usize = 64;
/// Longest indented block that one name may hold, in bytes.
const BLOCK_BYTES_MAX: usize = 65_536;

/// How name and value are tied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tie {
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
struct Name<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

/// Judges the name around `hit`. Also says where the name ends, so that its other fragments need not
/// be judged again.
pub(super) fn at(source: Source<'_>, hit: usize) -> (Option<Found>, usize) {
    let name = name_around(source, hit);
    (valued(source, name), name.end.max(hit + 1))
}

fn name_around(source: Source<'_>, hit: usize) -> Name<'_> {
    let part = |byte: u8| is_word(byte) || matches!(byte, b'-' | b'.');
    let mut start = source.back(hit, NAME_BYTES_MAX, part);
    if source.before(start) == b'\\' && matches!(source.at(start), b'n' | b'r' | b't') {
        start += 1;
    }
    let mut end = source.run(hit, NAME_BYTES_MAX, part);
    while end > hit && matches!(source.before(end), b'-' | b'.') {
        end -= 1;
    }
    Name {
        text: source.str(start, end),
        start,
        end,
    }
}

fn valued(source: Source<'_>, name: Name<'_>) -> Option<Found> {
    if source.slice(name.start.saturating_sub(MASK_START.len()), name.start)
        == MASK_START.as_bytes()
    {
        // The kind in a mask is no name, whatever follows the mask.
        return None;
    }
    let (mut at, tie) = tie(source, name)?;
    let judged = names::judge(name.text, word_before(source, name.start))?;
    at = skip_prefix(source, at);
    let value = match (source.at(at), tie) {
        (b'\n', Tie::Colon | Tie::Pair) => next_line(source, name, at)?,
        (b'\n', _) => return None,
        (b'|' | b'>', Tie::Colon | Tie::Pair) if ends_line(source, at) => block(source, name, at)?,
        (byte, Tie::Equals) if !matches!(byte, b'"' | b'\'' | b'\\') => shared(source, name, at)
            .unwrap_or_else(|| values::read(source, at, around(source, name, tie))),
        _ => values::read(source, at, around(source, name, tie)),
    };
    let value = retyped(source, value);
    let kind = match judged {
        Names::Secret(kind) => kind,
        Names::Perhaps(kind) => kind,
    };
    if !holds_secret(source, name, value, tie, judged) {
        return None;
    }
    let end = if kind == "passphrase" && value.form == Form::Bare && tie == Tie::Colon {
        source.line_end(value.end, values::VALUE_BYTES_MAX)
    } else {
        value.end
    };
    Found::new(value.start, end, kind)
}

fn holds_secret(source: Source<'_>, name: Name<'_>, value: Value, tie: Tie, judged: Names) -> bool {
    let written = if name.text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Written::Code
    } else {
        Written::Environment
    };
    if values::is_placeholder(source, value, written) {
        return false;
    }
    let text = source.slice(value.start, value.end);
    match judged {
        Names::Perhaps(_) => {
            tie != Tie::Quote && (values::looks_random(source, value) || is_login(text))
        }
        Names::Secret(kind) => {
            let digits = text.iter().all(u8::is_ascii_digit);
            let least = if kind == "password" { 3 } else { 6 };
            let prose = value.form == Form::Bare
                && match tie {
                    Tie::Colon => kind != "passphrase" && values::begins_prose(source, value),
                    Tie::Flag => text.starts_with(b"-") || text.len() < 4,
                    _ => false,
                };
            let link = text.starts_with(b"http")
                && kind != "password"
                && !text.contains(&b'@')
                && source.find(value.start, 8, "://").is_some();
            let reference = kind != "password"
                && tie == Tie::Colon
                && value.form == Form::Bare
                && is_object_name(text);
            let spaced_quote =
                tie == Tie::Quote && text.iter().any(|byte| is_blank(*byte)) && text.len() < 8;
            text.len() >= least
                && !prose
                && !link
                && !reference
                && !spaced_quote
                && !(digits && kind != "password" && text.len() < 8)
        }
    }
}

/// `user:password` in base64, as the `auth` of a registry holds it.
fn is_login(text: &[u8]) -> bool {
    let window = text.get(..text.len().min(512)).unwrap_or_default();
    text.len() >= 8
        && STANDARD.decode(window).is_ok_and(|login| {
            login.contains(&b':') && login.iter().all(|byte| matches!(byte, b' '..=b'~'))
        })
}

/// The name of another object, such as `db-credentials`: words joined by dashes, one of them a noun
/// for secrets.
fn is_object_name(text: &[u8]) -> bool {
    let word = text
        .iter()
        .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.' | b'/'));
    word && text.contains(&b'-')
        && [
            "pass", "secret", "token", "key", "cred", "tls", "cert", "auth",
        ]
        .iter()
        .any(|noun| String::from_utf8_lossy(text).contains(noun))
}

fn is_flag(name: Name<'_>) -> bool {
    name.text.starts_with('-')
}

/// Where the value begins and what ties it to the name.
fn tie(source: Source<'_>, name: Name<'_>) -> Option<(usize, Tie)> {
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

/// A name and a value as neighbouring arguments: `define('DB_PASSWORD', 'x')`.
fn argument(source: Source<'_>, name: Name<'_>, closed: usize, gap: usize) -> Option<(usize, Tie)> {
    let open = source.back(name.start, 8, |byte| {
        is_blank(byte) || matches!(byte, b'"' | b'\'')
    });
    let value = skip_blanks(source, gap + 1);
    let quoted = closed > name.end && matches!(source.at(value), b'"' | b'\'');
    (quoted && source.at(gap) == b',' && source.before(open) == b'(').then_some((value, Tie::Quote))
}

/// The words that set the next word to the one after it.
const SETTERS: &[&str] = &[
    "env",
    "setenv",
    "setx",
    "fastcgi_param",
    "proxy_set_header",
    "add_header",
    "gx",
    "x",
    "ux",
    "putenv",
    "passenv",
];

/// A value that only a blank parts from its name: after a flag or a setter, in quotes, in a column.
fn word_apart(source: Source<'_>, name: Name<'_>, gap: usize) -> Option<(usize, Tie)> {
    let setter = word_before(source, name.start).to_ascii_lowercase();
    if is_flag(name) || SETTERS.contains(&setter.as_str()) {
        return Some((gap, Tie::Flag));
    }
    if matches!(source.at(gap), b'"' | b'\'') {
        return Some((gap, Tie::Quote));
    }
    if source.has(gap, "for ") {
        let end = source.run(gap, 96, |byte| !matches!(byte, b'=' | b'\n' | b';'));
        return sign(source, end).filter(|(_, tie)| *tie == Tie::Equals);
    }
    column(source, name, gap).or_else(|| element_with_attributes(source, name, gap))
}

/// The only other column of a table's row: after two blanks, a tab or a bar, alone on its line.
fn column(source: Source<'_>, name: Name<'_>, gap: usize) -> Option<(usize, Tie)> {
    let frame = |byte: u8| is_blank(byte) || byte == b'|';
    let first = matches!(source.before(source.back(name.start, 64, frame)), b'\n' | 0);
    let barred = source.at(gap) == b'|' && source.at(gap + 1) != b'|';
    let wide = gap - name.end >= 2 || source.at(name.end) == b'\t';
    let start = source.run(gap, GAP_BYTES_MAX, frame);
    let end = source.run(start, values::VALUE_BYTES_MAX, |byte| byte > b' ');
    let last = source.run(end, GAP_BYTES_MAX, frame);
    let alone = matches!(source.at(last), b'\n' | 0);
    let text = source.slice(start, end);
    let mixed = text.len() >= 8
        && text.iter().any(u8::is_ascii_digit)
        && text.iter().any(u8::is_ascii_alphabetic);
    (first && alone && mixed && (barred || wide)).then_some((start, Tie::Column))
}

/// An assigning sign, with where the value begins. Comparisons and scopes assign nothing.
fn sign(source: Source<'_>, at: usize) -> Option<(usize, Tie)> {
    let (length, tie) = match (source.at(at), source.at(at + 1), source.at(at + 2)) {
        (b'=', b'=' | b'~', _) | (b':', b':', _) | (b':', b'/', b'/') => return None,
        (b'=', b'>', _) | (b'?' | b'+', b'=', _) | (b':', b'=', _) => (2, Tie::Equals),
        (b'=', _, _) => (1, Tie::Equals),
        (b':', _, _) => (1, Tie::Colon),
        _ => return None,
    };
    Some((skip_blanks(source, at + length), tie))
}

/// Past the quote and bracket that close a name: `"name"`, `\"name\"`, `['name']`.
fn close(source: Source<'_>, at: usize) -> usize {
    let slashes = source.run(at, 8, |byte| byte == b'\\');
    let quoted = if matches!(source.at(slashes), b'"' | b'\'' | b'`') {
        slashes + 1
    } else {
        at
    };
    if matches!(source.at(quoted), b']') {
        quoted + 1
    } else {
        quoted
    }
}

fn skip_blanks(source: Source<'_>, at: usize) -> usize {
    let mut end = at;
    loop {
        let blanks = source.run(end, GAP_BYTES_MAX, is_blank);
        // A no-break space is two bytes; no other wide space stands between name and value.
        end = if source.slice(blanks, blanks + 2) == "\u{a0}".as_bytes() {
            blanks + 2
        } else {
            blanks
        };
        if end == blanks || end - at > GAP_BYTES_MAX {
            return end;
        }
    }
}

/// Past what some languages write before a literal: `b"…"`, `[]byte("…")`, `!!str …`.
fn skip_prefix(source: Source<'_>, at: usize) -> usize {
    if source.at(at).is_ascii_alphabetic() && matches!(source.at(at + 1), b'"' | b'\'') {
        return at + 1;
    }
    if source.has(at, "[]byte(") {
        return at + 7;
    }
    if source.has(at, "!!") {
        let word = source.run(at, 16, |byte| !is_blank(byte) && byte != b'\n');
        return skip_blanks(source, word);
    }
    at
}

/// A value in the quotes that begin right before its name.
fn shared(source: Source<'_>, name: Name<'_>, at: usize) -> Option<Value> {
    let quote = source.before(name.start);
    if !matches!(quote, b'"' | b'\'') || source.at(name.end) != b'=' {
        return None;
    }
    values::enclosed(source, at, quote)
}

/// Past a declared type: in `password: string = "x"` the value is what is assigned.
fn retyped(source: Source<'_>, value: Value) -> Value {
    let types: [&[u8]; 6] = [
        b"string",
        b"str",
        b"String",
        b"&str",
        b"SecretStr",
        b"bytes",
    ];
    if value.form == Form::Bare && types.contains(&source.slice(value.start, value.end)) {
        let gap = skip_blanks(source, value.end);
        if source.at(gap) == b'=' && source.at(gap + 1) != b'=' {
            return values::read(source, skip_blanks(source, gap + 1), Around::Line);
        }
    }
    value
}

fn around(source: Source<'_>, name: Name<'_>, tie: Tie) -> Around {
    match (tie, source.before(name.start)) {
        (Tie::Element, _) => Around::Element,
        (Tie::Equals, b'?' | b'&') => Around::Query,
        _ => Around::Line,
    }
}

fn word_before(source: Source<'_>, start: usize) -> &str {
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
];

/// A secret's name that is itself the value of a `name` field, before a `value` field:
/// `- name: DB_PASSWORD` / `value: x`, `{"Name": "Token", "Value": "x"}`, `<add key="x" value="y"/>`.
fn pair(source: Source<'_>, name: Name<'_>, closed: usize) -> Option<(usize, Tie)> {
    let joint = |byte: u8| {
        matches!(
            byte,
            b'"' | b'\'' | b'\\' | b':' | b'=' | b' ' | b'\t' | b'>'
        )
    };
    let gap = source.back(name.start, 16, joint);
    let field = source
        .str(source.back(gap, 16, is_word), gap)
        .to_ascii_lowercase();
    if gap == name.start || !NAME_FIELDS.contains(&field.as_str()) {
        return None;
    }
    let filler = |byte: u8| {
        matches!(
            byte,
            b' ' | b'\t'
                | b'\n'
                | b'\r'
                | b'"'
                | b'\''
                | b','
                | b'\\'
                | b'<'
                | b'/'
                | b'}'
                | b'{'
                | b'-'
        )
    };
    let mut at = source.run(closed, GAP_BYTES_MAX, filler);
    if source.before(at) == b'/' && source.has(at, &field) {
        // The closing tag of the first field.
        at = source.run(at + field.len() + 1, GAP_BYTES_MAX, filler);
    }
    let end = source.run(at, 24, is_word);
    let second = source.str(at, end).to_ascii_lowercase();
    if !VALUE_FIELDS.contains(&second.as_str()) {
        return None;
    }
    let after = close(source, end);
    if source.at(after) == b'>' {
        return Some((after + 1, Tie::Element));
    }
    let (value, _) = sign(source, skip_blanks(source, after))?;
    Some((value, Tie::Pair))
}

/// `<password type="plain">value<`: the value after the attributes.
fn element_with_attributes(source: Source<'_>, name: Name<'_>, gap: usize) -> Option<(usize, Tie)> {
    if !matches!(source.before(name.start), b'<' | b':') {
        return None;
    }
    let end = source.run(gap, 256, |byte| !matches!(byte, b'<' | b'>' | b'\n'));
    (source.at(end) == b'>' && source.before(end) != b'/').then_some((end + 1, Tie::Element))
}

/// Whether only the signs of a YAML block header stand between `at` and the end of the line.
fn ends_line(source: Source<'_>, at: usize) -> bool {
    let end = source.run(at + 1, 8, |byte| {
        matches!(byte, b'-' | b'+' | b'0'..=b'9' | b' ')
    });
    source.at(end) == b'\n'
}

/// How far a name's line is indented; a list's dash belongs to the indentation.
fn indent(source: Source<'_>, name: Name<'_>) -> usize {
    let start = source.line_start(name.start, 512);
    source.run(start, 512, |byte| is_blank(byte) || byte == b'-') - start
}

/// The lines of a YAML block: all that are indented further than the name.
fn block(source: Source<'_>, name: Name<'_>, header: usize) -> Option<Value> {
    let outer = indent(source, name);
    let first = source.line_end(header, 16) + 1;
    let mut end = first;
    while end < source.len() && end - first < BLOCK_BYTES_MAX {
        let text = source.run(end, 512, is_blank);
        let line = source.line_end(text, BLOCK_BYTES_MAX);
        if line > text && text - end <= outer {
            break;
        }
        end = line + 1;
    }
    let end = end.min(source.len());
    let end = if source.before(end) == b'\n' {
        end - 1
    } else {
        end
    };
    let start = source.run(first, 512, is_blank);
    (start < end).then_some(Value {
        start,
        end,
        form: Form::Quoted,
    })
}

/// A value on the line after its name: quoted, or one word that is indented further or looks random.
fn next_line(source: Source<'_>, name: Name<'_>, line_end: usize) -> Option<Value> {
    let line = line_end + 1;
    let start = source.run(line, 512, is_blank);
    if let Some(value) = values::quoted(source, start) {
        let after = skip_blanks(source, value.end + 1);
        return (source.at(after) != b':').then_some(value);
    }
    let end = source.run(start, values::VALUE_BYTES_MAX, |byte| byte > b' ');
    let alone =
        source.at(skip_blanks(source, end)) == b'\n' || skip_blanks(source, end) >= source.len();
    let value = Value {
        start,
        end,
        form: Form::Bare,
    };
    let text = source.slice(start, end);
    let plain = !text.contains(&b':')
        && !text.contains(&b'=')
        && !text.starts_with(b"-")
        && !text.starts_with(b"<")
        && !text.starts_with(b"{");
    let mixed = text.len() >= 8
        && text.iter().any(u8::is_ascii_digit)
        && text.iter().any(u8::is_ascii_alphabetic);
    let deeper = start - line > indent(source, name);
    (alone && plain && (deeper || mixed)).then_some(value)
}
