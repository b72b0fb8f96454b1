//! What output costs on its way: the sanitiser, the native rules, and the whole of it, over a log beside plain
//! regular expressions and `sed`, and over the inputs that are worst for each. Prints JSON Lines
//! `{"name","value","unit","peer","peer_value","ratio"}` (ratio = value / peer_value), then a table. Ratios are
//! the anchor; single figures belong to the machine.
//!
//! Rates count the time that the thread was on a processor, so that what else the machine does is left out.
//! A worst input's ratio is its time for a byte over that of the log in the same part: 2 is the bound to hold.
//!
//! `PORTCULLIS_BENCH_MIB` sets the size of the log, `PORTCULLIS_BENCH_WORST_MIB` that of each worst input.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark reports by printing, and by failing"
)]

use portcullis_core::output::{Capture, Flow, NoScrubber, Raw, Released};
use portcullis_core::redact::{Edge, Piece, RedactionOptions, Redactor};
use portcullis_core::text::Sanitiser;
use regex::bytes::RegexSet;
use std::hint::black_box;
use std::process::{Command, Stdio};

/// Size of the log where nothing else is asked for, in MiB.
const LOG_MIB: usize = 256;
/// Size of each of the worst inputs, in MiB.
const WORST_MIB: usize = 64;
/// Runs of each measurement; the best one counts, because the machine does other things as well.
const RUNS: usize = 5;
/// Runs of each worst input.
const WORST_RUNS: usize = 2;
/// One secret in so many lines.
const LINES_PER_SECRET: usize = 10_000;

/// What was measured, for the table.
#[derive(Default)]
struct Report(Vec<String>);

impl Report {
    fn add(&mut self, name: &str, value: f64, unit: &str, peer: Option<(&str, f64)>) {
        let peer_name = peer.map(|(name, _)| name);
        let peer_value = peer.map(|(_, value)| value);
        let ratio = peer_value.map(|other| value / other);
        println!(
            "{}",
            serde_json::json!({"name": name, "value": value, "unit": unit, "peer": peer_name, "peer_value": peer_value,
                "ratio": ratio})
        );
        let beside = peer.map_or(String::new(), |(name, other)| {
            format!("{name:<40} {other:>10.3} {:>8.3}", value / other)
        });
        self.0
            .push(format!("{name:<64} {value:>10.3} {unit:<5} {beside}"));
    }

    fn table(&self) {
        println!(
            "\n{:<64} {:>10} {:<5} {:<40} {:>10} {:>8}",
            "what", "value", "unit", "peer", "peer value", "ratio"
        );
        for line in &self.0 {
            println!("{line}");
        }
    }
}

/// Numbers that look random and are the same in each run.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A log of several programs: a web server, a shell daemon, the system manager, a service that writes JSON.
fn log(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 512);
    let mut draw = Draw(0x9E37_79B9_7F4A_7C15);
    let mut line = 0_usize;
    while text.len() < bytes {
        line += 1;
        let (a, b, second) = (draw.next(), draw.next(), line % 60);
        let stamp = format!(
            "2026-11-21T10:{:02}:{second:02}.{:06}Z",
            line / 60 % 60,
            a % 1_000_000
        );
        text.push_str(&match (line.is_multiple_of(LINES_PER_SECRET), a % 8) {
            (true, _) => format!("{stamp} web1 app[812]: login token=ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8 ok\n"),
            (_, 0) => format!("{stamp} web1 sshd[{}]: Accepted publickey for deploy from 10.0.{}.{} port {} ssh2\n", b % 32_768, a % 256, b % 256, b % 60_000),
            (_, 1) => format!("{stamp} web1 systemd[1]: Started session-{}.scope - Session {} of User root.\n", b % 9_999, b % 9_999),
            (_, 2) => format!("{{\"time\":\"{stamp}\",\"level\":\"info\",\"msg\":\"request done\",\"id\":\"{a:016x}\",\"ms\":{},\"path\":\"/api/v1/items/{}\"}}\n", b % 900, b % 99_999),
            (_, 3) => format!("{stamp} db1 postgres[{}]: LOG:  duration: {}.{:03} ms  statement: SELECT * FROM items WHERE id = {}\n", b % 32_768, b % 90, a % 1_000, b % 99_999),
            _ => format!("10.0.{}.{} - - [21/Nov/2026:10:00:{second:02} +0000] \"GET /api/v1/items/{} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"\n", a % 256, b % 256, line, b % 9_999),
        });
    }
    text
}

/// Seconds that this thread was on a processor: what else the machine does is left out.
fn on_processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Seconds that ended children were on a processor.
fn children_on_processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    // Ticks are hundredths of a second on every Linux that this runs on.
    [13, 14]
        .iter()
        .map(|index| fields[*index].parse::<f64>().unwrap() / 100.0)
        .sum()
}

/// Megabytes for a second on the processor, of the best run.
fn rate(text: &str, act: impl Fn() -> usize) -> f64 {
    best_of(RUNS, text, act)
}

fn best_of(runs: usize, text: &str, act: impl Fn() -> usize) -> f64 {
    best_bytes(runs, text.as_bytes(), act)
}

fn best_bytes(runs: usize, text: &[u8], act: impl Fn() -> usize) -> f64 {
    let best = (0..runs)
        .map(|_| {
            let began = on_processor();
            black_box(act());
            on_processor() - began
        })
        .fold(f64::MAX, f64::min);
    text.len() as f64 / 1e6 / best
}

/// Ordinary expressions for the commonest of the shipped rules, in bytes.
const EXPRESSIONS: &[&str] = &[
    r"gh[pousr]_[A-Za-z0-9]{36}",
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"glpat-[A-Za-z0-9_-]{20}",
    r"AKIA[A-Z0-9]{16}",
    r"ASIA[A-Z0-9]{16}",
    r"xox[abpors]-[0-9A-Za-z-]{16,}",
    r"AIza[0-9A-Za-z_-]{35}",
    r"ya29\.[0-9A-Za-z_-]{20,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[A-Za-z0-9_-]{30,}",
    r"dckr_pat_[A-Za-z0-9_-]{20,}",
    r"hvs\.[A-Za-z0-9_-]{20,}",
    r"sk_live_[A-Za-z0-9]{10,}",
    r"sk-ant-[A-Za-z0-9_-]{20,}",
    r"sk-proj-[A-Za-z0-9_-]{20,}",
    r"SG\.[A-Za-z0-9_.-]{40,}",
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
    r"-----BEGIN [A-Z ]*PRIVATE KEY",
    r#"(?i)(password|passwd|secret|token|api[_-]?key)["']?\s*[:=]\s*["']?[^\s"']{6,}"#,
    r"(?i)authorization:\s*\S+",
    r"(?i)cookie:\s*\S+",
    r"://[^/\s:@]+:[^/\s@]+@",
    r"\$6\$[./A-Za-z0-9]+\$",
    r"\$2[aby]\$[0-9]{2}\$",
    r"(?i)identified by '",
    r"mysql .*-p\S+",
    r"curl .*-u \S+:\S+",
    r"requirepass \S+",
    r"AGE-SECRET-KEY-1[A-Z0-9]+",
    r"shpat_[a-f0-9]{32}",
];

fn sed(text: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    std::fs::write(&file, text).unwrap();
    let expressions = [
        "s/ghp_[A-Za-z0-9]{36}/X/g",
        "s/AKIA[A-Z0-9]{16}/X/g",
        "s/(password|secret|token)=[^ ]+/X/g",
        "s/xox[bp]-[0-9A-Za-z-]+/X/g",
        "s/eyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+/X/g",
    ];
    let mut best = f64::MAX;
    for _ in 0..2 {
        let began = children_on_processor();
        let mut command = Command::new("sed");
        command.arg("-E").env("LC_ALL", "C").stdout(Stdio::null());
        for expression in expressions {
            command.args(["-e", expression]);
        }
        assert!(command.arg(&file).status().unwrap().success());
        best = best.min(children_on_processor() - began);
    }
    text.len() as f64 / 1e6 / best
}

/// Base64 of numbers, as one line or broken as `base64` breaks it.
fn base64(bytes: usize, width: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut draw = Draw(7);
    let mut text = String::with_capacity(bytes + 1);
    while text.len() < bytes {
        let mut bits = draw.next();
        for _ in 0..8 {
            text.push(char::from(LETTERS[(bits & 63) as usize]));
            bits >>= 6;
            if width > 0 && (text.len() + 1).is_multiple_of(width + 1) {
                text.push('\n');
            }
        }
    }
    text
}

/// How much comes at a time.
const CHUNK_BYTES: usize = 65_536;

/// The sanitiser alone.
fn sanitised(text: &[u8]) -> usize {
    let (mut scanner, mut out, mut length) = (Sanitiser::default(), String::new(), 0);
    for chunk in text.chunks(CHUNK_BYTES) {
        out.clear();
        scanner.push(chunk, &mut out);
        length += out.len();
    }
    length
}

/// The native rules alone: masked text, as a stream gives it.
fn masked(redactor: &Redactor, text: &str) -> usize {
    let (mut out, mut length) = (String::with_capacity(4 * CHUNK_BYTES), 0);
    let mut emit = |piece: Piece<'_>| {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Mask(span) => out.push_str(&span.mask()),
        }
        if out.len() >= CHUNK_BYTES {
            length += black_box(out.as_str()).len();
            out.clear();
        }
    };
    let mut stream = redactor.stream(Edge::Whole);
    let mut rest = text;
    while !rest.is_empty() {
        let taken = rest.floor_char_boundary(rest.len().min(CHUNK_BYTES));
        let (piece, after) = rest.split_at(taken);
        stream.push(piece, &[], &mut emit);
        rest = after;
    }
    stream.finish(&mut emit);
    length + out.len()
}

/// Sanitised, redacted, cut to a cap, with counts: text as it comes.
fn flowed(redactor: &Redactor, text: &[u8]) -> usize {
    let mut shown = String::with_capacity(CAP_BYTES);
    let mut left = 0;
    let mut flow = Flow::new(redactor);
    let mut emit = |released: Released<'_>| {
        if let Released::Text(text) = released {
            let room = text.floor_char_boundary(CAP_BYTES - shown.len());
            shown.push_str(&text[..room]);
            left += text.len() - room;
        }
    };
    for chunk in text.chunks(CHUNK_BYTES) {
        flow.push(chunk, &mut emit);
    }
    let (redactions, sanitised) = flow.finish(&mut emit);
    shown.len() + left + redactions.len() + sanitised.len()
}

/// The way of a command's output: captured, cut with slack, sanitised, redacted, cut. So much of the output
/// is kept that all of it goes all of the way.
fn run(redactor: &Redactor, text: &[u8]) -> usize {
    let mut length = 0;
    for text in text.chunks(RUN_BYTES) {
        let mut raw = Raw {
            stdout: Capture::new(RUN_BYTES),
            stderr: Capture::new(0),
        };
        for chunk in text.chunks(CHUNK_BYTES) {
            raw.stdout.push(chunk);
        }
        let shown = raw
            .cap(RUN_BYTES as u64 * 2)
            .sanitise()
            .redact(redactor, &NoScrubber, "host", &[])
            .into_shown();
        length += shown.stdout.len() + shown.redactions.len();
    }
    length
}

/// Most of a text that is shown.
const CAP_BYTES: usize = 1 << 20;
/// Output of one command.
const RUN_BYTES: usize = 4 << 20;

/// Texts that are worst for the native rules.
fn worst(size: usize) -> Vec<(&'static str, String)> {
    let repeated = |unit: &str| unit.repeat(size / unit.len());
    let mut texts = vec![
        ("base64 on one line", base64(size, 0)),
        ("base64 in lines", base64(size, 76)),
        ("one line of words", log(size).replace('\n', " ")),
    ];
    let units = [
        ("one line of one letter", "a"),
        ("password", "password"),
        ("password, blanks", "password "),
        ("password=password=", "password="),
        ("token=", "token="),
        ("secret_secret_", "secret_"),
        ("key fragments in lines", "token_key_secret password_auth\n"),
        (
            "key fragments and blanks",
            "token key secret auth sess salt seed signature ",
        ),
        ("keys without values", "key: "),
        (
            "prose of secrets",
            "The password of the token is in the secret key for auth\n",
        ),
        ("settings", "DB_PASSWORD=q9sUujZcL9PBQu\n"),
        ("rests of escape sequences", "[0;31m"),
        ("dashes", "-----BEGIN "),
        ("dashes alone", "-"),
        ("BEGIN", "BEGIN "),
        ("beginnings of web tokens", "eyJ"),
        ("beginnings of tokens", "ghp_AKIA"),
        ("addresses", "a://"),
        ("addresses in lines", "https://example.com/a/b?c=d\n"),
        ("quotes", "\""),
        ("line ends", "\n"),
    ];
    texts.extend(units.map(|(name, unit)| (name, repeated(unit))));
    texts
}

/// What is worst for the sanitiser.
const HOSTILE: [(&str, &[u8]); 8] = [
    ("ESC", b"\x1b"),
    ("ESC [", b"\x1b["),
    ("ESC ]", b"\x1b]"),
    ("ESC P", b"\x1bP"),
    ("8-bit CSI", b"\x9b"),
    ("colours", b"\x1b[31ma"),
    ("carriage returns", b"\r"),
    ("invisible characters", "\u{200b}x".as_bytes()),
];

fn mib_of(variable: &str, default: usize) -> usize {
    let asked = std::env::var(variable).ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let mut report = Report::default();
    let redactor = Redactor::default();
    let text = log(mib_of("PORTCULLIS_BENCH_MIB", LOG_MIB) << 20);
    let secrets = text.lines().count() / LINES_PER_SECRET;
    assert_eq!(redactor.find(&text).len(), secrets);
    let scanned = rate(&text, || sanitised(text.as_bytes()));
    report.add("sanitiser: a clean log", scanned, "MB/s", None);
    let sed = sed(&text);
    let found = rate(&text, || redactor.find(&text).len());
    report.add(
        "native rules: spans of a log",
        found,
        "MB/s",
        Some(("sed, five expressions", sed)),
    );
    let part = &text[..text.floor_char_boundary(16 << 20)];
    let set = RegexSet::new(EXPRESSIONS.iter().map(|text| format!("(?-u){text}"))).unwrap();
    let plain = rate(part, || {
        part.lines()
            .filter(|line| set.is_match(line.as_bytes()))
            .count()
    });
    let native = rate(&text, || masked(&redactor, &text));
    for peer in [
        ("sed, five expressions", sed),
        ("a regular expression set for each line", plain),
    ] {
        report.add(
            "native rules: masked text of a log, in a stream",
            native,
            "MB/s",
            Some(peer),
        );
    }
    let whole = rate(&text, || flowed(&redactor, text.as_bytes()));
    let captured = rate(&text, || run(&redactor, text.as_bytes()));
    for (name, value) in [
        ("all of the way: a log, as it comes", whole),
        ("all of the way: a log, as runs of 4 MiB", captured),
    ] {
        report.add(name, value, "MB/s", Some(("sed, five expressions", sed)));
    }
    let options = RedactionOptions {
        enable: vec!["pii".to_owned()],
        ..RedactionOptions::default()
    };
    let personal = Redactor::build(&options).unwrap().0;
    let all = rate(part, || masked(&personal, part));
    report.add("native rules: personal data as well", all, "MB/s", None);
    drop(text);
    let size = mib_of("PORTCULLIS_BENCH_WORST_MIB", WORST_MIB) << 20;
    // Nanoseconds for a byte, beside those of the log.
    let mut worst_of = |name: &str, value: f64, log: f64| {
        let peer = Some(("a byte of the log", 1e3 / log));
        report.add(name, 1e3 / value, "ns/B", peer);
    };
    for (name, text) in worst(size) {
        let value = best_of(WORST_RUNS, &text, || masked(&redactor, &text));
        worst_of(
            &format!("worst for the native rules: {name}"),
            value,
            native,
        );
        let value = best_of(WORST_RUNS, &text, || flowed(&redactor, text.as_bytes()));
        worst_of(&format!("worst for all of the way: {name}"), value, whole);
    }
    for (name, unit) in HOSTILE {
        let text = unit.repeat(size / unit.len());
        let value = best_bytes(WORST_RUNS, &text, || sanitised(&text));
        worst_of(&format!("worst for the sanitiser: {name}"), value, scanned);
        let value = best_bytes(WORST_RUNS, &text, || flowed(&redactor, &text));
        worst_of(&format!("worst for all of the way: {name}"), value, whole);
    }
    report.table();
}
