//! What the engine says of commands on real sshd and dropbear, as a normal user and as root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod harness;

use harness::{Kind, Place, USER, engine, serve, sshd};
use portcullis_ssh::{End, Ended, Methods, Termination};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERYWHERE: [(Kind, &str); 4] = [
    (Kind::Sshd, USER),
    (Kind::Sshd, "root"),
    (Kind::Dropbear, "root"),
    (Kind::Dropbear, USER),
];

/// Children of every sort: one that ends on TERM, one that ignores it, one that ignores it and holds no
/// stream of the command.
const TREE: &str = "sleep 1000 &
sh -c 'trap \"\" TERM; while :; do sleep 1; done' &
sh -c 'trap \"\" TERM; exec sleep 1000' >/dev/null 2>&1 &
echo up
wait
sleep 1000";

async fn run(
    place: &Place,
    server: &harness::Server,
    user: &str,
    command: &str,
    limits: &str,
) -> Ended {
    let journaled = place.journaled(server.port, user, command, limits).await;
    let access = place.access(&server.known_hosts);
    engine()
        .run(journaled, &access, CancellationToken::new(), None)
        .await
}

#[tokio::test]
async fn status_streams_and_peer_are_reported_everywhere() {
    for (kind, user) in EVERYWHERE {
        let place = Place::new();
        let Some(server) = serve(&place, kind, user) else {
            return;
        };
        let script = place.script("three", "echo out; printf err >&2; exit 3");
        let ended = run(&place, &server, user, &script, "").await;
        assert_eq!(
            ended.end,
            End::Exited(3),
            "{kind:?} {user} {:?}",
            ended.fault
        );
        assert_eq!((ended.raw.stdout.total(), ended.raw.stderr.total()), (4, 3));
        assert_eq!(ended.peer, Some([127, 0, 0, 1].into()));
        assert_eq!(ended.fault, None);
    }
}

#[tokio::test]
async fn a_signal_is_reported_as_one() {
    for (kind, user) in EVERYWHERE {
        let place = Place::new();
        let Some(server) = serve(&place, kind, user) else {
            return;
        };
        // The whole group, and with it the shell that the server started. A script of its own that dies
        // is reported by that shell, as 128 and the number.
        let script = place.script("dies", "kill -s KILL 0");
        let ended = run(&place, &server, user, &script, "").await;
        match kind {
            Kind::Sshd => {
                assert_eq!(ended.end, End::Signalled("KILL".to_owned()), "{user}");
                assert_eq!(
                    (ended.end.exit_code(), ended.end.state()),
                    (-1, "signalled")
                );
            }
            Kind::Dropbear => assert_eq!(ended.end, End::Exited(137), "{user}"),
        }
    }
}

#[tokio::test]
async fn the_time_limit_ends_the_whole_tree() {
    for (kind, user) in EVERYWHERE {
        let place = Place::new();
        let Some(server) = serve(&place, kind, user) else {
            return;
        };
        let script = place.script("tree", TREE);
        let ended = run(&place, &server, user, &script, "max_seconds: 2").await;
        let left = place.alive();
        assert_eq!(left, 0, "{kind:?} {user} {:?}", ended.end);
        assert_eq!(
            ended.end,
            End::TimedOut(Termination::Confirmed),
            "{kind:?} {user}"
        );
        assert_eq!(
            ended.raw.stdout.total(),
            3,
            "the output before the end is kept"
        );
    }
}

#[tokio::test]
async fn a_cancel_ends_the_whole_tree() {
    for (kind, user) in EVERYWHERE {
        let place = Place::new();
        let Some(server) = serve(&place, kind, user) else {
            return;
        };
        let script = place.script("tree", TREE);
        let journaled = place.journaled(server.port, user, &script, "").await;
        let access = place.access(&server.known_hosts);
        let stop = CancellationToken::new();
        let caller = async {
            while place.alive() < 4 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stop.cancel();
        };
        let engine = engine();
        let (ended, ()) = tokio::join!(engine.run(journaled, &access, stop.clone(), None), caller);
        let left = place.alive();
        assert_eq!(left, 0, "{kind:?} {user} {:?}", ended.end);
        assert_eq!(
            ended.end,
            End::Cancelled(Termination::Confirmed),
            "{kind:?} {user}"
        );
    }
}

#[tokio::test]
async fn a_dropped_run_ends_the_whole_tree_too() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let script = place.script("tree", TREE);
    let journaled = place.journaled(server.port, USER, &script, "").await;
    let access = place.access(&server.known_hosts);
    let engine = engine();
    {
        let running = engine.run(journaled, &access, CancellationToken::new(), None);
        let started = async {
            while place.alive() < 4 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            _ = running => panic!("it does not end by itself"),
            () = started => {}
        }
    }
    until_gone(&place).await;
}

#[tokio::test]
async fn a_background_process_that_holds_the_streams_does_not_hold_up_the_answer() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let script = place.script("leaves", "sleep 20 & echo done; exit 4");
    let ended = run(&place, &server, USER, &script, "").await;
    assert_eq!((ended.end, ended.raw.stdout.total()), (End::Exited(4), 5));
    assert_eq!(place.alive(), 1);
}

#[tokio::test]
async fn a_leader_that_was_killed_before_is_no_proof_that_its_group_is_gone() {
    for (kind, user) in EVERYWHERE {
        let place = Place::new();
        let Some(server) = serve(&place, kind, user) else {
            return;
        };
        // Something kills the shell that leads; a child without streams lives, and one that prints keeps the run going.
        let script = place.script(
            "leaderless",
            "sleep 12 </dev/null >/dev/null 2>&1 &
             (for _ in 1 2 3 4 5 6 7 8; do echo x; sleep 1; done) &
             sleep 1; read -r _ _ _ _ leader _ </proc/self/stat; kill -s KILL $leader $$",
        );
        let ended = run(&place, &server, user, &script, "max_seconds: 4").await;
        let left = place.alive();
        assert!(
            left == 0 || ended.end != End::TimedOut(Termination::Confirmed),
            "{kind:?} {user}: {left} left, {:?}",
            ended.end
        );
        until_gone(&place).await;
    }
}

#[tokio::test]
async fn a_background_process_that_goes_on_printing_is_said_to_be_left() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let script = place.script("prints", "while :; do echo x; sleep 1; done & exit 4");
    let ended = run(&place, &server, USER, &script, "max_seconds: 2").await;
    assert_eq!(ended.end, End::TimedOut(Termination::LeftRunning));
    // It ends by itself when nobody reads it any more.
    until_gone(&place).await;
}

#[tokio::test]
async fn what_a_finished_command_left_without_the_streams_is_spared() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let script = place.script("daemon", "sleep 10 </dev/null >/dev/null 2>&1 & echo done");
    let ended = run(&place, &server, USER, &script, "").await;
    assert_eq!(ended.end, End::Exited(0));
    // A second run is far longer than the watcher takes.
    let other = place.script("other", "exit 0");
    let ended = run(&place, &server, USER, &other, "").await;
    assert_eq!(ended.end, End::Exited(0));
    assert_eq!(place.alive(), 1);
    until_gone(&place).await;
}

#[tokio::test]
async fn a_flood_is_ended_and_stays_within_its_bounds() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let script = place.script("flood", "exec yes");
    let limits = "max_output_bytes: 1000, output_hard_stop_bytes: 3000000";
    let ended = run(&place, &server, USER, &script, limits).await;
    assert_eq!(ended.end, End::OutputHardStop(Termination::Confirmed));
    assert!(ended.raw.stdout.total() > 3_000_000);
    assert_eq!(place.alive(), 0);
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_end_unknown() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, "root") else {
        return;
    };
    // The parent of the script's shell is the command's shell, and its parent the session's own sshd.
    let script = place.script(
        "breaks",
        "echo out; kill -s KILL $(ps -o ppid= -p $PPID); sleep 1000",
    );
    let ended = run(&place, &server, "root", &script, "").await;
    assert_eq!(ended.end, End::Unknown);
    assert_eq!(ended.fault.unwrap().code, "connection_lost");
    until_gone(&place).await;
}

#[tokio::test]
async fn another_key_is_not_let_in() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    place.key("other", &["-t", "ed25519", "-N", ""]);
    let script = place.script("zero", "exit 0");
    let journaled = place.journaled(server.port, USER, &script, "").await;
    let access = place.access_with(Methods::key(place.identity("other")), &server.known_hosts);
    let ended = engine()
        .run(journaled, &access, CancellationToken::new(), None)
        .await;
    assert_eq!(ended.end, End::Unreachable);
    assert_eq!(ended.fault.unwrap().code, "authentication_failed");
}

#[tokio::test]
async fn every_kind_of_key_logs_in() {
    let place = Place::new();
    let options: [(&str, &[&str]); 4] = [
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]),
        ("pem", &["-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM"]),
        ("p256", &["-t", "ecdsa", "-b", "256", "-N", ""]),
        ("p521", &["-t", "ecdsa", "-b", "521", "-N", ""]),
    ];
    let mut authorized = place.public("id");
    for (name, options) in options {
        place.key(name, options);
        authorized.push_str(&place.public(name));
    }
    std::fs::write(place.path("authorized_keys"), authorized).unwrap();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let script = place.script("zero", "exit 0");
    for (name, _) in options {
        let journaled = place.journaled(server.port, USER, &script, "").await;
        let access = place.access_with(Methods::key(place.identity(name)), &server.known_hosts);
        let ended = engine()
            .run(journaled, &access, CancellationToken::new(), None)
            .await;
        assert_eq!(ended.end, End::Exited(0), "{name} {:?}", ended.fault);
    }
}

#[tokio::test]
async fn a_host_shows_the_key_that_is_recorded_for_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    let server = sshd(&place, &["ed25519", "ecdsa", "rsa"]);
    let script = place.script("zero", "exit 0");
    for line in server.known_hosts.lines() {
        let journaled = place.journaled(server.port, USER, &script, "").await;
        let access = place.access(line);
        let ended = engine()
            .run(journaled, &access, CancellationToken::new(), None)
            .await;
        assert_eq!(ended.end, End::Exited(0), "{line} {:?}", ended.fault);
    }
    // A type that is recorded and that the host has no longer is a mismatch, not a new key.
    let other = Place::new();
    let only = sshd(&other, &["ed25519"]);
    let rsa = place.public("host_rsa");
    let journaled = place.journaled(only.port, USER, &script, "").await;
    let access = place.access(&format!("[127.0.0.1]:{} {rsa}", only.port));
    let ended = engine()
        .run(journaled, &access, CancellationToken::new(), None)
        .await;
    assert_eq!(ended.fault.unwrap().code, "host_key_mismatch");
}

#[tokio::test]
async fn a_command_arrives_as_it_was_rendered_whatever_the_quoting() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    for (command, bytes) in [
        (r#"echo 'it'"'"'s' "a\\q" '!' '$HOME' "é""#, 20),
        ("echo 'two\nlines'", 10),
    ] {
        let ended = run(&place, &server, USER, command, "").await;
        assert_eq!(
            (&ended.end, ended.raw.stdout.total()),
            (&End::Exited(0), bytes),
            "{command}"
        );
    }
}

async fn until_gone(place: &Place) {
    for _ in 0..400 {
        if place.alive() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} processes are left", place.alive());
}
