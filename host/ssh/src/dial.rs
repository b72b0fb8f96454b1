//! The socket: dials admitted addresses only, directly or through the host before, looks at the peer, and tunes TCP for a handshake of many
//! small packets.

use crate::fault;
use crate::session::Session;
use portcullis_core::answer::RunFault;
use portcullis_core::limits::CONNECT_SECONDS_MAX;
use russh::client::Msg;
use russh::{ChannelOpenFailure, ChannelStream};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Where connections through another host are said to come from: nobody is told the gate's address.
const ORIGINATOR: &str = "127.0.0.1";

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

/// Asks the host before for a connection to an admitted address. Which machine answers there is that host's word; the
/// key that it has to show is looked at by us.
pub(crate) async fn through(
    session: &Session,
    address: IpAddr,
    port: u16,
) -> Result<ChannelStream<Msg>, RunFault> {
    let asking =
        session.channel_open_direct_tcpip(address.to_string(), u32::from(port), ORIGINATOR, 0);
    let limit = Duration::from_secs(CONNECT_SECONDS_MAX);
    match tokio::time::timeout(limit, asking).await {
        Ok(Ok(channel)) => Ok(channel.into_stream()),
        Ok(Err(russh::Error::ChannelOpenFailure(why))) => Err(match why {
            ChannelOpenFailure::AdministrativelyProhibited => fault::JUMP_PROHIBITED,
            ChannelOpenFailure::ConnectFailed => fault::CONNECTION_REFUSED,
            _ => fault::CONNECTION_FAILED,
        }),
        // A host that is alive says no in time, so this one is taken for gone: another connection is tried.
        Ok(Err(_)) | Err(_) => Err(fault::JUMP_LOST),
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
