//! Which paths hold secrets, by their text.
//!
//! A pattern is a path with `*` and `?` within a part; `**` at its beginning is any directory, at its
//! end everything below. Paths come as a program gets them and are normalised here.
//!
//! Must not: look at a disk. LIMIT: a link on the host may lead to a secret under another name.

use super::super::path;

/// Most parts of a path that are compared; a longer path counts as secret.
const PARTS_MAX: usize = 128;
/// Longest name that is compared with globs; a longer one counts as a secret's.
const NAME_BYTES_MAX: usize = 128;
/// Fewest fixed characters that tell a secret by the last part of a relative path alone.
const FIXED_MIN: usize = 6;
/// The same for a path that climbs out of the directory that the command runs in.
const FIXED_CLIMBING_MIN: usize = 2;

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
}

impl Part {
    fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            wild: text.contains(['*', '?']),
        }
    }
}

impl Part {
    /// Whether each name that a glob may become is one of these.
    fn covers(&self, part: &str) -> bool {
        if !part.contains(['*', '?', '[']) {
            return overlap(self, part, false);
        }
        // The same ending behind a `*` of its own.
        let tail = part.rsplit(['*', '?', ']']).next().unwrap_or_default();
        self.text
            .strip_prefix('*')
            .is_some_and(|own| !own.contains(['*', '?']) && tail.ends_with(own))
    }
}

/// The paths that hold secrets, and the exceptions among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SecretPaths {
    patterns: Vec<Pattern>,
    except: Vec<Pattern>,
}

/// What is known of a path.
#[derive(Debug, Clone, Copy)]
struct Path<'a> {
    rooted: bool,
    parts: &'a [&'a str],
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
        list.push(Pattern {
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
        let mut parts = [""; PARTS_MAX];
        let mut count = 0;
        for part in shown
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
        {
            let Some(slot) = parts.get_mut(count) else {
                return true;
            };
            *slot = part;
            count += 1;
        }
        let parts = parts.get(..count).unwrap_or_default();
        let path = seen_through(Path {
            rooted,
            parts,
            glob,
            climbs: !rooted && path::climbs(text),
        });
        if path.parts.is_empty() {
            // The root, a home or the directory that the command runs in, which is a home at first.
            return recursive;
        }
        let found = self
            .patterns
            .iter()
            .any(|pattern| pattern.meets(path, recursive));
        let excepted = |pattern: &Pattern| match path.glob {
            true => pattern.covers(path),
            false => pattern.meets(path, false),
        };
        found
            && (recursive && !self.patterns.iter().any(|p| p.meets(path, false))
                || !self.except.iter().any(excepted))
    }
}

/// Takes off what names the same tree again: `/proc/self/root/etc` is `/etc`.
fn seen_through(mut path: Path<'_>) -> Path<'_> {
    // Each round takes off two parts at least.
    while path.rooted || path.parts.first() == Some(&"proc") {
        let rest = match path.parts {
            ["proc", _, "root", rest @ ..] | ["proc", _, "task", _, "root", rest @ ..] => rest,
            ["proc", _, "cwd", rest @ ..] | ["proc", _, "task", _, "cwd", rest @ ..] => {
                path.rooted = false;
                path.parts = rest;
                continue;
            }
            _ => break,
        };
        path.parts = rest;
    }
    path
}

impl Pattern {
    fn meets(&self, path: Path<'_>, recursive: bool) -> bool {
        if self.rooted && path.rooted {
            return self.meets_from(&self.parts, path, recursive);
        }
        if self.rooted {
            // A relative path may begin at any part, as long as what is left of the pattern says enough.
            return (0..self.parts.len()).any(|from| {
                let rest = self.parts.get(from..).unwrap_or_default();
                says_enough(rest, self.below, path.climbs)
                    && aims(rest, path.parts, path.glob)
                    && self.meets_from(rest, path, recursive && from == 0)
            });
        }
        // It holds in any directory, so it may begin at any part of the path. An ancestor is anything.
        // SECURITY: to read `.aws` with all that lies in it reads `.aws/credentials`.
        if recursive && self.begins_at_the_end(path) {
            return true;
        }
        let Some(last) = path.parts.len().checked_sub(self.parts.len()) else {
            return false;
        };
        let first = if self.below { 0 } else { last };
        (first..=last).any(|from| {
            let parts = path.parts.get(from..).unwrap_or_default();
            // SECURITY: behind a part that is told by its name, a bare `*` means what lies there.
            let aims = aims(&self.parts, parts, path.glob);
            let agree = |(own, part): (&Part, &&str)| overlap(own, part, path.glob);
            aims && self.parts.iter().zip(parts).all(agree)
        })
    }

    /// Whether a path ends in the first parts of a pattern, and not in all of them.
    fn begins_at_the_end(&self, path: Path<'_>) -> bool {
        let most = path.parts.len().min(self.parts.len().saturating_sub(1));
        (1..=most).any(|shared| {
            let from = path.parts.len() - shared;
            let parts = path.parts.get(from..).unwrap_or_default();
            aims(&self.parts, parts, path.glob)
                && self
                    .parts
                    .iter()
                    .zip(parts)
                    .all(|(own, part)| overlap(own, part, path.glob))
        })
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
                .all(|(own, part)| own.covers(part))
    }

    fn meets_from(&self, parts: &[Part], path: Path<'_>, recursive: bool) -> bool {
        let shared = parts.len().min(path.parts.len());
        let agree = parts
            .iter()
            .zip(path.parts)
            .all(|(own, part)| overlap(own, part, path.glob));
        agree
            && if path.parts.len() > shared {
                self.below
            } else if shared < parts.len() {
                // SECURITY: to read a directory with all that lies in it reads the secret too.
                recursive
            } else {
                true
            }
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
fn aims(own: &[Part], parts: &[&str], glob: bool) -> bool {
    match (own.first(), parts.first()) {
        (Some(own), Some(part)) if glob && part.contains(['*', '?', '[']) => points_at(own, part),
        _ => true,
    }
}

/// Whether a glob was written with such names in mind. A bare `*` in an ordinary directory was not,
/// and whatever else it may meet, it is how people read logs.
fn points_at(own: &Part, part: &str) -> bool {
    let tail = part.rsplit(['*', '?', ']']).next().unwrap_or_default();
    let head = part.split(['*', '?', '[']).next().unwrap_or_default();
    if own.wild {
        // What ends in a dot and an ending of its own is meant, or the whole is (`*.log`, `*.key`).
        let own_tail = own.text.rsplit(['*', '?']).next().unwrap_or_default();
        tail.len() >= 2 && own_tail.len() >= 2 || head.len() >= 4 && own.text.starts_with(head)
    } else {
        head.starts_with('.') || head.len() + tail.len() >= 2
    }
}

/// Whether a part of a pattern and a part of a path can be the same name. In a path, a set counts as
/// any one character.
fn overlap(own: &Part, part: &str, glob: bool) -> bool {
    let wild = own.wild;
    let own = own.text.as_ref();
    if !(glob && part.contains(['*', '?', '['])) {
        return own == part || wild && fits(own.as_bytes(), part.as_bytes());
    }
    may_meet(own, part)
}

/// As [`overlap`], for a part of a path that is a glob.
fn may_meet(own: &str, part: &str) -> bool {
    // A shell's `*` takes no dot at the beginning of a name.
    if part.starts_with(['*', '?', '[']) && own.starts_with('.') {
        return false;
    }
    // A quick look at both ends, and at the length, spares nearly all of the work below.
    let fixed = part.split(['*', '?', '[']).next().unwrap_or_default();
    let own_fixed = own.split(['*', '?']).next().unwrap_or_default();
    if !fixed.starts_with(own_fixed) && !own_fixed.starts_with(fixed) {
        return false;
    }
    let fixed = part.rsplit(['*', '?', ']']).next().unwrap_or_default();
    let own_fixed = own.rsplit(['*', '?']).next().unwrap_or_default();
    if !fixed.ends_with(own_fixed) && !own_fixed.ends_with(fixed) {
        return false;
    }
    let fewest = part.bytes().filter(|b| *b != b'*').count();
    if !own.contains('*') && !part.contains('[') && fewest > own.len() {
        return false;
    }
    if part.len() > NAME_BYTES_MAX {
        return true;
    }
    let own: Vec<Step> = own.chars().map(Step::of).collect();
    meet(&own, &steps(part))
}

/// Whether a pattern of `*` and `?` is that of a name. Each step either passes a byte of the name or
/// begins again one byte later behind the last `*`, so the work is at most the product of the lengths.
fn fits(own: &[u8], name: &[u8]) -> bool {
    let (mut i, mut j) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while j < name.len() {
        match own.get(i) {
            Some(b'*') => {
                i += 1;
                again = Some((i, j));
            }
            Some(c) if *c == b'?' || Some(c) == name.get(j) => {
                i += 1;
                j += 1;
            }
            _ => {
                let Some((behind, from)) = again else {
                    return false;
                };
                again = Some((behind, from + 1));
                (i, j) = (behind, from + 1);
            }
        }
    }
    own.get(i..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Char(char),
    One,
    Run,
}

impl Step {
    fn of(c: char) -> Self {
        match c {
            '*' => Self::Run,
            '?' => Self::One,
            other => Self::Char(other),
        }
    }

    fn may_be(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(a), Self::Char(b)) => a == b,
            _ => true,
        }
    }
}

/// A shell's glob as steps.
fn steps(part: &str) -> Vec<Step> {
    let mut steps = Vec::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        let rest = chars.as_str();
        match rest.find(']').filter(|_| c == '[') {
            Some(close) => {
                steps.push(Step::One);
                chars = rest.get(close + 1..).unwrap_or_default().chars();
            }
            None => steps.push(Step::of(c)),
        }
    }
    steps
}

/// Whether two patterns have a text in common: a table of which ends of the one meet which of the other.
fn meet(own: &[Step], part: &[Step]) -> bool {
    // `row[j]`: the rest of `own` from the row's step on meets `part[j..]`.
    let width = part.len() + 1;
    let mut below = vec![false; width];
    for i in (0..=own.len()).rev() {
        let mut row = vec![false; width];
        for j in (0..width).rev() {
            let a = own.get(i).copied();
            let b = part.get(j).copied();
            let at = |list: &[bool], index: usize| list.get(index).copied().unwrap_or(false);
            let found = match (a, b) {
                (None, None) => true,
                (Some(Step::Run), _) if at(&below, j) => true,
                (_, Some(Step::Run)) if at(&row, j + 1) => true,
                (Some(Step::Run), Some(_)) => at(&row, j + 1),
                (Some(_), Some(Step::Run)) => at(&below, j),
                (Some(a), Some(b)) => a.may_be(b) && at(&below, j + 1),
                (None, Some(_)) | (Some(_), None) => false,
            };
            if let Some(slot) = row.get_mut(j) {
                *slot = found;
            }
        }
        below = row;
    }
    below.first().copied().unwrap_or(false)
}
