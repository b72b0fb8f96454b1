//! One compilation, or one look at a component as a whole, in a child process: this very program, with limits on memory,
//! processor time and wall time, without environment, and with nothing open but three pipes.
//!
//! The child is given a key of its own, for one image; what it writes counts only where it is sealed with that.
//!
//! Must not: wait without a bound, or take an image from a child that did not end well.

use portcullis_plugin::{
    COMPONENT_BYTES_CEILING, CompileFault, IMAGE_KEY_BYTES, Image, ImageKey, Job, compile_sealed,
};
use rustix::process::{Resource, Rlimit, Signal};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The verb of the child.
pub(crate) const VERB: &str = "compile-plugin";
/// Address space of the child, in bytes. An interpreter of 18 MB takes some 2 GiB.
const MEMORY_BYTES_MAX: u64 = 4_294_967_296;
/// Processor time of the child, in seconds, over all its threads.
const CPU_SECONDS_MAX: u64 = 240;
/// Wall time of the child, in seconds.
const WALL_SECONDS_MAX: u64 = 600;
/// Files that the child may have open.
const FILES_MAX: u64 = 32;
/// Largest image, in bytes; an interpreter's has some 40 MB.
pub(super) const IMAGE_BYTES_MAX: u64 = 268_435_456;
/// Longest complaint of a child that is read, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 4_096;
/// Pause between two looks at the child, in milliseconds.
const LOOK_MS: u64 = 2;
/// What stands before the component on the child's standard input: reservation and key. With a reservation of 0, which no
/// engine has, nothing is compiled: the component is looked at, and nothing comes back but the status.
const HEAD_BYTES: usize = 8 + IMAGE_KEY_BYTES;

/// Compiles one component.
pub(super) fn compile(job: &Job<'_>) -> Result<Image, CompileFault> {
    let mut bytes = Zeroizing::new([0_u8; IMAGE_KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| unavailable("no random bytes for a key", &error))?;
    let mut head = Zeroizing::new(Vec::with_capacity(HEAD_BYTES));
    head.extend_from_slice(&job.reservation().to_le_bytes());
    head.extend_from_slice(bytes.as_slice());
    let sealed = ask(&head, job.bytes())?;
    // The child's word on what it compiled counts as little as its word that it did.
    job.open(&ImageKey::new(bytes), sealed)
        .filter(|image| job.made(image))
        .ok_or_else(|| unavailable("the compiler", &"its image is not sealed as agreed"))
}

/// Looks at a component as a whole, without compiling it.
///
/// # Errors
/// [`CompileFault`].
pub(crate) fn validate(component: &[u8]) -> Result<(), CompileFault> {
    ask(&[0; HEAD_BYTES], component).map(drop)
}

fn unavailable(what: &str, error: &dyn std::fmt::Display) -> CompileFault {
    CompileFault::Unavailable(format!("{what}: {error}"))
}

/// Starts a child, and gives what it wrote where it ended well.
fn ask(head: &[u8], component: &[u8]) -> Result<Vec<u8>, CompileFault> {
    // The file that this process was started from, also where another was put in its place since: an image of
    // another version would not be taken.
    let mut child = Command::new("/proc/self/exe")
        .arg(VERB)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| unavailable("the compiler does not start", &error))?;
    let (status, written, complaint) = talk(&mut child, head, component);
    let status = status.map_err(|error| unavailable("the compiler is lost", &error))?;
    match status {
        Some(status) if status.success() => Ok(written),
        Some(status) => Err(ended(status, &complaint)),
        None => Err(CompileFault::Limit(format!(
            "compiling took longer than {WALL_SECONDS_MAX} s"
        ))),
    }
}

/// Feeds the child, reads it, and waits for its end: `None` where it had to be ended.
fn talk(
    child: &mut Child,
    head: &[u8],
    component: &[u8],
) -> (std::io::Result<Option<ExitStatus>>, Vec<u8>, String) {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A child that ended early says why on its standard error.
            if let Some(mut input) = input {
                let _ = input
                    .write_all(head)
                    .and_then(|()| input.write_all(component));
            }
        });
        let sealed = scope.spawn(move || {
            let mut sealed = Vec::new();
            let read = output.map(|it| it.take(IMAGE_BYTES_MAX).read_to_end(&mut sealed));
            // What was read up to an error is not whole and is not sealed.
            drop(read);
            sealed
        });
        let complaint = scope.spawn(move || {
            let mut complaint = Vec::new();
            let read = errors.map(|it| it.take(COMPLAINT_BYTES_MAX).read_to_end(&mut complaint));
            drop(read);
            String::from_utf8_lossy(&complaint).trim().to_owned()
        });
        let status = wait(child);
        let sealed = sealed.join().unwrap_or_default();
        (status, sealed, complaint.join().unwrap_or_default())
    })
}

fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + Duration::from_secs(WALL_SECONDS_MAX);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(LOOK_MS));
    }
}

/// What an end that was not a good one means.
fn ended(status: ExitStatus, complaint: &str) -> CompileFault {
    let said = complaint.to_owned();
    match status.code().map(u8::try_from) {
        Some(Ok(REFUSED)) => return CompileFault::Refused(said),
        Some(Ok(INVALID)) => return CompileFault::Invalid(said),
        Some(Ok(UNAVAILABLE)) => return CompileFault::Unavailable(said),
        _ => {}
    }
    let how = match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() || signal == Signal::KILL.as_raw() => {
            format!("it took more than {CPU_SECONDS_MAX} s of processor time")
        }
        Some(signal) => format!(
            "it was ended by signal {signal}, as where it needs more than {MEMORY_BYTES_MAX} bytes of memory"
        ),
        None => format!("it ended with {status}, as where it needs more memory than it may use"),
    };
    CompileFault::Limit(format!("the compiler did not finish: {how}"))
}

/// Exit status of a child whose component is not taken.
pub(crate) const REFUSED: u8 = 1;
/// Exit status of a child whose component is not valid.
pub(crate) const INVALID: u8 = 2;
/// Exit status of a child that could not begin.
const UNAVAILABLE: u8 = 70;

/// What the child does: limits itself, reads, compiles. Gives the sealed image.
///
/// # Errors
/// The exit status, and why.
pub(crate) fn main(mut input: impl Read) -> Result<Vec<u8>, (u8, String)> {
    let unavailable = |what: &str, error: &dyn std::fmt::Display| {
        (UNAVAILABLE, unavailable(what, error).to_string())
    };
    // SECURITY: before the first byte of the component is read.
    for (resource, most) in [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Cpu, CPU_SECONDS_MAX),
        (Resource::Nofile, FILES_MAX),
        (Resource::Fsize, 0),
    ] {
        let most = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        rustix::process::setrlimit(resource, most)
            .map_err(|error| unavailable("a limit cannot be set", &error))?;
    }
    // A parent that is gone waits for nothing.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| unavailable("the parent cannot be watched", &error))?;
    let mut head = Zeroizing::new([0_u8; HEAD_BYTES]);
    input
        .read_exact(head.as_mut_slice())
        .map_err(|error| unavailable("the head of the input", &error))?;
    let (reservation, secret) = head.split_at(8);
    let reservation = <[u8; 8]>::try_from(reservation)
        .map(u64::from_le_bytes)
        .map_err(|error| unavailable("the reservation", &error))?;
    let secret = <[u8; IMAGE_KEY_BYTES]>::try_from(secret)
        .map(Zeroizing::new)
        .map_err(|error| unavailable("the key", &error))?;
    let mut component = Vec::new();
    input
        .take(COMPONENT_BYTES_CEILING)
        .read_to_end(&mut component)
        .map_err(|error| unavailable("the component", &error))?;
    let done = match reservation {
        0 => portcullis_plugin::validate(&component).map(|()| Vec::new()),
        _ => compile_sealed(reservation, &ImageKey::new(secret), &component),
    };
    done.map_err(|fault| {
        let status = match fault {
            CompileFault::Refused(_) => REFUSED,
            CompileFault::Invalid(_) => INVALID,
            CompileFault::Limit(_) | CompileFault::Unavailable(_) => UNAVAILABLE,
        };
        (status, fault.to_string())
    })
}
