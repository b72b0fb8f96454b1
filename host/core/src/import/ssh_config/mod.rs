//! `ssh_config(5)` as far as an inventory needs it: which hosts it names, and what `ssh` would do for each.
//!
//! * `words`: a line to its keyword and arguments
//! * `file`: the lines of a file and of what it includes
//! * `keywords`: the words that OpenSSH knows
//! * `pass`: the walk over the lines for one host, where the first value of a key wins
//!
//! `tests/import_ssh.rs` compares the settings with those that the real `ssh -G` prints.
//!
//! Must not: run what a `Match exec` names, or expand what it cannot know.
//!
//! LIMIT: `Match` with `exec`, `canonical`, `final`, `tagged`, `version`, `localnetwork`, `sessiontype` and
//! `command` is not decided; such a block counts as not matching and is named.

mod file;
mod keywords;
mod pass;
mod words;

pub use pass::Settings;

use super::proposal::{Draft, Drafts};
use super::{
    Budget, IMPORT_HOSTS_MAX, ImportFault, Note, Owner, Place, Proposal, Shelf, Text, is_secret,
    shown,
};
use file::{Kind, Lines};
use pass::Pass;
use std::collections::HashSet;

/// Most keywords that one comment lists as not taken.
const NOT_TAKEN_MAX: usize = 12;

/// Most hosts of `Match` lines that are named as not proposed.
const UNNAMED_MAX: usize = 200;

/// Characters that make a pattern of a host's name.
const WILD: [char; 3] = ['*', '?', '!'];

/// A configuration with everything that it includes.
#[derive(Debug)]
pub struct SshConfig {
    lines: Lines,
    owner: Owner,
}

impl SshConfig {
    /// Reads a configuration; `shelf` gives what it includes.
    ///
    /// # Errors
    /// [`ImportFault`]: a line that `ssh` would refuse too, a file that cannot be read, or a bound.
    pub fn read(text: &Text, owner: Owner, shelf: &dyn Shelf) -> Result<Self, ImportFault> {
        let lines = file::read(text, shelf)?;
        Ok(Self { lines, owner })
    }

    /// The names that stand on `Host` lines without a pattern, in file order, each once, with their places.
    #[must_use]
    pub fn names(&self) -> Vec<(String, Place)> {
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        self.lines.each(&mut |line| {
            if let Kind::Host(patterns) = &line.kind {
                for name in patterns.iter().filter(|name| !name.contains(WILD)) {
                    if seen.insert(name.clone()) {
                        names.push((name.clone(), line.place.clone()));
                    }
                }
            }
        });
        names
    }

    /// What `ssh` would use for a name.
    ///
    /// # Errors
    /// [`ImportFault`] where the bound of work is met.
    pub fn settings(&self, name: &str) -> Result<Settings, ImportFault> {
        self.settings_within(name, &mut Budget::new())
    }

    pub(super) fn settings_within(
        &self,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Settings, ImportFault> {
        Pass::new(name, &self.owner, budget).over(&self.lines)
    }

    /// Proposes a host for each name.
    ///
    /// # Errors
    /// [`ImportFault`] where a bound is met.
    pub fn propose(&self) -> Result<Proposal, ImportFault> {
        let names = self.names();
        if names.len() > IMPORT_HOSTS_MAX {
            let text = format!(
                "expected at most {IMPORT_HOSTS_MAX} hosts, got {}",
                names.len()
            );
            return Err(ImportFault::new(Place::default(), text, "Split the file."));
        }
        let mut budget = Budget::new();
        let mut drafts = Drafts::new("an ssh_config", self.lines.notes.clone());
        if names.is_empty() {
            drafts.note(Note {
                place: self.lines.place.clone(),
                text: "no `Host` line names a host without a pattern".to_owned(),
            });
        }
        for note in self.unnamed(&names) {
            drafts.note(note);
        }
        for (name, place) in names {
            let settings = self.settings_within(&name, &mut budget)?;
            drafts.add(draft(name, place, settings));
        }
        Ok(drafts.finish())
    }
}

impl SshConfig {
    /// Hosts that only a `Match` line speaks of: it says what holds for a name, not that there is one.
    fn unnamed(&self, names: &[(String, Place)]) -> Vec<Note> {
        let known: HashSet<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let (mut notes, mut seen) = (Vec::new(), HashSet::new());
        self.lines.each(&mut |line| {
            let Kind::Match(words) = &line.kind else {
                return;
            };
            for pair in words.windows(2) {
                let [criterion, list] = pair else { continue };
                if !["host", "originalhost"].contains(&criterion.to_ascii_lowercase().as_str()) {
                    continue;
                }
                for name in list.split(',').filter(|name| !name.contains(WILD)) {
                    if notes.len() < UNNAMED_MAX && !known.contains(name) && seen.insert(name) {
                        notes.push(Note {
                            place: line.place.clone(),
                            text: format!(
                                "not proposed: {} stands on a Match line and on no Host line",
                                shown(name)
                            ),
                        });
                    }
                }
            }
        });
        notes
    }
}

fn draft(name: String, place: Place, settings: Settings) -> Draft {
    let mut comments = Vec::new();
    let mut fault = None;
    // In lower case, as it is dialled, a secret that stands here by mistake may look like none.
    if let Some((_, at)) = settings
        .hostname
        .as_ref()
        .filter(|(value, _)| is_secret(value))
    {
        fault = Some(format!("HostName ({at}) looks like a secret"));
    }
    let host = match settings.hostname() {
        Ok(host) => host,
        Err(why) => {
            fault = fault.or(Some(why));
            String::new()
        }
    };
    for (what, value) in [
        ("HostName", settings.hostname.as_ref().map(|(_, at)| at)),
        ("Port", settings.port.as_ref().map(|(_, at)| at)),
        ("User", settings.user.as_ref().map(|(_, at)| at)),
    ] {
        if let Some(at) = value {
            comments.push(format!("{what} from {at}"));
        }
    }
    if settings.user.is_none() {
        comments.push("User: nobody names one; ssh would take the local user's name".to_owned());
    }
    let mut keys = settings
        .identity_files
        .iter()
        .filter(|(path, _)| !path.eq_ignore_ascii_case("none"));
    let key = keys.next();
    if let Some((_, at)) = key {
        comments.push(format!("IdentityFile from {at}"));
    }
    for (path, at) in keys {
        comments.push(format!(
            "not taken: IdentityFile {} ({at}): a login has one key",
            shown(path)
        ));
    }
    let jump = settings.jump.iter();
    for (jump, at) in jump.filter(|(jump, _)| !jump.ends_with(" none")) {
        comments.push(format!(
            "not taken: {} ({at}): jump hosts are not imported; give each an entry and name it under `jump`, or the address above is dialled directly",
            shown(jump)
        ));
    }
    for at in &settings.undecided {
        comments.push(format!(
            "not taken: the Match block of {at} may say more for this host and cannot be decided here"
        ));
    }
    if let Some(list) = listed(&settings.others) {
        comments.push(format!("not taken, no key for it: {list}"));
    }
    if settings.unknown > 0 {
        comments.push(format!(
            "not taken: {} lines that begin with no keyword of OpenSSH",
            settings.unknown
        ));
    }
    Draft {
        alias: name,
        host,
        port: settings.port.map(|(port, _)| port),
        user: settings.user.map(|(user, _)| user).or(settings.local_user),
        key: key.map(|(path, _)| path.clone()),
        tags: Vec::new(),
        place,
        comments,
        fault,
    }
}

fn listed(others: &[(String, Place)]) -> Option<String> {
    let shown: Vec<String> = others
        .iter()
        .take(NOT_TAKEN_MAX)
        .map(|(word, at)| format!("{word} ({at})"))
        .collect();
    let more = others.len().saturating_sub(NOT_TAKEN_MAX);
    match (shown.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(shown.join(", ")),
        (false, more) => Some(format!("{} and {more} more", shown.join(", "))),
    }
}
