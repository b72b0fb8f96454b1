//! Output is shown as text that the scanner has read.
use portcullis_core::output::Shown;
pub fn show(shown: &mut Shown, text: String) {
    shown.stdout = text.into();
}
