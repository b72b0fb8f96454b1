//! Values that must not be seen: no `Debug`, no `Display`, no `Serialize`, wiped when dropped.

use zeroize::Zeroizing;

/// A secret byte string. The only way to its bytes is a call whose name says so.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller's buffer becomes the secret's own, nothing is copied.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that needs them. Never log, format or store what this returns.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
