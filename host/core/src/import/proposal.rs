//! What an import proposes: hosts and logins whose every value is one that the gate takes.
//!
//! An alias that is not taken is renamed, one that is taken twice gets a number, and a host without an address
//! that can be dialled is named among the skipped ones. Must not: drop a host without a word, or repeat a value
//! that may be a secret.

use super::{Note, Place, is_secret, shown};
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
    aliases: Names,
    /// The tag of each group.
    tags: HashMap<String, String>,
    tag_names: Names,
    /// The name of the login of each user and key.
    logins: HashMap<(String, Option<String>), String>,
    login_names: Names,
    /// The file name of each key.
    keys: HashMap<String, String>,
    key_names: Names,
}

/// Names that are taken.
#[derive(Debug, Default)]
struct Names {
    taken: HashSet<String>,
    /// The number that is tried next behind each name that was asked for again: counting from the beginning would
    /// take as long as all names together, for each name.
    next: HashMap<String, u32>,
}

impl Names {
    /// The name itself or, where it is taken, with a number behind it. Ends: there are no more names than hosts.
    fn give(&mut self, name: &str, chars_max: usize) -> String {
        if self.taken.insert(name.to_owned()) {
            return name.to_owned();
        }
        let next = self.next.entry(name.to_owned()).or_insert(2);
        loop {
            let suffix = format!("-{next}");
            *next = next.saturating_add(1);
            let kept: String = name
                .chars()
                .take(chars_max.saturating_sub(suffix.len()))
                .collect();
            let given = format!("{kept}{suffix}");
            if self.taken.insert(given.clone()) {
                return given;
            }
        }
    }
}

impl Drafts {
    pub(super) fn new(source: &'static str, notes: Vec<Note>) -> Self {
        let mut drafts = Self {
            proposal: Proposal {
                source,
                hosts: Vec::new(),
                logins: Vec::new(),
                skipped: Vec::new(),
                notes: Vec::new(),
            },
            aliases: Names::default(),
            tags: HashMap::new(),
            tag_names: Names::default(),
            logins: HashMap::new(),
            login_names: Names::default(),
            keys: HashMap::new(),
            key_names: Names::default(),
        };
        for note in notes {
            drafts.note(note);
        }
        drafts
    }

    pub(super) fn note(&mut self, note: Note) {
        self.proposal.notes.push(Note {
            text: shown(&note.text),
            ..note
        });
    }

    pub(super) fn finish(self) -> Proposal {
        self.proposal
    }

    pub(super) fn add(&mut self, draft: Draft) {
        // In lower case, as it is dialled, a secret that stands here by mistake may look like none.
        let itself = draft.host.eq_ignore_ascii_case(&draft.alias) && is_secret(&draft.alias);
        let fault = draft
            .fault
            .or_else(|| itself.then(|| "its name looks like a secret".to_owned()))
            .or_else(|| address_fault(&draft.host));
        if let Some(why) = fault {
            self.proposal.skipped.push(Skipped {
                name: shown(&draft.alias),
                place: draft.place,
                why: shown(&why),
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
        // SECURITY: whatever a remark repeats, it may be a secret that stands in a wrong place.
        for comment in &mut comments {
            *comment = shown(comment);
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
        let alias = self.aliases.give(&clean, ALIAS_CHARS_MAX);
        if alias != name {
            comments.insert(0, format!("renamed from {}", quoted(name)));
        }
        debug_assert!(Alias::parse(&alias).is_ok());
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
                    let tag = self.tag_names.give(&clean, TAG_CHARS_MAX);
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
        if is_secret(&user) {
            comments.push("no login: the user looks like a secret".to_owned());
            return None;
        }
        let key = key.and_then(|path| match key_fault(&path) {
            Some(why) => {
                comments.push(format!("the key {} is not taken: {why}", shown(&path)));
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
        let name = self.login_names.give(&clean, ALIAS_CHARS_MAX);
        self.proposal.logins.push(Login {
            name: name.clone(),
            user: user.clone(),
            key: file,
            source: key.as_deref().map(shown),
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
        let name = self.key_names.give(&clean, KEY_CHARS_MAX);
        debug_assert!(path_text(&name).is_ok());
        self.keys.insert(path.to_owned(), name.clone());
        name
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", shown(name))
}

/// The characters of an identifier, others as `-`, at most so many; a word for a text without any, and for one that
/// looks like a secret.
fn cleaned(name: &str, chars_max: usize, nothing: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let clean: String = name
        .chars()
        .map(|c| if keep(c) { c } else { '-' })
        .take(chars_max)
        .collect();
    if clean.chars().any(|c| c.is_ascii_alphanumeric()) && !is_secret(name) && !is_secret(&clean) {
        clean
    } else {
        nothing.to_owned()
    }
}

/// Why a host cannot be dialled by this text, by the rule of `servers.yml`.
fn address_fault(host: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() {
        return Some("it has no name or address".to_owned());
    }
    if is_secret(host) {
        return Some("its address looks like a secret".to_owned());
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
    if is_secret(path) {
        return Some("it looks like a secret");
    }
    if path.ends_with('/') || path.is_empty() {
        return Some("it names no file");
    }
    None
}
