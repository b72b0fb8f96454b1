//! What a run logs in with: keys and secrets, read for each run, because its output is searched for them, and wiped
//! after it. Decoded and decrypted they are only where a connection has to be made.
//!
//! Must not: keep anything of them beyond the run, or say which file or secret is at fault to anybody but the operator's log.

use super::{House, Live};
use crate::events::{SystemClock, Watch};
use crate::files::Dirs;
use portcullis_core::BoxFuture;
use portcullis_core::answer::{Fault, RunFault};
use portcullis_core::clock::Clock;
use portcullis_core::inventory::{Credential, LoginMethod};
use portcullis_core::policy::{Admitted, Contact};
use portcullis_core::redact::Redactor;
use portcullis_core::secret::Secret;
use portcullis_ssh::{Access, Identity, KnownHosts, Login, Method, Methods, UserCertificate};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where the keys and secrets of one run lie.
#[derive(Clone)]
pub(super) struct Keys<'a> {
    pub(super) live: &'a Live,
    pub(super) dirs: Arc<Dirs>,
    pub(super) watch: Watch,
    pub(super) credential: Option<Credential>,
    pub(super) stop: CancellationToken,
}

/// What was read of secrets for one login.
type Secrets = Vec<Arc<Secret>>;

/// A login that cannot be had: a stable word, and the text for the caller.
#[derive(Debug, Clone, Copy)]
struct Unusable {
    code: &'static str,
    message: &'static str,
}

const fn unusable(code: &'static str, message: &'static str) -> Unusable {
    Unusable { code, message }
}

const NO_METHOD: Unusable = unusable(
    "no_key",
    "No authentication method: the host's credentials name neither a key nor a password",
);

impl From<Unusable> for Fault {
    fn from(Unusable { code, message }: Unusable) -> Self {
        Self::Setup { code, message }
    }
}

impl From<Unusable> for RunFault {
    fn from(Unusable { code, message }: Unusable) -> Self {
        Self {
            code,
            message,
            at: None,
        }
    }
}

impl House {
    /// What a run needs to get onto its host, and a redactor that knows in every form what it logs in with. The login is
    /// read at once where no connection is open, so that one that cannot be had is known before the run is
    /// recorded as begun.
    pub(super) async fn access<'a>(
        &self,
        keys: Keys<'a>,
        admitted: &Admitted,
    ) -> Result<(Access<'a>, Redactor), Fault> {
        let generation = keys.live.generation;
        let known_hosts = keys.known_hosts()?;
        let is_open = self.engine.is_open(admitted, generation);
        let (mut logins, mut known) = (Vec::new(), Vec::new());
        for leg in admitted.legs() {
            let keys = keys.of(leg.credential());
            let login: Box<dyn Login + 'a> = if is_open {
                known.extend(keys.secrets().await?);
                Box::new(keys)
            } else {
                let (methods, secrets) = keys.read().await?;
                known.extend(secrets);
                Box::new(methods)
            };
            logins.push(login);
        }
        let redactor = keys.knowing(&known);
        let access = Access {
            login: logins.pop().ok_or(NO_METHOD)?,
            hops: logins,
            known_hosts,
            generation,
        };
        Ok((access, redactor))
    }
}

impl Login for Keys<'_> {
    fn methods(&self) -> BoxFuture<'_, Result<Methods, RunFault>> {
        Box::pin(async { Ok(self.read().await?.0) })
    }
}

impl Keys<'_> {
    /// What contact without a run needs to get onto a host: the logins are read at once and used once.
    pub(super) async fn access_once(&self, contact: &Contact) -> Result<Access<'static>, Fault> {
        let known_hosts = self.known_hosts()?;
        let mut logins: Vec<Box<dyn Login>> = Vec::new();
        for leg in contact.legs() {
            let (methods, _) = self.of(leg.credential()).read().await?;
            logins.push(Box::new(methods));
        }
        Ok(Access {
            login: logins.pop().ok_or(NO_METHOD)?,
            hops: logins,
            known_hosts,
            generation: self.live.generation,
        })
    }

    /// What asking a host for its keys needs to get onto the hosts before it; nothing where there are none. Nobody logs
    /// into the host itself.
    pub(super) async fn access_on_the_way(
        &self,
        contact: &Contact,
    ) -> Result<Option<Access<'static>>, Fault> {
        let legs = contact.legs();
        let Some((_, before @ [_, ..])) = legs.split_last() else {
            return Ok(None);
        };
        let mut hops: Vec<Box<dyn Login>> = Vec::new();
        for leg in before {
            let (methods, _) = self.of(leg.credential()).read().await?;
            hops.push(Box::new(methods));
        }
        Ok(Some(Access {
            login: Box::new(Methods::new(Vec::new())),
            hops,
            known_hosts: self.known_hosts()?,
            generation: self.live.generation,
        }))
    }

    /// The same for another credential.
    fn of(&self, credential: Option<&Credential>) -> Self {
        Self {
            credential: credential.cloned(),
            ..self.clone()
        }
    }

    fn known_hosts(&self) -> Result<Arc<KnownHosts>, Unusable> {
        self.live.known_hosts().map_err(|fault| {
            tracing::error!(%fault, "no known_hosts");
            unusable(
                "known_hosts_unavailable",
                "SSH host key not found: Add host to known_hosts",
            )
        })
    }

    /// A redactor that knows what was read.
    fn knowing(&self, secrets: &Secrets) -> Redactor {
        let redactor = self.live.redactor.clone();
        redactor.knowing(secrets.iter().map(|secret| secret.expose()))
    }

    /// Reads the secrets of the credential, and decodes none of them.
    async fn secrets(&self) -> Result<Secrets, Unusable> {
        let mut secrets = Vec::new();
        let Some(credential) = self.credential.as_ref() else {
            return Ok(secrets);
        };
        for method in &credential.methods {
            match method {
                LoginMethod::Key | LoginMethod::Certificate => {
                    let (key, passphrase) = self.key_text(credential).await?;
                    secrets.extend([Some(key), passphrase].into_iter().flatten());
                }
                LoginMethod::Agent => {}
                LoginMethod::Password | LoginMethod::KeyboardInteractive => {
                    secrets.push(self.password(credential).await?);
                }
            }
        }
        Ok(secrets)
    }

    /// Reads what the credential names, as ways to log in and as the secrets that they hold.
    ///
    /// # Cancel
    /// Dropped, it ends the provider that it waits for.
    async fn read(&self) -> Result<(Methods, Secrets), Unusable> {
        let none = unusable("no_credentials", "The host has no credentials");
        let credential = self.credential.as_ref().ok_or(none)?;
        let (mut methods, mut secrets) = (Vec::new(), Vec::new());
        for method in &credential.methods {
            methods.push(match method {
                LoginMethod::Key => Method::Key(self.key(credential, &mut secrets).await?),
                LoginMethod::Certificate => self.certificate(credential, &mut secrets).await?,
                LoginMethod::Agent => agent(credential)?,
                LoginMethod::Password => {
                    let password = self.password(credential).await?;
                    secrets.push(Arc::clone(&password));
                    Method::Password(password)
                }
                LoginMethod::KeyboardInteractive => {
                    let password = self.password(credential).await?;
                    secrets.push(Arc::clone(&password));
                    Method::KeyboardInteractive(password)
                }
            });
        }
        if methods.is_empty() {
            return Err(NO_METHOD);
        }
        Ok((Methods::new(methods), secrets))
    }

    async fn password(&self, credential: &Credential) -> Result<Arc<Secret>, Unusable> {
        let variable = credential.password_env.as_deref();
        let found = self.secret(credential.password_secret.as_deref(), variable);
        found.await.map(Arc::new).ok_or(unusable(
            "secret_unavailable",
            "SSH password not found: Provide password_secret",
        ))
    }

    async fn secret(&self, name: Option<&str>, variable: Option<&str>) -> Option<Secret> {
        let (live, dirs) = (self.live, &self.dirs);
        live.secret(dirs, &self.watch, (name?, variable), &self.stop)
            .await
    }

    async fn certificate(
        &self,
        credential: &Credential,
        secrets: &mut Secrets,
    ) -> Result<Method, Unusable> {
        let identity = self.key(credential, secrets).await?;
        let path = credential.certificate_path.as_deref().ok_or(NO_METHOD)?;
        let bytes = self.dirs.certificate(path).map_err(|fault| {
            tracing::error!(%fault, hint = fault.hint(), "a certificate cannot be read");
            self.watch.complain(&fault);
            unusable(
                "certificate_unavailable",
                "SSH certificate not found: Check certificate_path",
            )
        })?;
        let now = SystemClock.now().0 / 1_000_000;
        let certificate = UserCertificate::parse(&bytes, &identity, now).map_err(|fault| {
            tracing::error!(%fault, "a certificate cannot be used");
            unusable("certificate_unusable", fault.message())
        })?;
        Ok(Method::Certificate(identity, Arc::new(certificate)))
    }

    /// The text of the key, and its passphrase where one is named.
    async fn key_text(
        &self,
        credential: &Credential,
    ) -> Result<(Arc<Secret>, Option<Arc<Secret>>), Unusable> {
        let path = credential.key_path.as_deref().ok_or(NO_METHOD)?;
        let key = self.dirs.key(path).map_err(|fault| {
            tracing::error!(%fault, hint = fault.hint(), "a key cannot be read");
            self.watch.complain(&fault);
            if fault.is_permissions() {
                return unusable(
                    "key_permissions",
                    "SSH key permission denied: Check key file permissions (should be 600)",
                );
            }
            unusable(
                "key_unavailable",
                "SSH key file not found: Check key path configuration",
            )
        })?;
        let passphrase = match credential.key_passphrase_secret.as_deref() {
            Some(name) => {
                let variable = credential.key_passphrase_env.as_deref();
                let found = self.secret(Some(name), variable).await;
                Some(found.ok_or(unusable(
                    "secret_unavailable",
                    "SSH key requires passphrase: Provide key_passphrase_secret",
                ))?)
            }
            None => None,
        };
        Ok((Arc::new(key), passphrase.map(Arc::new)))
    }

    async fn key(
        &self,
        credential: &Credential,
        secrets: &mut Secrets,
    ) -> Result<Identity, Unusable> {
        let (key, passphrase) = self.key_text(credential).await?;
        let identity = Identity::from_key(&key, passphrase.as_deref()).map_err(|fault| {
            tracing::error!(%fault, "a key cannot be used");
            unusable("key_unusable", fault.message())
        })?;
        secrets.extend([Some(key), passphrase].into_iter().flatten());
        Ok(identity)
    }
}

/// The agent of whoever started the gate.
fn agent(credential: &Credential) -> Result<Method, Unusable> {
    let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
    let socket = socket.map(PathBuf::from).ok_or(unusable(
        "agent_unavailable",
        "SSH agent cannot be used: SSH_AUTH_SOCK is not set",
    ))?;
    let fingerprint = credential.agent_key.clone().ok_or(NO_METHOD)?;
    Ok(Method::Agent {
        socket,
        fingerprint,
    })
}
