//! Where a path lies: the classes of places that entries name, and what a word says of a path.
//!
//! A path is taken apart by its text alone; whatever a glob, an expansion or an unknown directory leaves
//! open counts as lying in the class, as far as the text around it allows.
//!
//! Must not: ask a host. Limit: links are not followed, and a mount can put anything anywhere.

use super::super::glob::{Glob, Piece};
use super::whereabouts::Whereabouts;
use crate::shell::Word;
use std::collections::HashMap;

/// Most parts of a path that are looked at; a longer one may lie anywhere.
const PARTS_MAX: usize = 64;

/// Characters that look like a slash: fullwidth, division, fraction and big solidus.
const SLASHES: [char; 4] = ['\u{ff0f}', '\u{2215}', '\u{2044}', '\u{29f8}'];

/// Where a pattern begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    /// At `/`.
    Root,
    /// At the login directory (`~`).
    Home,
    /// Anywhere (`**/`).
    Any,
}

/// One place: `/etc/cron.d/**`, `**/.ssh/authorized_keys`, `~`, `!/dev/null`.
#[derive(Debug, Clone)]
struct Place {
    anchor: Anchor,
    parts: Vec<Glob>,
    /// Whether everything below belongs to it too (`/**`).
    deep: bool,
}

/// A class of places, with the classes that it is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Class {
    own: Group,
    others: Vec<Group>,
}

/// Places, and what does not belong to them: written with a `!` before it.
#[derive(Debug, Clone, Default)]
struct Group {
    places: Vec<Place>,
    /// Positions of the places that begin at `/` with a known part, by that part.
    rooted: HashMap<Box<str>, Vec<usize>>,
    /// Positions of the places at any depth with a known first part, by that part.
    anywhere: HashMap<Box<str>, Vec<usize>>,
    /// Positions of the others.
    elsewhere: Vec<usize>,
    exceptions: Vec<Place>,
}

/// One part of a path between slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part<'a> {
    /// Its text, or what stands before the first open character.
    before: &'a str,
    /// What stands behind the last open character; `None` where nothing is open.
    behind: Option<&'a str>,
}

/// What a word says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// It may be any path.
    Anything,
    /// It is one of these.
    Paths(Vec<Path<'a>>),
}

/// A path, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path<'a> {
    home: bool,
    parts: Vec<Part<'a>>,
}

impl Place {
    /// `None` for a text that is no place.
    fn read(text: &str) -> Option<Self> {
        let (text, deep) = match text.strip_suffix("/**") {
            Some(shorter) => (shorter, true),
            None => (text, false),
        };
        let (anchor, rest) = if let Some(rest) = text.strip_prefix("**/") {
            (Anchor::Any, rest)
        } else if text == "~" {
            (Anchor::Home, "")
        } else if let Some(rest) = text.strip_prefix("~/") {
            (Anchor::Home, rest)
        } else {
            let rest = text.strip_prefix('/').or(deep.then_some(text))?;
            (Anchor::Root, rest)
        };
        let parts: Vec<Glob> = rest
            .split('/')
            .filter(|part| !part.is_empty())
            .map(Glob::new)
            .collect();
        let climbs = rest
            .split('/')
            .any(|part| matches!(part, "." | ".." | "**"));
        (!climbs && (anchor != Anchor::Any || !parts.is_empty())).then_some(Self {
            anchor,
            parts,
            deep,
        })
    }

    fn holds(&self, home: bool, parts: &[Part<'_>]) -> bool {
        let starts = match self.anchor {
            Anchor::Root if home => return false,
            Anchor::Home if !home => return false,
            Anchor::Root | Anchor::Home => 0..1,
            Anchor::Any => 0..parts.len(),
        };
        starts.into_iter().any(|start| {
            let Some(parts) = parts.get(start..) else {
                return false;
            };
            let long_enough = if self.deep {
                parts.len() >= self.parts.len()
            } else {
                parts.len() == self.parts.len()
            };
            long_enough
                && self
                    .parts
                    .iter()
                    .zip(parts)
                    .all(|(glob, part)| part.could_be(glob))
        })
    }
}

impl Part<'_> {
    fn could_be(&self, glob: &Glob) -> bool {
        match self.behind {
            None => glob.matches(self.before),
            // A shell's glob matches no name that begins with a dot, unless it says so.
            Some(_) if self.before.is_empty() && glob.text().starts_with('.') => false,
            Some(behind) if glob.is_literal() => {
                let own = glob.text();
                own.len() >= self.before.len() + behind.len()
                    && own.starts_with(self.before)
                    && own.ends_with(behind)
            }
            Some(behind) => glob.could_match(&[
                Piece::Known(self.before),
                Piece::Unknown,
                Piece::Known(behind),
            ]),
        }
    }

    /// Whether it stands for everything in its directory: `*`, `?*`, `.*`, `[a-z]*`.
    fn is_everything(&self) -> bool {
        matches!(self.before, "" | ".") && self.behind == Some("")
    }
}

impl Class {
    /// Adds a place.
    ///
    /// # Errors
    /// The text is no place: not absolute, not below `~` and not `**/…`.
    pub(super) fn add(&mut self, text: &str) -> Result<(), ()> {
        match text.strip_prefix('!') {
            Some(exception) => self.own.exceptions.push(Place::read(exception).ok_or(())?),
            None => self.own.add(Place::read(text).ok_or(())?),
        }
        Ok(())
    }

    /// Adds another class, whose exceptions hold for its own places only. An exception that is added by
    /// itself holds for everything.
    pub(super) fn unite(&mut self, other: &Self) {
        for group in std::iter::once(&other.own).chain(&other.others) {
            if group.exceptions.is_empty() {
                group.places.iter().for_each(|it| self.own.add(it.clone()));
            } else {
                self.others.push(group.clone());
            }
        }
    }

    /// Whether the path may lie in the class.
    pub(super) fn holds(&self, reach: &Reach<'_>) -> bool {
        let Reach::Paths(paths) = reach else {
            return true;
        };
        paths.iter().any(|path| {
            !self.own.excepts(path)
                && (self.own.holds(path) || self.others.iter().any(|group| group.holds(path)))
        })
    }
}

impl Group {
    /// SECURITY: what is open may be anything, so no exception covers it.
    fn excepts(&self, path: &Path<'_>) -> bool {
        let certain = path.parts.iter().all(|part| part.behind.is_none());
        certain
            && self
                .exceptions
                .iter()
                .any(|it| it.holds(path.home, &path.parts))
    }

    fn add(&mut self, place: Place) {
        let at = self.places.len();
        let index = match place.anchor {
            Anchor::Root => Some(&mut self.rooted),
            Anchor::Any => Some(&mut self.anywhere),
            Anchor::Home => None,
        };
        let first = place.parts.first().filter(|first| first.is_literal());
        match index.zip(first) {
            Some((index, first)) => index.entry(first.text().into()).or_default().push(at),
            None => self.elsewhere.push(at),
        }
        self.places.push(place);
    }

    /// Whether one of the places holds what the parts say.
    fn holds_parts(&self, home: bool, parts: &[Part<'_>]) -> bool {
        let holds = |at: &usize| self.places.get(*at).is_some_and(|it| it.holds(home, parts));
        // What is open may be any name, so no index helps there.
        let first = parts.first();
        if first.is_some_and(|first| first.behind.is_some()) {
            return self.places.iter().any(|it| it.holds(home, parts));
        }
        let rooted = first.filter(|_| !home);
        let rooted = rooted.and_then(|first| self.rooted.get(first.before));
        let open = parts.iter().any(|part| part.behind.is_some());
        let all = self.anywhere.values().filter(|_| open);
        let named = parts.iter().filter(|_| !open);
        let named = named.filter_map(|part| self.anywhere.get(part.before));
        let places = rooted.into_iter().chain(all).chain(named).flatten();
        places.chain(&self.elsewhere).any(holds)
    }

    fn holds(&self, path: &Path<'_>) -> bool {
        if self.excepts(path) {
            return false;
        }
        let mut parts = path.parts.as_slice();
        loop {
            if self.holds_parts(path.home, parts) {
                return true;
            }
            // Everything in a directory is as much as the directory.
            match parts.split_last() {
                Some((last, shorter)) if last.is_everything() => parts = shorter,
                _ => return false,
            }
        }
    }
}

impl<'a> Reach<'a> {
    /// The directory in which a command runs.
    pub(super) fn here(whereabouts: &'a Whereabouts) -> Self {
        if whereabouts.is_anywhere() {
            return Self::Anything;
        }
        whereabouts
            .directories()
            .map(|base| resolved(&[base], None, 0))
            .collect::<Option<Vec<_>>>()
            .map_or(Self::Anything, Self::Paths)
    }

    /// What a word's text from byte `from` on says of a path.
    pub(super) fn of(word: &'a Word, from: usize, whereabouts: &'a Whereabouts) -> Self {
        let offsets = word.glob_offsets();
        if word.dynamic || word.glob && offsets.is_empty() {
            return Self::Anything;
        }
        let Some(text) = word.text.get(from..) else {
            return Self::Anything;
        };
        // SECURITY: something on the way may fold what only looks like a slash into one.
        if text.contains(SLASHES) {
            return Self::Anything;
        }
        let tilde = word.tilde && from == 0;
        let home = tilde && (text == "~" || text.starts_with("~/"));
        if tilde && !home {
            return Self::Anything;
        }
        if text.starts_with('/') || home {
            return resolved(&[text], Some(word), from)
                .map_or(Self::Anything, |path| Self::Paths(vec![path]));
        }
        if whereabouts.is_anywhere() {
            return Self::Anything;
        }
        whereabouts
            .directories()
            .map(|base| resolved(&[base, text], Some(word), from))
            .collect::<Option<Vec<_>>>()
            .map_or(Self::Anything, Self::Paths)
    }
}

/// The path of a directory and a text behind it. `None` where it climbs above what is known.
fn resolved<'a>(texts: &[&'a str], word: Option<&Word>, from: usize) -> Option<Path<'a>> {
    let slashes = |text: &&str| text.bytes().filter(|byte| *byte == b'/').count();
    if texts.iter().map(slashes).sum::<usize>() > PARTS_MAX {
        return None;
    }
    let mut home = false;
    let mut parts: Vec<Part<'a>> = Vec::new();
    let last = texts.len().saturating_sub(1);
    for (index, text) in texts.iter().enumerate() {
        let mut at = from;
        for (position, part) in text.split('/').enumerate() {
            let start = at;
            at = at.saturating_add(part.len() + 1);
            match part {
                "" | "." => {}
                "~" if index == 0 && position == 0 => home = true,
                ".." => {
                    if parts.pop().is_none() && home {
                        return None;
                    }
                }
                _ => parts.push(match word.filter(|_| index == last) {
                    Some(word) => opened(part, start, word),
                    None => Part {
                        before: part,
                        behind: None,
                    },
                }),
            }
        }
    }
    through_proc(&mut parts).then_some(Path { home, parts })
}

/// SECURITY: `/proc/self/root/etc` is `/etc`, and `/proc/self/cwd` is anywhere.
fn through_proc(parts: &mut Vec<Part<'_>>) -> bool {
    // Each round takes parts away.
    while parts
        .first()
        .is_some_and(|part| part.before == "proc" && part.behind.is_none())
    {
        let door = match parts.get(2).map(|part| (part.before, part.behind)) {
            Some(("task", None)) => 4,
            _ => 2,
        };
        match parts.get(door).map(|part| (part.before, part.behind)) {
            Some(("root", None)) => {
                parts.drain(..=door);
            }
            Some(("cwd", None)) => return false,
            Some((_, Some(_))) => return false,
            _ => return true,
        }
    }
    true
}

/// A part of a word's text that begins at byte `start` of it.
fn opened<'a>(part: &'a str, start: usize, word: &Word) -> Part<'a> {
    let end = start.saturating_add(part.len());
    let offsets = word.glob_offsets();
    let before = |limit: usize| {
        offsets.partition_point(|at| usize::try_from(*at).is_ok_and(|at| at < limit))
    };
    let mut open = offsets
        .get(before(start)..before(end))
        .unwrap_or_default()
        .iter()
        .filter_map(|offset| usize::try_from(*offset).ok());
    let Some(first) = open.next() else {
        return Part {
            before: part,
            behind: None,
        };
    };
    let last = open.next_back().unwrap_or(first);
    Part {
        before: part.get(..first - start).unwrap_or_default(),
        behind: Some(part.get(last + 1 - start..).unwrap_or_default()),
    }
}
