//! `portcullis audit export`: records for other systems, one JSON object per line. The chain is checked on the
//! way; what comes after the first record that does not hold proves nothing and is not exported.

use super::select::{Select, rfc3339, when};
use super::{bad_human, record_read, state, unreadable};
use crate::cli::console;
use crate::cli::{Exit, Places};
use crate::journal;
use clap::{Args, ValueEnum};
use portcullis_core::audit::chain;
use portcullis_core::audit::events::{escape_hidden, json_line};
use portcullis_core::audit::export::{Exporter, ecs, ocsf};
use portcullis_core::clock::Micros;
use serde_json::{Map, Value};
use std::ops::ControlFlow;

/// The shape that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// The records as they stand in the journal.
    Json,
    /// Open Cybersecurity Schema Framework 1.6.0.
    Ocsf,
    /// Elastic Common Schema 9.0.0.
    Ecs,
}

/// Writes records for other systems, oldest first, one JSON object per line.
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The shape.
    #[arg(long, value_enum, default_value = "json")]
    format: Shape,
    #[command(flatten)]
    select: Select,
    /// Only records before then; the forms of --since.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<Micros>,
}

pub(super) fn main(places: &Places, verb: &Export) -> Exit {
    let state = match state(places) {
        Ok(state) => state,
        Err(exit) => return exit,
    };
    let mut written = Ok(());
    let read = journal::read(&state, None, &mut |entry| {
        for line in verb.lines(entry.line) {
            written = console::line(&line);
            if written.is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    if written.is_err() {
        return console::written(written, Exit::Ok);
    }
    let report = match read {
        Ok(report) => report,
        Err(fault) => return unreadable(&fault),
    };
    if let Some(bad) = &report.bad {
        console::fault(
            &format!(
                "the journal does not hold: {}; what is above was checked, what comes after is not exported",
                bad_human(bad)
            ),
            "portcullis audit verify says the same; see SECURITY.md, Incidents",
        );
        return Exit::Refused;
    }
    record_read(&state, "audit_export");
    Exit::Ok
}

impl Export {
    /// The lines of one record: none where it is not wanted.
    fn lines(&self, line: &[u8]) -> Vec<String> {
        let before = |until| chain::peek(line).is_some_and(|peek| peek.at < until);
        if !self.select.wants(line) || !self.until.is_none_or(before) {
            return Vec::new();
        }
        let exporter = Exporter {
            version: env!("CARGO_PKG_VERSION"),
            timestamp: rfc3339,
        };
        let record = || -> Map<String, Value> { serde_json::from_slice(line).unwrap_or_default() };
        match self.format {
            Shape::Json => vec![escape_hidden(String::from_utf8_lossy(line).into_owned())],
            Shape::Ocsf => ocsf(&record(), &exporter).iter().map(json_line).collect(),
            Shape::Ecs => vec![json_line(&ecs(&record(), &exporter))],
        }
    }
}
