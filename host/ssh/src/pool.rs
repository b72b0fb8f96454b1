//! Connections that are kept and shared: one handshake serves many runs.
//!
//! Two runs share a connection only where host, port, user, credential and the reading of the configuration
//! are the same, and only where its peer is an address that the second run was admitted to. A
//! connection carries few commands at once, because servers count sessions late; past that another
//! is made. Whoever needs one that is not there makes it, and those who came meanwhile wait for it.
//!
//! Must not: know what a command is. A lease is one channel's worth of a connection.

use crate::session::Session;
use crate::signals::Signals;
use portcullis_core::answer::RunFault;
use portcullis_core::inventory::HostKeyPin;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Most commands at once on one connection. OpenSSH allows ten sessions by default and frees them late.
pub(crate) const CHANNELS_MAX: usize = 4;
/// Most connections at once through one connection to a host on the way. They are no sessions, which OpenSSH counts.
const FORWARDS_MAX: usize = 64;
/// Most connections at once for the same login; what comes then waits for its turn.
pub(crate) const CONNECTIONS_PER_LOGIN_MAX: usize = 8;
/// Between two looks for connections that have had their time, in milliseconds.
const SWEEP_MS: u64 = 5_000;

/// How long connections are kept, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeping {
    /// Time after which a connection that nobody uses is closed.
    pub(crate) idle: Duration,
    /// Age after which a connection takes no further command.
    pub(crate) age: Duration,
    /// Most that are kept; past that the one that was used least recently goes.
    pub(crate) kept_max: usize,
}

/// A host on the way: name, port, user, credential, and the keys that are pinned for it.
pub(crate) type Hop = (String, u16, String, String, Vec<HostKeyPin>);

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The name that the host key was verified under.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    /// The entry of the credentials.
    pub(crate) credential: String,
    /// Which reading of the configuration.
    pub(crate) generation: Generation,
    /// The keys that the inventory pins: what one entry lets pass, another of the same host may not.
    pub(crate) pins: Vec<HostKeyPin>,
    /// The hosts on the way: the keys of the connections that it leads through, but for their own ways.
    pub(crate) via: Vec<Hop>,
    /// Whether it carries connections to other hosts instead of commands.
    pub(crate) forwards: bool,
}

/// One reading of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u64);

impl Generation {
    /// One that differs from every other of this process.
    #[must_use]
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A connection that is logged in.
pub(crate) struct Connection {
    pub(crate) session: Session,
    /// Whether its server passes signals on.
    pub(crate) signals: Signals,
    /// The peers on the way, and then the host's own.
    peers: Vec<IpAddr>,
    born: Instant,
    /// The place on the connection to the host before, which must not be closed under this one.
    _under: Option<Lease>,
}

impl Connection {
    pub(crate) fn new(session: Session, peer: IpAddr, under: Option<Lease>) -> Self {
        let mut peers = under
            .as_ref()
            .map_or_else(Vec::new, |under| under.connection.peers.clone());
        peers.push(peer);
        Self {
            session,
            signals: Signals::default(),
            peers,
            born: Instant::now(),
            _under: under,
        }
    }

    /// The host's address.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peers.last().copied()
    }
}

/// All connections.
pub(crate) struct Pool {
    keeping: Keeping,
    ways: Mutex<Ways>,
}

#[derive(Default)]
struct Ways {
    by_key: HashMap<Key, Arc<Way>>,
    /// Whether somebody looks for connections that have had their time.
    swept: bool,
}

/// The connections of one key.
pub(crate) struct Way {
    keeping: Keeping,
    /// Most leases at once on one of them.
    places: usize,
    state: Mutex<State>,
    /// Told of each change that somebody may wait for.
    changed: Notify,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    /// Connections under way.
    connecting: usize,
    /// Who waits for one.
    waiting: usize,
    /// Attempts that failed, and why the last one did.
    failures: u64,
    fault: Option<RunFault>,
}

struct Slot {
    connection: Arc<Connection>,
    in_use: usize,
    used: Instant,
    /// Takes no further command, and goes when the last one has ended.
    retired: bool,
}

impl Slot {
    fn is_spent(&self, keeping: &Keeping) -> bool {
        self.retired
            || self.connection.session.is_closed()
            || self.connection.born.elapsed() >= keeping.age
    }

    fn is_over(&self, keeping: &Keeping) -> bool {
        let idle = self.used.elapsed() >= keeping.idle;
        self.in_use == 0 && (idle || self.is_spent(keeping))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(crate) fn new(keeping: Keeping) -> Self {
        Self {
            keeping,
            ways: Mutex::default(),
        }
    }

    /// The way of a key; made where there is none.
    pub(crate) fn way(self: &Arc<Self>, key: Key) -> Arc<Way> {
        let mut ways = lock(&self.ways);
        if !ways.swept {
            ways.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        let forwards = key.forwards;
        let new = || {
            Arc::new(Way {
                keeping: self.keeping,
                places: if forwards { FORWARDS_MAX } else { CHANNELS_MAX },
                state: Mutex::default(),
                changed: Notify::new(),
            })
        };
        Arc::clone(ways.by_key.entry(key).or_insert_with(new))
    }

    /// Whether a run could begin at once.
    pub(crate) fn is_open(&self, key: &Key, admits: impl Fn(&[IpAddr]) -> bool) -> bool {
        let way = lock(&self.ways).by_key.get(key).map(Arc::clone);
        way.is_some_and(|way| lock(&way.state).best(&way, &admits).is_some())
    }

    /// Lets nobody onto the connections that are there. Commands on them end as they would have.
    pub(crate) fn retire_all(&self) {
        let ways = std::mem::take(&mut lock(&self.ways).by_key);
        for way in ways.values() {
            let mut state = lock(&way.state);
            for slot in &mut state.slots {
                slot.retired = true;
            }
            state.prune(&self.keeping);
        }
    }

    /// Makes room where more connections are kept than may be.
    pub(crate) fn trim(&self) {
        let ways = lock(&self.ways);
        let mut idle = Vec::new();
        let mut kept = 0;
        for way in ways.by_key.values() {
            let state = lock(&way.state);
            kept += state.slots.len();
            let free = state.slots.iter().filter(|slot| slot.in_use == 0);
            idle.extend(free.map(|slot| (slot.used, Arc::clone(way))));
        }
        let over = kept.saturating_sub(self.keeping.kept_max);
        if over == 0 {
            return;
        }
        idle.sort_by_key(|(used, _)| *used);
        for (used, way) in idle.into_iter().take(over) {
            lock(&way.state)
                .slots
                .retain(|slot| slot.in_use > 0 || slot.used != used);
        }
    }
}

/// Closes connections that have had their time, as long as there is a pool.
async fn sweep(pool: Weak<Pool>) {
    let mut pause = Duration::from_millis(SWEEP_MS);
    loop {
        tokio::time::sleep(pause).await;
        let Some(pool) = pool.upgrade() else { return };
        pause = pool.keeping.idle.min(pause);
        lock(&pool.ways).by_key.retain(|_, way| {
            let mut state = lock(&way.state);
            state.prune(&way.keeping);
            // One more holder is a run that is about to look here.
            !state.slots.is_empty() || Arc::strong_count(way) > 1
        });
    }
}

impl State {
    fn prune(&mut self, keeping: &Keeping) {
        self.slots.retain(|slot| !slot.is_over(keeping));
    }

    /// The usable connection with the fewest commands on it.
    fn best(&self, way: &Way, admits: &impl Fn(&[IpAddr]) -> bool) -> Option<usize> {
        let usable = self.slots.iter().enumerate().filter(|(_, slot)| {
            let free = slot.in_use < way.places && !slot.is_spent(&way.keeping);
            free && admits(&slot.connection.peers)
        });
        let best = usable.min_by_key(|(_, slot)| slot.in_use);
        best.map(|(index, _)| index)
    }
}

/// What a run does next on its way to a connection.
enum Step {
    Go(Lease),
    Connect(Attempt),
    Wait,
    Fail(RunFault),
}

impl Way {
    /// A share of a connection: of one that is there, or of one that `connect` makes, or of one that
    /// another run makes meanwhile.
    ///
    /// # Cancel
    /// Safe; those who wait for a connection that is given up make one themselves.
    pub(crate) async fn lease<Making>(
        self: &Arc<Self>,
        admits: impl Fn(&[IpAddr]) -> bool,
        connect: impl Fn() -> Making,
    ) -> Result<Lease, RunFault>
    where
        Making: Future<Output = Result<Connection, RunFault>>,
    {
        let seen = lock(&self.state).failures;
        let mut may_connect = true;
        let mut waiting = None;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.step(&admits, seen, may_connect, waiting.is_some()) {
                Step::Go(lease) => return Ok(lease),
                Step::Fail(fault) => return Err(fault),
                Step::Wait => {
                    waiting.get_or_insert_with(|| Waiting::new(self));
                    changed.await;
                }
                Step::Connect(attempt) => {
                    drop(waiting.take());
                    match connect().await {
                        Ok(connection) => return Ok(attempt.made(connection)),
                        // A host that takes no further connection may still have room on one that is there.
                        Err(fault) => attempt.failed(fault),
                    }
                    may_connect = false;
                }
            }
        }
    }

    fn step(
        self: &Arc<Self>,
        admits: &impl Fn(&[IpAddr]) -> bool,
        seen: u64,
        may_connect: bool,
        counted: bool,
    ) -> Step {
        let keeping = &self.keeping;
        let mut state = lock(&self.state);
        state.prune(keeping);
        if let Some(slot) = state
            .best(self, admits)
            .and_then(|i| state.slots.get_mut(i))
        {
            slot.in_use += 1;
            return Step::Go(Lease {
                way: Arc::clone(self),
                connection: Arc::clone(&slot.connection),
                fresh: false,
            });
        }
        let others = state.waiting - usize::from(counted);
        // Who makes a connection takes one of its places, and leaves the others to those who wait.
        let covered = state.connecting * (self.places - 1);
        let live = state.slots.iter().filter(|slot| !slot.is_spent(keeping));
        let live = live.count();
        let room = live + state.connecting < CONNECTIONS_PER_LOGIN_MAX;
        if !room {
            // Connections to addresses that the name no longer has must not keep all places for ever.
            state
                .slots
                .retain(|slot| slot.in_use > 0 || admits(&slot.connection.peers));
        }
        if may_connect && state.failures == seen && room && others >= covered {
            state.connecting += 1;
            return Step::Connect(Attempt {
                way: Arc::clone(self),
                open: true,
            });
        }
        match &state.fault {
            Some(fault) if state.failures != seen && state.connecting == 0 && live == 0 => {
                Step::Fail(fault.clone())
            }
            _ => Step::Wait,
        }
    }
}

/// A run that waits, counted as long as it lives.
struct Waiting(Arc<Way>);

impl Waiting {
    fn new(way: &Arc<Way>) -> Self {
        lock(&way.state).waiting += 1;
        Self(Arc::clone(way))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.0.state).waiting -= 1;
    }
}

/// A connection under way, counted as long as it lives.
struct Attempt {
    way: Arc<Way>,
    open: bool,
}

impl Attempt {
    fn made(mut self, connection: Connection) -> Lease {
        let connection = Arc::new(connection);
        let mut state = lock(&self.way.state);
        state.connecting -= 1;
        state.slots.push(Slot {
            connection: Arc::clone(&connection),
            in_use: 1,
            used: Instant::now(),
            retired: false,
        });
        drop(state);
        self.open = false;
        self.way.changed.notify_waiters();
        Lease {
            way: Arc::clone(&self.way),
            connection,
            fresh: true,
        }
    }

    fn failed(self, fault: RunFault) {
        let mut state = lock(&self.way.state);
        state.failures += 1;
        state.fault = Some(fault);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.open {
            lock(&self.way.state).connecting -= 1;
            self.way.changed.notify_waiters();
        }
    }
}

/// One command's place on a connection; given back when dropped.
pub(crate) struct Lease {
    way: Arc<Way>,
    connection: Arc<Connection>,
    fresh: bool,
}

impl Lease {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Another place on the same connection, where there is one.
    pub(crate) fn another(&self) -> Option<Self> {
        let mut state = lock(&self.way.state);
        let slot = state.slot(&self.connection)?;
        if slot.retired || slot.in_use >= self.way.places {
            return None;
        }
        slot.in_use += 1;
        Some(Self {
            way: Arc::clone(&self.way),
            connection: Arc::clone(&self.connection),
            fresh: false,
        })
    }

    /// Whether the connection was made for this lease.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Lets nobody else onto this connection.
    pub(crate) fn retire(&self) {
        let mut state = lock(&self.way.state);
        if let Some(slot) = state.slot(&self.connection) {
            slot.retired = true;
        }
    }
}

impl State {
    fn slot(&mut self, connection: &Arc<Connection>) -> Option<&mut Slot> {
        let mut slots = self.slots.iter_mut();
        slots.find(|slot| Arc::ptr_eq(&slot.connection, connection))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = lock(&self.way.state);
        if let Some(slot) = state.slot(&self.connection) {
            slot.in_use -= 1;
            slot.used = Instant::now();
        }
        state.prune(&self.way.keeping);
        drop(state);
        self.way.changed.notify_waiters();
    }
}
