//! `deny_commands:` at the top of `policy.yml` and in rules that deny.
//!
//! Must not: match anything, or know what an entry means.

use super::Notes;
use crate::policy::{DenySet, RawDenyItem};
use serde_yaml::{Location, Spanned};

/// The list as it is written.
pub(super) type RawList = Spanned<Vec<Spanned<RawDenyItem>>>;

/// The entries of a list; what is wrong with them goes to the notes.
pub(super) fn compile(list: Option<&RawList>, path: &str, notes: &mut Notes) -> DenySet {
    let Some(list) = list else {
        return DenySet::default();
    };
    if list.value.is_empty() {
        notes.warn(
            list.defined,
            path,
            "the list is empty, so it denies nothing",
            "Write `standard` for the shipped entries, or remove the key.",
        );
    }
    match DenySet::read(list.value.iter().map(|item| &item.value)) {
        Ok(set) => set,
        Err(faults) => {
            for fault in faults {
                let at: Location = list
                    .value
                    .get(fault.item)
                    .map_or(list.defined, |item| item.defined);
                let key = match fault.key.as_str() {
                    "" => String::new(),
                    key => format!(".{key}"),
                };
                let path = format!("{path}[{}]{key}", fault.item);
                notes.fault(at, &path, fault.message, &fault.hint);
            }
            DenySet::default()
        }
    }
}
