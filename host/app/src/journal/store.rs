//! The journal's files and the lock over them: what one process does while no other may.
//!
//! The order of a batch is what the promises rest on: append, sync, then the head, then the answer. A
//! process that is ended in between leaves records after the head, and the next one checks and
//! adopts them; it never leaves a head that names more than the file holds.
//!
//! The head is one block of fixed size, written in place. A rename would need two more syncs to survive a
//! power cut without an empty file; a block below a sector's size is either the old one or the new one.
//! It is not synced: a head that is behind is caught up by the chain.
//!
//! Must not: start threads, or answer anybody.

use cap_std::fs::Dir;
use portcullis_core::audit::chain::{
    self, FirstBad, Key, Place, RECORD_BYTES_MAX, Reason, SealFault, Verifier,
};
use portcullis_core::audit::{Draft, Durability, Receipt};
use portcullis_core::clock::Micros;
use rustix::fs::{AtFlags, Mode, OFlags};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

const JOURNAL_DIR: &str = "journal";
const KEYS_DIR: &str = "keys";
const JOURNAL: &str = "journal.jsonl";
const HEAD: &str = "head.json";
const LOCK: &str = "lock";
const KEY: &str = "journal.key";
const KEY_UNFINISHED: &str = "journal.key.new";
/// Size of the head's block in bytes: below every sector's size, so that it is written whole.
const HEAD_BYTES: usize = 512;
/// How often a lock is taken anew because its file was exchanged meanwhile.
const LOCK_TRIES_MAX: usize = 8;
/// Longest wait for the lock where somebody waits for the answer of the call itself, in milliseconds. The writer
/// waits without a bound of its own: those who ask it have theirs.
const LOCK_MS_MAX: u64 = 10_000;
/// Pause between two tries for the lock, in milliseconds.
const LOCK_PAUSE_MS: u64 = 2;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Why the journal cannot be used. Nothing runs while it holds. The texts are for operators.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalFault {
    /// The system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no randomness for a key.
    #[error("no random bytes for the journal's key")]
    Random,
    /// There are records, and the key that vouches for them is gone.
    #[error("expected the key keys/journal.key of a journal that has records, got none")]
    KeyMissing,
    /// The key's file does not hold a key.
    #[error("expected {} bytes in keys/journal.key", chain::KEY_BYTES)]
    KeyForm,
    /// Others may read or write the key.
    #[error("expected keys/journal.key to be its owner's alone (chmod 600), got mode {mode:o}")]
    KeyExposed {
        /// The file's mode.
        mode: u32,
    },
    /// The key exists and what it vouches for does not.
    #[error("expected the file journal/{name}, which the key vouches for; it was removed")]
    Removed {
        /// Which file.
        name: &'static str,
    },
    /// The head was changed, or written without the key.
    #[error("expected a head that was written with the key in journal/head.json")]
    HeadDamaged,
    /// The journal is shorter than the head says.
    #[error("expected {expected} bytes of records, got {got}: the journal was cut")]
    Cut {
        /// What the head or this process knows.
        expected: u64,
        /// What is there.
        got: u64,
    },
    /// What stands where the newest record ends is another record.
    #[error("expected record {seq} at the end that the head names, got other bytes")]
    NotTheHeads {
        /// The newest record's number.
        seq: u64,
    },
    /// Records after the head do not hold.
    #[error("records after the head do not hold: {0}")]
    Bad(FirstBad),
    /// Another process holds the lock and does not let go.
    #[error("another process holds the lock for more than {LOCK_MS_MAX} ms")]
    LockHeld,
    /// Something else than a file stands there.
    #[error("expected a regular file in journal/{name}")]
    NotAFile {
        /// Where.
        name: &'static str,
    },
    /// What was expected from outside is no MAC.
    #[error("expected a MAC of 64 lower-case hex digits")]
    ExpectedForm,
    /// The lock's file is exchanged again and again.
    #[error("the lock's file does not stay the same")]
    LockMoved,
}

fn io(what: &'static str) -> impl FnOnce(io::Error) -> JournalFault {
    move |source| JournalFault::Io { what, source }
}

fn rustix_io(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> JournalFault {
    move |errno| JournalFault::Io {
        what,
        source: errno.into(),
    }
}

/// The present instant, for the records that the journal writes about itself.
fn now() -> Micros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Opens one file directly in a directory, never through a link, never waiting on a pipe.
fn open(dir: &Dir, name: &str, flags: OFlags) -> Result<File, rustix::io::Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(dir, name, flags, PRIVATE_FILE).map(File::from)
}

/// Opens one file, or `None` where it does not exist.
fn open_if_there(
    dir: &Dir,
    name: &'static str,
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
fn directory(state: &Dir, name: &str) -> Result<Dir, JournalFault> {
    match rustix::fs::mkdirat(state, name, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(rustix_io("making a directory of the state")(errno)),
    }
    open_directory(state, name)
}

fn open_directory(state: &Dir, name: &str) -> Result<Dir, JournalFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(state, name, flags, Mode::empty())
        .map(|fd| Dir::from_std_file(File::from(fd)))
        .map_err(rustix_io("opening a directory of the state"))
}

/// Makes the names in a directory durable. A handle may be good for looking names up only, so the directory
/// is opened for it.
fn sync_directory(dir: &Dir) -> Result<(), JournalFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(dir, ".", flags, Mode::empty())
        .and_then(rustix::fs::fsync)
        .map_err(rustix_io("syncing a directory of the state"))
}

/// How long a caller waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
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

/// Takes the lock and holds it as long as the file lives.
fn lock(dir: &Dir, flags: OFlags, wait: Wait) -> Result<File, JournalFault> {
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

fn read_key(keys: &Dir) -> Result<Option<Key>, JournalFault> {
    let Some(file) = open_if_there(keys, KEY, OFlags::RDONLY, "opening the journal's key")? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&file).map_err(rustix_io("looking at the journal's key"))?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        let mode = mode.as_raw_mode();
        return Err(JournalFault::KeyExposed { mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(chain::KEY_BYTES + 1));
    file.take(chain::KEY_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io("reading the journal's key"))?;
    Key::from_bytes(&bytes)
        .map(Some)
        .ok_or(JournalFault::KeyForm)
}

fn head_block(key: &Key, place: &Place) -> Vec<u8> {
    let mut block = chain::seal_head(key, place).into_bytes();
    block.resize(HEAD_BYTES - 1, b' ');
    block.push(b'\n');
    block
}

fn read_head(file: &File, key: &Key) -> Result<Place, JournalFault> {
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
fn initialise(journal: &Dir, keys: &Dir) -> Result<Key, JournalFault> {
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

/// The files of one journal, for one process.
pub(super) struct Store {
    dir: Dir,
    key: Key,
    /// After the newest record that this process has seen; it may be newer than the head on the disk.
    seen: Place,
}

/// The files while the lock is held.
pub(super) struct Locked<'s> {
    store: &'s mut Store,
    records: File,
    head: File,
    _lock: File,
}

impl Store {
    /// Opens the journal of a state, makes it where there is none, and mends what a crash left.
    pub(super) fn open(state: &Dir) -> Result<Self, JournalFault> {
        let dir = directory(state, JOURNAL_DIR)?;
        let keys = directory(state, KEYS_DIR)?;
        let held = lock(&dir, OFlags::RDWR | OFlags::CREATE, Wait::Bounded)?;
        let key = match read_key(&keys)? {
            Some(key) => key,
            None => {
                let key = initialise(&dir, &keys)?;
                sync_directory(state)?;
                key
            }
        };
        let seen = Place::START;
        let mut store = Self { dir, key, seen };
        store.locked(held)?.sync()?;
        Ok(store)
    }

    /// Takes the lock and looks at what others have written meanwhile.
    pub(super) fn lock(&mut self) -> Result<Locked<'_>, JournalFault> {
        let held = lock(&self.dir, OFlags::RDWR | OFlags::CREATE, Wait::Unbounded)?;
        self.locked(held)
    }

    fn locked(&mut self, held: File) -> Result<Locked<'_>, JournalFault> {
        let removed = |name| JournalFault::Removed { name };
        let head = open_if_there(&self.dir, HEAD, OFlags::RDWR, "opening the head")?
            .ok_or(removed(HEAD))?;
        let records = open_if_there(
            &self.dir,
            JOURNAL,
            OFlags::RDWR | OFlags::APPEND,
            "opening the journal",
        )?
        .ok_or(removed(JOURNAL))?;
        let named = read_head(&head, &self.key)?;
        let known = self.known(named)?;
        let length = length(&records)?;
        if length < known.bytes {
            return Err(JournalFault::Cut {
                expected: known.bytes,
                got: length,
            });
        }
        check_end(&records, &known)?;
        self.seen = known;
        let mut locked = Locked {
            store: self,
            records,
            head,
            _lock: held,
        };
        if length > known.bytes {
            locked.adopt()?;
        }
        Ok(locked)
    }

    /// The newest place that is known to hold: the head's, or the one this process wrote after it.
    fn known(&self, head: Place) -> Result<Place, JournalFault> {
        if head.seq > self.seen.seq {
            return Ok(head);
        }
        if head.seq == self.seen.seq && head != self.seen {
            return Err(JournalFault::NotTheHeads { seq: head.seq });
        }
        Ok(self.seen)
    }
}

fn length(records: &File) -> Result<u64, JournalFault> {
    let meta = records.metadata().map_err(io("looking at the journal"))?;
    if meta.is_file() {
        Ok(meta.len())
    } else {
        Err(JournalFault::NotAFile { name: JOURNAL })
    }
}

/// Whether the bytes before a place end with its MAC: a journal that was exchanged for another of the
/// same length is seen before anything is added to it.
fn check_end(records: &File, place: &Place) -> Result<(), JournalFault> {
    if place.seq == 0 {
        return Ok(());
    }
    let end = format!(",\"mac\":\"{}\"}}\n", place.mac);
    let fault = JournalFault::NotTheHeads { seq: place.seq };
    let Some(start) = place.bytes.checked_sub(end.len() as u64) else {
        return Err(fault);
    };
    let mut found = vec![0_u8; end.len()];
    records
        .read_exact_at(&mut found, start)
        .map_err(io("reading the newest record"))?;
    if found == end.as_bytes() {
        Ok(())
    } else {
        Err(fault)
    }
}

impl Locked<'_> {
    /// Takes records over that stand after the known place: those of other processes that have not
    /// written the head yet, or of one that was ended before it could. A torn last line is cut off,
    /// and a record says so.
    fn adopt(&mut self) -> Result<(), JournalFault> {
        let start = self.store.seen;
        let mut file = &self.records;
        file.seek(SeekFrom::Start(start.bytes))
            .map_err(io("reading records"))?;
        let mut reader = BufReader::new(file);
        let mut verifier = Verifier::after(&self.store.key, start);
        let mut line = Vec::new();
        let torn = loop {
            match next_line(&mut reader, &mut line).map_err(io("reading records"))? {
                Line::Whole => verifier.take(&line).map(|_| ()).map_err(|reason| {
                    let seq = verifier.place().seq.saturating_add(1);
                    JournalFault::Bad(FirstBad {
                        line: seq,
                        seq,
                        reason,
                    })
                })?,
                Line::Torn => break true,
                Line::End => break false,
            }
        };
        self.store.seen = verifier.place();
        if torn {
            self.cut_off(&line)?;
        }
        Ok(())
    }

    fn cut_off(&mut self, torn: &[u8]) -> Result<(), JournalFault> {
        if torn.len() > RECORD_BYTES_MAX {
            let seq = self.store.seen.seq.saturating_add(1);
            let reason = Reason::TooLong;
            return Err(JournalFault::Bad(FirstBad {
                line: seq,
                seq,
                reason,
            }));
        }
        self.records
            .set_len(self.store.seen.bytes)
            .map_err(io("cutting off a torn record"))?;
        let sha256: String = Sha256::digest(torn)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut body = Map::new();
        body.insert("torn_bytes".to_owned(), json!(torn.len()));
        body.insert("torn_sha256".to_owned(), json!(sha256));
        let draft = Draft {
            kind: "recovered",
            at: now(),
            body,
            durability: Durability::Synced,
        };
        self.append(&[&draft])?;
        self.sync()
    }

    /// Appends a batch with one write and returns an answer for each draft. After a fault none of them
    /// is in the journal.
    pub(super) fn append(
        &mut self,
        drafts: &[&Draft],
    ) -> Result<Vec<Result<Receipt, SealFault>>, JournalFault> {
        let before = self.store.seen;
        let (mut place, mut bytes) = (before, Vec::new());
        let mut answers = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let sealed = chain::seal(&self.store.key, &place, draft, &mut bytes);
            answers.push(sealed.map(|after| {
                place = after;
                Receipt {
                    seq: after.seq,
                    mac: after.mac.to_string(),
                }
            }));
        }
        if let Err(source) = (&self.records).write_all(&bytes) {
            self.take_back(before);
            let what = "appending records";
            return Err(JournalFault::Io { what, source });
        }
        self.store.seen = place;
        Ok(answers)
    }

    /// Removes what was appended after a place. Where that fails too, the next to take the lock finds whole
    /// records, which it adopts, or a torn one, which it cuts off.
    pub(super) fn take_back(&mut self, to: Place) {
        if self.records.set_len(to.bytes).is_ok() {
            self.store.seen = to;
        }
    }

    /// After the newest record.
    pub(super) fn place(&self) -> Place {
        self.store.seen
    }

    /// Makes everything durable that stands in the journal, then lets the head name it.
    pub(super) fn sync(&mut self) -> Result<(), JournalFault> {
        self.records
            .sync_data()
            .map_err(io("syncing the journal"))?;
        // INVARIANT: the head follows the sync; before it, a power cut could leave a head that names
        // records which the disk has not got, and that is what a cut tail looks like.
        self.head
            .write_all_at(&head_block(&self.store.key, &self.store.seen), 0)
            .map_err(io("writing the head"))
    }
}

/// What a read for the next line found.
pub(super) enum Line {
    /// A line with its end, which is not part of the bytes.
    Whole,
    /// Bytes without a line end: the last ones, or more than a record can have.
    Torn,
    /// Nothing.
    End,
}

/// Reads the next line; never more than a record's bound and one byte.
pub(super) fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let most = RECORD_BYTES_MAX as u64 + 1;
    reader.by_ref().take(most).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole);
    }
    Ok(if line.is_empty() {
        Line::End
    } else {
        Line::Torn
    })
}

/// What a reader of the whole journal needs: the key, the head as it is, and as much of the file as was
/// there at one instant.
pub(super) struct Snapshot {
    pub(super) key: Key,
    pub(super) head: Result<Place, JournalFault>,
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
        Err(JournalFault::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
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
    Ok(Snapshot {
        key,
        head,
        records,
        bytes,
    })
}
