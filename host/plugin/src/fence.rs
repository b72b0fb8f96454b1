//! The fence around one instance: what it may use, what it has used, and what its end is called.
//!
//! Must not: trust a length, a text or a number that comes from the guest.

use crate::engine::{INSTANCES_MAX, MEMORIES_MAX, Machine, Slot, TABLE_ELEMENTS_MAX, TABLES_MAX};
use crate::trial::{Level, Line, Trial};
use crate::{LOG_BYTES_MAX, LOG_LINES_MAX};
use portcullis_core::config::PluginLimits;
use portcullis_core::limits::PLUGIN_REASON_BYTES_MAX;
use portcullis_core::policy::PluginFailure;
use portcullis_core::text;
use std::time::Instant;
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, Trap};

/// Most resource handles of one instance.
const HANDLES_MAX: usize = 1_024;

/// A limit that the host itself enforces, as the error that ends the guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Breach {
    /// All linear memories together would pass the limit.
    #[error("memory: at most {bytes_max} bytes over all memories, asked for {bytes}")]
    Memory {
        /// The limit.
        bytes_max: usize,
        /// What would have been reached.
        bytes: usize,
    },
    /// All tables together would pass the limit.
    #[error("tables: at most {elements_max} elements over all tables, asked for {elements}")]
    Table {
        /// The limit.
        elements_max: usize,
        /// What would have been reached.
        elements: usize,
    },
    /// A stub that stands for something a plugin does not have was called.
    #[error("called {function}, which plugins do not have")]
    Inert {
        /// Its interface and name.
        function: String,
    },
}

/// The host's side of one instance.
#[derive(Debug)]
pub(crate) struct Fence {
    memory_bytes_max: usize,
    memory_bytes: usize,
    memory_bytes_last: usize,
    memory_bytes_peak: usize,
    table_elements: usize,
    lines: Vec<Line>,
    lines_bytes: usize,
    lines_dropped: u64,
}

impl Fence {
    fn new(limits: &PluginLimits) -> Self {
        Self {
            memory_bytes_max: limits.memory_bytes,
            memory_bytes: 0,
            memory_bytes_last: 0,
            memory_bytes_peak: 0,
            table_elements: 0,
            lines: Vec::new(),
            lines_bytes: 0,
            lines_dropped: 0,
        }
    }

    /// Keeps a line within the quota. Over it nothing is looked at, so a flood costs a count.
    pub(crate) fn note(&mut self, level: Level, message: &str) {
        if self.lines.len() >= LOG_LINES_MAX || self.lines_bytes >= LOG_BYTES_MAX {
            self.lines_dropped = self.lines_dropped.saturating_add(1);
            return;
        }
        let text = text::step(message).clipped(LOG_BYTES_MAX - self.lines_bytes);
        let text = text.into_string();
        self.lines_bytes = self.lines_bytes.saturating_add(text.len());
        self.lines.push(Line { level, text });
    }
}

/// SECURITY: counts all memories and all tables together. A limit for each alone lets a component
/// with several memories take several times the limit.
impl ResourceLimiter for Fence {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let bytes = self.memory_bytes.saturating_add(growth);
        if bytes > self.memory_bytes_max {
            return Err(wasmtime::Error::new(Breach::Memory {
                bytes_max: self.memory_bytes_max,
                bytes,
            }));
        }
        self.memory_bytes = bytes;
        self.memory_bytes_last = growth;
        self.memory_bytes_peak = self.memory_bytes_peak.max(bytes);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes = self.memory_bytes.saturating_sub(self.memory_bytes_last);
        self.memory_bytes_last = 0;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self
            .table_elements
            .saturating_add(desired.saturating_sub(current));
        if elements > TABLE_ELEMENTS_MAX {
            return Err(wasmtime::Error::new(Breach::Table {
                elements_max: TABLE_ELEMENTS_MAX,
                elements,
            }));
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

/// Where a call was when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Start functions and initial memories.
    Instantiate,
    /// The validator's call.
    Validate,
    /// The redactor's constructor.
    Begin,
    /// A redactor's push.
    Push,
    /// A redactor's end of stream.
    Finish,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Instantiate => "instantiate",
            Self::Validate => "validate",
            Self::Begin => "constructor",
            Self::Push => "push",
            Self::Finish => "finish",
        }
    }

    /// A failure at this step, with a text that may come from a guest.
    pub(crate) fn failure(self, code: &'static str, detail: &str) -> PluginFailure {
        PluginFailure {
            code,
            detail: format!("{}: {}", self.name(), reason(detail)),
        }
    }
}

/// One fresh instance's store with its budgets.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// The store, for the generated calls.
    pub(crate) store: Store<Fence>,
    limits: &'a PluginLimits,
    fuel: u64,
    _slot: Slot<'a>,
}

impl<'a> Run<'a> {
    /// Takes a place and makes a store without any budget: each step is armed by itself.
    pub(crate) fn open(
        machine: &'a Machine,
        limits: &'a PluginLimits,
        hostcall_bytes: usize,
    ) -> Result<Self, PluginFailure> {
        if !machine.ticker.is_alive_at(Instant::now()) {
            return Err(Step::Instantiate.failure(
                "plugin_timeout",
                "the clock of deadlines stands still, so nothing is called",
            ));
        }
        let Some(slot) = machine.slots.take() else {
            return Err(
                Step::Instantiate.failure("plugin_capacity", "too many plugin calls are under way")
            );
        };
        let mut store = Store::new(&machine.engine, Fence::new(limits));
        store.limiter(|fence| fence);
        store.set_hostcall_fuel(hostcall_bytes);
        store.set_max_component_handles(HANDLES_MAX);
        Ok(Self {
            store,
            limits,
            fuel: 0,
            _slot: slot,
        })
    }

    /// Runs one step of the guest with a full budget of fuel and time, and names its failure.
    ///
    /// INVARIANT: no guest code runs but in here; a store without a deadline traps at once, and one
    /// whose deadline was set for an earlier step would trap too early.
    pub(crate) fn step<T>(
        &mut self,
        step: Step,
        call: impl FnOnce(&mut Store<Fence>) -> wasmtime::Result<T>,
    ) -> Result<T, PluginFailure> {
        self.store
            .set_fuel(self.limits.fuel)
            .map_err(|fault| step.failure("plugin_fuel", &fault.to_string()))?;
        // One more tick, because the present one may be about to end.
        self.store
            .set_epoch_deadline(self.limits.wall_ms.saturating_add(1));
        let result = call(&mut self.store);
        let left = self.store.get_fuel().unwrap_or(0);
        self.fuel = self
            .fuel
            .saturating_add(self.limits.fuel.saturating_sub(left));
        result.map_err(|fault| self.failure(step, &fault))
    }

    fn failure(&self, step: Step, fault: &wasmtime::Error) -> PluginFailure {
        if let Some(breach) = fault.downcast_ref::<Breach>() {
            let code = match breach {
                Breach::Memory { .. } | Breach::Table { .. } => "plugin_memory",
                Breach::Inert { .. } => "plugin_trap",
            };
            return step.failure(code, &breach.to_string());
        }
        if fault.is::<PoolConcurrencyLimitError>() {
            return step.failure("plugin_capacity", "the pool of instances is full");
        }
        match fault.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => step.failure(
                "plugin_timeout",
                &format!("ran longer than {} ms", self.limits.wall_ms),
            ),
            Some(Trap::OutOfFuel) => step.failure(
                "plugin_fuel",
                &format!("burnt more than {} units of fuel", self.limits.fuel),
            ),
            Some(trap) => step.failure("plugin_trap", &trap.to_string()),
            None if step == Step::Instantiate => {
                step.failure("plugin_memory", &format!("{fault:#}"))
            }
            // Neither a trap nor a limit: what the guest handed over was too large or malformed.
            None => step.failure("plugin_output", &format!("{fault:#}")),
        }
    }

    /// Ends the instance and reports.
    pub(crate) fn close<T>(self, result: Result<T, PluginFailure>) -> Trial<T> {
        let fuel = self.fuel;
        let fence = self.store.into_data();
        Trial {
            result,
            fuel,
            memory_bytes: fence.memory_bytes_peak,
            lines: fence.lines,
            lines_dropped: fence.lines_dropped,
        }
    }
}

/// A text of a guest as one clean line of at most [`PLUGIN_REASON_BYTES_MAX`] bytes.
pub(crate) fn reason(text: &str) -> String {
    let text = text::step(text).clipped(PLUGIN_REASON_BYTES_MAX);
    text.into_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fence(memory_bytes: usize) -> Fence {
        Fence::new(&PluginLimits {
            wall_ms: 1,
            fuel: 1,
            memory_bytes,
            component_bytes: 1,
        })
    }

    #[test]
    fn memories_are_counted_together() {
        let mut fence = fence(100);
        assert!(fence.memory_growing(0, 60, None).unwrap());
        assert!(fence.memory_growing(0, 40, None).unwrap());
        let fault = fence.memory_growing(40, 41, None).unwrap_err();
        assert_eq!(
            fault.downcast_ref(),
            Some(&Breach::Memory {
                bytes_max: 100,
                bytes: 101
            })
        );
    }

    #[test]
    fn a_growth_that_failed_does_not_count() {
        let mut fence = fence(100);
        assert!(fence.memory_growing(0, 100, None).unwrap());
        fence
            .memory_grow_failed(wasmtime::Error::msg("no memory"))
            .unwrap();
        assert!(fence.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn tables_are_counted_together() {
        let mut fence = fence(100);
        assert!(fence.table_growing(0, TABLE_ELEMENTS_MAX, None).unwrap());
        assert!(fence.table_growing(0, 1, None).is_err());
    }

    #[test]
    fn the_log_quota_counts_lines_and_bytes() {
        let mut by_lines = fence(0);
        for _ in 0..=LOG_LINES_MAX {
            by_lines.note(Level::Info, "x");
        }
        assert_eq!(
            (by_lines.lines.len(), by_lines.lines_dropped),
            (LOG_LINES_MAX, 1)
        );
        let mut by_bytes = fence(0);
        for _ in 0..LOG_LINES_MAX {
            by_bytes.note(Level::Info, &"ä".repeat(400));
        }
        let bytes: usize = by_bytes.lines.iter().map(|line| line.text.len()).sum();
        assert!(bytes <= LOG_BYTES_MAX && by_bytes.lines_dropped > 0);
    }

    #[test]
    fn a_reason_is_one_clean_bounded_line() {
        let reason = reason(&format!("a\u{1b}[31m\n{}", "ä".repeat(1_000)));
        assert!(reason.starts_with("a ä"), "{reason}");
        assert!(reason.len() <= PLUGIN_REASON_BYTES_MAX);
    }
}
