//! From entries and bytes to a loaded set: checked, compiled, linked.
//!
//! Must not: read files, or keep a set of which one part could not be loaded.

use crate::adapters::{self, World};
use crate::breaker::{Breaker, BreakerNotice};
use crate::compile::{self, CompileFault, Compiler, Image, Job};
use crate::engine::{Machine, Shape};
use crate::fence::Fence;
use crate::inspect::{Inspection, LoadCause, LoadFault, check_with, invalid};
use crate::{
    COMPONENT_BYTES_CEILING, FUEL_CEILING, MEMORY_BYTES_CEILING, WALL_MS_CEILING, check_signature,
    inert,
};
use portcullis_core::config::{PluginEntry, PluginKind, PluginLimits, PluginRuntime};
use portcullis_core::policy::PluginFailure;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::{Component, Linker};

/// What a plugin is loaded from.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its entry.
    pub entry: PluginEntry,
    /// The component.
    pub bytes: Vec<u8>,
    /// The text of its signature's file, where its entry names one.
    pub signature: Option<String>,
}

impl From<(PluginEntry, Vec<u8>)> for Artifact {
    fn from((entry, bytes): (PluginEntry, Vec<u8>)) -> Self {
        Self {
            entry,
            bytes,
            signature: None,
        }
    }
}

/// The loaded plugins, in the order of the configuration. Shared between threads; every call is on its
/// own.
#[derive(Debug, Default)]
pub struct Plugins {
    machine: Option<Arc<Machine>>,
    loaded: Vec<Loaded>,
}

/// One loaded plugin.
pub(crate) struct Loaded {
    /// Its entry, with the limits under the ceilings.
    pub(crate) entry: PluginEntry,
    /// Whether it is called at all just now.
    pub(crate) breaker: Breaker,
    sha256: String,
    world: World,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("entry", &self.entry)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    pub(crate) fn validator(&self) -> Option<&dyn adapters::Validator> {
        match &self.world {
            World::Validator(pre) => Some(pre.as_ref()),
            World::Redactor(_) => None,
        }
    }

    pub(crate) fn redactor(&self) -> Option<&dyn adapters::Redactor> {
        match &self.world {
            World::Validator(_) => None,
            World::Redactor(pre) => Some(pre.as_ref()),
        }
    }

    /// Tells the breaker how a call ended.
    pub(crate) fn note<T>(&self, result: &Result<T, PluginFailure>) {
        self.breaker.note(result.as_ref().err(), Instant::now());
    }
}

impl Plugins {
    /// No plugins: a jury without opinions and a scrubber without spans.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Loads all plugins or none. No guest code runs. An entry without a digest is loaded as it is: whether that
    /// may be is the configuration's matter. `before` is the set that these are to follow: where its engine has
    /// the right shape they live in it too, so that no address space is reserved twice.
    ///
    /// # Errors
    /// One [`LoadFault`] for every plugin that cannot be loaded.
    pub fn load(
        artifacts: Vec<Artifact>,
        compiler: &dyn Compiler,
        before: Option<&Self>,
    ) -> Result<Self, Vec<LoadFault>> {
        if artifacts.is_empty() {
            return Ok(Self::empty());
        }
        let mut artifacts = artifacts;
        for Artifact { entry, .. } in &mut artifacts {
            entry.limits = under_ceilings(entry.limits);
        }
        let entries = || artifacts.iter().map(|artifact| &artifact.entry);
        let memory_bytes_max = entries().map(|entry| entry.limits.memory_bytes).max();
        let interpreter = entries().any(|entry| entry.runtime == PluginRuntime::Interpreter);
        let runtime = match interpreter {
            true => PluginRuntime::Interpreter,
            false => PluginRuntime::Native,
        };
        let shape = Shape::new(memory_bytes_max.unwrap_or_default(), runtime);
        let machine = machine(shape, before)?;
        let mut forge = Forge {
            machine: &machine,
            compiler,
            compiled: HashMap::new(),
        };
        let (mut loaded, mut faults) = (Vec::new(), Vec::new());
        for admitted in admit(artifacts, &forge)? {
            let Admitted {
                artifact: Artifact { entry, bytes, .. },
                inspection,
                image,
            } = admitted;
            match forge.world(entry.kind, &bytes, &inspection, image) {
                Ok(world) => loaded.push(Loaded {
                    entry,
                    breaker: Breaker::default(),
                    sha256: inspection.sha256,
                    world,
                }),
                Err(fault) => faults.push(fault.of(&entry.name)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            machine: Some(machine),
            loaded,
        })
    }

    /// The names of the validators, in the order in which they are heard.
    #[must_use]
    pub fn validators(&self) -> Vec<String> {
        self.judges()
            .map(|loaded| loaded.entry.name.clone())
            .collect()
    }

    /// The names of the redactors, in the order in which they are asked.
    #[must_use]
    pub fn redactors(&self) -> Vec<String> {
        self.scrubbers()
            .map(|loaded| loaded.entry.name.clone())
            .collect()
    }

    /// What exactly is loaded: `name@sha256` for every plugin, in order.
    #[must_use]
    pub fn identities(&self) -> Vec<String> {
        self.loaded
            .iter()
            .map(|loaded| format!("{}@{}", loaded.entry.name, loaded.sha256))
            .collect()
    }

    /// Which breakers opened or closed since this was asked last, plugin by plugin.
    #[must_use]
    pub fn breaker_notices(&self) -> Vec<BreakerNotice> {
        let of = |loaded: &Loaded| {
            let plugin = loaded.entry.name.clone();
            let told = loaded.breaker.notices().into_iter();
            told.map(move |state| BreakerNotice {
                plugin: plugin.clone(),
                state,
            })
        };
        self.loaded.iter().flat_map(of).collect()
    }

    /// The plugin of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Loaded> {
        self.loaded.iter().find(|loaded| loaded.entry.name == name)
    }

    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.machine.as_deref()
    }

    pub(crate) fn judges(&self) -> impl Iterator<Item = &Loaded> {
        self.loaded
            .iter()
            .filter(|loaded| loaded.validator().is_some())
    }

    pub(crate) fn scrubbers(&self) -> impl Iterator<Item = &Loaded> {
        self.loaded
            .iter()
            .filter(|loaded| loaded.redactor().is_some())
    }
}

/// One that may be loaded.
struct Admitted {
    artifact: Artifact,
    inspection: Inspection,
    /// Its machine code of an earlier time.
    image: Option<Image>,
}

/// Looks at every plugin before the first is compiled.
fn admit(artifacts: Vec<Artifact>, forge: &Forge<'_>) -> Result<Vec<Admitted>, Vec<LoadFault>> {
    let mut faults = Vec::new();
    let mut admitted: Vec<Admitted> = Vec::new();
    for artifact in artifacts {
        let Artifact {
            entry,
            bytes,
            signature: signed,
        } = &artifact;
        let twice = admitted
            .iter()
            .any(|other| other.artifact.entry.name == entry.name);
        if twice {
            faults.push(duplicate(&entry.name));
            continue;
        }
        // An image of what is pinned that was made from these very bytes vouches for their digest.
        let pinned = entry.sha256.as_deref();
        let image = pinned.and_then(|pinned| forge.stored(bytes, pinned));
        let digest = pinned.filter(|_| image.is_some());
        let inspection = check_with(entry, bytes, digest).and_then(|inspection| {
            check_signature(entry, signed.as_deref(), bytes)?;
            Ok(inspection)
        });
        match inspection {
            Ok(inspection) => admitted.push(Admitted {
                artifact,
                inspection,
                image,
            }),
            Err(fault) => faults.push(forge.first_fault(fault, entry, bytes)),
        }
    }
    if faults.is_empty() {
        Ok(admitted)
    } else {
        Err(faults)
    }
}

/// The engine of an earlier set where it has the right shape, else a new one.
fn machine(shape: Shape, before: Option<&Plugins>) -> Result<Arc<Machine>, Vec<LoadFault>> {
    let present = before.and_then(|before| before.machine.as_ref());
    if let Some(present) = present.filter(|machine| machine.shape == shape) {
        return Ok(Arc::clone(present));
    }
    Machine::new(shape)
        .map(Arc::new)
        .map_err(|detail| vec![LoadFault::new(LoadCause::Engine, &detail, HINT_ENGINE)])
}

const HINT_ENGINE: &str = "The machine has too little address space or may start no more threads.";
const HINT_COMPILE: &str =
    "Build against portcullis:plugin@0.1.0, with at most 4 memories and 16 tables.";
const HINT_LIMIT: &str =
    "Make the component smaller: fewer and shorter functions; opt-level s, no debug information.";
const HINT_COMPILER: &str =
    "The compiler runs as a process of its own; the machine may lack memory, or forbid it.";

fn duplicate(name: &str) -> LoadFault {
    LoadFault::new(
        LoadCause::DuplicateName,
        &format!("expected every name once, got {name} twice"),
        "Give every plugin a name of its own.",
    )
    .of(name)
}

impl LoadFault {
    /// What a compiler's fault means for a plugin.
    #[must_use]
    pub fn of_compiler(fault: &CompileFault) -> Self {
        let (cause, hint) = match fault {
            CompileFault::Invalid(detail) => return invalid(detail),
            CompileFault::Refused(_) => (LoadCause::Compile, HINT_COMPILE),
            CompileFault::Limit(_) => (LoadCause::CompileLimit, HINT_LIMIT),
            CompileFault::Unavailable(_) => (LoadCause::Compiler, HINT_COMPILER),
        };
        Self::new(cause, &fault.to_string(), hint)
    }
}

/// SECURITY: no file can lift these.
fn under_ceilings(limits: PluginLimits) -> PluginLimits {
    PluginLimits {
        wall_ms: limits.wall_ms.min(WALL_MS_CEILING),
        fuel: limits.fuel.min(FUEL_CEILING),
        memory_bytes: limits.memory_bytes.min(MEMORY_BYTES_CEILING),
        component_bytes: limits.component_bytes.min(COMPONENT_BYTES_CEILING),
    }
}

/// Compiles and links; one component that is used by several entries is compiled once.
struct Forge<'a> {
    machine: &'a Machine,
    compiler: &'a dyn Compiler,
    compiled: HashMap<String, Component>,
}

impl Forge<'_> {
    fn world(
        &mut self,
        kind: PluginKind,
        bytes: &[u8],
        inspection: &Inspection,
        image: Option<Image>,
    ) -> Result<World, LoadFault> {
        let component = self.component(bytes, &inspection.sha256, image)?;
        self.link(kind, &component, &inspection.exports)
            .map_err(|fault| {
                LoadFault::new(LoadCause::Compile, &format!("{fault:#}"), HINT_COMPILE)
            })
    }

    fn job<'b>(&self, bytes: &'b [u8], sha256: &str) -> Job<'b> {
        let (engine, shape) = (&self.machine.engine, &self.machine.shape);
        Job::of(engine, shape.reservation(), bytes, sha256)
    }

    /// The fault of a component that is refused for what it asks for or gives: that it is not valid, where it is not.
    fn first_fault(&self, fault: LoadFault, entry: &PluginEntry, bytes: &[u8]) -> LoadFault {
        let readable = matches!(
            fault.cause,
            LoadCause::Import | LoadCause::WasiNotEnabled | LoadCause::World | LoadCause::Version
        );
        match readable.then(|| self.compiler.validate(bytes)) {
            Some(Err(CompileFault::Invalid(detail))) => invalid(&detail).of(&entry.name),
            _ => fault,
        }
    }

    /// The image that was made from these bytes when they had this digest.
    fn stored(&self, bytes: &[u8], sha256: &str) -> Option<Image> {
        let job = self.job(bytes, sha256);
        let image = self.compiler.stored(&job)?;
        job.made(&image).then_some(image)
    }

    fn component(
        &mut self,
        bytes: &[u8],
        sha256: &str,
        image: Option<Image>,
    ) -> Result<Component, LoadFault> {
        if let Some(component) = self.compiled.get(sha256) {
            return Ok(component.clone());
        }
        let engine = &self.machine.engine;
        let made = || self.compiler.image(&self.job(bytes, sha256));
        let image = image
            .map_or_else(made, Ok)
            .map_err(|fault| LoadFault::of_compiler(&fault))?;
        let component = compile::load(engine, &image).map_err(|fault| {
            LoadFault::new(LoadCause::Compile, &format!("{fault:#}"), HINT_COMPILE)
        })?;
        self.compiled.insert(sha256.to_owned(), component.clone());
        Ok(component)
    }

    /// The imports were looked at before, so only what is allowed can be linked here; anything else
    /// would still find no definition.
    fn link(
        &self,
        kind: PluginKind,
        component: &Component,
        exports: &[String],
    ) -> wasmtime::Result<World> {
        let version = exports.iter().find_map(|name| adapters::version(name));
        let version = version.ok_or_else(|| wasmtime::Error::msg("no export names a version"))?;
        let engine = &self.machine.engine;
        let mut linker = Linker::<Fence>::new(engine);
        (version.link)(&mut linker)?;
        inert::link(&mut linker, engine, component)?;
        (version.world)(kind, linker.instantiate_pre(component)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_lifts_a_ceiling() {
        let limits = under_ceilings(PluginLimits {
            wall_ms: u64::MAX,
            fuel: u64::MAX,
            memory_bytes: usize::MAX,
            component_bytes: u64::MAX,
        });
        assert_eq!(
            (
                limits.wall_ms,
                limits.fuel,
                limits.memory_bytes,
                limits.component_bytes
            ),
            (
                WALL_MS_CEILING,
                FUEL_CEILING,
                MEMORY_BYTES_CEILING,
                COMPONENT_BYTES_CEILING
            )
        );
    }
}
