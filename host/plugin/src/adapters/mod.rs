//! The versions of the interface: one module for each minor version, and what they all come to.
//!
//! The rest of the crate speaks the plain types of this file. A module turns them into the generated types
//! of its version and back, and nothing else. A new minor version is a new module and a row in [`ALL`]; an
//! old one goes when its row goes.
//!
//! Must not: decide anything. What a guest said is handed on as it was said, however wrong.

#[cfg(test)]
mod next;
#[cfg(test)]
mod tests;
mod v0_1;

use crate::fence::Fence;
use crate::validate::Question;
use portcullis_core::config::PluginKind;
use wasmtime::component::{InstancePre, Linker};
use wasmtime::{Result, Store};

/// The package of the interface.
pub(crate) const PACKAGE: &str = "portcullis:plugin/";

/// One minor version of the interface.
pub(crate) struct Version {
    /// Its number, up to the patch number: `0.1.`.
    pub(crate) prefix: &'static str,
    /// Links what it imports.
    pub(crate) link: fn(&mut Linker<Fence>) -> Result<()>,
    /// Finds its exports in a component, once, before any call.
    pub(crate) world: fn(PluginKind, InstancePre<Fence>) -> Result<World>,
}

/// Every version that this host speaks, the oldest first.
pub(crate) const ALL: &[Version] = &[
    v0_1::VERSION,
    #[cfg(test)]
    next::VERSION,
];

/// The version that a name ends in (`portcullis:plugin/log@0.1.3`), where this host speaks it.
pub(crate) fn version(name: &str) -> Option<&'static Version> {
    let (_, number) = name.split_once('@')?;
    ALL.iter().find(|version| {
        number
            .strip_prefix(version.prefix)
            .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// What this host speaks, for people: `0.1`.
pub(crate) fn spoken() -> String {
    let numbers: Vec<&str> = ALL
        .iter()
        .map(|version| version.prefix.trim_end_matches('.'))
        .collect();
    numbers.join(", ")
}

/// What a component is used as.
pub(crate) enum World {
    /// It judges commands.
    Validator(Box<dyn Validator>),
    /// It finds what must not be shown.
    Redactor(Box<dyn Redactor>),
}

/// A linked validator of some version.
pub(crate) trait Validator: Send + Sync {
    /// Makes a fresh instance.
    fn instantiate(&self, store: &mut Store<Fence>) -> Result<Box<dyn Judging>>;
}

/// One instance of a validator.
pub(crate) trait Judging {
    /// Asks it.
    fn validate(
        &self,
        store: &mut Store<Fence>,
        question: &Question,
        settings: &str,
    ) -> Result<std::result::Result<Said, String>>;
}

/// What a validator said, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing against it.
    NoObjection,
    /// It must not run.
    Objection {
        /// The guest's word.
        code: String,
        /// The guest's sentence.
        reason: String,
    },
    /// A human has to approve it first, with the guest's sentence.
    RequireApproval(String),
}

/// A linked redactor of some version.
pub(crate) trait Redactor: Send + Sync {
    /// Makes a fresh instance.
    fn instantiate(&self, store: &mut Store<Fence>) -> Result<Box<dyn Finding>>;
}

/// One instance of a redactor, for one stream.
pub(crate) trait Finding {
    /// Begins the stream.
    fn begin(&mut self, store: &mut Store<Fence>, about: &About<'_>) -> Result<()>;
    /// Pushes the next bytes.
    fn push(
        &mut self,
        store: &mut Store<Fence>,
        chunk: &[u8],
    ) -> Result<std::result::Result<Found, String>>;
    /// Ends the stream.
    fn finish(&mut self, store: &mut Store<Fence>) -> Result<std::result::Result<Found, String>>;
}

/// What a redactor is told about its stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The host's alias.
    pub(crate) alias: &'a str,
    /// The host's tags.
    pub(crate) tags: &'a [String],
    /// `stdout` or `stderr`.
    pub(crate) name: &'static str,
    /// The plugin's settings.
    pub(crate) settings: &'a str,
}

/// What a redactor answered, in its own numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Stretches to mask.
    pub(crate) spans: Vec<Stretch>,
    /// The release mark.
    pub(crate) release: u64,
}

/// A stretch to mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// First byte in the stream.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) length: u64,
    /// The guest's label; `None` where the mask is to show none.
    pub(crate) label: Option<String>,
}

/// The fault of a caller that pushes before it begins: a bug of this crate, never a guest's doing.
pub(crate) fn not_begun() -> wasmtime::Error {
    wasmtime::Error::msg("the stream was not begun")
}
