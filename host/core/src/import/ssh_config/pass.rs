//! The walk over a configuration for one host: which lines hold, and the first value of each key.
//!
//! The order of the steps is OpenSSH's: `Host` compares the name as it was typed, `Match host` what `HostName`
//! has made of it so far, and a file that is included in a block that does not hold sets nothing.
//!
//! Must not: keep values of keys that an inventory has no use for, other than their names.

use super::super::{Budget, ImportFault, Owner, Place};
use super::file::{Kind, Line, Lines};
use super::keywords;
use super::words::{matches, matches_list};

/// The SSH port where none is given.
const PORT_DEFAULT: u16 = 22;
/// Most identity files of a host, as in OpenSSH.
const IDENTITY_FILES_MAX: usize = 100;
/// Most other keywords that are remembered for a host.
const OTHERS_MAX: usize = 100;
/// Keywords that lead a connection over another host or program.
const JUMPS: [&str; 2] = ["proxyjump", "proxycommand"];

/// What `ssh` would use for a name, each value with the line that set it.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    name: String,
    /// The value of `HostName`, not expanded.
    pub(super) hostname: Option<(String, Place)>,
    /// `Port`.
    pub(super) port: Option<(u16, Place)>,
    /// `User`.
    pub(super) user: Option<(String, Place)>,
    /// Every `IdentityFile`, as written, in order.
    pub(super) identity_files: Vec<(String, Place)>,
    /// `ProxyJump` with its hosts, or `ProxyCommand` with its program; `none` ends the search like any value.
    pub(super) jump: Option<(String, Place)>,
    /// `Match` lines that might hold and cannot be decided.
    pub(super) undecided: Vec<Place>,
    /// Other keywords of OpenSSH that hold.
    pub(super) others: Vec<(String, Place)>,
    /// Lines that hold and begin with no keyword of OpenSSH.
    pub(super) unknown: usize,
    /// The user of the machine that the file lies on.
    pub(super) local_user: Option<String>,
}

impl Settings {
    /// The name or address that would be dialled, in lower case.
    ///
    /// # Errors
    /// In words, where `HostName` holds a token that only a connection knows.
    pub fn hostname(&self) -> Result<String, String> {
        match &self.hostname {
            Some((value, at)) => expand(value, &self.name)
                .ok_or_else(|| format!("HostName ({at}) holds a token other than %h and %%")),
            None => Ok(self.name.clone()),
        }
        .map(|name| name.to_ascii_lowercase())
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.as_ref().map_or(PORT_DEFAULT, |(port, _)| *port)
    }

    /// The remote user; `None` where only the local one could be taken and it is not known.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user
            .as_ref()
            .map(|(user, _)| user.as_str())
            .or(self.local_user.as_deref())
    }

    /// The identity files as written, in order.
    #[must_use]
    pub fn identity_files(&self) -> Vec<&str> {
        let paths = self.identity_files.iter();
        paths.map(|(path, _)| path.as_str()).collect()
    }
}

/// `%h` and `%%`, the tokens of `HostName`.
fn expand(value: &str, name: &str) -> Option<String> {
    let (mut expanded, mut chars) = (String::with_capacity(value.len()), value.chars());
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next()? {
                'h' => expanded.push_str(name),
                '%' => expanded.push('%'),
                _ => return None,
            },
            c => expanded.push(c),
        }
    }
    Some(expanded)
}

/// What is said of the way over other hosts or a program. Whom the way logs in as, and with what, is left out; of a
/// command only the program is named, and that only where it is a plain path.
fn way(keyword: &str, value: &str) -> String {
    if keyword == "proxyjump" {
        let hosts = value.split(',').map(|hop| match hop.rsplit_once('@') {
            Some((_, host)) => host,
            None => hop,
        });
        return hosts.collect::<Vec<_>>().join(",");
    }
    let program = value.split_whitespace().next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '%');
    if program.chars().all(plain) {
        program.to_owned()
    } else {
        "with a program".to_owned()
    }
}

/// What a condition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    Unknown,
}

/// One walk.
pub(super) struct Pass<'p> {
    budget: &'p mut Budget,
    settings: Settings,
}

impl<'p> Pass<'p> {
    pub(super) fn new(name: &str, owner: &Owner, budget: &'p mut Budget) -> Self {
        Self {
            budget,
            settings: Settings {
                name: name.to_owned(),
                local_user: owner.user.clone(),
                ..Settings::default()
            },
        }
    }

    pub(super) fn over(mut self, lines: &Lines) -> Result<Settings, ImportFault> {
        self.file(&lines.lines, true)?;
        Ok(self.settings)
    }

    /// Walks a file that begins in a block which holds.
    fn file(&mut self, lines: &[Line], begin: bool) -> Result<(), ImportFault> {
        let mut active = begin;
        for line in lines {
            match &line.kind {
                Kind::Host(patterns) => active = self.host(patterns)?,
                Kind::Match(words) => active = self.condition(words, &line.place)?,
                // SECURITY: a file that is included where nothing holds must not set anything, whatever
                // blocks it opens.
                Kind::Include(files) if active => {
                    for file in files {
                        self.budget.spend(1)?;
                        self.file(file, true)?;
                    }
                }
                Kind::Include(_) => {}
                Kind::Setting(keyword, arguments) if active => {
                    self.set(keyword, arguments, &line.place)?;
                }
                Kind::Setting(..) => {}
            }
        }
        Ok(())
    }

    fn host(&mut self, patterns: &[String]) -> Result<bool, ImportFault> {
        self.budget.spend(1)?;
        let mut active = false;
        for pattern in patterns {
            self.compared(pattern)?;
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern, &self.settings.name) => return Ok(false),
                Some(_) => {}
                None => active |= matches(pattern, &self.settings.name),
            }
        }
        Ok(active)
    }

    /// The work of comparing a pattern with a name is at most their product.
    fn compared(&mut self, pattern: &str) -> Result<(), ImportFault> {
        let stars = pattern.bytes().filter(|byte| *byte == b'*').count();
        let length = if stars == 0 { 1 } else { pattern.len() };
        // A plain name costs next to nothing; its line is counted already.
        self.budget
            .spend(length.saturating_mul(self.settings.name.len()) / 64)
    }

    fn condition(&mut self, words: &[String], place: &Place) -> Result<bool, ImportFault> {
        self.budget.spend(1)?;
        let fault = |text: &str| Err(ImportFault::new(place.clone(), text, ""));
        let (mut holds, mut rest) = (Holds::Yes, words.iter());
        while let Some(word) = rest.next() {
            let (negated, name) = match word.strip_prefix('!') {
                Some(name) => (true, name),
                None => (false, word.as_str()),
            };
            let name = name.to_ascii_lowercase();
            let own = match name.as_str() {
                "all" => Holds::Yes,
                // The second reading that these ask for is not made.
                "canonical" | "final" => Holds::Unknown,
                "host" | "originalhost" | "user" | "localuser" => {
                    let Some(list) = rest.next().filter(|list| !list.is_empty()) else {
                        return fault("expected a value behind a criterion of Match, got none");
                    };
                    self.compared(list)?;
                    self.criterion(&name, list)
                }
                "exec" | "tagged" | "localnetwork" | "version" | "sessiontype" | "command" => {
                    rest.next();
                    Holds::Unknown
                }
                // `key=value` is taken by newer versions of OpenSSH; what is not known is not decided.
                _ => {
                    rest.next();
                    Holds::Unknown
                }
            };
            let own = match (own, negated) {
                (Holds::Yes, true) => Holds::No,
                (Holds::No, true) => Holds::Yes,
                (own, _) => own,
            };
            holds = match (holds, own) {
                (Holds::No, _) | (_, Holds::No) => Holds::No,
                (Holds::Unknown, _) | (_, Holds::Unknown) => Holds::Unknown,
                (Holds::Yes, Holds::Yes) => Holds::Yes,
            };
        }
        if holds == Holds::Unknown && !self.settings.undecided.contains(place) {
            self.settings.undecided.push(place.clone());
        }
        Ok(holds == Holds::Yes)
    }

    fn criterion(&self, name: &str, list: &str) -> Holds {
        let settings = &self.settings;
        // Names of hosts are compared without regard to case, names of users as they are.
        let lower = list.to_ascii_lowercase();
        let (list, value) = match name {
            "host" => (lower.as_str(), settings.hostname().ok()),
            "originalhost" => (lower.as_str(), Some(settings.name.to_ascii_lowercase())),
            "user" => (list, settings.user().map(str::to_owned)),
            _ => (list, settings.local_user.clone()),
        };
        match value {
            None => Holds::Unknown,
            Some(value) if matches_list(list, &value) => Holds::Yes,
            Some(_) => Holds::No,
        }
    }

    fn set(
        &mut self,
        keyword: &str,
        arguments: &[String],
        place: &Place,
    ) -> Result<(), ImportFault> {
        self.budget.spend(1)?;
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        let single = ["hostname", "port", "user", "identityfile"].contains(&keyword);
        if single && (first.is_empty() || arguments.len() > 1) {
            let got = if first.is_empty() {
                "an empty one"
            } else {
                "several"
            };
            let text = format!("expected one value for {keyword}, got {got}");
            return Err(ImportFault::new(place.clone(), text, ""));
        }
        let settings = &mut self.settings;
        match keyword {
            "hostname" => {
                if settings.hostname.is_none() {
                    settings.hostname = Some((first.to_owned(), place.clone()));
                }
            }
            "port" => {
                let port = first.parse::<u16>().ok().filter(|port| *port > 0);
                let Some(port) = port else {
                    let text = "expected a port from 1 to 65535, got another value";
                    return Err(ImportFault::new(place.clone(), text, ""));
                };
                if settings.port.is_none() {
                    settings.port = Some((port, place.clone()));
                }
            }
            "user" => {
                if settings.user.is_none() {
                    settings.user = Some((first.to_owned(), place.clone()));
                }
            }
            "identityfile" => {
                let known = settings
                    .identity_files
                    .iter()
                    .any(|(path, _)| path == first);
                if !known && settings.identity_files.len() < IDENTITY_FILES_MAX {
                    let file = (first.to_owned(), place.clone());
                    settings.identity_files.push(file);
                }
            }
            jump if JUMPS.contains(&jump) => {
                if settings.jump.is_none() {
                    let value = format!("{keyword} {}", way(jump, first));
                    settings.jump = Some((value, place.clone()));
                }
            }
            other if !keywords::known(other) => settings.unknown += 1,
            other => {
                let known = settings.others.iter().any(|(word, _)| word == other);
                if !known && settings.others.len() < OTHERS_MAX {
                    settings.others.push((other.to_owned(), place.clone()));
                }
            }
        }
        Ok(())
    }
}
