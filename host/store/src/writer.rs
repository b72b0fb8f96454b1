//! One thread that writes. What comes while a commit is under way is committed together with the next, so that many
//! who write at once pay for few syncs. Nobody is answered before what was asked is on the disk.

use crate::Fault;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Most that are committed together.
const GROUP_MAX: usize = 64;
/// Most that wait; whoever comes then waits for a place.
const WAITING_MAX: usize = 1_024;

/// What is asked, and what is said once it is on the disk, or that it is not.
trait Job: Send {
    /// Does it within a savepoint. Whether it stands.
    fn act(&mut self, transaction: &Transaction<'_>) -> bool;
    /// Says what came of it.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

struct Asked<Act, T> {
    act: Option<Act>,
    done: Option<Result<T, Fault>>,
    reply: SyncSender<Result<T, Fault>>,
}

impl<Act, T> Job for Asked<Act, T>
where
    Act: FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn act(&mut self, transaction: &Transaction<'_>) -> bool {
        let done = self.act.take().map(|act| act(transaction));
        let stands = matches!(done, Some(Ok(_)));
        self.done = done;
        stands
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let done = match (committed, self.done) {
            (Ok(()), Some(done)) => done,
            // What failed by itself keeps its own reason.
            (Err(_), Some(Err(own))) => Err(own),
            (Err(fault), _) => Err(fault),
            (Ok(()), None) => Err(Fault::Closed),
        };
        // Whoever asked may be gone.
        let _ = self.reply.send(done);
    }
}

/// The way to the thread.
pub(crate) struct Writer {
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, Fault> {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(connection, &waiting))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    pub(crate) fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = sync_channel(1);
        let job = Asked {
            act: Some(act),
            done: None,
            reply,
        };
        let jobs = self.jobs.as_ref().ok_or(Fault::Closed)?;
        jobs.send(Box::new(job)).map_err(|_| Fault::Closed)?;
        answer.recv().map_err(|_| Fault::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends when it has written what waits.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(mut connection: Connection, waiting: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        while jobs.len() < GROUP_MAX
            && let Ok(next) = waiting.try_recv()
        {
            jobs.push(next);
        }
        let committed = together(&mut connection, &mut jobs);
        for job in jobs {
            let said = match &committed {
                Ok(()) => Ok(()),
                Err(text) => Err(Fault::System(std::io::Error::other(text.clone()))),
            };
            job.answer(said);
        }
    }
}

/// Does all of them in one transaction, each within a savepoint of its own, so that one that fails undoes only
/// itself.
fn together(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), String> {
    let said = |fault: rusqlite::Error| fault.to_string();
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(said)?;
    for job in jobs {
        transaction.execute_batch("SAVEPOINT job").map_err(said)?;
        let end = if job.act(&transaction) {
            "RELEASE job"
        } else {
            "ROLLBACK TO job; RELEASE job"
        };
        transaction.execute_batch(end).map_err(said)?;
    }
    transaction.commit().map_err(said)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT")
            .unwrap();
        Writer::start(connection).unwrap()
    }

    fn count(writer: &Writer) -> i64 {
        let count =
            |it: &Transaction<'_>| Ok(it.query_row("SELECT count(*) FROM t", [], |r| r.get(0))?);
        writer.write(count).unwrap()
    }

    #[test]
    fn one_that_fails_undoes_itself_and_none_of_those_that_are_committed_with_it() {
        let writer = writer();
        std::thread::scope(|scope| {
            for n in 0..100_i64 {
                let writer = &writer;
                scope.spawn(move || {
                    let insert = move |it: &Transaction<'_>| {
                        it.execute("INSERT INTO t VALUES (?1)", [n])?;
                        if n % 10 == 3 {
                            // The key is taken by now: this one fails after it has written.
                            it.execute("INSERT INTO t VALUES (?1)", [n])?;
                        }
                        Ok(())
                    };
                    assert_eq!(writer.write(insert).is_err(), n % 10 == 3, "{n}");
                });
            }
        });
        assert_eq!(count(&writer), 90);
    }

    #[test]
    fn what_was_asked_before_the_end_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT")
            .unwrap();
        let writer = Writer::start(connection).unwrap();
        for n in 0..10_i64 {
            writer
                .write(move |it| Ok(it.execute("INSERT INTO t VALUES (?1)", [n])?))
                .unwrap();
        }
        drop(writer);
        let connection = Connection::open(&path).unwrap();
        let count: i64 = connection
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 10);
    }
}
