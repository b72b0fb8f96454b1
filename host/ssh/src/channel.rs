//! One command on one channel: sends it, reads it to its end, and ends it where the gate has to.
//!
//! The reading loop waits for the host, the clock and the caller's stop, and for nothing else: a channel
//! that nobody reads would hold up its whole connection.
//!
//! Must not: send anything twice. Once the request is out, nothing here tries again.

use crate::end::{End, Termination};
use crate::fault;
use crate::session::Session;
use crate::watchdog;
use portcullis_core::answer::RunFault;
use portcullis_core::limits::{END_LADDER_MS_MAX, OUTPUT_CUT_SLACK_BYTES};
use portcullis_core::output::{Capture, Raw};
use portcullis_core::policy::Limits;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use std::future::Future;
use std::pin::Pin;
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
/// Silence after an exit status after which the run is over although something holds the streams, in
/// milliseconds: a background process that the command left behind, as a rule.
const QUIET_AFTER_EXIT_MS: u64 = 3_000;
/// Longest name of a signal that a host may report, in bytes.
const SIGNAL_NAME_BYTES_MAX: usize = 16;
/// The stream number of standard error.
const STDERR: u32 = 1;

/// What a command is held to.
pub(crate) struct Bounds<'a> {
    pub(crate) deadline: Instant,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) limits: &'a Limits,
}

/// A channel with a command on it that may have started.
pub(crate) struct Running {
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
}

/// What became of a command.
pub(crate) struct Outcome {
    pub(crate) raw: Raw,
    pub(crate) end: End,
    pub(crate) fault: Option<RunFault>,
}

/// Opens a channel; nothing is started yet.
pub(crate) async fn open(session: &Session) -> Result<Running, RunFault> {
    match session.channel_open_session().await {
        Ok(channel) => {
            let (read, write) = channel.split();
            Ok(Running { read, write })
        }
        Err(russh::Error::ChannelOpenFailure(_)) => Err(fault::SESSION_REFUSED),
        Err(_) => Err(fault::CONNECTION_FAILED),
    }
}

/// Why the gate ends a command.
#[derive(Debug, Clone, Copy)]
enum Cause {
    TimeLimit,
    Caller,
    HardStop,
}

/// What the host has said so far.
#[derive(Default)]
struct Seen {
    exit: Option<End>,
    eof: bool,
    closed: bool,
    refused: bool,
    gone: bool,
    /// The run is over although the streams are not.
    lingering: bool,
    bytes: u64,
    /// When the host last said anything of the command.
    heard: Option<Instant>,
    /// The exit was reported before the gate began to end the command.
    exit_before: bool,
    /// The exit was reported before the gate asked the host for any signal.
    exit_unprompted: bool,
}

type Ladder<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Running {
    /// Sends the exec text. From here on the command counts as started, whatever comes back.
    pub(crate) async fn send(&self, exec: String) {
        // A failure shows in the reading loop, as a connection that ended.
        let _ = self.write.exec(true, exec).await;
    }

    /// Reads the command to its end, or ends it.
    pub(crate) async fn finish(
        mut self,
        bounds: Bounds<'_>,
        note: &(dyn Fn(u64) + Send + Sync),
    ) -> Outcome {
        let side = side_bytes(bounds.limits.output_bytes_kept());
        let mut raw = Raw {
            stdout: Capture::new(side),
            stderr: Capture::new(side),
        };
        let mut seen = Seen::default();
        let mut words = LastWords::default();
        let prompted = AtomicBool::new(false);
        let write = &self.write;
        let mut cause = None;
        let mut ladder: Option<Ladder<'_>> = None;
        let mut ticks = ticker(bounds.limits);
        loop {
            if cause.is_none() && seen.bytes > bounds.limits.output_hard_stop_bytes {
                cause = Some(Cause::HardStop);
            }
            if cause.is_some() && ladder.is_none() {
                ladder = Some(Box::pin(climb(write, &prompted)));
            }
            tokio::select! {
                biased;
                () = bounds.stop.cancelled(), if cause.is_none() => cause = Some(Cause::Caller),
                () = tokio::time::sleep_until(bounds.deadline), if cause.is_none() => {
                    cause = Some(Cause::TimeLimit);
                }
                () = until(ladder.as_mut()) => break,
                () = quiet(&seen), if cause.is_none() => {
                    seen.lingering = true;
                    break;
                }
                message = self.read.wait() => match message {
                    Some(message) => {
                        seen.take(message, &mut raw, cause.map(|_| &mut words), &prompted);
                        if seen.closed || seen.refused {
                            break;
                        }
                    }
                    None => break,
                },
                _ = ticks.tick() => note(seen.bytes),
            }
        }
        drop(ladder);
        raw.stderr.push(&words.held);
        let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS_MAX), self.write.close()).await;
        seen.conclude(raw, cause)
    }
}

/// Waits until a command that has exited has been silent for long enough; for ever before its exit.
async fn quiet(seen: &Seen) {
    match (&seen.exit, seen.heard) {
        (Some(_), Some(heard)) => {
            tokio::time::sleep_until(heard + Duration::from_millis(QUIET_AFTER_EXIT_MS)).await;
        }
        _ => std::future::pending().await,
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

impl Seen {
    fn take(
        &mut self,
        message: ChannelMsg,
        raw: &mut Raw,
        words: Option<&mut LastWords>,
        prompted: &AtomicBool,
    ) {
        self.heard = Some(Instant::now());
        self.exit_before |= words.is_none() && is_exit(&message);
        match message {
            ChannelMsg::Data { data } => {
                self.count(data.len());
                raw.stdout.push(&data);
            }
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                self.count(data.len());
                match words {
                    Some(words) => self.gone |= words.push(&data, &mut raw.stderr),
                    None => raw.stderr.push(&data),
                }
            }
            // A stream that nobody asked for is counted, so that it cannot flow for ever.
            ChannelMsg::ExtendedData { data, .. } => self.count(data.len()),
            ChannelMsg::ExitStatus { exit_status } => self.exit(End::Exited(exit_status), prompted),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.exit(End::Signalled(signal_word(&signal_name)), prompted);
            }
            ChannelMsg::Eof => self.eof = true,
            // INVARIANT: an exit status does not end the reading; data may follow it.
            ChannelMsg::Close => self.closed = true,
            ChannelMsg::Failure => self.refused = true,
            // The rest is for servers, or says nothing about a command.
            _ => {}
        }
    }

    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    fn exit(&mut self, exit: End, prompted: &AtomicBool) {
        if self.exit.is_none() {
            self.exit = Some(exit);
            self.exit_unprompted = !prompted.load(Ordering::Relaxed);
        }
    }

    fn conclude(self, raw: Raw, cause: Option<Cause>) -> Outcome {
        let (end, fault) = match cause {
            Some(cause) => {
                let how = self.termination();
                let end = match cause {
                    Cause::TimeLimit => End::TimedOut(how),
                    Cause::Caller => End::Cancelled(how),
                    Cause::HardStop => End::OutputHardStop(how),
                };
                (end, None)
            }
            None if self.refused => (End::Unreachable, Some(fault::SESSION_REFUSED)),
            None => match self.exit {
                // Without the end of the output it is not known what is missing of it.
                Some(exit) if self.closed || self.eof || self.lingering => (exit, None),
                None if self.closed => (End::Unknown, Some(fault::EXIT_STATUS_MISSING)),
                Some(_) | None => (End::Unknown, Some(fault::CONNECTION_LOST)),
            },
        };
        Outcome { raw, end, fault }
    }

    /// What is known of the processes after the ladder.
    ///
    /// Proof is the watcher's last word, or a death by KILL that no request of the gate to the host
    /// brought about: then it was the watcher's, which reaches the whole group in one call. Either
    /// counts only with the channel closed, which says that nobody holds the streams.
    fn termination(&self) -> Termination {
        let killed = self.exit_unprompted
            && matches!(&self.exit, Some(End::Signalled(name)) if name == "KILL");
        if self.refused || self.closed && (self.gone || killed) {
            Termination::Confirmed
        } else if self.closed || self.exit.is_some() && !self.exit_before {
            Termination::SignalledUnconfirmed
        } else {
            Termination::LeftRunning
        }
    }
}

/// Looks for the watcher's last word in standard error, across message borders, and keeps it out of the
/// output. Holds back at most one byte less than the word; who ends the reading passes that on.
#[derive(Default)]
struct LastWords {
    held: Vec<u8>,
}

impl LastWords {
    /// Takes bytes in and passes on what cannot be part of the word. Says whether the word was there.
    fn push(&mut self, bytes: &[u8], capture: &mut Capture) -> bool {
        let gone = watchdog::GONE;
        self.held.extend_from_slice(bytes);
        let found = self.held.windows(gone.len()).position(|w| w == gone);
        if let Some(at) = found {
            self.held.drain(at..at + gone.len());
        }
        let keep = (1..gone.len())
            .rev()
            .find(|length| gone.get(..*length).is_some_and(|g| self.held.ends_with(g)))
            .unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        capture.push(&self.held);
        self.held = rest;
        found.is_some()
    }
}

fn is_exit(message: &ChannelMsg) -> bool {
    matches!(
        message,
        ChannelMsg::ExitStatus { .. } | ChannelMsg::ExitSignal { .. }
    )
}

/// How much is kept at either end of a stream to show `output_bytes_max` bytes of both.
fn side_bytes(output_bytes_max: u64) -> usize {
    usize::try_from(output_bytes_max)
        .unwrap_or(usize::MAX)
        .saturating_add(OUTPUT_CUT_SLACK_BYTES)
}

/// A signal's name as a host reported it, if it looks like one.
fn signal_word(signal: &Sig) -> String {
    let name = match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    };
    let fits = !name.is_empty()
        && name.len() <= SIGNAL_NAME_BYTES_MAX
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if fits {
        name.to_owned()
    } else {
        "UNKNOWN".to_owned()
    }
}
