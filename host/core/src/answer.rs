//! What the gate answers, as data without a transport: the MCP server and the command line both turn
//! these into their own shapes.

mod fleet;

pub use fleet::{Fleet, Member, MemberEnd, Rolling};

use crate::output::{Shown, Stream};
use crate::policy::{Finding, Limits, Opinion, Refusal};
use crate::request::{Alias, InputFault};
use crate::text::SafeText;

/// The answer to a plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The host.
    pub alias: Alias,
    /// The trimmed command.
    pub command: String,
    /// Its hash.
    pub hash: String,
    /// Whether it would run.
    pub allowed: bool,
    /// Why not, if not.
    pub refusal: Option<Refusal>,
    /// What the rules found, one for each simple command.
    pub findings: Vec<Finding>,
    /// What the validators said.
    pub opinions: Vec<Opinion>,
    /// The exact text that would be sent; empty where the command cannot be analysed.
    pub rendered: String,
    /// SHA-256 of that text, 64 hex digits.
    pub rendered_sha256: String,
    /// The limits that would hold.
    pub limits: Limits,
    /// What the address lists say of the host: `allowed`, `not_allowed`, `dns_failed` where its name has no
    /// address now, `not_asked` where the command is refused already.
    pub network: &'static str,
}

/// How a run was answered.
#[derive(Debug)]
pub enum Run {
    /// It was run; see its state.
    Ran(Box<Ran>),
    /// It was refused.
    Denied(Box<Denied>),
}

/// A run that was made, or tried.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The run's id.
    pub task_id: String,
    /// The host.
    pub alias: Alias,
    /// The command's hash.
    pub hash: String,
    /// SHA-256 of the text that was sent, 64 hex digits.
    pub rendered_sha256: String,
    /// How it ended. `duration_ms`, `exit_code`, `state` and the like.
    pub closing: crate::audit::Closing,
    /// The signal that ended the command, without `SIG`, where one did.
    pub signal: Option<String>,
    /// What was printed, fit to be read.
    pub shown: Shown,
    /// What of it can be paged through, where the policy keeps it.
    pub paging: Option<Paging>,
    /// For `unreachable` and `unknown`: what went wrong, from a fixed set of texts.
    pub fault: Option<RunFault>,
    /// Milliseconds spent resolving, connecting (with key exchange and authentication), opening the
    /// channel, and waiting for the command.
    pub timing: Timing,
    /// Whether the closing record could not be written.
    pub journal_fault: bool,
}

/// What is kept of a run's output, to be paged through under its task id by whoever ran it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Redacted standard output that is kept, in bytes.
    pub stdout_bytes: u64,
    /// Redacted standard error that is kept, in bytes.
    pub stderr_bytes: u64,
    /// Whether all of the output is kept; otherwise both ends around a line that counts what is missing.
    pub complete: bool,
    /// For how many seconds it is kept.
    pub seconds: u64,
}

/// One page of a run's redacted output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The text, cut between characters.
    pub text: SafeText,
    /// Where it begins in the redacted text of its stream, in bytes.
    pub offset: u64,
    /// Where the next page begins; the same as `total` at the end.
    pub next: u64,
    /// All of the stream's text that is kept, in bytes.
    pub total: u64,
    /// Whether all of the output is kept.
    pub complete: bool,
}

/// Which page of which run's output somebody wants, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The run's id, as its answer gave it.
    pub task: String,
    /// Which stream.
    pub stream: Stream,
    /// Where to begin, in bytes of the redacted text; the next border of characters counts.
    pub offset: u64,
    /// Most bytes of one page.
    pub bytes: u64,
}

/// Where the time of a run went, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Name resolution.
    pub resolve_us: u64,
    /// Socket and key exchange; next to nothing on a connection that was open already.
    pub connect_us: u64,
    /// The login; 0 on a connection that was open already.
    pub authenticate_us: u64,
    /// Opening the channel and sending the command.
    pub channel_us: u64,
    /// From then to the end of the command.
    pub remote_us: u64,
    /// Rules and parsing.
    pub policy_us: u64,
    /// Validators.
    pub validators_us: u64,
    /// The opening record.
    pub journal_us: u64,
    /// Sanitising, redacting and capping.
    pub output_us: u64,
}

/// Why a run could not be made or its end is not known: a stable word and a fixed text without
/// addresses, paths or secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFault {
    /// E.g. `host_key_mismatch`, `authentication_failed`, `connection_refused`.
    pub code: &'static str,
    /// The text for the caller.
    pub message: &'static str,
    /// The alias of the host on the way at which it happened, where it was not the target.
    pub at: Option<String>,
}

/// A run that was refused.
#[derive(Debug, Clone)]
pub struct Denied {
    /// The host.
    pub alias: Alias,
    /// The command's hash.
    pub hash: String,
    /// The trimmed command.
    pub command: String,
    /// Why.
    pub refusal: Refusal,
    /// The host's name or address as the inventory has it, for a refusal by the network lists.
    pub hostname: Option<String>,
}

/// What a caller got wrong, or what the gate could not do at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An input was not taken.
    #[error("{0}")]
    Input(#[from] InputFault),
    /// No host has that alias.
    #[error("Host alias not found: {0}")]
    UnknownAlias(Alias),
    /// Too many calls are under way.
    #[error("too many calls are under way; try again")]
    Busy,
    /// The host has no usable credential, key or secret. The text is from a fixed set.
    #[error("{message}")]
    Setup {
        /// The word for programs.
        code: &'static str,
        /// The text for the caller.
        message: &'static str,
    },
}

impl Fault {
    /// The stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input(fault) => fault.code(),
            Self::UnknownAlias(_) => "unknown_alias",
            Self::Busy => "busy",
            Self::Setup { code, .. } => code,
        }
    }
}

/// The answer to a reload.
#[derive(Debug, Clone)]
pub enum Reload {
    /// The new snapshot holds.
    Reloaded {
        /// Digest of the new snapshot.
        digest: String,
        /// How many hosts it has.
        hosts: usize,
        /// How many rules it has.
        rules: usize,
        /// Whether anything changed at all.
        changed: bool,
        /// What changed, against the snapshot that held before.
        changes: Box<Changes>,
    },
    /// The last good snapshot still holds.
    Kept {
        /// Digest of the snapshot that holds.
        digest: String,
        /// What is wrong with the new files, one line each: file, line, column, path, message. Never a
        /// value of a file.
        faults: Vec<String>,
    },
}

/// What a new configuration changes. Names and ways to keys only, never a value of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The files whose bytes differ.
    pub files: Vec<&'static str>,
    /// Hosts by alias; one whose login changed counts as changed.
    pub hosts: Difference,
    /// Rules by name, or by place where they have none.
    pub rules: Difference,
    /// Limits and overrides by the way to their keys.
    pub limits: Names,
    /// The other keys of the policy.
    pub policy: Names,
}

/// How two sets differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the new one only.
    pub added: Names,
    /// In the old one only.
    pub removed: Names,
    /// In both, and not the same.
    pub changed: Names,
}

/// Some names and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub names: Vec<String>,
}
