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
use crate::words::{FirstWord, LastWord};
use portcullis_core::answer::RunFault;
use portcullis_core::limits::OUTPUT_CUT_SLACK_BYTES;
use portcullis_core::output::{Capture, Raw, Stream};
use portcullis_core::policy::Limits;
use russh::{ChannelMsg, ChannelReadHalf, Sig};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
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
    /// What the gate has ended by itself is known to be gone.
    pub(crate) gone: AtomicBool,
    /// A watcher stands beside the command: nobody else's last word counts.
    pub(crate) watched: AtomicBool,
    /// The command has exited, and its streams have been silent for long.
    pub(crate) silent: Notify,
    /// Somebody has looked whether the connection lives.
    looked: Notify,
    alive: AtomicBool,
    /// The command has exited.
    pub(crate) exited: CancellationToken,
    /// There is nothing more to read.
    pub(crate) over: CancellationToken,
    /// The process group that the command said it leads, or 0.
    group: AtomicU32,
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

    /// The process group that the command leads, where it said so.
    pub(crate) fn group(&self) -> Option<u32> {
        Some(self.group.load(Ordering::Relaxed)).filter(|group| *group > 0)
    }

    /// Says whether the connection lives, after [`Self::silent`].
    pub(crate) fn answer(&self, alive: bool) {
        self.alive.store(alive, Ordering::Relaxed);
        self.looked.notify_one();
    }

    /// Waits for that answer.
    async fn answered(&self) -> bool {
        self.looked.notified().await;
        self.alive.load(Ordering::Relaxed)
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
            first: FirstWord::default(),
            last: LastWord::default(),
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

    /// What became of the command; `cause` where the gate ended it, and whether it has seen by itself that all is gone.
    pub(crate) fn conclude(mut self, cause: Option<Cause>, gone: bool, led: bool) -> Outcome {
        self.seen.gone |= gone;
        // What was ended without proof may hold on to the channel of the sweep.
        let closed = self.seen.closed && (cause.is_none() || self.seen.gone);
        let (end, fault) = self.seen.conclude(cause);
        Outcome {
            raw: self.raw,
            end,
            fault,
            led,
            closed,
        }
    }
}

struct Reader {
    channel: ChannelReadHalf,
    desk: Arc<Desk>,
    hard_stop_bytes: u64,
    seen: Seen,
    pipes: Pipes,
    first: FirstWord,
    last: LastWord,
}

impl Reader {
    async fn read(mut self) -> Read {
        let desk = Arc::clone(&self.desk);
        let enough = desk.enough.clone();
        // When it was asked whether the connection lives.
        let mut asked: Option<Instant> = None;
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
                () = quiet(&self.seen), if asked.is_none() => {
                    // A network that stands still is as silent as a process that only holds the streams. What the host
                    // had sent before it answers comes before the answer.
                    asked = Some(Instant::now());
                    desk.silent.notify_one();
                }
                alive = desk.answered(), if asked.is_some() => {
                    let silent = self.seen.heard <= asked.take();
                    if desk.ending.load(Ordering::Relaxed) {
                        // The ladder has its own end.
                        self.seen.heard = Some(Instant::now());
                    } else if !alive {
                        break;
                    } else if silent {
                        self.seen.lingering = true;
                        break;
                    }
                }
            }
        }
        self.pipes.push(Stream::Stderr, &self.last.held);
        self.pipes.push(Stream::Stderr, &self.first.rest());
        self.desk.over.cancel();
        Read {
            seen: self.seen,
            raw: self.pipes.raw,
        }
    }

    fn take(&mut self, message: ChannelMsg) {
        let ending = self.desk.ending.load(Ordering::Relaxed);
        let watched = self.desk.watched.load(Ordering::Relaxed);
        let exit_is_proof = ending && watched && !self.desk.prompted.load(Ordering::Relaxed);
        let ears = Ears {
            pipes: &mut self.pipes,
            first: &mut self.first,
            last: (ending && watched).then_some(&mut self.last),
        };
        self.seen.exit_before |= !ending && is_exit(&message);
        if let Some(group) = self.seen.take(message, ears, exit_is_proof) {
            self.desk.group.store(group, Ordering::Relaxed);
        }
        if self.seen.exit.is_some() {
            self.desk.exited.cancel();
        }
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

/// What takes standard error in: the gate's own words are taken out of it, the last one once the gate has begun to end
/// the command.
struct Ears<'a> {
    pipes: &'a mut Pipes,
    first: &'a mut FirstWord,
    last: Option<&'a mut LastWord>,
}

/// What was heard.
struct Heard {
    group: Option<u32>,
    gone: bool,
}

impl Ears<'_> {
    fn hear(self, bytes: &[u8]) -> Heard {
        let Self { pipes, first, last } = self;
        let Some(last) = last else {
            let group = first.push(bytes, &mut |bytes| pipes.push(Stream::Stderr, bytes));
            return Heard { group, gone: false };
        };
        let mut gone = false;
        let group = first.push(bytes, &mut |bytes| {
            gone |= last.push(bytes, &mut |bytes| pipes.push(Stream::Stderr, bytes));
        });
        Heard { group, gone }
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
    /// The exit was reported after a watcher was told to end the command, and before the host was asked for any signal.
    exit_by_watcher: bool,
}

impl Seen {
    fn take(&mut self, message: ChannelMsg, ears: Ears<'_>, by_watcher: bool) -> Option<u32> {
        self.heard = Some(Instant::now());
        self.refused |= matches!(message, ChannelMsg::Failure) && !self.begun;
        self.begun |= is_of_a_command(&message);
        match message {
            ChannelMsg::Data { data } => {
                self.count(data.len());
                ears.pipes.push(Stream::Stdout, &data);
            }
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                self.count(data.len());
                let heard = ears.hear(&data);
                self.gone |= heard.gone;
                return heard.group;
            }
            // A stream that nobody asked for is counted, so that it cannot flow for ever.
            ChannelMsg::ExtendedData { data, .. } => self.count(data.len()),
            ChannelMsg::ExitStatus { exit_status } => {
                self.exit(End::Exited(exit_status), by_watcher)
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.exit(End::Signalled(signal_word(&signal_name)), by_watcher);
            }
            ChannelMsg::Eof => self.eof = true,
            // INVARIANT: an exit status does not end the reading; data may follow it.
            ChannelMsg::Close => self.closed = true,
            // The rest is for servers, says nothing about a command, or was looked at above.
            _ => {}
        }
        None
    }

    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    fn exit(&mut self, exit: End, by_watcher: bool) {
        if self.exit.is_none() {
            self.exit = Some(exit);
            self.exit_by_watcher = by_watcher;
        }
    }

    fn conclude(self, cause: Option<Cause>) -> (End, Option<RunFault>) {
        match cause {
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
        }
    }

    /// What is known of the processes after the ladder.
    ///
    /// Proof is the last word of the watcher or of a sweep, or a death by KILL once a watcher was told to end the
    /// command and before the host was asked to: then it was the watcher's, which reaches the whole group in one call. Either
    /// counts only with the channel closed, which says that nobody holds the streams.
    fn termination(&self) -> Termination {
        let killed = self.exit_by_watcher
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
