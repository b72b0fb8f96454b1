//! The stubs that stand behind WASI imports: an empty environment, a clock that stands still,
//! randomness that is not random, an error stream that goes to the bounded log. Everything else traps.
//!
//! Must not: read anything of this process or machine. Every answer here is a constant.

use crate::fence::{Breach, Fence};
use crate::trial::Level;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, Linker, LinkerInstance, Resource, ResourceAny, ResourceType, Val,
};
use wasmtime::{AsContextMut, Engine, Result, StoreContextMut};

/// Most bytes of one write; the guest is told so.
const WRITE_BYTES_MAX: u64 = 4_096;
/// Most bytes of fixed randomness in one answer.
const RANDOM_BYTES_MAX: u64 = 4_096;
/// The handle of the stream whose bytes are logged.
const STDERR: u32 = 2;
/// The handle of the stream whose bytes are dropped.
const STDOUT: u32 = 1;

/// Where writes go.
struct OutputStream;
/// What is always at its end.
struct InputStream;
/// What is always ready, because time stands still and nothing is ever written or read.
struct Pollable;
/// Everything that a guest can name and never gets.
struct Nothing;

/// What a stub answers.
enum Answer {
    /// The function's result.
    Value(Val),
    /// It is done; the function has no result.
    Done,
    /// There is no answer, and the guest ends here.
    Trap,
}

type Stub = fn(StoreContextMut<'_, Fence>, &[Val]) -> Result<Answer>;

/// Ends what the guest lent for the call; a loan that is not ended fails the call. Gives the handle of
/// the stream that is meant, 0 where none is.
fn end_loans(mut store: StoreContextMut<'_, Fence>, params: &[Val]) -> Result<u32> {
    let mut stream = 0;
    for param in params {
        let lent = match param {
            Val::List(items) => items.as_slice(),
            param => std::slice::from_ref(param),
        };
        for item in lent {
            match item {
                Val::Resource(lent) if lent.ty() == ResourceType::host::<OutputStream>() => {
                    stream = lent.try_into_resource::<OutputStream>(&mut store)?.rep();
                }
                Val::Resource(lent) => lent.resource_drop(&mut store)?,
                _ => {}
            }
        }
    }
    Ok(stream)
}

/// Links a stub for every WASI import of a component, each with exactly the functions it asks for.
pub(crate) fn link(
    linker: &mut Linker<Fence>,
    engine: &Engine,
    component: &Component,
) -> Result<()> {
    for (name, item) in component.component_type().imports(engine) {
        let (Some(interface), ComponentItem::ComponentInstance(instance)) =
            (name.strip_prefix("wasi:"), item.ty)
        else {
            continue;
        };
        let interface = interface.split('@').next().unwrap_or_default();
        let mut linked = linker.instance(name)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => function(&mut linked, interface, name)?,
                ComponentItem::Resource(_) => resource(&mut linked, name)?,
                // Types only; a module or component inside an instance finds no definition and is
                // refused by the linker.
                _ => {}
            }
        }
    }
    Ok(())
}

fn resource(linked: &mut LinkerInstance<'_, Fence>, name: &str) -> Result<()> {
    let kind = match name {
        "output-stream" => ResourceType::host::<OutputStream>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "pollable" => ResourceType::host::<Pollable>(),
        _ => ResourceType::host::<Nothing>(),
    };
    linked.resource(name, kind, |_, _| Ok(()))
}

fn function(linked: &mut LinkerInstance<'_, Fence>, interface: &str, name: &str) -> Result<()> {
    let stub: Stub = match (interface, name) {
        ("cli/environment", "get-environment" | "get-arguments") => {
            |_, _| Ok(Answer::Value(Val::List(Vec::new())))
        }
        ("cli/environment", "initial-cwd") => |_, _| Ok(Answer::Value(Val::Option(None))),
        (_, "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr") => {
            |_, _| Ok(Answer::Value(Val::Option(None)))
        }
        ("cli/stdin", "get-stdin") => |store, _| own(store, Resource::<InputStream>::new_own(0)),
        ("cli/stdout", "get-stdout") => {
            |store, _| own(store, Resource::<OutputStream>::new_own(STDOUT))
        }
        ("cli/stderr", "get-stderr") => {
            |store, _| own(store, Resource::<OutputStream>::new_own(STDERR))
        }
        ("io/streams", "[method]output-stream.check-write") => {
            |_, _| Ok(Answer::Value(ok(Some(Val::U64(WRITE_BYTES_MAX)))))
        }
        (
            "io/streams",
            "[method]output-stream.write"
            | "[method]output-stream.blocking-write-and-flush"
            | "[method]output-stream.flush"
            | "[method]output-stream.blocking-flush",
        ) => |_, _| Ok(Answer::Value(ok(None))),
        (
            "io/streams",
            "[method]input-stream.read"
            | "[method]input-stream.blocking-read"
            | "[method]input-stream.skip"
            | "[method]input-stream.blocking-skip",
        ) => |_, _| {
            let closed = Val::Variant("closed".to_owned(), None);
            Ok(Answer::Value(Val::Result(Err(Some(Box::new(closed))))))
        },
        ("clocks/wall-clock", "now" | "resolution") => |_, _| {
            Ok(Answer::Value(Val::Record(vec![
                ("seconds".to_owned(), Val::U64(0)),
                ("nanoseconds".to_owned(), Val::U32(0)),
            ])))
        },
        ("clocks/monotonic-clock", "now" | "resolution")
        | ("random/random", "get-random-u64")
        | ("random/insecure", "get-insecure-random-u64") => |_, _| Ok(Answer::Value(Val::U64(0))),
        ("random/random", "get-random-bytes")
        | ("random/insecure", "get-insecure-random-bytes") => zeros,
        ("random/insecure-seed", "insecure-seed") => {
            |_, _| Ok(Answer::Value(Val::Tuple(vec![Val::U64(0), Val::U64(0)])))
        }
        ("io/streams", "[method]output-stream.subscribe" | "[method]input-stream.subscribe")
        | ("clocks/monotonic-clock", "subscribe-duration" | "subscribe-instant") => {
            |store, _| own(store, Resource::<Pollable>::new_own(0))
        }
        ("io/poll", "[method]pollable.block") => |_, _| Ok(Answer::Done),
        ("io/poll", "[method]pollable.ready") => |_, _| Ok(Answer::Value(Val::Bool(true))),
        ("io/poll", "poll") => all_ready,
        _ => |_, _| Ok(Answer::Trap),
    };
    let function = format!("wasi:{interface}#{name}");
    let writes = name.starts_with("[method]output-stream.");
    linked.func_new(name, move |mut store, _, params, results| {
        let stream = end_loans(store.as_context_mut(), params)?;
        if writes && stream == STDERR {
            note(store.data_mut(), params);
        }
        match (stub(store, params)?, results.first_mut()) {
            (Answer::Value(value), Some(result)) => *result = value,
            (Answer::Done, None) => {}
            _ => {
                let function = function.clone();
                return Err(wasmtime::Error::new(Breach::Inert { function }));
            }
        }
        Ok(())
    })
}

fn ok(value: Option<Val>) -> Val {
    Val::Result(Ok(value.map(Box::new)))
}

fn own<T: 'static>(store: StoreContextMut<'_, Fence>, handle: Resource<T>) -> Result<Answer> {
    Ok(Answer::Value(Val::Resource(
        ResourceAny::try_from_resource(handle, store)?,
    )))
}

/// Keeps what is written to the error stream within the quota of the log.
fn note(fence: &mut Fence, params: &[Val]) {
    let bytes = params.iter().flat_map(|param| match param {
        Val::List(bytes) => bytes.as_slice(),
        _ => &[],
    });
    let bytes: Vec<u8> = bytes
        .filter_map(|byte| match byte {
            Val::U8(byte) => Some(*byte),
            _ => None,
        })
        .collect();
    for line in String::from_utf8_lossy(&bytes).lines() {
        if !line.trim().is_empty() {
            fence.note(Level::Warn, line);
        }
    }
}

fn zeros(_: StoreContextMut<'_, Fence>, params: &[Val]) -> Result<Answer> {
    match params {
        [Val::U64(count)] if *count <= RANDOM_BYTES_MAX => {
            let count = usize::try_from(*count).unwrap_or_default();
            Ok(Answer::Value(Val::List(vec![Val::U8(0); count])))
        }
        _ => Ok(Answer::Trap),
    }
}

/// Every pollable of a list is ready.
fn all_ready(_: StoreContextMut<'_, Fence>, params: &[Val]) -> Result<Answer> {
    match params {
        [Val::List(pollables)] if !pollables.is_empty() => Ok(Answer::Value(Val::List(
            (0_u32..)
                .zip(pollables)
                .map(|(at, _)| Val::U32(at))
                .collect(),
        ))),
        _ => Ok(Answer::Trap),
    }
}
