//! The shape of `policy.yml` and its way to a [`Policy`].
//!
//! Whoever misspells a key, writes a text where a list belongs, or lists an address that is none has
//! meant to restrict something; so each of these is a fault, and a policy with a fault does not load.
//! What is legal and probably not meant comes back as a warning.
//!
//! Must not: judge commands, or know about other files.

use super::ConfigFault;
use super::yaml::{self, from_yaml};
use crate::limits;
use crate::net::{Entry, EntryFault, Lists};
use crate::policy::{
    Effect, ExtraArgs, Glob, LimitKeys, LimitLayers, PathArgs, Policy, Rule, Scope, Simple,
    Structured,
};
use serde::{Deserialize, Deserializer};
use serde_yaml::{Location, Spanned};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

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

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    #[serde(default, deserialize_with = "given")]
    version: Option<Spanned<u64>>,
    #[serde(default, deserialize_with = "given")]
    known_hosts_path: Option<String>,
    limits: Option<RawLimits>,
    network: Option<RawNetwork>,
    rules: Option<Vec<Spanned<RawRule>>>,
    overrides: Option<RawOverrides>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    #[serde(default, deserialize_with = "given")]
    max_seconds: Option<Spanned<u64>>,
    #[serde(default, deserialize_with = "given")]
    max_output_bytes: Option<Spanned<u64>>,
    #[serde(default, deserialize_with = "given")]
    output_hard_stop_bytes: Option<Spanned<u64>>,
    #[serde(default, deserialize_with = "given")]
    host_key_auto_add: Option<Spanned<bool>>,
    #[serde(default, deserialize_with = "given")]
    require_known_host: Option<Spanned<bool>>,
    #[serde(default, deserialize_with = "given")]
    task_result_ttl: Option<Spanned<u64>>,
    #[serde(default, deserialize_with = "given")]
    task_progress_interval: Option<Spanned<u64>>,
    #[serde(default, deserialize_with = "given")]
    deny_substrings: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawNetwork {
    #[serde(default)]
    allow_ips: Vec<Spanned<String>>,
    #[serde(default)]
    allow_cidrs: Vec<Spanned<String>>,
    #[serde(default)]
    block_ips: Vec<Spanned<String>>,
    #[serde(default)]
    block_cidrs: Vec<Spanned<String>>,
    #[serde(default, deserialize_with = "given")]
    require_known_host: Option<Spanned<bool>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawOverrides {
    #[serde(default)]
    aliases: BTreeMap<String, RawLimits>,
    #[serde(default)]
    tags: BTreeMap<String, RawLimits>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum RawAction {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    #[serde(default, deserialize_with = "given")]
    action: Option<RawAction>,
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "given")]
    commands: Option<Vec<Spanned<String>>>,
    #[serde(default, deserialize_with = "given")]
    simple_binaries: Option<Vec<Spanned<String>>>,
    #[serde(default, deserialize_with = "given")]
    simple_max_args: Option<usize>,
    #[serde(default, deserialize_with = "given")]
    binary: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "given")]
    arg_prefix: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    allow_extra_args: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    path_args: Option<RawPathArgs>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPathArgs {
    #[serde(default)]
    indices: Vec<usize>,
    #[serde(default)]
    patterns: Vec<String>,
}

/// Reads the text of `policy.yml`, or JSON of the same shape, as a policy and its warnings. An empty
/// text is a policy without rules, which denies everything.
///
/// # Errors
/// Everything that is wrong, as far as the parser comes.
pub fn policy(text: &str) -> Result<(Policy, Vec<ConfigFault>), Vec<ConfigFault>> {
    let raw = if yaml::is_empty(text) {
        RawPolicy::default()
    } else {
        from_yaml::<RawPolicy>(FILE, text).map_err(|fault| vec![explained(fault)])?
    };
    let mut notes = Notes::default();
    let policy = raw.compile(&mut notes);
    if notes.faults.is_empty() {
        Ok((policy, notes.warnings))
    } else {
        Err(notes.faults)
    }
}

/// Keys of later versions get their own words: a typing error is not what is wrong with them.
fn explained(mut fault: ConfigFault) -> ConfigFault {
    const LATER: [&str; 8] = [
        "deny_commands",
        "run_as",
        "write_paths",
        "read_paths",
        "examples",
        "unsafe_ok",
        "require_approval",
        "mode",
    ];
    if LATER
        .iter()
        .any(|key| fault.message.ends_with(&format!("unknown key `{key}`")))
    {
        fault.hint = "This key is not supported by this version, and a policy is never enforced in part: remove it.".to_owned();
    }
    fault
}

/// What was found while a policy was put together.
#[derive(Default)]
struct Notes {
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigFault>,
}

impl Notes {
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
    fn compile(self, notes: &mut Notes) -> Policy {
        if let Some(version) = &self.version
            && !VERSIONS.contains(&version.value)
        {
            notes.fault(
                version.defined,
                "version",
                format!(
                    "expected {} to {}; got {}",
                    VERSIONS.start(),
                    VERSIONS.end(),
                    version.value
                ),
                "A file of another version is never read as if it were known.",
            );
        }
        let base = self.limits.unwrap_or_default().compile("limits", notes);
        let overrides = self.overrides.unwrap_or_default();
        let aliases = layers(overrides.aliases, "overrides.aliases", notes);
        let tags = layers(overrides.tags, "overrides.tags", notes);
        let network = self.network.unwrap_or_default().compile(notes);
        let rules = self
            .rules
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .filter_map(|(index, rule)| compile_rule(index, rule, notes))
            .collect();
        Policy::new(
            self.known_hosts_path,
            rules,
            LimitLayers::new(&base, aliases, tags),
            network,
        )
    }
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
        let mut number = |key: &str, value: Option<Spanned<u64>>, range: RangeInclusive<u64>| {
            let value = value?;
            if !range.contains(&value.value) {
                let message = format!(
                    "expected {} to {}; got {}",
                    range.start(),
                    range.end(),
                    value.value
                );
                notes.fault(value.defined, &format!("{path}.{key}"), message, "");
            }
            Some(value.value)
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

impl RawNetwork {
    fn compile(self, notes: &mut Notes) -> Lists {
        warn_of_host_keys(self.require_known_host, "network", notes);
        let mut lists = Lists::default();
        for (key, texts, to) in [
            ("allow_ips", self.allow_ips, &mut lists.allow),
            ("block_ips", self.block_ips, &mut lists.block),
        ] {
            entries(key, &texts, Entry::address, to, notes);
        }
        for (key, texts, to) in [
            ("allow_cidrs", self.allow_cidrs, &mut lists.allow),
            ("block_cidrs", self.block_cidrs, &mut lists.block),
        ] {
            entries(key, &texts, Entry::cidr, to, notes);
            if key == "block_cidrs" {
                warn_of_everything(&texts, to, notes);
            }
        }
        lists
    }
}

fn entries(
    key: &str,
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
                let path = format!("network.{key}[{index}]");
                let got = crate::text::step(&text.value);
                notes.fault(text.defined, &path, format!("{fault}: `{got}`"), hint);
            }
        }
    }
}

fn warn_of_everything(texts: &[Spanned<String>], block: &[Entry], notes: &mut Notes) {
    for (index, text) in texts.iter().enumerate() {
        let everything = block
            .iter()
            .any(|entry| entry.text == text.value && entry.is_everything());
        if everything {
            notes.warn(
                text.defined,
                &format!("network.block_cidrs[{index}]"),
                "a block wins over every allow, so this one denies every address of its family",
                "Remove it: with an allow list, everything else is refused already.",
            );
        }
    }
}

fn compile_rule(index: usize, raw: Spanned<RawRule>, notes: &mut Notes) -> Option<Rule> {
    let (at, path) = (raw.defined, format!("rules[{index}]"));
    let raw = raw.value;
    let effect = match raw.action {
        Some(RawAction::Allow) => Effect::Allow,
        Some(RawAction::Deny) => Effect::Deny,
        None => {
            notes.warn(
                at,
                &path,
                "a rule without `action` denies",
                "Write `action: deny`.",
            );
            Effect::Deny
        }
    };
    check_keys(&raw, at, &path, notes)?;
    for (key, list) in [("aliases", &raw.aliases), ("tags", &raw.tags)] {
        if list.iter().any(String::is_empty) {
            notes.fault(
                at,
                &format!("{path}.{key}"),
                "expected a glob; got an empty text",
                "",
            );
        }
    }
    let commands = raw.commands.unwrap_or_default();
    warn_of_commands(&commands, effect, &path, notes);
    let commands: Vec<String> = commands.into_iter().map(|text| text.value).collect();
    let simple = raw.simple_binaries.map(|names| Simple {
        names: exact_names(names, &path, notes),
        max_args: raw.simple_max_args,
    });
    let structured = raw.binary.map(|binary| Structured {
        prefix: raw.arg_prefix,
        paths: raw
            .path_args
            .map(|paths| path_args(paths, at, &path, notes)),
        extra: match raw.allow_extra_args {
            Some(false) => ExtraArgs::Refused,
            Some(true) | None => ExtraArgs::Accepted,
        },
        binary: exact_names(vec![binary], &path, notes).concat(),
    });
    let rule = Rule::new(effect, raw.name, Scope::new(&raw.aliases, &raw.tags));
    Some(
        rule.with_commands(&commands)
            .with_simple(simple)
            .with_structured(structured),
    )
}

/// Keys that say nothing without another one, and rules that say nothing at all. A rule that matches
/// nothing is as wrong as a misspelt key: whoever wrote it relies on it.
fn check_keys(raw: &RawRule, at: Location, path: &str, notes: &mut Notes) -> Option<()> {
    let mut sound = Some(());
    for (key, is_there, needs, has) in [
        (
            "arg_prefix",
            raw.arg_prefix.is_some(),
            "binary",
            raw.binary.is_some(),
        ),
        (
            "path_args",
            raw.path_args.is_some(),
            "binary",
            raw.binary.is_some(),
        ),
        (
            "simple_max_args",
            raw.simple_max_args.is_some(),
            "simple_binaries",
            raw.simple_binaries.is_some(),
        ),
    ] {
        if is_there && !has {
            let message = format!("expected `{needs}` beside `{key}`; it is missing");
            notes.fault(at, &format!("{path}.{key}"), message, "");
            sound = None;
        }
    }
    if raw.binary.is_some() && raw.arg_prefix.is_none() && raw.path_args.is_none() {
        notes.fault(
            at,
            &format!("{path}.binary"),
            "expected `arg_prefix` or `path_args` beside `binary`; such a rule matches nothing",
            "To name the program with any arguments, use `simple_binaries` or a glob in `commands`.",
        );
        sound = None;
    }
    if raw.binary.is_none() && raw.simple_binaries.is_none() && raw.commands.is_none() {
        notes.fault(
            at,
            path,
            "expected `commands`, `simple_binaries` or `binary`; a rule without one matches nothing",
            "To match everything, write `commands: [\"*\"]`.",
        );
        sound = None;
    }
    let nothing = raw.binary.is_none()
        && raw.simple_binaries.as_ref().is_none_or(Vec::is_empty)
        && raw.commands.as_ref().is_none_or(Vec::is_empty);
    if sound.is_some() && nothing {
        notes.warn(
            at,
            path,
            "the lists are empty, so this rule matches nothing",
            "Remove the rule.",
        );
    }
    sound
}

fn warn_of_commands(commands: &[Spanned<String>], effect: Effect, path: &str, notes: &mut Notes) {
    for (index, text) in commands.iter().enumerate() {
        let path = format!("{path}.commands[{index}]");
        let pattern = text.value.trim();
        if pattern.is_empty() {
            notes.fault(
                text.defined,
                &path,
                "expected a glob; got nothing but blanks",
                "Remove it.",
            );
        } else if effect == Effect::Allow && pattern.chars().all(|c| c == '*') {
            notes.warn(
                text.defined,
                &path,
                "allows every program that is not named by a path",
                "Name the programs that are needed.",
            );
        } else if effect == Effect::Allow && (pattern.contains('`') || pattern.contains("$(")) {
            notes.warn(
                text.defined,
                &path,
                "can allow nothing: a command with a substitution is refused before rules are asked",
                "",
            );
        }
    }
}

fn exact_names(names: Vec<Spanned<String>>, path: &str, notes: &mut Notes) -> Vec<String> {
    for name in &names {
        let text = &name.value;
        if text.trim().is_empty() || !Glob::new(text).is_literal() || text.contains([' ', '\t']) {
            notes.fault(
                name.defined,
                path,
                format!(
                    "expected the exact name of a program; got `{}`",
                    crate::text::step(text)
                ),
                "Globs and arguments belong in `commands`.",
            );
        }
    }
    names.into_iter().map(|name| name.value).collect()
}

fn path_args(raw: RawPathArgs, at: Location, path: &str, notes: &mut Notes) -> PathArgs {
    let path = format!("{path}.path_args");
    if raw.indices.is_empty() || raw.patterns.is_empty() {
        notes.fault(
            at,
            &path,
            "expected `indices` and `patterns`, both with entries",
            "",
        );
    }
    if raw
        .indices
        .iter()
        .any(|index| *index >= limits::SHELL_WORDS_MAX)
    {
        let message = format!("expected positions below {}", limits::SHELL_WORDS_MAX);
        notes.fault(at, &format!("{path}.indices"), message, "");
    }
    let mut indices = raw.indices;
    indices.sort_unstable();
    let given = indices.len();
    indices.dedup();
    if indices.len() < given {
        let message = "expected each position once; got one twice";
        notes.fault(at, &format!("{path}.indices"), message, "");
    }
    PathArgs {
        indices,
        patterns: raw.patterns.iter().map(|text| Glob::new(text)).collect(),
    }
}
