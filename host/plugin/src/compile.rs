//! Machine code: how a component becomes it, and how machine code that was made before is known again.
//!
//! Compiling takes seconds and cannot be interrupted, so who calls this crate decides where it happens: a
//! [`Compiler`] that runs a child process under limits, with a store of images behind it, or [`InProcess`].
//! Either gives an [`Image`], and there are two ways to one: compiled here, or opened under a key that it
//! was sealed with. Machine code is run as it is; the engine does not notice a changed byte.
//!
//! A sealed image is the machine code, and behind it the seal: a line, BLAKE3 of the component that it was made from, and
//! BLAKE3 of it all under the key. What is in a file is looked at and copied in one pass into memory that the kernel lets
//! nobody change any more, and mapped from there: neither a second copy nor a page that is not needed is made.
//!
//! Must not: open files by name, start processes, open an image whose seal does not fit the engine and the component, or
//! run what could be changed after it was looked at.

use crate::engine;
use crate::inspect::ACCEPTED;
use portcullis_core::request::sha256_hex;
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use wasmparser::Validator;
use wasmtime::Engine;
use wasmtime::component::Component;
use zeroize::Zeroizing;

/// Size of a key in bytes.
pub const IMAGE_KEY_BYTES: usize = 32;
/// Begins every seal; another format's begins otherwise.
const MAGIC: &[u8] = b"portcullis image 2\n";
const DIGEST_BYTES: usize = 32;
const SEAL_BYTES: usize = MAGIC.len() + 2 * DIGEST_BYTES;
/// How much of a file is looked at in one piece; it stays in the processor's cache.
const PIECE_BYTES: usize = 131_072;
/// The engine's version: its own hash knows the major number alone, and patches change machine code too.
const ENGINE_VERSION: &str = "48.0.8";

/// What images are sealed with. Wiped when dropped.
pub struct ImageKey(Zeroizing<[u8; IMAGE_KEY_BYTES]>);

impl std::fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ImageKey")
    }
}

impl ImageKey {
    /// Takes the bytes over. They have to be random and nobody else's.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; IMAGE_KEY_BYTES]>) -> Self {
        Self(bytes)
    }
}

/// One component to be compiled for one engine.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    bytes: &'a [u8],
    sha256: String,
    fingerprint: String,
    reservation: u64,
}

impl<'a> Job<'a> {
    pub(crate) fn new(engine: &Engine, reservation: u64, bytes: &'a [u8]) -> Self {
        Self::of(engine, reservation, bytes, &sha256_hex(bytes))
    }

    /// The same where the component's digest is known.
    pub(crate) fn of(engine: &Engine, reservation: u64, bytes: &'a [u8], sha256: &str) -> Self {
        Self {
            bytes,
            sha256: sha256.to_owned(),
            fingerprint: fingerprint(engine),
            reservation,
        }
    }

    /// The component.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What [`compile_sealed`] needs to know of the engine.
    #[must_use]
    pub fn reservation(&self) -> u64 {
        self.reservation
    }

    /// A name for the image of exactly this component on exactly this engine, 64 hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        sha256_hex(format!("{}\n{}", self.fingerprint, self.sha256).as_bytes())
    }

    /// Whether the image was made from this component's bytes, whatever digest was said to be theirs.
    #[must_use]
    pub fn made(&self, image: &Image) -> bool {
        blake3::hash(self.bytes) == image.component
    }

    /// The image in a sealed one; `None` where it was not sealed with this key, for this engine and this
    /// component's digest, or is not whole.
    #[must_use]
    pub fn open(&self, key: &ImageKey, mut sealed: Vec<u8>) -> Option<Image> {
        let length = sealed.len().checked_sub(SEAL_BYTES)?;
        let (code, seal) = sealed.split_at_checked(length)?;
        let mut sealing = self.sealing(key);
        sealing.update(code);
        let component = vouched(sealing, seal)?;
        sealed.truncate(length);
        let code = Code::Bytes(sealed);
        Some(Image { code, component })
    }

    /// The same for a file, which is read from where it stands to its end. `length` is what it is said to have.
    ///
    /// # Errors
    /// The file cannot be read, or there is no memory for what is in it.
    pub fn open_file(
        &self,
        key: &ImageKey,
        file: &mut File,
        length: u64,
    ) -> std::io::Result<Option<Image>> {
        let Some(mut left) = length.checked_sub(SEAL_BYTES as u64) else {
            return Ok(None);
        };
        let mut memory = memory()?;
        let mut sealing = self.sealing(key);
        let mut piece = vec![0; PIECE_BYTES];
        while left > 0 {
            let most = usize::try_from(left)
                .unwrap_or(PIECE_BYTES)
                .min(PIECE_BYTES);
            let read = file.read(piece.get_mut(..most).unwrap_or_default())?;
            if read == 0 {
                return Ok(None);
            }
            let read_now = piece.get(..read).unwrap_or_default();
            sealing.update(read_now);
            memory.write_all(read_now)?;
            left = left.saturating_sub(read as u64);
        }
        let mut seal = Vec::with_capacity(SEAL_BYTES);
        Read::by_ref(file)
            .take(SEAL_BYTES as u64 + 1)
            .read_to_end(&mut seal)?;
        let Some(component) = vouched(sealing, &seal) else {
            return Ok(None);
        };
        rustix::fs::fcntl_add_seals(&memory, SEALS)?;
        let code = Code::Memory(memory);
        Ok(Some(Image { code, component }))
    }

    /// An image as it may be stored where others could change it.
    ///
    /// # Errors
    /// The image cannot be read.
    pub fn seal(&self, key: &ImageKey, image: &Image) -> std::io::Result<Vec<u8>> {
        let mut sealed = match &image.code {
            Code::Bytes(code) => code.clone(),
            Code::Memory(memory) => in_memory(memory)?,
        };
        let mut sealing = self.sealing(key);
        sealing.update(&sealed);
        sealing.update(image.component.as_bytes());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(image.component.as_bytes());
        sealed.extend_from_slice(sealing.finalize().as_bytes());
        Ok(sealed)
    }

    /// Covers the engine and the component, so that no image stands for another one. All but the code is of fixed
    /// length.
    fn sealing(&self, key: &ImageKey) -> blake3::Hasher {
        let mut sealing = blake3::Hasher::new_keyed(&key.0);
        sealing
            .update(MAGIC)
            .update(self.fingerprint.as_bytes())
            .update(self.sha256.as_bytes());
        sealing
    }
}

/// What a seal says of the component, where it fits what was looked at.
fn vouched(mut sealing: blake3::Hasher, seal: &[u8]) -> Option<blake3::Hash> {
    let (component, mac) = seal.strip_prefix(MAGIC)?.split_at_checked(DIGEST_BYTES)?;
    let mac = blake3::Hash::from_bytes(mac.try_into().ok()?);
    sealing.update(component);
    // Comparing takes the same time wherever they differ.
    let fits = sealing.finalize() == mac;
    let component = blake3::Hash::from_bytes(component.try_into().ok()?);
    fits.then_some(component)
}

/// Machine code of which it is known that this engine's compiler made it from the job's component.
pub struct Image {
    code: Code,
    /// BLAKE3 of the component.
    component: blake3::Hash,
}

enum Code {
    Bytes(Vec<u8>),
    /// Memory under a descriptor, with all of [`SEALS`].
    Memory(File),
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.code {
            Code::Bytes(code) => write!(f, "Image of {} bytes", code.len()),
            Code::Memory(_) => f.write_str("Image in sealed memory"),
        }
    }
}

/// Nothing can be written, cut or added, nor can that be allowed again.
const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::GROW)
    .union(SealFlags::SHRINK)
    .union(SealFlags::SEAL);

/// Memory under a descriptor.
fn memory() -> std::io::Result<File> {
    let flags = MemfdFlags::CLOEXEC.union(MemfdFlags::ALLOW_SEALING);
    Ok(File::from(rustix::fs::memfd_create(
        "portcullis-image",
        flags,
    )?))
}

fn in_memory(memory: &File) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(memory.metadata()?.len()).unwrap_or_default();
    let mut code = vec![0; length];
    memory.read_exact_at(&mut code, 0)?;
    Ok(code)
}

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileFault {
    /// The component is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The compiler does not take the component.
    #[error("{0}")]
    Refused(String),
    /// It takes more memory or time than it may.
    #[error("{0}")]
    Limit(String),
    /// The compiler cannot be started.
    #[error("{0}")]
    Unavailable(String),
}

/// Where components are compiled.
pub trait Compiler: Send + Sync {
    /// The image of a component: made now, or opened.
    ///
    /// # Errors
    /// [`CompileFault`].
    fn image(&self, job: &Job<'_>) -> Result<Image, CompileFault>;

    /// Looks at a component as [`validate`] does.
    ///
    /// # Errors
    /// [`CompileFault`].
    fn validate(&self, bytes: &[u8]) -> Result<(), CompileFault> {
        validate(bytes)
    }

    /// The image that is kept for a job whose digest nobody has looked at yet: [`Job::made`] says whether it is
    /// its component's.
    fn stored(&self, _job: &Job<'_>) -> Option<Image> {
        None
    }
}

/// Compiles in this process, without limits: for tests, benchmarks, and the child that has limits already.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl Compiler for InProcess {
    fn image(&self, job: &Job<'_>) -> Result<Image, CompileFault> {
        let engine = engine::bare(job.reservation).map_err(CompileFault::Unavailable)?;
        compile(&engine, job.bytes)
    }
}

/// Looks at all of the component before the compiler does. What that takes is not bounded by the component's size, so
/// it is done nowhere else.
fn compile(engine: &Engine, bytes: &[u8]) -> Result<Image, CompileFault> {
    validate(bytes)?;
    let code = engine
        .precompile_component(bytes)
        .map_err(|fault| CompileFault::Refused(format!("{fault:#}")))?;
    Ok(Image {
        code: Code::Bytes(code),
        component: blake3::hash(bytes),
    })
}

/// Whether a component is valid, functions and all. It may take memory and time out of all proportion: a small
/// component can say of a large one that it is there a thousand times. So the gate has a child do it.
///
/// # Errors
/// [`CompileFault::Invalid`].
pub fn validate(bytes: &[u8]) -> Result<(), CompileFault> {
    let mut validator = Validator::new_with_features(ACCEPTED);
    let valid = validator.validate_all(bytes).map(drop);
    valid.map_err(|fault| CompileFault::Invalid(fault.to_string()))
}

/// Compiles a component and seals its image: what the child process does. The key is the parent's, for this
/// one job.
///
/// # Errors
/// [`CompileFault`].
pub fn compile_sealed(
    reservation: u64,
    key: &ImageKey,
    bytes: &[u8],
) -> Result<Vec<u8>, CompileFault> {
    let engine = engine::bare(reservation).map_err(CompileFault::Unavailable)?;
    let image = compile(&engine, bytes)?;
    Job::new(&engine, reservation, bytes)
        .seal(key, &image)
        .map_err(|error| CompileFault::Unavailable(format!("the image cannot be sealed: {error}")))
}

/// Machine code as something to be linked.
#[allow(
    unsafe_code,
    reason = "the engine has no safe way to take machine code; this is the one place of the workspace"
)]
pub(crate) fn load(engine: &Engine, image: &Image) -> wasmtime::Result<Component> {
    // SAFETY: the bytes have to be what `precompile_component` gave, unchanged. An `Image` is made in three
    // places: `compile`, from that very call, and `Job::open` and `Job::open_file`, which take only bytes whose
    // MAC was made by `Job::seal` from such an image, under a key that only this user can read, over the version
    // and flags of the engine and the digest of the component. An engine with other flags refuses the image by
    // itself. What is mapped from memory is sealed against every change before it becomes an `Image`.
    unsafe {
        match &image.code {
            Code::Bytes(code) => Component::deserialize(engine, code),
            Code::Memory(memory) => {
                let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
                Component::deserialize_file(engine, path)
            }
        }
    }
}

/// Which engine an image is for: the version, and every flag that changes machine code.
fn fingerprint(engine: &Engine) -> String {
    let mut parts = Parts(ENGINE_VERSION.as_bytes().to_vec());
    engine.precompile_compatibility_hash().hash(&mut parts);
    sha256_hex(&parts.0)
}

/// Collects what a value feeds to a hash, so that a digest of any length can be made of it.
struct Parts(Vec<u8>);

impl Hasher for Parts {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]
    use super::*;
    use std::io::Seek;

    const RESERVATION: u64 = 33_554_432;

    fn key(byte: u8) -> ImageKey {
        ImageKey::new(Zeroizing::new([byte; IMAGE_KEY_BYTES]))
    }

    fn component() -> Vec<u8> {
        wat::parse_str("(component (core module (func)))").unwrap()
    }

    #[test]
    fn a_sealed_image_opens_under_its_key_for_its_engine_and_its_component_only() {
        let bytes = component();
        let engine = engine::bare(RESERVATION).unwrap();
        let job = Job::new(&engine, RESERVATION, &bytes);
        let sealed = compile_sealed(RESERVATION, &key(1), &bytes).unwrap();
        let image = job.open(&key(1), sealed.clone()).unwrap();
        assert!(load(&engine, &image).is_ok());
        assert!(job.open(&key(2), sealed.clone()).is_none());
        let other = engine::bare(RESERVATION * 2).unwrap();
        let elsewhere = Job::new(&other, RESERVATION * 2, &bytes);
        assert!(elsewhere.open(&key(1), sealed.clone()).is_none());
        assert_ne!(elsewhere.id(), job.id());
        let more = wat::parse_str("(component (core module (func) (func)))").unwrap();
        let another = Job::new(&engine, RESERVATION, &more);
        assert!(another.open(&key(1), sealed).is_none());
    }

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn in_file(job: &Job<'_>, key: &ImageKey, bytes: &[u8]) -> Option<Image> {
        let length = bytes.len() as u64;
        job.open_file(key, &mut file_of(bytes), length).unwrap()
    }

    /// Whether bytes are an image neither as they are nor as a file.
    fn neither_way(job: &Job<'_>, bytes: &[u8]) -> bool {
        let (in_memory, in_file) = (
            job.open(&key(1), bytes.to_vec()),
            in_file(job, &key(1), bytes),
        );
        assert_eq!(in_memory.is_some(), in_file.is_some());
        in_memory.is_none()
    }

    #[test]
    fn an_image_in_a_file_is_the_same_and_cannot_be_changed_once_it_was_looked_at() {
        let bytes = component();
        let engine = engine::bare(RESERVATION).unwrap();
        let job = Job::new(&engine, RESERVATION, &bytes);
        let sealed = compile_sealed(RESERVATION, &key(1), &bytes).unwrap();
        let image = in_file(&job, &key(1), &sealed).unwrap();
        assert!(load(&engine, &image).is_ok());
        assert_eq!(job.seal(&key(1), &image).unwrap(), sealed);
        assert!(in_file(&job, &key(2), &sealed).is_none());
        let Code::Memory(memory) = &image.code else {
            panic!("{image:?}");
        };
        for changed in [memory.set_len(1), memory.write_all_at(b"x", 0)] {
            assert!(changed.is_err(), "it could be changed");
        }
        // A file that is shorter or longer than was said is not whole.
        for length in [0, sealed.len() - 1, sealed.len() + 1] {
            let opened = job.open_file(&key(1), &mut file_of(&sealed), length as u64);
            assert!(opened.unwrap().is_none(), "{length}");
        }
    }

    #[test]
    fn an_image_says_which_bytes_it_was_made_from() {
        let bytes = component();
        let engine = engine::bare(RESERVATION).unwrap();
        let sealed = compile_sealed(RESERVATION, &key(1), &bytes).unwrap();
        let digest = sha256_hex(&bytes);
        let more = wat::parse_str("(component (core module (func) (func)))").unwrap();
        for (claimed, made) in [(&bytes, true), (&more, false)] {
            let job = Job::of(&engine, RESERVATION, claimed, &digest);
            let image = job.open(&key(1), sealed.clone()).unwrap();
            assert_eq!(job.made(&image), made);
        }
    }

    #[test]
    fn the_version_of_the_engine_is_the_one_that_is_built() {
        let lock = include_str!("../../../Cargo.lock");
        let wanted = format!("name = \"wasmtime\"\nversion = \"{ENGINE_VERSION}\"\n");
        assert!(lock.contains(&wanted), "{ENGINE_VERSION}");
    }

    #[test]
    fn an_image_with_any_changed_or_missing_byte_does_not_open() {
        let bytes = component();
        let engine = engine::bare(RESERVATION).unwrap();
        let job = Job::new(&engine, RESERVATION, &bytes);
        let sealed = compile_sealed(RESERVATION, &key(1), &bytes).unwrap();
        let from = sealed.len() - SEAL_BYTES - 8;
        let places = (from..sealed.len()).chain((0..sealed.len()).step_by(97));
        for at in places {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(neither_way(&job, &changed), "byte {at}");
        }
        for length in [0, 1, DIGEST_BYTES, SEAL_BYTES, sealed.len() - 1] {
            assert!(neither_way(&job, &sealed[..length]));
        }
        let more = [sealed.as_slice(), b"x"].concat();
        assert!(neither_way(&job, &more));
        assert!(!neither_way(&job, &sealed));
    }
}
