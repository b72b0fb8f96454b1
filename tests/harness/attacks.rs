//! The table of attacks on paths (`tests/cases/path-attacks.jsonl`): what a row prepares in a folder, and what is
//! then asked for. The tests of the binary's files and the suite read the same rows.
//!
//! A row has `id`, `why`, `ask` (a text, or `{"repeat", "count", "prefix", "suffix"}`), `setup` (steps, each with one
//! of the verbs below) and `expect`: for each kind of file `read`, `missing`, or the event's type and reason as
//! `type/reason`. `{dir}` is the folder of the kind, `{out}` a folder beside it that must never be read, `{root}`
//! what holds both.
//!
//! | step | makes |
//! |---|---|
//! | `{"file": P, "text": T, "hex": H, "size": N, "mode": M}` | a file of `INSIDE`, a text, bytes or a size |
//! | `{"dir": P, "mode": M}`, `{"link": P, "to": T}`, `{"hard": P, "to": T}` | a folder, a symbolic link, a hard link |
//! | `{"fifo": P}`, `{"socket": P}`, `{"device": P, "kind": "c 1 5"}` | what is no file |
//! | `{"bind": P, "from": T}` | a mount |
//! | `{"mode": M, "of": P}`, `{"owner": UID, "of": P}`, `{"remove": P}` | a change |
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a harness reports by failing"
)]

use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// What stands in every file that may be read.
pub const INSIDE: &str = "INSIDE";
/// What stands in every file that must not be.
pub const CANARY: &str = "CANARY-7f3a9c51d2";

/// One row.
pub struct Attack {
    pub id: String,
    pub expect: Vec<(String, String)>,
    /// Whether the real binary is tried too.
    pub binary: bool,
    row: Value,
}

/// What a row has made that must be undone: mounts.
pub struct Prepared {
    mounts: Vec<PathBuf>,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        for mount in &self.mounts {
            let _ = Command::new("umount").arg("-l").arg(mount).status();
        }
    }
}

/// The folders of a row.
pub struct Ground<'g> {
    pub root: &'g Path,
    pub dir: &'g Path,
    pub out: &'g Path,
}

/// Every row of the table.
pub fn attacks(repository: &Path) -> Vec<Attack> {
    let text = fs::read_to_string(repository.join("tests/cases/path-attacks.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let row: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let expect = row["expect"].as_object().unwrap();
            let expect = expect
                .iter()
                .map(|(kind, outcome)| (kind.clone(), outcome.as_str().unwrap().to_owned()));
            Attack {
                id: row["id"].as_str().unwrap().to_owned(),
                expect: expect.collect(),
                binary: row["binary"] == true,
                row,
            }
        })
        .collect()
}

impl Ground<'_> {
    fn filled(&self, text: &str) -> String {
        text.replace("{dir}", self.dir.to_str().unwrap())
            .replace("{out}", self.out.to_str().unwrap())
            .replace("{root}", self.root.to_str().unwrap())
    }

    /// A place: beneath the kind's folder, or anywhere.
    fn place(&self, step: &Value, key: &str) -> PathBuf {
        let mut path = self.dir.to_owned();
        // Taken apart by its text: what it leads through need not be there any more.
        for part in Path::new(&self.filled(step[key].as_str().unwrap())).components() {
            match part {
                Component::ParentDir => drop(path.pop()),
                Component::CurDir => {}
                part => path.push(part),
            }
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Writes what must not be read.
    pub fn plant(&self) {
        fs::create_dir_all(self.out.join("deep")).unwrap();
        for name in [
            "canary",
            "inside",
            "policy.yml",
            "deep/canary",
            "deep/inside",
        ] {
            private(&self.out.join(name), CANARY.as_bytes());
        }
    }

    /// Whether everything that must not be read is as it was, and nothing came beside it.
    pub fn is_untouched(&self) -> bool {
        let all = walk(self.out);
        let intact = |path: &PathBuf| {
            !path.is_file() || fs::read(path).is_ok_and(|bytes| bytes == CANARY.as_bytes())
        };
        all.iter().all(intact)
    }
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}

/// Writes a file that only its owner can read.
pub fn private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn mode(step: &Value) -> Option<u32> {
    let text = step["mode"].as_str()?;
    Some(u32::from_str_radix(text, 8).unwrap())
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn bytes_of(step: &Value) -> Vec<u8> {
    if let Some(hex) = step["hex"].as_str() {
        return (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
    }
    step["text"].as_str().unwrap_or(INSIDE).as_bytes().to_vec()
}

impl Attack {
    /// What is asked for.
    pub fn ask(&self, ground: &Ground<'_>) -> String {
        let ask = &self.row["ask"];
        let text = |key: &str| ask[key].as_str().unwrap_or_default();
        if let Some(count) = ask["count"].as_u64() {
            let middle = text("repeat").repeat(usize::try_from(count).unwrap());
            return ground.filled(&format!("{}{middle}{}", text("prefix"), text("suffix")));
        }
        ground.filled(ask.as_str().unwrap_or_default())
    }

    /// Makes what the row wants; `None`, and a word on standard error, where this machine or this user cannot.
    pub fn prepare(&self, ground: &Ground<'_>) -> Option<Prepared> {
        let mut prepared = Prepared { mounts: Vec::new() };
        for step in self.row["setup"].as_array().into_iter().flatten() {
            if !self.step(step, ground, &mut prepared) {
                eprintln!("SKIPPED {}: this machine cannot do {step}", self.id);
                return None;
            }
        }
        Some(prepared)
    }

    fn step(&self, step: &Value, ground: &Ground<'_>, prepared: &mut Prepared) -> bool {
        let has = |key: &str| step.get(key).is_some();
        let to = || ground.filled(step["to"].as_str().unwrap());
        if has("file") {
            let path = ground.place(step, "file");
            private(&path, &bytes_of(step));
            if let Some(size) = step["size"].as_u64() {
                fs::OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_len(size)
                    .unwrap();
            }
            set_mode(&path, mode(step));
        } else if has("dir") {
            let path = ground.place(step, "dir");
            fs::create_dir_all(&path).unwrap();
            set_mode(&path, mode(step));
        } else if has("link") {
            symlink(to(), ground.place(step, "link")).unwrap();
        } else if has("hard") {
            return fs::hard_link(ground.dir.join(to()), ground.place(step, "hard")).is_ok();
        } else if has("fifo") {
            return succeeds(Command::new("mkfifo").arg(ground.place(step, "fifo")));
        } else if has("socket") {
            drop(std::os::unix::net::UnixListener::bind(ground.place(step, "socket")).unwrap());
        } else if has("device") {
            let path = ground.place(step, "device");
            let words = step["kind"].as_str().unwrap().split(' ');
            let made = succeeds(
                Command::new("mknod")
                    .arg("-m")
                    .arg("600")
                    .arg(&path)
                    .args(words),
            );
            return made;
        } else if has("bind") {
            let (path, from) = (ground.place(step, "bind"), ground.place(step, "from"));
            let bound = succeeds(Command::new("mount").arg("--bind").arg(&from).arg(&path));
            if bound {
                prepared.mounts.push(path);
            }
            return bound;
        } else if has("remove") {
            let path = ground.place(step, "remove");
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
        } else if has("owner") {
            let uid = u32::try_from(step["owner"].as_u64().unwrap()).unwrap();
            return std::os::unix::fs::chown(ground.place(step, "of"), Some(uid), None).is_ok();
        } else if has("of") {
            set_mode(&ground.place(step, "of"), mode(step));
        } else {
            panic!("{}: no such step: {step}", self.id);
        }
        true
    }
}

fn set_mode(path: &Path, mode: Option<u32>) {
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}
