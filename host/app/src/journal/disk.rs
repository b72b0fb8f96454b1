//! The journal's files one by one: directories, lock, key and head, and how they come into being.
//!
//! Must not: append a record, follow a link, or wait on a pipe.

use super::JournalFault;
use super::fault::{io, rustix_io};
use super::segments;
use cap_std::fs::Dir;
use portcullis_core::audit::chain::{self, Key, Place};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::{File, TryLockError};
use std::io::{self as stdio, Read, Write};
use std::os::unix::fs::FileExt;
use std::time::Duration;
use zeroize::Zeroizing;

pub(super) const JOURNAL_DIR: &str = "journal";
pub(super) const KEYS_DIR: &str = "keys";
pub(super) const JOURNAL: &str = "journal.jsonl";
pub(super) const HEAD: &str = "head.json";
const LOCK: &str = "lock";
const KEY: &str = "journal.key";
const KEY_UNFINISHED: &str = "journal.key.new";
/// Size of the head's block in bytes: below every sector's size, so that it is written whole.
const HEAD_BYTES: usize = 512;
/// How often a lock is taken anew because its file was exchanged meanwhile.
const LOCK_TRIES_MAX: usize = 8;
/// Longest wait for the lock where somebody waits for the answer of the call itself, in milliseconds. The writer
/// waits without a bound of its own: those who ask it have theirs.
pub(super) const LOCK_MS_MAX: u64 = 10_000;
/// Pause between two tries for the lock, in milliseconds.
const LOCK_PAUSE_MS: u64 = 2;
/// Most closed segments that a reader opens beforehand: a process may have about a thousand files open.
const OPENED_MAX: usize = 256;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Opens one file directly in a directory, never through a link, never waiting on a pipe.
pub(super) fn open(dir: &Dir, name: &str, flags: OFlags) -> Result<File, rustix::io::Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(dir, name, flags, PRIVATE_FILE).map(File::from)
}

/// Opens one file, or `None` where it does not exist.
pub(super) fn open_if_there(
    dir: &Dir,
    name: &str,
    flags: OFlags,
    what: &'static str,
) -> Result<Option<File>, JournalFault> {
    match open(dir, name, flags) {
        Ok(file) => Ok(Some(file)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(errno) => Err(rustix_io(what)(errno)),
    }
}

/// Opens a directory of the state, and makes it, for its owner alone, where it does not exist.
pub(super) fn directory(state: &Dir, name: &str) -> Result<Dir, JournalFault> {
    match rustix::fs::mkdirat(state, name, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(rustix_io("making a directory of the state")(errno)),
    }
    open_directory(state, name)
}

/// Whether a name in the state is still the directory that was opened under it: a directory that was moved away
/// can still be written to, but nobody would read there.
pub(super) fn is_still(state: &Dir, name: &str, dir: &Dir) -> Result<bool, JournalFault> {
    let what = "looking at a directory of the state";
    let held = rustix::fs::fstat(dir).map_err(rustix_io(what))?;
    match rustix::fs::statat(state, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(errno) => Err(rustix_io(what)(errno)),
    }
}

/// Opens a directory of the state.
pub(super) fn open_directory(state: &Dir, name: &str) -> Result<Dir, JournalFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(state, name, flags, Mode::empty())
        .map(|fd| Dir::from_std_file(File::from(fd)))
        .map_err(rustix_io("opening a directory of the state"))
}

/// Makes the names in a directory durable. A handle may be good for looking names up only, so the directory
/// is opened for it.
pub(super) fn sync_directory(dir: &Dir) -> Result<(), JournalFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(dir, ".", flags, Mode::empty())
        .and_then(rustix::fs::fsync)
        .map_err(rustix_io("syncing a directory of the state"))
}

/// How long a caller waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// At most [`LOCK_MS_MAX`].
    Bounded,
    /// As long as it takes; woken as soon as it is free, which polling would not be.
    Unbounded,
}

fn take(file: &File, wait: Wait) -> Result<(), JournalFault> {
    if wait == Wait::Unbounded {
        return file.lock().map_err(io("taking the lock"));
    }
    for _ in 0..LOCK_MS_MAX / LOCK_PAUSE_MS {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(Duration::from_millis(LOCK_PAUSE_MS));
            }
            Err(TryLockError::Error(source)) => return Err(io("taking the lock")(source)),
        }
    }
    Err(JournalFault::LockHeld)
}

/// Takes the lock where it is free now.
#[cfg(test)]
pub(super) fn try_lock(dir: &Dir, flags: OFlags) -> Result<Option<File>, JournalFault> {
    let file = open(dir, LOCK, flags).map_err(rustix_io("opening the lock"))?;
    Ok(file.try_lock().is_ok().then_some(file))
}

/// Takes the lock and holds it as long as the file lives.
pub(super) fn lock(dir: &Dir, flags: OFlags, wait: Wait) -> Result<File, JournalFault> {
    for _ in 0..LOCK_TRIES_MAX {
        let file = open(dir, LOCK, flags).map_err(rustix_io("opening the lock"))?;
        take(&file, wait)?;
        // Two processes that hold locks on two files of one name would both write.
        let held = rustix::fs::fstat(&file).map_err(rustix_io("looking at the lock"))?;
        match rustix::fs::statat(dir, LOCK, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino) => {
                return Ok(file);
            }
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(rustix_io("looking at the lock")(errno)),
        }
    }
    Err(JournalFault::LockMoved)
}

pub(super) fn read_key(keys: &Dir) -> Result<Option<Key>, JournalFault> {
    let Some(file) = open_if_there(keys, KEY, OFlags::RDONLY, "opening the journal's key")? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&file).map_err(rustix_io("looking at the journal's key"))?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        let mode = mode.as_raw_mode();
        return Err(JournalFault::KeyExposed { mode });
    }
    let own = rustix::process::geteuid().as_raw();
    if stat.st_uid != own && stat.st_uid != 0 {
        return Err(JournalFault::KeyOwner { uid: stat.st_uid });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(chain::KEY_BYTES + 1));
    file.take(chain::KEY_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io("reading the journal's key"))?;
    Key::from_bytes(&bytes)
        .map(Some)
        .ok_or(JournalFault::KeyForm)
}

pub(super) fn head_block(key: &Key, place: &Place) -> Vec<u8> {
    let mut block = chain::seal_head(key, place).into_bytes();
    block.resize(HEAD_BYTES - 1, b' ');
    block.push(b'\n');
    block
}

pub(super) fn read_head(file: &File, key: &Key) -> Result<Place, JournalFault> {
    let mut block = Vec::with_capacity(HEAD_BYTES + 1);
    file.take(HEAD_BYTES as u64 + 1)
        .read_to_end(&mut block)
        .map_err(io("reading the head"))?;
    if block.len() != HEAD_BYTES {
        return Err(JournalFault::HeadDamaged);
    }
    chain::open_head(key, block.trim_ascii_end()).ok_or(JournalFault::HeadDamaged)
}

/// Makes key, journal and head of a state that has none. The key comes last: while it is missing the
/// files beside it are known to be empty, and a process that was ended half-way is simply repeated.
pub(super) fn initialise(journal: &Dir, keys: &Dir) -> Result<Key, JournalFault> {
    for name in [JOURNAL, HEAD] {
        let opened = open_if_there(journal, name, OFlags::RDONLY, "looking for records")?;
        let Some(file) = opened else { continue };
        let length = file.metadata().map_err(io("looking for records"))?.len();
        // An empty journal's head names record 0; anything else had records.
        let mut start = Vec::new();
        file.take(HEAD_BYTES as u64)
            .read_to_end(&mut start)
            .map_err(io("looking for records"))?;
        let unused = match name {
            HEAD => length == 0 || start.starts_with(b"{\"seq\":0,"),
            _ => length == 0,
        };
        if !unused {
            return Err(JournalFault::KeyMissing);
        }
    }
    let mut bytes = Zeroizing::new([0_u8; chain::KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| JournalFault::Random)?;
    match rustix::fs::unlinkat(keys, KEY_UNFINISHED, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(errno) => return Err(rustix_io("clearing an unfinished key")(errno)),
    }
    let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mut file = open(keys, KEY_UNFINISHED, create).map_err(rustix_io("making the key"))?;
    file.write_all(bytes.as_slice())
        .map_err(io("writing the key"))?;
    file.sync_all().map_err(io("syncing the key"))?;
    let key = Key::new(bytes);
    let create = OFlags::WRONLY | OFlags::CREATE;
    let records = open(journal, JOURNAL, create).map_err(rustix_io("making the journal"))?;
    records.sync_all().map_err(io("syncing the journal"))?;
    let head = open(journal, HEAD, create).map_err(rustix_io("making the head"))?;
    head.write_all_at(&head_block(&key, &Place::START), 0)
        .map_err(io("writing the head"))?;
    head.sync_all().map_err(io("syncing the head"))?;
    sync_directory(journal)?;
    rustix::fs::renameat(keys, KEY_UNFINISHED, keys, KEY)
        .map_err(rustix_io("putting the key in its place"))?;
    sync_directory(keys)?;
    Ok(key)
}

pub(super) fn length(records: &File) -> Result<u64, JournalFault> {
    let meta = records.metadata().map_err(io("looking at the journal"))?;
    if meta.is_file() {
        Ok(meta.len())
    } else {
        let name = JOURNAL.to_owned();
        Err(JournalFault::NotAFile { name })
    }
}

/// What a reader of the journal needs: the key, the head as it is, and as much of the files as was there at one
/// instant.
pub(super) struct Snapshot {
    pub(super) dir: Dir,
    pub(super) key: Key,
    pub(super) head: Result<Place, JournalFault>,
    /// The closed segments, oldest first, by the numbers of their first records. The oldest of them are open
    /// already, because those are the ones that may be removed meanwhile.
    pub(super) closed: Vec<(u64, Option<File>)>,
    pub(super) records: File,
    pub(super) bytes: u64,
}

/// Takes a snapshot without changing anything. The lock is held only as long as the looking lasts.
pub(super) fn snapshot(state: &Dir) -> Result<Snapshot, JournalFault> {
    let dir = open_directory(state, JOURNAL_DIR)?;
    let keys = open_directory(state, KEYS_DIR)?;
    // A copy of a state without its lock has no writers either.
    let _held = match lock(&dir, OFlags::RDONLY, Wait::Bounded) {
        Ok(held) => Some(held),
        Err(JournalFault::Io { source, .. }) if source.kind() == stdio::ErrorKind::NotFound => None,
        Err(fault) => return Err(fault),
    };
    let key = read_key(&keys)?.ok_or(JournalFault::KeyMissing)?;
    let head = match open_if_there(&dir, HEAD, OFlags::RDONLY, "opening the head")? {
        Some(file) => read_head(&file, &key),
        None => Err(JournalFault::Removed { name: HEAD }),
    };
    let records = open_if_there(&dir, JOURNAL, OFlags::RDONLY, "opening the journal")?
        .ok_or(JournalFault::Removed { name: JOURNAL })?;
    let bytes = length(&records)?;
    let mut closed = Vec::new();
    for (index, first) in segments::closed(&dir, &records)?.into_iter().enumerate() {
        let file = match index {
            0..OPENED_MAX => segments::open_closed(&dir, first)?,
            _ => None,
        };
        closed.push((first, file));
    }
    Ok(Snapshot {
        dir,
        key,
        head,
        closed,
        records,
        bytes,
    })
}
