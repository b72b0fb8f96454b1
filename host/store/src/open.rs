//! The database file: opened beneath a directory handle, for its owner alone, with its shape brought up to date.
//!
//! SQLite takes paths. It is given one through `/proc/self/fd`, which leads to the directory that the handle holds
//! whatever stands at its name by now: the one exception to the rule that nothing is opened by a path.
//!
//! LIMIT: SQLite resolves that path once, at opening, and names its journal files beside it. A state directory that is
//! renamed under a running process keeps that process from its own store, which it then reports as a fault.

use crate::Fault;
use crate::writer::Writer;
use rusqlite::{Connection, OpenFlags, Transaction};
use rustix::fs::{FileType, Mode, OFlags};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The file beneath the state directory.
const FILE: &str = "store.sqlite3";
/// Largest file, in bytes. What a task that is taken may need is kept free for it.
pub const STORE_BYTES_MAX: u64 = 4_294_967_296;
/// How long one process waits for another's turn at writing.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// Pages of the write-ahead log after which it is moved into the file.
const WAL_PAGES: u32 = 1_000;

/// The steps that bring a file from each shape to the next. Never edited, only added to.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE tasks (
        id TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        alias TEXT NOT NULL,
        hash TEXT NOT NULL,
        command TEXT NOT NULL,
        state TEXT NOT NULL,
        phase TEXT NOT NULL DEFAULT '',
        created_us INTEGER NOT NULL,
        started_us INTEGER,
        ended_us INTEGER,
        ttl_seconds INTEGER NOT NULL,
        progress_seconds INTEGER NOT NULL,
        max_seconds INTEGER NOT NULL,
        bytes_read INTEGER NOT NULL DEFAULT 0,
        cancel INTEGER NOT NULL DEFAULT 0,
        end TEXT
    ) STRICT;
    CREATE INDEX tasks_by_state ON tasks (state, created_us);
    CREATE INDEX tasks_by_principal ON tasks (principal, created_us);
    CREATE TABLE chunks (
        task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        stream TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (task, seq)
    ) STRICT, WITHOUT ROWID;
"];

/// The store of one state directory. Several processes may have it open.
pub struct Store {
    pub(crate) writer: Writer,
    /// Largest file, in bytes.
    pub(crate) bytes_max: u64,
    reader: Mutex<Connection>,
    /// Held for the files that SQLite opens later.
    _directory: OwnedFd,
}

impl Store {
    /// Opens the store beneath a directory, and makes it where there is none.
    ///
    /// # Errors
    /// [`Fault`]: the file is a link, belongs to somebody else or can be read by others; or the system or the
    /// database says no.
    pub fn open(directory: impl AsFd) -> Result<Self, Fault> {
        Self::open_within(directory, STORE_BYTES_MAX)
    }

    /// The same with a file of at most this many bytes.
    pub(crate) fn open_within(directory: impl AsFd, bytes_max: u64) -> Result<Self, Fault> {
        let directory = directory.as_fd().try_clone_to_owned()?;
        judge(&directory)?;
        let path = format!("/proc/self/fd/{}/{FILE}", directory.as_raw_fd());
        let mut writing = connect(&path)?;
        migrate(&mut writing)?;
        // What is written past every reservation fails, and the file does not grow.
        let page: i64 = writing.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes_max).unwrap_or(i64::MAX) / page.max(1);
        writing.pragma_update(None, "max_page_count", pages)?;
        let reading = connect(&path)?;
        reading.pragma_update(None, "query_only", true)?;
        Ok(Self {
            writer: Writer::start(writing)?,
            bytes_max,
            reader: Mutex::new(reading),
            _directory: directory,
        })
    }

    /// The connection for questions. A panic of another who asked leaves it as it was.
    pub(crate) fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one thing to the database. It is on the disk when this returns.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.writer.write(act)
    }
}

/// Looks at the file before SQLite does, and makes it so that what SQLite puts beside it has the same mode.
fn judge(directory: &OwnedFd) -> Result<(), Fault> {
    let flags = OFlags::RDWR
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let file = match rustix::fs::openat(directory, FILE, flags, mode) {
        Ok(file) => file,
        Err(rustix::io::Errno::LOOP) => return Err(Fault::File("a regular file, got a link")),
        Err(errno) => return Err(Fault::System(errno.into())),
    };
    let stat = rustix::fs::fstat(&file).map_err(std::io::Error::from)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Fault::File("a regular file"));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(Fault::File("a file of the gate's own user"));
    }
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
        return Err(Fault::File("a file that others cannot read or write"));
    }
    if stat.st_nlink > 1 {
        return Err(Fault::File("a file with one name"));
    }
    Ok(())
}

fn connect(path: &str) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What was answered survives a loss of power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // What is evicted is overwritten, not only forgotten.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    Ok(connection)
}

/// Brings the file to the newest shape, one step in one transaction each, so that a process that is killed
/// leaves a shape that is known.
fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    loop {
        let step =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found: i64 = step.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > known || found < 0 {
            return Err(Fault::Newer { found, known });
        }
        let next = usize::try_from(found).unwrap_or(usize::MAX);
        let Some(sql) = MIGRATIONS.get(next) else {
            return Ok(());
        };
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", found + 1)?;
        step.commit()?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn directory(folder: &tempfile::TempDir) -> fs::File {
        fs::File::open(folder.path()).unwrap()
    }

    #[test]
    fn every_file_of_the_store_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(directory(&folder)).unwrap();
        store
            .write(|it| Ok(it.execute("DELETE FROM tasks", [])?))
            .unwrap();
        let mut names = Vec::new();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().mode() & 0o7777, 0o600);
            names.push(entry.file_name().into_string().unwrap());
        }
        names.sort();
        assert_eq!(
            names,
            ["store.sqlite3", "store.sqlite3-shm", "store.sqlite3-wal"]
        );
    }

    #[test]
    fn a_file_that_others_could_have_put_there_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("x"), "").unwrap();
        symlink(elsewhere.path().join("x"), &path).unwrap();
        let refused = |folder| matches!(Store::open(directory(folder)), Err(Fault::File(_)));
        assert!(refused(&folder));
        assert_eq!(fs::read(elsewhere.path().join("x")).unwrap(), b"");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(refused(&folder));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&path, folder.path().join("other")).unwrap();
        assert!(refused(&folder));
        fs::remove_file(folder.path().join("other")).unwrap();
        assert!(Store::open(directory(&folder)).is_ok());
    }

    #[test]
    fn a_store_of_a_later_release_and_one_that_is_none_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(directory(&folder)).unwrap());
        let path = folder.path().join(FILE);
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let opened = Store::open(directory(&folder));
        assert!(matches!(opened, Err(Fault::Newer { found: 99, .. })));
        let other = tempfile::tempdir().unwrap();
        let path = other.path().join(FILE);
        fs::write(
            &path,
            "no database, but as long as a page of one. ".repeat(200),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(
            Store::open(directory(&other)),
            Err(Fault::Database(_))
        ));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn opening_is_the_same_from_many_threads_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| Store::open(directory(&folder)).unwrap());
            }
        });
        assert!(Store::open(directory(&folder)).is_ok());
    }
}
