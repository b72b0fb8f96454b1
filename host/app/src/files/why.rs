//! The reasons why a file is not read: their words, and the names under which log collectors of the seed
//! system already know them.
//!
//! Must not: hold what stands in a file.

use super::kind::Kind;
use portcullis_core::config::{PathFault, SecretNameFault};
use portcullis_core::limits::{KEY_PATH_CHARS_MAX, SECRET_NAME_CHARS_MAX};
use serde_json::{Map, Value, json};
use std::io;
use std::path::PathBuf;

/// Why it was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Why {
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
    /// Others may write in a directory.
    #[error("expected a directory that only its owner can write, got one that others can")]
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
    /// A link leads out of the directory.
    #[error("expected a file inside its directory, got a link that leads out")]
    LeadsOut,
    /// There are more steps in the path than are gone.
    #[error("expected at most {max} directories in a path, got {steps}")]
    Deep {
        /// How many there are.
        steps: usize,
        /// How many are gone.
        max: usize,
    },
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
    /// Others may write it.
    #[error("expected a file that others cannot write, got mode {mode:o}")]
    Writable {
        /// Its mode.
        mode: u32,
    },
    /// It cannot be started.
    #[error("expected a program that can be started, got mode {mode:o}")]
    NoProgram {
        /// Its mode.
        mode: u32,
    },
    /// A program that was asked for a secret gave none.
    #[error("expected a secret from the program, got none ({reason})")]
    Asked {
        /// Why, as records name it.
        reason: &'static str,
    },
    /// The directory that was opened is not the one that stands there now.
    #[error("expected the directory that was opened at start, got another one or none")]
    Replaced,
    /// Others may read it.
    #[error("expected a file that others cannot read, got mode {mode:o}")]
    Readable {
        /// Its mode.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("expected a file of root or of the gate's own user, got one of user {uid}")]
    Owner {
        /// To whom.
        uid: u32,
    },
    /// It has another name.
    #[error("expected a file with one name, got one with {names} (hard links)")]
    OtherNames {
        /// How many it has.
        names: u64,
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

    /// The event's type and reason; `None` where nothing was attempted.
    pub(super) fn event(&self, kind: Kind) -> Option<(&'static str, &'static str)> {
        const TRAVERSAL: &str = "path_traversal_attempt";
        const VALIDATION: &str = "file_validation_failed";
        const LENGTH: &str = "input_length_limit_exceeded";
        const PERMISSIONS: &str = "insecure_file_permissions";
        Some(match self {
            Self::Name(SecretNameFault::TooLong { .. }) => (LENGTH, "secret_name_too_long"),
            Self::Name(SecretNameFault::Characters) => {
                ("invalid_secret_name", "contains_invalid_characters")
            }
            Self::Path(PathFault::TooLong { .. }) => (LENGTH, too_long(kind)),
            Self::Path(PathFault::Traversal) => (TRAVERSAL, "contains_traversal_pattern"),
            Self::Path(PathFault::Characters) => (VALIDATION, "contains_invalid_characters"),
            Self::Path(PathFault::Empty) => (VALIDATION, "path_is_empty"),
            Self::Outside if matches!(kind, Kind::Key | Kind::Certificate) => {
                (TRAVERSAL, "absolute_path_outside_keys_directory")
            }
            Self::Outside | Self::LeadsOut => (TRAVERSAL, "path_outside_allowed_directory"),
            Self::Deep { .. } => (VALIDATION, "path_too_deep"),
            Self::Directory => (VALIDATION, "path_is_directory"),
            Self::Link => (VALIDATION, "path_is_symlink"),
            Self::NotRegular => (VALIDATION, "path_not_regular_file"),
            Self::Missing => (VALIDATION, "file_not_found"),
            Self::NoDirectory => (VALIDATION, "directory_not_found"),
            Self::OtherNames { .. } => (VALIDATION, "file_has_other_names"),
            Self::Encoding => (VALIDATION, "file_not_utf8"),
            Self::Empty => (VALIDATION, "value_is_empty"),
            Self::Io(_) => (VALIDATION, "file_not_readable"),
            Self::TooLarge { .. } => ("file_size_limit_exceeded", too_large(kind)),
            Self::Writable { .. } | Self::Readable { .. } => (PERMISSIONS, too_permissive(kind)),
            Self::Owner { .. } => (PERMISSIONS, "owner_not_trusted"),
            Self::NoProgram { .. } => (VALIDATION, "file_not_executable"),
            Self::Replaced => (VALIDATION, "directory_replaced"),
            Self::Asked { reason } => ("secret_provider_failed", reason),
            Self::Exposed => (PERMISSIONS, "directory_permissions_too_permissive"),
            Self::NoConfig { .. } | Self::NoState => return None,
        })
    }

    /// The event's own fields.
    pub(super) fn fields(&self, kind: Kind) -> Map<String, Value> {
        let fields = match self {
            Self::Name(SecretNameFault::TooLong { chars }) => json!({
                "field": "secret_name", "length": chars, "max_length": SECRET_NAME_CHARS_MAX,
            }),
            Self::Path(PathFault::TooLong { chars }) => json!({
                "field": kind.field(), "length": chars, "max_length": KEY_PATH_CHARS_MAX,
            }),
            Self::TooLarge { size, max } => json!({"file_size": size, "max_size": max}),
            Self::Writable { mode } | Self::Readable { mode } | Self::NoProgram { mode } => {
                json!({"mode": format!("{mode:o}")})
            }
            Self::OtherNames { names } => json!({"names": names}),
            Self::Owner { uid } => json!({"owner_uid": uid}),
            Self::Deep { steps, max } => json!({"depth": steps, "max_depth": max}),
            Self::Io(error) => json!({"errno": error.raw_os_error()}),
            Self::NoConfig { .. }
            | Self::NoState
            | Self::Exposed
            | Self::Replaced
            | Self::Asked { .. }
            | Self::NoDirectory
            | Self::Name(SecretNameFault::Characters)
            | Self::Path(PathFault::Empty | PathFault::Traversal | PathFault::Characters)
            | Self::Outside
            | Self::LeadsOut
            | Self::Directory
            | Self::Link
            | Self::NotRegular
            | Self::Missing
            | Self::Encoding
            | Self::Empty => return Map::new(),
        };
        fields.as_object().cloned().unwrap_or_default()
    }
}

fn too_long(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "key_path_too_long",
        Kind::Secret | Kind::EnvFile => "secret_name_too_long",
        Kind::Config
        | Kind::State
        | Kind::File(_)
        | Kind::Certificate
        | Kind::KnownHosts
        | Kind::Plugin
        | Kind::Program
        | Kind::Foreign => "path_too_long",
    }
}

fn too_large(kind: Kind) -> &'static str {
    match kind {
        Kind::File(_) => "yaml_file_too_large",
        Kind::EnvFile => "env_file_too_large",
        Kind::Config
        | Kind::State
        | Kind::Key
        | Kind::Secret
        | Kind::Certificate
        | Kind::KnownHosts
        | Kind::Plugin
        | Kind::Program
        | Kind::Foreign => "file_too_large",
    }
}

fn too_permissive(kind: Kind) -> &'static str {
    match kind {
        Kind::EnvFile => "env_file_permissions_too_permissive",
        Kind::Key => "key_file_permissions_too_permissive",
        Kind::Secret => "secret_file_permissions_too_permissive",
        Kind::Config
        | Kind::State
        | Kind::File(_)
        | Kind::Certificate
        | Kind::KnownHosts
        | Kind::Plugin
        | Kind::Program
        | Kind::Foreign => "file_permissions_too_permissive",
    }
}

fn shown(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(", ")
}
