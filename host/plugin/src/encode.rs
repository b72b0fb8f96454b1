//! A core module with the interface's types in it, as the compilers of authors' languages write it, becomes a
//! component. So that an author needs a compiler and nothing else.

use crate::COMPONENT_BYTES_CEILING;

/// The component around a module.
///
/// # Errors
/// In words: the module is too large, or it does not hold the types of a world.
pub fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    if module.len() as u64 > COMPONENT_BYTES_CEILING {
        return Err(format!(
            "expected at most {COMPONENT_BYTES_CEILING} bytes, got {}",
            module.len()
        ));
    }
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|fault| format!("{fault:#}"))
}
