//! Which characters may stand in a script at all, and the small character sets of the grammar.
//! Must not: know about quotes; a hidden character is refused inside quotes and comments too, because
//! people who read the command would not see it.

use super::{Unanalysable, reason};
use crate::text::is_hidden;

/// Refuses the first character that no script may hold.
pub(super) fn check(source: &str) -> Result<(), Unanalysable> {
    // Nearly every script is plain ASCII, which needs no table of characters.
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if source.bytes().all(plain) {
        return Ok(());
    }
    for (offset, c) in source.char_indices() {
        let reason = match c {
            '\n' | '\t' => continue,
            '\r' => reason::CARRIAGE_RETURN,
            '\0' => reason::NUL,
            c if c.is_ascii_control() => reason::CONTROL_CHARACTER,
            c if is_hidden(c) => reason::HIDDEN_CHARACTER,
            // LIMIT: blanks that the list of hidden characters does not name are refused here, since
            // some shells end a word at whatever the locale calls a blank.
            c if !c.is_ascii() && (c.is_whitespace() || c.is_control()) => reason::HIDDEN_CHARACTER,
            _ => continue,
        };
        return Err(Unanalysable::new(offset, reason));
    }
    Ok(())
}

/// Whether a byte separates words on one line.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether a byte, unquoted, ends the word before it.
pub(super) fn ends_word(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// Whether a character means itself in every shell, anywhere in a word but at its start.
pub(super) fn is_plain(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '@' | '%' | '+' | '=' | ':' | ',' | '.' | '/' | '-')
}

/// Whether a byte may stand inside a bracket expression. Quotes, `/`, `[` and `^` may not: shells
/// disagree on each of them there.
pub(super) fn is_bracket_member(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_@%+=:,.-*?".contains(&byte)
}

/// The words that dash, bash or busybox sh take for syntax where a program is expected; `time`
/// is not among them, see the module's head.
pub(super) fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 21] = [
        "!", "{", "}", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi",
        "for", "function", "if", "in", "select", "then", "until", "while",
    ];
    RESERVED.contains(&word)
}

/// The words that some other shell takes for syntax, or that bash does and POSIX does not. They are
/// programs here, and rendered quoted so that they are programs there.
pub(super) fn is_reserved_elsewhere(word: &str) -> bool {
    const ELSEWHERE: [&str; 16] = [
        "time",
        "foreach",
        "end",
        "repeat",
        "nocorrect",
        "noglob",
        "always",
        "namespace",
        "declare",
        "export",
        "float",
        "integer",
        "local",
        "readonly",
        "typeset",
        "-",
    ];
    ELSEWHERE.contains(&word)
}

/// The builtins whose `name=…` arguments some shells read as assignments, without globs.
pub(super) fn is_declaring(word: &str) -> bool {
    const DECLARING: [&str; 6] = ["alias", "declare", "export", "local", "readonly", "typeset"];
    DECLARING.contains(&word)
}
