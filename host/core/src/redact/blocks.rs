//! Secrets of many lines: private keys in PEM and its relatives, PuTTY keys, Ansible vaults.
//!
//! SECURITY: a block without an end is masked to the end of the text or for [`BLOCK_BYTES_MAX`], and
//! an end without a beginning masks what stands before it: a cut must never show half a key.

use super::open::Close;
use super::source::{Found, Label, Source, all_base64, is_base64, is_blank};
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::LazyLock;

pub(super) const PRIVATE_KEY: Label<'static> = Label {
    rule: "private-key-block",
    kind: "private-key",
};
pub(super) const VAULT: Label<'static> = Label {
    rule: "vault-block",
    kind: "ansible-vault",
};

/// Longest block, in bytes.
pub const BLOCK_BYTES_MAX: usize = 65_536;
/// Longest label between the dashes, in bytes.
const LABEL_BYTES_MAX: usize = 80;
/// Shortest label of a private key, in bytes.
const PRIVATE_BYTES_MIN: usize = "STATIC KEY".len();
/// Longest line of a key's body, in bytes.
const BODY_LINE_BYTES_MAX: usize = 4_096;

/// The literals by which blocks are found.
pub(super) const STARTS: &[&str] = &[
    "---- BEGIN",
    "-----BEGIN",
    "---- END",
    "-----END",
    "PuTTY-User-Key-File",
    "$ANSIBLE_VAULT",
    // Some programs write a dash less. It stands behind the usual one, which it is a part of.
    "----BEGIN",
    "----END",
];

/// Shortest line of a key's body that is not its last, in bytes.
pub(super) const BODY_LINE_BYTES_MIN: usize = 32;

/// How a block ends that begins with one of [`STARTS`].
fn end_of(literal: &str) -> &'static str {
    match literal {
        "-----BEGIN" => "-----END",
        "----BEGIN" => "----END",
        _ => "---- END",
    }
}

/// The block whose literal (of [`STARTS`]) stands at `start`. `floor` is where the last block ended.
pub(super) fn at(
    source: Source<'_>,
    start: usize,
    literal: &str,
    floor: usize,
) -> Option<Found<'static>> {
    match literal {
        "---- BEGIN" | "-----BEGIN" | "----BEGIN" => begun(source, start, literal),
        "---- END" | "-----END" | "----END" => ended(source, start, literal, floor),
        "PuTTY-User-Key-File" => putty(source, start),
        _ => vault(source, start),
    }
}

/// A private key that begins in a text and does not end there: where, and what will end it.
pub(super) fn left_open(text: &str) -> Option<(usize, Close)> {
    let source = Source::new(text);
    let mut at = 0;
    let mut signed = true;
    while let Some(start) = next_start(text, at) {
        at = start + 1;
        let literal = STARTS.iter().find(|literal| source.has(start, literal))?;
        let rest = text.get(start..)?;
        match *literal {
            "---- BEGIN" | "-----BEGIN" | "----BEGIN" => {
                let Some((name, after)) = label(source, start + literal.len()) else {
                    continue;
                };
                let mark = end_of(literal);
                if !is_private(name, after == source.len()) {
                    continue;
                }
                match text.get(after..).and_then(|rest| rest.find(mark)) {
                    Some(end) => at = after + end,
                    None => return Some((start, Close::Dashes(mark))),
                }
            }
            "PuTTY-User-Key-File" => {
                let mac = signed.then(|| rest.find("Private-MAC:")).flatten();
                // What is not behind one key is not behind a later one.
                signed &= mac.is_some();
                match mac.or_else(|| rest.find("Private-Hash:")) {
                    Some(end) => at = start + end,
                    None => return Some((start, Close::Putty)),
                }
            }
            _ => {}
        }
    }
    None
}

/// The first place of any of [`STARTS`] from `from` on. One pass for all of them: those that are not there
/// would each be looked for to the end of the text, again from every place of those that are.
fn next_start(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let Some(search) = &*SEARCH else {
        // Without the searcher each of them is looked for by itself.
        let rest = bytes.get(from..)?;
        let found = STARTS
            .iter()
            .filter_map(|literal| memchr::memmem::find(rest, literal.as_bytes()))
            .min()?;
        return Some(from + found);
    };
    let input = aho_corasick::Input::new(bytes).range(from.min(bytes.len())..);
    search.find(input).map(|found| found.start())
}

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(STARTS)
        .ok()
});

/// Where a private key ends whose beginning is not in the text.
pub(super) fn ends_unbegun(text: &str) -> Option<usize> {
    let source = Source::new(text);
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        at = start + 1;
        for literal in ["---- END", "-----END", "----END"]
            .iter()
            .filter(|literal| source.has(start, literal))
        {
            if let Some((name, after)) = label(source, start + literal.len())
                && is_private(name, false)
            {
                return Some(source.run(after, 5, |byte| byte == b'-'));
            }
        }
        for literal in ["---- BEGIN", "-----BEGIN", "----BEGIN"]
            .iter()
            .filter(|literal| source.has(start, literal))
        {
            if let Some((name, after)) = label(source, start + literal.len())
                && is_private(name, after == source.len())
            {
                return None;
            }
        }
    }
    None
}

/// Whether the last line of a text is the header of a vault, whose body follows.
pub(super) fn is_vault_header(text: &str) -> bool {
    let Some(lines) = text.strip_suffix('\n') else {
        return false;
    };
    let line = lines.rsplit('\n').next().unwrap_or(lines);
    line.trim_start().starts_with("$ANSIBLE_VAULT") && !line.contains('\\')
}

/// The label after a literal and where it ends; a label that runs into the end of the text counts
/// as one, because the rest of it was cut off.
fn label(source: Source<'_>, from: usize) -> Option<(&str, usize)> {
    let end = source.run(from, LABEL_BYTES_MAX, |byte| {
        byte.is_ascii_alphanumeric() || byte == b' '
    });
    let closed = source.slice(end, end + 4) == b"----";
    (closed || end == source.len()).then(|| (source.str(from, end), end))
}

fn is_private(label: &str, ends_text: bool) -> bool {
    if !ends_text && label.len() < PRIVATE_BYTES_MIN {
        return false;
    }
    let upper = label.to_ascii_uppercase();
    ["PRIVATE KEY", "STATIC KEY", "SECRET KEY"]
        .iter()
        .any(|name| upper.contains(name))
        || (ends_text && !upper.contains("PUBLIC") && !upper.contains("CERT"))
}

fn begun(source: Source<'_>, start: usize, literal: &str) -> Option<Found<'static>> {
    let (name, after) = label(source, start + literal.len())?;
    if !is_private(name, after == source.len()) {
        return None;
    }
    let end_literal = end_of(literal);
    let limit = source.len().min(start + BLOCK_BYTES_MAX);
    let end = match source.find(after, BLOCK_BYTES_MAX, end_literal) {
        Some(at) => {
            let label_end = source.run(at + end_literal.len(), LABEL_BYTES_MAX, |byte| {
                byte.is_ascii_alphanumeric() || byte == b' '
            });
            source.run(label_end, 5, |byte| byte == b'-')
        }
        None => limit,
    };
    Found::new(start, end, PRIVATE_KEY)
}

/// An end without a beginning: everything before it that can be a key's body.
fn ended(source: Source<'_>, at: usize, literal: &str, floor: usize) -> Option<Found<'static>> {
    let (name, after) = label(source, at + literal.len())?;
    if !is_private(name, false) {
        return None;
    }
    let end = source.run(after, 5, |byte| byte == b'-');
    let floor = floor.max(at.saturating_sub(BLOCK_BYTES_MAX));
    let mut start = source.line_start(at, BODY_LINE_BYTES_MAX).max(floor);
    if !is_body(source.slice(start, at)) {
        return None;
    }
    while start > floor {
        let previous = source.line_start(start - 1, BODY_LINE_BYTES_MAX).max(floor);
        if !is_body(source.slice(previous, start - 1)) {
            break;
        }
        start = previous;
    }
    if start == source.line_start(at, BODY_LINE_BYTES_MAX) && source.slice(start, at).len() < 16 {
        return None;
    }
    Found::new(start, end, PRIVATE_KEY)
}

/// Whether a line can be part of a key's body: base64 with its indentation, or a header.
pub(super) fn is_body(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    if all_base64(line) {
        return true;
    }
    let headers: [&[u8]; 3] = [b"Proc-Type:", b"DEK-Info:", b"Comment:"];
    headers.iter().any(|header| line.starts_with(header))
        || line
            .iter()
            .all(|byte| is_base64(*byte) || matches!(byte, b'\\' | b'"'))
}

fn putty(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let limit = source.len().min(start + BLOCK_BYTES_MAX);
    let last = ["Private-MAC:", "Private-Hash:"]
        .iter()
        .filter_map(|mark| source.find(start, BLOCK_BYTES_MAX, mark))
        .min();
    let end = last.map_or(limit, |at| source.line_end(at, BODY_LINE_BYTES_MAX));
    Found::new(start, end, PRIVATE_KEY)
}

/// The hexadecimal lines after a vault's header; the header stays.
fn vault(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let header = source.run(start, LABEL_BYTES_MAX, |byte| {
        !matches!(byte, b'\n' | b'\\')
    });
    let body = if source.at(header) == b'\\' {
        header + 2
    } else {
        header + 1
    };
    let mut end = body;
    while end - body < BLOCK_BYTES_MAX {
        let from = source.run(end, 64, is_blank);
        let digits = source.run(from, BLOCK_BYTES_MAX, |byte| byte.is_ascii_hexdigit());
        if digits - from < 2 {
            break;
        }
        end = match (source.at(digits), source.at(digits + 1)) {
            (b'\n', _) => digits + 1,
            (b'\\', b'n') => digits + 2,
            _ => return Found::new(body, digits, VAULT),
        };
    }
    let end = if source.before(end) == b'\n' {
        end - 1
    } else {
        end
    };
    Found::new(body, end, VAULT)
}
