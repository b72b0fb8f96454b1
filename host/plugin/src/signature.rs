//! Signatures of components, in minisign's format: the operator names the public key, the author signs.
//!
//! Must not: take a key from anywhere but the configuration. A signature is beside the pin, never in its
//! place: the pin says which bytes, the signature says whose.

use crate::inspect::{LoadCause, LoadFault};
use minisign_verify::{PublicKey, Signature};
use portcullis_core::config::{PluginEntry, PluginSignature};

const HINT: &str = "Sign with `minisign -S -m FILE`, put FILE.minisig beside it, and name the author's public key.";

/// Checks whose a component is: its signature's text against the key that its entry names, where it names one.
///
/// # Errors
/// [`LoadFault`] of the cause `signature_invalid`.
pub fn check_signature(
    entry: &PluginEntry,
    text: Option<&str>,
    bytes: &[u8],
) -> Result<(), LoadFault> {
    check(entry.signature.as_ref(), text, bytes).map_err(|fault| fault.of(&entry.name))
}

/// Checks a component against its entry's signature, where the entry has one.
fn check(
    wanted: Option<&PluginSignature>,
    text: Option<&str>,
    bytes: &[u8],
) -> Result<(), LoadFault> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let fault = |detail: &str| LoadFault::new(LoadCause::Signature, detail, HINT);
    let key = PublicKey::from_base64(&wanted.public_key)
        .map_err(|error| fault(&format!("expected a public key of minisign: {error}")))?;
    let text = text.ok_or_else(|| fault("expected a signature, got none"))?;
    let signature = Signature::decode(text)
        .map_err(|error| fault(&format!("expected a signature of minisign: {error}")))?;
    // SECURITY: the old form signs the bytes without a hash of its own choosing; it is not taken.
    key.verify(bytes, &signature, false).map_err(|error| {
        fault(&format!(
            "the signature is not one of that key over these bytes: {error}"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    /// Over the four bytes `test`, in the form of today.
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==";
    /// The same in the old form.
    const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";

    fn by(key: &str, text: Option<&str>, bytes: &[u8]) -> Option<LoadCause> {
        let wanted = PluginSignature {
            path: "x.minisig".to_owned(),
            public_key: key.to_owned(),
        };
        check(Some(&wanted), text, bytes).err().map(|it| it.cause)
    }

    #[test]
    fn a_signature_of_the_named_key_over_these_bytes_is_taken() {
        assert_eq!(by(KEY, Some(SIGNATURE), b"test"), None);
        assert!(check(None, None, b"anything").is_ok());
    }

    #[test]
    fn every_other_is_refused() {
        let other = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO4";
        let changed = SIGNATURE.replace("file:test", "file:tost");
        for (key, text, bytes) in [
            (KEY, Some(SIGNATURE), &b"Test"[..]),
            (KEY, Some(SIGNATURE), b""),
            (KEY, Some(LEGACY), b"test"),
            (KEY, Some(changed.as_str()), b"test"),
            (KEY, Some(""), b"test"),
            (KEY, None, b"test"),
            (other, Some(SIGNATURE), b"test"),
            ("", Some(SIGNATURE), b"test"),
        ] {
            let cause = by(key, text, bytes);
            assert_eq!(cause, Some(LoadCause::Signature), "{key} {text:?}");
        }
    }
}
