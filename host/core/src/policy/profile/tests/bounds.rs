//! Claims about any input: no panic, and work that grows with the input only.

use crate::config::shipped_profiles;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Texts that mean something to some profile, so that random commands get somewhere.
const BITS: &[&str] = &[
    "-", "--", "-n", "-e", "-x", "-f", "--output", "--out=", "=", "/etc/", "shadow", "/", "..",
    "*", "[", "]", "?", ":", "{print", "}", "\"", "|", ">", "s/", "e", "w ", "select ", ";", "\\",
    "(", "$", "é", "1", "get", "log", "config", "xzf", "+", "@", "~", "`",
];

fn uses_of(line: &str) -> usize {
    let Ok(script) = crate::shell::parse(line) else {
        return 0;
    };
    let profiles = shipped_profiles().unwrap();
    script
        .leaves()
        .iter()
        .filter_map(|leaf| profiles.uses(&leaf.words))
        .map(|uses| uses.needs.len())
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_command_makes_it_panic(words in prop::collection::vec(prop::collection::vec(0..BITS.len(), 1..6), 0..6)) {
        let text: Vec<String> = words
            .iter()
            .map(|bits| bits.iter().map(|bit| BITS[*bit]).collect::<String>().replace('\'', ""))
            .collect();
        let quoted = text.iter().map(|word| format!(" '{word}'")).collect::<String>();
        let profiles = shipped_profiles().unwrap();
        for program in profiles.programs() {
            uses_of(&format!("{program}{quoted}"));
        }
        uses_of(&format!("cat {}", text.join(" ")));
        uses_of(&format!("find {}", text.join(" ")));
    }

    #[test]
    fn no_program_text_makes_it_panic(text in "[ -~\n]{0,60}") {
        let text = text.replace('\'', "");
        for program in ["awk", "sed", "jq", "psql -c", "mysql -e", "sqlite3 x", "mongosh --eval"] {
            uses_of(&format!("{program} '{text}'"));
        }
    }
}

#[test]
fn the_longest_commands_take_bounded_time() {
    // A debug build is slow; what is looked for is work that grows with the square of the input.
    const ALLOWED: Duration = Duration::from_millis(250);
    let bits = [
        "a*",
        "*a",
        "/etc/*",
        "*/",
        "a",
        "-x",
        "-n ",
        "--",
        "--o ",
        "../",
        "'s/a/b/;'",
        "\"",
        "x=",
        "[a]",
        "?",
        "/",
        "log ",
        "{",
        "'a'\\''b'",
    ];
    let programs = [
        "cat ",
        "find ",
        "grep -r ",
        "tar c",
        "awk ",
        "sed ",
        "sed 's/",
        "awk '",
        "jq '",
        "psql -c '",
        "mysql -e '",
        "git log ",
        "openssl x509 ",
        "mongosh --eval '",
        "redis-cli ",
        "dd ",
        "sqlite3 x '",
        "cat /etc/",
        "sort ",
    ];
    for program in programs {
        for bit in bits {
            let mut line = format!("{program}{}", bit.repeat(9_000 / bit.len()));
            if program.ends_with('\'') {
                line.push('\'');
            }
            if crate::shell::parse(&line).is_err() {
                continue;
            }
            let start = Instant::now();
            uses_of(&line);
            let took = start.elapsed();
            assert!(took < ALLOWED, "{program}{bit}...: {took:?}");
        }
    }
}
