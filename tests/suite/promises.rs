//! SECURITY.md against the tests that it names: a row whose test does not exist is a broken promise.

use portcullis_tests::{repository, rust_files};
use std::collections::BTreeSet;
use std::fs;

/// How a promise may stand.
const STANDINGS: [&str; 5] = [
    "kept",
    "kept more strictly",
    "translated",
    "declined",
    "open",
];

/// Every function of every test source, Rust and Python.
fn tests() -> BTreeSet<String> {
    let root = repository();
    let mut names = BTreeSet::new();
    let mut sources = rust_files(&root.join("host"));
    sources.extend(rust_files(&root.join("tests")));
    sources.extend(rust_files(&root.join("plugins")));
    sources.extend(
        fs::read_dir(root.join("tests/python"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "py")),
    );
    for source in sources {
        for line in fs::read_to_string(&source).unwrap().lines() {
            let line = line.trim_start().trim_start_matches("async ");
            for keyword in ["fn ", "def "] {
                if let Some(rest) = line.strip_prefix(keyword) {
                    let name: String = rest
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                        .collect();
                    names.insert(name);
                }
            }
        }
    }
    names
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let text = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let tests = tests();
    let table = text
        .split("<!-- promises -->")
        .nth(1)
        .expect("SECURITY.md marks its table with <!-- promises --> on both sides");
    let (mut rows, mut broken) = (0, Vec::new());
    for line in table.lines().filter(|line| line.starts_with('|')).skip(2) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(
            cells.len(),
            4,
            "a row has promise, standing, what it means here, test: {line}"
        );
        rows += 1;
        let (standing, test) = (cells[1], cells[3]);
        if !STANDINGS.contains(&standing) {
            broken.push(format!("{standing:?} is no standing: {line}"));
        }
        let named: Vec<&str> = test.split('`').skip(1).step_by(2).collect();
        match standing {
            "declined" | "open" => {}
            _ if named.is_empty() => broken.push(format!("no test is named: {line}")),
            _ => {}
        }
        for name in named {
            if !tests.contains(name) {
                broken.push(format!("{name} does not exist: {line}"));
            }
        }
    }
    assert!(rows >= 60, "only {rows} promises were read");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
