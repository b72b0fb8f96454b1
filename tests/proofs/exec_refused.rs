//! error: E0451
//! The text to be sent cannot be chosen.
pub fn forge(rendered: String) -> portcullis_core::policy::Exec {
    portcullis_core::policy::Exec { rendered }
}
