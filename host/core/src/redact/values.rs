//! Where a value begins and ends, and whether it is a secret at all or only stands for one. Knows no
//! names.

use super::MASK_START;
use super::masks;
use super::source::{Source, is_base64, is_blank, is_word};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Longest value that is followed, in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 65_536;
/// How much of a value the placeholder filter reads, in bytes. A longer value stands for nothing.
const PLACEHOLDER_BYTES_MAX: usize = 256;

/// How much of a value is read to judge it, in bytes. Only a value that is a secret is followed to its
/// end: else each name inside a long value that is none would read all of the rest again.
pub(super) const JUDGED_BYTES_MAX: usize = 512;

/// Longest value that shares its quotes with its name, in bytes.
const ENCLOSED_BYTES_MAX: usize = 1_024;

/// A value in the text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) form: Form,
}

/// How a value stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Between quotes.
    Quoted,
    /// Bare.
    Bare,
}

/// What stands around a bare value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// A setting on a line.
    Line,
    /// A query or a form: `&` ends it.
    Query,
    /// An XML element: `<` ends it.
    Element,
}

/// In what kind of text a setting seems to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Its name is in capitals, as in an environment: an identifier as value is a poor password.
    Environment,
    /// Its name is in capitals in another text: a call or a chain of names as value is code.
    Constant,
    /// It may be program text, where an identifier as value is a variable.
    Code,
}

/// The value that begins at `start`, after any blanks, of at most `most` bytes.
pub(super) fn read(source: Source<'_>, start: usize, around: Around, most: usize) -> Value {
    if let Some(value) = quoted_within(source, start, most) {
        return value;
    }
    let end = match around {
        Around::Element => element_end(source, start),
        Around::Query => source.run(start, most, |byte| {
            is_bare(byte) && !matches!(byte, b'&' | b'#')
        }),
        Around::Line => bare_end(source, start, most),
    };
    Value {
        start,
        end,
        form: Form::Bare,
    }
}

/// A quoted value. The closing quote has as many backslashes as the opening one, so that JSON in
/// JSON is read as well; a doubled quote, and the shell's `'\\''`, belong to the value. Without a
/// closing quote the value ends with its line.
pub(super) fn quoted(source: Source<'_>, start: usize) -> Option<Value> {
    quoted_within(source, start, VALUE_BYTES_MAX)
}

fn quoted_within(source: Source<'_>, start: usize, most: usize) -> Option<Value> {
    let open = source.run(start, 8, |byte| byte == b'\\');
    let slashes = open - start;
    let quote = source.at(open);
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    let width = source.run(open, 3, |byte| byte == quote) - open;
    let from = open + if width == 3 { 3 } else { 1 };
    let limit = source.len().min(from.saturating_add(most));
    let value = |end: usize| {
        Some(Value {
            start: from,
            end,
            form: Form::Quoted,
        })
    };
    let mut at = from;
    while at < limit {
        at = source.run(at, limit - at, |byte| {
            byte != quote && !matches!(byte, b'\\' | b'\n')
        });
        let run = source.run(at, limit.saturating_sub(at), |byte| byte == b'\\') - at;
        let sign = source.at(at + run);
        if at >= limit || (run == 0 && sign == b'\n') {
            return value(at.min(limit));
        }
        let closes = sign == quote
            && if slashes == 0 {
                run.is_multiple_of(2)
            } else {
                run == slashes
            };
        let next = at + run + 1;
        if closes && width != 3 && slashes == 0 && at + run > from && source.at(next) == quote {
            at = next + 1;
        } else if closes && slashes == 0 && source.slice(next, next + 3) == [b'\\', quote, quote] {
            at = next + 3;
        } else if closes {
            return value(if slashes == 0 { at + run } else { at });
        } else if sign == b'\n' {
            return value(at + run);
        } else {
            at = next;
        }
    }
    value(limit)
}

fn is_bare(byte: u8) -> bool {
    byte > b' ' && !matches!(byte, b'"' | b'\'' | b'`')
}

/// Where a bare value ends: at a blank or quote, or before what begins the next setting. A password
/// may hold any sign, so a sign alone ends nothing except at the value's very end.
fn bare_end(source: Source<'_>, start: usize, most: usize) -> usize {
    let run = source.run(start, most, is_bare);
    let end = before_next(source, start, run);
    if end == start.saturating_add(most) {
        // It goes on, so its last signs are none.
        return end;
    }
    let trailing = |byte: u8| matches!(byte, b',' | b';' | b')' | b']' | b'}' | b'|' | b'\\');
    source.back(end, end - start, trailing).max(start)
}

/// Where the text of an element ends. Past what judging reads a `>` ends it as well, or a text full of
/// names with that sign and without a tag would be read to its end from each of them.
fn element_end(source: Source<'_>, start: usize) -> usize {
    let near = source.run(start, JUDGED_BYTES_MAX, |byte| byte != b'<');
    source.run(near, VALUE_BYTES_MAX, |byte| !matches!(byte, b'<' | b'>'))
}

/// Where, up to `end`, the next setting begins.
fn before_next(source: Source<'_>, start: usize, end: usize) -> usize {
    let mut at = start;
    while at < end {
        at = source.run(at, end - at, |byte| {
            !matches!(byte, b'&' | b';' | b',' | b'\\' | b'<' | b'|')
        });
        if at > start && at < end && begins_next(source, at) {
            return at;
        }
        at += 1;
    }
    end
}

/// A value inside the quotes that also hold its name, as in `"NAME=two words"`.
pub(super) fn enclosed(source: Source<'_>, start: usize, quote: u8) -> Option<Value> {
    let close = source.run(start, ENCLOSED_BYTES_MAX, |byte| {
        byte != quote && byte != b'\n'
    });
    if source.at(close) != quote {
        return None;
    }
    let close = source.back(close, 8, |byte| byte == b'\\').max(start);
    Some(Value {
        start,
        end: before_next(source, start, close),
        form: Form::Bare,
    })
}

/// Whether a sign inside a bare value is the border to the next setting, tag or line.
fn begins_next(source: Source<'_>, at: usize) -> bool {
    let after = match (source.at(at), source.at(at + 1)) {
        (b'<', next) => return next == b'/',
        (b'\\', b'n' | b'r' | b't') => at + 2,
        (b'\\', next) => return matches!(next, b'"' | b'\''),
        (b'&', b'&') | (b'|', b'|') => return true,
        (b'|', _) => return false,
        _ => at + 1,
    };
    let name = source.run(after, 64, |byte| {
        is_word(byte) || matches!(byte, b'-' | b'.' | b' ')
    });
    name > after && matches!(source.at(name), b'=' | b':')
}

/// Whether a value only stands for a secret: empty, masked, a reference, a path, code, or a word
/// that says that there is none.
pub(super) fn is_placeholder(source: Source<'_>, value: Value, written: Written) -> bool {
    if value.end - value.start > PLACEHOLDER_BYTES_MAX {
        return false;
    }
    let raw = source.slice(value.start, value.end);
    let text = String::from_utf8_lossy(raw);
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    is_empty_like(&lower)
        || is_reference(text, &lower)
        || is_masked(source, value, text)
        || (value.form == Form::Bare && is_code(text, source.at(value.end), written))
        || is_path(text)
}

#[rustfmt::skip]
const NOTHING: &[&str] = &[
    "null", "nil", "none", "undefined", "true", "false", "yes", "no", "on", "off", "required", "optional", "enabled", "disabled", "unset", "empty", "set", "not", "n/a", "na",
    "redacted", "removed", "hidden", "masked", "omitted", "filtered", "password", "passwd", "token", "secret", "string", "str", "int", "bool", "bytes", "value", "example", "placeholder",
    "todo", "tbd", "changeme", "invalid", "incorrect", "expired", "missing", "is", "was", "has", "for", "must", "and", "or", "the", "a", "an", "to", "of", "option", "flag", "argument", "parameter",
    "ask", "prompt", "vault", "default", "unknown", "basic", "bearer", "x", "locked", "blank", "self", "this", "file", "any", "never", "valid", "ok", "failed", "success", "found", "include", "see", "stored", "managed", "deprecated", "unchanged", "pwd", "pw", "pass", "same-origin", "omit", "inherit",
];

fn is_empty_like(lower: &str) -> bool {
    let word = lower
        .trim_end_matches(['.', ',', ';', '!', '?', ':', ')', ']', '>'])
        .trim_start_matches(['[', '<', '(']);
    word.is_empty() || (word.len() <= NOTHING_BYTES_MAX && NOTHING_WORDS.contains(word))
}

/// Longest word for nothing, in bytes.
const NOTHING_BYTES_MAX: usize = 11;

static NOTHING_WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| NOTHING.iter().copied().collect());

fn is_masked(source: Source<'_>, value: Value, text: &str) -> bool {
    let rest = masks::without(source, value.start..value.end);
    if rest.len() < value.end - value.start {
        return rest.trim().len() < 4;
    }
    let mut chars = text.chars();
    let first = chars.next();
    let alike = chars.all(|c| Some(c) == first);
    let mask = |c: char| {
        matches!(
            c,
            '*' | '•' | '●' | 'x' | 'X' | '.' | '-' | '_' | '#' | '?' | '…'
        )
    };
    (alike && first.is_some_and(mask)) || text.starts_with("***") || text.ends_with("****")
}

fn is_reference(text: &str, lower: &str) -> bool {
    let bracketed = |open: &str, close: &str| {
        text.starts_with(open) && text.ends_with(close) && text.len() > open.len()
    };
    let variable = text.strip_prefix('$').is_some_and(|rest| {
        let name = rest.trim_start_matches("env:");
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| {
                is_word(byte) || matches!(byte, b'[' | b']' | b'"' | b'\'' | b'.' | b'-' | b'>')
            })
            && (name.bytes().all(|byte| !byte.is_ascii_lowercase())
                || !name.bytes().any(|byte| byte.is_ascii_digit()))
    });
    let pathed = text
        .strip_prefix('$')
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(name, _)| name.bytes().all(is_word));
    let tagged = [
        "!vault",
        "!ref",
        "!sub",
        "!secret",
        "!getatt",
        "!env",
        "!env_var",
        "!reference",
        "!importvalue",
    ]
    .iter()
    .any(|tag| {
        lower == *tag
            || lower
                .strip_prefix(tag)
                .is_some_and(|rest| rest.starts_with([' ', '[', '|']))
    });
    let pointed = [
        "op://",
        "vault:",
        "vault://",
        "arn:",
        "ssm:",
        "ssm://",
        "awssm://",
        "gcpsm://",
        "secretref:",
        "file:",
        "file://",
        "env:",
        "env://",
        "ref+",
        "enc[",
        "ref:",
        "projects/",
        "kms:",
    ]
    .iter()
    .any(|start| lower.starts_with(start));
    let specimen = [
        "your-",
        "your_",
        "<your",
        "my-secret-",
        "example-",
        "replace-",
        "replace_",
        "insert-",
        "enter-",
        "put-your",
        "change-me",
        "change_me",
        "xxxx",
        "dummy",
        "value_specified_in_no_log",
        "pk_live_",
        "pk_test_",
    ]
    .iter()
    .any(|start| lower.starts_with(start));
    let braces = text.starts_with("${")
        || text.starts_with("$(")
        || text.starts_with("{{")
        || text.starts_with("<%")
        || text.starts_with("%{")
        || text.starts_with("#{")
        || text.starts_with("@{");
    variable
        || pathed
        || tagged
        || pointed
        || specimen
        || braces
        || bracketed("<", ">")
        || bracketed("%", "%")
        || bracketed("__", "__")
        || (bracketed("@", "@")
            && text
                .bytes()
                .all(|byte| is_word(byte) || matches!(byte, b'@' | b'.' | b'-')))
        || (bracketed("{", "}") && !is_sealed(text))
        // What only looks like a mask of ours is none, and nothing else.
        || (bracketed("[", "]") && !text.starts_with(MASK_START))
        || matches!(
            text,
            "%s" | "%v"
                | "%d"
                | "%q"
                | "?"
                | "|"
                | ">"
                | "|-"
                | ">-"
                | "{"
                | "["
                | "("
                | "\\"
                | "&"
        )
        || (text.starts_with("%(") && text.ends_with(")s"))
        || (text.starts_with(':')
            && text.len() > 1
            && text
                .bytes()
                .skip(1)
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

/// What a build server seals with a key of its own, `{AQAAABAAAA…=}`: whoever has its files opens it.
fn is_sealed(text: &str) -> bool {
    let body = text.trim_matches(['{', '}']);
    let has = |class: fn(&u8) -> bool| body.bytes().any(|byte| class(&byte));
    body.len() >= 16
        && body.bytes().all(is_base64)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

/// An absolute, relative or home path of ordinary words. Random base64 may begin with a slash too,
/// so capitals beside digits in one segment speak against it.
fn is_path(text: &str) -> bool {
    let rooted = text.starts_with('/')
        || text.starts_with("./")
        || text.starts_with("../")
        || text.starts_with("~/");
    let drive =
        matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let odd = |segment: &str| {
        let has = |class: fn(&u8) -> bool| segment.bytes().any(|byte| class(&byte));
        segment.len() > 10
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    };
    (rooted || drive)
        && text.len() > 1
        && !text.contains(['+', '=', '!', '$', '#'])
        && !text.split('/').any(odd)
}

/// Code that yields the secret: a call, an index, a chain of identifiers, an identifier that names
/// the thing itself.
fn is_code(text: &str, next: u8, written: Written) -> bool {
    if written == Written::Environment {
        return false;
    }
    let head = text.bytes().position(|byte| {
        !(is_word(byte) || matches!(byte, b'.' | b'$' | b':' | b'>' | b'-' | b'?' | b'!'))
    });
    let starts = text
        .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$' | '@' | '*' | '&'));
    let call = starts
        && match head {
            Some(at) => {
                matches!(text.as_bytes().get(at), Some(b'(' | b'['))
                    && at > 0
                    && is_name_like(text.get(..at).unwrap_or_default())
            }
            None => matches!(next, b'(' | b'[') && is_name_like(text),
        };
    let plain = text.trim_end_matches([';', ',', ')']);
    let letters = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    let chain =
        plain.contains('.') && plain.split('.').all(letters) && plain.split('.').count() <= 6;
    let pointed = plain.contains("->")
        && plain
            .split("->")
            .all(|part| letters(part.trim_start_matches('$')));
    let bare = plain.trim_start_matches(['&', '*']);
    let camel = bare.starts_with(|c: char| c.is_ascii_uppercase())
        && bare.bytes().any(|byte| byte.is_ascii_lowercase());
    // `Option<String>`, `Vec<u8>`, `token::Kind`: a type or a path.
    let typed = bare
        .split_once(['<', ':'])
        .is_some_and(|(name, rest)| letters(name) && (bare.contains('<') || rest.starts_with(':')));
    let named = letters(bare) && (bare.contains('_') || camel);
    let names_it = written == Written::Code && named && {
        let lower = bare.to_ascii_lowercase();
        ["pass", "secret", "token", "key", "cred", "pwd"]
            .iter()
            .any(|noun| lower.contains(noun))
    };
    call || chain || pointed || typed || names_it
}

/// Whether a text before a parenthesis is a name that people write, rather than part of a password.
fn is_name_like(text: &str) -> bool {
    let digits = |part: &str| part.bytes().filter(u8::is_ascii_digit).count();
    // Functions of modules count their bits: `hashlib.sha256`, `hashlib.pbkdf2_hmac`.
    let dotted = text.contains('.')
        && text.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.bytes().all(is_word)
                && digits(part) <= 3
        });
    text.len() >= 2 && !text.contains("--") && (dotted || digits(text) <= 2)
}

/// Shortest value that looks random, in bytes.
const RANDOM_BYTES_MIN: usize = 16;

/// Whether a value looks made by a machine: long, without blanks, digits among letters, and no
/// UUID, number, version or address.
pub(super) fn looks_random(source: Source<'_>, value: Value) -> bool {
    let text = source.slice(
        value.start,
        value.end.min(value.start + PLACEHOLDER_BYTES_MAX),
    );
    let length = text.len();
    if length < RANDOM_BYTES_MIN {
        return false;
    }
    let count = |class: fn(&u8) -> bool| text.iter().filter(|byte| class(byte)).count();
    let (digits, letters, upper, lower) = (
        count(u8::is_ascii_digit),
        count(u8::is_ascii_alphabetic),
        count(u8::is_ascii_uppercase),
        count(u8::is_ascii_lowercase),
    );
    let signs = length - digits - letters;
    let fits = text.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'+' | b'/' | b'=' | b'-' | b'_' | b'.' | b'~' | b'%' | b':'
            )
    });
    fits && digits >= 2
        && letters >= 4
        && !is_uuid(text)
        && signs * 5 <= length.max(20)
        && ((upper > 0 && lower > 0) || digits * 6 >= length)
        && !text.contains(&b':')
        && (text.iter().filter(|byte| **byte == b'.').count() <= 2 || text.starts_with(b".eJ"))
}

pub(super) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                *byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

/// Whether a bare value begins a sentence: letters only, and a further word on its line.
pub(super) fn begins_prose(source: Source<'_>, value: Value) -> bool {
    let word = source.slice(value.start, value.end);
    let word = word.strip_suffix(b",").unwrap_or(word);
    let next = source.run(value.end, 8, |byte| {
        is_blank(byte) || matches!(byte, b',' | b'.' | b';')
    });
    let measured = word.iter().all(u8::is_ascii_digit) && source.has(next, "bytes");
    (measured || word.iter().all(u8::is_ascii_alphabetic))
        && next > value.end
        && source.at(next).is_ascii_alphabetic()
}
