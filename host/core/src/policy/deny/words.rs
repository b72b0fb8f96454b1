//! What a command's words are: options in every spelling, operands, and values that are not known.
//!
//! Must not: know any program.

use super::super::glob::{Glob, Piece};
use crate::shell::Word;

/// Shortest abbreviation of a long option, dashes included.
const ABBREVIATION_BYTES_MIN: usize = 3;

/// Longest word that is looked through for a pattern, in bytes; a longer one counts as matching.
const TEXT_BYTES_MAX: usize = 2_048;

/// Patterns of which one has to match: `reboot|poweroff|*.target`.
#[derive(Debug, Clone)]
pub(super) struct Alternatives {
    /// In the order of the bytes that they begin with, those first of which it is not known.
    patterns: Vec<(Option<u8>, Pattern)>,
}

/// One of them. Most are plain, and then no glob has to be stepped through.
#[derive(Debug, Clone)]
enum Pattern {
    /// `*text*`
    Holding(String, Glob),
    /// Anything else.
    Other(Glob),
}

impl Pattern {
    fn new(text: &str) -> Self {
        let glob = Glob::new(text);
        let inner = text
            .strip_prefix('*')
            .and_then(|text| text.strip_suffix('*'));
        match inner.filter(|inner| !inner.is_empty() && Glob::new(inner).is_literal()) {
            Some(inner) => Self::Holding(inner.to_owned(), glob),
            None => Self::Other(glob),
        }
    }

    /// The byte that all that it matches begins with.
    fn first(&self) -> Option<u8> {
        match self {
            Self::Holding(..) => None,
            Self::Other(glob) => glob.head().bytes().next(),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Holding(inner, _) => text.contains(inner.as_str()),
            Self::Other(glob) => glob.matches(text),
        }
    }

    fn could_match(&self, pieces: &[Piece<'_>]) -> bool {
        match self {
            // What is open may hold it.
            Self::Holding(..) if pieces.contains(&Piece::Unknown) => true,
            Self::Holding(_, glob) | Self::Other(glob) => glob.could_match(pieces),
        }
    }
}

/// One option in its spellings: `-r|-R|--recursive`.
#[derive(Debug, Clone, Default)]
pub(super) struct Flag {
    short: Vec<char>,
    long: Vec<String>,
    /// Words with one dash that are not clusters: `-delete`.
    whole: Vec<String>,
}

/// The options whose value is the next word.
#[derive(Debug, Clone, Default)]
pub(super) struct Takes {
    short: Vec<char>,
    long: Vec<String>,
    whole: Vec<String>,
    /// Whether the list is meant to be complete. Without one, the word behind any option may be a value.
    given: bool,
}

/// What a word is among a command's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An option, or `--`.
    Option,
    /// The value of the option before it.
    Value,
    /// An operand, or the value of an option that is not known.
    Maybe,
    /// An operand.
    Operand,
}

/// Whether a word's value is not known at all.
pub(super) fn is_open(word: &Word) -> bool {
    word.dynamic || word.glob && word.glob_offsets().is_empty()
}

/// The known ends of a word around its first and last open character; `None` for a known word.
fn ends(word: &Word) -> Option<(&str, &str)> {
    if is_open(word) {
        // Text behind an expansion cannot be told from the expansion's own.
        let before = word.text.split('$').next().unwrap_or_default();
        let before = if word.dynamic { before } else { "" };
        return Some((before, ""));
    }
    let offsets = word.glob_offsets();
    let at = |offset: Option<&u32>| offset.and_then(|offset| usize::try_from(*offset).ok());
    let (first, last) = at(offsets.first()).zip(at(offsets.last()))?;
    Some((
        word.text.get(..first).unwrap_or_default(),
        word.text.get(last + 1..).unwrap_or_default(),
    ))
}

/// Whether a word may turn out to be an option although it is not known.
fn may_be_option(word: &Word) -> bool {
    ends(word).is_some_and(|(before, _)| before.is_empty() || before.starts_with('-'))
}

impl Alternatives {
    pub(super) fn new(text: &str) -> Self {
        Self::of(Self::split(text).map(Pattern::new))
    }

    fn of(patterns: impl Iterator<Item = Pattern>) -> Self {
        let mut patterns: Vec<_> = patterns.map(|it| (it.first(), it)).collect();
        patterns.sort_by_key(|(first, _)| *first);
        Self { patterns }
    }

    /// Those that may match a text which begins so; all of them where it is not known how.
    fn beginning(&self, text: &str) -> impl Iterator<Item = &Pattern> {
        let all = self.patterns.as_slice();
        let (open, named) = match text.bytes().next() {
            None => (all, &[][..]),
            first => {
                let open = all.partition_point(|(own, _)| own.is_none());
                let (open, rest) = all.split_at(open);
                let from = rest.partition_point(|(own, _)| *own < first);
                let rest = rest.get(from..).unwrap_or_default();
                let to = rest.partition_point(|(own, _)| *own == first);
                (open, rest.get(..to).unwrap_or_default())
            }
        };
        open.iter().chain(named).map(|(_, pattern)| pattern)
    }

    /// The parts of a text between `|`s that stand in no bracket expression.
    pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
        let mut opened: Option<usize> = None;
        let mut at = 0;
        text.split(move |c: char| {
            let here = at;
            at += c.len_utf8();
            match (c, opened) {
                ('[', None) if text.get(here + 1..).is_some_and(|rest| rest.contains(']')) => {
                    opened = Some(here);
                }
                (']', Some(start)) if here > start + 1 => opened = None,
                ('|', None) => return true,
                _ => {}
            }
            false
        })
    }

    /// Whether a word is, or may be, one of them.
    pub(super) fn hold(&self, word: &Word) -> bool {
        match ends(word) {
            // SECURITY: a text that is too long to be looked through may hold anything.
            None if word.text.len() > TEXT_BYTES_MAX => true,
            None => self.beginning(&word.text).any(|it| it.matches(&word.text)),
            Some((before, behind)) => {
                let pieces = [Piece::Known(before), Piece::Unknown, Piece::Known(behind)];
                self.beginning(before).any(|it| it.could_match(&pieces))
            }
        }
    }
}

/// Variables that are set, by name and value: `NAME=value`; one without a `=` takes any value.
#[derive(Debug, Clone)]
pub(super) struct Settings(Vec<(Glob, Glob)>);

impl Settings {
    pub(super) fn new(texts: &[String]) -> Self {
        let settings = texts
            .iter()
            .flat_map(|text| text.split('|'))
            .map(|text| text.split_once('=').unwrap_or((text, "*")));
        Self(
            settings
                .map(|(name, value)| (Glob::new(name), Glob::new(value)))
                .collect(),
        )
    }

    /// Whether setting a variable is one of them, or may be.
    pub(super) fn hold(&self, name: &str, value: &Word) -> bool {
        self.hold_value(name.trim_end_matches('+'), &value.text, ends(value))
    }

    /// Whether a word sets one of them, or may.
    pub(super) fn hold_word(&self, word: &Word) -> bool {
        let name_of = |text: &str| text.find('=').map(|at| (at, at + 1));
        match ends(word) {
            None => name_of(&word.text).is_some_and(|(at, value)| {
                let name = word.text.get(..at).unwrap_or_default();
                let value = word.text.get(value..).unwrap_or_default();
                self.hold_value(name.trim_end_matches('+'), value, None)
            }),
            Some((before, behind)) => match name_of(before) {
                Some((at, value)) => {
                    let name = before.get(..at).unwrap_or_default();
                    let value = before.get(value..).unwrap_or_default();
                    self.hold_value(name.trim_end_matches('+'), "", Some((value, behind)))
                }
                // SECURITY: what is open may be the name too.
                None => {
                    let pieces = [Piece::Known(before), Piece::Unknown];
                    self.0.iter().any(|(name, _)| name.could_match(&pieces))
                }
            },
        }
    }

    /// Whether a name is one of them with this value, or with what its known ends leave open.
    fn hold_value(&self, name: &str, value: &str, open: Option<(&str, &str)>) -> bool {
        let mut named = self.0.iter().filter(|(own, _)| own.matches(name));
        match open {
            None => named.any(|(_, own)| own.matches(value)),
            Some((before, behind)) => {
                let pieces = [Piece::Known(before), Piece::Unknown, Piece::Known(behind)];
                named.any(|(_, own)| own.could_match(&pieces))
            }
        }
    }
}

impl Flag {
    /// Reads `-r|-R|--recursive`; `None` where something else stands there.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut flag = Self::default();
        for spelling in text.split('|') {
            if let Some(name) = spelling.strip_prefix("--") {
                if name.is_empty() {
                    return None;
                }
                flag.long.push(spelling.to_owned());
                continue;
            }
            let name = spelling.strip_prefix('-').filter(|name| !name.is_empty())?;
            let mut letters = name.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => flag.short.push(letter),
                _ => flag.whole.push(spelling.to_owned()),
            }
        }
        Some(flag)
    }

    /// Whether the option may stand among the arguments.
    pub(super) fn may_stand(&self, arguments: &[Word], takes: &Takes) -> bool {
        options(arguments).any(|word| may_be_option(word) || self.is(&word.text, takes))
    }

    /// Whether the option certainly stands among the arguments.
    pub(super) fn stands(&self, arguments: &[Word], takes: &Takes) -> bool {
        options(arguments).any(|word| !word.is_unknown() && self.is(&word.text, takes))
    }

    fn is(&self, text: &str, takes: &Takes) -> bool {
        if text.starts_with("--") {
            let name = text.split_once('=').map_or(text, |(name, _)| name);
            return name.len() >= ABBREVIATION_BYTES_MIN
                && self.long.iter().any(|long| long.starts_with(name));
        }
        let Some(letters) = text.strip_prefix('-') else {
            return false;
        };
        if self.whole.iter().any(|whole| whole == text) {
            return true;
        }
        for letter in letters.chars() {
            if self.short.contains(&letter) {
                return true;
            }
            if takes.short.contains(&letter) {
                return false;
            }
        }
        false
    }

    /// The value that a word gives to the option, as the byte at which it begins; or whether the next
    /// word is the value.
    pub(super) fn value(&self, text: &str, takes: &Takes) -> Option<Attached> {
        if text.starts_with("--") {
            let (name, value) = match text.find('=') {
                Some(at) => (text.get(..at)?, Attached::At(at + 1)),
                None => (text, Attached::Next),
            };
            let named = name.len() >= ABBREVIATION_BYTES_MIN
                && self.long.iter().any(|long| long.starts_with(name));
            return named.then_some(value);
        }
        if self.whole.iter().any(|whole| whole == text) {
            return Some(Attached::Next);
        }
        let letters = text.strip_prefix('-')?;
        for (offset, letter) in letters.char_indices() {
            let end = 1 + offset + letter.len_utf8();
            if self.short.contains(&letter) {
                return Some(if end == text.len() {
                    Attached::Next
                } else {
                    Attached::At(end)
                });
            }
            if takes.short.contains(&letter) {
                return None;
            }
        }
        None
    }
}

/// Where an option's value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attached {
    /// In the same word, from this byte on.
    At(usize),
    /// In the next word.
    Next,
}

/// The words that may be options: those before `--` that begin with a dash or are not known.
fn options(arguments: &[Word]) -> impl Iterator<Item = &Word> {
    arguments
        .iter()
        .take_while(|word| word.text != "--")
        .filter(|word| word.is_unknown() || word.text.starts_with('-') && word.text.len() > 1)
}

impl Takes {
    /// Reads a list of options; `None` stands for a list that is not there.
    ///
    /// # Errors
    /// The first text that is no option.
    pub(super) fn read(texts: Option<&[String]>) -> Result<Self, String> {
        let mut takes = Self {
            given: texts.is_some(),
            ..Self::default()
        };
        for text in texts.unwrap_or_default() {
            let flag = Flag::read(text).ok_or_else(|| text.clone())?;
            takes.short.extend(flag.short);
            takes.long.extend(flag.long);
            takes.whole.extend(flag.whole);
        }
        Ok(takes)
    }

    /// Whether the word behind an option is its value.
    fn takes_next(&self, text: &str) -> bool {
        if text.starts_with("--") {
            return self.long.iter().any(|long| long == text);
        }
        if self.whole.iter().any(|whole| whole == text) {
            return true;
        }
        let Some(letters) = text.strip_prefix('-') else {
            return false;
        };
        letters
            .char_indices()
            .find(|(_, letter)| self.short.contains(letter))
            .is_some_and(|(offset, letter)| 1 + offset + letter.len_utf8() == text.len())
    }
}

/// The arguments before the first operand.
pub(super) fn leading<'a>(arguments: &'a [Word], takes: &Takes) -> &'a [Word] {
    let end = kinds(arguments, takes)
        .find(|(_, _, kind)| *kind == Kind::Operand)
        .map_or(arguments.len(), |(index, _, _)| index);
    arguments.get(..end).unwrap_or_default()
}

/// The arguments, each with what it is.
pub(super) fn kinds<'a>(
    arguments: &'a [Word],
    takes: &'a Takes,
) -> impl Iterator<Item = (usize, &'a Word, Kind)> {
    let mut only_operands = false;
    let mut before = Kind::Operand;
    let mut takes_next = false;
    arguments.iter().enumerate().map(move |(index, word)| {
        let text = word.text.as_str();
        let kind = if only_operands {
            Kind::Operand
        } else if takes_next && !is_open(word) {
            Kind::Value
        } else if text == "--" && !word.is_unknown() {
            only_operands = true;
            Kind::Option
        } else if text.len() > 1 && text.starts_with('-') && !is_open(word) {
            Kind::Option
        } else if before == Kind::Option && !takes.given {
            Kind::Maybe
        } else {
            Kind::Operand
        };
        takes_next = kind == Kind::Option && !only_operands && takes.takes_next(text);
        before = kind;
        (index, word, kind)
    })
}
