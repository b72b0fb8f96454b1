//! Which requests are under way: their ids, how many of each kind, and how each is taken back.
//!
//! An id is taken when its request is read and given back when its answer is about to be written, so
//! two requests of one id are never under way together and nothing can pile up behind a client that
//! does not read.
//!
//! Must not: read, write or wait.

use portcullis_core::limits;
use rmcp::model::RequestId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Most requests under way that only read what the gate holds in memory.
pub(crate) const READS_IN_FLIGHT_MAX: usize = 1024;

/// What a request costs while it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Opens a session. Clients must not cancel it, so it cannot be taken back.
    Handshake,
    /// Answered from memory.
    Read,
    /// Decides, runs or reads files.
    Work,
}

/// Why a request is not taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// A request of that id is under way.
    Duplicate,
    /// Too many requests of that kind are under way.
    Busy,
}

/// What to do with an answer that is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Write it.
    Write,
    /// The client took the call back and expects nothing.
    Drop,
}

#[derive(Debug)]
struct Call {
    kind: Kind,
    stop: CancellationToken,
    taken_back: bool,
}

#[derive(Debug, Default)]
struct UnderWay {
    calls: HashMap<RequestId, Call>,
    reads: usize,
    work: usize,
}

/// The requests under way.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    under_way: Mutex<UnderWay>,
    all: CancellationToken,
}

impl Calls {
    /// Takes a request on.
    ///
    /// # Errors
    /// [`NotAdmitted`]; nothing is taken on then.
    pub(crate) fn admit(&self, id: &RequestId, kind: Kind) -> Result<(), NotAdmitted> {
        let mut under_way = self.lock();
        if under_way.calls.contains_key(id) {
            return Err(NotAdmitted::Duplicate);
        }
        let UnderWay { reads, work, .. } = &mut *under_way;
        let (count, count_max) = match kind {
            Kind::Handshake | Kind::Read => (reads, READS_IN_FLIGHT_MAX),
            Kind::Work => (work, limits::MCP_IN_FLIGHT_MAX),
        };
        if *count >= count_max {
            return Err(NotAdmitted::Busy);
        }
        *count += 1;
        let call = Call {
            kind,
            stop: self.all.child_token(),
            taken_back: false,
        };
        under_way.calls.insert(id.clone(), call);
        Ok(())
    }

    /// The token that ends a call. For an id that is not under way it is cancelled already: a call
    /// that nobody can take back must not start.
    pub(crate) fn stop_of(&self, id: &RequestId) -> CancellationToken {
        let stop = self.lock().calls.get(id).map(|call| call.stop.clone());
        stop.unwrap_or_else(|| {
            let stop = CancellationToken::new();
            stop.cancel();
            stop
        })
    }

    /// The client takes a call back: it is ended and its answer will not be written.
    pub(crate) fn take_back(&self, id: &RequestId) {
        let mut under_way = self.lock();
        if let Some(call) = under_way.calls.get_mut(id)
            && call.kind != Kind::Handshake
        {
            call.taken_back = true;
            call.stop.cancel();
        }
    }

    /// An answer is about to be written: gives its id back.
    pub(crate) fn answer(&self, id: &RequestId) -> Delivery {
        let mut under_way = self.lock();
        let Some(call) = under_way.calls.remove(id) else {
            return Delivery::Write;
        };
        let count = match call.kind {
            Kind::Handshake | Kind::Read => &mut under_way.reads,
            Kind::Work => &mut under_way.work,
        };
        *count = count.saturating_sub(1);
        if call.taken_back {
            Delivery::Drop
        } else {
            Delivery::Write
        }
    }

    /// Ends every call, those under way and those to come. Their answers are still written.
    pub(crate) fn stop_all(&self) {
        self.all.cancel();
    }

    /// How many requests are under way.
    pub(crate) fn count(&self) -> usize {
        self.lock().calls.len()
    }

    /// A panic elsewhere cannot leave the map half changed: each change is one insert or remove and
    /// one count, without a call in between that could panic.
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> RequestId {
        RequestId::Number(number)
    }

    #[test]
    fn an_id_is_free_again_only_once_it_was_answered() {
        let calls = Calls::default();
        assert_eq!(calls.admit(&id(1), Kind::Work), Ok(()));
        assert_eq!(calls.admit(&id(1), Kind::Read), Err(NotAdmitted::Duplicate));
        assert_eq!(
            calls.admit(&RequestId::String("1".into()), Kind::Work),
            Ok(())
        );
        calls.take_back(&id(1));
        assert_eq!(calls.admit(&id(1), Kind::Work), Err(NotAdmitted::Duplicate));
        assert_eq!(calls.answer(&id(1)), Delivery::Drop);
        assert_eq!(calls.admit(&id(1), Kind::Work), Ok(()));
        assert_eq!(calls.answer(&id(1)), Delivery::Write);
    }

    #[test]
    fn work_at_the_cap_is_admitted_and_past_it_is_not() {
        let calls = Calls::default();
        for number in 0..limits::MCP_IN_FLIGHT_MAX as i64 {
            assert_eq!(calls.admit(&id(number), Kind::Work), Ok(()));
        }
        assert_eq!(calls.admit(&id(-1), Kind::Work), Err(NotAdmitted::Busy));
        assert_eq!(calls.admit(&id(-1), Kind::Read), Ok(()));
        calls.answer(&id(0));
        assert_eq!(calls.admit(&id(-2), Kind::Work), Ok(()));
        assert_eq!(calls.count(), limits::MCP_IN_FLIGHT_MAX + 1);
    }

    #[test]
    fn taking_one_call_back_ends_that_one_and_stopping_ends_all() {
        let calls = Calls::default();
        assert_eq!(calls.admit(&id(1), Kind::Work), Ok(()));
        assert_eq!(calls.admit(&id(2), Kind::Work), Ok(()));
        let (one, two) = (calls.stop_of(&id(1)), calls.stop_of(&id(2)));
        calls.take_back(&id(1));
        calls.take_back(&id(99));
        assert!(one.is_cancelled() && !two.is_cancelled());
        calls.stop_all();
        assert!(two.is_cancelled());
        assert_eq!(calls.answer(&id(2)), Delivery::Write);
        assert_eq!(calls.admit(&id(3), Kind::Work), Ok(()));
        assert!(calls.stop_of(&id(3)).is_cancelled());
    }

    #[test]
    fn a_handshake_cannot_be_taken_back_and_an_unknown_call_is_stopped() {
        let calls = Calls::default();
        assert_eq!(calls.admit(&id(0), Kind::Handshake), Ok(()));
        calls.take_back(&id(0));
        assert_eq!(calls.answer(&id(0)), Delivery::Write);
        assert!(calls.stop_of(&id(7)).is_cancelled());
    }
}
