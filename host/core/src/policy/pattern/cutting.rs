//! How a pattern is cut into commands and words: the operators, quotes and backslashes of a shell, and no
//! more of it. Must not: match anything.

/// Cuts a pattern at the operators that stand outside quotes.
pub(super) fn split_parts(pattern: &str) -> (Vec<String>, Vec<String>) {
    let mut parts = vec![String::new()];
    let mut seams = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => escaped(rest).map_or(1, |c| 1 + c.len_utf8()),
            '\'' | '"' => quoted(rest, c).map_or(c.len_utf8(), |text| text.len() + 2),
            ';' | '|' | '\n' | '&' => {
                let after_redirection =
                    c == '&' && parts.last().is_some_and(|part| part.ends_with(['>', '<']));
                let doubled = c != ';' && c != '\n' && rest.chars().nth(1) == Some(c);
                if !after_redirection {
                    seams.push(String::from(c).repeat(if doubled { 2 } else { 1 }));
                    parts.push(String::new());
                    rest = rest.get(if doubled { 2 } else { 1 }..).unwrap_or_default();
                    continue;
                }
                1
            }
            other => other.len_utf8(),
        };
        let (taken, left) = rest.split_at(length);
        if let Some(part) = parts.last_mut() {
            part.push_str(taken);
        }
        rest = left;
    }
    // An operator at the very end joins nothing: it is how a command in the background is written.
    if parts.len() > 1 && parts.last().is_some_and(|part| part.trim().is_empty()) {
        parts.pop();
        seams.pop();
    }
    let parts = parts.iter().map(|part| part.trim().to_owned()).collect();
    (parts, seams)
}

/// The text between a quote and its partner; `None` where there is no partner.
fn quoted(text: &str, quote: char) -> Option<&str> {
    let inside = text.get(quote.len_utf8()..)?;
    inside.find(quote).and_then(|end| inside.get(..end))
}

/// The character behind a backslash, where that is one which a shell would take for syntax. Before any
/// other, a backslash is itself, as in every glob.
fn escaped(text: &str) -> Option<char> {
    let c = text.strip_prefix('\\')?.chars().next()?;
    " \t;&|<>()!'\"".contains(c).then_some(c)
}

/// A word of a pattern under construction.
#[derive(Default)]
struct PatternWord {
    text: String,
    /// Whether a part of it was quoted: then it is no redirection.
    quoted: bool,
}

/// Cuts a part into words at blanks outside quotes and drops the quotes and harmless redirections. A
/// `*` in quotes is a wildcard all the same: a glob knows no escape but `[*]`.
pub(super) fn split_words(part: &str) -> Vec<String> {
    let mut words: Vec<PatternWord> = Vec::new();
    let mut word: Option<PatternWord> = None;
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        let escaped = escaped(rest);
        let inside = matches!(c, '\'' | '"').then(|| quoted(rest, c)).flatten();
        match (escaped, inside, c) {
            (Some(c), ..) => {
                let word = word.get_or_insert_default();
                word.text.push(c);
                word.quoted = true;
                length += c.len_utf8();
            }
            (_, Some(inside), _) => {
                let word = word.get_or_insert_default();
                word.text.push_str(inside);
                word.quoted = true;
                length += inside.len() + 1;
            }
            (.., ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().text.push(c),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    words.extend(word);
    without_redirections(words)
}

/// Redirections between descriptors and to `/dev/null` are always accepted and are no words of a
/// command, so a pattern need not and must not name them. A redirection to anything else stays: no
/// command that was read has such a word but a quoted one, so the pattern allows no redirection.
fn without_redirections(words: Vec<PatternWord>) -> Vec<String> {
    let mut kept = Vec::with_capacity(words.len());
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let operator = word.text.trim_start_matches(|c: char| c.is_ascii_digit());
        match operator {
            _ if word.quoted => kept.push(word.text),
            ">" | ">>" | "<" if words.next_if(|next| next.text == "/dev/null").is_some() => {}
            ">/dev/null" | ">>/dev/null" | "</dev/null" | ">&1" | ">&2" => {}
            _ => kept.push(word.text),
        }
    }
    kept
}
