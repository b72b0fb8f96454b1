//! `network`: which addresses may be dialled, from its text to the lists.
//!
//! Must not: judge an address; the lists do.

use super::{Notes, given, warn_of_host_keys};
use crate::net::{Entry, EntryFault, Lists};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::Spanned;

/// Which addresses may be dialled, after resolution.
#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Network")]
pub(super) struct RawNetwork {
    /// Addresses that may be dialled. Where this list or `allow_cidrs` has an entry, everything else is excluded.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    allow_ips: Vec<Spanned<String>>,
    /// Networks that may be dialled, as `ADDRESS/BITS`. Name the ones that your machines are in.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    allow_cidrs: Vec<Spanned<String>>,
    /// Addresses that may never be dialled; a block wins over every allow.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    block_ips: Vec<Spanned<String>>,
    /// Networks that may never be dialled, e.g. a cloud's metadata service.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    block_cidrs: Vec<Spanned<String>>,
    /// Read for compatibility and ignored: host keys are always verified.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    require_known_host: Option<Spanned<bool>>,
}

impl RawNetwork {
    /// The lists that they name. What is wrong with an entry is noted.
    pub(super) fn compile(self, path: &str, notes: &mut Notes) -> Lists {
        warn_of_host_keys(self.require_known_host, path, notes);
        let mut lists = Lists {
            path: path.to_owned(),
            ..Lists::default()
        };
        for (key, texts, to) in [
            ("allow_ips", self.allow_ips, &mut lists.allow),
            ("block_ips", self.block_ips, &mut lists.block),
        ] {
            entries((path, key), &texts, Entry::address, to, notes);
        }
        for (key, texts, to) in [
            ("allow_cidrs", self.allow_cidrs, &mut lists.allow),
            ("block_cidrs", self.block_cidrs, &mut lists.block),
        ] {
            entries((path, key), &texts, Entry::cidr, to, notes);
            if key == "block_cidrs" {
                warn_of_everything(path, &texts, to, notes);
            }
        }
        lists
    }
}

fn entries(
    (of, key): (&str, &'static str),
    texts: &[Spanned<String>],
    read: fn(&str) -> Result<Entry, EntryFault>,
    to: &mut Vec<(&'static str, Entry)>,
    notes: &mut Notes,
) {
    for (index, text) in texts.iter().enumerate() {
        match read(&text.value) {
            Ok(entry) => to.push((key, entry)),
            Err(fault) => {
                let hint = match fault {
                    EntryFault::Network => {
                        "Networks belong in the list of the same name that ends in `_cidrs`."
                    }
                    EntryFault::Address | EntryFault::Cidr => "",
                };
                let path = format!("{of}.{key}[{index}]");
                let got = crate::text::step(&text.value);
                notes.fault(text.defined, &path, format!("{fault}: `{got}`"), hint);
            }
        }
    }
}

fn warn_of_everything(
    path: &str,
    texts: &[Spanned<String>],
    block: &[(&'static str, Entry)],
    notes: &mut Notes,
) {
    for (index, text) in texts.iter().enumerate() {
        let everything = block
            .iter()
            .any(|(_, entry)| entry.text == text.value && entry.is_everything());
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
