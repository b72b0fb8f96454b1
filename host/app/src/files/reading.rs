//! One file beneath a directory handle: opened step by step without following a link, looked at and read on
//! one descriptor, so that what was checked is what is read.
//!
//! Must not: take a path that could leave the directory, or read more than the bound.

use super::fault::Why;
use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

/// Most steps of a path: each costs an open directory.
const COMPONENTS_MAX: usize = 32;

/// The bytes of a regular file.
pub(super) fn read(dir: &Dir, path: &Path, bytes_max: u64) -> Result<Vec<u8>, Why> {
    read_if(dir, path, bytes_max, |_| Ok(()))
}

/// The bytes of a regular file whose permission bits are agreed to.
pub(super) fn read_if(
    dir: &Dir,
    path: &Path,
    bytes_max: u64,
    agrees: impl FnOnce(Mode) -> Result<(), Why>,
) -> Result<Vec<u8>, Why> {
    let file = open(dir, path)?;
    let meta = file.metadata().map_err(Why::Io)?;
    if meta.is_dir() {
        return Err(Why::Directory);
    }
    if !meta.is_file() {
        return Err(Why::NotRegular);
    }
    agrees(Mode::from_raw_mode(meta.mode()))?;
    let too_large = |size| Why::TooLarge {
        size,
        max: bytes_max,
    };
    if meta.len() > bytes_max {
        return Err(too_large(meta.len()));
    }
    // One byte of room more than the size, so that a secret's buffer is not moved and left behind.
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1);
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Why::Io)?;
    let size = bytes.len() as u64;
    if size > bytes_max {
        return Err(too_large(size));
    }
    Ok(bytes)
}

fn open(dir: &Dir, path: &Path) -> Result<File, Why> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Why::Outside);
            }
        }
    }
    let (last, way) = names.split_last().ok_or(Why::Directory)?;
    if way.len() > COMPONENTS_MAX {
        return Err(Why::Outside);
    }
    let mut held: Option<OwnedFd> = None;
    for name in way {
        let here = held.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
        let next = step(here, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
        held = Some(next);
    }
    let here = held.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
    // Without NONBLOCK a pipe in the file's place would hang the gate.
    step(here, last, OFlags::RDONLY | OFlags::NONBLOCK).map(File::from)
}

fn step(here: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Why> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::openat(here, name, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => Why::Missing,
        Errno::LOOP => Why::Link,
        Errno::NXIO => Why::NotRegular,
        // The system's word for a link where a directory is wanted is that it is no directory.
        Errno::NOTDIR if is_link(here, name) => Why::Link,
        errno => Why::Io(errno.into()),
    })
}

/// Only chooses the words of a refusal that has been made.
fn is_link(here: BorrowedFd<'_>, name: &OsStr) -> bool {
    rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}
