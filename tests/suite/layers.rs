//! The law of the house, read from the sources: which room may see which, and which crate may own what.

use portcullis_tests::{repository, rust_files};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `core`, each with its storey: a room may name rooms of lower storeys, and its own.
const STOREYS: [(&str, u8); 15] = [
    ("limits", 0),
    ("text", 0),
    ("secret", 0),
    ("clock", 0),
    ("request", 1),
    ("inventory", 2),
    ("net", 1),
    ("shell", 1),
    ("policy", 3),
    ("redact", 3),
    ("output", 4),
    ("audit", 4),
    ("answer", 5),
    ("config", 6),
    ("import", 7),
];

/// What only these crates may depend on: one, but for `schemars`, which describes two things that must not
/// know each other: the configuration files (`core`) and the tools (`mcp`).
const OWNERS: [(&str, &[&str]); 20] = [
    ("aho-corasick", &["core"]),
    ("memchr", &["core"]),
    ("fearless_simd", &["core"]),
    ("regex", &["core"]),
    ("regex-syntax", &["core"]),
    ("wasmtime", &["plugin"]),
    ("wasmparser", &["plugin"]),
    // The set-up encodes the guests of the tests, for which it must not build the engine.
    ("wit-component", &["plugin", "xtask"]),
    ("minisign-verify", &["plugin"]),
    ("blake3", &["plugin"]),
    ("russh", &["ssh"]),
    ("hickory-resolver", &["ssh"]),
    ("rmcp", &["mcp"]),
    ("schemars", &["core", "mcp"]),
    ("rusqlite", &["store"]),
    ("tokio-postgres", &["store"]),
    ("clap", &["app"]),
    ("cap-std", &["app"]),
    ("close_fds", &["app"]),
    ("mimalloc", &["app"]),
];

/// Paths that pure code has no use for.
const IMPURE: [&str; 12] = [
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "std::io::stdin",
    "std::os",
    "getrandom",
    "tokio",
];

#[test]
fn a_room_of_core_sees_only_the_storeys_below() {
    let core = repository().join("host/core/src");
    let storeys: BTreeMap<&str, u8> = STOREYS.into_iter().collect();
    let mut seen = 0;
    for file in sources(&core) {
        let relative = file.strip_prefix(&core).unwrap();
        let room = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let room = room.trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        let own = *storeys.get(room).unwrap_or_else(|| {
            panic!("{room} has no storey: add it to STOREYS and ARCHITECTURE.md")
        });
        let text = code(&file);
        for (at, _) in text.match_indices("crate::") {
            let named: String = text[at + "crate::".len()..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let Some(storey) = storeys.get(named.as_str()) else {
                continue;
            };
            seen += 1;
            assert!(
                *storey < own || named == room,
                "{}: {room} (storey {own}) names {named} (storey {storey})",
                relative.display()
            );
        }
    }
    assert!(
        seen > 20,
        "only {seen} paths were read: the test has gone blind"
    );
}

#[test]
fn core_touches_nothing_outside() {
    for file in sources(&repository().join("host/core/src")) {
        let text = code(&file);
        for word in IMPURE {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn each_heavy_dependency_has_one_owner() {
    let host = repository().join("host");
    let mut manifests = 0;
    for entry in fs::read_dir(&host).unwrap() {
        let dir = entry.unwrap().path();
        let Ok(manifest) = fs::read_to_string(dir.join("Cargo.toml")) else {
            continue;
        };
        manifests += 1;
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        for (dependency, owners) in OWNERS {
            let named = dependencies
                .lines()
                .any(|line| line.split(['.', ' ', '=']).next() == Some(dependency));
            assert!(
                !named || owners.contains(&name.as_str()),
                "{name} depends on {dependency}, which belongs to {owners:?}"
            );
        }
    }
    assert!(manifests >= 6, "only {manifests} manifests were read");
}

#[test]
fn the_io_crates_do_not_see_each_other() {
    for (crate_name, others) in [
        (
            "core",
            &[
                "portcullis-plugin",
                "portcullis-ssh",
                "portcullis-mcp",
                "portcullis.workspace",
            ][..],
        ),
        ("plugin", &["portcullis-ssh", "portcullis-mcp"][..]),
        ("ssh", &["portcullis-plugin", "portcullis-mcp"][..]),
        ("mcp", &["portcullis-plugin", "portcullis-ssh"][..]),
    ] {
        let path = repository()
            .join("host")
            .join(crate_name)
            .join("Cargo.toml");
        let manifest = fs::read_to_string(&path).unwrap();
        for other in others {
            assert!(
                !manifest.contains(other),
                "{} names {other}",
                path.display()
            );
        }
    }
}

#[test]
fn only_one_file_of_the_binary_prints() {
    let app = repository().join("host/app/src");
    for file in sources(&app) {
        let text = code(&file);
        let may = file.ends_with("cli/console.rs") || file.ends_with("cli/plan/cases.rs");
        assert!(
            may || !text.contains("io::stdout"),
            "{} opens standard output",
            file.display()
        );
    }
}

/// The sources below a folder that are compiled into the product: tests in files of their own are left out.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let is_test = |part: &OsStr| {
        part.to_str().is_some_and(|part| {
            part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs")
        })
    };
    rust_files(dir)
        .into_iter()
        .filter(|file| {
            !file
                .strip_prefix(dir)
                .is_ok_and(|path| path.iter().any(is_test))
        })
        .collect()
}

/// The code of a file without its comments, so that prose may name anything, and without its tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}
