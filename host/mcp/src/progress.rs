//! Notes of progress on their way to the client.
//!
//! The numbers only grow, all are sent before the call's answer, and a client that does not read holds
//! back its notes but never its run.
//!
//! Must not: invent progress; a note is sent when the gate gives one.

use crate::gate::Progress;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RoleServer};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most notes of one call that wait to be sent; a gate that gives more should drop them.
pub(crate) const NOTES_QUEUED_MAX: usize = 16;
/// Whole numbers up to here are exact on the wire.
const EXACT_MAX: u64 = 1 << 53;

/// Runs `work` and sends its notes meanwhile. When the work is done, the notes that it left are sent
/// and no more are taken. Once `stop` is cancelled no note is sent or waited for: at the end
/// of a session nobody would take it, and the answer must not wait for that.
pub(crate) async fn alongside<T>(
    work: impl Future<Output = T>,
    notes: mpsc::Receiver<Progress>,
    peer: Peer<RoleServer>,
    token: ProgressToken,
    stop: CancellationToken,
) -> T {
    let done = CancellationToken::new();
    let notes = pump(notes, peer, token, done.clone());
    let pump = async {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = notes => {}
        }
    };
    let work = async {
        let answer = work.await;
        done.cancel();
        answer
    };
    let (answer, ()) = futures::join!(work, pump);
    answer
}

async fn pump(
    mut notes: mpsc::Receiver<Progress>,
    peer: Peer<RoleServer>,
    token: ProgressToken,
    done: CancellationToken,
) {
    let mut last = None;
    loop {
        let note = tokio::select! {
            biased;
            () = done.cancelled(), if !notes.is_closed() => {
                notes.close();
                continue;
            }
            note = notes.recv() => note,
        };
        let Some(note) = note else { return };
        let value = after(last, note.elapsed_ms);
        last = Some(value);
        let param = ProgressNotificationParam::new(token.clone(), exact(value))
            .with_total(exact(note.limit_ms.max(value)))
            .with_message(message(&note));
        if peer.notify_progress(param).await.is_err() {
            return;
        }
    }
}

/// The protocol wants each number to be greater than the one before, also for two notes of one
/// millisecond.
fn after(last: Option<u64>, elapsed_ms: u64) -> u64 {
    last.map_or(elapsed_ms, |last| elapsed_ms.max(last.saturating_add(1)))
}

/// A day in milliseconds is far below the bound; the cut is there so that the cast is exact.
#[allow(
    clippy::cast_precision_loss,
    reason = "values up to 2^53 are exact in an f64"
)]
fn exact(value: u64) -> f64 {
    value.min(EXACT_MAX) as f64
}

fn message(note: &Progress) -> String {
    format!(
        "task {}: {}.{} s of {} s, {} bytes read",
        note.phase,
        note.elapsed_ms / 1000,
        note.elapsed_ms % 1000 / 100,
        note.limit_ms / 1000,
        note.bytes_read
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_even_where_the_clock_does_not() {
        assert_eq!(after(None, 0), 0);
        assert_eq!(after(Some(0), 0), 1);
        assert_eq!(after(Some(10), 5), 11);
        assert_eq!(after(Some(10), 500), 500);
    }

    #[test]
    fn a_message_says_how_far_of_how_much() {
        let note = Progress {
            phase: "running",
            bytes_read: 12,
            elapsed_ms: 1560,
            limit_ms: 60_000,
        };
        assert_eq!(message(&note), "task running: 1.5 s of 60 s, 12 bytes read");
    }
}
