//! Asking the validators: one fresh instance for every question and plugin.
//!
//! Must not: turn a failure into anything but a failure, or keep anything from one call to the next.

use crate::bindings::validator::portcullis::plugin::types;
use crate::fence::{Run, Step, reason};
use crate::load::{Loaded, Plugins};
use crate::trial::Trial;
use portcullis_core::config::PluginMode;
use portcullis_core::limits::PLUGIN_LABEL_BYTES_MAX;
use portcullis_core::policy::{Hearing, Jury, Opinion, PluginFailure, Verdict};

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
    /// Every simple command as its words after quote removal.
    pub leaves: Vec<Vec<String>>,
    /// Whether nothing will run whatever the answer.
    pub dry_run: bool,
    /// What else is known: `source` (the caller's own text), `remote-user`, and `open-word` with
    /// `LEAF:WORD`, counted from 0, for each word whose value only the remote shell knows; `capability`
    /// with `LEAF:KIND` for each kind of effect that the leaf was granted, and `runs` with `LEAF:WORDS` for
    /// each command that it runs through a wrapper.
    pub facts: Vec<(String, String)>,
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
            let open = leaf
                .words
                .iter()
                .enumerate()
                .filter(|(_, word)| word.is_unknown());
            facts.extend(open.map(|(word, _)| ("open-word".to_owned(), format!("{at}:{word}"))));
            leaves.push(leaf.words.iter().map(|word| word.text.clone()).collect());
        }
        for (at, finding) in hearing.judgement.findings.iter().enumerate() {
            let capabilities = finding.capabilities().into_iter();
            facts.extend(capabilities.map(|it| ("capability".to_owned(), format!("{at}:{it}"))));
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
            Some(question) => self.ask(&question),
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
                let trial = self.call(loaded, question);
                trial.log(&loaded.entry.name);
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
            .map(|loaded| self.call(loaded, question))
    }

    fn unheard(&self, detail: &str) -> Vec<Opinion> {
        let failure = Step::Validate.failure("plugin_error", detail);
        self.judges()
            .map(|loaded| opinion(loaded, Verdict::Failed(failure.clone())))
            .collect()
    }

    fn call(&self, loaded: &Loaded, question: &Question) -> Trial<Verdict> {
        let Some((machine, pre)) = self.machine().zip(loaded.validator()) else {
            return Trial::failed(Step::Instantiate.failure("plugin_load", "is not loaded"));
        };
        let limits = &loaded.entry.limits;
        let mut run = match Run::open(machine, limits, HOSTCALL_BYTES_MAX) {
            Ok(run) => run,
            Err(failure) => return Trial::failed(failure),
        };
        let context = context(question, &loaded.entry.settings);
        let answer = run
            .step(Step::Instantiate, |store| pre.instantiate(store))
            .and_then(|instance| {
                run.step(Step::Validate, |store| {
                    instance
                        .portcullis_plugin_validator()
                        .call_validate(store, &context)
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

fn context(question: &Question, settings: &str) -> types::CommandContext {
    types::CommandContext {
        alias: question.alias.clone(),
        tags: question.tags.clone(),
        principal: question.principal.clone(),
        command: question.command.clone(),
        leaves: question.leaves.clone(),
        dry_run: question.dry_run,
        settings: settings.to_owned(),
        facts: question.facts.clone(),
    }
}

fn verdict(answer: Result<types::Verdict, String>) -> Result<Verdict, PluginFailure> {
    match answer {
        Ok(types::Verdict::NoObjection) => Ok(Verdict::NoObjection),
        Ok(types::Verdict::Objection(objection)) => Ok(Verdict::Objection {
            code: code(&objection.code),
            reason: reason(&objection.reason),
        }),
        Ok(types::Verdict::RequireApproval(text)) => Ok(Verdict::RequireApproval {
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
