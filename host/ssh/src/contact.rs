//! Contact that runs nothing: logging in to see whether that works, and asking a host for its keys as
//! `ssh-keyscan` does.
//!
//! Only the addresses of a [`Contact`] are dialled, the peer of the socket is compared with them before the key
//! exchange, and handshakes share the bounds of runs. A key is taken down after the host has signed the exchange
//! with it, so that what is listed is what the host holds; then the connection is dropped, before any login.
//!
//! Must not: open a channel, trust a key, or write one down.
//!
//! The keys of a host behind other hosts are asked for through those, which are logged into as for a run, each with its
//! own recorded key.
//!
//! LIMIT: each kind of key costs a connection that ends before a login. Servers that punish such connections (OpenSSH's
//! PerSourcePenalties) count them.

use crate::connect::{Handshakes, apart};
use crate::dial;
use crate::end::Times;
use crate::engine::{Access, Engine, of_hop};
use crate::fault;
use crate::identity::RSA_BITS_MIN;
use crate::known_hosts::{HostKeyVerdict, KnownHosts, lookup_name};
use crate::leash::Leash;
use crate::pool::Lease;
use crate::session::{self, HOST_KEYS};
use portcullis_core::answer::RunFault;
use portcullis_core::limits::HANDSHAKE_SECONDS_MAX;
use portcullis_core::policy::{Contact, Leg};
use russh::client::{self, Handler};
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyBase64 as _, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Preferred};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A host that could be logged into.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// The peer of the socket.
    pub peer: IpAddr,
    /// Where the time went: `connect_us` and `authenticate_us`.
    pub times: Times,
}

/// What a host showed.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// The peer of the first socket.
    pub peer: IpAddr,
    /// The keys, each kind once, in the order in which runs prefer them.
    pub keys: Vec<ShownKey>,
    /// Why not all kinds of keys were asked for, where that is so.
    pub fault: Option<RunFault>,
}

/// A key that a host proved to hold. Nobody has said yet that it is the right host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownKey {
    /// The type, e.g. `ssh-ed25519`.
    pub kind: String,
    /// The fingerprint as `ssh-keygen -l` writes it, `SHA256:…`.
    pub fingerprint: String,
    /// Whether runs would take such a key: RSA keys of less than 2048 bits are refused.
    pub usable: bool,
    blob: Vec<u8>,
    base64: String,
}

impl ShownKey {
    fn of(key: &PublicKey) -> Self {
        let bits = key.key_data().rsa().map(|rsa| rsa.key_size());
        let algorithm = match key.algorithm() {
            Algorithm::Rsa { .. } => "ssh-rsa".to_owned(),
            other => other.as_str().to_owned(),
        };
        Self {
            kind: algorithm,
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            usable: bits.is_none_or(|bits| bits >= RSA_BITS_MIN),
            blob: key.public_key_bytes(),
            base64: key.public_key_base64(),
        }
    }

    /// The key as a line of a known_hosts file, without its end.
    #[must_use]
    pub fn line(&self, host: &str, port: u16) -> String {
        let name = lookup_name(host, port);
        format!(
            "{} {} {}",
            String::from_utf8_lossy(&name),
            self.kind,
            self.base64
        )
    }
}

/// How a key that a host shows stands to what is recorded for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is recorded.
    Known,
    /// Nothing is recorded for the host.
    New,
    /// Nothing of this type is recorded, and the host shows a key that is.
    Added,
    /// Other keys are recorded: the host was changed, or another one answers.
    Changed,
    /// It is recorded as revoked.
    Revoked,
}

impl Standing {
    /// The word in answers and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::New => "new",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Revoked => "revoked",
        }
    }
}

impl KnownHosts {
    /// The fingerprints of the keys that are recorded for a host, as `TYPE SHA256:…`, and of the authorities that may
    /// vouch for it, with `@cert-authority` before them.
    #[must_use]
    pub fn fingerprints(&self, host: &str, port: u16) -> Vec<String> {
        let recorded = self.recorded(host, port).into_iter();
        let fingerprint = |blob: &[u8]| {
            let key = PublicKey::from_bytes(blob).ok()?;
            Some(key.fingerprint(HashAlg::Sha256).to_string())
        };
        recorded
            .map(|(how, kind, blob)| {
                let fingerprint = fingerprint(blob);
                format!(
                    "{how}{kind} {}",
                    fingerprint.as_deref().unwrap_or("unreadable")
                )
            })
            .collect()
    }

    /// How each of the keys that a host shows stands to the records.
    #[must_use]
    pub fn standings(&self, host: &str, port: u16, keys: &[ShownKey]) -> Vec<Standing> {
        let recorded = self.recorded_types(host, port);
        let verdict = |key: &ShownKey| self.verify(host, port, &key.blob);
        let vouched = keys.iter().any(|key| verdict(key) == HostKeyVerdict::Known);
        keys.iter()
            .map(|key| match verdict(key) {
                HostKeyVerdict::Known => Standing::Known,
                HostKeyVerdict::Unknown => Standing::New,
                HostKeyVerdict::Revoked => Standing::Revoked,
                HostKeyVerdict::Mismatch if vouched && !recorded.contains(&key.kind) => {
                    Standing::Added
                }
                HostKeyVerdict::Mismatch => Standing::Changed,
            })
            .collect()
    }
}

impl Engine {
    /// Connects and logs in on a connection of its own, which is closed again.
    ///
    /// # Errors
    /// What stands in the way, from the fixed texts of a run.
    ///
    /// # Cancel
    /// Dropped, it closes the connection.
    pub async fn reach(&self, contact: &Contact, access: &Access<'_>) -> Result<Reached, RunFault> {
        let began = Instant::now();
        let made = self.connect(&contact.legs(), access, false).await?;
        let connect = began.elapsed().saturating_sub(made.authenticate);
        Ok(Reached {
            peer: made.connection.peer().ok_or(fault::CONNECTION_FAILED)?,
            times: Times {
                connect_us: micros(connect),
                authenticate_us: micros(made.authenticate),
                ..Times::default()
            },
        })
    }

    /// Asks a host for its key of each kind that runs take. Nobody is logged into it. `hops` log into the hosts on the way,
    /// where there are any.
    ///
    /// # Errors
    /// What stands in the way of the first key.
    ///
    /// # Cancel
    /// Dropped, it closes the connection.
    pub async fn scan(
        &self,
        contact: &Contact,
        hops: Option<&Access<'_>>,
    ) -> Result<Scanned, RunFault> {
        let legs = contact.legs();
        let (leg, before) = legs.split_last().ok_or(fault::CONNECTION_FAILED)?;
        let not_counted = Mutex::default();
        let under = match (before, hops) {
            ([], _) => None,
            (_, Some(access)) => Some(
                self.lead(before.to_vec(), access, true, &not_counted)
                    .await?,
            ),
            (_, None) => return Err(fault::CREDENTIAL_MISSING),
        };
        let way = (*leg, under.as_ref());
        let mut last = fault::CONNECTION_FAILED;
        for address in contact.addresses() {
            let scanning = self.handshakes().scan(way, *address).await;
            match scanning.map_err(|fault| of_hop(fault, before)) {
                Ok(scanned) => return Ok(scanned),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }
}

impl Handshakes {
    async fn scan(
        &self,
        way: (Leg<'_>, Option<&Lease>),
        address: IpAddr,
    ) -> Result<Scanned, RunFault> {
        let mut scanned = Scanned {
            peer: address,
            keys: Vec::new(),
            fault: None,
        };
        for (kind, _) in HOST_KEYS {
            if scanned.keys.iter().any(|key| key.kind == *kind) {
                continue;
            }
            match self.ask(way, address, kind).await {
                Ok(Some(key)) => scanned.keys.push(key),
                Ok(None) => {}
                Err(fault) if scanned.keys.is_empty() => return Err(fault),
                Err(fault) => {
                    scanned.fault = Some(fault);
                    break;
                }
            }
        }
        if scanned.keys.is_empty() {
            return Err(fault::NO_COMMON_ALGORITHM);
        }
        Ok(scanned)
    }

    /// The host's key of one kind; nothing where it has none.
    async fn ask(
        &self,
        (leg, under): (Leg<'_>, Option<&Lease>),
        address: IpAddr,
        kind: &str,
    ) -> Result<Option<ShownKey>, RunFault> {
        let port = leg.host().port;
        let _turn = self.turn(address, port).await?;
        let seen = Arc::<Mutex<Option<ShownKey>>>::default();
        let notary = Notary(Arc::clone(&seen));
        let config = Arc::new(config(kind));
        let limit = Duration::from_secs(HANDSHAKE_SECONDS_MAX);
        let talked = match under {
            None => {
                let socket = dial::dial(address, port, &|peer| leg.admits(peer)).await?;
                let (_leash, socket) = Leash::on(socket);
                let talking = client::connect_stream(config, socket, notary);
                tokio::time::timeout(limit, apart(talking)).await
            }
            Some(under) => {
                let session = &under.connection().session;
                let stream = dial::through(session, address, port).await?;
                let talking = client::connect_stream(config, stream, notary);
                tokio::time::timeout(limit, apart(talking)).await
            }
        };
        if let Some(key) = seen.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(Some(key));
        }
        match talked {
            Err(_) => Err(fault::CONNECTION_TIMEOUT),
            Ok(Some(Err(russh::Error::NoCommonAlgo {
                kind: AlgorithmKind::Key,
                ..
            }))) => Ok(None),
            Ok(Some(Err(russh::Error::NoCommonAlgo { .. }))) => Err(fault::NO_COMMON_ALGORITHM),
            Ok(Some(Err(russh::Error::IO(error)))) => Err(dial::of_io(&error)),
            Ok(_) => Err(fault::CONNECTION_FAILED),
        }
    }
}

/// The settings of a run, but for one kind of host key.
fn config(kind: &str) -> client::Config {
    let common = session::config(Vec::new(), Vec::new());
    let algorithms = HOST_KEYS.iter().filter(|(of, _)| *of == kind);
    let key = algorithms.map(|(_, algorithm)| algorithm.clone()).collect();
    client::Config {
        preferred: Preferred {
            key: Cow::Owned(key),
            ..common.preferred
        },
        ..common
    }
}

/// Takes down the key that the exchange was signed with, and ends the conversation.
struct Notary(Arc<Mutex<Option<ShownKey>>>);

impl Handler for Notary {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = shown {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *seen = Some(ShownKey::of(key));
        }
        Ok(false)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
