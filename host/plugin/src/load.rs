//! From entries and bytes to a loaded set: checked, compiled, linked.
//!
//! Must not: read files, or keep a set of which one part could not be loaded.

use crate::adapters::{self, World};
use crate::breaker::Breaker;
use crate::compile::{self, CompileFault, Compiler, Job};
use crate::engine::{Machine, Shape};
use crate::fence::Fence;
use crate::inspect::{Depth, Inspection, LoadCause, LoadFault, check_to, validate};
use crate::{
    BREAKER_FAILURES_MAX, COMPONENT_BYTES_CEILING, FUEL_CEILING, MEMORY_BYTES_CEILING,
    WALL_MS_CEILING, check_signature, inert,
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

    /// Tells the breaker how a call ended, and the operator when it opens.
    pub(crate) fn note<T>(&self, result: &Result<T, PluginFailure>) {
        if self.breaker.note(result.as_ref().err(), Instant::now()) {
            tracing::error!(
                plugin = self.entry.name,
                failures = BREAKER_FAILURES_MAX,
                "the plugin fails again and again; it is not called for a while and refuses"
            );
        }
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
        let admitted = admit(artifacts)?;
        let entries = || admitted.iter().map(|(artifact, _)| &artifact.entry);
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
        for (artifact, inspection) in admitted {
            let Artifact { entry, bytes, .. } = artifact;
            match forge.world(entry.kind, &bytes, &inspection) {
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

/// Looks at every plugin before the first is compiled.
fn admit(artifacts: Vec<Artifact>) -> Result<Vec<(Artifact, Inspection)>, Vec<LoadFault>> {
    let mut faults = Vec::new();
    let mut admitted: Vec<(Artifact, Inspection)> = Vec::new();
    for mut artifact in artifacts {
        let entry = &mut artifact.entry;
        entry.limits = under_ceilings(entry.limits);
        let twice = admitted
            .iter()
            .any(|(other, _)| other.entry.name == entry.name);
        if twice {
            faults.push(duplicate(&entry.name));
            continue;
        }
        let Artifact {
            entry,
            bytes,
            signature: signed,
        } = &artifact;
        let inspection = check_to(entry, bytes, Depth::Structure).and_then(|inspection| {
            check_signature(entry, signed.as_deref(), bytes)?;
            Ok(inspection)
        });
        match inspection {
            Ok(inspection) => admitted.push((artifact, inspection)),
            Err(fault) => faults.push(fault),
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
    ) -> Result<World, LoadFault> {
        let component = self.component(bytes, &inspection.sha256)?;
        self.link(kind, &component, &inspection.exports)
            .map_err(|fault| {
                LoadFault::new(LoadCause::Compile, &format!("{fault:#}"), HINT_COMPILE)
            })
    }

    fn component(&mut self, bytes: &[u8], sha256: &str) -> Result<Component, LoadFault> {
        if let Some(component) = self.compiled.get(sha256) {
            return Ok(component.clone());
        }
        let engine = &self.machine.engine;
        let job = Job::of(engine, self.machine.shape.reservation(), bytes, sha256);
        let image = self.compiler.image(&job).map_err(|fault| {
            let (cause, hint) = match fault {
                CompileFault::Refused(_) => match validate(bytes, Depth::Whole) {
                    // The functions' code was not looked at before.
                    Err(invalid) => return invalid,
                    Ok(()) => (LoadCause::Compile, HINT_COMPILE),
                },
                CompileFault::Limit(_) => (LoadCause::CompileLimit, HINT_LIMIT),
                CompileFault::Unavailable(_) => (LoadCause::Compiler, HINT_COMPILER),
            };
            LoadFault::new(cause, &fault.to_string(), hint)
        })?;
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
