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
use wasmtime::{Engine, Result, StoreContextMut};

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
/// Everything that a guest can name and never gets.
struct Nothing;

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
        _ => ResourceType::host::<Nothing>(),
    };
    linked.resource(name, kind, |_, _| Ok(()))
}

fn function(linked: &mut LinkerInstance<'_, Fence>, interface: &str, name: &str) -> Result<()> {
    let answer: fn(StoreContextMut<'_, Fence>, &[Val]) -> Result<Option<Val>> =
        match (interface, name) {
            ("cli/environment", "get-environment" | "get-arguments") => {
                |_, _| Ok(Some(Val::List(Vec::new())))
            }
            ("cli/environment", "initial-cwd") => |_, _| Ok(Some(Val::Option(None))),
            (_, "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr") => {
                |_, _| Ok(Some(Val::Option(None)))
            }
            ("cli/stdin", "get-stdin") => {
                |store, _| own(store, Resource::<InputStream>::new_own(0))
            }
            ("cli/stdout", "get-stdout") => {
                |store, _| own(store, Resource::<OutputStream>::new_own(STDOUT))
            }
            ("cli/stderr", "get-stderr") => {
                |store, _| own(store, Resource::<OutputStream>::new_own(STDERR))
            }
            ("io/streams", "[method]output-stream.check-write") => {
                |_, _| Ok(Some(ok(Some(Val::U64(WRITE_BYTES_MAX)))))
            }
            (
                "io/streams",
                "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush",
            ) => write,
            (
                "io/streams",
                "[method]output-stream.flush" | "[method]output-stream.blocking-flush",
            ) => |_, _| Ok(Some(ok(None))),
            (
                "io/streams",
                "[method]input-stream.read"
                | "[method]input-stream.blocking-read"
                | "[method]input-stream.skip"
                | "[method]input-stream.blocking-skip",
            ) => |_, _| {
                let closed = Val::Variant("closed".to_owned(), None);
                Ok(Some(Val::Result(Err(Some(Box::new(closed))))))
            },
            ("clocks/wall-clock", "now" | "resolution") => |_, _| {
                Ok(Some(Val::Record(vec![
                    ("seconds".to_owned(), Val::U64(0)),
                    ("nanoseconds".to_owned(), Val::U32(0)),
                ])))
            },
            ("clocks/monotonic-clock", "now" | "resolution")
            | ("random/random", "get-random-u64")
            | ("random/insecure", "get-insecure-random-u64") => |_, _| Ok(Some(Val::U64(0))),
            ("random/random", "get-random-bytes")
            | ("random/insecure", "get-insecure-random-bytes") => zeros,
            ("random/insecure-seed", "insecure-seed") => {
                |_, _| Ok(Some(Val::Tuple(vec![Val::U64(0), Val::U64(0)])))
            }
            _ => |_, _| Err(wasmtime::Error::new(Breach::Inert)),
        };
    linked.func_new(name, move |store, _, params, results| {
        if let (Some(value), Some(result)) = (answer(store, params)?, results.first_mut()) {
            *result = value;
        }
        Ok(())
    })
}

fn ok(value: Option<Val>) -> Val {
    Val::Result(Ok(value.map(Box::new)))
}

fn own<T: 'static>(store: StoreContextMut<'_, Fence>, handle: Resource<T>) -> Result<Option<Val>> {
    Ok(Some(Val::Resource(ResourceAny::try_from_resource(
        handle, store,
    )?)))
}

fn write(mut store: StoreContextMut<'_, Fence>, params: &[Val]) -> Result<Option<Val>> {
    if let [Val::Resource(stream), Val::List(bytes)] = params {
        let stream = stream.try_into_resource::<OutputStream>(&mut store)?;
        if stream.rep() == STDERR {
            let bytes: Vec<u8> = bytes
                .iter()
                .filter_map(|byte| match byte {
                    Val::U8(byte) => Some(*byte),
                    _ => None,
                })
                .collect();
            let message = String::from_utf8_lossy(&bytes);
            for line in message.lines().filter(|line| !line.trim().is_empty()) {
                store.data_mut().note(Level::Warn, line);
            }
        }
    }
    Ok(Some(ok(None)))
}

fn zeros(_: StoreContextMut<'_, Fence>, params: &[Val]) -> Result<Option<Val>> {
    match params {
        [Val::U64(count)] if *count <= RANDOM_BYTES_MAX => {
            let count = usize::try_from(*count).unwrap_or_default();
            Ok(Some(Val::List(vec![Val::U8(0); count])))
        }
        _ => Err(wasmtime::Error::new(Breach::Inert)),
    }
}
