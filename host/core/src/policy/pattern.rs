//! The globs of a rule's `commands:`, read for allowing (strictly) and for denying (loosely).
//!
//! To allow, a pattern is compared word by word with the words that the program would get, so no
//! quoting can make one word look like two. Three tightenings hold:
//!
//! * The program's name has a border: `uptime*` allows `uptime -p`, not `uptimed`; a program named by
//!   a path is allowed only by a pattern that spells the path.
//! * A `*` in a word that holds a `/` stays in that word, and the word is compared as a normalised
//!   path; a word that climbs (`..`) is never matched.
//! * A `*` alone at the end stands for one or more words (behind the program alone also for none), a `*` at the end of another last word for
//!   that word's rest and any further words; a `*` alone between words for exactly one word.
//!
//! A word whose value is decided on the host (an unquoted glob) is matched only by what stands for
//! further words. To deny, the whole pattern is a glob over the text, `*` spans everything, and a word
//! whose value is not known counts as whatever would match.
//!
//! A pattern with operators allows exactly such a sequence: the same commands, joined the same way.

mod cutting;

use super::glob::{Glob, Piece};
use super::path;
use super::scene::{Place, Scene};
use crate::shell::Word;
use cutting::{split_parts, split_words};
use std::cell::OnceCell;

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
    /// The part's own text, for denying, its words joined by blanks, and these with the bare program.
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
        if word.is_unknown() {
            return false;
        }
        match self {
            Self::Fixed(own) => own == text,
            Self::FixedPath(own) => {
                own == text || !path::climbs(text) && path::normalise(text) == own.as_str()
            }
            Self::Matching(glob) => glob.matches(text),
            Self::MatchingPath(glob) => {
                !path::climbs(text)
                    && glob.matches(&path::normalise(text))
                    && !path::names_other_host(glob.text(), text)
            }
        }
    }

    /// SECURITY: a program's place is part of what it is. `Matching` has no slash of its own, so it
    /// could only take one into its `*`; and a path may only vary behind a directory that is spelled.
    fn allows_program(&self, word: &Word) -> bool {
        let spelled = match self {
            Self::Fixed(own) | Self::FixedPath(own) => {
                return !word.is_unknown() && *own == word.text;
            }
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

    /// Whether it is about a sequence of commands.
    pub(super) fn is_sequence(&self) -> bool {
        self.parts.len() > 1
    }

    /// Whether it is a bare `*`, which names no program.
    pub(super) fn is_open(&self) -> bool {
        self.whole.text().trim().chars().all(|c| c == '*')
    }

    /// Whether it leaves open which words follow those that it names.
    pub(super) fn goes_on(&self) -> bool {
        self.parts.iter().any(|part| part.rest != Rest::Nothing)
    }

    /// Whether it begins with a change to a directory that is spelled from the root.
    pub(super) fn begins_by_moving(&self) -> bool {
        let Some(first) = self.parts.first() else {
            return false;
        };
        match first.words.as_slice() {
            [
                WordPattern::Fixed(program),
                WordPattern::FixedPath(directory),
            ] => program == "cd" && directory.starts_with('/') && first.rest == Rest::Nothing,
            _ => false,
        }
    }

    /// The program, where the pattern spells it.
    pub(super) fn program(&self) -> Option<&str> {
        match self.parts.first()?.words.first()? {
            WordPattern::Fixed(own) | WordPattern::FixedPath(own) => Some(own),
            WordPattern::Matching(_) | WordPattern::MatchingPath(_) => None,
        }
    }

    /// Whether one command is covered, and then how many of its first words the pattern spells.
    pub(super) fn covers(&self, words: &[Word]) -> Option<usize> {
        match self.parts.as_slice() {
            [only] => only.allows(words),
            _ => None,
        }
    }

    /// As [`covers`](Self::covers), with the pattern as a glob over the command's text. The program has
    /// no border then and a `*` spans everything, so nothing but the program counts as spelled.
    pub(super) fn covers_text(&self, words: &[Word]) -> Option<usize> {
        let known = words.iter().all(|word| !word.is_unknown());
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let program = words.first()?.text.as_str();
        let spelled = usize::from(self.program() == Some(program));
        (known && self.whole.matches(&texts.join(" "))).then_some(spelled)
    }

    /// Whether the leaf at `index` is allowed, and then how many of its first words the pattern spells.
    pub(super) fn allows(&self, scene: &Scene<'_>, index: usize) -> Option<usize> {
        if let [only] = self.parts.as_slice() {
            return only.allows(scene.words(index, index)?);
        }
        let length = self.parts.len();
        (index.saturating_sub(length.saturating_sub(1))..=index).find_map(|start| {
            let window = scene.leaves().get(start..start.checked_add(length)?)?;
            if !self.may_begin(scene.source, window.first()?.span.start) {
                return None;
            }
            let joined = window.iter().zip(window.iter().skip(1)).zip(&self.seams);
            for ((before, after), seam) in joined {
                let between = scene.source.get(before.span.end..after.span.start)?;
                if between.trim() != seam {
                    return None;
                }
            }
            let mut spelled = None;
            for (offset, part) in self.parts.iter().enumerate() {
                let words = part.allows(scene.words(start + offset, start)?)?;
                if start + offset == index {
                    spelled = Some(words);
                }
            }
            spelled
        })
    }

    /// Whether a sequence that begins at this place runs as a whole or not at all.
    ///
    /// SECURITY: in `true || cd /a && ./b` and in `true | cd /a && ./b` the program runs without the `cd`,
    /// and in `! cd /a && ./b` because it failed.
    fn may_begin(&self, source: &str, start: usize) -> bool {
        let before = source.get(..start).unwrap_or_default();
        let before = before.trim_end_matches([' ', '\t', '\n']);
        let bound = self
            .seams
            .iter()
            .all(|seam| matches!(seam.as_str(), "&&" | "|"));
        !before.ends_with(['|', '!']) && (bound || !before.ends_with("&&"))
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
        // The line is the same for every command of it, so the first one stands for all.
        index == 0 && self.whole.matches(source)
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
                // Whoever writes `df *` means `df` too.
                rest = match words.len() {
                    1 => Rest::Anything,
                    _ => Rest::Something,
                };
                continue;
            }
            words.push(WordPattern::new(if border { stem } else { word }));
        }
        let mut spelled = vec![text.to_owned(), texts.join(" ")];
        // A program is found by its name alone where a deny pattern spells its place.
        if let Some((program, arguments)) = texts.split_first() {
            let base = path::base(program);
            if base != program && Glob::new(base).is_literal() {
                let mut words = vec![base];
                words.extend(arguments.iter().map(String::as_str));
                spelled.push(words.join(" "));
            }
        }
        spelled.dedup();
        let texts = spelled.iter().map(|text| Glob::new(text)).collect();
        Self { texts, words, rest }
    }

    fn denies(&self, subject: &Subject<'_>) -> bool {
        // As text, the words of `[ -f x ]` are one set; as words they are what they are.
        self.texts.iter().any(|text| subject.could_match(text))
            || self.allows(subject.words).is_some()
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
    words: &'a [Word],
    spellings: &'a Spellings,
    open: OnceCell<Vec<Vec<Piece<'a>>>>,
    /// Whether it is the end of another subject that is looked at as well.
    is_end: bool,
}

/// The words of a command as texts, kept so that [`Subject`] can borrow from them. They are made when the
/// first pattern asks that the command may match by its program.
pub(super) struct Spellings {
    canonical: Option<String>,
    place: Place,
    forms: OnceCell<Forms>,
}

/// A command's words as they are, canonical, and *reduced* (the program by its base name, paths normalised).
struct Forms {
    /// The forms in which every word is known.
    known: Vec<String>,
    /// The others.
    open: Vec<Vec<Spelled>>,
}

/// What can be said of one word.
#[derive(PartialEq, Eq)]
enum Spelled {
    Known(String),
    Unknown,
    /// An option up to its value, and a path behind a directory that is not known.
    Somewhere(String, String),
}

impl Spellings {
    /// Those of a command whose canonical text is its words with blanks between them, or this one.
    pub(super) fn of(canonical: Option<String>, place: Place) -> Self {
        Self {
            canonical,
            place,
            forms: OnceCell::new(),
        }
    }

    /// The subject of these spellings; `words` are those of the command.
    pub(super) fn subject<'a>(&'a self, words: &'a [Word]) -> Subject<'a> {
        Subject {
            words,
            spellings: self,
            open: OnceCell::new(),
            is_end: false,
        }
    }

    /// Whether some form of the words may begin so.
    fn may_begin(&self, words: &[Word], head: &str) -> bool {
        let Some(program) = words.first().filter(|it| !it.is_unknown()) else {
            return true;
        };
        let agree = |text: &str| text.bytes().zip(head.bytes()).all(|(a, b)| a == b);
        agree(&program.text)
            || agree(path::base(&program.text))
            || self.canonical.as_deref().is_some_and(agree)
    }

    fn forms(&self, words: &[Word]) -> &Forms {
        self.forms
            .get_or_init(|| Forms::of(words, self.canonical.as_deref(), self.place))
    }
}

impl Forms {
    fn of(words: &[Word], canonical: Option<&str>, place: Place) -> Self {
        let is_known = words.iter().all(|word| !word.is_unknown());
        let canonical = canonical.filter(|_| is_known);
        let mut forms = Self {
            known: canonical.map(str::to_owned).into_iter().collect(),
            open: Vec::new(),
        };
        forms.add(words, |_, text| Spelled::Known(text.to_owned()));
        forms.add(words, |index, text| match index {
            0 => Spelled::Known(path::base(text).to_owned()),
            _ => reduced(text, place),
        });
        forms
    }

    /// Adds the form in which each word that is known is spelled so.
    fn add(&mut self, words: &[Word], spell: impl Fn(usize, &str) -> Spelled) {
        let words = words
            .iter()
            .enumerate()
            .map(|(index, word)| match word.is_unknown() {
                true => Spelled::Unknown,
                false => spell(index, &word.text),
            });
        let form: Vec<Spelled> = words.collect();
        let mut texts = Vec::with_capacity(form.len());
        for word in &form {
            if let Spelled::Known(text) = word {
                texts.push(text.as_str());
            }
        }
        if texts.len() == form.len() {
            let text = texts.join(" ");
            if !self.known.contains(&text) {
                self.known.push(text);
            }
        } else if !self.open.contains(&form) {
            self.open.push(form);
        }
    }
}

/// A word with its path as what it may lead to. Without a `cd`, only a path that climbs is taken for one
/// that may lead anywhere.
fn reduced(text: &str, place: Place) -> Spelled {
    let value = match text.split_once('=') {
        Some((option, value)) if text.starts_with('-') => Some((option, value)),
        _ => None,
    };
    let (before, path) = match value {
        Some((option, value)) => (format!("{option}="), value),
        None => (String::new(), text),
    };
    let anywhere = path::climbs(path)
        || place == Place::Elsewhere && !path.starts_with('-') && !path.is_empty();
    match path::below_somewhere(path) {
        Some(tail) if anywhere => Spelled::Somewhere(before, tail.to_owned()),
        _ => {
            let path = path::normalise_within(text);
            Spelled::Known(path::without_slash(&path).to_owned())
        }
    }
}

fn pieces(words: &[Spelled]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(words.len() * 2);
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::Known(" "));
        }
        match word {
            Spelled::Known(text) => pieces.push(Piece::Known(text)),
            Spelled::Unknown => pieces.push(Piece::Unknown),
            Spelled::Somewhere(before, tail) => {
                pieces.extend([Piece::Known(before), Piece::Somewhere, Piece::Known(tail)]);
            }
        }
    }
    pieces
}

impl Subject<'_> {
    /// The same subject where another one ends with it.
    pub(super) fn at_an_end(self) -> Self {
        Self {
            is_end: true,
            ..self
        }
    }

    fn could_match(&self, glob: &Glob) -> bool {
        // A glob that begins with a `*` matches the whole where it matches the end.
        if self.is_end && glob.text().starts_with('*') {
            return false;
        }
        // SECURITY: only what no form of the command can begin with is passed over.
        if !self.spellings.may_begin(self.words, glob.head()) {
            return false;
        }
        let forms = self.spellings.forms(self.words);
        let spell = || forms.open.iter().map(|words| pieces(words)).collect();
        forms.known.iter().any(|text| glob.matches(text))
            || self
                .open
                .get_or_init(spell)
                .iter()
                .any(|pieces| glob.could_match(pieces))
    }
}

#[cfg(test)]
mod tests;
