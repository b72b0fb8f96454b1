//! Whose a plugin is: minisign signatures from the author's key to the gate's answer, through the real binary.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest};
use ed25519_dalek::{Signer, SigningKey};
use portcullis_tests::guests;
use portcullis_tests::sshd::GateFolder;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// An author with a key, who signs as minisign does.
struct Author(SigningKey);

impl Author {
    const ID: [u8; 8] = *b"authorid";

    fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    fn public_key(&self) -> String {
        let bytes = [
            b"Ed".as_slice(),
            &Self::ID,
            self.0.verifying_key().as_bytes(),
        ]
        .concat();
        STANDARD.encode(bytes)
    }

    fn sign(&self, bytes: &[u8]) -> String {
        let signature = self.0.sign(&Blake2b512::digest(bytes)).to_bytes();
        let comment = "timestamp:1764390000\tfile:plugin.wasm\thashed";
        let global = [signature.as_slice(), comment.as_bytes()].concat();
        let global = self.0.sign(&global).to_bytes();
        let signature = [b"ED".as_slice(), &Self::ID, &signature].concat();
        format!(
            "untrusted comment: signature\n{}\ntrusted comment: {comment}\n{}\n",
            STANDARD.encode(signature),
            STANDARD.encode(global)
        )
    }
}

/// A gate, and a folder with a component that an author hands over.
struct Case {
    gate: GateFolder,
    handed: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self {
            gate: GateFolder::new(22, "tester", b"", ""),
            handed: tempfile::tempdir().unwrap(),
        };
        fs::copy(guests().join("path-guard.wasm"), case.component()).unwrap();
        case
    }

    fn component(&self) -> PathBuf {
        self.handed.path().join("path-guard.wasm")
    }

    fn sign(&self, author: &Author) {
        let text = author.sign(&fs::read(self.component()).unwrap());
        fs::write(self.handed.path().join("path-guard.wasm.minisig"), text).unwrap();
    }

    fn add(&self, extra: &[&str]) -> Output {
        let mut command = self.gate.portcullis(&["plugin", "add"]);
        command.arg(self.component());
        command.args(["--settings", r#"{"deny": ["/srv/private"]}"#]);
        command.args(extra).output().unwrap()
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.gate.config().join("plugins").join(name)
    }

    /// What `check` and `plugin list` say of what is in force.
    fn stands(&self, code: i32, wanted: &str) {
        for verb in [&["check"][..], &["plugin", "list"]] {
            let output = self.gate.portcullis(verb).output().unwrap();
            assert_eq!(
                output.status.code(),
                Some(code),
                "{verb:?}: {}",
                text(&output)
            );
            assert!(
                text(&output).contains(wanted),
                "{verb:?}: {}",
                text(&output)
            );
        }
    }
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn entry(gate: &Path) -> String {
    fs::read_to_string(gate.join("plugins.yml")).unwrap_or_default()
}

#[test]
fn a_plugin_is_added_with_its_authors_key_and_loads_with_his_signature_only() {
    let (case, author, other) = (Case::new(), Author::new(1), Author::new(2));
    let key = author.public_key();
    // Without a signature, and with another author's, nothing is put into force.
    let before = entry(&case.gate.config());
    for sign in [None, Some(&other)] {
        if let Some(other) = sign {
            case.sign(other);
        }
        let refused = case.add(&["--public-key", &key]);
        assert_eq!(refused.status.code(), Some(5), "{}", text(&refused));
        assert!(
            text(&refused).contains("signature_invalid"),
            "{}",
            text(&refused)
        );
        assert_eq!(entry(&case.gate.config()), before);
        assert!(!case.installed("path-guard.wasm").exists());
    }
    case.sign(&author);
    let added = case.add(&["--public-key", &key, "--format", "json"]);
    assert!(added.status.success(), "{}", text(&added));
    let said: Value = serde_json::from_slice(&added.stdout).unwrap();
    assert_eq!(said["signed"], true);
    case.stands(0, "");
    // Another author's signature in its place, none, and one that is no signature.
    let signature = case.installed("path-guard.wasm.minisig");
    let right = fs::read_to_string(&signature).unwrap();
    let bytes = fs::read(case.installed("path-guard.wasm")).unwrap();
    for wrong in [
        other.sign(&bytes),
        author.sign(b"other bytes"),
        String::new(),
    ] {
        fs::write(&signature, wrong).unwrap();
        case.stands(5, "signature");
    }
    fs::write(&signature, &right).unwrap();
    case.stands(0, "");
    let planned = case
        .gate
        .portcullis(&["plan", "web1", "cat /srv/private"])
        .output()
        .unwrap();
    assert_eq!(planned.status.code(), Some(1), "{}", text(&planned));
    fs::remove_file(&signature).unwrap();
    let checked = case.gate.portcullis(&["check"]).output().unwrap();
    assert!(!checked.status.success(), "{}", text(&checked));
}

#[test]
fn new_bytes_of_a_signed_plugin_need_a_signature_of_the_same_key() {
    let (case, author, other) = (Case::new(), Author::new(1), Author::new(2));
    case.sign(&author);
    let added = case.add(&["--public-key", &author.public_key()]);
    assert!(added.status.success(), "{}", text(&added));
    // Another component under the name, with the old signature, with another author's, and with the right one.
    fs::copy(guests().join("sql-read-only.wasm"), case.component()).unwrap();
    let old = fs::read(case.installed("path-guard.wasm")).unwrap();
    let refused = case.add(&[]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused));
    case.sign(&other);
    let refused = case.add(&[]);
    assert!(
        text(&refused).contains("signature_invalid"),
        "{}",
        text(&refused)
    );
    // A key that is handed over with the component replaces none.
    let refused = case.add(&["--public-key", &other.public_key()]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert_eq!(fs::read(case.installed("path-guard.wasm")).unwrap(), old);
    case.stands(0, "");
    case.sign(&author);
    let replaced = case.add(&[]);
    assert!(replaced.status.success(), "{}", text(&replaced));
    assert_ne!(fs::read(case.installed("path-guard.wasm")).unwrap(), old);
    case.stands(0, "");
}

#[test]
fn a_signature_without_a_key_is_no_signature() {
    let (case, author) = (Case::new(), Author::new(1));
    case.sign(&author);
    let signature = case.handed.path().join("path-guard.wasm.minisig");
    let refused = case.add(&["--signature", signature.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
}
