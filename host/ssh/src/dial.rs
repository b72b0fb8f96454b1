//! The socket: dials admitted addresses only, looks at the peer, and tunes TCP for a handshake of many
//! small packets.

use crate::fault;
use portcullis_core::answer::RunFault;
use portcullis_core::limits::CONNECT_SECONDS_MAX;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Dials one admitted address.
pub(crate) async fn dial(
    address: IpAddr,
    port: u16,
    admits: &(dyn Fn(IpAddr) -> bool + Send + Sync),
) -> Result<QuickSocket, RunFault> {
    let connecting = TcpStream::connect((address, port));
    let limit = Duration::from_secs(CONNECT_SECONDS_MAX);
    match tokio::time::timeout(limit, connecting).await {
        Ok(Ok(socket)) => check(socket, admits),
        Ok(Err(error)) => Err(of_io(&error)),
        Err(_) => Err(fault::CONNECTION_TIMEOUT),
    }
}

/// SECURITY: what counts is where the socket really leads, so the peer is asked of the kernel and
/// judged before a byte is sent.
fn check(
    socket: TcpStream,
    admits: &(dyn Fn(IpAddr) -> bool + Send + Sync),
) -> Result<QuickSocket, RunFault> {
    let peer = socket
        .peer_addr()
        .map_err(|error| of_io(&error))?
        .ip()
        .to_canonical();
    if !admits(peer) {
        return Err(fault::PEER_NOT_ADMITTED);
    }
    // Without these two a run is slower and a dead peer is noticed later; neither is a reason to fail.
    let _ = socket.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_keepalive(&socket, true);
    Ok(QuickSocket(socket))
}

/// The fault that an error of a socket stands for.
pub(crate) fn of_io(error: &io::Error) -> RunFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => fault::CONNECTION_REFUSED,
        io::ErrorKind::TimedOut => fault::CONNECTION_TIMEOUT,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            fault::NETWORK_UNREACHABLE
        }
        _ => fault::CONNECTION_FAILED,
    }
}

/// A socket that acknowledges at once. sshd waits for acknowledgements before a session starts, and the
/// kernel's delayed ones cost 40 ms each; the kernel forgets the option, hence again after each read.
pub(crate) struct QuickSocket(TcpStream);

impl AsyncRead for QuickSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        #[cfg(target_os = "linux")]
        if read.is_ready() {
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.0, true);
        }
        read
    }
}

impl AsyncWrite for QuickSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
