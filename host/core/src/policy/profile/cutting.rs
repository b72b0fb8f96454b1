//! Cuts the words of a command into options, their values and operands, by the grammar of a profile.
//!
//! Where implementations differ, every reading counts: a value that looks like an option is looked at
//! as one too, and so is each long option that an abbreviation may stand for.
//!
//! Must not: say what an option does.

use super::model::{Kind, Opt, Origin, Profile, Spelled, Style, Value};
use crate::shell::Word;

/// An option as it stands in the words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) word: usize,
    pub(super) name: Name<'a>,
    pub(super) opt: Option<Opt>,
    /// The value, and the word that holds it.
    pub(super) value: Option<(usize, &'a str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'a> {
    Short(char),
    Long(&'a str),
}

impl Name<'_> {
    pub(super) fn is(&self, spelled: &Spelled) -> bool {
        match (self, spelled) {
            (Self::Short(a), Spelled::Short(b)) => a == b,
            (Self::Long(a), Spelled::Long(b)) => *a == b.as_ref(),
            _ => false,
        }
    }
}

/// The options and operands of one stage.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) options: Vec<Found<'a>>,
    pub(super) operands: Vec<usize>,
    /// Words that might become options when the shell expands them.
    pub(super) globs: Vec<usize>,
}

/// Cuts the words from `start` on into options and operands; with verbs, up to the first operand.
pub(super) fn split<'a>(
    profile: &'a Profile,
    words: &'a [Word],
    start: usize,
) -> (Parts<'a>, Option<usize>) {
    let mut parts = Parts::default();
    let mut options = profile.style != Style::Bare;
    let mut at = start;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        let here = at;
        at += 1;
        // SECURITY: `find -- . -delete` deletes, so where single dashes begin names nothing ends them.
        if text == "--" && profile.style == Style::Single {
            continue;
        }
        if options && text == "--" && profile.style != Style::Pairs {
            options = false;
            continue;
        }
        let from = if word.dynamic {
            Origin::Value
        } else {
            Origin::Glob
        };
        if options
            && word.is_unknown()
            && may_be_option(profile, word)
            && profile.has_dangerous_options(from)
        {
            parts.globs.push(here);
        }
        let is_option = options
            && match profile.style {
                Style::Gnu | Style::Single => text.len() > 1 && text.starts_with('-'),
                Style::Pairs => text.contains('='),
                Style::Bare => false,
            };
        let bundled = !is_option && profile.bundle && here == start && !text.is_empty();
        if bundled && profile.verbs.is_none() && !word.is_unknown() {
            at = bundle(profile, words, here, text, &mut parts.options);
        } else if is_option {
            at = one_option(profile, words, here, &mut parts);
        } else if profile.verbs.is_some() {
            return (parts, Some(here));
        } else {
            options &= !profile.posix;
            parts.operands.push(here);
        }
    }
    (parts, None)
}

/// Reads the option at a word; the index of the next word.
fn one_option<'a>(
    profile: &'a Profile,
    words: &'a [Word],
    here: usize,
    parts: &mut Parts<'a>,
) -> usize {
    let Some(word) = words.get(here) else {
        return here + 1;
    };
    let text = word.text.as_str();
    let from = parts.options.len();
    let next = match profile.style {
        Style::Bare => here + 1,
        Style::Pairs => {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            parts.options.push(Found {
                word: here,
                name: Name::Long(name),
                opt: profile.options.long(name),
                value: Some((here, value)),
            });
            here + 1
        }
        Style::Single => {
            let name = text.strip_prefix("--").unwrap_or(text);
            let name = name.strip_prefix('-').unwrap_or(name);
            long(profile, words, here, name, &mut parts.options)
        }
        Style::Gnu => match text.strip_prefix("--") {
            Some(name) => long(profile, words, here, name, &mut parts.options),
            None => {
                let letters = text.get(1..).unwrap_or_default();
                cluster(profile, words, here, letters, &mut parts.options)
            }
        },
    };
    let clause = parts
        .options
        .get(from..)
        .unwrap_or_default()
        .iter()
        .any(|found| profile.clauses.iter().any(|name| found.name.is(name)));
    if clause {
        return clause_end(words, here + 1);
    }
    next
}

/// Reads `name` or `name=value` of a long option; the index of the next word.
fn long<'a>(
    profile: &'a Profile,
    words: &'a [Word],
    here: usize,
    text: &'a str,
    to: &mut Vec<Found<'a>>,
) -> usize {
    let (name, attached) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let push = |to: &mut Vec<Found<'a>>, name: &'a str, opt: Option<Opt>, next: &mut usize| {
        let value = match (attached, opt.map_or(Value::Absent, |opt| opt.value)) {
            (Some(value), _) => Some((here, value)),
            (None, Value::Required) => next_value(profile, words, here, to, next),
            (None, Value::Two) => {
                let value = next_value(profile, words, here + 1, to, next);
                *next = here + 3;
                value
            }
            (None, Value::Absent | Value::Attached) => None,
        };
        to.push(Found {
            word: here,
            name: Name::Long(name),
            opt,
            value,
        });
    };
    let mut next = here + 1;
    if let Some(opt) = profile.options.long(name) {
        push(to, name, Some(opt), &mut next);
        return next;
    }
    let may_shorten = profile.style == Style::Gnu || profile.abbreviate;
    let mut any = false;
    if may_shorten && !name.is_empty() {
        // SECURITY: each option that begins so may be meant.
        for (full, opt) in profile.options.abbreviated(name) {
            any = true;
            push(to, full, Some(opt), &mut next);
        }
    }
    // A Single-style program may know letters too: `-4`, `-o`.
    if !any && profile.style == Style::Single && is_number(name) {
        return next;
    }
    if !any {
        push(to, name, None, &mut next);
    }
    next
}

/// The next word as a value; where it may be an option, it is looked at as one too.
fn next_value<'a>(
    profile: &'a Profile,
    words: &'a [Word],
    here: usize,
    to: &mut Vec<Found<'a>>,
    next: &mut usize,
) -> Option<(usize, &'a str)> {
    let word = words.get(here + 1)?;
    let text = word.text.as_str();
    *next = here + 2;
    // SECURITY: implementations differ in which options have values, so `-a -b` may be two options.
    if let Some(name) = text
        .strip_prefix('-')
        .filter(|_| profile.style != Style::Pairs)
    {
        let bare = name.strip_prefix('-').unwrap_or(name);
        let bare = bare.split_once('=').map_or(bare, |(bare, _)| bare);
        let found = match (profile.style, name.chars().next()) {
            (Style::Gnu, Some(letter)) if letter != '-' => profile
                .options
                .short(letter)
                .map(|opt| (Name::Short(letter), opt)),
            _ => profile
                .options
                .long(bare)
                .map(|opt| (Name::Long(bare), opt)),
        };
        if let Some((name, opt)) = found
            && (opt.kind.need().is_some() || opt.kind == Kind::InPlace)
        {
            to.push(Found {
                word: here + 1,
                name,
                opt: Some(opt),
                value: None,
            });
        }
    }
    Some((here + 1, text))
}

/// Reads a cluster of letters; the index of the next word.
fn cluster<'a>(
    profile: &'a Profile,
    words: &'a [Word],
    here: usize,
    letters: &'a str,
    to: &mut Vec<Found<'a>>,
) -> usize {
    let mut next = here + 1;
    for (index, letter) in letters.char_indices() {
        let rest = letters.get(index + letter.len_utf8()..).unwrap_or_default();
        let opt = profile.options.short(letter);
        if opt.is_none()
            && (letter.is_ascii_digit() || index > 0 && !letter.is_ascii_alphanumeric())
        {
            // `-5`, `-5f`, and what stands behind an option that takes a number.
            continue;
        }
        let value = match opt.map_or(Value::Absent, |opt| opt.value) {
            // LIMIT: no known program has a letter with two values.
            Value::Absent | Value::Two => None,
            Value::Required if rest.is_empty() => next_value(profile, words, here, to, &mut next),
            Value::Required => Some((here, rest.strip_prefix('=').unwrap_or(rest))),
            Value::Attached if rest.is_empty() => None,
            Value::Attached => Some((here, rest)),
        };
        to.push(Found {
            word: here,
            name: Name::Short(letter),
            opt,
            value,
        });
        if opt.is_some_and(|opt| opt.value != Value::Absent) {
            break;
        }
        if opt.is_none() {
            // What an unknown letter makes of the rest is not known either; one finding says that,
            // but a letter that does harm still counts.
            continue;
        }
    }
    next
}

/// Reads letters without a dash (`tar xzf FILE`): their values are the next words in the same order.
fn bundle<'a>(
    profile: &'a Profile,
    words: &'a [Word],
    here: usize,
    letters: &'a str,
    to: &mut Vec<Found<'a>>,
) -> usize {
    let mut next = here + 1;
    for letter in letters.chars() {
        let opt = profile.options.short(letter);
        let mut value = None;
        if opt.is_some_and(|opt| opt.value == Value::Required) {
            value = words.get(next).map(|word| (next, word.text.as_str()));
            next += 1;
        }
        to.push(Found {
            word: here,
            name: Name::Short(letter),
            opt,
            value,
        });
    }
    next
}

/// The word behind the `;` or `+` that ends a clause.
fn clause_end(words: &[Word], start: usize) -> usize {
    let end = words
        .iter()
        .skip(start)
        .position(|word| matches!(word.text.as_str(), ";" | "+"));
    end.map_or(words.len(), |length| start + length + 1)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether a word's value is unknown and may begin like an option.
fn may_be_option(profile: &Profile, word: &Word) -> bool {
    if word.tilde {
        return false;
    }
    if profile.style == Style::Pairs {
        return true;
    }
    let known = word.known_start();
    // The name of `--name=` is certain, and what is open is its value.
    let named = known.starts_with("--") && known.contains('=');
    known.is_empty() || known.starts_with('-') && !named
}
