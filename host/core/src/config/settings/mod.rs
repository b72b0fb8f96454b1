//! `portcullis.yml`: the gate's own settings. It knows only keys that do something.
//!
//! One module for each section that sets something; `reserved` holds those whose subject this version does in one
//! way only. A new one is a file beside `audit.rs` with three things (the value that the
//! gate uses, `Keys` as a `shape!`, and `read`) and one line in each of the three places below.
//!
//! Must not: weaken a rule. Nothing here decides what may run.

pub mod audit;
pub mod dns;
pub mod reload;
mod reserved;
pub mod secrets;

use super::shape::{AnyValue, shape};
use super::tree::{At, Fields, Quoting, Reader, Version};
use super::{ConfigFault, PORTCULLIS};

/// The gate's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// What is recorded, and where.
    pub audit: audit::Audit,
    /// Programs that are asked for secrets.
    pub secrets: secrets::Secrets,
    /// How changed files come into force.
    pub reload: reload::Reload,
    /// How host names become addresses.
    pub dns: dns::Dns,
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
            /// How changed files come into force besides SIGHUP and `ssh_reload_config`.
            reload: reload::Keys,
            /// How agents reach the gate.
            transports: reserved::TransportKeys,
            /// Who calls: whoever started the process.
            principals: Vec<reserved::PrincipalKeys>,
            /// What principals may do. This version has the one role `caller` and takes no others.
            #[schemars(extend("maxProperties" = 0, "type" = "object"))]
            roles: AnyValue,
            /// What happens where a rule or a plugin asks for a human's approval.
            approvals: reserved::ApprovalKeys,
            /// How host names become addresses.
            dns: dns::Keys,
            /// Where the gate keeps what it has to remember.
            store: reserved::StoreKeys,
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
                reload: section(&mut reader, &fields, "reload", reload::read),
                dns: section(&mut reader, &fields, "dns", dns::read),
            };
            section(&mut reader, &fields, "transports", reserved::transports);
            section(&mut reader, &fields, "principals", reserved::principals);
            section(&mut reader, &fields, "roles", reserved::roles);
            section(&mut reader, &fields, "approvals", reserved::approvals);
            section(&mut reader, &fields, "store", reserved::store);
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
