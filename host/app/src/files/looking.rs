//! What places and files look like from outside: their owners, permission bits and times, and which file system they
//! lie on. Looked at through the handles that everything is read through.
//!
//! Links are followed as far as reading follows them: in the place of a configuration file, and beneath its directory.
//! What is read through no link is not looked at through one either: it would be the look of something else.
//!
//! Must not: read a file of the configuration, follow a link out of its directory, or make anything.

use super::{Dirs, Place};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt};
use portcullis_core::config::path_text;
use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, Stat};
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most bytes of a file of the system that are read.
const SYSTEM_FILE_BYTES_MAX: u64 = 1_048_576;
/// A folder on the way to a file, which need not be readable and is no link.
const FOLDER_FLAGS: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Files of the configuration directory, and of the secrets directory, that are looked at.
const CONFIG_FILES: [&str; 7] = [
    "servers.yml",
    "credentials.yml",
    "policy.yml",
    "plugins.yml",
    "portcullis.yml",
    "companions.yml",
    "allowed_signers",
];

/// What a place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The configuration directory or a file in it: what it says is law.
    Law,
    /// A directory of keys or secrets, or such a file.
    Secret,
    /// The plugins directory.
    Plugins,
    /// The state directory, the journal, or its key.
    State,
}

/// What one place looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its path, for people.
    pub(crate) path: PathBuf,
    /// What it is for.
    pub(crate) role: Role,
    /// Whether it is a directory.
    pub(crate) directory: bool,
    /// Its permission bits.
    pub(crate) mode: u32,
    /// Its owner.
    pub(crate) uid: u32,
    /// When it was last written.
    pub(crate) modified: Option<SystemTime>,
    /// Whether this process could write it.
    pub(crate) writable: bool,
}

/// A text of the system, e.g. of `/proc`; `None` where it is not there or no text.
pub(crate) fn ambient_text(dir: &str, name: &str) -> Option<String> {
    let dir = Dir::open_ambient_dir(dir, ambient_authority()).ok()?;
    let file = dir.open(name).ok()?;
    let mut text = String::new();
    file.take(SYSTEM_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

impl Dirs {
    /// The directories and files of the configuration, keys, secrets, plugins and state that exist.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (place, role, names) in [
            (&self.config, Role::Law, &CONFIG_FILES[..]),
            (&self.keys, Role::Secret, &["known_hosts"][..]),
            (&self.secrets, Role::Secret, &[".env"][..]),
            (&self.plugins, Role::Plugins, &[][..]),
        ] {
            seen.extend(place.looked(Path::new(""), role));
            for name in names {
                // Host keys are no secret; what they say is law.
                let role = if *name == "known_hosts" {
                    Role::Law
                } else {
                    role
                };
                seen.extend(place.looked(Path::new(name), role));
            }
        }
        if let Some(state) = self.existing_state() {
            for name in ["", "journal", "keys", "keys/journal.key"] {
                seen.extend(state.looked(Path::new(name), Role::State));
            }
        }
        seen
    }

    /// The file of a key, named as a configuration names it.
    pub(crate) fn seen_key(&self, path: &str) -> Option<Seen> {
        path_text(path).ok()?;
        let inside = self.keys.inside(Path::new(path))?;
        self.keys.looked(inside, Role::Secret)
    }

    /// The file of a secret.
    pub(crate) fn seen_secret(&self, name: &str) -> Option<Seen> {
        portcullis_core::config::secret_name(name).ok()?;
        self.secrets.looked(Path::new(name), Role::Secret)
    }

    /// The state directory where it exists; nothing is made.
    pub(crate) fn state_as_it_is(&self) -> Option<Dir> {
        self.existing_state().and_then(|place| place.dir)
    }

    fn existing_state(&self) -> Option<Place> {
        let path = self.state.clone()?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority()).ok()?;
        Some(Place {
            path,
            dir: Some(dir),
        })
    }
}

impl Place {
    fn looked(&self, name: &Path, role: Role) -> Option<Seen> {
        let dir = self.dir.as_ref()?;
        let here = name.as_os_str().is_empty();
        let mut held: Option<OwnedFd> = None;
        for part in name.parent().into_iter().flat_map(Path::components) {
            let Component::Normal(part) = part else {
                return None;
            };
            let at = held.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
            held = Some(rustix::fs::openat(at, part, FOLDER_FLAGS, Mode::empty()).ok()?);
        }
        let at = held.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
        let (stat, path) = if here {
            (rustix::fs::fstat(dir).ok()?, self.path.clone())
        } else {
            let last = name.file_name()?;
            let mut stat = rustix::fs::statat(at, last, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            // A link says nothing of what is read through it; one that leads out is not followed.
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                if role != Role::Law {
                    return None;
                }
                let meta = dir.metadata(name).ok()?;
                (stat.st_mode, stat.st_uid) = (meta.mode(), meta.uid());
                stat.st_mtime = meta.mtime();
            }
            (stat, self.path.join(name))
        };
        let last = name.file_name().unwrap_or(OsStr::new("."));
        let writable = rustix::fs::accessat(at, last, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
        Some(Seen {
            path,
            role,
            directory: FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            modified: modified(&stat),
            writable,
        })
    }
}

fn modified(stat: &Stat) -> Option<SystemTime> {
    let seconds = u64::try_from(stat.st_mtime).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
