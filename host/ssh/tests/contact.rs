//! Contact that runs nothing, on real servers: the keys are those that `ssh-keyscan` sees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod harness;

use harness::{Place, engine, serve_types};
use portcullis_core::config;
use portcullis_core::inventory::{Credential, Host, LoginShell, Target};
use portcullis_core::policy::Contact;
use portcullis_core::request::Alias;
use portcullis_ssh::{KnownHosts, Standing};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::Command;

fn contact(port: u16, policy: &str) -> Contact {
    let (policy, _) = config::policy(policy).unwrap();
    let target = Target {
        hops: Vec::new(),
        host: Host {
            alias: Alias::parse("test1").unwrap(),
            host: "127.0.0.1".to_owned(),
            port,
            credentials: Some("c".to_owned()),
            tags: Vec::new(),
            description: String::new(),
            shell: LoginShell::default(),
            host_keys: Vec::new(),
            jump: Vec::new(),
            watchdog: portcullis_core::inventory::Watchdog::default(),
        },
        credential: Some(Credential {
            name: "c".to_owned(),
            username: "root".to_owned(),
            key_path: None,
            key_passphrase_secret: None,
            key_passphrase_env: None,
            password_secret: None,
            password_env: None,
            certificate_path: None,
            agent_key: None,
            methods: Vec::new(),
        }),
    };
    let local = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let contact = policy.contact(target, &local, &[]);
    contact.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

#[tokio::test]
async fn the_keys_that_a_host_shows_are_those_that_ssh_keyscan_sees() {
    let place = Place::new();
    let Some(server) = serve_types(&place, &["ed25519", "ecdsa", "rsa"]) else {
        return;
    };
    let contact = contact(server.port, "rules: []\n");
    let scanned = engine().scan(&contact, None).await.unwrap();
    assert_eq!(scanned.fault, None);
    assert_eq!(scanned.peer, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let ours: BTreeSet<String> = scanned
        .keys
        .iter()
        .map(|key| key.line("127.0.0.1", server.port))
        .collect();
    let output = Command::new("ssh-keyscan")
        .args(["-p", &server.port.to_string(), "127.0.0.1"])
        .output()
        .unwrap();
    let theirs: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!((ours.len(), &ours), (3, &theirs));
    assert!(scanned.keys.iter().all(|key| key.usable));

    let lines: Vec<&str> = server.known_hosts.lines().collect();
    let standings = |records: &str| {
        let known = KnownHosts::parse(records.as_bytes());
        known.standings("127.0.0.1", server.port, &scanned.keys)
    };
    use Standing::{Added, Changed, Known, New};
    assert_eq!(standings(&server.known_hosts), [Known, Known, Known]);
    assert_eq!(standings(""), [New, New, New]);
    // One recorded key that is shown vouches for types that nobody has recorded.
    assert_eq!(standings(lines[0]), [Known, Added, Added]);
    // One recorded key that is not shown vouches for nothing.
    let stranger = Place::new();
    let other = stranger.public("id");
    let other: Vec<&str> = other.split(' ').collect();
    let changed = format!("[127.0.0.1]:{} {} {}", server.port, other[0], other[1]);
    assert_eq!(standings(&changed), [Changed, Changed, Changed]);
}

#[tokio::test]
async fn a_login_is_tried_and_nothing_is_run() {
    let place = Place::new();
    let Some(server) = serve_types(&place, &["ed25519"]) else {
        return;
    };
    let contact = contact(server.port, "rules: []\n");
    let access = place.access(&server.known_hosts);
    let reached = engine().reach(&contact, &access).await.unwrap();
    assert_eq!(reached.peer, IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert!(reached.times.connect_us > 0 && reached.times.authenticate_us > 0);
    assert_eq!((reached.times.channel_us, reached.times.remote_us), (0, 0));
    let unknown = engine().reach(&contact, &place.access("")).await;
    assert_eq!(unknown.unwrap_err().code, "host_key_unknown");
    place.key("stranger", &["-t", "ed25519", "-N", ""]);
    let methods = portcullis_ssh::Methods::key(place.identity("stranger"));
    let access = place.access_with(methods, &server.known_hosts);
    let refused = engine().reach(&contact, &access).await;
    assert_eq!(refused.unwrap_err().code, "authentication_failed");
}

#[tokio::test]
async fn what_is_no_ssh_server_and_what_is_not_there_are_faults() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let talker = std::thread::spawn(move || {
        use std::io::Write;
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let contact_there = contact(port, "rules: []\n");
    let fault = engine().scan(&contact_there, None).await.unwrap_err();
    assert_eq!(fault.code, "connection_failed");
    talker.join().unwrap();
    let fault = engine().scan(&contact_there, None).await.unwrap_err();
    assert_eq!(fault.code, "connection_refused");
}

#[test]
fn an_address_that_the_lists_do_not_admit_is_not_contacted() {
    let (policy, _) =
        config::policy("rules: []\nnetwork:\n  block_cidrs: ['127.0.0.0/8']\n").unwrap();
    let target = contact(1, "rules: []\n").target().clone();
    let local = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let refusal = policy.contact(target.clone(), &local, &[]).unwrap_err();
    assert_eq!(refusal.code.as_str(), "network_not_allowed");
    let refusal = policy.contact(target, &[], &[]).unwrap_err();
    assert_eq!(refusal.code.as_str(), "dns_failed");
}
