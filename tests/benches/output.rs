//! What output costs on its way: the scanner alone, the scanner with the native rules, and the worst texts
//! beside a plain log. Ratios are the anchor; single figures belong to the machine.

use crate::policy::Measure;
use portcullis_core::output::Flow;
use portcullis_core::redact::Redactor;
use portcullis_core::text::Sanitiser;
use std::hint::black_box;
use std::time::Instant;

/// Size of each text.
const TEXT_BYTES: usize = 64 << 20;
/// How much comes at a time.
const CHUNK_BYTES: usize = 65_536;
/// Runs of each text; the fastest counts, which is the one that was least disturbed.
const RUNS: usize = 5;

/// What a hostile host may print without end.
const WORST: [(&str, &[u8]); 8] = [
    ("ESC", b"\x1b"),
    ("ESC [", b"\x1b["),
    ("ESC ]", b"\x1b]"),
    ("ESC P", b"\x1bP"),
    ("8-bit CSI", b"\x9b"),
    ("colours", b"\x1b[31ma"),
    ("carriage returns", b"\r"),
    ("invisible characters", "\u{200b}x".as_bytes()),
];

pub(crate) fn measures() -> Vec<Measure> {
    let log = super::log(TEXT_BYTES).into_bytes();
    let scanned = rate(&log, &scan);
    let whole = rate(&log, &treat);
    let mut all = vec![
        measure("sanitiser, a clean log", scanned / 1e6, "MB/s", None),
        measure(
            "sanitiser and native rules in a stream, a log",
            whole / 1e6,
            "MB/s",
            None,
        ),
    ];
    for (name, unit) in WORST {
        let text = unit.repeat(TEXT_BYTES / unit.len());
        let time = 1e9 / rate(&text, &treat);
        all.push(measure(
            &format!("time for a byte of output of {name} alone"),
            time,
            "ns",
            Some(("a byte of a log", 1e9 / whole)),
        ));
    }
    all
}

fn measure(
    name: &str,
    value: f64,
    unit: &'static str,
    peer: Option<(&'static str, f64)>,
) -> Measure {
    Measure {
        name: name.to_owned(),
        value,
        unit,
        peer,
    }
}

/// Bytes a second.
fn rate(text: &[u8], act: &dyn Fn(&[u8]) -> usize) -> f64 {
    let seconds = (0..RUNS).map(|_| {
        let began = Instant::now();
        black_box(act(text));
        began.elapsed().as_secs_f64()
    });
    text.len() as f64 / seconds.fold(f64::INFINITY, f64::min)
}

fn scan(text: &[u8]) -> usize {
    let (mut scanner, mut out, mut bytes) = (Sanitiser::default(), String::new(), 0);
    for chunk in text.chunks(CHUNK_BYTES) {
        out.clear();
        scanner.push(chunk, &mut out);
        bytes += out.len();
    }
    bytes
}

fn treat(text: &[u8]) -> usize {
    let (mut flow, mut pieces) = (Flow::new(&Redactor::default()), 0);
    let mut count = |_: portcullis_core::output::Released<'_>| pieces += 1;
    for chunk in text.chunks(CHUNK_BYTES) {
        flow.push(chunk, &mut count);
    }
    flow.finish(&mut count);
    pieces
}
