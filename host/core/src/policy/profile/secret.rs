//! Which paths hold secrets, by their text.
//!
//! A pattern is a path with `*` and `?` within a part; `**` at its beginning is any directory, at its
//! end everything below. Paths come as a program gets them and are normalised here.
//!
//! Must not: look at a disk. LIMIT: a link on the host may lead to a secret under another name.

use super::super::path;
use super::globs::{Step, fits, meet, steps};
use std::cmp::Ordering;

/// Most parts of a path that are compared; a longer path counts as secret.
const PARTS_MAX: usize = 128;
/// Longest name that is compared with globs; a longer one counts as a secret's.
const NAME_BYTES_MAX: usize = 128;
/// Fewest fixed characters that tell a secret by the last part of a relative path alone.
const FIXED_MIN: usize = 6;
/// The same for a path that climbs out of the directory that the command runs in.
const FIXED_CLIMBING_MIN: usize = 2;

/// Most parts of the paths that take little room to be looked at.
const PARTS_FEW: usize = 16;

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// Whether it begins at the root; else it holds in any directory.
    rooted: bool,
    parts: Vec<Part>,
    /// Whether everything below is meant.
    below: bool,
}

/// One part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    text: Box<str>,
    /// Whether there is a `*` or `?` in it.
    wild: bool,
    /// Length of what stands before the first of them.
    head: usize,
    /// Length of what stands behind the last of them.
    tail: usize,
}

impl Part {
    fn new(text: &str) -> Self {
        let wild = text.contains(['*', '?']);
        Self {
            text: text.into(),
            wild,
            head: text.find(['*', '?']).unwrap_or(text.len()),
            tail: match text.rfind(['*', '?']) {
                Some(at) => text.len() - at - 1,
                None => text.len(),
            },
        }
    }

    fn head(&self) -> &str {
        self.text.get(..self.head).unwrap_or_default()
    }

    fn tail(&self) -> &str {
        let from = self.text.len() - self.tail;
        self.text.get(from..).unwrap_or_default()
    }

    /// The byte that it begins with, where that is known.
    fn first(&self) -> Option<u8> {
        self.head().bytes().next()
    }

    /// Whether each name that a glob may become is one of these.
    fn covers(&self, name: Name<'_>) -> bool {
        if !name.open {
            return overlap(self, name);
        }
        // The same ending behind a `*` of its own.
        self.text
            .strip_prefix('*')
            .is_some_and(|own| !own.contains(['*', '?']) && name.tail.ends_with(own))
    }
}

/// One part of a path.
#[derive(Debug, Clone, Copy, Default)]
struct Name<'a> {
    text: &'a str,
    /// Whether it is a glob.
    open: bool,
    /// What stands before its first `*`, `?` or `[`.
    head: &'a str,
    /// What stands behind its last `*`, `?` or `]`.
    tail: &'a str,
}

impl<'a> Name<'a> {
    fn new(text: &'a str, glob: bool) -> Self {
        let first = match glob {
            true => text.find(['*', '?', '[']),
            false => None,
        };
        let Some(first) = first else {
            return Self {
                text,
                open: false,
                head: text,
                tail: text,
            };
        };
        Self {
            text,
            open: true,
            head: text.get(..first).unwrap_or_default(),
            tail: text.rsplit(['*', '?', ']']).next().unwrap_or_default(),
        }
    }

    /// The byte that it begins with, where that is known.
    fn first(&self) -> Option<u8> {
        self.head.bytes().next()
    }
}

/// Where a pattern may be met: at one of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    /// The byte that the part begins with; `None` for any.
    first: Option<u8>,
    /// The byte that the next part begins with; `None` for any, or where there is none.
    second: Option<u8>,
    /// Whether everything below is meant.
    below: bool,
    /// How many parts there are from this one on.
    length: usize,
    /// Position of the pattern.
    pattern: usize,
    /// Position of the part in it.
    from: usize,
}

/// Starts, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Starts {
    list: Vec<Start>,
    /// How many of them may begin with any byte.
    open: usize,
    /// The last seven bits of the others' first bytes, one bit for each.
    bytes: u128,
}

/// Patterns, found by what they begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Patterns {
    all: Vec<Pattern>,
    /// Those that begin at the root.
    rooted: Starts,
    /// The same at each of their parts, for a path of which the beginning is not known.
    within: Starts,
    /// Those that hold in any directory.
    anywhere: Starts,
}

/// The paths that hold secrets, and the exceptions among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SecretPaths {
    patterns: Patterns,
    except: Patterns,
}

/// What is known of a path.
#[derive(Debug, Clone, Copy)]
struct Path<'a> {
    rooted: bool,
    parts: &'a [Name<'a>],
    /// Whether `*`, `?` and `[` in it are globs.
    glob: bool,
    /// Whether it is relative and begins by going up.
    climbs: bool,
}

impl SecretPaths {
    /// Adds a pattern; `!` before it makes an exception. `false` where it names nothing.
    pub(crate) fn add(&mut self, text: &str) -> bool {
        let (list, text) = match text.strip_prefix('!') {
            Some(text) => (&mut self.except, text),
            None => (&mut self.patterns, text),
        };
        let rooted = text.starts_with('/');
        let text = text.strip_prefix("**/").unwrap_or(text);
        let (text, below) = match text.strip_suffix("/**") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let parts: Vec<Part> = text
            .split('/')
            .filter(|part| !part.is_empty())
            .map(Part::new)
            .collect();
        if parts.is_empty() || parts.iter().any(|part| part.text.contains("**")) {
            return false;
        }
        list.add(Pattern {
            rooted,
            parts,
            below,
        });
        true
    }

    /// Whether a path holds secrets.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.judge(text, false, false)
    }

    /// Whether a path may hold secrets: with globs in it, or with all that lies below it.
    pub(crate) fn may_hold(&self, text: &str, glob: bool, recursive: bool) -> bool {
        self.judge(text, glob, recursive)
    }

    fn judge(&self, text: &str, glob: bool, recursive: bool) -> bool {
        // SECURITY: behind a link `..` leads elsewhere: `/var/run/../etc/shadow` is `/etc/shadow`.
        let linked = text.strip_prefix('/').filter(|_| path::climbs(text));
        self.names(text, glob, recursive)
            || linked.is_some_and(|text| self.names(text, glob, recursive))
    }

    fn names(&self, text: &str, glob: bool, recursive: bool) -> bool {
        match text.bytes().filter(|byte| *byte == b'/').count() < PARTS_FEW {
            true => self.names_in::<PARTS_FEW>(text, glob, recursive),
            false => self.names_in::<PARTS_MAX>(text, glob, recursive),
        }
    }

    /// As [`names`](Self::names), with room for the parts; where that is not enough, the path counts as secret.
    fn names_in<const ROOM: usize>(&self, text: &str, glob: bool, recursive: bool) -> bool {
        let home = text.starts_with('~');
        // A home directory is not known: what is behind `~user/` is judged as a relative path.
        let text = match text.split_once('/') {
            Some((_, rest)) if home => rest,
            None if home => "",
            _ => text,
        };
        let normal = path::normalise(text);
        let rooted = normal.starts_with('/');
        let shown = match path::below_somewhere(&normal) {
            Some(rest) => rest,
            None => &normal,
        };
        let mut parts = [Name::default(); ROOM];
        let mut count = 0;
        for part in shown
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
        {
            let Some(slot) = parts.get_mut(count) else {
                return true;
            };
            *slot = Name::new(part, glob);
            count += 1;
        }
        let path = seen_through(Path {
            rooted,
            parts: parts.get(..count).unwrap_or_default(),
            glob,
            climbs: !rooted && path::climbs(text),
        });
        if path.parts.is_empty() {
            // The root, a home or the directory that the command runs in, which is a home at first.
            return recursive;
        }
        self.patterns.meet(path, recursive)
            && (recursive && !self.patterns.meet(path, false)
                || !match path.glob {
                    true => self.except.all.iter().any(|pattern| pattern.covers(path)),
                    false => self.except.meet(path, false),
                })
    }
}

/// Takes off what names the same tree again: `/proc/self/root/etc` is `/etc`.
fn seen_through(mut path: Path<'_>) -> Path<'_> {
    // Each round takes off two parts at least.
    while path.parts.first().is_some_and(|part| part.text == "proc") {
        let named = |at: usize| path.parts.get(at).map(|part| part.text);
        let door = match (named(2), named(4)) {
            (Some("root" | "cwd"), _) => 2,
            (Some("task"), Some("root" | "cwd")) => 4,
            _ => break,
        };
        path.rooted &= named(door) == Some("root");
        path.parts = path.parts.get(door + 1..).unwrap_or_default();
    }
    path
}

impl Patterns {
    fn add(&mut self, pattern: Pattern) {
        let at = self.all.len();
        let start = |from: usize| Start {
            first: pattern.parts.get(from).and_then(Part::first),
            second: pattern.parts.get(from + 1).and_then(Part::first),
            below: pattern.below,
            length: pattern.parts.len() - from,
            pattern: at,
            from,
        };
        if pattern.rooted {
            self.rooted.add(start(0));
            for from in 0..pattern.parts.len() {
                self.within.add(start(from));
            }
        } else {
            self.anywhere.add(start(0));
        }
        self.all.push(pattern);
    }

    /// Whether one of them is about a path, or about what lies below it.
    fn meet(&self, path: Path<'_>, recursive: bool) -> bool {
        let listed = match path.rooted {
            true => &self.rooted,
            false => &self.within,
        };
        let from_here = |start: &Start| {
            self.all.get(start.pattern).is_some_and(|pattern| {
                if path.rooted {
                    return pattern.agrees(0, path.parts, recursive);
                }
                // A relative path may begin at any part, as long as what is left of the pattern says enough.
                let rest = pattern.parts.get(start.from..).unwrap_or_default();
                says_enough(rest, pattern.below, path.climbs)
                    && pattern.agrees(start.from, path.parts, recursive && start.from == 0)
                    && aims(rest, path.parts)
            })
        };
        // What holds in any directory may begin at any part of the path. An ancestor is anything.
        let anywhere = |at: usize| {
            let parts = path.parts.get(at..).unwrap_or_default();
            self.anywhere.like(parts, recursive).any(|start| {
                self.all.get(start.pattern).is_some_and(|pattern| {
                    // SECURITY: behind a part that is told by its name, a bare `*` means what lies there.
                    pattern.agrees(0, parts, recursive) && aims(&pattern.parts, parts)
                })
            })
        };
        listed.like(path.parts, recursive).any(from_here) || (0..path.parts.len()).any(anywhere)
    }
}

impl Starts {
    fn add(&mut self, start: Start) {
        let at = self.list.partition_point(|other| *other < start);
        self.list.insert(at, start);
        match start.first {
            None => self.open += 1,
            Some(byte) => self.bytes |= 1_u128 << (byte & 127),
        }
    }

    /// Those that may begin like a path, and are as long.
    fn like<'s>(
        &'s self,
        path: &[Name<'_>],
        recursive: bool,
    ) -> impl Iterator<Item = &'s Start> + use<'s> {
        let first = path.first().and_then(Name::first);
        let second = path.get(1).and_then(Name::first);
        let length = path.len();
        let (open, named) = match first {
            None => (self.list.as_slice(), &[][..]),
            Some(byte) => {
                let (open, named) = self.list.split_at_checked(self.open).unwrap_or_default();
                match self.bytes & (1_u128 << (byte & 127)) {
                    0 => (open, &[][..]),
                    _ => (open, beginning(named, byte)),
                }
            }
        };
        let fits = move |start: &&Start| {
            let long_enough = match start.length.cmp(&length) {
                Ordering::Less => start.below,
                Ordering::Equal => true,
                Ordering::Greater => recursive,
            };
            long_enough && (start.second.is_none() || second.is_none() || start.second == second)
        };
        open.iter().chain(named).filter(fits)
    }
}

fn beginning(list: &[Start], byte: u8) -> &[Start] {
    let from = list.partition_point(|start| start.first < Some(byte));
    let rest = list.get(from..).unwrap_or_default();
    let to = rest.partition_point(|start| start.first == Some(byte));
    rest.get(..to).unwrap_or_default()
}

impl Pattern {
    /// Whether the pattern, from one of its parts on, is about a path, or about what lies below it.
    fn agrees(&self, from: usize, path: &[Name<'_>], recursive: bool) -> bool {
        let own = self.parts.get(from..).unwrap_or_default();
        let long_enough = match own.len().cmp(&path.len()) {
            Ordering::Less => self.below,
            Ordering::Equal => true,
            // SECURITY: to read a directory with all that lies in it reads the secret too.
            Ordering::Greater => recursive,
        };
        long_enough && own.iter().zip(path).all(|(own, name)| overlap(own, *name))
    }

    /// Whether all that a path with globs in it may become is meant.
    fn covers(&self, path: Path<'_>) -> bool {
        let Some(from) = path.parts.len().checked_sub(self.parts.len()) else {
            return false;
        };
        let parts = path.parts.get(from..).unwrap_or_default();
        let whole = !self.rooted || path.rooted && from == 0;
        whole
            && !self.below
            && self
                .parts
                .iter()
                .zip(parts)
                .all(|(own, name)| own.covers(*name))
    }
}

/// Whether the rest of a pattern tells a secret without the directories before it.
fn says_enough(parts: &[Part], below: bool, climbs: bool) -> bool {
    match parts {
        [] => false,
        [only] => {
            let mark = |c: &char| !matches!(c, '*' | '?');
            let fixed = only.text.chars().filter(mark).count();
            if climbs {
                fixed >= FIXED_CLIMBING_MIN
            } else {
                fixed >= FIXED_MIN && !below
            }
        }
        [first, ..] => !first.wild,
    }
}

/// Whether the first part of a path, if it is a glob, was written with a pattern's names in mind.
fn aims(own: &[Part], parts: &[Name<'_>]) -> bool {
    match (own.first(), parts.first()) {
        (Some(own), Some(name)) if name.open => points_at(own, *name),
        _ => true,
    }
}

/// Whether a glob was written with such names in mind. A bare `*` in an ordinary directory was not,
/// and whatever else it may meet, it is how people read logs.
fn points_at(own: &Part, name: Name<'_>) -> bool {
    let Name { head, tail, .. } = name;
    if own.wild {
        // What ends in a dot and an ending of its own is meant, or the whole is (`*.log`, `*.key`).
        tail.len() >= 2 && own.tail >= 2 || head.len() >= 4 && own.text.starts_with(head)
    } else {
        head.starts_with('.') || head.len() + tail.len() >= 2
    }
}

/// Whether a part of a pattern and a part of a path can be the same name. In a path, a set counts as
/// any one character.
fn overlap(own: &Part, name: Name<'_>) -> bool {
    if name.open {
        return may_meet(own, name);
    }
    if !own.wild {
        return own.text.as_ref() == name.text;
    }
    let (own_text, text) = (own.text.as_bytes(), name.text.as_bytes());
    // A star in both, where the path has no globs, is the same name.
    text.starts_with(own.head().as_bytes())
        && text.ends_with(own.tail().as_bytes())
        && fits(own_text, text)
}

/// As [`overlap`], for a part of a path that is a glob.
fn may_meet(own: &Part, name: Name<'_>) -> bool {
    // A shell's `*` takes no dot at the beginning of a name.
    if name.head.is_empty() && own.text.starts_with('.') {
        return false;
    }
    // A quick look at both ends, and at the length, spares nearly all of the work below.
    let Name {
        text, head, tail, ..
    } = name;
    let (own_head, own_tail) = (own.head(), own.tail());
    if !head.starts_with(own_head) && !own_head.starts_with(head)
        || !tail.ends_with(own_tail) && !own_tail.ends_with(tail)
    {
        return false;
    }
    let own = own.text.as_ref();
    let fewest = text.bytes().filter(|b| *b != b'*').count();
    if !own.contains('*') && !text.contains('[') && fewest > own.len() {
        return false;
    }
    if text.len() > NAME_BYTES_MAX {
        return true;
    }
    let own: Vec<Step> = own.chars().map(Step::of).collect();
    meet(&own, &steps(text))
}
