//! How a command is authorised: some rule has to cover it and grant everything that it does, and
//! whatever it runs is authorised in the same way.
//!
//! Must not: parse, or deny; a matching deny was looked for before.

use super::capability::{Capability, Need};
use super::command::{Command, Effects};
use super::held::{Entry, Held};
use super::profile::Profiles;
use super::rule::{Cover, Rule};
use super::rules::{SHOWN_SOURCE_BYTES_MAX, named, shown};
use super::scene::{Place, Scene};
use super::wrappers::{self, Run};
use super::{Code, Refusal, path};
use std::cell::Cell;

/// Most wrappers inside each other; it bounds the recursion.
pub(super) const WRAPPERS_MAX: usize = 8;
/// Most commands that are authorised for one command of a script, itself included.
pub(super) const COMMANDS_MAX: usize = 256;

/// What decided a command.
pub(super) struct Verdict {
    /// Position of the rule.
    pub(super) rule: Option<usize>,
    /// Why it is refused, if it is.
    pub(super) refusal: Option<Refusal>,
    /// What it needs.
    pub(super) needs: Vec<Need>,
    /// What it runs, and as whom.
    pub(super) runs: Vec<(String, Option<String>)>,
}

impl Verdict {
    pub(super) fn refused(rule: Option<usize>, refusal: Refusal) -> Self {
        Self {
            rule,
            refusal: Some(refusal),
            needs: Vec::new(),
            runs: Vec::new(),
        }
    }

    fn granted(rule: usize) -> Self {
        Self {
            rule: Some(rule),
            refusal: None,
            needs: Vec::new(),
            runs: Vec::new(),
        }
    }

    fn with(mut self, effects: Effects) -> Self {
        self.runs = effects
            .runs
            .iter()
            .map(|run| (text_of(run), run.user.clone()))
            .collect();
        self.needs = effects.needs;
        self
    }
}

/// A command as people are shown it. It is written out only where it is refused.
pub(super) enum What<'a> {
    /// The caller's text.
    Source(&'a str),
    /// What a command runs.
    Run(&'a Run),
}

impl std::fmt::Display for What<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source(source) => write!(f, "`{}`", shown(source)),
            Self::Run(run) => write!(f, "`{}`", shown_run(run)),
        }
    }
}

/// Why a rule that covers a command does not authorise it.
enum Lack<'e> {
    /// It does not grant this.
    Need(&'e Need),
    /// A path lies where the rule does not reach; `None` where the paths are not known.
    Path(Option<&'e str>),
    /// It may not run as this user.
    User(Option<&'e str>),
    /// What it runs is not authorised.
    Run(&'e Run, Box<Refusal>),
    /// A human has to approve.
    Approval,
}

/// What commands are authorised with.
pub(super) struct Bench<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) held: &'a Held,
    pub(super) profiles: &'a Profiles,
    pub(super) scene: &'a Scene<'a>,
    /// How many commands may still be authorised.
    pub(super) left: Cell<usize>,
}

impl Bench<'_> {
    /// Authorises a command: `index` is its place among the script's leaves, if it is one, and `what` is
    /// how it is shown. `depth` counts down.
    pub(super) fn authorise(
        &self,
        command: &Command<'_>,
        index: Option<usize>,
        what: &What<'_>,
        depth: usize,
    ) -> Verdict {
        let left = self.left.get().checked_sub(1).zip(depth.checked_sub(1));
        let Some((left, depth)) = left else {
            let detail = format!("{what} runs commands inside each other too deeply.");
            return Verdict::refused(None, Refusal::policy(Code::Wrapper, detail));
        };
        self.left.set(left);
        let effects = command.effects(self.profiles);
        let program = command.program().and_then(|word| word.known());
        let program = program.filter(|text| !text.is_empty() && text.is_ascii());
        let mut granted = None;
        let mut lacking = None;
        // What it runs is looked at once, whatever the number of rules.
        let mut inner: Option<Vec<Verdict>> = None;
        let sequences = index.into_iter().flat_map(|index| {
            self.held
                .sequences
                .iter()
                .map(move |entry| (*entry, Some(index)))
        });
        let candidates = program
            .into_iter()
            .flat_map(|program| self.held.candidates(program))
            .map(|entry| (entry, None))
            .chain(sequences);
        for (entry, in_sequence) in candidates {
            let Some(rule) = self.rules.get(entry.rule) else {
                continue;
            };
            if granted.is_some() && !rule.grants().require_approval {
                continue;
            }
            let cover = match in_sequence {
                Some(index) => rule.covers_in_sequence(entry.shape, self.scene, index),
                None => rule.covers(entry.shape, &command.words),
            };
            let Some(cover) = cover else {
                continue;
            };
            let lack = self.lack(entry, cover, 0, command, &effects, &mut inner, depth);
            match lack {
                None if rule.grants().require_approval => {
                    let refusal = lacks(&named(self.rules, entry.rule), what, &Lack::Approval);
                    return Verdict::refused(Some(entry.rule), refusal).with(effects);
                }
                None if self.held.approvals => granted = granted.or(Some(entry.rule)),
                None => return Verdict::granted(entry.rule).with(effects),
                Some(lack) if lacking.is_none() => {
                    let refusal = lacks(&named(self.rules, entry.rule), what, &lack);
                    lacking = Some((entry.rule, refusal));
                }
                Some(_) => {}
            }
        }
        if let Some(rule) = granted {
            return Verdict::granted(rule).with(effects);
        }
        let by_run_as = program
            .and_then(|program| self.by_run_as(program, command, &effects, &mut inner, depth));
        if let Some(rule) = by_run_as {
            return Verdict::granted(rule).with(effects);
        }
        match (lacking, program) {
            (Some((rule, refusal)), _) => Verdict::refused(Some(rule), refusal),
            (None, Some(program)) => Verdict::refused(None, uncovered(program, what)),
            (None, None) => {
                Verdict::refused(None, self.without_program(command, index, &effects, what))
            }
        }
        .with(effects)
    }

    /// Why a rule that covers a command does not authorise it, if so. The command's words begin at
    /// `offset` of those that the rule covers.
    #[expect(
        clippy::too_many_arguments,
        reason = "one question with its whole context"
    )]
    fn lack<'e>(
        &self,
        entry: Entry,
        cover: Cover,
        offset: usize,
        command: &Command<'e>,
        effects: &'e Effects,
        inner: &mut Option<Vec<Verdict>>,
        depth: usize,
    ) -> Option<Lack<'e>> {
        let rule = self.rules.get(entry.rule)?;
        let grants = rule.grants();
        if !grants.permit_user(command.user) {
            return Some(Lack::User(command.user));
        }
        let missing = effects
            .needs
            .iter()
            .find(|need| !rule.grants_need(entry.shape, cover, offset, need));
        if let Some(need) = missing {
            return Some(Lack::Need(need));
        }
        if grants.restricts() {
            if !effects.paths_known {
                return Some(Lack::Path(None));
            }
            if let Some(used) = grants.outside(&effects.paths) {
                return Some(Lack::Path(Some(&used.path)));
            }
        }
        for (position, run) in effects.runs.iter().enumerate() {
            let at = offset.saturating_add(run.at);
            let refusal = if at < cover.spelled {
                self.spelled_run(entry, cover, at, command, run, depth)
            } else {
                let verdicts =
                    inner.get_or_insert_with(|| self.inner(command, &effects.runs, depth));
                verdicts
                    .get(position)
                    .and_then(|verdict| verdict.refusal.clone())
            };
            if let Some(refusal) = refusal {
                return Some(Lack::Run(run, Box::new(refusal)));
            }
        }
        None
    }

    /// Authorises each command that a command runs, by rules of its own.
    fn inner(&self, command: &Command<'_>, runs: &[Run], depth: usize) -> Vec<Verdict> {
        runs.iter()
            .map(|run| {
                let inner = Command::of_run(run, command);
                self.authorise(&inner, None, &What::Run(run), depth)
            })
            .collect()
    }

    /// Why a rule that spells a wrapper and the program that it runs does not authorise the latter.
    fn spelled_run(
        &self,
        entry: Entry,
        cover: Cover,
        at: usize,
        outer: &Command<'_>,
        run: &Run,
        depth: usize,
    ) -> Option<Refusal> {
        // A script that is one of the words is spelled as a whole.
        if !run.in_line {
            return None;
        }
        let what = What::Run(run);
        let left = self.left.get().checked_sub(1).zip(depth.checked_sub(1));
        let Some((left, depth)) = left else {
            let detail = format!("{what} is run by wrappers inside each other too deeply.");
            return Some(Refusal::policy(Code::Wrapper, detail));
        };
        self.left.set(left);
        let command = Command::of_run(run, outer);
        let effects = command.effects(self.profiles);
        let mut inner = None;
        let lack = self.lack(entry, cover, at, &command, &effects, &mut inner, depth)?;
        Some(lacks(&named(self.rules, entry.rule), &what, &lack))
    }

    /// A rule that names the user itself says that the command may be run through `sudo`, so it needs no
    /// second rule for that.
    fn by_run_as(
        &self,
        program: &str,
        command: &Command<'_>,
        effects: &Effects,
        inner: &mut Option<Vec<Verdict>>,
        depth: usize,
    ) -> Option<usize> {
        if !wrappers::changes_user(program) || program.contains('/') || !effects.needs.is_empty() {
            return None;
        }
        let verdicts = inner.get_or_insert_with(|| self.inner(command, &effects.runs, depth));
        let mut first = None;
        for (run, verdict) in effects.runs.iter().zip(verdicts.iter()) {
            let rule = verdict.rule.filter(|_| verdict.refusal.is_none())?;
            let user = run.user.as_deref()?;
            self.rules
                .get(rule)
                .filter(|rule| rule.grants().name_user(user))?;
            first = first.or(Some(rule));
        }
        first
    }

    /// A command that sets variables or opens files and runs nothing, or whose program is not known.
    fn without_program(
        &self,
        command: &Command<'_>,
        index: Option<usize>,
        effects: &Effects,
        what: &What<'_>,
    ) -> Refusal {
        match (command.program(), effects.needs.first()) {
            (None, Some(need)) => {
                let detail = format!(
                    "{what} {}, and runs no program that a rule could name.",
                    need.why
                );
                let mut refusal = Refusal::policy(code_of(need), detail);
                refusal.capability = Some(need.capability);
                refusal
            }
            (Some(word), _)
                if index.is_some_and(|index| self.scene.place(index) == Place::Elsewhere)
                    && path::is_relative(&word.text) =>
            {
                let detail = format!(
                    "{what} names its program by a path, and behind a change of directory no rule can spell that path."
                );
                Refusal::policy(Code::ProgramPath, detail)
            }
            _ => {
                let detail = format!("{what} does not name its program in plain ASCII text.");
                Refusal::policy(Code::Unanalysable, detail)
            }
        }
    }
}

/// Nothing covers a command.
fn uncovered(program: &str, what: &What<'_>) -> Refusal {
    if !program.contains('/') {
        return Refusal::policy(Code::NoRule, format!("No rule allows {what}."));
    }
    let detail = format!("{what} names its program by a path, and no rule spells that path.");
    Refusal::policy(Code::ProgramPath, detail)
}

/// A command that is run, as people are shown it.
fn text_of(run: &Run) -> String {
    let texts: Vec<&str> = run.words.iter().map(|word| word.text.as_str()).collect();
    texts.join(" ")
}

/// As [`text_of`], cleaned and short.
fn shown_run(run: &Run) -> String {
    let mut text = String::new();
    for (index, word) in run.words.iter().enumerate() {
        // No more is read of it than this.
        if text.len() > SHOWN_SOURCE_BYTES_MAX {
            break;
        }
        if index > 0 {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    shown(&text)
}

fn code_of(need: &Need) -> Code {
    match need.capability {
        Capability::RedirectOutput | Capability::RedirectInput => Code::Redirection,
        Capability::Assign => Code::Assignment,
        Capability::Execute | Capability::State => Code::Wrapper,
        _ => Code::Capability,
    }
}

/// The refusal for what a rule lacks. SECURITY: the hints name the grant that is missing and who gives
/// it, never another spelling of the command.
fn lacks(rule: &str, what: &What<'_>, lack: &Lack<'_>) -> Refusal {
    let rule = format!("r{}", rule.trim_start_matches('R'));
    match lack {
        Lack::Need(need) => {
            let detail = format!(
                "{what} {}, and {rule} does not grant that ({}).",
                need.why,
                need.capability.as_str()
            );
            let mut refusal = Refusal::policy(code_of(need), detail);
            refusal.capability = Some(need.capability);
            hint_for(need).clone_into(&mut refusal.hint);
            refusal
        }
        Lack::Path(path) => {
            let which = path.map_or_else(
                || "paths that are not known".to_owned(),
                |path| format!("`{}`", shown(path)),
            );
            let detail = format!("{what} names {which}, and {rule} does not reach there.");
            let mut refusal = Refusal::policy(Code::PathNotAllowed, detail);
            "The operator's `within` and `read_paths` say which paths are meant; name absolute paths below them."
                .clone_into(&mut refusal.hint);
            refusal
        }
        Lack::User(user) => {
            let user = user.map_or_else(
                || "the user who logs in".to_owned(),
                |user| format!("user `{}`", shown(user)),
            );
            let detail = format!("{what} would run as {user}, and {rule} does not name that user.");
            let mut refusal = Refusal::policy(Code::RunAs, detail);
            "The operator's `run_as` says as whom a command may run.".clone_into(&mut refusal.hint);
            refusal
        }
        Lack::Run(run, inner) => {
            let detail = format!(
                "{what} runs `{}`, which is refused: {}",
                shown_run(run),
                inner.detail
            );
            let mut refusal = Refusal::policy(Code::Wrapper, detail);
            refusal.capability = inner.capability;
            "A rule for a wrapper says nothing of what it runs: the operator can allow that by a rule of its own, or name both in one rule."
                .clone_into(&mut refusal.hint);
            refusal
        }
        Lack::Approval => {
            let detail = format!("{what} is covered by {rule}, which asks for a human's approval.");
            let mut refusal = Refusal::policy(Code::ApprovalUnavailable, detail);
            "Approvals are not available on this server.".clone_into(&mut refusal.hint);
            refusal
        }
    }
}

fn hint_for(need: &Need) -> &'static str {
    if need.word == Need::NOT_IN_WORDS && need.capability == Capability::Execute {
        return "What would run does not stand in the command, so no rule can allow it.";
    }
    match need.capability {
        Capability::Write => {
            "If this is needed, ask the operator for a rule with `write_paths`, or one that spells the command."
        }
        Capability::RedirectOutput => {
            "Output comes back in the result; if a file is needed, ask the operator for a rule with `write_paths`."
        }
        Capability::RedirectInput => {
            "If this is needed, ask the operator for a rule with `read_paths`."
        }
        Capability::Secret => {
            "This path holds secrets; only a rule that names it in `read_paths` lets it be read."
        }
        Capability::Assign => "If this is needed, ask the operator for a rule with `env`.",
        Capability::Execute | Capability::State => {
            "If this is needed, ask the operator for a rule that spells the command."
        }
        Capability::Read | Capability::Operate | Capability::Network => {
            "Ask the operator whether the policy should change."
        }
    }
}
