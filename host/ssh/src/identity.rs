//! The key that the gate logs in with.
//!
//! The decoded key is wiped when the last holder drops it. LIMIT: of a key in another format than OpenSSH's own, the
//! library that reads these keeps short-lived copies of the text which it does not wipe.

use portcullis_core::limits::KEY_FILE_BYTES_MAX;
use portcullis_core::secret::Secret;
use russh::keys::ssh_key::certificate::{CertType, Certificate};
use russh::keys::{self, Algorithm, PrivateKey, PublicKey};
use std::sync::Arc;

/// Shortest modulus of an RSA key, in bits: of the gate's own and of a host's.
pub(crate) const RSA_BITS_MIN: u32 = 2_048;

/// A private key that can sign. Cheap to clone, has no `Debug` and no way out.
#[derive(Clone)]
pub struct Identity {
    key: Arc<PrivateKey>,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The key is encrypted and no passphrase was given.
    #[error("SSH key requires passphrase: Provide key_passphrase_secret")]
    PassphraseMissing,
    /// The passphrase does not open the key.
    #[error("SSH key passphrase is wrong: Check key_passphrase_secret")]
    PassphraseWrong,
    /// The bytes are no private key in a format that is read here.
    #[error("SSH key format invalid: Check key file format (RSA/Ed25519/ECDSA)")]
    Format,
    /// A key of a type that is not used here, e.g. DSA or one that lives in a token.
    #[error("SSH key type not supported: Use an RSA, Ed25519 or ECDSA key")]
    Type,
    /// An RSA key of less than 2048 bits.
    #[error("SSH key too short: An RSA key needs at least 2048 bits")]
    Short,
}

impl KeyFault {
    /// The stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::PassphraseMissing => "key_passphrase_missing",
            Self::PassphraseWrong => "key_passphrase_wrong",
            Self::Format => "key_format",
            Self::Type => "key_type",
            Self::Short => "key_short",
        }
    }

    /// The text for the caller.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match self {
            Self::PassphraseMissing => "SSH key requires passphrase: Provide key_passphrase_secret",
            Self::PassphraseWrong => "SSH key passphrase is wrong: Check key_passphrase_secret",
            Self::Format => "SSH key format invalid: Check key file format (RSA/Ed25519/ECDSA)",
            Self::Type => "SSH key type not supported: Use an RSA, Ed25519 or ECDSA key",
            Self::Short => "SSH key too short: An RSA key needs at least 2048 bits",
        }
    }
}

impl Identity {
    /// Reads a private key: OpenSSH, PKCS#8 and PEM forms of RSA, Ed25519 and ECDSA. A passphrase that
    /// is not needed is not looked at.
    ///
    /// # Errors
    /// [`KeyFault`]; no text of it holds a byte of the key.
    pub fn from_key(pem: &Secret, passphrase: Option<&Secret>) -> Result<Self, KeyFault> {
        let bytes = pem.expose();
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > KEY_FILE_BYTES_MAX {
            return Err(KeyFault::Format);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| KeyFault::Format)?;
        let key = match decoded(text, None) {
            Ok(key) => key,
            Err(fault) if is_encrypted(text, &fault) => {
                let secret = passphrase.ok_or(KeyFault::PassphraseMissing)?;
                let word =
                    std::str::from_utf8(secret.expose()).map_err(|_| KeyFault::PassphraseWrong)?;
                decoded(text, Some(word)).map_err(|_| KeyFault::PassphraseWrong)?
            }
            Err(_) => return Err(KeyFault::Format),
        };
        match kind_of(key.public_key())? {
            KeyKind::Rsa { bits } if bits < RSA_BITS_MIN => Err(KeyFault::Short),
            KeyKind::Ed25519 | KeyKind::Ecdsa | KeyKind::Rsa { .. } => {
                Ok(Self { key: Arc::new(key) })
            }
        }
    }

    pub(crate) fn key(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.key)
    }

    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self.key.algorithm(), Algorithm::Rsa { .. })
    }
}

/// An authority's certificate of a user's key. Holds no secret.
pub struct UserCertificate(Certificate);

/// Why a certificate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// The bytes are no OpenSSH certificate, or one whose signature is wrong.
    #[error("SSH certificate format invalid: Check certificate_path")]
    Format,
    /// It is a host's.
    #[error("SSH certificate is not a user's: Check certificate_path")]
    NotAUsers,
    /// It speaks for another key.
    #[error("SSH certificate belongs to another key: Check key_path and certificate_path")]
    OtherKey,
    /// It is not valid yet, or no longer.
    #[error("SSH certificate is not valid at this time: Ask the authority for a new one")]
    Time,
}

impl CertificateFault {
    /// The text for the caller.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match self {
            Self::Format => "SSH certificate format invalid: Check certificate_path",
            Self::NotAUsers => "SSH certificate is not a user's: Check certificate_path",
            Self::OtherKey => {
                "SSH certificate belongs to another key: Check key_path and certificate_path"
            }
            Self::Time => {
                "SSH certificate is not valid at this time: Ask the authority for a new one"
            }
        }
    }
}

impl UserCertificate {
    /// Reads the certificate of a key: one line, as `ssh-keygen -s` writes it. Who signed it is the host's to judge.
    ///
    /// # Errors
    /// [`CertificateFault`]. `now` is in seconds of Unix time.
    pub fn parse(bytes: &[u8], identity: &Identity, now: u64) -> Result<Self, CertificateFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| CertificateFault::Format)?;
        let certificate =
            Certificate::from_openssh(text.trim()).map_err(|_| CertificateFault::Format)?;
        if certificate.verify_signature().is_err() {
            return Err(CertificateFault::Format);
        }
        if certificate.cert_type() != CertType::User {
            return Err(CertificateFault::NotAUsers);
        }
        if certificate.public_key() != identity.key.public_key().key_data() {
            return Err(CertificateFault::OtherKey);
        }
        if now < certificate.valid_after() || now >= certificate.valid_before() {
            return Err(CertificateFault::Time);
        }
        Ok(Self(certificate))
    }

    pub(crate) fn wire(&self) -> &Certificate {
        &self.0
    }
}

/// What a key is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519.
    Ed25519,
    /// ECDSA over one of the NIST curves.
    Ecdsa,
    /// RSA, with the length of its modulus.
    Rsa {
        /// The length in bits.
        bits: u32,
    },
}

/// What can be told of a private key without logging in with it. Holds nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFacts {
    /// What it is; `None` where only its passphrase could tell.
    pub kind: Option<KeyKind>,
    /// Whether its file is encrypted.
    pub encrypted: bool,
}

impl KeyFacts {
    /// Looks at a private key. An encrypted file of the OpenSSH form says what it is without its passphrase.
    ///
    /// # Errors
    /// [`KeyFault::Format`] and [`KeyFault::Type`].
    pub fn of(pem: &Secret) -> Result<Self, KeyFault> {
        let text = std::str::from_utf8(pem.expose()).map_err(|_| KeyFault::Format)?;
        if let Ok(key) = PrivateKey::from_openssh(text) {
            return Ok(Self {
                kind: Some(kind_of(key.public_key())?),
                encrypted: key.is_encrypted(),
            });
        }
        match keys::decode_secret_key(text, None) {
            Ok(key) => Ok(Self {
                kind: Some(kind_of(key.public_key())?),
                encrypted: false,
            }),
            Err(fault) if is_encrypted(text, &fault) => Ok(Self {
                kind: None,
                encrypted: true,
            }),
            Err(_) => Err(KeyFault::Format),
        }
    }
}

fn kind_of(key: &PublicKey) -> Result<KeyKind, KeyFault> {
    match key.algorithm() {
        Algorithm::Ed25519 => Ok(KeyKind::Ed25519),
        Algorithm::Ecdsa { .. } => Ok(KeyKind::Ecdsa),
        Algorithm::Rsa { .. } => {
            let bits = key.key_data().rsa().map_or(0, |rsa| rsa.key_size());
            Ok(KeyKind::Rsa { bits })
        }
        _ => Err(KeyFault::Type),
    }
}

/// Reads a key of any format. OpenSSH's own, in which nearly every key is, is read by the crate that owns the format,
/// which wipes what it copies; what that does not take goes the way of the others.
fn decoded(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, keys::Error> {
    let Ok(key) = PrivateKey::from_openssh(text) else {
        return keys::decode_secret_key(text, passphrase);
    };
    match (key.is_encrypted(), passphrase) {
        (false, _) => Ok(key),
        (true, Some(passphrase)) => Ok(key.decrypt(passphrase)?),
        (true, None) => Err(keys::Error::KeyIsEncrypted),
    }
}

/// Whether a key that could not be read wants a passphrase. The PEM forms say so in their text.
fn is_encrypted(text: &str, fault: &keys::Error) -> bool {
    matches!(fault, keys::Error::KeyIsEncrypted)
        || text.contains("BEGIN ENCRYPTED PRIVATE KEY")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}
