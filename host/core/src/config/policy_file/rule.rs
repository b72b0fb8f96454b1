//! One entry of `rules:` in `policy.yml`, and its way to a [`Rule`].
//!
//! Must not: match anything. A rule that can match nothing is a fault, not a rule: whoever wrote it
//! relies on it.

use super::advice::Told;
use super::{Count, Notes, denying, given};
use crate::limits;
use crate::policy::{
    Effect, ExtraArgs, Glob, Grants, PathArgs, PathGlob, Rule, Scope, Simple, Structured,
};
use serde::Deserialize;
use serde_yaml::{Location, Spanned};

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum RawAction {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
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
    simple_max_args: Option<Count>,
    #[serde(default, deserialize_with = "given")]
    binary: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "given")]
    arg_prefix: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    allow_extra_args: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    path_args: Option<RawPathArgs>,
    #[serde(default, deserialize_with = "given")]
    examples: Option<RawExamples>,
    #[serde(default, deserialize_with = "given")]
    run_as: Option<Spanned<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    write_paths: Option<Vec<Spanned<String>>>,
    #[serde(default, deserialize_with = "given")]
    read_paths: Option<Vec<Spanned<String>>>,
    #[serde(default, deserialize_with = "given")]
    within: Option<Vec<Spanned<String>>>,
    #[serde(default, deserialize_with = "given")]
    env: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    unsafe_ok: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    require_approval: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    deny_commands: Option<denying::RawList>,
}

/// Commands that a rule is, and is not, about. They are judged by the rule alone when it is loaded.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExamples {
    #[serde(default)]
    pub(super) allow: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) deny: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPathArgs {
    #[serde(default)]
    indices: Vec<usize>,
    #[serde(default)]
    patterns: Vec<String>,
}

/// What a rule says, for whoever looks at the rules together.
pub(super) fn told((index, raw): (usize, &Spanned<RawRule>)) -> Told {
    let rule = &raw.value;
    let simple = rule.simple_binaries.iter().flatten();
    let unlimited = rule.simple_max_args.is_none();
    Told {
        index,
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
