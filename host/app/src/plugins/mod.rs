//! From entries of the configuration to loaded plugins: their files are read, compiled in a process of its own
//! under limits or found among the images of earlier times, linked, and held against their test vectors.
//!
//! * `child`: one compilation under limits
//! * `images`: machine code of earlier times, sealed
//!
//! Must not: run machine code that was not sealed here, or keep a set of which one part fails.

pub(crate) mod child;
mod images;

use crate::events::Watch;
use crate::files::{Dirs, FileFault};
use images::Images;
use portcullis_core::config::{self, ConfigFault, PluginEntry, Vectors};
use portcullis_plugin::{
    Artifact, CompileFault, Compiler, Image, Job, LoadFault as PluginLoadFault, Plugins,
};

/// Largest file of a signature, in bytes; the form has some 400.
pub(crate) const SIGNATURE_BYTES_MAX: u64 = 4_096;
/// Largest file of test vectors, in bytes.
pub(crate) const VECTORS_BYTES_MAX: u64 = 1_048_576;

/// Why plugins are not loaded.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A file cannot be read.
    File(FileFault),
    /// Test vectors are none.
    Vectors(Vec<ConfigFault>),
    /// Plugins are refused or broken.
    Plugins(Vec<PluginLoadFault>),
}

/// Everything that is read for plugins, before the first is compiled.
pub(crate) struct Gathered {
    artifacts: Vec<Artifact>,
    vectors: Vec<(String, Vectors)>,
    workshop: Workshop,
}

/// Reads the files of all entries.
pub(crate) fn gather(
    dirs: &Dirs,
    watch: &Watch,
    entries: &[PluginEntry],
) -> Result<Gathered, Fault> {
    let (mut artifacts, mut vectors) = (Vec::new(), Vec::new());
    for entry in entries {
        let read = |path: &str, bytes_max| {
            watch
                .pass(dirs.plugin(path, bytes_max))
                .map_err(Fault::File)
        };
        let text = |path: &str, bytes_max| {
            let bytes = read(path, bytes_max)?;
            Ok::<_, Fault>(String::from_utf8_lossy(&bytes).into_owned())
        };
        let bytes = read(&entry.path, entry.limits.component_bytes)?;
        let signature = match &entry.signature {
            Some(signature) => Some(text(&signature.path, SIGNATURE_BYTES_MAX)?),
            None => None,
        };
        if let Some(path) = &entry.vectors {
            let read = config::vectors(&text(path, VECTORS_BYTES_MAX)?);
            let read = read.map_err(|faults| Fault::Vectors(in_file(path, faults)))?;
            vectors.push((entry.name.clone(), read));
        }
        artifacts.push(Artifact {
            entry: entry.clone(),
            bytes,
            signature,
        });
    }
    Ok(Gathered {
        workshop: match artifacts.is_empty() {
            true => Workshop { images: None },
            false => Workshop::open(dirs),
        },
        artifacts,
        vectors,
    })
}

/// Says of faults in vectors which file they are in.
fn in_file(path: &str, mut faults: Vec<ConfigFault>) -> Vec<ConfigFault> {
    for fault in &mut faults {
        fault.message = format!("{path}: {}", fault.message);
    }
    faults
}

impl Gathered {
    /// Compiles, links and tests. It takes long and must not hold up the server.
    pub(crate) fn load(self, before: Option<&Plugins>) -> Result<Plugins, Fault> {
        let plugins =
            Plugins::load(self.artifacts, &self.workshop, before).map_err(Fault::Plugins)?;
        let tested = self.vectors.iter();
        let failed = tested.filter_map(|(name, vectors)| plugins.self_test(name, vectors).err());
        let failed: Vec<PluginLoadFault> = failed.collect();
        if failed.is_empty() {
            Ok(plugins)
        } else {
            Err(Fault::Plugins(failed))
        }
    }
}

/// Compiles in a child process, and remembers.
pub(crate) struct Workshop {
    images: Option<Images>,
}

impl Workshop {
    /// With the images in the state directory, where this user has one already.
    pub(crate) fn open(dirs: &Dirs) -> Self {
        let images = dirs.state_of_ours().map(|state| Images::open(&state));
        let images = images.and_then(|opened| {
            opened
                .inspect_err(|fault| {
                    tracing::warn!(%fault, "plugins: compiled anew at every start");
                })
                .ok()
        });
        Self { images }
    }

    /// Without images: every compilation is new.
    pub(crate) fn forgetful() -> Self {
        Self { images: None }
    }
}

impl Compiler for Workshop {
    fn image(&self, job: &Job<'_>) -> Result<Image, CompileFault> {
        let Some(images) = &self.images else {
            return child::compile(job);
        };
        if let Some(image) = images.find(job) {
            return Ok(image);
        }
        let image = child::compile(job)?;
        if let Err(fault) = images.keep(job, &image) {
            tracing::warn!(%fault, "plugins: an image cannot be kept");
        }
        Ok(image)
    }

    fn validate(&self, bytes: &[u8]) -> Result<(), CompileFault> {
        child::validate(bytes)
    }

    fn stored(&self, job: &Job<'_>) -> Option<Image> {
        self.images.as_ref().and_then(|images| images.find(job))
    }
}
