//! What is read, and what that means for where it lies and whom it may belong to.
//!
//! Must not: look at the disk.

/// What was to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The configuration directory.
    Config,
    /// The state directory.
    State,
    /// A configuration file.
    File(&'static str),
    /// A private key.
    Key,
    /// A certificate of a key.
    Certificate,
    /// A secret.
    Secret,
    /// The file of secrets.
    EnvFile,
    /// The file of host keys.
    KnownHosts,
    /// A plugin's component.
    Plugin,
    /// A program that is asked for secrets.
    Program,
    /// A file of another tool, which is proposed from and never trusted.
    Foreign,
}

impl Kind {
    /// The variables that name the kind's directory, and its usual name.
    pub(super) fn directory(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Key | Self::Certificate => (&["PORTCULLIS_KEYS_DIR", "MCP_SSH_KEYS_DIR"], "keys"),
            Self::Secret | Self::EnvFile => (
                &["PORTCULLIS_SECRETS_DIR", "MCP_SSH_SECRETS_DIR"],
                "secrets",
            ),
            Self::Plugin => (&["PORTCULLIS_PLUGINS_DIR"], "plugins"),
            Self::Config
            | Self::State
            | Self::File(_)
            | Self::KnownHosts
            | Self::Program
            | Self::Foreign => (&[], ""),
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Config => "configuration directory",
            Self::State => "state directory",
            Self::File(_) => "configuration file",
            Self::Key => "key",
            Self::Certificate => "certificate",
            Self::Secret => "secret",
            Self::EnvFile => "secrets file",
            Self::KnownHosts => "known_hosts file",
            Self::Plugin => "plugin",
            Self::Program => "program",
            Self::Foreign => "file",
        }
    }

    /// The configuration file that names what is read; empty for the directories themselves.
    pub(super) fn named_in(self) -> &'static str {
        match self {
            Self::Config | Self::State | Self::Foreign => "",
            Self::File(name) => name,
            Self::Key | Self::Certificate | Self::Secret | Self::EnvFile => "credentials.yml",
            Self::KnownHosts => "policy.yml",
            Self::Plugin => "plugins.yml",
            Self::Program => "portcullis.yml",
        }
    }

    /// The field that records name where a text of this kind is too long.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Key => "key_path",
            Self::Certificate => "certificate_path",
            Self::Secret | Self::EnvFile => "secret_name",
            Self::KnownHosts => "known_hosts_path",
            Self::Config
            | Self::State
            | Self::File(_)
            | Self::Plugin
            | Self::Program
            | Self::Foreign => "path",
        }
    }

    /// Whether what it holds must not be seen by others.
    pub(super) fn is_secret(self) -> bool {
        match self {
            Self::Key | Self::Secret | Self::EnvFile => true,
            Self::Config
            | Self::State
            | Self::File(_)
            | Self::Certificate
            | Self::KnownHosts
            | Self::Plugin
            | Self::Program
            | Self::Foreign => false,
        }
    }

    /// Whether a link that stays beneath the directory is followed.
    ///
    /// Orchestrators mount configuration as links into a folder that is exchanged as a whole. Whoever can
    /// make a link in the configuration directory can as well write the file there. For keys and secrets
    /// the seed system's promise holds: no link at all.
    pub(super) fn follows_links_beneath(self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Config
            | Self::State
            | Self::Key
            | Self::Certificate
            | Self::Secret
            | Self::EnvFile
            | Self::KnownHosts
            | Self::Plugin
            | Self::Program
            | Self::Foreign => false,
        }
    }
}
