//! A validator that attacks the gate in the way its settings name. It exists for the tests of the
//! fences: every attack must end in its own typed failure and leave the gate as it was.

#![allow(
    clippy::panic,
    clippy::empty_loop,
    unconditional_recursion,
    reason = "attacks are what this crate is for"
)]

use portcullis_plugin_sdk::log::{self, Level};
use portcullis_plugin_sdk::{Context, Validator, Verdict};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts calls; every call must find it at zero.
static CALLS: AtomicU32 = AtomicU32::new(0);

struct Attack;

impl Validator for Attack {
    fn validate(context: &Context) -> Result<Verdict, String> {
        let calls = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
        match context.settings.trim_matches('"') {
            "loop" => loop {
                black_box(());
            },
            "bomb" => {
                let mut blocks = Vec::new();
                loop {
                    blocks.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "recurse" => Ok(Verdict::objection("depth", &recurse(1).to_string())),
            "panic" => panic!("on purpose"),
            "huge-reason" => Ok(Verdict::objection("huge", &"x".repeat(5_000_000))),
            "long-reason" => Ok(Verdict::objection("long", &"ä".repeat(20_000))),
            "dirty-reason" => Ok(Verdict::objection(
                "Bad Code\u{1b}[31m",
                "red\u{1b}[31m\nline\u{202e}",
            )),
            "huge-log" => {
                log::emit(Level::Info, &"x".repeat(5_000_000));
                Ok(Verdict::NoObjection)
            }
            "flood" => {
                for line in 0..100_000_u32 {
                    log::emit(Level::Info, &format!("line {line} \u{1b}[31m"));
                }
                Ok(Verdict::NoObjection)
            }
            "outside" => Ok(Verdict::objection(
                "outside",
                &format!(
                    "{} variables, {} arguments, {:?}",
                    std::env::vars_os().count(),
                    std::env::args_os().count(),
                    std::time::SystemTime::UNIX_EPOCH.elapsed()
                ),
            )),
            "exit" => std::process::exit(0),
            "state" => Ok(Verdict::objection("calls", &calls.to_string())),
            "error" => Err("does not want to".to_owned()),
            "repeat" => {
                log::emit(Level::Warn, &format!("asked about {}", context.command));
                Err(context.command.clone())
            }
            "approve" => Ok(Verdict::RequireApproval("a human should look".to_owned())),
            "echo" => Ok(Verdict::objection("echo", &format!("{context:?}"))),
            _ => Ok(Verdict::NoObjection),
        }
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame.iter().sum::<u64>()
}

portcullis_plugin_sdk::validator!(Attack);
