//! Which runs share a connection, and that sharing costs nobody anything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod harness;

use harness::{Kind, Place, USER, engine, serve};
use portcullis_ssh::target::{Answer, Ending, Reply, Target};
use portcullis_ssh::{Access, End, Ended, Engine, EngineSettings, Phase};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A stand-in, and the one engine and access that runs on it share.
struct Scene {
    place: Place,
    target: Target,
    engine: Engine,
    access: Arc<Access<'static>>,
}

impl Scene {
    async fn new(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let place = Place::new();
        let answer: Answer = Arc::new(reply);
        let target = Target::start(&place.public("id"), answer).await.unwrap();
        let access = Arc::new(place.access(&target.known_hosts_line()));
        Self {
            place,
            target,
            engine: engine(),
            access,
        }
    }

    async fn run(&self, user: &str, command: &str) -> Ended {
        let port = self.target.address().port();
        let journaled = self.place.journaled(port, user, command, "").await;
        self.engine
            .run(journaled, &self.access, CancellationToken::new(), None)
            .await
    }

    /// Runs as many at once, and says how many ended as they should.
    async fn many(&self, count: usize) -> usize {
        many(
            &self.place,
            self.target.address().port(),
            &self.engine,
            &self.access,
            "anyone",
            "echo hello",
            count,
        )
        .await
    }
}

async fn many(
    place: &Place,
    port: u16,
    engine: &Engine,
    access: &Arc<Access<'static>>,
    user: &str,
    command: &str,
    count: usize,
) -> usize {
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..count {
        let journaled = place.journaled(port, user, command, "").await;
        let (engine, access) = (engine.clone(), Arc::clone(access));
        runs.spawn(async move {
            let ended = engine.run(journaled, &access, CancellationToken::new(), None);
            let ended = ended.await;
            assert!(ended.fault.is_none(), "{:?}", ended.fault);
            ended.end
        });
    }
    let ends = runs.join_all().await;
    ends.iter().filter(|end| **end == End::Exited(0)).count()
}

fn slowly(ms: u64) -> impl Fn(&str) -> Reply + Send + Sync + 'static {
    move |_| Reply {
        delay: Duration::from_millis(ms),
        ..Reply::text("hello\n")
    }
}

#[tokio::test]
async fn runs_in_a_row_make_one_handshake() {
    let scene = Scene::new(slowly(0)).await;
    for _ in 0..3 {
        assert_eq!(scene.run("anyone", "echo hello").await.end, End::Exited(0));
    }
    assert_eq!((scene.target.connections(), scene.target.logins()), (1, 1));
}

#[tokio::test]
async fn runs_that_come_together_wait_for_one_handshake_of_four_channels() {
    let scene = Scene::new(slowly(300)).await;
    assert_eq!(scene.many(4).await, 4);
    assert_eq!(scene.target.connections(), 1);
    assert_eq!(scene.many(5).await, 5);
    assert_eq!(
        scene.target.connections(),
        2,
        "a fifth channel needs a second connection"
    );
}

#[tokio::test]
async fn past_the_most_connections_runs_take_turns() {
    let scene = Scene::new(slowly(200)).await;
    assert_eq!(scene.many(50).await, 50);
    assert!(
        scene.target.connections() <= 8,
        "{}",
        scene.target.connections()
    );
}

#[tokio::test]
async fn another_user_and_another_reading_of_the_configuration_share_nothing() {
    let mut scene = Scene::new(slowly(0)).await;
    let _ = scene.run("anyone", "echo hello").await;
    let _ = scene.run("someone", "echo hello").await;
    assert_eq!(scene.target.connections(), 2);
    scene.access = Arc::new(scene.place.access(&scene.target.known_hosts_line()));
    let _ = scene.run("anyone", "echo hello").await;
    assert_eq!(scene.target.connections(), 3);
    scene.engine.retire();
    let _ = scene.run("anyone", "echo hello").await;
    assert_eq!(scene.target.connections(), 4);
}

#[tokio::test]
async fn host_keys_that_no_longer_vouch_are_not_outlived_by_a_connection() {
    let mut scene = Scene::new(slowly(0)).await;
    let _ = scene.run("anyone", "echo hello").await;
    let line = scene.target.known_hosts_line();
    scene.access = Arc::new(scene.place.access(&format!("{line}@revoked {line}")));
    let ended = scene.run("anyone", "echo hello").await;
    assert_eq!(ended.fault.unwrap().code, "host_key_revoked");
}

#[tokio::test]
async fn a_connection_that_broke_is_replaced_and_no_command_is_sent_twice() {
    let scene = Scene::new(|command| {
        let reply = Reply::text("hello\n");
        if command.contains("break") {
            reply.ending(Ending::Drop)
        } else {
            reply
        }
    })
    .await;
    let _ = scene.run("anyone", "echo hello").await;
    assert_eq!(scene.run("anyone", "echo break").await.end, End::Unknown);
    assert_eq!(scene.run("anyone", "echo hello").await.end, End::Exited(0));
    assert_eq!(
        scene.target.commands(),
        ["echo hello", "echo break", "echo hello"]
    );
    assert_eq!(scene.target.connections(), 2);
}

#[tokio::test]
async fn a_login_that_fails_is_not_tried_once_for_each_that_waits() {
    let place = Place::new();
    place.key("other", &["-t", "ed25519", "-N", ""]);
    let answer: Answer = Arc::new(slowly(0));
    let target = Target::start(&place.public("other"), answer).await.unwrap();
    let access = Arc::new(place.access(&target.known_hosts_line()));
    let engine = engine();
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let port = target.address().port();
        let journaled = place.journaled(port, "anyone", "echo hello", "").await;
        let (engine, access) = (engine.clone(), Arc::clone(&access));
        runs.spawn(async move {
            let ended = engine.run(journaled, &access, CancellationToken::new(), None);
            ended.await.fault.unwrap().code
        });
    }
    let codes = runs.join_all().await;
    assert!(
        codes.iter().all(|code| *code == "authentication_failed"),
        "{codes:?}"
    );
    assert!(target.logins() <= 6, "{}", target.logins());
}

#[tokio::test]
async fn a_run_that_gives_up_leaves_the_connecting_to_those_who_wait() {
    let scene = Scene::new(slowly(0)).await;
    // The proxy holds the first connection up for ever.
    let proxy = Proxy::start(scene.target.address(), Turn::HoldFirst).await;
    let access = Arc::new(scene.place.access(&proxy.known_hosts(&scene.target)));
    let stop = CancellationToken::new();
    let first = scene
        .place
        .journaled(proxy.port, "anyone", "echo hello", "")
        .await;
    let second = scene
        .place
        .journaled(proxy.port, "anyone", "echo hello", "")
        .await;
    let (engine, shared, stopped) = (scene.engine.clone(), Arc::clone(&access), stop.clone());
    let one = tokio::spawn(async move { engine.run(first, &shared, stopped, None).await.end });
    while proxy.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (engine, shared) = (scene.engine.clone(), Arc::clone(&access));
    let two = tokio::spawn(async move {
        let ended = engine.run(second, &shared, CancellationToken::new(), None);
        ended.await.end
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.cancel();
    assert!(matches!(one.await.unwrap(), End::Cancelled(_)));
    assert_eq!(two.await.unwrap(), End::Exited(0));
}

#[tokio::test]
async fn a_host_that_turns_connections_away_before_the_login_is_asked_again() {
    let scene = Scene::new(slowly(0)).await;
    let proxy = Proxy::start(scene.target.address(), Turn::Away(3)).await;
    let access = Arc::new(scene.place.access(&proxy.known_hosts(&scene.target)));
    let done = many(
        &scene.place,
        proxy.port,
        &scene.engine,
        &access,
        "anyone",
        "echo hello",
        1,
    )
    .await;
    assert_eq!(
        (done, proxy.connections(), scene.target.commands().len()),
        (1, 4, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_run_whose_caller_is_stuck_does_not_hold_up_its_neighbours() {
    let scene = Scene::new(|command| {
        if command.contains("flood") {
            Reply::text("").ending(Ending::Flood(20_000_000))
        } else {
            Reply::text("hello\n")
        }
    })
    .await;
    let _ = scene.run("anyone", "echo hello").await;
    let port = scene.target.address().port();
    let limits = "task_progress_interval: 1";
    let journaled = scene
        .place
        .journaled(port, "anyone", "echo flood", limits)
        .await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (reached, told) = tokio::sync::oneshot::channel();
    let (engine, access) = (scene.engine.clone(), Arc::clone(&scene.access));
    let flood = tokio::spawn(async move {
        let blocked = std::sync::Mutex::new(Some((reached, held)));
        let stuck = |phase: Phase, _: u64| {
            if phase == Phase::Running
                && let Some((reached, held)) = blocked.lock().unwrap().take()
            {
                reached.send(()).unwrap();
                // The thread is given up, so that only this run is stuck.
                let _ = tokio::task::block_in_place(|| held.recv());
            }
        };
        let ended = engine.run(journaled, &access, CancellationToken::new(), Some(&stuck));
        ended.await
    });
    told.await.unwrap();
    // The one connection carries both; the flood is past every window by far.
    for _ in 0..5 {
        assert_eq!(scene.run("anyone", "echo hello").await.end, End::Exited(0));
    }
    assert_eq!(scene.target.connections(), 1);
    release.send(()).unwrap();
    let ended = flood.await.unwrap();
    assert_eq!(
        (ended.end, ended.raw.stdout.total()),
        (End::Exited(0), 20_000_000)
    );
}

#[tokio::test]
async fn a_real_server_at_its_default_limits_serves_all_that_come_at_once() {
    let place = Place::new();
    let Some(server) = serve(&place, Kind::Sshd, USER) else {
        return;
    };
    let access = Arc::new(place.access(&server.known_hosts));
    let script = place.script("nap", "sleep 0.3");
    let done = many(&place, server.port, &engine(), &access, USER, &script, 60).await;
    assert_eq!(done, 60);
}

async fn kept(settings: EngineSettings, users: [&str; 3], pause: Duration) -> u64 {
    let mut scene = Scene::new(slowly(0)).await;
    scene.engine = Engine::new(settings);
    for user in users {
        assert_eq!(scene.run(user, "echo hello").await.end, End::Exited(0));
        tokio::time::sleep(pause).await;
    }
    scene.target.connections()
}

#[tokio::test]
async fn connections_go_when_they_are_idle_old_or_too_many() {
    let short = Duration::from_millis(10);
    let settings = EngineSettings::default();
    let idle = EngineSettings {
        idle: short,
        ..settings.clone()
    };
    let old = EngineSettings {
        age: short,
        ..settings.clone()
    };
    let one = EngineSettings {
        connections_kept_max: 1,
        ..settings.clone()
    };
    assert_eq!(kept(settings, ["a", "b", "a"], short * 2).await, 2);
    assert_eq!(kept(idle, ["a", "a", "a"], short * 2).await, 3);
    assert_eq!(kept(old, ["a", "a", "a"], short * 2).await, 3);
    assert_eq!(kept(one, ["a", "b", "a"], short * 2).await, 3);
}

/// What a proxy does with the connections that come first.
#[derive(Clone, Copy)]
enum Turn {
    /// Drops that many.
    Away(u64),
    /// Takes the first one and says nothing.
    HoldFirst,
}

/// A proxy before the stand-in. Stops when dropped.
struct Proxy {
    port: u16,
    seen: Arc<AtomicU64>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Proxy {
    async fn start(to: std::net::SocketAddr, turn: Turn) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
                match turn {
                    Turn::Away(count) if number <= count => drop(near),
                    Turn::HoldFirst if number == 1 => held.push(near),
                    Turn::Away(_) | Turn::HoldFirst => {
                        tokio::spawn(async move {
                            let mut far = TcpStream::connect(to).await.unwrap();
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        });
                    }
                }
            }
        });
        Self {
            port,
            seen,
            _task: tokio_util::task::AbortOnDropHandle::new(task),
        }
    }

    fn connections(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    fn known_hosts(&self, target: &Target) -> String {
        let line = target.known_hosts_line();
        format!(
            "[127.0.0.1]:{} {}",
            self.port,
            line.split_once(' ').unwrap().1
        )
    }
}
