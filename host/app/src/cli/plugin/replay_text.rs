//! `portcullis plugin replay --input`: what a candidate redactor would mask in a text, and what the configured plugin
//! that it is to follow masks in it now.
//!
//! The text is what a redactor is given of a command's output: sanitised and natively redacted, by the rules of the host
//! that is named.
//!
//! Must not: print a byte of the text. Places and labels say enough, and what a candidate misses is a secret still.

use super::replay::{Replay, SHOWN_MAX};
use super::{FILE_BYTES_MAX, file};
use crate::cli::{Exit, Format, Places, console, redact};
use portcullis_core::output::{self, Context, Flow, Released, Stream};
use portcullis_core::redact::Span;
use portcullis_plugin::{Plugins, Trial};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

pub(super) fn run(
    places: &Places,
    verb: &Replay,
    input: &Path,
    name: &str,
    candidate: &Plugins,
) -> Result<Exit, Exit> {
    let configured = redact::configuration(places)?;
    let (alias, tags) = redact::host(verb.host.as_deref(), configured.as_ref())?;
    let redactor = redact::held(configured.as_ref(), &alias);
    let bytes = read(input)?;
    if output::is_binary(&bytes) {
        let text = format!("{}: expected text, got binary data", input.display());
        console::fault(&text, "Redactors are never given binary output.");
        return Err(Exit::Usage);
    }
    let mut text = String::new();
    let mut flow = Flow::new(&redactor);
    let mut take = |released: Released<'_>| {
        if let Released::Text(piece) = released {
            text.push_str(&piece);
        }
    };
    flow.push(&bytes, &mut take);
    let (native, _) = flow.finish(&mut take);

    let context = Context {
        alias: &alias,
        tags: &tags,
        stream: Stream::Stdout,
    };
    let follows = verb.plugin.as_deref().unwrap_or(name);
    let now = configured
        .as_ref()
        .and_then(|live| live.plugins.try_redactor(follows, &context, &text));
    if verb.plugin.is_some() && now.is_none() {
        let text = format!("no redactor named {follows} is configured");
        console::fault(&text, "`portcullis plugin list` shows what is configured.");
        return Err(Exit::Usage);
    }
    let followed = now.is_some();
    let before = now.map_or(Ok(BTreeSet::new()), |trial| found(follows, trial))?;
    let trial = candidate.try_redactor(name, &context, &text);
    let after = trial.map_or(Ok(BTreeSet::new()), |trial| found(name, trial))?;

    let changes = changes(&text, &before, &after);
    let report = json!({
        "ok": true,
        "bytes": bytes.len(),
        "native_redactions": native,
        "followed": followed.then_some(follows),
        "masked_now": before.len(),
        "would_be_masked": after.len(),
        "changed": changes.len(),
        "changes": changes.get(..SHOWN_MAX).unwrap_or(&changes),
    });
    let said = match verb.format {
        Format::Json => report.to_string(),
        Format::Human => human(&report),
    };
    Ok(console::written(console::line(&said), Exit::Ok))
}

fn read(input: &Path) -> Result<Vec<u8>, Exit> {
    if input != Path::new("-") {
        return file(input, FILE_BYTES_MAX);
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(FILE_BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes);
    let fault = match read {
        Ok(_) if bytes.len() as u64 <= FILE_BYTES_MAX => return Ok(bytes),
        Ok(_) => format!("more than {FILE_BYTES_MAX} bytes"),
        Err(error) => error.to_string(),
    };
    console::fault(&format!("standard input: {fault}"), "");
    Err(Exit::Usage)
}

/// Where something is masked, in bytes of the text, and under which label.
type Masked = BTreeSet<(usize, usize, String)>;

fn found(name: &str, trial: Trial<Vec<Span>>) -> Result<Masked, Exit> {
    let spans = trial.result.map_err(|failure| {
        let text = format!(
            "redactor {name} failed ({}): {}",
            failure.code, failure.detail
        );
        console::fault(&text, "Output would be withheld.");
        Exit::Plugin
    })?;
    let place = |span: Span| (span.start, span.end, span.kind);
    Ok(spans.into_iter().map(place).collect())
}

/// What one set has and the other has not, by place.
fn changes(text: &str, before: &Masked, after: &Masked) -> Vec<Value> {
    let of = |it: &(usize, usize, String), was: &str, would_be: &str| {
        let (start, end, label) = it;
        (
            *start,
            json!({
                "start": start, "end": end, "label": label, "was": was, "would_be": would_be,
            }),
        )
    };
    let masked = after.difference(before).map(|it| of(it, "shown", "masked"));
    let shown = before.difference(after).map(|it| of(it, "masked", "shown"));
    let mut all: Vec<(usize, Value)> = masked.chain(shown).collect();
    all.sort_by_key(|(start, _)| *start);
    let (mut seen, mut line, mut column) = (0, 1_u64, 1_u64);
    for (start, change) in &mut all {
        for c in text.get(seen..*start).unwrap_or_default().chars() {
            (line, column) = match c {
                '\n' => (line.saturating_add(1), 1),
                _ => (line, column.saturating_add(1)),
            };
        }
        seen = *start;
        if let Value::Object(change) = change {
            change.insert("line".to_owned(), json!(line));
            change.insert("column".to_owned(), json!(column));
        }
    }
    all.into_iter().map(|(_, change)| change).collect()
}

fn human(report: &Value) -> String {
    let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_u64).unwrap_or_default();
    let word = |of: &Value, key: &str| {
        let word = of.get(key).and_then(Value::as_str);
        word.unwrap_or_default().to_owned()
    };
    let changes = report.get("changes").and_then(Value::as_array);
    let mut text = String::new();
    for change in changes.into_iter().flatten() {
        text.push_str(&format!(
            "line {}, column {}, bytes {}-{}  {}: {} -> {}\n",
            number(change, "line"),
            number(change, "column"),
            number(change, "start"),
            number(change, "end"),
            word(change, "label"),
            word(change, "was"),
            word(change, "would_be"),
        ));
    }
    text.push_str(&format!(
        "{} bytes, {} places masked by {}, {} by the candidate, {} differ",
        number(report, "bytes"),
        number(report, "masked_now"),
        match word(report, "followed") {
            none if none.is_empty() => "no plugin".to_owned(),
            followed => followed,
        },
        number(report, "would_be_masked"),
        number(report, "changed"),
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_stands_with_its_line_and_its_column_in_characters() {
        let text = "äb secret\nx secret";
        let at = |start, label: &str| (start, start + 6, label.to_owned());
        let before = BTreeSet::from([at(4, "kept"), at(4, "old")]);
        let after = BTreeSet::from([at(4, "kept"), at(13, "new")]);
        let changes = changes(text, &before, &after);
        let places: Vec<_> = changes
            .iter()
            .map(|it| (&it["line"], &it["column"], &it["label"], &it["would_be"]))
            .map(|(line, column, label, would_be)| format!("{line}:{column} {label} {would_be}"))
            .collect();
        assert_eq!(places, ["1:4 \"old\" \"shown\"", "2:3 \"new\" \"masked\""]);
    }
}
