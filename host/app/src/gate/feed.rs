//! What an asynchronous run prints, on its way into the store while the command still runs: sanitised and redacted
//! before anybody else can see it.
//!
//! The engine's reading loop hands bytes over and never waits. A thread of its own makes them fit to be read, as the
//! output of every run is, and writes what is decided in pieces. Lines that are not finished are held back, because a
//! secret may go on in what follows.
//!
//! Must not: release a byte that the rules have not decided. Where more comes than can be followed, the rest is left
//! to the result: after a gap it could not be told what the gap has torn apart. Redactor plugins see whole texts only, so where there
//! are any, nothing is released before the end.

use crate::tasks::Tasks;
use portcullis_core::output::{self, Flow, OPENING_BYTES, Released, Shown, Stream};
use portcullis_core::redact::Redactor;
use portcullis_ssh::{Ear, Phase};
use portcullis_store::Id;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Most messages that wait for the thread. The largest is a packet of 32 KiB.
const WAITING_MAX: usize = 256;
/// Longest time that decided text waits to be written.
const FLUSH: Duration = Duration::from_millis(250);
/// Decided text that is written at once, in bytes.
const FLUSH_BYTES: usize = 16_384;

/// Output in the order in which it was decided: the stream and its text.
pub(super) type Printed = Vec<(&'static str, String)>;

/// What the thread is told.
enum Note {
    Bytes(Stream, Vec<u8>),
    Phase(&'static str, u64),
}

/// The output of one task under way.
pub(super) struct Feed {
    tasks: Arc<Tasks>,
    id: Id,
}

/// Where the reading loop puts bytes, and the run its progress. When the last of them is gone, the thread ends.
pub(super) struct Hearing {
    notes: SyncSender<Note>,
    overrun: Arc<AtomicBool>,
}

/// The thread, and what it leaves.
pub(super) struct Following(std::thread::JoinHandle<Rest>);

/// What is left when all has been heard.
pub(super) struct Rest {
    /// Text that was decided last and is not written yet.
    pub(super) printed: Printed,
    /// Whether all of the output was followed.
    pub(super) complete: bool,
    /// Whether any of it was released.
    pub(super) released: bool,
}

impl Feed {
    pub(super) fn new(tasks: Arc<Tasks>, id: Id) -> Self {
        Self { tasks, id }
    }

    /// Begins to follow a run. Without a redactor nothing of the output is released before the end.
    pub(super) fn follow(
        &self,
        redactor: Option<Redactor>,
    ) -> std::io::Result<(Arc<Hearing>, Following)> {
        let (notes, waiting) = sync_channel(WAITING_MAX);
        let overrun = Arc::new(AtomicBool::new(false));
        let clerk = Clerk {
            tasks: Arc::clone(&self.tasks),
            id: self.id.clone(),
            flows: redactor.map(|redactor| Flows::new(&redactor)),
            overrun: Arc::clone(&overrun),
            phase: "",
            bytes: 0,
            printed: Printed::new(),
            size: 0,
            changed: false,
            released: false,
        };
        let thread = std::thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || clerk.work(&waiting))?;
        Ok((Arc::new(Hearing { notes, overrun }), Following(thread)))
    }
}

impl Hearing {
    pub(super) fn progress(&self, phase: Phase, bytes: u64) {
        // A note of progress that finds no room is followed by another.
        let _ = self.notes.try_send(Note::Phase(phase.as_str(), bytes));
    }
}

impl Ear for Hearing {
    fn hear(&self, stream: Stream, bytes: &[u8]) {
        if self.overrun.load(Ordering::Relaxed) {
            return;
        }
        let note = Note::Bytes(stream, bytes.to_vec());
        if self.notes.try_send(note).is_err() {
            self.overrun.store(true, Ordering::Relaxed);
        }
    }
}

impl Following {
    /// Waits for what is left. Every [`Hearing`] has to be gone.
    pub(super) async fn rest(self) -> Rest {
        let waiting = tokio::task::spawn_blocking(move || self.0.join().ok());
        // A panic there is our bug: what was written stands, the rest is in the result.
        waiting.await.ok().flatten().unwrap_or(Rest {
            printed: Printed::new(),
            complete: false,
            released: true,
        })
    }
}

/// One flow for each stream.
struct Flows {
    stdout: Flow,
    stderr: Flow,
    begun: bool,
}

impl Flows {
    fn new(redactor: &Redactor) -> Self {
        Self {
            stdout: Flow::new(redactor),
            stderr: Flow::new(redactor),
            begun: false,
        }
    }
}

struct Clerk {
    tasks: Arc<Tasks>,
    id: Id,
    flows: Option<Flows>,
    overrun: Arc<AtomicBool>,
    phase: &'static str,
    bytes: u64,
    printed: Printed,
    size: usize,
    changed: bool,
    released: bool,
}

impl Clerk {
    fn work(mut self, notes: &Receiver<Note>) -> Rest {
        let mut due = Instant::now() + FLUSH;
        loop {
            match notes.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(note) => self.take(note),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.size >= FLUSH_BYTES || Instant::now() >= due {
                self.flush();
                due = Instant::now() + FLUSH;
            }
        }
        let followed = !self.overrun.load(Ordering::Relaxed);
        let complete = followed && self.flows.is_some();
        if let Some(flows) = self.flows.take().filter(|_| followed) {
            for (stream, flow) in [
                (Stream::Stdout, flows.stdout),
                (Stream::Stderr, flows.stderr),
            ] {
                let printed = &mut self.printed;
                flow.finish(&mut |released| {
                    put(printed, stream, released);
                });
            }
        }
        Rest {
            released: self.released || !self.printed.is_empty(),
            printed: self.printed,
            complete,
        }
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Phase(phase, bytes) => {
                (self.phase, self.bytes) = (phase, bytes);
                self.changed = true;
            }
            Note::Bytes(stream, bytes) => {
                self.bytes = self.bytes.saturating_add(bytes.len() as u64);
                self.changed = true;
                let overrun = self.overrun.load(Ordering::Relaxed);
                let Some(flows) = self.flows.as_mut().filter(|_| !overrun) else {
                    return;
                };
                let opening = bytes.get(..OPENING_BYTES).unwrap_or(&bytes);
                if !std::mem::replace(&mut flows.begun, true) && output::is_binary(opening) {
                    self.overrun.store(true, Ordering::Relaxed);
                    return;
                }
                let flow = match stream {
                    Stream::Stdout => &mut flows.stdout,
                    Stream::Stderr => &mut flows.stderr,
                };
                let printed = &mut self.printed;
                let mut size = 0;
                flow.push(&bytes, &mut |released| {
                    size += put(printed, stream, released)
                });
                self.size += size;
            }
        }
    }

    fn flush(&mut self) {
        if !self.changed && self.printed.is_empty() {
            return;
        }
        let printed = std::mem::take(&mut self.printed);
        self.released |= !printed.is_empty();
        (self.size, self.changed) = (0, false);
        let written = self
            .tasks
            .store
            .progress(&self.id, self.phase, self.bytes, printed);
        if let Err(fault) = written {
            // What is lost is lost for those who follow; the result has it.
            tracing::error!(%fault, "output of a task was not written");
            self.overrun.store(true, Ordering::Relaxed);
        }
    }
}

/// Adds released text to what is to be written; its length.
fn put(printed: &mut Printed, stream: Stream, released: Released<'_>) -> usize {
    let Released::Text(text) = released else {
        return 0;
    };
    let length = text.len();
    match printed.last_mut().filter(|(of, _)| *of == stream.name()) {
        Some((_, before)) => before.push_str(&text),
        None => printed.push((stream.name(), text.into_string())),
    }
    length
}

/// What is shown of a run, as pieces: for output that could not be released before its end.
pub(super) fn pieces(shown: &Shown) -> Printed {
    [("stdout", &shown.stdout), ("stderr", &shown.stderr)]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(stream, text)| (stream, text.as_str().to_owned()))
        .collect()
}
