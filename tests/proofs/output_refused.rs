//! error: E0599
//! Output that was not redacted cannot be shown.
use portcullis_core::output::{Raw, Shown};
pub fn show(raw: Raw) -> Shown {
    raw.cap(1_024).sanitise().into_shown()
}
