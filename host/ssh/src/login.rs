//! What the gate logs in with, and where it comes from.

use crate::identity::{Identity, UserCertificate};
use portcullis_core::BoxFuture;
use portcullis_core::answer::RunFault;
use portcullis_core::secret::Secret;
use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a login comes from. Asked only where a connection has to be made; a run on one that is open
/// reads no key and asks no provider.
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

/// Something of the caller's that a connection keeps as long as it lives. The engine does not look at it.
pub type Kept = Arc<dyn Any + Send + Sync>;

/// The ways to log in, in the order in which they are tried. Nothing else is tried.
#[derive(Clone)]
pub struct Methods {
    in_order: Vec<Method>,
    kept: Option<Kept>,
}

impl Methods {
    /// These ways, in this order.
    #[must_use]
    pub fn new(methods: Vec<Method>) -> Self {
        Self {
            in_order: methods,
            kept: None,
        }
    }

    /// One key.
    #[must_use]
    pub fn key(identity: Identity) -> Self {
        Self::new(vec![Method::Key(identity)])
    }

    /// The same ways; a connection that is logged in with them keeps this.
    #[must_use]
    pub fn keeping(mut self, kept: Kept) -> Self {
        self.kept = Some(kept);
        self
    }

    pub(crate) fn in_order(&self) -> &[Method] {
        &self.in_order
    }

    pub(crate) fn kept(&self) -> Option<Kept> {
        self.kept.clone()
    }
}

impl Login for Methods {
    fn methods(&self) -> BoxFuture<'_, Result<Methods, RunFault>> {
        Box::pin(async { Ok(self.clone()) })
    }
}
