//! Facts of the machine and of this process. Every file of the system is read beneath a handle of its directory and
//! within a bound; one that is not there is a fact that is not known.
//!
//! Must not: judge.

use super::setup::Setup;
use crate::files::{Role, ambient_text};
use rustix::process::{DumpableBehavior, Resource};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most processes that are looked at.
const PROCESSES_MAX: usize = 20_000;
/// What the variables of secrets begin with.
const SECRET_VARIABLE: &str = "MCP_SSH_SECRET_";
/// Files that a running time daemon leaves.
const TIME_SIGNS: [(&str, &str); 5] = [
    ("/run/systemd/timesync", "synchronized"),
    ("/run/chrony", "chronyd.pid"),
    ("/run", "ntpd.pid"),
    ("/run", "openntpd.pid"),
    ("/run/ntpsec", "ntpd.pid"),
];

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// Whether it cannot be written, here or at all.
    pub(crate) read_only: bool,
    /// Its type, e.g. `tmpfs`.
    pub(crate) kind: String,
}

/// A `portcullis serve` that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// Its process id.
    pub(crate) pid: u32,
    /// The user that it runs as.
    pub(crate) uid: u32,
    /// The user that its parent, the client, runs as; `None` where that is gone.
    pub(crate) parent_uid: Option<u32>,
    /// What its standard error is, as the system names it; `None` where that is not shown. Of a process that cannot be
    /// traced, as the gate's are, only root sees it.
    pub(crate) stderr: Option<String>,
}

/// What `/proc/self/status` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// Effective capabilities, a bit for each.
    pub(crate) capabilities: u64,
    /// Whether executing cannot gain rights.
    pub(crate) no_new_privs: bool,
    /// Whether a seccomp filter holds.
    pub(crate) seccomp: bool,
}

/// The facts.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// The user that this process runs as.
    pub(crate) uid: u32,
    /// Its name and login shell; `None` where the system does not list it.
    pub(crate) account: Option<(String, String)>,
    /// What holds this process; `None` where the system does not say.
    pub(crate) confinement: Option<Confinement>,
    /// The mounted file systems, in the order in which they were mounted.
    pub(crate) mounts: Vec<Mount>,
    /// Whether this process runs in a container.
    pub(crate) container: bool,
    /// The largest core file in bytes; `None` for no limit.
    pub(crate) core_bytes: Option<u64>,
    /// Whether other processes of this user can read this one's memory.
    pub(crate) dumpable: bool,
    /// The file that a time daemon left.
    pub(crate) time_daemon: Option<String>,
    /// The time.
    pub(crate) now: SystemTime,
    /// When the program's file was written.
    pub(crate) program_written: Option<SystemTime>,
    /// Names of variables that hold secrets.
    pub(crate) secret_variables: BTreeSet<String>,
    /// Whether the system's journal takes standard error.
    pub(crate) journal_stream: bool,
    /// Running processes that look like servers of this user; for root, of any user.
    pub(crate) served: Vec<Served>,
}

impl Machine {
    /// Looks around.
    pub(crate) fn gather() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let status = ambient_text("/proc/self", "status");
        let core = rustix::process::getrlimit(Resource::Core);
        let there = |place: &(&str, &str)| Path::new(place.0).join(place.1).exists();
        Self {
            uid,
            account: ambient_text("/etc", "passwd").and_then(|text| account(&text, uid)),
            confinement: status.as_deref().map(confinement),
            mounts: ambient_text("/proc/self", "mountinfo")
                .map_or_else(Vec::new, |text| mounts(&text)),
            container: there(&("/", ".dockerenv"))
                || there(&("/run", ".containerenv"))
                || std::env::var_os("container").is_some(),
            core_bytes: core.current,
            dumpable: !matches!(
                rustix::process::dumpable_behavior(),
                Ok(DumpableBehavior::NotDumpable)
            ),
            time_daemon: TIME_SIGNS
                .iter()
                .find(|place| there(place))
                .map(|(dir, name)| format!("{dir}/{name}")),
            now: SystemTime::now(),
            program_written: std::env::current_exe()
                .and_then(|path| path.metadata())
                .and_then(|meta| meta.modified())
                .ok(),
            secret_variables: std::env::vars_os()
                .filter_map(|(name, _)| name.into_string().ok())
                .filter(|name| name.starts_with(SECRET_VARIABLE))
                .collect(),
            journal_stream: std::env::var("JOURNAL_STREAM")
                .is_ok_and(|named| own_stderr().is_some_and(|own| own == named)),
            served: served(uid),
        }
    }

    /// The servers that run as the gate's user: this one or, where root asks, the owner of the state directory.
    pub(super) fn servers(&self, setup: &Setup) -> Vec<&Served> {
        let state = setup
            .seen
            .iter()
            .find(|seen| seen.role == Role::State && seen.directory);
        let gate = match state {
            Some(state) if self.uid == 0 => state.uid,
            _ => self.uid,
        };
        self.served
            .iter()
            .filter(|served| served.uid == gate)
            .collect()
    }

    /// The mount that a path lies on: the longest one above it, of equal ones the last.
    pub(crate) fn mount_of(&self, path: &Path) -> Option<&Mount> {
        let above = self
            .mounts
            .iter()
            .filter(|mount| path.starts_with(&mount.point));
        above.max_by_key(|mount| mount.point.components().count())
    }
}

/// The name and the login shell of a user id in the text of `/etc/passwd`.
pub(super) fn account(passwd: &str, uid: u32) -> Option<(String, String)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [name, _, id, _, _, _, shell] if id.parse() == Ok(uid) => {
                Some(((*name).to_owned(), (*shell).to_owned()))
            }
            _ => None,
        }
    })
}

/// What the text of `/proc/PID/status` says.
pub(super) fn confinement(status: &str) -> Confinement {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    Confinement {
        capabilities: field("CapEff")
            .and_then(|text| u64::from_str_radix(text, 16).ok())
            .unwrap_or(u64::MAX),
        no_new_privs: field("NoNewPrivs") == Some("1"),
        seccomp: field("Seccomp") == Some("2"),
    }
}

/// The mounts in the text of `/proc/self/mountinfo`.
pub(super) fn mounts(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let (front, back) = line.split_once(" - ")?;
            let mut front = front.split(' ').skip(4);
            let (point, options) = (front.next()?, front.next()?);
            let mut back = back.split(' ');
            let (kind, _source, whole) = (back.next()?, back.next()?, back.next()?);
            let read_only = |options: &str| options.split(',').any(|option| option == "ro");
            Some(Mount {
                // Blanks and their like stand there as octal numbers.
                point: PathBuf::from(point.replace("\\040", " ")),
                read_only: read_only(options) || read_only(whole),
                kind: kind.to_owned(),
            })
        })
        .collect()
}

/// Standard error of this process, as the system's journal names what it reads from. The variable itself is inherited
/// by programs whose standard error leads elsewhere.
fn own_stderr() -> Option<String> {
    let stat = rustix::fs::fstat(std::io::stderr()).ok()?;
    Some(format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// The effective user and the parent in the text of `/proc/PID/status`.
pub(super) fn owner_and_parent(status: &str) -> Option<(u32, u32)> {
    let number = |name: &str, nth: usize| -> Option<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().nth(nth)?.parse().ok()
    };
    Some((number("Uid:", 1)?, number("PPid:", 0)?))
}

/// The servers of a user; root sees those of all.
///
/// SECURITY: any user can start a process of any name, so what other users run says nothing of the gate. Nor are its
/// words read: they may lie on a file system of that user's, which never answers.
///
/// LIMIT: that holds for root too, who has to read the words of every user's processes.
fn served(user: u32) -> Vec<Served> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.take(PROCESSES_MAX).flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let dir = format!("/proc/{pid}");
        let status = ambient_text(&dir, "status");
        let Some((uid, parent)) = status.as_deref().and_then(owner_and_parent) else {
            continue;
        };
        if user != 0 && uid != user {
            continue;
        }
        let Some(line) = ambient_text(&dir, "cmdline") else {
            continue;
        };
        let words: Vec<&str> = line.split('\0').collect();
        let ours = words.first().is_some_and(|program| {
            Path::new(program).file_name() == Some(std::ffi::OsStr::new("portcullis"))
        });
        if !ours || !words.contains(&"serve") {
            continue;
        }
        let parent = ambient_text(&format!("/proc/{parent}"), "status");
        found.push(Served {
            pid,
            uid,
            parent_uid: parent
                .as_deref()
                .and_then(owner_and_parent)
                .map(|(uid, _)| uid),
            stderr: std::fs::read_link(format!("{dir}/fd/2"))
                .ok()
                .map(|path| path.display().to_string()),
        });
    }
    found
}
