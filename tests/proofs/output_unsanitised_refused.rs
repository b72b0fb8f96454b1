//! error: E0599
//! Redacting what was not sanitised would miss a secret that an escape sequence splits.
use portcullis_core::output::{NoScrubber, Raw, Scrubbed};
use portcullis_core::redact::Redactor;
pub fn scrub(raw: Raw, redactor: &Redactor) -> Scrubbed {
    raw.cap(1_024).redact(redactor, &NoScrubber, "web1", &[])
}
