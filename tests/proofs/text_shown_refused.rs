//! error: E0308
//! Text of a host as it came cannot be shown.
use portcullis_core::output::Shown;
pub fn show(shown: &mut Shown, text: String) {
    shown.stdout = text;
}
