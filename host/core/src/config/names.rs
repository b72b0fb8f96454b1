//! Names and paths that an operator writes: which ones are taken. The same checks hold when a file is
//! loaded and again when the name is used.
//!
//! Must not: look at the disk. Everything that can be refused by its text is refused before that.

use crate::limits;

/// What a secret's variable begins with.
const VARIABLE_PREFIX: &str = "MCP_SSH_SECRET_";

/// Why the name of a secret is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretNameFault {
    /// Longer than [`limits::SECRET_NAME_CHARS_MAX`]; looked at before the characters.
    #[error(
        "expected at most {} characters in the name of a secret, got {chars}",
        limits::SECRET_NAME_CHARS_MAX
    )]
    TooLong {
        /// How long it is.
        chars: usize,
    },
    /// A character outside the set, or no letter and no digit.
    #[error("expected ASCII letters, digits, `-` and `_`, with at least one letter or digit")]
    Characters,
}

/// Checks the name of a secret: ASCII letters, digits, `-` and `_`, at least one letter or digit, at
/// most [`limits::SECRET_NAME_CHARS_MAX`] characters.
///
/// # Errors
/// [`SecretNameFault::TooLong`] before [`SecretNameFault::Characters`].
pub fn secret_name(name: &str) -> Result<(), SecretNameFault> {
    let chars = name.chars().count();
    if chars > limits::SECRET_NAME_CHARS_MAX {
        return Err(SecretNameFault::TooLong { chars });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.chars().all(allowed) && name.chars().any(|c| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(SecretNameFault::Characters)
    }
}

/// The environment variable that may hold a secret: upper-case, `-` as `_`.
#[must_use]
pub fn secret_variable(name: &str) -> String {
    format!(
        "{VARIABLE_PREFIX}{}",
        name.to_ascii_uppercase().replace('-', "_")
    )
}

/// Checks the name of an environment variable that an operator chose: ASCII letters, digits and `_`, not
/// beginning with a digit, at most [`limits::SECRET_NAME_CHARS_MAX`] characters.
///
/// # Errors
/// [`VariableFault`]; the length is looked at first.
pub fn variable_name(name: &str) -> Result<(), VariableFault> {
    let chars = name.chars().count();
    if chars > limits::SECRET_NAME_CHARS_MAX {
        return Err(VariableFault::TooLong { chars });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.chars().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit()) && chars > 0 {
        Ok(())
    } else {
        Err(VariableFault::Characters)
    }
}

/// Why the name of a variable is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VariableFault {
    /// Longer than [`limits::SECRET_NAME_CHARS_MAX`]; looked at before the characters.
    #[error(
        "expected at most {} characters in the name of a variable, got {chars}",
        limits::SECRET_NAME_CHARS_MAX
    )]
    TooLong {
        /// How long it is.
        chars: usize,
    },
    /// A character outside the set, or a digit at the beginning.
    #[error("expected ASCII letters, digits and `_`, not beginning with a digit")]
    Characters,
}

/// Why a path beneath one of the directories is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing, or only blanks.
    #[error("expected a path, got an empty text")]
    Empty,
    /// Longer than [`limits::KEY_PATH_CHARS_MAX`]; looked at before everything else.
    #[error(
        "expected at most {} characters in a path, got {chars}",
        limits::KEY_PATH_CHARS_MAX
    )]
    TooLong {
        /// How long it is.
        chars: usize,
    },
    /// `..` stands in it, anywhere.
    #[error("expected a path without `..`")]
    Traversal,
    /// A NUL or another control character, or one that hides or reorders what is read.
    #[error("expected a path without control and hidden characters")]
    Characters,
}

/// Checks the text of a path: not empty, at most [`limits::KEY_PATH_CHARS_MAX`] characters, no `..`
/// anywhere, no control characters and none that hide or reorder.
///
/// # Errors
/// [`PathFault`]: the length first, then the rest.
pub fn path_text(path: &str) -> Result<(), PathFault> {
    let chars = path.chars().count();
    if chars > limits::KEY_PATH_CHARS_MAX {
        return Err(PathFault::TooLong { chars });
    }
    if path.trim().is_empty() {
        return Err(PathFault::Empty);
    }
    if path.contains("..") {
        return Err(PathFault::Traversal);
    }
    if path
        .chars()
        .any(|c| c.is_control() || crate::text::is_hidden(c))
    {
        return Err(PathFault::Characters);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_secret_name_is_looked_at_first() {
        let long = "!".repeat(limits::SECRET_NAME_CHARS_MAX + 1);
        assert_eq!(
            secret_name(&long),
            Err(SecretNameFault::TooLong { chars: 101 })
        );
        assert_eq!(
            secret_name(&"a".repeat(limits::SECRET_NAME_CHARS_MAX)),
            Ok(())
        );
    }

    #[test]
    fn a_secret_name_is_ascii_and_holds_a_letter_or_a_digit() {
        for good in ["secret123", "secret-name", "a", "7", "-a_", "SecretName123"] {
            assert_eq!(secret_name(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "_-_",
            "a.b",
            "a/b",
            "../x",
            "/x",
            "a b",
            "a\n",
            "a\0",
            "пароль",
            "é",
            "a$",
            "a:b",
            "²",
        ] {
            assert_eq!(
                secret_name(bad),
                Err(SecretNameFault::Characters),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_path_is_refused_by_its_text() {
        for good in ["id_ed25519", "prod/id", "/app/keys/id", "a.b", ".hidden"] {
            assert_eq!(path_text(good), Ok(()), "{good}");
        }
        for (bad, fault) in [
            ("", PathFault::Empty),
            ("  ", PathFault::Empty),
            ("..", PathFault::Traversal),
            ("a/../b", PathFault::Traversal),
            ("a..b", PathFault::Traversal),
            ("..\\x", PathFault::Traversal),
            ("....//x", PathFault::Traversal),
            ("a\0b", PathFault::Characters),
            ("a\nb", PathFault::Characters),
            ("a\u{202e}b", PathFault::Characters),
            ("a\u{200b}b", PathFault::Characters),
        ] {
            assert_eq!(path_text(bad), Err(fault), "{bad:?}");
        }
        let long = "../".repeat(200);
        assert_eq!(path_text(&long), Err(PathFault::TooLong { chars: 600 }));
        assert_eq!(path_text(&"a".repeat(limits::KEY_PATH_CHARS_MAX)), Ok(()));
    }

    #[test]
    fn dashes_and_case_meet_in_one_variable() {
        assert_eq!(secret_variable("db-pass"), "MCP_SSH_SECRET_DB_PASS");
        assert_eq!(secret_variable("DB_pass"), secret_variable("db-pass"));
    }
}
