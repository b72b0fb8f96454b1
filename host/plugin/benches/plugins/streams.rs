//! Redactors over output, and guests that do not end.

use crate::peers::ns;
use crate::report::{Goal, Report, Times};
use crate::{entry, guest, loaded, on_processor};
use portcullis_core::config::{PluginKind, PluginRuntime};
use portcullis_core::output::{Context, Stream};
use portcullis_core::redact::Redactor;
use portcullis_plugin::{FUEL_CEILING, Plugins};
use std::hint::black_box;
use std::time::Instant;

/// Size of the log that is looked at, in bytes.
const LOG_BYTES: usize = 8 << 20;
/// Runs of each; the best one counts.
const RUNS: usize = 7;
/// Patterns that no literal can be searched for first, so that every byte goes through the automaton.
const PATTERNS: &str = r#"{"find":[{"label":"staff","pattern":"\\bEMP-[0-9]{6}\\b"},
    {"label":"host","pattern":"(?i)\\b[a-z]{2,4}[0-9]{1,3}\\.corp\\b"},
    {"label":"case","pattern":"(?i)\\bcase[ -][0-9]{4,8}\\b"},
    {"label":"mail","pattern":"(?i)\\b[a-z.]{2,16}@example\\.com\\b"},
    {"label":"phone","pattern":"\\b0[0-9]{2,4}/[0-9]{5,8}\\b"}]}"#;
/// How often a guest that does not end is stopped, and after how long.
const STOPS: usize = 1_000;
const DEADLINE_MS: u64 = 20;
/// How much later than the deadline it may be, in milliseconds, in 999 of 1,000.
const LATE_MS_MAX: f64 = 11.0;

pub(crate) fn measure(report: &mut Report) {
    rates(report);
    runaways(report);
}

fn log() -> String {
    let mut text = String::new();
    let mut line = 0_u32;
    while text.len() < LOG_BYTES {
        line += 1;
        let tail = match line % 14 {
            0 => " for EMP-104233",
            _ => "",
        };
        text.push_str(&format!(
            "2026-11-21T10:00:{:02}Z web1 nginx[{}]: GET /api/v1/items/{line} 200 {}{tail}\n",
            line % 60,
            line % 32_768,
            line % 9_999
        ));
    }
    text
}

fn rates(report: &mut Report) {
    let text = log();
    let mut redactor = entry(
        "patterns",
        PluginKind::Redactor,
        PluginRuntime::Native,
        PATTERNS,
    );
    redactor.limits.fuel = FUEL_CEILING;
    let plugins = loaded(vec![(redactor, guest("pattern-redactor"))]);
    let native = Redactor::default();
    let (mut guests, mut natives) = (0.0_f64, 0.0_f64);
    for _ in 0..RUNS {
        guests = guests.max(rate(&text, || spans(&plugins, &text)));
        natives = natives.max(rate(&text, || native.mask(&text).0.len()));
    }
    report.add(
        "a redactor of five patterns",
        guests,
        "MB/s",
        Goal::AtLeast(200.0),
    );
    report.add(
        "the gate's own redactor on the same log",
        natives,
        "MB/s",
        Goal::None,
    );
    report.add(
        "the gate's own redactor over it",
        natives / guests,
        "x",
        Goal::None,
    );
}

fn spans(plugins: &Plugins, text: &str) -> usize {
    let context = Context {
        alias: "web1",
        tags: &[],
        stream: Stream::Stdout,
    };
    let found = plugins.try_redactor("patterns", &context, text).unwrap();
    let spans = found.result.unwrap().len();
    assert!(spans > 1_000);
    spans
}

fn rate(text: &str, act: impl Fn() -> usize) -> f64 {
    let began = on_processor();
    black_box(act());
    text.len() as f64 / 1e6 / (on_processor() - began)
}

fn runaways(report: &mut Report) {
    let mut entry = entry(
        "loop",
        PluginKind::Validator,
        PluginRuntime::Native,
        "\"loop\"",
    );
    entry.limits.fuel = FUEL_CEILING;
    entry.limits.wall_ms = DEADLINE_MS;
    let plugins = loaded(vec![(entry, guest("hostile-validator"))]);
    let question = crate::question();
    let mut times = Times::default();
    for _ in 0..STOPS {
        let began = Instant::now();
        let trial = plugins.try_validator("loop", &question).unwrap();
        times.extend([ns(began)]);
        assert_eq!(trial.result.unwrap_err().code, "plugin_timeout");
    }
    let late = |of_thousand| times.at(of_thousand) / 1e3 - DEADLINE_MS as f64;
    let (name, goal) = (
        "later than its deadline, in 999 of 1,000",
        Goal::AtMost(LATE_MS_MAX),
    );
    report.add(
        "a guest that does not end: stopped so much later than its deadline, p50",
        late(500),
        "ms",
        Goal::None,
    );
    report.add(name, late(999), "ms", goal);
}
