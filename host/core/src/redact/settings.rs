//! Secrets that tell by the name before them: `name = value` in all its dialects (environment, YAML,
//! JSON, JSON in JSON, INI, XML, SQL, code, command-line flags, query strings), and pairs of a name
//! and a value in two fields. The name and the signs stay, the value goes.

use super::MASK_START;
use super::lookalikes;
use super::masks;
use super::names::{self, Names};
use super::nested;
use super::objects;
use super::phrases;
use super::source::{Found, Label, Source, is_blank, is_word};
use super::ties::{Name, Tie, close, is_mixed, skip_blanks, tie, word_before};
use super::values::{self, Around, Form, Value, Written};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest name, in bytes, to either side of its fragment.
const NAME_BYTES_MAX: usize = 64;
/// Longest remark between a name and the value on the next line, in bytes.
const REMARK_BYTES_MAX: usize = 160;
/// Deepest indentation of such a value, in bytes.
const INDENT_BYTES_MAX: usize = 512;
/// Most blank lines above it.
const BLANK_LINES_MAX: usize = 4;
/// Longest indented block that one name may hold, in bytes.
const BLOCK_BYTES_MAX: usize = 65_536;

/// Judges the name around `hit`. Also says where the name ends, so that its other fragments need not
/// be judged again.
pub(super) fn at(source: Source<'_>, hit: usize) -> (Option<Found<'static>>, usize) {
    let name = name_around(source, hit);
    (valued(source, name), name.end.max(hit + 1))
}

/// As [`at`], for names that somebody else judges.
pub(super) fn named<'r>(
    source: Source<'_>,
    hit: usize,
    label: Label<'r>,
    is_one: impl Fn(&str) -> bool,
) -> (Option<Found<'r>>, usize) {
    let name = name_around(source, hit);
    let read = name.end.max(hit + 1);
    if !is_one(name.text) {
        return (None, read);
    }
    let found = tie(source, name).and_then(|(at, tie)| {
        let at = skip_prefix(source, at);
        let judged = value_at(source, name, at, tie, values::JUDGED_BYTES_MAX)?;
        if !holds_secret(source, name, judged, tie, Names::Secret("password")) {
            return None;
        }
        let value = value_at(source, name, at, tie, values::VALUE_BYTES_MAX)?;
        Found::new(value.start, value.end, label)
    });
    (found, read)
}

pub(super) fn name_around(source: Source<'_>, hit: usize) -> Name<'_> {
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

fn valued(source: Source<'_>, name: Name<'_>) -> Option<Found<'static>> {
    let start = name.start.checked_sub(MASK_START.len());
    if start.is_some_and(|start| masks::at(source, start).is_some()) {
        // The kind in a mask is no name, whatever follows the mask.
        return None;
    }
    if let Some(value) = nested::answer(source, name) {
        let label = Label {
            rule: "setting",
            kind: "password",
        };
        return Found::new(value.start, value.end, label)
            .filter(|_| !values::is_placeholder(source, value, Written::Environment));
    }
    if let Some(value) = nested::reply(source, name).or_else(|| nested::echoed(source, name)) {
        let kind = nested::holder(name.text).map_or("password", |holder| holder.kind);
        let label = Label {
            rule: "setting",
            kind,
        };
        return Found::new(value.start, value.end, label)
            .filter(|_| !values::is_placeholder(source, value, Written::Environment));
    }
    let name = nested::whole(source, name);
    let (mut at, tie) = tie(source, name)?;
    if name.text == "PASS" && tie == Tie::Colon {
        // How test programs report; a setting of that name has an equals sign.
        return None;
    }
    let before = if name.text.starts_with('-') {
        // A flag has nothing to do with the word before it.
        ""
    } else {
        word_before(source, name.start)
    };
    let judged = names::judge(name.text, before)?;
    at = skip_prefix(source, at);
    let mut value = value_at(source, name, at, tie, values::JUDGED_BYTES_MAX)?;
    if let Some(next) = objects::replacement(source, value) {
        // What replaces a value that is masked already, or that is none.
        at = next;
        value = value_at(source, name, at, tie, values::JUDGED_BYTES_MAX)?;
    }
    if tie == Tie::Element && source.slice(value.end, value.end + 2) != b"</" {
        // A type parameter or a comparison, and no element.
        return None;
    }
    if closes_string(source, name, value) || lookalikes::is_one(source, name, tie, value) {
        return None;
    }
    let (rule, kind) = match judged {
        Names::Secret(kind) => ("setting", kind),
        Names::Perhaps(kind) => ("setting-random", kind),
    };
    if !holds_secret(source, name, value, tie, judged) {
        return None;
    }
    let value = value_at(source, name, at, tie, values::VALUE_BYTES_MAX)?;
    let end = if kind == "passphrase" && value.form == Form::Bare && tie == Tie::Colon {
        source.line_end(value.end, values::VALUE_BYTES_MAX)
    } else {
        phrases::end(source, name, value, kind).unwrap_or(value.end)
    };
    Found::new(value.start, end, Label { rule, kind })
}

/// The value at a place, in at most so many bytes where a long one can be read from many names.
fn value_at(source: Source<'_>, name: Name<'_>, at: usize, tie: Tie, most: usize) -> Option<Value> {
    let around = around(source, name, tie);
    let value = match (source.at(at), tie) {
        (b'\n', Tie::Colon | Tie::Pair) => next_line(source, name, at)?,
        (b'#', Tie::Colon) if is_blank(source.at(at + 1)) && is_blank(source.before(at)) => {
            let end = source.line_end(at, REMARK_BYTES_MAX);
            let value = next_line(source, name, end)?;
            let line = source.line_start(value.start, INDENT_BYTES_MAX);
            if source.run(line, INDENT_BYTES_MAX, is_blank) - line <= indent(source, name) {
                return None;
            }
            value
        }
        (b'\n' | b' ' | b'<', Tie::Element) => match objects::element(source, at) {
            Some(start) => values::read(source, start, around, most),
            None if source.at(at) == b'\n' => return None,
            None => values::read(source, at, around, most),
        },
        (b'\n', _) => return None,
        (b'{', Tie::Colon) if objects::member(source, at).is_some() => {
            values::quoted(source, objects::member(source, at)?)?
        }
        (b'{', Tie::Colon) if objects::is_map(source, at) => return None,
        (b'[', Tie::Colon | Tie::Equals) if objects::numbers(source, at).is_some() => {
            objects::numbers(source, at)?
        }
        (b'|' | b'>', Tie::Colon | Tie::Pair) if ends_line(source, at) => block(source, name, at)?,
        (byte, Tie::Equals) if !matches!(byte, b'"' | b'\'' | b'\\') => {
            shared(source, name, at).unwrap_or_else(|| values::read(source, at, around, most))
        }
        _ => values::read(source, at, around, most),
    };
    Some(retyped(source, value, most))
}

fn holds_secret(source: Source<'_>, name: Name<'_>, value: Value, tie: Tie, judged: Names) -> bool {
    let written = if name.text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Written::Code
    } else if source.before(value.start) == b'=' {
        Written::Environment
    } else {
        Written::Constant
    };
    let text = source.slice(value.start, value.end);
    let fits = match judged {
        Names::Perhaps(_) => {
            tie != Tie::Quote
                && (values::looks_random(source, value)
                    || is_login(text)
                    || (names::is_secret_id(name.text) && values::is_uuid(text))
                    || objects::is_numbers(text))
                && !(name.text.eq_ignore_ascii_case("key") && is_key_of_map(text))
        }
        Names::Secret(kind) => {
            let digits = text.iter().all(u8::is_ascii_digit);
            let phrase = phrases::end(source, name, value, kind).is_some();
            let least = match kind {
                "password" => 3,
                "passphrase" if value.form == Form::Bare && tie == Tie::Colon => 3,
                _ => 6,
            };
            let prose = value.form == Form::Bare
                && !phrase
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
                && matches!(tie, Tie::Colon | Tie::Quote)
                && (is_object_name(text) || source.before(name.start) == b':');
            let spaced_quote =
                tie == Tie::Quote && text.iter().any(|byte| is_blank(*byte)) && text.len() < 8;
            (phrase || text.len() >= least)
                && !prose
                && !link
                && !reference
                && !spaced_quote
                && !(digits && kind != "password" && text.len() < 8)
        }
    };
    // The dearest question comes last.
    fits && !values::is_placeholder(source, value, written)
}

/// Whether the quote before a value ends a string that holds the name, as in `input("Password: ", x)`.
fn closes_string(source: Source<'_>, name: Name<'_>, value: Value) -> bool {
    let quote = source.before(value.start);
    let follows = matches!(
        source.at(value.start),
        b',' | b')' | b' ' | b';' | b']' | b'}' | b'\n' | 0
    );
    if value.form != Form::Quoted || !follows {
        return false;
    }
    let line = source.line_start(name.start, 512);
    let quotes = source
        .slice(line, name.start)
        .iter()
        .filter(|byte| **byte == quote)
        .count();
    quotes % 2 == 1 && source.before(name.start) != b'\\' && close(source, name.end) == name.end
}

/// `user:password` in base64, as the `auth` of a registry holds it.
fn is_login(text: &[u8]) -> bool {
    let window = text.get(..text.len().min(512)).unwrap_or_default();
    text.len() >= 8
        && STANDARD.decode(window).is_ok_and(|login| {
            login.contains(&b':') && login.iter().all(|byte| matches!(byte, b' '..=b'~'))
        })
}

/// Whether a value beside a plain `key` is a path or a file: a secret would end in padding.
fn is_key_of_map(text: &[u8]) -> bool {
    text.contains(&b'.') || (text.contains(&b'/') && !text.ends_with(b"="))
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
fn retyped(source: Source<'_>, value: Value, most: usize) -> Value {
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
            return values::read(source, skip_blanks(source, gap + 1), Around::Line, most);
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
    let mut line = line_end + 1;
    let mut start = source.run(line, INDENT_BYTES_MAX, is_blank);
    for _ in 0..BLANK_LINES_MAX {
        if source.at(start) == b'\n' {
            line = start + 1;
            start = source.run(line, INDENT_BYTES_MAX, is_blank);
        }
    }
    let apart = line > line_end + 1;
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
    let mixed = is_mixed(text);
    let deeper = start - line > indent(source, name);
    (alone
        && plain
        && if apart {
            deeper && mixed
        } else {
            deeper || mixed
        })
    .then_some(value)
}
