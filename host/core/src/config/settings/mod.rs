//! `portcullis.yml`: the gate's own settings. It knows only keys that do something.
//!
//! One module for each section. A new one is a file beside `audit.rs` with three things (the value that the
//! gate uses, `Keys` as a `shape!`, and `read`) and one line in each of the three places below.
//!
//! Must not: weaken a rule. Nothing here decides what may run.

pub mod audit;
pub mod secrets;

use super::shape::shape;
use super::tree::{At, Fields, Quoting, Reader, Version};
use super::{ConfigFault, PORTCULLIS};

/// The gate's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// What is recorded, and where.
    pub audit: audit::Audit,
    /// Programs that are asked for secrets.
    pub secrets: secrets::Secrets,
}

shape! {
    /// `portcullis.yml`: the gate's own settings. Every key is optional, and nothing here decides what may run.
    pub(super) struct Keys {
        optional {
            /// The version of this file's format.
            version: Version,
            /// What is recorded, and where.
            audit: audit::Keys,
            /// Programs that are asked for secrets, and which secret comes from which of them.
            secrets: secrets::Keys,
        }
    }
}

/// Reads the file; one that does not exist or is empty leaves the defaults.
pub(super) fn read(text: Option<&str>) -> (Settings, Vec<ConfigFault>) {
    let mut reader = Reader::new(PORTCULLIS, Quoting::Allowed);
    let mut settings = Settings::default();
    if let Some(text) = text.filter(|text| !super::yaml::is_empty(text))
        && let Some(node) = reader.document(text)
    {
        let root = reader.root(&node);
        if let Some(fields) = reader.map(&root, Keys::KEYS) {
            reader.version(&fields);
            settings = Settings {
                audit: section(&mut reader, &fields, "audit", audit::read),
                secrets: section(&mut reader, &fields, "secrets", secrets::read),
            };
        }
    }
    (settings, reader.faults)
}

/// One section, or its defaults where it does not stand.
fn section<T: Default>(
    reader: &mut Reader,
    fields: &Fields<'_>,
    key: &str,
    read: fn(&mut Reader, &At<'_>) -> T,
) -> T {
    match fields.get(key) {
        Some(at) => read(reader, &at),
        None => T::default(),
    }
}
