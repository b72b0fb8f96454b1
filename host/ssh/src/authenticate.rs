//! Logging in: the ways of the credential, one after the other, and nothing besides them.
//!
//! RSA signs with SHA-2 only, certificates of RSA keys too. A host that wants several ways one after the other gets the
//! ones that are named, in their order.
//!
//! LIMIT: the library takes a password as a text of its own, which it does not wipe.

use crate::fault;
use crate::identity::{Identity, UserCertificate};
use crate::login::{Method, Methods};
use crate::session::Session;
use portcullis_core::answer::RunFault;
use portcullis_core::secret::Secret;
use russh::client::{AuthResult, KeyboardInteractiveAuthResponse as Answered};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::{self, Signer as _};
use russh::keys::ssh_encoding::{self, Encode as _};
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{AgentAuthError, SendError};
use std::path::Path;
use std::sync::Arc;
use tokio::net::UnixStream;

/// Most rounds of questions of a host.
const ROUNDS_MAX: usize = 4;

/// How one way of logging in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The host lets the gate in.
    In,
    /// The host does not, or wants another way beside this one.
    NotYet,
}

/// Tries the ways in order until the host lets the gate in.
pub(crate) async fn authenticate(
    session: &mut Session,
    user: &str,
    methods: &Methods,
) -> Result<(), RunFault> {
    let mut last = fault::AUTHENTICATION_FAILED;
    for method in methods.in_order() {
        match attempt(session, user, method).await {
            Ok(Way::In) => return Ok(()),
            Ok(Way::NotYet) => last = fault::AUTHENTICATION_FAILED,
            // The next way may still be one that works; without one this is what is said.
            Err(fault) => last = fault,
        }
        // A host hangs up when it has seen enough.
        if session.is_closed() {
            return Err(fault::CONNECTION_FAILED);
        }
    }
    Err(last)
}

async fn attempt(session: &mut Session, user: &str, method: &Method) -> Result<Way, RunFault> {
    match method {
        Method::Key(identity) => with_key(session, user, identity).await,
        Method::Certificate(identity, certificate) => {
            with_certificate(session, user, identity, certificate).await
        }
        Method::Agent {
            socket,
            fingerprint,
        } => with_agent(session, user, socket, fingerprint).await,
        Method::Password(secret) => {
            let word = text(secret)?;
            way(session.authenticate_password(user, word).await)
        }
        Method::KeyboardInteractive(secret) => with_answers(session, user, secret).await,
    }
}

fn way<Fault>(result: Result<AuthResult, Fault>) -> Result<Way, RunFault> {
    match result {
        Ok(AuthResult::Success) => Ok(Way::In),
        Ok(AuthResult::Failure { .. }) => Ok(Way::NotYet),
        Err(_) => Err(fault::CONNECTION_FAILED),
    }
}

/// A password as the protocol carries it.
fn text(secret: &Secret) -> Result<&str, RunFault> {
    std::str::from_utf8(secret.expose()).map_err(|_| fault::PASSWORD_UNUSABLE)
}

async fn with_key(session: &mut Session, user: &str, key: &Identity) -> Result<Way, RunFault> {
    let hash = hash_for(session, key.is_rsa()).await?;
    let key = PrivateKeyWithHashAlg::new(key.key(), hash);
    way(session.authenticate_publickey(user, key).await)
}

/// The hash that an RSA key signs with; none for keys of other types.
async fn hash_for(session: &Session, is_rsa: bool) -> Result<Option<HashAlg>, RunFault> {
    if !is_rsa {
        return Ok(None);
    }
    // A host that does not say what it takes gets the one that every SHA-2 host knows; one that
    // says it takes SHA-1 only gets nothing.
    match session.best_supported_rsa_hash().await {
        Ok(Some(None)) => Err(fault::NO_COMMON_ALGORITHM),
        Ok(Some(Some(hash))) => Ok(Some(hash)),
        Ok(None) => Ok(Some(HashAlg::Sha256)),
        Err(_) => Err(fault::CONNECTION_FAILED),
    }
}

async fn with_certificate(
    session: &mut Session,
    user: &str,
    identity: &Identity,
    certificate: &UserCertificate,
) -> Result<Way, RunFault> {
    let hash = hash_for(session, identity.is_rsa()).await?;
    let mut signer = OwnKey(PrivateKeyWithHashAlg::new(identity.key(), hash));
    let certificate = certificate.wire().clone();
    way(session
        .authenticate_certificate_with(user, certificate, hash, &mut signer)
        .await)
}

/// Signs with a key of ours. The library's own way with a certificate signs with SHA-1 where the key is RSA.
struct OwnKey(PrivateKeyWithHashAlg);

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
enum NotSigned {
    #[error("the key does not sign")]
    Key(#[from] signature::Error),
    #[error("the signature cannot be written")]
    Form(#[from] ssh_encoding::Error),
    #[error("the session is gone")]
    Gone,
}

impl From<SendError> for NotSigned {
    fn from(_: SendError) -> Self {
        Self::Gone
    }
}

impl russh::Signer for OwnKey {
    type Error = NotSigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, NotSigned> {
        let signature = match (self.0.key_data(), self.0.algorithm()) {
            (KeypairData::Rsa(pair), Algorithm::Rsa { hash }) => (pair, hash).try_sign(&data),
            (pair, _) => pair.try_sign(&data),
        };
        let signature = signature?;
        signature.encode_prefixed(&mut data)?;
        Ok(data)
    }
}

/// What an agent holds of the key that is to be used.
#[derive(Default)]
struct Held {
    key: Option<PublicKey>,
    certificate: Option<Certificate>,
}

async fn with_agent(
    session: &mut Session,
    user: &str,
    socket: &Path,
    fingerprint: &str,
) -> Result<Way, RunFault> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|_| fault::AGENT_UNAVAILABLE)?;
    // SECURITY: whoever owns the agent sees what is signed; nobody but this user and root may.
    let owner = stream.peer_cred().map_err(|_| fault::AGENT_UNAVAILABLE)?;
    if owner.uid() != 0 && owner.uid() != rustix::process::getuid().as_raw() {
        return Err(fault::AGENT_UNAVAILABLE);
    }
    let mut agent = AgentClient::connect(stream);
    if let Some(binding) = session.agent_session_binding() {
        // Lets the agent hold the key to the hosts that it is meant for. One that does not know this says no.
        let _ = agent.bind_session(binding, false).await;
    }
    let identities = agent.request_identities().await;
    let mut held = Held::default();
    for identity in identities.map_err(|_| fault::AGENT_UNAVAILABLE)? {
        let print = match &identity {
            AgentIdentity::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256),
            AgentIdentity::Certificate { certificate, .. } => {
                certificate.public_key().fingerprint(HashAlg::Sha256)
            }
        };
        if print.to_string() != fingerprint {
            continue;
        }
        match identity {
            AgentIdentity::PublicKey { key, .. } => held.key = Some(key),
            AgentIdentity::Certificate { certificate, .. } => held.certificate = Some(certificate),
        }
    }
    let is_rsa = |algorithm| matches!(algorithm, Algorithm::Rsa { .. });
    if let Some(certificate) = held.certificate {
        let hash = hash_for(session, is_rsa(certificate.algorithm())).await?;
        let tried = session
            .authenticate_certificate_with(user, certificate, hash, &mut agent)
            .await;
        return signed(tried);
    }
    let key = held.key.ok_or(fault::AGENT_KEY_MISSING)?;
    let hash = hash_for(session, is_rsa(key.algorithm())).await?;
    signed(
        session
            .authenticate_publickey_with(user, key, hash, &mut agent)
            .await,
    )
}

/// What came of a signature that an agent was asked for.
fn signed(tried: Result<AuthResult, AgentAuthError>) -> Result<Way, RunFault> {
    tried
        .map_err(|_| fault::AGENT_UNAVAILABLE)
        .and_then(|tried| way(Ok::<_, AgentAuthError>(tried)))
}

/// Answers a host's questions with the password, as long as each round asks for one thing that is not shown.
///
/// SECURITY: a question that is echoed is no question for a password, and a second answer is one that nobody
/// configured; both end the try.
async fn with_answers(
    session: &mut Session,
    user: &str,
    secret: &Arc<Secret>,
) -> Result<Way, RunFault> {
    let word = text(secret)?;
    let mut told = false;
    let mut answered = session
        .authenticate_keyboard_interactive_start(user, None)
        .await;
    for _ in 0..ROUNDS_MAX {
        let answers = match answered.map_err(|_| fault::CONNECTION_FAILED)? {
            Answered::Success => return Ok(Way::In),
            Answered::Failure { .. } => return Ok(Way::NotYet),
            Answered::InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if !prompt.echo && !told => {
                    told = true;
                    vec![word.to_owned()]
                }
                _ => return Err(fault::QUESTION_UNEXPECTED),
            },
        };
        answered = session
            .authenticate_keyboard_interactive_respond(answers)
            .await;
    }
    Err(fault::QUESTION_UNEXPECTED)
}
