//! Text of the configuration files to typed values, with positions.

mod policy_file;
pub(crate) mod yaml;

pub use policy_file::policy;

use crate::inventory::Inventory;
use crate::policy::Policy;

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
    /// `portcullis.yml`.
    pub portcullis: Option<String>,
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
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
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
    /// Whether its word holds.
    pub mode: PluginMode,
    /// Whether the inert WASI stubs are linked (`inert`) or refused (`none`).
    pub wasi_inert: bool,
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

/// A whole, valid configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Hosts and credentials.
    pub inventory: Inventory,
    /// Rules, limits, address lists.
    pub policy: Policy,
    /// Plugins, in the order in which they are called.
    pub plugins: Vec<PluginEntry>,
    /// SHA-256 over all files, 64 hex digits.
    pub digest: String,
    /// What is legal and probably not meant.
    pub warnings: Vec<ConfigFault>,
}

/// Reads all files, or names everything that is wrong in all of them.
///
/// # Errors
/// Every [`ConfigFault`] of every file, in the order of the files and lines.
pub fn load(_sources: &Sources) -> Result<Snapshot, Vec<ConfigFault>> {
    Err(Vec::new())
}
