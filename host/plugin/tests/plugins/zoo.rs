//! The zoo: every hostile guest ends as the table in SECURITY.md says, the gate answers as ever afterwards, and what the
//! guests took of memory comes back.

use crate::guests::{around, by_hand, guest, load, question, redactor, try_load, validator};
use portcullis_core::config::{PluginEntry, PluginSignature};
use portcullis_core::output::{Context, Stream, scrub_text};
use portcullis_core::policy::Verdict;
use portcullis_core::redact::Redactor;
use portcullis_core::request::Alias;
use portcullis_plugin::{CHUNK_BYTES_MAX, FUEL_CEILING, LOG_LINES_MAX};
use std::collections::BTreeMap;
use std::path::Path;

/// How often the whole zoo is let in, for the question of memory.
const ROUNDS: usize = 3;
/// How much larger the process may be after the last round than after the first, in bytes: a guest may touch 32 MiB
/// and the allocator of the test keeps some of what it had.
const GROWTH_BYTES_MAX: u64 = 48 * 1_048_576;

enum Animal {
    /// Not let in.
    Refused(PluginEntry, Vec<u8>),
    /// Asked about a command.
    Judge(PluginEntry, Vec<u8>),
    /// Given a text.
    Find(PluginEntry, Vec<u8>, String),
}

fn long() -> String {
    "x".repeat(CHUNK_BYTES_MAX * 2 + 10)
}

/// Every guest by its name in the table.
fn zoo() -> Vec<(&'static str, Animal)> {
    let mut zoo = refused();
    zoo.extend(judges());
    zoo.extend(finders());
    zoo
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn refused() -> Vec<(&'static str, Animal)> {
    let calm = || by_hand("", "(i32.const 0)");
    let plain = |bytes| Animal::Refused(validator("subject", "{}"), bytes);
    let importing = |name: &str| {
        plain(component(&format!(
            "(component (import \"{name}\" (instance)))"
        )))
    };
    let with = |change: fn(&mut PluginEntry)| {
        let mut entry = validator("subject", "{}");
        change(&mut entry);
        Animal::Refused(entry, calm())
    };
    let inside = |module: &str| plain(component(&format!("(component (core module {module}))")));
    let mut truncated = calm();
    truncated.truncate(truncated.len() - 1);
    let huge_memory = r#"(module (memory (export "memory") 8192)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "portcullis:plugin/validator@0.1.0#validate")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0)))"#;
    vec![
        ("core-module", plain(component("(module)"))),
        ("truncated", plain(truncated)),
        ("imports-files", importing("wasi:filesystem/types@0.2.6")),
        ("imports-sockets", importing("wasi:sockets/tcp@0.2.6")),
        (
            "imports-http",
            importing("wasi:http/outgoing-handler@0.2.6"),
        ),
        ("imports-unknown", importing("someone:else/thing@1.0.0")),
        (
            "imports-function",
            plain(component(r#"(component (import "run" (func)))"#)),
        ),
        (
            "imports-wasi",
            Animal::Refused(
                validator("subject", "{}"),
                guest("hostile-validator-wasip2"),
            ),
        ),
        ("another-version", importing("portcullis:plugin/log@0.2.0")),
        (
            "wrong-world",
            Animal::Refused(redactor("subject", "{}"), calm()),
        ),
        ("threads", inside("(memory 1 1 shared)")),
        ("memory64", inside("(memory i64 1)")),
        ("garbage-collection", inside("(type (struct))")),
        ("exceptions", inside("(tag)")),
        (
            "huge-memory",
            plain(around("validator-plugin", huge_memory)),
        ),
        ("too-large", with(|entry| entry.limits.component_bytes = 10)),
        (
            "other-bytes",
            with(|entry| entry.sha256 = Some("0".repeat(64))),
        ),
        (
            "unsigned",
            with(|entry| {
                entry.signature = Some(PluginSignature {
                    path: "x.minisig".to_owned(),
                    public_key: "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
                        .to_owned(),
                });
            }),
        ),
    ]
}

fn judges() -> Vec<(&'static str, Animal)> {
    let hostile = guest("hostile-validator");
    let built = |attack: &'static str| {
        let settings = format!("\"{attack}\"");
        Animal::Judge(validator(attack, &settings), hostile.clone())
    };
    let hand =
        |fields: &str, body: &str| Animal::Judge(validator("hand", "{}"), by_hand(fields, body));
    let clocked = |animal| match animal {
        Animal::Judge(mut entry, bytes) => {
            // So much fuel that only the clock can end a loop.
            entry.limits.fuel = FUEL_CEILING;
            entry.limits.wall_ms = 50;
            Animal::Judge(entry, bytes)
        }
        other => other,
    };
    let fuelled = |animal| match animal {
        Animal::Judge(mut entry, bytes) => {
            entry.limits.fuel = 2_000_000_000;
            Animal::Judge(entry, bytes)
        }
        other => other,
    };
    let calm = "(i32.const 0)";
    let forever = "(func $forever (loop (br 0)))(start $forever)";
    let deep = "(func $deep (result i32) (i32.add (call $deep) (i32.const 1)))";
    let fill = "(loop (memory.fill (i32.const 65536) (i32.const 1) (i32.const 65536)) (br 0)) (unreachable)";
    let table = "(table $t 1 funcref)";
    let grow =
        "(loop (drop (table.grow $t (ref.null func) (i32.const 50000))) (br 0)) (unreachable)";
    vec![
        ("loop", built("loop")),
        ("loop-with-fuel", clocked(built("loop"))),
        ("start-loop", hand(forever, calm)),
        ("start-loop-with-fuel", clocked(hand(forever, calm))),
        ("fill", hand("", fill)),
        ("bomb", built("bomb")),
        (
            "memories",
            Animal::Judge(validator("memories", "{}"), crate::attacks::memories()),
        ),
        ("tables", hand(table, grow)),
        ("recursion", built("recurse")),
        ("deep-calls", hand(deep, "(call $deep)")),
        ("panic", built("panic")),
        ("huge-reason", built("huge-reason")),
        ("huge-log", built("huge-log")),
        ("log-flood", fuelled(built("flood"))),
        ("far-pointer", hand("", "(i32.const 2147483640)")),
        ("odd-pointer", hand("", "(i32.const 1)")),
        (
            "no-such-verdict",
            hand("", "(i32.store8 (i32.const 4) (i32.const 9)) (i32.const 0)"),
        ),
        (
            "long-text",
            hand(
                "",
                "(i32.store8 (i32.const 4) (i32.const 2)) (i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const 1073741824)) (i32.const 0)",
            ),
        ),
        ("own-error", built("error")),
        ("keeps-state", built("state")),
        ("dirty-text", built("dirty-reason")),
    ]
}

fn finders() -> Vec<(&'static str, Animal)> {
    let hostile = guest("hostile-redactor");
    let with = |attack: &str, text: &str| {
        let settings = format!("\"{attack}\"");
        Animal::Find(
            redactor("subject", &settings),
            hostile.clone(),
            text.to_owned(),
        )
    };
    vec![
        ("span-beyond", with("beyond", "some text")),
        ("span-overflow", with("overflow", "some text")),
        ("span-empty", with("empty", "some text")),
        ("span-of-released", with("released", &long())),
        ("mark-backwards", with("backwards", &long())),
        ("mark-ahead", with("ahead", "some text")),
        ("holds-back", with("lag", &long())),
        ("holds-back-the-end", with("withhold-end", "some text")),
        ("too-many-spans", with("many", "some text")),
        (
            "span-flood",
            with("flood", &"x".repeat(CHUNK_BYTES_MAX * 22)),
        ),
        ("spans-overlap", with("overlap", "0123456789")),
        ("span-half-character", with("half", "äöü")),
        ("redactor-loop", with("loop", "text")),
        ("redactor-panic", with("panic", "text")),
    ]
}

/// How a guest ends, as the table's word.
fn end(animal: Animal) -> String {
    match animal {
        Animal::Refused(entry, bytes) => {
            let faults = try_load(vec![(entry, bytes)]).expect_err("it was let in");
            assert!(!faults[0].hint.is_empty(), "{faults:?}");
            faults[0].cause.as_str().to_owned()
        }
        Animal::Judge(entry, bytes) => {
            let name = entry.name.clone();
            let plugins = load(vec![(entry, bytes)]);
            let asked = question(&["uptime"]);
            let first = plugins.try_validator(&name, &asked).unwrap();
            let again = plugins.try_validator(&name, &asked).unwrap();
            assert_eq!(
                first.result.as_ref().map_err(|failure| failure.code),
                again.result.as_ref().map_err(|failure| failure.code),
                "{name}: an answer that depends on an earlier call"
            );
            match first.result {
                Err(failure) => failure.code.to_owned(),
                Ok(_) if first.lines_dropped > 0 => {
                    assert_eq!(first.lines.len(), LOG_LINES_MAX);
                    "cut".to_owned()
                }
                Ok(Verdict::Objection { code, reason }) => {
                    let clean =
                        |text: &str| !text.contains(|c: char| c.is_control() || c == '\u{202e}');
                    assert!(clean(&code) && clean(&reason), "{code} {reason}");
                    "objection".to_owned()
                }
                Ok(other) => format!("{other:?}"),
            }
        }
        Animal::Find(entry, bytes, text) => {
            let plugins = load(vec![(entry, bytes)]);
            let context = Context {
                alias: "web1",
                tags: &[],
                stream: Stream::Stdout,
            };
            match plugins
                .try_redactor("subject", &context, &text)
                .unwrap()
                .result
            {
                Err(failure) => failure.code.to_owned(),
                Ok(_) => {
                    // Whole characters are masked, never half of one, and nothing else is changed.
                    let alias = Alias::parse("web1").unwrap();
                    let shown = scrub_text(
                        text.as_bytes(),
                        &Redactor::default(),
                        &plugins,
                        alias.as_str(),
                        &[],
                    );
                    assert!(shown.withheld.is_none(), "{shown:?}");
                    "masked".to_owned()
                }
            }
        }
    }
}

/// The rows of the table: guest and end.
fn table() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let table = text
        .split("<!-- zoo -->")
        .nth(1)
        .expect("the table between its marks");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let word = |cell: &str| cell.trim_matches('`').to_owned();
        (word(cells[1]), word(cells[3]))
    })
    .collect()
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1_024
}

#[test]
fn every_hostile_guest_ends_as_the_table_says() {
    let mut table = table();
    for (name, animal) in zoo() {
        let expected = table
            .remove(name)
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(end(animal), expected, "{name}");
        // Whatever it did, the next guest is answered as ever.
        let calm = load(vec![(
            validator("calm", "{}"),
            by_hand("", "(i32.const 0)"),
        )]);
        let trial = calm.try_validator("calm", &question(&["uptime"])).unwrap();
        assert_eq!(trial.result, Ok(Verdict::NoObjection), "after {name}");
    }
    assert!(table.is_empty(), "rows without a guest: {table:?}");
}

#[test]
fn what_hostile_guests_took_of_memory_comes_back() {
    let greedy = || {
        let hostile = guest("hostile-validator");
        let entries = ["bomb", "huge-reason", "huge-log", "flood"];
        let entries = entries.map(|it| (validator(it, &format!("\"{it}\"")), hostile.clone()));
        let plugins = load(entries.to_vec());
        for name in ["bomb", "huge-reason", "huge-log", "flood"] {
            for _ in 0..10 {
                let _ = plugins.try_validator(name, &question(&["uptime"])).unwrap();
            }
        }
    };
    greedy();
    let first = resident_bytes();
    for _ in 0..ROUNDS {
        greedy();
    }
    let last = resident_bytes();
    assert!(
        last <= first + GROWTH_BYTES_MAX,
        "{first} bytes after the first round, {last} after {ROUNDS} more"
    );
}
