//! A plugin of Extism, to be called beside one of the gate's: takes a question on the first line of its input, then
//! `fresh N` or `reused N`, and answers each with a line of N times in nanoseconds.
//!
//! Both kinds have what the gate has: a limit on memory and a deadline. `fresh` makes an instance of a compiled plugin for each
//! call, which is as fresh as Extism gets without compiling anew.

use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// Most memory, in pages of 64 KiB: 32 MiB.
const PAGES_MAX: u32 = 512;
const DEADLINE: Duration = Duration::from_millis(100);
/// What every answer has in it.
const EXPECTED: &str = "path_forbidden";

fn main() -> Result<(), Box<dyn Error>> {
    let guest = std::env::args_os()
        .nth(1)
        .ok_or("expected the guest's file")?;
    let manifest = Manifest::new([Wasm::data(std::fs::read(guest)?)])
        .with_memory_max(PAGES_MAX)
        .with_timeout(DEADLINE);
    let compiled = CompiledPlugin::new(PluginBuilder::new(manifest).with_wasi(false))?;
    let mut kept = Plugin::new_from_compiled(&compiled)?;
    let mut lines = std::io::stdin().lock().lines();
    let question = lines.next().ok_or("expected a question")??;
    for line in lines {
        let line = line?;
        let Some((kind, count)) = line.split_once(' ') else {
            break;
        };
        let mut times = Vec::new();
        for _ in 0..count.parse::<usize>()? {
            let began = Instant::now();
            let answer = match kind {
                "fresh" => {
                    let mut plugin = Plugin::new_from_compiled(&compiled)?;
                    plugin.call::<&str, String>("validate", &question)?
                }
                _ => kept.call::<&str, String>("validate", &question)?,
            };
            times.push(began.elapsed().as_nanos().to_string());
            if !answer.contains(EXPECTED) {
                return Err(answer.into());
            }
        }
        println!("[{}]", times.join(","));
        std::io::stdout().flush()?;
    }
    Ok(())
}
