//! Work that takes its time, without holding up what else the runtime does.
//!
//! On a runtime of several threads it stays on the thread of its task, which gives its other tasks away for as long:
//! a change of threads and back is most of the time of small work. On one of a single thread, a thread for waiting does it.
//! What is bounded to a moment is done at once: giving the other tasks away costs more.
//!
//! Must not: be called where something else of the same task has to go on meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::runtime::{Handle, RuntimeFlavor};

/// The work panicked, which is our bug. What it had in its hands is lost.
#[derive(Debug)]
pub(super) struct Panicked;

/// Does the work.
///
/// # Errors
/// When it panics.
///
/// # Cancel
/// Work that has begun is done to its end.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Panicked> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        return tokio::task::block_in_place(|| at_once(work));
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Panicked)
}

/// Does work that takes a moment at most.
///
/// # Errors
/// When it panics.
pub(super) fn at_once<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    async fn both() {
        assert_eq!(aside(|| 7).await.unwrap(), 7);
        assert!(aside(|| panic!("on purpose")).await.is_err());
        assert_eq!(at_once(|| 7).unwrap(), 7);
        assert!(at_once(|| panic!("on purpose")).is_err());
        // What else there is goes on while the work waits for it.
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = tokio::spawn(async move { sender.send(8).unwrap() });
        let wait = std::time::Duration::from_secs(60);
        assert_eq!(
            aside(move || receiver.recv_timeout(wait)).await.unwrap(),
            Ok(8)
        );
        other.await.unwrap();
    }

    #[tokio::test]
    async fn work_is_done_aside_on_one_thread() {
        both().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn work_is_done_aside_on_several() {
        both().await;
    }
}
