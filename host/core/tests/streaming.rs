//! The streaming redactor: however a text is cut, the same comes out as of the whole text, and what is
//! held between pushes stays below its bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use portcullis_core::redact::{Class, Edge, Pattern, Piece, RedactionOptions, Redactor, RuleSpec};
use portcullis_core::text;
use proptest::prelude::*;
use serde_json::Value;

/// What a stream holds at most between pushes, in bytes.
const HELD_BYTES_MAX: usize = 65_536;

fn rows() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/");
    let mut texts = Vec::new();
    for file in [
        "redaction.jsonl",
        "own-redaction.jsonl",
        "blind-redaction.jsonl",
    ] {
        for line in std::fs::read_to_string(format!("{folder}{file}"))
            .unwrap()
            .lines()
        {
            let row: Value = serde_json::from_str(line).unwrap();
            let bytes = row["text"].as_str().unwrap().replace('\0', "\n");
            texts.push(text::sanitise(bytes.as_bytes()).text);
        }
    }
    texts
}

fn pieces(redactor: &Redactor, parts: &[&str], edge: Edge) -> (String, usize) {
    let mut out = String::new();
    let mut place = 0;
    let mut most = 0;
    let mut emit = |piece: Piece<'_>| match piece {
        Piece::Text(text) => {
            out.push_str(text);
            place += text.len();
        }
        Piece::Mask(span) => {
            assert_eq!(
                span.start, place,
                "a mask stands where the text before it ended"
            );
            assert!(span.end > span.start);
            out.push_str(&span.mask());
            place = span.end;
        }
    };
    let mut stream = redactor.stream(edge);
    for part in parts {
        stream.push(part, &[], &mut emit);
        most = most.max(stream.held_bytes());
    }
    stream.finish(&mut emit);
    assert_eq!(place, parts.iter().map(|part| part.len()).sum::<usize>());
    (out, most)
}

fn cut(text: &str, places: &[usize]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut from = 0;
    for place in places {
        let to = text.floor_char_boundary((*place).min(text.len())).max(from);
        parts.push(text[from..to].to_owned());
        from = to;
    }
    parts.push(text[from..].to_owned());
    parts
}

fn same(redactor: &Redactor, text: &str, places: &[usize], edge: Edge) {
    let whole = pieces(redactor, &[text], edge).0;
    let parts = cut(text, places);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    assert_eq!(
        pieces(redactor, &parts, edge).0,
        whole,
        "cut at {places:?}: {text:?}"
    );
}

fn singles(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).collect()
}

#[test]
fn no_split_point_of_the_corpus_changes_the_result() {
    let redactor = Redactor::default();
    for row in rows() {
        let whole = redactor.mask(&row).0;
        assert_eq!(pieces(&redactor, &[&row], Edge::Whole).0, whole, "{row:?}");
        let step = (row.len() / 200).max(1);
        for place in (0..=row.len())
            .step_by(step)
            .filter(|at| row.is_char_boundary(*at))
        {
            let (head, tail) = row.split_at(place);
            assert_eq!(
                pieces(&redactor, &[head, tail], Edge::Whole).0,
                whole,
                "cut at {place}: {row:?}"
            );
        }
        same(&redactor, &row, &singles(&row), Edge::Whole);
        same(&redactor, &row, &singles(&row), Edge::AfterGap);
    }
}

/// The corpus as one text, and long lines of it.
fn long_texts() -> Vec<String> {
    let rows = rows();
    let joined = rows.join("\n");
    let one_line = joined.replace('\n', " ");
    let minified: String = rows
        .iter()
        .map(|row| format!("{{\"a\":{}}},", serde_json::to_string(row).unwrap()))
        .collect();
    let body = "MIIEowIBAAKCAQEAxyzQmFzZTY0Ym9keTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n";
    vec![
        joined,
        one_line,
        minified,
        format!("x\n{}-----END RSA PRIVATE KEY-----\nz\n", body.repeat(60)),
        format!("x\n{}-----END RSA PRIVATE KEY-----\nz\n", body.repeat(400)),
        format!(
            "x\n-----BEGIN RSA PRIVATE KEY-----\n{}\nz\n",
            body.repeat(1_200)
        ),
        format!("password: |\n{}next: 1\n", format!("  {body}").repeat(300)),
        format!("password={}\nz\n", "q9sUuj".repeat(12_000)),
        format!(
            "{} \"password\": \"{}\", \"x\": 1\n",
            "word ".repeat(5_000),
            "q9 sUuj".repeat(6_000)
        ),
        format!(
            "{} 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 {}",
            "a b ".repeat(4_090),
            "c d ".repeat(9_000)
        ),
        "QUJD".repeat(40_000),
        "password=".repeat(20_000),
        "secret_".repeat(20_000),
        "token: \n".repeat(9_000),
        format!(
            "$ANSIBLE_VAULT;1.1;AES256\n{}y: 1\n",
            "663864396537613439650a\n".repeat(900)
        ),
        "é password: ß1q9sUuj ".repeat(3_000),
    ]
}

#[test]
fn long_texts_come_out_the_same_in_chunks_and_hold_little() {
    let redactor = Redactor::default();
    for text in long_texts() {
        let (whole, _) = pieces(&redactor, &[&text], Edge::Whole);
        assert_eq!(redactor.mask(&text).0, whole);
        for size in [1_000_usize, 4_093, 16_384, 40_961] {
            let places: Vec<usize> = (1..text.len() / size + 1)
                .map(|index| index * size)
                .collect();
            let parts = cut(&text, &places);
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let (out, most) = pieces(&redactor, &parts, Edge::Whole);
            assert!(out == whole, "chunks of {size}: {:?}", &text[..40]);
            assert!(
                most <= HELD_BYTES_MAX,
                "held {most} bytes of {:?}",
                &text[..40]
            );
        }
    }
}

#[test]
fn rules_of_the_operators_own_do_not_depend_on_cuts_either() {
    let own = |name: &str, pattern: Pattern| RuleSpec {
        name: name.to_owned(),
        kind: name.to_owned(),
        class: Class::Secret,
        pattern,
    };
    let options = RedactionOptions {
        enable: vec!["pii".to_owned()],
        disable: Vec::new(),
        rules: vec![
            own(
                "block",
                Pattern::Block {
                    begin: "<<ACME".to_owned(),
                    end: "ACME>>".to_owned(),
                },
            ),
            own(
                "regex",
                Pattern::Regex {
                    pattern: "ticket-[0-9]{4,8}".to_owned(),
                },
            ),
            own(
                "slow",
                Pattern::Regex {
                    pattern: "[0-9]{12}".to_owned(),
                },
            ),
        ],
    };
    let redactor = Redactor::build(&options)
        .unwrap()
        .0
        .knowing(["hunter22zz", "one line of it\nand another"])
        .tagged(b"k");
    let text = "a ticket-1234 <<ACME\nx\ny\nACME>> b 123456789012\nhunter22zz one line of it\nand another 4111111111111111 bob@example.com\nx <<ACME\nopen".to_owned();
    let whole = redactor.mask(&text).0;
    assert!(
        !whole.contains("hunter22") && !whole.contains("open") && !whole.contains("1234"),
        "{whole}"
    );
    for place in 0..text.len() {
        same(&redactor, &text, &[place], Edge::Whole);
    }
    same(&redactor, &text, &singles(&text), Edge::Whole);
    assert_eq!(redactor.mask(&whole).0, whole);
}

#[test]
fn what_stands_on_the_next_line_does_not_decide_about_a_line() {
    let redactor = Redactor::default();
    for text in [
        "SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.AZDO\nIBLE_VAULAES256\n",
        "ya29.yaa29.ya29.ya29.AZDO\nqk=QV-iGfp03zDW\n",
        "okentokentokentokentokentokentokentokentokentokentokentokencookie:a= -u AZDO\nAUTE5f6G7h8Defa\n",
    ] {
        for place in 0..text.len() {
            same(&redactor, text, &[place], Edge::Whole);
        }
        same(&redactor, text, &singles(text), Edge::Whole);
    }
}

#[test]
fn what_is_open_at_the_end_is_masked() {
    let redactor = Redactor::default();
    for text in [
        "a\n-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA",
        "a\nPuTTY-User-Key-File-3: x\nPrivate-Lines: 1\nQUJDREVG",
        "password: |\n  q9sUuj\n  q9sUuk",
    ] {
        let masked = redactor.mask(text).0;
        assert!(
            masked.ends_with(']')
                && !masked.contains("q9s")
                && !masked.contains("QUJD")
                && !masked.contains("MII"),
            "{masked}"
        );
    }
    let tail = "BAAKCAQEA\nlog: MIIEowIBAAKCAQEA\n-----END PRIVATE KEY-----\nz";
    assert_eq!(
        pieces(&redactor, &[tail], Edge::AfterGap).0,
        "[REDACTED:private-key]\nz"
    );
}

/// Text rich in what the machine has a branch for.
fn rich() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "password", "token", "secret", "key", "=", ":", ": ", "\"", "'", "\n", "\n", " ", "  ", "{", "}", "<", ">", ",", "|", "@", "://u:", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
            "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", "hunter22zz", "Authorization: Bearer ", "mysql -p", "name: ", "value: ", "é", "[REDACTED:x]", "password: |\n  ", "machine x login y\n", "$ANSIBLE_VAULT;1.1\n", "6638\n",
            "MIIEowIBAAKCAQEAxyzQmFzZTY0Ym9keTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlF\n", "PuTTY-User-Key-File-3: x\n", "Private-MAC: 01\n",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9=+/._-]{0,24}",
        1 => (1_usize..9_000).prop_map(|count| "a1 ".repeat(count)),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_cuts_change_nothing(text in rich(), mut places in proptest::collection::vec(0_usize..40_000, 0..8), gap in any::<bool>()) {
        places.sort_unstable();
        let edge = if gap { Edge::AfterGap } else { Edge::Whole };
        same(&Redactor::default(), &text, &places, edge);
    }
}
