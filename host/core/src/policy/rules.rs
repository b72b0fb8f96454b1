//! The rules together: what they say of a script, leaf by leaf, and which refusal comes first.
//!
//! A matching deny wins wherever it stands; a leaf that no rule allows is refused. Every leaf is looked
//! at before the verdict is given, and the verdict names the first refused leaf in the script's order.
//!
//! Must not: parse, or know how a rule is written in a file.

use super::bench::{Bench, COMMANDS_MAX, Verdict, WRAPPERS_MAX, What};
use super::capability::Need;
use super::command::Command;
use super::deny::{DenySet, Trail};
use super::held::{Held, Mode};
use super::limits::LimitLayers;
use super::networks::NetworkLayers;
use super::profile::Profiles;
use super::rule::Rule;
use super::scene::Scene;
use super::scopes::Scopes;
use super::tripwire::{self, Sight};
use super::wrapped::{Subjects, Texts};
use super::{Code, Limits, Refusal, RuleRef};
use crate::inventory::{Host, LoginShell};
use crate::net::Network;
use crate::request::CommandLine;
use crate::shell::{Leaf, Script};
use crate::text;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

/// Longest part of a command that a refusal's sentence repeats, in characters.
const SHOWN_CHARS_MAX: usize = 120;
/// Longest part of a command of which that is made.
const SHOWN_SOURCE_CHARS_MAX: usize = 480;
/// The same in bytes: a longer text has more characters than that.
pub(super) const SHOWN_SOURCE_BYTES_MAX: usize = 4 * SHOWN_SOURCE_CHARS_MAX;

/// Most hosts for which [`Policy::prepare_one`] keeps what holds.
const HELD_MAX: usize = 64;

/// What the rules say of one simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The caller's bytes of the command.
    pub source: String,
    /// Its words after quote removal.
    pub argv: Vec<String>,
    /// The canonical text that globs matched.
    pub canonical: String,
    /// Whether a rule allows it and nothing denies it.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: Option<RuleRef>,
    /// What it does besides reading what anyone may read.
    pub needs: Vec<Need>,
    /// The commands that it runs, and as which user where that is another one.
    pub runs: Vec<(String, Option<String>)>,
}

impl Finding {
    /// The kinds of effect that it needs grants for, each once, in the order of the kinds.
    #[must_use]
    pub fn capabilities(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.needs.iter().map(|need| need.capability).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(super::Capability::as_str).collect()
    }
}

/// What the rules say of a whole script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// One finding for each simple command, in source order.
    pub findings: Vec<Finding>,
    /// The first refusal, if there is one; all parts are looked at first.
    pub refusal: Option<Refusal>,
    /// A text of `deny_substrings` that only the normalised line shows: an attempt to hide it.
    pub bypass_attempt: Option<String>,
}

/// A loaded policy: rules, limits, address lists. The default one has no rule, so it denies everything.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Where known_hosts lies, where the policy says so.
    pub known_hosts_path: Option<String>,
    rules: Vec<Rule>,
    limits: LimitLayers,
    network: NetworkLayers,
    profiles: Arc<Profiles>,
    /// `deny_commands`, on every host.
    deny: DenySet,
    /// What holds on the hosts that are known, by alias and tags.
    held: HashMap<String, (Vec<String>, Arc<Held>)>,
}

/// What is known while the leaves of one script are judged.
struct Hearing<'a> {
    scene: &'a Scene<'a>,
    rules: &'a [Rule],
    held: &'a Held,
    profiles: &'a Profiles,
    deny: &'a DenySet,
    /// The directories in which the commands run.
    trail: Trail,
    /// There only where a rule may deny.
    subjects: Option<Subjects<'a>>,
}

/// What was found of one leaf.
struct Found {
    finding: Finding,
    refusal: Option<Refusal>,
    hidden: Option<String>,
}

impl Policy {
    /// Puts a policy together.
    #[must_use]
    pub fn new(
        known_hosts_path: Option<String>,
        rules: Vec<Rule>,
        limits: LimitLayers,
        network: NetworkLayers,
    ) -> Self {
        Self {
            known_hosts_path,
            rules,
            limits,
            network,
            ..Self::default()
        }
    }

    /// The same policy with what is known of programs.
    #[must_use]
    pub fn with_profiles(mut self, profiles: Arc<Profiles>) -> Self {
        self.profiles = profiles;
        self
    }

    /// The same policy with structured entries that deny on every host.
    #[must_use]
    pub(crate) fn with_deny_commands(mut self, deny: DenySet) -> Self {
        self.deny = deny;
        self
    }

    /// Finds out beforehand which rules hold on these hosts, so that no command has to. A host that is
    /// not among them is judged all the same, slower.
    pub fn prepare<'h>(&mut self, hosts: impl Iterator<Item = &'h Host>) {
        let scopes = Scopes::new(&self.rules);
        // Hosts of one kind are many, and what holds on them is the same.
        let mut kinds: HashMap<Vec<usize>, Vec<Arc<Held>>> = HashMap::new();
        let mut prepared = Vec::new();
        for host in hosts {
            let positions = scopes.of(host);
            let (limits, network) = (self.limits.of(host), self.network.of(host));
            let alike = kinds.get(&positions).and_then(|kind| {
                let mut kind = kind.iter();
                kind.find(|held| {
                    held.limits == limits && held.network.is_of_the_same_lists(&network)
                })
            });
            let held = alike.map(Arc::clone).unwrap_or_else(|| {
                let mut all = [scopes.everywhere(), &positions].concat();
                all.sort_unstable();
                let held = Held::new(&self.rules, all.into_iter(), limits, network);
                let held = Arc::new(held);
                kinds.entry(positions).or_default().push(Arc::clone(&held));
                held
            });
            prepared.push((host.alias.as_str().to_owned(), (host.tags.clone(), held)));
        }
        self.held.extend(prepared);
    }

    /// As [`prepare`](Self::prepare), for one host as it turns up. Of very many hosts some are forgotten, and
    /// found out again when they come back.
    pub fn prepare_one(&mut self, host: &Host) {
        let known = self.held.get(host.alias.as_str());
        if known.is_some_and(|(tags, _)| *tags == host.tags) {
            return;
        }
        if self.held.len() >= HELD_MAX {
            self.held.clear();
        }
        let entry = (host.tags.clone(), Arc::new(self.hold(host)));
        self.held.insert(host.alias.as_str().to_owned(), entry);
    }

    fn hold(&self, host: &Host) -> Held {
        let rules = self.rules.iter().enumerate();
        let hold = rules.filter(|(_, rule)| rule.holds_on(host));
        Held::new(
            &self.rules,
            hold.map(|(position, _)| position),
            self.limits.of(host),
            self.network.of(host),
        )
    }

    pub(super) fn held(&self, host: &Host) -> Arc<Held> {
        match self.held.get(host.alias.as_str()) {
            Some((tags, held)) if *tags == host.tags => Arc::clone(held),
            _ => Arc::new(self.hold(host)),
        }
    }

    /// The limits that hold for a host.
    #[must_use]
    pub fn limits_for(&self, host: &Host) -> Limits {
        self.held(host).limits.clone()
    }

    /// The address lists that hold for a host.
    #[must_use]
    pub fn network_for(&self, host: &Host) -> Arc<Network> {
        Arc::clone(&self.held(host).network)
    }

    /// The rules, in file order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The text of `deny_substrings` that only the normalised line shows, if there is one.
    #[must_use]
    pub fn bypass_attempt(&self, host: &Host, line: &CommandLine) -> Option<String> {
        let held = self.held(host);
        match tripped(&held.limits.deny_substrings, line.as_str(), &[]) {
            Some((text, Sight::Hidden)) => Some(text.to_owned()),
            Some((_, Sight::Plain)) | None => None,
        }
    }

    /// Judges a parsed script for a host. Every part is looked at before the verdict is given.
    #[must_use]
    pub fn judge(&self, host: &Host, line: &CommandLine, script: &Script) -> Judgement {
        self.judge_under(&self.held(host), host, line, script)
    }

    /// As [`judge`](Self::judge), with what holds on the host at hand.
    pub(super) fn judge_under(
        &self,
        held: &Held,
        host: &Host,
        line: &CommandLine,
        script: &Script,
    ) -> Judgement {
        let scene = Scene::new(script.leaves(), line.as_str());
        let texts = (!held.denies.is_empty()).then(|| Texts::of(&scene));
        let hearing = Hearing {
            scene: &scene,
            rules: &self.rules,
            held,
            profiles: &self.profiles,
            deny: &self.deny,
            trail: Trail::of(script.leaves()),
            subjects: texts.as_ref().map(|texts| texts.subjects(&scene)),
        };
        let mut judgement = hearing.judge();
        if let LoginShell::Other(name) = host.shell {
            judgement
                .refusal
                .get_or_insert_with(|| unsupported_shell(name));
        }
        if held.limits.mode == Mode::Simple && !script.is_single() {
            judgement.refusal.get_or_insert_with(more_than_one);
        }
        judgement
    }
}

impl Hearing<'_> {
    fn judge(&self) -> Judgement {
        let mut judgement = Judgement {
            findings: Vec::with_capacity(self.scene.leaves().len()),
            refusal: None,
            bypass_attempt: None,
        };
        for (index, leaf) in self.scene.leaves().iter().enumerate() {
            let found = self.look(index, leaf);
            judgement.findings.push(found.finding);
            judgement.refusal = judgement.refusal.take().or(found.refusal);
            judgement.bypass_attempt = judgement.bypass_attempt.take().or(found.hidden);
        }
        // A text with an operator in it can stand in the whole line only.
        let looked_at = match self.scene.leaves() {
            [only] => only.source(self.scene.source) == self.scene.source,
            _ => false,
        };
        let texts = match looked_at {
            true => &[][..],
            false => &self.held.limits.deny_substrings,
        };
        if let Some((text, sight)) = tripped(texts, self.scene.source, &[]) {
            if sight == Sight::Hidden {
                judgement
                    .bypass_attempt
                    .get_or_insert_with(|| text.to_owned());
            }
            judgement
                .refusal
                .get_or_insert_with(|| substring_refusal("The command", text, sight));
        }
        // SECURITY: a script without a command has nothing that a rule could allow.
        if self.scene.leaves().is_empty() {
            judgement.refusal.get_or_insert_with(|| {
                Refusal::policy(Code::Unanalysable, "There is nothing to run.".to_owned())
            });
        }
        judgement
    }

    fn look(&self, index: usize, leaf: &Leaf) -> Found {
        let source = leaf.source(self.scene.source);
        let canonical = leaf.canonical();
        let argv: Vec<String> = leaf.words.iter().map(|word| word.text.clone()).collect();
        let tripped = tripped(
            &self.held.limits.deny_substrings,
            source,
            &[&canonical, &argv.join(" ")],
        );
        let verdict = self.verdict(index, leaf, tripped);
        let rule = verdict.rule.map(|position| reference(self.rules, position));
        let single = self.scene.leaves().len() == 1;
        Found {
            hidden: match tripped {
                Some((text, Sight::Hidden)) => Some(text.to_owned()),
                Some((_, Sight::Plain)) | None => None,
            },
            finding: Finding {
                source: source.to_owned(),
                argv,
                canonical,
                allowed: verdict.refusal.is_none(),
                rule: rule.clone(),
                needs: verdict.needs,
                runs: verdict.runs,
            },
            refusal: verdict.refusal.map(|mut refusal| {
                refusal.rule = refusal.rule.or(rule);
                refusal.offset = Some(leaf.span.start);
                refusal.part = (!single).then(|| source.to_owned());
                refusal
            }),
        }
    }

    /// What decides a leaf.
    fn verdict(&self, index: usize, leaf: &Leaf, tripped: Option<(&str, Sight)>) -> Verdict {
        let what = What::Source(leaf.source(self.scene.source));
        if let Some(position) = self.denied_by(index, leaf) {
            let detail = format!("{} denies {what}.", self.named(position));
            return Verdict::refused(Some(position), Refusal::policy(Code::DenyRule, detail));
        }
        if let Some(hit) = self.deny.hit_leaf(leaf, &self.trail, index) {
            let detail = format!("{what} {} (`{}` in `deny_commands`).", hit.why, hit.name);
            return Verdict::refused(None, Refusal::policy(Code::DenyCommand, detail));
        }
        if let Some((text, sight)) = tripped {
            return Verdict::refused(None, substring_refusal(&what.to_string(), text, sight));
        }
        let Some(words) = self.scene.words(index, index) else {
            let detail = format!("{what} cannot be judged.");
            return Verdict::refused(None, Refusal::policy(Code::Unanalysable, detail));
        };
        let command = Command::of_leaf(
            leaf,
            words,
            self.scene.place(index),
            self.scene.directories(index),
        );
        let bench = Bench {
            rules: self.rules,
            held: self.held,
            profiles: self.profiles,
            scene: self.scene,
            left: Cell::new(COMMANDS_MAX),
        };
        bench.authorise(&command, Some(index), &what, WRAPPERS_MAX)
    }

    fn denied_by(&self, index: usize, leaf: &Leaf) -> Option<usize> {
        let subjects = self.subjects.as_ref()?;
        let hits = |position: &usize| {
            self.rules.get(*position).is_none_or(|rule| {
                rule.hits(subjects, index)
                    || rule.denies().hit_leaf(leaf, &self.trail, index).is_some()
            })
        };
        self.held.denies.iter().copied().find(hits)
    }

    fn named(&self, position: usize) -> String {
        named(self.rules, position)
    }
}

fn tripped<'t>(texts: &'t [String], written: &str, forms: &[&str]) -> Option<(&'t str, Sight)> {
    if texts.is_empty() {
        return None;
    }
    let normalised = tripwire::normalise(written);
    let mut all = Vec::with_capacity(forms.len() + 1);
    all.push(normalised.as_str());
    for form in forms {
        if !all.contains(form) {
            all.push(form);
        }
    }
    tripwire::find(texts, written, &all)
}

pub(super) fn reference(rules: &[Rule], position: usize) -> RuleRef {
    RuleRef {
        index: position,
        name: rules
            .get(position)
            .and_then(|rule| rule.name())
            .map(str::to_owned),
    }
}

pub(super) fn named(rules: &[Rule], position: usize) -> String {
    match rules.get(position).and_then(|rule| rule.name()) {
        Some(name) => format!("Rule {position} ({})", shown(name)),
        None => format!("Rule {position}"),
    }
}

fn unsupported_shell(name: &str) -> Refusal {
    let detail =
        format!("The login shell of this host is {name}, which reads commands in another way.");
    let mut refusal = Refusal::policy(Code::UnsupportedShell, detail);
    "The operator can give the login a POSIX shell and say so with `shell:` in servers.yml."
        .clone_into(&mut refusal.hint);
    refusal
}

fn more_than_one() -> Refusal {
    let mut refusal = Refusal::policy(
        Code::Mode,
        "This host takes one command at a time, without operators, redirections and assignments."
            .to_owned(),
    );
    "Run the commands one by one; the operator's `mode: simple` asks for that."
        .clone_into(&mut refusal.hint);
    refusal
}

/// A text of the caller's, on one line and short.
pub(super) fn shown(source: &str) -> String {
    // What is never shown need not be cleaned.
    let end = source.char_indices().nth(SHOWN_SOURCE_CHARS_MAX);
    let part = end.and_then(|(end, _)| source.get(..end));
    let clean = text::step(part.unwrap_or(source));
    if part.is_none() && clean.chars().count() <= SHOWN_CHARS_MAX {
        return clean.into_string();
    }
    let head: String = clean.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{head}...")
}

fn substring_refusal(what: &str, text: &str, sight: Sight) -> Refusal {
    let how = match sight {
        Sight::Plain => "holds",
        Sight::Hidden => "holds, once quotes, backslashes and blanks are taken away,",
    };
    let detail = format!("{what} {how} the denied text `{}`.", shown(text));
    Refusal::policy(Code::DenySubstring, detail)
}
