//! Asynchronous runs: one row each, and what they have printed in numbered pieces.
//!
//! A row belongs to the principal who started the task, and every question names one: what is somebody else's is
//! answered like what is not there. States go forward only: `pending`, `running`, and one of the ends, which is final.
//!
//! Must not: know whether a runner lives. Whoever finds out that one does not says so with [`Store::lose`].

use crate::{Fault, Store};
use rusqlite::{OptionalExtension, Row, Transaction, params};

/// Most tasks that run at once, of all processes.
pub const TASKS_RUNNING_MAX: usize = 32;
/// Most tasks that run at once on one host.
pub const TASKS_RUNNING_PER_HOST_MAX: usize = 4;
/// Most tasks that wait for their turn.
pub const TASKS_PENDING_MAX: usize = 256;
/// Most tasks that are kept; the oldest that have ended make room.
const TASKS_KEPT_MAX: usize = 2_048;
/// Longest piece of output, in bytes.
pub const CHUNK_BYTES_MAX: usize = 16_384;
/// Most output that is kept of one task, in bytes; the oldest pieces make room.
pub const TASK_OUTPUT_BYTES_MAX: usize = 4_194_304;
/// What is kept free in the file for each task that has not ended, in bytes: its output, and as much again for its result
/// and for what the rows cost.
const TASK_BYTES_RESERVED: u64 = 2 * TASK_OUTPUT_BYTES_MAX as u64;
/// Most pieces that are kept of one task, however small.
const CHUNKS_KEPT_MAX: usize = 8_192;
/// Most pieces that one question is answered with.
const CHUNKS_ASKED_MAX: usize = 256;
/// Most tasks that a list names.
const LISTED_MAX: usize = 512;
const MICROS: u64 = 1_000_000;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for its turn.
    Pending,
    /// Decided, and run if it was granted.
    Running,
    /// Exited with 0.
    Completed,
    /// Ended in another way.
    Failed,
    /// Taken back.
    Cancelled,
    /// Ended by its time limit.
    TimedOut,
    /// Refused.
    Denied,
    /// How it ended is not known. Never success.
    Unknown,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Denied,
        Self::Unknown,
    ];

    /// The word on the wire and in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }

    /// A word that is not known says nothing of the end.
    fn of(word: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.as_str() == word)
            .unwrap_or(Self::Unknown)
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// Whose task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    /// The task.
    pub task: String,
    /// Who started it.
    pub principal: String,
}

/// A task that begins to wait.
#[derive(Debug, Clone)]
pub struct New {
    /// Whose.
    pub id: Id,
    /// The host.
    pub alias: String,
    /// The command's hash.
    pub hash: String,
    /// The command with its secrets masked.
    pub command: String,
    /// Time limit in seconds.
    pub max_seconds: u64,
    /// For how many seconds it is kept after its end.
    pub ttl_seconds: u64,
    /// Seconds between notes of progress.
    pub progress_seconds: u64,
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub task: String,
    /// The host.
    pub alias: String,
    /// The command's hash.
    pub hash: String,
    /// The command with its secrets masked.
    pub command: String,
    /// Where it stands.
    pub state: State,
    /// `connecting`, `connected`, `running`; empty before.
    pub phase: String,
    /// When it began to wait, in microseconds since 1970.
    pub created_us: u64,
    /// When its turn came.
    pub started_us: Option<u64>,
    /// When it ended.
    pub ended_us: Option<u64>,
    /// For how many seconds it is kept after its end.
    pub ttl_seconds: u64,
    /// Seconds between notes of progress.
    pub progress_seconds: u64,
    /// Time limit in seconds.
    pub max_seconds: u64,
    /// Bytes that the command has written.
    pub bytes_read: u64,
    /// Whether somebody has taken it back.
    pub cancel: bool,
    /// Pieces of output that are kept.
    pub chunks: u64,
    /// How it ended, as the caller of [`Store::finish`] wrote it.
    pub end: Option<String>,
}

/// How a task ends.
#[derive(Debug, Clone)]
pub struct End {
    /// A final state.
    pub state: State,
    /// What else there is to say, as the caller wants to read it again.
    pub end: String,
    /// The limits that held, where the task came so far.
    pub ttl_seconds: Option<u64>,
}

/// Whether a task's turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It runs from now on.
    Granted,
    /// Others are before it.
    Waits,
    /// It was taken back, or is not there any more.
    Gone,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number, counted from 1.
    pub seq: u64,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Redacted text.
    pub text: String,
}

/// Pieces of output from some number on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunks {
    /// The pieces, in order.
    pub chunks: Vec<Chunk>,
    /// The number of the oldest piece that is kept; pieces before it are gone. 1 where nothing is gone.
    pub first: u64,
    /// The number of the newest piece; 0 before there is one.
    pub last: u64,
    /// Where the task stood when this was read.
    pub state: State,
}

/// Numbers are kept as the database has them; none of ours is larger.
fn db(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn ours(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

const COLUMNS: &str = "id, alias, hash, command, state, phase, created_us, started_us, ended_us, ttl_seconds, \
    progress_seconds, max_seconds, bytes_read, cancel, end, (SELECT count(*) FROM chunks WHERE task = id)";

fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    let number = |at| row.get(at).map(ours);
    let maybe = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(ours));
    Ok(Task {
        task: row.get(0)?,
        alias: row.get(1)?,
        hash: row.get(2)?,
        command: row.get(3)?,
        state: State::of(&row.get::<_, String>(4)?),
        phase: row.get(5)?,
        created_us: number(6)?,
        started_us: maybe(7)?,
        ended_us: maybe(8)?,
        ttl_seconds: number(9)?,
        progress_seconds: number(10)?,
        max_seconds: number(11)?,
        bytes_read: number(12)?,
        cancel: row.get(13)?,
        end: row.get(14)?,
        chunks: number(15)?,
    })
}

impl Store {
    /// Writes a new task down, as one that waits.
    ///
    /// # Errors
    /// [`Fault::Full`] where as many wait as may, [`Fault::NoRoom`] where the file could grow larger than it may, or what
    /// the database says.
    pub fn start(&self, new: New, now_us: u64) -> Result<(), Fault> {
        let bytes_max = self.bytes_max;
        self.write(move |it| {
            evict(it, now_us)?;
            if needed(it)? > bytes_max {
                return Err(Fault::NoRoom(bytes_max));
            }
            let pending: i64 = it.query_row(
                "SELECT count(*) FROM tasks WHERE state = 'pending'",
                [],
                |row| row.get(0),
            )?;
            if ours(pending) >= TASKS_PENDING_MAX as u64 {
                return Err(Fault::Full(TASKS_PENDING_MAX));
            }
            it.execute(
                "INSERT INTO tasks (id, principal, alias, hash, command, state, created_us, ttl_seconds, \
                 progress_seconds, max_seconds) VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7, ?8, ?9)",
                params![
                    new.id.task,
                    new.id.principal,
                    new.alias,
                    new.hash,
                    new.command,
                    db(now_us),
                    db(new.ttl_seconds),
                    db(new.progress_seconds),
                    db(new.max_seconds),
                ],
            )?;
            Ok(())
        })
    }

    /// Asks whether a task's turn has come, and takes it. Turns come in the order of the waiting: one that waits counts
    /// for those behind it like one that runs, so that none waits for ever.
    ///
    /// # Errors
    /// What the database says.
    pub fn claim(&self, id: &Id, now_us: u64) -> Result<Claim, Fault> {
        let id = id.clone();
        self.write(move |it| {
            let own = it
                .query_row(
                    "SELECT rowid, alias, created_us, cancel FROM tasks \
                     WHERE id = ?1 AND principal = ?2 AND state = 'pending'",
                    [&id.task, &id.principal],
                    |row| {
                        Ok((
                            row.get::<_, i64>(0)?,
                            row.get::<_, String>(1)?,
                            row.get::<_, i64>(2)?,
                            row.get::<_, bool>(3)?,
                        ))
                    },
                )
                .optional()?;
            let Some((rowid, alias, created, cancel)) = own else {
                return Ok(Claim::Gone);
            };
            if cancel {
                return Ok(Claim::Gone);
            }
            let before = "FROM tasks WHERE (state = 'running' OR (state = 'pending' AND \
                 (created_us, rowid) < (?1, ?2)))";
            let all: i64 = it.query_row(
                &format!("SELECT count(*) {before}"),
                params![created, rowid],
                |row| row.get(0),
            )?;
            let of_host: i64 = it.query_row(
                &format!("SELECT count(*) {before} AND alias = ?3"),
                params![created, rowid, alias],
                |row| row.get(0),
            )?;
            let room = ours(all) < TASKS_RUNNING_MAX as u64
                && ours(of_host) < TASKS_RUNNING_PER_HOST_MAX as u64;
            if !room {
                return Ok(Claim::Waits);
            }
            it.execute(
                "UPDATE tasks SET state = 'running', started_us = ?1 WHERE id = ?2",
                params![db(now_us), id.task],
            )?;
            Ok(Claim::Granted)
        })
    }

    /// Notes how far a task that runs has come, and adds what it has printed since.
    ///
    /// # Errors
    /// What the database says.
    pub fn progress(
        &self,
        id: &Id,
        phase: &'static str,
        bytes_read: u64,
        printed: Vec<(&'static str, String)>,
    ) -> Result<(), Fault> {
        let id = id.clone();
        self.write(move |it| {
            let known = it.execute(
                "UPDATE tasks SET phase = ?1, bytes_read = ?2 \
                 WHERE id = ?3 AND principal = ?4 AND state = 'running'",
                params![phase, db(bytes_read), id.task, id.principal],
            )?;
            if known == 1 {
                add(it, &id.task, &printed)?;
            }
            Ok(())
        })
    }

    /// Ends a task, once. A later end changes nothing.
    ///
    /// # Errors
    /// What the database says.
    pub fn finish(
        &self,
        id: &Id,
        end: End,
        printed: Vec<(&'static str, String)>,
        now_us: u64,
    ) -> Result<(), Fault> {
        let id = id.clone();
        self.write(move |it| {
            let known = it.execute(
                "UPDATE tasks SET state = ?1, end = ?2, ended_us = ?3, ttl_seconds = coalesce(?4, ttl_seconds) \
                 WHERE id = ?5 AND principal = ?6 AND state IN ('pending', 'running')",
                params![
                    end.state.as_str(),
                    end.end,
                    db(now_us),
                    end.ttl_seconds.map(db),
                    id.task,
                    id.principal
                ],
            )?;
            if known == 1 {
                add(it, &id.task, &printed)?;
            }
            Ok(())
        })
    }

    /// Says of tasks whose runner is gone that their end is not known.
    ///
    /// # Errors
    /// What the database says.
    pub fn lose(&self, tasks: Vec<String>, now_us: u64) -> Result<(), Fault> {
        if tasks.is_empty() {
            return Ok(());
        }
        self.write(move |it| {
            for task in &tasks {
                it.execute(
                    "UPDATE tasks SET state = 'unknown', ended_us = ?1 \
                     WHERE id = ?2 AND state IN ('pending', 'running')",
                    params![db(now_us), task],
                )?;
            }
            Ok(())
        })
    }

    /// The tasks of everybody that have not ended, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub fn open_tasks(&self) -> Result<Vec<String>, Fault> {
        let reader = self.reader();
        let mut asked = reader.prepare_cached(
            "SELECT id FROM tasks WHERE state IN ('pending', 'running') ORDER BY created_us LIMIT ?1",
        )?;
        let most = db(TASKS_KEPT_MAX as u64);
        let rows = asked.query_map([most], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One task of a principal; `None` where there is none, or no longer.
    ///
    /// # Errors
    /// What the database says.
    pub fn task(&self, id: &Id, now_us: u64) -> Result<Option<Task>, Fault> {
        let reader = self.reader();
        let sql = format!("SELECT {COLUMNS} FROM tasks WHERE id = ?1 AND principal = ?2");
        let mut asked = reader.prepare_cached(&sql)?;
        let found = asked
            .query_row([&id.task, &id.principal], task)
            .optional()?;
        Ok(found.filter(|task| !is_over(task, now_us)))
    }

    /// The tasks of a principal, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub fn tasks(&self, principal: &str, now_us: u64) -> Result<Vec<Task>, Fault> {
        let reader = self.reader();
        let sql = format!(
            "SELECT {COLUMNS} FROM tasks WHERE principal = ?1 ORDER BY created_us DESC, rowid DESC LIMIT ?2"
        );
        let mut asked = reader.prepare_cached(&sql)?;
        let rows = asked.query_map(params![principal, db(LISTED_MAX as u64)], task)?;
        let mut tasks: Vec<Task> = rows.collect::<Result<_, _>>()?;
        tasks.retain(|task| !is_over(task, now_us));
        Ok(tasks)
    }

    /// Takes a task back; whether there is one that has not ended.
    ///
    /// # Errors
    /// What the database says.
    pub fn cancel(&self, id: &Id) -> Result<bool, Fault> {
        let id = id.clone();
        self.write(move |it| {
            let known = it.execute(
                "UPDATE tasks SET cancel = 1 \
                 WHERE id = ?1 AND principal = ?2 AND state IN ('pending', 'running')",
                [&id.task, &id.principal],
            )?;
            Ok(known == 1)
        })
    }

    /// What a task has printed from number `since` on; `None` as for [`Store::task`].
    ///
    /// # Errors
    /// What the database says.
    pub fn chunks(&self, id: &Id, since: u64, now_us: u64) -> Result<Option<Chunks>, Fault> {
        // First the state, then the pieces: where it is final, none of them is missing.
        let Some(task) = self.task(id, now_us)? else {
            return Ok(None);
        };
        let reader = self.reader();
        let (first, last) = reader
            .prepare_cached("SELECT min(seq), max(seq) FROM chunks WHERE task = ?1")?
            .query_row([&id.task], |row| {
                Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
            })?;
        let mut asked = reader.prepare_cached(
            "SELECT seq, stream, text FROM chunks WHERE task = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
        )?;
        let most = db(CHUNKS_ASKED_MAX as u64);
        let rows = asked.query_map(params![id.task, db(since), most], |row| {
            Ok(Chunk {
                seq: ours(row.get(0)?),
                stream: row.get(1)?,
                text: row.get(2)?,
            })
        })?;
        Ok(Some(Chunks {
            chunks: rows.collect::<Result<_, _>>()?,
            first: first.map_or(1, ours),
            last: last.map_or(0, ours),
            state: task.state,
        }))
    }

    /// Removes what is over its time, and the oldest that have ended where more are kept than may be.
    ///
    /// # Errors
    /// What the database says.
    pub fn evict(&self, now_us: u64) -> Result<(), Fault> {
        self.write(move |it| evict(it, now_us))
    }
}

/// Whether a task is over its time: from then on it is not there for anybody, whenever it is removed.
fn is_over(task: &Task, now_us: u64) -> bool {
    let until = |ended: u64| ended.saturating_add(task.ttl_seconds.saturating_mul(MICROS));
    task.ended_us.is_some_and(|ended| until(ended) <= now_us)
}

/// How large the file may get if one more task is taken, in bytes: what is in use, and what is kept free for those that
/// have not ended.
fn needed(it: &Transaction<'_>) -> Result<u64, Fault> {
    let figure = |name: &str| it.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = ours(figure("page_count")?).saturating_sub(ours(figure("freelist_count")?));
    let used = pages.saturating_mul(ours(figure("page_size")?));
    let open: i64 = it.query_row(
        "SELECT count(*) FROM tasks WHERE state IN ('pending', 'running')",
        [],
        |row| row.get(0),
    )?;
    let reserved = (ours(open) + 1).saturating_mul(TASK_BYTES_RESERVED);
    Ok(used.saturating_add(reserved))
}

fn evict(it: &Transaction<'_>, now_us: u64) -> Result<(), Fault> {
    it.execute(
        "DELETE FROM tasks WHERE ended_us IS NOT NULL AND ended_us + ttl_seconds * 1000000 <= ?1",
        [db(now_us)],
    )?;
    it.execute(
        "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE ended_us IS NOT NULL \
         ORDER BY ended_us DESC, rowid DESC LIMIT -1 OFFSET ?1)",
        [db(TASKS_KEPT_MAX as u64)],
    )?;
    Ok(())
}

/// Adds pieces, and removes the oldest past the bounds. Numbers are never used twice: the newest piece stays.
fn add(it: &Transaction<'_>, task: &str, printed: &[(&'static str, String)]) -> Result<(), Fault> {
    if printed.is_empty() {
        return Ok(());
    }
    let last: Option<i64> = it
        .prepare_cached("SELECT max(seq) FROM chunks WHERE task = ?1")?
        .query_row([task], |row| row.get(0))?;
    let mut seq = last.unwrap_or_default();
    let mut insert = it.prepare_cached("INSERT INTO chunks VALUES (?1, ?2, ?3, ?4)")?;
    for (stream, text) in printed {
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES_MAX));
            seq += 1;
            insert.execute(params![task, seq, stream, piece])?;
            rest = after;
        }
    }
    // The newest pieces whose bytes together are within the bound stay.
    let mut newest = it.prepare_cached(
        "SELECT seq, length(CAST(text AS BLOB)) FROM chunks WHERE task = ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let rows = newest.query_map(params![task, db(CHUNKS_KEPT_MAX as u64)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let (mut bytes, mut oldest) = (0, seq);
    for row in rows {
        let (seq, length) = row?;
        bytes += ours(length);
        if bytes > TASK_OUTPUT_BYTES_MAX as u64 {
            break;
        }
        oldest = seq;
    }
    it.execute(
        "DELETE FROM chunks WHERE task = ?1 AND seq < ?2",
        params![task, oldest],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
