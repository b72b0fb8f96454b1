//! Reads one channel to its end, in a task of its own that waits for the host and for nobody else.
//!
//! A channel that nobody reads holds up its whole connection, keepalives and neighbours included. So what
//! is read is kept within bounds and counted here, and whoever wants to know looks at it from outside.
//!
//! Must not: wait for a client, a disk, a lock that is held for long, or a full queue.

use crate::channel::Cause;
use crate::channel::Outcome;
use crate::end::{End, Termination};
use crate::fault;
use crate::watchdog;
use portcullis_core::limits::OUTPUT_CUT_SLACK_BYTES;
use portcullis_core::output::{Capture, Raw, Stream};
use portcullis_core::policy::Limits;
use russh::{ChannelMsg, ChannelReadHalf, Sig};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Silence after an exit status after which the run is over although something holds the streams, in
/// milliseconds: a background process that the command left behind, as a rule.
const QUIET_AFTER_EXIT_MS: u64 = 3_000;
/// Longest name of a signal that a host may report, in bytes.
const SIGNAL_NAME_BYTES_MAX: usize = 16;
/// The stream number of standard error.
const STDERR: u32 = 1;

/// What the reading and those who watch it tell each other.
#[derive(Default)]
pub(crate) struct Desk {
    /// The gate has begun to end the command.
    pub(crate) ending: AtomicBool,
    /// The gate has asked the host for a signal.
    pub(crate) prompted: AtomicBool,
    /// How much was read of both streams.
    bytes: AtomicU64,
    /// More came than may.
    overflow: Notify,
    /// Nobody needs more.
    enough: CancellationToken,
}

impl Desk {
    /// How much was read of both streams.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits until more than the hard stop allows has come.
    pub(crate) async fn overflowed(&self) {
        self.overflow.notified().await;
    }
}

/// Hears what a command prints as it comes, before anything is left out of it.
///
/// It is called from the reading loop, so it must return at once: a connection whose reader waits stands still.
pub trait Ear: Send + Sync {
    /// Some bytes of a stream. Unclean: nothing was sanitised or redacted.
    fn hear(&self, stream: Stream, bytes: &[u8]);
}

/// Where the bytes of a command go.
struct Pipes {
    raw: Raw,
    ear: Option<Arc<dyn Ear>>,
}

impl Pipes {
    fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(ear) = &self.ear {
            ear.hear(stream, bytes);
        }
        match stream {
            Stream::Stdout => self.raw.stdout.push(bytes),
            Stream::Stderr => self.raw.stderr.push(bytes),
        }
    }
}

/// A reading under way. Ends when dropped.
pub(crate) struct Reading {
    pub(crate) desk: Arc<Desk>,
    task: AbortOnDropHandle<Read>,
}

/// What was read.
pub(crate) struct Read {
    seen: Seen,
    raw: Raw,
}

impl Reading {
    /// Begins to read a channel.
    pub(crate) fn begin(
        channel: ChannelReadHalf,
        limits: &Limits,
        ear: Option<Arc<dyn Ear>>,
    ) -> Self {
        let desk = Arc::<Desk>::default();
        let side = side_bytes(limits.output_bytes_kept());
        let reader = Reader {
            channel,
            desk: Arc::clone(&desk),
            hard_stop_bytes: limits.output_hard_stop_bytes,
            seen: Seen::default(),
            pipes: Pipes {
                raw: Raw {
                    stdout: Capture::new(side),
                    stderr: Capture::new(side),
                },
                ear,
            },
            words: LastWords::default(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(reader.read()));
        Self { desk, task }
    }

    /// Waits until there is nothing more to read. Safe to cancel.
    pub(crate) async fn over(&mut self) -> Read {
        (&mut self.task).await.unwrap_or_else(|_| Read::lost())
    }

    /// Ends the reading now.
    pub(crate) async fn stop(&mut self) -> Read {
        self.desk.enough.cancel();
        self.over().await
    }
}

impl Read {
    /// What is known where the reading itself failed: nothing.
    fn lost() -> Self {
        Self {
            seen: Seen::default(),
            raw: Raw::default(),
        }
    }

    /// Whether the channel is closed on both sides, so that its place on the connection is free.
    pub(crate) fn is_closed(&self) -> bool {
        self.seen.closed
    }

    /// What became of the command; `cause` where the gate ended it.
    pub(crate) fn conclude(self, cause: Option<Cause>) -> Outcome {
        self.seen.conclude(self.raw, cause)
    }
}

struct Reader {
    channel: ChannelReadHalf,
    desk: Arc<Desk>,
    hard_stop_bytes: u64,
    seen: Seen,
    pipes: Pipes,
    words: LastWords,
}

impl Reader {
    async fn read(mut self) -> Read {
        let enough = self.desk.enough.clone();
        loop {
            tokio::select! {
                biased;
                message = self.channel.wait() => {
                    let Some(message) = message else { break };
                    self.take(message);
                    if self.seen.closed || self.seen.refused {
                        break;
                    }
                }
                () = enough.cancelled() => break,
                () = quiet(&self.seen) => {
                    if self.desk.ending.load(Ordering::Relaxed) {
                        // The ladder has its own end.
                        self.seen.heard = Some(Instant::now());
                    } else {
                        self.seen.lingering = true;
                        break;
                    }
                }
            }
        }
        self.pipes.push(Stream::Stderr, &self.words.held);
        Read {
            seen: self.seen,
            raw: self.pipes.raw,
        }
    }

    fn take(&mut self, message: ChannelMsg) {
        let ending = self.desk.ending.load(Ordering::Relaxed);
        let words = ending.then_some(&mut self.words);
        let prompted = self.desk.prompted.load(Ordering::Relaxed);
        self.seen.take(message, &mut self.pipes, words, prompted);
        self.desk.bytes.store(self.seen.bytes, Ordering::Relaxed);
        if self.seen.bytes > self.hard_stop_bytes {
            // Kept until somebody looks; that more came is said once or many times, which is the same.
            self.desk.overflow.notify_one();
        }
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

/// What the host has said so far.
#[derive(Default)]
struct Seen {
    exit: Option<End>,
    eof: bool,
    closed: bool,
    refused: bool,
    /// The host took the command, or said something of it.
    begun: bool,
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

impl Seen {
    fn take(
        &mut self,
        message: ChannelMsg,
        pipes: &mut Pipes,
        words: Option<&mut LastWords>,
        prompted: bool,
    ) {
        self.heard = Some(Instant::now());
        self.exit_before |= words.is_none() && is_exit(&message);
        self.refused |= matches!(message, ChannelMsg::Failure) && !self.begun;
        self.begun |= is_of_a_command(&message);
        match message {
            ChannelMsg::Data { data } => {
                self.count(data.len());
                pipes.push(Stream::Stdout, &data);
            }
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                self.count(data.len());
                match words {
                    Some(words) => self.gone |= words.push(&data, pipes),
                    None => pipes.push(Stream::Stderr, &data),
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
            // The rest is for servers, says nothing about a command, or was looked at above.
            _ => {}
        }
    }

    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    fn exit(&mut self, exit: End, prompted: bool) {
        if self.exit.is_none() {
            self.exit = Some(exit);
            self.exit_unprompted = !prompted;
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
    fn push(&mut self, bytes: &[u8], pipes: &mut Pipes) -> bool {
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
        pipes.push(Stream::Stderr, &self.held);
        self.held = rest;
        found.is_some()
    }
}

/// Whether this is only said of a command that the host took. What comes after it is no refusal any more.
fn is_of_a_command(message: &ChannelMsg) -> bool {
    let prints = matches!(
        message,
        ChannelMsg::Success | ChannelMsg::Data { .. } | ChannelMsg::ExtendedData { .. }
    );
    prints || is_exit(message)
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
