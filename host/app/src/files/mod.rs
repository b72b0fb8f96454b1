//! Everything that the gate reads from disk, beneath directory handles that are opened once at start.
//!
//! * `places`: where the directories are looked for
//! * `reading`: one file beneath a handle, never through a link, never more than its bound
//! * `secrets`: a secret from the environment, `.env` or its file
//! * `foreign`: files of other tools, for an import
//! * `looking`: what files look like from outside, for `doctor`
//! * `fault`: why a file is not read, as words and as a security event
//!
//! Must not: parse YAML, keys or host keys, or print.
//!
//! Limit: links are refused everywhere, so a directory that presents its files as links (as some
//! orchestrators mount configuration) has to be copied first.

mod fault;
pub(crate) mod foreign;
mod looking;
mod places;
mod reading;
mod secrets;

pub(crate) use fault::FileFault;
pub(crate) use looking::{Role, Seen, ambient_text};
pub(crate) use places::config_dir;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use fault::{Kind, Why};
use places::Env;
use portcullis_core::config::path_text;
use portcullis_core::limits::{KEY_FILE_BYTES_MAX, KNOWN_HOSTS_BYTES_MAX, YAML_BYTES_MAX};
use portcullis_core::request::sha256_hex;
use portcullis_core::secret::Secret;
use rustix::fs::Mode;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
            state: places::state_dir(state, env),
            home: places::home(env),
            env: |name| std::env::var_os(name),
            config: Place { path, dir },
        })
    }

    /// The state directory; it is made, for its owner alone, where it does not exist.
    ///
    /// # Errors
    /// [`FileFault`] where no place is known, or everybody may write there, or the system refuses.
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
        if Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH) {
            return Err(fault(path, Why::Exposed));
        }
        Ok(dir)
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

    /// The text of a configuration file; `None` where it does not exist.
    ///
    /// # Errors
    /// [`FileFault`]: no regular file, larger than the bound of YAML files, or no UTF-8.
    pub(crate) fn config_file(&self, name: &'static str) -> Result<Option<String>, FileFault> {
        let fault = |why| FileFault::new(Kind::File(name), name, &self.config.path, why);
        let dir = self
            .config
            .dir
            .as_ref()
            .ok_or_else(|| fault(Why::NoDirectory))?;
        match reading::read(dir, Path::new(name), YAML_BYTES_MAX) {
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| fault(Why::Encoding)),
            Err(Why::Missing) => Ok(None),
            Err(why) => Err(fault(why)),
        }
    }

    /// A private key: a path relative to the keys directory, or an absolute one inside it.
    ///
    /// # Errors
    /// [`FileFault`]; a path is judged by its text before the disk is looked at.
    pub(crate) fn key(&self, path: &str) -> Result<Secret, FileFault> {
        self.keys
            .read(Kind::Key, path, KEY_FILE_BYTES_MAX)
            .map(Secret::new)
    }

    /// A plugin's component: a path relative to the plugins directory, or an absolute one inside it.
    ///
    /// # Errors
    /// [`FileFault`], among others for a file of more than `bytes_max`.
    pub(crate) fn plugin(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, FileFault> {
        self.plugins.read(Kind::Plugin, path, bytes_max)
    }

    /// A secret: the variable `MCP_SSH_SECRET_<NAME>`, a line of `.env` in the secrets directory, or the
    /// file of that name there, in this order; blanks at both ends are not part of it.
    ///
    /// # Errors
    /// [`FileFault`]; the name is judged before anything is looked up.
    pub(crate) fn secret(&self, name: &str) -> Result<Secret, FileFault> {
        secrets::read(&self.secrets, name, &self.env)
    }

    /// The bytes of the known_hosts file: an absolute path, one beneath the home directory (`~/…`), or one
    /// relative to the keys directory; without a path the user's own `~/.ssh/known_hosts`.
    ///
    /// # Errors
    /// [`FileFault`], also where no path is given and the user has no such file.
    pub(crate) fn known_hosts(&self, path: Option<&str>) -> Result<Vec<u8>, FileFault> {
        let path = path.map(str::trim).filter(|path| !path.is_empty());
        let path = path.unwrap_or("~/.ssh/known_hosts");
        let fault = |base: &Path, why| FileFault::new(Kind::KnownHosts, path, base, why);
        path_text(path).map_err(|why| fault(Path::new(""), Why::Path(why)))?;
        let full = match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) => return Err(fault(Path::new(""), Why::Missing)),
            (None, _) => PathBuf::from(path),
        };
        if full.is_relative() {
            return self
                .keys
                .read(Kind::KnownHosts, path, KNOWN_HOSTS_BYTES_MAX);
        }
        let (Some(parent), Some(name)) = (full.parent(), full.file_name()) else {
            return Err(fault(&full, Why::Directory));
        };
        // The one file that may lie anywhere: it is named by the operator and holds nothing secret.
        let dir = Dir::open_ambient_dir(parent, ambient_authority())
            .map_err(|error| fault(parent, Why::of(error)))?;
        reading::read(&dir, Path::new(name), KNOWN_HOSTS_BYTES_MAX)
            .map_err(|why| fault(parent, why))
    }
}

impl Place {
    /// Reads a file by a path that a configuration names.
    fn read(&self, kind: Kind, path: &str, bytes_max: u64) -> Result<Vec<u8>, FileFault> {
        let fault = |why| FileFault::new(kind, path, &self.path, why);
        path_text(path).map_err(|why| fault(Why::Path(why)))?;
        let inside = self
            .inside(Path::new(path))
            .ok_or_else(|| fault(Why::Outside))?;
        let dir = self.dir.as_ref().ok_or_else(|| fault(Why::NoDirectory))?;
        reading::read(dir, &inside, bytes_max).map_err(fault)
    }

    /// The part of a path that lies beneath this directory; `None` for an absolute path elsewhere.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        if path.is_relative() {
            return Some(path.to_owned());
        }
        path.strip_prefix(&self.path).ok().map(Path::to_owned)
    }
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
