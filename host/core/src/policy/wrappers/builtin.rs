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

/// A builtin that evaluates: nothing as long as no word holds a subscript with a substitution in it.
/// `printf -v` sets a variable.
pub(super) fn evaluating(program: &str, arguments: &[Word]) -> Look {
    let sets = program == "printf"
        && arguments
            .first()
            .is_some_and(|word| word.text.starts_with("-v") || word.is_unknown());
    if arguments.iter().any(|word| computes(&word.text)) {
        Look::Unseen
    } else if sets {
        Look::Spelled(arguments.len(), Capability::State)
    } else {
        Look::Nothing
    }
}

/// Whether a word holds `name[` and a substitution: bash, ksh and zsh run that even where it was quoted.
fn computes(text: &str) -> bool {
    let subscript = text.match_indices('[').any(|(at, _)| {
        text.get(..at)
            .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    });
    subscript && text.contains(['$', '`'])
}
