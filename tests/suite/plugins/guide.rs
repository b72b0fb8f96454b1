//! The guide for authors, followed literally in each language.

use super::{gate, text};
use portcullis_tests::{portcullis, repository};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Most commands from an empty directory to an enforced rule.
const COMMANDS_MAX: usize = 10;

/// The commands of the first console block beneath a heading of the guide.
fn commands(heading: &str) -> Vec<String> {
    let guide = fs::read_to_string(repository().join("plugins/README.md")).unwrap();
    let section = guide
        .split(&format!("\n## {heading}\n"))
        .nth(1)
        .unwrap_or_else(|| panic!("no section {heading}"));
    let block = section.split("```console\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
    let commands: Vec<String> = lines.map(str::to_owned).collect();
    assert!((3..=COMMANDS_MAX).contains(&commands.len()), "{commands:?}");
    commands
}

/// Follows a section of the guide literally, in an empty directory beneath `beneath`, and gives what the last command
/// said, a plan that is refused, and what `plugin inspect` says of the component.
fn follow(heading: &str, beneath: Option<&Path>, path: Option<PathBuf>) -> (String, String) {
    let gate = gate();
    let empty = match beneath {
        Some(beneath) => tempfile::tempdir_in(beneath).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    // `portcullis` by its name, as an operator has it.
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(portcullis(), bin.path().join("portcullis")).unwrap();
    let mut paths = vec![bin.path().to_owned()];
    paths.extend(path);
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    fs::create_dir(gate.state()).unwrap();
    fs::set_permissions(gate.state(), fs::Permissions::from_mode(0o700)).unwrap();
    let commands = commands(heading);
    let mut said = String::new();
    for (at, command) in commands.iter().enumerate() {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(empty.path())
            .env("PATH", std::env::join_paths(&paths).unwrap())
            .env("PORTCULLIS_CONFIG_DIR", gate.config())
            .env("PORTCULLIS_STATE_DIR", gate.state())
            // What the SDK is built from stays between runs.
            .env(
                "CARGO_TARGET_DIR",
                portcullis_tests::guests().with_file_name("author"),
            )
            .stdin(Stdio::null())
            .output()
            .unwrap();
        said = text(&output);
        let refused = command.starts_with("portcullis plan ");
        let expected = if refused { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{command}: {said}");
        assert!(!refused || at + 1 == commands.len(), "the plan comes last");
    }
    let inspected = Command::new(portcullis())
        .args(["plugin", "inspect", "no-force.wasm"])
        .current_dir(empty.path().join("no-force"))
        .output()
        .unwrap();
    (said, text(&inspected))
}

/// What is said of a component, without what another compiler makes otherwise.
fn without_bytes(inspected: &str) -> Vec<&str> {
    let lines = inspected.lines().map(str::trim);
    let bytes = ["size ", "sha256 "];
    lines
        .filter(|line| !line.is_empty() && !bytes.iter().any(|it| line.starts_with(it)))
        .collect()
}

#[test]
fn the_guide_leads_from_an_empty_directory_to_an_enforced_rule_in_rust() {
    let (said, inspected) = follow(
        "Rust: from an empty directory to an enforced rule",
        None,
        None,
    );
    assert!(
        said.contains("no-force") && said.contains("force"),
        "{said}"
    );
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let shown = readme.split("$ portcullis plugin inspect no-force.wasm\n");
    let shown = shown.last().unwrap().split("```").next().unwrap();
    assert_eq!(
        without_bytes(&inspected),
        without_bytes(shown),
        "{inspected}"
    );
}

#[test]
fn the_guide_leads_from_an_empty_directory_to_an_enforced_rule_in_javascript() {
    let Some(node) = std::env::var_os("PORTCULLIS_NODE").map(PathBuf::from) else {
        panic!("cargo xtask test installs the componentizer and sets PORTCULLIS_NODE");
    };
    // The packages of a folder are found from every folder beneath it, so nothing is fetched here.
    let (said, inspected) = follow("JavaScript", Some(&node), None);
    assert!(
        said.contains("no-force") && said.contains("force"),
        "{said}"
    );
    // The interpreter's imports are there or stubbed; nothing stands behind any of them.
    assert!(!inspected.contains("refused"), "{inspected}");
}

#[test]
fn the_guide_leads_from_an_empty_directory_to_an_enforced_rule_in_python() {
    let python = PathBuf::from(std::env::var_os("PORTCULLIS_PYTHON").unwrap());
    let (said, inspected) = follow("Python", None, python.parent().map(Path::to_owned));
    assert!(
        said.contains("no-force") && said.contains("force"),
        "{said}"
    );
    // The interpreter's imports are there or stubbed; nothing stands behind any of them.
    assert!(!inspected.contains("refused"), "{inspected}");
}
