//! What the whole way promises: no secret of either stream gets past a cut, a colour or a failing
//! plugin, and what is left out is counted exactly.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use proptest::prelude::*;

const TOKEN: &str = "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";

fn raw(stdout: &[u8], stderr: &[u8], max: u64) -> Raw {
    let mut raw = Raw {
        stdout: Capture::new(Capture::sides_for(max)),
        stderr: Capture::new(Capture::sides_for(max)),
    };
    raw.stdout.push(stdout);
    raw.stderr.push(stderr);
    raw
}

fn check(stdout: &[u8], stderr: &[u8], max: u64) -> Shown {
    let redactor = Redactor::default();
    let scrubbed = raw(stdout, stderr, max).cap(max).sanitise();
    let shown = scrubbed
        .redact(&redactor, &NoScrubber, "web1", &[])
        .into_shown();
    let joint = usize::from(!shown.stdout.is_empty() && !shown.stderr.is_empty());
    assert!(
        (shown.stdout.len() + shown.stderr.len() + joint) as u64 <= max,
        "more than the cap"
    );
    shown
}

/// The number in the marker line, and what stands before and after the line.
fn marker(text: &str) -> (u64, &str, &str) {
    let (head, rest) = text.split_once("[… ").expect("no marker");
    let (number, tail) = rest.split_once(" bytes omitted …]\n").expect("no marker");
    (number.parse().unwrap(), head, tail)
}

fn leaks(text: &str, secret: &str) -> bool {
    secret
        .as_bytes()
        .windows(8)
        .any(|window| text.as_bytes().windows(8).any(|found| found == window))
}

struct Fixed(Vec<Span>);

impl Scrubber for Fixed {
    fn spans(&self, _: &Context<'_>, _: &str) -> Result<Vec<Span>, (String, PluginFailure)> {
        Ok(self.0.clone())
    }
}

struct Failing;

impl Scrubber for Failing {
    fn spans(&self, context: &Context<'_>, _: &str) -> Result<Vec<Span>, (String, PluginFailure)> {
        if context.stream == Stream::Stdout {
            return Ok(Vec::new());
        }
        let failure = PluginFailure {
            code: "plugin_trap",
            detail: String::new(),
        };
        Err(("scrub".to_owned(), failure))
    }
}

fn with_plugin(text: &str, scrubber: &dyn Scrubber) -> Shown {
    scrub_text(text.as_bytes(), &Redactor::default(), scrubber, "web1", &[])
}

fn span(start: usize, end: usize, kind: &str) -> Span {
    Span {
        start,
        end,
        kind: kind.to_owned(),
        ..Span::default()
    }
}

/// Masks everything from a word on.
struct FromHere;

impl Scrubber for FromHere {
    fn spans(&self, _: &Context<'_>, text: &str) -> Result<Vec<Span>, (String, PluginFailure)> {
        let at = text.find("BEGIN");
        Ok(at.map_or(Vec::new(), |at| vec![span(at, text.len(), "x")]))
    }
}

#[test]
fn a_redactor_is_given_one_stream_also_where_the_middle_is_gone() {
    let printed = format!("start\nBEGIN\n{}end-of-it\n", "line\n".repeat(20_000));
    for (text, end) in [
        (printed.clone(), false),
        (printed.replace("BEGIN", "-"), true),
    ] {
        let sanitised = raw(text.as_bytes(), b"", 2_000).cap(2_000).sanitise();
        let redacted = sanitised.redact(&Redactor::default(), &FromHere, "web1", &[]);
        let shown = redacted.into_shown();
        assert!(
            shown.truncated && shown.stdout.starts_with("start\n"),
            "{}",
            shown.stdout
        );
        assert_eq!(shown.stdout.contains("end-of-it"), end, "{}", shown.stdout);
        assert_eq!(shown.stdout.contains("line"), end, "{}", shown.stdout);
    }
}

#[test]
fn clean_output_passes_unchanged() {
    let shown = check(b"one\ntwo\n", b"warning\n", 100);
    assert_eq!(
        (
            shown.stdout.as_str(),
            shown.stderr.as_str(),
            shown.truncated
        ),
        ("one\ntwo\n", "warning\n", false)
    );
    assert_eq!((shown.stdout_bytes, shown.stderr_bytes), (8, 8));
    assert_eq!(shown.joined(), "one\ntwo\n\nwarning");
    assert_eq!(check(b"", b"", 0).joined(), "");
}

#[test]
fn a_cut_keeps_both_ends_and_counts_the_rest_exactly() {
    for total in [1_000_usize, 40_000, 300_000] {
        let lines: String = (0..)
            .map(|n| format!("line {n}\n"))
            .take_while_inclusive_bytes(total);
        let shown = check(lines.as_bytes(), b"", 600);
        let (omitted, head, tail) = marker(&shown.stdout);
        assert!(shown.truncated && lines.starts_with(head.trim_end()) && lines.ends_with(tail));
        let head = if lines.starts_with(head) {
            head.len()
        } else {
            head.len() - 1
        };
        assert_eq!(omitted as usize + head + tail.len(), lines.len());
        assert!(head > 200 && tail.len() > 200);
    }
}

trait TakeBytes {
    fn take_while_inclusive_bytes(self, total: usize) -> String;
}

impl<I: Iterator<Item = String>> TakeBytes for I {
    fn take_while_inclusive_bytes(self, total: usize) -> String {
        let mut all = String::new();
        for line in self {
            all.push_str(&line);
            if all.len() >= total {
                break;
            }
        }
        all
    }
}

#[test]
fn the_count_is_of_raw_bytes_where_sequences_were_dropped() {
    let coloured = "\x1b[31mab\x1b[0m\n".repeat(2_000);
    let shown = check(coloured.as_bytes(), b"", 1_000);
    let (omitted, head, tail) = marker(&shown.stdout);
    let unit = "\x1b[31mab\x1b[0m\n".len() as u64;
    assert_eq!(head.len() % 3, 0, "{head:?}");
    // Dropped sequences at a border may count to either side of it.
    let shown_units = (head.len() as u64).div_ceil(3) + (tail.len() as u64).div_ceil(3);
    let expected = coloured.len() as u64 - shown_units * unit;
    assert!(
        omitted.abs_diff(expected) <= 2 * unit,
        "{omitted} {expected}"
    );
}

#[test]
fn both_streams_share_the_cap() {
    let long = "x".repeat(5_000);
    let shown = check(long.as_bytes(), b"the error\n", 1_000);
    assert_eq!(shown.stderr, "the error\n");
    let shown = check(long.as_bytes(), long.as_bytes(), 1_000);
    assert!(shown.stdout.len() > 400 && shown.stderr.len() > 400);
    for max in [0, 1, 10, 63, 64, 127, 128, 129] {
        assert!(check(long.as_bytes(), long.as_bytes(), max).truncated);
    }
}

#[test]
fn a_secret_at_any_cut_is_not_shown() {
    for total in [3_000_usize, 60_000] {
        for shift in (0..200).step_by(if total > 10_000 { 7 } else { 1 }) {
            // Tokens all over, so that each border falls into one for some shift.
            let mut text = " ".repeat(shift);
            while text.len() < total {
                text.push_str(&format!("a {TOKEN} b\n"));
            }
            let shown = check(text.as_bytes(), b"", 700);
            assert!(!leaks(&shown.stdout, TOKEN), "{shift} {}", shown.stdout);
            assert!(shown.stdout.contains("[REDACTED:github-token]"));
            let masks = shown.stdout.matches("[REDACTED:").count();
            assert_eq!(
                masks,
                shown.stdout.matches("[REDACTED:github-token]").count()
            );
        }
    }
}

#[test]
fn a_key_whose_beginning_fell_into_the_gap_is_not_shown() {
    let body = "MIIEowIBAAKCAQEAxyzQmFzZTY0Ym9keTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\n";
    let mut text = "noise ".repeat(4_000);
    text.push_str("-----BEGIN RSA PRIVATE KEY-----\n");
    text.push_str(&body.repeat(400));
    text.push_str("-----END RSA PRIVATE KEY-----\ndone\n");
    let shown = check(text.as_bytes(), b"", 2_000);
    assert!(!leaks(&shown.stdout, body), "{}", shown.stdout);
    assert!(shown.stdout.ends_with("done\n"));
}

#[test]
fn an_escape_sequence_at_any_place_of_a_token_hides_nothing() {
    for odd in [
        "\x1b[0m",
        "\x1b]8;;x\x1b\\",
        "\u{9b}1m",
        "\x1b(B",
        "\u{200b}",
        "\u{202e}\u{202c}",
        "\u{e0041}\u{e0042}\u{e0043}",
        "\x08",
        "X\x08",
        "\r",
        "\x07",
        "\u{ad}",
        "\u{13430}",
        "\x1b[3\x071m",
        "\x1b]0;title\x1b[0m",
        "\x1bP x\x1b[1m",
        "\u{9d}x\x18",
    ] {
        for at in 0..=TOKEN.len() {
            let text = format!("x {}{odd}{} y", &TOKEN[..at], &TOKEN[at..]);
            let shown = check(text.as_bytes(), b"", 10_000);
            assert!(
                !leaks(&shown.stdout, TOKEN),
                "{odd:?} {at} {}",
                shown.stdout
            );
            let left: String = shown
                .stdout
                .chars()
                .filter(|c| c.is_ascii_alphanumeric())
                .collect();
            assert!(
                !leaks(&left, &TOKEN.replace('_', "")),
                "{odd:?} {at} {}",
                shown.stdout
            );
        }
    }
}

#[test]
fn a_setting_split_by_what_terminals_do_not_show_is_masked() {
    let setting = "DB_PASSWORD=q9sUujZcL9PBQu";
    for odd in [
        "X\x08",
        "XY\x08\x08",
        "X\x08\u{200b}",
        "\x1b]0;t\x1b[0m",
        "\x1b[\x07m",
        "\r",
        "\x1b[31m\r\x1b[K",
        "\u{200b}\r",
    ] {
        for at in 1..setting.len() {
            let text = format!("{}{odd}{}\n", &setting[..at], &setting[at..]);
            let shown = check(text.as_bytes(), b"", 10_000).stdout;
            assert!(!shown.contains("PBQu"), "{odd:?} {at} {shown}");
            assert!(
                shown.contains("[REDACTED:password]"),
                "{odd:?} {at} {shown}"
            );
        }
    }
}

#[test]
fn plain_text_after_a_mark_is_cut_byte_by_byte() {
    let text = format!("\u{feff}{}", "0123456789abcde\n".repeat(2_000));
    let shown = check(text.as_bytes(), b"", 5_000);
    assert!(shown.stdout.starts_with("<U+FEFF>0123"), "{}", shown.stdout);
    assert!(shown.stdout.len() > 4_900, "{}", shown.stdout.len());
}

#[test]
fn progress_after_a_carriage_return_stays() {
    for text in [
        "token: 10%\rtoken: 20%\rdone\n",
        "secret=unset\rpassword: 3 of 5\rpassword: 4 of 5\n",
        "key 1/20\rkey 2/20\rkey 3/20\rall keys read\n",
        "Password: \rLast login: Tue May 13\n",
    ] {
        let shown = check(text.as_bytes(), b"", 200);
        assert_eq!(shown.stdout, text.replace('\r', "\n"));
    }
}

#[test]
fn plugin_spans_mask_and_never_unmask() {
    let shown = with_plugin(
        "id 4711 of äö",
        &Fixed(vec![
            span(3, 7, "Customer_ID"),
            span(12, 13, "x"),
            span(5, 6, "y"),
        ]),
    );
    assert_eq!(shown.stdout, "id [REDACTED:customer-id] of [REDACTED:x]ö");
    let masked = "a [REDACTED:github-token] b";
    for (start, end) in [(2, 25), (3, 9), (5, 5)] {
        let shown = with_plugin(&format!("a {TOKEN} b"), &Fixed(vec![span(start, end, "p")]));
        assert_eq!(shown.stdout, masked);
    }
    let shown = with_plugin(&format!("a {TOKEN} b"), &Fixed(vec![span(0, 9, "p")]));
    assert_eq!(shown.stdout, "[REDACTED:p] b");
    let shown = with_plugin("abc", &Fixed(vec![span(1, 999, "!!")]));
    assert_eq!(shown.stdout, "a[REDACTED:plugin]");
}

#[test]
fn a_broken_redactor_withholds_both_streams() {
    let scrubbed = raw(b"fine", b"not fine", 100).cap(100).sanitise();
    let shown = scrubbed
        .redact(&Redactor::default(), &Failing, "web1", &[])
        .into_shown();
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("", ""));
    assert_eq!(shown.withheld.unwrap().1.code, "plugin_trap");
    assert_eq!((shown.stdout_bytes, shown.stderr_bytes), (4, 8));
}

#[test]
fn spans_without_sense_withhold() {
    let many = vec![span(0, 1, "x"); PLUGIN_SPANS_MAX + 1];
    let most = vec![span(0, 1, "x"); PLUGIN_SPANS_MAX];
    assert_eq!(with_plugin("abc", &Fixed(most)).stdout, "[REDACTED:x]bc");
    for spans in [many, vec![span(2, 1, "x")], vec![span(4, 5, "x")]] {
        let shown = with_plugin("abc", &Fixed(spans));
        assert_eq!(shown.stdout, "");
        assert_eq!(shown.withheld.unwrap().1.code, "plugin_output");
    }
}

#[test]
fn binary_output_is_one_line() {
    let shown = check(b"\x7fELF\0\0\0", b"text", 500);
    assert!(shown.stdout.starts_with("[binary output: 7 bytes, ELF"));
    assert_eq!(shown.stderr, "text");
    assert_eq!(shown.sanitised.get("binary"), Some(&1));
}

#[test]
fn counts_say_what_was_done() {
    let shown = check(
        format!("\x1b[31m{TOKEN}\x1b[0m\u{202e}").as_bytes(),
        b"PASSWORD=hunter22zz",
        500,
    );
    assert_eq!(shown.sanitised.get("ansi"), Some(&2));
    assert_eq!(shown.sanitised.get("bidi"), Some(&1));
    assert_eq!(shown.redactions.get("github-token"), Some(&1));
    assert_eq!(shown.redactions.get("password"), Some(&1));
}

#[test]
fn a_text_scrubbed_without_a_cap_is_as_output_is() {
    let text = format!("\x1b[1mkey\x1b[0m {TOKEN}\r\n{}", "é ".repeat(30_000));
    let shown = scrub_text(
        text.as_bytes(),
        &Redactor::default(),
        &NoScrubber,
        "web1",
        &[],
    );
    assert_eq!(shown.stdout, check(text.as_bytes(), b"", 1_000_000).stdout);
    assert!(!shown.truncated);
}

#[test]
fn the_worst_outputs_finish() {
    for unit in [
        "a\x1b",
        "\r",
        "ghp_",
        "\u{200b}x",
        "é\u{202e}",
        "secret=ab12ab12\r",
        "key=\r",
        "key=\x08",
    ] {
        let text = unit.repeat(524_288 / unit.len());
        let shown = check(text.as_bytes(), b"", 100_000);
        assert!(shown.truncated || shown.stdout.len() < text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shown_and_omitted_bytes_add_up(
        lines in proptest::collection::vec("[ -~]{0,60}|[é日x ]{0,9}", 0..200),
        repeat in 1usize..40,
        max in 0u64..5_000,
    ) {
        let text = lines.join("\n").replace(['[', ':', '='], ".").repeat(repeat);
        let text = text.replace('-', "+");
        let shown = check(text.as_bytes(), b"", max);
        prop_assume!(shown.redactions.is_empty());
        if shown.truncated && shown.stdout.contains("bytes omitted") {
            let (omitted, head, tail) = marker(&shown.stdout);
            // The line end before the marker is the text's own or was put there.
            let fits = |head: &str| text.starts_with(head) && omitted as usize + head.len() + tail.len() == text.len();
            prop_assert!(text.ends_with(tail));
            prop_assert!(fits(head) || head.strip_suffix('\n').is_some_and(fits));
        } else if shown.truncated {
            prop_assert!(text.starts_with(shown.stdout.as_str()));
        } else {
            prop_assert_eq!(shown.stdout, text);
        }
    }

    #[test]
    fn any_bytes_under_any_cap_are_shown_clean(
        stdout in proptest::collection::vec(any::<u8>(), 0..3_000),
        stderr in proptest::collection::vec(1u8..128, 0..3_000),
        max in 0u64..4_000,
    ) {
        let shown = check(&stdout, &stderr, max);
        for text in [&shown.stdout, &shown.stderr] {
            prop_assert_eq!(&crate::text::sanitise(text.as_bytes()).text, text.as_str());
        }
    }
}

#[test]
fn the_rows_behind_the_gap_are_masked_as_those_before_it() {
    for (head, row) in [
        ("host,user,password\n", "10.0.0.1,root,Calv1n-R4ck"),
        (
            "| host | user | password |\n|---|---|---|\n",
            "| h | root | Calv1n-R4ck",
        ),
    ] {
        let mut table = head.to_owned();
        for number in 0..20_000 {
            let end = if head.starts_with('|') { " |" } else { "" };
            table.push_str(&format!("{row}{}{end}\n", 10_000 + number));
        }
        let shown = check(table.as_bytes(), b"", 100_000);
        assert!(shown.truncated && shown.stdout.ends_with('\n'));
        assert!(!shown.stdout.contains("Calv1n"), "{head}");
        // What has nothing to do with the table stays as it is.
        let log = "a line, with 3 signs, and 12 words\n".repeat(20_000);
        assert!(
            !check((table + &log).as_bytes(), b"", 100_000).stdout[60_000..].contains("[REDACTED")
        );
    }
}
