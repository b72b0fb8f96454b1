//! The shell's own commands that run nothing themselves but decide what later commands are, or take
//! a word for an expression.
//!
//! Must not: know every shell. What is harmless is listed; all else has to be spelled by a rule.

use super::Look;
use crate::policy::{Capability, command};
use crate::shell::Word;

/// A builtin that changes the shell: a rule has to name it, and to spell each variable that it sets,
/// since `PATH` and its like decide what runs. The answer is the index of the last word to be spelled.
pub(super) fn state(arguments: &[Word]) -> Option<usize> {
    if arguments
        .iter()
        .any(|word| word.glob || computes(&word.text))
    {
        return None;
    }
    let sets = |word: &Word| {
        word.text
            .split_once('=')
            .is_some_and(|(name, _)| !command::is_harmless(name))
    };
    Some(arguments.iter().rposition(sets).map_or(0, |last| last + 1))
}

/// A builtin that evaluates: nothing as long as no word is an expression in which a shell would look up a
/// variable or run a substitution. `printf -v` sets a variable.
///
/// SECURITY: a variable's value is an expression too, so a name is enough: with `x` set to `a[$(id)]`,
/// `test -v 'b[x]'` runs `id` in bash, and `[ x -eq 0 ]` and `printf %d x` in ksh and zsh.
pub(super) fn evaluating(program: &str, arguments: &[Word]) -> Look {
    let may_be = |word: &Word, option: &str| word.text.starts_with(option) || word.is_unknown();
    let sets = program == "printf" && arguments.first().is_some_and(|word| may_be(word, "-v"));
    let evaluates = match program {
        "printf" => formats_expression(arguments),
        "let" => true,
        _ => tests_expression(arguments),
    };
    if evaluates || arguments.iter().any(|word| computes(&word.text)) {
        Look::Unseen
    } else if sets {
        Look::Spelled(arguments.len(), Capability::State)
    } else {
        Look::Nothing
    }
}

/// Whether a test compares expressions, or asks for an element of an array.
fn tests_expression(arguments: &[Word]) -> bool {
    const COMPARES: [&str; 6] = ["-eq", "-ne", "-gt", "-ge", "-lt", "-le"];
    arguments.iter().enumerate().any(|(index, word)| {
        let text = word.text.as_str();
        let behind = arguments.get(index + 1);
        if COMPARES.contains(&text) {
            let before = index
                .checked_sub(1)
                .and_then(|before| arguments.get(before));
            return before
                .into_iter()
                .chain(behind)
                .any(|word| !is_number(word));
        }
        // A name alone is looked up and no more. A word that is not known may be the option.
        (matches!(text, "-v" | "-R") || word.is_unknown())
            && behind.is_some_and(|word| word.is_unknown() || word.text.contains('['))
    })
}

/// Whether `printf` takes a name for a number: words are given to the format's parts in turn.
fn formats_expression(arguments: &[Word]) -> bool {
    let ends = arguments
        .iter()
        .take_while(|word| word.text == "--")
        .count();
    let Some((format, values)) = arguments.get(ends..).and_then(<[Word]>::split_first) else {
        return false;
    };
    let kinds: Vec<char> = conversions(&format.text).collect();
    // LIMIT: a value that the host decides counts as a number where any is asked for.
    values.iter().zip(kinds.iter().cycle()).any(|(word, kind)| {
        "diouxXeEfFgGaA*".contains(*kind) && word.known().is_some() && !is_number(word)
    })
}

/// The letters of a format's conversions, and `*` for each width that is a value.
fn conversions(format: &str) -> impl Iterator<Item = char> + '_ {
    let mut chars = format.chars();
    let mut inside = false;
    std::iter::from_fn(move || {
        // Each round passes one character.
        loop {
            let c = chars.next()?;
            match (inside, c) {
                (false, '%') => inside = true,
                (true, '%') => inside = false,
                (true, '*') => return Some('*'),
                (true, c) if c.is_ascii_alphabetic() && !"hlLqjzt".contains(c) => {
                    inside = false;
                    return Some(c);
                }
                _ => {}
            }
        }
    })
}

/// Whether a word is a number or a single value that the host decides. LIMIT: what the host decides may be
/// an expression too; ksh and zsh evaluate it.
fn is_number(word: &Word) -> bool {
    let number = |text: &str| {
        let digits = text.trim().trim_start_matches(['-', '+']);
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
            || digits.is_empty()
            // `'a` is the number of a character.
            || text.starts_with(['\'', '"']) && text.chars().count() == 2
    };
    word.known().is_none_or(number)
}

/// Whether a word holds `name[` and a substitution: bash, ksh and zsh run that even where it was quoted.
fn computes(text: &str) -> bool {
    let subscript = text.match_indices('[').any(|(at, _)| {
        text.get(..at)
            .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    });
    subscript && text.contains(['$', '`'])
}
