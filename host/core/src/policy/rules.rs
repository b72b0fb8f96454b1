//! The rules together: what they say of a script, leaf by leaf, and which refusal comes first.
//!
//! A matching deny wins wherever it stands; a leaf that no rule allows is refused. Every leaf is looked
//! at before the verdict is given, and the verdict names the first refused leaf in the script's order.
//!
//! Must not: parse, or know how a rule is written in a file.

use super::limits::LimitLayers;
use super::rule::{Effect, Rule, Subjects, Texts};
use super::scene::{Place, Scene};
use super::tripwire::{self, Sight};
use super::wrappers::{self, Inner};
use super::{Code, Limits, Refusal, RuleRef, path};
use crate::inventory::Host;
use crate::net::Lists;
use crate::request::CommandLine;
use crate::shell::{Leaf, Redirection, Script};
use crate::text;

/// Longest part of a command that a refusal's sentence repeats, in characters.
const SHOWN_CHARS_MAX: usize = 120;

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
    network: Lists,
}

/// A rule that holds on the host, and its position.
type Held<'a> = (usize, &'a Rule);

/// What is known while the leaves of one script are judged.
struct Hearing<'a> {
    scene: &'a Scene<'a>,
    texts: &'a [String],
    rules: &'a [Held<'a>],
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
        network: Lists,
    ) -> Self {
        Self {
            known_hosts_path,
            rules,
            limits,
            network,
        }
    }

    /// The limits that hold for a host.
    #[must_use]
    pub fn limits_for(&self, host: &Host) -> Limits {
        self.limits.of(host)
    }

    /// The address lists that hold for a host.
    #[must_use]
    pub fn network_for(&self, _host: &Host) -> Lists {
        self.network.clone()
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
        self.limits
            .with_texts(host, |texts| match tripped(texts, line.as_str(), &[]) {
                Some((text, Sight::Hidden)) => Some(text.to_owned()),
                Some((_, Sight::Plain)) | None => None,
            })
    }

    /// Judges a parsed script for a host. Every part is looked at before the verdict is given.
    #[must_use]
    pub fn judge(&self, host: &Host, line: &CommandLine, script: &Script) -> Judgement {
        let leaves = script.leaves();
        let held: Vec<Held<'_>> = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.holds_on(host))
            .collect();
        let denies = held.iter().any(|(_, rule)| rule.effect() == Effect::Deny);
        let scene = Scene::new(leaves, line.as_str());
        let texts = denies.then(|| Texts::of(&scene));
        self.limits.with_texts(host, |substrings| {
            let hearing = Hearing {
                scene: &scene,
                texts: substrings,
                rules: &held,
                subjects: texts.as_ref().map(|texts| texts.subjects(&scene)),
            };
            hearing.judge()
        })
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
        if let Some((text, sight)) = tripped(self.texts, self.scene.source, &[]) {
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
        let tripped = tripped(self.texts, source, &[&canonical, &argv.join(" ")]);
        let (rule, refusal) = self.verdict(index, leaf, tripped);
        Found {
            hidden: match tripped {
                Some((text, Sight::Hidden)) => Some(text.to_owned()),
                Some((_, Sight::Plain)) | None => None,
            },
            finding: Finding {
                source: source.to_owned(),
                argv,
                canonical,
                allowed: refusal.is_none(),
                rule: rule.clone(),
            },
            refusal: refusal.map(|mut refusal| {
                refusal.rule = rule;
                refusal.offset = Some(leaf.span.start);
                refusal.part = (self.scene.leaves().len() > 1).then(|| source.to_owned());
                refusal
            }),
        }
    }

    /// The rule that decides a leaf, and the refusal if it is one.
    fn verdict(
        &self,
        index: usize,
        leaf: &Leaf,
        tripped: Option<(&str, Sight)>,
    ) -> (Option<RuleRef>, Option<Refusal>) {
        let shown = || format!("`{}`", shown(leaf.source(self.scene.source)));
        let Some(program) = leaf.words.first().filter(|program| {
            !program.is_unknown() && !program.text.is_empty() && program.text.is_ascii()
        }) else {
            let detail = format!("{} does not name its program in plain ASCII text.", shown());
            return (None, Some(Refusal::policy(Code::Unanalysable, detail)));
        };
        // No rule can grant these yet.
        let opens = |redirection: &Redirection| match redirection {
            Redirection::File { .. } | Redirection::Here { .. } => true,
            Redirection::ToNull { .. }
            | Redirection::FromNull { .. }
            | Redirection::Duplicate { .. } => false,
        };
        let mut redirections = leaf.redirections.iter().chain(&leaf.inherited);
        if !leaf.assignments.is_empty() || redirections.any(opens) {
            let detail = format!("{} sets a variable, or reads or writes a file.", shown());
            return (None, Some(Refusal::policy(Code::NoRule, detail)));
        }
        if let Some(held) = self.denied_by(index) {
            let detail = format!("{} denies {}.", named(held), shown());
            let refusal = Refusal::policy(Code::DenyRule, detail);
            return (Some(reference(held)), Some(refusal));
        }
        if let Some((text, sight)) = tripped {
            return (None, Some(substring_refusal(&shown(), text, sight)));
        }
        let inner = self.inner(index, leaf);
        let mut too_short = None;
        for held in self.held(Effect::Allow) {
            let Some(spelled) = held.1.covers(self.scene, index) else {
                continue;
            };
            if spells_inner(inner, spelled, leaf.words.len()) {
                return (Some(reference(held)), None);
            }
            too_short.get_or_insert(held);
        }
        if let Some(held) = too_short {
            let refusal = wrapper_refusal(&shown(), &program.text, held, inner);
            return (Some(reference(held)), Some(refusal));
        }
        let refusal = if program.text.contains('/') {
            let why = match self.scene.place(index) {
                Place::Elsewhere if path::is_relative(&program.text) => {
                    "behind a change of directory no rule can spell that path"
                }
                Place::Login | Place::Elsewhere => "no rule spells that path",
            };
            let detail = format!("{} names its program by a path, and {why}.", shown());
            Refusal::policy(Code::ProgramPath, detail)
        } else {
            Refusal::policy(Code::NoRule, format!("No rule allows {}.", shown()))
        };
        (None, Some(refusal))
    }

    /// What a leaf runs. Behind a `cd`, a script by a relative path is one that nobody can name.
    fn inner(&self, index: usize, leaf: &Leaf) -> Inner {
        let inner = wrappers::inner(&leaf.words);
        let Inner::At(at) = inner else {
            return inner;
        };
        let reader = at.checked_sub(1).and_then(|reader| leaf.words.get(reader));
        let is_script = reader.is_some_and(|word| wrappers::reads_script(&word.text));
        let script = leaf.words.get(at).filter(|_| is_script);
        match script {
            Some(word)
                if self.scene.place(index) == Place::Elsewhere && !word.text.starts_with('/') =>
            {
                Inner::Unseen
            }
            _ => inner,
        }
    }

    fn held(&self, effect: Effect) -> impl Iterator<Item = Held<'_>> {
        self.rules
            .iter()
            .copied()
            .filter(move |(_, rule)| rule.effect() == effect)
    }

    fn denied_by(&self, index: usize) -> Option<Held<'_>> {
        let subjects = self.subjects.as_ref()?;
        self.held(Effect::Deny)
            .find(|(_, rule)| rule.hits(subjects, index))
    }
}

/// SECURITY: a rule that names only a wrapper says nothing of what it runs, so it allows the wrapper
/// only where it runs nothing.
fn spells_inner(inner: Inner, spelled: usize, words: usize) -> bool {
    match inner {
        Inner::Nothing => true,
        Inner::At(index) => spelled > index,
        Inner::Whole => spelled >= words,
        Inner::Unseen => false,
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

fn reference((index, rule): Held<'_>) -> RuleRef {
    RuleRef {
        index,
        name: rule.name().map(str::to_owned),
    }
}

fn named((index, rule): Held<'_>) -> String {
    rule.name().map_or_else(
        || format!("Rule {index}"),
        |name| format!("Rule {index} ({})", shown(name)),
    )
}

/// A text of the caller's, on one line and short.
fn shown(source: &str) -> String {
    let clean = text::step(source);
    if clean.chars().count() <= SHOWN_CHARS_MAX {
        return clean;
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

fn wrapper_refusal(shown: &str, program: &str, held: Held<'_>, inner: Inner) -> Refusal {
    let why = wrappers::why(program).unwrap_or("runs other programs");
    let missing = match inner {
        Inner::Nothing | Inner::At(_) => "does not spell what it would run",
        Inner::Whole => "does not spell all of its words",
        Inner::Unseen => "cannot spell what does not stand in its words",
    };
    let detail = format!(
        "{shown} {why}, and r{} {missing}.",
        named(held).trim_start_matches('R')
    );
    let mut refusal = Refusal::policy(Code::Wrapper, detail);
    refusal.hint = "If this is needed, ask the operator whether a rule should name both the program and what it runs.".to_owned();
    refusal
}
