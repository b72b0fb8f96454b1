//! The engine: how WebAssembly is compiled and where instances live, the clock that ends calls, and
//! the places that calls wait for.
//!
//! What a fresh call costs is mostly work on the page table, which all threads of a process share under one lock: a change
//! of it by one thread holds up the others, and a processor on which another of them runs has to forget what it knew of
//! it. So fewer such changes are the lever. Memories and tables keep the pages that were written, and their bytes are put
//! back (where Linux 6.7 tells by `PAGEMAP_SCAN` which pages those are); guests in Rust begin with memory of their own
//! (`heap` in the SDK), so that none is made accessible and hidden again; and nobody is woken where nobody waits. A call
//! of a small validator is one call of the kernel then, and two threads together do more than one.
//!
//! Not taken: without signals for traps the engine would leave what a guest grew accessible, so that guests of other
//! toolchains would need no such change either. It then compiles without the masks against speculative reads.
//!
//! Must not: know what a plugin says.

use crate::inspect::ACCEPTED;
use crate::{CAPACITY_WAIT_MS_MAX, MEMORY_BYTES_CEILING, WALL_MS_CEILING};
use portcullis_core::config::PluginRuntime;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmFeatures,
};

/// Length of one tick of the deadline clock, in milliseconds.
const TICK_MS: u64 = 1;
/// Age of the last tick from which on the clock counts as dead, in milliseconds. A dead clock would
/// let a guest run for ever, so nothing is called then.
const TICK_AGE_MS_MAX: u64 = 1_000;
/// Most calls under way at once.
const SLOTS_MAX: usize = 16;
/// Fewest calls under way at once, however large the memories are.
const SLOTS_MIN: usize = 4;
/// Address space that all linear memories may reserve together, in bytes. Two sets of plugins live side by
/// side while one takes the other's place, and both have to fit a limit of 16 GiB on address space.
const RESERVATION_BYTES_MAX: usize = 4_294_967_296;
/// Smallest reservation for one linear memory, in bytes.
const RESERVATION_BYTES_MIN: usize = 33_554_432;
/// Most linear memories of one component.
pub(crate) const MEMORIES_MAX: u32 = 4;
/// Most tables of one component.
pub(crate) const TABLES_MAX: u32 = 16;
/// Most elements of one table, and of all tables together.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Most core instances of one component. One that carries Python has 38.
pub(crate) const INSTANCES_MAX: u32 = 64;
/// Largest bookkeeping of one instance, in bytes.
const INSTANCE_BYTES_MAX: usize = 1_048_576;
/// Stack of a guest, in bytes: well within the stacks of the threads that call.
const STACK_BYTES_MAX: usize = 524_288;
/// Guard behind a linear memory, in bytes.
const GUARD_BYTES: u64 = 65_536;
/// Bytes of a memory that stay mapped between calls; they are zeroed, never handed on.
const KEEP_RESIDENT_BYTES: usize = 1_048_576;
/// The same where a guest carries an interpreter, whose heap is larger.
const KEEP_RESIDENT_BYTES_INTERPRETER: usize = 16_777_216;
/// The same of a table: all of it, as far as it was used. A table that is given back costs a call of the kernel, and the
/// page that it had is fetched again by the next call.
const TABLE_KEEP_RESIDENT_BYTES: usize = 1_048_576;

/// What an engine has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Address space of one memory, in bytes.
    reservation: usize,
    keep_resident: usize,
}

impl Shape {
    /// The shape for memories that may grow to `memory_bytes_max` each.
    pub(crate) fn new(memory_bytes_max: usize, runtime: PluginRuntime) -> Self {
        Self {
            reservation: reservation(memory_bytes_max),
            keep_resident: match runtime {
                PluginRuntime::Native => KEEP_RESIDENT_BYTES,
                PluginRuntime::Interpreter => KEEP_RESIDENT_BYTES_INTERPRETER,
            },
        }
    }

    /// What a compiler has to know of it.
    pub(crate) fn reservation(self) -> u64 {
        self.reservation as u64
    }
}

/// An engine with its clock and its places.
#[derive(Debug)]
pub(crate) struct Machine {
    /// What it was made for; a later set of the same shape lives in the same engine.
    pub(crate) shape: Shape,
    /// The engine.
    pub(crate) engine: Engine,
    /// The clock that ends calls.
    pub(crate) ticker: Arc<Ticker>,
    /// The places.
    pub(crate) slots: Slots,
}

impl Machine {
    /// Builds an engine of a shape, and starts its clock.
    pub(crate) fn new(shape: Shape) -> Result<Self, String> {
        let slots = slots_for(shape.reservation);
        let engine = Engine::new(&config(Some(slots), shape)).or_else(|fault| {
            tracing::warn!(
                fault = %format!("{fault:#}"),
                "plugins: the pool of instances cannot be reserved; instances are mapped one by one"
            );
            Engine::new(&config(None, shape))
        });
        let engine = engine.map_err(|fault| format!("{fault:#}"))?;
        let ticker = Arc::new(Ticker::new());
        // INVARIANT: the clock runs before the first guest is compiled and whatever the limits are; a
        // deadline that nobody counts down is none.
        ticker.clone().start(engine.weak())?;
        Ok(Self {
            shape,
            engine,
            ticker,
            slots: Slots::new(slots),
        })
    }
}

/// An engine that compiles for the engines of that reservation and runs nothing.
pub(crate) fn bare(reservation: u64) -> Result<Engine, String> {
    let reservation = usize::try_from(reservation).unwrap_or(usize::MAX);
    let shape = Shape::new(reservation, PluginRuntime::Native);
    Engine::new(&config(None, shape)).map_err(|fault| format!("{fault:#}"))
}

/// The reservation for one memory: the largest limit in whole pages, within the bounds.
fn reservation(memory_bytes_max: usize) -> usize {
    memory_bytes_max
        .clamp(RESERVATION_BYTES_MIN, MEMORY_BYTES_CEILING)
        .next_multiple_of(65_536)
}

fn slots_for(reservation: usize) -> usize {
    let per_slot = reservation.saturating_mul(MEMORIES_MAX as usize);
    RESERVATION_BYTES_MAX
        .checked_div(per_slot)
        .unwrap_or(SLOTS_MIN)
        .clamp(SLOTS_MIN, SLOTS_MAX)
}

fn config(slots: Option<usize>, shape: Shape) -> Config {
    let mut config = Config::new();
    config
        // SECURITY: everything that plugins do not need is off: threads, shared and 64-bit memories,
        // garbage collection, exceptions, stack switching, asynchronous calls. Relaxed SIMD is off and
        // NaN bits are fixed because a verdict has to be the same on every machine.
        .wasm_features(WasmFeatures::all().difference(ACCEPTED), false)
        .wasm_features(ACCEPTED, true)
        .cranelift_nan_canonicalization(true)
        .concurrency_support(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        // A guest's frames are of no use to operators, and their names are the guest's texts.
        .wasm_backtrace_max_frames(None)
        // Then nobody asks which instruction of the guest an address belongs to, nor how its frames are unwound: a tenth
        // of every image, and a registration at every load.
        .generate_address_map(false)
        .native_unwind_info(false)
        .memory_reservation(shape.reservation())
        .memory_reservation_for_growth(0)
        .memory_guard_size(GUARD_BYTES)
        .memory_init_cow(true);
    if let Some(slots) = slots {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(
            u32::try_from(slots).unwrap_or(u32::MAX),
            shape,
        )));
    }
    config
}

fn pool(slots: u32, shape: Shape) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(INSTANCES_MAX))
        .total_memories(slots.saturating_mul(MEMORIES_MAX))
        .total_tables(slots.saturating_mul(TABLES_MAX))
        .max_core_instances_per_component(INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_memories_per_module(1)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(shape.reservation)
        .linear_memory_keep_resident(shape.keep_resident)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The clock of deadlines: a thread that counts the engine's epoch up, once in each tick.
#[derive(Debug)]
pub(crate) struct Ticker {
    start: Instant,
    last_ms: AtomicU64,
}

impl Ticker {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }

    /// Starts the thread. It ends by itself within a tick after the engine is gone.
    fn start(self: Arc<Self>, engine: EngineWeak) -> Result<(), String> {
        std::thread::Builder::new()
            .name("plugin-ticks".to_owned())
            .spawn(move || {
                while let Some(engine) = engine.upgrade() {
                    // As many ticks as have passed: the guests themselves may keep this thread from the processor.
                    let now = self.ms_at(Instant::now());
                    let passed = now.saturating_sub(self.last_ms.swap(now, Ordering::AcqRel));
                    for _ in 0..passed.clamp(1, WALL_MS_CEILING) {
                        engine.increment_epoch();
                    }
                    drop(engine);
                    std::thread::sleep(Duration::from_millis(TICK_MS));
                }
            })
            .map(drop)
            .map_err(|fault| format!("the deadline clock cannot be started: {fault}"))
    }

    fn ms_at(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the clock has ticked lately, seen from `now`.
    pub(crate) fn is_alive_at(&self, now: Instant) -> bool {
        let age = self
            .ms_at(now)
            .saturating_sub(self.last_ms.load(Ordering::Acquire));
        age <= TICK_AGE_MS_MAX
    }
}

/// The places that calls run in: as many as the pool has, so that the pool is never asked for more.
#[derive(Debug)]
pub(crate) struct Slots {
    places: Mutex<Places>,
    freed: Condvar,
}

#[derive(Debug)]
struct Places {
    free: usize,
    /// Calls that wait. To wake somebody is a call of the kernel even where nobody waits, so it is made for these only.
    waiting: usize,
}

/// One taken place; free again when dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    fn new(count: usize) -> Self {
        Self {
            places: Mutex::new(Places {
                free: count,
                waiting: 0,
            }),
            freed: Condvar::new(),
        }
    }

    /// Takes a place, waiting at most [`CAPACITY_WAIT_MS_MAX`].
    pub(crate) fn take(&self) -> Option<Slot<'_>> {
        self.take_within(Duration::from_millis(CAPACITY_WAIT_MS_MAX))
    }

    fn take_within(&self, wait: Duration) -> Option<Slot<'_>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.free == 0 {
            places.waiting = places.waiting.saturating_add(1);
            (places, _) = self
                .freed
                .wait_timeout_while(places, wait, |places| places.free == 0)
                .unwrap_or_else(PoisonError::into_inner);
            places.waiting = places.waiting.saturating_sub(1);
        }
        places.free = places.free.checked_sub(1)?;
        Some(Slot(self))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.free = places.free.saturating_add(1);
        let awaited = places.waiting > 0;
        drop(places);
        if awaited {
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_clock_that_stands_still_is_dead() {
        let ticker = Ticker::new();
        let at = |ms| ticker.start + Duration::from_millis(ms);
        assert!(ticker.is_alive_at(at(TICK_AGE_MS_MAX)));
        assert!(!ticker.is_alive_at(at(TICK_AGE_MS_MAX + 1)));
    }

    #[test]
    fn a_place_too_many_is_not_given_and_a_freed_one_is() {
        let slots = Slots::new(1);
        let taken = slots.take_within(Duration::ZERO).unwrap();
        assert!(slots.take_within(Duration::ZERO).is_none());
        drop(taken);
        assert!(slots.take_within(Duration::ZERO).is_some());
    }

    #[test]
    fn the_largest_memories_still_fit_the_reservation() {
        for memory in [0, 33_554_432, 67_108_864, MEMORY_BYTES_CEILING, usize::MAX] {
            let reservation = reservation(memory);
            let total = reservation * MEMORIES_MAX as usize * slots_for(reservation);
            assert!(total <= RESERVATION_BYTES_MAX, "{memory}: {total}");
        }
    }

    #[test]
    fn the_pool_can_be_reserved_at_the_ceiling() {
        let shape = Shape::new(MEMORY_BYTES_CEILING, PluginRuntime::Interpreter);
        assert!(Engine::new(&config(Some(slots_for(shape.reservation)), shape)).is_ok());
    }
}
