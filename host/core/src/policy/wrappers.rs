//! The programs that run other programs, and where in their words the other program stands.
//!
//! A rule that names only such a program says nothing of what it runs. So [`inner`] tells how far a
//! rule must spell a command word by word before it is allowed; whoever cannot tell says
//! [`Inner::Whole`] or [`Inner::Unseen`], which are the strictest answers.
//!
//! Must not: decide, or judge the inner command by rules of its own.
//!
//! Limits: an option that stands in no table makes the whole command something to be spelled, also
//! where it is harmless. Programs that can be made to run something in rarer ways (editors, pagers,
//! archivers, version control) are not in this table.

mod awk;
mod builtin;
mod table;

use super::path;
use crate::shell::Word;
use table::WRAPPERS;

/// Most wrappers inside each other that are looked through; deeper ones have to be spelled whole. It
/// bounds the recursion.
const DEPTH_MAX: usize = 8;

/// What a command runs besides its own program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    /// Nothing.
    Nothing,
    /// What stands at this word: it and all words before it have to be spelled.
    At(usize),
    /// It cannot be told which words are run, so all of them have to be spelled.
    Whole,
    /// What does not stand in the words at all, e.g. its input. No rule can spell that.
    Unseen,
}

/// What a program does when its words name nothing to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// It prints something, or fails.
    Harmless,
    /// It opens a shell.
    Shell,
}

/// How a program finds what it runs.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// The words behind its own options and operands are a command.
    Prefix {
        /// Short options without a value, by letter.
        flags: &'static str,
        /// Short options whose value is the next word or the rest of the word, by letter.
        values: &'static str,
        /// Long options whose value is the next word.
        long_values: &'static [&'static str],
        /// Long options without a value.
        long_flags: &'static [&'static str],
        /// Operands before the command.
        operands: usize,
        /// Whether it is harmless without a command.
        alone: Alone,
    },
    /// As `Prefix` without operands, but it adds words of its own to the command.
    Appending {
        flags: &'static str,
        values: &'static str,
        long_values: &'static [&'static str],
        long_flags: &'static [&'static str],
    },
    /// The first word is a program text's file; with options it may be the text itself, and without
    /// words the text is read from the input. The words here, alone, only ask for a version; an
    /// interpreter that does not know `--version` may go on and read its input.
    Interpreter(&'static [&'static str]),
    /// A builtin of the shell that changes what later commands do, so a rule has to name it.
    State,
    /// A builtin of the shell that may take a word for an expression, and run what stands in that.
    Evaluating,
    /// A command stands behind one of the first words; one of the second words writes or removes.
    Clauses(&'static [&'static str], &'static [&'static str]),
    /// A program text among the words may run commands or write files.
    Awk,
    /// It hands its words to a shell, or has too many ways to name a command.
    Whole(Alone),
}

/// One program of the table.
struct Wrapper {
    name: &'static str,
    /// Why it stands here; the text is shown to operators.
    why: &'static str,
    shape: Shape,
    /// First words that make it answer a question and run nothing, whatever follows.
    asks: &'static [&'static str],
}

/// The table's entry for a program, whatever directory or version stands in its name.
fn find(program: &str) -> Option<&'static Wrapper> {
    let name = path::base(program);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    WRAPPERS
        .iter()
        .find(|wrapper| wrapper.name == name || wrapper.name == plain && !plain.is_empty())
}

/// Why a program stands in the table, if it does.
pub(super) fn why(program: &str) -> Option<&'static str> {
    find(program).map(|wrapper| wrapper.why)
}

/// Whether a program may run its words, so that a denied command may stand among them.
pub(super) fn runs_words(program: &str) -> bool {
    find(program).is_some_and(|wrapper| !matches!(wrapper.shape, Shape::State | Shape::Evaluating))
}

/// Whether a program runs its words and adds words to them that are not in sight.
pub(super) fn appends_words(program: &str) -> bool {
    find(program).is_some_and(|wrapper| matches!(wrapper.shape, Shape::Appending { .. }))
}

/// Whether a program takes its next word for the file of a program text.
pub(super) fn reads_script(program: &str) -> bool {
    matches!(path::base(program), "." | "source")
        || find(program).is_some_and(|wrapper| matches!(wrapper.shape, Shape::Interpreter(_)))
}

/// What a command runs besides its own program.
pub(super) fn inner(words: &[Word]) -> Inner {
    looked_through(words, DEPTH_MAX)
}

fn looked_through(words: &[Word], depth: usize) -> Inner {
    let Some((program, arguments)) = words.split_first() else {
        return Inner::Nothing;
    };
    let Some(wrapper) = find(&program.text) else {
        return Inner::Nothing;
    };
    let Some(depth) = depth.checked_sub(1) else {
        return Inner::Whole;
    };
    let first = arguments.first().map(|word| word.text.as_str());
    let asks = first.is_some_and(|first| wrapper.asks.contains(&first));
    if let Shape::Interpreter(versions) = wrapper.shape {
        return interpreter(versions, arguments);
    }
    if asks || arguments.len() == 1 && matches!(first, Some("--version" | "--help")) {
        return Inner::Nothing;
    }
    // SECURITY: a glob may become several words, and then the command begins at another one.
    let unknown = arguments.iter().any(|word| word.is_unknown());
    match wrapper.shape {
        Shape::Prefix { alone, .. } => match command_at(&wrapper.shape, words) {
            Some(Found::At(index)) => nested(words, index, depth),
            Some(Found::End) if alone == Alone::Harmless && !unknown => Inner::Nothing,
            Some(Found::End) => Inner::Unseen,
            None => Inner::Whole,
        },
        Shape::Appending { .. } => match command_at(&wrapper.shape, words) {
            Some(Found::At(index)) => appended(words, index),
            Some(Found::End) if unknown => Inner::Unseen,
            Some(Found::End) => Inner::Nothing,
            None => Inner::Whole,
        },
        Shape::Interpreter(versions) => interpreter(versions, arguments),
        Shape::Clauses(run, act) => clauses(run, act, words, depth),
        Shape::Awk if awk::acts(arguments) => Inner::Whole,
        Shape::Awk => Inner::Nothing,
        Shape::State => builtin::state(arguments),
        Shape::Evaluating => builtin::evaluating(&program.text, arguments),
        Shape::Whole(Alone::Shell) if arguments.is_empty() => Inner::Unseen,
        Shape::Whole(_) if arguments.is_empty() => Inner::Nothing,
        Shape::Whole(_) => Inner::Whole,
    }
}

/// The command that stands at a word may be a wrapper itself.
fn nested(words: &[Word], index: usize, depth: usize) -> Inner {
    match looked_through(words.get(index..).unwrap_or_default(), depth) {
        Inner::Nothing => Inner::At(index),
        Inner::At(deeper) => Inner::At(index + deeper),
        Inner::Whole => Inner::Whole,
        Inner::Unseen => Inner::Unseen,
    }
}

/// As [`nested`], where words from elsewhere follow: whatever a wrapper makes of those is not in sight.
fn appended(words: &[Word], index: usize) -> Inner {
    let wrapped = words.get(index).and_then(|word| find(&word.text));
    if wrapped.is_some() {
        Inner::Unseen
    } else {
        Inner::At(index)
    }
}

enum Found {
    At(usize),
    End,
}

/// Steps over options, assignments and operands. `None` where an option is not known.
fn command_at(shape: &Shape, words: &[Word]) -> Option<Found> {
    let (flags, values, long_values, long_flags, operands): (_, _, &[&str], &[&str], _) =
        match shape {
            Shape::Prefix {
                flags,
                values,
                long_values,
                long_flags,
                operands,
                ..
            } => (*flags, *values, long_values, long_flags, *operands),
            Shape::Appending {
                flags,
                values,
                long_values,
                long_flags,
            } => (*flags, *values, long_values, long_flags, 0),
            _ => return None,
        };
    let mut left = operands;
    let mut options = true;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        at += 1;
        if options && text == "--" {
            options = false;
        } else if options && text.starts_with("--") {
            // SECURITY: `--name=value` is no safer than `--name`: `env --split-string=` runs its value.
            let (name, attached) = text
                .split_once('=')
                .map_or((text, false), |(name, _)| (name, true));
            if long_values.contains(&name) {
                at += usize::from(!attached);
            } else if !long_flags.contains(&name) {
                return None;
            }
        } else if options && text == "-" {
            // `env -` is `env -i`; where it is a command, the strictest reading looks behind it.
        } else if options && text.len() > 1 && text.starts_with('-') {
            at += value_words(text.get(1..)?, flags, values)?;
        } else if is_assignment(text) {
            // A value for the command's environment; it has to be spelled like everything before it.
        } else if left > 0 {
            left -= 1;
        } else {
            return Some(Found::At(at - 1));
        }
    }
    // LIMIT: an option whose value is missing ends here too; such a command fails on the host.
    Some(Found::End)
}

/// How many further words a cluster of short options takes: its last one may need a value.
fn value_words(letters: &str, flags: &str, values: &str) -> Option<usize> {
    for (index, letter) in letters.char_indices() {
        if values.contains(letter) {
            let is_last = index + letter.len_utf8() == letters.len();
            return Some(usize::from(is_last));
        }
        if !flags.contains(letter) {
            return None;
        }
    }
    Some(0)
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    })
}

fn interpreter(versions: &[&str], arguments: &[Word]) -> Inner {
    match arguments.split_first() {
        None => Inner::Unseen,
        Some((only, [])) if versions.contains(&only.text.as_str()) => Inner::Nothing,
        Some((first, _)) if first.text.starts_with(['-', '+']) => {
            if arguments.iter().any(|word| reads_input(&word.text)) {
                Inner::Unseen
            } else {
                Inner::Whole
            }
        }
        Some(_) => Inner::At(1),
    }
}

/// Whether a word tells an interpreter to read its program from the input.
fn reads_input(text: &str) -> bool {
    matches!(text, "-" | "-s" | "-i" | "--") || text == "/dev/stdin"
}

/// Looks at each clause once: what stands between `-exec` and its end belongs to the command there.
fn clauses(run: &[&str], act: &[&str], words: &[Word], depth: usize) -> Inner {
    // SECURITY: a glob that may become an option may become `-delete`.
    if words.iter().skip(1).any(may_be_option) {
        return Inner::Unseen;
    }
    let mut deepest = Inner::Nothing;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        let found = if run.contains(&text) {
            let Some(end) = clause_end(text, words, at + 1) else {
                return Inner::Whole;
            };
            let found = nested(words.get(..end).unwrap_or_default(), at + 1, depth);
            at = end;
            found
        } else {
            at += 1;
            if !act.contains(&text) {
                continue;
            }
            Inner::At(at - 1)
        };
        deepest = match (deepest, found) {
            (Inner::Unseen, _) | (_, Inner::Unseen) => Inner::Unseen,
            (Inner::Whole, _) | (_, Inner::Whole) => Inner::Whole,
            (Inner::At(a), Inner::At(b)) => Inner::At(a.max(b)),
            (Inner::Nothing, found) | (found, Inner::Nothing) => found,
        };
    }
    deepest
}

/// Where the clause that begins at a word ends. `None` where implementations differ: some end it at
/// each `+`, others only at one behind `{}`, and none of them but some at a `+` where they ask first.
fn clause_end(opened_by: &str, words: &[Word], start: usize) -> Option<usize> {
    let mut before = "";
    for (index, word) in words.iter().enumerate().skip(start) {
        match word.text.as_str() {
            ";" => return Some(index),
            "+" if before == "{}" && !opened_by.starts_with("-ok") => return Some(index),
            "+" => return None,
            text => before = text,
        }
    }
    Some(words.len())
}

/// Whether a word's value is unknown and may begin like an option.
fn may_be_option(word: &Word) -> bool {
    let first = word.glob_offsets().first().copied();
    let Some(first) = first.and_then(|offset| usize::try_from(offset).ok()) else {
        return word.is_unknown();
    };
    let known = word.text.get(..first).unwrap_or_default();
    known.is_empty() || known.starts_with('-')
}

#[cfg(test)]
mod tests;
