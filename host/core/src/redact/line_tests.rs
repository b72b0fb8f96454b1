//! What the scout says of a line depends on that line alone, and so it is the same however a text is cut.

#![allow(clippy::unwrap_used, clippy::string_slice, reason = "tests")]

use super::scout::{self, Hit};
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

const TOKEN: &str = "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";

fn hits(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    scout::hits(text, &mut hits);
    hits
}

/// The hits of each line by itself, in bytes of the text.
fn hits_of_lines(text: &str) -> Vec<Hit> {
    let (mut all, mut from) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let of_line = hits(line);
        all.extend(of_line.into_iter().map(|hit| Hit {
            at: hit.at + from,
            ..hit
        }));
        from += line.len();
    }
    all
}

/// What is masked of a text that comes as a whole, and of one that comes line by line.
fn both_ways(redactor: &Redactor, text: &str) -> (String, String) {
    let (mut shown, mut stream) = (String::new(), redactor.stream(Edge::Whole));
    let mut emit = |piece: Piece<'_>| match piece {
        Piece::Text(text) => shown.push_str(text),
        Piece::Mask(span) => shown.push_str(&span.mask()),
    };
    for line in text.split_inclusive('\n') {
        stream.push(line, &[], &mut emit);
    }
    stream.finish(&mut emit);
    (redactor.mask(text).0, shown)
}

#[test]
fn a_run_does_not_put_the_end_of_the_line_before_it_under_suspicion() {
    for text in [
        "SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.AZDO\nIBLE_VAULAES256\n",
        "SG.ieSG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SG.SNRAL\n-Pj0K1l2M3n4O5p\n",
        "ya29.yaa29.ya29.ya29.AZDO\nqk=QV-iGfp03zDW\n",
    ] {
        assert_eq!(hits(text), hits_of_lines(text), "{text:?}");
        let (whole, by_lines) = both_ways(&Redactor::default(), text);
        assert_eq!(whole, by_lines);
    }
}

#[test]
fn a_key_in_base64_hides_no_token_in_the_lines_below_it() {
    let key = STANDARD.encode("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq");
    let text = format!("{key}\n{}\n", STANDARD.encode(format!("x: {TOKEN}")));
    assert_eq!(hits(&text), hits_of_lines(&text));
    let options = RedactionOptions {
        disable: vec!["encoded-key".to_owned()],
        ..RedactionOptions::default()
    };
    let redactor = Redactor::build(&options).unwrap().0;
    let (whole, by_lines) = both_ways(&redactor, &text);
    assert_eq!(whole, by_lines);
    assert!(whole.contains("[REDACTED:"), "{whole}");
}

/// Lines of what the scout looks for, and of runs.
fn lines() -> impl Strategy<Value = String> {
    let tokens = catalog::shipped().tokens.iter();
    let mut parts: Vec<String> = tokens.map(|token| token.prefix.clone()).collect();
    parts.extend(encoded::forms().into_iter().map(|form| form.literal));
    parts.push(STANDARD.encode("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq"));
    parts.extend(
        leads::signs()
            .iter()
            .map(|(sign, _)| sign.literal.to_owned()),
    );
    let others = [
        "JQQJ99",
        "NRAL",
        "::server:",
        "::node:",
        "AZDO",
        ".atlasv1.",
        "eyJ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "X-Amz-Signature=",
        "$6$",
        "md5",
        "-us1",
        ":AA",
        "*",
        "a://u:p@h",
        TOKEN,
    ];
    parts.extend(others.map(str::to_owned));
    let part = prop_oneof![
        4 => proptest::sample::select(parts),
        3 => Just("\n".to_owned()),
        2 => "[a-zA-Z0-9_=-]{1,40}",
        2 => proptest::sample::select(vec![" ", "=", ": ", ".", "\"", "é", "\t", "@", "-", ","]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn what_is_said_of_lines_together_is_said_of_each_by_itself(text in lines()) {
        prop_assert_eq!(hits(&text), hits_of_lines(&text), "{:?}", text);
    }
}
