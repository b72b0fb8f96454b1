//! Commands without a watchdog, on real servers: where there is none, that the gate ends the whole tree all the same, and
//! that there is one wherever signals do not work.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::await_holding_lock,
    reason = "tests; one server at a time, each test on a runtime of its own"
)]

mod harness;

use harness::{Kind, Place, Server, USER, engine, serve, sshd_with, turn};
use portcullis_core::inventory::Watchdog;
use portcullis_ssh::{Access, End, Ended, Engine, Guard, Termination};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Most runs until a connection is known to pass signals on, and most connections that are tried: on a machine that is busy
/// the question may take too long, and then the watchdog stays.
const RUNS_MAX: usize = 40;
const CONNECTIONS_MAX: usize = 5;

/// An engine with one connection.
struct Scene<'a> {
    place: &'a Place,
    port: u16,
    user: &'a str,
    engine: Engine,
    access: Access<'static>,
}

impl<'a> Scene<'a> {
    fn new(place: &'a Place, server: &Server, user: &'a str) -> Self {
        Self {
            place,
            port: server.port,
            user,
            engine: engine(),
            access: place.access(&server.known_hosts),
        }
    }

    async fn run(&self, command: &str, limits: &str, stop: CancellationToken) -> Ended {
        let journaled = self
            .place
            .journaled(self.port, self.user, command, limits)
            .await;
        self.engine.run(journaled, &self.access, stop, None).await
    }

    /// Runs often enough that the gate would have asked and heard the answer. Says what guarded each run, and whether the
    /// gate asked beside it.
    async fn seen(&self, runs: usize) -> Vec<(Guard, bool)> {
        let script = self.place.script("zero", "exit 0");
        let mut seen = Vec::new();
        for _ in 0..runs {
            let ended = self.run(&script, "", CancellationToken::new()).await;
            assert_eq!(ended.end, End::Exited(0), "{:?}", ended.fault);
            seen.push((ended.guard.unwrap(), ended.asked));
            if ended.guard == Some(Guard::Signals) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        seen
    }
}

/// A scene whose connection is spared the watchdog, after the guards of the runs on it.
async fn spared<'a>(place: &'a Place, server: &Server) -> (Scene<'a>, Vec<(Guard, bool)>) {
    for _ in 0..CONNECTIONS_MAX {
        let scene = Scene::new(place, server, USER);
        let seen = scene.seen(RUNS_MAX).await;
        if seen.last().unwrap().0 == Guard::Signals {
            return (scene, seen);
        }
    }
    panic!("no connection of {CONNECTIONS_MAX} was spared");
}

#[tokio::test]
async fn a_users_connection_is_asked_once_beside_its_second_run_and_then_spared() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let (scene, seen) = spared(&place, &server).await;
    assert_eq!(
        seen[..2],
        [(Guard::Watchdog, false), (Guard::Watchdog, true)]
    );
    let (last, before) = seen.split_last().unwrap();
    assert_eq!(*last, (Guard::Signals, false));
    assert!(before[2..].iter().all(|it| *it == (Guard::Watchdog, false)));
    // A new connection is asked anew.
    scene.engine.retire();
    assert_eq!(scene.seen(1).await, [(Guard::Watchdog, false)]);
}

#[tokio::test]
async fn where_signals_do_not_work_the_watchdog_stays() {
    for (kind, user, asked) in [
        (Kind::Sshd, "root", true),
        (Kind::Dropbear, USER, false),
        (Kind::Dropbear, "root", false),
    ] {
        let place = Place::new();
        let Some(server) = serve(&place, kind, user) else {
            return;
        };
        let seen = Scene::new(&place, &server, user).seen(30).await;
        assert!(
            seen.iter().all(|(guard, _)| *guard == Guard::Watchdog),
            "{kind:?} {user}"
        );
        let times = seen.iter().filter(|(_, asked)| *asked).count();
        assert_eq!(times, usize::from(asked), "{kind:?} {user}");
    }
}

#[tokio::test]
async fn under_a_forced_command_the_watchdog_stays_and_the_command_is_not_started_once_more() {
    let Some(_turn) = turn() else {
        return;
    };
    for (forced, asked) in [
        ("eval \"$SSH_ORIGINAL_COMMAND\"", true),
        ("sh -c \"$SSH_ORIGINAL_COMMAND\"; exit $?", false),
    ] {
        let place = Place::new();
        let server = sshd_with(&place, &["ed25519"], &format!("ForceCommand {forced}\n"));
        let seen = Scene::new(&place, &server, USER).seen(30).await;
        assert!(
            seen.iter().all(|(guard, _)| *guard == Guard::Watchdog),
            "{forced}"
        );
        assert_eq!(seen.iter().any(|(_, asked)| *asked), asked, "{forced}");
    }
    let place = Place::new();
    let count = place.path("count");
    std::fs::write(&count, "").unwrap();
    let lines = format!("ForceCommand echo once >>{}\n", count.display());
    std::fs::set_permissions(&count, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let server = sshd_with(&place, &["ed25519"], &lines);
    let seen = Scene::new(&place, &server, USER).seen(5).await;
    assert!(seen.iter().all(|it| *it == (Guard::Watchdog, false)));
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "once\n".repeat(5));
}

#[tokio::test]
async fn a_host_with_a_watchdog_always_is_never_asked() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let scene = Scene::new(&place, &server, USER);
    for _ in 0..6 {
        let always = |target: &mut portcullis_core::inventory::Target| {
            target.host.watchdog = Watchdog::Always;
        };
        let journaled = harness::journaled_on(server.port, USER, "echo hello", always).await;
        let stop = CancellationToken::new();
        let ended = scene.engine.run(journaled, &scene.access, stop, None).await;
        assert_eq!((ended.guard, ended.asked), (Some(Guard::Watchdog), false));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn without_a_watchdog_status_signal_and_streams_are_as_with_one() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let (scene, _) = spared(&place, &server).await;
    for (body, end, out, err) in [
        ("echo out; printf err >&2; exit 3", End::Exited(3), 4, 3),
        ("kill -s KILL 0", End::Signalled("KILL".to_owned()), 0, 0),
        ("cat; echo $PAGER", End::Exited(0), 4, 0),
        (
            "yes | head -c 3000000; exit 0",
            End::Exited(0),
            3_000_000,
            0,
        ),
    ] {
        let script = place.script("some", body);
        let ended = scene.run(&script, "", CancellationToken::new()).await;
        assert_eq!(ended.guard, Some(Guard::Signals), "{body}");
        assert_eq!(ended.end, end, "{body}");
        assert_eq!(
            (ended.raw.stdout.total(), ended.raw.stderr.total()),
            (out, err),
            "{body}"
        );
    }
    for (command, bytes) in [
        (r#"echo 'it'"'"'s' "a\\q" '!' '$HOME' "é""#, 20),
        ("echo 'two\nlines'", 10),
    ] {
        let ended = scene.run(command, "", CancellationToken::new()).await;
        assert_eq!(
            (ended.guard, ended.raw.stdout.total()),
            (Some(Guard::Signals), bytes),
            "{command}"
        );
    }
    // Who still holds the streams does not hold up the answer.
    let script = place.script("leaves", "sleep 20 & echo done; exit 4");
    let ended = scene.run(&script, "", CancellationToken::new()).await;
    assert_eq!(
        (ended.guard, &ended.end),
        (Some(Guard::Signals), &End::Exited(4))
    );
    assert_eq!((ended.raw.stdout.total(), place.alive()), (5, 1));
}

/// Trees that are ended in different ways: the first signal leaves nothing, leaves children behind its leader, is ignored
/// by all, is taken by a leader that needs its time.
const TREES: [(&str, &str); 4] = [
    ("plain", "sleep 1000 & echo up; sleep 1000"),
    (
        "children that ignore TERM",
        "sleep 1000 &
sh -c 'trap \"\" TERM; while :; do sleep 1; done' &
sh -c 'trap \"\" TERM; exec sleep 1000' >/dev/null 2>&1 &
echo up
wait
sleep 1000",
    ),
    (
        "all ignore TERM",
        "trap '' TERM; sleep 1000 & echo up; while :; do sleep 1; done",
    ),
    (
        "a leader that takes its time",
        "trap 'sleep 1; exit 5' TERM; sleep 1000 & echo up; wait",
    ),
];

#[tokio::test]
async fn signals_end_the_whole_tree_at_the_time_limit() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let (scene, _) = spared(&place, &server).await;
    for (name, body) in TREES {
        let script = place.script("tree", body);
        let ended = scene
            .run(&script, "max_seconds: 2", CancellationToken::new())
            .await;
        assert_eq!(
            (place.alive(), ended.guard),
            (0, Some(Guard::Signals)),
            "{name} {:?}",
            ended.end
        );
        assert_eq!(ended.end, End::TimedOut(Termination::Confirmed), "{name}");
        assert_eq!(ended.raw.stdout.total(), 3, "{name}");
    }
}

#[tokio::test]
async fn signals_end_the_whole_tree_of_a_cancelled_and_of_a_dropped_run() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let (scene, _) = spared(&place, &server).await;
    for (name, body) in TREES {
        let script = place.script("tree", body);
        let stop = CancellationToken::new();
        let started = until(|| place.alive() >= 2);
        let caller = async {
            started.await;
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(scene.run(&script, "", stop.clone()), caller);
        assert_eq!(place.alive(), 0, "{name} {:?}", ended.end);
        assert_eq!(ended.end, End::Cancelled(Termination::Confirmed), "{name}");
    }
    for (name, body) in TREES {
        let script = place.script("tree", body);
        tokio::select! {
            _ = scene.run(&script, "", CancellationToken::new()) => panic!("it does not end by itself"),
            () = until(|| place.alive() >= 2) => {}
        }
        until(|| place.alive() == 0).await;
        // The connection is as good as before.
        assert_eq!(scene.seen(1).await, [(Guard::Signals, false)], "{name}");
    }
}

#[tokio::test]
async fn signals_end_a_flood() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let (scene, _) = spared(&place, &server).await;
    let script = place.script("flood", "exec yes");
    let limits = "max_output_bytes: 1000, output_hard_stop_bytes: 3000000";
    let ended = scene.run(&script, limits, CancellationToken::new()).await;
    assert_eq!(ended.guard, Some(Guard::Signals));
    assert_eq!(ended.end, End::OutputHardStop(Termination::Confirmed));
    assert_eq!(place.alive(), 0);
}

#[tokio::test]
async fn what_left_the_group_and_holds_the_streams_keeps_the_proof_from_being_given() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let (scene, _) = spared(&place, &server).await;
    let script = place.script("leaves", "setsid sleep 8 & echo up; sleep 1000");
    let ended = scene
        .run(&script, "max_seconds: 1", CancellationToken::new())
        .await;
    assert_eq!(ended.guard, Some(Guard::Signals));
    assert_eq!(ended.end, End::TimedOut(Termination::SignalledUnconfirmed));
    assert_eq!(place.alive(), 1);
}

#[tokio::test]
async fn a_lost_connection_leaves_a_command_without_a_watchdog_running_and_its_end_unknown() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let (scene, _) = spared(&place, &server).await;
    // The parent of the script's shell is the session's own sshd.
    let script = place.script(
        "breaks",
        "echo up; kill -s KILL $(ps -o ppid= -p $PPID); sleep 10",
    );
    let ended = scene.run(&script, "", CancellationToken::new()).await;
    assert_eq!(
        (ended.guard, &ended.end),
        (Some(Guard::Signals), &End::Unknown)
    );
    assert_eq!(ended.fault.unwrap().code, "connection_lost");
    // Nobody is there to end it: what a watchdog would have done.
    assert!(place.alive() > 0);
}

/// Waits until something holds. Bounded: a test that hangs says nothing.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never held");
}
