//! Every item, made ok and made wrong: real files, real keys, a real journal; only what belongs to the machine (its
//! mounts, its users, its processes) is put in as a fact.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod items;

use super::machine::{Confinement, Mount, Served, account, confinement, mounts, owner_and_parent};
use super::setup::Setup;
use super::*;
use crate::files::Dirs;
use crate::journal::{Journal, Keep};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

const PASSPHRASE: &str = "plainly-a-passphrase";

const SERVERS: &str = "\
hosts:
  - {alias: web1, host: 10.0.0.1, credentials: a, tags: [prod]}
  - {alias: db1, host: 10.0.0.2, credentials: a, tags: [staging]}
";
const CREDENTIALS: &str = "\
entries:
  - {name: a, username: deploy, key_path: id, key_passphrase_secret: pass}
";
const POLICY: &str = "\
known_hosts_path: known_hosts
deny_commands: [standard]
network: {allow_cidrs: [10.0.0.0/8]}
rules:
  - {action: allow, tags: [prod], commands: [uptime -p], examples: {allow: [uptime -p], deny: [uptime -s]}}
  - {action: allow, tags: [staging], commands: [df -h]}
";

/// A set-up on disk.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for dir in ["config", "config/keys", "config/secrets", "state"] {
            fs::create_dir(stage.path(dir)).unwrap();
            stage.mode(dir, 0o700);
        }
        stage.put("config/servers.yml", SERVERS);
        stage.put("config/credentials.yml", CREDENTIALS);
        stage.put("config/policy.yml", POLICY);
        stage.put("config/secrets/pass", PASSPHRASE);
        stage.key("id", &["-t", "ed25519"], PASSPHRASE);
        let public = fs::read_to_string(stage.path("config/keys/id.pub")).unwrap();
        let key: Vec<&str> = public.split(' ').take(2).collect();
        let key = key.join(" ");
        stage.put(
            "config/keys/known_hosts",
            &format!("10.0.0.1 {key}\n10.0.0.2 {key}\n"),
        );
        let dirs = stage.dirs();
        drop(Journal::open(&dirs.state().unwrap(), Keep::default()).unwrap());
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.mode(name, 0o600);
    }

    fn change(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        self.put(name, &text.replace(from, to));
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn key(&self, name: &str, kind: &[&str], passphrase: &str) {
        let path = self.path("config/keys").join(name);
        let _ = fs::remove_file(&path);
        let status = Command::new("ssh-keygen")
            .args(["-q", "-C", "test", "-N", passphrase, "-f"])
            .arg(&path)
            .args(kind)
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{kind:?}");
    }

    fn dirs(&self) -> Dirs {
        let (config, state) = (self.path("config"), self.path("state"));
        Dirs::open(Some(&config), Some(&state), &|_| None).unwrap()
    }

    fn setup(&self) -> Setup {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(Setup::gather(&self.dirs()))
    }

    /// A machine on which nothing is wrong, with this set-up mounted read-only.
    fn machine(&self) -> Machine {
        Machine {
            uid: 10_001,
            account: Some(("gate".to_owned(), "/usr/sbin/nologin".to_owned())),
            confinement: Some(Confinement {
                capabilities: 0,
                no_new_privs: true,
                seccomp: true,
            }),
            mounts: vec![
                mount(Path::new("/"), false, "ext4"),
                mount(&self.path("config"), true, "ext4"),
            ],
            container: false,
            core_bytes: Some(0),
            dumpable: false,
            time_daemon: Some("/run/chrony/chronyd.pid".to_owned()),
            now: SystemTime::now(),
            program_written: Some(SystemTime::now() - DAY),
            secret_variables: Default::default(),
            journal_stream: true,
            served: Vec::new(),
        }
    }
}

fn mount(point: &Path, read_only: bool, kind: &str) -> Mount {
    Mount {
        point: point.to_owned(),
        read_only,
        kind: kind.to_owned(),
    }
}

fn served(parent_uid: u32, stderr: &str) -> Served {
    Served {
        pid: 7,
        uid: 10_001,
        parent_uid: Some(parent_uid),
        stderr: Some(stderr.to_owned()),
    }
}

fn standing(items: &[Item], id: &str) -> Standing {
    let item = items.iter().find(|item| item.id == id);
    item.unwrap_or_else(|| panic!("no item {id}"))
        .standing
        .clone()
}

type Change = fn(&mut Machine);

#[test]
fn keys_are_judged_by_type_length_age_mode_and_passphrase() {
    let stage = Stage::new();
    let word = |id: &str| standing(&examine(&stage.machine(), &stage.setup()), id).word();
    for (kind, expected) in [
        (&["-t", "ed25519"][..], "ok"),
        (&["-t", "rsa", "-b", "4096"], "ok"),
        (&["-t", "rsa", "-b", "3072"], "wrong"),
        (&["-t", "ecdsa"], "wrong"),
    ] {
        stage.key("id", kind, PASSPHRASE);
        assert_eq!(word("key-types"), expected, "{kind:?}");
        assert_eq!(word("passphrases"), "ok");
    }
    // In the older form nothing but the passphrase tells what a key is.
    stage.key("id", &["-t", "rsa", "-b", "4096", "-m", "PEM"], PASSPHRASE);
    assert_eq!((word("key-types"), word("passphrases")), ("wrong", "ok"));
    stage.key("id", &["-t", "ed25519"], "");
    assert_eq!((word("key-types"), word("passphrases")), ("ok", "wrong"));
    for (mode, expected) in [
        (0o400, "ok"),
        (0o600, "ok"),
        (0o660, "wrong"),
        (0o604, "wrong"),
    ] {
        stage.mode("config/keys/id", mode);
        assert_eq!(word("key-modes"), expected, "{mode:o}");
    }
    stage.mode("config/keys/id", 0o400);
    let key = fs::File::open(stage.path("config/keys/id")).unwrap();
    for (days, expected) in [(91, "ok"), (94, "wrong")] {
        key.set_modified(SystemTime::now() - DAY * days).unwrap();
        assert_eq!(word("keys-rotated"), expected, "{days} days");
    }
    fs::remove_file(stage.path("config/keys/id")).unwrap();
    assert_eq!(word("key-types"), "wrong");
}

#[test]
fn root_may_hand_a_secret_to_the_gates_group_and_nobody_else_may() {
    let stage = Stage::new();
    let seen = |uid: u32, mode: u32| {
        let mut setup = stage.setup();
        let file = setup.keys[0].file.as_mut().unwrap();
        (file.uid, file.mode) = (uid, mode);
        standing(&examine(&stage.machine(), &setup), "key-modes").word()
    };
    assert_eq!(seen(0, 0o440), "ok");
    assert_eq!(seen(10_001, 0o440), "wrong");
    assert_eq!(seen(0, 0o460), "wrong");
    assert_eq!(seen(0, 0o444), "wrong");
}

#[test]
fn files_that_others_can_read_or_write_are_named() {
    for (name, mode, wrong) in [
        ("config/secrets/pass", 0o604, true),
        ("config/secrets/pass", 0o600, false),
        ("config/policy.yml", 0o644, false),
        ("config/policy.yml", 0o664, true),
        ("config/keys", 0o770, true),
        ("config/keys", 0o750, false),
        ("state", 0o720, true),
        ("state/keys", 0o702, true),
    ] {
        let stage = Stage::new();
        stage.mode(name, mode);
        let found = standing(&examine(&stage.machine(), &stage.setup()), "others");
        match found {
            Standing::Wrong { found, .. } => {
                assert!(wrong && found.contains(name), "{name}: {found}")
            }
            Standing::Ok(_) => assert!(!wrong, "{name} {mode:o}"),
            Standing::NotApplicable(why) => panic!("{why}"),
        }
    }
}

#[test]
fn hosts_without_a_record_and_weak_records_are_named() {
    let stage = Stage::new();
    stage.change("config/keys/known_hosts", "10.0.0.2", "[10.0.0.2]:2222");
    stage.change(
        "config/servers.yml",
        "host: 10.0.0.1,",
        "host: 10.0.0.1, port: 2200,",
    );
    let Standing::Wrong { found, .. } = standing(
        &examine(&stage.machine(), &stage.setup()),
        "known-hosts-populated",
    ) else {
        panic!("nothing is missing");
    };
    assert!(found.contains("web1") && found.contains("db1"), "{found}");
    stage.key("short", &["-t", "rsa", "-b", "2048"], "");
    stage.key("long", &["-t", "rsa", "-b", "3072"], "");
    let public =
        |name: &str| fs::read_to_string(stage.path(&format!("config/keys/{name}.pub"))).unwrap();
    let dss = "AAAAB3NzaC1kc3M=";
    stage.put(
        "config/keys/known_hosts",
        &format!(
            "short {}long {}|1|AAAA|AAAA {}old ssh-dss {dss}\n",
            public("short"),
            public("long"),
            public("short")
        ),
    );
    let Standing::Wrong { found, .. } =
        standing(&examine(&stage.machine(), &stage.setup()), "host-keys")
    else {
        panic!("nothing is weak");
    };
    for word in [
        "short (ssh-rsa of 2048 bits)",
        "a hashed name",
        "old (ssh-dss",
    ] {
        assert!(found.contains(word), "{found}");
    }
    assert!(!found.contains("long"), "{found}");
}

#[test]
fn secrets_in_the_environment_are_named_and_never_shown() {
    let stage = Stage::new();
    let mut machine = stage.machine();
    machine
        .secret_variables
        .insert("MCP_SSH_SECRET_PASS".to_owned());
    let items = examine(&machine, &stage.setup());
    let Standing::Wrong { found, .. } = standing(&items, "environment") else {
        panic!("it is not named");
    };
    assert!(found.ends_with("MCP_SSH_SECRET_PASS"), "{found}");
    assert!(!format!("{items:?}").contains(PASSPHRASE));
}

#[test]
fn standard_error_that_nobody_keeps_is_named() {
    let stage = Stage::new();
    let setup = stage.setup();
    for (stderr, journal, container, expected) in [
        (Some("/dev/null"), true, true, "wrong"),
        (Some("pipe:[7]"), false, false, "ok"),
        (None, true, false, "ok"),
        (None, false, true, "ok"),
        (None, false, false, "wrong"),
    ] {
        let mut machine = stage.machine();
        machine.served = stderr.map(|stderr| served(0, stderr)).into_iter().collect();
        (machine.journal_stream, machine.container) = (journal, container);
        let items = examine(&machine, &setup);
        assert_eq!(
            standing(&items, "log-collection").word(),
            expected,
            "{stderr:?}"
        );
        let told = if expected == "ok" {
            "not applicable"
        } else {
            "wrong"
        };
        assert_eq!(standing(&items, "alerting").word(), told);
    }
    // A server that shows its descriptors to nobody.
    let mut machine = stage.machine();
    machine.journal_stream = false;
    machine.served = vec![Served {
        stderr: None,
        ..served(0, "")
    }];
    for (journal, container) in [(false, false), (true, false), (false, true)] {
        (machine.journal_stream, machine.container) = (journal, container);
        let items = examine(&machine, &setup);
        let found = standing(&items, "log-collection");
        assert_eq!(found.word(), "not applicable", "{found:?}");
    }
    // Beside one that shows them.
    machine.served.push(served(0, "pipe:[7]"));
    let items = examine(&machine, &setup);
    assert_eq!(standing(&items, "log-collection").word(), "not applicable");
}

#[test]
fn a_process_of_another_user_that_bears_the_servers_name_says_nothing() {
    let stage = Stage::new();
    let mut setup = stage.setup();
    let mut machine = stage.machine();
    (machine.journal_stream, machine.account) = (false, None);
    machine.served = vec![Served {
        uid: 666,
        ..served(666, "pipe:[7]")
    }];
    let words = |machine: &Machine, setup: &Setup| {
        let items = examine(machine, setup);
        ["log-collection", "one-person"].map(|id| standing(&items, id).word())
    };
    assert_eq!(words(&machine, &setup), ["wrong", "wrong"]);
    machine.served[0].uid = machine.uid;
    assert_eq!(words(&machine, &setup), ["ok", "ok"]);
    // Root asks for the gate's user, whose the state directory is.
    machine.uid = 0;
    for seen in &mut setup.seen {
        seen.uid = 10_001;
    }
    assert_eq!(words(&machine, &setup)[0], "ok");
    machine.served[0].uid = 666;
    assert_eq!(words(&machine, &setup)[0], "wrong");
    let status = "Name:\tx\nPid:\t9\nPPid:\t7\nUid:\t1\t2\t3\t4\n";
    assert_eq!(owner_and_parent(status), Some((2, 7)));
    assert_eq!(owner_and_parent("Uid:\t1\n"), None);
}

#[test]
fn a_key_or_a_token_in_the_place_of_a_name_is_never_shown() {
    let token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    let stage = Stage::new();
    let key = fs::read_to_string(stage.path("config/keys/id")).unwrap();
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let body: String = body.chars().take(300).collect();
    let one_line =
        format!("-----BEGIN OPENSSH PRIVATE KEY-----{body}-----END OPENSSH PRIVATE KEY-----");
    for (from, to, secret) in [
        ("key_path: id", format!("key_path: {token}"), token),
        ("key_path: id", format!("key_path: keys/{token}"), token),
        (
            "key_path: id",
            format!("key_path: \"{one_line}\""),
            &body[100..140],
        ),
        (
            "key_passphrase_secret: pass",
            "key_passphrase_secret: hunter2hunter2".to_owned(),
            "hunter2hunter2",
        ),
    ] {
        let stage = Stage::new();
        stage.change("config/credentials.yml", from, &to);
        let items = examine(&stage.machine(), &stage.setup());
        let shown = format!("{items:?}");
        assert!(!shown.contains(secret), "{to}: {shown}");
        let wrong = ["key-types", "no-plain-passwords"].map(|id| standing(&items, id).word());
        assert!(wrong.contains(&"wrong"), "{to}: {shown}");
    }
    // Which login and field it is, is said.
    let stage = Stage::new();
    stage.change(
        "config/credentials.yml",
        "_secret: pass",
        "_secret: elsewhere",
    );
    let items = examine(&stage.machine(), &stage.setup());
    let Standing::Wrong { found, .. } = standing(&items, "no-plain-passwords") else {
        panic!("it is not missed");
    };
    assert!(
        found.contains("key_passphrase_secret of login a"),
        "{found}"
    );
}

#[test]
fn a_key_behind_a_link_is_not_judged_by_what_the_link_leads_to() {
    let stage = Stage::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = stage.path("config/keys/folder");
    fs::create_dir(&folder).unwrap();
    stage.change(
        "config/credentials.yml",
        "key_path: id",
        "key_path: folder/id",
    );
    fs::copy(stage.path("config/keys/id"), folder.join("id")).unwrap();
    fs::copy(stage.path("config/keys/id"), elsewhere.path().join("id")).unwrap();
    let file = || stage.setup().keys.remove(0).file;
    assert_eq!(file().unwrap().path, folder.join("id"));
    fs::remove_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &folder).unwrap();
    assert_eq!(file(), None);
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("../id", folder.join("id")).unwrap();
    assert_eq!(file(), None);
}

#[test]
fn no_hint_takes_a_file_of_root_from_the_gate() {
    let stage = Stage::new();
    stage.mode("config/keys/id", 0o644);
    stage.mode("config/secrets/pass", 0o644);
    let items = examine(&stage.machine(), &stage.setup());
    for id in ["key-modes", "others"] {
        let Standing::Wrong { mend, .. } = standing(&items, id) else {
            panic!("{id} is not wrong");
        };
        assert!(mend.contains("root") && mend.contains("440"), "{mend}");
    }
    let fault = stage.dirs().key("id").err().unwrap();
    assert!(fault.hint().contains("root") && fault.hint().contains("440"));
}

#[test]
fn a_container_is_judged_by_what_its_process_may_do() {
    let stage = Stage::new();
    let setup = stage.setup();
    let breaks: [(&str, Change); 6] = [
        ("root", |machine| machine.uid = 0),
        ("capabilities 0x400", |machine| {
            machine.confinement.as_mut().unwrap().capabilities = 0x400
        }),
        ("rights can be gained", |machine| {
            machine.confinement.as_mut().unwrap().no_new_privs = false
        }),
        ("seccomp", |machine| {
            machine.confinement.as_mut().unwrap().seccomp = false
        }),
        ("file system", |machine| machine.mounts[0].read_only = false),
        ("does not say", |machine| machine.confinement = None),
    ];
    for (word, change) in breaks {
        let mut machine = stage.machine();
        machine.container = true;
        machine.mounts[0].read_only = true;
        assert_eq!(
            standing(&examine(&machine, &setup), "container-privileges").word(),
            "ok"
        );
        change(&mut machine);
        let Standing::Wrong { found, .. } =
            standing(&examine(&machine, &setup), "container-privileges")
        else {
            panic!("{word} is not wrong");
        };
        assert!(found.contains(word), "{found}");
    }
}

#[test]
fn who_starts_the_server_decides_whether_it_is_a_set_up_of_one_person() {
    let stage = Stage::new();
    let setup = stage.setup();
    let mut machine = stage.machine();
    machine.served = vec![served(machine.uid, "pipe:[7]")];
    let Standing::Wrong { found, .. } = standing(&examine(&machine, &setup), "one-person") else {
        panic!("a client of the gate's own user is not named");
    };
    assert!(found.contains("What holds is the policy"), "{found}");
    machine.account = Some(("ann".to_owned(), "/bin/sh".to_owned()));
    machine.served = vec![served(machine.uid + 1, "pipe:[7]")];
    assert_eq!(
        standing(&examine(&machine, &setup), "one-person").word(),
        "ok"
    );
}

#[test]
fn a_configuration_that_does_not_load_leaves_the_rest_to_be_looked_at() {
    let stage = Stage::new();
    stage.put("config/policy.yml", "rulez: [\u{1b}[31m\u{202e}]\n");
    stage.mode("config/secrets", 0o777);
    let items = examine(&stage.machine(), &stage.setup());
    assert_eq!(standing(&items, "configuration").word(), "wrong");
    assert_eq!(standing(&items, "others").word(), "wrong");
    assert_eq!(standing(&items, "deny-texts").word(), "not applicable");
    assert_eq!(standing(&items, "journal-key").word(), "ok");
    let shown = format!("{items:?}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
    let nothing = examine(&stage.machine(), &Setup::none("no directory".to_owned()));
    assert_eq!(nothing.len(), items.len());
}

#[test]
fn the_texts_of_the_system_are_read_as_they_are_written() {
    let status = "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nCapEff:\t00000000a80425fb\n";
    let held = confinement(status);
    assert_eq!(
        (held.capabilities, held.no_new_privs, held.seccomp),
        (0xa804_25fb, true, true)
    );
    let unknown = confinement("Name:\tx\n");
    assert_eq!(
        (unknown.capabilities, unknown.no_new_privs),
        (u64::MAX, false)
    );
    let text = "27 0 0:26 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
                30 27 0:27 / /a\\040b ro,nosuid - tmpfs tmpfs rw\nbroken\n\
                31 27 0:28 / /c rw shared:3 master:1 - overlay overlay ro,lowerdir=/x\n";
    let found = mounts(text);
    assert_eq!(
        found,
        [
            mount(Path::new("/"), false, "ext4"),
            mount(Path::new("/a b"), true, "tmpfs"),
            mount(Path::new("/c"), true, "overlay"),
        ]
    );
    let passwd = "root:x:0:0:r:/root:/bin/bash\ngate:x:9:9::/nowhere:/usr/sbin/nologin\n";
    assert_eq!(account(passwd, 9).unwrap().1, "/usr/sbin/nologin");
    assert_eq!(account(passwd, 8), None);
    // The machine that the test runs on has a process, a user and a root file system.
    let here = Machine::gather();
    assert!(here.confinement.is_some() && here.mount_of(Path::new("/")).is_some());
}
