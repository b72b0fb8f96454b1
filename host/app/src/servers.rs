//! Which servers run on a state directory: each holds a lock on a file of its own there, `servers/PID`, as long as it
//! lives. So a number that another process has by now is never taken for a server.
//!
//! Must not: signal a process whose lock is free.

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::process::{Pid, Signal};
use std::fs::File;

const FOLDER: &str = "servers";
/// Most files that are looked at.
const SERVERS_MAX: usize = 1_024;

/// Held as long as this process serves.
pub(crate) struct Presence {
    folder: Dir,
    name: String,
    _lock: File,
}

impl Presence {
    /// Says that this process serves.
    ///
    /// # Errors
    /// In words; the server then serves all the same and has to be told by signal.
    pub(crate) fn announce(state: &Dir) -> Result<Self, String> {
        let folder = folder(state)?;
        let name = std::process::id().to_string();
        // Not for writing: a file that is open for it keeps a disk from being made read-only.
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&folder, &name, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(|errno| format!("{FOLDER}/{name}: {errno}"))?;
        lock.try_lock()
            .map_err(|error| format!("{FOLDER}/{name}: {error}"))?;
        Ok(Self {
            folder,
            name,
            _lock: lock,
        })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}

fn folder(state: &Dir) -> Result<Dir, String> {
    let said = |errno: rustix::io::Errno| format!("{FOLDER}: {errno}");
    match rustix::fs::mkdirat(state, FOLDER, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(said(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(state, FOLDER, flags, Mode::empty()).map_err(said)?;
    Ok(Dir::from_std_file(File::from(opened)))
}

/// Sends SIGHUP to every running server, and gives their process ids.
///
/// # Errors
/// In words.
pub(crate) fn hang_up(state: &Dir) -> Result<Vec<u32>, String> {
    let folder = folder(state)?;
    let mut told = Vec::new();
    let entries = folder.entries().map_err(|error| error.to_string())?;
    for entry in entries.take(SERVERS_MAX) {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(&folder, &name, flags, Mode::empty()) else {
            continue;
        };
        if File::from(file).try_lock().is_ok() {
            // Its server is gone without a word.
            let _ = rustix::fs::unlinkat(&folder, &name, AtFlags::empty());
            continue;
        }
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        let sent = pid.map(|pid| rustix::process::kill_process(pid, Signal::HUP));
        if sent.is_some_and(|sent| sent.is_ok()) {
            told.push(id);
        }
    }
    told.sort_unstable();
    Ok(told)
}
