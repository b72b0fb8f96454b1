//! The hosts that exist and how they are logged into. Names of secrets and keys only: no secret is
//! ever here.
//!
//! Must not: read files, resolve names, or decide.

use crate::limits::JUMP_HOPS_MAX;
use crate::request::Alias;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::collections::HashMap;

/// Bytes of a SHA-256 digest.
const DIGEST_BYTES: usize = 32;

/// How a host is logged into. The key and the secrets are names; the binary reads them when needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The entry's name.
    pub name: String,
    /// The remote user.
    pub username: String,
    /// The private key, a path beneath the keys directory.
    pub key_path: Option<String>,
    /// The name of the secret that opens the key.
    pub key_passphrase_secret: Option<String>,
    /// The variable that is looked at for it before all other places.
    pub key_passphrase_env: Option<String>,
    /// The name of the secret that is the password.
    pub password_secret: Option<String>,
    /// The variable that is looked at for it before all other places.
    pub password_env: Option<String>,
    /// An OpenSSH certificate of the key, a path beneath the keys directory.
    pub certificate_path: Option<String>,
    /// The fingerprint of the key that an agent signs with, as `SHA256:…`.
    pub agent_key: Option<String>,
    /// What is tried, in order. Nothing else is.
    pub methods: Vec<LoginMethod>,
}

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// With the private key of `key_path`.
    Key,
    /// With that key and the certificate of `certificate_path`.
    Certificate,
    /// With the key `agent_key` of the agent at SSH_AUTH_SOCK.
    Agent,
    /// With the password.
    Password,
    /// With the password, as the answer to a question of the host.
    KeyboardInteractive,
}

impl LoginMethod {
    /// The words of `methods`.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("key", Self::Key),
        ("certificate", Self::Certificate),
        ("agent", Self::Agent),
        ("password", Self::Password),
        ("keyboard_interactive", Self::KeyboardInteractive),
    ];

    /// The key of credentials.yml without which it cannot be tried.
    #[must_use]
    pub fn needs(self) -> &'static str {
        match self {
            Self::Key => "key_path",
            Self::Certificate => "certificate_path",
            Self::Agent => "agent_key",
            Self::Password | Self::KeyboardInteractive => "password_secret",
        }
    }
}

/// One host of `servers.yml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name here.
    pub alias: Alias,
    /// Its DNS name or address.
    pub host: String,
    /// Its SSH port, 1 to 65535.
    pub port: u16,
    /// The name of its credentials entry.
    pub credentials: Option<String>,
    /// Its tags, in file order.
    pub tags: Vec<String>,
    /// What it is, for people.
    pub description: String,
    /// What its login shell is.
    pub shell: LoginShell,
    /// The keys that it has to show; where there are none, known_hosts says.
    pub host_keys: Vec<HostKeyPin>,
    /// The hosts that lead to it, the first of them reached first; where there are none, it is dialled directly.
    pub jump: Vec<Alias>,
    /// Whether a command on it always has a watchdog beside it.
    pub watchdog: Watchdog,
}

/// A key that a host has to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostKeyPin {
    /// Its type, e.g. `ssh-ed25519`; `None` for any.
    pub kind: Option<String>,
    /// Its fingerprint as `ssh-keygen -l` writes it, `SHA256:…`.
    pub fingerprint: String,
}

impl HostKeyPin {
    /// The types that a pin may name.
    pub const KINDS: [&'static str; 5] = [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",
    ];

    /// Reads `SHA256:…`, or a type, a blank and that; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, fingerprint) = match text.split_once(' ') {
            Some((kind, fingerprint)) if Self::KINDS.contains(&kind) => (Some(kind), fingerprint),
            Some(_) => return None,
            None => (None, text),
        };
        let digest = STANDARD_NO_PAD.decode(fingerprint.strip_prefix("SHA256:")?);
        (digest.ok()?.len() == DIGEST_BYTES).then(|| Self {
            kind: kind.map(ToOwned::to_owned),
            fingerprint: fingerprint.to_owned(),
        })
    }
}

/// What ends a command where the gate has gone, or signals do not work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Watchdog {
    /// A watchdog, but on connections on which the gate has found that it can end a command by signals.
    #[default]
    Probed,
    /// Always a watchdog, and the host is not asked.
    Always,
}

impl Watchdog {
    /// The words of servers.yml.
    pub const WORDS: [&'static str; 2] = ["probed", "always"];

    /// What a word says; `None` for another one.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "probed" => Some(Self::Probed),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// How a host's login shell reads what is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoginShell {
    /// As POSIX says, which is what is sent.
    #[default]
    Posix,
    /// In another way, so that nothing may be sent. Holds the shell's name.
    Other(&'static str),
}

impl LoginShell {
    /// The shells that read quotes and operators as POSIX says.
    pub const POSIX: [&'static str; 9] = [
        "sh", "ash", "bash", "busybox", "dash", "ksh", "mksh", "yash", "zsh",
    ];
    /// The shells that do not.
    pub const OTHERS: [&'static str; 7] = ["csh", "elvish", "fish", "nu", "pwsh", "tcsh", "xonsh"];

    /// The shell of a name; `None` for a name that is not known.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if Self::POSIX.contains(&name) {
            return Some(Self::Posix);
        }
        let other = Self::OTHERS.into_iter().find(|other| *other == name)?;
        Some(Self::Other(other))
    }
}

/// A host together with its credential: what a decision and a connection are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub host: Host,
    /// The credential; `None` where the host names none, which is a fault only when it is run on.
    pub credential: Option<Credential>,
    /// The hosts on the way, in the order in which they are passed.
    pub hops: Vec<Hop>,
}

/// A host on the way to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The host.
    pub host: Host,
    /// How it is logged into.
    pub credential: Option<Credential>,
}

/// Why a host's `jump` leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JumpFault {
    /// It names a host that does not exist.
    #[error("`jump` names host \"{0}\", which does not exist")]
    Unknown(Alias),
    /// It comes back to a host that was passed.
    #[error("`jump` comes back to host \"{0}\"")]
    Circle(Alias),
    /// Too many hosts lie on the way.
    #[error("more than {JUMP_HOPS_MAX} hosts lie on the way")]
    TooLong,
}

/// The hosts that lead to a host: those of its `jump`, before them those of the first one's own `jump`, and so on.
/// Where the later ones are reached from is said by the list that names them.
///
/// # Errors
/// [`JumpFault`].
pub fn way<'h>(
    host: &'h Host,
    find: impl Fn(&Alias) -> Option<&'h Host>,
) -> Result<Vec<&'h Host>, JumpFault> {
    let mut way: Vec<&Host> = Vec::new();
    let mut first = host;
    while !first.jump.is_empty() {
        // Each turn puts at least one host before the others, so the bound ends a circle too.
        for alias in first.jump.iter().rev() {
            let hop = find(alias).ok_or_else(|| JumpFault::Unknown(alias.clone()))?;
            if hop.alias == host.alias || way.iter().any(|passed| passed.alias == hop.alias) {
                return Err(JumpFault::Circle(alias.clone()));
            }
            if way.len() == JUMP_HOPS_MAX {
                return Err(JumpFault::TooLong);
            }
            way.insert(0, hop);
            first = hop;
        }
    }
    Ok(way)
}

/// All hosts, in file order, and all credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    hosts: Vec<Host>,
    by_alias: HashMap<String, usize>,
    credentials: HashMap<String, Credential>,
}

/// What is wrong with a set of hosts and credentials. The numbers are positions in the given lists,
/// counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryFault {
    /// Two hosts have one alias.
    #[error("alias {alias:?} is defined twice")]
    DuplicateAlias {
        /// The second of the two.
        index: usize,
        /// The alias.
        alias: String,
    },
    /// Two credentials have one name.
    #[error("credentials entry {name:?} is defined twice")]
    DuplicateCredential {
        /// The second of the two.
        index: usize,
        /// The name.
        name: String,
    },
    /// A host names a credential that does not exist.
    #[error("host {alias:?} names credentials {name:?}, which do not exist")]
    DanglingCredential {
        /// The host.
        index: usize,
        /// Its alias.
        alias: String,
        /// The name that leads nowhere.
        name: String,
    },
    /// A host's `jump` leads nowhere.
    #[error("host {alias:?}: {fault}")]
    Jump {
        /// The host.
        index: usize,
        /// Its alias.
        alias: String,
        /// Why.
        fault: JumpFault,
    },
}

impl Inventory {
    /// Builds the inventory, or names everything that is wrong.
    ///
    /// # Errors
    /// All [`InventoryFault`]s, in the order of the lists.
    pub fn build(hosts: Vec<Host>, entries: Vec<Credential>) -> Result<Self, Vec<InventoryFault>> {
        let mut faults = Vec::new();
        let mut credentials = HashMap::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let name = entry.name.clone();
            if credentials.insert(name.clone(), entry).is_some() {
                faults.push(InventoryFault::DuplicateCredential { index, name });
            }
        }
        let mut by_alias = HashMap::new();
        for (index, host) in hosts.iter().enumerate() {
            let alias = host.alias.as_str().to_owned();
            if let Some(name) = &host.credentials
                && !credentials.contains_key(name)
            {
                let (alias, name) = (alias.clone(), name.clone());
                faults.push(InventoryFault::DanglingCredential { index, alias, name });
            }
            if by_alias.insert(alias.clone(), index).is_some() {
                faults.push(InventoryFault::DuplicateAlias { index, alias });
            }
        }
        let find = |alias: &Alias| by_alias.get(alias.as_str()).and_then(|at| hosts.get(*at));
        for (index, host) in hosts.iter().enumerate() {
            if let Err(fault) = way(host, find) {
                let alias = host.alias.as_str().to_owned();
                faults.push(InventoryFault::Jump {
                    index,
                    alias,
                    fault,
                });
            }
        }
        if faults.is_empty() {
            Ok(Self {
                hosts,
                by_alias,
                credentials,
            })
        } else {
            Err(faults)
        }
    }

    /// The hosts in file order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host of that alias.
    #[must_use]
    pub fn host(&self, alias: &Alias) -> Option<&Host> {
        let at = self.by_alias.get(alias.as_str())?;
        self.hosts.get(*at)
    }

    /// The host of that alias with its credential and the hosts on the way to it, or `None`.
    #[must_use]
    pub fn resolve(&self, alias: &Alias) -> Option<Target> {
        let host = self.host(alias)?;
        let credential = |host: &Host| {
            let name = host.credentials.as_ref()?;
            self.credentials.get(name).cloned()
        };
        // Looked at when the inventory was built.
        let hops = way(host, |alias| self.host(alias)).ok()?;
        let hops = hops.into_iter().map(|host| Hop {
            host: host.clone(),
            credential: credential(host),
        });
        Some(Target {
            hops: hops.collect(),
            credential: credential(host),
            host: host.clone(),
        })
    }
}
