//! Secrets that stand alone on a line below what announces them: a command that prints one, a sentence about one
//! that ends in a colon. Which commands print secrets is data; what they print is masked only where it is one word.
//!
//! Must not: take a line of several words for a secret, or the output of a command that only counts or hides one.
//!
//! Known limits: the command is read as words, without expanding anything; what it prints behind a remark of its own,
//! or as a list, is not seen.

use super::MASK_START;
use super::catalog::shipped;
use super::names::{self, Names};
use super::source::{Found, Label, Source, is_blank, is_word};
use super::values::{self, Form, Value, Written};
use aho_corasick::AhoCorasick;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

/// The name of the rule.
const RULE: &str = "printed";
/// Longest line that is read as an announcement, in bytes.
const LINE_BYTES_MAX: usize = 512;
/// Most words of one.
const WORDS_MAX: usize = 64;
/// Most words of a prompt.
const PROMPT_WORDS_MAX: usize = 4;
/// Most lines that are read below a command, and below a sentence.
const COMMAND_LINES_MAX: u8 = 3;
const SENTENCE_LINES_MAX: u8 = 1;
/// Longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 4_096;
/// Shortest line that a program wraps, in bytes.
const WRAPPED_BYTES_MIN: usize = 60;
/// Shortest secret that a command prints, and one that looks made by a machine or with care, in bytes.
const PRINTED_BYTES_MIN: usize = 6;
const MADE_BYTES_MIN: usize = 8;
/// Shortest word of letters alone that is no message, in bytes.
const LETTERS_BYTES_MIN: usize = 16;

/// A command that prints a secret: its program and the words that follow it in that order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Printer {
    run: Vec<String>,
    /// What one of its words must end in or hold for it to print a secret; nothing where it always does.
    #[serde(default)]
    of: Of,
}

/// What a command's further words must say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    /// Nothing.
    #[default]
    Any,
    /// The name of a secret.
    Name,
    /// A file that holds one.
    File,
    /// A variable of such a name.
    Variable,
    /// The data of a secret, plain or decoded.
    Data,
}

/// Programs that show what they read.
const PASSING: &[&str] = &[
    "base64", "tee", "head", "tail", "cat", "tr", "cut", "awk", "sed", "jq", "yq", "grep", "xargs",
    "fold", "tac", "rev", "sort", "uniq", "strings",
];

/// Programs that run another one, and words that stand before a program.
const WRAPPERS: &[&str] = &[
    "docker", "podman", "nerdctl", "kubectl", "oc", "ssh", "sudo", "doas", "nsenter", "chroot",
    "lxc", "pct", "vagrant", "timeout", "env", "time", "exec", "+", "++",
];

/// Nouns that may stand in a sentence with further words behind them.
const NOUNS: &[&str] = &["token", "passphrase", "passcode", "credential", "pass"];

/// Words that may follow the noun.
const GOES_ON: &[&str] = &[
    "is",
    "are",
    "for",
    "to",
    "of",
    "valid",
    "below",
    "follows",
    "now",
    "generated",
    "shown",
];

/// Words of sentences about something else than the secret itself.
const DENIALS: &[&str] = &[
    "fingerprint",
    "public",
    "hash",
    "hashes",
    "checksum",
    "digest",
    "users",
    "accounts",
    "hosts",
    "errors",
    "error",
    "failed",
    "failures",
    "policy",
    "usage",
    "file",
    "files",
    "id",
    "expires",
    "at",
    "in",
];

/// How the files that hold nothing but a secret may end.
const SECRET_FILE_ENDS: &[&str] = &[
    ".txt", ".key", ".pass", ".auth", ".token", ".secret", ".pw", ".pwd",
];
/// Files of that kind whose name does not say so.
const SECRET_FILES: &[&str] = &[".erlang.cookie", ".google_authenticator"];

/// What opens a login in a configuration of a tunnel: a user and a password on lines of their own.
pub(super) const LOGIN_ELEMENT: &str = "<auth-user-pass>";
/// What may stand before a secret on its own line.
const NEW_VALUE: &str = "New value: ";
/// How the sentence before it ends.
pub(super) const RESET: &str = " successfully reset.";

/// What a line announces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announced {
    kind: &'static str,
    /// How many lines may hold it.
    pub(super) lines: u8,
    /// Whether it must look made.
    made: bool,
}

/// The programs, to find a line that may hold one. None where it could not be built.
static MENTIONED: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let programs: HashSet<&str> = programs().collect();
    AhoCorasick::new(programs).ok()
});

/// The words by which a line with an announcement is found.
static TRIGGERS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let words = shipped().printers.iter().flat_map(|printer| &printer.run);
    let words = words.map(String::as_str);
    words
        .filter(|word| names::has_fragment(word))
        .chain(NOUNS.iter().copied())
        .collect()
});

/// The programs that print secrets.
pub(super) fn programs() -> impl Iterator<Item = &'static str> {
    let printers = shipped().printers.iter();
    printers.filter_map(|printer| printer.run.first().map(String::as_str))
}

/// The words by which a line with an announcement is found, beside names that something ties a value to.
pub(super) fn triggers() -> impl Iterator<Item = &'static str> {
    TRIGGERS.iter().copied()
}

/// Whether a word is one of them, whatever its case.
pub(super) fn is_trigger(word: &str) -> bool {
    TRIGGERS.contains(word)
        || (word.bytes().any(|byte| byte.is_ascii_uppercase())
            && TRIGGERS.contains(word.to_ascii_lowercase().as_str()))
}

/// Whether the line of a place announces a secret, and where that line ends.
pub(super) fn stands(text: &str, at: usize) -> (bool, usize) {
    let source = Source::new(text);
    let start = source.line_start(at, LINE_BYTES_MAX);
    let end = source.line_end(at, LINE_BYTES_MAX);
    (announces(source.str(start, end)).is_some(), end)
}

/// What a line announces for the lines below it.
pub(super) fn announces(line: &str) -> Option<Announced> {
    let shown = line.trim_end();
    if shown.len() > LINE_BYTES_MAX {
        return None;
    }
    let login = Announced {
        kind: "password",
        lines: COMMAND_LINES_MAX,
        made: true,
    };
    match shown.strip_suffix(':') {
        Some(said) => sentence(said),
        // The user stands on the first line.
        None if shown.trim_start() == LOGIN_ELEMENT => Some(login),
        None if resets(shown) => Some(Announced {
            lines: SENTENCE_LINES_MAX,
            ..login
        }),
        None => command(shown),
    }
}

/// Whether a line may hold what was announced: one word, or nothing.
pub(super) fn may_hold(line: &str) -> bool {
    let line = line.trim();
    !line
        .strip_prefix(NEW_VALUE)
        .unwrap_or(line)
        .contains([' ', '\t'])
}

/// The secrets below the line of `at`, and where that line ends.
pub(super) fn below(source: Source<'_>, at: usize, found: &mut Vec<Found<'_>>) -> usize {
    let start = source.line_start(at, LINE_BYTES_MAX);
    let end = source.line_end(at, LINE_BYTES_MAX);
    let Some(announced) = announces(source.str(start, end)) else {
        return end;
    };
    let label = Label {
        rule: RULE,
        kind: announced.kind,
    };
    let mut line = end + 1;
    let mut wrapped = false;
    for index in 0..=announced.lines {
        let from = source.run(line, 64, is_blank);
        let from = if source.has(from, NEW_VALUE) {
            from + NEW_VALUE.len()
        } else {
            from
        };
        let to = source.run(from, SECRET_BYTES_MAX, |byte| byte > b' ');
        let rest = source.run(to, 64, |byte| is_blank(byte) || byte == b'\r');
        if !matches!(source.at(rest), b'\n' | 0) || rest >= source.len() && from == to {
            break;
        }
        let value = Value {
            start: from,
            end: to,
            form: Form::Quoted,
        };
        let holds = if announced.made {
            is_made(source, value)
        } else {
            is_printed(source, value)
        };
        if from == to {
            // One blank line may stand above it.
            if index > 0 {
                break;
            }
        } else if wrapped || holds {
            found.extend(Found::new(from, to, label));
            wrapped = to - from >= WRAPPED_BYTES_MIN;
            if !wrapped {
                break;
            }
        } else if announced.lines == SENTENCE_LINES_MAX
            || !announced.made
            || !is_name(source.slice(from, to))
        {
            // Who owns it may stand above it, in a file.
            break;
        }
        line = rest + 1;
    }
    end
}

/// Whether a line may be the name of who owns the secret that stands below it.
fn is_name(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| is_word(*byte) || matches!(byte, b'-' | b'.' | b'@'))
}

/// Whether a word that a command printed is a secret and no message.
fn is_printed(source: Source<'_>, value: Value) -> bool {
    let text = source.slice(value.start, value.end);
    let letters = text.iter().all(u8::is_ascii_alphabetic);
    let ends = text
        .last()
        .is_none_or(|byte| matches!(byte, b'$' | b'#' | b'%' | b'>' | b':' | b'{' | b'['));
    text.len() >= PRINTED_BYTES_MIN
        && (!letters || text.len() >= LETTERS_BYTES_MIN)
        && !ends
        && !text.starts_with(b"--")
        && source.find(value.start, text.len(), "://").is_none()
        && source.find(value.start, text.len(), MASK_START).is_none()
        && !values::is_placeholder(source, value, Written::Environment)
}

/// Whether a word looks made: by a machine, or as people make passwords.
pub(super) fn is_made(source: Source<'_>, value: Value) -> bool {
    let text = source.slice(value.start, value.end);
    let has = |class: fn(&u8) -> bool| text.iter().any(class);
    let sign = |byte: &u8| {
        byte.is_ascii_punctuation()
            && !matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'@' | b',')
    };
    let mixed = has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && (has(u8::is_ascii_uppercase) || text.iter().any(sign));
    let hexadecimal = text.len() >= 16 && text.iter().all(u8::is_ascii_hexdigit);
    text.len() >= MADE_BYTES_MIN
        && is_printed(source, value)
        && !is_object(text)
        && (mixed
            || (hexadecimal && has(u8::is_ascii_digit))
            || values::is_uuid(text)
            || values::looks_random(source, value))
        && !text.ends_with(b",")
        && !text.contains(&b'(')
}

/// The name of an object, a host or an address: small letters, digits and dashes, or with full stops.
fn is_object(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let signs = text.iter().filter(|byte| !plain(byte)).count();
    let joined = text
        .iter()
        .all(|byte| plain(byte) || matches!(byte, b'-' | b'.' | b'/' | b':'));
    (joined && signs > 0 && !values::is_uuid(text))
        || text.to_ascii_lowercase().starts_with(b"sha")
        || text.contains(&b'@')
}

/// A sentence about a secret that its colon announces.
fn sentence(said: &str) -> Option<Announced> {
    if said.ends_with(':') || !said.trim().contains(' ') {
        return None;
    }
    let mut kind = None;
    let (mut before, mut about) = ("", false);
    let words = said.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    for word in words.filter(|word| !word.is_empty()).take(WORDS_MAX) {
        let is_one = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
        // `password managers`, `token was rejected`: the sentence is about something else.
        if is_one(DENIALS) || (about && !is_one(GOES_ON)) {
            return None;
        }
        about = false;
        if kind.is_none()
            && names::has_fragment(word)
            && let Some(Names::Secret(said)) = names::judge(word, before)
        {
            kind = Some(said);
            about = true;
        }
        before = word;
    }
    Some(Announced {
        kind: kind?,
        lines: SENTENCE_LINES_MAX,
        made: true,
    })
}

/// A command that prints a secret and shows it.
fn command(line: &str) -> Option<Announced> {
    if let Some(search) = &*MENTIONED
        && !search.is_match(line)
    {
        return None;
    }
    let words: Vec<&str> = line.split_ascii_whitespace().take(WORDS_MAX).collect();
    let prompt = words
        .iter()
        .take(PROMPT_WORDS_MAX)
        .position(|word| word.ends_with(['$', '#', '%', '>', '❯']));
    let words = words.get(prompt.map_or(0, |at| at + 1)..)?;
    let hides =
        |word: &&str| word.starts_with('>') || word.starts_with("1>") || word.starts_with("&>");
    if words.iter().any(hides) {
        return None;
    }
    let mut announced: Option<Announced> = None;
    for part in parts(words) {
        match (announced, part.piped) {
            (None, _) => announced = prints(line, part.words),
            (Some(_), true) => {
                let passes = part
                    .words
                    .first()
                    .is_some_and(|word| PASSING.contains(&base(word)));
                if !passes {
                    return None;
                }
            }
            (Some(_), false) => break,
        }
    }
    announced
}

/// One command of a line.
struct Part<'w, 'l> {
    words: &'w [&'l str],
    /// Whether it reads what the one before it prints.
    piped: bool,
}

fn parts<'w, 'l>(words: &'w [&'l str]) -> Vec<Part<'w, 'l>> {
    let mut parts = Vec::new();
    let (mut from, mut piped) = (0, false);
    for (at, word) in words.iter().enumerate() {
        let apart = matches!(*word, "|" | "||" | "&&" | ";");
        if apart || word.ends_with(';') {
            let end = if apart { at } else { at + 1 };
            parts.push(Part {
                words: words.get(from..end).unwrap_or_default(),
                piped,
            });
            from = at + 1;
            piped = *word == "|";
        }
    }
    parts.push(Part {
        words: words.get(from..).unwrap_or_default(),
        piped,
    });
    parts.retain(|part| !part.words.is_empty());
    parts
}

/// The name of a program without its place and a quote.
fn base(word: &str) -> &str {
    let word = word.trim_matches(['"', '\'', ';', '(', ')', '$']);
    word.rsplit(['/', '\\']).next().unwrap_or(word)
}

/// What one command prints.
fn prints(line: &str, words: &[&str]) -> Option<Announced> {
    let first = words.iter().position(|word| {
        let assigns = word
            .split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(is_word));
        !assigns && !word.bytes().all(|byte| byte == b'+')
    })?;
    let wrapped = words
        .get(first)
        .is_some_and(|word| WRAPPERS.contains(&base(word)));
    let last = if wrapped { words.len() } else { first + 1 };
    (first..last).find_map(|at| {
        let words = words.get(at..)?;
        let program = base(words.first()?);
        let printers = shipped().printers.iter();
        printers
            .filter(|printer| printer.run.first().is_some_and(|word| word == program))
            .find_map(|printer| printer.prints(line, words))
    })
}

impl Printer {
    fn prints(&self, line: &str, words: &[&str]) -> Option<Announced> {
        let mut at = 1;
        for wanted in self.run.iter().skip(1) {
            let rest = words.get(at..)?;
            at += rest.iter().position(|word| word == wanted)? + 1;
        }
        let rest = words.get(at..)?;
        let command = |kind| Announced {
            kind,
            lines: COMMAND_LINES_MAX,
            made: false,
        };
        match self.of {
            Of::Any => Some(command("secret")),
            Of::Name => rest.iter().find_map(|word| named(word)).map(command),
            Of::Variable => {
                let variables = rest.iter().filter(|word| word.contains('$'));
                variables.map(|word| named(word)).next()?.map(command)
            }
            Of::Data => {
                let of = ["base64", ".data", ".stringData"];
                let open = [
                    "metadata",
                    "username",
                    "namespace",
                    "ca\\.crt",
                    "-o name",
                    ".type",
                ];
                (of.iter().any(|sign| line.contains(sign))
                    && !open.iter().any(|sign| line.contains(sign)))
                .then_some(command("secret"))
            }
            Of::File => rest
                .iter()
                .find_map(|word| file(word))
                .map(|(kind, made)| Announced {
                    made,
                    ..command(kind)
                }),
        }
    }
}

/// The sentence after which a store of documents shows the password that it made.
fn resets(line: &str) -> bool {
    line.starts_with("Password for the [") && line.ends_with(RESET)
}

/// The kind of the secret that a word names by its last part: `.data.password`, `-field=token`, `/db/password`.
fn named(word: &str) -> Option<&'static str> {
    let name = word
        .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
        .find(|part| !part.is_empty())?;
    if name.eq_ignore_ascii_case("signingkey") {
        // The number of a public key.
        return None;
    }
    match names::judge(name, "") {
        Some(Names::Secret(kind)) if names::has_fragment(name) => Some(kind),
        _ => None,
    }
}

/// The kind of the secret that a file holds and nothing else, and whether it must look made.
fn file(word: &str) -> Option<(&'static str, bool)> {
    let word = word.trim_end_matches(';').trim_matches(['"', '\'']);
    let name = word.rsplit(['/', '\\']).next()?;
    if SECRET_FILES.contains(&name) {
        return Some(("secret", false));
    }
    let end = SECRET_FILE_ENDS.iter().find(|end| name.ends_with(**end));
    let stem = end.and_then(|end| name.strip_suffix(end)).unwrap_or(name);
    if matches!(stem, "passwd" | ".htpasswd") || stem.contains('.') && !stem.starts_with('.') {
        return None;
    }
    let kept = word.contains("/secrets/") || word.contains("/credentials/");
    match names::judge(stem, "") {
        Some(Names::Secret(kind)) if names::has_fragment(stem) => {
            // A file of a login has the user above the password.
            Some((kind, end == Some(&".auth")))
        }
        _ if kept || matches!(end, Some(&".key" | &".auth" | &".token" | &".pass")) => {
            Some(("secret", true))
        }
        _ => None,
    }
}
