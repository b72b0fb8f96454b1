//! What a terminal would not have shown, through the sanitiser and the rules together: a secret that it splits is
//! found, however much of it there is and however the bytes come.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use portcullis_core::output::{Flow, NoScrubber, Released, scrub_text};
use portcullis_core::redact::{Edge, Piece, Redactor};
use portcullis_core::text::Sanitiser;

/// What a stream holds at most between pushes, in bytes.
const HELD_BYTES_MAX: usize = 65_536;

fn flow(text: &[u8], pieces: impl Iterator<Item = usize>) -> String {
    let mut out = String::new();
    let mut emit = |released: Released<'_>| {
        if let Released::Text(text) = released {
            out.push_str(&text);
        }
    };
    let mut flow = Flow::new(&Redactor::default());
    let mut from = 0;
    for to in pieces {
        let to = to.clamp(from, text.len());
        flow.push(&text[from..to], &mut emit);
        from = to;
    }
    flow.push(&text[from..], &mut emit);
    flow.finish(&mut emit);
    out
}

fn whole(text: &[u8]) -> String {
    scrub_text(text, &Redactor::default(), &NoScrubber, "-", &[])
        .stdout
        .to_string()
}

/// The text that comes out, which is the same however it is cut.
fn same(text: &[u8]) -> String {
    let whole = whole(text);
    for size in [1, 13, 97, 1_000, 4_096, 16_384, 100_000] {
        if size == 1 && text.len() > 20_000 {
            continue;
        }
        let out = flow(text, (size..text.len()).step_by(size));
        assert!(out == whole, "pieces of {size}: {:?}", text.get(..80));
    }
    whole
}

#[test]
fn a_carriage_return_at_the_end_of_a_piece_hides_no_secret() {
    for text in [
        "AKIAIOSFOD\rNN7EXAMPLE\n",
        "x ghp_GwCz55yi5ZaX\rUtUtCIMwcMW6gvOqhac0nhIGC y\n",
        "DB_PASSWORD=q9sUujZ\rcL9PBQuq9sUuj\n",
        "10%\r20%\r\nAKIAIOSFODNN\r7EXAMPLE\r\n",
    ] {
        let masked = whole(text.as_bytes());
        assert!(masked.contains("[REDACTED:"), "{masked}");
        for cut in 0..text.len() {
            assert_eq!(flow(text.as_bytes(), [cut].into_iter()), masked, "{cut}");
        }
        assert_eq!(same(text.as_bytes()), masked);
    }
}

#[test]
fn however_much_was_not_shown_what_it_splits_is_found() {
    let token = "ghp_GwCz55yi5Za\rUtUtCIMwcMW6gvOqhac0nhIGC\n";
    let setting = "p\x08pa\x08as\x08ss\x08sw\x08wo\x08or\x08rd\x08d=S3cr3t!9xQq7\n";
    for count in [84, 255, 257, 3_000] {
        for text in [
            "N\x08NA\x08AM\x08ME\x08E\n".repeat(count) + setting,
            " 10%\r 20%\r 30%\r done\n".repeat(count) + "x " + token,
            " 10%\r".repeat(count) + token,
            "x\x08".repeat(count) + setting,
            "y ".repeat(8_192) + token,
            "y ".repeat(8_192) + &"10%\r".repeat(count) + token,
        ] {
            let masked = same(text.as_bytes());
            assert!(
                !masked.contains("UtUt") && !masked.contains("S3cr3t"),
                "{count}: {:?}",
                &text[..40]
            );
            assert!(masked.contains("[REDACTED:"), "{count}: {:?}", &text[..40]);
        }
    }
}

#[test]
fn a_whole_text_may_hold_as_much_of_it_as_a_stream() {
    let text = "\r".repeat(140_000) + "ghp_GwCz55yi5Za\rUtUtCIMwcMW6gvOqhac0nhIGC\n";
    assert!(!same(text.as_bytes()).contains("UtUt"));
}

#[test]
fn the_line_before_is_the_same_one_however_long_it_is() {
    for lead in ["login bob ", "machine x login y "] {
        for length in [10, 16_370, 16_384, 20_000, 40_000] {
            let text = format!(
                "{lead}{}\npassword hunterhunter\n",
                &"a b ".repeat(10_000)[..length]
            );
            assert!(!same(text.as_bytes()).contains("hunterhunter"), "{length}");
        }
    }
}

#[test]
fn what_stands_around_the_end_of_a_window_is_looked_at() {
    // A value that ends in the last kilobyte of its window, and the window between the next name and its value.
    for length in 16_310..16_390 {
        let text = format!(
            "{{\"password\":\"{}\",\"x\":\"a\",\"token\":\"S3cr3t9xQ7zzLk\",{}}}\n",
            &"aB3".repeat(6_000)[..length],
            "\"k\":1,".repeat(3_000),
        );
        let masked = whole(text.as_bytes());
        assert!(!masked.contains("S3cr3t9"), "{length}");
        assert!(length % 20 != 0 || same(text.as_bytes()) == masked);
    }
    // A window that is exactly full where the text ends without a line end.
    for length in 16_370..16_384 {
        same(format!("{} \u{202e}", &"password=".repeat(2_000)[..length]).as_bytes());
    }
}

#[test]
fn little_is_held_whatever_was_not_shown() {
    for unit in [
        "\r",
        "a\r",
        "a\x08\n",
        "a\x08",
        "token:\n",
        "a \"",
        "x\u{200b}",
        "password\r",
    ] {
        let text = unit.repeat(100_000 / unit.len());
        for size in [1_000, 30_000, 36_000, 65_536] {
            let (mut scanner, mut most) = (Sanitiser::default(), 0);
            let mut stream = Redactor::default().stream(Edge::Whole);
            for piece in text.as_bytes().chunks(size) {
                let mut clean = String::new();
                scanner.push(piece, &mut clean);
                let overlooked = scanner.take_overlooked();
                stream.push(&clean, &overlooked, &mut |_: Piece<'_>| {});
                most = most.max(stream.held_bytes());
            }
            assert!(most <= HELD_BYTES_MAX, "{unit:?} in {size}: {most}");
        }
    }
}
