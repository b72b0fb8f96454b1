//! Every way in which a validator can misbehave ends in its own code, and the gate goes on.

use crate::guests::{by_hand, guest, load, question, validator};
use portcullis_core::config::PluginEntry;
use portcullis_core::policy::Verdict;
use portcullis_plugin::{
    BREAKER_FAILURES_MAX, BreakerState, FUEL_CEILING, LOG_BYTES_MAX, LOG_LINES_MAX, Plugins, Trial,
};
use std::sync::OnceLock;
use wasmparser::{Parser, Payload};

/// A validator whose answer at address 0 is `no-objection`.
const CALM: &str = "(i32.const 0)";

fn deadline(mut entry: PluginEntry) -> PluginEntry {
    // So much fuel that only the clock can end a loop.
    entry.limits.fuel = FUEL_CEILING;
    entry.limits.wall_ms = 50;
    entry
}

fn plugins() -> &'static Plugins {
    static PLUGINS: OnceLock<Plugins> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let hostile = guest("hostile-validator");
        let mut entries: Vec<(PluginEntry, Vec<u8>)> = [
            "calm", "loop", "bomb", "recurse", "panic", "huge-reason", "long-reason", "dirty-reason", "huge-log",
            "state", "error", "approve", "echo", "flood",
        ]
        .into_iter()
        .map(|attack| (validator(attack, &format!("\"{attack}\"")), hostile.clone()))
        .collect();
        entries.last_mut().unwrap().0.limits.fuel = 2_000_000_000;
        let mut clocked = deadline(validator("loop-clocked", "\"loop\""));
        clocked.limits.memory_bytes = 2 << 20;
        entries.push((clocked, hostile.clone()));
        let mut tight = validator("tight", "\"calm\"");
        tight.limits.memory_bytes = 65_536;
        entries.push((tight, hostile));

        let forever = "(func $forever (loop (br 0)))(start $forever)";
        entries.push((validator("start", "{}"), by_hand(forever, CALM)));
        entries.push((deadline(validator("start-clocked", "{}")), by_hand(forever, CALM)));
        let deep = "(func $deep (result i32) (i32.add (call $deep) (i32.const 1)))";
        entries.push((validator("deep", "{}"), by_hand(deep, "(call $deep)")));
        entries.push((
            validator("grow", "{}"),
            by_hand("", "(loop (drop (memory.grow (i32.const 16))) (br 0)) (unreachable)"),
        ));
        for (name, body) in [
            ("by-hand", CALM),
            ("far-pointer", "(i32.const 2147483640)"),
            ("odd-pointer", "(i32.const 1)"),
            ("no-such-verdict", "(i32.store8 (i32.const 4) (i32.const 9)) (i32.const 0)"),
            ("no-such-result", "(i32.store8 (i32.const 0) (i32.const 2)) (i32.const 0)"),
            (
                "not-utf8",
                "(i32.store8 (i32.const 4) (i32.const 2)) (i32.store (i32.const 8) (i32.const 64))
                 (i32.store (i32.const 12) (i32.const 1)) (i32.store8 (i32.const 64) (i32.const 255))
                 (i32.const 0)",
            ),
            (
                "long-pointer",
                "(i32.store8 (i32.const 4) (i32.const 2)) (i32.store (i32.const 8) (i32.const 64))
                 (i32.store (i32.const 12) (i32.const 1073741824)) (i32.const 0)",
            ),
        ] {
            entries.push((validator(name, "{}"), by_hand("", body)));
        }
        entries.push((validator("memories", "{}"), memories()));
        load(entries)
    })
}

/// A whole, well-formed validator with three more memories of 24 MiB: each within the limit of 32 MiB,
/// all together far over it.
pub(crate) fn memories() -> Vec<u8> {
    let mut bytes = by_hand("", CALM);
    let mut depth = 0;
    let mut modules = 0_u8;
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => {
                modules += u8::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            _ => {}
        }
    }
    let module = wat::parse_str("(module (memory 384))").unwrap();
    let size = u8::try_from(module.len()).unwrap();
    assert!(size < 128 && modules < 125, "one byte for each number");
    for at in 0..3 {
        // A section of one module, and a section of one instance of it without arguments.
        bytes.extend([1, size]);
        bytes.extend(&module);
        bytes.extend([2, 4, 1, 0, modules + at, 0]);
    }
    bytes
}

fn attack(name: &str) -> Trial<Verdict> {
    let trial = plugins()
        .try_validator(name, &question(&["uptime"]))
        .unwrap();
    // Whatever happened, the next call of a calm plugin is answered as ever.
    let calm = plugins()
        .try_validator("calm", &question(&["uptime"]))
        .unwrap();
    assert_eq!(calm.result, Ok(Verdict::NoObjection), "after {name}");
    trial
}

fn check(name: &str, code: &str) {
    let failure = attack(name).result.expect_err(name);
    assert_eq!(failure.code, code, "{name}: {}", failure.detail);
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    check("loop", "plugin_fuel");
}

#[test]
fn an_endless_loop_with_fuel_to_spare_meets_the_deadline() {
    check("loop-clocked", "plugin_timeout");
}

#[test]
fn a_loop_in_a_start_function_is_ended_as_well() {
    check("start", "plugin_fuel");
    check("start-clocked", "plugin_timeout");
}

#[test]
fn a_memory_bomb_meets_the_limit() {
    check("bomb", "plugin_memory");
    check("grow", "plugin_memory");
    check("tight", "plugin_memory");
}

#[test]
fn several_memories_are_one_limit() {
    check("memories", "plugin_memory");
}

#[test]
fn endless_recursion_traps() {
    check("recurse", "plugin_trap");
    check("deep", "plugin_trap");
}

#[test]
fn a_panic_traps() {
    check("panic", "plugin_trap");
}

#[test]
fn a_huge_reason_is_not_copied() {
    check("huge-reason", "plugin_output");
    check("huge-log", "plugin_output");
}

#[test]
fn an_answer_that_is_none_fails() {
    assert_eq!(attack("by-hand").result, Ok(Verdict::NoObjection));
    for name in [
        "far-pointer",
        "odd-pointer",
        "no-such-verdict",
        "no-such-result",
        "not-utf8",
        "long-pointer",
    ] {
        check(name, "plugin_output");
    }
}

#[test]
fn a_plugins_own_failure_is_told_apart() {
    let failure = attack("error").result.unwrap_err();
    assert_eq!(failure.code, "plugin_error");
    assert_eq!(failure.detail, "validate: does not want to");
}

#[test]
fn a_long_reason_is_cut_and_a_dirty_one_cleaned() {
    let Ok(Verdict::Objection { reason, .. }) = attack("long-reason").result else {
        panic!("expected an objection");
    };
    assert!(reason.len() <= 512 && reason.starts_with("ää"), "{reason}");
    assert_eq!(
        attack("dirty-reason").result,
        Ok(Verdict::Objection {
            code: "adode31m".to_owned(),
            reason: "red line".to_owned(),
        })
    );
}

#[test]
fn a_log_flood_is_cut_and_counted() {
    let trial = attack("flood");
    assert_eq!(trial.result, Ok(Verdict::NoObjection));
    assert_eq!(trial.lines.len(), LOG_LINES_MAX);
    assert_eq!(trial.lines_dropped, 100_000 - LOG_LINES_MAX as u64);
    assert!(
        trial
            .lines
            .iter()
            .map(|line| line.text.len())
            .sum::<usize>()
            <= LOG_BYTES_MAX
    );
    assert_eq!(trial.lines[1].text, "line 1 ");
}

#[test]
fn nothing_is_left_of_an_earlier_call() {
    for _ in 0..3 {
        let expected = Verdict::Objection {
            code: "calls".to_owned(),
            reason: "1".to_owned(),
        };
        assert_eq!(attack("state").result, Ok(expected));
    }
}

#[test]
fn a_call_reports_what_it_used() {
    let trial = attack("calm");
    assert!(trial.fuel > 0 && trial.fuel < 1_000_000, "{}", trial.fuel);
    assert!(trial.memory_bytes >= 65_536 && trial.memory_bytes <= 33_554_432);
    assert_eq!(
        trial.fuel,
        attack("calm").fuel,
        "the same call burns the same fuel"
    );
}

#[test]
fn a_plugin_that_fails_again_and_again_is_not_called_and_refuses() {
    let hostile = guest("hostile-validator");
    let plugins = load(vec![
        (validator("bad", "\"panic\""), hostile.clone()),
        (validator("good", "\"calm\""), hostile),
    ]);
    let codes = |question| -> Vec<String> {
        let opinions = plugins.ask(question).into_iter();
        opinions
            .map(|opinion| match opinion.verdict {
                Verdict::Failed(failure) => failure.code.to_owned(),
                other => format!("{other:?}"),
            })
            .collect()
    };
    let asked = question(&["uptime"]);
    for _ in 0..BREAKER_FAILURES_MAX {
        assert_eq!(codes(&asked), ["plugin_trap", "NoObjection"]);
    }
    assert_eq!(codes(&asked), ["plugin_breaker", "NoObjection"]);
    let told = plugins.breaker_notices();
    assert_eq!(told.len(), 1, "{told:?}");
    let opened = BreakerState::Open {
        failures: BREAKER_FAILURES_MAX,
        code: "plugin_trap",
    };
    assert_eq!(told[0].state, opened);
}

#[test]
fn more_callers_than_places_are_all_answered() {
    let callers: Vec<_> = (0..40)
        .map(|_| {
            std::thread::spawn(|| {
                let calm = plugins()
                    .try_validator("calm", &question(&["uptime"]))
                    .unwrap();
                calm.result
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().unwrap(), Ok(Verdict::NoObjection));
    }
}
