//! Starts with images that were compiled before: reading them, looking at their seals, linking. Times are the thread's on a
//! processor. What an interpreter's start reads is its component and its image; both have to be looked at whole, the one
//! against its pin, the other against its seal.

use crate::report::{Goal, Report, Times};
use crate::{SETTINGS, entry, guest, native, on_processor};
use portcullis_core::config::{PluginEntry, PluginKind, PluginRuntime};
use portcullis_core::request::sha256_hex;
use portcullis_plugin::{
    Artifact, CompileFault, Compiler, IMAGE_KEY_BYTES, Image, ImageKey, Job, Plugins,
    compile_sealed,
};
use std::path::PathBuf;

/// Samples of each.
const RUNS: usize = 15;
/// Loads of one sample: the clock of a thread's time on a processor steps by milliseconds.
const LOADS: usize = 12;
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

    fn megabytes(&self) -> f64 {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len() as f64 / 1e6)
            .sum()
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
        Ok(self.stored(job).expect("the seal fits"))
    }

    fn stored(&self, job: &Job<'_>) -> Option<Image> {
        let mut sealed = std::fs::File::open(self.file(job)).ok()?;
        let length = sealed.metadata().unwrap().len();
        job.open_file(&Self::key(), &mut sealed, length).unwrap()
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
        let entry = entry(
            name,
            PluginKind::Validator,
            PluginRuntime::Interpreter,
            SETTINGS,
        );
        let component = bytes.len() as f64 / 1e6;
        let before = store.megabytes();
        let (_, times) = starts(&store, &[(entry, bytes)]);
        let (whole, read) = (times.p50() / 1e3, component + store.megabytes() - before);
        let name = format!("a warm start of a plugin in {language}");
        let each = |of: &str| format!("{name}, for each MB of {of}");
        report.add(&format!("{name}, p50"), whole, "ms", Goal::None);
        report.add(&each("its component"), whole / component, "ms", Goal::None);
        report.add(&each("what is read"), whole / read, "ms", Goal::AtMost(0.3));
    }
}

/// Times of starts with an engine of their own, and in one that is there.
fn starts(store: &Store, entries: &[(PluginEntry, Vec<u8>)]) -> (Times, Times) {
    let artifacts = || {
        let pinned = entries.iter().cloned().map(|(mut entry, bytes)| {
            entry.sha256 = Some(sha256_hex(&bytes));
            Artifact::from((entry, bytes))
        });
        pinned.collect::<Vec<_>>()
    };
    let load = |before: Option<&Plugins>| {
        let (all, mut loaded) = ([(); LOADS].map(|()| artifacts()), Vec::new());
        let began = on_processor();
        for artifacts in all {
            loaded.push(Plugins::load(artifacts, store, before).unwrap());
            // Two engines with their pools are no more than one start has.
            if before.is_none() {
                loaded.clear();
            }
        }
        ((on_processor() - began) * 1e9) as u64 / LOADS as u64
    };
    let (mut first, mut later) = (Times::default(), Times::default());
    // The first one compiles.
    let before = Plugins::load(artifacts(), store, None).unwrap();
    for _ in 0..RUNS {
        first.extend([load(None)]);
        later.extend([load(Some(&before))]);
    }
    (first, later)
}
