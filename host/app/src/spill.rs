//! Redacted output that is kept to be paged through: one file for each run, in a directory of its own
//! beneath the state, for its owner alone.
//!
//! A file begins with one line of JSON (whose it is, until when, how long each stream is), then both texts.
//! What it holds went through the scanner, the native rules and the redactors; it goes through the scanner again
//! when it is read, because others may write where the gate's user may.
//!
//! Must not: keep anything that is not redacted, follow a link, or outlive its time, its number or its room.

use cap_std::fs::Dir;
use portcullis_core::answer::Page;
use portcullis_core::clock::Micros;
use portcullis_core::limits::OUTPUT_BYTES_MAX;
use portcullis_core::output::{Paged, Stream};
use portcullis_core::request::sha256_hex;
use portcullis_core::text::SafeText;
use rustix::fs::{AtFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// The directory beneath the state.
const DIRECTORY: &str = "output";
/// The end of a file's name, so that nothing else in the directory is taken for one.
const ENDING: &str = ".out";
/// Most files.
const FILES_MAX: usize = 256;
/// Most bytes of all files together.
const ALL_BYTES_MAX: u64 = 1_073_741_824;
/// Longest first line of a file.
const HEAD_BYTES_MAX: u64 = 4_096;
/// Most bytes of one page.
const PAGE_BYTES_MAX: u64 = 1_048_576;
/// Longest character, in bytes.
const CHAR_BYTES_MAX: u64 = 4;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// Whose output of which run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The run's id.
    pub(crate) task: String,
    /// Who ran it.
    pub(crate) principal: String,
}

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    task: String,
    principal: String,
    until_us: u64,
    stdout_bytes: u64,
    stderr_bytes: u64,
    complete: bool,
}

/// The directory of kept output.
#[derive(Clone)]
pub(crate) struct Spills(Arc<Dir>);

impl Spills {
    /// Opens the directory, makes it where it does not exist, and removes what is over its time.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(state: &Dir, now: Micros) -> io::Result<Self> {
        match rustix::fs::mkdirat(state, DIRECTORY, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(state, DIRECTORY, flags, Mode::empty())?;
        let spills = Self(Arc::new(Dir::from_std_file(File::from(dir))));
        spills.evict(now, 0)?;
        Ok(spills)
    }

    /// Keeps the output of a run for some seconds. Older output goes where there is no room.
    ///
    /// # Errors
    /// What the system says; nothing is kept then.
    pub(crate) fn keep(
        &self,
        owner: &Owner,
        paged: &Paged,
        now: Micros,
        seconds: u64,
    ) -> io::Result<()> {
        let head = Head {
            task: owner.task.clone(),
            principal: owner.principal.clone(),
            until_us: now
                .0
                .saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)),
            stdout_bytes: paged.stdout.len() as u64,
            stderr_bytes: paged.stderr.len() as u64,
            complete: paged.complete,
        };
        let mut head = serde_json::to_string(&head)?;
        head.push('\n');
        let room = (head.len() + paged.stdout.len() + paged.stderr.len()) as u64;
        self.evict(now, room)?;
        let name = name(&owner.task);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = self.open_file(&name, flags)?;
        let written = [head.as_str(), &paged.stdout, &paged.stderr]
            .iter()
            .try_for_each(|text| file.write_all(text.as_bytes()));
        if written.is_err() {
            // Half a file would be read as a whole one.
            let _ = self.0.remove_file(&name);
        }
        written
    }

    /// One page; `None` where nothing is kept for this owner, or no longer.
    ///
    /// # Errors
    /// What the system says of a file that is there.
    pub(crate) fn page(
        &self,
        owner: &Owner,
        stream: Stream,
        offset: u64,
        bytes: u64,
        now: Micros,
    ) -> io::Result<Option<Page>> {
        let file = match self.open_file(&name(&owner.task), OFlags::RDONLY) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut reader = BufReader::new(file);
        let Some((head, length)) = read_head(&mut reader)? else {
            return Ok(None);
        };
        if head.task != owner.task || head.principal != owner.principal || head.until_us <= now.0 {
            return Ok(None);
        }
        let (begin, total) = match stream {
            Stream::Stdout => (length, head.stdout_bytes),
            Stream::Stderr => (length.saturating_add(head.stdout_bytes), head.stderr_bytes),
        };
        let offset = offset.min(total);
        // Room for the rest of a character that the page would cut.
        let most = bytes.clamp(CHAR_BYTES_MAX, PAGE_BYTES_MAX);
        let most = most.min(total - offset);
        let mut file = reader.into_inner();
        file.seek(SeekFrom::Start(begin.saturating_add(offset)))?;
        let mut page = Vec::new();
        file.take(most).read_to_end(&mut page)?;
        if page.len() as u64 != most {
            return Ok(None);
        }
        let skipped = page
            .iter()
            .take(3)
            .take_while(|byte| is_inside(**byte))
            .count();
        let skipped = if offset == 0 { 0 } else { skipped };
        let text = page.get(skipped..).unwrap_or_default();
        let whole = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(fault) => {
                let text = text.get(..fault.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(text).unwrap_or_default()
            }
        };
        let from = offset.saturating_add(skipped as u64);
        Ok(Some(Page {
            text: SafeText::new(whole),
            offset: from,
            next: from.saturating_add(whole.len() as u64),
            total,
            complete: head.complete,
        }))
    }

    /// Opens one file directly in the directory, never through a link, never waiting on a pipe.
    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = File::from(rustix::fs::openat(self.0.as_ref(), name, flags, mode)?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::other("kept output that is no file"))
        }
    }

    /// Removes what is over its time, and the oldest until a file of `room` bytes fits. Other processes may do
    /// the same at the same time, so a file that is gone is as good as removed.
    fn evict(&self, now: Micros, room: u64) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in self.0.entries()? {
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            if !name.ends_with(ENDING) {
                continue;
            }
            let stat = match rustix::fs::statat(self.0.as_ref(), &*name, AtFlags::SYMLINK_NOFOLLOW)
            {
                Ok(stat) => stat,
                Err(_) => continue,
            };
            let bytes = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
            match self.until(&name) {
                Some(until) if until > now.0 => kept.push((until, bytes, name)),
                _ => self.remove(&name)?,
            }
        }
        kept.sort();
        let mut all = kept
            .iter()
            .fold(room, |all, (_, bytes, _)| all.saturating_add(*bytes));
        let mut files = kept.len() + usize::from(room > 0);
        for (_, bytes, name) in kept {
            if files <= FILES_MAX && all <= ALL_BYTES_MAX {
                break;
            }
            self.remove(&name)?;
            files -= 1;
            all = all.saturating_sub(bytes);
        }
        Ok(())
    }

    /// Until when a file is kept; `None` for what is no kept output.
    fn until(&self, name: &str) -> Option<u64> {
        let file = self.open_file(name, OFlags::RDONLY).ok()?;
        let (head, _) = read_head(&mut BufReader::new(file)).ok()??;
        Some(head.until_us)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match self.0.remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The name of a run's file: no text of anybody is a path.
fn name(task: &str) -> String {
    format!("{}{ENDING}", sha256_hex(task.as_bytes()))
}

/// The first line of a file and its length; `None` where it is none of ours.
fn read_head(reader: &mut BufReader<File>) -> io::Result<Option<(Head, u64)>> {
    let mut line = Vec::new();
    reader.take(HEAD_BYTES_MAX).read_until(b'\n', &mut line)?;
    let head: Option<Head> = serde_json::from_slice(&line).ok();
    let bounded = |head: &Head| {
        head.stdout_bytes <= OUTPUT_BYTES_MAX && head.stderr_bytes <= OUTPUT_BYTES_MAX
    };
    Ok(head.filter(bounded).map(|head| (head, line.len() as u64)))
}

/// Whether a byte is inside a character, not at its start.
fn is_inside(byte: u8) -> bool {
    matches!(byte, 0x80..=0xBF)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use cap_std::ambient_authority;
    use std::os::unix::fs::MetadataExt;

    const NOW: Micros = Micros(1_000_000);

    fn state() -> (tempfile::TempDir, Dir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        (folder, dir)
    }

    fn owner(task: &str, principal: &str) -> Owner {
        Owner {
            task: task.to_owned(),
            principal: principal.to_owned(),
        }
    }

    fn paged(stdout: &str, stderr: &str) -> Paged {
        Paged {
            stdout: stdout.into(),
            stderr: stderr.into(),
            complete: true,
        }
    }

    #[test]
    fn pages_put_together_are_the_text() {
        let (_folder, state) = state();
        let spills = Spills::open(&state, NOW).unwrap();
        let me = owner("t", "local:1");
        let text = "aé日👩 line\n".repeat(50);
        spills.keep(&me, &paged(&text, "err"), NOW, 60).unwrap();
        for bytes in [0, 1, 4, 7, 100, u64::MAX] {
            let (mut all, mut offset) = (String::new(), 0);
            loop {
                let page = spills
                    .page(&me, Stream::Stdout, offset, bytes, NOW)
                    .unwrap()
                    .unwrap();
                assert_eq!((page.offset, page.total), (offset, text.len() as u64));
                all.push_str(&page.text);
                if page.next == page.total {
                    break;
                }
                assert!(page.next > offset, "{bytes}");
                offset = page.next;
            }
            assert_eq!(all, text);
        }
        let page = spills
            .page(&me, Stream::Stdout, 2, 9, NOW)
            .unwrap()
            .unwrap();
        assert_eq!((page.offset, page.text.chars().next()), (3, Some('日')));
        let page = spills
            .page(&me, Stream::Stderr, 0, 9, NOW)
            .unwrap()
            .unwrap();
        assert_eq!((page.text.as_str(), page.complete), ("err", true));
        let past = spills
            .page(&me, Stream::Stderr, 99, 9, NOW)
            .unwrap()
            .unwrap();
        assert_eq!((past.text.as_str(), past.offset, past.next), ("", 3, 3));
    }

    #[test]
    fn only_the_owner_reads_and_only_in_time() {
        let (folder, state) = state();
        let spills = Spills::open(&state, NOW).unwrap();
        spills
            .keep(&owner("t", "local:1"), &paged("x", ""), NOW, 60)
            .unwrap();
        let page = |task: &str, principal: &str, now| {
            spills
                .page(&owner(task, principal), Stream::Stdout, 0, 9, Micros(now))
                .unwrap()
        };
        assert!(page("t", "local:1", NOW.0).is_some());
        for (task, principal, now) in [
            ("t", "local:2", NOW.0),
            ("u", "local:1", NOW.0),
            ("../t", "local:1", NOW.0),
            ("", "local:1", NOW.0),
            ("t", "local:1", NOW.0 + 60_000_000),
        ] {
            assert!(
                page(task, principal, now).is_none(),
                "{task} {principal} {now}"
            );
        }
        let file = folder.path().join(DIRECTORY).join(name("t"));
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o600);
        let dir = folder.path().join(DIRECTORY);
        assert_eq!(dir.metadata().unwrap().mode() & 0o7777, 0o700);
    }

    #[test]
    fn what_is_over_its_time_is_gone_at_the_next_start() {
        let (folder, state) = state();
        let spills = Spills::open(&state, NOW).unwrap();
        spills
            .keep(&owner("old", "p"), &paged("x", ""), NOW, 1)
            .unwrap();
        spills
            .keep(&owner("new", "p"), &paged("x", ""), NOW, 100)
            .unwrap();
        std::fs::write(folder.path().join(DIRECTORY).join("half.out"), "{").unwrap();
        std::fs::write(folder.path().join(DIRECTORY).join("other"), "x").unwrap();
        drop(spills);
        Spills::open(&state, Micros(NOW.0 + 2_000_000)).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(folder.path().join(DIRECTORY))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected = vec!["other".to_owned(), name("new")];
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let (folder, state) = state();
        let spills = Spills::open(&state, NOW).unwrap();
        for number in 0..=FILES_MAX as u64 {
            let me = owner(&number.to_string(), "p");
            spills.keep(&me, &paged("x", ""), NOW, 60 + number).unwrap();
        }
        let left = std::fs::read_dir(folder.path().join(DIRECTORY))
            .unwrap()
            .count();
        assert_eq!(left, FILES_MAX);
        let page = |task: &str| {
            spills
                .page(&owner(task, "p"), Stream::Stdout, 0, 9, NOW)
                .unwrap()
        };
        assert!(page("0").is_none() && page("1").is_some() && page("256").is_some());
    }

    #[test]
    fn a_link_is_not_followed_and_a_changed_file_is_scanned_again() {
        let (folder, state) = state();
        let spills = Spills::open(&state, NOW).unwrap();
        let me = owner("t", "p");
        spills.keep(&me, &paged("abcdef", ""), NOW, 60).unwrap();
        let file = folder.path().join(DIRECTORY).join(name("t"));
        let text = std::fs::read_to_string(&file)
            .unwrap()
            .replace("abcdef", "a\u{1b}[2Jf");
        std::fs::write(&file, text).unwrap();
        let page = spills
            .page(&me, Stream::Stdout, 0, 9, NOW)
            .unwrap()
            .unwrap();
        assert_eq!(page.text, "af");
        std::fs::rename(&file, folder.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", &file).unwrap();
        assert!(spills.page(&me, Stream::Stdout, 0, 9, NOW).is_err());
    }
}
