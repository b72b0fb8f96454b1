//! Asynchronous runs as processes see them: the rows of the store, and which runners live.
//!
//! Each task has a runner, a process of its own that holds a lock on a file of its own as long as it lives. A task
//! that has not ended and whose lock is free has lost its runner; how it ended is not known, and it is said so.
//!
//! Must not: run anything, or take a number of a process for the process.

use crate::events::SystemClock;
use cap_std::fs::Dir;
use portcullis_core::clock::Clock;
use portcullis_core::request::sha256_hex;
use portcullis_store::{Fault, Store};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::File;
use std::io;

/// The directory of the locks beneath the state.
const FOLDER: &str = "runners";

/// The tasks of one state directory.
pub(crate) struct Tasks {
    /// Their rows.
    pub(crate) store: Store,
    locks: Dir,
}

/// Held by a runner as long as it lives.
pub(crate) struct Life {
    locks: Dir,
    name: String,
    _lock: File,
}

impl Tasks {
    /// Opens the rows and the locks beneath the state directory; makes them where there are none.
    ///
    /// # Errors
    /// [`Fault`].
    pub(crate) fn open(state: &Dir) -> Result<Self, Fault> {
        match rustix::fs::mkdirat(state, FOLDER, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(Fault::System(errno.into())),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let locks =
            rustix::fs::openat(state, FOLDER, flags, Mode::empty()).map_err(io::Error::from)?;
        Ok(Self {
            store: Store::open(state)?,
            locks: Dir::from_std_file(File::from(locks)),
        })
    }

    /// Says that this process runs a task. Before the row is written, so that nobody finds a row without a runner.
    ///
    /// # Errors
    /// [`Fault`].
    pub(crate) fn live(&self, task: &str) -> Result<Life, Fault> {
        let name = name(task);
        // Not for writing: a file that is open for it keeps a disk from being made read-only.
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let lock = rustix::fs::openat(&self.locks, &name, flags, mode).map_err(io::Error::from)?;
        let lock = File::from(lock);
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Life {
            locks: self.locks.try_clone()?,
            name,
            _lock: lock,
        })
    }

    /// Ends every task whose runner is gone as one whose end is not known, and removes what is over its time.
    ///
    /// # Errors
    /// [`Fault`].
    pub(crate) fn settle(&self) -> Result<(), Fault> {
        let now = SystemClock.now().0;
        let open = self.store.open_tasks()?;
        let lost: Vec<String> = open.into_iter().filter(|task| !self.lives(task)).collect();
        for task in &lost {
            let _ = rustix::fs::unlinkat(&self.locks, name(task), AtFlags::empty());
        }
        self.store.lose(lost, now)?;
        self.store.evict(now)
    }

    /// Whether a task's runner lives. What cannot be told counts as alive: an end must not be made up.
    fn lives(&self, task: &str) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.locks, name(task), flags, Mode::empty()) {
            // Shared, so that two who look at once do not see each other.
            Ok(file) => File::from(file).try_lock_shared().is_err(),
            Err(rustix::io::Errno::NOENT) => false,
            Err(_) => true,
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = rustix::fs::unlinkat(&self.locks, &self.name, AtFlags::empty());
    }
}

/// The name of a task's lock: no text of anybody is a path.
fn name(task: &str) -> String {
    sha256_hex(task.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use portcullis_store::{Id, New, State};

    fn tasks() -> (tempfile::TempDir, Tasks) {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let tasks = Tasks::open(&dir).unwrap();
        (folder, tasks)
    }

    fn start(tasks: &Tasks, task: &str) -> Id {
        let id = Id {
            task: task.to_owned(),
            principal: "local:1".to_owned(),
        };
        let new = New {
            id: id.clone(),
            alias: "a".to_owned(),
            hash: String::new(),
            command: String::new(),
            max_seconds: 60,
            ttl_seconds: 300,
            progress_seconds: 5,
        };
        tasks.store.start(new, SystemClock.now().0).unwrap();
        id
    }

    #[test]
    fn a_task_whose_runner_is_gone_has_an_end_that_is_not_known() {
        let (_folder, tasks) = tasks();
        let lives = tasks.live("lives").unwrap();
        let (gone, lives_id) = (start(&tasks, "gone"), start(&tasks, "lives"));
        let state = |id: &Id| {
            let now = SystemClock.now().0;
            tasks.store.task(id, now).unwrap().unwrap().state
        };
        tasks.settle().unwrap();
        assert_eq!(
            (state(&gone), state(&lives_id)),
            (State::Unknown, State::Pending)
        );
        // Nobody else takes its place while it lives.
        assert!(tasks.live("lives").is_err());
        drop(lives);
        tasks.settle().unwrap();
        assert_eq!(state(&lives_id), State::Unknown);
    }
}
