//! Facts of the set-up: configuration, keys, secrets, host keys, journal. What cannot be loaded is a fact too, and the
//! rest is looked at all the same.
//!
//! Must not: judge, keep a key or a secret beyond the look at it, or make or change anything.

use super::clean;
use crate::events::{Events, Watch};
use crate::files::{Dirs, Seen};
use crate::gate::{Scope, load};
use crate::journal;
use portcullis_core::audit::Door;
use portcullis_core::config::{ConfigFault, Snapshot};
use portcullis_ssh::{KeyFacts, KnownHosts};
use std::collections::{BTreeMap, BTreeSet};

/// A key that a login names.
#[derive(Debug, Clone)]
pub(crate) struct SeenKey {
    /// Its path as the configuration names it, masked: the key itself may stand there.
    pub(crate) path: String,
    /// What its file looks like; `None` where there is none.
    pub(crate) file: Option<Seen>,
    /// What it is, or why it cannot be used.
    pub(crate) facts: Result<KeyFacts, String>,
    /// Whether a login names a passphrase for it.
    pub(crate) passphrase: bool,
}

/// What the journal is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Journal {
    /// There is none yet.
    None,
    /// It verifies, with so many records.
    Intact(u64),
    /// It does not verify, or cannot be read.
    Broken(String),
}

/// The facts.
pub(crate) struct Setup {
    /// Why the configuration does not load.
    pub(crate) faults: Vec<String>,
    /// The configuration, where it loads.
    pub(crate) snapshot: Option<Snapshot>,
    /// What is legal in it and probably not meant.
    pub(crate) warnings: Vec<ConfigFault>,
    /// Whether rules of the policy have examples.
    pub(crate) examples: bool,
    /// The recorded host keys, or why there are none.
    pub(crate) known_hosts: Result<KnownHosts, String>,
    /// Directories and files, those of secrets included.
    pub(crate) seen: Vec<Seen>,
    /// The keys that logins name.
    pub(crate) keys: Vec<SeenKey>,
    /// The fields that name a secret which is not found. What they name is not said: the secret itself may stand there.
    pub(crate) missing_secrets: Vec<String>,
    /// The journal.
    pub(crate) journal: Journal,
}

impl Setup {
    /// A set-up of which nothing could be opened.
    pub(crate) fn none(fault: String) -> Self {
        Self {
            faults: vec![fault],
            snapshot: None,
            warnings: Vec::new(),
            examples: false,
            known_hosts: Err("the configuration does not load".to_owned()),
            seen: Vec::new(),
            keys: Vec::new(),
            missing_secrets: Vec::new(),
            journal: Journal::None,
        }
    }

    /// Looks at everything.
    pub(crate) async fn gather(dirs: &Dirs) -> Self {
        let watch = Watch::first(Events::Silent, Door::Cli);
        let mut setup = Self::none(String::new());
        setup.faults.clear();
        match load(dirs, &watch, Scope::Start, None).await {
            Ok(live) => {
                setup.warnings = live.warnings();
                setup.snapshot = Some(live.snapshot);
            }
            Err(fault) => setup.faults = fault.lines(),
        }
        setup.seen = dirs.seen();
        let path = setup
            .snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.policy.known_hosts_path.clone());
        setup.known_hosts = dirs
            .known_hosts(path.as_deref())
            .map(|bytes| KnownHosts::parse(&bytes))
            .map_err(|fault| fault.to_string());
        setup.examples = dirs
            .config_file("policy.yml")
            .ok()
            .flatten()
            .is_some_and(|text| {
                let lines = text.lines().map(str::trim_start);
                lines
                    .filter(|line| !line.starts_with('#'))
                    .any(|line| line.contains("examples:"))
            });
        setup.look_at_logins(dirs);
        setup.journal = journal(dirs);
        setup
    }

    fn look_at_logins(&mut self, dirs: &Dirs) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let (mut paths, mut secrets) = (BTreeSet::new(), BTreeMap::new());
        for host in snapshot.inventory.hosts() {
            let Some(target) = snapshot.inventory.resolve(&host.alias) else {
                continue;
            };
            let Some(login) = target.credential else {
                continue;
            };
            for (field, secret, variable) in [
                (
                    "key_passphrase_secret",
                    login.key_passphrase_secret.clone(),
                    login.key_passphrase_env,
                ),
                ("password_secret", login.password_secret, login.password_env),
            ] {
                let Some(secret) = secret else { continue };
                let fields: &mut BTreeSet<String> = secrets.entry((secret, variable)).or_default();
                fields.insert(format!("{field} of login {}", clean(&login.name)));
            }
            if let Some(path) = login.key_path {
                paths.insert((path, login.key_passphrase_secret.is_some()));
            }
        }
        for (path, passphrase) in paths {
            let facts = match dirs.key(&path) {
                Ok(key) => KeyFacts::of(&key).map_err(|fault| fault.to_string()),
                Err(fault) => Err(fault.to_string()),
            };
            self.keys.push(SeenKey {
                file: dirs.seen_key(&path),
                facts: facts.map_err(|why| clean(&why)),
                path: clean(&path),
                passphrase,
            });
        }
        for ((name, variable), fields) in secrets {
            // A program that is asked for a secret may count, charge or ring for each question.
            if snapshot.settings.secrets.order(&name).is_some() {
                continue;
            }
            self.seen.extend(dirs.seen_secret(&name));
            if dirs.secret(&name, variable.as_deref(), &|_| {}).is_err() {
                self.missing_secrets.extend(fields);
            }
        }
    }
}

fn journal(dirs: &Dirs) -> Journal {
    let Some(state) = dirs.state_as_it_is() else {
        return Journal::None;
    };
    // A state directory that was never run in holds nothing.
    if !state.exists("journal") {
        return Journal::None;
    }
    match journal::verify(&state, None) {
        Ok(report) => match report.bad {
            None => Journal::Intact(report.records),
            Some(bad) => Journal::Broken(bad.reason),
        },
        Err(fault) => Journal::Broken(fault.to_string()),
    }
}
