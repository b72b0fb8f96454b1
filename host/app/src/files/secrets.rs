//! A secret by its name: from the environment, from `.env`, from its file, or from the credentials directory
//! that systemd gives a service.
//!
//! Must not: look anything up under a name that was not checked, fall through to another source after a
//! fault, or keep a copy: `.env` is read anew for each secret.

use super::fault::FileFault;
use super::kind::Kind;
use super::trust::Trusted;
use super::why::Why;
use super::{Place, reading};
use cap_std::fs::Dir;
use portcullis_core::config::{dotenv, secret_name, secret_variable};
use portcullis_core::limits::SECRET_FILE_BYTES_MAX;
use portcullis_core::secret::Secret;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use zeroize::Zeroizing;

const ENV_FILE: &str = ".env";
/// Largest `.env`, in bytes.
const ENV_FILE_BYTES_MAX: u64 = 102_400;

/// Where secrets are looked for.
pub(super) struct Sources<'s> {
    /// Answers for environment variables.
    pub(super) env: &'s dyn Fn(&str) -> Option<OsString>,
    /// The secrets directory.
    pub(super) place: &'s Place,
    /// The directory that systemd names, where it does.
    pub(super) credentials: Option<&'s Place>,
    /// Hears of files that are read and should be better protected.
    pub(super) complain: &'s dyn Fn(&FileFault),
}

impl Sources<'_> {
    /// Finds a secret whose entry may name a variable of its own: that is looked at first, and one that is set and
    /// empty is a fault, as everywhere.
    pub(super) fn find_named(
        &self,
        name: &str,
        variable: Option<&str>,
    ) -> Result<Secret, FileFault> {
        match variable.and_then(self.env) {
            Some(value) => taken(Zeroizing::new(value.into_vec()))
                .ok_or_else(|| empty_variable(name, variable.unwrap_or_default())),
            None => self.find(name),
        }
    }

    /// Finds a secret.
    pub(super) fn find(&self, name: &str) -> Result<Secret, FileFault> {
        let fault = |why| FileFault::new(Kind::Secret, name, &self.place.path, why);
        secret_name(name).map_err(|why| fault(Why::Name(why)))?;
        if let Some(value) = (self.env)(&secret_variable(name)) {
            return taken(Zeroizing::new(value.into_vec()))
                .ok_or_else(|| empty_variable(name, &secret_variable(name)));
        }
        if let Some(dir) = self.place.dir.as_ref() {
            if let Some(value) = self.in_env_file(dir, name)? {
                return value.ok_or_else(|| {
                    let file = self.place.path.join(ENV_FILE);
                    FileFault::at(Kind::Secret, name, &file, &self.place.path, Why::Empty)
                });
            }
            match self.in_file(self.place, dir, name) {
                Err(fault) if fault.is_missing() => {}
                found => return found,
            }
        }
        match self.credentials {
            Some(place) => match place.dir.as_ref() {
                Some(dir) => self.in_file(place, dir, name),
                None => {
                    let why = Why::NoDirectory;
                    Err(FileFault::new(Kind::Secret, name, &place.path, why))
                }
            },
            None => Err(fault(Why::Missing)),
        }
    }

    /// What `.env` says: nothing, an empty value, or a secret.
    fn in_env_file(&self, dir: &Dir, name: &str) -> Result<Option<Option<Secret>>, FileFault> {
        let fault = |why| FileFault::new(Kind::EnvFile, ENV_FILE, &self.place.path, why);
        let path = Path::new(ENV_FILE);
        let found = match reading::read(Kind::EnvFile, dir, path, ENV_FILE_BYTES_MAX) {
            Ok(found) => found,
            Err(Why::Missing) => return Ok(None),
            Err(why) => return Err(fault(why)),
        };
        self.complain_of(found.trusted, fault);
        let value = dotenv::value(&found.bytes, name).map(|value| {
            let secret = Secret::new(value.to_vec());
            (!secret.expose().is_empty()).then_some(secret)
        });
        Ok(value)
    }

    fn in_file(&self, place: &Place, dir: &Dir, name: &str) -> Result<Secret, FileFault> {
        let fault = |why| FileFault::new(Kind::Secret, name, &place.path, why);
        let found = reading::read(Kind::Secret, dir, Path::new(name), SECRET_FILE_BYTES_MAX)
            .map_err(fault)?;
        self.complain_of(found.trusted, fault);
        taken(found.bytes).ok_or_else(|| fault(Why::Empty))
    }

    fn complain_of(&self, trusted: Trusted, fault: impl Fn(Why) -> FileFault) {
        match trusted {
            Trusted::Fully => {}
            Trusted::Complained { mode } => (self.complain)(&fault(Why::Readable { mode })),
        }
    }
}

fn empty_variable(name: &str, variable: &str) -> FileFault {
    let source = format!("variable {variable}");
    FileFault::at(
        Kind::Secret,
        name,
        Path::new(&source),
        Path::new(""),
        Why::Empty,
    )
}

/// The bytes without the blanks at both ends, in their own buffer; `None` where nothing is left.
pub(crate) fn taken(mut bytes: Zeroizing<Vec<u8>>) -> Option<Secret> {
    let end = bytes.trim_ascii_end().len();
    bytes.truncate(end);
    let blanks = bytes.len() - bytes.trim_ascii_start().len();
    // Shifting leaves the last bytes behind the end; the whole buffer is wiped with the secret.
    bytes.drain(..blanks);
    let secret = Secret::new(std::mem::take(&mut *bytes));
    (!secret.expose().is_empty()).then_some(secret)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_the_ends_of_a_secret_are_trimmed() {
        let taken = |bytes: &[u8]| taken(Zeroizing::new(bytes.to_vec()));
        assert_eq!(taken(b" \n a b \r\n").unwrap().expose(), b"a b");
        assert!(taken(b" \n").is_none());
        assert!(taken(b"").is_none());
    }
}
