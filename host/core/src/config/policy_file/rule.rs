//! One entry of `rules:` in `policy.yml`, and its way to a [`Rule`].
//!
//! Must not: match anything. A rule that can match nothing is a fault, not a rule: whoever wrote it
//! relies on it.

use super::advice::Told;
use super::{Count, Notes, denying, given};
use crate::limits;
use crate::policy::RawDenyItem;
use crate::policy::{
    Effect, ExtraArgs, Glob, Grants, PathArgs, PathGlob, Rule, Scope, Simple, Structured,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::{Location, Spanned};

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum RawAction {
    Allow,
    Deny,
}

/// One rule. It names commands by `commands`, `simple_binaries` or `binary`, or by several of them.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(super) struct RawRule {
    /// Whether the rule allows or denies. A rule without one denies, with a warning.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RawAction")]
    action: Option<RawAction>,
    /// What refusals, plans and records call the rule. Default: its number.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    name: Option<String>,
    /// The hosts by alias, as globs. Default: all.
    #[serde(default)]
    aliases: Vec<String>,
    /// The hosts by tag, as globs; one of a host's tags has to match. Default: all.
    #[serde(default)]
    tags: Vec<String>,
    /// Globs over one command, word by word: `uptime*` covers `uptime -p`, not `uptimed`; a `*` in a word with a `/` stays
    /// in that word; a `*` alone at the end stands for the remaining words.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    commands: Option<Vec<Spanned<String>>>,
    /// Exact names of programs, with any arguments up to `simple_max_args`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    simple_binaries: Option<Vec<Spanned<String>>>,
    /// Most arguments of `simple_binaries`. Default: any number.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "u64")]
    simple_max_args: Option<Count>,
    /// One program, whose arguments `arg_prefix` and `path_args` narrow.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    binary: Option<Spanned<String>>,
    /// The first arguments of `binary`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    arg_prefix: Option<Vec<String>>,
    /// Whether more arguments may follow.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool", extend("default" = true))]
    allow_extra_args: Option<bool>,
    /// Arguments of `binary` that are paths, and what each must match.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RawPathArgs")]
    path_args: Option<RawPathArgs>,
    /// Commands, judged by this rule alone whenever the policy is loaded; a policy that does not say what its author
    /// meant does not load. Default: none.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RawExamples")]
    examples: Option<RawExamples>,
    /// As whom it may run; `login` is whoever logs in, others are reached through sudo. Default: whoever logs in, and
    /// whom a rule for sudo lets it be.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    run_as: Option<Spanned<Vec<String>>>,
    /// Files that may be written, as globs over absolute paths: `*` within a part, `**` for any parts. Default: none.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    write_paths: Option<Vec<Spanned<String>>>,
    /// Files that may be read, as such globs; secret ones only if named exactly. Default: not restricted.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    read_paths: Option<Vec<Spanned<String>>>,
    /// Directories; every path that the command names lies in one of them. Default: not restricted.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    within: Option<Vec<Spanned<String>>>,
    /// Names of variables that may be set before the command, as globs. Default: harmless ones only.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    env: Option<Vec<String>>,
    /// That programs which are known to give a shell are meant.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool", extend("default" = false))]
    unsafe_ok: Option<bool>,
    /// That a human has to approve each command. Refuses as long as this version cannot ask.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool", extend("default" = false))]
    require_approval: Option<bool>,
    /// As `deny_commands` at the top of the file, for the hosts of this rule; only with `action: deny`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<RawDenyItem>")]
    deny_commands: Option<denying::RawList>,
}

/// Commands that a rule is, and is not, about. They are judged by the rule alone when it is loaded.
#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Examples")]
pub(super) struct RawExamples {
    /// Commands that the rule allows.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) allow: Vec<Spanned<String>>,
    /// Commands that it does not allow.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) deny: Vec<Spanned<String>>,
}

/// Which arguments are paths, and what they must match.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PathArgs")]
struct RawPathArgs {
    /// Which words are paths, counted with the program as 0.
    #[serde(default)]
    indices: Vec<usize>,
    /// What each of them must match, as globs over the normalised path; `*` crosses `/`.
    #[serde(default)]
    patterns: Vec<String>,
}

impl RawRule {
    /// What the operator calls the rule.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// What a rule says, for whoever looks at the rules together.
pub(super) fn told((index, raw): &(usize, Spanned<RawRule>)) -> Told {
    let rule = &raw.value;
    let simple = rule.simple_binaries.iter().flatten();
    let unlimited = rule.simple_max_args.is_none();
    Told {
        index: *index,
        at: raw.defined,
        denies: !matches!(rule.action, Some(RawAction::Allow)),
        aliases: rule.aliases.clone(),
        tags: rule.tags.clone(),
        patterns: rule
            .commands
            .iter()
            .flatten()
            .map(|text| (text.defined, text.value.clone()))
            .collect(),
        programs: simple
            .filter(|_| unlimited)
            .map(|name| name.value.clone())
            .collect(),
        more: rule.binary.is_some() || rule.simple_binaries.is_some() && !unlimited,
        unsafe_ok: rule.unsafe_ok.unwrap_or(false),
    }
}

pub(super) fn compile(
    index: usize,
    raw: Spanned<RawRule>,
    notes: &mut Notes,
) -> Option<(Rule, Option<RawExamples>)> {
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
    let grants = grants(&raw, at, effect, &path, notes);
    let commands = raw.commands.unwrap_or_default();
    warn_of_commands(&commands, effect, &path, notes);
    let commands: Vec<String> = commands.into_iter().map(|text| text.value).collect();
    let simple = raw.simple_binaries.map(|names| Simple {
        names: exact_names(names, &format!("{path}.simple_binaries"), notes),
        max_args: raw
            .simple_max_args
            .as_ref()
            .map(|most| usize::try_from(most.0).unwrap_or(usize::MAX)),
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
        binary: exact_names(vec![binary], &format!("{path}.binary"), notes).concat(),
    });
    if effect == Effect::Allow && raw.deny_commands.is_some() {
        notes.fault(
            at,
            &format!("{path}.deny_commands"),
            "`deny_commands` belongs to rules with `action: deny`, or to the top of the file",
            "An allow rule does not deny; at the top of the file it holds on every host.",
        );
    }
    let denies = denying::compile(
        raw.deny_commands.as_ref(),
        &format!("{path}.deny_commands"),
        notes,
    );
    let rule = Rule::new(effect, raw.name, Scope::new(&raw.aliases, &raw.tags));
    let rule = rule
        .with_commands(&commands)
        .with_simple(simple)
        .with_structured(structured)
        .with_grants(grants)
        .with_deny_commands(denies);
    Some((rule, raw.examples))
}

/// The keys that say more than which words a rule is about. A deny rule has none of them: it would deny
/// less than it says.
fn grants(raw: &RawRule, at: Location, effect: Effect, path: &str, notes: &mut Notes) -> Grants {
    let given = [
        ("run_as", raw.run_as.is_some()),
        ("write_paths", raw.write_paths.is_some()),
        ("read_paths", raw.read_paths.is_some()),
        ("within", raw.within.is_some()),
        ("env", raw.env.is_some()),
        ("unsafe_ok", raw.unsafe_ok.is_some()),
        ("require_approval", raw.require_approval.is_some()),
    ];
    if effect == Effect::Deny {
        for (key, _) in given.into_iter().filter(|(_, given)| *given) {
            notes.fault(
                at,
                &format!("{path}.{key}"),
                format!("`{key}` belongs to rules with `action: allow`"),
                "A deny rule denies whatever its words match; remove the key.",
            );
        }
        return Grants::default();
    }
    let mut globs = |key: &str, texts: &Option<Vec<Spanned<String>>>| {
        let texts = texts.as_deref()?;
        Some(path_globs(texts, &format!("{path}.{key}"), notes))
    };
    let write_paths = globs("write_paths", &raw.write_paths).unwrap_or_default();
    let read_paths = globs("read_paths", &raw.read_paths);
    Grants {
        run_as: raw.run_as.as_ref().map(|users| {
            if users.value.is_empty() || users.value.iter().any(|user| user.trim().is_empty()) {
                notes.fault(
                    users.defined,
                    &format!("{path}.run_as"),
                    "expected names of users; got none or an empty one",
                    "`login` stands for whoever logs in.",
                );
            }
            users.value.clone()
        }),
        write_paths,
        read_paths,
        within: raw
            .within
            .as_deref()
            .map(|roots| directories(roots, &format!("{path}.within"), notes)),
        env: raw
            .env
            .iter()
            .flatten()
            .map(|text| Glob::new(text))
            .collect(),
        unsafe_ok: raw.unsafe_ok.unwrap_or(false),
        require_approval: raw.require_approval.unwrap_or(false),
    }
}

fn path_globs(texts: &[Spanned<String>], path: &str, notes: &mut Notes) -> Vec<PathGlob> {
    let mut globs = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match PathGlob::new(&text.value) {
            Some(glob) => globs.push(glob),
            None => notes.fault(
                text.defined,
                &format!("{path}[{index}]"),
                format!(
                    "expected an absolute path without `..`, `.` and `//`; got `{}`",
                    crate::text::step(&text.value)
                ),
                "`*` stays within one part of a path, `**` stands for any parts.",
            ),
        }
    }
    globs
}

fn directories(texts: &[Spanned<String>], path: &str, notes: &mut Notes) -> Vec<String> {
    for (index, text) in texts.iter().enumerate() {
        let plain = PathGlob::new(&text.value).is_some() && Glob::new(&text.value).is_literal();
        if !plain {
            notes.fault(
                text.defined,
                &format!("{path}[{index}]"),
                format!(
                    "expected the absolute path of a directory; got `{}`",
                    crate::text::step(&text.value)
                ),
                "Everything below it is meant; globs belong in `read_paths` and `write_paths`.",
            );
        }
    }
    texts
        .iter()
        .map(|text| match text.value.trim_end_matches('/') {
            "" => "/".to_owned(),
            root => root.to_owned(),
        })
        .collect()
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
    let names_commands =
        raw.binary.is_some() || raw.simple_binaries.is_some() || raw.commands.is_some();
    if !names_commands && raw.deny_commands.is_none() {
        notes.fault(
            at,
            path,
            "expected `commands`, `simple_binaries` or `binary`; a rule without one matches nothing",
            "To match everything, write `commands: [\"*\"]`.",
        );
        sound = None;
    }
    let nothing = raw.binary.is_none()
        && raw.deny_commands.is_none()
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
                "can allow nothing: what a substitution gives is not known, so no pattern spells it",
                "Write a `*` where the substitution stands; what it runs needs a rule of its own.",
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
