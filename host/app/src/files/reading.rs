//! One file beneath a directory handle: looked at and read on one descriptor, so that what was checked is
//! what is read.
//!
//! Most files are opened step by step without following a link. A configuration file may be a link that stays
//! beneath its directory: `walk` goes where it leads, and each directory there is judged as the first one.
//!
//! Must not: take a path that could leave the directory, read more than the bound, or open what is no regular
//! file: opening some devices has an effect.
//!
//! LIMIT: a file that is mounted into the directory is read: that is how containers are given keys, and nobody but
//! root can do it. A file without any name left (deleted while it is read) is read to its end.

use super::kind::Kind;
use super::trust::{self, Standing, Trusted};
use super::walk::{Above, walk};
use super::why::Why;
use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path};
use zeroize::Zeroizing;

/// Most directories on the way to a file: each costs an open directory.
pub(super) const STEPS_MAX: usize = 32;
/// Room beyond a secret's bound, so that reading to its end never moves the buffer: what is moved is left behind.
const SPARE_BYTES: usize = 64;
/// The magic numbers of proc, sysfs, debugfs and tracefs.
const SYSTEM_FILE_SYSTEMS: [u64; 4] = [0x9fa0, 0x6265_6572, 0x6462_6720, 0x7472_6163];
/// Without NONBLOCK a pipe in the file's place would hang the gate.
const FILE_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK);
const APPEND_FLAGS: OFlags = OFlags::RDWR
    .union(OFlags::APPEND)
    .union(OFlags::CREATE)
    .union(OFlags::NONBLOCK);

/// What was read, and how far it is trusted.
pub(super) struct Found {
    /// The bytes; wiped when they are dropped.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether something is to be complained of.
    pub(super) trusted: Trusted,
}

/// The bytes of a regular file of a kind.
pub(super) fn read(kind: Kind, dir: &Dir, path: &Path, bytes_max: u64) -> Result<Found, Why> {
    trust::directory(kind, mode_of(dir.as_fd())?)?;
    on_disk(kind, dir.as_fd())?;
    let file = if kind.follows_links_beneath() {
        open_beneath(kind, dir, path)?
    } else {
        open(kind, dir, path)?
    };
    let meta = file.metadata().map_err(Why::Io)?;
    regular(FileType::from_raw_mode(meta.mode()))?;
    on_disk(kind, file.as_fd())?;
    let standing = Standing {
        mode: Mode::from_raw_mode(meta.mode()),
        owner: meta.uid(),
        gate: rustix::process::geteuid().as_raw(),
        names: meta.nlink(),
    };
    let trusted = trust::file(kind, standing)?;
    let bytes = bounded(file, meta.len(), bytes_max, kind)?;
    Ok(Found { bytes, trusted })
}

/// Adds a line to a regular file of a kind, and makes the file where there is none. A last line that has no
/// end is given one first. Two who add at once do so one after the other.
pub(super) fn append(
    kind: Kind,
    dir: &Dir,
    path: &Path,
    line: &str,
    bytes_max: u64,
) -> Result<(), Why> {
    trust::directory(kind, mode_of(dir.as_fd())?)?;
    on_disk(kind, dir.as_fd())?;
    let (held, last) = way(kind, dir, path)?;
    let here = held.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
    match rustix::fs::statat(here, last, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => regular(FileType::from_raw_mode(stat.st_mode))?,
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(named(errno)),
    }
    let mut file = File::from(step(here, last, APPEND_FLAGS)?);
    file.try_lock().map_err(|error| Why::Io(error.into()))?;
    let meta = file.metadata().map_err(Why::Io)?;
    regular(FileType::from_raw_mode(meta.mode()))?;
    on_disk(kind, file.as_fd())?;
    let standing = Standing {
        mode: Mode::from_raw_mode(meta.mode()),
        owner: meta.uid(),
        gate: rustix::process::geteuid().as_raw(),
        names: meta.nlink(),
    };
    trust::file(kind, standing)?;
    let mut text = String::new();
    let mut end = [b'\n'];
    if let Some(at) = meta.len().checked_sub(1) {
        file.read_exact_at(&mut end, at).map_err(Why::Io)?;
    }
    if end != [b'\n'] {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    let size = meta.len().saturating_add(text.len() as u64);
    if size > bytes_max {
        return Err(Why::TooLarge {
            size,
            max: bytes_max,
        });
    }
    file.write_all(text.as_bytes()).map_err(Why::Io)?;
    file.sync_all().map_err(Why::Io)?;
    // The name of a new file should last too; the line is written either way.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(parent) = rustix::fs::openat(here, ".", flags, Mode::empty()) {
        let _ = rustix::fs::fsync(parent);
    }
    Ok(())
}

fn bounded(file: File, size: u64, max: u64, kind: Kind) -> Result<Zeroizing<Vec<u8>>, Why> {
    if size > max {
        return Err(Why::TooLarge { size, max });
    }
    // A file may be longer than it says. For a secret there is room for all that will be read.
    let room = if kind.is_secret() { max } else { size };
    let room = usize::try_from(room)
        .unwrap_or(0)
        .saturating_add(SPARE_BYTES);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Why::Io)?;
    let size = bytes.len() as u64;
    if size > max {
        return Err(Why::TooLarge { size, max });
    }
    Ok(bytes)
}

fn regular(kind: FileType) -> Result<(), Why> {
    match kind {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Why::Directory),
        FileType::Symlink => Err(Why::Link),
        _ => Err(Why::NotRegular),
    }
}

fn mode_of(fd: BorrowedFd<'_>) -> Result<Mode, Why> {
    let stat = rustix::fs::fstat(fd).map_err(system)?;
    Ok(Mode::from_raw_mode(stat.st_mode))
}

fn system(errno: Errno) -> Why {
    Why::of(errno.into())
}

/// Host keys are named by any absolute path, and the system's own file systems hold what is no file: the gate's
/// environment, or a log that is gone once it is read. Looked at before a file there is opened, too.
fn on_disk(kind: Kind, fd: BorrowedFd<'_>) -> Result<(), Why> {
    if kind != Kind::KnownHosts {
        return Ok(());
    }
    let found = rustix::fs::fstatfs(fd).map_err(system)?;
    // The numbers have another width on other systems; these fit all.
    let magic = u64::try_from(found.f_type).unwrap_or_default();
    if SYSTEM_FILE_SYSTEMS.contains(&magic) {
        return Err(Why::NotRegular);
    }
    Ok(())
}

/// Opens a file that may be a link, as long as the link stays beneath the directory.
fn open_beneath(kind: Kind, dir: &Dir, path: &Path) -> Result<File, Why> {
    let arrived = walk(dir.as_fd(), path, Above::Refused, &|step| {
        if step.link {
            return Ok(());
        }
        trust::directory(kind, step.mode)
    })?;
    // Opening comes after this look, so that what is no file is not even opened; the look that counts is the
    // one at the open file.
    regular(FileType::from_raw_mode(arrived.stat.st_mode))?;
    step(arrived.parent.as_fd(), &arrived.name, FILE_FLAGS).map(File::from)
}

fn open(kind: Kind, dir: &Dir, path: &Path) -> Result<File, Why> {
    let (held, last) = way(kind, dir, path)?;
    let here = held.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
    // The look that counts is the one at the open file; this one keeps devices and pipes from being opened.
    let stat = rustix::fs::statat(here, last, AtFlags::SYMLINK_NOFOLLOW).map_err(named)?;
    regular(FileType::from_raw_mode(stat.st_mode))?;
    step(here, last, FILE_FLAGS).map(File::from)
}

/// The directory of a path, where that is not the first one, and the file's name in it.
fn way<'p>(kind: Kind, dir: &Dir, path: &'p Path) -> Result<(Option<OwnedFd>, &'p OsStr), Why> {
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
    if way.len() > STEPS_MAX {
        return Err(Why::Deep {
            steps: way.len(),
            max: STEPS_MAX,
        });
    }
    let mut held: Option<OwnedFd> = None;
    for name in way {
        let here = held.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
        let next = step(here, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
        trust::directory(kind, mode_of(next.as_fd())?)?;
        held = Some(next);
    }
    Ok((held, last))
}

fn step(here: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Why> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::openat(here, name, flags, mode).map_err(|errno| match errno {
        Errno::LOOP => Why::Link,
        Errno::NXIO => Why::NotRegular,
        // The system's word for a link where a directory is wanted is that it is no directory.
        Errno::NOTDIR if is_link(here, name) => Why::Link,
        errno => named(errno),
    })
}

/// What the system says of a name. One that is longer than any name, or that lies behind a file, is none.
fn named(errno: Errno) -> Why {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Why::Missing,
        errno => Why::Io(errno.into()),
    }
}

/// Only chooses the words of a refusal that has been made.
fn is_link(here: BorrowedFd<'_>, name: &OsStr) -> bool {
    rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}
