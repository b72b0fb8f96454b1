//! `portcullis audit`: the journal's chain, its newest records, its records in other shapes, and how fast it is.
//!
//! Reading the journal is recorded in it, except by `verify`, which must not change what it checks.

mod bench;
mod export;
mod select;
mod tail;

pub(in crate::cli) use select::rfc3339;

use super::console::{self, Colour};
use super::{Exit, Format, Places, session};
use crate::events::{Events, SystemClock};
use crate::journal::{self, Bad, Expected, Journal, JournalFault, Keep, VerifyReport};
use cap_std::fs::Dir;
use clap::{Args, Subcommand};
use portcullis_core::audit::{Door, Draft, Durability, Origin, Sink, Stamp, Under};
use portcullis_core::clock::Clock;
use portcullis_core::redact::Redactor;
use serde_json::{Value, json};

/// What can be done with the journal.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Check the whole chain, and name the first record that is not as it was written. Exit 1 if one is.
    Verify(Verify),
    /// Show the newest records, and those that come.
    Tail(tail::Tail),
    /// Write records for other systems, checking the chain on the way. Exit 1 where it does not hold.
    Export(export::Export),
    /// Measure how fast records get onto a disk.
    Bench(bench::Bench),
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
    match verb {
        Audit::Verify(verb) => verify(places, verb),
        Audit::Tail(verb) => tail::main(places, verb),
        Audit::Export(verb) => export::main(places, verb),
        Audit::Bench(verb) => bench::main(verb),
    }
}

/// The state directory, as a handle.
fn state(places: &Places) -> Result<Dir, Exit> {
    let watch = session::watch(Events::Silent);
    session::dirs(places, &watch)?.state().map_err(|fault| {
        console::fault(&fault.to_string(), fault.hint());
        Exit::Config
    })
}

/// Says why the journal cannot be read.
fn unreadable(fault: &JournalFault) -> Exit {
    console::fault(&fault.to_string(), fault.hint());
    Exit::Config
}

/// Records that somebody reads the journal. Where that cannot be recorded, reading goes on: a full disk or a
/// broken chain is what one reads for.
fn record_read(state: &Dir, what: &'static str) {
    let recorded = session::runtime().and_then(|runtime| {
        let (under, redactor) = (Under::default(), Redactor::default());
        let call_id = format!("{what}-{}", std::process::id());
        let origin = Origin::new(session::principal(), Door::Cli, call_id, None, &redactor);
        let stamp = Stamp {
            origin: &origin,
            under: &under,
        };
        let mut body = stamp.body();
        let keep = Keep {
            stamp: body.clone(),
            ..Keep::default()
        };
        body.insert("what".to_owned(), json!(what));
        let draft = Draft {
            kind: "read",
            at: SystemClock.now(),
            body,
            durability: Durability::Written,
        };
        let journal = Journal::open(state, keep).map_err(|_| Exit::Config)?;
        let appended = runtime.block_on(journal.append(draft));
        journal.close();
        appended.map(drop).map_err(|_| Exit::Config)
    });
    if recorded.is_err() {
        console::say("warning: this reading is not recorded, because the journal takes no records");
    }
}

fn verify(places: &Places, verb: &Verify) -> Exit {
    let expect = verb
        .expect_seq
        .zip(verb.expect_mac.clone())
        .map(|(seq, mac)| journal::Expect { seq, mac });
    let report = state(places).and_then(|state| {
        journal::verify(&state, expect.as_ref()).map_err(|fault| unreadable(&fault))
    });
    let report = match report {
        Ok(report) => report,
        Err(exit) => return exit,
    };
    let met = matches!(report.expected, Expected::NotAsked | Expected::Found);
    let exit = if report.bad.is_none() && met {
        Exit::Ok
    } else {
        Exit::Refused
    };
    let text = match verb.format {
        Format::Json => json!({
            "ok": exit == Exit::Ok,
            "records": report.records,
            "removed": report.removed,
            "segments": report.segments,
            "seq": report.seq,
            "mac": report.mac,
            "expected": report.expected.as_str(),
            "bad": report.bad.as_ref().map(bad_json),
        })
        .to_string(),
        Format::Human => human(&report),
    };
    console::written(console::line(&text), exit)
}

fn bad_json(bad: &Bad) -> Value {
    json!({"file": bad.file, "line": bad.line, "seq": bad.seq, "reason": bad.reason})
}

/// Where the first bad record stands and what is wrong with it.
fn bad_human(bad: &Bad) -> String {
    let seq = bad.seq.map(|seq| format!(" (record {seq})"));
    format!(
        "{}, line {}{}: {}",
        bad.file,
        bad.line,
        seq.unwrap_or_default(),
        bad.reason
    )
}

fn human(report: &VerifyReport) -> String {
    let mut text = match &report.bad {
        None => format!(
            "{}: {} records in {} segments, newest {} with MAC {}",
            console::paint("intact", Colour::Green),
            report.records,
            report.segments,
            report.seq,
            report.mac.get(..16).unwrap_or(&report.mac),
        ),
        Some(bad) => format!(
            "{}: {}; {} records before it are intact",
            console::paint("BROKEN", Colour::Red),
            bad_human(bad),
            report.records,
        ),
    };
    if report.removed > 0 && report.bad.is_none() {
        text.push_str(&format!(
            "\nrecords 1 to {} were removed by the retention, and a record says so",
            report.removed
        ));
    }
    let expected = match report.expected {
        Expected::NotAsked => "",
        Expected::Found => "\nthe expected record is there",
        Expected::Missing => "\nthe expected record is NOT there: the journal is not what it was",
        Expected::Removed => {
            "\nthe expected record cannot be checked any more: the retention has removed its segment"
        }
    };
    text.push_str(expected);
    text
}
