//! .
mod bindings;
