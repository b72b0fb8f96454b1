//! What hosts have in common up to the point at which they go wrong.

use crate::bounds::{Met, meet};
use crate::wire::{Message, Script, Wire, number, script};
use std::io;

/// A script after identifications.
pub(crate) fn identified<Acting>(
    act: impl Fn(Wire) -> Acting + Send + Sync + Copy + 'static,
) -> Script
where
    Acting: Future<Output = io::Result<()>> + Send + 'static,
{
    script(move |mut wire| async move {
        wire.identify().await?;
        wire.act();
        act(wire).await
    })
}

/// A script after the exchange of keys, at the gate's first request to log in.
pub(crate) fn asked<Acting>(act: impl Fn(Wire) -> Acting + Send + Sync + Copy + 'static) -> Script
where
    Acting: Future<Output = io::Result<()>> + Send + 'static,
{
    script(move |mut wire| async move {
        wire.identify().await?;
        wire.exchange().await?;
        wire.asked().await?;
        wire.act();
        act(wire).await
    })
}

/// Writes bytes instead of an identification, and waits.
pub(crate) fn says(bytes: Vec<u8>) -> Script {
    script(move |mut wire| {
        let bytes = bytes.clone();
        async move {
            wire.act();
            wire.write(&bytes).await?;
            wire.hold().await
        }
    })
}

/// Writes bytes instead of an identification, without end.
pub(crate) fn repeats(bytes: &'static [u8]) -> Script {
    script(move |mut wire| async move {
        wire.act();
        wire.repeat(bytes).await
    })
}

/// A script after the command has begun; it gets the channel's number.
pub(crate) fn begun<Acting>(
    act: impl Fn(Wire, u32) -> Acting + Send + Sync + Copy + 'static,
) -> Script
where
    Acting: Future<Output = io::Result<()>> + Send + 'static,
{
    script(move |mut wire| async move {
        let channel = wire.begun().await?;
        wire.act();
        act(wire, channel).await
    })
}

/// A script that opens the channel with a window and a packet size, and takes the command.
pub(crate) fn opened_with<Acting>(
    window: u32,
    packet: u32,
    act: impl Fn(Wire, u32) -> Acting + Send + Sync + Copy + 'static,
) -> Script
where
    Acting: Future<Output = io::Result<()>> + Send + 'static,
{
    script(move |mut wire| async move {
        wire.log_in().await?;
        let channel = wire.opened().await?;
        wire.act();
        wire.confirm(channel, window, packet).await?;
        wire.told().await?;
        wire.send(Message::on(number::SUCCESS, channel)).await?;
        act(wire, channel).await
    })
}

pub(crate) async fn run(name: &str, limits: &str, host: Script) -> Met {
    let met = meet(name, limits, host, None).await;
    assert_eq!(met.acts, 1, "{name}: a command is sent once");
    met
}

/// Prints, exits with status 0, and closes.
pub(crate) async fn finish(mut wire: Wire, channel: u32) -> io::Result<()> {
    wire.print(channel, b"hello\n").await?;
    wire.exit(channel, 0).await?;
    wire.close(channel).await?;
    wire.hold().await
}

pub(crate) fn request_status(channel: u32) -> Message {
    Message::on(number::REQUEST, channel)
        .string("exit-status")
        .flag(false)
        .u32(0)
}
