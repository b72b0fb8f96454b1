//! Credentials in HTTP headers: `Authorization`, `Cookie`, `Set-Cookie`, and a bearer token without
//! its header. Headers named for a key or token are settings like any other.

use super::catalog::shipped;
use super::source::{Found, Label, Source, is_base64, is_blank, is_word};
use super::values::{self, Form, Value, Written};

const HEADER: Label<'static> = Label {
    rule: "header",
    kind: "authorization",
};
const COOKIE: Label<'static> = Label {
    rule: "cookie",
    kind: "cookie",
};
const BEARER: Label<'static> = Label {
    rule: "bearer",
    kind: "authorization",
};

/// Longest header value, in bytes.
const HEADER_BYTES_MAX: usize = 65_536;
/// Shortest cookie value that is taken for a session, in bytes.
const COOKIE_BYTES_MIN: usize = 8;

/// The literals by which headers are found.
pub(super) const STARTS: &[&str] = &["authorization", "cookie", "bearer "];

/// The secrets of the header whose literal (of [`STARTS`]) stands at `start`, and where it ends.
pub(super) fn at(
    source: Source<'_>,
    start: usize,
    literal: &str,
    found: &mut Vec<Found<'_>>,
) -> usize {
    let after = start + literal.len();
    if literal == "bearer " {
        found.extend(bearer(source, start, after));
        return after;
    }
    let set = || set_header(source, after).filter(|_| literal == "authorization");
    let Some(value) = header_value(source, start, after).or_else(set) else {
        return after;
    };
    if literal == "cookie" {
        let attributes = source.back(start, 4, |byte| byte.is_ascii_alphabetic() || byte == b'-');
        let sets = source.str(attributes, start).eq_ignore_ascii_case("set-");
        cookies(source, value, if sets { 1 } else { COOKIES_MAX }, found);
    } else {
        found.extend(credentials(source, value));
    }
    value.1
}

/// The value of a header, up to the end of its line or the quote around it.
pub(super) fn header_value(source: Source<'_>, start: usize, at: usize) -> Option<(usize, usize)> {
    let slashes = source.run(at, 8, |byte| byte == b'\\');
    let at = if matches!(source.at(slashes), b'"' | b'\'' | b'`') {
        slashes + 1
    } else {
        at
    };
    let colon = source.run(at, 8, is_blank);
    let compares = source.at(colon + 1) == b'=';
    if !matches!(source.at(colon), b':' | b'=') || compares {
        return None;
    }
    let mut from = source.run(colon + 1, 64, is_blank);
    if source.at(from) == b'\n' {
        return folded(source, from);
    }
    if matches!(source.at(from), b'[' | b'{') {
        from += 1;
    }
    if let Some(value) = values::quoted(source, from) {
        return Some((value.start, value.end));
    }
    // Quotes around the whole header end it; others are part of it.
    let name = source.back(start, 16, |byte| byte.is_ascii_alphabetic() || byte == b'-');
    let around = source.before(name);
    let end = match around {
        b'"' | b'\'' | b'`' => source.run(from, HEADER_BYTES_MAX, |byte| {
            byte != b'\n' && byte != around
        }),
        _ => source.line_end(from, HEADER_BYTES_MAX),
    };
    Some((from, end))
}

/// The value on the line below a header's name, indented: `Authorization:` and ` Basic x`.
fn folded(source: Source<'_>, line_end: usize) -> Option<(usize, usize)> {
    let from = source.run(line_end + 1, 64, is_blank);
    let scheme = source.run(from, 32, |byte| byte.is_ascii_alphabetic() || byte == b'-');
    let named = source.str(from, scheme).to_ascii_lowercase();
    let is_value = from > line_end + 1 && shipped().schemes.contains(&named);
    (is_value && is_blank(source.at(scheme)))
        .then(|| (from, source.line_end(from, HEADER_BYTES_MAX)))
}

/// The value of `Authorization "Basic x"`, as servers are told to set the header: in quotes, with its scheme.
fn set_header(source: Source<'_>, at: usize) -> Option<(usize, usize)> {
    let value = values::quoted(source, source.run(at, 8, is_blank))?;
    let scheme = source.run(value.start, value.end - value.start, |byte| !is_blank(byte));
    let named = source.str(value.start, scheme).to_ascii_lowercase();
    shipped()
        .schemes
        .contains(&named)
        .then_some((value.start, value.end))
}

fn credentials(source: Source<'_>, (start, end): (usize, usize)) -> Option<Found<'static>> {
    let word = source.run(start, end - start, |byte| !is_blank(byte));
    let scheme = source.str(start, word).to_ascii_lowercase();
    let next = source.run(word, 64, is_blank).min(end);
    let (from, to) = if scheme.starts_with("aws4-") {
        let signature = source.find(next, end - next, "Signature=")? + 10;
        (signature, source.run(signature, 256, is_word).min(end))
    } else if scheme == "digest" || scheme == "oauth" || scheme == "hawk" {
        (next, end)
    } else if next < end && shipped().schemes.contains(&scheme) {
        (
            next,
            source.run(next, end - next, |byte| {
                !is_blank(byte) && !matches!(byte, b',' | b';' | b'"' | b'\'')
            }),
        )
    } else if shipped().schemes.contains(&scheme) {
        return None;
    } else {
        (start, word)
    };
    let value = Value {
        start: from,
        end: to,
        form: Form::Bare,
    };
    if to - from < 4 || values::is_placeholder(source, value, Written::Constant) {
        return None;
    }
    if values::begins_prose(source, value) {
        return None;
    }
    Found::new(from, to, HEADER)
}

/// Most cookies of one header.
const COOKIES_MAX: usize = 256;

fn cookies(
    source: Source<'_>,
    (start, end): (usize, usize),
    most: usize,
    found: &mut Vec<Found<'_>>,
) {
    let mut at = start;
    for _ in 0..most {
        let stop = source.run(at, end - at, |byte| byte != b';');
        let name = source.run(at, stop - at, |byte| byte != b'=');
        let value = Value {
            start: name + 1,
            end: stop,
            form: Form::Quoted,
        };
        let long = name < stop && stop - value.start >= COOKIE_BYTES_MIN;
        if long && !values::is_placeholder(source, value, Written::Environment) {
            found.extend(Found::new(value.start, stop, COOKIE));
        }
        if stop >= end {
            return;
        }
        at = source.run(stop + 1, end - stop, is_blank).min(end);
    }
}

/// `Bearer` and a token, wherever they stand.
fn bearer(source: Source<'_>, start: usize, after: usize) -> Option<Found<'static>> {
    let end = source.run(after, HEADER_BYTES_MAX, |byte| {
        is_base64(byte) || matches!(byte, b'.' | b'~')
    });
    let token = source.slice(after, end);
    let made =
        token.len() >= 16 && token.iter().any(u8::is_ascii_digit) && !is_word(source.before(start));
    if made {
        Found::new(after, end, BEARER)
    } else {
        None
    }
}
