//! The sections whose subject this version does in one way only: `transports`, `principals`, `roles`,
//! `approvals` and `store`. A file may say that way; everything else in them is a fault that says so.
//!
//! Must not: take a value and not enforce it. An operator who reads `roles:` in the file would rely on it.

use crate::config::shape::{shape, words};
use crate::config::tree::{At, Reader, Refused};
use crate::config::value::Value;

/// The one principal of this version: whoever started the process.
const LOCAL: &str = "local:*";
/// The one role of this version: it may call every tool, and the policy decides what is run.
const CALLER: &str = "caller";

words! { FilesWord { Files } }
words! { CallerWord { Caller } }

shape! {
    /// How agents reach the gate.
    #[schemars(rename = "Transports")]
    pub(super) struct TransportKeys {
        optional {
            /// Whether a client may speak over standard input and output (`serve --stdio`). The only way in this
            /// version, so it cannot be turned off.
            #[schemars(extend("default" = true, "const" = true))]
            stdio: bool,
            /// Whether the gate listens for HTTP. Not in this version.
            #[schemars(extend("default" = false, "const" = false))]
            http: bool,
        }
    }
}

shape! {
    /// Who calls. In this version it is whoever started the process, with the identity `local:UID`.
    #[schemars(rename = "Principal")]
    pub(super) struct PrincipalKeys {
        required {
            /// Who: `local:*`, the user that started the process.
            #[schemars(extend("const" = LOCAL))]
            name: String,
        }
        optional {
            /// What they may do: `caller`, which is every tool; the policy decides what is run.
            #[schemars(length(min = 1, max = 1))]
            roles: Vec<CallerWord>,
        }
    }
}

shape! {
    /// What happens where a rule or a plugin asks for a human's approval.
    #[schemars(rename = "Approvals")]
    pub(super) struct ApprovalKeys {
        optional {
            /// Whether approvals can be given. Not in this version: what asks for one is refused.
            #[schemars(extend("default" = false, "const" = false))]
            enabled: bool,
        }
    }
}

shape! {
    /// Where the gate keeps what it has to remember.
    #[schemars(rename = "Store")]
    pub(super) struct StoreKeys {
        optional {
            /// `files`: the journal beneath the state directory. Databases are not used by this version.
            #[schemars(extend("default" = "files"))]
            kind: FilesWord,
        }
    }
}

const NO_APPROVALS: &str =
    "approvals cannot be given in this version; what asks for one is refused";
const APPROVAL_HINT: &str = "Remove the key; a rule with `require_approval` refuses until then.";
const NO_STORE: &str = "databases are not used by this version";
const STORE_HINT: &str =
    "Remove the key; the journal is a file beneath the state directory (`--state`).";

const fn refused(key: &'static str, message: &'static str, hint: &'static str) -> Refused {
    Refused { key, message, hint }
}

/// Reads `transports`.
pub(super) fn transports(reader: &mut Reader, at: &At<'_>) {
    let Some(fields) = reader.map(at, TransportKeys::KEYS) else {
        return;
    };
    if let Some(at) = fields.get("stdio")
        && reader.boolean(&at) == Some(false)
    {
        reader.fault(
            &at,
            "standard input and output cannot be turned off: this version has no other transport",
            "Remove the key.",
        );
    }
    if let Some(at) = fields.get("http")
        && !matches!(at.value(), Value::Bool(false))
    {
        reader.fault(
            &at,
            "HTTP is not served by this version",
            "Remove the key; clients start `portcullis serve --stdio`.",
        );
    }
}

/// Reads `principals`.
pub(super) fn principals(reader: &mut Reader, at: &At<'_>) {
    for at in reader.list(at).unwrap_or_default() {
        let Some(fields) = reader.map(&at, PrincipalKeys::KEYS) else {
            continue;
        };
        let hint = "Everyone who can start the process has the same rights; hosts and commands are narrowed in policy.yml.";
        match fields.get("name") {
            Some(name) => reader.only(&name, LOCAL, hint),
            None => reader.missing(&at, "name"),
        }
        let Some(roles) = fields.get("roles") else {
            continue;
        };
        let roles_are_one = |list: &Vec<At<'_>>| list.len() == 1;
        match reader.list(&roles) {
            Some(list) if roles_are_one(&list) => {
                for role in &list {
                    reader.only(role, CALLER, hint);
                }
            }
            Some(_) => reader.expected(
                &roles,
                "a list with the one role of this version, `caller`",
                hint,
            ),
            None => {}
        }
    }
}

/// Reads `roles`: there are none to define.
pub(super) fn roles(reader: &mut Reader, at: &At<'_>) {
    if !matches!(at.value(), Value::Map(entries) if entries.is_empty()) {
        reader.fault(
            at,
            "roles are not enforced by this version, so none can be defined",
            "Remove the key; narrow hosts and commands in policy.yml.",
        );
    }
}

/// Reads `approvals`.
pub(super) fn approvals(reader: &mut Reader, at: &At<'_>) {
    let later = ["timeout_seconds", "quorum", "approvers", "allowed_signers"]
        .map(|key| refused(key, NO_APPROVALS, APPROVAL_HINT));
    let Some(fields) = reader.map_but(at, ApprovalKeys::KEYS, &later) else {
        return;
    };
    if let Some(at) = fields.get("enabled")
        && reader.boolean(&at) == Some(true)
    {
        reader.fault(&at, NO_APPROVALS, APPROVAL_HINT);
    }
}

/// Reads `store`.
pub(super) fn store(reader: &mut Reader, at: &At<'_>) {
    let later = ["url", "path", "pool", "sqlite", "postgresql"]
        .map(|key| refused(key, NO_STORE, STORE_HINT));
    let Some(fields) = reader.map_but(at, StoreKeys::KEYS, &later) else {
        return;
    };
    if let Some(at) = fields.get("kind") {
        reader.only(&at, "files", STORE_HINT);
    }
}
