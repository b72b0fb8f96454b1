//! The ways to log in, on a real sshd and against hosts that ask for more than they should get.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::await_holding_lock,
    reason = "tests; a server's turn lasts as long as its test"
)]

mod harness;

use harness::{Place, Server, engine, secret, sshd_with, turn};
use portcullis_core::secret::Secret;
use portcullis_ssh::{CertificateFault, End, Method, Methods, UserCertificate};
use russh::server::{Auth, Config, Handler, Response};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A user who has a password.
const WORDY: &str = "gate-word";
const WORD: &str = "correct horse 1!";

/// Makes the user once.
fn make_wordy() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let known = Command::new("id").arg(WORDY).output().unwrap();
        if !known.status.success() {
            command("useradd", &["-m", "-s", "/bin/sh", WORDY]);
        }
        let hash = command("openssl", &["passwd", "-6", WORD]);
        command("usermod", &["-p", hash.trim(), WORDY]);
    });
}

/// What a program prints that has to succeed.
fn command(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}");
    String::from_utf8(output.stdout).unwrap()
}

fn word(text: &str) -> Arc<Secret> {
    Arc::new(Secret::new(text.as_bytes().to_vec()))
}

/// Logs in and runs one command. Says how that ended: `in`, or the code of the fault.
async fn tried(place: &Place, server: &Server, methods: Vec<Method>) -> &'static str {
    tried_at(place, server.port, &server.known_hosts, methods).await
}

async fn tried_at(
    place: &Place,
    port: u16,
    known_hosts: &str,
    methods: Vec<Method>,
) -> &'static str {
    let journaled = place.journaled(port, WORDY, "echo hello", "").await;
    let access = place.access_with(Methods::new(methods), known_hosts);
    let ended = engine()
        .run(journaled, &access, CancellationToken::new(), None)
        .await;
    match (&ended.end, &ended.fault) {
        (End::Exited(0), None) => "in",
        (_, Some(fault)) => fault.code,
        (end, None) => panic!("{end:?}"),
    }
}

/// An authority's certificate of a key for the user.
fn certify(place: &Place, authority: &str, key: &str, options: &[&str]) -> Vec<u8> {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-I", "test", "-s"])
        .arg(place.path(authority))
        .args(options)
        .arg(place.path(&format!("{key}.pub")))
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read(place.path(&format!("{key}-cert.pub"))).unwrap()
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

#[tokio::test]
async fn a_password_logs_in_and_a_wrong_one_does_not() {
    let Some(_turn) = turn() else { return };
    make_wordy();
    let place = Place::new();
    let server = sshd_with(&place, &["ed25519"], "PasswordAuthentication yes\n");
    let right = Method::Password(word(WORD));
    let wrong = Method::Password(word("wrong"));
    assert_eq!(tried(&place, &server, vec![right.clone()]).await, "in");
    assert_eq!(
        tried(&place, &server, vec![wrong.clone()]).await,
        "authentication_failed"
    );
    let bytes = Method::Password(Arc::new(Secret::new(vec![0xff, 0xfe])));
    assert_eq!(
        tried(&place, &server, vec![bytes]).await,
        "password_unusable"
    );
    assert_eq!(
        tried(&place, &server, Vec::new()).await,
        "authentication_failed"
    );
}

#[tokio::test]
async fn the_ways_are_tried_in_the_order_of_the_file() {
    let Some(_turn) = turn() else { return };
    make_wordy();
    let place = Place::new();
    place.key("other", &["-t", "ed25519", "-N", ""]);
    let key = Method::Key(place.identity("id"));
    let other = Method::Key(place.identity("other"));
    let right = Method::Password(word(WORD));
    let server = sshd_with(&place, &["ed25519"], "PasswordAuthentication yes\n");
    assert_eq!(
        tried(&place, &server, vec![other.clone(), right.clone()]).await,
        "in"
    );
    assert_eq!(
        tried(&place, &server, vec![other.clone()]).await,
        "authentication_failed"
    );

    let both = Place::new();
    let lines = "PasswordAuthentication yes\nAuthenticationMethods publickey,password\n";
    let server = sshd_with(&both, &["ed25519"], lines);
    let key_of_both = Method::Key(both.identity("id"));
    let two = vec![key_of_both.clone(), right.clone()];
    assert_eq!(tried(&both, &server, two).await, "in");
    for not_enough in [
        vec![key_of_both.clone()],
        vec![right.clone()],
        vec![right, key_of_both],
        vec![key],
    ] {
        assert_eq!(
            tried(&both, &server, not_enough).await,
            "authentication_failed"
        );
    }
}

#[tokio::test]
async fn a_password_answers_the_question_of_a_host() {
    let Some(_turn) = turn() else { return };
    if !std::path::Path::new("/etc/pam.d/sshd").exists() {
        return;
    }
    make_wordy();
    let place = Place::new();
    let lines = "UsePAM yes\nKbdInteractiveAuthentication yes\n";
    let server = sshd_with(&place, &["ed25519"], lines);
    let right = Method::KeyboardInteractive(word(WORD));
    let wrong = Method::KeyboardInteractive(word("wrong"));
    assert_eq!(tried(&place, &server, vec![right]).await, "in");
    // The host asks again, and is told nothing a second time.
    let refused = tried(&place, &server, vec![wrong]).await;
    assert!(
        ["authentication_failed", "question_unexpected"].contains(&refused),
        "{refused}"
    );
}

#[tokio::test]
async fn a_certificate_logs_in_where_the_key_alone_does_not() {
    let Some(_turn) = turn() else { return };
    make_wordy();
    let place = Place::new();
    place.key("ca", &["-t", "ed25519", "-N", ""]);
    place.key("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]);
    place.key("ec", &["-t", "ecdsa", "-N", ""]);
    std::fs::write(place.path("authorized_keys"), "").unwrap();
    let lines = format!("TrustedUserCAKeys {}\n", place.path("ca.pub").display());
    let server = sshd_with(&place, &["ed25519"], &lines);
    for key in ["id", "rsa", "ec"] {
        let line = certify(&place, "ca", key, &["-n", WORDY]);
        let identity = place.identity(key);
        let certificate = UserCertificate::parse(&line, &identity, now()).unwrap();
        let method = Method::Certificate(identity.clone(), Arc::new(certificate));
        assert_eq!(tried(&place, &server, vec![method]).await, "in", "{key}");
        let bare = tried(&place, &server, vec![Method::Key(identity)]).await;
        assert_eq!(bare, "authentication_failed", "{key}");
    }
    let other = certify(&place, "ca", "id", &["-n", "somebody-else"]);
    let certificate = UserCertificate::parse(&other, &place.identity("id"), now()).unwrap();
    let method = Method::Certificate(place.identity("id"), Arc::new(certificate));
    assert_eq!(
        tried(&place, &server, vec![method]).await,
        "authentication_failed"
    );
}

#[test]
fn a_certificate_that_could_not_log_in_is_refused_when_it_is_read() {
    let place = Place::new();
    place.key("ca", &["-t", "ed25519", "-N", ""]);
    place.key("other", &["-t", "ed25519", "-N", ""]);
    let (id, other) = (place.identity("id"), place.identity("other"));
    let fault = |line: &[u8], identity, at| UserCertificate::parse(line, identity, at).err();
    let good = certify(&place, "ca", "id", &["-n", WORDY, "-V", "-1h:+1h"]);
    assert_eq!(fault(&good, &id, now()), None);
    assert_eq!(
        fault(&good, &other, now()),
        Some(CertificateFault::OtherKey)
    );
    assert_eq!(
        fault(&good, &id, now() + 7_200),
        Some(CertificateFault::Time)
    );
    assert_eq!(
        fault(&good, &id, now() - 7_200),
        Some(CertificateFault::Time)
    );
    assert_eq!(
        fault(b"ssh-ed25519 AAAA", &id, now()),
        Some(CertificateFault::Format)
    );
    let host = certify(&place, "ca", "id", &["-h", "-n", "web1"]);
    assert_eq!(fault(&host, &id, now()), Some(CertificateFault::NotAUsers));
}

/// An agent that is ended and reaped when dropped.
struct Agent {
    socket: PathBuf,
    child: Child,
}

impl Agent {
    async fn start(place: &Place) -> Self {
        let socket = place.path("agent");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..200 {
            if socket.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { socket, child }
    }

    fn add(&self, key: PathBuf) {
        let added = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .status();
        assert!(added.unwrap().success());
    }

    fn method(&self, place: &Place, key: &str) -> Method {
        let print = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(place.path(&format!("{key}.pub")))
            .output()
            .unwrap();
        let line = String::from_utf8(print.stdout).unwrap();
        Method::Agent {
            socket: self.socket.clone(),
            fingerprint: line.split_whitespace().nth(1).unwrap().to_owned(),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn an_agent_signs_with_the_key_that_is_named_and_with_no_other() {
    let Some(_turn) = turn() else { return };
    make_wordy();
    let place = Place::new();
    place.key("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]);
    place.key("stranger", &["-t", "ed25519", "-N", ""]);
    place.key("absent", &["-t", "ed25519", "-N", ""]);
    place.key("ca", &["-t", "ed25519", "-N", ""]);
    place.key("signed", &["-t", "rsa", "-b", "2048", "-N", ""]);
    certify(&place, "ca", "signed", &["-n", WORDY]);
    let authorized = place.public("id") + &place.public("rsa");
    std::fs::write(place.path("authorized_keys"), authorized).unwrap();
    let agent = Agent::start(&place).await;
    for key in ["id", "rsa", "stranger", "signed"] {
        agent.add(place.path(key));
    }
    let lines = format!("TrustedUserCAKeys {}\n", place.path("ca.pub").display());
    let server = sshd_with(&place, &["ed25519"], &lines);
    for (key, expected) in [
        ("id", "in"),
        ("rsa", "in"),
        ("signed", "in"),
        ("stranger", "authentication_failed"),
        ("absent", "agent_key_missing"),
    ] {
        let method = agent.method(&place, key);
        assert_eq!(
            tried(&place, &server, vec![method]).await,
            expected,
            "{key}"
        );
    }
    let method = agent.method(&place, "id");
    drop(agent);
    assert_eq!(
        tried(&place, &server, vec![method]).await,
        "agent_unavailable"
    );
}

#[test]
fn a_short_rsa_key_is_not_used() {
    let place = Place::new();
    place.key("short", &["-t", "rsa", "-b", "1024", "-N", ""]);
    let read = portcullis_ssh::Identity::from_key(&secret(&place.path("short")), None);
    assert_eq!(read.err().unwrap().code(), "key_short");
}

/// A host that asks questions.
#[derive(Clone)]
struct Asker {
    /// Each round's questions, and whether each is shown as it is typed.
    rounds: Arc<Vec<Vec<bool>>>,
    round: usize,
    answers: Arc<AtomicUsize>,
}

impl Handler for Asker {
    type Error = russh::Error;

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        if let Some(response) = response {
            let told = response.filter(|answer| !answer.is_empty()).count();
            self.answers.fetch_add(told, Ordering::Relaxed);
        }
        let Some(questions) = self.rounds.get(self.round) else {
            return Ok(Auth::reject());
        };
        self.round += 1;
        let prompts = questions.iter().map(|echo| ("Password: ".into(), *echo));
        Ok(Auth::Partial {
            name: "".into(),
            instructions: "".into(),
            prompts: prompts.collect::<Vec<_>>().into(),
        })
    }
}

/// What comes of a login with a password at a host that asks these questions, and how many answers it got.
async fn asked(rounds: Vec<Vec<bool>>) -> (&'static str, usize) {
    let place = Place::new();
    place.key("host", &["-t", "ed25519", "-N", ""]);
    let key = russh::keys::load_secret_key(place.path("host"), None).unwrap();
    let config = Arc::new(Config {
        keys: vec![key],
        auth_rejection_time: Duration::from_millis(1),
        ..Config::default()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers = Arc::<AtomicUsize>::default();
    let asker = Asker {
        rounds: Arc::new(rounds),
        round: 0,
        answers: Arc::clone(&answers),
    };
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        if let Ok(session) = russh::server::run_stream(config, socket, asker).await {
            let _ = session.await;
        }
    });
    let known_hosts = format!("[127.0.0.1]:{port} {}", place.public("host"));
    let method = Method::KeyboardInteractive(word(WORD));
    let end = tried_at(&place, port, &known_hosts, vec![method]).await;
    (end, answers.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_host_that_asks_for_more_than_one_password_gets_no_more() {
    assert_eq!(asked(vec![vec![false]]).await, ("authentication_failed", 1));
    assert_eq!(
        asked(vec![vec![], vec![false]]).await,
        ("authentication_failed", 1)
    );
    for (rounds, answers) in [
        (vec![vec![true]], 0),
        (vec![vec![false, false]], 0),
        (vec![vec![false], vec![false]], 1),
        (vec![vec![]; 64], 0),
        (vec![vec![false; 1_000]], 0),
    ] {
        assert_eq!(
            asked(rounds.clone()).await,
            ("question_unexpected", answers),
            "{rounds:?}"
        );
    }
}
