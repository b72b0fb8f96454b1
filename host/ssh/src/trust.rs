//! What a host's identity is held against: the pins of its entry, or the lines of known_hosts, among them the
//! authorities that may vouch for it.
//!
//! * A pin stands for known_hosts: what is recorded there for the host vouches for nothing then.
//! * A revocation wins over everything: over pins, over recorded keys, and over a certificate where it is the
//!   authority's key, or the one that is certified, that was revoked.
//! * A certificate has to be a host's, valid at the time, for the name that the inventory has, without critical options
//!   (none are known for hosts), and signed with something better than SHA-1 by an authority that is recorded for
//!   the host.
//!
//! Differs from OpenSSH on purpose: a certificate without principals, which speaks for every host, is refused, and an
//! authority that is recorded for a name vouches on port 22 only, as a key does; `[*.example.com]:*` is for all ports.

use crate::fault;
use crate::identity::RSA_BITS_MIN;
use crate::known_hosts::{HostKeyVerdict, KnownHosts};
use crate::session::HOST_KEYS;
use portcullis_core::answer::RunFault;
use portcullis_core::inventory::{Host, HostKeyPin};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyBase64 as _};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The identity that one host has to show.
#[derive(Clone)]
pub(crate) struct Trust {
    known_hosts: Arc<KnownHosts>,
    host: String,
    port: u16,
    pins: Vec<HostKeyPin>,
}

impl Trust {
    /// What the inventory and the records say of a host.
    pub(crate) fn of(host: &Host, known_hosts: &Arc<KnownHosts>) -> Self {
        Self {
            known_hosts: Arc::clone(known_hosts),
            host: host.host.clone(),
            port: host.port,
            pins: host.host_keys.clone(),
        }
    }

    /// The algorithms that the host may show a plain key of, restricted to the types that are pinned or recorded: a
    /// host with an RSA record must show that key, not a new one of a type that nobody has seen.
    pub(crate) fn keys(&self) -> Vec<Algorithm> {
        let recorded = self.known_hosts.recorded_types(&self.host, self.port);
        let pins = &self.pins;
        let is_asked_for = |kind: &str| {
            if pins.is_empty() {
                recorded.iter().any(|recorded| recorded == kind)
            } else {
                let mut kinds = pins.iter().map(|pin| pin.kind.as_deref());
                kinds.any(|pinned| pinned.is_none_or(|pinned| pinned == kind))
            }
        };
        let known = HOST_KEYS.iter().filter(|(kind, _)| is_asked_for(kind));
        known.map(|(_, algorithm)| algorithm.clone()).collect()
    }

    /// The algorithms that the host may show a certificate of: all, where an authority may vouch for it.
    pub(crate) fn certificates(&self) -> Vec<Algorithm> {
        let vouched = self.known_hosts.has_authority(&self.host, self.port);
        if !self.pins.is_empty() || !vouched {
            return Vec::new();
        }
        let all = HOST_KEYS.iter();
        all.map(|(_, algorithm)| algorithm.clone()).collect()
    }

    /// Whether there is anything that the host could show. Without it no connection could end in a login, so none
    /// is made.
    pub(crate) fn is_recorded(&self) -> bool {
        !self.keys().is_empty() || !self.certificates().is_empty()
    }

    /// Judges a plain key.
    pub(crate) fn key(&self, key: &PublicKey) -> Result<(), RunFault> {
        if is_short(key.key_data()) {
            return Err(fault::HOST_KEY_SHORT);
        }
        let (host, port, blob) = (&self.host, self.port, key.public_key_bytes());
        let verdict = if self.pins.is_empty() {
            self.known_hosts.verify(host, port, &blob)
        } else if self.known_hosts.is_revoked(host, port, &blob) {
            HostKeyVerdict::Revoked
        } else {
            let shown = key.fingerprint(HashAlg::Sha256).to_string();
            if self.pins.iter().any(|pin| pin.fingerprint == shown) {
                HostKeyVerdict::Known
            } else {
                HostKeyVerdict::Mismatch
            }
        };
        match verdict {
            HostKeyVerdict::Known => Ok(()),
            HostKeyVerdict::Unknown => Err(fault::HOST_KEY_UNKNOWN),
            HostKeyVerdict::Mismatch => Err(fault::HOST_KEY_MISMATCH),
            HostKeyVerdict::Revoked => Err(fault::HOST_KEY_REVOKED),
        }
    }

    /// Judges a certificate. The library has verified that the host holds the key in it, and nothing else.
    pub(crate) fn certificate(&self, shown: &Certificate) -> Result<(), RunFault> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is no clock; no certificate is valid then.
        let now = now.map(|since| since.as_secs()).unwrap_or_default();
        self.certificate_at(shown, now)
    }

    fn certificate_at(&self, shown: &Certificate, now: u64) -> Result<(), RunFault> {
        let (host, port) = (self.host.as_str(), self.port);
        let key = PublicKey::new(shown.public_key().clone(), "");
        let authority = PublicKey::new(shown.signature_key().clone(), "");
        for part in [&key, &authority] {
            if self
                .known_hosts
                .is_revoked(host, port, &part.public_key_bytes())
            {
                return Err(fault::HOST_KEY_REVOKED);
            }
            if is_short(part.key_data()) {
                return Err(fault::HOST_KEY_SHORT);
            }
        }
        if !self.pins.is_empty()
            || !self
                .known_hosts
                .vouches(host, port, &authority.public_key_bytes())
        {
            // As `ssh` does: what nobody vouches for may still be a key that is recorded itself.
            return self.key(&key).map_err(|refused| {
                // Something is recorded, or no certificate would have been asked for.
                if refused == fault::HOST_KEY_UNKNOWN {
                    fault::HOST_KEY_MISMATCH
                } else {
                    refused
                }
            });
        }
        let signed_badly = matches!(
            shown.signature().algorithm(),
            Algorithm::Rsa { hash: None } | Algorithm::Dsa
        );
        if signed_badly
            || shown.cert_type() != CertType::Host
            || shown.critical_options().iter().next().is_some()
            || shown.verify_signature().is_err()
        {
            return Err(fault::HOST_CERTIFICATE_UNUSABLE);
        }
        if now < shown.valid_after() || now >= shown.valid_before() {
            return Err(fault::HOST_CERTIFICATE_TIME);
        }
        // As `ssh` does: names, not patterns. What stands for a whole domain would let each of its hosts be any other.
        let mut principals = shown.valid_principals().iter();
        if principals.any(|principal| principal.eq_ignore_ascii_case(host)) {
            Ok(())
        } else {
            Err(fault::HOST_CERTIFICATE_NAME)
        }
    }
}

/// Whether a key is an RSA one that is too short to be trusted.
fn is_short(key: &KeyData) -> bool {
    key.rsa().is_some_and(|rsa| rsa.key_size() < RSA_BITS_MIN)
}
