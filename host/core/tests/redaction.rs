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

use portcullis_core::redact::{Edge, RedactionOptions, Redactor, apply};
use portcullis_core::text;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many secrets of the stranger's rows are covered. Some of them cannot be: they stand without any sign.
const BLIND_COVERED: usize = 410;
/// How many of their ordinary rows are changed.
const BLIND_CHANGED: usize = 0;
/// How many of their rows with personal data are covered.
const BLIND_PII_COVERED: usize = 40;

struct Case {
    id: String,
    kind: String,
    /// What it holds, or `keep`.
    class: String,
    /// What it holds or resembles.
    of: String,
    text: String,
    spans: Vec<(usize, usize)>,
}

/// The rows of both files: the acceptance cases, and those that were written beside them.
fn cases() -> Vec<Case> {
    [
        include_str!("../../../tests/cases/redaction.jsonl"),
        include_str!("../../../tests/cases/own-redaction.jsonl"),
    ]
    .iter()
    .flat_map(|file| cases_of(file))
    .collect()
}

fn cases_of(file: &str) -> Vec<Case> {
    let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    file.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|row: Value| Case {
            id: word(&row, "id"),
            kind: word(&row, "kind"),
            class: if row["must"] == "keep" {
                "keep".to_owned()
            } else {
                word(&row, "class")
            },
            of: word(&row, "class"),
            text: word(&row, "text"),
            spans: row["secret_spans"]
                .as_array()
                .unwrap()
                .iter()
                .map(|span| (number(&span[0]), number(&span[1])))
                .collect(),
        })
        .collect()
}

/// The rows of somebody who never saw the rules: those of a class, and what resembles it and must stay.
fn blind(class: &str) -> Vec<Case> {
    let mut cases = cases_of(include_str!("../../../tests/cases/blind-redaction.jsonl"));
    cases.retain(|case| case.class == class || case.of == class);
    cases
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

/// What a client sees of a text: the lines of an environment dump end in NUL, which never gets past the
/// sanitiser.
fn clean(case: &Case) -> String {
    text::sanitise(case.text.replace('\0', "\n").as_bytes()).text
}

fn mask(redactor: &Redactor, case: &Case) -> String {
    redactor.mask(&clean(case)).0
}

/// Masks every row and prints what is missed or changed, by kind of row. Gives how many rows of `class` there
/// are and are covered, and how many ordinary ones there are and are changed.
fn measure(redactor: &Redactor, cases: &[Case], class: &str) -> (usize, usize, usize, usize) {
    let mut misses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut secrets, mut covered, mut kept, mut changed) = (0, 0, 0, 0);
    for case in cases {
        let masked = mask(redactor, case);
        let is_kept = case.class == "keep";
        let holds = if is_kept {
            masked == clean(case)
        } else {
            is_covered(case, &masked)
        };
        if is_kept {
            kept += 1;
            changed += usize::from(!holds);
        } else if case.class == class {
            secrets += 1;
            covered += usize::from(holds);
        }
        if !holds && (is_kept || case.class == class) {
            misses
                .entry(case.kind.clone())
                .or_default()
                .push(format!("{} {masked}", case.id));
        }
    }
    for (kind, rows) in &misses {
        for row in rows {
            println!("{kind}: {row}");
        }
    }
    println!("{class}: covered {covered} of {secrets}, changed {changed} of {kept}");
    (secrets, covered, kept, changed)
}

#[test]
fn the_corpus_is_covered_and_ordinary_text_kept() {
    for (file, least) in [
        (include_str!("../../../tests/cases/redaction.jsonl"), 90),
        (
            include_str!("../../../tests/cases/own-redaction.jsonl"),
            250,
        ),
    ] {
        let (secrets, covered, kept, changed) =
            measure(&Redactor::default(), &cases_of(file), "secret");
        assert!(secrets > least && kept > 60, "the corpus is not there");
        assert!(
            covered * 100 >= secrets * 97,
            "covered {covered} of {secrets}"
        );
        assert!(changed <= 1, "changed {changed} of {kept}");
    }
}

#[test]
fn the_rows_of_a_stranger_are_covered_as_far_as_the_rules_say() {
    let (secrets, covered, kept, changed) =
        measure(&Redactor::default(), &blind("secret"), "secret");
    assert!(secrets > 400 && kept > 200, "the corpus is not there");
    assert!(covered >= BLIND_COVERED, "covered {covered} of {secrets}");
    assert_eq!(changed, BLIND_CHANGED, "changed of {kept}");
    let options = RedactionOptions {
        enable: vec!["pii".to_owned()],
        ..RedactionOptions::default()
    };
    let redactor = Redactor::build(&options).unwrap().0;
    let (rows, covered, kept, changed) = measure(&redactor, &blind("pii"), "pii");
    assert!(rows >= 40 && kept >= 20, "the corpus is not there");
    assert!(covered >= BLIND_PII_COVERED, "covered {covered} of {rows}");
    assert_eq!(changed, 0);
}

#[test]
fn personal_data_is_covered_where_it_is_chosen() {
    let options = RedactionOptions {
        enable: vec!["pii".to_owned()],
        ..RedactionOptions::default()
    };
    let redactor = Redactor::build(&options).unwrap().0;
    let (rows, covered, _, changed) = measure(&redactor, &cases(), "pii");
    assert!(rows >= 28, "the corpus is not there");
    assert!(covered * 100 >= rows * 97, "covered {covered} of {rows}");
    assert!(changed <= 1, "changed {changed}");
    // Without the choice nothing of it is touched.
    let plain = Redactor::default();
    for case in cases().iter().filter(|case| case.class == "pii") {
        assert_eq!(mask(&plain, case), clean(case), "{}", case.id);
    }
}

#[test]
fn every_find_names_its_rule() {
    let redactor = Redactor::default();
    let known: Vec<String> = redactor
        .rules()
        .into_iter()
        .map(|(rule, _)| rule.name)
        .collect();
    for case in cases().into_iter().chain(blind("secret")) {
        for span in redactor.find(&clean(&case)) {
            assert!(known.contains(&span.rule), "{}: {:?}", case.id, span.rule);
        }
    }
}

#[test]
fn no_escape_sequence_at_any_place_lets_a_secret_of_the_corpus_through() {
    let redactor = Redactor::default();
    let mut leaks = Vec::new();
    for case in cases()
        .iter()
        .filter(|case| case.class == "secret" && case.text.len() < 400)
    {
        if !is_covered(case, &mask(&redactor, case)) {
            continue;
        }
        let step = (case.text.len() / 24).max(1);
        // A mark stays in the text, and the end of a key that holds one is no end: more is masked then.
        let in_one_line = !case.text.contains('\n');
        let sequences: Vec<&str> = ["\x1b[0m", "\x1b]8;;x\x07", "\u{200b}"]
            .into_iter()
            .filter(|sequence| sequence.starts_with('\x1b') || in_one_line)
            .collect();
        // One of them at every place, and each of them at every few.
        let places = (0..=case.text.len()).filter(|at| case.text.is_char_boundary(*at));
        let chosen = places.flat_map(|at| {
            let all = at.is_multiple_of(step);
            let count = sequences.len();
            let here = move |index: usize| all || at % count == index;
            let sequences = sequences.iter().enumerate();
            sequences
                .filter(move |(index, _)| here(*index))
                .map(move |(_, sequence)| (*sequence, at))
        });
        for (sequence, at) in chosen {
            let (head, tail) = case.text.split_at(at);
            let cleaned = text::sanitise(format!("{head}{sequence}{tail}").as_bytes());
            let spans = redactor.find_in(&cleaned.text, &cleaned.overlooked, Edge::Whole);
            let masked = apply(&cleaned.text, &spans).0;
            if !is_covered(case, &masked) {
                leaks.push(format!("{} {at} {sequence:?}: {masked}", case.id));
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[test]
fn masking_the_corpus_twice_changes_nothing() {
    for case in cases().into_iter().chain(blind("secret")) {
        let once = mask(&Redactor::default(), &case);
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

#[test]
fn what_only_looks_like_a_setting_of_a_secret_stays() {
    for text in [
        "/usr/sbin/chpasswd: 023da8c8cd83f546e647315de67498c208614bd5 OK",
        "./etc/passwd: d41d8cd98f00b204e9800998ecf8427e",
        "sshd: pam_sss(passwd:chauthtok): system info: [Cannot contact any KDC]",
        "PASSPHRASE: ${PASSPHRASE:?the phrase is needed}",
        "kube_secret_created{namespace=\"shop\",secret=\"registry-creds\"} 1.7e+09",
        "key: \"{{ query('hashi_vault', 'secret=kv/app/db:pw') }}\"",
        "  + master_password = (known after apply)",
        "host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        "db.password=@db.password@",
        "mounting volume from secret \"shop-db\" failed",
        "token = hashlib.sha512(raw).hexdigest()",
        "password: see the vault",
        "ImportCredential=smtp.token",
        "fixed typo on #1234 and on >5 pages",
        "PASS src/app.test.js",
        "ROOT LOGIN ON tty1",
        "db_password: must have at least 12 characters",
        "admin_password: rotated on 2024-05-01 by bob",
    ] {
        assert_eq!(Redactor::default().mask(text).0, text);
    }
}

#[test]
fn what_clients_say_to_log_in_is_masked() {
    for (text, secret) in [
        ("user app on >hunter2hunter ~* +@all", "hunter2hunter"),
        ("ACL SETUSER app on >hunter2hunter allkeys", "hunter2hunter"),
        ("17.2 [0 10.0.0.1:99] \"AUTH\" \"hunter2zz\"", "hunter2zz"),
        ("> PASS hunter2zz", "hunter2zz"),
        ("C: AUTH LOGIN aHVudGVyMnp6enp6", "aHVudGVyMnp6enp6"),
        ("A7 LOGIN bob hunter2zz", "hunter2zz"),
        (
            "[mx.example.com]:465 bob@example.com:hunter2zz",
            "hunter2zz",
        ),
        ("bob : XAUTH \"hunter2zz\"", "hunter2zz"),
        (": ECDSA host.pem \"hunter2zz\"", "hunter2zz"),
        (
            "{\"kty\":\"oct\",\"k\":\"q9sUujq9sUujq9sUuj\"}",
            "q9sUujq9sUujq9sUuj",
        ),
        ("stats auth bob:hunter2zz", "hunter2zz"),
        ("sentinel auth-pass main hunter2zz", "hunter2zz"),
        ("radtest bob hunter2zz 10.0.0.1 0 shared22zz", "shared22zz"),
    ] {
        let masked = Redactor::default().mask(text).0;
        assert!(!masked.contains(secret), "{masked}");
    }
}
