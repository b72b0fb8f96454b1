//! Standard input and output of this process, as streams that never hold up its end.
//!
//! Two pipes are read and written by the event loop, on descriptors of our own, so that no flag of the
//! shared ones changes. Anything else (a socket pair, a terminal, a file) gets two threads that block in
//! its place: a thread does not keep a process alive, but a blocking task of the runtime would.
//!
//! Must not: write anything by itself. Shown by `a_socket_pair_is_served_and_does_not_hold_up_the_end` in
//! `tests/edges.rs`.

use rmcp::transport::stdio_pipes;
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

/// Most bytes in one piece between a thread and the event loop.
const PIECE_BYTES_MAX: usize = 65_536;
/// Most pieces on their way.
const PIECES_QUEUED_MAX: usize = 4;

/// An input of any kind.
pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;
/// An output of any kind.
pub(crate) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Opens both. Call it once, inside a runtime.
///
/// # Errors
/// When a thread cannot be started.
pub(crate) fn open() -> std::io::Result<(Input, Output)> {
    if is_pipe("/proc/self/fd/0") && is_pipe("/proc/self/fd/1") {
        let (input, output) = stdio_pipes();
        return Ok((Box::new(input), Box::new(output)));
    }
    Ok((Box::new(read_by_thread()?), Box::new(write_by_thread()?)))
}

fn is_pipe(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

struct ThreadInput {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
}

fn read_by_thread() -> std::io::Result<ThreadInput> {
    let (sender, pieces) = mpsc::channel(PIECES_QUEUED_MAX);
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut stdin = std::io::stdin().lock();
            let mut buffer = vec![0; PIECE_BYTES_MAX];
            // Ends with the input, with a fault of it, or when nobody reads any more.
            loop {
                let count = match stdin.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => count,
                    Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => return,
                };
                let piece = buffer.get(..count).unwrap_or_default().to_vec();
                if sender.blocking_send(piece).is_err() {
                    return;
                }
            }
        })?;
    Ok(ThreadInput {
        pieces,
        piece: Vec::new(),
        read: 0,
    })
}

impl AsyncRead for ThreadInput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.read >= self.piece.len() {
            match ready!(self.pieces.poll_recv(cx)) {
                Some(piece) => (self.piece, self.read) = (piece, 0),
                None => return Poll::Ready(Ok(())),
            }
        }
        let rest = self.piece.get(self.read..).unwrap_or_default();
        let part = rest
            .get(..rest.len().min(buf.remaining()))
            .unwrap_or_default();
        buf.put_slice(part);
        let count = part.len();
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

/// What the writing thread is asked to do.
enum Order {
    Write(Vec<u8>),
    Flush(tokio::sync::oneshot::Sender<()>),
}

struct ThreadOutput {
    orders: PollSender<Order>,
    flushing: Option<tokio::sync::oneshot::Receiver<()>>,
}

fn write_by_thread() -> std::io::Result<ThreadOutput> {
    let (sender, mut orders) = mpsc::channel(PIECES_QUEUED_MAX);
    std::thread::Builder::new()
        .name("stdout".to_owned())
        .spawn(move || {
            let mut stdout = std::io::stdout().lock();
            // Ends when nobody writes any more or the output breaks; the closed channel tells.
            while let Some(order) = orders.blocking_recv() {
                let done = match order {
                    Order::Write(bytes) => stdout.write_all(&bytes).is_ok(),
                    Order::Flush(flushed) => stdout.flush().is_ok() && flushed.send(()).is_ok(),
                };
                if !done {
                    return;
                }
            }
        })?;
    Ok(ThreadOutput {
        orders: PollSender::new(sender),
        flushing: None,
    })
}

fn closed() -> Error {
    Error::from(ErrorKind::BrokenPipe)
}

impl AsyncWrite for ThreadOutput {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        ready!(self.orders.poll_reserve(cx)).map_err(|_| closed())?;
        let piece = bytes
            .get(..bytes.len().min(PIECE_BYTES_MAX))
            .unwrap_or_default();
        let order = Order::Write(piece.to_vec());
        self.orders.send_item(order).map_err(|_| closed())?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let mut receiver = match self.flushing.take() {
            Some(receiver) => receiver,
            None => {
                ready!(self.orders.poll_reserve(cx)).map_err(|_| closed())?;
                let (sender, receiver) = tokio::sync::oneshot::channel();
                let order = Order::Flush(sender);
                self.orders.send_item(order).map_err(|_| closed())?;
                receiver
            }
        };
        match Pin::new(&mut receiver).poll(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|_| closed())),
            Poll::Pending => {
                self.flushing = Some(receiver);
                Poll::Pending
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.poll_flush(cx)
    }
}
