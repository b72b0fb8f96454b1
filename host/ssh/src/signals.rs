//! Whether a connection's server passes signals on, and ending a process group through a second channel.
//!
//! SSH has a `signal` request without an answer. OpenSSH passes it to the whole process group of a user's command, does
//! nothing for root and under a forced command, and other servers signal one process. So the gate asks once for each
//! connection, by a command of its own that says which of its processes a signal has reached.
//!
//! It asks only where a command of the agent's in the watchdog has shown that it leads a process group: under a forced
//! command the question would start that command once more.
//!
//! A connection keeps the server process, the user and the forced command that it was logged in with, so what was learned
//! holds as long as it does, and no longer: it is kept with the connection.
//!
//! LIMIT: the number of a group is the host's to give anew once the group is gone. The gate looks for what is left of a
//! group only in the moment in which its leader was seen to end, or before.

use crate::plain::{self, HEARD, LoginShell, READY};
use crate::session::Session;
use crate::watchdog;
use crate::words::FirstWord;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, Sig};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Longest time for the question's channel, and for the question, in milliseconds. What it starts is gone by then where nobody signals it.
const ASK_MS_MAX: u64 = 3_000;
/// Time for closing its channel, in milliseconds.
const CLOSE_MS_MAX: u64 = 100;
/// Most bytes that are read of either stream of a text of the gate's own.
const READ_BYTES_MAX: usize = 4_096;

const UNKNOWN: u8 = 0;
const LED: u8 = 1;
const ASKED: u8 = 2;
const WORK: u8 = 3;
/// They work, and the login shell is `sh`.
const WORK_IN_SH: u8 = 4;
const DEAF: u8 = 5;

/// What is known of a connection.
#[derive(Default)]
pub(crate) struct Signals(AtomicU8);

impl Signals {
    /// A command of the agent's has led a process group.
    pub(crate) fn led(&self) {
        self.step(UNKNOWN, LED);
    }

    /// Whether it may be asked.
    pub(crate) fn may_be_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) == LED
    }

    /// Whether it is the caller's to ask. Says yes once.
    pub(crate) fn begin(&self) -> bool {
        self.step(LED, ASKED)
    }

    /// Takes the answer down: the login shell under which they work.
    pub(crate) fn answered(&self, works: Option<LoginShell>) {
        let known = match works {
            Some(LoginShell::Sh) => WORK_IN_SH,
            Some(LoginShell::Other) => WORK,
            None => DEAF,
        };
        self.step(ASKED, known);
    }

    /// The login shell, where they are known to work.
    pub(crate) fn work(&self) -> Option<LoginShell> {
        match self.0.load(Ordering::Relaxed) {
            WORK_IN_SH => Some(LoginShell::Sh),
            WORK => Some(LoginShell::Other),
            _ => None,
        }
    }

    fn step(&self, from: u8, to: u8) -> bool {
        let stepped = self
            .0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        stepped.is_ok()
    }
}

/// Asks whether a signal reaches a whole process group, and whether the server says so when it ends. Gives the login shell
/// where both are so.
pub(crate) async fn ask(session: &Session) -> Option<LoginShell> {
    let limit = Duration::from_millis(ASK_MS_MAX);
    let opening = tokio::time::timeout(limit, session.channel_open_session());
    let mut channel = opening.await.ok()?.ok()?;
    let works = tokio::time::timeout(limit, question(&mut channel)).await;
    let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS_MAX), channel.close()).await;
    works.ok().flatten()
}

/// The conversation; nothing where any part of it is not as it has to be.
async fn question(channel: &mut Channel<Msg>) -> Option<LoginShell> {
    channel.exec(true, plain::question()).await.ok()?;
    let (mut said, mut noise, mut word) = (Vec::new(), 0, FirstWord::default());
    let (mut group, mut signalled, mut ended) = (None, false, false);
    loop {
        match channel.wait().await? {
            ChannelMsg::Data { data } => said.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => {
                group = group.or(word.push(&data, &mut |bytes| noise += bytes.len()));
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                ended = signalled && matches!(signal_name, Sig::TERM);
            }
            ChannelMsg::Close => break,
            ChannelMsg::Failure | ChannelMsg::ExitStatus { .. } => return None,
            _ => {}
        }
        if said.len() > READ_BYTES_MAX || noise > READ_BYTES_MAX {
            return None;
        }
        let ready = plain::name_and_rest(&said).is_some_and(|(_, rest)| rest == READY.as_bytes());
        if !signalled && ready {
            signalled = true;
            channel.signal(Sig::TERM).await.ok()?;
        }
    }
    let (name, rest) = plain::name_and_rest(&said)?;
    let all = [READY, HEARD].concat();
    let whole = ended && group.is_some() && rest == all.as_bytes();
    whole.then(|| LoginShell::named(name))
}

/// Ends what is left of a process group: TERM, and KILL for what ignores it. Says whether the host has shown that nothing
/// is left.
pub(crate) async fn sweep(session: &Session, group: u32) -> bool {
    let Ok(mut channel) = session.channel_open_session().await else {
        return false;
    };
    if channel.exec(true, watchdog::ending(group)).await.is_err() {
        return false;
    }
    let (mut said, mut gone) = (Vec::new(), false);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::ExtendedData { data, .. } => said.extend_from_slice(&data),
            ChannelMsg::Close | ChannelMsg::Failure => break,
            _ => {}
        }
        gone = contains(&said, watchdog::GONE);
        if gone || said.len() > READ_BYTES_MAX {
            break;
        }
    }
    let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS_MAX), channel.close()).await;
    gone
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|it| it == word)
}
