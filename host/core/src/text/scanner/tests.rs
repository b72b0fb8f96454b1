//! What the scanner promises: nothing hides or moves, text of every script stays, cuts change nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use proptest::prelude::*;

fn check(input: &[u8], expected: &str) {
    assert_eq!(sanitise(input).text, expected, "{input:?}");
}

fn count(input: &[u8], kind: &str) -> u64 {
    sanitise(input).counts.get(kind).copied().unwrap_or(0)
}

#[test]
fn line_ends_become_line_feeds() {
    check(b"a\r\nb\rc\r\r\nd\r", "a\nb\nc\n\nd\n");
    check(b"10%\r\x1b[K20%\r\x1b[K\n", "10%\n20%\n");
    assert_eq!(count(b"a\r\nb\rc", "carriage_return"), 1);
}

#[test]
fn controls_go_and_tabs_stay() {
    check(b"a\x00\x07\x08\x0b\x0c\x7fb\tc", "ab\tc");
    check("a\u{85}\u{9f}".as_bytes(), "a");
    assert_eq!(count(b"\x01\x02", "control"), 2);
}

#[test]
fn every_form_of_sequence_goes() {
    for sequence in [
        "\x1b[31m",
        "\x1b[?25l",
        "\x1b[38;2;1;2;3m",
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b]0;title\x1b\\",
        "\x1b]52;c;aGk=\x07",
        "\x1bPq#0\x1b\\",
        "\x1bXsos\x1b\\",
        "\x1b^pm\x1b\\",
        "\x1b_apc\x1b\\",
        "\x1bc",
        "\x1b(B",
        "\x1b#8",
        "\u{9b}1m",
        "\u{9d}0;t\u{9c}",
        "\u{90}q\x1b\\",
        "\x1b\x1b[1m",
    ] {
        check(format!("a{sequence}b").as_bytes(), "ab");
        assert_eq!(count(format!("a{sequence}b").as_bytes(), "invisible"), 0);
    }
    check(b"a\x9b31mb\x9d0;t\x9cc", "abc");
    check(
        b"see \x1b]8;;https://x\x1b\\label\x1b]8;;\x1b\\ end",
        "see label end",
    );
}

#[test]
fn what_does_not_end_is_shown() {
    check(b"a\x1b]0;never ends\nnext", "a0;never ends\nnext");
    check(b"a\x1bPnever ends", "anever ends");
    check(b"a\x1b]x\x1b[1mb", "axb");
    check(b"a\x1b[31", "a");
    check(b"a\x1b", "a");
    let long = format!("\x1b]{}", "y".repeat(3 * escape::SEQUENCE_BYTES_MAX));
    assert_eq!(
        sanitise(long.as_bytes()).text.len(),
        3 * escape::SEQUENCE_BYTES_MAX
    );
    let digits = format!("\x1b[{}", "1".repeat(2 * escape::SEQUENCE_BYTES_MAX));
    assert!(sanitise(digits.as_bytes()).text.len() >= escape::SEQUENCE_BYTES_MAX);
}

#[test]
fn hidden_characters_are_named_or_counted() {
    check("a\u{202e}b".as_bytes(), "a<U+202E>b");
    check("a\u{200b}\u{feff}b".as_bytes(), "a<U+200B><U+FEFF>b");
    check(
        "a\u{200b}\u{200b}\x1b[m\u{200b}b".as_bytes(),
        "a[3 invisible characters removed]b",
    );
    check(
        "\u{e0041}\u{e0042}\u{e0043}".as_bytes(),
        "[3 invisible characters removed]",
    );
    check("x\u{fe00}\u{e0100}".as_bytes(), "x<U+FE00><U+E0100>");
    check(
        "\u{e000}\u{fdd0}\u{2028}".as_bytes(),
        "[3 invisible characters removed]",
    );
    assert_eq!(count("\u{e0041}\u{202e}".as_bytes(), "tags"), 1);
    assert_eq!(count("\u{e0041}\u{202e}".as_bytes(), "bidi"), 1);
}

#[test]
fn text_of_every_script_stays() {
    for text in [
        "naïve Ünïcode é e\u{301}",
        "日本語　漢字",
        "中文",
        "한국어",
        "العربية ١٢٣",
        "עברית",
        "┌─┐│└┘█▓░",
        "tab\tend\n",
        "👩\u{200d}👩\u{200d}👧",
        "❤\u{fe0f}\u{200d}🔥",
        "⚠\u{fe0f} careful",
        "1\u{fe0f}\u{20e3}",
        "👍🏽",
        "🇩🇪",
        "می\u{200c}خواهم",
        "क्\u{200d}ष",
        "a\u{a0}b",
        "⠋ spin",
        "é",
    ] {
        check(text.as_bytes(), text);
        assert!(sanitise(text.as_bytes()).counts.is_empty(), "{text}");
    }
}

#[test]
fn joiners_outside_words_are_named() {
    check("pass\u{200d}word".as_bytes(), "pass<U+200D>word");
    check("👩\u{200d}x".as_bytes(), "👩<U+200D>x");
    check("م\u{200c} x".as_bytes(), "م<U+200C> x");
    check("⚠\u{fe0f}\u{fe0f}".as_bytes(), "⚠\u{fe0f}<U+FE0F>");
    check("1\u{fe0f}2".as_bytes(), "1<U+FE0F>2");
    check("👩\u{200d}".as_bytes(), "👩<U+200D>");
}

#[test]
fn broken_utf8_is_counted() {
    check(b"a\xffb\xc3", "a\u{fffd}b\u{fffd}");
    assert_eq!(count(b"a\xffb\xc3", "invalid_utf8"), 2);
    // A surrogate in bytes: two that begin nothing, and one that an 8-bit terminal obeys.
    check(b"\xed\xa0\x80", "\u{fffd}\u{fffd}");
}

#[test]
fn a_terminal_would_overlook_these() {
    assert_eq!(sanitise(b"ab\rcd").overlooked, vec![2..3]);
    assert_eq!(sanitise(b"ab\r\ncd").overlooked, Vec::<Range<usize>>::new());
    assert_eq!(sanitise(b"abX\x08c").overlooked, vec![2..3]);
    assert_eq!(sanitise(b"abXY\x08\x08c").overlooked, vec![3..4, 2..3]);
    assert_eq!(
        sanitise(b"\x08a\n\x08b").overlooked,
        Vec::<Range<usize>>::new()
    );
}

#[test]
fn a_step_text_is_one_short_line() {
    assert_eq!(
        crate::text::step("a\nb\x1b[31mc\u{202e}d\u{200b}\te"),
        "a bcd e"
    );
    assert_eq!(crate::text::step(&"é".repeat(600)).chars().count(), 500);
}

/// Bytes rich in everything that the scanner has a branch for.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        "[a-z<>U+0-9 \\n]{0,8}".prop_map(String::into_bytes),
        proptest::sample::select(vec![
            "\x1b",
            "\x1b[",
            "\x1b]0;",
            "\x1bP",
            "\x1b\\",
            "\x07",
            "\r",
            "\r\n",
            "\n",
            "\u{9b}",
            "\u{9d}",
            "\u{9c}",
            "\x08",
            "31m",
            "\u{200d}",
            "\u{200c}",
            "\u{fe0f}",
            "\u{20e3}",
            "1",
            "👩",
            "❤",
            "م",
            "\u{202e}",
            "\u{e0041}",
            "\u{e000}",
            "\u{ad}",
            "日",
            "\u{115f}",
            "\x18",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_that_hides_or_moves_survives(bytes in hostile()) {
        let text = sanitise(&bytes).text;
        for (at, c) in text.char_indices() {
            let joined = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0f}');
            prop_assert!(!c.is_control() || c == '\n' || c == '\t', "{at} {c:?}");
            prop_assert!(joined || class::hidden_kind(c).is_none(), "{at} {c:?}");
        }
    }

    #[test]
    fn scanning_twice_changes_nothing(bytes in hostile()) {
        let once = sanitise(&bytes).text;
        let twice = sanitise(once.as_bytes());
        prop_assert_eq!(&twice.text, &once);
        prop_assert!(twice.counts.is_empty());
    }

    #[test]
    fn growth_is_bounded(bytes in hostile()) {
        prop_assert!(sanitise(&bytes).text.len() <= bytes.len() * 8);
    }

    #[test]
    fn a_cut_anywhere_gives_the_same(bytes in hostile(), cuts in proptest::collection::vec(0usize..400, 0..8)) {
        let whole = sanitise(&bytes);
        let mut scanner = Sanitiser::default();
        let mut text = String::new();
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= bytes.len()).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            scanner.push(&bytes[from..cut], &mut text);
            from = cut;
        }
        let (counts, overlooked) = scanner.finish(&mut text);
        prop_assert_eq!(whole, Cleaned { text, counts, overlooked });
    }

    #[test]
    fn skimming_says_what_reading_says(bytes in "[\\x1b\\x1b\\[\\]PX^_0-9;?mA \\x07a\\\\]{0,40}") {
        let (bytes, mut whole) = (bytes.as_bytes(), Mode::Text);
        let (skimmed, length, over) = escape::skim(Mode::Text, bytes);
        let mut ended = 0;
        for byte in &bytes[..length] {
            let c = char::from(*byte);
            loop {
                let step = match whole {
                    Mode::Text => Step::Goes(escape::opened(c).unwrap()),
                    _ => whole.read(c, 0),
                };
                match step {
                    Step::Goes(mode) => whole = mode,
                    Step::Ended => (whole, ended) = (Mode::Text, ended + 1),
                    Step::Broken(mode) => {
                        (whole, ended) = (mode, ended + 1);
                        continue;
                    }
                    Step::Held => panic!("a payload was skimmed"),
                }
                break;
            }
        }
        prop_assert_eq!((whole, ended), (skimmed, over));
    }

    #[test]
    fn every_stretch_overlooked_lies_in_the_text(bytes in hostile()) {
        let cleaned = sanitise(&bytes);
        for range in &cleaned.overlooked {
            prop_assert!(cleaned.text.get(range.clone()).is_some());
        }
    }
}

#[test]
fn the_worst_inputs_finish() {
    for unit in [
        "\x1b",
        "\x1b]",
        "\x1b[",
        "\u{9d}",
        "\u{200b}",
        "\r",
        "a\x08",
        "\x1bP\u{9d}",
        "\u{200d}👩",
        "\x1b]\n",
    ] {
        let input = unit.repeat(1_048_576 / unit.len());
        assert!(sanitise(input.as_bytes()).text.len() <= input.len() * 8);
    }
}
