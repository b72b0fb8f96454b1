//! Machine code of earlier starts:
//!
//! ```text
//! <state>/plugins/image.key         32 random bytes; not beside what they vouch for
//! <state>/plugins/images/ID         one sealed image for each component and engine
//! ```
//!
//! The name says for which component and engine an image is, the seal vouches for it: a file that was changed,
//! cut, exchanged or copied from elsewhere is not used, is removed, and its component compiled anew.
//!
//! Must not: hand out bytes that the key does not vouch for, or follow a link.
//!
//! Limit: whoever can read the key can seal images; that is this user and root.

use super::child::IMAGE_BYTES_MAX;
use cap_std::fs::Dir;
use portcullis_plugin::{IMAGE_KEY_BYTES, Image, ImageKey, Job};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::{File, Metadata};
use std::io::{Read, Write};
use zeroize::Zeroizing;

const FOLDER: &str = "plugins";
const IMAGES: &str = "images";
const KEY: &str = "image.key";
/// Most images that are kept; the oldest go.
const IMAGES_MAX: usize = 64;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The images of one state directory.
pub(super) struct Images {
    dir: Dir,
    key: ImageKey,
}

impl Images {
    /// Opens the images, and makes key and directories where there are none.
    pub(super) fn open(state: &Dir) -> Result<Self, String> {
        let folder = directory(state, FOLDER)?;
        let key = match read_key(&folder)? {
            Some(key) => key,
            None => {
                make_key(&folder)?;
                read_key(&folder)?.ok_or("the key was made and is gone")?
            }
        };
        let dir = directory(&folder, IMAGES)?;
        Ok(Self { dir, key })
    }

    /// The image of a job, where there is one that the key vouches for.
    pub(super) fn find(&self, job: &Job<'_>) -> Option<Image> {
        let name = job.id();
        let mut file = open(&self.dir, &name, OFlags::RDONLY).ok()?;
        let length = file.metadata().ok().filter(Metadata::is_file)?.len();
        let image = match length <= IMAGE_BYTES_MAX {
            true => job.open_file(&self.key, &mut file, length).ok()?,
            false => None,
        };
        if image.is_none() {
            tracing::warn!(
                image = name,
                "plugins: a stored image was changed or is not whole; it is compiled anew"
            );
            let _ = rustix::fs::unlinkat(&self.dir, &name, AtFlags::empty());
        }
        image
    }

    /// Keeps the image of a job.
    pub(super) fn keep(&self, job: &Job<'_>, image: &Image) -> Result<(), String> {
        let sealed = job.seal(&self.key, image);
        let sealed = sealed.map_err(|error| format!("the image cannot be sealed: {error}"))?;
        place(&self.dir, &job.id(), &sealed)?;
        self.forget_oldest()
    }

    fn forget_oldest(&self) -> Result<(), String> {
        let mut names = Vec::new();
        for entry in self.dir.entries().map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            let changed = entry.metadata().and_then(|meta| meta.modified());
            names.push((changed.ok(), entry.file_name()));
        }
        names.sort_by_key(|(changed, _)| *changed);
        let surplus = names.len().saturating_sub(IMAGES_MAX);
        for (_, name) in names.into_iter().take(surplus) {
            let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        }
        Ok(())
    }
}

/// Opens a directory beneath another, and makes it, for its owner alone, where it does not exist.
fn directory(parent: &Dir, name: &str) -> Result<Dir, String> {
    let said = |errno: rustix::io::Errno| format!("{name}: {errno}");
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(said(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(said)?;
    let dir = Dir::from_std_file(File::from(opened));
    private(&dir, name)?;
    Ok(dir)
}

/// Whether something belongs to this user or root alone.
fn private(file: &impl std::os::fd::AsFd, name: &str) -> Result<(), String> {
    let stat = rustix::fs::fstat(file).map_err(|errno| format!("{name}: {errno}"))?;
    let own = rustix::process::geteuid().as_raw();
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) || (stat.st_uid != own && stat.st_uid != 0) {
        return Err(format!("{name}: expected it to be its owner's alone"));
    }
    Ok(())
}

fn open(dir: &Dir, name: &str, flags: OFlags) -> Result<File, rustix::io::Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(dir, name, flags, PRIVATE_FILE).map(File::from)
}

/// Puts a file in its place, whole.
fn place(dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), String> {
    let partial = format!(".{name}.{}", std::process::id());
    let _ = rustix::fs::unlinkat(dir, &partial, AtFlags::empty());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let placed = open(dir, &partial, flags)
        .map_err(std::io::Error::from)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| rustix::fs::renameat(dir, &partial, dir, name).map_err(Into::into));
    placed.map_err(|error| {
        let _ = rustix::fs::unlinkat(dir, &partial, AtFlags::empty());
        format!("{name}: {error}")
    })
}

fn read_key(folder: &Dir) -> Result<Option<ImageKey>, String> {
    let file = match open(folder, KEY, OFlags::RDONLY) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(format!("{KEY}: {errno}")),
    };
    private(&file, KEY)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(IMAGE_KEY_BYTES + 1));
    file.take(IMAGE_KEY_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{KEY}: {error}"))?;
    let key = <[u8; IMAGE_KEY_BYTES]>::try_from(bytes.as_slice());
    let key = key.map_err(|_| format!("expected {IMAGE_KEY_BYTES} bytes in {KEY}"))?;
    Ok(Some(ImageKey::new(Zeroizing::new(key))))
}

/// Makes a key. Of two processes that do so at once the later one wins, and the other's images are made anew.
fn make_key(folder: &Dir) -> Result<(), String> {
    let mut bytes = Zeroizing::new([0_u8; IMAGE_KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| error.to_string())?;
    place(folder, KEY, bytes.as_slice())
}
