//! Values one level below the name of secrets: lists and maps on the same line or on lines of their own
//! (`passwords: {bob: x}`, `tokens:` and indented lines), and what a script of a dialogue sends once it is asked for a
//! password. The name alone says little there, so a value must also look like a secret.
//!
//! Known limits: a value that looks like a word or a number stays; maps in maps are left to the names in them.

use super::MASK_START;
use super::catalog::shipped;
use super::names::{self, Names};
use super::printed;
use super::settings;
use super::source::{Found, Label, Source, is_blank, is_word};
use super::ties::{self, Name, Tie, skip_blanks};
use super::values::{self, Around, Form, Value, Written};

/// Most values below one name, and most lines.
const VALUES_MAX: usize = 64;
pub(super) const LINES_MAX: u8 = 16;
/// How far below its name a value may stand, in bytes.
const BELOW_BYTES_MAX: usize = 2_048;
/// Deepest indentation, in bytes.
const INDENT_BYTES_MAX: usize = 256;
/// Shortest value, in bytes.
const VALUE_BYTES_MIN: usize = 6;
/// How far behind a prompt the answer may begin, in bytes.
const ANSWER_BYTES_MAX: usize = 96;

/// Last words of names in a map whose values are public.
const PUBLIC: &[&str] = &[
    "id",
    "ids",
    "uuid",
    "uid",
    "user",
    "username",
    "email",
    "owner",
    "description",
    "role",
    "region",
    "account",
    "arn",
    "hash",
    "sha",
    "sha1",
    "sha256",
    "digest",
    "checksum",
    "image",
    "tag",
    "revision",
    "commit",
    "kid",
    "etag",
    "accessor",
    "serial",
    "title",
    "comment",
    "project",
    "tenant",
    "zone",
    "integrity",
    "resolved",
];

/// What the name of several secrets says of what stands below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder {
    pub(super) kind: &'static str,
    /// Whether it names nothing but passwords, so that small letters and digits are enough.
    plain: bool,
    /// Whether it names several, which may stand in a map.
    several: bool,
}

/// What a name says of values below it.
pub(super) fn holder(name: &str) -> Option<Holder> {
    let lower = name.to_ascii_lowercase();
    let several = lower.ends_with('s') && !lower.ends_with("pass");
    let one = name
        .strip_suffix(['s', 'S'])
        .filter(|_| several)
        .unwrap_or(name);
    let Some(Names::Secret(kind)) = names::judge(one, "") else {
        return None;
    };
    let word = lower.rsplit(['_', '-', '.']).next().unwrap_or_default();
    if word != "tokens" && shipped().names.about.contains(word) {
        return None;
    }
    let plain = ["passwords", "password", "passphrases", "passwds", "pws"].contains(&word);
    Some(Holder {
        kind,
        plain,
        several,
    })
}

/// Finds the secrets below the name around `hit`, and says whether there are any.
pub(super) fn below(source: Source<'_>, hit: usize, found: &mut Vec<Found<'_>>) -> bool {
    let before = found.len();
    search(source, hit, found);
    found.len() > before
}

fn search(source: Source<'_>, hit: usize, found: &mut Vec<Found<'_>>) {
    let name = settings::name_around(source, hit);
    if matches!(source.before(name.start), b'/' | b'@') {
        // A package or a file of that name.
        return;
    }
    let gap = skip_blanks(source, ties::close(source, name.end));
    let Some((at, tie)) = ties::sign(source, gap) else {
        return;
    };
    if !matches!(source.at(at), b'[' | b'{' | b'\n') {
        return;
    }
    let Some(holder) = holder(name.text) else {
        return;
    };
    match (source.at(at), tie) {
        (b'[', _) => flow(source, at + 1, holder, found),
        (b'{', _) if holder.several => flow(source, at + 1, holder, found),
        (b'\n', Tie::Colon) => lines(source, name, at + 1, holder, found),
        _ => {}
    }
}

/// The members of a list or a map in brackets.
fn flow(source: Source<'_>, open: usize, holder: Holder, found: &mut Vec<Found<'_>>) {
    let limit = open + BELOW_BYTES_MAX;
    let filler = |byte: u8| is_blank(byte) || matches!(byte, b'\n' | b',');
    let mut at = open;
    for _ in 0..VALUES_MAX {
        at = source.run(at, INDENT_BYTES_MAX, filler);
        if at >= limit {
            return;
        }
        let first = member(source, at);
        let Some((value, after)) = first else { return };
        let colon = skip_blanks(source, after);
        if source.at(colon) != b':' {
            take(source, value, holder, found);
            at = after;
            continue;
        }
        let Some((inner, after)) = member(source, skip_blanks(source, colon + 1)) else {
            return;
        };
        if !is_public(source.str(value.start, value.end)) {
            take(source, inner, holder, found);
        }
        at = after;
    }
}

/// A quoted value that is not longer than what is read below a name: else each name in a text without a closing quote
/// would read the rest of it.
fn quoted(source: Source<'_>, at: usize) -> Option<Value> {
    let quote = source.at(source.run(at, 8, |byte| byte == b'\\'));
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    let value = values::read(source, at, Around::Line, BELOW_BYTES_MAX);
    (value.form == Form::Quoted && value.end - value.start < BELOW_BYTES_MAX).then_some(value)
}

/// A word or a quoted text in brackets, and where what follows it begins. None where another bracket stands.
fn member(source: Source<'_>, at: usize) -> Option<(Value, usize)> {
    if let Some(value) = quoted(source, at) {
        let slashes = source.run(value.end, 8, |byte| byte == b'\\');
        return Some((value, slashes + 1));
    }
    let end = source.run(at, BELOW_BYTES_MAX, |byte| {
        byte > b' ' && !matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b':' | b'"' | b'\'')
    });
    let value = Value {
        start: at,
        end,
        form: Form::Bare,
    };
    (end > at).then_some((value, end))
}

/// The lines of a list or a map that are indented further than the name.
fn lines(
    source: Source<'_>,
    name: Name<'_>,
    from: usize,
    holder: Holder,
    found: &mut Vec<Found<'_>>,
) {
    let start = source.line_start(name.start, INDENT_BYTES_MAX);
    let outer = source.run(start, INDENT_BYTES_MAX, |byte| {
        is_blank(byte) || byte == b'-'
    }) - start;
    let mut line = from;
    for _ in 0..LINES_MAX {
        let text = source.run(line, INDENT_BYTES_MAX, is_blank);
        let end = source.line_end(text, BELOW_BYTES_MAX);
        let listed = source.at(text) == b'-' && is_blank(source.at(text + 1));
        let deeper = text - line > outer || (listed && text - line == outer);
        if !deeper || text >= source.len() {
            return;
        }
        let at = if listed {
            skip_blanks(source, text + 1)
        } else {
            text
        };
        let named = source.run(at, 64, |byte| {
            is_word(byte) || matches!(byte, b'-' | b'.' | b'@')
        });
        let value = if named > at && source.at(named) == b':' && is_blank(source.at(named + 1)) {
            let public = is_public(source.str(at, named));
            (!public).then(|| skip_blanks(source, named + 1))
        } else if holder.several {
            listed.then_some(at)
        } else {
            None
        };
        let allowed = holder.several || listed;
        if let Some(at) = value.filter(|_| allowed)
            && let Some(value) = scalar(source, at, end)
        {
            take(source, value, holder, found);
        }
        line = end + 1;
    }
}

/// The only value of the rest of a line, beside a remark.
fn scalar(source: Source<'_>, at: usize, end: usize) -> Option<Value> {
    let value = quoted(source, at).unwrap_or_else(|| Value {
        start: at,
        end: source.run(at, end - at, |byte| byte > b' '),
        form: Form::Bare,
    });
    let after = value.end + usize::from(value.form == Form::Quoted);
    let rest = source.str(after, end).trim();
    (value.end <= end && (rest.is_empty() || rest.starts_with('#'))).then_some(value)
}

fn is_public(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let last = lower.rsplit(['_', '-', '.']).next().unwrap_or_default();
    PUBLIC.contains(&last) || shipped().names.about.contains(last) || lower.ends_with("id")
}

fn take(source: Source<'_>, value: Value, holder: Holder, found: &mut Vec<Found<'_>>) {
    let text = source.slice(value.start, value.end);
    let has = |class: fn(&u8) -> bool| text.iter().any(class);
    let sign = |byte: &u8| {
        byte.is_ascii_punctuation()
            && !matches!(
                byte,
                b'-' | b'_' | b'.' | b'/' | b':' | b'|' | b',' | b'@' | b'(' | b')'
            )
    };
    let chosen = holder.kind == "password"
        && text.len() >= VALUE_BYTES_MIN
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !text.contains(&b':')
        && (has(u8::is_ascii_uppercase) || text.iter().any(sign) || holder.plain)
        && !text.contains(&b' ')
        && source.find(value.start, text.len(), MASK_START).is_none();
    // Names of objects rise and fall as well, and end in a number.
    let random =
        values::looks_random(source, value) || values::is_uuid(text) || text.iter().any(sign);
    let made = chosen || (random && printed::is_made(source, value) && !text.contains(&b':'));
    if made && !values::is_placeholder(source, value, Written::Environment) {
        found.extend(Found::new(
            value.start,
            value.end,
            Label {
                rule: "setting",
                kind: holder.kind,
            },
        ));
    }
}

/// What a script answers to a prompt for a password: `expect "assword:"` and `send "x\r"` behind it.
pub(super) fn answer(source: Source<'_>, name: Name<'_>) -> Option<Value> {
    let lower = name.text.to_ascii_lowercase();
    if !lower.ends_with("assword") && !lower.ends_with("passphrase") {
        return None;
    }
    let sign = source.run(name.end, 8, |byte| {
        matches!(
            byte,
            b':' | b' ' | b'?' | b'*' | b'.' | b'$' | b')' | b']' | b'\\'
        )
    });
    if !matches!(source.at(sign), b'"' | b'\'' | b'}') {
        return None;
    }
    let filler = |byte: u8| {
        is_blank(byte) || matches!(byte, b'\n' | b'{' | b'}' | b'(' | b')' | b';' | b',')
    };
    let verb = source.run(sign + 1, ANSWER_BYTES_MAX, filler);
    let end = source.run(verb, 48, |byte| is_word(byte) || byte == b'.');
    let said = source.str(verb, end);
    let said = said.rsplit('.').next().unwrap_or(said);
    if !matches!(said, "send" | "exp_send" | "sendline" | "send_slow") {
        return None;
    }
    let mut at = source.run(end, 4, |byte| is_blank(byte) || byte == b'(');
    for flag in ["-h ", "-s ", "-- "] {
        if source.has(at, flag) {
            at = skip_blanks(source, at + flag.len());
        }
    }
    let mut value = values::quoted(source, at)?;
    while ["\\r", "\\n"].iter().any(|end| {
        value.end >= value.start + 2 && source.slice(value.end - 2, value.end) == end.as_bytes()
    }) {
        value.end -= 2;
    }
    let text = source.slice(value.start, value.end);
    (text.len() >= 3 && !text.starts_with(b"$")).then_some(value)
}

/// Names of two words, with the kinds of what they hold.
const DOUBLE: [(&str, &str); 2] = [("secret", " ID"), ("key", " Content")];

/// A name with its second word, where it is one of two: `Secret ID = x`, `Key Content : x`.
pub(super) fn whole<'a>(source: Source<'a>, name: Name<'a>) -> Name<'a> {
    let double = DOUBLE.iter().find(|(first, second)| {
        name.text.eq_ignore_ascii_case(first)
            && source.has(name.end, second)
            && matches!(
                source.at(name.end + second.len()),
                b' ' | b'\t' | b':' | b'='
            )
    });
    match double {
        Some((_, second)) => {
            let end = name.end + second.len();
            Name {
                text: source.str(name.start, end),
                start: name.start,
                end,
            }
        }
        None => name,
    }
}

/// The value of a name in a numbered list of names and values, as stores of keys print them: `1) "password"` and
/// `2) "x"` on the next line.
pub(super) fn reply(source: Source<'_>, name: Name<'_>) -> Option<Value> {
    let quote = name.start.checked_sub(1)?;
    if source.slice(quote.saturating_sub(2), quote + 1) != b") \"" {
        return None;
    }
    let line = name.end + 1;
    if source.at(name.end) != b'"' || source.at(line) != b'\n' || holder(name.text).is_none() {
        return None;
    }
    let number = source.run(line + 1, 32, |byte| is_blank(byte) || byte.is_ascii_digit());
    if number == line + 1 || source.slice(number, number + 2) != b") " {
        return None;
    }
    values::quoted(source, number + 2).filter(|value| value.end - value.start >= 3)
}

/// The password that a command echoes which is to print it: `--password-command 'echo x'`.
pub(super) fn echoed(source: Source<'_>, name: Name<'_>) -> Option<Value> {
    let lower = name.text.to_ascii_lowercase();
    if !lower.ends_with("command") || !lower.contains("pass") {
        return None;
    }
    let sign = source.run(name.end, 4, |byte| is_blank(byte) || byte == b'=');
    let value = values::quoted(source, sign)?;
    let echo = ["echo ", "printf "]
        .iter()
        .find(|echo| source.has(value.start, echo))?;
    let value = Value {
        start: value.start + echo.len(),
        ..value
    };
    let text = source.slice(value.start, value.end);
    (text.len() >= 4 && !text.contains(&b' ') && !text.contains(&b'$')).then_some(value)
}
