//! A stand-in for a host: an SSH server inside this process, on loopback, for the demonstration, for
//! tests and for benches. It logs in whoever holds one given key, looks through the gate's wrapper, and
//! answers each command from a function. It never starts a process.
//!
//! With [`Ending`] it also does what a broken or hostile host does, so that the gate's answers to that can
//! be shown.
//!
//! Must not: listen on anything but 127.0.0.1, or be used as a server for people.

use crate::plain;
use crate::watchdog;
use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Sig};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How much a flood sends at once, in bytes.
const FLOOD_CHUNK_BYTES: usize = 32_768;
/// Time until a refused login is answered. The stand-in guards nothing, so it need not be slow.
const REJECTION_MS: u64 = 10;
/// Most commands that are remembered.
const COMMANDS_MAX: usize = 4_096;
/// Between the output and a cut line, in milliseconds.
const CUT_AFTER_MS: u64 = 50;
/// Between a faulty accept and the next, in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 50;

/// How a command ends on the stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With its status, after its output, as it should.
    Exit,
    /// With its status before its output.
    StatusFirst,
    /// With a closed channel and no status.
    NoStatus,
    /// With a connection that breaks off after the output.
    Drop,
    /// Not at all: neither the gate's word nor a signal is heeded.
    Hang,
    /// Not by itself: it lives until the gate ends it, and says then that all of it is gone.
    UntilEnded,
    /// Not by itself: it lives until the gate ends it, and is then gone without proof.
    UntilEndedWithoutProof,
    /// By a signal, named without `SIG`.
    Signal(&'static str),
    /// With its status after this many bytes of standard output more.
    Flood(u64),
    /// Not at all, because the stand-in refuses to run it.
    Refuse,
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit status.
    pub exit: u32,
    /// Time before anything is sent.
    pub delay: Duration,
    /// How it ends.
    pub ending: Ending,
}

impl Reply {
    /// Prints a text and exits with status 0.
    #[must_use]
    pub fn text(stdout: &str) -> Self {
        Self {
            stdout: stdout.as_bytes().to_vec(),
            stderr: Vec::new(),
            exit: 0,
            delay: Duration::ZERO,
            ending: Ending::Exit,
        }
    }

    /// The same reply with another ending.
    #[must_use]
    pub fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

/// Answers a rendered command, without the gate's wrapper.
pub type Answer = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// Why the stand-in could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TargetFault {
    /// No socket.
    #[error("no socket on 127.0.0.1: {0}")]
    Socket(#[from] std::io::Error),
    /// The public key that is to be accepted, or the host key.
    #[error("the key cannot be used: {0}")]
    Key(#[from] russh::keys::ssh_key::Error),
}

/// A key pair for one demonstration or test.
pub struct ThrowawayKey {
    private: zeroize::Zeroizing<String>,
    public: String,
}

impl ThrowawayKey {
    /// Makes an Ed25519 pair.
    ///
    /// # Errors
    /// [`TargetFault::Key`] when the pair cannot be written out.
    pub fn generate() -> Result<Self, TargetFault> {
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
        let private = key.to_openssh(russh::keys::ssh_key::LineEnding::LF)?;
        let public = key.public_key().to_openssh()?;
        Ok(Self { private, public })
    }

    /// The private key as OpenSSH writes it, without a passphrase.
    #[must_use]
    pub fn private(&self) -> &str {
        &self.private
    }

    /// The public key as a line of `authorized_keys`.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }
}

/// What the stand-in saw.
#[derive(Debug, Default)]
struct Seen {
    connections: u64,
    logins: u64,
    commands: Vec<String>,
}

/// A running stand-in. Stops when dropped.
pub struct Target {
    address: SocketAddr,
    host_key: String,
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Target {
    /// Starts a stand-in on a free port of 127.0.0.1 with a throwaway host key. `accepted` is the one
    /// public key that may log in, as a line of `authorized_keys`.
    ///
    /// # Errors
    /// [`TargetFault`] when there is no socket or the key is none.
    pub async fn start(accepted: &str, answer: Answer) -> Result<Self, TargetFault> {
        let accepted = PublicKey::from_openssh(accepted)?;
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
        let host_key = bare_line(&key.public_key().to_openssh()?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new());
        let config = Config {
            keys: vec![key],
            auth_rejection_time: Duration::from_millis(REJECTION_MS),
            auth_rejection_time_initial: Some(Duration::ZERO),
            nodelay: true,
            ..Config::default()
        };
        let service = Service {
            config: Arc::new(config),
            accepted: Arc::new(accepted),
            answer,
            seen: Arc::clone(&seen),
            stop: stop.clone(),
        };
        tokio::spawn(service.listen(listener));
        Ok(Self {
            address,
            host_key,
            seen,
            stop,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The line of known_hosts that vouches for it under 127.0.0.1.
    #[must_use]
    pub fn known_hosts_line(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.address.port(), self.host_key)
    }

    /// A line of known_hosts for it with a key that it does not have.
    ///
    /// # Errors
    /// [`TargetFault::Key`] when no key can be made.
    pub fn wrong_known_hosts_line(&self) -> Result<String, TargetFault> {
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
        let line = bare_line(&key.public_key().to_openssh()?);
        Ok(format!("[127.0.0.1]:{} {line}\n", self.address.port()))
    }

    /// The commands that were sent, without the wrapper, in order; at most the first 4,096.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        lock(&self.seen).commands.clone()
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        lock(&self.seen).connections
    }

    /// How many logins were tried.
    #[must_use]
    pub fn logins(&self) -> u64 {
        lock(&self.seen).logins
    }
}

/// Type and key of a public key's line, without its comment.
fn bare_line(line: &str) -> String {
    line.split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What every connection shares.
#[derive(Clone)]
struct Service {
    config: Arc<Config>,
    accepted: Arc<PublicKey>,
    answer: Answer,
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
}

impl Service {
    async fn listen(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, _)) => {
                    lock(&self.seen).connections += 1;
                    tokio::spawn(self.clone().serve(socket));
                }
                // No descriptors left, for example; a pause keeps this from spinning.
                Err(_) => tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await,
            }
        }
    }

    async fn serve(self, socket: TcpStream) {
        // The stream is registered twice, so that it can be cut off beneath the library.
        let Ok(socket) = socket.into_std() else {
            return;
        };
        let Ok(cut) = socket.try_clone() else { return };
        let Ok(socket) = TcpStream::from_std(socket) else {
            return;
        };
        let _ = socket.set_nodelay(true);
        let (config, stop) = (Arc::clone(&self.config), self.stop.clone());
        let guest = Guest {
            service: self,
            cut: Arc::new(cut),
            channels: HashMap::new(),
            ended: HashMap::new(),
        };
        let cut = Arc::clone(&guest.cut);
        if let Ok(session) = russh::server::run_stream(config, socket, guest).await {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = session => {}
            }
        }
        let _ = cut.shutdown(std::net::Shutdown::Both);
    }
}

/// One connection.
struct Guest {
    service: Service,
    cut: Arc<std::net::TcpStream>,
    channels: HashMap<ChannelId, Channel<Msg>>,
    ended: HashMap<ChannelId, CancellationToken>,
}

impl Handler for Guest {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        lock(&self.service.seen).logins += 1;
        if key.public_key.key_data() == self.service.accepted.key_data() {
            Ok(Auth::Accept)
        } else {
            Ok(Auth::reject())
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let rendered = std::str::from_utf8(data).ok().and_then(plain::unwrap_exec);
        let (Some(rendered), Some(channel)) = (rendered, self.channels.remove(&id)) else {
            return session.channel_failure(id);
        };
        let reply = (self.service.answer)(&rendered);
        {
            let mut seen = lock(&self.service.seen);
            if seen.commands.len() < COMMANDS_MAX {
                seen.commands.push(rendered);
            }
        }
        if reply.ending == Ending::Refuse {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        let ended = CancellationToken::new();
        self.ended.insert(id, ended.clone());
        let play = Play {
            channel,
            handle: session.handle(),
            cut: Arc::clone(&self.cut),
            ended,
        };
        tokio::spawn(play.run(reply));
        Ok(())
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if data == watchdog::END {
            self.end(id);
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.end(id);
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.end(id);
        Ok(())
    }
}

impl Guest {
    fn end(&self, id: ChannelId) {
        if let Some(ended) = self.ended.get(&id) {
            ended.cancel();
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        for ended in self.ended.values() {
            ended.cancel();
        }
    }
}

/// One command.
struct Play {
    channel: Channel<Msg>,
    handle: russh::server::Handle,
    cut: Arc<std::net::TcpStream>,
    ended: CancellationToken,
}

impl Play {
    /// Gives the reply. An error means that the gate has gone, and then there is nobody to tell.
    async fn run(self, reply: Reply) {
        tokio::select! {
            () = tokio::time::sleep(reply.delay) => {
                let _ = self.give(&reply).await;
            }
            () = self.ended.cancelled(), if reply.ending != Ending::Hang => {
                let _ = self.end(Ending::UntilEnded).await;
            }
        }
    }

    async fn give(&self, reply: &Reply) -> Result<(), russh::Error> {
        if reply.ending == Ending::StatusFirst {
            self.channel.exit_status(reply.exit).await?;
        }
        self.channel.data_bytes(reply.stdout.clone()).await?;
        self.channel
            .extended_data_bytes(1, reply.stderr.clone())
            .await?;
        match reply.ending {
            Ending::Exit => self.exit(reply.exit).await,
            Ending::StatusFirst | Ending::NoStatus => self.close().await,
            Ending::Signal(name) => {
                self.signal(name).await;
                self.close().await
            }
            Ending::Flood(bytes) => {
                self.flood(bytes).await?;
                self.exit(reply.exit).await
            }
            Ending::UntilEnded | Ending::UntilEndedWithoutProof => {
                self.ended.cancelled().await;
                self.end(reply.ending).await
            }
            Ending::Drop => {
                // Gives what was sent a chance to be on its way; whether it arrives is not promised.
                tokio::time::sleep(Duration::from_millis(CUT_AFTER_MS)).await;
                self.cut.shutdown(std::net::Shutdown::Both)?;
                Ok(())
            }
            Ending::Hang | Ending::Refuse => {
                std::future::pending::<()>().await;
                Ok(())
            }
        }
    }

    async fn flood(&self, bytes: u64) -> Result<(), russh::Error> {
        let mut left = bytes;
        while left > 0 && !self.ended.is_cancelled() {
            let size = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(FLOOD_CHUNK_BYTES);
            self.channel.data_bytes(vec![b'y'; size]).await?;
            left -= size as u64;
        }
        if left > 0 {
            self.end(Ending::UntilEnded).await
        } else {
            Ok(())
        }
    }

    /// Ends as a wrapped command does when the gate says so.
    async fn end(&self, ending: Ending) -> Result<(), russh::Error> {
        if ending == Ending::UntilEnded {
            self.channel
                .extended_data_bytes(1, watchdog::GONE.to_vec())
                .await?;
        }
        self.signal("TERM").await;
        self.close().await
    }

    async fn signal(&self, name: &str) {
        let (id, signal) = (self.channel.id(), Sig::Custom(name.to_owned()));
        let _ = self
            .handle
            .exit_signal_request(id, signal, false, String::new(), String::new())
            .await;
    }

    async fn exit(&self, status: u32) -> Result<(), russh::Error> {
        self.channel.exit_status(status).await?;
        self.close().await
    }

    async fn close(&self) -> Result<(), russh::Error> {
        self.channel.eof().await?;
        self.channel.close().await
    }
}
