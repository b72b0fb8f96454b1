//! A secret that a program is asked for: started without a shell, with a closed standard input and an environment
//! of its own, read up to a bound, and ended with everything that it started.
//!
//! What it writes to standard error is thrown away: a program that fails likes to say what it was given.
//!
//! Must not: put what the program wrote into a fault, or let it outlive its time. INVARIANT: the group is killed while
//! its leader is not yet reaped, so that the number cannot be somebody else's.
//!
//! LIMIT: a process that leaves the program's group outlives it. The library that reads JSON keeps a short-lived copy
//! of a value that is written with escapes, which is not wiped.

use crate::files::{FileFault, program, program_failed, taken};
use portcullis_core::config::settings::secrets::Order;
use portcullis_core::secret::Secret;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Most that a provider may write, in bytes.
const OUTPUT_BYTES_MAX: usize = 65_536;
/// What is read at once, in bytes.
const CHUNK_BYTES: usize = 4_096;
/// Longest pause between two looks at whether the program has ended, in milliseconds.
const LOOK_PAUSE_MS_MAX: u64 = 50;

/// Why a provider gave no secret. Holds nothing that it wrote.
#[derive(Debug, thiserror::Error)]
#[error("secret provider {provider}: {why}")]
pub(crate) struct ProviderFault {
    provider: String,
    program: String,
    why: Why,
}

impl ProviderFault {
    /// Tells whoever records refusals of files; nothing where nobody is to blame.
    pub(crate) fn tell(&self, complain: &dyn Fn(&FileFault)) {
        let reason = match &self.why {
            Why::Program(fault) => return complain(fault),
            Why::Stopped => return,
            Why::Start(_) => "not_started",
            Why::Read(_) => "output_not_readable",
            Why::TimedOut { .. } => "timed_out",
            Why::Failed(_) => "failed",
            Why::TooLarge => "output_too_large",
            Why::NotJson | Why::NoField(_) | Why::Twice(_) => "output_not_understood",
            Why::Empty => "value_is_empty",
        };
        complain(&program_failed(&self.program, reason));
    }
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("its program cannot be started: {0}")]
    Start(std::io::Error),
    #[error("its program is not started: {0}")]
    Program(FileFault),
    #[error("its output cannot be read: {0}")]
    Read(std::io::Error),
    #[error("it did not end within {seconds} s and was killed")]
    TimedOut { seconds: u64 },
    #[error("the run was ended while it was asked")]
    Stopped,
    #[error("it ended with {0}")]
    Failed(std::process::ExitStatus),
    #[error("it wrote more than {OUTPUT_BYTES_MAX} bytes")]
    TooLarge,
    #[error("expected JSON on its standard output, got something else")]
    NotJson,
    #[error("expected a text in the field {0}, got none")]
    NoField(String),
    #[error("expected each field on the way to {0} once, got one twice")]
    Twice(String),
    #[error("expected a value, got an empty one")]
    Empty,
}

/// Asks a provider.
///
/// # Errors
/// [`ProviderFault`], which names the provider.
///
/// # Cancel
/// Dropped, it kills the program's group.
pub(crate) async fn ask(
    order: &Order,
    env: &(dyn Fn(&str) -> Option<OsString> + Sync),
    stop: &CancellationToken,
) -> Result<Secret, ProviderFault> {
    let asked = asked(order, env, stop).await;
    asked.map_err(|why| ProviderFault {
        provider: order.provider.clone(),
        program: order.command.first().cloned().unwrap_or_default(),
        why,
    })
}

async fn asked(
    order: &Order,
    env: &(dyn Fn(&str) -> Option<OsString> + Sync),
    stop: &CancellationToken,
) -> Result<Secret, Why> {
    let time = Duration::from_secs(order.timeout_seconds);
    let deadline = Instant::now() + time;
    let mut started = Started::start(order, env)?;
    let written = tokio::select! {
        // A program that has written is heard even if the time is up in the same moment.
        biased;
        written = started.written(deadline) => written?,
        () = stop.cancelled() => return Err(Why::Stopped),
        () = tokio::time::sleep_until(deadline) => {
            return Err(Why::TimedOut { seconds: order.timeout_seconds });
        }
    };
    let status = started.ended().await.map_err(Why::Read)?;
    if !status.success() {
        return Err(Why::Failed(status));
    }
    let secret = match &order.field {
        None => taken(written).ok_or(Why::Empty)?,
        Some(way) => field(&written, way)?,
    };
    if secret.expose().trim_ascii().is_empty() {
        return Err(Why::Empty);
    }
    Ok(secret)
}

/// A program that runs, and the group that ends with this value.
struct Started {
    child: Child,
    output: ChildStdout,
    group: Option<Pid>,
}

impl Started {
    fn start(order: &Order, env: &(dyn Fn(&str) -> Option<OsString> + Sync)) -> Result<Self, Why> {
        let (name, arguments) = order
            .command
            .split_first()
            .ok_or_else(|| Why::Start(std::io::ErrorKind::InvalidInput.into()))?;
        // SECURITY: what is started is the way that was judged, not the name that led to it.
        let mut command = Command::new(program(name).map_err(Why::Program)?);
        command
            .arg0(name)
            .args(arguments)
            .env_clear()
            .envs(
                order
                    .environment
                    .iter()
                    .filter_map(|name| Some((name, env(name)?))),
            )
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(Why::Start)?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let output = child.stdout.take();
        let output = output.ok_or_else(|| Why::Start(std::io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self {
            child,
            output,
            group: id.and_then(Pid::from_raw),
        })
    }

    /// What the program writes until it closes its output and ends.
    async fn written(&mut self, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, Why> {
        // Room for all that is taken, so that the buffer is never moved and left behind.
        let mut written = Zeroizing::new(Vec::with_capacity(OUTPUT_BYTES_MAX));
        let mut chunk = Zeroizing::new([0_u8; CHUNK_BYTES]);
        loop {
            let read = self.output.read(&mut chunk[..]).await.map_err(Why::Read)?;
            let part = chunk.get(..read).unwrap_or_default();
            if part.is_empty() {
                break;
            }
            if written.len() + part.len() > OUTPUT_BYTES_MAX {
                return Err(Why::TooLarge);
            }
            written.extend_from_slice(part);
        }
        // BOUND: the caller's deadline ends this wait too; the pauses grow to their limit.
        let mut pause = 1;
        while !self.has_ended() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(LOOK_PAUSE_MS_MAX);
        }
        Ok(written)
    }

    /// Whether the leader has ended; it stays unreaped.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match self
            .group
            .map(|pid| rustix::process::waitid(WaitId::Pid(pid), options))
        {
            Some(Ok(status)) => status.is_some(),
            Some(Err(_)) | None => true,
        }
    }

    /// Kills what is left of the group, and reaps the leader.
    async fn ended(mut self) -> std::io::Result<std::process::ExitStatus> {
        self.kill();
        self.child.wait().await
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // A group that is gone already is what is wanted.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // The leader itself is reaped by the runtime.
        self.kill();
    }
}

/// A mapping whose values are not looked into.
struct Unread<'j> {
    fields: HashMap<Cow<'j, str>, &'j RawValue>,
    /// Whether a key stands in it twice: two readers would take two values from it.
    twice: bool,
}

impl<'j> Deserialize<'j> for Unread<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'j> Visitor<'j> for Fields {
            type Value = Unread<'j>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut fields, mut twice) = (HashMap::new(), false);
                // BOUND: the text is at most OUTPUT_BYTES_MAX.
                while let Some((key, value)) = map.next_entry::<Text<'j>, &'j RawValue>()? {
                    twice |= fields.insert(key.0, value).is_some();
                }
                Ok(Unread { fields, twice })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// A text that is not copied where it stands without escapes.
#[derive(Deserialize)]
struct Text<'j>(#[serde(borrow)] Cow<'j, str>);

/// The text of one field, by the keys that lead to it. Nothing else of the document is copied.
fn field(json: &[u8], way: &[String]) -> Result<Secret, Why> {
    let none = || Why::NoField(way.join("."));
    let text = std::str::from_utf8(json).map_err(|_| Why::NotJson)?;
    let mut here: &RawValue = serde_json::from_str(text).map_err(|_| Why::NotJson)?;
    for key in way {
        let fields: Unread<'_> = serde_json::from_str(here.get()).map_err(|_| none())?;
        if fields.twice {
            return Err(Why::Twice(way.join(".")));
        }
        let found = fields.fields.get(key.as_str());
        here = found.copied().ok_or_else(none)?;
    }
    let value: Text<'_> = serde_json::from_str(here.get()).map_err(|_| none())?;
    match value.0 {
        Cow::Borrowed(text) => Ok(Secret::new(text.as_bytes().to_vec())),
        Cow::Owned(text) => Ok(Secret::new(text.into_bytes())),
    }
}

#[cfg(test)]
mod tests;
