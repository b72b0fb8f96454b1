//! A program that may be started: nobody but root and the gate's own user can put another in its place.
//!
//! The whole way to it is judged, links and what they lead through among it, and the way without links is what is
//! started: nobody else can change a step of it between the look and the start.
//!
//! Must not: start anything.
//!
//! LIMIT: what the program itself loads (an interpreter, a library, a file that its arguments name) is not judged.

use super::fault::FileFault;
use super::kind::Kind;
use super::walk::{Above, Step, walk};
use super::why::Why;
use rustix::fs::{FileType, Mode, OFlags};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// The way without links to a program that may be started.
///
/// # Errors
/// [`FileFault`] that names what others could exchange, or what stands there instead of a program.
pub(crate) fn program(path: &str) -> Result<PathBuf, FileFault> {
    let root = Path::new("/");
    found(path).map_err(|(place, why)| match place {
        Some(place) => FileFault::at(Kind::Program, path, &root.join(place), root, why),
        None => FileFault::new(Kind::Program, path, root, why),
    })
}

/// The fault of a program that was asked for a secret and gave none.
pub(crate) fn program_failed(path: &str, reason: &'static str) -> FileFault {
    FileFault::new(Kind::Program, path, Path::new("/"), Why::Asked { reason })
}

fn found(path: &str) -> Result<PathBuf, (Option<PathBuf>, Why)> {
    let root = Path::new("/");
    let bare = |why| (None, why);
    if !path.starts_with('/') {
        return Err(bare(Why::Outside));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = rustix::fs::open(root, flags, Mode::empty())
        .map_err(|errno| bare(Why::Io(errno.into())))?;
    let wrong = std::cell::RefCell::new(None);
    let judge =
        |step: &Step| trusted(step).inspect_err(|_| *wrong.borrow_mut() = Some(step.place.clone()));
    let arrived = walk(handle.as_fd(), Path::new(path), Above::Root, &judge)
        .map_err(|why| (wrong.take(), why))?;
    let at = |why| (Some(arrived.place.clone()), why);
    if FileType::from_raw_mode(arrived.stat.st_mode) != FileType::RegularFile {
        return Err(at(Why::NotRegular));
    }
    let mode = Mode::from_raw_mode(arrived.stat.st_mode);
    owned(arrived.stat.st_uid).map_err(at)?;
    let shown = mode.as_raw_mode() & 0o7777;
    if mode.intersects(Mode::WGRP | Mode::WOTH) {
        return Err(at(Why::Writable { mode: shown }));
    }
    if !mode.intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH) {
        return Err(at(Why::NoProgram { mode: shown }));
    }
    Ok(root.join(&arrived.place))
}

/// Whether only root and the gate decide where a step leads. In a directory with the sticky bit a name is its
/// owner's, and the owner of each is looked at.
fn trusted(step: &Step) -> Result<(), Why> {
    owned(step.owner)?;
    let written = step.mode.intersects(Mode::WGRP | Mode::WOTH);
    if !step.link && written && !step.mode.contains(Mode::SVTX) {
        return Err(Why::Exposed);
    }
    Ok(())
}

fn owned(uid: u32) -> Result<(), Why> {
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(Why::Owner { uid })
    }
}
