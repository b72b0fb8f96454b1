//! Commands on hosts behind other hosts, against real servers: each hop shows its key and is logged into, and the gate
//! says at which one it failed.
#![allow(
    clippy::await_holding_lock,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests; a turn lasts as long as its test"
)]

mod harness;

use harness::{Place, Server, engine, journaled_on, sshd_with, target, turn};
use portcullis_core::audit::Journaled;
use portcullis_core::config;
use portcullis_core::inventory::Hop;
use portcullis_core::request::Alias;
use portcullis_ssh::{Access, End, Ended, Engine, Generation, KnownHosts, Login, Methods};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Which ports lead to the host on the last one, the way's first hop first.
async fn journaled(ports: &[u16], command: &str) -> Journaled {
    let (last, before) = ports.split_last().unwrap();
    let hops = before.iter().enumerate().map(|(index, port)| {
        let mut hop = target(*port, "root");
        hop.host.alias = Alias::parse(&format!("hop{index}")).unwrap();
        Hop {
            host: hop.host,
            credential: hop.credential,
        }
    });
    let hops = hops.collect();
    journaled_on(*last, "root", command, |target| target.hops = hops).await
}

/// Logins with the key of each place, in the order of the way.
fn access(places: &[&Place], known_hosts: &str) -> Access<'static> {
    let login = |place: &&Place| -> Box<dyn Login> { Box::new(Methods::key(place.identity("id"))) };
    let mut logins: Vec<Box<dyn Login>> = places.iter().map(login).collect();
    Access {
        login: logins.pop().unwrap(),
        hops: logins,
        known_hosts: Arc::new(KnownHosts::parse(known_hosts.as_bytes())),
        generation: Generation::fresh(),
    }
}

async fn run(engine: &Engine, ports: &[u16], access: &Access<'_>) -> Ended {
    let journaled = journaled(ports, "echo here").await;
    engine
        .run(journaled, access, CancellationToken::new(), None)
        .await
}

/// Two places with a server each; the first one forwards to the second one only.
fn bastion() -> (Place, Server, Place, Server) {
    let inner = Place::new();
    let hidden = sshd_with(&inner, &["ed25519"], "");
    let outer = Place::new();
    let lines = format!("PermitOpen 127.0.0.1:{}\n", hidden.port);
    let bastion = sshd_with(&outer, &["ed25519"], &lines);
    (outer, bastion, inner, hidden)
}

#[tokio::test]
async fn a_host_behind_a_jump_host_is_reached_and_its_connection_is_kept() {
    let Some(_turn) = turn() else { return };
    let (outer, bastion, inner, hidden) = bastion();
    let known = format!("{}{}", bastion.known_hosts, hidden.known_hosts);
    let (engine, access) = (engine(), access(&[&outer, &inner], &known));
    let ports = [bastion.port, hidden.port];
    for turn in 0..3 {
        let ended = run(&engine, &ports, &access).await;
        assert_eq!(ended.end, End::Exited(0), "{:?}", ended.fault);
        // What was logged into once is used again.
        assert_eq!(ended.times.authenticate_us == 0, turn > 0);
    }
    // The way is part of what a connection is for: a run without it makes one of its own.
    let direct = run(&engine, &ports[1..], &access).await;
    assert_eq!(direct.end, End::Exited(0), "{:?}", direct.fault);
    assert_ne!(direct.times.authenticate_us, 0);
}

#[tokio::test]
async fn the_keys_of_a_host_behind_a_jump_host_are_asked_for_through_that() {
    let Some(_turn) = turn() else { return };
    let (outer, bastion, _inner, hidden) = bastion();
    let (policy, _) = config::policy("rules: []\n").unwrap();
    let contact = |port| {
        let mut there = target(port, "root");
        let hop = target(bastion.port, "root");
        there.hops = vec![Hop {
            host: hop.host,
            credential: hop.credential,
        }];
        let local = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        policy
            .contact(there, &local, std::slice::from_ref(&local))
            .unwrap()
    };
    // Only the jump host has to be known, and nobody logs into the host behind it.
    let there = access(&[&outer, &outer], &bastion.known_hosts);
    let scanned = engine()
        .scan(&contact(hidden.port), Some(&there))
        .await
        .unwrap();
    let line = scanned.keys[0].line("127.0.0.1", hidden.port);
    assert_eq!(scanned.keys.len(), 1);
    assert!(hidden.known_hosts.starts_with(&line), "{line}");
    let stranger = access(&[&outer, &outer], "");
    let fault = engine().scan(&contact(hidden.port), Some(&stranger)).await;
    assert_eq!(fault.unwrap_err().code, "host_key_unknown");
    // It forwards nowhere else.
    let fault = engine().scan(&contact(bastion.port), Some(&there)).await;
    assert_eq!(fault.unwrap_err().code, "jump_prohibited");
    let fault = engine().scan(&contact(hidden.port), None).await;
    assert_eq!(fault.unwrap_err().code, "credential_missing");
}

#[tokio::test]
async fn a_way_over_two_hosts_is_taken_in_order() {
    let Some(_turn) = turn() else { return };
    let (middle, second, inner, hidden) = bastion();
    let outer = Place::new();
    let lines = format!("PermitOpen 127.0.0.1:{}\n", second.port);
    let first = sshd_with(&outer, &["ed25519"], &lines);
    let known = [&first, &second, &hidden].map(|server| server.known_hosts.as_str());
    let known = known.concat();
    let there = access(&[&outer, &middle, &inner], &known);
    let ended = run(&engine(), &[first.port, second.port, hidden.port], &there).await;
    assert_eq!(ended.end, End::Exited(0), "{:?}", ended.fault);
    // The other way round nobody forwards.
    let back = access(&[&middle, &outer, &inner], &known);
    let ended = run(&engine(), &[second.port, first.port, hidden.port], &back).await;
    let fault = ended.fault.unwrap();
    assert_eq!(
        (fault.code, fault.at.as_deref()),
        ("jump_prohibited", Some("hop0"))
    );
}

#[tokio::test]
async fn what_fails_on_the_way_is_named_with_the_host_at_which_it_does() {
    let Some(_turn) = turn() else { return };
    let (outer, bastion, inner, hidden) = bastion();
    let (of_bastion, of_hidden) = (&bastion.known_hosts, &hidden.known_hosts);
    let both = format!("{of_bastion}{of_hidden}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap().port();
    drop(closed);
    let of_nobody = format!("{both}[127.0.0.1]:{nobody} {}", outer.public("id"));
    let wrong = format!(
        "[127.0.0.1]:{} {}{of_hidden}",
        bastion.port,
        outer.public("id")
    );
    let (right, swapped) = ([&outer, &inner], [&inner, &outer]);
    let there = [bastion.port, hidden.port];
    for (places, ports, known, code, at) in [
        (right, there, of_hidden, "host_key_unknown", Some("hop0")),
        (right, there, &wrong, "host_key_mismatch", Some("hop0")),
        (right, there, of_bastion, "host_key_unknown", None),
        (swapped, there, &both, "authentication_failed", Some("hop0")),
        (
            right,
            [nobody, hidden.port],
            &of_nobody,
            "connection_refused",
            Some("hop0"),
        ),
        (
            right,
            [bastion.port, nobody],
            &of_nobody,
            "jump_prohibited",
            Some("hop0"),
        ),
        (
            right,
            [hidden.port, nobody],
            &of_nobody,
            "authentication_failed",
            Some("hop0"),
        ),
        (
            [&inner, &inner],
            [hidden.port, nobody],
            &of_nobody,
            "connection_refused",
            None,
        ),
    ] {
        let ended = run(&engine(), &ports, &access(&places, known)).await;
        let fault = ended.fault.expect("nothing ran");
        assert_eq!(
            (fault.code, fault.at.as_deref()),
            (code, at),
            "{ports:?}\n{known}"
        );
        assert_eq!(ended.end, End::Unreachable);
    }
}

#[tokio::test]
async fn a_jump_host_that_dies_leaves_no_success_and_the_next_run_takes_another_connection() {
    let Some(_turn) = turn() else { return };
    let (outer, bastion, inner, hidden) = bastion();
    let known = format!("{}{}", bastion.known_hosts, hidden.known_hosts);
    let (engine, access) = (engine(), access(&[&outer, &inner], &known));
    let ports = [bastion.port, hidden.port];
    let sleeping = journaled(&ports, "sleep 60").await;
    let running = engine.run(sleeping, &access, CancellationToken::new(), None);
    let killing = async {
        while !hidden.runs("sleep 60") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bastion.drop_connections();
    };
    let (ended, ()) = tokio::join!(running, killing);
    assert_eq!(ended.end, End::Unknown, "{:?}", ended.fault);
    assert_eq!(ended.fault.unwrap().code, "connection_lost");
    let next = run(&engine, &ports, &access).await;
    assert_eq!(next.end, End::Exited(0), "{:?}", next.fault);
}
