//! Safe text is written into records.
use portcullis_core::text::SafeText;
pub fn write(text: &SafeText) -> Option<String> {
    serde_json::to_string(text).ok()
}
