//! The transport beneath the protocol library: one task reads lines, one writes them.
//!
//! The reading task takes requests on, takes calls back, and ends every call the moment the input ends
//! or the server is told to stop, whatever the library is doing. The writing task is the only one that
//! touches the output, so lines never mix.
//!
//! Must not: know tools, or the gate.
//!
//! Known limit: a client that writes without ever reading is held back once [`FRAMES_QUEUED_MAX`]
//! answers wait for it.

use crate::calls::{Calls, Delivery, NotAdmitted};
use crate::envelope::{self, Envelope};
use crate::lines::{Line, Lines};
use crate::refusals::{self, Refusals};
use portcullis_core::limits;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Most answers that wait for the client to read. Answers of calls are few (their ids are given back
/// when they are written); this bounds the short refusals of a flood.
const FRAMES_QUEUED_MAX: usize = 32_768;
/// Most answers that are written at once.
const FRAMES_BATCH_MAX: usize = 64;
/// Most requests between the reading task and the library.
const REQUESTS_QUEUED_MAX: usize = 64;
/// Room that the writing task keeps between writes, in bytes.
const KEPT_BYTES_MAX: usize = 262_144;

/// One line to write.
struct Frame {
    bytes: Vec<u8>,
    answers: Option<RequestId>,
    written: Option<oneshot::Sender<()>>,
}

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireFault {
    /// The output is closed or broken.
    #[error("the client's output is closed")]
    Closed,
    /// A message could not be put into JSON.
    #[error("a message cannot be written as JSON")]
    Encoding(#[from] serde_json::Error),
}

/// The transport.
pub(crate) struct Wire {
    requests: mpsc::Receiver<ClientJsonRpcMessage>,
    frames: Option<mpsc::Sender<Frame>>,
    writer: Option<tokio::task::JoinHandle<()>>,
    _reading: DropGuard,
}

impl Wire {
    /// Starts both tasks. `stop` ends reading like an end of the input; `ended` is cancelled once
    /// nothing more will be read, for whichever reason.
    pub(crate) fn open<R, W>(
        input: R,
        output: W,
        calls: Arc<Calls>,
        refusals: Refusals,
        stop: CancellationToken,
        ended: CancellationToken,
    ) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (requests_tx, requests) = mpsc::channel(REQUESTS_QUEUED_MAX);
        let (frames, frames_rx) = mpsc::channel(FRAMES_QUEUED_MAX);
        let broken = CancellationToken::new();
        let reading = broken.child_token();
        let writer = tokio::spawn(write_all(output, frames_rx, calls.clone(), broken.clone()));
        let reader = Reader {
            lines: Lines::new(input, limits::MCP_LINE_BYTES_MAX),
            calls,
            refusals,
            requests: requests_tx,
            frames: frames.clone(),
        };
        tokio::spawn(reader.run(stop, reading.clone(), ended));
        Self {
            requests,
            frames: Some(frames),
            writer: Some(writer),
            _reading: reading.drop_guard(),
        }
    }
}

struct Reader<R> {
    lines: Lines<R>,
    calls: Arc<Calls>,
    refusals: Refusals,
    requests: mpsc::Sender<ClientJsonRpcMessage>,
    frames: mpsc::Sender<Frame>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    async fn run(
        mut self,
        stop: CancellationToken,
        useless: CancellationToken,
        ended: CancellationToken,
    ) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = useless.cancelled() => {}
            () = self.read_all() => {}
        }
        // SECURITY: from here on nobody can take a call back, so none may go on.
        self.calls.stop_all();
        ended.cancel();
    }

    /// Returns when the input ends or nobody listens any more.
    async fn read_all(&mut self) {
        loop {
            let went_on = match self.lines.next().await {
                Line::End => return,
                Line::TooLong { bytes } => {
                    self.refusals.note("line_too_long", None);
                    self.reply(&envelope::line_too_long(bytes)).await
                }
                Line::Whole(line) => self.take(&line).await,
            };
            if went_on.is_err() {
                return;
            }
        }
    }

    async fn take(&mut self, line: &[u8]) -> Result<(), WireFault> {
        match envelope::read(line) {
            Envelope::Nothing => Ok(()),
            Envelope::Cancel(id) => {
                self.calls.take_back(&id);
                Ok(())
            }
            Envelope::Malformed { id, error } => {
                self.refusals.note(refusals::word(error.code), id.as_ref());
                let message = ServerJsonRpcMessage::error(error, id);
                self.reply(&serde_json::to_value(message)?).await
            }
            Envelope::Request(request) => match self.calls.admit(&request.id, request.kind) {
                Ok(()) => {
                    let sent = self.requests.send(request.message).await;
                    sent.map_err(|_| WireFault::Closed)
                }
                Err(NotAdmitted::Busy) => {
                    self.refusals.note("busy", Some(&request.id));
                    self.reply(&envelope::busy(&request.id, request.shape))
                        .await
                }
                Err(NotAdmitted::Duplicate) => {
                    self.refusals
                        .note("duplicate_request_id", Some(&request.id));
                    self.reply(&envelope::duplicate(&request.id)).await
                }
            },
        }
    }

    async fn reply(&mut self, message: &Value) -> Result<(), WireFault> {
        let frame = Frame {
            bytes: encode(message)?,
            answers: None,
            written: None,
        };
        let sent = self.frames.send(frame).await;
        sent.map_err(|_| WireFault::Closed)
    }
}

/// One line. JSON has no raw line feed, so a message cannot become two.
fn encode(message: &impl serde::Serialize) -> Result<Vec<u8>, WireFault> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Writes frames until nobody sends any more. Once the output broke, frames are still taken, so that the
/// ids of their calls are given back and it is known which calls have ended.
async fn write_all<W: AsyncWrite + Unpin>(
    mut output: W,
    mut frames: mpsc::Receiver<Frame>,
    calls: Arc<Calls>,
    broken: CancellationToken,
) {
    let mut batch = Vec::with_capacity(FRAMES_BATCH_MAX);
    let mut bytes = Vec::new();
    while frames.recv_many(&mut batch, FRAMES_BATCH_MAX).await > 0 {
        let mut written = Vec::new();
        for frame in batch.drain(..) {
            let delivery = frame
                .answers
                .as_ref()
                .map_or(Delivery::Write, |id| calls.answer(id));
            if delivery == Delivery::Write {
                bytes.extend_from_slice(&frame.bytes);
            }
            written.extend(frame.written);
        }
        if !broken.is_cancelled() && write(&mut output, &bytes).await.is_err() {
            tracing::warn!("the client's output is closed");
            broken.cancel();
        }
        bytes.clear();
        bytes.shrink_to(KEPT_BYTES_MAX);
        if broken.is_cancelled() {
            // Whoever waits learns from the dropped sender that its frame was not written.
            continue;
        }
        for written in written {
            // Whoever sent the frame may have stopped waiting for it.
            let _ = written.send(());
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(output: &mut W, bytes: &[u8]) -> std::io::Result<()> {
    output.write_all(bytes).await?;
    output.flush().await
}

impl Transport<RoleServer> for Wire {
    type Error = WireFault;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), WireFault>> + Send + 'static {
        let frames = self.frames.clone();
        async move {
            let answers = match &message {
                JsonRpcMessage::Response(response) => Some(response.id.clone()),
                JsonRpcMessage::Error(error) => error.id.clone(),
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
            };
            let bytes = encode(&message)?;
            let (written, done) = oneshot::channel();
            let frame = Frame {
                bytes,
                answers,
                written: Some(written),
            };
            let frames = frames.ok_or(WireFault::Closed)?;
            frames.send(frame).await.map_err(|_| WireFault::Closed)?;
            done.await.map_err(|_| WireFault::Closed)
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.requests.recv().await
    }

    async fn close(&mut self) -> Result<(), WireFault> {
        self.frames = None;
        match self.writer.take() {
            Some(writer) => writer.await.map_err(|_| WireFault::Closed),
            None => Ok(()),
        }
    }
}
