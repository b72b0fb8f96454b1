//! One command on one channel: sends it, reads it to its end, and ends it where the gate has to.
//!
//! The reading itself is `reader`'s; here stand the limits, the caller's stop and the ladder.
//!
//! Must not: send anything twice. Once the request is out, nothing here tries again.

use crate::end::End;
use crate::fault;
use crate::reader::{Ear, Reading};
use crate::session::Session;
use crate::watchdog;
use portcullis_core::answer::RunFault;
use portcullis_core::limits::END_LADDER_MS_MAX;
use portcullis_core::output::Raw;
use portcullis_core::policy::Limits;
use russh::client::Msg;
use russh::{ChannelWriteHalf, Sig};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// When the ladder gives up on the wrapper and asks the host to signal TERM, in milliseconds. Late, because
/// a signal reaches the wrapper too where it stays above the command.
const SIGNAL_TERM_MS: u64 = 2_500;
/// When it asks for KILL.
const SIGNAL_KILL_MS: u64 = 2_650;
/// When it stops waiting; what is left until the bound is for closing.
const GIVE_UP_MS: u64 = END_LADDER_MS_MAX - 200;
/// Time for the closing messages, in milliseconds.
const CLOSE_MS_MAX: u64 = 100;
/// Time for a host to open a channel, in milliseconds. A connection that takes longer is given up:
/// nothing was started on it.
pub(crate) const OPEN_MS_MAX: u64 = 8_000;
/// The same on a connection that was there before. Its host may be gone without having said so, and a new connection
/// shows that sooner than waiting does.
pub(crate) const OPEN_KEPT_MS_MAX: u64 = 2_000;

/// What a command is held to.
pub(crate) struct Bounds<'a> {
    pub(crate) deadline: Instant,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) limits: &'a Limits,
}

/// A channel with a command on it that may have started.
pub(crate) struct Running {
    reading: Reading,
    mouth: Mouth,
}

/// The writing side of a channel. Dropped before the command's end was seen, it tells the host to end it:
/// the connection lives on, so that nothing else would.
struct Mouth(Option<ChannelWriteHalf<Msg>>);

impl Drop for Mouth {
    fn drop(&mut self) {
        let (Some(write), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(async move {
            let goodbye = async {
                let _ = write.eof().await;
                let _ = write.close().await;
            };
            let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS_MAX), goodbye).await;
        });
    }
}

/// What became of a command.
pub(crate) struct Outcome {
    pub(crate) raw: Raw,
    pub(crate) end: End,
    pub(crate) fault: Option<RunFault>,
}

/// Why no channel was opened. Nothing was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// The host said no.
    Refused,
    /// The connection is gone, or says nothing.
    Lost,
}

impl NotOpened {
    pub(crate) fn fault(self) -> RunFault {
        match self {
            Self::Refused => fault::SESSION_REFUSED,
            Self::Lost => fault::CONNECTION_FAILED,
        }
    }
}

/// Opens a channel, which the host has so long for, and begins to read it; nothing is started yet.
pub(crate) async fn open(
    session: &Session,
    limits: &Limits,
    ear: Option<Arc<dyn Ear>>,
    ms_max: u64,
) -> Result<Running, NotOpened> {
    let limit = Duration::from_millis(ms_max);
    match tokio::time::timeout(limit, session.channel_open_session()).await {
        Ok(Ok(channel)) => {
            let (read, write) = channel.split();
            Ok(Running {
                reading: Reading::begin(read, limits, ear),
                mouth: Mouth(Some(write)),
            })
        }
        Ok(Err(russh::Error::ChannelOpenFailure(_))) => Err(NotOpened::Refused),
        Ok(Err(_)) | Err(_) => Err(NotOpened::Lost),
    }
}

/// Why the gate ends a command.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    TimeLimit,
    Caller,
    HardStop,
}

type Ladder<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Running {
    /// Sends the exec text. From here on the command counts as started, whatever comes back.
    pub(crate) async fn send(&self, exec: String) {
        if let Some(write) = &self.mouth.0 {
            // A failure shows in the reading, as a connection that ended.
            let _ = write.exec(true, exec).await;
        }
    }

    /// Follows the command to its end, or ends it. Says too whether the channel was closed on both sides.
    pub(crate) async fn finish(
        mut self,
        bounds: Bounds<'_>,
        note: &(dyn Fn(u64) + Send + Sync),
    ) -> (Outcome, bool) {
        let desk = Arc::clone(&self.reading.desk);
        let mut cause = None;
        let mut ladder: Option<Ladder<'_>> = None;
        let mut ticks = ticker(bounds.limits);
        let read = loop {
            if cause.is_some() && ladder.is_none() {
                desk.ending.store(true, Ordering::Relaxed);
                ladder = Some(Box::pin(climb(self.mouth.0.as_ref(), &desk.prompted)));
            }
            tokio::select! {
                biased;
                () = bounds.stop.cancelled(), if cause.is_none() => cause = Some(Cause::Caller),
                () = tokio::time::sleep_until(bounds.deadline), if cause.is_none() => {
                    cause = Some(Cause::TimeLimit);
                }
                read = self.reading.over() => break read,
                () = desk.overflowed(), if cause.is_none() => cause = Some(Cause::HardStop),
                () = until(ladder.as_mut()) => break self.reading.stop().await,
                _ = ticks.tick() => note(desk.bytes()),
            }
        };
        drop(ladder);
        let closed = read.is_closed();
        if let Some(write) = self.mouth.0.take() {
            let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS_MAX), write.close()).await;
        }
        (read.conclude(cause), closed)
    }
}

/// Waits for a ladder that was begun; for ever where none was.
async fn until(ladder: Option<&mut Ladder<'_>>) {
    match ladder {
        Some(ladder) => ladder.as_mut().await,
        None => std::future::pending().await,
    }
}

fn ticker(limits: &Limits) -> tokio::time::Interval {
    let period = Duration::from_secs(limits.task_progress_interval.max(1));
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

/// The steps of ending a command: the wrapper's word first, which reaches the whole tree; then what SSH
/// has. Each message may wait for a host that takes nothing, so each has its own bound.
async fn climb(write: Option<&ChannelWriteHalf<Msg>>, prompted: &AtomicBool) {
    let Some(write) = write else { return };
    let began = Instant::now();
    let at = |ms| began + Duration::from_millis(ms);
    let word = async {
        let _ = write.data_bytes(watchdog::END).await;
        let _ = write.eof().await;
    };
    let _ = tokio::time::timeout_at(at(SIGNAL_TERM_MS), word).await;
    tokio::time::sleep_until(at(SIGNAL_TERM_MS)).await;
    prompted.store(true, Ordering::Relaxed);
    let _ = tokio::time::timeout_at(at(SIGNAL_KILL_MS), write.signal(Sig::TERM)).await;
    tokio::time::sleep_until(at(SIGNAL_KILL_MS)).await;
    let _ = tokio::time::timeout_at(at(GIVE_UP_MS), write.signal(Sig::KILL)).await;
    tokio::time::sleep_until(at(GIVE_UP_MS)).await;
}
