//! A secret is exposed on purpose, by name.
pub fn length(secret: &portcullis_core::secret::Secret) -> usize {
    secret.expose().len()
}
