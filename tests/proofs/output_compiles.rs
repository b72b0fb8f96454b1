//! Output is shown when it was capped, sanitised and redacted.
use portcullis_core::output::{NoScrubber, Raw, Shown};
use portcullis_core::redact::Redactor;
pub fn show(raw: Raw, redactor: &Redactor) -> Shown {
    raw.cap(1_024).sanitise().redact(redactor, &NoScrubber, "web1", &[]).into_shown()
}
