//! Real servers with the limits of OpenSSH: keys that are exchanged anew, sessions of one connection, logins at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::await_holding_lock,
    reason = "tests; one server at a time, each test on a runtime of its own"
)]

mod harness;

use harness::{Place, USER, engine, journaled_at, sshd_with, turn};
use portcullis_core::output::Stream;
use portcullis_ssh::{Ear, End, Engine};
use ring::digest::{Context, SHA256};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Digests standard output as it comes.
struct Digesting(Mutex<Context>);

impl Ear for Digesting {
    fn hear(&self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stdout {
            self.0.lock().unwrap().update(bytes);
        }
    }
}

#[tokio::test]
async fn output_is_whole_when_keys_are_exchanged_anew_in_the_middle_of_it() {
    let Some(_turn) = turn() else {
        return;
    };
    let place = Place::new();
    // Some twenty exchanges.
    let server = sshd_with(&place, &["ed25519"], "RekeyLimit 1M\n");
    let script = place.script("counts", "exec seq 1 3000000");
    let expected = std::process::Command::new("seq")
        .args(["1", "3000000"])
        .output()
        .unwrap()
        .stdout;
    let journaled = place.journaled(server.port, USER, &script, "").await;
    let access = place.access(&server.known_hosts);
    let ear = Arc::new(Digesting(Mutex::new(Context::new(&SHA256))));
    let heard = Arc::clone(&ear) as Arc<dyn Ear>;
    let stop = CancellationToken::new();
    let ended = engine()
        .run_heard(journaled, &access, stop, None, Some(heard))
        .await;
    assert_eq!(
        (&ended.end, ended.raw.stdout.total()),
        (&End::Exited(0), expected.len() as u64)
    );
    let digest = ear.0.lock().unwrap().clone().finish();
    assert_eq!(
        digest.as_ref(),
        ring::digest::digest(&SHA256, &expected).as_ref()
    );
}

#[tokio::test]
async fn twenty_at_once_are_served_by_a_host_of_ten_sessions() {
    let Some(_turn) = turn() else {
        return;
    };
    let place = Place::new();
    let server = sshd_with(&place, &["ed25519"], "MaxSessions 10\n");
    let script = place.script("naps", "sleep 0.2");
    let access = Arc::new(place.access(&server.known_hosts));
    let engine = engine();
    // The second and the third round find connections that are there, and are asked and spared on the way.
    for round in 0..3 {
        let mut runs = JoinSet::new();
        for _ in 0..20 {
            let journaled = place.journaled(server.port, USER, &script, "").await;
            let (engine, access) = (engine.clone(), Arc::clone(&access));
            runs.spawn(async move {
                let ended = engine
                    .run(journaled, &access, CancellationToken::new(), None)
                    .await;
                (ended.end, ended.fault)
            });
        }
        for (end, fault) in runs.join_all().await {
            assert_eq!((end, fault), (End::Exited(0), None), "round {round}");
        }
    }
}

/// Runs once on each of many hosts that are one server, and says what did not end as it should.
async fn failures(
    place: &Place,
    port: u16,
    known_hosts: &str,
    engines: &[Engine],
    count: usize,
) -> Vec<String> {
    let access = Arc::new(place.access(known_hosts));
    let mut runs = JoinSet::new();
    for number in 0..count {
        // The server listens on fifteen addresses; the credential makes each a login of its own.
        let host = format!("127.0.0.{}", 2 + number % 15);
        let journaled = journaled_at(&host, port, USER, &format!("c{number}")).await;
        let (engine, access) = (engines[number % engines.len()].clone(), Arc::clone(&access));
        runs.spawn(async move {
            let ended = engine
                .run(journaled, &access, CancellationToken::new(), None)
                .await;
            (ended.end, ended.fault)
        });
    }
    let ended = runs.join_all().await.into_iter();
    let failed = ended.filter(|(end, _)| *end != End::Exited(0));
    failed.map(|it| format!("{it:?}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_login_of_many_at_once_fails_at_a_server_that_turns_some_away() {
    let Some(_turn) = turn() else {
        return;
    };
    let place = Place::new();
    let mut lines = "MaxStartups 10:30:100\n".to_owned();
    for last in 2..17 {
        lines.push_str(&format!("ListenAddress 127.0.0.{last}\n"));
    }
    let server = sshd_with(&place, &["ed25519"], &lines);
    let known_hosts = server.known_hosts.replace("127.0.0.1", "127.0.0.*");
    // One gate with many hosts, and then four gates at once, which do not know of each other.
    let one = failures(&place, server.port, &known_hosts, &[engine()], 100).await;
    assert!(one.is_empty(), "{} of 100: {one:?}", one.len());
    let four = [engine(), engine(), engine(), engine()];
    let four = failures(&place, server.port, &known_hosts, &four, 100).await;
    assert!(four.is_empty(), "{} of 100: {four:?}", four.len());
}
