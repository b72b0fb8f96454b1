//! One command read by the profile of its program: which options and operands it has, and what they do.
//!
//! Where implementations differ, every reading counts: a value that looks like an option is looked at
//! as one too, and each long option that an abbreviation may stand for.
//!
//! Must not: know any program. Time is linear in the words, besides the look at globs and secret paths.

use super::super::capability::{Capability, Need, PathUse, UsedPath, Uses};
use super::model::{Kind, Opt, Profile, Spelled, Style, Unlisted, Value};
use super::scan;
use super::secret::SecretPaths;
use crate::shell::Word;
use std::borrow::Cow;

/// Files that may be written by anyone, because nothing is kept in them.
const WRITTEN_BY_ALL: [&str; 4] = ["/dev/null", "/dev/stdout", "/dev/stderr", "-"];

/// What `words` do, by the profile of their program.
pub(super) fn read(profile: &Profile, secrets: &SecretPaths, words: &[Word]) -> Uses {
    let mut reading = Reading {
        words,
        secrets,
        uses: Uses::default(),
        recursive: false,
        reads_here: false,
        in_place: false,
    };
    let mut profile = profile;
    let (mut start, mut named_at) = (1, 0);
    // Each round goes one verb deeper, and no profile lies within itself.
    loop {
        match reading.stage(profile, start, named_at) {
            Some((next, at)) => {
                profile = next;
                start = at + 1;
                named_at = at;
            }
            None => break,
        }
    }
    // The sort is stable, so what one word does stays in order.
    reading.uses.needs.sort_by_key(|need| need.word);
    reading.uses
}

/// An option as it stands in the words.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    word: usize,
    name: Name<'a>,
    opt: Option<Opt>,
    /// The value, and the word that holds it.
    value: Option<(usize, &'a str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name<'a> {
    Short(char),
    Long(&'a str),
}

impl Name<'_> {
    fn is(&self, spelled: &Spelled) -> bool {
        match (self, spelled) {
            (Self::Short(a), Spelled::Short(b)) => a == b,
            (Self::Long(a), Spelled::Long(b)) => *a == b.as_ref(),
            _ => false,
        }
    }
}

/// The options and operands of one stage.
#[derive(Debug, Default)]
struct Parts<'a> {
    options: Vec<Found<'a>>,
    operands: Vec<usize>,
    /// Words that might become options when the shell expands them.
    globs: Vec<usize>,
}

struct Reading<'a> {
    words: &'a [Word],
    secrets: &'a SecretPaths,
    uses: Uses,
    recursive: bool,
    /// Whether it reads the directory that it runs in where it is given no other.
    reads_here: bool,
    in_place: bool,
}

impl<'a> Reading<'a> {
    /// Reads the words from `start` on; the profile and the place of the verb that has to be read next.
    fn stage(
        &mut self,
        profile: &'a Profile,
        start: usize,
        named_at: usize,
    ) -> Option<(&'a Profile, usize)> {
        let (parts, verb) = self.split(profile, start);
        let chosen = profile
            .when
            .iter()
            .find(|(names, _)| {
                parts
                    .options
                    .iter()
                    .any(|found| names.iter().any(|name| found.name.is(name)))
            })
            .map_or(profile, |(_, other)| other);
        if let Some(kind) = chosen.need {
            self.plain(kind, named_at);
        }
        if chosen.gives_shell {
            let last = self.words.len().saturating_sub(1);
            self.need(Capability::Execute, last, None, Need::GIVES_A_SHELL);
        }
        self.uses.runs_input |= chosen.runs_input;
        self.recursive |= chosen.recursive;
        for found in &parts.options {
            match self.option(chosen, found) {
                Some(Kind::Recursive) => {
                    self.recursive = true;
                    self.reads_here = true;
                }
                Some(Kind::InPlace) => self.in_place = true,
                _ => {}
            }
        }
        for found in &parts.options {
            self.apply_option(chosen, found);
        }
        for word in &parts.globs {
            self.need(
                Capability::Execute,
                *word,
                None,
                "may become an option on the host",
            );
        }
        let Some(verbs) = &chosen.verbs else {
            self.operands(chosen, &parts);
            return None;
        };
        let Some(at) = verb else {
            self.plain(verbs.none, self.words.len().saturating_sub(1));
            return None;
        };
        let word = self.words.get(at)?;
        let Some(text) = word.known() else {
            self.need(Capability::Execute, at, None, UNKNOWN);
            return None;
        };
        let found = verb_profile(chosen, text);
        if std::ptr::eq(found, verbs.other.as_ref())
            && let Some((_, kind)) = chosen.patterns.iter().find(|(glob, _)| glob.matches(text))
        {
            self.plain(*kind, at);
        }
        Some((found, at))
    }

    /// Cuts the words from `start` on into options and operands; with verbs, up to the first operand.
    fn split(&mut self, profile: &'a Profile, start: usize) -> (Parts<'a>, Option<usize>) {
        let mut parts = Parts::default();
        let mut options = profile.style != Style::Bare;
        let dangerous = profile.has_dangerous_options();
        let mut at = start;
        let words = self.words;
        while let Some(word) = words.get(at) {
            let text = word.text.as_str();
            let here = at;
            at += 1;
            if options && text == "--" && profile.style != Style::Pairs {
                options = false;
                continue;
            }
            if options && word.is_unknown() && dangerous && may_be_option(profile, word) {
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
                at = self.one_option(profile, here, &mut parts);
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
    fn one_option(&self, profile: &'a Profile, here: usize, parts: &mut Parts<'a>) -> usize {
        let words = self.words;
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

    fn option(&self, profile: &Profile, found: &Found<'_>) -> Option<Kind> {
        let opt = match found.name {
            Name::Short(letter) => profile.options.short(letter),
            Name::Long(name) => profile.options.long(name),
        };
        opt.or(found.opt).map(|opt| opt.kind)
    }

    fn apply_option(&mut self, profile: &Profile, found: &Found<'_>) {
        let Some(kind) = self.option(profile, found) else {
            if profile.unlisted == Unlisted::Execute {
                self.need(
                    Capability::Execute,
                    found.word,
                    None,
                    "has an option that is not known",
                );
            }
            return;
        };
        let own = found.value.and_then(|(_, text)| {
            let of_option = profile.values.iter();
            of_option
                .filter(|(name, _, _)| found.name.is(name))
                .find(|(_, glob, _)| glob.matches(text))
        });
        let kind = own.map_or(kind, |(_, _, own)| *own);
        match (kind, found.value) {
            (Kind::Recursive, _) => {}
            (Kind::InPlace, Some((word, suffix))) if suffix.contains(['/', '*']) => {
                self.need(
                    Capability::Write,
                    word,
                    None,
                    "writes files beside those it reads",
                );
            }
            (Kind::InPlace, _) => {}
            (kind, None) => self.plain(kind, found.word),
            (kind, Some((word, text))) => self.value(kind, word, text),
        }
    }

    fn operands(&mut self, profile: &Profile, parts: &Parts<'_>) {
        let dropped = parts
            .options
            .iter()
            .any(|found| profile.drops_first.iter().any(|name| found.name.is(name)));
        let kinds = match profile.operands.split_first() {
            Some((_, rest)) if dropped => rest,
            _ => profile.operands.as_slice(),
        };
        let count = parts.operands.len();
        let mut any_read = !kinds.iter().any(|kind| matches!(kind, Kind::Content));
        let reads = |kind| matches!(kind, Kind::Content | Kind::Archive);
        for (index, word) in parts.operands.iter().enumerate() {
            let fixed = kinds.get(index).or(kinds.last()).copied();
            let mut kind = fixed.unwrap_or(Kind::Text);
            if index > 0 && index + 1 == count {
                kind = profile.last.unwrap_or(kind);
            }
            let Some(word_at) = self.words.get(*word) else {
                continue;
            };
            let open = word_at.is_unknown() && !(kind == Kind::Url && is_plain_address(word_at));
            if let Some((_, own)) = profile
                .patterns
                .iter()
                .find(|(glob, _)| glob.matches(&word_at.text) || open && !glob.is_literal())
            {
                kind = *own;
            }
            any_read |= reads(kind);
            if self.in_place && reads(kind) {
                kind = Kind::Write;
            }
            self.value(kind, *word, &word_at.text);
        }
        // SECURITY: without such an operand these programs read the directory that they run in.
        if self.reads_here && !any_read {
            let last = self.words.len().saturating_sub(1);
            self.need(Capability::Secret, last, None, READS_SECRETS);
        }
    }

    /// A use without a value.
    fn plain(&mut self, kind: Kind, word: usize) {
        if let Some(capability) = kind.need() {
            self.need(capability, word, None, why(capability));
        }
    }

    /// A value of a kind, at a word or within it.
    fn value(&mut self, kind: Kind, word: usize, text: &str) {
        let Some(word_at) = self.words.get(word) else {
            return;
        };
        let tolerates = match kind {
            Kind::Free | Kind::Name => true,
            Kind::Text => !word_at.dynamic,
            Kind::Content | Kind::Write | Kind::Recursive | Kind::InPlace => !word_at.dynamic,
            Kind::Url => !word_at.is_unknown() || is_plain_address(word_at),
            Kind::Archive
            | Kind::ArchiveWrite
            | Kind::Data
            | Kind::Program(_)
            | Kind::Needs(_) => !word_at.is_unknown(),
        };
        if !tolerates {
            self.need(Capability::Execute, word, None, UNKNOWN);
        }
        match kind {
            Kind::Text | Kind::Free | Kind::Recursive | Kind::InPlace => {}
            Kind::Name => self.path(word, text, PathUse::Name),
            Kind::Content => self.content(word, text),
            Kind::Write => self.write(word, text),
            Kind::Archive | Kind::ArchiveWrite if names_host(text) => {
                self.need(
                    Capability::Execute,
                    word,
                    None,
                    "runs a remote shell for a name with a host in it",
                );
            }
            Kind::Archive => self.content(word, text),
            Kind::ArchiveWrite => self.write(word, text),
            Kind::Url => match local_url(text) {
                Some(path) => self.content(word, path),
                None => self.plain(kind, word),
            },
            Kind::Data => {
                for (at, mark) in text.char_indices() {
                    if matches!(mark, '@' | '<')
                        && (at == 0 || text.get(..at).is_some_and(|head| head.ends_with('=')))
                    {
                        let path = text.get(at + 1..).unwrap_or_default();
                        let path = path.split(';').next().unwrap_or(path);
                        self.content(word, path);
                    }
                }
            }
            Kind::Needs(capability) => self.need(capability, word, None, why(capability)),
            Kind::Program(language) => {
                for effect in scan::scan(language, text) {
                    match effect {
                        scan::Effect::Needs(capability, why) => {
                            self.need(capability, word, None, why);
                        }
                        scan::Effect::Reads(path) => self.content(word, path),
                        scan::Effect::Writes(path) => self.write(word, path),
                    }
                }
            }
        }
    }

    fn path(&mut self, word: usize, text: &str, usage: PathUse) {
        if text != "-" {
            self.uses.paths.push(UsedPath {
                word,
                path: text.to_owned(),
                usage,
            });
        }
    }

    fn content(&mut self, word: usize, text: &str) {
        self.path(word, text, PathUse::Content);
        let Some(word_at) = self.words.get(word) else {
            return;
        };
        if text != "-" && self.secrets.may_hold(text, word_at.glob, self.recursive) {
            self.need(Capability::Secret, word, Some(text), READS_SECRETS);
        }
    }

    fn write(&mut self, word: usize, text: &str) {
        if WRITTEN_BY_ALL.contains(&text) {
            return;
        }
        self.path(word, text, PathUse::Write);
        self.need(Capability::Write, word, Some(text), why(Capability::Write));
    }

    fn need(&mut self, capability: Capability, word: usize, path: Option<&str>, why: &'static str) {
        let path = path.map(|path| super::super::path::normalise(path).into_owned());
        let need = Need {
            capability,
            word,
            path,
            why: Cow::Borrowed(why),
        };
        if self.uses.needs.last() != Some(&need) {
            self.uses.needs.push(need);
        }
    }
}

const UNKNOWN: &str = "has a word whose value is decided on the host";
const READS_SECRETS: &str = "reads a path that holds secrets";

fn why(capability: Capability) -> &'static str {
    match capability {
        Capability::Read => "reads",
        Capability::Operate => "changes what a service does",
        Capability::Write => "writes a file or changes a setting",
        Capability::Execute => "can run another program",
        Capability::Secret => "shows secrets",
        Capability::Network => "talks to another machine",
        Capability::Redirect => "opens a file",
        Capability::Assign => "sets a variable",
        Capability::State => "changes what later commands do",
    }
}

/// The profile of a verb.
fn verb_profile<'a>(profile: &'a Profile, text: &str) -> &'a Profile {
    let Some(verbs) = &profile.verbs else {
        return profile;
    };
    let lowered: Cow<'_, str> = if profile.ignore_case {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    };
    let name = lowered.as_ref();
    match verbs
        .known
        .binary_search_by(|(own, _)| own.as_ref().cmp(name))
    {
        Ok(at) => verbs.known.get(at).map_or(&verbs.other, |(_, found)| found),
        Err(at) if profile.abbreviate && !name.is_empty() => {
            // LIMIT: which verb an abbreviation means is the program's secret, so it counts only
            // where every verb that begins so is the same to us.
            let mut begun = verbs
                .known
                .get(at..)
                .unwrap_or_default()
                .iter()
                .take_while(|(own, _)| own.starts_with(name))
                .map(|(_, found)| found);
            match begun.next() {
                Some(first) if begun.all(|next| std::sync::Arc::ptr_eq(first, next)) => first,
                _ => &verbs.other,
            }
        }
        Err(_) => &verbs.other,
    }
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
        let required = opt.is_some_and(|opt| opt.value == Value::Required);
        let value = match attached {
            Some(value) => Some((here, value)),
            None if required => next_value(profile, words, here, to, next),
            None => None,
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
            Value::Absent => None,
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
    if word.dynamic {
        // The value may be anything; the static text before it is not told apart from it.
        return true;
    }
    let first = word.glob_offsets().first().copied();
    let Some(first) = first.and_then(|offset| usize::try_from(offset).ok()) else {
        return true;
    };
    let known = word.text.get(..first).unwrap_or_default();
    known.is_empty() || known.starts_with('-')
}

/// Whether a word is an address of the web whatever its globs become: `http://host/?q=1`.
fn is_plain_address(word: &Word) -> bool {
    let scheme_len = if word.text.starts_with("http://") {
        "http://".len()
    } else if word.text.starts_with("https://") {
        "https://".len()
    } else {
        return false;
    };
    let first = word.glob_offsets().first().copied();
    let first = first.and_then(|offset| usize::try_from(offset).ok());
    !word.dynamic && first.is_none_or(|first| first >= scheme_len)
}

/// Whether a name of an archive has a host in it, as `tar` and `cpio` read it.
fn names_host(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'))
}

/// The path of an address that names a file of this machine.
fn local_url(text: &str) -> Option<&str> {
    let scheme = text.get(..5)?;
    if !scheme.eq_ignore_ascii_case("file:") {
        return None;
    }
    let rest = text.get(5..)?;
    Some(match rest.strip_prefix("//") {
        Some(behind) => behind
            .find('/')
            .and_then(|at| behind.get(at..))
            .unwrap_or("/"),
        None => rest,
    })
}
