//! A stream that ends when its holder lets go of it.
//!
//! The library reads and writes in a task of its own, which outlives whoever began it: a host that says nothing, or
//! reads nothing, would keep its socket for as long as it likes after the gate has given it up. So the task gets a
//! stream that fails as soon as the leash is dropped.
//!
//! Must not: read or write anything itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// Ends the stream that it belongs to when it is dropped.
pub(crate) struct Leash(#[expect(dead_code, reason = "held for its drop")] DropGuard);

/// Which way of a stream waits for the leash; each is woken by itself.
type Cut = Pin<Box<WaitForCancellationFutureOwned>>;

/// A stream on a leash.
pub(crate) struct Leashed<Stream> {
    stream: Stream,
    reading: Cut,
    writing: Cut,
}

impl Leash {
    /// Puts a stream on a leash.
    pub(crate) fn on<Stream>(stream: Stream) -> (Self, Leashed<Stream>) {
        let token = CancellationToken::new();
        let leashed = Leashed {
            stream,
            reading: Box::pin(token.clone().cancelled_owned()),
            writing: Box::pin(token.clone().cancelled_owned()),
        };
        (Self(token.drop_guard()), leashed)
    }
}

/// Fails where the leash was dropped.
fn held(cut: &mut Cut, cx: &mut Context<'_>) -> io::Result<()> {
    match cut.as_mut().poll(cx) {
        Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
        Poll::Pending => Ok(()),
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for Leashed<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        held(&mut self.reading, cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for Leashed<Stream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        held(&mut self.writing, cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        held(&mut self.writing, cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
