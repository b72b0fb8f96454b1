//! error: E0277
//! A secret cannot be formatted by accident.
pub fn show(secret: &portcullis_core::secret::Secret) -> String {
    format!("{secret:?}")
}
