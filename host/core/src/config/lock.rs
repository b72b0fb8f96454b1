//! `plugins.lock`: the digests of components, as `portcullis plugin add` writes them. A file of its own, so that a
//! program can write it anew while `plugins.yml` stays a person's.
//!
//! Must not: say anything but which bytes. Limits, order and settings stand in `plugins.yml`.

use super::plugins::{Pin, sha256};
use super::shape::shape;
use super::tree::{At, Quoting, Reader, Version};
use super::{ConfigFault, PLUGINS_LOCK};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Most entries: as many as there can be plugins, and as many again that were taken out.
const ENTRIES_MAX: usize = 128;

shape! {
    /// The whole file.
    pub(super) struct Keys {
        required {
            plugins: Vec<Entry>,
        }
        optional {
            version: Version,
        }
    }
}

shape! {
    /// One plugin.
    pub(super) struct Entry {
        required {
            name: String,
            path: String,
            sha256: String,
        }
    }
}

/// What was read, by name.
#[derive(Default)]
pub(super) struct Lock {
    pub(super) pins: BTreeMap<String, Pin>,
    pub(super) faults: Vec<ConfigFault>,
}

/// Reads the file; one that does not exist pins nothing.
pub(super) fn read(text: Option<&str>) -> Lock {
    let Some(text) = text else {
        return Lock::default();
    };
    let mut reader = Reader::new(PLUGINS_LOCK, Quoting::Allowed);
    let mut pins = BTreeMap::new();
    if let Some(node) = reader.document(text) {
        let root = reader.root(&node);
        document(&mut reader, &root, &mut pins);
    }
    Lock {
        pins,
        faults: reader.faults,
    }
}

fn document(reader: &mut Reader, root: &At<'_>, pins: &mut BTreeMap<String, Pin>) {
    let Some(fields) = reader.map(root, Keys::KEYS) else {
        return;
    };
    reader.version(&fields);
    let list = reader.required_list(root, &fields, "plugins");
    if list.len() > ENTRIES_MAX {
        let message = format!("expected at most {ENTRIES_MAX} entries, got {}", list.len());
        reader.fault(root, message, "");
        return;
    }
    for at in &list {
        let Some(fields) = reader.map(at, Entry::KEYS) else {
            continue;
        };
        let name = reader.required_text(at, &fields, "name");
        let path = reader.required_text(at, &fields, "path");
        let sha256 = match fields.get("sha256") {
            Some(at) => sha256(reader, &at),
            None => {
                reader.missing(at, "sha256");
                None
            }
        };
        if let (Some((_, name)), Some((_, path)), Some(sha256)) = (name, path, sha256) {
            let path = path.to_owned();
            let before = pins.insert(name.to_owned(), Pin { path, sha256 });
            if before.is_some() {
                reader.fault(at, format!("plugin \"{name}\" is pinned twice"), "");
            }
        }
    }
}

/// The text of a lock with one pin set, all others kept.
///
/// # Errors
/// What is wrong with the present text.
pub fn locked(
    present: Option<&str>,
    name: &str,
    path: &str,
    sha256: &str,
) -> Result<String, Vec<ConfigFault>> {
    let mut lock = read(present);
    if !lock.faults.is_empty() {
        return Err(lock.faults);
    }
    let pin = Pin {
        path: path.to_owned(),
        sha256: sha256.to_owned(),
    };
    lock.pins.insert(name.to_owned(), pin);
    let mut text = String::from(
        "# The digests of plugins, written by `portcullis plugin add`. A component with other bytes is not loaded.\n\
         version: 1\nplugins:\n",
    );
    for (name, pin) in &lock.pins {
        // A JSON string is a YAML string, whatever stands in it. Writing to a text cannot fail.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let _ = writeln!(text, "  - name: {}", quoted(name));
        let _ = writeln!(text, "    path: {}", quoted(&pin.path));
        let _ = writeln!(text, "    sha256: {}", quoted(&pin.sha256));
    }
    Ok(text)
}
