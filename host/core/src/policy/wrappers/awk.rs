//! What an awk command can do besides reading and printing: run something, write a file, reach the
//! network, or take its program text from a place that is not in sight.
//!
//! Must not: parse awk. It reads the program text just far enough to overlook nothing; what it takes for
//! an action may be none (`print (a > b)`), and then the command has to be spelled.

use crate::shell::Word;

/// Most `print`s of a program text that are looked at. A text with more counts as one that acts.
const PRINTS_MAX: usize = 32;

/// Whether the words behind `awk` may act. Options other than `-F` and `-v` name files and modes that
/// differ between implementations, so they count; words behind the program text are files.
pub(super) fn acts(arguments: &[Word]) -> bool {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if word.is_unknown() {
            return true;
        }
        match text {
            "-F" | "-v" => {
                if words.next().is_some_and(|value| value.is_unknown()) {
                    return true;
                }
            }
            _ if text.starts_with("-F") || text.starts_with("-v") => {}
            _ if text.len() > 1 && text.starts_with('-') => return true,
            _ => return program_acts(text),
        }
    }
    false
}

/// Whether a program text may run something, write, or reach out.
fn program_acts(text: &str) -> bool {
    ["@", "/inet", "getline"]
        .iter()
        .any(|word| text.contains(word))
        || calls_system(text)
        || text
            .match_indices("print")
            .enumerate()
            .any(|(count, (at, word))| {
                let behind = text.get(at + word.len()..).unwrap_or_default();
                count >= PRINTS_MAX || redirects(behind)
            })
}

/// Whether `system` stands there as a name of its own. A name that begins with a digit is a number and
/// then another name.
fn calls_system(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_name(c)).any(|name| {
        name == "system"
            || name.ends_with("system") && name.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Whether a `>` or a pipe follows `print` in the same statement. A string cannot end it; behind a `/` or
/// a `#` a regular expression or a comment may begin, and then any later one counts.
fn redirects(behind: &str) -> bool {
    let mut chars = behind.char_indices().peekable();
    let mut in_string = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' => in_string = !in_string,
            _ if in_string => {}
            '>' => return true,
            '|' if chars.next_if(|(_, next)| *next == '|').is_none() => return true,
            '/' | '#' => {
                let rest = behind.get(at..).unwrap_or_default().replace("||", "");
                return rest.contains(['>', '|']);
            }
            ';' | '}' => return false,
            _ => {}
        }
    }
    false
}
