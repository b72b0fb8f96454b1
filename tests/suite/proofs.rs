//! Programs that must not compile, each beside a twin that must. The twin shows that the refusal is about
//! the one line in which they differ, not about a typing error.
//!
//! The compiler is called directly, with the libraries that this test was itself built from, so that nothing
//! is compiled twice.

use portcullis_tests::{repository, target_profile_dir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The libraries of a crate that stand beside this test binary, the newest first.
fn libraries(name: &str) -> Vec<PathBuf> {
    let deps = target_profile_dir().join("deps");
    let prefix = format!("lib{name}-");
    let mut found: Vec<_> = fs::read_dir(&deps)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let file = path.file_name()?.to_str()?.to_owned();
            (file.starts_with(&prefix) && file.ends_with(".rlib"))
                .then(|| (path.metadata().unwrap().modified().unwrap(), path))
        })
        .collect();
    assert!(!found.is_empty(), "no {prefix}*.rlib in {}", deps.display());
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// The libraries that the programs are compiled against. The folder may hold several builds of `core`; the right
/// one is that which the newest engine was built with, and only with that one does the engine's twin compile.
fn externs(out: &Path) -> Vec<(&'static str, PathBuf)> {
    let newest = |name: &str| libraries(name).swap_remove(0);
    let engine = newest("portcullis_ssh");
    let probe = repository().join("tests/proofs/run_compiles.rs");
    libraries("portcullis_core")
        .into_iter()
        .map(|core| {
            vec![
                ("portcullis_core", core),
                ("portcullis_ssh", engine.clone()),
                ("serde_json", newest("serde_json")),
            ]
        })
        .find(|externs| compile(&probe, externs, out).is_ok())
        .unwrap_or_else(|| panic!("{} compiles with no build of core", probe.display()))
}

/// Compiles one program; what the compiler said if it refused.
fn compile(program: &Path, externs: &[(&str, PathBuf)], out: &Path) -> Result<(), String> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args([
        "--edition",
        "2024",
        "--crate-type",
        "lib",
        "--emit",
        "metadata",
        "--cap-lints",
        "allow",
    ]);
    rustc.arg("--out-dir").arg(out).arg(program);
    rustc.arg("-L").arg(format!(
        "dependency={}",
        target_profile_dir().join("deps").display()
    ));
    for (name, library) in externs {
        rustc
            .arg("--extern")
            .arg(format!("{name}={}", library.display()));
    }
    let output = rustc.output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Each program names the error that must refuse it in its first line: `//! error: E0451`.
#[test]
fn proofs_cannot_be_forged() {
    let out = tempfile::tempdir().unwrap();
    let externs = externs(out.path());
    let mut pairs = 0;
    for entry in fs::read_dir(repository().join("tests/proofs")).unwrap() {
        let refused = entry.unwrap().path();
        let name = refused.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(stem) = name.strip_suffix("_refused.rs") else {
            continue;
        };
        let twin = refused.with_file_name(format!("{stem}_compiles.rs"));
        let text = fs::read_to_string(&refused).unwrap();
        let expected = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("//! error: "))
            .unwrap_or_else(|| panic!("{name} does not name its error"));

        if let Err(said) = compile(&twin, &externs, out.path()) {
            panic!("{} must compile, but:\n{said}", twin.display());
        }
        match compile(&refused, &externs, out.path()) {
            Ok(()) => panic!("{name} compiles: the proof can be forged"),
            Err(said) => {
                let errors: Vec<&str> = said
                    .lines()
                    .filter(|line| line.starts_with("error["))
                    .collect();
                assert!(
                    !errors.is_empty()
                        && errors
                            .iter()
                            .all(|line| line.starts_with(&format!("error[{expected}]"))),
                    "{name} is refused for another reason than {expected}:\n{said}"
                );
            }
        }
        pairs += 1;
    }
    assert!(pairs >= 8, "only {pairs} pairs were tried");
}
