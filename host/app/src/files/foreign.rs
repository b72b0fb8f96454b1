//! Files of other tools that an operator names for an import, and what these include.
//!
//! Nothing here is the gate's own: a link that the operator or a foreign file names is followed once, to its end, and
//! the file is read beneath a handle of its directory within its bound. Proposals go to a directory that was empty.
//!
//! Must not: write over anything, or read what is no regular file.

use super::kind::Kind;
use super::reading;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use portcullis_core::import::{IMPORT_BYTES_MAX, IMPORT_FILES_MAX, Shelf, Text};
use portcullis_core::policy::Glob;
use rustix::fs::Mode;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// Most entries of one directory that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Most directories that one pattern is looked for in.
const DIRECTORIES_MAX: usize = 1_000;
/// Most parts of a pattern.
const PARTS_MAX: usize = 32;

/// The text of a file.
///
/// # Errors
/// In words: it is not there, no regular file, too large, or no UTF-8.
pub(crate) fn read(path: &Path) -> Result<Text, String> {
    let words = |why: String| format!("{}: {why}", path.display());
    let real = std::fs::canonicalize(path).map_err(|error| words(error.to_string()))?;
    let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(words("expected a regular file, got a directory".to_owned()));
    };
    let dir = Dir::open_ambient_dir(parent, ambient_authority())
        .map_err(|error| words(error.to_string()))?;
    let bytes_max = u64::try_from(IMPORT_BYTES_MAX).unwrap_or(u64::MAX);
    let mut found = reading::read(Kind::Foreign, &dir, Path::new(name), bytes_max)
        .map_err(|why| words(why.to_string()))?;
    let text = String::from_utf8(std::mem::take(&mut *found.bytes))
        .map_err(|_| words("expected UTF-8, got other bytes".to_owned()))?;
    Ok(Text {
        name: path.display().to_string(),
        text,
    })
}

/// The files of this machine, for what a configuration includes.
pub(crate) struct Machine {
    /// What `~` stands for.
    pub(crate) home: Option<PathBuf>,
}

impl Shelf for Machine {
    fn find(&self, pattern: &str) -> Result<Vec<Text>, String> {
        let path = match pattern.strip_prefix("~/") {
            Some(rest) => match &self.home {
                Some(home) => home.join(rest),
                None => return Ok(Vec::new()),
            },
            None => PathBuf::from(pattern),
        };
        if path.is_relative() {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for found in expand(&path)? {
            if files.len() >= IMPORT_FILES_MAX {
                return Err(format!("expected at most {IMPORT_FILES_MAX} files"));
            }
            if found.is_file() {
                files.push(read(&found)?);
            }
        }
        Ok(files)
    }
}

/// The paths that a pattern names, sorted: `*`, `?` and `[…]` stand for characters of one part, and do not match a
/// dot at its beginning.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let mut paths = vec![PathBuf::from("/")];
    for (count, part) in pattern.components().enumerate() {
        if count > PARTS_MAX || paths.len() > DIRECTORIES_MAX {
            return Err(format!("{}: too many places", pattern.display()));
        }
        let Component::Normal(part) = part else {
            if part == Component::ParentDir {
                paths = paths.into_iter().map(|path| path.join("..")).collect();
            }
            continue;
        };
        let text = part.to_string_lossy();
        if !text.contains(['*', '?', '[']) {
            paths = paths.into_iter().map(|path| path.join(part)).collect();
            continue;
        }
        let glob = Glob::new(&text);
        let mut found = Vec::new();
        for path in paths {
            // A directory that is not there, or not to be read, names nothing.
            let Ok(dir) = Dir::open_ambient_dir(&path, ambient_authority()) else {
                continue;
            };
            let Ok(entries) = dir.entries() else { continue };
            for entry in entries.take(ENTRIES_MAX).flatten() {
                let name = entry.file_name();
                let shown = name.to_string_lossy();
                let hidden = shown.starts_with('.') && !text.starts_with('.');
                if !hidden && glob.matches(&shown) {
                    found.push(path.join(&name));
                }
            }
        }
        found.sort();
        paths = found;
    }
    Ok(paths)
}

/// Writes files into a directory that does not exist yet or is empty, for their owner alone.
///
/// # Errors
/// In words: there is something already, or the system refuses.
pub(crate) fn write(place: &Path, files: &[(&str, &str)]) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| format!("{}: {error}", place.display());
    match rustix::fs::mkdir(place, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(words(&std::io::Error::from(errno))),
    }
    let dir = Dir::open_ambient_dir(place, ambient_authority()).map_err(|error| words(&error))?;
    let mut entries = dir.entries().map_err(|error| words(&error))?;
    if entries.next().is_some() {
        return Err(words(
            &"expected an empty directory, got one with something in it",
        ));
    }
    for (name, text) in files {
        let mut options = OpenOptions::new();
        // Somebody may have put a file there meanwhile; it is not written over either.
        options.write(true).create_new(true).mode(0o600);
        let mut file = dir
            .open_with(name, &options)
            .map_err(|error| words(&error))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| words(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use std::fs;

    #[test]
    fn included_files_are_found_by_pattern_in_the_order_of_their_names() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".ssh/conf.d");
        fs::create_dir_all(&folder).unwrap();
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.other"] {
            fs::write(folder.join(name), format!("# {name}\n")).unwrap();
        }
        fs::create_dir(folder.join("d.conf")).unwrap();
        let machine = Machine {
            home: Some(home.path().to_owned()),
        };
        let names = |pattern: &str| -> Vec<String> {
            let found = machine.find(pattern).unwrap();
            found.into_iter().map(|text| text.text).collect()
        };
        assert_eq!(names("~/.ssh/conf.d/*.conf"), ["# a.conf\n", "# b.conf\n"]);
        assert_eq!(names("~/.ssh/*/[bc].*"), ["# b.conf\n", "# c.other\n"]);
        assert_eq!(names("~/.ssh/conf.d/.hid*"), ["# .hidden.conf\n"]);
        assert!(names("~/.ssh/none/*.conf").is_empty());
        assert!(names("~other/config").is_empty());
        fs::write(folder.join("a.conf"), [0xFF, 0xFE]).unwrap();
        assert!(machine.find("~/.ssh/conf.d/a.conf").is_err());
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("new");
        write(&place, &[("servers.yml", "a\n")]).unwrap();
        assert_eq!(
            fs::read_to_string(place.join("servers.yml")).unwrap(),
            "a\n"
        );
        let fault = write(&place, &[("servers.yml", "b\n")]).unwrap_err();
        assert!(fault.contains("empty directory"), "{fault}");
        assert_eq!(
            fs::read_to_string(place.join("servers.yml")).unwrap(),
            "a\n"
        );
    }
}
