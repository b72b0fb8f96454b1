//! Feeds `plugin_bodies::component` with what the fuzzer makes.
#![no_main]

#[path = "../plugin_bodies/mod.rs"]
mod plugin_bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| plugin_bodies::component(data));
