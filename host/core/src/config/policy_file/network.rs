//! `network` of `policy.yml`, for all hosts and under `overrides`.
//!
//! Must not: judge an address.

use super::{Notes, given, warn_of_host_keys};
use crate::net::{Entry, EntryFault, Lists};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::Spanned;

impl RawNetwork {
    /// `path` is where it stands in the file.
    pub(super) fn compile(self, path: &str, notes: &mut Notes) -> Lists {
        warn_of_host_keys(self.require_known_host, path, notes);
        let mut lists = Lists::default();
        for (key, texts, to) in [
            ("allow_ips", self.allow_ips, &mut lists.allow),
            ("block_ips", self.block_ips, &mut lists.block),
        ] {
            entries(&format!("{path}.{key}"), &texts, Entry::address, to, notes);
        }
        for (key, texts, to) in [
            ("allow_cidrs", self.allow_cidrs, &mut lists.allow),
            ("block_cidrs", self.block_cidrs, &mut lists.block),
        ] {
            entries(&format!("{path}.{key}"), &texts, Entry::cidr, to, notes);
            if key == "block_cidrs" {
                warn_of_everything(path, &texts, to, notes);
            }
        }
        lists
    }
}

fn entries(
    key_path: &str,
    texts: &[Spanned<String>],
    read: fn(&str) -> Result<Entry, EntryFault>,
    to: &mut Vec<Entry>,
    notes: &mut Notes,
) {
    for (index, text) in texts.iter().enumerate() {
        match read(&text.value) {
            Ok(entry) => to.push(entry),
            Err(fault) => {
                let hint = match fault {
                    EntryFault::Network => {
                        "Networks belong in the list of the same name that ends in `_cidrs`."
                    }
                    EntryFault::Address | EntryFault::Cidr => "",
                };
                let path = format!("{key_path}[{index}]");
                let got = crate::text::step(&text.value);
                notes.fault(text.defined, &path, format!("{fault}: `{got}`"), hint);
            }
        }
    }
}

fn warn_of_everything(
    path: &str,
    texts: &[Spanned<String>],
    block: &[Entry],
    notes: &mut Notes,
) {
    for (index, text) in texts.iter().enumerate() {
        let everything = block
            .iter()
            .any(|entry| entry.text == text.value && entry.is_everything());
        if everything {
            notes.warn(
                text.defined,
                &format!("{path}.block_cidrs[{index}]"),
                "a block wins over every allow, so this one denies every address of its family",
                "Remove it: with an allow list, everything else is refused already.",
            );
        }
    }
}
