//! A thread that exchanges what is good for what is not, between the look and the use: each read gives what lies
//! inside or is refused, and never anything else.

use super::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::sync::atomic::{AtomicBool, Ordering};

const INSIDE: &[u8] = b"INSIDE";
const CANARY: &str = "CANARY-9b2e";
/// Reads for each pair; more than enough to meet the other thread at every step.
const READS: usize = 20_000;
/// Reads until both outcomes must have been seen, where the machine is slow.
const READS_MAX: usize = 2_000_000;

/// Exchanges two names until it is told to stop.
fn exchanging(good: &Path, bad: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        renameat_with(CWD, good, CWD, bad, RenameFlags::EXCHANGE).unwrap();
    }
}

/// Reads while two names are exchanged; how often the file was read and how often it was refused.
fn raced(
    good: &Path,
    bad: &Path,
    read: impl Fn() -> Result<Option<Vec<u8>>, FileFault>,
) -> (usize, usize) {
    let stop = AtomicBool::new(false);
    let (mut taken, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| exchanging(good, bad, &stop));
        let mut reads = 0;
        while reads < READS || ((taken == 0 || refused == 0) && reads < READS_MAX) {
            reads += 1;
            match read() {
                Ok(Some(bytes)) if bytes == INSIDE => taken += 1,
                Err(fault) if !format!("{fault} {}", recorded(&fault)).contains(CANARY) => {
                    refused += 1;
                }
                Ok(other) => {
                    stop.store(true, Ordering::Relaxed);
                    panic!("after {reads} reads: {other:?}");
                }
                Err(fault) => {
                    stop.store(true, Ordering::Relaxed);
                    panic!("after {reads} reads: {fault}");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    (taken, refused)
}

/// A stage with something that must not be read, and the pair to exchange in one directory.
fn racing(dir: &str, bad: &str) -> (Stage, PathBuf, PathBuf) {
    let stage = Stage::new();
    fs::create_dir_all(stage.path("out")).unwrap();
    private(&stage.path("out/file"), CANARY);
    let dir = stage.path(dir);
    fs::create_dir_all(dir.join("folder")).unwrap();
    private(&dir.join("folder/file"), INSIDE);
    private(&dir.join("file"), INSIDE);
    symlink(stage.path("out"), dir.join("bad-folder")).unwrap();
    symlink(stage.path("out/file"), dir.join("bad-file")).unwrap();
    let good = bad.strip_prefix("bad-").unwrap();
    let (good, bad) = (dir.join(good), dir.join(bad));
    (stage, good, bad)
}

#[track_caller]
fn both(outcomes: (usize, usize)) {
    assert!(
        outcomes.0 > 0 && outcomes.1 > 0,
        "{outcomes:?}: the race was not run"
    );
}

#[test]
fn a_key_that_is_exchanged_for_a_link_is_read_or_refused() {
    let (stage, good, bad) = racing("keys", "bad-file");
    let dirs = stage.dirs();
    both(raced(&good, &bad, || {
        dirs.key("file").map(|key| Some(key.expose().to_vec()))
    }));
}

#[test]
fn a_folder_that_is_exchanged_for_a_link_is_read_or_refused() {
    let (stage, good, bad) = racing("keys", "bad-folder");
    let dirs = stage.dirs();
    both(raced(&good, &bad, || {
        dirs.key("folder/file")
            .map(|key| Some(key.expose().to_vec()))
    }));
}

#[test]
fn a_secret_that_is_exchanged_for_a_link_is_read_or_refused() {
    let (stage, good, bad) = racing("secrets", "bad-file");
    let dirs = stage.dirs();
    both(raced(&good, &bad, || {
        quietly(&dirs, "file").map(|secret| Some(secret.expose().to_vec()))
    }));
}

#[test]
fn a_plugin_whose_folder_is_exchanged_is_read_or_refused() {
    let (stage, good, bad) = racing("plugins", "bad-folder");
    let dirs = stage.dirs();
    both(raced(&good, &bad, || {
        dirs.plugin("folder/file", 64).map(Some)
    }));
}

/// A configuration file is a link here: it leads inside, and in the next moment out.
#[test]
fn a_configuration_link_that_is_turned_outwards_is_read_or_refused() {
    let (stage, _, bad) = racing("config", "bad-file");
    let good = stage.path("config/policy.yml");
    symlink("file", &good).unwrap();
    let dirs = stage.dirs();
    both(raced(&good, &bad, || {
        let text = dirs.config_file("policy.yml")?;
        Ok(text.map(String::into_bytes))
    }));
}

#[test]
fn a_configuration_folder_that_is_turned_outwards_is_read_or_refused() {
    let (stage, good, bad) = racing("config", "bad-folder");
    symlink("folder/file", stage.path("config/policy.yml")).unwrap();
    let dirs = stage.dirs();
    both(raced(&good, &bad, || {
        let text = dirs.config_file("policy.yml")?;
        Ok(text.map(String::into_bytes))
    }));
}
