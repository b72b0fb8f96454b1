//! From admitted addresses to a connection that is logged in, with bounds on how much of that goes on at once.

use crate::dial;
use crate::engine::EngineSettings;
use crate::fault;
use crate::login::Methods;
use crate::pool::{Connection, Lease};
use crate::session::{self, LoggedIn, NotLoggedIn, Session, Whom};
use portcullis_core::answer::RunFault;
use portcullis_core::policy::Leg;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio_util::task::AbortOnDropHandle;

/// Most tries to reach a host that drops connections before it knows who asks.
const TRIES_MAX: u32 = 6;
/// Longest pause before the second try, in milliseconds; it doubles with each further one.
const PAUSE_MS: u64 = 80;

/// Bounds on handshakes under way.
pub(crate) struct Handshakes {
    all: Semaphore,
    per_address_max: usize,
    per_address: Mutex<HashMap<(IpAddr, u16), Arc<Semaphore>>>,
}

/// A handshake's place among all and among those with its host.
pub(crate) struct Turn<'a> {
    _of_address: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'a>,
}

impl Handshakes {
    pub(crate) fn new(settings: &EngineSettings) -> Self {
        Self {
            all: Semaphore::new(settings.handshakes_max.max(1)),
            per_address_max: settings.handshakes_per_host_max.max(1),
            per_address: Mutex::default(),
        }
    }

    /// The bound of one address. Bounds that nobody uses are forgotten on the way.
    fn of(&self, address: IpAddr, port: u16) -> Arc<Semaphore> {
        let mut bounds = self
            .per_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        bounds.retain(|_, bound| Arc::strong_count(bound) > 1);
        let bound = bounds.entry((address, port));
        Arc::clone(bound.or_insert_with(|| Arc::new(Semaphore::new(self.per_address_max))))
    }

    /// Waits for a place.
    pub(crate) async fn turn(&self, address: IpAddr, port: u16) -> Result<Turn<'_>, RunFault> {
        let of_address = self.of(address, port).acquire_owned().await;
        let of_all = self.all.acquire().await;
        match (of_address, of_all) {
            (Ok(of_address), Ok(of_all)) => Ok(Turn {
                _of_address: of_address,
                _of_all: of_all,
            }),
            // Nobody closes them.
            _ => Err(fault::CONNECTION_FAILED),
        }
    }
}

/// A new connection.
pub(crate) struct Made {
    pub(crate) connection: Connection,
    /// How long the login took.
    pub(crate) authenticate: Duration,
}

/// Whom to connect to, and as whom.
pub(crate) struct Way<'a> {
    pub(crate) whom: Whom,
    /// Where, and at which admitted addresses, in order.
    pub(crate) leg: Leg<'a>,
}

impl Handshakes {
    /// Connects to the first address that answers, and logs in.
    ///
    /// Another address is tried only where nothing was sent yet; the same address only where the host
    /// dropped the connection before it knew who asks, which is how a server says that it is busy.
    /// With a lease the way leads through that connection.
    pub(crate) async fn connect(
        &self,
        way: &Way<'_>,
        methods: Methods,
        under: Option<Lease>,
    ) -> Result<Made, (RunFault, Option<Lease>)> {
        let methods = Arc::new(methods);
        let mut last = fault::CONNECTION_FAILED;
        for address in way.leg.addresses() {
            let _turn = match self.turn(*address, way.leg.host().port).await {
                Ok(turn) => turn,
                Err(fault) => return Err((fault, under)),
            };
            match attempts(way, *address, &methods, under.as_ref()).await {
                Tried::Done(done) => {
                    return match *done {
                        Ok((session, authenticate)) => Ok(Made {
                            connection: Connection::new(session, *address, under),
                            authenticate,
                        }),
                        Err(fault) => Err((fault, under)),
                    };
                }
                Tried::NotReached(fault) => last = fault,
            }
        }
        Err((last, under))
    }
}

/// What came of the tries at one address.
enum Tried {
    /// There was a conversation, and this is its end.
    Done(Box<Result<(Session, Duration), RunFault>>),
    /// No socket; the next address may have one.
    NotReached(RunFault),
}

async fn attempts(
    way: &Way<'_>,
    address: IpAddr,
    methods: &Arc<Methods>,
    under: Option<&Lease>,
) -> Tried {
    let (port, mut tries) = (way.leg.host().port, 1);
    loop {
        let (whom, methods) = (way.whom.clone(), Arc::clone(methods));
        let talked = match under {
            None => match dial::dial(address, port, &|peer| way.leg.admits(peer)).await {
                Ok(socket) => apart(session::log_in(socket, whom, methods)).await,
                Err(fault) => return Tried::NotReached(fault),
            },
            Some(under) => match dial::through(&under.connection().session, address, port).await {
                Ok(stream) => apart(session::log_in(stream, whom, methods)).await,
                Err(fault) => return Tried::NotReached(fault),
            },
        };
        let done = match talked.unwrap_or_else(|| Err(fault::CONNECTION_FAILED.into())) {
            Ok(LoggedIn {
                session,
                authenticate,
            }) => Ok((session, authenticate)),
            Err(NotLoggedIn {
                turned_away: true, ..
            }) if tries < TRIES_MAX => {
                tokio::time::sleep(pause(tries)).await;
                tries += 1;
                continue;
            }
            Err(refused) => Err(refused.fault),
        };
        return Tried::Done(Box::new(done));
    }
}

/// Does the talking in a task of its own, so that bytes which bring down the library bring down one
/// connection and no run; nothing where they did. Ends it when dropped.
pub(crate) async fn apart<T: Send + 'static>(
    conversation: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    AbortOnDropHandle::new(tokio::spawn(conversation))
        .await
        .ok()
}

/// Half to all of the longest pause, so that those who were turned away together do not come back together.
fn pause(tries: u32) -> Duration {
    let longest = PAUSE_MS << tries.min(TRIES_MAX);
    let random = RandomState::new().hash_one(tries);
    Duration::from_millis(longest / 2 + random % (longest / 2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_conversation_brings_down_nothing_else() {
        let panics = apart(async {
            if fault::CONNECTION_FAILED.code.is_empty() {
                return;
            }
            panic!("a hostile host found a fault");
        });
        assert_eq!(panics.await, None);
    }

    #[test]
    fn pauses_grow_and_stay_within_their_bounds() {
        for tries in 1..TRIES_MAX {
            let longest = Duration::from_millis(PAUSE_MS << tries);
            let pause = pause(tries);
            assert!(pause >= longest / 2 && pause < longest, "{pause:?}");
        }
    }
}
