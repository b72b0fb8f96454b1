//! The corpus of the fuzz target `component`, replayed without the fuzzer.

#[path = "../../../../tests/fuzz/plugin_bodies/mod.rs"]
mod plugin_bodies;

use std::path::Path;

/// What the corpus may hold, so that it stays a part of the source.
const FILES_MAX: usize = 300;
const BYTES_MAX: usize = 1_000_000;

#[test]
fn every_component_of_the_corpus_is_refused_or_fenced() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/component");
    let (mut count, mut bytes) = (0, 0);
    for file in std::fs::read_dir(&folder).unwrap() {
        let data = std::fs::read(file.unwrap().path()).unwrap();
        plugin_bodies::component(&data);
        count += 1;
        bytes += data.len();
    }
    assert!((20..=FILES_MAX).contains(&count), "{count} files");
    assert!(bytes <= BYTES_MAX, "{bytes} bytes");
}
