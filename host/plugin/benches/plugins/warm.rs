//! Starts with images that were compiled before: reading them, looking at their seals, linking.

use crate::peers::ns;
use crate::report::{Goal, Report, Times};
use crate::{SETTINGS, entry, guest, native};
use portcullis_core::config::{PluginEntry, PluginKind, PluginRuntime};
use portcullis_plugin::{
    Artifact, CompileFault, Compiler, IMAGE_KEY_BYTES, Image, ImageKey, Job, Plugins,
    compile_sealed,
};
use std::path::PathBuf;
use std::time::Instant;

/// Loads of each.
const RUNS: usize = 15;
/// The guests in Rust that are loaded together.
const NATIVE: [&str; 5] = [
    "path-guard",
    "change-window",
    "sql-read-only",
    "hostile-validator",
    "hostile-validator-wasip2",
];

/// Sealed images in files, compiled once.
struct Store {
    folder: tempfile::TempDir,
}

impl Store {
    fn key() -> ImageKey {
        ImageKey::new([7_u8; IMAGE_KEY_BYTES].into())
    }

    fn file(&self, job: &Job<'_>) -> PathBuf {
        self.folder.path().join(job.id())
    }
}

impl Compiler for Store {
    fn image(&self, job: &Job<'_>) -> Result<Image, CompileFault> {
        let file = self.file(job);
        if !file.exists() {
            let sealed = compile_sealed(job.reservation(), &Self::key(), job.bytes())?;
            std::fs::write(&file, sealed).unwrap();
        }
        let sealed = std::fs::read(&file).unwrap();
        Ok(job.open(&Self::key(), sealed).expect("the seal fits"))
    }
}

pub(crate) fn measure(report: &mut Report) {
    let store = Store {
        folder: tempfile::tempdir().unwrap(),
    };
    let entries = NATIVE.map(|name| (native(name, SETTINGS), guest(name)));
    let (first, times) = starts(&store, &entries);
    let each = times.p50() / 1e3 / entries.len() as f64;
    report.add(
        "the engine with its pool, and five plugins in Rust, p50",
        first.p50() / 1e3,
        "ms",
        Goal::None,
    );
    report.add(
        "a warm start of a plugin in Rust, p50",
        each,
        "ms",
        Goal::AtMost(0.3),
    );
    for (name, language) in [("path-guard-js", "JavaScript"), ("path-guard-py", "Python")] {
        let bytes = guest(name);
        let megabytes = bytes.len() as f64 / 1e6;
        let entry = entry(
            name,
            PluginKind::Validator,
            PluginRuntime::Interpreter,
            SETTINGS,
        );
        let (_, times) = starts(&store, &[(entry, bytes)]);
        let whole = times.p50() / 1e3;
        report.add(
            &format!("a warm start of a plugin in {language}, p50"),
            whole,
            "ms",
            Goal::None,
        );
        report.add(
            &format!("a warm start of a plugin in {language}, for each MB of its component"),
            whole / megabytes,
            "ms",
            Goal::AtMost(0.3),
        );
    }
}

/// Times of starts with an engine of their own, and in one that is there.
fn starts(store: &Store, entries: &[(PluginEntry, Vec<u8>)]) -> (Times, Times) {
    let artifacts = || {
        entries
            .iter()
            .cloned()
            .map(Artifact::from)
            .collect::<Vec<_>>()
    };
    let load = |before: Option<&Plugins>| {
        let artifacts = artifacts();
        let began = Instant::now();
        let plugins = Plugins::load(artifacts, store, before).unwrap();
        (ns(began), plugins)
    };
    let (mut first, mut later) = (Times::default(), Times::default());
    // The first one compiles.
    let (_, before) = load(None);
    for _ in 0..RUNS {
        first.extend([load(None).0]);
        later.extend([load(Some(&before)).0]);
    }
    (first, later)
}
