//! Machine code: how a component becomes it, and how machine code that was made before is known again.
//!
//! Compiling takes seconds and cannot be interrupted, so who calls this crate decides where it happens: a
//! [`Compiler`] that runs a child process under limits, with a store of images behind it, or [`InProcess`].
//! Either gives an [`Image`], and there are two ways to one: compiled here, or opened under a key that it
//! was sealed with. Machine code is run as it is; the engine does not notice a changed byte.
//!
//! Must not: read files, start processes, or open an image whose seal does not fit the engine and the component.

use crate::engine;
use hmac::{Hmac, KeyInit, Mac};
use portcullis_core::request::sha256_hex;
use sha2::Sha256;
use std::hash::{Hash, Hasher};
use wasmtime::Engine;
use wasmtime::component::Component;
use zeroize::Zeroizing;

/// Size of a key in bytes.
pub const IMAGE_KEY_BYTES: usize = 32;
/// Begins every sealed image; another format begins otherwise.
const MAGIC: &[u8] = b"portcullis image 1\n";
const MAC_BYTES: usize = 32;
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

    /// The image in a sealed one; `None` where it was not sealed with this key, for this engine and this
    /// component, or is not whole.
    #[must_use]
    pub fn open(&self, key: &ImageKey, sealed: Vec<u8>) -> Option<Image> {
        let rest = sealed.strip_prefix(MAGIC)?;
        let (mac, code) = rest.split_at_checked(MAC_BYTES)?;
        self.mac(key)?.chain_update(code).verify_slice(mac).ok()?;
        Some(Image {
            start: MAGIC.len().saturating_add(MAC_BYTES),
            bytes: sealed,
        })
    }

    /// An image as it may be stored where others could change it.
    #[must_use]
    pub fn seal(&self, key: &ImageKey, image: &Image) -> Option<Vec<u8>> {
        let code = image.code();
        let mac = self.mac(key)?.chain_update(code).finalize().into_bytes();
        Some([MAGIC, mac.as_slice(), code].concat())
    }

    /// Covers the engine and the component, so that no image stands for another one. Both are of fixed length.
    fn mac(&self, key: &ImageKey) -> Option<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(key.0.as_slice()).ok()?;
        Some(
            mac.chain_update(MAGIC)
                .chain_update(&self.fingerprint)
                .chain_update(&self.sha256),
        )
    }
}

/// Machine code of which it is known that this engine's compiler made it from the job's component.
pub struct Image {
    bytes: Vec<u8>,
    start: usize,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image of {} bytes", self.code().len())
    }
}

impl Image {
    fn code(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileFault {
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

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Image, CompileFault> {
    let bytes = engine
        .precompile_component(bytes)
        .map_err(|fault| CompileFault::Refused(format!("{fault:#}")))?;
    Ok(Image { bytes, start: 0 })
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
        .ok_or_else(|| CompileFault::Unavailable("the image cannot be sealed".to_owned()))
}

/// Machine code as something to be linked.
#[allow(
    unsafe_code,
    reason = "the engine has no safe way to take machine code; this is the one place of the workspace"
)]
pub(crate) fn load(engine: &Engine, image: &Image) -> wasmtime::Result<Component> {
    // SAFETY: the bytes have to be what `precompile_component` gave, unchanged. An `Image` is made in two
    // places: `compile`, from that very call, and `Job::open`, which takes only bytes whose MAC was made by
    // `Job::seal` from such an image, under a key that only this user can read, over the version and flags of
    // the engine and the digest of the component. An engine with other flags refuses the image by itself.
    unsafe { Component::deserialize(engine, image.code()) }
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
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

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
        let places = (0..MAGIC.len() + MAC_BYTES + 8).chain((0..sealed.len()).step_by(97));
        for at in places {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(job.open(&key(1), changed).is_none(), "byte {at}");
        }
        for length in [0, 1, MAGIC.len(), MAGIC.len() + MAC_BYTES, sealed.len() - 1] {
            assert!(job.open(&key(1), sealed[..length].to_vec()).is_none());
        }
    }
}
