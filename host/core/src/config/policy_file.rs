//! The shape of `policy.yml` and its way to a [`Policy`].
//!
//! Whoever misspells a key, writes a text where a list belongs, or lists an address that is none has
//! meant to restrict something; so each of these is a fault, and a policy with a fault does not load.
//! What is legal and probably not meant comes back as a warning.
//!
//! Must not: judge commands, or know about other files.

mod advice;
mod denying;
mod examples;
mod network;
mod prints;
mod redaction;
mod rule;

pub use redaction::{HostRedaction, RedactionLayers};

use super::ConfigFault;
use super::changes::Prints;
use super::profiles::{RawProfile, with_profiles};
use super::sound::{Slot, sound};
use super::value::Node;
use super::yaml::{self, from_yaml};
use crate::limits;
use crate::net::Lists;
use crate::policy::{LimitKeys, LimitLayers, Mode, NetworkLayers, Policy, RawDenyItem};
use network::RawNetwork;
use rule::RawRule;
use schemars::JsonSchema;
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml::{Location, Spanned};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

const FILE: &str = "policy.yml";
/// The versions of the format that are known; a file without one may use every shape.
const VERSIONS: RangeInclusive<u64> = 1..=2;
/// Bounds of `output_hard_stop_bytes`: up to one tebibyte.
const HARD_STOP_BYTES: RangeInclusive<u64> = 1..=1_099_511_627_776;
/// Bounds of `task_result_ttl` in seconds: up to one week.
const TASK_RESULT_TTL_SECONDS: RangeInclusive<u64> = 1..=604_800;
/// Bounds of `task_progress_interval` in seconds: up to one hour.
const TASK_PROGRESS_SECONDS: RangeInclusive<u64> = 1..=3_600;

/// A key that is there must have a value: `aliases:` with nothing behind it is a fault, because an
/// absent list and an empty one mean more than the operator can have meant.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// A whole number that is written as one: `"6"` is a text, and whoever writes it may mean something
/// that is not a limit.
#[derive(Serialize)]
#[serde(transparent)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;

        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Count, E> {
                Ok(Count(value))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Count, E> {
                u64::try_from(value)
                    .map(Count)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }
        }

        deserializer.deserialize_any(CountVisitor)
    }
}

/// `policy.yml`: what may run, where, and within which limits. Everything that no rule allows is denied.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub(super) struct RawPolicy {
    /// The version of the file's format. A file without one may use every shape.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64", range(min = *VERSIONS.start(), max = *VERSIONS.end()))]
    version: Option<Spanned<Count>>,
    /// The file with the recorded keys of the hosts: absolute, `~/…`, or beneath the keys directory. A host whose
    /// key is not recorded is never spoken to. Default: ~/.ssh/known_hosts.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    known_hosts_path: Option<String>,
    /// Bounds of a run, and the texts that deny.
    limits: Option<RawLimits>,
    /// Which addresses may be dialled. Default: all.
    network: Option<RawNetwork>,
    /// What may run and what may not; a deny rule that matches wins wherever it stands. Default: none, which denies
    /// everything.
    #[schemars(with = "Option<Vec<RawRule>>")]
    rules: Option<Vec<Slot<Spanned<RawRule>>>>,
    /// Other limits for some hosts. An alias wins over tags, and between two tags the stricter value wins.
    overrides: Option<RawOverrides>,
    /// How commands may be joined: `simple` takes one command without operators, `compound` judges each part of a
    /// script, `legacy` does so too and reads the globs of `commands` over the text. Narrow it where agents need no
    /// scripts.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RawMode", extend("default" = "compound"))]
    mode: Option<RawMode>,
    /// What the words of your own programs do, in the format of the shipped data (`portcullis policy data text.yml`).
    /// An entry for a known program replaces what is known of it. Default: the shipped ones.
    #[serde(default)]
    profiles: BTreeMap<String, RawProfile>,
    /// Further paths that hold secrets, as globs: `*` within a part, `**` for any parts. Default: the shipped ones.
    #[serde(default)]
    secret_paths: Vec<String>,
    /// What is denied by structure, through wrappers and however it is spelled, whatever a rule allows: `standard` for
    /// the shipped set, and entries of your own. Default: none.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<RawDenyItem>")]
    deny_commands: Option<denying::RawList>,
    /// Which rules look for secrets in output. Default: every rule of class `secret`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "redaction::RawRedaction")]
    redaction: Option<Spanned<redaction::RawRedaction>>,
}

/// How a host's commands may be joined.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Mode")]
enum RawMode {
    Simple,
    Compound,
    Legacy,
}

impl From<RawMode> for Mode {
    fn from(raw: RawMode) -> Self {
        match raw {
            RawMode::Simple => Self::Simple,
            RawMode::Compound => Self::Compound,
            RawMode::Legacy => Self::Legacy,
        }
    }
}

/// Bounds of a run.
#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
struct RawLimits {
    /// As `mode` at the top of the file, for these hosts.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RawMode", extend("default" = "compound"))]
    mode: Option<RawMode>,
    /// Wall time of a run in seconds, connecting included; then its whole process tree is ended. Raise it by tag for
    /// the hosts that need it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64", range(min = 1, max = limits::RUN_SECONDS_MAX), extend("default" = limits::RUN_SECONDS_DEFAULT))]
    max_seconds: Option<Spanned<Count>>,
    /// Output that is shown, both streams together, in bytes. More is read and counted, and its middle is left out.
    /// Lower it where an agent drowns in output.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64", range(min = 1, max = limits::OUTPUT_BYTES_MAX), extend("default" = limits::OUTPUT_BYTES_DEFAULT))]
    max_output_bytes: Option<Spanned<Count>>,
    /// Output after which a command is ended, in bytes.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64", range(min = *HARD_STOP_BYTES.start(), max = *HARD_STOP_BYTES.end()), extend("default" = limits::OUTPUT_HARD_STOP_BYTES_DEFAULT))]
    output_hard_stop_bytes: Option<Spanned<Count>>,
    /// Redacted output of each stream that is kept for `task_result_ttl` seconds, in bytes, to be read page by page by
    /// whoever made the run. 0 keeps nothing.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64", range(min = 0, max = limits::OUTPUT_BYTES_MAX), extend("default" = 0))]
    output_spill_bytes: Option<Spanned<Count>>,
    /// Under `overrides`: which rules look for secrets in the output of these hosts.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "redaction::RawRedaction")]
    redaction: Option<Spanned<redaction::RawRedaction>>,
    /// Under `overrides`: which addresses may be dialled for these hosts. An address has to pass these lists and the
    /// common ones, and those of each further override that is about the host.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RawNetwork")]
    network: Option<Spanned<RawNetwork>>,
    /// Read for compatibility and ignored: unknown host keys are never added.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    host_key_auto_add: Option<Spanned<bool>>,
    /// Read for compatibility and ignored: host keys are always verified.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    require_known_host: Option<Spanned<bool>>,
    /// Seconds that a finished task's result is kept.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64", range(min = *TASK_RESULT_TTL_SECONDS.start(), max = *TASK_RESULT_TTL_SECONDS.end()), extend("default" = limits::TASK_RESULT_TTL_SECONDS_DEFAULT))]
    task_result_ttl: Option<Spanned<Count>>,
    /// Seconds between progress notes of a task.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64", range(min = *TASK_PROGRESS_SECONDS.start(), max = *TASK_PROGRESS_SECONDS.end()), extend("default" = limits::TASK_PROGRESS_INTERVAL_SECONDS_DEFAULT))]
    task_progress_interval: Option<Spanned<Count>>,
    /// Texts that deny a command wherever they stand in it; a tripwire, not a boundary. A list here replaces the
    /// built-in one, an empty list turns it off. Default: twenty usual suspects.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    deny_substrings: Option<Spanned<Vec<Spanned<String>>>>,
}

/// Other limits for some hosts.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Overrides")]
struct RawOverrides {
    /// Limits by the alias of a host.
    #[serde(default)]
    aliases: BTreeMap<String, RawLimits>,
    /// Limits by tag.
    #[serde(default)]
    tags: BTreeMap<String, RawLimits>,
}

/// Reads the text of `policy.yml`, or JSON of the same shape, as a policy and its warnings. An empty
/// text is a policy without rules, which denies everything.
///
/// # Errors
/// Everything that is wrong, as far as the parser comes.
pub fn policy(text: &str) -> Result<(Policy, Vec<ConfigFault>), Vec<ConfigFault>> {
    read(text).map(|(policy, _, warnings)| (policy, warnings))
}

/// What a policy's text says besides its rules: the digests of its parts, and redaction.
type Parts = (Prints, RedactionLayers);

/// The same with the digests of its parts and with what it says of redaction.
pub(super) fn read(text: &str) -> Result<(Policy, Parts, Vec<ConfigFault>), Vec<ConfigFault>> {
    let mut notes = Notes::default();
    let raw = if yaml::is_empty(text) {
        RawPolicy::default()
    } else {
        from_yaml::<RawPolicy>(FILE, text).or_else(|first| rest(text, first, &mut notes))?
    };
    let prints = raw.prints();
    let (policy, redaction) = raw.compile(&mut notes);
    if notes.faults.is_empty() {
        Ok((policy, (prints, redaction), notes.warnings))
    } else {
        Err(notes.faults)
    }
}

/// The parser stopped at a fault of the shape. Names all of them, and gives what is sound, so that its own faults
/// are named too; with a fault noted, none of it is ever loaded.
fn rest(text: &str, first: ConfigFault, notes: &mut Notes) -> Result<RawPolicy, Vec<ConfigFault>> {
    let Ok(node) = from_yaml::<Node>(FILE, text) else {
        return Err(vec![first]);
    };
    let (raw, mut faults) = sound::<RawPolicy>(FILE, &node);
    if faults.is_empty() {
        faults.push(first);
    }
    notes.faults = faults;
    raw.ok_or_else(|| std::mem::take(&mut notes.faults))
}

/// What was found while a policy was put together.
#[derive(Default)]
struct Notes {
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigFault>,
}

impl Notes {
    /// Whether a fault is noted beneath a key of the top.
    fn concern(&self, key: &str) -> bool {
        self.faults.iter().any(|fault| fault.path.starts_with(key))
    }

    fn fault(&mut self, at: Location, path: &str, message: impl Into<String>, hint: &str) {
        self.faults.push(note(at, path, message.into(), hint));
    }

    fn warn(&mut self, at: Location, path: &str, message: impl Into<String>, hint: &str) {
        self.warnings.push(note(at, path, message.into(), hint));
    }
}

fn note(at: Location, path: &str, message: String, hint: &str) -> ConfigFault {
    ConfigFault {
        file: FILE,
        line: at.line(),
        column: at.column(),
        path: path.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}

impl RawPolicy {
    fn compile(self, notes: &mut Notes) -> (Policy, RedactionLayers) {
        let mut profiles_are_known = !notes.concern("profiles") && !notes.concern("secret_paths");
        let profiles = match with_profiles(FILE, self.profiles, self.secret_paths) {
            Ok((profiles, replaced)) => {
                for name in replaced {
                    notes.warnings.push(ConfigFault {
                        file: FILE,
                        line: 0,
                        column: 0,
                        path: format!("profiles.{name}"),
                        message: "replaces what is known of this program as a whole".to_owned(),
                        hint: "What the entry does not say is not known any more.".to_owned(),
                    });
                }
                profiles
            }
            Err(faults) => {
                notes.faults.extend(faults);
                profiles_are_known = false;
                Arc::default()
            }
        };
        if let Some(version) = &self.version
            && !VERSIONS.contains(&version.value.0)
        {
            notes.fault(
                version.defined,
                "version",
                format!(
                    "expected {} to {}; got {}",
                    VERSIONS.start(),
                    VERSIONS.end(),
                    version.value.0
                ),
                "A file of another version is never read as if it were known.",
            );
        }
        let mut limits = self.limits.unwrap_or_default();
        if let Some(misplaced) = limits.redaction.take() {
            notes.fault(
                misplaced.defined,
                "limits.redaction",
                "`redaction` for all hosts stands at the top of the file",
                "Move it out of `limits`.",
            );
        }
        if let Some(misplaced) = limits.network.take() {
            notes.fault(
                misplaced.defined,
                "limits.network",
                "`network` for all hosts stands at the top of the file",
                "Move it out of `limits`.",
            );
        }
        let mut base = limits.compile("limits", notes);
        base.mode = self.mode.map(Mode::from).or(base.mode);
        let mut overrides = self.overrides.unwrap_or_default();
        let redaction = RedactionLayers::compile(
            self.redaction,
            redactions(&mut overrides.aliases),
            redactions(&mut overrides.tags),
            notes,
        );
        let network = NetworkLayers::new(
            self.network.unwrap_or_default().compile("network", notes),
            networks(&mut overrides.aliases, "overrides.aliases", notes),
            networks(&mut overrides.tags, "overrides.tags", notes),
        );
        let aliases = layers(overrides.aliases, "overrides.aliases", notes);
        let tags = layers(overrides.tags, "overrides.tags", notes);
        let deny = denying::compile(self.deny_commands.as_ref(), "deny_commands", notes);
        let mut rules = Vec::new();
        let mut examples = Vec::new();
        let raw_rules = self.rules.unwrap_or_default();
        let raw_rules: Vec<(usize, Spanned<RawRule>)> = raw_rules
            .into_iter()
            .enumerate()
            .filter_map(|(index, slot)| Some((index, slot.0?)))
            .collect();
        let told: Vec<advice::Told> = raw_rules.iter().map(rule::told).collect();
        advice::give(&told, &deny, &profiles, notes);
        for (index, raw) in raw_rules {
            if let Some((rule, own)) = rule::compile(index, raw, notes) {
                examples.extend(own.map(|own| (index, rules.len(), own)));
                rules.push(rule);
            }
        }
        for (index, position, own) in examples {
            // Without the profiles an example may fail that is right.
            if let Some(rule) = rules.get(position).filter(|_| profiles_are_known) {
                examples::verify(index, rule, &own, &profiles, notes);
            }
        }
        let policy = Policy::new(
            self.known_hosts_path,
            rules,
            LimitLayers::new(&base, aliases, tags),
            network,
        )
        .with_profiles(profiles)
        .with_deny_commands(deny);
        (policy, redaction)
    }
}

/// Takes what the overrides say of redaction.
fn redactions(
    raw: &mut BTreeMap<String, RawLimits>,
) -> BTreeMap<String, Spanned<redaction::RawRedaction>> {
    raw.iter_mut()
        .filter_map(|(name, limits)| Some((name.clone(), limits.redaction.take()?)))
        .collect()
}

/// Takes what the overrides say of addresses.
fn networks(
    raw: &mut BTreeMap<String, RawLimits>,
    path: &str,
    notes: &mut Notes,
) -> BTreeMap<String, Lists> {
    let mut networks = BTreeMap::new();
    for (name, limits) in raw {
        let Some(network) = limits.network.take() else {
            continue;
        };
        let path = format!("{path}.{name}.network");
        let lists = network.value.compile(&path, notes);
        if lists.allow.is_empty() && lists.block.is_empty() {
            let hint = "List addresses, or remove the key.";
            notes.warn(
                network.defined,
                &path,
                "lists without an entry change nothing",
                hint,
            );
        }
        networks.insert(name.clone(), lists);
    }
    networks
}

fn layers(
    raw: BTreeMap<String, RawLimits>,
    path: &str,
    notes: &mut Notes,
) -> BTreeMap<String, LimitKeys> {
    raw.into_iter()
        .map(|(name, limits)| {
            let keys = limits.compile(&format!("{path}.{name}"), notes);
            (name, keys)
        })
        .collect()
}

impl RawLimits {
    fn compile(self, path: &str, notes: &mut Notes) -> LimitKeys {
        let mut number = |key: &str, value: Option<Spanned<Count>>, range: RangeInclusive<u64>| {
            let value = value?;
            let count = value.value.0;
            if !range.contains(&count) {
                let message = format!(
                    "expected {} to {}; got {}",
                    range.start(),
                    range.end(),
                    count
                );
                notes.fault(value.defined, &format!("{path}.{key}"), message, "");
            }
            Some(count)
        };
        let keys = LimitKeys {
            max_seconds: number("max_seconds", self.max_seconds, 1..=limits::RUN_SECONDS_MAX),
            max_output_bytes: number(
                "max_output_bytes",
                self.max_output_bytes,
                1..=limits::OUTPUT_BYTES_MAX,
            ),
            output_hard_stop_bytes: number(
                "output_hard_stop_bytes",
                self.output_hard_stop_bytes,
                HARD_STOP_BYTES,
            ),
            output_spill_bytes: number(
                "output_spill_bytes",
                self.output_spill_bytes,
                0..=limits::OUTPUT_BYTES_MAX,
            ),
            task_result_ttl: number(
                "task_result_ttl",
                self.task_result_ttl,
                TASK_RESULT_TTL_SECONDS,
            ),
            task_progress_interval: number(
                "task_progress_interval",
                self.task_progress_interval,
                TASK_PROGRESS_SECONDS,
            ),
            deny_substrings: None,
            mode: self.mode.map(Mode::from),
        };
        warn_of_host_keys(self.require_known_host, path, notes);
        if let Some(add) = self.host_key_auto_add
            && add.value
        {
            notes.warn(
                add.defined,
                &format!("{path}.host_key_auto_add"),
                "read for compatibility and ignored: unknown host keys are never added",
                "Add the host's key to known_hosts and remove this line.",
            );
        }
        LimitKeys {
            deny_substrings: self
                .deny_substrings
                .map(|texts| substrings(texts, &format!("{path}.deny_substrings"), notes)),
            ..keys
        }
    }
}

fn warn_of_host_keys(require: Option<Spanned<bool>>, path: &str, notes: &mut Notes) {
    if let Some(require) = require
        && !require.value
    {
        notes.warn(
            require.defined,
            &format!("{path}.require_known_host"),
            "read for compatibility and ignored: host keys are always verified",
            "Remove this line.",
        );
    }
}

fn substrings(texts: Spanned<Vec<Spanned<String>>>, path: &str, notes: &mut Notes) -> Vec<String> {
    if texts.value.is_empty() {
        notes.warn(
            texts.defined,
            path,
            "an empty list turns the texts that deny off; the built-in list does not apply",
            "Remove the key to get the built-in list.",
        );
    }
    for (index, text) in texts.value.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if text.value.trim().is_empty() {
            notes.fault(
                text.defined,
                &path,
                "expected a text; got nothing but blanks",
                "Remove it.",
            );
        } else if looks_like_a_glob(&text.value) {
            notes.fault(
                text.defined,
                &path,
                format!(
                    "expected a text; got the glob `{}`, which would deny nothing",
                    text.value
                ),
                "These are texts, not globs: leave the `*` out, a text denies wherever it occurs.",
            );
        } else if let Some((message, hint)) = advice::of_text(&text.value) {
            notes.warn(text.defined, &path, message, &hint);
        }
    }
    texts.value.into_iter().map(|text| text.value).collect()
}

/// Whether a `*` is meant as a wildcard: one that touches a name. Behind a blank or a slash it can be
/// what a person types (`rm -rf *`, `chmod 777 /*`).
fn looks_like_a_glob(text: &str) -> bool {
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let touches_next = chars.peek().is_some_and(|next| next.is_alphanumeric());
        if c == '*' && (!matches!(before, None | Some(' ' | '/' | '*')) || touches_next) {
            return true;
        }
        before = Some(c);
    }
    text.trim() == "*"
}

#[cfg(test)]
mod tests;
