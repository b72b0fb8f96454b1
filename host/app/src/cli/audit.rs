//! `portcullis audit verify`.

use super::console::{self, Colour};
use super::{Exit, Format, Places, session};
use crate::journal;
use clap::{Args, Subcommand};
use serde_json::json;

/// What can be done with the journal.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Check the whole chain, and name the first record that is not as it was written. Exit 1 if one is.
    Verify(Verify),
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A sequence number that a line on standard error carried (`journal_seq`): proves that the journal's
    /// tail was not cut before it.
    #[arg(long, value_name = "SEQ", requires = "expect_mac")]
    expect_seq: Option<u64>,
    /// The MAC of that record (`journal_mac`).
    #[arg(long, value_name = "MAC", requires = "expect_seq")]
    expect_mac: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Audit) -> Exit {
    let Audit::Verify(verb) = verb;
    let watch = session::watch(crate::events::Events::Silent);
    let report = session::dirs(places, &watch).and_then(|dirs| {
        let state = dirs.state().map_err(|fault| {
            console::fault(&fault.to_string(), fault.hint());
            Exit::Config
        })?;
        let expect = verb
            .expect_seq
            .zip(verb.expect_mac.clone())
            .map(|(seq, mac)| journal::Expect { seq, mac });
        journal::verify(&state, expect.as_ref()).map_err(|fault| {
            console::fault(&fault.to_string(), "");
            Exit::Config
        })
    });
    let report = match report {
        Ok(report) => report,
        Err(exit) => return exit,
    };
    let exit = if report.bad.is_none() {
        Exit::Ok
    } else {
        Exit::Refused
    };
    let text = match verb.format {
        Format::Json => json!({
            "ok": report.bad.is_none(),
            "records": report.records,
            "seq": report.seq,
            "mac": report.mac,
            "bad": report.bad.as_ref().map(|bad| json!({"line": bad.line, "seq": bad.seq, "reason": bad.reason})),
        })
        .to_string(),
        Format::Human => match &report.bad {
            None => format!(
                "{}: {} records, newest {} with MAC {}",
                console::paint("intact", Colour::Green),
                report.records,
                report.seq,
                report.mac.get(..16).unwrap_or(&report.mac),
            ),
            Some(bad) => format!(
                "{}: line {}{}: {}; {} records before it are intact",
                console::paint("BROKEN", Colour::Red),
                bad.line,
                bad.seq.map(|seq| format!(" (record {seq})")).unwrap_or_default(),
                bad.reason,
                report.records,
            ),
        },
    };
    console::written(console::line(&text), exit)
}
