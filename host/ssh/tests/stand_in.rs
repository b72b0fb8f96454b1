//! What the engine says of hosts that break the rules, shown on the stand-in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod harness;

use harness::{Place, engine};
use portcullis_ssh::target::{Answer, Ending, Reply, Target};
use portcullis_ssh::{End, Ended, Phase, Termination};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

async fn stand_in(place: &Place, reply: Reply) -> Target {
    let answer: Answer = Arc::new(move |_| reply.clone());
    Target::start(&place.public("id"), answer).await.unwrap()
}

async fn run_with(place: &Place, target: &Target, known_hosts: &str, limits: &str) -> Ended {
    let journaled = place
        .journaled(target.address().port(), "anyone", "echo hello", limits)
        .await;
    let access = place.access(known_hosts);
    engine()
        .run(journaled, &access, CancellationToken::new(), None)
        .await
}

/// Runs one command against one ending. Returns also how often a command was sent.
async fn check(ending: Ending, limits: &str) -> (Ended, usize) {
    let place = Place::new();
    let target = stand_in(&place, Reply::text("hello\n").ending(ending)).await;
    let ended = run_with(&place, &target, &target.known_hosts_line(), limits).await;
    (ended, target.commands().len())
}

fn code(ended: &Ended) -> Option<&'static str> {
    ended.fault.as_ref().map(|fault| fault.code)
}

#[tokio::test]
async fn what_is_sent_is_the_rendered_command() {
    let place = Place::new();
    let target = stand_in(&place, Reply::text("hello\n")).await;
    let ended = run_with(&place, &target, &target.known_hosts_line(), "").await;
    assert_eq!(target.commands(), ["echo hello"]);
    assert_eq!((ended.end, ended.raw.stdout.total()), (End::Exited(0), 6));
    assert!(ended.times.connect_us > 0 && ended.times.remote_us > 0);
}

#[tokio::test]
async fn a_status_before_the_output_does_not_cost_output() {
    let (ended, sent) = check(Ending::StatusFirst, "").await;
    assert_eq!(
        (&ended.end, ended.raw.stdout.total(), sent),
        (&End::Exited(0), 6, 1)
    );
}

#[tokio::test]
async fn no_status_is_never_success() {
    let (ended, sent) = check(Ending::NoStatus, "").await;
    assert_eq!(
        (&ended.end, code(&ended), sent),
        (&End::Unknown, Some("exit_status_missing"), 1)
    );
    assert_eq!((ended.end.exit_code(), ended.end.state()), (-1, "unknown"));
}

#[tokio::test]
async fn a_lost_connection_is_unknown_and_nothing_is_sent_twice() {
    let (ended, sent) = check(Ending::Drop, "").await;
    assert_eq!(
        (&ended.end, code(&ended), sent),
        (&End::Unknown, Some("connection_lost"), 1)
    );
}

#[tokio::test]
async fn a_signal_keeps_its_name_and_an_odd_name_is_not_shown() {
    let (ended, _) = check(Ending::Signal("SEGV"), "").await;
    assert_eq!(ended.end.signal().as_deref(), Some("SEGV"));
    let (ended, _) = check(Ending::Signal("\u{1b}[2J"), "").await;
    assert_eq!(ended.end.signal().as_deref(), Some("UNKNOWN"));
}

#[tokio::test]
async fn a_host_that_refuses_the_command_ran_nothing() {
    let (ended, _) = check(Ending::Refuse, "").await;
    assert_eq!(
        (&ended.end, code(&ended)),
        (&End::Unreachable, Some("session_refused"))
    );
}

#[tokio::test]
async fn an_ending_is_confirmed_by_the_last_word_only() {
    let (ended, _) = check(Ending::UntilEnded, "max_seconds: 1").await;
    assert_eq!(ended.end, End::TimedOut(Termination::Confirmed));
    assert_eq!(ended.raw.stderr.total(), 0, "the last word is no output");
    let (ended, _) = check(Ending::UntilEndedWithoutProof, "max_seconds: 1").await;
    assert_eq!(ended.end, End::TimedOut(Termination::SignalledUnconfirmed));
}

#[tokio::test]
async fn a_host_that_heeds_nothing_is_said_to_be_left_running() {
    let (ended, sent) = check(Ending::Hang, "max_seconds: 1").await;
    assert_eq!(
        (ended.end, sent),
        (End::TimedOut(Termination::LeftRunning), 1)
    );
}

#[tokio::test]
async fn the_last_word_without_an_ending_is_output_like_any_other() {
    let place = Place::new();
    let mut reply = Reply::text("");
    reply.stderr = b"portcullis: the process group has ended\n".to_vec();
    let bytes = reply.stderr.len() as u64;
    let target = stand_in(&place, reply).await;
    let ended = run_with(&place, &target, &target.known_hosts_line(), "").await;
    assert_eq!(
        (ended.end, ended.raw.stderr.total()),
        (End::Exited(0), bytes)
    );
}

#[tokio::test]
async fn output_up_to_the_hard_stop_passes_and_past_it_ends_the_command() {
    let limits = "output_hard_stop_bytes: 1000000";
    let (ended, _) = check(Ending::Flood(1_000_000 - 6), limits).await;
    assert_eq!(
        (&ended.end, ended.raw.stdout.total()),
        (&End::Exited(0), 1_000_000)
    );
    let (ended, _) = check(Ending::Flood(200_000_000), limits).await;
    assert!(
        matches!(ended.end, End::OutputHardStop(_)),
        "{:?}",
        ended.end
    );
    assert!(
        ended.raw.stdout.total() < 100_000_000,
        "{}",
        ended.raw.stdout.total()
    );
}

#[tokio::test]
async fn a_wrong_an_unknown_and_a_revoked_host_key_end_before_any_login() {
    let place = Place::new();
    let target = stand_in(&place, Reply::text("hello\n")).await;
    let line = target.known_hosts_line();
    let wrong = target.wrong_known_hosts_line().unwrap();
    for (known_hosts, expected) in [
        (wrong, "host_key_mismatch"),
        (String::new(), "host_key_unknown"),
        (line.replace("127.0.0.1", "127.0.0.2"), "host_key_unknown"),
        (format!("@cert-authority {line}"), "host_key_mismatch"),
        (format!("{line}@revoked {line}"), "host_key_revoked"),
        (
            format!("{line}@revoked * {}", line.split_once(' ').unwrap().1),
            "host_key_revoked",
        ),
    ] {
        let ended = run_with(&place, &target, &known_hosts, "").await;
        assert_eq!(
            (&ended.end, code(&ended)),
            (&End::Unreachable, Some(expected)),
            "{known_hosts}"
        );
    }
    assert_eq!((target.logins(), target.commands().len()), (0, 0));
    assert_eq!(
        target.connections(),
        4,
        "a host without a recorded key is not even dialled"
    );
}

#[tokio::test]
async fn a_refused_and_a_silent_port_are_told_apart() {
    let place = Place::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let line = |port| format!("[127.0.0.1]:{port} {}", place.public("id"));
    let journaled = place.journaled(port, "anyone", "echo hello", "").await;
    let access = place.access(&line(port));
    let ended = engine()
        .run(journaled, &access, CancellationToken::new(), None)
        .await;
    assert_eq!(
        (&ended.end, code(&ended)),
        (&End::Unreachable, Some("connection_refused"))
    );
    assert_eq!(ended.peer, None);

    // It takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let journaled = place
        .journaled(port, "anyone", "echo hello", "max_seconds: 1")
        .await;
    let access = place.access(&line(port));
    let ended = engine()
        .run(journaled, &access, CancellationToken::new(), None)
        .await;
    assert_eq!(ended.end, End::TimedOut(Termination::Confirmed));
    assert_eq!(code(&ended), Some("connection_timeout"));
}

#[tokio::test]
async fn a_cancel_before_the_command_is_sent_sends_nothing() {
    let place = Place::new();
    let target = stand_in(&place, Reply::text("hello\n")).await;
    let journaled = place
        .journaled(target.address().port(), "anyone", "echo hello", "")
        .await;
    let access = place.access(&target.known_hosts_line());
    let stop = CancellationToken::new();
    stop.cancel();
    let ended = engine().run(journaled, &access, stop, None).await;
    assert_eq!(ended.end, End::Cancelled(Termination::Confirmed));
    assert!(target.commands().is_empty());
}

#[tokio::test]
async fn progress_is_told_in_order_and_of_a_silent_command_too() {
    let place = Place::new();
    let mut reply = Reply::text("hello\n");
    reply.delay = Duration::from_millis(2_500);
    let target = stand_in(&place, reply).await;
    let limits = "task_progress_interval: 1";
    let journaled = place
        .journaled(target.address().port(), "anyone", "echo hello", limits)
        .await;
    let access = place.access(&target.known_hosts_line());
    let notes = Mutex::new(Vec::new());
    let note = |phase: Phase, bytes: u64| notes.lock().unwrap().push((phase.as_str(), bytes));
    let ended = engine()
        .run(journaled, &access, CancellationToken::new(), Some(&note))
        .await;
    assert_eq!(ended.end, End::Exited(0));
    let notes = notes.into_inner().unwrap();
    assert_eq!(
        notes[..3],
        [("connecting", 0), ("connected", 0), ("running", 0)]
    );
    assert!(notes.len() > 3, "{notes:?}");
}

#[tokio::test]
async fn many_runs_at_once_on_one_host_all_end() {
    let place = Place::new();
    let target = stand_in(&place, Reply::text("hello\n")).await;
    let (engine, access) = (engine(), place.access(&target.known_hosts_line()));
    let access = Arc::new(access);
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let journaled = place
            .journaled(target.address().port(), "anyone", "echo hello", "")
            .await;
        let (engine, access) = (engine.clone(), Arc::clone(&access));
        runs.spawn(async move {
            engine
                .run(journaled, &access, CancellationToken::new(), None)
                .await
                .end
        });
    }
    assert!(
        runs.join_all()
            .await
            .iter()
            .all(|end| *end == End::Exited(0))
    );
    assert_eq!(target.commands().len(), 40);
}

#[tokio::test]
async fn literal_addresses_are_their_own_and_a_name_without_address_has_none() {
    let engine = engine();
    for text in ["127.0.0.1", "::1", "2001:db8::7"] {
        assert_eq!(
            engine.resolve(text).await.addresses,
            [text.parse::<std::net::IpAddr>().unwrap()]
        );
    }
    for name in ["no-such-host.invalid", ""] {
        assert!(engine.resolve(name).await.addresses.is_empty(), "{name:?}");
    }
}
