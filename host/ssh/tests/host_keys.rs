//! What a host has to show before it is logged into, against real servers: certificates of recorded authorities,
//! exchanged keys, types, pins, and what is revoked.
#![allow(
    clippy::await_holding_lock,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests; a turn lasts as long as its test"
)]

mod harness;

use harness::{Place, engine, journaled_on, sshd_with, turn};
use portcullis_core::inventory::HostKeyPin;
use portcullis_ssh::{End, KnownHosts};
use std::process::Command;
use tokio_util::sync::CancellationToken;

/// The name and address of every host here.
const HOST: &str = "127.0.0.1";

/// Has an authority certify the key `host`.
fn certify(place: &Place, authority: &str, options: &[&str]) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-I", "test", "-s"])
        .arg(place.path(authority))
        .args(options)
        .arg(place.path("host.pub"))
        .status()
        .unwrap();
    assert!(made.success(), "{options:?}");
}

/// A place with the key `host`, and the lines by which an sshd shows it and its certificate.
fn place() -> (Place, String) {
    let place = Place::new();
    for name in ["host", "ca", "other"] {
        place.key(name, &["-t", "ed25519", "-N", ""]);
    }
    let key = place.path("host");
    let lines = format!("HostKey {0}\nHostCertificate {0}-cert.pub\n", key.display());
    (place, lines)
}

/// Runs one command under these records and pins: nothing where it worked, or the code of the fault.
async fn run(place: &Place, port: u16, known_hosts: &str, pins: &[&str]) -> Option<&'static str> {
    let pins = pins.iter().map(|pin| HostKeyPin::parse(pin).unwrap());
    let journaled = journaled_on(port, "root", "echo here", |target| {
        target.host.host_keys = pins.collect();
    });
    let access = place.access(known_hosts);
    let ended = engine()
        .run(journaled.await, &access, CancellationToken::new(), None)
        .await;
    if ended.end == End::Exited(0) {
        return None;
    }
    Some(
        ended
            .fault
            .expect("a run that did not end well has a fault")
            .code,
    )
}

#[tokio::test]
async fn a_host_certificate_is_taken_from_a_recorded_authority_and_for_this_name_and_time_only() {
    let Some(_turn) = turn() else { return };
    let (place, lines) = place();
    let ca = place.public("ca");
    let (host, other) = (place.public("host"), place.public("other"));
    let valid: &[&str] = &["-h", "-n", "127.0.0.1"];
    let by_ca = |port: u16| format!("@cert-authority [127.0.0.1]:{port} {ca}");
    let with = |port: u16, line: &str| format!("{}{line}", by_ca(port));
    type Records<'a> = &'a dyn Fn(u16) -> String;
    let cases: &[(&[&str], Records, Option<&str>)] = &[
        (valid, &by_ca, None),
        (
            valid,
            &|_| format!("@cert-authority [127.0.0.*]:* {ca}"),
            None,
        ),
        (&["-h", "-n", "web1,127.0.0.1"], &by_ca, None),
        // A pattern is no name.
        (
            &["-h", "-n", "web1,127.0.0.*"],
            &by_ca,
            Some("host_certificate_name"),
        ),
        (
            &["-h", "-n", "127.0.0.2"],
            &by_ca,
            Some("host_certificate_name"),
        ),
        (&["-h"], &by_ca, Some("host_certificate_name")),
        (
            &["-h", "-n", "127.0.0.1", "-V", "20200101:20200102"],
            &by_ca,
            Some("host_certificate_time"),
        ),
        (
            &["-h", "-n", "127.0.0.1", "-V", "20990101:20990102"],
            &by_ca,
            Some("host_certificate_time"),
        ),
        // A user's certificate for a user of that name, and one that says more than anybody understands.
        (
            &["-n", "127.0.0.1"],
            &by_ca,
            Some("host_certificate_unusable"),
        ),
        (
            &["-h", "-n", "127.0.0.1", "-O", "critical:unheard-of=1"],
            &by_ca,
            Some("host_certificate_unusable"),
        ),
        (
            valid,
            &|port| with(port, &format!("@revoked * {ca}")),
            Some("host_key_revoked"),
        ),
        (
            valid,
            &|port| with(port, &format!("@revoked [127.0.0.1]:{port} {host}")),
            Some("host_key_revoked"),
        ),
        (
            valid,
            &|port| format!("@cert-authority [127.0.0.1]:{port} {other}"),
            Some("host_key_mismatch"),
        ),
        // An authority for port 22, or for other hosts, or one that is recorded as a host.
        (
            valid,
            &|_| format!("@cert-authority 127.0.0.1 {ca}"),
            Some("host_key_unknown"),
        ),
        (
            valid,
            &|port| format!("@cert-authority [127.0.0.2]:{port} {ca}"),
            Some("host_key_unknown"),
        ),
        (
            valid,
            &|port| format!("[127.0.0.1]:{port} {ca}"),
            Some("host_key_mismatch"),
        ),
        // Where nobody vouches for the certificate, the key in it may be recorded itself.
        (
            valid,
            &|port| format!("@cert-authority [127.0.0.1]:{port} {other}[127.0.0.1]:{port} {host}"),
            None,
        ),
    ];
    for (options, records, expected) in cases {
        certify(&place, "ca", options);
        let server = sshd_with(&place, &[], &lines);
        let records = records(server.port);
        let fault = run(&place, server.port, &records, &[]).await;
        assert_eq!(fault, *expected, "{options:?}\n{records}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_revoked_is_revoked_with_its_key() {
    let Some(_turn) = turn() else { return };
    let (place, lines) = place();
    certify(&place, "ca", &["-h", "-n", "127.0.0.1"]);
    let server = sshd_with(&place, &[], &lines);
    let (ca, host) = (place.public("ca"), place.public("host"));
    let certificate = place.public("host-cert");
    let port = server.port;
    for trusted in [
        format!("@cert-authority [127.0.0.1]:{port} {ca}"),
        format!("[127.0.0.1]:{port} {host}"),
    ] {
        assert_eq!(run(&place, port, &trusted, &[]).await, None, "{trusted}");
        let records = format!("{trusted}@revoked * {certificate}");
        let fault = run(&place, port, &records, &[]).await;
        assert_eq!(fault, Some("host_key_revoked"), "{records}");
    }
}

#[tokio::test]
async fn certificates_of_every_type_are_taken_and_old_signatures_are_not() {
    let Some(_turn) = turn() else { return };
    for (key, authority, signature, expected) in [
        (
            &["-t", "ecdsa", "-b", "256"][..],
            &["-t", "ecdsa", "-b", "384"][..],
            None,
            None,
        ),
        (
            &["-t", "rsa", "-b", "2048"],
            &["-t", "rsa", "-b", "3072"],
            Some("rsa-sha2-512"),
            None,
        ),
        (
            &["-t", "ed25519"],
            &["-t", "rsa", "-b", "2048"],
            Some("ssh-rsa"),
            Some("host_certificate_unusable"),
        ),
        (
            &["-t", "ed25519"],
            &["-t", "rsa", "-b", "1024"],
            None,
            Some("host_key_short"),
        ),
    ] {
        let place = Place::new();
        place.key("host", &[key, &["-N", ""]].concat());
        place.key("ca", &[authority, &["-N", ""]].concat());
        let mut options = vec!["-h", "-n", HOST];
        options.extend(signature.into_iter().flat_map(|of| ["-t", of]));
        certify(&place, "ca", &options);
        let host = place.path("host");
        let lines = format!(
            "HostKey {0}\nHostCertificate {0}-cert.pub\n",
            host.display()
        );
        let server = sshd_with(&place, &[], &lines);
        let records = format!(
            "@cert-authority [127.0.0.1]:{} {}",
            server.port,
            place.public("ca")
        );
        let fault = run(&place, server.port, &records, &[]).await;
        assert_eq!(fault, expected, "{key:?} {authority:?} {signature:?}");
    }
}

#[tokio::test]
async fn a_pin_stands_for_known_hosts_and_a_revocation_stands_above_it() {
    let Some(_turn) = turn() else { return };
    let place = Place::new();
    let server = sshd_with(&place, &["ed25519", "rsa"], "");
    let fingerprint = |kind: &str| {
        let said = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(place.path(&format!("host_{kind}.pub")))
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        said.split_whitespace().nth(1).unwrap().to_owned()
    };
    let (edwards, rsa) = (fingerprint("ed25519"), fingerprint("rsa"));
    let wrong = format!("SHA256:{}", "A".repeat(43));
    let typed = format!("ssh-rsa {rsa}");
    let revoked = format!("@revoked * {}", place.public("host_ed25519"));
    let known = server.known_hosts.as_str();
    for (records, pins, expected) in [
        ("", &[edwards.as_str()][..], None),
        ("", &[wrong.as_str(), edwards.as_str()], None),
        ("", &[typed.as_str()], None),
        // A host that holds both shows the first of the types that are asked for.
        ("", &[rsa.as_str()], Some("host_key_mismatch")),
        (known, &[wrong.as_str()], Some("host_key_mismatch")),
        (&revoked, &[edwards.as_str()], Some("host_key_revoked")),
        (known, &[], None),
        ("", &[], Some("host_key_unknown")),
    ] {
        let fault = run(&place, server.port, records, pins).await;
        assert_eq!(fault, expected, "{records} {pins:?}");
    }
}

#[tokio::test]
async fn a_pin_is_not_passed_by_on_a_connection_that_another_entry_made() {
    let Some(_turn) = turn() else { return };
    let place = Place::new();
    let server = sshd_with(&place, &["ed25519"], "");
    let wrong = HostKeyPin::parse(&format!("SHA256:{}", "A".repeat(43))).unwrap();
    let (engine, access) = (engine(), place.access(&server.known_hosts));
    for (pins, expected) in [
        (Vec::new(), None),
        (vec![wrong], Some("host_key_mismatch")),
        (Vec::new(), None),
    ] {
        let journaled = journaled_on(server.port, "root", "echo here", |target| {
            target.host.host_keys = pins;
        });
        let ended = engine
            .run(journaled.await, &access, CancellationToken::new(), None)
            .await;
        assert_eq!(ended.fault.map(|fault| fault.code), expected);
    }
}

#[tokio::test]
async fn either_of_two_recorded_keys_is_taken_and_no_key_of_another_type() {
    let Some(_turn) = turn() else { return };
    let place = Place::new();
    place.key("next", &["-t", "ed25519", "-N", ""]);
    let server = sshd_with(&place, &["ed25519"], "");
    let (name, next) = (format!("[127.0.0.1]:{}", server.port), place.public("next"));
    let shown = place.public("host_ed25519");
    for records in [
        format!("{name} {next}{name} {shown}"),
        format!("{name} {shown}{name} {next}"),
    ] {
        assert_eq!(run(&place, server.port, &records, &[]).await, None);
    }
    // Only an RSA key is recorded, and the host has none.
    place.key("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]);
    let records = format!("{name} {}", place.public("rsa"));
    let fault = run(&place, server.port, &records, &[]).await;
    assert_eq!(fault, Some("host_key_mismatch"));
    assert!(
        KnownHosts::parse(records.as_bytes())
            .authority_types(HOST, server.port)
            .is_empty()
    );
}
