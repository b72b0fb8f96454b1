//! The plugins: WebAssembly components that judge commands (validators) or find what must not be
//! shown (redactors). This crate loads them, fences them in and calls them; the WebAssembly engine is
//! known here and nowhere else.
//!
//! A guest has its own memory, one import (`log`) and nothing else: no file, socket, environment,
//! clock, randomness, or memory of an earlier call. Every way in which it can go wrong has a code, and
//! every code refuses: a failed validator refuses the command, a failed redactor withholds the stream.
//!
//! * `inspect`: what a component is and asks for, before anything is compiled
//! * `signature`: whose it is
//! * `compile`: machine code, and how it is known again
//! * `load`: from entries and bytes to a set
//! * `adapters`: the versions of the interface
//! * `engine`, `fence`, `inert`: where guests live and what they may use
//! * `validate`, `scrub`, `breaker`, `trial`: calling them
//! * `vectors`: what an author says that a plugin answers, held against what it does
//! * `encode`: a compiler's module as a component, for authors
//!
//! Must not: link an implementation of WASI, read files, start processes, or give a guest a word for "allow".

mod adapters;
mod breaker;
mod compile;
mod encode;
mod engine;
mod fence;
mod inert;
mod inspect;
mod load;
mod scrub;
mod signature;
mod trial;
mod validate;
mod vectors;

pub use breaker::{BREAKER_FAILURES_MAX, BREAKER_OPEN_MS, BreakerNotice, BreakerState};
pub use compile::{
    CompileFault, Compiler, IMAGE_KEY_BYTES, Image, ImageKey, InProcess, Job, compile_sealed,
    validate,
};
pub use encode::encode;
pub use inspect::{
    Import, ImportClass, Inspection, LoadCause, LoadFault, Standing, check, inspect,
};
pub use load::{Artifact, Plugins};
pub use signature::check_signature;
pub use trial::{Level, Line, Trial};
pub use validate::{Leaf, Question, UNIX_TIME};
pub use vectors::{Came, question_of};

/// Longest wall time of one call that any configuration can give, in milliseconds.
pub const WALL_MS_CEILING: u64 = 5_000;
/// Most fuel of one call that any configuration can give, in wasmtime's units.
pub const FUEL_CEILING: u64 = 100_000_000_000;
/// Most memory of one instance that any configuration can give, in bytes, over all its memories.
pub const MEMORY_BYTES_CEILING: usize = 268_435_456;
/// Largest component that any configuration can admit, in bytes. Compiled-in interpreters need most of
/// it; the usual limit of an entry is 8 MiB.
pub const COMPONENT_BYTES_CEILING: u64 = 33_554_432;
/// Longest wall time of one redactor over one whole stream, in milliseconds, however many pushes.
pub const STREAM_WALL_MS_MAX: u64 = 30_000;
/// Largest chunk that a redactor is given, in bytes.
pub const CHUNK_BYTES_MAX: usize = 65_536;
/// How far a redactor's release mark may lag behind what was pushed, in bytes.
pub const LAG_BYTES_MAX: u64 = 65_536;
/// Most log lines kept of one call.
pub const LOG_LINES_MAX: usize = 100;
/// Most bytes of log lines kept of one call.
pub const LOG_BYTES_MAX: usize = 8_192;
/// Longest wait for a free place to run a guest in, in milliseconds.
pub const CAPACITY_WAIT_MS_MAX: u64 = 2_000;
