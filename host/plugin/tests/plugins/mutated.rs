//! Components with changed bytes: each is refused with a cause or answers within its limits, and nothing worse happens.

use crate::guests::{by_hand, question, try_load, validator};
use portcullis_core::policy::Verdict;

/// Mutants of a run; a soak makes more.
const MUTANTS: u64 = 400;
const MUTANTS_SOAK: u64 = 60_000;

/// A sequence that the seed alone decides, so that a finding can be made again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % most
    }
}

fn mutant(seed: u64, whole: &[u8]) -> Vec<u8> {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut bytes = whole.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
            3 => {
                let end = (at + 1 + dice.below(16)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, part);
            }
            4 => {
                let end = (at + 1 + dice.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => bytes.truncate(at),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn mutants(count: u64) {
    let whole = by_hand(
        "(table 2 funcref) (elem (i32.const 0) $f) (func $f (result i32) (i32.const 0))",
        "(if (i32.eqz (memory.grow (i32.const 1))) (then unreachable)) (call_indirect (result i32) (i32.const 0))",
    );
    let (mut loaded, mut refused) = (0_u64, 0_u64);
    for seed in 1..=count {
        let bytes = mutant(seed, &whole);
        match try_load(vec![(validator("mutant", "{}"), bytes)]) {
            Ok(plugins) => {
                loaded += 1;
                let trial = plugins
                    .try_validator("mutant", &question(&["uptime"]))
                    .unwrap();
                assert!(trial.memory_bytes <= 33_554_432, "seed {seed}: {trial:?}");
                if let Err(failure) = &trial.result {
                    assert!(
                        failure.code.starts_with("plugin_"),
                        "seed {seed}: {failure:?}"
                    );
                }
                assert!(
                    !matches!(trial.result, Ok(Verdict::Failed(_))),
                    "seed {seed}"
                );
            }
            Err(faults) => {
                refused += 1;
                assert_eq!(faults.len(), 1, "seed {seed}");
                assert_eq!(faults[0].code, "plugin_load", "seed {seed}");
            }
        }
    }
    assert!(
        refused > 0 && loaded > 0,
        "{loaded} were loaded, {refused} refused"
    );
}

#[test]
fn a_component_with_changed_bytes_is_refused_or_fenced() {
    mutants(MUTANTS);
}

#[test]
fn soak_components_with_changed_bytes_are_refused_or_fenced() {
    if std::env::var_os("PORTCULLIS_SOAK").is_some() {
        mutants(MUTANTS_SOAK);
    }
}
