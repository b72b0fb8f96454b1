//! From entries and bytes to a loaded set: checked, compiled, linked.
//!
//! Must not: read files, or keep a set of which one part could not be loaded.

use crate::bindings::{redactor, validator};
use crate::engine::Machine;
use crate::fence::Fence;
use crate::inspect::{Inspection, LoadCause, LoadFault, check};
use crate::{COMPONENT_BYTES_CEILING, FUEL_CEILING, MEMORY_BYTES_CEILING, WALL_MS_CEILING, inert};
use portcullis_core::config::{PluginEntry, PluginKind, PluginLimits};
use std::collections::HashMap;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

/// The loaded plugins, in the order of the configuration. Shared between threads; every call is on its
/// own.
#[derive(Debug, Default)]
pub struct Plugins {
    machine: Option<Machine>,
    loaded: Vec<Loaded>,
}

/// One loaded plugin.
pub(crate) struct Loaded {
    /// Its entry, with the limits under the ceilings.
    pub(crate) entry: PluginEntry,
    sha256: String,
    world: World,
}

enum World {
    Validator(validator::ValidatorPluginPre<Fence>),
    Redactor(redactor::RedactorPluginPre<Fence>),
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
    pub(crate) fn validator(&self) -> Option<&validator::ValidatorPluginPre<Fence>> {
        match &self.world {
            World::Validator(pre) => Some(pre),
            World::Redactor(_) => None,
        }
    }

    pub(crate) fn redactor(&self) -> Option<&redactor::RedactorPluginPre<Fence>> {
        match &self.world {
            World::Validator(_) => None,
            World::Redactor(pre) => Some(pre),
        }
    }
}

impl Plugins {
    /// No plugins: a jury without opinions and a scrubber without spans.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Loads all entries or none. No guest code runs. An entry without a digest is loaded as it is:
    /// whether that may be is the configuration's matter.
    ///
    /// # Errors
    /// One [`LoadFault`] for every entry that cannot be loaded.
    pub fn load(entries: Vec<(PluginEntry, Vec<u8>)>) -> Result<Self, Vec<LoadFault>> {
        if entries.is_empty() {
            return Ok(Self::empty());
        }
        let mut faults = Vec::new();
        let mut admitted: Vec<(PluginEntry, Vec<u8>, Inspection)> = Vec::new();
        for (mut entry, bytes) in entries {
            entry.limits = under_ceilings(entry.limits);
            if admitted.iter().any(|(other, ..)| other.name == entry.name) {
                faults.push(duplicate(&entry.name));
                continue;
            }
            match check(&entry, &bytes) {
                Ok(inspection) => admitted.push((entry, bytes, inspection)),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let memory_bytes_max = admitted
            .iter()
            .map(|(entry, ..)| entry.limits.memory_bytes)
            .max();
        let machine = Machine::new(memory_bytes_max.unwrap_or_default())
            .map_err(|detail| vec![LoadFault::new(LoadCause::Engine, &detail, HINT_ENGINE)])?;
        let mut forge = Forge::new(&machine.engine);
        let mut loaded = Vec::new();
        for (entry, bytes, inspection) in admitted {
            match forge.world(entry.kind, &bytes, &inspection.sha256) {
                Ok(world) => loaded.push(Loaded {
                    entry,
                    sha256: inspection.sha256,
                    world,
                }),
                Err(fault) => faults.push(
                    LoadFault::new(LoadCause::Compile, &format!("{fault:#}"), HINT_COMPILE)
                        .of(&entry.name),
                ),
            }
        }
        if faults.is_empty() {
            Ok(Self {
                machine: Some(machine),
                loaded,
            })
        } else {
            Err(faults)
        }
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

    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
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

const HINT_ENGINE: &str = "The machine has too little address space or may start no more threads.";
const HINT_COMPILE: &str =
    "Build against portcullis:plugin@0.1.0, with at most 4 memories and 16 tables.";

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
    engine: &'a Engine,
    compiled: HashMap<String, Component>,
}

impl<'a> Forge<'a> {
    fn new(engine: &'a Engine) -> Self {
        Self {
            engine,
            compiled: HashMap::new(),
        }
    }

    /// The imports were looked at before, so only what is allowed can be linked here; anything else
    /// would still find no definition.
    fn world(&mut self, kind: PluginKind, bytes: &[u8], sha256: &str) -> wasmtime::Result<World> {
        let component = match self.compiled.get(sha256) {
            Some(component) => component.clone(),
            None => Component::from_binary(self.engine, bytes)?,
        };
        self.compiled.insert(sha256.to_owned(), component.clone());
        let mut linker = Linker::<Fence>::new(self.engine);
        validator::ValidatorPlugin::add_to_linker::<_, HasSelf<Fence>>(&mut linker, |fence| fence)?;
        inert::link(&mut linker, self.engine, &component)?;
        let pre = linker.instantiate_pre(&component)?;
        Ok(match kind {
            PluginKind::Validator => World::Validator(validator::ValidatorPluginPre::new(pre)?),
            PluginKind::Redactor => World::Redactor(redactor::RedactorPluginPre::new(pre)?),
        })
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
