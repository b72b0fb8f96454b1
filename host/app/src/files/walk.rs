//! A path gone step by step with every link resolved here, so that each directory and each link on the way is judged
//! before the next step is taken from it.
//!
//! Must not: open a file, or trust the system to follow a link.
//!
//! LIMIT: what is judged is the permission bits; an access list shows in them as the group's.

use super::why::Why;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Most links that are followed on one way.
const LINKS_MAX: usize = 16;
/// Most steps of one way, those through links among them; each may cost an open directory.
const STEPS_MAX: usize = 128;
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Something on the way.
pub(super) struct Step {
    /// Whether it is a link; else it is a directory.
    pub(super) link: bool,
    /// Its permission bits, which mean nothing for a link.
    pub(super) mode: Mode,
    /// Its owner.
    pub(super) owner: u32,
    /// Where it lies, beneath the root that was begun from.
    pub(super) place: PathBuf,
}

/// Where a way ends: at something that is neither a link nor a directory.
pub(super) struct Arrived {
    /// The directory in which it lies.
    pub(super) parent: OwnedFd,
    /// Its name there.
    pub(super) name: OsString,
    /// The whole way without links, beneath the root.
    pub(super) place: PathBuf,
    /// What stands there.
    pub(super) stat: rustix::fs::Stat,
}

/// What lies above the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Above {
    /// Nothing may: a way that would leave the root is refused.
    Refused,
    /// The root is the system's: it has nothing above it, and absolute links begin there.
    Root,
}

/// Goes a way. `judge` hears of the root and of each directory and link before it is used.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    path: &Path,
    above: Above,
    judge: &dyn Fn(&Step) -> Result<(), Why>,
) -> Result<Arrived, Why> {
    let stat = rustix::fs::fstat(root).map_err(system)?;
    judge(&step(&stat, false, PathBuf::new()))?;
    // The open directories below the root, with their names.
    let mut held: Vec<(OwnedFd, OsString)> = Vec::new();
    let mut ahead: VecDeque<OsString> = pieces(path.as_os_str()).collect();
    let (mut steps, mut links) = (0, 0);
    while let Some(piece) = ahead.pop_front() {
        steps += 1;
        if steps > STEPS_MAX {
            let max = STEPS_MAX;
            return Err(Why::Deep { steps, max });
        }
        match piece.as_bytes() {
            b"." => continue,
            b".." => {
                if held.pop().is_none() && above == Above::Refused {
                    return Err(Why::LeadsOut);
                }
                continue;
            }
            _ => {}
        }
        let here = held.last().map_or(root, |(dir, _)| dir.as_fd());
        let next = rustix::fs::openat(here, &piece, LOOK, Mode::empty())
            .map_err(|errno| missing(errno, links > 0))?;
        let stat = rustix::fs::fstat(&next).map_err(system)?;
        let place = place(&held).join(&piece);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                judge(&step(&stat, true, place))?;
                links += 1;
                if links > LINKS_MAX {
                    return Err(Why::Link);
                }
                let to = rustix::fs::readlinkat(&next, "", Vec::new()).map_err(system)?;
                let to = OsString::from_vec(to.into_bytes());
                if to.as_bytes().starts_with(b"/") {
                    if above == Above::Refused {
                        return Err(Why::LeadsOut);
                    }
                    held.clear();
                }
                for piece in pieces(&to).collect::<Vec<_>>().into_iter().rev() {
                    ahead.push_front(piece);
                }
            }
            FileType::Directory => {
                judge(&step(&stat, false, place))?;
                held.push((next, piece));
            }
            _ if ahead.is_empty() => {
                let parent = match held.pop() {
                    Some((dir, _)) => dir,
                    None => rustix::io::fcntl_dupfd_cloexec(root, 0).map_err(system)?,
                };
                return Ok(Arrived {
                    parent,
                    name: piece,
                    place,
                    stat,
                });
            }
            _ => return Err(missing(Errno::NOTDIR, links > 0)),
        }
    }
    Err(Why::Directory)
}

fn step(stat: &rustix::fs::Stat, link: bool, place: PathBuf) -> Step {
    Step {
        link,
        mode: Mode::from_raw_mode(stat.st_mode),
        owner: stat.st_uid,
        place,
    }
}

fn place(held: &[(OwnedFd, OsString)]) -> PathBuf {
    held.iter().map(|(_, name)| name).collect()
}

/// The names in a path. Nothing between two slashes, and behind the last one, is the directory itself.
fn pieces(path: &OsStr) -> impl Iterator<Item = OsString> + '_ {
    let pieces = path.as_bytes().split(|byte| *byte == b'/');
    pieces.map(|piece| match piece {
        b"" => OsString::from("."),
        piece => OsStr::from_bytes(piece).to_owned(),
    })
}

/// A link to nothing must not count as a file that does not exist: a plugin list that is lost would be no plugins.
fn missing(errno: Errno, behind_a_link: bool) -> Why {
    match (errno, behind_a_link) {
        (Errno::NOENT, true) => Why::Link,
        (errno, _) => system(errno),
    }
}

fn system(errno: Errno) -> Why {
    Why::of(errno.into())
}
