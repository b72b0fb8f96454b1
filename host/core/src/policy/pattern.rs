//! The globs of a rule's `commands:`, read for allowing (strictly) and for denying (loosely).
//!
//! To allow, a pattern is compared word by word with the words that the program would get, so no
//! quoting can make one word look like two. Three tightenings hold:
//!
//! * The program's name has a border: `uptime*` allows `uptime -p`, not `uptimed`; a program named by
//!   a path is allowed only by a pattern that spells the path.
//! * A `*` in a word that holds a `/` stays in that word, and the word is compared as a normalised
//!   path; a word that climbs (`..`) is never matched.
//! * A `*` alone at the end stands for one or more words, a `*` at the end of another last word for
//!   that word's rest and any further words; a `*` alone between words for exactly one word.
//!
//! A word whose value is decided on the host (an unquoted glob) is matched only by what stands for
//! further words. To deny, the whole pattern is a glob over the text, `*` spans everything, and a word
//! whose value is not known counts as whatever would match.
//!
//! A pattern with operators allows exactly such a sequence: the same commands, joined the same way.

use super::glob::{Glob, Piece};
use super::path;
use crate::shell::{Leaf, Word};

/// One entry of `commands:`.
#[derive(Debug, Clone)]
pub(super) struct CommandPattern {
    whole: Glob,
    parts: Vec<PartPattern>,
    /// The operators between the parts; one fewer than parts.
    seams: Vec<String>,
}

/// What a pattern says of one simple command.
#[derive(Debug, Clone)]
struct PartPattern {
    /// The part's own text, for denying, and its words joined by blanks where that is another text.
    texts: Vec<Glob>,
    words: Vec<WordPattern>,
    rest: Rest,
}

/// What may follow the words that a pattern names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Anything,
    Something,
}

/// How one word is compared.
#[derive(Debug, Clone)]
enum WordPattern {
    /// It is this text.
    Fixed(String),
    /// It is a path, and this one once it is normalised.
    FixedPath(String),
    /// It matches, and is no program named by a path.
    Matching(Glob),
    /// It does not climb, and matches once it is normalised.
    MatchingPath(Glob),
}

impl WordPattern {
    fn new(text: &str) -> Self {
        let glob = Glob::new(text);
        match (glob.is_literal(), text.contains('/')) {
            (true, false) => Self::Fixed(text.to_owned()),
            (true, true) => Self::FixedPath(text.to_owned()),
            (false, false) => Self::Matching(glob),
            (false, true) => Self::MatchingPath(glob),
        }
    }

    fn is_fixed(&self) -> bool {
        match self {
            Self::Fixed(_) | Self::FixedPath(_) => true,
            Self::Matching(_) | Self::MatchingPath(_) => false,
        }
    }

    fn allows(&self, word: &Word) -> bool {
        let text = word.text.as_str();
        if word.glob {
            return false;
        }
        match self {
            Self::Fixed(own) => own == text,
            Self::FixedPath(own) => {
                own == text || !path::climbs(text) && path::normalise(text) == own.as_str()
            }
            Self::Matching(glob) => glob.matches(text),
            Self::MatchingPath(glob) => !path::climbs(text) && glob.matches(&path::normalise(text)),
        }
    }

    /// SECURITY: a program's place is part of what it is. `Matching` has no slash of its own, so it
    /// could only take one into its `*`; and a path may only vary behind a directory that is spelled.
    fn allows_program(&self, word: &Word) -> bool {
        let spelled = match self {
            Self::Fixed(own) | Self::FixedPath(own) => return *own == word.text,
            Self::Matching(_) => !word.text.contains('/'),
            Self::MatchingPath(glob) => {
                let before = glob.text().split(['*', '?', '[']).next();
                before.is_some_and(|before| before.contains('/'))
            }
        };
        spelled && self.allows(word)
    }
}

impl CommandPattern {
    pub(super) fn new(pattern: &str) -> Self {
        let (texts, seams) = split_parts(pattern);
        Self {
            whole: Glob::new(pattern),
            parts: texts.iter().map(|text| PartPattern::new(text)).collect(),
            seams,
        }
    }

    /// Whether the leaf at `index` is allowed, and then how many of its first words the pattern spells.
    pub(super) fn allows(&self, leaves: &[Leaf], index: usize, source: &str) -> Option<usize> {
        if let [only] = self.parts.as_slice() {
            return only.allows(&leaves.get(index)?.words);
        }
        let length = self.parts.len();
        (index.saturating_sub(length.saturating_sub(1))..=index).find_map(|start| {
            let window = leaves.get(start..start.checked_add(length)?)?;
            let joined = window.iter().zip(window.iter().skip(1)).zip(&self.seams);
            for ((before, after), seam) in joined {
                let between = source.get(before.span.end..after.span.start)?;
                if between.trim() != seam {
                    return None;
                }
            }
            let mut spelled = None;
            for (offset, (part, leaf)) in self.parts.iter().zip(window).enumerate() {
                let words = part.allows(&leaf.words)?;
                if start + offset == index {
                    spelled = Some(words);
                }
            }
            spelled
        })
    }

    /// Whether these words may be what the pattern denies.
    pub(super) fn denies(&self, subject: &Subject<'_>) -> bool {
        match self.parts.as_slice() {
            [only] => only.denies(subject),
            _ => subject.could_match(&self.whole),
        }
    }

    /// Whether the sequence of commands around `index` may be what the pattern denies, or the whole line.
    pub(super) fn denies_sequence(
        &self,
        subjects: &[Subject<'_>],
        index: usize,
        source: &str,
    ) -> bool {
        let length = self.parts.len();
        if length < 2 {
            return false;
        }
        let windows = index.saturating_sub(length.saturating_sub(1))..=index;
        self.whole.matches(source)
            || windows.into_iter().any(|start| {
                subjects.get(start..start + length).is_some_and(|window| {
                    self.parts
                        .iter()
                        .zip(window)
                        .all(|(part, subject)| part.denies(subject))
                })
            })
    }
}

impl PartPattern {
    fn new(text: &str) -> Self {
        let texts = split_words(text);
        let last = texts.len().saturating_sub(1);
        let mut rest = Rest::Nothing;
        let mut words = Vec::with_capacity(texts.len());
        for (index, word) in texts.iter().enumerate() {
            let stem = word.trim_end_matches('*');
            let open = stem.len() < word.len();
            let border = index == 0 && open && !stem.is_empty() && !stem.ends_with('/');
            if index == last && open && (border || !word.contains('/')) {
                rest = Rest::Anything;
            }
            if index == last && index > 0 && stem.is_empty() {
                rest = Rest::Something;
                continue;
            }
            words.push(WordPattern::new(if border { stem } else { word }));
        }
        let joined = texts.join(" ");
        let mut texts = vec![Glob::new(text)];
        if joined != text {
            texts.push(Glob::new(&joined));
        }
        Self { texts, words, rest }
    }

    fn denies(&self, subject: &Subject<'_>) -> bool {
        self.texts.iter().any(|text| subject.could_match(text))
    }

    fn allows(&self, words: &[Word]) -> Option<usize> {
        let further = words.len().checked_sub(self.words.len())?;
        let fits = match self.rest {
            Rest::Nothing => further == 0,
            Rest::Anything => true,
            Rest::Something => further > 0,
        };
        let (program, arguments) = words.split_first()?;
        let (own_program, own_arguments) = self.words.split_first()?;
        let allowed = fits
            && own_program.allows_program(program)
            && own_arguments
                .iter()
                .zip(arguments)
                .all(|(own, word)| own.allows(word));
        let spelled = self.words.iter().take_while(|word| word.is_fixed()).count();
        allowed.then_some(spelled)
    }
}

/// What a pattern denies is looked for in: a command's words as text, in the forms that mean the same.
pub(super) struct Subject<'a> {
    forms: Vec<Vec<Piece<'a>>>,
}

/// The words of a command as texts that can be joined, kept so that [`Subject`] can borrow from them.
pub(super) struct Spellings {
    canonical: String,
    /// Each word and whether its value is known.
    plain: Vec<(String, bool)>,
    /// As `plain`, the program by its base name and absolute paths normalised.
    reduced: Option<Vec<(String, bool)>>,
}

impl Spellings {
    pub(super) fn of(words: &[Word], canonical: String) -> Self {
        let plain: Vec<(String, bool)> = words
            .iter()
            .map(|word| (word.text.clone(), !word.glob))
            .collect();
        let mut changed = false;
        let reduced: Vec<(String, bool)> = words
            .iter()
            .enumerate()
            .map(|(index, word)| {
                let text = match index {
                    0 => path::base(&word.text).to_owned(),
                    _ => path::without_slash(&path::normalise(&word.text)).to_owned(),
                };
                changed |= text != word.text;
                (text, !word.glob)
            })
            .collect();
        Self {
            canonical,
            plain,
            reduced: changed.then_some(reduced),
        }
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        let known = self.plain.iter().all(|(_, known)| *known);
        let mut forms = vec![pieces(&self.plain)];
        if known {
            forms.push(vec![Piece::Known(&self.canonical)]);
        }
        forms.extend(self.reduced.as_deref().map(pieces));
        Subject { forms }
    }
}

fn pieces(words: &[(String, bool)]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(words.len() * 2);
    for (index, (text, known)) in words.iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::Known(" "));
        }
        pieces.push(if *known {
            Piece::Known(text)
        } else {
            Piece::Unknown
        });
    }
    pieces
}

impl Subject<'_> {
    fn could_match(&self, glob: &Glob) -> bool {
        self.forms.iter().any(|form| match form.as_slice() {
            [Piece::Known(text)] => glob.matches(text),
            pieces => glob.could_match(pieces),
        })
    }
}

/// Cuts a pattern at the operators that stand outside quotes.
fn split_parts(pattern: &str) -> (Vec<String>, Vec<String>) {
    let mut parts = vec![String::new()];
    let mut seams = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let length = match c {
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

/// Cuts a part into words at blanks outside quotes and drops the quotes and harmless redirections. A
/// `*` in quotes is a wildcard all the same: a glob knows no escape but `[*]`.
fn split_words(part: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => match quoted(rest, c) {
                Some(inside) => {
                    word.get_or_insert_default().push_str(inside);
                    length += inside.len() + 1;
                }
                None => word.get_or_insert_default().push(c),
            },
            other => word.get_or_insert_default().push(other),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    words.extend(word);
    without_redirections(words)
}

/// Redirections between descriptors and to `/dev/null` are always accepted and are no words of a
/// command, so a pattern need not and must not name them.
fn without_redirections(words: Vec<String>) -> Vec<String> {
    let mut kept = Vec::with_capacity(words.len());
    let mut target_follows = false;
    for word in words {
        if std::mem::take(&mut target_follows) && word == "/dev/null" {
            continue;
        }
        let operator = word.trim_start_matches(|c: char| c.is_ascii_digit());
        match operator {
            ">" | ">>" | "<" => target_follows = true,
            ">/dev/null" | ">>/dev/null" | "</dev/null" | ">&1" | ">&2" => {}
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests;
