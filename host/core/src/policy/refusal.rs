//! A refusal is a value: the engine working. This file holds the words that programs read; the
//! sentences for people are in `Refusal::detail`.

use super::Capability;

/// Which rule of `policy.yml` decided: its position, counted from 0, and its name where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// Position in `rules`, counted from 0.
    pub index: usize,
    /// The rule's `name:`.
    pub name: Option<String>,
}

/// Why something was refused, as one stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// No rule allows it: the default.
    NoRule,
    /// A deny rule matches.
    DenyRule,
    /// An entry of `deny_commands` matches.
    DenyCommand,
    /// A text of `deny_substrings` occurs.
    DenySubstring,
    /// The text is not a script that can be judged.
    Unanalysable,
    /// The program's name is a path, and no rule spells that path.
    ProgramPath,
    /// A program that runs other programs, and the inner one cannot be judged.
    Wrapper,
    /// A redirection that no rule grants.
    Redirection,
    /// A variable that no rule grants to be set.
    Assignment,
    /// A rule covers the command and does not grant what its words would do.
    Capability,
    /// A rule covers the command, not the paths that it names.
    PathNotAllowed,
    /// A rule covers the command, not the user that it would run as.
    RunAs,
    /// The host takes single commands only.
    Mode,
    /// The host's login shell reads commands in another way.
    UnsupportedShell,
    /// A validator objects.
    Objection,
    /// A validator failed; the plugin's own code stands in the refusal.
    ValidatorFailed,
    /// A human's approval is asked for and approvals are not available.
    ApprovalUnavailable,
    /// The name has no address.
    DnsFailed,
    /// No address may be dialled.
    NetworkNotAllowed,
    /// The host's credential, key or host keys cannot be used.
    LoginUnavailable,
    /// The audit journal cannot be written.
    JournalUnavailable,
}

impl Code {
    /// The word on the wire and in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::DenyRule => "deny_rule",
            Self::DenyCommand => "deny_command",
            Self::DenySubstring => "deny_substring",
            Self::Unanalysable => "unanalysable",
            Self::ProgramPath => "program_path",
            Self::Wrapper => "wrapper",
            Self::Redirection => "redirection",
            Self::Assignment => "assignment",
            Self::Capability => "capability",
            Self::PathNotAllowed => "path_not_allowed",
            Self::RunAs => "run_as",
            Self::Mode => "mode",
            Self::UnsupportedShell => "unsupported_shell",
            Self::Objection => "objection",
            Self::ValidatorFailed => "validator_failed",
            Self::ApprovalUnavailable => "approval_unavailable",
            Self::DnsFailed => "dns_failed",
            Self::NetworkNotAllowed => "network_not_allowed",
            Self::LoginUnavailable => "login_unavailable",
            Self::JournalUnavailable => "journal_unavailable",
        }
    }

    /// Which part of the gate refused, as the `reason` key carries it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoRule
            | Self::DenyRule
            | Self::DenyCommand
            | Self::DenySubstring
            | Self::Unanalysable
            | Self::ProgramPath
            | Self::Wrapper
            | Self::Redirection
            | Self::Assignment
            | Self::Capability
            | Self::PathNotAllowed
            | Self::RunAs
            | Self::Mode
            | Self::UnsupportedShell => "policy",
            Self::Objection | Self::ValidatorFailed => "validator",
            Self::ApprovalUnavailable => "approval",
            Self::DnsFailed | Self::NetworkNotAllowed => "network",
            Self::LoginUnavailable => "login",
            Self::JournalUnavailable => "journal",
        }
    }
}

/// Why a case was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The word for programs.
    pub code: Code,
    /// One sentence for people. Holds no address, path of the gate, or secret. Texts of plugins in
    /// it are sanitised and bounded.
    pub detail: String,
    /// What would have to change and by whom, as one sentence that teaches no way around.
    pub hint: String,
    /// The kind of effect that no rule grants, where that is the reason.
    pub capability: Option<Capability>,
    /// The source span of the refused part, where the script has more than one.
    pub part: Option<String>,
    /// The rule that decided, where one did.
    pub rule: Option<RuleRef>,
    /// Byte offset in the trimmed command, where one is meant.
    pub offset: Option<usize>,
    /// The plugin that decided, and its own code.
    pub plugin: Option<(String, String)>,
    /// For a refusal by the address lists: the entries that refuse, or that none allows, each once.
    pub network: Vec<String>,
}
