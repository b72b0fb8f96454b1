//! Secrets that tell by their place in a line of a known form: what a mail or file client says to its server,
//! lists of accounts of daemons, keys of identity providers. Each form is found by a literal of its own and
//! read within its line.

use super::source::{Found, Label, Source, is_base64, is_blank, is_word};
use super::values::{self, Form, Value, Written};

const PLACE: Label<'static> = Label {
    rule: "place",
    kind: "password",
};
const KEY: Label<'static> = Label {
    rule: "place-key",
    kind: "secret-key",
};

/// How far before a literal its line is read, in bytes.
const BEFORE_BYTES_MAX: usize = 256;
/// Longest word that is followed, in bytes.
const WORD_BYTES_MAX: usize = 512;
/// Words up to the password of a share: a drive, the share, the password.
const SHARE_WORDS_MAX: usize = 3;
/// Most words of an access list's entry.
const WORDS_MAX: usize = 64;
/// How far from its type the members of a key are looked for, to either side, in bytes.
const KEY_BYTES_MAX: usize = 4_096;

/// The literals by which the forms are found.
pub(super) const STARTS: &[&str] = &[
    "]:587 ",
    "]:465 ",
    "]:25 ",
    ": EAP \"",
    ": XAUTH \"",
    ".key \"",
    ".pem \"",
    ".p12 \"",
    " on >",
    " on #",
    "\"AUTH\" \"",
    "AUTH PLAIN ",
    "AUTH LOGIN ",
    " PASS ",
    " LOGIN ",
    "\"kty\"",
    "ed25519 a_",
    "__construct('",
    "sqli_connect(",
    "\"md5",
    " md5",
    "\"encrypt\"",
    "encrypt = \"",
    "\"encoded\"",
    "net use ",
];

/// The secrets of the form whose literal (of [`STARTS`]) stands at `start`, and up to where they are read.
pub(super) fn at(
    source: Source<'_>,
    start: usize,
    literal: &str,
    found: &mut Vec<Found<'_>>,
) -> usize {
    let after = start + literal.len();
    if source.slice(start, after) != literal.as_bytes() {
        // The signs of these forms are written in one case.
        return after;
    }
    let one = match literal {
        "]:587 " | "]:465 " | "]:25 " => mail_account(source, start, after),
        ": EAP \"" | ": XAUTH \"" => quoted(source, after - 1),
        ".key \"" | ".pem \"" | ".p12 \"" => {
            let line = source.line_start(start, BEFORE_BYTES_MAX);
            let head = source.str(line, start);
            let kinds = [": RSA ", ": ECDSA ", ": PKCS8 ", ": P12 "];
            if kinds.iter().any(|kind| head.contains(kind)) {
                quoted(source, after - 1)
            } else {
                None
            }
        }
        " on >" | " on #" => return access_list(source, start, after, found),
        "\"AUTH\" \"" => told_to_store(source, after - 1),
        "AUTH PLAIN " | "AUTH LOGIN " => told_in_base64(source, after),
        " PASS " => told_to_server(source, start, after),
        " LOGIN " => told_to_mailbox(source, start, after),
        "\"kty\"" => return web_key(source, start, found),
        "ed25519 a_" => signing_key(source, after),
        "__construct('" | "sqli_connect(" => third_argument(source, after, literal.ends_with('\'')),
        "\"md5" | " md5" => role(source, start, after),
        "net use " => share(source, after),
        "\"encrypt\"" | "encrypt = \"" => shared_key(source, start, after),
        _ => encoded(source, start, after),
    };
    let end = one.map_or(after, |one| one.end);
    found.extend(one);
    end
}

/// A value, unless it only stands for one.
fn value(source: Source<'_>, start: usize, end: usize, form: Form) -> Option<Found<'static>> {
    let value = Value { start, end, form };
    if end.saturating_sub(start) < 3 || values::is_placeholder(source, value, Written::Environment)
    {
        return None;
    }
    Found::new(start, end, PLACE)
}

fn quoted(source: Source<'_>, at: usize) -> Option<Found<'static>> {
    let value = values::quoted(source, at)?;
    self::value(source, value.start, value.end, Form::Quoted)
}

/// Where the word at a place ends, if nothing but blanks follows on its line.
fn last_word(source: Source<'_>, start: usize) -> Option<usize> {
    let end = source.run(start, WORD_BYTES_MAX, |byte| byte > b' ');
    let rest = source.run(end, 8, is_blank);
    (end > start && matches!(source.at(rest), b'\n' | 0)).then_some(end)
}

/// `[smtp.example.com]:587 user:password`, a line of a map of mail relays.
fn mail_account(source: Source<'_>, start: usize, after: usize) -> Option<Found<'static>> {
    let line = source.line_start(start, BEFORE_BYTES_MAX);
    let from = source.run(after, 64, is_blank);
    let end = last_word(source, from)?;
    let colon = source.str(from, end).find(':')? + from;
    if source.at(line) != b'[' || colon == from {
        return None;
    }
    value(source, colon + 1, end, Form::Quoted)
}

/// `net use Z: \\\\server\\share password /user:name`: the word after the share.
fn share(source: Source<'_>, after: usize) -> Option<Found<'static>> {
    let (mut at, mut shared) = (after, false);
    for _ in 0..SHARE_WORDS_MAX {
        let end = source.run(at, WORD_BYTES_MAX, |byte| byte > b' ');
        let word = source.slice(at, end);
        if shared {
            let other = word.starts_with(b"/") || word == b"*";
            return value(source, at, end, Form::Quoted).filter(|_| !other);
        }
        shared = word.starts_with(b"\\\\");
        at = source.run(end, 64, is_blank);
    }
    None
}

/// `user worker on >password #hash ~keys +commands`: an entry of an access list.
fn access_list(
    source: Source<'_>,
    start: usize,
    after: usize,
    found: &mut Vec<Found<'_>>,
) -> usize {
    let line = source.line_start(start, BEFORE_BYTES_MAX);
    let head = source.str(line, start).to_ascii_lowercase();
    if !(head.trim_start().starts_with("user ") || head.contains("setuser ")) {
        return after;
    }
    let mut at = after - 1;
    for _ in 0..WORDS_MAX {
        let end = source.run(at, WORD_BYTES_MAX, |byte| byte > b' ');
        let sum = source.slice(at + 1, end);
        let is_sum = sum.len() == 64 && sum.iter().all(u8::is_ascii_hexdigit);
        if source.at(at) == b'>' || (source.at(at) == b'#' && is_sum) {
            found.extend(value(source, at + 1, end, Form::Quoted));
        }
        at = source.run(end, 8, is_blank);
        if at == end {
            break;
        }
    }
    at.max(after)
}

/// `"AUTH" "password"` and `"AUTH" "user" "password"`, as a store shows what its clients say.
fn told_to_store(source: Source<'_>, at: usize) -> Option<Found<'static>> {
    let first = values::quoted(source, at)?;
    let next = source.run(first.end + 1, 4, is_blank);
    let last = values::quoted(source, next).unwrap_or(first);
    value(source, last.start, last.end, Form::Quoted)
}

/// `AUTH PLAIN AGFsaWNlAHNlY3JldA==`.
fn told_in_base64(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let end = source.run(start, WORD_BYTES_MAX, is_base64);
    let text = source.slice(start, end);
    let whole = matches!(source.at(end), b'\n' | b'"' | b'\'' | b'\\' | b' ' | 0);
    if whole && text.len() >= 8 && text.len().is_multiple_of(4) {
        Found::new(start, end, PLACE)
    } else {
        None
    }
}

/// `> PASS x`, `C: PASS x`: what a client of mail or files says. A test's report has no such sign before it.
fn told_to_server(source: Source<'_>, start: usize, after: usize) -> Option<Found<'static>> {
    let said = source.before(start) == b'>'
        || source.has(start.saturating_sub(2), "C:")
        || source.has(start.saturating_sub(2), ">>");
    if !said {
        return None;
    }
    let end = last_word(source, after)?;
    value(source, after, end, Form::Quoted)
}

/// `a1 LOGIN "user" "password"`, after the tag of a command.
fn told_to_mailbox(source: Source<'_>, start: usize, after: usize) -> Option<Found<'static>> {
    let tag = source.back(start, 12, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'.'
    });
    let is_tag = tag < start && source.slice(tag, start).iter().any(u8::is_ascii_digit);
    if !is_tag {
        return None;
    }
    let user = match values::quoted(source, after) {
        Some(user) => user.end + 1,
        None => source.run(after, 128, |byte| byte > b' '),
    };
    let next = source.run(user, 4, is_blank);
    if next == user {
        return None;
    }
    match values::quoted(source, next) {
        Some(word) => value(source, word.start, word.end, Form::Quoted),
        None => value(source, next, last_word(source, next)?, Form::Quoted),
    }
}

/// The private members of a JSON web key on one line: `{"kty":"EC",…,"d":"…"}`.
fn web_key(source: Source<'_>, start: usize, found: &mut Vec<Found<'_>>) -> usize {
    let agrees = |byte: u8| !matches!(byte, b'{' | b'}' | b'\n');
    let open = source.back(start, KEY_BYTES_MAX, agrees);
    let close = source.run(start, KEY_BYTES_MAX, agrees);
    let object = source.str(open, close);
    for member in ["d", "k", "p", "q", "dp", "dq", "qi"] {
        let name = format!("\"{member}\"");
        let Some(place) = object.find(&name) else {
            continue;
        };
        let colon = source.run(open + place + name.len(), 8, is_blank);
        let from = source.run(colon + 1, 8, is_blank);
        let Some(value) = values::quoted(source, from).filter(|_| source.at(colon) == b':') else {
            continue;
        };
        let text = source.slice(value.start, value.end);
        if text.len() >= 16 && text.iter().all(|byte| is_base64(*byte)) {
            found.extend(Found::new(value.start, value.end, KEY));
        }
    }
    close.max(start + 1)
}

/// `ed25519 a_Name <seed>`: how a chat server keeps the key that it signs with.
fn signing_key(source: Source<'_>, after: usize) -> Option<Found<'static>> {
    let name = source.run(after, 32, is_word);
    let end = source.run(name + 1, 64, is_base64);
    if name > after && source.at(name) == b' ' && end - name >= 44 {
        Found::new(name + 1, end, KEY)
    } else {
        None
    }
}

/// The third quoted argument of what opens a database, as a trace shows the call.
fn third_argument(source: Source<'_>, after: usize, in_quote: bool) -> Option<Found<'static>> {
    let mut at = if in_quote { after - 1 } else { after };
    let line = source.line_end(at, WORD_BYTES_MAX);
    for _ in 0..2 {
        let argument = values::quoted(source, at).filter(|argument| argument.end < line)?;
        let comma = source.run(argument.end + 1, 4, is_blank);
        if source.at(comma) != b',' {
            return None;
        }
        at = source.run(comma + 1, 8, is_blank);
    }
    quoted(source, at)
}

/// `md5` and 32 hexadecimal digits: how PostgreSQL keeps the password of a role.
fn role(source: Source<'_>, start: usize, after: usize) -> Option<Found<'static>> {
    let end = source.run(after, 40, |byte| byte.is_ascii_hexdigit());
    if end - after == 32 && !is_word(source.at(end)) {
        Found::new(
            start + 1,
            end,
            Label {
                rule: "hash",
                kind: "password-hash",
            },
        )
    } else {
        None
    }
}

/// `"encrypt": "<16, 24 or 32 bytes in base64>"`: the key that a cluster shares.
fn shared_key(source: Source<'_>, start: usize, after: usize) -> Option<Found<'static>> {
    let at = if source.at(start) == b'"' {
        let colon = source.run(after, 8, is_blank);
        if source.at(colon) != b':' {
            return None;
        }
        source.run(colon + 1, 8, is_blank)
    } else {
        after - 1
    };
    let value = values::quoted(source, at)?;
    let text = source.slice(value.start, value.end);
    let is_key = matches!(text.len(), 24 | 32 | 44) && text.iter().all(|byte| is_base64(*byte));
    if is_key && values::looks_random(source, value) {
        Found::new(value.start, value.end, KEY)
    } else {
        None
    }
}

/// `"api_key": "x", "encoded": "<id and key in base64>"`.
fn encoded(source: Source<'_>, start: usize, after: usize) -> Option<Found<'static>> {
    let open = source.back(start, BEFORE_BYTES_MAX, |byte| !matches!(byte, b'{' | b'}'));
    let colon = source.run(after, 8, is_blank);
    if source.at(colon) != b':' || !source.str(open, start).contains("\"api_key\"") {
        return None;
    }
    let value = values::quoted(source, source.run(colon + 1, 8, is_blank))?;
    let text = source.slice(value.start, value.end);
    if text.len() >= 16 && text.iter().all(|byte| is_base64(*byte)) {
        Found::new(value.start, value.end, KEY)
    } else {
        None
    }
}
