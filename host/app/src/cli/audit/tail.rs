//! `portcullis audit tail`: the newest records, for people or programs. Whatever a record says is shown as text of
//! somebody else: clean, on one line.

use super::select::{Select, rfc3339};
use super::{bad_human, record_read, state, unreadable};
use crate::cli::console::{self, Colour};
use crate::cli::{Exit, Format, Places};
use crate::journal;
use clap::Args;
use portcullis_core::audit::events::escape_hidden;
use portcullis_core::clock::Micros;
use portcullis_core::text;
use serde_json::Value;
use std::time::Duration;

/// Most records that can be asked for at once.
const RECORDS_MAX: u64 = 100_000;
/// Pause between two looks for new records.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Shows the newest records, oldest of them first. Each is checked on the way; exit 1 where one does not hold.
#[derive(Debug, Args)]
pub(in crate::cli) struct Tail {
    /// How many.
    #[arg(short = 'n', long = "records", value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(0..=RECORDS_MAX))]
    records: u64,
    /// Go on with those that come, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    select: Select,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Tail) -> Exit {
    let state = match state(places) {
        Ok(state) => state,
        Err(exit) => return exit,
    };
    let count = usize::try_from(verb.records).unwrap_or(usize::MAX);
    let newest = match journal::newest(&state, count, &|line| verb.select.wants(line)) {
        Ok(newest) => newest,
        Err(fault) => return unreadable(&fault),
    };
    for line in &newest.lines {
        if let Err(fault) = console::line(&shown(line, verb.format)) {
            return console::written(Err(fault), Exit::Ok);
        }
    }
    if let Some(bad) = &newest.bad {
        return broken(&bad_human(bad));
    }
    record_read(&state, "audit_tail");
    if !verb.follow {
        return Exit::Ok;
    }
    follow(&state, verb, newest.follower)
}

fn follow(state: &cap_std::fs::Dir, verb: &Tail, mut follower: journal::Follower) -> Exit {
    loop {
        let mut written = Ok(());
        let polled = follower.poll(state, &mut |line| {
            if written.is_ok() && verb.select.wants(line) {
                written = console::line(&shown(line, verb.format));
            }
        });
        if written.is_err() {
            return console::written(written, Exit::Ok);
        }
        match polled {
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Ok(Some(bad)) => return broken(&bad_human(&bad)),
            Err(fault) => return unreadable(&fault),
        }
    }
}

fn broken(text: &str) -> Exit {
    console::fault(
        &format!("the journal does not hold: {text}"),
        "portcullis audit verify reads all of it",
    );
    Exit::Refused
}

/// One record as it is printed.
fn shown(line: &[u8], format: Format) -> String {
    let line = String::from_utf8_lossy(line).into_owned();
    match format {
        Format::Json => escape_hidden(line),
        Format::Human => human(&serde_json::from_str(&line).unwrap_or_default()),
    }
}

/// When, which, who, where, what: the fields that every kind has first, then what there is.
fn human(record: &Value) -> String {
    let own = |name: &str| {
        let value = record.get(name).filter(|value| !value.is_null());
        value.map(|value| match value {
            Value::String(text) => text::step(text).into_string(),
            other => text::step(&other.to_string()).into_string(),
        })
    };
    let or_dash = |name: &str| own(name).unwrap_or_else(|| "-".to_owned());
    let at = record.get("ts").and_then(Value::as_u64).unwrap_or_default();
    let kind = or_dash("kind");
    let colour = match kind.as_str() {
        "refused" | "input_refused" | "edge_refused" => Colour::Yellow,
        "recovered" | "gap" | "suppressed" => Colour::Red,
        "run_open" | "run_close" => Colour::Green,
        _ => Colour::Bold,
    };
    let mut text = format!(
        "{} {:>6} {} {}",
        rfc3339(Micros(at)),
        or_dash("seq"),
        console::paint(&format!("{kind:<13}"), colour),
        or_dash("principal"),
    );
    let mut put = |label: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("  {label}{value}"));
        }
    };
    put("", own("alias"));
    put("", own("what"));
    put("", own("outcome"));
    put("", own("code"));
    put("rule ", own("rule"));
    put("exit ", own("exit_code"));
    put("", own("state"));
    put("", own("duration_ms").map(|ms| format!("{ms} ms")));
    put("", own("reason"));
    put("counts ", own("counts"));
    put("plugin ", own("plugin"));
    put("$ ", own("command"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_record_says_is_shown_as_clean_text_on_one_line() {
        let hostile = "a\u{1b}[31mb\u{202e}c\nd\u{9b}2Je\u{200b}";
        let record = json!({"ts": 1, "seq": 3, "kind": "run_open", "principal": hostile, "alias": hostile,
            "command": hostile, "code": hostile, "state": hostile, "what": hostile, "reason": hostile,
            "counts": {hostile: 1}, "plugin": hostile, "outcome": hostile});
        let line = record.to_string();
        for format in [Format::Human, Format::Json] {
            let shown = shown(line.as_bytes(), format);
            let clean = |c: char| !c.is_control() && !text::is_hidden(c);
            assert!(shown.chars().all(clean), "{shown:?}");
        }
    }
}
