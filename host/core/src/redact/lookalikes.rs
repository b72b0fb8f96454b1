//! Settings that only look like ones of a secret: a file's name before its sum, a label of a metric, a message
//! inside a shell's braces, words in brackets. Sees the place of a name and its value; knows no names of secrets.
//!
//! Must not: decide by the name alone (that is `names`) or by the value alone (that is `values`).

use super::source::{Source, is_blank, is_word};
use super::ties::{Name, Tie, word_before};
use super::values::{Form, Value};

/// How far before a name its surroundings are looked at, in bytes.
const BEFORE_BYTES_MAX: usize = 256;
/// Longest remark in brackets that stands for a value, in bytes.
const REMARK_BYTES_MAX: usize = 64;

/// Whether the value of a name at its place is none of a secret.
pub(super) fn is_one(source: Source<'_>, name: Name<'_>, tie: Tie, value: Value) -> bool {
    let text = source.slice(value.start, value.end);
    match tie {
        Tie::Colon => {
            is_file(source, name)
                || is_service(source, name)
                || is_expansion(source, name, text)
                || is_remark(source, value)
                || is_public_key(source, value)
        }
        Tie::Equals => {
            is_remark(source, value)
                || is_public_key(source, value)
                || is_label(source, name, value)
                || is_looked_up(source, name, text)
        }
        Tie::Quote => is_object(source, name, text) || is_reported(source, name, value),
        _ => false,
    }
}

/// `/usr/bin/passwd: 023da8… OK`: a program or a file of that name.
fn is_file(source: Source<'_>, name: Name<'_>) -> bool {
    let path = source.back(name.start, BEFORE_BYTES_MAX, |byte| {
        is_word(byte) || matches!(byte, b'/' | b'.' | b'-')
    });
    path < name.start
        && matches!(source.at(path), b'/' | b'.')
        && source.before(name.start) == b'/'
        && name.text.ends_with("passwd")
}

/// `pam_unix(passwd:chauthtok)`: a service and its step.
fn is_service(source: Source<'_>, name: Name<'_>) -> bool {
    let Some(open) = name.start.checked_sub(1) else {
        return false;
    };
    let module = source.back(open, 32, is_word);
    source.at(open) == b'(' && source.str(module, open).starts_with("pam_")
}

/// `${DB_PASSWORD:?must be set}`: a message, or what is put in where there is a value.
fn is_expansion(source: Source<'_>, name: Name<'_>, text: &[u8]) -> bool {
    source.slice(name.start.saturating_sub(2), name.start) == b"${"
        && matches!(text.first(), Some(b'?' | b'+'))
}

/// `(known after apply)`: words in brackets to the end of the line.
fn is_remark(source: Source<'_>, value: Value) -> bool {
    if value.form != Form::Bare || source.at(value.start) != b'(' {
        return false;
    }
    let close = source.run(value.start + 1, REMARK_BYTES_MAX, |byte| {
        byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'-' | b',' | b'\'')
    });
    source.at(close) == b')' && matches!(source.at(close + 1), b'\n' | b' ' | b',' | 0)
}

/// `ssh-ed25519 AAAA…`: the algorithm of a public key.
fn is_public_key(source: Source<'_>, value: Value) -> bool {
    let text = source.slice(value.start, value.end);
    let key = source.run(value.end, 4, is_blank);
    let known: [&[u8]; 4] = [b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-"];
    known.iter().any(|start| text.starts_with(start)) && source.has(key, "AAAA")
}

/// `kube_secret_info{namespace="shop",secret="web-tls"}`: the name of an object as the label of a metric.
fn is_label(source: Source<'_>, name: Name<'_>, value: Value) -> bool {
    let text = source.slice(value.start, value.end);
    let bounded = matches!(source.before(name.start), b'{' | b',')
        && value.form == Form::Quoted
        && matches!(source.at(value.end + 1), b',' | b'}');
    if !bounded || !name.text.ends_with("secret") || !is_object_name(text) {
        return false;
    }
    let open = source.back(name.start, BEFORE_BYTES_MAX, |byte| {
        !matches!(byte, b'{' | b'\n')
    });
    source.before(open) == b'{' && is_word(source.before(open.saturating_sub(1)))
}

/// `lookup('hashi_vault', 'secret=kv/db:root')`: the place of a secret in a store.
fn is_looked_up(source: Source<'_>, name: Name<'_>, text: &[u8]) -> bool {
    let is_place = text.contains(&b'/')
        && text.iter().all(|byte| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'/' | b':' | b'_' | b'-' | b'.')
        });
    if !is_place {
        return false;
    }
    let line = source.line_start(name.start, BEFORE_BYTES_MAX);
    let before = source.str(line, name.start);
    before.contains("lookup(") || before.contains("query(")
}

/// `in secret 'shop-db'`, `secret "regcred" not found`: an object that is named.
fn is_object(source: Source<'_>, name: Name<'_>, text: &[u8]) -> bool {
    let named = ["secret", "secrets", "token", "credential"].contains(&name.text);
    let before = word_before(source, name.start);
    let said = ["in", "from", "of", "the", "mount", "for", "a", "named"].contains(&before);
    named && said && is_object_name(text)
}

/// `secret "db-creds-2f8k9" deleted`: what was done with an object.
fn is_reported(source: Source<'_>, name: Name<'_>, value: Value) -> bool {
    let plain = |byte: &u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
    };
    let text = source.slice(value.start, value.end);
    let done = [
        " created",
        " deleted",
        " configured",
        " unchanged",
        " patched",
        " labeled",
        " annotated",
        " not found",
        " already exists",
    ];
    matches!(name.text, "secret" | "secrets" | "token")
        && text.contains(&b'-')
        && text.iter().all(plain)
        && done.iter().any(|done| source.has(value.end + 1, done))
}

/// What a cluster calls its objects: small letters, digits and dashes.
fn is_object_name(text: &[u8]) -> bool {
    text.len() <= 40
        && text.first().is_some_and(u8::is_ascii_lowercase)
        && text.iter().filter(|byte| byte.is_ascii_digit()).count() <= 2
        && text.iter().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
        })
}
