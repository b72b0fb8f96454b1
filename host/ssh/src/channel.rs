//! One command on one channel: sends it, reads it to its end, and ends it where the gate has to.
//!
//! The reading itself is `reader`'s; here stand the limits, the caller's stop and the ladder.
//!
//! Must not: send anything twice. Once the request is out, nothing here tries again.

use crate::end::{End, Guard};
use crate::fault;
use crate::pool::Connection;
use crate::reader::{Desk, Ear, Reading};
use crate::signals;
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

/// Longest wait for a host to show that its connection lives, in milliseconds.
const ANSWER_MS_MAX: u64 = 5_000;
/// Time that a command has after a TERM of the gate, in milliseconds.
const GRACE_MS: u64 = 2_000;
/// When the ladder stops waiting for the end that its KILL has to bring.
const KILLED_MS: u64 = 2_300;
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
struct Mouth {
    write: Option<ChannelWriteHalf<Msg>>,
    guard: Guard,
    /// Must not be closed before the goodbye is out.
    connection: Arc<Connection>,
}

impl Drop for Mouth {
    fn drop(&mut self) {
        let (Some(write), Ok(runtime)) = (self.write.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (guard, connection) = (self.guard, Arc::clone(&self.connection));
        runtime.spawn(async move {
            let _held = connection;
            let goodbye = async {
                // Nobody stays to wait for what heeds less.
                if guard == Guard::Signals {
                    let _ = write.signal(Sig::KILL).await;
                }
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
    /// Whether the command said that it leads a process group.
    pub(crate) led: bool,
    /// Whether nothing of the command has a place on the connection any more.
    pub(crate) closed: bool,
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
    connection: &Arc<Connection>,
    limits: &Limits,
    ear: Option<Arc<dyn Ear>>,
    ms_max: u64,
) -> Result<Running, NotOpened> {
    let limit = Duration::from_millis(ms_max);
    match tokio::time::timeout(limit, connection.session.channel_open_session()).await {
        Ok(Ok(channel)) => {
            let (read, write) = channel.split();
            Ok(Running {
                reading: Reading::begin(read, limits, ear),
                mouth: Mouth {
                    write: Some(write),
                    guard: Guard::Watchdog,
                    connection: Arc::clone(connection),
                },
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

/// A look whether a connection lives.
type Look<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Whether the host on a connection answers.
async fn lives(connection: &Connection) -> bool {
    let answer = connection.session.send_ping();
    matches!(
        tokio::time::timeout(Duration::from_millis(ANSWER_MS_MAX), answer).await,
        Ok(Ok(()))
    )
}

async fn answer(look: Option<&mut Look<'_>>) -> bool {
    match look {
        Some(look) => look.await,
        None => std::future::pending().await,
    }
}

type Ladder<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Running {
    /// Sends the exec text. From here on the command counts as started, whatever comes back.
    pub(crate) async fn send(&mut self, exec: String, guard: Guard) {
        self.mouth.guard = guard;
        let watched = guard == Guard::Watchdog;
        self.reading.desk.watched.store(watched, Ordering::Relaxed);
        if let Some(write) = &self.mouth.write {
            // A failure shows in the reading, as a connection that ended.
            let _ = write.exec(true, exec).await;
        }
    }

    /// Follows the command to its end, or ends it.
    pub(crate) async fn finish(
        mut self,
        bounds: Bounds<'_>,
        note: &(dyn Fn(u64) + Send + Sync),
    ) -> Outcome {
        let desk = Arc::clone(&self.reading.desk);
        let mut cause = None;
        let mut ladder: Option<Ladder<'_>> = None;
        let mut look: Option<Look<'_>> = None;
        let mut ticks = ticker(bounds.limits);
        let read = loop {
            if cause.is_some() && ladder.is_none() {
                desk.ending.store(true, Ordering::Relaxed);
                ladder = Some(self.mouth.ladder(&desk));
            }
            tokio::select! {
                biased;
                () = bounds.stop.cancelled(), if cause.is_none() => cause = Some(Cause::Caller),
                () = tokio::time::sleep_until(bounds.deadline), if cause.is_none() => {
                    cause = Some(Cause::TimeLimit);
                }
                read = self.reading.over() => break read,
                () = desk.overflowed(), if cause.is_none() => cause = Some(Cause::HardStop),
                () = desk.silent.notified() => look = Some(Box::pin(lives(&self.mouth.connection))),
                alive = answer(look.as_mut()) => {
                    look = None;
                    desk.answer(alive);
                }
                () = until(ladder.as_mut()) => {
                    ladder = None;
                    break self.reading.stop().await;
                }
                _ = ticks.tick() => note(desk.bytes()),
            }
        };
        match (ladder, self.mouth.guard) {
            // The end of the output is not the end of the processes: it looks for what is left of them.
            (Some(ladder), Guard::Signals) => ladder.await,
            (Some(_) | None, Guard::Watchdog) | (None, Guard::Signals) => {}
        }
        if let Some(write) = self.mouth.write.take() {
            let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS_MAX), write.close()).await;
        }
        let led = desk.group().is_some();
        read.conclude(cause, desk.gone.load(Ordering::Relaxed), led)
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

impl Mouth {
    fn ladder<'a>(&'a self, desk: &'a Desk) -> Ladder<'a> {
        match (&self.write, self.guard) {
            (None, _) => Box::pin(async {}),
            (Some(write), Guard::Watchdog) => Box::pin(climb(write, &desk.prompted)),
            (Some(write), Guard::Signals) => Box::pin(strike(write, desk, &self.connection)),
        }
    }
}

/// The steps of ending a command that has no watchdog: TERM to its process group, KILL if it does not end, and then a
/// look for what is left of the group, because no signal can be sent through the channel once the group's leader has
/// ended. Each step has its own bound.
async fn strike(write: &ChannelWriteHalf<Msg>, desk: &Desk, connection: &Connection) {
    let began = Instant::now();
    let at = |ms| began + Duration::from_millis(ms);
    // A leader that ended before was not ended by this: its number may be another's by now.
    if !desk.exited.is_cancelled() {
        desk.prompted.store(true, Ordering::Relaxed);
        let _ = tokio::time::timeout_at(at(GRACE_MS), write.signal(Sig::TERM)).await;
        let exited = tokio::time::timeout_at(at(GRACE_MS), desk.exited.cancelled()).await;
        if exited.is_err() {
            let _ = tokio::time::timeout_at(at(KILLED_MS), write.signal(Sig::KILL)).await;
            let _ = tokio::time::timeout_at(at(KILLED_MS), desk.exited.cancelled()).await;
        }
        if let Some(group) = desk.group() {
            let sweeping = signals::sweep(&connection.session, group);
            let gone = tokio::time::timeout_at(at(GIVE_UP_MS), sweeping).await;
            desk.gone.store(gone == Ok(true), Ordering::Relaxed);
        }
    }
    let _ = tokio::time::timeout_at(at(GIVE_UP_MS), desk.over.cancelled()).await;
}

/// The steps of ending a command: the wrapper's word first, which reaches the whole tree; then what SSH
/// has. Each message may wait for a host that takes nothing, so each has its own bound.
async fn climb(write: &ChannelWriteHalf<Msg>, prompted: &AtomicBool) {
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
