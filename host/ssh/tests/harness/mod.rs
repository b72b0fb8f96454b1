//! Real servers on loopback for the tests of the engine, and the real way to a journaled run: a policy
//! that allows the scripts of one directory, a decision, an admission, an opening record.
//!
//! Servers run as root, as in CI; without root the tests that need them say so and pass. dropbear knows
//! one place for its authorised keys only, the user's home, so it is started in a mount namespace of its
//! own with another home.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests; not every file uses all of it"
)]

pub(crate) mod proxy;

use portcullis_core::BoxFuture;
use portcullis_core::audit::{
    self, Door, Draft, Journaled, Origin, Receipt, Sink, SinkFault, Stamp, Under,
};
use portcullis_core::clock::Micros;
use portcullis_core::config;
use portcullis_core::inventory::{Credential, Host, Target};
use portcullis_core::policy::{Case, Hearing, Jury, Opinion, Outcome};
use portcullis_core::redact::Redactor;
use portcullis_core::request::{Alias, CommandLine, Principal, TaskId};
use portcullis_core::secret::Secret;
use portcullis_ssh::{Access, Engine, EngineSettings, Generation, Identity, KnownHosts, Methods};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

/// The normal user that commands run as.
pub(crate) const USER: &str = "gate-test";
/// Tries until a server takes connections, 50 ms apart.
const START_TRIES_MAX: u32 = 200;

/// A place for one test: keys, scripts and the working directory of everything that its scripts start.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self { dir };
        place.key("id", &["-t", "ed25519", "-N", ""]);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn key(&self, name: &str, options: &[&str]) -> PathBuf {
        let path = self.path(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-C", "a comment", "-f"])
            .arg(&path)
            .args(options)
            .status()
            .unwrap();
        assert!(made.success());
        path
    }

    pub(crate) fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()
    }

    /// Writes a script that works in this place, and returns the command that runs it.
    pub(crate) fn script(&self, name: &str, body: &str) -> String {
        let path = self.path(name);
        let text = format!("#!/bin/sh\ncd {}\n{body}\n", self.dir.path().display());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// The processes that work in this place.
    pub(crate) fn alive(&self) -> usize {
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok())
            .filter(|cwd| cwd == self.dir.path())
            .count()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        Identity::from_key(&secret(&self.path(name)), None).unwrap()
    }

    pub(crate) fn access(&self, known_hosts: &str) -> Access<'static> {
        self.access_with(Methods::key(self.identity("id")), known_hosts)
    }

    pub(crate) fn access_with(&self, methods: Methods, known_hosts: &str) -> Access<'static> {
        Access {
            login: Box::new(methods),
            hops: Vec::new(),
            known_hosts: Arc::new(KnownHosts::parse(known_hosts.as_bytes())),
            generation: Generation::fresh(),
        }
    }

    /// A run of one script under the limits, journaled as the gate would.
    pub(crate) async fn journaled(
        &self,
        port: u16,
        user: &str,
        command: &str,
        limits: &str,
    ) -> Journaled {
        let rules = format!(
            "limits: {{deny_substrings: [], {limits}}}\nrules:\n  - action: allow\n    commands: ['{0}/*', '{0}/* *']\n  - action: allow\n    commands: [{1:?}, 'echo *']\n",
            self.dir.path().display(),
            command,
        );
        journaled(&rules, target(port, user), command).await
    }
}

pub(crate) fn secret(path: &Path) -> Secret {
    Secret::new(std::fs::read(path).unwrap())
}

pub(crate) fn engine() -> Engine {
    Engine::new(EngineSettings::default())
}

struct NoJury;

impl Jury for NoJury {
    fn hear(&self, _: &Hearing<'_>) -> Vec<Opinion> {
        Vec::new()
    }
}

struct Paper;

impl Sink for Paper {
    fn append(&self, _: Draft) -> BoxFuture<'_, Result<Receipt, SinkFault>> {
        let receipt = Receipt {
            seq: 1,
            mac: "0".repeat(64),
        };
        Box::pin(async { Ok(receipt) })
    }
}

/// The host of every test, on a port of loopback.
fn host(port: u16) -> Host {
    Host {
        alias: Alias::parse("test1").unwrap(),
        host: "127.0.0.1".to_owned(),
        port,
        credentials: Some("c".to_owned()),
        tags: Vec::new(),
        description: String::new(),
        shell: portcullis_core::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    }
}

/// A journaled `echo` on a host that differs from the usual one.
pub(crate) async fn journaled_on(
    port: u16,
    user: &str,
    command: &str,
    change: impl FnOnce(&mut Target),
) -> Journaled {
    let mut target = target(port, user);
    change(&mut target);
    let policy =
        "limits: {deny_substrings: []}\nrules: [{action: allow, commands: ['echo *', 'sleep *']}]";
    journaled(policy, target, command).await
}

/// A journaled `echo` on a host at another address of loopback, with a credential of this name.
pub(crate) async fn journaled_at(address: &str, port: u16, user: &str, name: &str) -> Journaled {
    journaled_on(port, user, "echo hello", |target| {
        address.clone_into(&mut target.host.host);
        target.host.credentials = Some(name.to_owned());
        if let Some(credential) = &mut target.credential {
            name.clone_into(&mut credential.name);
        }
    })
    .await
}

/// The usual host, logged into as a user.
pub(crate) fn target(port: u16, user: &str) -> Target {
    let host = host(port);
    Target {
        hops: Vec::new(),
        host,
        credential: Some(Credential {
            name: "c".to_owned(),
            username: user.to_owned(),
            key_path: None,
            key_passphrase_secret: None,
            key_passphrase_env: None,
            password_secret: None,
            password_env: None,
            certificate_path: None,
            agent_key: None,
            methods: Vec::new(),
        }),
    }
}

async fn journaled(policy: &str, target: Target, command: &str) -> Journaled {
    let (policy, _) = config::policy(policy).unwrap();
    let alias = target.host.alias.clone();
    let line = CommandLine::parse(command).unwrap();
    let hops = vec![vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]; target.hops.len()];
    let address = target.host.host.parse();
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let task = TaskId::mint(&alias, &line, Micros(1), [7; 16]);
    let case = Case::new(Principal::local(0), target, line);
    let granted = match policy.decide(case, Vec::new()).conclude(&NoJury, false) {
        Outcome::Granted(granted) => granted,
        Outcome::Refused(refused) => panic!("{:?}", refused.refusal()),
    };
    let admitted = granted
        .admit_through(&[address], &hops)
        .unwrap_or_else(|refused| panic!("{:?}", refused.refusal()));
    let redactor = Redactor::default();
    let call_id = "test-1".to_owned();
    let origin = Origin::new(Principal::local(0), Door::Cli, call_id, None, &redactor);
    let under = Under::default();
    let stamp = Stamp {
        origin: &origin,
        under: &under,
    };
    audit::open(&Paper, &redactor, &stamp, admitted, task, Micros(1))
        .await
        .unwrap_or_else(|failed| panic!("{}", failed.1))
}

/// Takes the turn of one that starts a server with [`sshd_with`]; `None` without root.
pub(crate) fn turn() -> Option<MutexGuard<'static, ()>> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: servers are started by root only");
        return None;
    }
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A server that is stopped and reaped when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) known_hosts: String,
    child: Child,
    turn: Option<MutexGuard<'static, ()>>,
}

/// One server at a time: a machine that is busy with the others would miss the ladder's bounds.
static TURN: Mutex<()> = Mutex::new(());

impl Server {
    /// Whether a process below this server, at any depth, has these words in its command line.
    pub(crate) fn runs(&self, words: &str) -> bool {
        let mut open = vec![self.child.id().to_string()];
        let mut seen = 0;
        while let Some(parent) = open.pop() {
            seen += 1;
            assert!(seen < 1_000, "a test's server has few processes");
            let children = Command::new("pgrep").args(["-P", &parent, "-a"]).output();
            let children = String::from_utf8_lossy(&children.unwrap().stdout).into_owned();
            for child in children.lines() {
                let (pid, line) = child.split_once(' ').unwrap_or((child, ""));
                if line.trim() == words {
                    return true;
                }
                open.push(pid.to_owned());
            }
        }
        false
    }

    /// Ends the processes that serve connections, and leaves the one that takes new ones.
    pub(crate) fn drop_connections(&self) {
        let parent = self.child.id().to_string();
        let ended = Command::new("pkill")
            .args(["-KILL", "-P", &parent])
            .status();
        assert!(ended.unwrap().success(), "nobody was connected");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which server, and as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sshd,
    Dropbear,
}

/// Starts a server for a user, or says why not.
pub(crate) fn serve(place: &Place, kind: Kind, user: &str) -> Option<Server> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: servers are started by root only");
        return None;
    }
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    make_user();
    let mut server = match kind {
        Kind::Sshd => sshd(place, &["ed25519"]),
        Kind::Dropbear => dropbear(place, user)?,
    };
    server.turn = Some(turn);
    Some(server)
}

/// Starts an sshd with host keys of the given types, or says why not.
pub(crate) fn serve_types(place: &Place, types: &[&str]) -> Option<Server> {
    serve_with(place, types, "")
}

/// The same with lines of its own in its configuration.
pub(crate) fn serve_with(place: &Place, types: &[&str], lines: &str) -> Option<Server> {
    let turn = turn()?;
    let mut server = sshd_with(place, types, lines);
    server.turn = Some(turn);
    Some(server)
}

fn make_user() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !Command::new("id")
            .arg(USER)
            .output()
            .unwrap()
            .status
            .success()
        {
            assert!(
                Command::new("useradd")
                    .args(["-m", "-s", "/bin/sh", USER])
                    .status()
                    .unwrap()
                    .success()
            );
            // No password, but not locked either: sshd turns locked accounts away.
            assert!(
                Command::new("usermod")
                    .args(["-p", "*", USER])
                    .status()
                    .unwrap()
                    .success()
            );
        }
        std::fs::create_dir_all("/run/sshd").unwrap();
    });
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn up(mut child: Child, port: u16, known_hosts: String) -> Server {
    for _ in 0..START_TRIES_MAX {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Server {
                port,
                known_hosts,
                child,
                turn: None,
            };
        }
        assert_eq!(child.try_wait().unwrap(), None, "the server ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("the server takes no connections");
}

/// A real sshd with host keys of the given types. All of them stand in `known_hosts`.
pub(crate) fn sshd(place: &Place, types: &[&str]) -> Server {
    sshd_with(place, types, "")
}

/// A real sshd with lines of its own in its configuration, which win over the usual ones.
pub(crate) fn sshd_with(place: &Place, types: &[&str], lines: &str) -> Server {
    make_user();
    let port = free_port();
    let mut config = format!(
        "{lines}Port {port}\nListenAddress 127.0.0.1\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
        place.path("authorized_keys").display()
    );
    if !place.path("authorized_keys").exists() {
        std::fs::write(place.path("authorized_keys"), place.public("id")).unwrap();
    }
    let mut known_hosts = String::new();
    for kind in types {
        let name = format!("host_{kind}");
        let key = place.key(&name, &["-t", kind, "-N", ""]);
        config.push_str(&format!("HostKey {}\n", key.display()));
        known_hosts.push_str(&format!("[127.0.0.1]:{port} {}", place.public(&name)));
    }
    std::fs::write(place.path("sshd_config"), config).unwrap();
    let child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(place.path("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    up(child, port, known_hosts)
}

fn dropbear(place: &Place, user: &str) -> Option<Server> {
    let port = free_port();
    let key = place.path("dropbear_key");
    let made = Command::new("dropbearkey")
        .args(["-t", "ed25519", "-f"])
        .arg(&key)
        .output()
        .unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("ssh-ed25519 "))
        .unwrap();
    let known_hosts = format!("[127.0.0.1]:{port} {line}\n");
    let home = place.path("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    std::fs::write(home.join(".ssh/authorized_keys"), place.public("id")).unwrap();
    for path in [
        home.clone(),
        home.join(".ssh"),
        home.join(".ssh/authorized_keys"),
    ] {
        let owner = format!("{user}:");
        assert!(
            Command::new("chown")
                .arg(owner)
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    }
    let real = if user == "root" {
        "/root".to_owned()
    } else {
        format!("/home/{user}")
    };
    let may = Command::new("unshare")
        .args(["-m", "true"])
        .status()
        .is_ok_and(|s| s.success());
    if !may {
        eprintln!("skipped: no mount namespace for dropbear");
        return None;
    }
    let child = Command::new("unshare")
        .args([
            "-m",
            "sh",
            "-c",
            "mount --bind \"$1\" \"$2\" && exec dropbear -F -E -r \"$3\" -p \"$4\" -P \"$5\"",
            "sh",
        ])
        .arg(&home)
        .arg(real)
        .arg(&key)
        .arg(format!("127.0.0.1:{port}"))
        .arg(place.path("dropbear.pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Some(up(child, port, known_hosts))
}
