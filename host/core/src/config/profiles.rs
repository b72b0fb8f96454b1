//! The shape of profiles in YAML, shipped or in `policy.yml`, and its way to [`Profiles`].
//!
//! The format is described at the head of `policy/profile/data/text.yml`. A misspelled key, kind or
//! option is a fault, because whoever wrote it has meant to restrict something.
//!
//! Must not: judge commands.

mod shipped;

use super::ConfigFault;
use super::yaml::from_yaml;
use crate::policy::profile::{
    Kind, Opt, Options, Profile, SecretPaths, Spelled, Style, Unlisted, Value, Verbs,
};
use crate::policy::{Capability, Glob, Profiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipped::SHIPPED;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

/// Deepest verbs within verbs.
const VERBS_DEPTH_MAX: usize = 6;

/// A file of profiles, or the two keys of `policy.yml`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    profiles: BTreeMap<String, RawProfile>,
    #[serde(default)]
    secret_paths: Vec<String>,
}

/// What the words of a program, or behind one verb, do.
#[derive(Deserialize, Serialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Profile")]
pub(super) struct RawProfile {
    /// How options are written: `gnu`, `single` (find), `pairs` (dd) or `bare` (none).
    #[schemars(extend("default" = "gnu"))]
    style: Option<RawStyle>,
    /// What an option that is not listed does.
    #[schemars(extend("default" = "execute"))]
    unknown: Option<RawUnlisted>,
    /// Options end at the first operand.
    posix: Option<bool>,
    /// The first word may be letters without a dash, whose values follow (tar xzf).
    bundle: Option<bool>,
    /// Verbs may be abbreviated; in the style `single` options too.
    abbreviate: Option<bool>,
    /// Case does not count in verbs; write them in small letters.
    ignore_case: Option<bool>,
    /// The known options, by what they do: `text: -a -k= --key=`.
    options: Option<BTreeMap<String, String>>,
    /// The kinds of the operands in order; the last one repeats.
    #[schemars(extend("default" = "text"))]
    operands: Option<String>,
    /// The kind of the last operand, where there are two or more.
    last: Option<String>,
    /// Operands of a kind of their own: `GLOB KIND`; the first match counts.
    patterns: Option<Vec<String>>,
    /// Values of options of a kind of their own: `OPTION GLOB KIND`; the first match counts.
    values: Option<Vec<String>>,
    /// With one of these options the first of the operands' kinds is left out.
    drops_first: Option<String>,
    /// These options begin a command that ends at `;` or `+`.
    clauses: Option<String>,
    /// What every use needs.
    need: Option<String>,
    /// Directories are read with all below.
    recursive: Option<bool>,
    /// What is piped into it is a program.
    runs_input: Option<bool>,
    /// Files of the directory that it runs in say what it does.
    surroundings: Option<bool>,
    /// It gives a shell in ways that nobody can profile.
    #[serde(rename = "unsafe")]
    gives_shell: Option<bool>,
    /// Whether options hold behind a verb too.
    #[schemars(extend("default" = "anywhere"))]
    globals: Option<RawGlobals>,
    /// The first operand is a verb; verbs by what they need: `read: status list`.
    verbs: Option<BTreeMap<String, String>>,
    /// Verbs with a profile of their own.
    verb: Option<BTreeMap<String, RawProfile>>,
    /// What a verb that is not listed needs.
    #[schemars(extend("default" = "execute"))]
    default: Option<String>,
    /// What it needs without a verb.
    #[schemars(extend("default" = "read"))]
    none: Option<String>,
    /// The first entry whose option is there is laid over the other keys.
    when: Option<Vec<RawWhen>>,
}

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum RawStyle {
    Gnu,
    Single,
    Pairs,
    Bare,
}

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum RawUnlisted {
    Execute,
    Harmless,
}

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum RawGlobals {
    /// Options stand before the verb only.
    Before,
    /// Options may stand behind the verb too.
    Anywhere,
}

/// Other keys where an option is there.
#[derive(Deserialize, Serialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "When")]
struct RawWhen {
    /// The options, as they are listed.
    has: String,
    /// What holds then.
    then: RawProfile,
}

/// The shipped data that decide what programs' words mean and what `standard` denies: names and texts of
/// the files, each of which describes its own format.
#[must_use]
pub fn shipped_data() -> Vec<(&'static str, &'static str)> {
    let mut files = SHIPPED.to_vec();
    files.push(("standard.yml", crate::policy::STANDARD_TEXT));
    files
}

/// The entry for a program in the shipped data, as it is written: the file and the lines.
#[must_use]
pub fn shipped_entry(program: &str) -> Option<(&'static str, &'static str)> {
    SHIPPED.iter().find_map(|(file, text)| {
        let (_, body) = text.split_once("\nprofiles:\n")?;
        entries(body)
            .find(|entry| names(entry).any(|name| name == program))
            .map(|entry| (*file, entry))
    })
}

/// The entries of a file: each begins in the third column, and a `:` there goes on with a long one.
fn entries(body: &str) -> impl Iterator<Item = &str> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let begins = |line: &str| {
            line.strip_prefix("  ")
                .is_some_and(|line| !line.starts_with([' ', ':', '#']))
        };
        let mut end = 0;
        for (index, line) in rest.split_inclusive('\n').enumerate() {
            if index > 0 && begins(line) {
                break;
            }
            end += line.len();
        }
        let (entry, behind) = rest.split_at_checked(end)?;
        rest = behind;
        Some(entry)
    })
}

/// The programs that an entry is about.
fn names(entry: &str) -> impl Iterator<Item = &str> {
    let entry = entry.trim_start();
    let names = match (entry.strip_prefix("? "), entry.strip_prefix('"')) {
        (Some(long), _) => long.split("\n  :").next(),
        (None, Some(quoted)) => quoted.split('"').next(),
        (None, None) => entry.split(':').next(),
    };
    names.unwrap_or_default().split_whitespace()
}

/// The shipped profiles, read once.
///
/// # Errors
/// What is wrong in the shipped data; a test sees to it that nothing is.
pub fn shipped_profiles() -> Result<Arc<Profiles>, Vec<ConfigFault>> {
    static READ: OnceLock<Result<Arc<Profiles>, Vec<ConfigFault>>> = OnceLock::new();
    READ.get_or_init(|| {
        let mut reader = Reader::default();
        for (file, text) in SHIPPED.iter().copied() {
            match from_yaml::<RawFile>(file, text) {
                Ok(raw) => reader.file(file, raw, OnTwice::Fault),
                Err(fault) => reader.faults.push(fault),
            }
        }
        reader.finish().map(Arc::new)
    })
    .clone()
}

/// The shipped profiles with an operator's on top: an entry for a known program replaces it. The names
/// of replaced programs come along, so that a check can say them.
///
/// # Errors
/// What is wrong in the shipped data or the operator's.
pub(super) fn with_profiles(
    file: &'static str,
    profiles: BTreeMap<String, RawProfile>,
    secret_paths: Vec<String>,
) -> Result<(Arc<Profiles>, Vec<String>), Vec<ConfigFault>> {
    let shipped = shipped_profiles()?;
    if profiles.is_empty() && secret_paths.is_empty() {
        return Ok((shipped, Vec::new()));
    }
    let mut reader = Reader {
        programs: shipped.entries().clone(),
        secrets: shipped.secrets().as_ref().clone(),
        ..Reader::default()
    };
    let raw = RawFile {
        profiles,
        secret_paths,
    };
    reader.file(file, raw, OnTwice::Replace);
    let replaced = std::mem::take(&mut reader.replaced);
    reader
        .finish()
        .map(|profiles| (Arc::new(profiles), replaced))
}

/// What a second entry for one program is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnTwice {
    Fault,
    Replace,
}

#[derive(Default)]
struct Reader {
    programs: HashMap<Box<str>, Arc<Profile>>,
    secrets: SecretPaths,
    replaced: Vec<String>,
    faults: Vec<ConfigFault>,
    file: &'static str,
    at: String,
}

impl Reader {
    fn finish(self) -> Result<Profiles, Vec<ConfigFault>> {
        if self.faults.is_empty() {
            Ok(Profiles::new(self.programs, Arc::new(self.secrets)))
        } else {
            Err(self.faults)
        }
    }

    fn fault(&mut self, message: String) {
        self.faults.push(ConfigFault {
            file: self.file,
            line: 0,
            column: 0,
            path: self.at.clone(),
            message,
            hint:
                "The format is described in config/README.md and in the head of the shipped data."
                    .to_owned(),
        });
    }

    fn file(&mut self, file: &'static str, raw: RawFile, on_twice: OnTwice) {
        self.file = file;
        for (index, pattern) in raw.secret_paths.iter().enumerate() {
            if !self.secrets.add(pattern) {
                self.at = format!("secret_paths[{index}]");
                self.fault(format!("expected a path pattern; got `{pattern}`"));
            }
        }
        let mut own: HashMap<Box<str>, Arc<Profile>> = HashMap::new();
        for (names, raw) in raw.profiles {
            self.at = format!("profiles.{names}");
            let profile = Arc::new(self.profile(raw, Profile::default(), VERBS_DEPTH_MAX));
            if names.trim().is_empty() {
                self.fault("expected names of programs; got none".to_owned());
            }
            for name in names.split_whitespace() {
                let twice = own.insert(name.into(), Arc::clone(&profile)).is_some();
                let known = self.programs.contains_key(name);
                if twice || known && on_twice == OnTwice::Fault {
                    self.fault(format!("expected each program once; got `{name}` twice"));
                } else if known {
                    self.replaced.push(name.to_owned());
                }
            }
        }
        self.programs.extend(own);
    }

    /// Lays what is written over `base`.
    fn profile(&mut self, raw: RawProfile, base: Profile, depth: usize) -> Profile {
        let mut to = base;
        if let Some(style) = raw.style {
            to.style = match style {
                RawStyle::Gnu => Style::Gnu,
                RawStyle::Single => Style::Single,
                RawStyle::Pairs => Style::Pairs,
                RawStyle::Bare => Style::Bare,
            };
        }
        if let Some(unknown) = raw.unknown {
            to.unlisted = match unknown {
                RawUnlisted::Execute => Unlisted::Execute,
                RawUnlisted::Harmless => Unlisted::Harmless,
            };
        }
        for (field, value) in [
            (&mut to.posix, raw.posix),
            (&mut to.bundle, raw.bundle),
            (&mut to.abbreviate, raw.abbreviate),
            (&mut to.ignore_case, raw.ignore_case),
            (&mut to.recursive, raw.recursive),
            (&mut to.runs_input, raw.runs_input),
            (&mut to.surroundings, raw.surroundings),
            (&mut to.gives_shell, raw.gives_shell),
        ] {
            *field = value.unwrap_or(*field);
        }
        let mut own = Options::default();
        for (kind, list) in raw.options.unwrap_or_default() {
            self.options(&kind, &list, to.style, &mut own);
        }
        to.options.extend(own);
        if let Some(list) = raw.operands {
            to.operands = list
                .split_whitespace()
                .filter_map(|word| self.kind(word))
                .collect();
        }
        if let Some(word) = raw.last {
            to.last = self.kind(&word);
        }
        if let Some(list) = raw.patterns {
            to.patterns = list.iter().filter_map(|text| self.pattern(text)).collect();
        }
        if let Some(list) = raw.values {
            to.values = list
                .iter()
                .flat_map(|text| self.value(text, to.style))
                .collect();
        }
        if let Some(list) = raw.drops_first {
            to.drops_first = self.spelled_all(&list, to.style);
        }
        if let Some(list) = raw.clauses {
            to.clauses = self.spelled_all(&list, to.style);
        }
        if let Some(word) = raw.need {
            to.need = self.kind(&word);
        }
        if raw.verbs.is_some() || raw.verb.is_some() {
            to.verbs = Some(self.verbs(
                &to,
                raw.verbs,
                raw.verb,
                raw.globals,
                raw.default,
                raw.none,
                depth,
            ));
        } else if raw.default.is_some() || raw.none.is_some() || raw.globals.is_some() {
            self.fault(
                "expected `verbs` or `verb` beside `default`, `none` and `globals`".to_owned(),
            );
        }
        if let Some(list) = raw.when {
            to.when = Vec::new();
            for RawWhen { has, then } in list {
                let names = self.spelled_all(&has, to.style);
                for name in &names {
                    if to.options.get(name).is_none() {
                        self.fault(format!("expected options that `options` lists in `{has}`"));
                    }
                }
                let base = Profile {
                    when: Vec::new(),
                    ..to.clone()
                };
                let profile = self.deeper(then, base, depth);
                to.when.push((names, profile));
            }
        }
        to
    }

    fn deeper(&mut self, raw: RawProfile, base: Profile, depth: usize) -> Profile {
        let Some(depth) = depth.checked_sub(1) else {
            self.fault(format!(
                "expected at most {VERBS_DEPTH_MAX} levels of verbs"
            ));
            return base;
        };
        self.profile(raw, base, depth)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one caller, which takes its own fields apart"
    )]
    fn verbs(
        &mut self,
        parent: &Profile,
        classes: Option<BTreeMap<String, String>>,
        own: Option<BTreeMap<String, RawProfile>>,
        globals: Option<RawGlobals>,
        default: Option<String>,
        none: Option<String>,
        depth: usize,
    ) -> Verbs {
        // What holds for words behind a verb: the parent's options, and operands without effect.
        let anywhere = matches!(globals, None | Some(RawGlobals::Anywhere));
        let base = Profile {
            style: parent.style,
            options: if anywhere {
                parent.options.clone()
            } else {
                Options::default()
            },
            unlisted: parent.unlisted,
            abbreviate: parent.abbreviate,
            ignore_case: parent.ignore_case,
            patterns: parent.patterns.clone(),
            values: if anywhere {
                parent.values.clone()
            } else {
                Vec::new()
            },
            ..Profile::default()
        };
        let mut known: BTreeMap<Box<str>, Arc<Profile>> = BTreeMap::new();
        let of_class = |kind: Kind| {
            Arc::new(Profile {
                need: Some(kind),
                ..base.clone()
            })
        };
        for (class, names) in classes.unwrap_or_default() {
            let Some(kind) = self.kind(&class) else {
                continue;
            };
            let profile = of_class(kind);
            for name in names.split_whitespace() {
                self.add_verb(&mut known, name, &profile);
            }
        }
        for (names, raw) in own.unwrap_or_default() {
            let here = self.at.len();
            self.at.push_str(".verb.");
            self.at.push_str(&names);
            let profile = Arc::new(self.deeper(raw, base.clone(), depth));
            for name in names.split_whitespace() {
                self.add_verb(&mut known, name, &profile);
            }
            self.at.truncate(here);
        }
        let default = default.and_then(|word| self.kind(&word));
        let none = none.and_then(|word| self.kind(&word));
        Verbs {
            known: known.into_iter().collect(),
            other: of_class(default.unwrap_or(Kind::Needs(Capability::Execute))),
            none: none.unwrap_or(Kind::Text),
        }
    }

    fn add_verb(
        &mut self,
        known: &mut BTreeMap<Box<str>, Arc<Profile>>,
        name: &str,
        profile: &Arc<Profile>,
    ) {
        if known.insert(name.into(), Arc::clone(profile)).is_some() {
            self.fault(format!("expected each verb once; got `{name}` twice"));
        }
    }

    fn kind(&mut self, word: &str) -> Option<Kind> {
        let kind = Kind::named(word);
        if kind.is_none() {
            self.fault(format!("expected the name of a kind; got `{word}`"));
        }
        kind
    }

    /// `GLOB KIND`.
    fn pattern(&mut self, text: &str) -> Option<(Glob, Kind)> {
        let Some((glob, kind)) = text.rsplit_once(' ') else {
            self.fault(format!("expected a glob and a kind; got `{text}`"));
            return None;
        };
        self.kind(kind).map(|kind| (Glob::new(glob), kind))
    }

    /// `OPTION GLOB KIND`.
    fn value(&mut self, text: &str, style: Style) -> Vec<(Spelled, Glob, Kind)> {
        let Some((option, rest)) = text.split_once(' ') else {
            self.fault(format!(
                "expected an option, a glob and a kind; got `{text}`"
            ));
            return Vec::new();
        };
        let Some((glob, kind)) = self.pattern(rest) else {
            return Vec::new();
        };
        let names = self.spelled_all(option, style).into_iter();
        names.map(|name| (name, glob.clone(), kind)).collect()
    }

    fn options(&mut self, kind: &str, list: &str, style: Style, to: &mut Options) {
        let Some(kind) = self.kind(kind) else { return };
        for word in list.split_whitespace() {
            let suffixes = [
                ("=?", Value::Attached),
                ("==", Value::Two),
                ("=", Value::Required),
                ("", Value::Absent),
            ];
            let found = suffixes
                .iter()
                .find_map(|(suffix, value)| Some((word.strip_suffix(suffix)?, *value)));
            let (text, value) = found.unwrap_or((word, Value::Absent));
            let names = self.spelled(text, style);
            if names.len() != 1 && value != Value::Absent {
                self.fault(format!("expected one letter before `=`; got `{word}`"));
            }
            for name in names {
                let opt = Opt { value, kind };
                let other = to.get(&name).is_some_and(|other| other != opt);
                if other {
                    let shown = match &name {
                        Spelled::Short(letter) => letter.to_string(),
                        Spelled::Long(name) => name.to_string(),
                    };
                    self.fault(format!(
                        "expected each option under one kind and with one form; got `{shown}` of `{word}` twice"
                    ));
                }
                to.set(name, opt);
            }
        }
    }

    fn spelled_all(&mut self, list: &str, style: Style) -> Vec<Spelled> {
        list.split_whitespace()
            .flat_map(|word| {
                let word = word.strip_suffix("=?").unwrap_or(word);
                self.spelled(word.strip_suffix('=').unwrap_or(word), style)
            })
            .collect()
    }

    /// The options that one word of the data names: `-abc` are three in the style `gnu`.
    fn spelled(&mut self, text: &str, style: Style) -> Vec<Spelled> {
        let long = |name: &str| vec![Spelled::Long(name.into())];
        let names = match (style, text.strip_prefix("--"), text.strip_prefix('-')) {
            (Style::Gnu, Some(name), _) if !name.is_empty() => long(name),
            (Style::Gnu, None, Some(letters)) => letters.chars().map(Spelled::Short).collect(),
            (Style::Single, None, Some(name)) if !name.is_empty() => long(name),
            (Style::Pairs, None, None) if !text.is_empty() => long(text),
            _ => Vec::new(),
        };
        if names.is_empty() {
            self.fault(format!(
                "expected an option of the profile's style; got `{text}`"
            ));
        }
        names
    }
}

#[cfg(test)]
mod tests;
