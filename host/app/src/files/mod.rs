//! Everything that the gate reads from disk, beneath directory handles that are opened once at start.
//!
//! * `places`: where the directories are looked for
//! * `kind`: what is read
//! * `reading`: one file beneath a handle, never out of it, never more than its bound
//! * `trust`: whom a file may belong to, and who else may touch it
//! * `secrets`: a secret from the environment, `.env` or its file
//! * `walk`: a way whose links are resolved and whose directories are judged step by step
//! * `program`: a program that nobody else can exchange
//! * `host_keys`: the known_hosts file, read and added to
//! * `foreign`: files of other tools, for an import
//! * `looking`: what files look like from outside, for `doctor`
//! * `why`, `fault`: why a file is not read, as words and as a security event
//!
//! Must not: parse YAML, keys or host keys, or print.

mod fault;
pub(crate) mod foreign;
mod host_keys;
mod kind;
mod looking;
mod places;
mod program;
mod reading;
mod secrets;
mod trust;
mod walk;
mod why;

pub(crate) use fault::FileFault;
pub(crate) use looking::{Role, Seen, ambient_text};
pub(crate) use places::config_dir;
pub(crate) use program::{program, program_failed};
pub(crate) use secrets::taken;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use kind::Kind;
use places::Env;
use portcullis_core::config::{RefusedAs, RefusedText, path_text};
use portcullis_core::limits::{KEY_FILE_BYTES_MAX, YAML_BYTES_MAX};
use portcullis_core::request::sha256_hex;
use portcullis_core::secret::Secret;
use rustix::fs::{FileType, Mode};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use why::Why;
use zeroize::Zeroizing;

/// A directory with the path that it was opened by.
struct Place {
    path: PathBuf,
    /// `None` where the directory does not exist.
    dir: Option<Dir>,
}

/// The directories of one process.
pub(crate) struct Dirs {
    config: Place,
    keys: Place,
    secrets: Place,
    plugins: Place,
    /// Where systemd puts the credentials of a service.
    credentials: Option<Place>,
    /// The directory of an absolute known_hosts file: opened when it is first named, and kept.
    host_keys: Mutex<Option<Arc<Place>>>,
    state: Option<PathBuf>,
    home: Option<PathBuf>,
    /// `MCP_SSH_SECRET_*`, read when they are asked for.
    env: fn(&str) -> Option<OsString>,
}

impl Dirs {
    /// Opens the directories of configuration, keys, secrets and plugins. `config` and `state` are the
    /// arguments of the command line; `env` answers for environment variables.
    ///
    /// # Errors
    /// [`FileFault`] where there is no configuration directory, or one that was named cannot be opened.
    pub(crate) fn open(
        config: Option<&Path>,
        state: Option<&Path>,
        env: &Env<'_>,
    ) -> Result<Self, FileFault> {
        let path = config_dir(config, env).ok_or_else(|| {
            let looked = places::config_candidates(env);
            FileFault::new(Kind::Config, "", Path::new(""), Why::NoConfig { looked })
        })?;
        let path = absolute(path);
        let dir = Some(named(Kind::Config, &path)?);
        let beneath = |kind| beneath(kind, &path, env);
        Ok(Self {
            keys: beneath(Kind::Key)?,
            secrets: beneath(Kind::Secret)?,
            plugins: beneath(Kind::Plugin)?,
            credentials: systemd_credentials(env),
            host_keys: Mutex::new(None),
            state: places::state_dir(state, env),
            home: places::home(env),
            env: |name| std::env::var_os(name),
            config: Place { path, dir },
        })
    }

    /// The state directory; it is made, for its owner alone, where it does not exist.
    ///
    /// # Errors
    /// [`FileFault`] where no place is known, or others may write there, or it belongs to somebody else, or the
    /// system refuses.
    pub(crate) fn state(&self) -> Result<Dir, FileFault> {
        let fault = |path: &Path, why| FileFault::new(Kind::State, "", path, why);
        let path = self
            .state
            .as_deref()
            .ok_or_else(|| fault(Path::new(""), Why::NoState))?;
        let refused = |error: std::io::Error| fault(path, Why::Io(error));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(refused)?;
        }
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(refused(errno.into())),
        }
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(refused)?;
        let stat = rustix::fs::fstat(&dir).map_err(|errno| refused(errno.into()))?;
        // SECURITY: whoever can write here can exchange the journal together with its key.
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return Err(fault(path, Why::Exposed));
        }
        let gate = rustix::process::geteuid().as_raw();
        if stat.st_uid != gate && stat.st_uid != 0 {
            return Err(fault(path, Why::Owner { uid: stat.st_uid }));
        }
        Ok(dir)
    }

    /// Where the configuration lies, for a person's command that writes there.
    pub(crate) fn config_path(&self) -> &Path {
        &self.config.path
    }

    /// Where plugins lie, for a person's command that writes there.
    pub(crate) fn plugins_path(&self) -> &Path {
        &self.plugins.path
    }

    /// The state directory where it is there and this user's own: what is only worth keeping is not a reason to
    /// make it, or to leave files in somebody else's.
    pub(crate) fn state_of_ours(&self) -> Option<Dir> {
        let dir = Dir::open_ambient_dir(self.state.as_deref()?, ambient_authority()).ok()?;
        let stat = rustix::fs::fstat(&dir).ok()?;
        let exposed = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
        let ours = stat.st_uid == rustix::process::geteuid().as_raw();
        (ours && !exposed).then_some(dir)
    }

    /// The first 16 hex digits of SHA-256 of each directory's path, by what it is for: records tell two set-ups
    /// apart by them without naming paths.
    pub(crate) fn digests(&self) -> BTreeMap<&'static str, String> {
        let digest = |path: &Path| {
            let mut hex = sha256_hex(path.as_os_str().as_encoded_bytes());
            hex.truncate(16);
            hex
        };
        let state = self.state.clone().map(absolute).unwrap_or_default();
        BTreeMap::from([
            ("config", digest(&self.config.path)),
            ("keys", digest(&self.keys.path)),
            ("secrets", digest(&self.secrets.path)),
            ("plugins", digest(&self.plugins.path)),
            ("state", digest(&state)),
        ])
    }

    /// The text of a configuration file; `None` where it does not exist. A link that stays beneath the
    /// configuration directory is followed.
    ///
    /// # Errors
    /// [`FileFault`]: no regular file, larger than the bound of YAML files, writable by everybody, or no UTF-8.
    pub(crate) fn config_file(&self, name: &'static str) -> Result<Option<String>, FileFault> {
        let kind = Kind::File(name);
        let fault = |why| FileFault::new(kind, name, &self.config.path, why);
        let dir = self
            .config
            .dir
            .as_ref()
            .ok_or_else(|| fault(Why::NoDirectory))?;
        match reading::read(kind, dir, Path::new(name), YAML_BYTES_MAX) {
            Ok(mut found) => String::from_utf8(std::mem::take(&mut *found.bytes))
                .map(Some)
                .map_err(|_| fault(Why::Encoding)),
            Err(Why::Missing) => Ok(None),
            Err(why) => Err(fault(why)),
        }
    }

    /// The fault of a text in the configuration that is no path or name: what would have come of its use.
    pub(crate) fn refused(&self, refused: &RefusedText) -> FileFault {
        let root = PathBuf::from("/");
        let (kind, base, why) = match refused.why {
            RefusedAs::KeyPath(fault) => (Kind::Key, &self.keys.path, Why::Path(fault)),
            RefusedAs::SecretName(fault) => (Kind::Secret, &self.secrets.path, Why::Name(fault)),
            RefusedAs::PluginPath(fault) => (Kind::Plugin, &self.plugins.path, Why::Path(fault)),
            RefusedAs::ProgramPath(fault) => (Kind::Program, &root, Why::Path(fault)),
        };
        FileFault::new(kind, &refused.text, base, why)
    }

    /// The same directories opened anew by their paths, for a reload that the operator asks for by signal.
    ///
    /// # Errors
    /// As [`Dirs::open`].
    pub(crate) fn reopen(&self, env: &Env<'_>) -> Result<Self, FileFault> {
        Self::open(Some(&self.config.path), self.state.as_deref(), env)
    }

    /// Whether each directory that was opened is still the one that stands at its path. Where somebody has put
    /// another in its place, reading on through the old handle would keep old rules without a word.
    ///
    /// # Errors
    /// [`FileFault`] of the first directory that is not.
    pub(crate) fn in_place(&self) -> Result<(), FileFault> {
        let held = self.host_keys.lock();
        let host_keys = held.unwrap_or_else(PoisonError::into_inner).clone();
        let places = [
            (Kind::Config, Some(&self.config)),
            (Kind::Key, Some(&self.keys)),
            (Kind::Secret, Some(&self.secrets)),
            (Kind::Plugin, Some(&self.plugins)),
            (Kind::Secret, self.credentials.as_ref()),
            (Kind::KnownHosts, host_keys.as_deref()),
        ];
        for (kind, place) in places {
            if let Some(place) = place.filter(|place| !place.is_in_place()) {
                return Err(FileFault::new(kind, "", &place.path, Why::Replaced));
            }
        }
        Ok(())
    }

    /// A private key: a path relative to the keys directory, or an absolute one inside it.
    ///
    /// # Errors
    /// [`FileFault`]; a path is judged by its text before the disk is looked at.
    pub(crate) fn key(&self, path: &str) -> Result<Secret, FileFault> {
        self.keys
            .read(Kind::Key, path, KEY_FILE_BYTES_MAX)
            .map(|mut bytes| Secret::new(std::mem::take(&mut *bytes)))
    }

    /// The bytes of a key's certificate: a path like that of a key. It is public, so that others may read it.
    ///
    /// # Errors
    /// [`FileFault`].
    pub(crate) fn certificate(&self, path: &str) -> Result<Vec<u8>, FileFault> {
        self.keys
            .read(Kind::Certificate, path, KEY_FILE_BYTES_MAX)
            .map(|mut bytes| std::mem::take(&mut *bytes))
    }

    /// A plugin's component: a path relative to the plugins directory, or an absolute one inside it.
    ///
    /// # Errors
    /// [`FileFault`], among others for a file of more than `bytes_max`.
    pub(crate) fn plugin(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, FileFault> {
        self.plugins
            .read(Kind::Plugin, path, bytes_max)
            .map(|mut bytes| std::mem::take(&mut *bytes))
    }

    /// A secret: the variable `MCP_SSH_SECRET_<NAME>`, a line of `.env` in the secrets directory, the file of
    /// that name there, or a credential of systemd, in this order; blanks at both ends are not part of it.
    /// `complain` hears of a file that is read although others may read it.
    ///
    /// Before all of them stands the variable that the secret's entry names, where it names one and that is set.
    ///
    /// # Errors
    /// [`FileFault`]; the name is judged before anything is looked up.
    pub(crate) fn secret(
        &self,
        name: &str,
        variable: Option<&str>,
        complain: &dyn Fn(&FileFault),
    ) -> Result<Secret, FileFault> {
        let sources = secrets::Sources {
            env: &self.env,
            place: &self.secrets,
            credentials: self.credentials.as_ref(),
            complain,
        };
        sources.find_named(name, variable)
    }
}

impl Place {
    /// Whether the path leads to the directory that was opened, or to none where there was none.
    fn is_in_place(&self) -> bool {
        let now = rustix::fs::stat(&self.path);
        match &self.dir {
            None => !now.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()),
            Some(dir) => rustix::fs::fstat(dir).is_ok_and(|held| {
                now.is_ok_and(|now| (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino))
            }),
        }
    }

    /// Reads a file by a path that a configuration names.
    fn read(
        &self,
        kind: Kind,
        path: &str,
        bytes_max: u64,
    ) -> Result<Zeroizing<Vec<u8>>, FileFault> {
        let fault = |why| FileFault::new(kind, path, &self.path, why);
        path_text(path).map_err(|why| fault(Why::Path(why)))?;
        let inside = self
            .inside(Path::new(path))
            .ok_or_else(|| fault(Why::Outside))?;
        if names_a_directory(path) {
            return Err(fault(Why::Directory));
        }
        let dir = self.dir.as_ref().ok_or_else(|| fault(Why::NoDirectory))?;
        reading::read(kind, dir, inside, bytes_max)
            .map(|found| found.bytes)
            .map_err(fault)
    }

    /// The part of a path that lies beneath this directory; `None` for an absolute path elsewhere.
    fn inside<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        if path.is_relative() {
            return Some(path);
        }
        path.strip_prefix(&self.path).ok()
    }
}

/// The credentials that systemd passes to a service: the directory is named by systemd alone, for whatever it starts.
/// One that cannot be opened is a fault where a secret is looked for there, and nowhere else.
fn systemd_credentials(env: &Env<'_>) -> Option<Place> {
    let path = places::variable(&["CREDENTIALS_DIRECTORY"], env).filter(|path| path.is_absolute());
    path.map(|path| {
        let dir = named(Kind::Secret, &path).ok();
        Place { path, dir }
    })
}

/// Whether a path means a directory to the system: `name/` and `name/.`, which are dropped where a path is
/// taken to pieces.
fn names_a_directory(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.")
}

/// A path that can be compared with the absolute ones which a configuration names.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Opens a directory that somebody has named.
fn named(kind: Kind, path: &Path) -> Result<Dir, FileFault> {
    Dir::open_ambient_dir(path, ambient_authority())
        .map_err(|error| FileFault::new(kind, "", path, Why::of(error)))
}

/// The directory of keys, secrets or plugins: the named one, which must exist, or the usual one, which may
/// be missing until something is read from it.
fn beneath(kind: Kind, config: &Path, env: &Env<'_>) -> Result<Place, FileFault> {
    let (variables, name) = kind.directory();
    if let Some(path) = places::variable(variables, env) {
        let path = absolute(path);
        let dir = Some(named(kind, &path)?);
        return Ok(Place { path, dir });
    }
    let path = places::beside(config, name);
    let dir = Dir::open_ambient_dir(&path, ambient_authority()).ok();
    Ok(Place { path, dir })
}

#[cfg(test)]
mod tests;
