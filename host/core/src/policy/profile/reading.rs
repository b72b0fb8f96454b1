//! One command read by the profile of its program: which options and operands it has, and what they do.
//!
//! Must not: know any program. Time is linear in the words, besides the look at globs and secret paths.

use super::super::capability::{Capability, Need, PathUse, UsedPath, Uses};
use super::cutting::{self, Found, Name, Parts};
use super::model::{Kind, Profile, Style, Unlisted};
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
        bases: Vec::new(),
    };
    if asks_only(profile, words) {
        return Uses::default();
    }
    let mut profile = profile;
    let (mut start, mut named_at) = (1, 0);
    // Each round goes one verb deeper, and no profile lies within itself.
    while let Some((next, at)) = reading.stage(profile, start, named_at) {
        profile = next;
        start = at + 1;
        named_at = at;
    }
    // The sort is stable, so what one word does stays in order.
    reading.uses.needs.sort_by_key(|need| need.word);
    reading.uses
}

/// Whether the only word behind the program asks who it is, in a program that has such an option.
fn asks_only(profile: &Profile, words: &[Word]) -> bool {
    let [_, only] = words else { return false };
    let name = match only.known() {
        Some("--version") => "version",
        Some("--help") => "help",
        _ => return false,
    };
    let runs = profile.need == Some(Kind::Needs(Capability::Execute));
    profile.style == Style::Gnu && (!runs || profile.options.long(name).is_some())
}

struct Reading<'a> {
    words: &'a [Word],
    secrets: &'a SecretPaths,
    uses: Uses,
    recursive: bool,
    /// Whether it reads the directory that it runs in where it is given no other.
    reads_here: bool,
    in_place: bool,
    /// The directories that relative operands may lie in.
    bases: Vec<&'a str>,
}

impl<'a> Reading<'a> {
    /// Reads the words from `start` on; the profile and the place of the verb that has to be read next.
    fn stage(
        &mut self,
        profile: &'a Profile,
        start: usize,
        named_at: usize,
    ) -> Option<(&'a Profile, usize)> {
        let (parts, verb) = cutting::split(profile, self.words, start);
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
            let at = self.shown_at(profile, chosen, kind, &parts, named_at);
            self.plain(kind, at);
        }
        if chosen.gives_shell {
            self.need(Capability::Execute, self.end(), None, Need::GIVES_A_SHELL);
        }
        // With a verb, what is piped in is the verb's.
        self.uses.runs_input |= chosen.runs_input && (chosen.verbs.is_none() || verb.is_none());
        self.uses.surroundings |= chosen.surroundings;
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
            self.plain(verbs.none, self.end());
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

    /// The word that shows that every use needs something: the verb, the option that asks for it, or none
    /// but all of them.
    ///
    /// SECURITY: `tar *` spells `tar`, and nobody means by that what only some uses do.
    fn shown_at(
        &self,
        profile: &Profile,
        chosen: &Profile,
        kind: Kind,
        parts: &Parts<'_>,
        named_at: usize,
    ) -> usize {
        let asked = profile
            .when
            .iter()
            .find(|(_, other)| std::ptr::eq(other, chosen));
        if let Some((names, _)) = asked {
            let found = parts.options.iter();
            let found = found.filter(|found| names.iter().any(|name| found.name.is(name)));
            return found.map(|found| found.word).max().unwrap_or(named_at);
        }
        let executes = Kind::Needs(Capability::Execute);
        let runs = kind == executes;
        // The words behind a program text are the text's.
        if let Some(text) = parts.operands.first()
            && runs
            && chosen.posix
            && chosen.operands.first() == Some(&executes)
        {
            return *text;
        }
        match named_at == 0 && runs || !profile.when.is_empty() {
            true => self.end(),
            false => named_at,
        }
    }

    /// A place that is spelled where the whole command is, and nothing is left open behind it.
    fn end(&self) -> usize {
        self.words.len().saturating_sub(1).max(1)
    }

    fn option(&self, profile: &Profile, found: &Found<'_>) -> Option<Kind> {
        let opt = match found.name {
            Name::Short(letter) => profile.options.short(letter),
            Name::Long(name) => profile.options.long(name),
        };
        opt.or(found.opt).map(|opt| opt.kind)
    }

    fn apply_option(&mut self, profile: &Profile, found: &Found<'a>) {
        let Some(kind) = self.option(profile, found) else {
            let asks =
                profile.style == Style::Gnu && matches!(found.name, Name::Long("help" | "version"));
            if profile.unlisted == Unlisted::Execute && !asks {
                self.need(
                    Capability::Execute,
                    found.word,
                    None,
                    "has an option that is not known",
                );
            }
            return;
        };
        let own = found.value.and_then(|(word, text)| {
            // A glob behind `--name=` finds no file, so the program gets it as it is.
            let attached = word == found.word && matches!(found.name, Name::Long(_));
            let open = self.words.get(word).is_none_or(|it| match attached {
                true => it.dynamic || it.tilde,
                false => it.is_unknown(),
            });
            let mut of_option = profile
                .values
                .iter()
                .filter(|(name, ..)| found.name.is(name));
            of_option.find(|(_, glob, kind)| match open {
                // SECURITY: as for operands, what is not known may be what does harm.
                true => !matches!(kind, Kind::Text | Kind::Free | Kind::Name),
                false => glob.matches(text),
            })
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
            // What is attached to a harmless option stays its value, whatever it turns out to be.
            (Kind::Text, Some((word, _)))
                if word == found.word && matches!(found.name, Name::Long(_)) => {}
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
        let mut any_read = !kinds
            .iter()
            .any(|kind| matches!(kind, Kind::Content | Kind::Object));
        let reads = |kind| matches!(kind, Kind::Content | Kind::Object | Kind::Archive);
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
            let own = profile.patterns.iter().find(|(glob, kind)| {
                // SECURITY: a word that is not known may be what does harm, and is not what does none.
                if open {
                    !matches!(kind, Kind::Text | Kind::Free | Kind::Name)
                } else {
                    glob.matches(&word_at.text)
                }
            });
            if let Some((_, own)) = own {
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
            self.need(Capability::Secret, self.end(), None, READS_SECRETS);
        }
    }

    /// A use without a value.
    fn plain(&mut self, kind: Kind, word: usize) {
        if let Some(capability) = kind.need() {
            self.need(capability, word, None, why(capability));
        }
    }

    /// A value of a kind, at a word or within it.
    fn value(&mut self, kind: Kind, word: usize, text: &'a str) {
        let Some(word_at) = self.words.get(word) else {
            return;
        };
        let tolerates = match kind {
            Kind::Free | Kind::Name => true,
            Kind::Text => !word_at.dynamic || begins_as_text(word_at),
            Kind::Base => !word_at.is_unknown(),
            Kind::Content | Kind::Object | Kind::Write | Kind::Recursive | Kind::InPlace => {
                !word_at.dynamic
            }
            Kind::Url => !word_at.is_unknown() || is_plain_address(word_at),
            Kind::Archive | Kind::ArchiveWrite | Kind::Data | Kind::Program(_) | Kind::Needs(_) => {
                !word_at.is_unknown()
            }
        };
        if !tolerates {
            self.need(Capability::Execute, word, None, UNKNOWN);
        }
        match kind {
            Kind::Text | Kind::Free | Kind::Recursive | Kind::InPlace => {}
            Kind::Base => self.bases.push(text),
            Kind::Name => self.path(word, text, PathUse::Name),
            Kind::Content => self.content(word, text),
            Kind::Object => self.content(word, text.rsplit(':').next().unwrap_or(text)),
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
        // `/**` stands for what a search finds at any depth.
        let searched = text.strip_suffix("/**").filter(|_| word_at.glob);
        let secret = match searched {
            Some(directory) => {
                let open = directory.contains(['*', '?', '[']);
                self.secrets.may_hold(directory, open, true)
            }
            None => self.secrets.may_hold(text, word_at.glob, self.recursive),
        };
        // SECURITY: each `-C` counts for each operand, whichever of them stands first.
        let below = |base: &&str| {
            let path = format!("{base}/{text}");
            self.secrets.may_hold(&path, word_at.glob, self.recursive)
        };
        let secret = secret || !text.starts_with('/') && self.bases.iter().any(below);
        if text != "-" && secret {
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
        Capability::RedirectOutput | Capability::RedirectInput => "opens a file",
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

/// Whether a word is known to begin like no option, so that it stays what it is where its value is harmless.
fn begins_as_text(word: &Word) -> bool {
    let known = word.known_start();
    !known.is_empty() && !known.starts_with('-') && !word.tilde
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
