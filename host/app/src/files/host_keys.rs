//! The known_hosts file: where it lies, its bytes, and a line that a person has accepted.
//!
//! Must not: read or judge keys.

use super::kind::Kind;
use super::why::Why;
use super::{Dirs, FileFault, Place, names_a_directory, reading};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use portcullis_core::config::path_text;
use portcullis_core::limits::KNOWN_HOSTS_BYTES_MAX;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// Where host keys lie when nobody says where.
const OWN_KNOWN_HOSTS: &str = "~/.ssh/known_hosts";

/// What is done with the file, beneath the handle of its directory.
type Act<T> = fn(&Dir, &Path, &str) -> Result<T, Why>;

impl Dirs {
    /// The bytes of the known_hosts file: an absolute path, one beneath the home directory (`~/…`), or one
    /// relative to the keys directory; without a path the user's own `~/.ssh/known_hosts`.
    ///
    /// # Errors
    /// [`FileFault`], also where no path is given and the user has no such file.
    pub(crate) fn known_hosts(&self, path: Option<&str>) -> Result<Vec<u8>, FileFault> {
        self.with_known_hosts(path, "", |dir, name, _| {
            let mut found = reading::read(Kind::KnownHosts, dir, name, KNOWN_HOSTS_BYTES_MAX)?;
            Ok(std::mem::take(&mut *found.bytes))
        })
    }

    /// Adds a line to the same file, durably; the file is made, for its owner alone, where it does not exist.
    ///
    /// # Errors
    /// [`FileFault`]; the file is then as it was, or ends in a part of the line, which is skipped when it is read.
    pub(crate) fn add_known_host(&self, path: Option<&str>, line: &str) -> Result<(), FileFault> {
        self.with_known_hosts(path, line, |dir, name, line| {
            reading::append(Kind::KnownHosts, dir, name, line, KNOWN_HOSTS_BYTES_MAX)
        })
    }

    fn with_known_hosts<T>(
        &self,
        path: Option<&str>,
        text: &str,
        act: Act<T>,
    ) -> Result<T, FileFault> {
        let kind = Kind::KnownHosts;
        let path = path.map(str::trim).filter(|path| !path.is_empty());
        let path = path.unwrap_or(OWN_KNOWN_HOSTS);
        let bare = |why| FileFault::new(kind, path, Path::new(""), why);
        path_text(path).map_err(|why| bare(Why::Path(why)))?;
        let full = match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) => return Err(bare(Why::NoDirectory)),
            (None, _) => PathBuf::from(path),
        };
        if full.is_relative() {
            let fault = |why| FileFault::new(kind, path, &self.keys.path, why);
            if names_a_directory(path) {
                return Err(fault(Why::Directory));
            }
            let dir = self.keys.dir.as_ref();
            let dir = dir.ok_or_else(|| fault(Why::NoDirectory))?;
            return act(dir, &full, text).map_err(fault);
        }
        let fault = |base: &Path, why| FileFault::at(kind, path, &full, base, why);
        let (Some(parent), Some(name), false) =
            (full.parent(), full.file_name(), names_a_directory(path))
        else {
            return Err(fault(&full, Why::Directory));
        };
        // The one file that may lie anywhere: it is named by the operator and holds nothing secret.
        let place = self
            .host_keys(parent)
            .map_err(|error| fault(parent, Why::of(error)))?;
        let dir = place.dir.as_ref();
        let dir = dir.ok_or_else(|| fault(parent, Why::NoDirectory))?;
        act(dir, Path::new(name), text).map_err(|why| fault(parent, why))
    }

    /// The directory of an absolute known_hosts file. Its handle is kept as long as the same directory is
    /// named, so that a later reload reads where the first load did.
    fn host_keys(&self, parent: &Path) -> std::io::Result<Arc<Place>> {
        let mut held = self
            .host_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = held.as_ref().filter(|place| place.path == parent) {
            return Ok(Arc::clone(place));
        }
        let dir = Dir::open_ambient_dir(parent, ambient_authority())?;
        let place = Arc::new(Place {
            path: parent.to_owned(),
            dir: Some(dir),
        });
        *held = Some(Arc::clone(&place));
        Ok(place)
    }
}
