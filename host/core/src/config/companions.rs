//! `companions.yml`: other MCP servers whose tools workflows may call, and what is known of those tools.
//!
//! Must not: start or reach one, or lower a tool's effect because of its name.
//!
//! Limit: nothing calls a companion in this version; the file is read and checked so that it is right when
//! something does, and a warning says so.

mod entry;
mod keys;
mod tools;

pub(super) use keys::Keys;

use super::shape::words;
use super::tree::{At, Quoting, Reader};
use super::{COMPANIONS, ConfigFault};
use std::collections::HashSet;

/// Most companions: each is a process or a connection.
const COMPANIONS_MAX: usize = 32;

/// Another MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// Its name: a lower-case letter, then lower-case letters, digits, `-`, `_`; unique.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// How it is reached.
    pub transport: Transport,
    /// Seconds for one call.
    pub timeout_seconds: u64,
    /// Most calls under way at once.
    pub concurrency_max: u64,
    /// Most restarts without a time of quiet before it is left alone.
    pub restarts_max: u64,
    /// What is known of its tools, in file order. A tool that does not stand here is destructive.
    pub tools: Vec<Tool>,
}

/// How a companion is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// A child process that speaks over standard input and output.
    Stdio {
        /// The program, an absolute path.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables with plain values, in file order. It gets these, those of `secrets` and no others.
        env: Vec<(String, String)>,
        /// Variables whose values are secrets, with the secrets' names.
        secrets: Vec<(String, String)>,
    },
    /// A server that is spoken to over HTTP.
    Http {
        /// Its address; `https`, or `http` on loopback.
        url: String,
        /// The name of the secret with the bearer token.
        token_secret: Option<String>,
    },
}

/// What is known of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name, as the companion lists it.
    pub name: String,
    /// What a call does.
    pub effect: Effect,
    /// SHA-256 of its definition as the companion lists it, 64 lower-case hex digits.
    pub sha256: Option<String>,
    /// Whether a second call with the same parameters changes nothing more.
    pub idempotent: bool,
    /// The tool that undoes a call.
    pub undo: Option<String>,
    /// The tool that tells, without changing anything, whether a call was applied.
    pub probe: Option<String>,
}

/// What a call does, from the mildest to the most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// It tells somebody something, which cannot be untold.
    Notify,
    /// It changes something that can be changed back.
    Write,
    /// It takes something away, or stops it.
    Destructive,
    /// It cannot be undone.
    Irreversible,
}

words! { EffectWord { Read, Notify, Write, Destructive, Irreversible } }

impl Effect {
    const WORDS: [(&str, Self); 5] = [
        ("read", Self::Read),
        ("notify", Self::Notify),
        ("write", Self::Write),
        ("destructive", Self::Destructive),
        ("irreversible", Self::Irreversible),
    ];
}

/// What was read, as far as it could be.
pub(super) struct Companions {
    /// The companions without a fault, in file order.
    pub(super) entries: Vec<Companion>,
    /// What is wrong.
    pub(super) faults: Vec<ConfigFault>,
    /// What is legal and probably not meant.
    pub(super) warnings: Vec<ConfigFault>,
}

/// Reads the file. A file that does not exist has no companions; one that exists and is empty is a fault, as
/// it is for plugins.
pub(super) fn read(text: Option<&str>) -> Companions {
    let mut reader = Reader::new(COMPANIONS, Quoting::Allowed);
    let mut entries = Vec::new();
    match text {
        None => {}
        Some(text) if super::yaml::is_empty(text) => reader.fault_of_file(
            "expected the key `companions`, got an empty file",
            "Write `companions: []`, or remove the file.",
        ),
        Some(text) => {
            if let Some(node) = reader.document(text) {
                let root = reader.root(&node);
                entries = document(&mut reader, &root);
            }
        }
    }
    Companions {
        entries,
        faults: reader.faults,
        warnings: reader.warnings,
    }
}

fn document(reader: &mut Reader, root: &At<'_>) -> Vec<Companion> {
    let Some(fields) = reader.map(root, Keys::KEYS) else {
        return Vec::new();
    };
    reader.version(&fields);
    let list = reader.required_list(root, &fields, "companions");
    if list.len() > COMPANIONS_MAX {
        let got = list.len();
        let message = format!("expected at most {COMPANIONS_MAX} companions, got {got}");
        reader.fault(root, message, "");
        return Vec::new();
    }
    let mut names = HashSet::new();
    let mut entries = Vec::new();
    for at in &list {
        let Some(companion) = entry::read(reader, at) else {
            continue;
        };
        if !names.insert(companion.name.clone()) {
            let message = format!("companion \"{}\" is defined twice", companion.name);
            reader.fault(at, message, "Give each companion a name of its own.");
        }
        entries.push(companion);
    }
    if !list.is_empty() {
        reader.warn(
            root,
            "companions are read and checked, and nothing calls them in this version",
            "",
        );
    }
    entries
}
