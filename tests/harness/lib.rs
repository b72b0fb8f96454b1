//! What the suite and the benchmarks share: where things are, and real servers to talk to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a harness reports by failing"
)]

pub mod attacks;
pub mod dns;
pub mod sshd;
pub mod stdio;

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The folder that the running test binary was built into, e.g. `target/debug`.
#[must_use]
pub fn target_profile_dir() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.parent().unwrap().parent().unwrap().to_path_buf()
}

/// The built `portcullis`.
#[must_use]
pub fn portcullis() -> PathBuf {
    let path = std::env::var_os("PORTCULLIS_BIN")
        .map_or_else(|| target_profile_dir().join("portcullis"), PathBuf::from);
    assert!(
        path.exists(),
        "{} is not built: cargo xtask test builds it",
        path.display()
    );
    path
}

/// The folder of the built guests.
#[must_use]
pub fn guests() -> PathBuf {
    let path = std::env::var_os("PORTCULLIS_GUESTS").map_or_else(
        || target_profile_dir().parent().unwrap().join("guests"),
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is not built: cargo xtask guests builds it",
        path.display()
    );
    path
}

/// Every Rust source below a folder, without build output.
#[must_use]
pub fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Loads one built guest with the default limits.
#[must_use]
pub fn load_plugin(
    name: &str,
    kind: &str,
    file: &str,
    settings: &str,
) -> portcullis_plugin::Plugins {
    let bytes = fs::read(guests().join(file)).unwrap();
    let text = format!(
        "plugins:\n  - name: {name}\n    kind: {kind}\n    path: {file}\n    sha256: {}\n    settings: {settings}\n",
        portcullis_core::request::sha256_hex(&bytes)
    );
    let sources = portcullis_core::config::Sources {
        servers: Some("hosts: []\n".to_owned()),
        plugins: Some(text),
        ..Default::default()
    };
    let snapshot =
        portcullis_core::config::load(&sources, portcullis_core::config::Occasion::Start).unwrap();
    let entry = snapshot.plugins.into_iter().next().unwrap();
    let artifact = (entry, bytes).into();
    portcullis_plugin::Plugins::load(vec![artifact], &portcullis_plugin::InProcess, None).unwrap()
}
