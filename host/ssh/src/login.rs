//! What the gate logs in with, and where it comes from.

use crate::identity::{Identity, UserCertificate};
use portcullis_core::BoxFuture;
use portcullis_core::answer::RunFault;
use portcullis_core::secret::Secret;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a login comes from. Asked only where a connection has to be made, so that a run on one that is open
/// decodes and decrypts no key.
pub trait Login: Send + Sync {
    /// The ways to log in, in order.
    fn methods(&self) -> BoxFuture<'_, Result<Methods, RunFault>>;
}

/// One way to log in.
#[derive(Clone)]
pub enum Method {
    /// With a private key.
    Key(Identity),
    /// With a private key and an authority's certificate of it.
    Certificate(Identity, Arc<UserCertificate>),
    /// With one key of an agent, or a certificate of that key which the agent holds.
    Agent {
        /// The agent's socket.
        socket: PathBuf,
        /// The key, as `SHA256:…`.
        fingerprint: String,
    },
    /// With a password.
    Password(Arc<Secret>),
    /// With a password, as the answer to one question that is not echoed.
    KeyboardInteractive(Arc<Secret>),
}

/// The ways to log in, in the order in which they are tried. Nothing else is tried.
#[derive(Clone)]
pub struct Methods(Vec<Method>);

impl Methods {
    /// These ways, in this order.
    #[must_use]
    pub fn new(methods: Vec<Method>) -> Self {
        Self(methods)
    }

    /// One key.
    #[must_use]
    pub fn key(identity: Identity) -> Self {
        Self::new(vec![Method::Key(identity)])
    }

    pub(crate) fn in_order(&self) -> &[Method] {
        &self.0
    }
}

impl Login for Methods {
    fn methods(&self) -> BoxFuture<'_, Result<Methods, RunFault>> {
        Box::pin(async { Ok(self.clone()) })
    }
}
