//! What stands beside the gate: the OpenSSH client with and without a shared connection, paramiko and parallel-ssh.

use portcullis_tests::sshd::{Sshd, plain_user};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// One command for each new connection, as many as a line of input asks for; the seconds of each as JSON.
const PARAMIKO: &str = r#"
import json, sys, time, paramiko
host, port, user, key, known = sys.argv[1:]
def once():
    began = time.perf_counter()
    client = paramiko.SSHClient()
    client.load_host_keys(known)
    client.connect(host, int(port), user, key_filename=key, allow_agent=False, look_for_keys=False)
    _, out, _ = client.exec_command("true")
    assert out.channel.recv_exit_status() == 0
    client.close()
    return time.perf_counter() - began
for line in sys.stdin:
    print(json.dumps([once() for _ in range(int(line))]), flush=True)
"#;

/// The same command on many hosts at once; the seconds of each round and how many hosts failed.
const PARALLEL_SSH: &str = r#"
import json, sys, time
from pssh.clients import ParallelSSHClient
port, user, key, count = sys.argv[1:]
def once():
    began = time.perf_counter()
    client = ParallelSSHClient(["127.0.0.1"] * int(count), port=int(port), user=user, pkey=key, pool_size=64)
    hosts = client.run_command("true", stop_on_errors=False)
    client.join(hosts)
    done = sum(1 for host in hosts if host.exception is None and host.exit_code == 0)
    return [time.perf_counter() - began, int(count) - done]
for line in sys.stdin:
    print(json.dumps([once() for _ in range(int(line))]), flush=True)
"#;

/// The OpenSSH client for one server.
pub(crate) struct OpenSsh {
    folder: tempfile::TempDir,
    port: u16,
    key: PathBuf,
    user: String,
}

/// Whether a call of the client shares a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    Master,
    New,
}

impl OpenSsh {
    /// Makes the shared connection.
    pub(crate) fn new(server: &Sshd) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("known_hosts"), server.known_host()).unwrap();
        let peer = Self {
            folder,
            port: server.port(),
            key: server.key(),
            user: plain_user(),
        };
        let mut master = peer.command(Sharing::Master, &[]);
        // It stays in the background, so its streams must not be waited for.
        let made = master
            .args(["-o", "ControlMaster=yes", "-N", "-f"])
            .stderr(Stdio::null());
        assert!(made.status().unwrap().success(), "no shared connection");
        peer
    }

    /// A call of the client without its command.
    pub(crate) fn command(&self, sharing: Sharing, options: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        let known_hosts = self.folder.path().join("known_hosts");
        let port = self.port.to_string();
        command
            .args(["-F", "none", "-p", &port, "-o", "BatchMode=yes", "-i"])
            .arg(&self.key)
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
            .args(options);
        if sharing == Sharing::Master {
            command.arg("-S").arg(self.folder.path().join("master"));
        }
        command.arg(format!("{}@127.0.0.1", self.user));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Time of one command, the client's start and end included.
    pub(crate) fn timed(&self, sharing: Sharing, command: &str) -> Duration {
        let mut client = self.command(sharing, &[]);
        client.arg(command);
        let began = Instant::now();
        let status = client.status().unwrap();
        assert!(status.success(), "ssh failed");
        began.elapsed()
    }

    /// So many clients at once on the shared connection: until the last has ended, and how many succeeded.
    pub(crate) fn together(&self, count: usize, command: &str) -> (Duration, usize) {
        let began = Instant::now();
        let start = |_| {
            self.command(Sharing::Master, &[])
                .arg(command)
                .spawn()
                .unwrap()
        };
        let children: Vec<Child> = (0..count).map(start).collect();
        let ends = children.into_iter().map(|mut child| child.wait().unwrap());
        let done = ends.filter(|status| status.success()).count();
        (began.elapsed(), done)
    }

    /// How long so many bytes take through a new connection, and how many came.
    pub(crate) fn carry(&self, bytes: u64, options: &[&str]) -> (Duration, u64) {
        let mut client = self.command(Sharing::New, options);
        let began = Instant::now();
        let mut child = client
            .arg(format!("head -c {bytes} /dev/zero"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut out, mut buffer) = (child.stdout.take().unwrap(), vec![0; 1 << 17]);
        let mut came = 0;
        while let Ok(read @ 1..) = out.read(&mut buffer) {
            came += read as u64;
        }
        assert!(child.wait().unwrap().success());
        (began.elapsed(), came)
    }
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        let mut end = self.command(Sharing::Master, &["-O", "exit"]);
        let _ = end.status();
    }
}

/// A program in Python that takes its turns when it is told to.
pub(crate) struct Script {
    child: Child,
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Script {
    pub(crate) fn paramiko(server: &Sshd) -> Self {
        let folder = server.key().with_file_name("known_hosts");
        std::fs::write(&folder, server.known_host()).unwrap();
        let (port, key) = (
            server.port().to_string(),
            server.key().display().to_string(),
        );
        let known = folder.display().to_string();
        Self::start(PARAMIKO, &["127.0.0.1", &port, &plain_user(), &key, &known])
    }

    pub(crate) fn parallel_ssh(server: &Sshd, hosts: usize) -> Self {
        let (port, key) = (
            server.port().to_string(),
            server.key().display().to_string(),
        );
        Self::start(
            PARALLEL_SSH,
            &[&port, &plain_user(), &key, &hosts.to_string()],
        )
    }

    fn start(text: &str, arguments: &[&str]) -> Self {
        let python = std::env::var_os("PORTCULLIS_PYTHON");
        let python = python.expect("cargo xtask bench sets PORTCULLIS_PYTHON");
        let mut child = Command::new(python)
            .args(["-c", text])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            ask: child.stdin.take(),
            answer: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// So many rounds.
    pub(crate) fn rounds(&mut self, count: usize) -> Vec<Value> {
        writeln!(self.ask.as_ref().unwrap(), "{count}").unwrap();
        let mut line = String::new();
        self.answer.read_line(&mut line).unwrap();
        let rounds: Value = serde_json::from_str(&line).expect("the peer failed");
        rounds.as_array().unwrap().clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.ask.take());
        let _ = self.child.wait();
    }
}

/// Time of starting a program that does nothing, and of waiting for its end.
pub(crate) fn spawned() -> Duration {
    let began = Instant::now();
    assert!(Command::new("/bin/true").status().unwrap().success());
    began.elapsed()
}
