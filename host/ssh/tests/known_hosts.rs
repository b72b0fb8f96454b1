//! The matching of names, compared with `ssh-keygen -F` on a table of files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod harness;

use harness::Place;
use portcullis_ssh::KnownHosts;
use std::process::Command;

/// The first fields of lines, each tried alone and all of them together.
const NAMES: [&str; 18] = [
    "web1",
    "WEB1",
    "web1,web2",
    "[web1]:2222",
    "[web1]:22",
    "web?",
    "web*",
    "*",
    "*.example.com",
    "*.example.com,!bad.example.com",
    "!bad.example.com,*.example.com",
    "!web1",
    "[*]:2222",
    "[*.example.com]:*",
    "10.0.0.*",
    "::1",
    "web1,",
    ",web1",
];

const HOSTS: [(&str, u16); 12] = [
    ("web1", 22),
    ("Web1", 22),
    ("web2", 22),
    ("web10", 22),
    ("web1", 2222),
    ("a.example.com", 22),
    ("bad.example.com", 22),
    ("a.b.example.com", 2222),
    ("example.com", 22),
    ("10.0.0.5", 22),
    ("::1", 22),
    ("other", 22),
];

/// The types of keys that `ssh-keygen` finds for a host behind a marker, or behind none.
fn reference(file: &std::path::Path, host: &str, port: u16, marker: Option<&str>) -> Vec<String> {
    let host = host.to_ascii_lowercase();
    let name = if port == 22 {
        host
    } else {
        format!("[{host}]:{port}")
    };
    let output = Command::new("ssh-keygen")
        .arg("-F")
        .arg(name)
        .arg("-f")
        .arg(file)
        .output()
        .unwrap();
    let mut types = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let first = words.next().unwrap();
        if first.starts_with('@') {
            words.next();
        }
        if marker != first.starts_with('@').then_some(first) {
            continue;
        }
        let kind = words.next().unwrap().to_owned();
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    types
}

fn check(place: &Place, text: &str) {
    let path = place.path("known_hosts");
    std::fs::write(&path, text).unwrap();
    let ours = KnownHosts::parse(text.as_bytes());
    for (host, port) in HOSTS {
        for (found, marker) in [
            (ours.recorded_types(host, port), None),
            (ours.authority_types(host, port), Some("@cert-authority")),
        ] {
            let expected = reference(&path, host, port, marker);
            assert_eq!(found, expected, "{marker:?} {host}:{port} in\n{text}");
        }
    }
}

#[test]
fn names_match_as_ssh_keygen_finds_them() {
    let place = Place::new();
    place.key("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]);
    let (ed25519, rsa) = (place.public("id"), place.public("rsa"));
    for names in NAMES {
        check(&place, &format!("{names} {ed25519}"));
        let authority = format!("@cert-authority {names} {rsa}");
        check(&place, &format!("{authority}@revoked {names} {ed25519}"));
    }
    let all: String = NAMES.iter().map(|names| format!("{names} {rsa}")).collect();
    check(&place, &all);
    for odd in [
        format!("# web1 {rsa}\n\n   \nweb1 {ed25519}"),
        format!("@revoked web1 {rsa}web1 {ed25519}"),
        format!("@cert-authority web1 {rsa}web1 {ed25519}"),
        format!("  \tweb1\t{ed25519}"),
        format!("web1 {rsa}web1 {ed25519}web1 {rsa}"),
        format!("web1 {}", ed25519.trim_end()),
    ] {
        check(&place, &odd);
    }
}

#[test]
fn hashed_names_match_as_ssh_keygen_finds_them() {
    let place = Place::new();
    let key = place.public("id");
    let path = place.path("hashed");
    let plain = format!("web1 {key}[web1]:2222 {key}a.example.com,web2 {key}10.0.0.5 {key}");
    std::fs::write(&path, plain).unwrap();
    let hashed = Command::new("ssh-keygen")
        .arg("-H")
        .arg("-f")
        .arg(&path)
        .output()
        .unwrap();
    assert!(hashed.status.success());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("|1|"));
    check(&place, &text);
}
