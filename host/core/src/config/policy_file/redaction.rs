//! `redaction` of a policy: which rules look for secrets in output, for all hosts and by tag and alias. Each
//! fault and each slow rule is named at its place in the file.
//!
//! Must not: look at output. The rules are built here once, so that a policy which loads has working ones.

use super::{Notes, given};
use crate::config::ConfigFault;
use crate::inventory::Host;
use crate::redact::{
    Body, Checksum, Class, Pattern, RedactionOptions, Redactor, RuleFault, RuleSpec,
};
use crate::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::{Location, Spanned};
use std::collections::BTreeMap;

/// Most rules that a warning names.
const NAMED_MAX: usize = 4;

/// Which rules look for secrets in output.
#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Redaction")]
pub(super) struct RawRedaction {
    /// Classes (`secret`, `pii`), kinds or rules that are switched on besides the default, which is every rule of
    /// class `secret`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    enable: Vec<Spanned<String>>,
    /// Classes, kinds or rules that are switched off. What any place switches on stays on.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    disable: Vec<Spanned<String>>,
    /// Whether a mask tells equal values from different ones by a short tag, made with a key of the process:
    /// `[REDACTED:password#a1b2c3]`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool", extend("default" = false))]
    keyed_tags: Option<bool>,
    /// Rules of your own.
    #[serde(default)]
    #[schemars(with = "Vec<RawOwnRule>")]
    rules: Vec<Spanned<RawOwnRule>>,
}

/// A rule of your own. Exactly one of `prefix`, `settings`, `headers`, `flag`, `after`, `begin` and `regex` says
/// what it looks for.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RedactionRule")]
struct RawOwnRule {
    /// Its name: lower-case letters, digits and `-`.
    name: String,
    /// What stands in the mask. Default: the name.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    kind: Option<String>,
    /// `secret` or `pii`; a class that is off takes the rule with it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RawClass", extend("default" = "secret"))]
    class: Option<RawClass>,
    /// How a token begins, letter for letter.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    prefix: Option<String>,
    /// Which letters follow the prefix: `alnum`, `word`, `dotted`, `wide`, `hex` or `upper`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", extend("default" = "word"))]
    body: Option<Body>,
    /// The fewest letters that follow the prefix.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "usize", extend("default" = LEAST_DEFAULT))]
    least: Option<usize>,
    /// Whether no letter or digit may stand before the prefix.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool", extend("default" = true))]
    border: Option<bool>,
    /// A sum that a token's last letters must agree with: `crc32-base62`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    checksum: Option<Checksum>,
    /// Words in the name of a setting whose value is secret.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    settings: Option<Vec<String>>,
    /// Headers whose value is secret.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    headers: Option<Vec<String>>,
    /// A flag whose value is secret; with `programs`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    flag: Option<String>,
    /// The programs that have the flag.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    programs: Option<Vec<String>>,
    /// What stands before a secret word.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    after: Option<String>,
    /// The text that begins a block.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    begin: Option<String>,
    /// The text that ends it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    end: Option<String>,
    /// A regular expression within one line, in bytes; its group `secret` is masked, or all of it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    regex: Option<String>,
}

/// Fewest letters behind a prefix where a rule does not say.
const LEAST_DEFAULT: usize = 16;

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RedactionClass")]
enum RawClass {
    Secret,
    Pii,
}

impl RawOwnRule {
    fn spec(&self) -> Result<RuleSpec, String> {
        let mut patterns = Vec::new();
        if let Some(prefix) = &self.prefix {
            patterns.push(Pattern::Token {
                prefix: prefix.clone(),
                body: self.body.unwrap_or(Body::Word),
                least: self.least.unwrap_or(LEAST_DEFAULT),
                border: self.border.unwrap_or(true),
                checksum: self.checksum,
            });
        } else if self.body.is_some()
            || self.least.is_some()
            || self.border.is_some()
            || self.checksum.is_some()
        {
            return Err("`body`, `least`, `border` and `checksum` belong to a `prefix`".to_owned());
        }
        let words = |words: &Option<Vec<String>>| words.clone();
        patterns.extend(words(&self.settings).map(|words| Pattern::Setting { words }));
        patterns.extend(words(&self.headers).map(|names| Pattern::Header { names }));
        match (&self.flag, &self.programs) {
            (Some(flag), Some(programs)) => patterns.push(Pattern::Flag {
                programs: programs.clone(),
                flag: flag.clone(),
            }),
            (None, None) => {}
            _ => return Err("expected `flag` and `programs` together".to_owned()),
        }
        let text = self.after.clone();
        patterns.extend(text.map(|text| Pattern::Word { text }));
        match (&self.begin, &self.end) {
            (Some(begin), end) => patterns.push(Pattern::Block {
                begin: begin.clone(),
                end: end.clone().unwrap_or_default(),
            }),
            (None, Some(_)) => return Err("expected `begin` beside `end`".to_owned()),
            (None, None) => {}
        }
        let pattern = self.regex.clone();
        patterns.extend(pattern.map(|pattern| Pattern::Regex { pattern }));
        let (Some(pattern), true) = (patterns.pop(), patterns.is_empty()) else {
            return Err(
                "expected exactly one of `prefix`, `settings`, `headers`, `flag`, `after`, `begin` and `regex`"
                    .to_owned(),
            );
        };
        Ok(RuleSpec {
            name: self.name.clone(),
            kind: self.kind.clone().unwrap_or_else(|| self.name.clone()),
            class: match self.class {
                None | Some(RawClass::Secret) => Class::Secret,
                Some(RawClass::Pii) => Class::Pii,
            },
            pattern,
        })
    }
}

/// What one place of a policy says.
#[derive(Debug, Clone, Default)]
struct Layer {
    options: RedactionOptions,
    keyed_tags: bool,
}

/// What a policy says of redaction, by host.
#[derive(Debug, Clone, Default)]
pub struct RedactionLayers {
    base: Layer,
    aliases: BTreeMap<String, Layer>,
    tags: BTreeMap<String, Layer>,
}

/// The rules that hold for one host.
#[derive(Debug, Clone, Default)]
pub struct HostRedaction {
    /// The rules.
    pub redactor: Redactor,
    /// Whether masks are to have tags.
    pub keyed_tags: bool,
    /// What the rules were built from.
    pub options: RedactionOptions,
}

impl RedactionLayers {
    pub(super) fn compile(
        base: Option<Spanned<RawRedaction>>,
        aliases: BTreeMap<String, Spanned<RawRedaction>>,
        tags: BTreeMap<String, Spanned<RawRedaction>>,
        notes: &mut Notes,
    ) -> Self {
        let base = base.map_or_else(Layer::default, |raw| {
            layer(raw.value, "redaction", "all hosts", &[], notes)
        });
        let mut places = |raw: BTreeMap<String, Spanned<RawRedaction>>, what: &str, key: &str| {
            raw.into_iter()
                .map(|(name, raw)| {
                    let path = format!("overrides.{key}.{name}.redaction");
                    let hosts = format!("{what} `{}`", text::step(&name));
                    let compiled = layer(raw.value, &path, &hosts, &base.options.rules, notes);
                    (name, compiled)
                })
                .collect()
        };
        let aliases = places(aliases, "host", "aliases");
        let tags = places(tags, "hosts with tag", "tags");
        Self {
            base,
            aliases,
            tags,
        }
    }

    /// The rules that hold for a host. What any place that names it switches on is on.
    ///
    /// # Errors
    /// What cannot be united: two rules of one name, in places that this host brings together.
    pub fn of(&self, host: &Host) -> Result<HostRedaction, String> {
        let tags = host.tags.iter().filter_map(|tag| self.tags.get(tag));
        let alias = self.aliases.get(host.alias.as_str());
        unite([&self.base].into_iter().chain(tags).chain(alias))
    }

    /// The places that name a host. Hosts that the same places name have the same rules.
    pub(in crate::config) fn places_of<'l>(&'l self, host: &Host) -> Vec<(bool, &'l str)> {
        let tags = host.tags.iter().filter_map(|tag| {
            let (name, _) = self.tags.get_key_value(tag)?;
            Some((false, name.as_str()))
        });
        let alias = self.aliases.get_key_value(host.alias.as_str());
        tags.chain(alias.map(|(name, _)| (true, name.as_str())))
            .collect()
    }

    /// The rules for texts that belong to no host, or that are recorded: all that any place switches on, and
    /// nothing off.
    ///
    /// # Errors
    /// Two places have a rule of one name.
    pub fn of_records(&self) -> Result<HostRedaction, String> {
        let places = [&self.base].into_iter();
        let layers = places
            .chain(self.tags.values())
            .chain(self.aliases.values());
        let layers: Vec<Layer> = layers
            .map(|layer| {
                let mut layer = layer.clone();
                layer.options.disable.clear();
                layer
            })
            .collect();
        unite(layers.iter())
    }

    /// The rules for a text of which no host is known.
    #[must_use]
    pub fn of_no_host(&self) -> HostRedaction {
        unite([&self.base].into_iter()).unwrap_or_default()
    }
}

fn unite<'l>(layers: impl Iterator<Item = &'l Layer>) -> Result<HostRedaction, String> {
    let mut options = RedactionOptions::default();
    let mut keyed_tags = false;
    for layer in layers {
        keyed_tags |= layer.keyed_tags;
        let more = &layer.options;
        let new = |list: &[String], name: &&String| !list.contains(name);
        let enable: Vec<String> = more
            .enable
            .iter()
            .filter(|it| new(&options.enable, it))
            .cloned()
            .collect();
        options.enable.extend(enable);
        let disable: Vec<String> = more
            .disable
            .iter()
            .filter(|it| new(&options.disable, it))
            .cloned()
            .collect();
        options.disable.extend(disable);
        for rule in &more.rules {
            if !options.rules.contains(rule) {
                options.rules.push(rule.clone());
            }
        }
    }
    let enabled = &options.enable;
    options.disable.retain(|name| !enabled.contains(name));
    let built = Redactor::build(&options).map_err(|faults| {
        let first = faults.into_iter().next();
        first.map_or_else(String::new, |fault| fault.message)
    });
    built.map(|(redactor, _)| HostRedaction {
        redactor,
        keyed_tags,
        options,
    })
}

/// Reads one place. Names may be those of its own rules and of `common`, the rules for all hosts.
fn layer(
    raw: RawRedaction,
    path: &str,
    hosts: &str,
    common: &[RuleSpec],
    notes: &mut Notes,
) -> Layer {
    let mut options = RedactionOptions {
        enable: raw.enable.iter().map(|name| name.value.clone()).collect(),
        disable: raw.disable.iter().map(|name| name.value.clone()).collect(),
        rules: common.to_vec(),
    };
    let mut places: Vec<Location> = Vec::new();
    for (index, rule) in raw.rules.iter().enumerate() {
        match rule.value.spec() {
            Ok(spec) => {
                places.push(rule.defined);
                options.rules.push(spec);
            }
            Err(message) => notes.fault(
                rule.defined,
                &format!("{path}.rules[{index}]"),
                message,
                "config/README.md shows each kind of rule.",
            ),
        }
    }
    match Redactor::build(&options) {
        Ok((redactor, warnings)) => {
            for warning in warnings {
                let own = options.rules.iter().skip(common.len());
                let at = own
                    .zip(&places)
                    .find(|(rule, _)| rule.name == warning.rule)
                    .map(|(_, at)| *at);
                if let Some(at) = at {
                    let path = format!("{path}.rules.{}", warning.rule);
                    notes.warn(at, &path, warning.message, "");
                }
            }
            warn_of_switches(&redactor, &raw.disable, path, hosts, notes);
        }
        Err(faults) => {
            for fault in faults {
                place(&fault, path, &raw, &places, common.len(), notes);
            }
        }
    }
    options.rules.drain(..common.len());
    Layer {
        options,
        keyed_tags: raw.keyed_tags.unwrap_or_default(),
    }
}

/// Names a fault at the place that it is about.
fn place(
    fault: &RuleFault,
    path: &str,
    raw: &RawRedaction,
    places: &[Location],
    common: usize,
    notes: &mut Notes,
) {
    let (list, rest) = fault.path.split_once('[').unwrap_or((&fault.path, ""));
    let (index, tail) = rest.split_once(']').unwrap_or((rest, ""));
    let index: usize = index.parse().unwrap_or_default();
    let index = if list == "rules" {
        index.saturating_sub(common)
    } else {
        index
    };
    let at = match list {
        "enable" => raw.enable.get(index).map(|name| name.defined),
        "disable" => raw.disable.get(index).map(|name| name.defined),
        _ => places.get(index).copied(),
    };
    notes.faults.push(ConfigFault {
        file: super::FILE,
        line: at.map_or(0, |at| at.line()),
        column: at.map_or(0, |at| at.column()),
        path: format!("{path}.{list}[{index}]{tail}"),
        message: text::step(&fault.message).into_string(),
        hint: fault.hint.clone(),
    });
}

/// Turning off what finds secrets is legal, and never quiet.
fn warn_of_switches(
    redactor: &Redactor,
    disable: &[Spanned<String>],
    path: &str,
    hosts: &str,
    notes: &mut Notes,
) {
    let off: Vec<String> = redactor
        .rules()
        .into_iter()
        .filter(|(rule, on)| rule.class == Class::Secret && !on)
        .map(|(rule, _)| rule.name)
        .collect();
    let Some(first) = disable.first().filter(|_| !off.is_empty()) else {
        return;
    };
    let mut names = off
        .iter()
        .take(NAMED_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if off.len() > NAMED_MAX {
        names.push_str(", …");
    }
    notes.warn(
        first.defined,
        &format!("{path}.disable"),
        format!(
            "SECRETS ARE SHOWN: {} rules that find secrets are off for {hosts}: {names}",
            off.len()
        ),
        "Leave them on unless their masks hide what agents need there; the journal masks as before.",
    );
}

#[cfg(test)]
mod tests;
