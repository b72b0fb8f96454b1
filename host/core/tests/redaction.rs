//! The redaction corpus against the native rules: how much of each secret is left, and what is
//! masked that is none. A secret counts as covered when no eight-byte window of it is left.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use portcullis_core::redact::Redactor;
use portcullis_core::text;
use serde_json::Value;
use std::collections::BTreeMap;

struct Case {
    id: String,
    kind: String,
    class: String,
    text: String,
    spans: Vec<(usize, usize)>,
}

fn cases() -> Vec<Case> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/cases/redaction.jsonl"
    );
    let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|row: Value| Case {
            id: word(&row, "id"),
            kind: word(&row, "kind"),
            class: word(&row, "class"),
            text: word(&row, "text"),
            spans: row["secret_spans"]
                .as_array()
                .unwrap()
                .iter()
                .map(|span| {
                    (
                        span[0].as_u64().unwrap() as usize,
                        span[1].as_u64().unwrap() as usize,
                    )
                })
                .collect(),
        })
        .collect()
}

/// Whether no eight-byte window of a secret is left, beyond what the text around it says as well.
fn is_covered(case: &Case, masked: &str) -> bool {
    case.spans.iter().all(|(start, end)| {
        let secret = &case.text.as_bytes()[*start..*end];
        let around = [
            &case.text.as_bytes()[..*start],
            b"\0",
            &case.text.as_bytes()[*end..],
        ]
        .concat();
        let stands =
            |hay: &[u8], window: &[u8]| hay.windows(window.len()).any(|found| found == window);
        secret
            .windows(secret.len().min(8))
            .all(|window| stands(&around, window) || !stands(masked.as_bytes(), window))
    })
}

fn mask(case: &Case) -> String {
    // The lines of an environment dump end in NUL, which never gets past the sanitiser.
    let cleaned = text::sanitise(case.text.replace('\0', "\n").as_bytes()).text;
    Redactor::default().mask(&cleaned).0
}

#[test]
fn the_corpus_is_covered_and_ordinary_text_kept() {
    let mut misses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut secrets, mut covered, mut kept, mut changed) = (0, 0, 0, 0);
    for case in cases() {
        let masked = mask(&case);
        match case.class.as_str() {
            "secret" => {
                secrets += 1;
                if is_covered(&case, &masked) {
                    covered += 1;
                } else {
                    misses
                        .entry(case.kind.clone())
                        .or_default()
                        .push(format!("{} {masked}", case.id));
                }
            }
            "keep" => {
                kept += 1;
                if masked != text::sanitise(case.text.as_bytes()).text {
                    changed += 1;
                    misses
                        .entry(case.kind.clone())
                        .or_default()
                        .push(format!("{} {masked}", case.id));
                }
            }
            _ => {}
        }
    }
    for (kind, rows) in &misses {
        for row in rows {
            println!("{kind}: {row}");
        }
    }
    println!("covered {covered} of {secrets}, changed {changed} of {kept}");
    assert!(secrets > 90 && kept > 60, "the corpus is not there");
    assert!(
        covered * 100 >= secrets * 97,
        "covered {covered} of {secrets}"
    );
    assert!(changed * 100 <= kept, "changed {changed} of {kept}");
}

#[test]
fn masking_the_corpus_twice_changes_nothing() {
    for case in cases() {
        let once = mask(&case);
        let twice = Redactor::default().mask(&once);
        assert_eq!(twice.0, once, "{}", case.id);
        assert!(twice.1.is_empty(), "{}", case.id);
    }
}

#[test]
fn names_and_signs_around_a_secret_stay() {
    for (text, expected) in [
        (
            "export DB_PASSWORD=hunter22zz; ./run",
            "export DB_PASSWORD=[REDACTED:password]; ./run",
        ),
        (
            "postgres://app:s3cr3tpw@db:5432/x",
            "postgres://app:[REDACTED:url-password]@db:5432/x",
        ),
        (
            "{\"password\": \"a b c d e\", \"user\": \"x\"}",
            "{\"password\": \"[REDACTED:password]\", \"user\": \"x\"}",
        ),
    ] {
        assert_eq!(Redactor::default().mask(text).0, expected);
    }
}
