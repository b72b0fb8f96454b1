//! What native redaction costs: over a log, beside plain regular expressions and `sed`, and over the inputs
//! that are worst for it. Prints JSON Lines `{"name","value","unit","peer","peer_value","ratio"}` (ratio =
//! value / peer_value), then nothing. Ratios are the anchor; single figures belong to the machine.
//!
//! `PORTCULLIS_BENCH_MIB` sets the size of the log.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark reports by printing, and by failing"
)]

use portcullis_core::redact::{Edge, Piece, RedactionOptions, Redactor};
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

fn report(name: &str, value: f64, unit: &str, peer: Option<(&str, f64)>) {
    let peer_name = peer.map(|(name, _)| name);
    let peer_value = peer.map(|(_, value)| value);
    println!(
        "{}",
        serde_json::json!({"name": name, "value": value, "unit": unit, "peer": peer_name, "peer_value": peer_value,
            "ratio": peer_value.map(|other| value / other)})
    );
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

fn main() {
    let mib = std::env::var("PORTCULLIS_BENCH_MIB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(LOG_MIB);
    let text = log(mib << 20);
    let redactor = Redactor::default();
    let masked = redactor.mask(&text);
    assert_eq!(
        masked.1.values().sum::<u64>() as usize,
        text.lines().count() / LINES_PER_SECRET
    );
    drop(masked);
    let found = rate(&text, || redactor.find(&text).len());
    let sed = sed(&text);
    report(
        "redaction of a log: spans",
        found,
        "MB/s",
        Some(("sed, five expressions", sed)),
    );
    let masks = rate(&text, || redactor.mask(&text).0.len());
    let part = &text[..text.floor_char_boundary(16 << 20)];
    let set = RegexSet::new(EXPRESSIONS.iter().map(|text| format!("(?-u){text}"))).unwrap();
    let plain = rate(part, || {
        part.lines()
            .filter(|line| set.is_match(line.as_bytes()))
            .count()
    });
    report(
        "redaction of a log: text and masks",
        masks,
        "MB/s",
        Some(("a regular expression set for each line", plain)),
    );
    let streamed = rate(&text, || {
        let mut length = 0;
        let mut emit = |piece: Piece<'_>| {
            if let Piece::Text(text) = piece {
                length += text.len();
            }
        };
        let mut stream = redactor.stream(Edge::Whole);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(rest.len().min(32_768)));
            stream.push(piece, &[], &mut emit);
            rest = after;
        }
        stream.finish(&mut emit);
        length
    });
    report(
        "redaction of a log: stream in pieces of 32 KiB",
        streamed,
        "MB/s",
        None,
    );
    let options = RedactionOptions {
        enable: vec!["pii".to_owned()],
        ..RedactionOptions::default()
    };
    let personal = Redactor::build(&options).unwrap().0;
    let all = rate(part, || personal.find(part).len());
    report(
        "redaction of a log: personal data as well",
        all,
        "MB/s",
        None,
    );
    drop(text);
    let size = WORST_MIB << 20;
    let repeated = |unit: &str| unit.repeat(size / unit.len());
    for (name, text) in [
        ("base64 on one line", base64(size, 0)),
        ("base64 in lines", base64(size, 76)),
        ("one line of words", log(size).replace('\n', " ")),
        ("one line of one letter", repeated("a")),
        ("password=password=", repeated("password=")),
        ("secret_secret_", repeated("secret_")),
        (
            "key fragments in lines",
            repeated("token_key_secret password_auth\n"),
        ),
        ("rests of escape sequences", repeated("[0;31m")),
        ("dashes", repeated("-----BEGIN ")),
        ("beginnings of web tokens", repeated("eyJ")),
        ("addresses", repeated("a://")),
        ("quotes", repeated("\"")),
        ("line ends", repeated("\n")),
    ] {
        let value = best_of(WORST_RUNS, &text, || redactor.find(&text).len());
        // Time for each byte of the log over that of this input: above 0.5 is within twice the time.
        report(
            &format!("worst input: {name}"),
            value,
            "MB/s",
            Some(("the log", found)),
        );
    }
}
