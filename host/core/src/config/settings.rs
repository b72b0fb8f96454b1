//! `portcullis.yml`: the gate's own settings. It knows only keys that do something.
//!
//! Must not: weaken a rule. Nothing here decides what may run.

use super::tree::{Quoting, Reader};
use super::{ConfigFault, PORTCULLIS};

/// The gate's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether records go to standard error beside the journal. Default: yes. Turn it off where standard
    /// error is shown to people; the journal is kept either way.
    pub audit_stderr: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { audit_stderr: true }
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
        if let Some(fields) = reader.map(&root, &["version", "audit"]) {
            reader.version(&fields);
            if let Some(audit) = fields.get("audit")
                && let Some(audit) = reader.map(&audit, &["stderr"])
                && let Some(at) = audit.get("stderr")
                && let Some(stderr) = reader.boolean(&at)
            {
                settings.audit_stderr = stderr;
            }
        }
    }
    (settings, reader.faults)
}
