//! `portcullis hosts ping`: whether hosts can be worked with, and where the time goes.

use super::super::console::Colour;
use super::super::spread::{self, AtOnce, Choice};
use super::super::{Exit, Format, Places, console, session};
use super::millis;
use crate::gate;
use clap::Args;
use serde_json::{Value, json};

/// Resolves, connects, logs in and runs `true`, which the policy has to allow; where it does not, nothing is run.
/// Exit 0 if all hosts can be worked with, 1 if the gate refuses, 4 if a host cannot be reached or fails.
#[derive(Debug, Args)]
pub(in crate::cli) struct Ping {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    at_once: AtOnce,
    /// Log in and run nothing.
    #[arg(long)]
    no_exec: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Ping) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let hosts = match verb.choice.hosts(gate, &caller, verb.format).await {
            Ok(hosts) => hosts,
            Err(exit) => return exit,
        };
        let wide = hosts.iter().map(|host| host.alias.as_str().len()).max();
        let pings = spread::each(hosts, verb.at_once.concurrency, |host| {
            let (gate, caller) = (gate.clone(), caller.clone());
            let exec = !verb.no_exec;
            async move { gate.ping_host(caller, host.alias.as_str(), exec).await }
        });
        // The hosts exist: they were chosen from the inventory.
        let pings: Vec<gate::Ping> = pings.await.into_iter().flatten().collect();
        let written = match verb.format {
            Format::Json => console::line(&answer(&pings).to_string()),
            Format::Human => {
                let wide = wide.unwrap_or_default();
                let mut lines = pings.iter().map(|ping| human(ping, wide));
                lines.try_for_each(|line| console::line(&line))
            }
        };
        console::written(written, exit(&pings))
    })
}

fn exit(pings: &[gate::Ping]) -> Exit {
    let of = |exit| pings.iter().any(|ping| exit_of(ping) == exit);
    if of(Exit::Remote) {
        Exit::Remote
    } else if of(Exit::Refused) {
        Exit::Refused
    } else {
        Exit::Ok
    }
}

fn exit_of(ping: &gate::Ping) -> Exit {
    match ping.state {
        state if state.is_well() => Exit::Ok,
        gate::PingState::Refused => Exit::Refused,
        _ => Exit::Remote,
    }
}

fn answer(pings: &[gate::Ping]) -> Value {
    let well = pings.iter().filter(|ping| ping.state.is_well()).count();
    json!({
        "results": pings.iter().map(value).collect::<Vec<_>>(),
        "hosts": pings.len(),
        "well": well,
    })
}

fn value(ping: &gate::Ping) -> Value {
    let (code, message) = match &ping.why {
        Some((code, message)) => (Some(code), Some(message)),
        None => (None, None),
    };
    let timing = &ping.timing;
    json!({
        "alias": ping.alias.as_str(),
        "state": ping.state.as_str(),
        "code": code,
        "message": message,
        "target_ip": ping.address,
        "resolve_ms": millis(timing.resolve_us),
        "connect_ms": millis(timing.connect_us),
        "authenticate_ms": millis(timing.authenticate_us),
        "channel_ms": millis(timing.channel_us),
        "exec_ms": millis(timing.remote_us),
        "total_ms": millis(ping.total_us),
    })
}

fn human(ping: &gate::Ping, wide: usize) -> String {
    let colour = if ping.state.is_well() {
        Colour::Green
    } else {
        Colour::Red
    };
    let timing = &ping.timing;
    let mut text = format!(
        "{:<wide$}  {}",
        ping.alias.as_str(),
        console::paint(&format!("{:<11}", ping.state.as_str()), colour),
    );
    let steps = [
        ("resolve", timing.resolve_us),
        ("connect", timing.connect_us),
        ("login", timing.authenticate_us),
        ("channel", timing.channel_us),
        ("exec", timing.remote_us),
    ];
    for (name, micros) in steps.iter().filter(|(_, micros)| *micros > 0) {
        text.push_str(&format!("  {name} {:.1} ms", millis(*micros)));
    }
    if let Some((code, message)) = &ping.why {
        text.push_str(&format!("  {message} ({code})"));
    }
    text
}
