//! Sanitising comes before redacting.
use portcullis_core::output::{NoScrubber, Raw, Scrubbed};
use portcullis_core::redact::Redactor;
pub fn scrub(raw: Raw, redactor: &Redactor) -> Scrubbed {
    raw.cap(1_024).sanitise().redact(redactor, &NoScrubber, "web1", &[])
}
