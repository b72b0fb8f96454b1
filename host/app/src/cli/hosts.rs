//! `portcullis hosts`: the inventory as an operator asks about it.
//!
//! Must not: decide what is fine. What holds, what was reached and how keys stand comes from the gate.

mod describe;
mod ping;
mod scan;

use super::{Exit, Format, Places, console, session, spread};
use clap::{Args, Subcommand};
use portcullis_core::inventory::Host;
use portcullis_mcp::gate::Gate;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(super) enum Hosts {
    /// List the hosts with their tags and what they are. Contacts no host.
    List(List),
    /// Show everything that holds on a host: address, login, limits, address lists, host keys. No secrets.
    Describe(describe::Describe),
    /// See whether hosts can be reached, logged into and worked with, and where the time goes.
    Ping(ping::Ping),
    /// Ask hosts for their keys, to compare them and to record them. Nothing is recorded unless you name it.
    ScanKeys(scan::ScanKeys),
}

/// Lists the hosts in file order.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only the hosts that have this tag.
    #[arg(long)]
    tag: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Hosts) -> Exit {
    match verb {
        Hosts::List(verb) => list(places, verb),
        Hosts::Describe(verb) => describe::main(places, verb),
        Hosts::Ping(verb) => ping::main(places, verb),
        Hosts::ScanKeys(verb) => scan::main(places, verb),
    }
}

fn list(places: &Places, verb: &List) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let all = gate.hosts(caller).await;
        let hosts = match &verb.tag {
            Some(tag) => spread::of_tag(all, tag),
            None => Ok(all),
        };
        let hosts = match hosts {
            Ok(hosts) => hosts,
            Err(fault) => return session::answer_fault(&fault, verb.format),
        };
        let written = match verb.format {
            Format::Json => {
                let hosts: Vec<Value> = hosts.iter().map(listed).collect();
                console::line(&json!({ "hosts": hosts }).to_string())
            }
            Format::Human => table(&hosts)
                .iter()
                .try_for_each(|line| console::line(line)),
        };
        console::written(written, Exit::Ok)
    })
}

fn listed(host: &Host) -> Value {
    json!({
        "alias": host.alias.as_str(),
        "host": host.host,
        "port": host.port,
        "tags": host.tags,
        "description": host.description,
    })
}

/// One line for each host, in columns.
fn table(hosts: &[Host]) -> Vec<String> {
    let tags: Vec<String> = hosts.iter().map(|host| host.tags.join(",")).collect();
    let aliases = hosts.iter().map(|host| host.alias.as_str().len());
    let wide = aliases.max().unwrap_or_default();
    let of_tags = tags.iter().map(String::len).max().unwrap_or_default();
    let rows = hosts.iter().zip(&tags);
    rows.map(|(host, tags)| {
        let row = format!(
            "{:<wide$}  {:<of_tags$}  {}",
            host.alias.as_str(),
            tags,
            host.description
        );
        row.trim_end().to_owned()
    })
    .collect()
}

/// Milliseconds with a fraction, for people and programs.
fn millis(micros: u64) -> f64 {
    // Precision: a run's microseconds are exact in a f64.
    micros as f64 / 1_000.0
}
