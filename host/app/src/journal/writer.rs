//! The one thread of a process that writes: it gathers what has been asked for into batches, so that many
//! runs share one sync, and answers each with its receipt.
//!
//! A disk that is full, or cannot be written for another reason that may pass, fails the records of that time and no
//! others: the next batch tries again, with the files opened anew where they were lost.
//!
//! Must not: write a record whose asker has gone before the lock was got, or answer before the
//! record is as durable as asked.

use super::JournalFault;
use super::disk::{JOURNAL_DIR, is_still};
use super::fault::rustix_io;
use super::keep::Keep;
use super::store::{Locked, Making, Store};
use cap_std::fs::Dir;
use portcullis_core::BoxFuture;
use portcullis_core::audit::chain::SealFault;
use portcullis_core::audit::{Draft, Durability, Receipt, Sink, SinkFault};
use portcullis_core::text::safe_record;
use rustix::fs::{Mode, OFlags};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Most drafts that wait.
const QUEUE_MAX: usize = 1_024;
/// Most drafts that are written at once.
const BATCH_MAX: usize = 256;
/// Longest wait for an answer, in milliseconds. Another process that was stopped while it held the lock must
/// not hang every call of this one.
const ANSWER_MS_MAX: u64 = 10_000;
/// How long records that need no sync of their own wait for one to share, in milliseconds.
const LINGER_MS: u64 = 50;
/// Longest wait for the last batch when the journal is closed, in milliseconds.
const CLOSE_MS_MAX: u64 = 2_000;

type Answer = oneshot::Sender<Result<Receipt, SinkFault>>;

enum Message {
    Append(Draft, Answer),
    Close(SyncSender<()>),
}

/// The journal of this process. [`Sink::append`] must be awaited on a runtime whose timer is on.
pub(crate) struct Journal {
    queue: SyncSender<Message>,
    keep: Arc<Mutex<Keep>>,
}

/// The store of this process, as far as it could be opened.
struct Shelf {
    state: Dir,
    store: Option<Store>,
    making: Making,
    keep: Arc<Mutex<Keep>>,
}

impl Shelf {
    fn keep(&self) -> Keep {
        // A poisoned lock only says that somebody panicked between two whole values.
        let keep = self.keep.lock().unwrap_or_else(PoisonError::into_inner);
        keep.clone()
    }

    /// Opens the store where it is not open. What this process has seen stays known: a journal that comes back
    /// must be the one that went.
    fn store(&mut self, keep: &Keep) -> Result<&mut Store, JournalFault> {
        let held = match self.store.take() {
            Some(store) => {
                self.making = Making::After(store.seen);
                is_still(&self.state, JOURNAL_DIR, &store.dir)?.then_some(store)
            }
            None => None,
        };
        let store = match held {
            Some(store) => store,
            None => Store::open(&self.state, self.making, &keep.stamp)?,
        };
        self.making = Making::After(store.seen);
        let store = self.store.insert(store);
        store.set_stamp(&keep.stamp);
        Ok(store)
    }

    /// Takes note of how a batch went: files that may have been taken away are opened anew next time.
    fn after(&mut self, failed: Option<&JournalFault>) {
        if let Some(store) = &self.store {
            self.making = Making::After(store.seen);
        }
        if failed.is_some_and(JournalFault::may_pass) {
            self.store = None;
        }
    }
}

impl Journal {
    /// Opens the journal in a state directory, makes it where there is none, mends what a crash left, and
    /// starts the writer. Where the disk cannot be written now, the journal is opened all the same and every
    /// record fails until it can: runs are refused then, and the rest goes on.
    ///
    /// # Errors
    /// [`JournalFault`]: the files show that records were changed or removed, or cannot be used for a reason
    /// that does not pass by itself.
    pub(crate) fn open(state: &Dir, keep: Keep) -> Result<Self, JournalFault> {
        let own = rustix::fs::openat(
            state,
            ".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let own = own.map_err(rustix_io("opening the state directory"))?;
        let (store, making) = match Store::open(state, Making::Allowed, &keep.stamp) {
            Ok(store) => {
                let making = Making::After(store.seen);
                (Some(store), making)
            }
            Err(fault) if fault.may_pass() => {
                tracing::error!(%fault, hint = fault.hint(), "the journal cannot be written now");
                (None, Making::Allowed)
            }
            Err(fault) => return Err(fault),
        };
        let keep = Arc::new(Mutex::new(keep));
        let shelf = Shelf {
            state: Dir::from_std_file(own.into()),
            store,
            making,
            keep: Arc::clone(&keep),
        };
        let (queue, messages) = mpsc::sync_channel(QUEUE_MAX);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(shelf, &messages))
            .map_err(|source| JournalFault::Io {
                what: "starting the journal's writer",
                source,
            })?;
        Ok(Self { queue, keep })
    }

    /// Sets what is kept, from the next batch on.
    pub(crate) fn set_keep(&self, keep: Keep) {
        *self.keep.lock().unwrap_or_else(PoisonError::into_inner) = keep;
    }

    /// Waits until everything that was asked for is on the disk, and ends the writer. What is asked for
    /// afterwards fails. Blocks for at most [`CLOSE_MS_MAX`].
    pub(crate) fn close(&self) {
        let (done, closed) = mpsc::sync_channel(1);
        if self.queue.try_send(Message::Close(done)).is_ok() {
            let _ = closed.recv_timeout(Duration::from_millis(CLOSE_MS_MAX));
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Sink for Journal {
    fn append(&self, mut draft: Draft) -> BoxFuture<'_, Result<Receipt, SinkFault>> {
        // Whoever wrote the texts of a record, they are read on a terminal one day.
        draft.body = safe_record(draft.body);
        Box::pin(async move {
            let (answer, asked) = oneshot::channel();
            self.queue
                .try_send(Message::Append(draft, answer))
                .map_err(|fault| match fault {
                    TrySendError::Full(_) => {
                        SinkFault(format!("{QUEUE_MAX} records are waiting already"))
                    }
                    TrySendError::Disconnected(_) => ended(),
                })?;
            let wait = Duration::from_millis(ANSWER_MS_MAX);
            match tokio::time::timeout(wait, asked).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(ended()),
                Err(_) => Err(SinkFault(format!("no answer within {ANSWER_MS_MAX} ms"))),
            }
        })
    }
}

fn ended() -> SinkFault {
    SinkFault("the journal's writer has ended".to_owned())
}

/// What the thread does until it is told to end or nobody can ask any more.
fn write(mut shelf: Shelf, messages: &Receiver<Message>) {
    let mut unsynced = false;
    // Records that a fault has kept from their sync. The next batch's sync covers them, or the last one:
    // trying again at once would only spin.
    let mut owed = false;
    loop {
        let first = if unsynced {
            messages.recv_timeout(Duration::from_millis(LINGER_MS))
        } else {
            messages.recv().map_err(RecvTimeoutError::from)
        };
        let (batch, end) = match first {
            Ok(message) => gather(message, messages),
            Err(RecvTimeoutError::Timeout) => (Vec::new(), End::No),
            Err(RecvTimeoutError::Disconnected) => (Vec::new(), End::Yes(None)),
        };
        let due = match (&end, batch.is_empty()) {
            (End::Yes(_), _) | (End::No, true) => Due::Yes,
            (End::No, false) => Due::No,
        };
        let last = matches!(end, End::Yes(_)) && owed;
        if !batch.is_empty() || unsynced || last {
            match one_batch(&mut shelf, batch, due) {
                Outcome::Synced => (unsynced, owed) = (false, false),
                Outcome::Unsynced => unsynced = true,
                Outcome::Nothing => {}
                Outcome::Failed => (unsynced, owed) = (false, owed || unsynced),
            }
        }
        if let End::Yes(done) = end {
            if let Some(done) = done {
                let _ = done.try_send(());
            }
            return;
        }
    }
}

/// Whether a batch is synced even if no draft asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    No,
    Yes,
}

enum End {
    No,
    Yes(Option<SyncSender<()>>),
}

/// Takes what waits, up to a batch, without waiting for more.
fn gather(first: Message, messages: &Receiver<Message>) -> (Vec<(Draft, Answer)>, End) {
    let mut batch = Vec::new();
    let mut next = first;
    loop {
        match next {
            Message::Append(draft, answer) => batch.push((draft, answer)),
            Message::Close(done) => return (batch, End::Yes(Some(done))),
        }
        if batch.len() >= BATCH_MAX {
            return (batch, End::No);
        }
        next = match messages.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty) => return (batch, End::No),
            Err(TryRecvError::Disconnected) => return (batch, End::Yes(None)),
        };
    }
}

/// What has become of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything in the journal is on the disk.
    Synced,
    /// Records stand in the journal that the head does not name yet.
    Unsynced,
    /// Nobody wanted anything any more.
    Nothing,
    /// None of the batch is in the journal.
    Failed,
}

/// Writes one batch and answers it. `Due::Yes` syncs whatever the drafts ask for.
fn one_batch(shelf: &mut Shelf, batch: Vec<(Draft, Answer)>, due: Due) -> Outcome {
    match try_batch(shelf, batch, due) {
        Ok(outcome) => {
            shelf.after(None);
            outcome
        }
        Err((batch, fault)) => {
            shelf.after(Some(&fault));
            refuse_all(batch, &fault);
            Outcome::Failed
        }
    }
}

type Unwritten = (Vec<(Draft, Answer)>, JournalFault);

fn try_batch(
    shelf: &mut Shelf,
    batch: Vec<(Draft, Answer)>,
    due: Due,
) -> Result<Outcome, Unwritten> {
    let keep = shelf.keep();
    let mut locked = match shelf.store(&keep).and_then(Store::lock) {
        Ok(locked) => locked,
        Err(fault) => return Err((batch, fault)),
    };
    if let Err(fault) = locked.tend(&keep) {
        return Err((batch, fault));
    }
    // SECURITY: whoever has stopped waiting has been told that nothing was recorded and does not run.
    let (drafts, answers): (Vec<Draft>, Vec<Answer>) = batch
        .into_iter()
        .filter(|(_, answer)| !answer.is_closed())
        .unzip();
    let asked = drafts.iter().any(|d| d.durability == Durability::Synced);
    let due = if asked { Due::Yes } else { due };
    let receipts = match written(&mut locked, &drafts, due) {
        Ok(receipts) => receipts,
        Err(fault) => return Err((drafts.into_iter().zip(answers).collect(), fault)),
    };
    for (answer, receipt) in answers.into_iter().zip(receipts) {
        let _ = answer.send(receipt.map_err(|fault| SinkFault(fault.to_string())));
    }
    Ok(match due {
        Due::Yes => Outcome::Synced,
        Due::No if drafts.is_empty() => Outcome::Nothing,
        Due::No => Outcome::Unsynced,
    })
}

/// Appends the drafts and, if asked, makes them durable. After a fault none of them is in the journal.
fn written(
    locked: &mut Locked<'_>,
    drafts: &[Draft],
    due: Due,
) -> Result<Vec<Result<Receipt, SealFault>>, JournalFault> {
    let before = locked.place();
    let receipts = locked.append(&drafts.iter().collect::<Vec<_>>())?;
    if due == Due::Yes
        && let Err(fault) = locked.sync()
    {
        locked.take_back(before);
        return Err(fault);
    }
    Ok(receipts)
}

fn refuse_all(batch: Vec<(Draft, Answer)>, fault: &JournalFault) {
    for (_, answer) in batch {
        let _ = answer.send(Err(SinkFault(fault.to_string())));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use portcullis_core::clock::Micros;
    use serde_json::Map;

    /// That many drafts wait; gives the sizes of the batches that they are taken in.
    fn batches(waiting: usize) -> Vec<usize> {
        let (queue, messages) = mpsc::sync_channel(QUEUE_MAX);
        for _ in 0..waiting {
            let (answer, _) = oneshot::channel();
            let draft = Draft {
                kind: "read",
                at: Micros(1),
                body: Map::new(),
                durability: Durability::Synced,
            };
            queue.try_send(Message::Append(draft, answer)).ok().unwrap();
        }
        drop(queue);
        let mut sizes = Vec::new();
        while let Ok(first) = messages.recv() {
            sizes.push(gather(first, &messages).0.len());
        }
        sizes
    }

    #[test]
    fn all_that_wait_share_one_sync_up_to_the_bound() {
        assert_eq!(batches(1), [1]);
        assert_eq!(batches(32), [32]);
        assert_eq!(batches(BATCH_MAX), [BATCH_MAX]);
        assert_eq!(batches(BATCH_MAX + 1), [BATCH_MAX, 1]);
    }
}
