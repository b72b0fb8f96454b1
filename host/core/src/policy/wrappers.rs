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

mod table;

use super::path;
use crate::shell::Word;
use table::WRAPPERS;

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
    /// As `Prefix` without options, but it adds words of its own to the command.
    Appending {
        flags: &'static str,
        values: &'static str,
    },
    /// The first word is a program text's file; with options it may be the text itself, and without
    /// words the text is read from the input. The words here, alone, only ask for a version.
    Interpreter(&'static [&'static str]),
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

/// What a command runs besides its own program.
pub(super) fn inner(words: &[Word]) -> Inner {
    let Some((program, arguments)) = words.split_first() else {
        return Inner::Nothing;
    };
    let Some(wrapper) = find(&program.text) else {
        return Inner::Nothing;
    };
    let first = arguments.first().map(|word| word.text.as_str());
    let asks = first.is_some_and(|first| wrapper.asks.contains(&first));
    if asks || arguments.len() == 1 && matches!(first, Some("--version" | "--help")) {
        return Inner::Nothing;
    }
    match wrapper.shape {
        Shape::Prefix { alone, .. } => match command_at(&wrapper.shape, words) {
            Some(Found::At(index)) => nested(words, index),
            Some(Found::End) if alone == Alone::Harmless => Inner::Nothing,
            Some(Found::End) => Inner::Unseen,
            None => Inner::Whole,
        },
        Shape::Appending { .. } => match command_at(&wrapper.shape, words) {
            Some(Found::At(index)) => appended(words, index),
            Some(Found::End) => Inner::Nothing,
            None => Inner::Whole,
        },
        Shape::Interpreter(versions) => interpreter(versions, arguments),
        Shape::Clauses(run, act) => clauses(run, act, words),
        Shape::Awk if arguments.iter().any(|word| awk_acts(&word.text)) => Inner::Whole,
        Shape::Awk => Inner::Nothing,
        Shape::Whole(Alone::Shell) if arguments.is_empty() => Inner::Unseen,
        Shape::Whole(_) if arguments.is_empty() => Inner::Nothing,
        Shape::Whole(_) => Inner::Whole,
    }
}

/// The command that stands at a word may be a wrapper itself.
fn nested(words: &[Word], index: usize) -> Inner {
    match inner(words.get(index..).unwrap_or_default()) {
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
            Shape::Appending { flags, values } => (*flags, *values, &[], &[], 0),
            Shape::Interpreter(_) | Shape::Clauses(..) | Shape::Awk | Shape::Whole(_) => {
                return None;
            }
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
            let is_long_value = long_values.contains(&text);
            if is_long_value {
                at += 1;
            } else if !long_flags.contains(&text) && !text.contains('=') {
                return None;
            }
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

fn clauses(run: &[&str], act: &[&str], words: &[Word]) -> Inner {
    let mut deepest = Inner::Nothing;
    for (index, word) in words.iter().enumerate().skip(1) {
        let found = if run.contains(&word.text.as_str()) {
            nested(words, index + 1)
        } else if act.contains(&word.text.as_str()) {
            Inner::At(index)
        } else {
            continue;
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

/// Whether a word of an awk command may run something, write a file, reach the network, or name a
/// program text that is not in sight. A `>` counts behind `print` only, where it is never a comparison.
fn awk_acts(text: &str) -> bool {
    const OPTIONS: [&str; 6] = ["-f", "-i", "-l", "-E", "-e", "--"];
    if text.starts_with("-F") || text.starts_with("-v") {
        return false;
    }
    let option = text.len() > 1 && OPTIONS.iter().any(|option| text.starts_with(option));
    let pipe = text.replace("||", "").contains('|');
    let named = ["system", "@", "/inet", "getline"]
        .iter()
        .any(|word| text.contains(word));
    let writes = text.split("print").skip(1).any(|behind| {
        behind
            .split([';', '}', '\n'])
            .next()
            .is_some_and(|statement| statement.contains('>'))
    });
    option || pipe || named || writes
}

#[cfg(test)]
mod tests;
