//! Globs against Python's `fnmatch.fnmatchcase`, which policies were written for: random patterns, each with
//! texts that lie near it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test"
)]

use portcullis_core::policy::{Glob, Piece};
use std::io::Write;
use std::process::{Command, Stdio};

/// Patterns in the test and in a soak, and texts for each of them.
const PATTERNS: (usize, usize) = (25_000, 250_000);
const TEXTS: usize = 10;

/// One JSON list of a pattern and its texts on each line; for each line as many digits.
const PYTHON: &str = "
import fnmatch, json, sys
out = []
for line in sys.stdin:
    pattern, texts = json.loads(line)
    out.append(''.join('1' if fnmatch.fnmatchcase(text, pattern) else '0' for text in texts))
print('\\n'.join(out))
";

/// A small generator, so that a seed replays everything.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn of(&mut self, all: &[char]) -> char {
        all[self.below(all.len())]
    }
}

const IN_PATTERNS: [char; 22] = [
    'a', 'b', 'c', '*', '*', '*', '?', '[', '[', ']', ']', '!', '-', '-', '^', '\\', '/', ' ', 'é',
    '\n', '.', '&',
];
const IN_TEXTS: [char; 18] = [
    'a',
    'b',
    'c',
    'A',
    '[',
    ']',
    '!',
    '-',
    '^',
    '\\',
    '/',
    ' ',
    'é',
    '\n',
    '.',
    '*',
    '&',
    '\u{1f600}',
];

fn pattern(random: &mut Random) -> String {
    let length = random.below(13);
    (0..length).map(|_| random.of(&IN_PATTERNS)).collect()
}

/// The pattern with its wildcards filled, and perhaps a change; or any text.
fn text(random: &mut Random, pattern: &str) -> String {
    let mut text: Vec<char> = Vec::new();
    if random.below(4) == 0 {
        text.extend((0..random.below(8)).map(|_| random.of(&IN_TEXTS)));
        return text.into_iter().collect();
    }
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let close = chars
            .iter()
            .skip(at + 2)
            .position(|c| *c == ']')
            .map(|close| close + at + 2);
        match (chars[at], close) {
            ('*', _) => text.extend((0..random.below(4)).map(|_| random.of(&IN_TEXTS))),
            ('?', _) => text.push(random.of(&IN_TEXTS)),
            ('[', Some(close)) => {
                let members = &chars[at + 1..close];
                let any = random.below(3) == 0;
                text.push(random.of(if any { &IN_TEXTS } else { members }));
                at = close;
            }
            (other, _) => text.push(other),
        }
        at += 1;
    }
    if !text.is_empty() && random.below(3) == 0 {
        let place = random.below(text.len());
        match random.below(3) {
            0 => text[place] = random.of(&IN_TEXTS),
            1 => text.insert(place, random.of(&IN_TEXTS)),
            _ => {
                text.remove(place);
            }
        }
    }
    text.into_iter().collect()
}

#[test]
fn soak_globs_match_what_pythons_fnmatch_matches() {
    let seed = std::env::var("PORTCULLIS_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(0x910b);
    let mut random = Random(seed);
    let patterns = match std::env::var_os("PORTCULLIS_SOAK") {
        Some(_) => PATTERNS.1,
        None => PATTERNS.0,
    };
    let rows: Vec<(String, Vec<String>)> = (0..patterns)
        .map(|_| {
            let pattern = pattern(&mut random);
            let texts = (0..TEXTS).map(|_| text(&mut random, &pattern)).collect();
            (pattern, texts)
        })
        .collect();
    let mut python = Command::new("python3")
        .args(["-W", "ignore", "-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed to compare with its fnmatch: install it and run the test again");
    let mut stdin = std::io::BufWriter::new(python.stdin.take().unwrap());
    for row in &rows {
        serde_json::to_writer(&mut stdin, row).unwrap();
        stdin.write_all(b"\n").unwrap();
    }
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 failed");
    let answers = String::from_utf8(output.stdout).unwrap();
    let (mut pairs, mut matching) = (0_usize, 0_usize);
    for ((pattern, texts), answers) in rows.iter().zip(answers.lines()) {
        let glob = Glob::new(pattern);
        assert_eq!(texts.len(), answers.len());
        for (text, answer) in texts.iter().zip(answers.chars()) {
            let matches = glob.matches(text);
            assert_eq!(
                matches,
                answer == '1',
                "{pattern:?} {text:?} PORTCULLIS_SEED={seed}"
            );
            assert_eq!(
                matches,
                glob.could_match(&[Piece::Known(text)]),
                "{pattern:?} {text:?} PORTCULLIS_SEED={seed}"
            );
            pairs += 1;
            matching += usize::from(matches);
        }
    }
    eprintln!("{pairs} pairs, {matching} match");
    assert_eq!(pairs, patterns * TEXTS);
    assert!(
        (pairs / 10..pairs * 9 / 10).contains(&matching),
        "{matching} of {pairs} match"
    );
}
