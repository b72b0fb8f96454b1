//! Which private keys are read, and what is said of the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod harness;

use harness::{Place, secret};
use portcullis_core::secret::Secret;
use portcullis_ssh::{Identity, KeyFault};

fn word(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

/// Reads a key, with a passphrase or without, and gives the fault.
fn fault(pem: &Secret, passphrase: Option<&str>) -> Option<KeyFault> {
    Identity::from_key(pem, passphrase.map(word).as_ref()).err()
}

#[test]
fn keys_of_every_common_form_are_read() {
    let place = Place::new();
    let forms: [&[&str]; 8] = [
        &["-t", "ed25519"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
        &["-t", "ecdsa", "-b", "256", "-m", "PEM"],
        &["-t", "ecdsa", "-b", "256", "-m", "PKCS8"],
    ];
    for (index, form) in forms.iter().enumerate() {
        let options = [*form, &["-N", ""]].concat();
        let path = place.key(&format!("k{index}"), &options);
        assert_eq!(fault(&secret(&path), None), None, "{form:?}");
        assert_eq!(fault(&secret(&path), Some("unneeded")), None, "{form:?}");
    }
}

#[test]
fn an_encrypted_key_wants_its_own_passphrase() {
    let place = Place::new();
    let forms: [&[&str]; 4] = [
        &["-t", "ed25519"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
    ];
    for (index, form) in forms.iter().enumerate() {
        let options = [*form, &["-N", "right one"]].concat();
        let pem = secret(&place.key(&format!("k{index}"), &options));
        assert_eq!(fault(&pem, Some("right one")), None, "{form:?}");
        assert_eq!(
            fault(&pem, Some("wrong one")),
            Some(KeyFault::PassphraseWrong),
            "{form:?}"
        );
        assert_eq!(
            fault(&pem, None),
            Some(KeyFault::PassphraseMissing),
            "{form:?}"
        );
    }
}

#[test]
fn what_is_no_private_key_is_named_as_such() {
    let place = Place::new();
    let public = place.public("id");
    let private = String::from_utf8(secret(&place.path("id")).expose().to_vec()).unwrap();
    let cut = private[..private.len() / 2].to_owned();
    for text in ["", "hello", &public, &cut, &"x".repeat(100_000)] {
        assert_eq!(fault(&word(text), None), Some(KeyFault::Format));
    }
    assert_eq!(
        fault(&Secret::new(vec![0xff, 0xfe, 0]), None),
        Some(KeyFault::Format)
    );
}
