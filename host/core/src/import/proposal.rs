//! What an import proposes: hosts and logins whose every value is one that the gate takes.
//!
//! An alias that is not taken is renamed, one that is taken twice gets a number, and a host without an address
//! that can be dialled is named among the skipped ones. Must not: drop a host without a word, or repeat a value
//! that may be a secret.

use super::{Note, Place};
use crate::config::path_text;
use crate::limits::{ALIAS_CHARS_MAX, TAG_CHARS_MAX};
use crate::request::{Alias, Tag};
use crate::text;
use std::collections::{HashMap, HashSet};

/// The SSH port where none is given.
const PORT_DEFAULT: u16 = 22;
/// Longest DNS name or address, in characters.
const HOST_CHARS_MAX: usize = 253;
/// Longest remote user, in characters.
const USER_CHARS_MAX: usize = 100;
/// Longest name of a key file, in characters.
const KEY_CHARS_MAX: usize = 100;
/// Most comments of one host.
const COMMENTS_MAX: usize = 40;

/// A host that is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its alias, one that the gate takes.
    pub alias: String,
    /// The name or address that is dialled.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name of its login; `None` where nobody names a user.
    pub login: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Where it stood.
    pub place: Place,
    /// Where each value came from, and what was not taken and why. Each is one clean line.
    pub comments: Vec<String>,
}

/// A login that is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// The remote user.
    pub user: String,
    /// The key beneath the keys directory.
    pub key: Option<String>,
    /// Where the key lies now, one clean line.
    pub source: Option<String>,
}

/// A host that is not proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, one clean line.
    pub name: String,
    /// Where it stood.
    pub place: Place,
    /// Why.
    pub why: String,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What it was made from, e.g. `an ssh_config`.
    pub source: &'static str,
    /// The hosts, in file order.
    pub hosts: Vec<Host>,
    /// The logins that they name.
    pub logins: Vec<Login>,
    /// The hosts that are not proposed.
    pub skipped: Vec<Skipped>,
    /// What is said of the whole.
    pub notes: Vec<Note>,
}

/// A host as it was found.
pub(super) struct Draft {
    pub(super) alias: String,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) key: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) place: Place,
    pub(super) comments: Vec<String>,
    /// Why it cannot be proposed, where that is known already.
    pub(super) fault: Option<String>,
}

/// A proposal that is being made.
pub(super) struct Drafts {
    proposal: Proposal,
    aliases: HashSet<String>,
    /// The tag of each group, and the groups' tags that are taken.
    tags: HashMap<String, String>,
    taken_tags: HashSet<String>,
    /// The name of the login of each user and key.
    logins: HashMap<(String, Option<String>), String>,
    /// The file name of each key.
    keys: HashMap<String, String>,
}

impl Drafts {
    pub(super) fn new(source: &'static str, notes: Vec<Note>) -> Self {
        Self {
            proposal: Proposal {
                source,
                hosts: Vec::new(),
                logins: Vec::new(),
                skipped: Vec::new(),
                notes,
            },
            aliases: HashSet::new(),
            tags: HashMap::new(),
            taken_tags: HashSet::new(),
            logins: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.proposal.notes.push(note);
    }

    pub(super) fn finish(self) -> Proposal {
        self.proposal
    }

    pub(super) fn add(&mut self, draft: Draft) {
        let fault = draft.fault.or_else(|| address_fault(&draft.host));
        if let Some(why) = fault {
            self.proposal.skipped.push(Skipped {
                name: text::step(&draft.alias),
                place: draft.place,
                why,
            });
            return;
        }
        let mut comments = draft.comments;
        let alias = self.alias(&draft.alias, &mut comments);
        let login = self.login(draft.user, draft.key, &mut comments);
        let tags = self.tags(&draft.tags, &mut comments);
        let more = comments.len().saturating_sub(COMMENTS_MAX);
        comments.truncate(COMMENTS_MAX);
        if more > 0 {
            comments.push(format!("and {more} more remarks"));
        }
        self.proposal.hosts.push(Host {
            alias,
            host: draft.host,
            port: draft.port.unwrap_or(PORT_DEFAULT),
            login,
            tags,
            place: draft.place,
            comments,
        });
    }

    fn alias(&mut self, name: &str, comments: &mut Vec<String>) -> String {
        let clean = cleaned(name, ALIAS_CHARS_MAX, "host");
        let alias = numbered(&clean, ALIAS_CHARS_MAX, |alias| {
            self.aliases.contains(alias)
        });
        if alias != name {
            comments.insert(0, format!("renamed from {}", quoted(name)));
        }
        debug_assert!(Alias::parse(&alias).is_ok());
        self.aliases.insert(alias.clone());
        alias
    }

    /// Two groups that differ must not become one tag: a rule for one would hold for the other.
    fn tags(&mut self, groups: &[String], comments: &mut Vec<String>) -> Vec<String> {
        let mut tags = Vec::with_capacity(groups.len());
        for group in groups {
            let tag = match self.tags.get(group) {
                Some(tag) => tag.clone(),
                None => {
                    let clean = cleaned(group, TAG_CHARS_MAX, "group");
                    let tag = numbered(&clean, TAG_CHARS_MAX, |tag| self.taken_tags.contains(tag));
                    self.taken_tags.insert(tag.clone());
                    self.tags.insert(group.clone(), tag.clone());
                    tag
                }
            };
            debug_assert!(Tag::parse(&tag).is_ok());
            if tag != *group {
                comments.push(format!("tag {tag} stands for the group {}", quoted(group)));
            }
            tags.push(tag);
        }
        tags
    }

    fn login(
        &mut self,
        user: Option<String>,
        key: Option<String>,
        comments: &mut Vec<String>,
    ) -> Option<String> {
        let Some(user) = user else {
            comments.push("no login: nobody names a user; name one with --user".to_owned());
            return None;
        };
        let odd = |c: char| c.is_control() || c.is_whitespace() || text::is_hidden(c);
        if user.is_empty() || user.chars().count() > USER_CHARS_MAX || user.chars().any(odd) {
            comments.push(format!(
                "no login: the user is longer than {USER_CHARS_MAX} characters or holds blanks or odd characters"
            ));
            return None;
        }
        let key = key.and_then(|path| match key_fault(&path) {
            Some(why) => {
                comments.push(format!("the key {} is not taken: {why}", text::step(&path)));
                None
            }
            None => Some(path),
        });
        if let Some(name) = self.logins.get(&(user.clone(), key.clone())) {
            return Some(name.clone());
        }
        let file = key.as_deref().map(|path| self.key(path));
        let clean = match &file {
            Some(file) => cleaned(&format!("{user}-{file}"), ALIAS_CHARS_MAX, "login"),
            None => cleaned(&user, ALIAS_CHARS_MAX, "login"),
        };
        let logins = &self.proposal.logins;
        let name = numbered(&clean, ALIAS_CHARS_MAX, |name| {
            logins.iter().any(|login| login.name == name)
        });
        self.proposal.logins.push(Login {
            name: name.clone(),
            user: user.clone(),
            key: file,
            source: key.as_deref().map(text::step),
        });
        self.logins.insert((user, key), name.clone());
        Some(name)
    }

    /// A name for a key beneath the keys directory: that of its file.
    fn key(&mut self, path: &str) -> String {
        if let Some(name) = self.keys.get(path) {
            return name.clone();
        }
        let base = path.rsplit('/').next().unwrap_or(path);
        let clean = cleaned(base, KEY_CHARS_MAX, "key").replace("..", "--");
        let taken: HashSet<&String> = self.keys.values().collect();
        let name = numbered(&clean, KEY_CHARS_MAX, |name| {
            taken.contains(&name.to_owned())
        });
        debug_assert!(path_text(&name).is_ok());
        self.keys.insert(path.to_owned(), name.clone());
        name
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", text::step(name))
}

/// The characters of an identifier, others as `-`, at most so many; a word for a text without any.
fn cleaned(name: &str, chars_max: usize, nothing: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let clean: String = name
        .chars()
        .map(|c| if keep(c) { c } else { '-' })
        .take(chars_max)
        .collect();
    if clean.chars().any(|c| c.is_ascii_alphanumeric()) {
        clean
    } else {
        nothing.to_owned()
    }
}

/// The name itself or, where it is taken, with a number behind it. Ends: there are no more names than hosts.
fn numbered(name: &str, chars_max: usize, taken: impl Fn(&str) -> bool) -> String {
    if !taken(name) {
        return name.to_owned();
    }
    for number in 2_u32.. {
        let suffix = format!("-{number}");
        let kept: String = name
            .chars()
            .take(chars_max.saturating_sub(suffix.len()))
            .collect();
        let name = format!("{kept}{suffix}");
        if !taken(&name) {
            return name;
        }
    }
    name.to_owned()
}

/// Why a host cannot be dialled by this text, by the rule of `servers.yml`.
fn address_fault(host: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() {
        return Some("it has no name or address".to_owned());
    }
    let taken = host.len() <= HOST_CHARS_MAX && host.chars().all(allowed) && !host.starts_with('-');
    (!taken).then(|| {
        format!("its address is no DNS name or address of at most {HOST_CHARS_MAX} characters")
    })
}

/// Why a key's path is not taken.
fn key_fault(path: &str) -> Option<&'static str> {
    if path.contains('%') || path.contains("${") {
        return Some("it holds tokens that only a connection knows");
    }
    if path.contains("{{") {
        return Some("it is a template");
    }
    if path.ends_with('/') || path.is_empty() {
        return Some("it names no file");
    }
    None
}
