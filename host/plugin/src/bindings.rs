//! The interface of `wit/0.1` as Rust types, generated. Nothing is written by hand here.

/// The world of validators.
pub(crate) mod validator {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "validator-plugin",
    });
}

/// The world of redactors.
pub(crate) mod redactor {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "redactor-plugin",
        with: { "portcullis:plugin/log@0.1.0": super::validator::portcullis::plugin::log },
    });
}
