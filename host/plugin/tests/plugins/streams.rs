//! What redactors find, and what becomes of those that lie.

use crate::guests::{guest, load, redactor};
use portcullis_core::config::{PluginEntry, PluginMode};
use portcullis_core::limits::PLUGIN_LABELS_MAX;
use portcullis_core::output::{Context, Scrubber, Stream};
use portcullis_core::redact::Span;
use portcullis_plugin::{CHUNK_BYTES_MAX, FUEL_CEILING, Plugins, Trial};
use std::collections::BTreeSet;
use std::sync::OnceLock;

const SETTINGS: &str = r#"{"prefixes": ["OPS", "SEC"]}"#;

fn plugins() -> &'static Plugins {
    static PLUGINS: OnceLock<Plugins> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let hostile = guest("hostile-redactor");
        let mut entries: Vec<(PluginEntry, Vec<u8>)> = [
            "calm",
            "beyond",
            "overflow",
            "empty",
            "released",
            "backwards",
            "ahead",
            "lag",
            "many",
            "labels",
            "flood",
            "overlap",
            "silent",
            "begin-loop",
            "loop",
            "panic",
            "error",
            "bomb",
            "withhold-end",
        ]
        .into_iter()
        .map(|attack| (redactor(attack, &format!("\"{attack}\"")), hostile.clone()))
        .collect();
        let mut clocked = redactor("loop-clocked", "\"loop\"");
        clocked.limits.fuel = FUEL_CEILING;
        clocked.limits.wall_ms = 50;
        entries.push((clocked, hostile));
        entries.push((redactor("tickets", SETTINGS), guest("ticket-redactor")));
        entries.push((redactor("broken", "{}"), guest("ticket-redactor")));
        load(entries)
    })
}

fn context(tags: &[String]) -> Context<'_> {
    Context {
        alias: "web1",
        tags,
        stream: Stream::Stdout,
    }
}

fn find(name: &str, text: &str) -> Trial<Vec<Span>> {
    plugins().try_redactor(name, &context(&[]), text).unwrap()
}

fn found(text: &str) -> Vec<String> {
    let spans = find("tickets", text).result.unwrap();
    assert!(spans.iter().all(|span| span.kind == "ticket"));
    spans
        .iter()
        .map(|span| text[span.start..span.end].to_owned())
        .collect()
}

fn check(name: &str, text: &str, code: &str) {
    let failure = find(name, text).result.expect_err(name);
    assert_eq!(failure.code, code, "{name}: {}", failure.detail);
    assert_eq!(found("see OPS-1"), ["OPS-1"], "after {name}");
}

/// A text of three chunks.
fn long() -> String {
    "x".repeat(CHUNK_BYTES_MAX * 2 + 10)
}

#[test]
fn a_redactor_finds_what_its_settings_name() {
    assert_eq!(
        found("see OPS-1234, ABC-1 and SEC-77"),
        ["OPS-1234", "SEC-77"]
    );
    assert_eq!(found(""), Vec::<String>::new());
}

#[test]
fn a_match_over_two_pushes_is_one_span() {
    for before in 1..=12 {
        let mut text = "ä".repeat((CHUNK_BYTES_MAX - before) / 2);
        text.push_str(if before % 2 == 1 { " " } else { "  " });
        text.push_str("OPS-123456 and on");
        assert_eq!(
            found(&text),
            ["OPS-123456"],
            "{before} bytes before the border"
        );
    }
}

#[test]
fn a_redactor_has_few_words_for_what_it_masks() {
    let spans = find("labels", "some text").result.unwrap();
    let kinds: BTreeSet<&str> = spans.iter().map(|span| span.kind.as_str()).collect();
    assert_eq!(spans.len(), 40);
    assert_eq!(kinds.len(), PLUGIN_LABELS_MAX + 1);
    assert!(kinds.contains("plugin") && kinds.contains("word-15") && !kinds.contains("word-16"));
}

#[test]
fn broken_settings_withhold() {
    check("broken", "", "plugin_error");
    check("broken", "see OPS-1", "plugin_error");
}

#[test]
fn spans_that_lie_withhold() {
    for name in ["beyond", "overflow", "empty"] {
        check(name, "some text", "plugin_output");
    }
}

#[test]
fn spans_of_what_was_released_withhold() {
    check("released", &long(), "plugin_output");
}

#[test]
fn a_release_mark_that_lies_or_lags_withholds() {
    check("ahead", "some text", "plugin_output");
    check("backwards", &long(), "plugin_output");
    check("lag", &long(), "plugin_output");
    check("withhold-end", "some text", "plugin_output");
}

#[test]
fn too_many_spans_withhold() {
    check("many", "some text", "plugin_output");
    check("flood", &"x".repeat(CHUNK_BYTES_MAX * 22), "plugin_output");
}

#[test]
fn overlapping_spans_only_mask_more_and_labels_are_cleaned() {
    let spans = find("overlap", "0123456789").result.unwrap();
    let spans: Vec<(usize, usize, &str)> = spans
        .iter()
        .map(|span| (span.start, span.end, span.kind.as_str()))
        .collect();
    assert_eq!(spans, [(2, 6, "b"), (0, 4, "b31m"), (1, 2, "plugin")]);
}

#[test]
fn a_silent_span_does_not_show_its_label() {
    let spans = find("silent", "0123456789").result.unwrap();
    assert!(spans.iter().all(|span| span.kind == "plugin"), "{spans:?}");
}

#[test]
fn a_redactor_that_never_ends_is_ended() {
    check("loop", "text", "plugin_fuel");
    check("begin-loop", "text", "plugin_fuel");
    check("loop-clocked", "text", "plugin_timeout");
}

#[test]
fn a_redactor_that_breaks_has_its_code() {
    check("panic", "text", "plugin_trap");
    check("error", "text", "plugin_error");
    check("bomb", "text", "plugin_memory");
}

#[test]
fn the_first_failure_withholds_and_names_the_plugin() {
    let mut entries = vec![(redactor("tickets", SETTINGS), guest("ticket-redactor"))];
    entries.push((redactor("bad", "\"panic\""), guest("hostile-redactor")));
    let (name, failure) = load(entries).spans(&context(&[]), "see OPS-1").unwrap_err();
    assert_eq!((name.as_str(), failure.code), ("bad", "plugin_trap"));
}

#[test]
fn an_observed_redactor_neither_masks_nor_withholds() {
    let mut bad = redactor("bad", "\"panic\"");
    bad.mode = PluginMode::Observe;
    let mut tickets = redactor("tickets", SETTINGS);
    tickets.mode = PluginMode::Observe;
    let mut entries = vec![
        (bad, guest("hostile-redactor")),
        (tickets, guest("ticket-redactor")),
    ];
    let observed = load(entries.clone());
    assert_eq!(observed.spans(&context(&[]), "see OPS-1"), Ok(Vec::new()));
    entries[1].0.mode = PluginMode::Enforce;
    let expected = Span {
        start: 4,
        end: 9,
        kind: "ticket".to_owned(),
        rule: "tickets".to_owned(),
        ..Span::default()
    };
    assert_eq!(
        load(entries).spans(&context(&[]), "see OPS-1"),
        Ok(vec![expected])
    );
}

#[test]
fn no_plugins_mask_nothing() {
    assert_eq!(
        Plugins::empty().spans(&context(&[]), "OPS-1"),
        Ok(Vec::new())
    );
}
