//! Text of the configuration files to typed values, with positions.
//!
//! [`load`] reads all files or names everything that is wrong in all of them; there is no
//! half-loaded configuration. Must not: open files; texts come in, values go out.

mod changes;
mod companions;
mod credentials;
pub mod dotenv;
mod lock;
mod names;
mod nearest;
mod plugins;
mod policy_file;
mod profiles;
mod refused;
mod schema;
mod servers;
pub mod settings;
mod shape;
mod sound;
mod tree;
mod value;
mod vectors;
mod yaml;

pub use changes::{Prints, changes};
pub use companions::{Companion, Effect, Tool, Transport};
pub use lock::locked;
pub use names::{
    PathFault, SecretNameFault, VariableFault, path_text, secret_name, secret_variable,
    variable_name,
};
pub use policy_file::{HostRedaction, RedactionLayers, policy};
pub use profiles::{shipped_data, shipped_entry, shipped_profiles};
pub use refused::{RefusedAs, RefusedText, refused_texts};
pub use schema::{FILES, reference, schema};
pub use settings::Settings;
pub(crate) use value::{Node, Value};
pub use vectors::{Asked, Expect, Vector, Vectors, vectors};

use crate::inventory::Inventory;
use crate::policy::Policy;
use crate::request::sha256_hex;
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The file of hosts.
pub const SERVERS: &str = "servers.yml";
/// The file of logins.
pub const CREDENTIALS: &str = "credentials.yml";
/// The file of rules and limits.
pub const POLICY: &str = "policy.yml";
/// The file of plugins.
pub const PLUGINS: &str = "plugins.yml";
/// The file of plugins' digests.
pub const PLUGINS_LOCK: &str = "plugins.lock";
/// What a plugin's test vectors are called in faults, whatever their file is called.
pub const VECTORS: &str = "vectors.yaml";
/// The file of other MCP servers.
pub const COMPANIONS: &str = "companions.yml";
/// The file of the gate's own settings.
pub const PORTCULLIS: &str = "portcullis.yml";

/// The texts of the files, as they were read; `None` where a file does not exist.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `servers.yml`.
    pub servers: Option<String>,
    /// `credentials.yml`.
    pub credentials: Option<String>,
    /// `policy.yml`.
    pub policy: Option<String>,
    /// `plugins.yml`.
    pub plugins: Option<String>,
    /// `plugins.lock`.
    pub plugins_lock: Option<String>,
    /// `portcullis.yml`.
    pub portcullis: Option<String>,
    /// `companions.yml`.
    pub companions: Option<String>,
    /// The files that could not be read. Nothing loads then, and nothing is concluded from their absence.
    pub unread: Vec<&'static str>,
}

/// Reads a foreign YAML document with the reader of the configuration. No fault repeats a text of it: it may hold
/// secrets.
pub(crate) fn hidden_yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ConfigFault> {
    yaml::from_yaml(CREDENTIALS, text)
}

/// One fault in a file. Holds no text of a credentials file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file's name.
    pub file: &'static str,
    /// Line, counted from 1; 0 where none is known.
    pub line: u64,
    /// Column, counted from 1; 0 where none is known.
    pub column: u64,
    /// Where in the document, e.g. `hosts[2].port`; empty for the whole.
    pub path: String,
    /// What is wrong: what was expected, then what was got.
    pub message: String,
    /// How to mend it; empty where there is nothing to say.
    pub hint: String,
}

impl std::fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A fault of the whole file has no line, and one of a directory no file.
        match self.line {
            0 if self.file.is_empty() => {}
            0 => write!(f, "{}: ", self.file)?,
            line => write!(f, "{}:{line}:{}: ", self.file, self.column)?,
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// What a plugin may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginMode {
    /// Its verdicts and spans hold.
    Enforce,
    /// Its verdicts and spans are recorded only.
    Observe,
}

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginKind {
    /// It judges commands.
    Validator,
    /// It finds spans to mask in output.
    Redactor,
}

/// What carries a plugin's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginRuntime {
    /// Nothing: it is compiled.
    Native,
    /// An interpreter, which comes with the plugin.
    Interpreter,
}

/// Whose signature a component has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSignature {
    /// The signature's file beneath the plugins directory.
    pub path: String,
    /// The author's public key, as one line of base64.
    pub public_key: String,
}

/// One plugin of `plugins.yml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginEntry {
    /// Its name, unique: ASCII letters, digits, `-`, `_`.
    pub name: String,
    /// What it is.
    pub kind: PluginKind,
    /// The component's file beneath the plugins directory.
    pub path: String,
    /// The component's pinned SHA-256, 64 lower-case hex digits; `None` only with `dev: true`.
    pub sha256: Option<String>,
    /// The signature that it has to have, if any.
    pub signature: Option<PluginSignature>,
    /// The file of its test vectors beneath the plugins directory, if any.
    pub vectors: Option<String>,
    /// Whether its word holds.
    pub mode: PluginMode,
    /// Whether the inert WASI stubs are linked (`inert`) or refused (`none`).
    pub wasi_inert: bool,
    /// What carries its code.
    pub runtime: PluginRuntime,
    /// Its limits.
    pub limits: PluginLimits,
    /// Its settings as JSON text, handed to every call.
    pub settings: String,
}

/// The limits of one plugin; each has a ceiling that no file can lift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginLimits {
    /// Wall time of a call in milliseconds.
    pub wall_ms: u64,
    /// Fuel of a call, in wasmtime's units.
    pub fuel: u64,
    /// Memory over all linear memories, in bytes.
    pub memory_bytes: usize,
    /// Size of the component file, in bytes.
    pub component_bytes: u64,
}

/// Which bytes of a file a configuration was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMark {
    /// The file's name.
    pub name: &'static str,
    /// Its SHA-256, 64 hex digits; `None` where the file does not exist.
    pub sha256: Option<String>,
}

/// A whole, valid configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Hosts and credentials.
    pub inventory: Inventory,
    /// Rules, limits, address lists.
    pub policy: Policy,
    /// Which rules look for secrets, by alias.
    pub redaction: Redaction,
    /// Plugins, in the order in which they are called.
    pub plugins: Vec<PluginEntry>,
    /// The gate's own settings.
    pub settings: Settings,
    /// Other MCP servers, in file order.
    pub companions: Vec<Companion>,
    /// The digests of the policy's parts.
    pub prints: Prints,
    /// SHA-256 over the names, lengths and texts of all files, 64 hex digits.
    pub digest: String,
    /// Each file by itself, in the order of [`Sources`].
    pub files: Vec<FileMark>,
    /// Those that `plugins` was made from.
    pub plugin_files: Vec<FileMark>,
    /// What is legal and probably not meant.
    pub warnings: Vec<ConfigFault>,
}

/// The redaction rules of a snapshot, built.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// For texts that are recorded: all that any place of the policy switches on, and nothing off.
    pub records: HostRedaction,
    /// For texts of which no host is known.
    pub no_host: HostRedaction,
    /// For the output of each host, by alias.
    pub hosts: BTreeMap<String, HostRedaction>,
}

impl Redaction {
    fn build(layers: &RedactionLayers, inventory: &Inventory) -> Result<Self, Vec<ConfigFault>> {
        let mut faults = Vec::new();
        let mut fault = |path: String, message: String| {
            faults.push(ConfigFault {
                path,
                ..tree::whole_file(POLICY, &message, "Give each rule a name of its own.")
            });
            HostRedaction::default()
        };
        let records = layers.of_records();
        let records = records.unwrap_or_else(|message| fault("redaction".to_owned(), message));
        let (mut hosts, mut known) = (BTreeMap::new(), HashMap::new());
        for host in inventory.hosts() {
            let rules: &HostRedaction = known.entry(layers.places_of(host)).or_insert_with(|| {
                let path = format!("redaction of host {}", host.alias);
                let rules = layers.of(host);
                rules.unwrap_or_else(|message| fault(path, message))
            });
            hosts.insert(host.alias.as_str().to_owned(), rules.clone());
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            records,
            no_host: layers.of_no_host(),
            hosts,
        })
    }
}

impl Snapshot {
    /// Leaves the plugins as an earlier configuration has them, and gives the digest of what holds then: the files' own
    /// where they say the same of plugins, else one that no set of files has.
    #[must_use]
    pub fn keep_plugins_of(&mut self, earlier: &Self) -> String {
        self.plugins.clone_from(&earlier.plugins);
        self.plugin_files.clone_from(&earlier.plugin_files);
        if of_plugins(&self.files) == self.plugin_files {
            return self.digest.clone();
        }
        let said = self.plugin_files.iter().map(|mark| {
            let sha256 = mark.sha256.as_deref().unwrap_or("none");
            format!("\n{} {sha256}", mark.name)
        });
        sha256_hex(format!("{}{}", self.digest, said.collect::<String>()).as_bytes())
    }

    /// A fault for each file that an earlier configuration was made from and that is gone now. A reload
    /// that finds one keeps the earlier configuration: a file that vanishes must not take rules,
    /// logins or plugins with it.
    #[must_use]
    pub fn missing_since(&self, earlier: &Self) -> Vec<ConfigFault> {
        earlier
            .files
            .iter()
            .zip(&self.files)
            .filter(|(before, now)| before.sha256.is_some() && now.sha256.is_none())
            .map(|(_, now)| {
                tree::whole_file(
                    now.name,
                    "the file is gone since the configuration was last loaded",
                    "Put it back, or restart if it is meant to be gone.",
                )
            })
            .collect()
    }
}

/// When a configuration is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// At start: without a policy everything is denied, and a warning says so.
    Start,
    /// While a configuration is in force: without a policy the new one is not taken.
    Reload,
}

/// Reads all files, or names everything that is wrong in all of them.
///
/// # Errors
/// Every [`ConfigFault`] of every file, in the order of the files and lines; none where the only fault is
/// that a file could not be read.
pub fn load(sources: &Sources, occasion: Occasion) -> Result<Snapshot, Vec<ConfigFault>> {
    let mut credentials = credentials::read(sources.credentials.as_deref());
    if sources.unread.contains(&CREDENTIALS) {
        credentials.names = None;
    }
    let mut servers = match &sources.servers {
        Some(text) => servers::read(text, credentials.names.as_ref()),
        None => servers::missing(),
    };
    let (mut policy, (prints, redaction), mut policy_faults, mut policy_warnings) =
        rules(sources, occasion);
    let mut lock = lock::read(sources.plugins_lock.as_deref());
    let mut plugins = plugins::read(sources.plugins.as_deref(), &lock.pins);
    let (settings, mut settings_faults) = settings::read(sources.portcullis.as_deref());
    let mut companions = companions::read(sources.companions.as_deref());
    let mut faults = in_order([
        &mut servers.faults,
        &mut credentials.faults,
        &mut policy_faults,
        &mut plugins.faults,
        &mut lock.faults,
        &mut settings_faults,
        &mut companions.faults,
    ]);
    // Whoever reads the files has a better word for why one of them is not there.
    faults.retain(|fault| !sources.unread.contains(&fault.file));
    if !faults.is_empty() || !sources.unread.is_empty() {
        return Err(faults);
    }
    let inventory = Inventory::build(servers.hosts, credentials.entries).map_err(|faults| {
        let whole =
            |fault: &dyn std::fmt::Display| tree::whole_file(SERVERS, &fault.to_string(), "");
        faults.iter().map(|fault| whole(fault)).collect::<Vec<_>>()
    })?;
    let redaction = Redaction::build(&redaction, &inventory)?;
    policy.prepare(inventory.hosts().iter());
    warn_of_rules_without_hosts(&policy, &inventory, &mut policy_warnings);
    let warnings = in_order([
        &mut servers.warnings,
        &mut credentials.warnings,
        &mut policy_warnings,
        &mut plugins.warnings,
        &mut companions.warnings,
    ]);
    Ok(Snapshot {
        inventory,
        policy,
        redaction,
        plugins: plugins.entries,
        settings,
        companions: companions.entries,
        prints,
        digest: sources.digest(),
        plugin_files: of_plugins(&marks(sources)),
        files: marks(sources),
        warnings,
    })
}

/// A rule whose aliases and tags no host has can never take effect; a tag may be misspelt.
fn warn_of_rules_without_hosts(policy: &Policy, inventory: &Inventory, warnings: &mut Faults) {
    if inventory.hosts().is_empty() {
        return;
    }
    for (position, rule) in policy.rules().iter().enumerate() {
        if inventory.hosts().iter().any(|host| rule.holds_on(host)) {
            continue;
        }
        warnings.push(ConfigFault {
            path: format!("rules[{position}]"),
            ..tree::whole_file(
                POLICY,
                "can never take effect: no host has such an alias and tag",
                "Compare `aliases` and `tags` with servers.yml.",
            )
        });
    }
}

type Faults = Vec<ConfigFault>;

fn rules(
    sources: &Sources,
    occasion: Occasion,
) -> (Policy, (Prints, RedactionLayers), Faults, Faults) {
    let none = |faults, warnings| (Policy::default(), Default::default(), faults, warnings);
    match (&sources.policy, occasion) {
        (Some(text), Occasion::Start | Occasion::Reload) => match policy_file::read(text) {
            Ok((rules, parts, warnings)) => (rules, parts, Vec::new(), warnings),
            Err(faults) => none(faults, Vec::new()),
        },
        (None, Occasion::Start) => {
            let warning = tree::whole_file(
                POLICY,
                "the file does not exist, so every command is denied",
                "Begin with the sample policy.yml.",
            );
            none(Vec::new(), vec![warning])
        }
        (None, Occasion::Reload) => {
            let fault = tree::whole_file(POLICY, "the file does not exist", "Put it back.");
            none(vec![fault], Vec::new())
        }
    }
}

/// Joins the lists of the files; within a file the lines rise.
fn in_order<const N: usize>(lists: [&mut Faults; N]) -> Faults {
    let mut all = Vec::new();
    for list in lists {
        list.sort_by_key(|fault| (fault.line, fault.column));
        all.append(list);
    }
    all
}

impl Sources {
    /// SHA-256 over the names, lengths and texts of all files, 64 hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        // Lengths stand before the texts, so that no two sets of files have one input; a file that does not
        // exist counts otherwise than an empty one, and than one that cannot be read.
        let mut hash = Sha256::new();
        for (name, text) in self.files() {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name.as_bytes());
            let unread = u8::from(self.unread.contains(&name));
            hash.update([u8::from(text.is_some()) | unread << 1]);
            let text = text.unwrap_or_default();
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hex(&hash.finalize())
    }

    /// Every file's name with its text, in a fixed order.
    fn files(&self) -> [(&'static str, Option<&str>); 7] {
        [
            (SERVERS, self.servers.as_deref()),
            (CREDENTIALS, self.credentials.as_deref()),
            (POLICY, self.policy.as_deref()),
            (PLUGINS, self.plugins.as_deref()),
            (PLUGINS_LOCK, self.plugins_lock.as_deref()),
            (PORTCULLIS, self.portcullis.as_deref()),
            (COMPANIONS, self.companions.as_deref()),
        ]
    }
}

/// The marks of the files that say which plugins there are.
fn of_plugins(files: &[FileMark]) -> Vec<FileMark> {
    let files = files.iter();
    let files = files.filter(|mark| matches!(mark.name, PLUGINS | PLUGINS_LOCK));
    files.cloned().collect()
}

fn marks(sources: &Sources) -> Vec<FileMark> {
    let mark = |(name, text): (&'static str, Option<&str>)| FileMark {
        name,
        sha256: text.map(|text| sha256_hex(text.as_bytes())),
    };
    sources.files().into_iter().map(mark).collect()
}

#[cfg(test)]
mod more_tests;
#[cfg(test)]
mod plugin_tests;
#[cfg(test)]
mod tests;
