//! The engine: resolves names, and runs what was journaled.

use crate::channel::{self, Bounds, NotOpened, Outcome, Running};
use crate::connect::{Handshakes, Made, Way};
use crate::dns::DnsSettings;
use crate::end::{End, Ended, Guard, Phase, Termination, Times};
use crate::fault;
use crate::known_hosts::KnownHosts;
use crate::login::Login;
use crate::names::{Names, Resolved};
use crate::plain;
use crate::pool::{Generation, Keeping, Key, Lease, Pool};
use crate::reader::Ear;
use crate::session::Whom;
use crate::signals;
use crate::trust::Trust;
use crate::watchdog;
use portcullis_core::BoxFuture;
use portcullis_core::answer::RunFault;
use portcullis_core::audit::Journaled;
use portcullis_core::inventory::Watchdog;
use portcullis_core::limits::{
    CONNECTION_AGE_SECONDS_MAX, CONNECTION_IDLE_SECONDS_MAX, CONNECTIONS_KEPT_MAX,
};
use portcullis_core::output::Raw;
use portcullis_core::policy::{Admitted, Leg};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most connections that one run tries to open a channel on. None of them was told a command.
const OPEN_TRIES_MAX: u32 = 4;

/// What an engine is held to.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Most handshakes under way at once.
    pub handshakes_max: usize,
    /// Most handshakes under way at once with one host and port. OpenSSH begins to drop connections at
    /// ten by default.
    pub handshakes_per_host_max: usize,
    /// Time after which a connection that nobody uses is closed.
    pub idle: Duration,
    /// Age after which a connection takes no further command.
    pub age: Duration,
    /// Most connections that are kept open; past that the one that was used least recently goes.
    pub connections_kept_max: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            handshakes_max: 32,
            handshakes_per_host_max: 8,
            idle: Duration::from_secs(CONNECTION_IDLE_SECONDS_MAX),
            age: Duration::from_secs(CONNECTION_AGE_SECONDS_MAX),
            connections_kept_max: CONNECTIONS_KEPT_MAX,
        }
    }
}

/// What a run needs to log in.
pub struct Access<'a> {
    /// The login, where a connection has to be made.
    pub login: Box<dyn Login + 'a>,
    /// The logins of the hosts on the way, in order.
    pub hops: Vec<Box<dyn Login + 'a>>,
    /// The keys of the hosts.
    pub known_hosts: Arc<KnownHosts>,
    /// Which reading of the configuration both are from. Runs of different ones share no connection.
    pub generation: Generation,
}

/// Where progress goes. Called from the reading loop, so it must return at once.
type Progress<'a> = Option<&'a (dyn Fn(Phase, u64) + Sync + Send)>;

/// Runs journaled commands over SSH. Clones share one state.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    names: Arc<Names>,
    handshakes: Handshakes,
    pool: Arc<Pool>,
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
                names: Arc::new(Names::new()),
                handshakes: Handshakes::new(&settings),
                pool: Arc::new(Pool::new(Keeping {
                    idle: settings.idle,
                    age: settings.age,
                    kept_max: settings.connections_kept_max,
                })),
            }),
        }
    }

    /// The bounds on handshakes, which contact without a run shares.
    pub(crate) fn handshakes(&self) -> &Handshakes {
        &self.shared.handshakes
    }

    /// Whether a run could begin on a connection that is open, so that no login is needed. It may be gone a
    /// moment later.
    #[must_use]
    pub fn is_open(&self, admitted: &Admitted, generation: Generation) -> bool {
        let legs = admitted.legs();
        let key = key(&legs, generation, false);
        key.is_some_and(|key| self.shared.pool.is_open(&key, |peers| admits(&legs, peers)))
    }

    /// Lets no further run onto the connections that are open. Runs on them go on.
    pub fn retire(&self) {
        self.shared.pool.retire_all();
    }

    /// Asks for names in this way from now on. Says what is wrong with it, where it leaves nobody to ask.
    pub fn set_dns(&self, settings: &DnsSettings) -> Option<String> {
        self.shared.names.set(settings)
    }

    /// The addresses of a host. A literal address is its own; a name is asked for once, and a name that
    /// has no address in time has none.
    pub async fn resolve(&self, host: &str) -> Resolved {
        let literal = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        match literal.parse::<IpAddr>() {
            Ok(address) => Resolved {
                addresses: vec![address.to_canonical()],
                trouble: None,
            },
            Err(_) => self.shared.names.resolve(host).await,
        }
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
        access: &Access<'_>,
        stop: CancellationToken,
        progress: Option<&(dyn Fn(Phase, u64) + Sync + Send)>,
    ) -> Ended {
        self.run_heard(journaled, access, stop, progress, None)
            .await
    }

    /// The same, heard by somebody while the command runs.
    ///
    /// # Cancel
    /// As [`Engine::run`].
    pub async fn run_heard(
        &self,
        journaled: Journaled,
        access: &Access<'_>,
        stop: CancellationToken,
        progress: Option<&(dyn Fn(Phase, u64) + Sync + Send)>,
        ear: Option<Arc<dyn Ear>>,
    ) -> Ended {
        let mut trip = Trip {
            began: Instant::now(),
            peer: None,
            times: Times::default(),
            guard: None,
            asked: false,
            ear,
        };
        let made = self
            .make(journaled.admitted(), access, &stop, progress, &mut trip)
            .await;
        let Outcome {
            raw, end, fault, ..
        } = match made {
            Ok(outcome) => outcome,
            Err(stopped) => stopped.outcome(),
        };
        Ended {
            spent: journaled.spend(),
            raw,
            end,
            peer: trip.peer,
            times: trip.times,
            guard: trip.guard,
            asked: trip.asked,
            fault,
        }
    }

    async fn make(
        &self,
        admitted: &Admitted,
        access: &Access<'_>,
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
        let watched = watchdog::wrap(admitted.rendered());
        if watched.len() > watchdog::EXEC_BYTES_MAX {
            return Err(Stopped::Fault(fault::COMMAND_TOO_LONG));
        }

        note(Phase::Connecting, 0);
        let opening = self.open(admitted, access, trip);
        let (lease, mut running) = before(deadline, stop, opening).await?;
        note(Phase::Connected, 0);
        let signals = &lease.connection().signals;
        let may_spare = admitted.heard().case.target().host.watchdog == Watchdog::Probed;
        let (exec, guard) = match signals.work() {
            Some(shell) if may_spare => (plain::wrap(admitted.rendered(), shell), Guard::Signals),
            Some(_) | None => (watched, Guard::Watchdog),
        };
        trip.guard = Some(guard);
        trip.asked = may_spare && ask(&lease);
        running.send(exec, guard).await;
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
        trip.times.remote_us = micros(sent.elapsed());
        if outcome.led {
            signals.led();
        }
        if !outcome.closed {
            // What is left of the command may still have its place there.
            lease.retire();
        }
        Ok(outcome)
    }

    /// Opens a channel, on a connection that is there or on a new one. Nothing is sent on it, so a
    /// connection that turns out to be dead or full is left for another.
    async fn open(
        &self,
        admitted: &Admitted,
        access: &Access<'_>,
        trip: &mut Trip,
    ) -> Result<(Lease, Running), RunFault> {
        let mut tries = 1;
        loop {
            let lease = self.lease(admitted, access, trip).await?;
            trip.peer = lease.connection().peer();
            let opening = Instant::now();
            let limits = &admitted.heard().limits;
            let ear = trip.ear.clone();
            let ms_max = if lease.is_fresh() {
                channel::OPEN_MS_MAX
            } else {
                channel::OPEN_KEPT_MS_MAX
            };
            let asked = Asked(Some(&lease));
            let opened = channel::open(lease.connection(), limits, ear, ms_max).await;
            asked.answered();
            match opened {
                Ok(running) => {
                    trip.times.channel_us = micros(opening.elapsed());
                    return Ok((lease, running));
                }
                // A host that opens no channel at all on a new connection will not on the next.
                Err(NotOpened::Refused) if lease.is_fresh() && tries == 1 => {
                    return Err(fault::SESSION_REFUSED);
                }
                Err(why) if tries == OPEN_TRIES_MAX => return Err(why.fault()),
                Err(_) => {
                    lease.retire();
                    tries += 1;
                }
            }
        }
    }

    /// A share of a connection. Connects and logs in where there is none to share.
    async fn lease(
        &self,
        admitted: &Admitted,
        access: &Access<'_>,
        trip: &mut Trip,
    ) -> Result<Lease, RunFault> {
        let began = Instant::now();
        let authenticate = Mutex::new(Duration::ZERO);
        let lease = self
            .lead(admitted.legs(), access, false, &authenticate)
            .await?;
        let authenticate = authenticate
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        trip.times.authenticate_us = micros(authenticate);
        trip.times.connect_us = micros(began.elapsed().saturating_sub(authenticate));
        Ok(lease)
    }

    /// A share of a connection to the last of these hosts, over those before it. `forwards` says whether it is to
    /// carry a connection to another host. `authenticate` gets the time of the login to the last host.
    pub(crate) fn lead<'a>(
        &'a self,
        legs: Vec<Leg<'a>>,
        access: &'a Access<'_>,
        forwards: bool,
        authenticate: &'a Mutex<Duration>,
    ) -> BoxFuture<'a, Result<Lease, RunFault>> {
        Box::pin(async move {
            let at = |fault: RunFault| match legs.last() {
                Some(leg) if forwards && fault.at.is_none() => RunFault {
                    at: Some(leg.host().alias.as_str().to_owned()),
                    ..fault
                },
                _ => fault,
            };
            let key = key(&legs, access.generation, forwards);
            let key = key.ok_or_else(|| at(fault::CREDENTIAL_MISSING))?;
            let connect = async || {
                let made = self.connect(&legs, access, forwards).await.map_err(at)?;
                *authenticate.lock().unwrap_or_else(PoisonError::into_inner) = made.authenticate;
                Ok(made.connection)
            };
            let way = self.shared.pool.way(key);
            let lease = way.lease(|peers| admits(&legs, peers), connect).await?;
            if lease.is_fresh() {
                self.shared.pool.trim();
            }
            Ok(lease)
        })
    }

    /// A new connection to the last of these hosts.
    pub(crate) async fn connect(
        &self,
        legs: &[Leg<'_>],
        access: &Access<'_>,
        forwards: bool,
    ) -> Result<Made, RunFault> {
        let (leg, before) = legs.split_last().ok_or(fault::CONNECTION_FAILED)?;
        let trust = Trust::of(leg.host(), &access.known_hosts);
        if !trust.is_recorded() {
            return Err(fault::HOST_KEY_UNKNOWN);
        }
        let user = leg
            .credential()
            .ok_or(fault::CREDENTIAL_MISSING)?
            .username
            .clone();
        let way = Way {
            whom: Whom { trust, user },
            leg: *leg,
        };
        let login = if forwards {
            access
                .hops
                .get(before.len())
                .ok_or(fault::CREDENTIAL_MISSING)?
        } else {
            &access.login
        };
        loop {
            let under = if before.is_empty() {
                None
            } else {
                // Its login is no part of the time of this one.
                let apart = Mutex::default();
                Some(self.lead(before.to_vec(), access, true, &apart).await?)
            };
            let methods = login.methods().await?;
            match self.shared.handshakes.connect(&way, methods, under).await {
                Ok(made) => return Ok(made),
                // What was there may have died unseen; what was made for this is not made again.
                Err((fault, Some(under))) if fault == fault::JUMP_LOST && !under.is_fresh() => {
                    under.retire();
                }
                Err((fault, _)) => return Err(of_hop(fault, before)),
            }
        }
    }
}

/// A fault with the host at which it happened, where that is the last one on the way.
pub(crate) fn of_hop(fault: RunFault, before: &[Leg<'_>]) -> RunFault {
    let is_its = fault == fault::JUMP_LOST || fault == fault::JUMP_PROHIBITED;
    let hop = before.last().filter(|_| is_its);
    let at = hop.map(|hop| hop.host().alias.as_str().to_owned());
    RunFault {
        at: fault.at.or(at),
        ..fault
    }
}

/// Whether all peers of a connection are admitted, those on the way among them.
fn admits(legs: &[Leg<'_>], peers: &[IpAddr]) -> bool {
    let mut pairs = legs.iter().zip(peers);
    legs.len() == peers.len() && pairs.all(|(leg, peer)| leg.admits(*peer))
}

/// What a connection to the last of these hosts is for; nothing where one of them has no credential.
fn key(legs: &[Leg<'_>], generation: Generation, forwards: bool) -> Option<Key> {
    let whom = |leg: &Leg<'_>| {
        let credential = leg.credential()?;
        let (host, user) = (leg.host().host.clone(), credential.username.clone());
        let pins = leg.host().host_keys.clone();
        Some((host, leg.host().port, user, credential.name.clone(), pins))
    };
    let mut via = legs.iter().map(whom).collect::<Option<Vec<_>>>()?;
    let (host, port, user, credential, pins) = via.pop()?;
    Some(Key {
        pins,
        host,
        port,
        user,
        credential,
        generation,
        via,
        forwards,
    })
}

/// What is learned on the way, whatever the end.
struct Trip {
    began: Instant,
    peer: Option<IpAddr>,
    times: Times,
    guard: Option<Guard>,
    asked: bool,
    ear: Option<Arc<dyn Ear>>,
}

/// A question to the host on a connection. Given up before there is an answer, it leaves the connection to nobody else: a
/// host that is gone without a word answers the next one as little, and what was asked may yet take its place.
struct Asked<'a>(Option<&'a Lease>);

impl Asked<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.0 {
            lease.retire();
        }
    }
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
            led: false,
            closed: true,
        }
    }
}

/// Asks whether signals work on a connection, beside the run that uses it. Only a connection that is used again is asked,
/// so that a run which is alone on its own pays nothing. Says whether it asks.
fn ask(lease: &Lease) -> bool {
    if !lease.connection().signals.may_be_asked() {
        return false;
    }
    let Some(place) = lease.another() else {
        return false;
    };
    let asks = place.connection().signals.begin();
    if asks {
        tokio::spawn(async move {
            let connection = place.connection();
            let works = signals::ask(&connection.session).await;
            connection.signals.answered(works);
        });
    }
    asks
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

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
