//! What a component is and asks for, read from its bytes before anything is compiled.
//!
//! SECURITY: the imports are the whole of what a guest could ever reach, so the list made here is the
//! proof that it cannot reach files or sockets. What is not named as allowed is refused.

use crate::COMPONENT_BYTES_CEILING;
use crate::adapters::{self, PACKAGE};
use portcullis_core::config::{PluginEntry, PluginKind};
use portcullis_core::request::sha256_hex;
use portcullis_core::text;
use wasmparser::{ComponentTypeRef, Parser, Payload, WasmFeatures};

/// What WebAssembly may use: the second release without references to garbage-collected values, with
/// the constant expressions that compilers emit, and components.
pub(crate) const ACCEPTED: WasmFeatures = WasmFeatures::WASM2
    .difference(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The version of WASI that inert stubs exist for, up to the patch number.
const WASI_VERSION: &str = "0.2.";
/// Packages of WASI that can be made inert.
const WASI_INERT: [&str; 4] = ["wasi:cli/", "wasi:io/", "wasi:clocks/", "wasi:random/"];
/// What componentizers leave among the exports. An export gives a guest nothing, and the host calls none but ours.
const TOOL_EXPORTS: [&str; 1] = ["exports"];
/// Most imports and exports that are looked at; a component with more is refused.
const NAMES_MAX: usize = 256;

/// What stands behind an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportClass {
    /// The interface's own types and log.
    Ours,
    /// WASI that the host answers with stubs: an empty environment, a fixed clock, fixed randomness.
    Inert,
    /// Never linked.
    Refused,
}

/// One import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name, sanitised.
    pub name: String,
    /// What stands behind it.
    pub class: ImportClass,
}

/// What can be said of a component as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It imports the interface and nothing else.
    Strict,
    /// It also imports WASI that the host answers with stubs.
    Inert,
    /// It cannot be loaded.
    Refused,
}

/// What a component is, as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file, 64 lower-case hex digits.
    pub sha256: String,
    /// All imports, in file order.
    pub imports: Vec<Import>,
    /// The names of all exports, sanitised, in file order.
    pub exports: Vec<String>,
    /// What it can be used as.
    pub kinds: Vec<PluginKind>,
    /// What can be said of it as a whole.
    pub standing: Standing,
    /// Why it is refused, and how to build it so that it is not; empty where it is strict.
    pub hints: Vec<String>,
}

/// Why a component is not loaded, as one stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadCause {
    /// It is larger than its limit.
    TooLarge,
    /// Its bytes are not those that are pinned.
    Digest,
    /// It is a core module and not a component.
    CoreModule,
    /// It is not valid, or uses a feature of WebAssembly that is off.
    Invalid,
    /// It has no signature of the key that its entry names.
    Signature,
    /// It is built for a version of the interface that this host does not speak, or for two at once.
    Version,
    /// It imports something that is never linked.
    Import,
    /// It imports WASI, and its entry does not allow the inert stubs.
    WasiNotEnabled,
    /// It does not export what its entry says it is, or exports something else as well.
    World,
    /// It cannot be compiled or linked.
    Compile,
    /// Compiling it takes more memory or time than it may.
    CompileLimit,
    /// The compiler cannot be started.
    Compiler,
    /// It does not say what its test vectors expect.
    SelfTest,
    /// Two plugins have one name.
    DuplicateName,
    /// The engine cannot be started.
    Engine,
}

impl LoadCause {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Digest => "digest_mismatch",
            Self::CoreModule => "core_module",
            Self::Invalid => "invalid_component",
            Self::Signature => "signature_invalid",
            Self::Version => "wrong_version",
            Self::Import => "import_refused",
            Self::WasiNotEnabled => "wasi_not_enabled",
            Self::World => "wrong_world",
            Self::Compile => "compile_failed",
            Self::CompileLimit => "compile_limit",
            Self::Compiler => "compiler_unavailable",
            Self::SelfTest => "self_test_failed",
            Self::DuplicateName => "duplicate_name",
            Self::Engine => "engine_failed",
        }
    }
}

/// Why a plugin is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin}: {detail}")]
pub struct LoadFault {
    /// The plugin's name; empty where bytes were looked at without an entry.
    pub plugin: String,
    /// The failure's code, as calls have it: `plugin_load`.
    pub code: &'static str,
    /// The exact cause.
    pub cause: LoadCause,
    /// What was expected, then what was got; sanitised.
    pub detail: String,
    /// How to mend it.
    pub hint: String,
}

impl LoadFault {
    pub(crate) fn new(cause: LoadCause, detail: &str, hint: &str) -> Self {
        Self {
            plugin: String::new(),
            code: "plugin_load",
            cause,
            detail: text::step(detail).into_string(),
            hint: hint.to_owned(),
        }
    }

    pub(crate) fn of(mut self, plugin: &str) -> Self {
        plugin.clone_into(&mut self.plugin);
        self
    }
}

const HINT_ENCODE: &str = "Encode the module as a component: `portcullis plugin build` does it, and so does a build for wasm32-wasip2.";
const HINT_FEATURES: &str = "Build without threads, 64-bit memories, garbage collection, exceptions and asynchronous calls, and check that the file is whole.";
const HINT_WORLD: &str = "Build against the world validator-plugin, redactor-plugin or plugin of portcullis:plugin@0.1.0, and name the right kind in plugins.yml.";
const HINT_VERSION: &str = "Build against the folder of wit/ that this host speaks, or take the host's release that speaks the component's.";
const HINT_WASI: &str = "Build without WASI (see the other hints of `portcullis plugin inspect`), or set `wasi: inert` on the plugin; the stubs reach nothing.";
const HINT_RUST: &str =
    "Rust: build for wasm32-unknown-unknown, where std has no files, sockets or clock.";
const HINT_PYTHON: &str = "Python: componentize with --stub-wasi.";
const HINT_JS: &str =
    "JavaScript: componentize with disableFeatures: random, stdio, clocks, http, fetch-event.";
const HINT_OTHER: &str = "Plugins import portcullis:plugin/log@0.1.0 at most: remove what needs anything else; no setting admits files, sockets or http.";

/// Reads what a component is and asks for, in a time and memory that its size bounds. Whether it is valid inside is
/// [`crate::validate`]'s matter. Nothing is compiled or run.
///
/// # Errors
/// [`LoadFault`] when the bytes cannot be read as a component within [`COMPONENT_BYTES_CEILING`]. A
/// component that must not be loaded is an [`Inspection`] with [`Standing::Refused`].
pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadFault> {
    size_within(bytes, COMPONENT_BYTES_CEILING)?;
    read(bytes, sha256_hex(bytes))
}

fn read(bytes: &[u8], sha256: String) -> Result<Inspection, LoadFault> {
    if Parser::is_core_wasm(bytes) {
        return Err(LoadFault::new(
            LoadCause::CoreModule,
            "expected a component, got a core module",
            HINT_ENCODE,
        ));
    }
    let (imports, exports) = names(bytes)?;
    let foreign_version = version_fault(&imports, &exports);
    let kinds: Vec<PluginKind> = [PluginKind::Validator, PluginKind::Redactor]
        .into_iter()
        .filter(|kind| exports.iter().any(|name| is_export_of(name, *kind)))
        .collect();
    let worlds_only = exports.iter().all(|name| {
        TOOL_EXPORTS.contains(&name.as_str())
            || is_export_of(name, PluginKind::Validator)
            || is_export_of(name, PluginKind::Redactor)
    });
    let has = |class| imports.iter().any(|import: &Import| import.class == class);
    let standing = if has(ImportClass::Refused)
        || kinds.is_empty()
        || !worlds_only
        || foreign_version.is_some()
    {
        Standing::Refused
    } else if has(ImportClass::Inert) {
        Standing::Inert
    } else {
        Standing::Strict
    };
    let mut hints = Vec::new();
    if let Some(fault) = foreign_version {
        hints.push(fault.detail);
    }
    if kinds.is_empty() || !worlds_only {
        hints.push(HINT_WORLD.to_owned());
    }
    if has(ImportClass::Refused) || has(ImportClass::Inert) {
        hints.extend(import_hints(&imports));
    }
    Ok(Inspection {
        size: bytes.len() as u64,
        sha256,
        imports,
        exports,
        kinds,
        standing,
        hints,
    })
}

/// Checks a component against its entry: size, digest, imports, world. Nothing is compiled or run, and what is inside is
/// looked at by who compiles it.
///
/// # Errors
/// The first [`LoadFault`], in that order.
pub fn check(entry: &PluginEntry, bytes: &[u8]) -> Result<Inspection, LoadFault> {
    check_with(entry, bytes, None)
}

/// The same; `digest` is the component's where that is known.
pub(crate) fn check_with(
    entry: &PluginEntry,
    bytes: &[u8],
    digest: Option<&str>,
) -> Result<Inspection, LoadFault> {
    checked(entry, bytes, digest).map_err(|fault| fault.of(&entry.name))
}

fn checked(
    entry: &PluginEntry,
    bytes: &[u8],
    digest: Option<&str>,
) -> Result<Inspection, LoadFault> {
    size_within(bytes, entry.limits.component_bytes)?;
    let digest = digest.map_or_else(|| sha256_hex(bytes), str::to_owned);
    if let Some(pinned) = &entry.sha256
        && *pinned != digest
    {
        return Err(LoadFault::new(
            LoadCause::Digest,
            &format!("expected sha256 {pinned}, got {digest}"),
            "If the new file is the right one, pin its digest in plugins.yml.",
        ));
    }
    admitted(entry, bytes, digest)
}

fn admitted(entry: &PluginEntry, bytes: &[u8], digest: String) -> Result<Inspection, LoadFault> {
    let inspection = read(bytes, digest)?;
    if let Some(fault) = version_fault(&inspection.imports, &inspection.exports) {
        return Err(fault);
    }
    let first = |class| {
        let mut imports = inspection.imports.iter();
        imports.find(|import| import.class == class)
    };
    if let Some(import) = first(ImportClass::Refused) {
        return Err(LoadFault::new(
            LoadCause::Import,
            &format!(
                "expected no imports but portcullis:plugin/types and log@0.1.0, got {}",
                import.name
            ),
            &inspection.hints.join(" "),
        ));
    }
    if let (Some(import), false) = (first(ImportClass::Inert), entry.wasi_inert) {
        return Err(LoadFault::new(
            LoadCause::WasiNotEnabled,
            &format!("expected no WASI, got {}", import.name),
            HINT_WASI,
        ));
    }
    if inspection.standing == Standing::Refused || !inspection.kinds.contains(&entry.kind) {
        return Err(world_fault(entry.kind, &inspection.exports));
    }
    Ok(inspection)
}

fn world_fault(kind: PluginKind, exports: &[String]) -> LoadFault {
    let detail = format!(
        "expected the export {PACKAGE}{}@0.1.0 and no foreign one, got {exports:?}",
        interface(kind)
    );
    LoadFault::new(LoadCause::World, &detail, HINT_WORLD)
}

/// What is wrong with the versions of our own names: one that this host does not speak, or two at once.
fn version_fault(imports: &[Import], exports: &[String]) -> Option<LoadFault> {
    let names = imports.iter().map(|import| &import.name).chain(exports);
    let ours = names.filter(|name| name.starts_with(PACKAGE));
    let mut found: Option<&str> = None;
    for name in ours {
        let number = name.split_once('@').map_or("no version", |(_, it)| it);
        let Some(version) = adapters::version(name) else {
            let spoken = adapters::spoken();
            let detail = format!("built for {number}, this host speaks {spoken}");
            return Some(LoadFault::new(LoadCause::Version, &detail, HINT_VERSION));
        };
        if found.is_some_and(|other| other != version.prefix) {
            let detail = format!("expected one version of the interface, got {number} as well");
            return Some(LoadFault::new(LoadCause::Version, &detail, HINT_VERSION));
        }
        found = Some(version.prefix);
    }
    None
}

fn size_within(bytes: &[u8], bytes_max: u64) -> Result<(), LoadFault> {
    let bytes_max = bytes_max.min(COMPONENT_BYTES_CEILING);
    if bytes.len() as u64 <= bytes_max {
        return Ok(());
    }
    Err(LoadFault::new(
        LoadCause::TooLarge,
        &format!("expected at most {bytes_max} bytes, got {}", bytes.len()),
        "Build with opt-level s, lto and without debug information, or raise the plugin's component limit.",
    ))
}

pub(crate) fn invalid(detail: &str) -> LoadFault {
    LoadFault::new(
        LoadCause::Invalid,
        &format!("expected a valid component, got: {detail}"),
        HINT_FEATURES,
    )
}

/// The imports and exports of the component itself. What components and modules inside it import is
/// satisfied inside it, or comes in through the component's own imports.
fn names(bytes: &[u8]) -> Result<(Vec<Import>, Vec<String>), LoadFault> {
    let mut depth = 0_usize;
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|fault| invalid(&fault.to_string()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|fault| invalid(&fault.to_string()))?;
                    let class = match import.ty {
                        ComponentTypeRef::Instance(_) => class(import.name.name),
                        // A function, a module, a value: nothing that the interface has.
                        _ => ImportClass::Refused,
                    };
                    let name = text::step(import.name.name).into_string();
                    imports.push(Import { name, class });
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|fault| invalid(&fault.to_string()))?;
                    exports.push(text::step(export.name.name).into_string());
                }
            }
            _ => {}
        }
        if imports.len() > NAMES_MAX || exports.len() > NAMES_MAX {
            return Err(invalid(&format!(
                "more than {NAMES_MAX} imports or exports"
            )));
        }
    }
    Ok((imports, exports))
}

fn class(name: &str) -> ImportClass {
    if let Some((interface, _)) = name.strip_prefix(PACKAGE).and_then(|n| n.split_once('@')) {
        return if matches!(interface, "types" | "log") && adapters::version(name).is_some() {
            ImportClass::Ours
        } else {
            ImportClass::Refused
        };
    }
    let inert = WASI_INERT.iter().any(|package| name.starts_with(package))
        && name
            .split_once('@')
            .is_some_and(|(_, version)| is_version(version, WASI_VERSION));
    if inert {
        ImportClass::Inert
    } else {
        ImportClass::Refused
    }
}

/// Whether a version is the given one up to a patch number that is nothing but digits.
fn is_version(version: &str, wanted: &str) -> bool {
    version
        .strip_prefix(wanted)
        .is_some_and(|patch| !patch.is_empty() && patch.chars().all(|c| c.is_ascii_digit()))
}

fn interface(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Validator => "validator",
        PluginKind::Redactor => "redactor",
    }
}

fn is_export_of(name: &str, kind: PluginKind) -> bool {
    let ours = name.strip_prefix(PACKAGE).and_then(|it| it.split_once('@'));
    ours.is_some_and(|(it, _)| it == interface(kind)) && adapters::version(name).is_some()
}

fn import_hints(imports: &[Import]) -> Vec<String> {
    let wasi = imports
        .iter()
        .any(|import| import.name.starts_with("wasi:"));
    let foreign = imports
        .iter()
        .any(|import| import.class == ImportClass::Refused && !import.name.starts_with("wasi:"));
    let mut hints = Vec::new();
    if wasi {
        hints.extend([HINT_RUST, HINT_PYTHON, HINT_JS].map(str::to_owned));
    }
    if foreign || !wasi {
        hints.push(HINT_OTHER.to_owned());
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_ours_inert_or_refused_by_its_whole_name() {
        for (name, expected) in [
            ("portcullis:plugin/log@0.1.0", ImportClass::Ours),
            ("portcullis:plugin/types@0.1.7", ImportClass::Ours),
            ("portcullis:plugin/log@0.2.0", ImportClass::Refused),
            ("portcullis:plugin/log", ImportClass::Refused),
            ("portcullis:plugin/secrets@0.1.0", ImportClass::Refused),
            ("portcullis:plugins/log@0.1.0", ImportClass::Refused),
            ("wasi:cli/environment@0.2.6", ImportClass::Inert),
            ("wasi:io/poll@0.2.0", ImportClass::Inert),
            ("wasi:clocks/wall-clock@0.2.3", ImportClass::Inert),
            ("wasi:random/insecure-seed@0.2.6", ImportClass::Inert),
            ("wasi:cli/environment@0.3.0", ImportClass::Refused),
            ("wasi:cli/environment@0.2.0-rc-2023", ImportClass::Refused),
            ("wasi:clip/environment@0.2.6", ImportClass::Refused),
            ("wasi:filesystem/types@0.2.6", ImportClass::Refused),
            ("wasi:sockets/tcp@0.2.6", ImportClass::Refused),
            ("wasi:http/outgoing-handler@0.2.6", ImportClass::Refused),
            ("env", ImportClass::Refused),
            ("", ImportClass::Refused),
        ] {
            assert_eq!(class(name), expected, "{name}");
        }
    }
}
