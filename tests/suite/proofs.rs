//! Programs that must not compile, each beside a twin that must. The twin shows that the refusal is about
//! the one line in which they differ, not about a typing error.
//!
//! The compiler is called directly, with the libraries that this test was itself built from, so that nothing
//! is compiled twice.

use portcullis_tests::{repository, target_profile_dir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library of a workspace crate that this test binary stands beside: the newest of its kind.
fn library(name: &str) -> PathBuf {
    let deps = target_profile_dir().join("deps");
    let prefix = format!("lib{name}-");
    fs::read_dir(&deps)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let file = path.file_name()?.to_str()?.to_owned();
            (file.starts_with(&prefix) && file.ends_with(".rlib"))
                .then(|| (path.metadata().unwrap().modified().unwrap(), path))
        })
        .max()
        .unwrap_or_else(|| panic!("no {prefix}*.rlib in {}", deps.display()))
        .1
}

/// Compiles one program; what the compiler said if it refused.
fn compile(program: &Path, out: &Path) -> Result<(), String> {
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
    for name in [
        "portcullis_core",
        "portcullis_ssh",
        "tokio_util",
        "serde_json",
    ] {
        rustc
            .arg("--extern")
            .arg(format!("{name}={}", library(name).display()));
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

        if let Err(said) = compile(&twin, out.path()) {
            panic!("{} must compile, but:\n{said}", twin.display());
        }
        match compile(&refused, out.path()) {
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
