//! `portcullis hosts scan-keys`: the keys that hosts show, beside what is recorded, and one accepted by its
//! fingerprint.
//!
//! Must not: accept a key that nobody has named.

use super::super::console::Colour;
use super::super::spread::{self, AtOnce, Choice};
use super::super::{Exit, Format, Places, console, session};
use crate::gate::{Gatehouse, NoContact, NotAccepted, Scan};
use clap::Args;
use portcullis_mcp::gate::Caller;
use portcullis_ssh::Standing;
use serde_json::{Value, json};

/// Asks hosts for their keys as `ssh-keyscan` does, from the addresses that the policy admits, and prints lines for
/// known_hosts with fingerprints to compare.
///
/// Whoever is in between can show a key of his own: compare the fingerprint with the host's own
/// (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console) before you name it with `--accept`. Only then its
/// line is added to known_hosts. A key that differs from the recorded ones is never added.
///
/// Exit 0 if every key is known, new or accepted, 1 if one is in conflict with the records or is not accepted, 4 if
/// a host cannot be reached.
#[derive(Debug, Args)]
pub(in crate::cli) struct ScanKeys {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    at_once: AtOnce,
    /// Add the key with this fingerprint to known_hosts; for one host. Can be given more than once.
    #[arg(long, value_name = "SHA256:...")]
    accept: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// What came of one host.
struct Seen {
    alias: String,
    scan: Result<Scan, NoContact>,
}

pub(super) fn main(places: &Places, verb: &ScanKeys) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let hosts = match verb.choice.hosts(gate, &caller, verb.format).await {
            Ok(hosts) => hosts,
            Err(exit) => return exit,
        };
        if !verb.accept.is_empty() && hosts.len() != 1 {
            console::fault(
                "a key is accepted for one host at a time",
                "name the host whose key it is",
            );
            return Exit::Usage;
        }
        let seen = spread::each(hosts, verb.at_once.concurrency, |host| {
            let (gate, caller) = (gate.clone(), caller.clone());
            async move {
                let alias = host.alias.as_str().to_owned();
                let scan = gate.scan(&caller, &alias).await;
                Seen { alias, scan }
            }
        });
        let seen = seen.await;
        let accepted = accept(gate, &caller, &verb.accept, &seen).await;
        let written = match verb.format {
            Format::Json => console::line(&answer(&seen, &accepted).to_string()),
            Format::Human => human(&seen, &accepted),
        };
        console::written(written, exit(&seen, &accepted))
    })
}

/// What came of one fingerprint: the line that was added, or why none was.
type Accepted = (String, Result<String, NotAccepted>);

async fn accept(
    gate: &Gatehouse,
    caller: &Caller,
    fingerprints: &[String],
    seen: &[Seen],
) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let Some(Seen { scan: Ok(scan), .. }) = seen.first() else {
        return accepted;
    };
    for fingerprint in fingerprints {
        let done = gate.accept(caller, scan, fingerprint.trim()).await;
        accepted.push((fingerprint.trim().to_owned(), done));
    }
    accepted
}

fn exit(seen: &[Seen], accepted: &[Accepted]) -> Exit {
    let conflict = |it: &Seen| {
        let standings = it.scan.as_ref().map(|scan| scan.standings.as_slice());
        let standings = standings.unwrap_or_default();
        let in_conflict = |of: &Standing| matches!(of, Standing::Changed | Standing::Revoked);
        standings.iter().any(in_conflict) || matches!(it.scan, Err(NoContact::Refused(_)))
    };
    let missed = |it: &Seen| {
        let fault = matches!(
            it.scan,
            Err(NoContact::Unreachable(_) | NoContact::Fault(_))
        );
        fault || matches!(&it.scan, Ok(scan) if scan.scanned.fault.is_some())
    };
    if seen.iter().any(missed) {
        Exit::Remote
    } else if seen.iter().any(conflict) || accepted.iter().any(|(_, done)| done.is_err()) {
        Exit::Refused
    } else {
        Exit::Ok
    }
}

fn answer(seen: &[Seen], accepted: &[Accepted]) -> Value {
    let said = |(fingerprint, done): &Accepted| match done {
        Ok(line) => json!({"fingerprint": fingerprint, "accepted": true, "line": line}),
        Err(not) => json!({
            "fingerprint": fingerprint,
            "accepted": false,
            "code": not.code,
            "message": not.message,
            "hint": not.hint,
        }),
    };
    json!({
        "hosts": seen.iter().map(value).collect::<Vec<_>>(),
        "accepted": accepted.iter().map(said).collect::<Vec<_>>(),
    })
}

fn value(seen: &Seen) -> Value {
    match &seen.scan {
        Ok(scan) => {
            let keys = scan.scanned.keys.iter().zip(&scan.standings);
            let keys: Vec<Value> = keys
                .map(|(key, standing)| {
                    json!({
                        "type": key.kind,
                        "fingerprint": key.fingerprint,
                        "standing": standing.as_str(),
                        "usable": key.usable,
                        "line": key.line(&scan.host.host, scan.host.port),
                    })
                })
                .collect();
            let fault = scan.scanned.fault.as_ref();
            json!({
                "alias": seen.alias,
                "target_ip": scan.scanned.peer.to_string(),
                "keys": keys,
                "code": fault.map(|fault| fault.code),
                "message": fault.map(|fault| fault.message),
            })
        }
        Err(none) => {
            let (code, message) = none.why();
            json!({"alias": seen.alias, "keys": [], "code": code, "message": message})
        }
    }
}

/// Lines for known_hosts are data; what is said of them are comments, so that the whole can be put into a file.
fn human(seen: &[Seen], accepted: &[Accepted]) -> std::io::Result<()> {
    for it in seen {
        let scan = match &it.scan {
            Ok(scan) => scan,
            Err(none) => {
                let (code, message) = none.why();
                console::fault(&format!("{}: {message} ({code})", it.alias), "");
                continue;
            }
        };
        for (key, standing) in scan.scanned.keys.iter().zip(&scan.standings) {
            let colour = match standing {
                Standing::Known => Colour::Green,
                Standing::New | Standing::Added => Colour::Yellow,
                Standing::Changed | Standing::Revoked => Colour::Red,
            };
            let weak = if key.usable { "" } else { ", too short" };
            console::line(&format!(
                "# {} {} {} ({}{weak})",
                it.alias,
                key.kind,
                key.fingerprint,
                console::paint(standing.as_str(), colour)
            ))?;
            let line = key.line(&scan.host.host, scan.host.port);
            match standing {
                Standing::Known | Standing::New | Standing::Added => console::line(&line)?,
                // Whoever puts the whole into a file must not put this there.
                Standing::Changed | Standing::Revoked => console::line(&format!("# {line}"))?,
            }
            if *standing == Standing::Changed {
                console::fault(
                    &format!(
                        "{}: the host shows another {} key than the recorded ones",
                        it.alias, key.kind
                    ),
                    "until you know why, trust nothing that answers there",
                );
            }
        }
        if let Some(fault) = &scan.scanned.fault {
            console::fault(&format!("{}: {}", it.alias, fault.message), "");
        }
    }
    for (fingerprint, done) in accepted {
        match done {
            Ok(_) => console::say(&format!(
                "{fingerprint} is recorded; servers that run take it at their next reload"
            )),
            Err(not) => console::fault(&not.message, not.hint),
        }
    }
    Ok(())
}
