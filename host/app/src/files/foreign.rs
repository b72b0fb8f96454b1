//! Files of other tools that an operator names for an import, and what these include.
//!
//! Nothing here is the gate's own: a link that the operator or a foreign file names is followed once, to its end, and
//! the file is read beneath a handle of its directory within its bound. What a file includes has to lie, at the end
//! of its links, beneath that file's own directory, `~/.ssh` or `/etc/ssh`, unless the operator lets it lie anywhere.
//! Proposals go to a directory that was empty.
//!
//! Must not: write over anything, read what is no regular file, or show the name of a file as it is.

use super::kind::Kind;
use super::reading;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use portcullis_core::import::{IMPORT_BYTES_MAX, Room, Shelf, Text, shown};
use portcullis_core::policy::Glob;
use rustix::fs::Mode;
use std::cell::Cell;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// Most entries of directories that one import looks at.
const ENTRIES_MAX: usize = 100_000;
/// Most directories that one import looks for patterns in, and most places of one pattern.
const DIRECTORIES_MAX: usize = 1_000;
/// The system's own part of an OpenSSH configuration.
const SYSTEM_SSH: &str = "/etc/ssh";
/// Most parts of a pattern.
const PARTS_MAX: usize = 32;

/// The text of a file.
///
/// # Errors
/// In words: it is not there, no regular file, too large, or no UTF-8.
pub(crate) fn read(path: &Path) -> Result<Text, String> {
    let real = std::fs::canonicalize(path).map_err(|error| words(path, &error))?;
    read_real(path, &real, IMPORT_BYTES_MAX)
}

/// What is said of a path.
fn words(path: &Path, why: &dyn std::fmt::Display) -> String {
    // SECURITY: whoever made a file chose its name, which may be any bytes.
    shown(&format!("{}: {why}", path.display()))
}

/// The text of a file whose real path is known.
fn read_real(path: &Path, real: &Path, bytes_max: usize) -> Result<Text, String> {
    let words = |why: String| words(path, &why);
    let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(words("expected a regular file, got a directory".to_owned()));
    };
    let dir = Dir::open_ambient_dir(parent, ambient_authority())
        .map_err(|error| words(error.to_string()))?;
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
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
    home: Option<PathBuf>,
    /// Beneath which real directories a file may lie; `None` for anywhere.
    roots: Option<Vec<PathBuf>>,
    /// How many directories may still be looked through, and how many of their entries.
    directories: Cell<usize>,
    entries: Cell<usize>,
}

impl Machine {
    /// What a file may include: what lies beneath its own directory, `~/.ssh` and `/etc/ssh`, or anything.
    pub(crate) fn new(home: Option<PathBuf>, file: &Path, anywhere: bool) -> Self {
        let own = |file: &Path| std::fs::canonicalize(file.parent()?).ok();
        // A configuration is often a link into a folder of such files: both places are its own.
        let named = std::path::absolute(file).ok().and_then(|file| own(&file));
        let real = std::fs::canonicalize(file).ok().and_then(|file| own(&file));
        let user = home.as_ref().map(|home| home.join(".ssh"));
        let user = user.and_then(|dir| std::fs::canonicalize(dir).ok());
        let system = std::fs::canonicalize(SYSTEM_SSH).ok();
        let roots = [named, real, user, system].into_iter().flatten();
        // Everything lies beneath the root.
        let roots = roots.filter(|root| root.parent().is_some()).collect();
        Self {
            home,
            roots: (!anywhere).then_some(roots),
            directories: Cell::new(DIRECTORIES_MAX),
            entries: Cell::new(ENTRIES_MAX),
        }
    }

    fn read(&self, path: &Path, bytes_max: usize) -> Result<Text, String> {
        let real = std::fs::canonicalize(path).map_err(|error| words(path, &error))?;
        let inside = |roots: &Vec<PathBuf>| roots.iter().any(|root| real.starts_with(root));
        if !self.roots.as_ref().is_none_or(inside) {
            return Err(words(
                path,
                &"expected a file beneath the configuration's own directory, ~/.ssh or /etc/ssh; \
                  --follow-includes reads it all the same",
            ));
        }
        read_real(path, &real, bytes_max)
    }

    /// The paths that a pattern names, sorted: `*`, `?` and `[…]` stand for characters of one part, and do not match
    /// a dot at its beginning.
    fn expand(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let mut paths = vec![PathBuf::from("/")];
        for (count, part) in pattern.components().enumerate() {
            if count > PARTS_MAX || paths.len() > DIRECTORIES_MAX {
                return Err(words(pattern, &"too many places"));
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
                spend(&self.directories, "directories", DIRECTORIES_MAX)?;
                // A directory that is not there, or not to be read, names nothing.
                let Ok(dir) = Dir::open_ambient_dir(&path, ambient_authority()) else {
                    continue;
                };
                let Ok(entries) = dir.entries() else { continue };
                for entry in entries.flatten() {
                    spend(&self.entries, "entries of directories", ENTRIES_MAX)?;
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
}

/// Takes one of what is left.
fn spend(left: &Cell<usize>, what: &str, max: usize) -> Result<(), String> {
    let less = left.get().checked_sub(1);
    left.set(less.ok_or_else(|| format!("expected at most {max} {what} to look through"))?);
    Ok(())
}

impl Shelf for Machine {
    fn find(&self, pattern: &str, room: Room) -> Result<Vec<Text>, String> {
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
        let (mut files, mut left) = (Vec::new(), room.bytes);
        for found in self.expand(&path)? {
            if !found.is_file() {
                continue;
            }
            if files.len() >= room.files {
                return Err("expected fewer files in all".to_owned());
            }
            // What one pattern names is held at once, so the room is that of all of them together.
            let file = self.read(&found, left)?;
            left = left.saturating_sub(file.text.len());
            files.push(file);
        }
        Ok(files)
    }
}

/// Writes files into a directory that does not exist yet or is empty, for their owner alone.
///
/// # Errors
/// In words: there is something already, or the system refuses.
pub(crate) fn write(place: &Path, files: &[(&str, &str)]) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| words(place, error);
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

    const ROOM: Room = Room {
        files: 9,
        bytes: 9_999,
    };

    fn machine(home: &Path, anywhere: bool) -> Machine {
        Machine::new(Some(home.to_owned()), &home.join(".ssh/config"), anywhere)
    }

    #[test]
    fn included_files_are_found_by_pattern_in_the_order_of_their_names() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".ssh/conf.d");
        fs::create_dir_all(&folder).unwrap();
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.other"] {
            fs::write(folder.join(name), format!("# {name}\n")).unwrap();
        }
        fs::create_dir(folder.join("d.conf")).unwrap();
        let machine = machine(home.path(), false);
        let names = |pattern: &str| -> Vec<String> {
            let found = machine.find(pattern, ROOM).unwrap();
            found.into_iter().map(|text| text.text).collect()
        };
        assert_eq!(names("~/.ssh/conf.d/*.conf"), ["# a.conf\n", "# b.conf\n"]);
        assert_eq!(names("~/.ssh/*/[bc].*"), ["# b.conf\n", "# c.other\n"]);
        assert_eq!(names("~/.ssh/conf.d/.hid*"), ["# .hidden.conf\n"]);
        assert!(names("~/.ssh/none/*.conf").is_empty());
        assert!(names("~other/config").is_empty());
        fs::write(folder.join("a.conf"), [0xFF, 0xFE]).unwrap();
        assert!(machine.find("~/.ssh/conf.d/a.conf", ROOM).is_err());
    }

    #[test]
    fn what_an_include_names_elsewhere_is_read_only_where_the_operator_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (home, other) = (folder.path().join("home"), folder.path().join("other"));
        fs::create_dir_all(home.join(".ssh/conf.d")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("token"), "hunter2\n").unwrap();
        std::os::unix::fs::symlink(other.join("token"), home.join(".ssh/conf.d/link")).unwrap();
        let token = other.join("token");
        for pattern in [
            token.to_str().unwrap(),
            "~/../other/*",
            "~/.ssh/conf.d/*",
            "~/.ssh/../../other/token",
        ] {
            let fault = machine(&home, false).find(pattern, ROOM).unwrap_err();
            assert!(fault.contains("--follow-includes"), "{fault}");
            let found = machine(&home, true).find(pattern, ROOM).unwrap();
            assert_eq!(found[0].text, "hunter2\n", "{pattern}");
        }
        // The directory of the file that is imported is its own, also where that file is a link.
        let own = Machine::new(Some(home.clone()), &other.join("config"), false);
        assert_eq!(own.find(token.to_str().unwrap(), ROOM).unwrap().len(), 1);
        std::os::unix::fs::symlink(other.join("token"), home.join(".ssh/config")).unwrap();
        let linked = machine(&home, false);
        assert_eq!(linked.find(token.to_str().unwrap(), ROOM).unwrap().len(), 1);
    }

    #[test]
    fn no_more_is_read_and_looked_through_than_there_is_room_for() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".ssh");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("f0"), "x".repeat(100)).unwrap();
        for number in 1..5 {
            fs::hard_link(folder.join("f0"), folder.join(format!("f{number}"))).unwrap();
        }
        let found =
            |files, bytes| machine(home.path(), false).find("~/.ssh/f*", Room { files, bytes });
        assert_eq!(found(5, 500).unwrap().len(), 5);
        assert!(found(5, 499).unwrap_err().contains("at most 99 bytes"));
        assert!(found(4, 500).unwrap_err().contains("fewer files"));
        // The bound is that of all patterns of an import together.
        let machine = machine(home.path(), false);
        let asked = (0..=DIRECTORIES_MAX).find_map(|_| machine.find("~/.ssh/g*", ROOM).err());
        assert!(asked.unwrap().contains("1000 directories"));
        machine.directories.set(DIRECTORIES_MAX);
        machine.entries.set(4);
        assert!(
            machine
                .find("~/.ssh/g*", ROOM)
                .unwrap_err()
                .contains("entries")
        );
    }

    #[test]
    fn a_hostile_name_of_a_file_is_shown_as_one_clean_line() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".ssh");
        fs::create_dir(&folder).unwrap();
        let token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
        let name = format!("\u{1b}]0;owned\u{7}\u{202e}\n{token}");
        fs::write(folder.join(&name), [0xFF]).unwrap();
        let included = machine(home.path(), false)
            .find("~/.ssh/*", ROOM)
            .unwrap_err();
        let imported = read(&folder.join(&name)).unwrap_err();
        let written = write(&folder.join(&name), &[]).unwrap_err();
        for fault in [included, imported, written] {
            let odd = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!fault.contains(odd) && !fault.contains(token), "{fault:?}");
        }
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
