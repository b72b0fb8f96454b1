//! Test vectors: what an author says that a plugin answers, held against what it does, by the same engine and
//! within the same limits as any call.
//!
//! Must not: count towards a breaker, or judge a command. A vector's command is read by the gate's own parser
//! and data, without a rule: a plugin is asked only about what rules allow, and that is taken as given here.

use crate::inspect::{LoadCause, LoadFault};
use crate::load::Plugins;
use crate::trial::{Line, Trial};
use crate::validate::{Question, UNIX_TIME};
use portcullis_core::config::{self, Asked, Expect, Occasion, Sources, Vector, Vectors};
use portcullis_core::inventory::{Host, LoginShell, Target};
use portcullis_core::output::Context;
use portcullis_core::policy::{Case, Hearing, Limits, Policy, Verdict};
use portcullis_core::redact::Span;
use portcullis_core::request::{CommandLine, Principal};
use std::sync::OnceLock;

/// What came of one vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// The vector's name.
    pub name: String,
    /// Whether it came as expected.
    pub passed: bool,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
    /// Fuel that was burnt.
    pub fuel: u64,
    /// Largest memory over all linear memories, in bytes.
    pub memory_bytes: usize,
    /// What was logged.
    pub lines: Vec<Line>,
}

impl Plugins {
    /// Runs vectors against a loaded plugin, with the vectors' settings; `None` where no plugin has that name or
    /// it is of the other kind.
    #[must_use]
    pub fn prove(&self, name: &str, vectors: &Vectors) -> Option<Vec<Came>> {
        let loaded = self.named(name)?;
        if loaded.entry.kind != vectors.kind {
            return None;
        }
        let proved = vectors.vectors.iter().map(|vector| {
            let settings = vector.settings.as_deref().unwrap_or(&vectors.settings);
            match &vector.asked {
                Asked::Command { expect, .. } => match question_of(vector) {
                    Ok(question) => judged(vector, expect, self.call(loaded, &question, settings)),
                    Err(why) => unheard(vector, why),
                },
                Asked::Text {
                    text,
                    stream,
                    masked,
                    code,
                } => {
                    let context = Context {
                        alias: vector.alias.as_str(),
                        tags: &vector.tags,
                        stream: *stream,
                    };
                    let trial = self.stream(loaded, &context, text, settings);
                    found(vector, text, masked.as_deref(), code.as_deref(), trial)
                }
            }
        });
        Some(proved.collect())
    }
}

impl Plugins {
    /// Holds a loaded plugin against its vectors.
    ///
    /// # Errors
    /// [`LoadFault`] that names the first vector which did not come as expected.
    pub fn self_test(&self, name: &str, vectors: &Vectors) -> Result<(), LoadFault> {
        let fault = |detail: &str| LoadFault::new(LoadCause::SelfTest, detail, HINT).of(name);
        let came = self
            .prove(name, vectors)
            .ok_or_else(|| fault("the vectors are for a plugin of the other kind"))?;
        match came.iter().find(|came| !came.passed) {
            Some(failed) => Err(fault(&format!(
                "vector {:?}: expected {}, got {}",
                failed.name, failed.expected, failed.got
            ))),
            None => Ok(()),
        }
    }
}

const HINT: &str =
    "`portcullis plugin test` shows every vector; the plugins that were in force stay.";

/// The question of a validator's vector.
///
/// # Errors
/// Why the gate would not ask it: the command is not one that it reads.
pub fn question_of(vector: &Vector) -> Result<Question, String> {
    let Asked::Command {
        command,
        principal,
        login,
        dry_run,
        unix_time,
        ..
    } = &vector.asked
    else {
        return Err("the vector is a redactor's".to_owned());
    };
    let line = CommandLine::parse(command).map_err(|fault| fault.to_string())?;
    let target = Target {
        hops: Vec::new(),
        host: Host {
            alias: vector.alias.clone(),
            host: String::new(),
            port: 22,
            credentials: None,
            tags: vector.tags.clone(),
            description: String::new(),
            shell: LoginShell::default(),
            host_keys: Vec::new(),
            jump: Vec::new(),
            watchdog: portcullis_core::inventory::Watchdog::default(),
        },
        credential: None,
    };
    let case = Case::new(Principal::local(0), target, line);
    if case.script().is_none() {
        return Err("the gate does not read the command, so no validator is asked".to_owned());
    }
    let decision = policy().decide(case, Vec::new());
    let mut question = decision
        .shown(|case, judgement, rendered| {
            Question::of(&Hearing {
                case,
                judgement,
                rendered,
                limits: &Limits::default(),
                dry_run: *dry_run,
            })
        })
        .ok_or("the gate does not read the command, so no validator is asked")?;
    question.principal.clone_from(principal);
    if let Some(login) = login {
        question
            .facts
            .push(("remote-user".to_owned(), login.clone()));
    }
    question
        .facts
        .push((UNIX_TIME.to_owned(), unix_time.to_string()));
    Ok(question)
}

/// A policy without rules: what the shipped data knows of a command, and nothing more.
fn policy() -> &'static Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| {
        let sources = Sources {
            servers: Some("hosts: []".to_owned()),
            policy: Some("rules: []".to_owned()),
            ..Sources::default()
        };
        config::load(&sources, Occasion::Start)
            .map(|snapshot| snapshot.policy)
            .unwrap_or_default()
    })
}

fn unheard(vector: &Vector, why: String) -> Came {
    Came {
        name: vector.name.clone(),
        passed: false,
        expected: "a question".to_owned(),
        got: why,
        fuel: 0,
        memory_bytes: 0,
        lines: Vec::new(),
    }
}

fn came<T>(vector: &Vector, expected: String, got: (bool, String), trial: Trial<T>) -> Came {
    Came {
        name: vector.name.clone(),
        passed: got.0,
        expected,
        got: got.1,
        fuel: trial.fuel,
        memory_bytes: trial.memory_bytes,
        lines: trial.lines,
    }
}

fn judged(vector: &Vector, expect: &Expect, trial: Trial<Verdict>) -> Came {
    let with = |word: &str, code: &Option<String>| match code {
        Some(code) => format!("{word} ({code})"),
        None => word.to_owned(),
    };
    let same = |wanted: &Option<String>, got: &str| wanted.as_ref().is_none_or(|it| it == got);
    let expected = match expect {
        Expect::NoObjection => "no_objection".to_owned(),
        Expect::Objection(code) => with("objection", code),
        Expect::RequireApproval => "require_approval".to_owned(),
        Expect::Failed(code) => with("failed", code),
    };
    let got = match (&trial.result, expect) {
        (Ok(Verdict::NoObjection), expect) => {
            (*expect == Expect::NoObjection, "no_objection".to_owned())
        }
        (Ok(Verdict::Objection { code, reason }), expect) => (
            matches!(expect, Expect::Objection(wanted) if same(wanted, code)),
            format!("objection ({code}): {reason}"),
        ),
        (Ok(Verdict::RequireApproval { reason }), expect) => (
            *expect == Expect::RequireApproval,
            format!("require_approval: {reason}"),
        ),
        (Ok(Verdict::Failed(failure)) | Err(failure), expect) => (
            matches!(expect, Expect::Failed(wanted) if same(wanted, failure.code)),
            format!("failed ({}): {}", failure.code, failure.detail),
        ),
    };
    came(vector, expected, got, trial)
}

fn found(
    vector: &Vector,
    text: &str,
    masked: Option<&[String]>,
    code: Option<&str>,
    trial: Trial<Vec<Span>>,
) -> Came {
    let expected = match masked {
        Some(texts) => format!("masked {texts:?}"),
        None => format!("failed {}", code.unwrap_or_default()),
    };
    let got = match &trial.result {
        Ok(spans) => {
            let mut places: Vec<(usize, usize)> =
                spans.iter().map(|span| (span.start, span.end)).collect();
            places.sort_unstable();
            let texts: Vec<String> = places
                .iter()
                .map(|(start, end)| {
                    let bytes = text.as_bytes().get(*start..*end).unwrap_or_default();
                    String::from_utf8_lossy(bytes).into_owned()
                })
                .collect();
            let said = format!("masked {texts:?}");
            (masked.is_some_and(|wanted| *wanted == *texts), said)
        }
        Err(failure) => (
            masked.is_none() && code.is_none_or(|wanted| wanted == failure.code),
            format!("failed ({}): {}", failure.code, failure.detail),
        ),
    };
    came(vector, expected, got, trial)
}
