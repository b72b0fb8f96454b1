//! A real OpenSSH server on a loopback port with throwaway keys, and a configuration of the gate for it. Both
//! live in a temporary folder and end with the value.

use portcullis_mcp::{ChildStderr, Client, connect_child};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the server may take until it listens.
const START_MAX: Duration = Duration::from_secs(10);

/// A running sshd. Logs in the user that runs the tests, with the key beside it.
pub struct Sshd {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Sshd {
    /// Starts a server with OpenSSH's default limits.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server with lines of its own in its configuration, which win over the usual ones.
    #[must_use]
    pub fn start_with(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        // The keys of another user are read with that user's rights.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["host_key", "id_ed25519"] {
            generate_key(&dir.join(name));
        }
        fs::copy(dir.join("id_ed25519.pub"), dir.join("authorized_keys")).unwrap();
        // sshd refuses to start without its privilege separation folder.
        let _ = fs::create_dir_all("/run/sshd");
        let port = free_port();
        let settings = format!(
            "{lines}Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host_key\nAuthorizedKeysFile {0}/authorized_keys\n\
             UsePAM no\nStrictModes no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n\
             PrintMotd no\nLogLevel ERROR\n",
            dir.display()
        );
        fs::write(dir.join("sshd_config"), settings).unwrap();
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("sshd is installed by cargo xtask test");
        let child = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("sshd.log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            folder,
            port,
        };
        server.wait_until_it_listens();
        server
    }

    fn wait_until_it_listens(&self) {
        let end = Instant::now() + START_MAX;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                Instant::now() < end,
                "sshd does not listen:\n{}",
                fs::read_to_string(self.folder.path().join("sshd.log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The private key that it lets in.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("id_ed25519")
    }

    /// Its line for a known_hosts file.
    #[must_use]
    pub fn known_host(&self) -> String {
        let public = fs::read_to_string(self.folder.path().join("host_key.pub")).unwrap();
        let key: Vec<&str> = public.split_whitespace().take(2).collect();
        format!("[127.0.0.1]:{} {}\n", self.port, key.join(" "))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The user that runs the tests.
#[must_use]
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A user whose login shell reads no start-up files and costs what a shell costs: one that is made for that where root runs
/// the measurements, because root's own may be of any kind; otherwise the user that runs them.
#[must_use]
pub fn plain_user() -> String {
    const NAME: &str = "gate-test";
    if user() != "root" {
        return user();
    }
    let runs = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().unwrap();
        output.status.success()
    };
    if !runs("id", &[NAME]) {
        assert!(runs("useradd", &["-m", "-s", "/bin/sh", NAME]));
        // No password, but not locked either: sshd turns locked accounts away.
        assert!(runs("usermod", &["-p", "*", NAME]));
    }
    NAME.to_owned()
}

/// A port that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn generate_key(path: &Path) {
    let status = Command::new("ssh-keygen")
        .args([
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "portcullis-test",
            "-f",
        ])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "ssh-keygen failed");
}

/// The gate's own folder: `config`, `config/keys`, `config/plugins`, `state`.
pub struct GateFolder {
    folder: tempfile::TempDir,
}

impl GateFolder {
    /// Writes a configuration for hosts on one port of 127.0.0.1: `web1`, `db1` (tag `short`, two seconds),
    /// and `far1` (an address outside the lists).
    #[must_use]
    pub fn new(port: u16, username: &str, key: &[u8], known_hosts: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        for sub in ["keys", "plugins", "secrets"] {
            fs::create_dir_all(config.join(sub)).unwrap();
        }
        let put = |name: &str, text: &[u8]| {
            let path = config.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        put(
            "servers.yml",
            format!(
                "hosts:\n  - alias: web1\n    host: 127.0.0.1\n    port: {port}\n    credentials: test\n    tags: [web]\n  \
                 - alias: db1\n    host: 127.0.0.1\n    port: {port}\n    credentials: test\n    tags: [short]\n  \
                 - alias: far1\n    host: 10.255.255.1\n    credentials: test\n"
            )
            .as_bytes(),
        );
        put(
            "credentials.yml",
            format!(
                "entries:\n  - name: test\n    username: {username}\n    key_path: id_ed25519\n"
            )
            .as_bytes(),
        );
        put(
            "policy.yml",
            format!(
                "known_hosts_path: {}\nlimits:\n  max_seconds: 20\n  deny_substrings: []\nnetwork:\n  allow_cidrs: [\"127.0.0.0/8\"]\n\
                 rules:\n  - action: allow\n    commands: [\"echo *\", \"printf *\", \"ls *\", \"sleep *\", \"uptime*\", \"true\", \"cat /srv/*\"]\n  \
                 - action: deny\n    commands: [\"rm *\"]\noverrides:\n  tags:\n    short:\n      max_seconds: 2\n",
                config.join("keys/known_hosts").display()
            )
            .as_bytes(),
        );
        put("keys/id_ed25519", key);
        put("keys/known_hosts", known_hosts.as_bytes());
        Self { folder }
    }

    /// Adds the example plugins: the path guard over `/srv/private`, the ticket redactor for `OPS-`.
    #[must_use]
    pub fn with_plugins(self) -> Self {
        let mut text = String::from("plugins:\n");
        for (name, kind, file, settings) in [
            (
                "path-guard",
                "validator",
                "path-guard.wasm",
                "{\"deny\": [\"/srv/private\"]}",
            ),
            (
                "tickets",
                "redactor",
                "ticket-redactor.wasm",
                "{\"prefixes\": [\"OPS\"]}",
            ),
        ] {
            let bytes = fs::read(crate::guests().join(file)).unwrap();
            fs::write(self.config().join("plugins").join(file), &bytes).unwrap();
            let digest = portcullis_core::request::sha256_hex(&bytes);
            text.push_str(&format!(
                "  - name: {name}\n    kind: {kind}\n    path: {file}\n    sha256: {digest}\n    settings: {settings}\n"
            ));
        }
        fs::write(self.config().join("plugins.yml"), text).unwrap();
        self
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Where the journal lies.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A real server on this folder with a real client connected to it.
    ///
    /// # Panics
    /// When the server does not start.
    pub async fn connect(&self) -> Client {
        let text = |path: PathBuf| path.display().to_string();
        let (config, state) = (text(self.config()), text(self.state()));
        let arguments =
            ["serve", "--stdio", "--config", &config, "--state", &state].map(ToOwned::to_owned);
        connect_child(&crate::portcullis(), &arguments, &[], ChildStderr::Discard)
            .await
            .unwrap()
    }

    /// A call of the binary on this folder, without its verb.
    #[must_use]
    pub fn portcullis(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(crate::portcullis());
        command
            .args(verb)
            .arg("--config")
            .arg(self.config())
            .arg("--state")
            .arg(self.state());
        command.stdin(Stdio::null());
        command
    }
}
