//! The text to be sent is read.
pub fn text(exec: &portcullis_core::policy::Exec) -> &str {
    exec.rendered()
}
