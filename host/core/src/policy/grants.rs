//! What a rule grants and asks for besides its words: users, paths, variables.
//!
//! Must not: match commands, or know profiles.

use super::Capability;
use super::capability::{Need, PathUse, UsedPath};
use super::glob::Glob;
use super::path;

/// The word in `run_as` for whoever logged in.
const LOGIN: &str = "login";

/// A pattern for paths: `*` and `?` stay within one part between slashes, `**` stands for any parts.
#[derive(Debug, Clone)]
pub(crate) struct PathGlob {
    parts: Vec<Option<Glob>>,
    literal: bool,
}

impl PathGlob {
    /// Reads a pattern; `None` where it is no absolute, normalised path.
    pub(crate) fn new(text: &str) -> Option<Self> {
        if !text.starts_with('/') || path::climbs(text) || path::normalise(text) != text {
            return None;
        }
        let parts: Vec<Option<Glob>> = text
            .trim_matches('/')
            .split('/')
            .map(|part| (part != "**").then(|| Glob::new(part)))
            .collect();
        let literal = parts
            .iter()
            .all(|part| part.as_ref().is_some_and(Glob::is_literal));
        Some(Self { parts, literal })
    }

    /// Whether an absolute path is one of these. A path that climbs or is relative never is.
    pub(crate) fn matches(&self, text: &str) -> bool {
        if !text.starts_with('/') || path::climbs(text) {
            return false;
        }
        let normal = path::normalise(text);
        let parts: Vec<&str> = normal.trim_matches('/').split('/').collect();
        // Which of the pattern's parts may come next, for each part of the path: linear in both.
        let mut live = vec![false; self.parts.len() + 1];
        if let Some(first) = live.first_mut() {
            *first = true;
        }
        self.skip_any(&mut live);
        for part in parts {
            let mut next = vec![false; live.len()];
            for (index, own) in self.parts.iter().enumerate() {
                if live.get(index) != Some(&true) {
                    continue;
                }
                let to = match own {
                    None => index,
                    Some(glob) if glob.matches(part) => index + 1,
                    Some(_) => continue,
                };
                if let Some(state) = next.get_mut(to) {
                    *state = true;
                }
            }
            self.skip_any(&mut next);
            live = next;
        }
        live.last().copied().unwrap_or(false)
    }

    /// `**` may stand for no part at all.
    fn skip_any(&self, live: &mut [bool]) {
        for (index, own) in self.parts.iter().enumerate() {
            if own.is_none()
                && live.get(index) == Some(&true)
                && let Some(state) = live.get_mut(index + 1)
            {
                *state = true;
            }
        }
    }
}

/// The keys of a rule that say more than which words it is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants {
    /// The users that the command may run as; `None` where the rule does not say.
    pub(crate) run_as: Option<Vec<String>>,
    /// Which files may be written.
    pub(crate) write_paths: Vec<PathGlob>,
    /// Which files may be read; `None` where the rule does not restrict that.
    pub(crate) read_paths: Option<Vec<PathGlob>>,
    /// The directories that every path has to lie in; `None` where the rule does not restrict that.
    pub(crate) within: Option<Vec<String>>,
    /// The variables that may be set.
    pub(crate) env: Vec<Glob>,
    /// Whether programs that are known to give a shell are meant.
    pub(crate) unsafe_ok: bool,
    /// Whether a human has to approve.
    pub(crate) require_approval: bool,
}

impl Grants {
    /// Whether the command may run as a user; `None` is whoever logged in.
    pub(super) fn permit_user(&self, user: Option<&str>) -> bool {
        self.run_as
            .as_ref()
            .is_none_or(|users| users.iter().any(|own| own == user.unwrap_or(LOGIN)))
    }

    /// Whether the rule itself says that a command may run as this other user.
    pub(super) fn name_user(&self, user: &str) -> bool {
        self.run_as
            .as_ref()
            .is_some_and(|users| users.iter().any(|own| own == user))
    }

    /// Whether these keys grant a need. What the rule's words spell is granted elsewhere.
    pub(super) fn grant(&self, need: &Need) -> bool {
        let object = need.path.as_deref();
        let writes = || object.is_some_and(|path| matches_any(&self.write_paths, path));
        match need.capability {
            Capability::Read | Capability::Operate | Capability::Network => true,
            Capability::Write | Capability::RedirectOutput => writes(),
            Capability::RedirectInput => self.reads(object),
            // SECURITY: a secret is granted by name only; a pattern over a directory is not meant so.
            Capability::Secret => object.is_some_and(|path| {
                self.read_paths
                    .iter()
                    .flatten()
                    .any(|glob| glob.literal && glob.matches(path))
            }),
            Capability::Execute => self.unsafe_ok && need.word != Need::NOT_IN_WORDS,
            Capability::Assign => {
                object.is_some_and(|name| self.env.iter().any(|glob| glob.matches(name)))
            }
            Capability::State => false,
        }
    }

    /// Whether a file may be opened for reading by a redirection.
    fn reads(&self, object: Option<&str>) -> bool {
        let globs = self.read_paths.as_deref().unwrap_or_default();
        object.is_some_and(|path| matches_any(globs, path))
    }

    /// The first path that lies outside what the rule restricts its commands to.
    pub(super) fn outside<'p>(&self, paths: &'p [UsedPath]) -> Option<&'p UsedPath> {
        paths.iter().find(|used| {
            let within = self
                .within
                .as_ref()
                .is_none_or(|roots| roots.iter().any(|root| lies_in(&used.path, root)));
            let read = match (&self.read_paths, used.usage) {
                (Some(globs), PathUse::Content) => matches_any(globs, &used.path),
                _ => true,
            };
            !within || !read
        })
    }

    /// Whether a rule restricts paths, so that a command whose paths are not known cannot be its.
    pub(super) fn restricts(&self) -> bool {
        self.within.is_some() || self.read_paths.is_some()
    }
}

fn matches_any(globs: &[PathGlob], path: &str) -> bool {
    globs.iter().any(|glob| glob.matches(path))
}

/// Whether an absolute path is a directory or lies in it, by its text.
fn lies_in(text: &str, root: &str) -> bool {
    if !text.starts_with('/') || path::climbs(text) {
        return false;
    }
    let normal = path::normalise(text);
    let normal = path::without_slash(&normal);
    root == "/"
        || normal
            .strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_path_pattern_stays_within_a_part_unless_it_says_otherwise() {
        for (pattern, path, expected) in [
            ("/var/log/*", "/var/log/syslog", true),
            ("/var/log/*", "/var/log/nginx/error.log", false),
            ("/var/log/**", "/var/log/nginx/error.log", true),
            ("/var/log/**", "/var/log", true),
            ("/var/log/**", "/var/logs", false),
            ("/srv/**/releases/*", "/srv/a/b/releases/1", true),
            ("/srv/**/releases/*", "/srv/releases/1", true),
            ("/srv/**/releases/*", "/srv/a/releases/1/2", false),
            ("/var/log/*", "/var/log/../shadow", false),
            ("/var/log/*", "var/log/x", false),
            ("/var/log/x", "/var//log/./x", true),
            ("/tmp/x?", "/tmp/x1", true),
        ] {
            let glob = PathGlob::new(pattern).unwrap();
            assert_eq!(glob.matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_plain_path_is_none() {
        for text in ["var/log", "/var/../x", "", "/var//x", "*", "/./x"] {
            assert!(PathGlob::new(text).is_none(), "{text}");
        }
    }

    #[test]
    fn containment_is_by_whole_parts() {
        assert!(lies_in("/srv/app/x", "/srv/app"));
        assert!(lies_in("/srv/app", "/srv/app"));
        assert!(lies_in("/srv/app/", "/srv/app"));
        assert!(!lies_in("/srv/apple", "/srv/app"));
        assert!(!lies_in("/srv/app/../x", "/srv/app"));
        assert!(!lies_in("srv/app", "/srv/app"));
        assert!(lies_in("/anything", "/"));
    }
}
