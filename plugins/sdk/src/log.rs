//! The operator's log. Natively, in tests, lines go nowhere.

pub use crate::bindings::validator::portcullis::plugin::log::Level;

/// Writes one line; the host bounds and cleans it.
pub fn emit(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::validator::portcullis::plugin::log::emit(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (level, message);
}
