//! error: E0423
//! Text that the scanner has not read cannot be called safe.
use portcullis_core::text::SafeText;
pub fn forge(text: &str) -> SafeText {
    SafeText(text.to_owned())
}
