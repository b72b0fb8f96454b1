//! The engine: resolves names, and runs what was journaled.

use crate::channel::{self, Bounds, Outcome};
use crate::dial;
use crate::end::{End, Ended, Phase, Termination, Times};
use crate::fault;
use crate::identity::Identity;
use crate::known_hosts::KnownHosts;
use crate::session::{self, Session, Whom};
use crate::watchdog;
use portcullis_core::answer::RunFault;
use portcullis_core::audit::Journaled;
use portcullis_core::limits::RESOLVE_SECONDS_MAX;
use portcullis_core::output::Raw;
use portcullis_core::policy::Admitted;
use russh::Disconnect;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time for saying goodbye to a host, in milliseconds.
const DISCONNECT_MS_MAX: u64 = 100;
/// Most addresses that are taken from one look-up.
const ADDRESSES_MAX: usize = 16;

/// What an engine is held to.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Most handshakes under way at once.
    pub handshakes_max: usize,
    /// Most handshakes under way at once with one host and port. OpenSSH begins to drop connections at
    /// ten by default.
    pub handshakes_per_host_max: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            handshakes_max: 32,
            handshakes_per_host_max: 8,
        }
    }
}

/// What a run needs to log in.
pub struct Access {
    /// The key.
    pub identity: Identity,
    /// The keys of the hosts.
    pub known_hosts: Arc<KnownHosts>,
}

/// Where progress goes. Called from the reading loop, so it must return at once.
type Progress<'a> = Option<&'a (dyn Fn(Phase, u64) + Sync + Send)>;

/// Runs journaled commands over SSH. Clones share one state.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    settings: EngineSettings,
    handshakes: Semaphore,
    per_host: Mutex<HashMap<(String, u16), Arc<Semaphore>>>,
}

/// Why a run stopped before its command was sent.
enum Stopped {
    Fault(RunFault),
    TimeLimit,
    Caller,
}

impl Engine {
    /// An engine without connections.
    #[must_use]
    pub fn new(settings: EngineSettings) -> Self {
        Self {
            shared: Arc::new(Shared {
                handshakes: Semaphore::new(settings.handshakes_max.max(1)),
                per_host: Mutex::default(),
                settings,
            }),
        }
    }

    /// The addresses of a host. A literal address is its own; a name is asked for once, and a name that
    /// has no address in time has none.
    pub async fn resolve(&self, host: &str) -> Vec<IpAddr> {
        let literal = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = literal.parse() {
            return vec![address];
        }
        let asking = tokio::net::lookup_host((host, 0));
        let limit = Duration::from_secs(RESOLVE_SECONDS_MAX);
        let mut addresses = Vec::new();
        if let Ok(Ok(found)) = tokio::time::timeout(limit, asking).await {
            for address in found
                .map(|found| found.ip().to_canonical())
                .take(ADDRESSES_MAX)
            {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        addresses
    }

    /// Runs a journaled command to its end, within its time limit and the time for ending it.
    ///
    /// `progress` is called from the reading loop and must return at once.
    ///
    /// # Cancel
    /// `stop` ends the remote command and still answers. A dropped future closes the connection, which
    /// ends the remote command too, but nobody learns how that went.
    pub async fn run(
        &self,
        journaled: Journaled,
        access: &Access,
        stop: CancellationToken,
        progress: Option<&(dyn Fn(Phase, u64) + Sync + Send)>,
    ) -> Ended {
        let mut trip = Trip {
            began: Instant::now(),
            peer: None,
            times: Times::default(),
        };
        let made = self
            .make(journaled.admitted(), access, &stop, progress, &mut trip)
            .await;
        let Outcome { raw, end, fault } = match made {
            Ok(outcome) => outcome,
            Err(stopped) => stopped.outcome(),
        };
        Ended {
            spent: journaled.spend(),
            raw,
            end,
            peer: trip.peer,
            times: trip.times,
            fault,
        }
    }

    async fn make(
        &self,
        admitted: &Admitted,
        access: &Access,
        stop: &CancellationToken,
        progress: Progress<'_>,
        trip: &mut Trip,
    ) -> Result<Outcome, Stopped> {
        let note = |phase, bytes| {
            if let Some(progress) = progress {
                progress(phase, bytes);
            }
        };
        let limits = &admitted.heard().limits;
        let deadline = trip.began + Duration::from_secs(limits.max_seconds);
        let exec = watchdog::wrap(admitted.rendered());
        if exec.len() > watchdog::EXEC_BYTES_MAX {
            return Err(Stopped::Fault(fault::COMMAND_TOO_LONG));
        }

        note(Phase::Connecting, 0);
        let connecting = self.connect(admitted, access, &mut trip.peer);
        let session = before(deadline, stop, connecting).await?;
        trip.times.connect_us = micros(trip.began);
        note(Phase::Connected, 0);

        let opening = Instant::now();
        let running = before(deadline, stop, channel::open(&session)).await?;
        running.send(exec).await;
        trip.times.channel_us = micros(opening);
        note(Phase::Running, 0);

        let sent = Instant::now();
        let bounds = Bounds {
            deadline,
            stop,
            limits,
        };
        let outcome = running
            .finish(bounds, &|bytes| note(Phase::Running, bytes))
            .await;
        trip.times.remote_us = micros(sent);
        let goodbye = session.disconnect(Disconnect::ByApplication, "", "");
        let _ = tokio::time::timeout(Duration::from_millis(DISCONNECT_MS_MAX), goodbye).await;
        Ok(outcome)
    }

    /// Connects and logs in, with a bound on how many do so at once.
    async fn connect(
        &self,
        admitted: &Admitted,
        access: &Access,
        peer: &mut Option<IpAddr>,
    ) -> Result<Session, RunFault> {
        let target = admitted.heard().case.target();
        let (host, port) = (target.host.host.as_str(), target.host.port);
        let credential = target
            .credential
            .as_ref()
            .ok_or(fault::CREDENTIAL_MISSING)?;
        if !session::is_recorded(&access.known_hosts, host, port) {
            return Err(fault::HOST_KEY_UNKNOWN);
        }
        let per_host = self.shared.per_host(host, port);
        let Ok(_mine) = per_host.acquire().await else {
            return Err(fault::CONNECTION_FAILED);
        };
        let Ok(_ours) = self.shared.handshakes.acquire().await else {
            return Err(fault::CONNECTION_FAILED);
        };
        let dialled = dial::dial(admitted).await?;
        *peer = Some(dialled.peer);
        let whom = Whom {
            host,
            port,
            user: &credential.username,
        };
        session::log_in(dialled.socket, whom, access).await
    }
}

impl Shared {
    /// The bound of one host. Bounds that nobody uses are forgotten on the way.
    fn per_host(&self, host: &str, port: u16) -> Arc<Semaphore> {
        let mut bounds = self.per_host.lock().unwrap_or_else(PoisonError::into_inner);
        bounds.retain(|_, bound| Arc::strong_count(bound) > 1);
        let bound = bounds.entry((host.to_owned(), port)).or_insert_with(|| {
            Arc::new(Semaphore::new(self.settings.handshakes_per_host_max.max(1)))
        });
        Arc::clone(bound)
    }
}

/// What is learned on the way, whatever the end.
struct Trip {
    began: Instant,
    peer: Option<IpAddr>,
    times: Times,
}

impl Stopped {
    /// Nothing was sent, so nothing is left running.
    fn outcome(self) -> Outcome {
        let (end, fault) = match self {
            Self::Fault(fault) => (End::Unreachable, Some(fault)),
            Self::TimeLimit => (
                End::TimedOut(Termination::Confirmed),
                Some(fault::CONNECTION_TIMEOUT),
            ),
            Self::Caller => (End::Cancelled(Termination::Confirmed), None),
        };
        Outcome {
            raw: Raw::default(),
            end,
            fault,
        }
    }
}

/// Does a step that starts nothing, unless the time limit or the caller comes first.
async fn before<T>(
    deadline: Instant,
    stop: &CancellationToken,
    step: impl Future<Output = Result<T, RunFault>>,
) -> Result<T, Stopped> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Stopped::Caller),
        () = tokio::time::sleep_until(deadline) => Err(Stopped::TimeLimit),
        done = step => done.map_err(Stopped::Fault),
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
