//! What an awk program does besides reading its files and printing.
//!
//! Must not: parse awk. It cuts the text into tokens; where the next `/` may begin a regular expression
//! or divide, the rest counts with everything that stands in it.

use super::Effect;
use crate::policy::Capability;

const RUNS: &str = "has an awk program that runs a command";
const WRITES: &str = "has an awk program that writes a file";
const SHOWS: &str = "has an awk program that reads files or the environment on its own";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Number,
    Text(&'a str),
    Regex,
    /// An operator, a bracket or the end of a line.
    Mark(&'a str),
}

/// What `text` does.
pub(super) fn scan(text: &str) -> Vec<Effect<'_>> {
    let (tokens, rest) = cut(text);
    let mut effects = Vec::new();
    judge(&tokens, &mut effects);
    // SECURITY: what could not be cut for certain is judged without regard to quotes.
    if is_suspicious(rest) {
        effects.push(Effect::Needs(Capability::Execute, RUNS));
    }
    effects
}

/// Whether a text holds anything that could act, wherever strings and expressions end in it.
fn is_suspicious(rest: &str) -> bool {
    rest.contains(['@', '>', '<'])
        || rest.replace("||", "").contains('|')
        || ["system", "getline", "ENVIRON", "ARG", "SYMTAB"]
            .iter()
            .any(|word| rest.contains(word))
}

fn judge<'a>(tokens: &[Token<'a>], effects: &mut Vec<Effect<'a>>) {
    // Where the statement of a `print` is open: how many brackets are open in it.
    let mut print_depth: Option<usize> = None;
    let mut reads = false;
    let mut before = Token::Mark("\n");
    for (index, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(index + ahead).copied();
        match token {
            Token::Name(name) => match *name {
                "print" | "printf" => print_depth = Some(0),
                "getline" => reads = true,
                "system" => effects.push(Effect::Needs(Capability::Execute, RUNS)),
                "ENVIRON" | "ARGV" | "ARGC" | "SYMTAB" | "FUNCTAB" | "PROCINFO" => {
                    effects.push(Effect::Needs(Capability::Secret, SHOWS));
                }
                // A name that begins with a digit is a number and then another name.
                _ if before == Token::Number && name.ends_with("system") => {
                    effects.push(Effect::Needs(Capability::Execute, RUNS));
                }
                _ => {}
            },
            Token::Mark("@" | "|" | "|&") => {
                effects.push(Effect::Needs(Capability::Execute, RUNS));
            }
            Token::Mark(">>") => effects.push(target(next(1), next(2), Use::Write)),
            Token::Mark(">") if print_depth == Some(0) => {
                effects.push(target(next(1), next(2), Use::Write));
            }
            Token::Mark("<") if reads => {
                effects.push(target(next(1), next(2), Use::Read));
            }
            Token::Mark("(" | "[") => print_depth = print_depth.map(|depth| depth + 1),
            Token::Mark(")" | "]") => {
                print_depth = print_depth.map(|depth| depth.saturating_sub(1));
            }
            Token::Mark("\n") if matches!(before, Token::Mark("," | "&&" | "||" | "?" | ":")) => {
                continue;
            }
            Token::Mark(";" | "}" | "\n") => {
                print_depth = None;
                reads = false;
            }
            Token::Mark(_) | Token::Number | Token::Text(_) | Token::Regex => {}
        }
        before = *token;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
}

/// What a redirection to or from the next token does.
fn target<'a>(first: Option<Token<'a>>, second: Option<Token<'a>>, usage: Use) -> Effect<'a> {
    let ends = matches!(
        second,
        None | Some(Token::Mark(
            ";" | "}" | "\n" | ")" | "&&" | "||" | ">" | "<"
        ))
    );
    match (first, usage) {
        (Some(Token::Text(path)), _) if path.starts_with("/inet") => Effect::Needs(
            Capability::Network,
            "has an awk program that opens a connection",
        ),
        (Some(Token::Text(path)), Use::Read) if ends && !path.contains('\\') => Effect::Reads(path),
        (Some(Token::Text(path)), Use::Write) if ends && !path.contains('\\') => {
            Effect::Writes(path)
        }
        (_, Use::Read) => Effect::Needs(Capability::Secret, SHOWS),
        (_, Use::Write) => Effect::Needs(Capability::Write, WRITES),
    }
}

/// The tokens of a text, and the rest from where they are not certain.
fn cut(text: &str) -> (Vec<Token<'_>>, &str) {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    // Each round passes at least one byte.
    while let Some(byte) = bytes.get(at).copied() {
        let rest = text.get(at..).unwrap_or_default();
        let length = match byte {
            b' ' | b'\t' | b'\r' => 1,
            b'\\' => 2,
            b'#' => rest.find('\n').unwrap_or(rest.len()),
            b'"' => match closed(rest) {
                Some(length) => {
                    tokens.push(Token::Text(rest.get(1..length - 1).unwrap_or_default()));
                    length
                }
                None => return (tokens, rest),
            },
            b'/' => match tokens.last() {
                Some(Token::Number | Token::Text(_) | Token::Regex) => mark(rest, &mut tokens),
                Some(Token::Name(name)) if !takes_regex(name) => mark(rest, &mut tokens),
                Some(Token::Mark(")" | "]" | "++" | "--" | "$")) => return (tokens, rest),
                Some(Token::Name(_) | Token::Mark(_)) | None => match regex(rest) {
                    Some(length) => {
                        tokens.push(Token::Regex);
                        length
                    }
                    None => return (tokens, rest),
                },
            },
            b'0'..=b'9' => {
                tokens.push(Token::Number);
                run(rest, |b| b.is_ascii_digit() || b == b'.')
            }
            b'_' | b'A'..=b'Z' | b'a'..=b'z' => {
                let length = run(rest, |b| b.is_ascii_alphanumeric() || b == b'_');
                tokens.push(Token::Name(rest.get(..length).unwrap_or_default()));
                length
            }
            _ => mark(rest, &mut tokens),
        };
        at += length;
        // A character of several bytes is passed as a whole.
        while at < text.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
    (tokens, "")
}

fn run(text: &str, of: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| of(*byte)).count()
}

/// Names behind which an operand stands.
fn takes_regex(name: &str) -> bool {
    matches!(
        name,
        "print" | "printf" | "return" | "exit" | "in" | "case" | "do" | "else" | "delete"
    )
}

/// Takes an operator; the longer ones first.
fn mark<'a>(rest: &'a str, tokens: &mut Vec<Token<'a>>) -> usize {
    let length = ["||", "&&", "|&", ">>", "++", "--", ">=", "<=", "==", "!="]
        .iter()
        .find(|mark| rest.starts_with(**mark))
        .map_or_else(
            || rest.chars().next().map_or(1, char::len_utf8),
            |mark| mark.len(),
        );
    tokens.push(Token::Mark(rest.get(..length).unwrap_or_default()));
    length
}

/// The length of a string with both its quotes. `None` where it does not end in its line.
fn closed(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'\n' if !escaped => return None,
            b'"' if !escaped => return Some(at + 1),
            _ => escaped = byte == b'\\' && !escaped,
        }
    }
    None
}

/// The length of a regular expression with both its slashes. `None` where implementations may differ:
/// in some a slash within brackets ends it.
fn regex(text: &str) -> Option<usize> {
    let mut escaped = false;
    let mut open = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'\n' => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'[' => open = true,
            b']' => open = false,
            b'/' if open => return None,
            b'/' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
