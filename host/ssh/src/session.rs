//! Key exchange, host key and login: from a socket to a session that can open a channel.
//!
//! Must not: open channels or send commands. A host may open none towards the gate: every kind is
//! turned down here, where the library would take them.

use crate::authenticate::authenticate;
use crate::dial;
use crate::fault;
use crate::leash::Leash;
use crate::login::Methods;
use crate::trust::Trust;
use portcullis_core::answer::RunFault;
use portcullis_core::limits::{AUTHENTICATE_SECONDS_MAX, HANDSHAKE_SECONDS_MAX};
use russh::client::{ChannelOpenHandle, Config, Handle, Handler, Msg};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Channel, Preferred, SshId, cipher, client, compression};
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

/// Silence after which the host is asked for a sign of life.
const KEEPALIVE_SECONDS: u64 = 15;
/// Questions without an answer after which the connection counts as lost.
const KEEPALIVE_TRIES_MAX: usize = 3;

/// Ciphers in order: AES-GCM is the fastest where the processor helps, counter mode needs a MAC beside.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];
/// Host key algorithms with the type of the key that they belong to, in order. RSA signs with SHA-2
/// only: the SHA-1 form `ssh-rsa` is not among them.
pub(crate) const HOST_KEYS: &[(&str, Algorithm)] = &[
    ("ssh-ed25519", Algorithm::Ed25519),
    ("ecdsa-sha2-nistp256", ecdsa(EcdsaCurve::NistP256)),
    ("ecdsa-sha2-nistp384", ecdsa(EcdsaCurve::NistP384)),
    ("ecdsa-sha2-nistp521", ecdsa(EcdsaCurve::NistP521)),
    ("ssh-rsa", rsa(HashAlg::Sha512)),
    ("ssh-rsa", rsa(HashAlg::Sha256)),
];

const fn ecdsa(curve: EcdsaCurve) -> Algorithm {
    Algorithm::Ecdsa { curve }
}

const fn rsa(hash: HashAlg) -> Algorithm {
    Algorithm::Rsa { hash: Some(hash) }
}

/// Whom a session is for: the identity that the host has to show, and the user.
#[derive(Clone)]
pub(crate) struct Whom {
    pub(crate) trust: Trust,
    pub(crate) user: String,
}

/// A session that is logged in.
pub(crate) struct LoggedIn {
    pub(crate) session: Session,
    /// How long the login took.
    pub(crate) authenticate: Duration,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) struct NotLoggedIn {
    pub(crate) fault: RunFault,
    /// Whether the host dropped the connection before it knew who asks. Servers do so when too many log in
    /// at once, so that another try is safe and may be heard.
    pub(crate) turned_away: bool,
}

impl From<RunFault> for NotLoggedIn {
    fn from(fault: RunFault) -> Self {
        Self {
            fault,
            turned_away: false,
        }
    }
}

/// The gate's hold on a conversation with a host. Ends it when dropped, whatever the host does.
pub(crate) struct Session {
    handle: Handle<Gatekeeper>,
    _leash: Leash,
}

impl Deref for Session {
    type Target = Handle<Gatekeeper>;

    fn deref(&self) -> &Self::Target {
        &self.handle
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.handle
    }
}

/// How a host is talked to that may show keys, or certificates, of these algorithms.
pub(crate) fn config(keys: Vec<Algorithm>, certificates: Vec<Algorithm>) -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Portcullis")),
        preferred: Preferred {
            key: Cow::Owned(keys),
            host_key_certificates: Cow::Owned(certificates),
            cipher: Cow::Borrowed(CIPHERS),
            // A hostile host must not get at a decompressor.
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        keepalive_interval: Some(Duration::from_secs(KEEPALIVE_SECONDS)),
        keepalive_max: KEEPALIVE_TRIES_MAX,
        nodelay: true,
        ..Config::default()
    }
}

/// Exchanges keys, verifies the host and logs in.
pub(crate) async fn log_in(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    whom: Whom,
    methods: Arc<Methods>,
) -> Result<LoggedIn, NotLoggedIn> {
    let config = config(whom.trust.keys(), whom.trust.certificates());
    let gatekeeper = Gatekeeper { trust: whom.trust };
    let (leash, socket) = Leash::on(socket);
    let handshake = client::connect_stream(Arc::new(config), socket, gatekeeper);
    let limit = Duration::from_secs(HANDSHAKE_SECONDS_MAX);
    let mut session = match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(handle)) => Session {
            handle,
            _leash: leash,
        },
        Ok(Err(stop)) => {
            return Err(NotLoggedIn {
                turned_away: stop.is_turned_away(),
                fault: stop.fault(),
            });
        }
        Err(_) => return Err(fault::CONNECTION_TIMEOUT.into()),
    };
    let began = Instant::now();
    let limit = Duration::from_secs(AUTHENTICATE_SECONDS_MAX);
    let login = authenticate(&mut session, &whom.user, &methods);
    match tokio::time::timeout(limit, login).await {
        Ok(Ok(())) => Ok(LoggedIn {
            session,
            authenticate: began.elapsed(),
        }),
        Ok(Err(fault)) => Err(fault.into()),
        Err(_) => Err(fault::CONNECTION_TIMEOUT.into()),
    }
}

/// Why the library's side of a session stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// The host key is not one that the host has to show.
    #[error("the host key is refused: {}", .0.code)]
    HostKey(RunFault),
    /// Anything that the library met.
    #[error(transparent)]
    Library(#[from] russh::Error),
}

impl Stop {
    /// Whether the connection was dropped rather than refused for a reason.
    fn is_turned_away(&self) -> bool {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match self {
            Self::Library(russh::Error::IO(error)) => matches!(
                error.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            ),
            Self::Library(russh::Error::Disconnect | russh::Error::HUP) => true,
            Self::Library(_) | Self::HostKey(_) => false,
        }
    }

    fn fault(&self) -> RunFault {
        match self {
            Self::HostKey(fault) => fault.clone(),
            Self::Library(russh::Error::NoCommonAlgo { kind, .. }) => match kind {
                // The host has no key of a recorded type.
                AlgorithmKind::Key => fault::HOST_KEY_MISMATCH,
                _ => fault::NO_COMMON_ALGORITHM,
            },
            Self::Library(russh::Error::IO(error)) => dial::of_io(error),
            Self::Library(_) => fault::CONNECTION_FAILED,
        }
    }
}

/// Answers what the library asks while a session lives.
pub(crate) struct Gatekeeper {
    trust: Trust,
}

impl Handler for Gatekeeper {
    type Error = Stop;

    // SECURITY: called after the signature of the exchange was verified and before the user's name or
    // key is sent, and again at each later exchange of keys.
    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Stop> {
        let judged = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.trust.key(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.trust.certificate(certificate),
        };
        judged.map(|()| true).map_err(Stop::HostKey)
    }

    // A dropped handle turns the channel down.
    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Stop> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Stop> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Stop> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Stop> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Stop> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Stop> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Stop> {
        Ok(())
    }
}
