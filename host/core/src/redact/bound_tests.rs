//! What the worst inputs cost, counted in bytes that matchers looked at and not in time; and that a redactor
//! that cannot look shows nothing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use super::source::LOOKED_AT;
use super::*;

/// Most bytes that matchers look at for each byte of a text, whatever it is. Short names with signs are the dearest:
/// the value of each is read for 512 bytes, beyond the names behind it.
const LOOKS_MAX: u64 = 384;

/// Bytes looked at for one text.
fn looks(text: &str) -> u64 {
    LOOKED_AT.set(0);
    let spans = Redactor::default().find(text);
    assert!(spans.len() <= text.len());
    LOOKED_AT.get()
}

#[test]
fn matchers_look_at_each_byte_of_the_worst_inputs_so_many_times() {
    let fragments = names::FRAGMENTS.iter().map(|part| (*part).to_owned());
    let mut units: Vec<String> = fragments
        .flat_map(|part| {
            ["", " ", "_", "=", ": ", "\n", " x\n"].map(|sign| format!("{part}{sign}"))
        })
        .collect();
    let tokens = &catalog::shipped().tokens;
    units.extend(tokens.iter().map(|token| token.prefix.clone()));
    units.extend(encoded::forms().into_iter().map(|form| form.literal));
    units.extend(catalog::shipped().hashes.iter().cloned());
    units.extend(
        [
            "a",
            "QUJD",
            "eyJ",
            "eyJa.",
            "-",
            "-----BEGIN ",
            "BEGIN ",
            "-----END ",
            "a://",
            "://a:b",
            "://a:@",
            "https://example.com/a?b=c ",
            "\"",
            "\n",
            "$",
            "*0",
            "<U+200B>",
            "[REDACTED:x]",
            ":AA",
            "Q~",
            "@tcp(",
            "secret_",
            "token_key_secret password_auth\n",
            "the password of the token is a secret\n",
            "[0;31m",
            "DB_PASSWORD=q9sUujZcL9PBQu\n",
            "password 7 ",
            "login password ",
            "cookie: a=",
            "authorization: ",
            "pat=[",
            "tokens=[\"",
            "passwords: {a: \"b\", ",
            "passwords:\n  a: b\n",
            "passwords:\n secrets:\n  tokens:\n",
            "the token is:\n",
            "$ cat token\n",
            ":\\/\\/a@",
            "%3A%2F%2Fa%40",
        ]
        .map(str::to_owned),
    );
    let mut faults = Vec::new();
    for unit in units {
        let text = unit.repeat(32_768 / unit.len());
        let for_each = looks(&text) / text.len() as u64;
        if for_each > LOOKS_MAX {
            faults.push(format!("{unit:?}: {for_each}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn twice_the_text_costs_twice_the_looks() {
    for unit in [
        "password ",
        "eyJ",
        "AKIA",
        "a://",
        "$6$",
        "key: ",
        "-----BEGIN ",
        "QUJD",
    ] {
        let once = looks(&unit.repeat(131_072 / unit.len()));
        let twice = looks(&unit.repeat(262_144 / unit.len()));
        assert!(twice * 4 <= once * 9, "{unit:?}: {once}, {twice}");
    }
}

#[test]
fn a_redactor_whose_rules_cannot_be_read_shows_nothing() {
    let broken = catalog::read("tokens: 1");
    assert!(broken.fault.is_some());
    let redactor = Redactor {
        rules: Arc::new(Rules::over(&broken)),
        ..Redactor::default()
    };
    for text in [
        "a",
        "password=hunter22zz\nplain text\n",
        "a\n-----END PRIVATE KEY-----\n",
    ] {
        assert_eq!(redactor.mask(text).0, "[REDACTED:withheld]");
        for edge in [Edge::Whole, Edge::AfterGap] {
            let mut shown = String::new();
            let mut emit = |piece: Piece<'_>| match piece {
                Piece::Text(text) => shown.push_str(text),
                Piece::Mask(span) => shown.push_str(&span.mask()),
            };
            let mut stream = redactor.stream(edge);
            for at in 0..text.len() {
                stream.push(&text[at..=at], &[], &mut emit);
            }
            stream.finish(&mut emit);
            assert_eq!(shown, "[REDACTED:withheld]");
        }
    }
    assert_eq!(Redactor::default().mask("a").0, "a");
}

#[test]
fn a_line_of_password_readers_finds_each_word_once() {
    let line = format!("echo {}{}\n", "abc ".repeat(200), "-S ".repeat(200));
    let rules = Rules::default();
    let found = rules.scan(&line, Depth::All);
    assert_eq!(found.len(), 200);
}
