//! Why a file is not read: one fault, its words for the operator, and its record for the log. The record
//! has the shape that log collectors of the seed system already parse.
//!
//! Must not: hold what stands in a file.

use jiff::Zoned;
use portcullis_core::config::{PathFault, SecretNameFault};
use portcullis_core::limits::{KEY_PATH_CHARS_MAX, SECRET_NAME_CHARS_MAX};
use portcullis_core::redact::Redactor;
use portcullis_core::text;
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// What was to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The configuration directory.
    Config,
    /// The state directory.
    State,
    /// A configuration file.
    File(&'static str),
    /// A private key.
    Key,
    /// A secret.
    Secret,
    /// The file of secrets.
    EnvFile,
    /// The file of host keys.
    KnownHosts,
    /// A plugin's component.
    Plugin,
}

impl Kind {
    /// The variables that name the kind's directory, and its usual name.
    pub(super) fn directory(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Key => (&["PORTCULLIS_KEYS_DIR", "MCP_SSH_KEYS_DIR"], "keys"),
            Self::Secret | Self::EnvFile => (
                &["PORTCULLIS_SECRETS_DIR", "MCP_SSH_SECRETS_DIR"],
                "secrets",
            ),
            Self::Plugin => (&["PORTCULLIS_PLUGINS_DIR"], "plugins"),
            Self::Config | Self::State | Self::File(_) | Self::KnownHosts => (&[], ""),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Config => "configuration directory",
            Self::State => "state directory",
            Self::File(_) => "configuration file",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::EnvFile => "secrets file",
            Self::KnownHosts => "known_hosts file",
            Self::Plugin => "plugin",
        }
    }
}

/// Why it was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Why {
    /// There is no configuration directory in any of the usual places.
    #[error(
        "expected a directory in one of the usual places, got none: {}",
        shown(looked)
    )]
    NoConfig {
        /// The places.
        looked: Vec<PathBuf>,
    },
    /// There is no place for state: no argument, no variable, no home.
    #[error("expected a place for state, got none")]
    NoState,
    /// Everybody may write in the state directory.
    #[error("expected a directory that only its owner can write, got one that everybody can")]
    Exposed,
    /// The directory in which it should lie does not exist.
    #[error("expected its directory, got none")]
    NoDirectory,
    /// The name of the secret is not taken.
    #[error(transparent)]
    Name(SecretNameFault),
    /// The path is not taken.
    #[error(transparent)]
    Path(PathFault),
    /// The path leads out of its directory.
    #[error("expected a path inside its directory, got one outside")]
    Outside,
    /// A directory stands there.
    #[error("expected a regular file, got a directory")]
    Directory,
    /// A symbolic link stands there or on the way.
    #[error("expected a regular file, got a symbolic link there or on the way")]
    Link,
    /// Something else stands there.
    #[error("expected a regular file, got another kind")]
    NotRegular,
    /// Nothing stands there.
    #[error("expected a file, got none")]
    Missing,
    /// It is larger than its bound.
    #[error("expected at most {max} bytes, got {size}")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The bound.
        max: u64,
    },
    /// It holds bytes that are no UTF-8.
    #[error("expected UTF-8, got other bytes")]
    Encoding,
    /// There is nothing but blanks.
    #[error("expected a value, got an empty one")]
    Empty,
    /// Everybody may write it.
    #[error("expected a file that not everybody can write, got mode {mode:o}")]
    Permissions {
        /// Its mode.
        mode: u32,
    },
    /// The system refused.
    #[error(transparent)]
    Io(io::Error),
}

impl Why {
    /// What the system said, where it is one of the usual things.
    pub(super) fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Io(error),
        }
    }

    /// The event's type and reason, where the fault is one.
    fn event(&self, kind: Kind) -> Option<(&'static str, &'static str)> {
        const TRAVERSAL: &str = "path_traversal_attempt";
        const VALIDATION: &str = "file_validation_failed";
        const LENGTH: &str = "input_length_limit_exceeded";
        Some(match self {
            Self::Name(SecretNameFault::TooLong { .. }) => (LENGTH, "secret_name_too_long"),
            Self::Name(SecretNameFault::Characters) => {
                ("invalid_secret_name", "contains_invalid_characters")
            }
            Self::Path(PathFault::TooLong { .. }) => (LENGTH, "key_path_too_long"),
            Self::Path(PathFault::Traversal) => (TRAVERSAL, "contains_traversal_pattern"),
            Self::Path(PathFault::Characters) => (VALIDATION, "contains_invalid_characters"),
            Self::Outside if kind == Kind::Key => {
                (TRAVERSAL, "absolute_path_outside_keys_directory")
            }
            Self::Outside => (TRAVERSAL, "path_outside_allowed_directory"),
            Self::Directory => (VALIDATION, "path_is_directory"),
            Self::Link => (VALIDATION, "path_is_symlink"),
            Self::NotRegular => (VALIDATION, "path_not_regular_file"),
            Self::Missing => (VALIDATION, "file_not_found"),
            Self::TooLarge { .. } => ("file_size_limit_exceeded", too_large(kind)),
            Self::Permissions { .. } => (
                "insecure_file_permissions",
                "env_file_permissions_too_permissive",
            ),
            Self::NoConfig { .. }
            | Self::NoState
            | Self::Exposed
            | Self::NoDirectory
            | Self::Path(PathFault::Empty)
            | Self::Encoding
            | Self::Empty
            | Self::Io(_) => return None,
        })
    }

    /// The event's own fields.
    fn fields(&self, kind: Kind, body: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        match self {
            Self::Name(SecretNameFault::TooLong { chars }) => {
                put("field", json!("secret_name"));
                put("length", json!(chars));
                put("max_length", json!(SECRET_NAME_CHARS_MAX));
            }
            Self::Path(PathFault::TooLong { chars }) => {
                let field = if kind == Kind::Key {
                    "key_path"
                } else {
                    "path"
                };
                put("field", json!(field));
                put("length", json!(chars));
                put("max_length", json!(KEY_PATH_CHARS_MAX));
            }
            Self::TooLarge { size, max } => {
                put("file_size", json!(size));
                put("max_size", json!(max));
            }
            Self::Permissions { mode } => {
                put("mode", json!(format!("{mode:o}")));
            }
            Self::NoConfig { .. }
            | Self::NoState
            | Self::Exposed
            | Self::NoDirectory
            | Self::Name(SecretNameFault::Characters)
            | Self::Path(PathFault::Empty | PathFault::Traversal | PathFault::Characters)
            | Self::Outside
            | Self::Directory
            | Self::Link
            | Self::NotRegular
            | Self::Missing
            | Self::Encoding
            | Self::Empty
            | Self::Io(_) => {}
        }
    }
}

fn too_large(kind: Kind) -> &'static str {
    match kind {
        Kind::File(_) => "yaml_file_too_large",
        Kind::EnvFile => "env_file_too_large",
        Kind::Config | Kind::State | Kind::Key | Kind::Secret | Kind::KnownHosts | Kind::Plugin => {
            "file_too_large"
        }
    }
}

fn shown(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(", ")
}

/// A file or directory that was not read. The text is for operators: it holds paths.
#[derive(Debug, thiserror::Error)]
#[error("{} {}: {why}", kind.word(), resolved(base, attempted))]
pub(crate) struct FileFault {
    kind: Kind,
    attempted: String,
    base: PathBuf,
    why: Box<Why>,
}

/// What was attempted, beneath its directory; only for people and logs, never to be opened.
fn resolved(base: &Path, attempted: &str) -> String {
    if attempted.is_empty() {
        base.display().to_string()
    } else {
        base.join(attempted).display().to_string()
    }
}

impl FileFault {
    pub(super) fn new(kind: Kind, attempted: &str, base: &Path, why: Why) -> Self {
        Self {
            kind,
            // SECURITY: what a configuration names may be of any length and hold anything, such as the key
            // itself where its path belongs.
            attempted: Redactor::default().mask(&text::step(attempted)).0,
            base: base.to_owned(),
            why: Box::new(why),
        }
    }

    #[cfg(test)]
    pub(super) fn why(&self) -> &Why {
        &self.why
    }

    /// The configuration file that names what was not read; empty for the directories themselves.
    pub(crate) fn file(&self) -> &'static str {
        match self.kind {
            Kind::Config | Kind::State => "",
            Kind::File(name) => name,
            Kind::Key | Kind::Secret | Kind::EnvFile => "credentials.yml",
            Kind::KnownHosts => "policy.yml",
            Kind::Plugin => "plugins.yml",
        }
    }

    /// How to mend it; empty where there is nothing to say.
    pub(crate) fn hint(&self) -> &'static str {
        match (&*self.why, self.kind) {
            (Why::NoConfig { .. }, _) => {
                "make one of them from the sample configuration, or name a directory with --config"
            }
            (Why::NoState, _) => "name a directory with --state or PORTCULLIS_STATE_DIR",
            (Why::Exposed, _) => "chmod 700 the directory",
            (Why::Permissions { .. }, _) => "chmod 600 the file",
            (Why::Link, _) => "put the file itself there",
            (Why::Outside | Why::Missing | Why::NoDirectory, Kind::Key) => {
                "keys lie in the directory `keys` of the configuration, or in PORTCULLIS_KEYS_DIR"
            }
            (Why::Missing | Why::NoDirectory | Why::Empty, Kind::Secret) => {
                "set MCP_SSH_SECRET_<NAME>, or write the secret to a file of that name in the secrets directory"
            }
            (Why::Outside | Why::Missing | Why::NoDirectory, Kind::Plugin) => {
                "plugins lie in the directory `plugins` of the configuration, or in PORTCULLIS_PLUGINS_DIR"
            }
            (Why::Missing, Kind::KnownHosts) => {
                "set known_hosts_path in policy.yml, or make ~/.ssh/known_hosts"
            }
            _ => "",
        }
    }

    /// The security event, where the fault is one: what an attack or a tampered configuration looks like.
    pub(crate) fn event(&self) -> Option<Value> {
        let (event_type, reason) = self.event_kind()?;
        let now = Zoned::now();
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("level", json!("error"));
        put("kind", json!("security_audit"));
        put("type", json!("security_event"));
        put("event_type", json!(event_type));
        put(
            "ts",
            json!(now.timestamp().as_microsecond() as f64 / 1_000_000.0),
        );
        put(
            "timestamp",
            json!(now.strftime("%Y-%m-%dT%H:%M:%S%z").to_string()),
        );
        put("attempted_path", json!(self.attempted));
        put(
            "resolved_path",
            json!(resolved(&self.base, &self.attempted)),
        );
        put("reason", json!(reason));
        put("base_dir", json!(self.base.display().to_string()));
        self.why.fields(self.kind, &mut body);
        Some(Value::Object(body))
    }

    fn event_kind(&self) -> Option<(&'static str, &'static str)> {
        // A secret's name that is a path is an attempt at one, not a slip of the pen.
        if self.kind == Kind::Secret && matches!(*self.why, Why::Name(SecretNameFault::Characters))
        {
            if self.attempted.contains("..") {
                return Some(("path_traversal_attempt", "contains_traversal_pattern"));
            }
            if self.attempted.starts_with('/') {
                return Some(("path_traversal_attempt", "absolute_path_rejected"));
            }
        }
        self.why.event(self.kind)
    }
}
