//! Meets a hostile host, and says how that ended, after it was made sure that nothing panicked, that memory stayed within
//! its bound, that the answer came, and that a neighbour on the same engine was served meanwhile and afterwards.

use crate::harness::{Place, engine};
use crate::wire::{Host, Script};
use portcullis_ssh::target::{Answer, Reply, Target};
use portcullis_ssh::{End, Ended, Methods};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How much memory one meeting may cost the process, host and gate together.
const GROWTH_KIB_MAX: u64 = 64 * 1_024;
/// A meeting that lasts longer hangs. Far longer than the limits of any, because machines are busy.
const HANG_SECONDS: u64 = 60;

/// Looks for connections that are left, 50 ms apart.
const HANG_UP_TRIES_MAX: u32 = 100;

/// One meeting at a time, so that memory is one meeting's.
static TURN: Mutex<()> = Mutex::const_new(());
/// Panics of any thread and task of this process.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// How a meeting ended.
pub(crate) struct Met {
    pub(crate) ended: Ended,
    pub(crate) state: &'static str,
    /// The code of the fault, or nothing.
    pub(crate) code: &'static str,
    /// How often the host came to what it is about.
    pub(crate) acts: usize,
}

/// Runs one command on a hostile host.
pub(crate) async fn meet(name: &str, limits: &str, host: Script, methods: Option<Methods>) -> Met {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
    });
    let _turn = TURN.lock().await;
    let (place, engine) = (Place::new(), engine());
    let host = Host::start(host).await;
    let answer: Answer = Arc::new(|_| Reply::text("hello\n"));
    let neighbour = Target::start(&place.public("id"), answer).await.unwrap();
    let greet = async || {
        let port = neighbour.address().port();
        let journaled = place.journaled(port, "anyone", "echo hello", "").await;
        let access = place.access(&neighbour.known_hosts_line());
        let ended = engine.run(journaled, &access, CancellationToken::new(), None);
        assert_eq!(ended.await.end, End::Exited(0), "{name}: the neighbour");
    };
    greet().await;

    let (panics, before) = (PANICS.load(Ordering::Relaxed), memory("VmRSS:"));
    // From here on the peak is counted anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let journaled = place
        .journaled(host.port, "anyone", "echo hello", limits)
        .await;
    let access = match methods {
        Some(methods) => place.access_with(methods, &host.known_hosts),
        None => place.access(&host.known_hosts),
    };
    let running = engine.run(journaled, &access, CancellationToken::new(), None);
    let hang = Duration::from_secs(HANG_SECONDS);
    let (ended, ()) = tokio::join!(tokio::time::timeout(hang, running), greet());
    let ended = ended.unwrap_or_else(|_| panic!("{name}: no answer"));
    let growth = memory("VmHWM:").saturating_sub(before);
    assert!(growth < GROWTH_KIB_MAX, "{name}: {growth} KiB");
    assert_eq!(PANICS.load(Ordering::Relaxed), panics, "{name}: a panic");
    assert!(
        host.acts() > 0,
        "{name}: the host did not come to its point"
    );
    greet().await;
    drop(engine);
    hung_up(name, host.port).await;
    let code = ended.fault.as_ref().map_or("", |fault| fault.code);
    Met {
        state: ended.end.state(),
        code,
        acts: host.acts(),
        ended,
    }
}

/// Meets a host on which nothing may have been started.
pub(crate) async fn unreachable_with(name: &str, limits: &str, host: Script, codes: &[&str]) {
    let met = meet(name, limits, host, None).await;
    assert_eq!(met.ended.end, End::Unreachable, "{name}: {}", met.code);
    assert!(codes.contains(&met.code), "{name}: {}", met.code);
}

/// Makes sure that the gate leaves no connection behind.
async fn hung_up(name: &str, port: u16) {
    // The far port, and the states in which the near side has not hung up: ESTABLISHED and CLOSE_WAIT.
    let far = format!(":{port:04X}");
    let open = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words[2].ends_with(&far) && ["01", "08"].contains(&words[3])
    };
    for _ in 0..HANG_UP_TRIES_MAX {
        let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        if !sockets.lines().skip(1).any(open) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name}: a connection is left");
}

/// A figure of this process, in KiB.
fn memory(figure: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with(figure))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    words[1].parse().unwrap()
}
