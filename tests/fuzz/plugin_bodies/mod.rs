//! What is held of every sequence of bytes that is given as a plugin: it is refused with a cause, or it runs within its
//! limits and answers with what the interface has. As a plain function, so that a test can replay a corpus without the fuzzer.
//!
//! Must not: measure time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken law is reported by a panic"
)]

use portcullis_core::config::{PluginEntry, PluginKind, PluginLimits, PluginMode, PluginRuntime};
use portcullis_core::output::{Context, Stream};
use portcullis_core::policy::Verdict;
use portcullis_plugin::{
    Artifact, ImportClass, InProcess, Leaf, LoadCause, Plugins, Question, Standing, check, inspect,
};
use std::sync::Mutex;

/// Longest input that is looked at, in bytes.
const INPUT_BYTES_MAX: usize = 65_536;
/// Tight, so that a guest that does not end costs little.
const LIMITS: PluginLimits = PluginLimits {
    wall_ms: 200,
    fuel: 2_000_000,
    memory_bytes: 4_194_304,
    component_bytes: 65_536,
};
/// A text for redactors.
const TEXT: &str = "see OPS-1234 and caf\u{e9}\nline two\n";

fn entry(kind: PluginKind, wasi_inert: bool) -> PluginEntry {
    PluginEntry {
        name: "mutant".to_owned(),
        kind,
        path: "mutant.wasm".to_owned(),
        sha256: None,
        signature: None,
        vectors: None,
        runtime: PluginRuntime::Native,
        mode: PluginMode::Enforce,
        wasi_inert,
        limits: LIMITS,
        settings: "{}".to_owned(),
    }
}

/// A component, or what is left of one.
pub(crate) fn component(data: &[u8]) {
    let bytes = data.get(..INPUT_BYTES_MAX).unwrap_or(data);
    let inspection = inspect(bytes);
    if let Ok(seen) = &inspection {
        let plain = |name: &String| name.chars().all(|c| !c.is_control());
        assert!(seen.imports.iter().all(|it| plain(&it.name)) && seen.exports.iter().all(plain));
        let refused = seen
            .imports
            .iter()
            .any(|it| it.class == ImportClass::Refused);
        assert!(!refused || seen.standing == Standing::Refused, "{seen:?}");
    }
    for kind in [PluginKind::Validator, PluginKind::Redactor] {
        for wasi_inert in [false, true] {
            let entry = entry(kind, wasi_inert);
            let checked = check(&entry, bytes);
            if let (Ok(seen), Ok(whole)) = (&checked, &inspection) {
                assert!(
                    seen == whole
                        && seen.standing != Standing::Refused
                        && seen.kinds.contains(&kind)
                );
                assert!(wasi_inert || seen.standing == Standing::Strict);
            }
            match (load(entry, bytes), checked) {
                (Some(plugins), Ok(_)) => ask(&plugins, kind),
                (Some(_), Err(fault)) => panic!("loaded in spite of {fault:?}"),
                (None, _) => {}
            }
        }
    }
}

/// Loads it into the engine that is there, or sees that it was refused in order.
fn load(entry: PluginEntry, bytes: &[u8]) -> Option<Plugins> {
    // The engine of the newest set that was loaded: to reserve one for each input takes longest of all.
    static BEFORE: Mutex<Option<Plugins>> = Mutex::new(None);
    let mut before = BEFORE.lock().unwrap();
    let artifact = |kind| {
        Artifact::from((
            PluginEntry {
                name: "kept".to_owned(),
                ..self::entry(kind, true)
            },
            SEED.to_vec(),
        ))
    };
    if before.is_none() {
        let kept = Plugins::load(vec![artifact(PluginKind::Validator)], &InProcess, None);
        *before = Some(kept.unwrap_or_else(|faults| panic!("{faults:?}")));
    }
    match Plugins::load(
        vec![Artifact::from((entry, bytes.to_vec()))],
        &InProcess,
        before.as_ref(),
    ) {
        Ok(plugins) => Some(plugins),
        Err(faults) => {
            assert_eq!(faults.len(), 1, "{faults:?}");
            let fault = &faults[0];
            assert!(
                fault.code == "plugin_load" && fault.plugin == "mutant",
                "{fault:?}"
            );
            assert!(fault.detail.chars().all(|c| !c.is_control()), "{fault:?}");
            // Nothing that is read from bytes can be a fault of the engine or of the compiler's process.
            assert!(
                !matches!(fault.cause, LoadCause::Engine | LoadCause::Compiler),
                "{fault:?}"
            );
            None
        }
    }
}

/// A validator that is small and sound.
const SEED: &[u8] = include_bytes!("../corpus/component/validator");

fn ask(plugins: &Plugins, kind: PluginKind) {
    match kind {
        PluginKind::Validator => {
            let question = Question {
                alias: "web1".to_owned(),
                command: "uptime -p".to_owned(),
                leaves: vec![Leaf {
                    argv: vec!["uptime".to_owned(), "-p".to_owned()],
                    canonical: "uptime -p".to_owned(),
                    ..Leaf::default()
                }],
                ..Question::default()
            };
            let trial = plugins.try_validator("mutant", &question).unwrap();
            assert!(trial.memory_bytes <= LIMITS.memory_bytes, "{trial:?}");
            match trial.result {
                Ok(Verdict::Failed(failure)) => panic!("{failure:?}"),
                Ok(_) => {}
                Err(failure) => assert!(failure.code.starts_with("plugin_"), "{failure:?}"),
            }
        }
        PluginKind::Redactor => {
            let context = Context {
                alias: "web1",
                tags: &[],
                stream: Stream::Stdout,
            };
            let trial = plugins.try_redactor("mutant", &context, TEXT).unwrap();
            assert!(trial.memory_bytes <= LIMITS.memory_bytes, "{trial:?}");
            match trial.result {
                Ok(spans) => {
                    let sound = spans
                        .iter()
                        .all(|span| span.start < span.end && span.end <= TEXT.len());
                    assert!(sound, "{spans:?}");
                }
                Err(failure) => assert!(failure.code.starts_with("plugin_"), "{failure:?}"),
            }
        }
    }
}
