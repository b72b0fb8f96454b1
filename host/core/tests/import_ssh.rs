//! What is read of an `ssh_config` beside what the real `ssh -G` prints for it, over generated configurations.
//!
//! The configurations use every construct that is decided here: patterns with wildcards and negation, `Match` with
//! `host`, `originalhost`, `user`, `localuser` and `all`, files included in blocks, quotes, `=`, tabs, comments.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test"
)]

use portcullis_core::import::{Owner, Room, Shelf, SshConfig, Text};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Configurations of a run, and of a soak; ssh refuses a third of what is made.
const CONFIGURATIONS: u64 = 500;
const CONFIGURATIONS_SOAK: u64 = 3_000;
/// Names that are asked for with each configuration.
const NAMES: [&str; 5] = ["web1", "web2", "db.prod", "WEB1", "10.0.0.7"];

/// A small generator of numbers; the same seed gives the same configuration.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

struct Generator<'g> {
    dice: Dice,
    folder: &'g Path,
    user: &'g str,
    files: usize,
}

impl Generator<'_> {
    fn separator(&mut self) -> &'static str {
        self.dice
            .one(&[" ", " ", "=", " = ", "\t", "  ", "\t=\t", "= "])
    }

    fn patterns(&mut self) -> String {
        let patterns = [
            "web1", "web2", "db.prod", "WEB1", "*", "web*", "*.prod", "!web2", "?eb1", "!*.prod",
            "other", "\"web1\"", "10.0.0.*", "w*1", "!WEB1",
        ];
        let count = 1 + self.dice.below(3);
        let picked: Vec<&str> = (0..count).map(|_| self.dice.one(&patterns)).collect();
        picked.join(" ")
    }

    fn criteria(&mut self) -> String {
        if self.dice.chance(20) {
            return self.dice.one(&["all", "all # every one"]).to_owned();
        }
        let count = 1 + self.dice.below(2);
        let mut criteria = Vec::new();
        for _ in 0..count {
            let negated = if self.dice.chance(25) { "!" } else { "" };
            let user = self.user;
            criteria.push(match self.dice.below(4) {
                0 => {
                    let list = self.dice.one(&[
                        "web1",
                        "*.example.com",
                        "web*,!web2",
                        "WEB1",
                        "10.*,db.*",
                    ]);
                    format!("{negated}host {list}")
                }
                1 => {
                    let list = self
                        .dice
                        .one(&["web1", "web?", "*,!db.prod", "\"web1,web2\""]);
                    format!("{negated}originalhost {list}")
                }
                2 => {
                    let list = self.dice.one(&["deploy", "d*", "root,deploy", "Deploy"]);
                    format!("{negated}user {list}")
                }
                _ => {
                    let list = if self.dice.chance(50) { user } else { "nobody" };
                    format!("{negated}localuser {list}")
                }
            });
        }
        criteria.join(" ")
    }

    fn setting(&mut self) -> String {
        let separator = self.separator();
        let keyword = |word: &'static str, dice: &mut Dice| match dice.below(4) {
            0 => word.to_ascii_lowercase(),
            1 => word.to_ascii_uppercase(),
            2 => format!("\"{word}\""),
            _ => word.to_owned(),
        };
        let (word, value) = match self.dice.below(9) {
            0 | 1 => (
                "HostName",
                self.dice.one(&[
                    "%h.example.com",
                    "10.0.0.7",
                    "Host.Example.COM",
                    "\"a.example.com\"",
                    "::1",
                    "x%%h",
                    "'b.c'",
                    "a#b",
                ]),
            ),
            2 => (
                "Port",
                self.dice.one(&["22", "2222", "\"2200\"", "65535", "1"]),
            ),
            3 | 4 => (
                "User",
                self.dice.one(&[
                    "deploy",
                    "root",
                    "\"two words\"",
                    "o\\'brien",
                    "a\\\\b",
                    "'single'",
                    "u#1",
                ]),
            ),
            5 | 6 => (
                "IdentityFile",
                self.dice.one(&[
                    "~/.ssh/id_web",
                    "\"/keys/my key\"",
                    "/keys/my\\ key",
                    "none",
                    "~/.ssh/%h",
                    "/keys/a",
                ]),
            ),
            7 => ("ServerAliveInterval", self.dice.one(&["5", "30"])),
            _ => ("ForwardAgent", self.dice.one(&["no", "yes"])),
        };
        let word = keyword(word, &mut self.dice);
        let end = self.dice.one(&["", "", "", " ", "\t", " # remark", "\r"]);
        format!("{word}{separator}{value}{end}")
    }

    fn file(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..2 + self.dice.below(9) {
            let indent = self.dice.one(&["", "  ", "\t"]);
            let separator = self.dice.one(&[" ", "\t", "="]);
            let line = match self.dice.below(12) {
                0..3 => format!("Host{separator}{}", self.patterns()),
                3 | 4 => format!("Match {}", self.criteria()),
                5 => self.dice.one(&["", "# Host web1", "   "]).to_owned(),
                6 if depth < 3 => {
                    self.files += 1;
                    let path = self.folder.join(format!("part {}", self.files));
                    let inner = self.file(depth + 1);
                    fs::write(&path, inner).unwrap();
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
                    format!("Include \"{}\" /nowhere/*.conf", path.display())
                }
                _ => self.setting(),
            };
            text.push_str(&format!("{indent}{line}\n"));
        }
        text
    }
}

/// The files of the folder of a configuration.
struct Folder;

impl Shelf for Folder {
    fn find(&self, pattern: &str, _: Room) -> Result<Vec<Text>, String> {
        let Ok(text) = fs::read_to_string(pattern) else {
            return Ok(Vec::new());
        };
        Ok(vec![Text {
            name: pattern.to_owned(),
            text,
        }])
    }
}

/// What `ssh -G` prints, the values of each keyword in order; `None` where it refuses the configuration.
fn printed(config: &Path, name: &str) -> Option<BTreeMap<String, Vec<String>>> {
    let output = Command::new("ssh")
        .arg("-G")
        .arg("-F")
        .arg(config)
        .arg(name)
        .stdin(Stdio::null())
        .output()
        .expect("ssh is installed by cargo xtask test");
    if !output.status.success() {
        return None;
    }
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        values
            .entry(keyword.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    Some(values)
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn settings_are_those_that_ssh_prints() {
    let soak = std::env::var_os("PORTCULLIS_SOAK").is_some();
    let count = if soak {
        CONFIGURATIONS_SOAK
    } else {
        CONFIGURATIONS
    };
    let (folder, user) = (tempfile::tempdir().unwrap(), user());
    let path: PathBuf = folder.path().join("config");
    let (mut compared, mut configurations, mut set) = (0, 0, 0);
    for seed in 1..=count {
        let mut generator = Generator {
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            folder: folder.path(),
            user: &user,
            files: 0,
        };
        let text = generator.file(0);
        fs::write(&path, &text).unwrap();
        let shown = || format!("seed {seed}:\n{text}");
        let config = SshConfig::read(
            &Text {
                name: "config".to_owned(),
                text: text.clone(),
            },
            Owner {
                user: Some(user.clone()),
            },
            &Folder,
        );
        let mut any = false;
        for offset in 0..2 {
            let name = NAMES[(usize::try_from(seed).unwrap() + offset * 2) % NAMES.len()];
            let Some(expected) = printed(&path, name) else {
                continue;
            };
            any = true;
            let config = config
                .as_ref()
                .unwrap_or_else(|fault| panic!("ssh takes what we refuse: {fault}\n{}", shown()));
            let settings = config.settings(name).unwrap();
            let hostname = settings.hostname().unwrap();
            let place = || format!("{name} with {}", shown());
            assert_eq!(expected["hostname"], [hostname.as_str()], "{}", place());
            assert_eq!(
                expected["port"],
                [settings.port().to_string()],
                "{}",
                place()
            );
            assert_eq!(expected["user"], [settings.user().unwrap()], "{}", place());
            let files = settings.identity_files();
            if files.is_empty() {
                // Then the defaults are printed.
                let defaults = &expected["identityfile"];
                assert!(
                    defaults.iter().all(|path| path.starts_with("~/.ssh/id_")),
                    "{}",
                    place()
                );
            } else {
                assert_eq!(expected["identityfile"], files, "{}", place());
            }
            compared += 1;
            set += usize::from(hostname != name || settings.port() != 22 || !files.is_empty());
        }
        configurations += usize::from(any);
    }
    eprintln!("{configurations} configurations, {compared} names compared, {set} with settings");
    assert!(
        configurations >= 300,
        "ssh refused too many: {configurations} of {count} were compared"
    );
    assert!(
        set * 3 >= compared,
        "only {set} of {compared} had any setting"
    );
}
