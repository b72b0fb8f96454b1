//! Secrets in command lines: programs whose short flags hold a password, passwords piped into a
//! program, passwords that are a program's plain arguments. Long flags with a telling name are settings
//! like any other.

use super::catalog::shipped;
use super::source::{Found, Label, Source, is_blank, is_word};
use super::values::{self, Form, Value, Written};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

/// How much of a line is read as a command, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 4_096;
/// Most words of one line that are read.
const WORDS_MAX: usize = 512;

const COMMAND: Label<'static> = Label {
    rule: "command",
    kind: "password",
};

/// What a flag's word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Holds {
    /// The secret.
    Secret,
    /// `user:secret`.
    AfterColon,
    /// `name=secret`.
    AfterEquals,
    /// `user%secret`.
    AfterPercent,
    /// `pass:secret`, as OpenSSL takes it.
    PassSource,
}

/// How a flag's word is tied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tied {
    /// In the same word only.
    Within,
    /// In the next word only.
    Next,
    /// Either.
    Either,
}

/// Programs whose flag holds a secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    programs: Vec<String>,
    /// The word that must stand between program and flag.
    #[serde(default)]
    needs: String,
    flag: String,
    tied: Tied,
    holds: Holds,
}

/// A program whose password is an ordinary word: so many words after the one named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    program: String,
    word: String,
    after: usize,
}

fn is_piped(word: &str) -> bool {
    shipped().piped.iter().any(|piped| piped == word)
}

/// The literals by which command lines are found.
pub(super) fn starts() -> Vec<String> {
    let programs = shipped().commands.iter().flat_map(|rule| &rule.programs);
    let programs = programs.map(String::as_str);
    let positions = shipped().positions.iter().map(|rule| rule.program.as_str());
    let mut starts: Vec<String> = programs
        .chain(positions)
        .chain(["htpasswd", "net"])
        .map(|program| format!("{program} "))
        .collect();
    starts.extend(["echo ", "printf ", "<<<"].map(str::to_owned));
    starts.sort();
    starts.dedup();
    starts
}

/// One word of a command line: its place without quotes.
#[derive(Debug, Clone, Copy)]
struct Word {
    start: usize,
    end: usize,
}

/// Reads the rest of the line from `start` as commands. Returns how far it read.
pub(super) fn line(source: Source<'_>, start: usize, found: &mut Vec<Found<'_>>) -> usize {
    let before = source.before(start);
    if is_word(before) || matches!(before, b'-' | b'.') {
        return start + 1;
    }
    let end = source.line_end(start, LINE_BYTES_MAX);
    // A here-string stands after the command that reads it.
    let start = if source.has(start, "<<<") {
        source.line_start(start, LINE_BYTES_MAX)
    } else {
        start
    };
    let words = split(source, start, end);
    let mut program = 0;
    let mut echoed: Option<usize> = None;
    for index in 0..words.len() {
        let Some(word) = words.get(index).copied() else {
            break;
        };
        let text = source.str(word.start, word.end);
        let name = text.rsplit('/').next().unwrap_or(text);
        if matches!(name, "echo" | "printf") {
            echoed = Some(index);
        }
        if is_program(name) {
            program = index;
        }
        flag(source, &words, program, index, found);
        position(source, &words, program, index, found);
        if let Some(first) = echoed.filter(|_| is_piped(name)) {
            // One reader is enough: a line full of them would find each word again for each.
            echoed = None;
            piped(source, &words, first, name, found);
        }
        if text.starts_with("<<<") {
            here_string(source, &words, index, found);
        }
    }
    end
}

/// The words that [`takes`] knows.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    PROGRAMS
        .iter()
        .copied()
        .chain(shipped().piped.iter().map(String::as_str))
}

/// Whether a word is a program or a flag that takes a password by other ways than a sign.
pub(super) fn takes(word: &str) -> bool {
    is_piped(word) || is_program(word) || word.ends_with("passwd")
}

/// Whether the start of a line names a program with flags for secrets, or prints what another may read.
pub(super) fn names_program(head: &str) -> bool {
    let from = head.floor_char_boundary(head.len().saturating_sub(LINE_BYTES_MAX));
    let head = head.get(from..).unwrap_or_default();
    let ends = |c: char| {
        let signs = [
            '|', ';', '&', '(', '[', '{', '"', '\'', '`', '=', ',', ':', '>', '#',
        ];
        c.is_ascii_whitespace() || !c.is_ascii() || signs.contains(&c)
    };
    head.split(ends).any(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        matches!(name, "echo" | "printf") || is_program(name)
    })
}

static PROGRAMS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let commands = shipped()
        .commands
        .iter()
        .flat_map(|rule| &rule.programs)
        .map(String::as_str);
    let positions = shipped().positions.iter().map(|rule| rule.program.as_str());
    // Some print secrets of the length or form that a flag says.
    let printing = ["pwgen", "apg"];
    commands
        .chain(positions)
        .chain(["htpasswd"])
        .chain(printing)
        .collect()
});

fn is_program(name: &str) -> bool {
    PROGRAMS.contains(name)
}

/// The words of a line. Quotes hold a word together; pipes and semicolons are words of their own.
fn split(source: Source<'_>, start: usize, end: usize) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = start;
    while at < end && words.len() < WORDS_MAX {
        at = source.run(at, end - at, is_blank);
        if at >= end {
            break;
        }
        if matches!(source.at(at), b'|' | b';' | b'&') {
            words.push(Word {
                start: at,
                end: at + 1,
            });
            at += 1;
            continue;
        }
        let word = match values::quoted(source, at) {
            Some(value) => {
                at = value.end.min(end) + 1;
                Word {
                    start: value.start,
                    end: value.end.min(end),
                }
            }
            None => {
                let stop = source.run(at, end - at, |byte| {
                    !is_blank(byte) && !matches!(byte, b'|' | b'"' | b'\'')
                });
                let from = at;
                at = stop.max(from + 1);
                Word {
                    start: from,
                    end: stop,
                }
            }
        };
        words.push(word);
    }
    words
}

fn flag(
    source: Source<'_>,
    words: &[Word],
    program: usize,
    index: usize,
    found: &mut Vec<Found<'_>>,
) {
    let text = |at: usize| {
        words
            .get(at)
            .map_or("", |word| source.str(word.start, word.end))
    };
    let name = text(program).rsplit('/').next().unwrap_or_default();
    let word = text(index);
    let rules = shipped().commands.iter();
    for rule in rules.filter(|rule| rule.programs.iter().any(|program| program == name)) {
        let (needs, flag, tied, holds) = (&rule.needs, rule.flag.as_str(), rule.tied, rule.holds);
        let needed = needs.is_empty() || (program..index).any(|at| text(at) == needs);
        if index <= program || !needed || flag.is_empty() || !word.starts_with(flag) {
            continue;
        }
        let Some(here) = words.get(index) else { return };
        let rest = source.run(here.start + flag.len(), 1, |byte| byte == b'=');
        let held = if word.len() > flag.len() {
            // `--user=x` and `-px` are values; `--username` is another flag.
            let joined = !flag.starts_with("--") || rest > here.start + flag.len();
            (tied != Tied::Next && joined).then_some(Word {
                start: rest,
                end: here.end,
            })
        } else if tied != Tied::Within {
            words.get(index + 1).copied()
        } else {
            // The shell joins `-p` and a quoted word that follows without a blank.
            words
                .get(index + 1)
                .copied()
                .filter(|next| next.start == here.end + 1)
        };
        if let Some(held) = held {
            found.extend(secret(source, held, holds));
        }
    }
}

fn secret(source: Source<'_>, word: Word, holds: Holds) -> Option<Found<'static>> {
    let text = source.str(word.start, word.end);
    let from = match holds {
        Holds::Secret => 0,
        Holds::AfterColon => text.find([':', ','])? + 1,
        Holds::AfterEquals => text.find('=')? + 1,
        Holds::AfterPercent => text.find('%')? + 1,
        Holds::PassSource => text.strip_prefix("pass:").map(|_| 5)?,
    };
    let value = Value {
        start: word.start + from,
        end: word.end,
        form: Form::Quoted,
    };
    let next_flag = holds == Holds::Secret && text.starts_with('-');
    if next_flag
        || value.end - value.start < 3
        || values::is_placeholder(source, value, Written::Environment)
    {
        return None;
    }
    Found::new(value.start, value.end, COMMAND)
}

fn position(
    source: Source<'_>,
    words: &[Word],
    program: usize,
    index: usize,
    found: &mut Vec<Found<'_>>,
) {
    let text = |at: usize| {
        words
            .get(at)
            .map_or("", |word| source.str(word.start, word.end))
    };
    let name = text(program).rsplit('/').next().unwrap_or_default();
    for Position {
        program: owner,
        word: before,
        after,
    } in &shipped().positions
    {
        let fits = name == owner && text(index) == before;
        if fits
            && (index > program || owner == before)
            && let Some(word) = words.get(index + after)
        {
            found.extend(secret(source, *word, Holds::Secret));
        }
    }
    // `htpasswd -b file user password`: the last word of its command.
    if name == "htpasswd"
        && index > program
        && text(index).starts_with('-')
        && text(index).contains('b')
    {
        let last = (index..words.len())
            .take_while(|at| !matches!(text(*at), "|" | ";" | "&"))
            .last();
        if let Some(word) = last
            .filter(|last| *last > index + 1)
            .and_then(|last| words.get(last))
        {
            found.extend(secret(source, *word, Holds::Secret));
        }
    }
}

/// The words of an `echo` whose output a program reads as a password.
fn piped(
    source: Source<'_>,
    words: &[Word],
    echo: usize,
    consumer: &str,
    found: &mut Vec<Found<'_>>,
) {
    let holds = if consumer == "chpasswd" {
        Holds::AfterColon
    } else {
        Holds::Secret
    };
    for word in words.iter().skip(echo + 1) {
        let text = source.str(word.start, word.end);
        if text == "|" {
            return;
        }
        if !text.starts_with('-') && text != "%s" {
            found.extend(secret(source, *word, holds));
        }
    }
}

/// `<<< word` after a program that reads a password.
fn here_string(source: Source<'_>, words: &[Word], index: usize, found: &mut Vec<Found<'_>>) {
    let reads = words
        .iter()
        .take(index)
        .any(|word| is_piped(source.str(word.start, word.end)));
    if reads && let Some(word) = words.get(index + 1) {
        found.extend(secret(source, *word, Holds::Secret));
    }
}
