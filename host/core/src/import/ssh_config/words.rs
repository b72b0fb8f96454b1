//! A line of `ssh_config` to its keyword and its arguments, as OpenSSH cuts them: a keyword ends at a blank,
//! an `=` or a quote; arguments are cut at blanks, with quotes of both kinds and a few escapes.
//!
//! Must not: know any keyword.

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Why a line is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quote is open at its end.
    Quote,
    /// Nothing stands behind the keyword.
    NoArgument,
}

/// A keyword in lower case with what stands behind it; `None` for an empty line and a comment.
pub(super) fn keyword(line: &str) -> Result<Option<(String, &str)>, Broken> {
    let line = line.trim_end_matches([' ', '\t', '\r', '\n', '\u{c}']);
    let (mut word, mut rest) = cut(line)?;
    // A line that begins with blanks has an empty word before them.
    if word.is_empty() {
        let Some(behind) = rest else { return Ok(None) };
        (word, rest) = cut(behind)?;
    }
    if word.is_empty() || word.starts_with('#') {
        return Ok(None);
    }
    let rest = rest.unwrap_or_default().trim_start_matches(BLANKS);
    if rest.is_empty() {
        return Err(Broken::NoArgument);
    }
    Ok(Some((word.to_ascii_lowercase(), rest)))
}

/// The first word, and what stands behind it and its separator; `None` where the line ends with the word.
fn cut(text: &str) -> Result<(String, Option<&str>), Broken> {
    let ends = |c: char| BLANKS.contains(&c) || c == '"' || c == '=';
    let Some(at) = text.find(ends) else {
        return Ok((text.to_owned(), None));
    };
    let (before, behind) = text.split_at(at);
    if let Some(quoted) = behind.strip_prefix('"') {
        let (inside, behind) = quoted.split_once('"').ok_or(Broken::Quote)?;
        let word = format!("{before}{inside}");
        return Ok((word, Some(behind.trim_start_matches(BLANKS))));
    }
    let equals = behind.starts_with('=');
    let behind = behind.get(1..).unwrap_or_default();
    let mut behind = behind.trim_start_matches(BLANKS);
    // Only one `=` is skipped, with the blanks on both its sides.
    if !equals && let Some(rest) = behind.strip_prefix('=') {
        behind = rest.trim_start_matches(BLANKS);
    }
    Ok((before.to_owned(), Some(behind)))
}

/// The arguments. A `#` that begins one ends the line.
pub(super) fn arguments(text: &str) -> Result<Vec<String>, Broken> {
    let mut arguments = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(arguments),
            Some(_) => {}
        }
        let (mut word, mut quote) = (String::new(), None);
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let escaped = chars.next_if(|next| {
                        matches!(next, '\'' | '"' | '\\') || (quote.is_none() && *next == ' ')
                    });
                    word.push(escaped.unwrap_or('\\'));
                }
                ' ' | '\t' if quote.is_none() => break,
                '"' | '\'' if quote.is_none() => quote = Some(c),
                c if quote == Some(c) => quote = None,
                c => word.push(c),
            }
        }
        if quote.is_some() {
            return Err(Broken::Quote);
        }
        arguments.push(word);
    }
}

/// Whether a pattern matches: `*` any text, `?` one character. On a mismatch only the last `*` is tried again.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(from) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if wanted == byte || *wanted == b'?' => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    let rest = pattern.get(at..).unwrap_or_default();
    rest.iter().all(|byte| *byte == b'*')
}

/// Whether a comma-separated list matches: one of its patterns does, and no negated one.
pub(super) fn matches_list(list: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, name) => return false,
            Some(_) => {}
            None => found |= matches(pattern, name),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<(String, Vec<String>)> {
        let (keyword, rest) = keyword(line).ok()??;
        Some((keyword, arguments(rest).ok()?))
    }

    #[test]
    fn a_line_is_cut_as_openssh_cuts_it() {
        for (line, keyword, arguments) in [
            ("Host a b", "host", vec!["a", "b"]),
            ("  HostName=x", "hostname", vec!["x"]),
            ("Port = 22", "port", vec!["22"]),
            ("Port\t=\t 22 \t", "port", vec!["22"]),
            ("User==x", "user", vec!["=x"]),
            ("\"User\" x", "user", vec!["x"]),
            (
                "IdentityFile \"~/my keys/id\"",
                "identityfile",
                vec!["~/my keys/id"],
            ),
            (
                "IdentityFile ~/my\\ keys/id",
                "identityfile",
                vec!["~/my keys/id"],
            ),
            ("User 'a b' # c", "user", vec!["a b"]),
            ("HostName a#b", "hostname", vec!["a#b"]),
            ("HostName a'b'c", "hostname", vec!["abc"]),
            ("User a\\nb", "user", vec!["a\\nb"]),
            ("Host \"\"", "host", vec![""]),
        ] {
            let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
            assert_eq!(
                words(line),
                Some((keyword.to_owned(), arguments)),
                "{line:?}"
            );
        }
        for line in ["", "   ", "# Host a", "\t#x"] {
            assert_eq!(keyword(line), Ok(None), "{line:?}");
        }
        assert_eq!(keyword("Host"), Err(Broken::NoArgument));
        assert_eq!(keyword("\"Host x"), Err(Broken::Quote));
        assert_eq!(arguments("a \"b"), Err(Broken::Quote));
    }

    #[test]
    fn patterns_and_lists_match_as_in_openssh() {
        for (list, name, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("a?c", "abc", true),
            ("?", "", false),
            ("*.x,!b.x", "a.x", true),
            ("*.x,!b.x", "b.x", false),
            ("!b.x", "a.x", false),
        ] {
            assert_eq!(matches_list(list, name), expected, "{list} {name}");
        }
    }
}
