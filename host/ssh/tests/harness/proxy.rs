//! A proxy before a real server that does to the first connections what networks do to connections: it delays,
//! trickles, loses the tail, resets, flips a bit, or falls silent, in one direction, from one byte on.
//!
//! Must not: read what it carries. It counts bytes and knows no SSH.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Most bytes that are carried at once.
const CHUNK_BYTES: usize = 4_096;

/// What befalls a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing passes for a time.
    Delay(Duration),
    /// From there on single bytes pass, with a pause after each.
    Trickle(Duration),
    /// What follows is lost, and the stream ends as if it had been whole.
    LostTail,
    /// Both sides are told that the connection is broken.
    Reset,
    /// One bit is another one.
    BitFlip(u32),
    /// Nothing passes any more, and nobody is told.
    HalfOpen,
}

/// The direction in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    Host,
    Gate,
}

/// What the proxy does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) fault: Fault,
    pub(crate) toward: Toward,
    /// How many bytes pass in that direction before; [`FaultProxy::strike`] says that it is now.
    pub(crate) at: u64,
    /// How many connections it befalls; those that come later are sound.
    pub(crate) connections: u32,
}

/// A running proxy. Stops when dropped, with all its connections.
pub(crate) struct FaultProxy {
    pub(crate) port: u16,
    at: Arc<AtomicU64>,
    struck: Arc<AtomicU32>,
    stop: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl FaultProxy {
    /// Listens on a free port before a server on this one.
    pub(crate) async fn start(server: u16, plan: Plan) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, struck) = (CancellationToken::new(), Arc::<AtomicU32>::default());
        let at = Arc::new(AtomicU64::new(plan.at));
        let (stopped, strikes, place) = (stop.clone(), Arc::clone(&struck), Arc::clone(&at));
        let task = tokio::spawn(async move {
            let mut taken = 0;
            while let Ok((gate, _)) = listener.accept().await {
                let sound = taken >= plan.connections;
                taken += 1;
                let line = Line {
                    plan: (!sound).then_some(plan),
                    at: Arc::clone(&place),
                    struck: Arc::clone(&strikes),
                    broken: stopped.child_token(),
                };
                tokio::spawn(line.carry(gate, (Ipv4Addr::LOCALHOST, server).into()));
            }
        });
        Self {
            port,
            at,
            struck,
            stop,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The fault comes with the next byte.
    pub(crate) fn strike(&self) {
        self.at.store(0, Ordering::Relaxed);
    }

    /// How many connections came as far as their fault.
    pub(crate) fn struck(&self) -> u32 {
        self.struck.load(Ordering::Relaxed)
    }
}

/// One connection through the proxy.
struct Line {
    plan: Option<Plan>,
    at: Arc<AtomicU64>,
    struck: Arc<AtomicU32>,
    /// Ends both directions at once.
    broken: CancellationToken,
}

impl Line {
    async fn carry(self, gate: TcpStream, server: SocketAddr) {
        let Ok(host) = TcpStream::connect(server).await else {
            return;
        };
        for socket in [&gate, &host] {
            let _ = socket.set_nodelay(true);
        }
        let ((from_gate, to_gate), (from_host, to_host)) = (gate.into_split(), host.into_split());
        tokio::join!(
            self.pump(Toward::Host, from_gate, to_host),
            self.pump(Toward::Gate, from_host, to_gate),
        );
    }

    /// Carries one direction to its end. A direction that was cut off goes without a word to either side, since dropping
    /// the writing half as it is would end the stream in order.
    async fn pump(&self, toward: Toward, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut plan = self.plan.filter(|plan| plan.toward == toward);
        let whole = tokio::select! {
            whole = self.copy(&mut plan, &mut from, &mut to) => whole,
            () = self.broken.cancelled() => false,
        };
        if whole {
            let _ = to.shutdown().await;
        }
        if self.broken.is_cancelled() {
            let _ = to.as_ref().set_zero_linger();
            let _ = from.as_ref().set_zero_linger();
        }
        to.forget();
    }

    /// Says whether the stream came to its end, as far as the receiver is to know.
    async fn copy(
        &self,
        plan: &mut Option<Plan>,
        from: &mut OwnedReadHalf,
        to: &mut OwnedWriteHalf,
    ) -> bool {
        let (mut buffer, mut passed) = (vec![0; CHUNK_BYTES], 0_u64);
        loop {
            let Ok(read @ 1..) = from.read(&mut buffer).await else {
                return true;
            };
            let mut chunk = &mut buffer[..read];
            let at = self.at.load(Ordering::Relaxed);
            if let Some(it) = plan.filter(|_| at < passed + read as u64) {
                let before = usize::try_from(at.saturating_sub(passed)).unwrap();
                if to.write_all(&chunk[..before]).await.is_err() {
                    return true;
                }
                self.struck.fetch_add(1, Ordering::Relaxed);
                *plan = None;
                chunk = &mut chunk[before..];
                match it.fault {
                    Fault::Delay(time) => tokio::time::sleep(time).await,
                    Fault::Trickle(pause) => return trickle(chunk, from, to, pause).await,
                    Fault::LostTail => {
                        let _ = to.shutdown().await;
                        return swallow(from).await;
                    }
                    Fault::Reset => {
                        self.broken.cancel();
                        return false;
                    }
                    Fault::BitFlip(bit) => chunk[0] ^= 1 << bit,
                    Fault::HalfOpen => return swallow(from).await,
                }
            }
            if to.write_all(chunk).await.is_err() {
                return true;
            }
            passed += read as u64;
        }
    }
}

/// Passes a first chunk and whatever follows byte by byte.
async fn trickle(
    chunk: &[u8],
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    pause: Duration,
) -> bool {
    for byte in chunk {
        if to.write_all(&[*byte]).await.is_err() {
            return true;
        }
        tokio::time::sleep(pause).await;
    }
    let mut byte = [0];
    while let Ok(1) = from.read(&mut byte).await {
        if to.write_all(&byte).await.is_err() {
            return true;
        }
        tokio::time::sleep(pause).await;
    }
    true
}

/// Takes what comes and passes nothing on, until the sender has gone. The receiver is told then, so that a server does not
/// keep the connection for as long as a host that was unplugged would.
async fn swallow(from: &mut OwnedReadHalf) -> bool {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(1..) = from.read(&mut buffer).await {}
    true
}
