//! Asking the validators: one fresh instance for every question and plugin.
//!
//! Must not: turn a failure into anything but a failure, or keep anything from one call to the next.

use crate::adapters::Said;
use crate::fence::{Run, Step, reason};
use crate::load::{Loaded, Plugins};
use crate::trial::Trial;
use portcullis_core::config::PluginMode;
use portcullis_core::limits::PLUGIN_LABEL_BYTES_MAX;
use portcullis_core::policy::{Hearing, Jury, Opinion, PluginFailure, Verdict};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Most bytes that a validator may hand over in one call, log lines and verdict alike.
const HOSTCALL_BYTES_MAX: usize = 65_536;

/// What validators are asked, as plain data, so that it can be recorded and asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The host's alias.
    pub alias: String,
    /// The host's tags.
    pub tags: Vec<String>,
    /// On whose behalf.
    pub principal: String,
    /// The exact text that would be sent.
    pub command: String,
    /// Every simple command, in source order.
    pub leaves: Vec<Leaf>,
    /// Whether nothing will run whatever the answer.
    pub dry_run: bool,
    /// What else is known: `source` (the caller's own text), `remote-user`, `runs` with `LEAF:WORDS`, counted
    /// from 0, for each command that a leaf runs through a wrapper, and [`UNIX_TIME`].
    pub facts: Vec<(String, String)>,
}

/// The fact that tells the time of the decision, in whole seconds since 1970.
pub const UNIX_TIME: &str = "unix-time";

/// One simple command of a question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaf {
    /// Its words after quote removal.
    pub argv: Vec<String>,
    /// The text that policies match.
    pub canonical: String,
    /// The kinds of effect that it needed grants for.
    pub capabilities: Vec<String>,
    /// Positions of words whose value only the remote shell knows.
    pub open_words: Vec<u32>,
}

impl Question {
    /// The question that a hearing puts; `None` where the command could not be analysed, because
    /// leaves that are not known must not look like leaves that are not there.
    #[must_use]
    pub fn of(hearing: &Hearing<'_>) -> Option<Self> {
        let case = hearing.case;
        let target = case.target();
        let script = case.script()?;
        let mut facts = vec![("source".to_owned(), case.line().as_str().to_owned())];
        if let Some(credential) = &target.credential {
            facts.push(("remote-user".to_owned(), credential.username.clone()));
        }
        let mut leaves = Vec::new();
        for (at, leaf) in script.leaves().iter().enumerate() {
            // A leaf without a finding was not judged; a validator must not take it for a harmless one.
            let finding = hearing.judgement.findings.get(at)?;
            let open = (0_u32..).zip(&leaf.words);
            let open = open.filter(|(_, word)| word.is_unknown());
            leaves.push(Leaf {
                argv: leaf.words.iter().map(|word| word.text.clone()).collect(),
                canonical: finding.canonical.clone(),
                capabilities: finding
                    .capabilities()
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                open_words: open.map(|(at, _)| at).collect(),
            });
            let runs = finding.runs.iter();
            facts.extend(runs.map(|(it, _)| ("runs".to_owned(), format!("{at}:{it}"))));
        }
        Some(Self {
            alias: target.host.alias.as_str().to_owned(),
            tags: target.host.tags.clone(),
            principal: case.principal().as_str().to_owned(),
            command: hearing.rendered.to_owned(),
            leaves,
            dry_run: hearing.dry_run,
            facts,
        })
    }
}

impl Jury for Plugins {
    fn hear(&self, hearing: &Hearing<'_>) -> Vec<Opinion> {
        match Question::of(hearing) {
            Some(mut question) => {
                // A clock before 1970 is no time that a window could be open at.
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0, |since| since.as_secs());
                let now = (UNIX_TIME.to_owned(), now.to_string());
                question.facts.push(now);
                self.ask(&question)
            }
            None => self.unheard("the command could not be analysed"),
        }
    }
}

impl Plugins {
    /// Asks every validator in order and gives one opinion for each.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Vec<Opinion> {
        self.judges()
            .map(|loaded| {
                if let Err(failure) = loaded.breaker.admit(Instant::now()) {
                    return opinion(loaded, Verdict::Failed(failure));
                }
                let trial = self.call(loaded, question, &loaded.entry.settings);
                trial.log(&loaded.entry.name);
                loaded.note(&trial.result);
                let verdict = trial.result.unwrap_or_else(Verdict::Failed);
                opinion(loaded, verdict)
            })
            .collect()
    }

    /// Asks one validator and gives what it used and logged as well; `None` where no validator has
    /// that name.
    #[must_use]
    pub fn try_validator(&self, name: &str, question: &Question) -> Option<Trial<Verdict>> {
        self.judges()
            .find(|loaded| loaded.entry.name == name)
            .map(|loaded| self.call(loaded, question, &loaded.entry.settings))
    }

    fn unheard(&self, detail: &str) -> Vec<Opinion> {
        let failure = Step::Validate.failure("plugin_error", detail);
        self.judges()
            .map(|loaded| opinion(loaded, Verdict::Failed(failure.clone())))
            .collect()
    }

    pub(crate) fn call(
        &self,
        loaded: &Loaded,
        question: &Question,
        settings: &str,
    ) -> Trial<Verdict> {
        let Some((machine, pre)) = self.machine().zip(loaded.validator()) else {
            return Trial::failed(Step::Instantiate.failure("plugin_load", "is not loaded"));
        };
        let limits = &loaded.entry.limits;
        let mut run = match Run::open(machine, limits, HOSTCALL_BYTES_MAX) {
            Ok(run) => run,
            Err(failure) => return Trial::failed(failure),
        };
        let answer = run
            .step(Step::Instantiate, |store| pre.instantiate(store))
            .and_then(|instance| {
                run.step(Step::Validate, |store| {
                    instance.validate(store, question, settings)
                })
            })
            .and_then(verdict);
        run.close(answer)
    }
}

fn opinion(loaded: &Loaded, verdict: Verdict) -> Opinion {
    Opinion {
        plugin: loaded.entry.name.clone(),
        verdict,
        observe: loaded.entry.mode == PluginMode::Observe,
    }
}

fn verdict(answer: Result<Said, String>) -> Result<Verdict, PluginFailure> {
    match answer {
        Ok(Said::NoObjection) => Ok(Verdict::NoObjection),
        Ok(Said::Objection {
            code: word,
            reason: text,
        }) => Ok(Verdict::Objection {
            code: code(&word),
            reason: reason(&text),
        }),
        Ok(Said::RequireApproval(text)) => Ok(Verdict::RequireApproval {
            reason: reason(&text),
        }),
        Err(text) => Err(Step::Validate.failure("plugin_error", &text)),
    }
}

/// The guest's code in the characters of a code; `objection` where nothing is left.
fn code(text: &str) -> String {
    let code: String = text
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        .take(PLUGIN_LABEL_BYTES_MAX)
        .collect();
    if code.is_empty() {
        "objection".to_owned()
    } else {
        code
    }
}
