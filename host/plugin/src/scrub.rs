//! Asking the redactors: one fresh instance for every stream and plugin.
//!
//! Must not: take text from a guest, or let a guest's numbers point outside what it was given.

use crate::adapters::{About, Finding, Found, Stretch};
use crate::fence::{Run, Step};
use crate::load::{Loaded, Plugins};
use crate::trial::Trial;
use crate::{CHUNK_BYTES_MAX, LAG_BYTES_MAX, STREAM_WALL_MS_MAX};
use portcullis_core::config::PluginMode;
use portcullis_core::limits::{PLUGIN_LABEL_BYTES_MAX, PLUGIN_LABELS_MAX, PLUGIN_SPANS_MAX};
use portcullis_core::output::{Context, PluginFailure, Scrubber};
use portcullis_core::redact::{Counts, Span};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Most bytes that a redactor may hand over in one call: four for each byte that it was given or may
/// have held back, and some for the frame.
const HOSTCALL_BYTES_MAX: usize = 4 * (CHUNK_BYTES_MAX + 65_536) + 4_096;
/// What a mask is called where the plugin gives no label, or wants none shown.
const LABEL: &str = "plugin";

impl Scrubber for Plugins {
    fn spans(
        &self,
        context: &Context<'_>,
        text: &str,
    ) -> Result<Vec<Span>, (String, PluginFailure)> {
        self.spans_and_observed(context, text, &mut Counts::new())
    }

    fn spans_and_observed(
        &self,
        context: &Context<'_>,
        text: &str,
        observed: &mut Counts,
    ) -> Result<Vec<Span>, (String, PluginFailure)> {
        let mut spans = Vec::new();
        for loaded in self.scrubbers() {
            let name = loaded.entry.name.as_str();
            let result = match loaded.breaker.admit(Instant::now()) {
                Ok(()) => {
                    let trial = self.stream(loaded, context, text, &loaded.entry.settings);
                    trial.log(name);
                    loaded.note(&trial.result);
                    trial.result
                }
                Err(failure) => Err(failure),
            };
            match (loaded.entry.mode, result) {
                (PluginMode::Enforce, Ok(found)) => spans.extend(found),
                (PluginMode::Enforce, Err(failure)) => return Err((name.to_owned(), failure)),
                (PluginMode::Observe, Ok(found)) => {
                    tracing::info!(plugin = name, spans = found.len(), "observed, not masked");
                    for span in found {
                        observe(observed, name, &span.kind);
                    }
                }
                // An observed plugin withholds nothing.
                (PluginMode::Observe, Err(failure)) => observe(observed, name, failure.code),
            }
        }
        Ok(spans)
    }
}

/// Counts what a plugin would have masked, or how it failed.
fn observe(observed: &mut Counts, plugin: &str, what: &str) {
    *observed.entry(format!("{plugin}/{what}")).or_default() += 1;
}

impl Plugins {
    /// Gives one redactor a whole stream and reports what it found, used and logged; `None` where no
    /// redactor has that name.
    #[must_use]
    pub fn try_redactor(
        &self,
        name: &str,
        context: &Context<'_>,
        text: &str,
    ) -> Option<Trial<Vec<Span>>> {
        self.scrubbers()
            .find(|loaded| loaded.entry.name == name)
            .map(|loaded| self.stream(loaded, context, text, &loaded.entry.settings))
    }

    pub(crate) fn stream(
        &self,
        loaded: &Loaded,
        context: &Context<'_>,
        text: &str,
        settings: &str,
    ) -> Trial<Vec<Span>> {
        let Some((machine, pre)) = self.machine().zip(loaded.redactor()) else {
            return Trial::failed(Step::Instantiate.failure("plugin_load", "is not loaded"));
        };
        let mut run = match Run::open(machine, &loaded.entry.limits, HOSTCALL_BYTES_MAX) {
            Ok(run) => run,
            Err(failure) => return Trial::failed(failure),
        };
        let about = About {
            alias: context.alias,
            tags: context.tags,
            name: context.stream.name(),
            settings,
        };
        let found = run
            .step(Step::Instantiate, |store| pre.instantiate(store))
            .and_then(|mut guest| push_all(&mut run, guest.as_mut(), &about, text.as_bytes()))
            .map(|spans| {
                let named = |span| Span {
                    rule: loaded.entry.name.clone(),
                    ..span
                };
                spans.into_iter().map(named).collect()
            });
        run.close(found)
    }
}

fn push_all(
    run: &mut Run<'_>,
    guest: &mut dyn Finding,
    about: &About<'_>,
    bytes: &[u8],
) -> Result<Vec<Span>, PluginFailure> {
    let deadline = Instant::now() + Duration::from_millis(STREAM_WALL_MS_MAX);
    run.step(Step::Begin, |store| guest.begin(store, about))?;
    let mut ledger = Ledger::default();
    for chunk in bytes.chunks(CHUNK_BYTES_MAX) {
        if Instant::now() > deadline {
            let detail = format!("took longer than {STREAM_WALL_MS_MAX} ms for one stream");
            return Err(Step::Push.failure("plugin_timeout", &detail));
        }
        let answer = run.step(Step::Push, |store| guest.push(store, chunk))?;
        ledger.pushed = ledger.pushed.saturating_add(chunk.len() as u64);
        ledger.take(Step::Push, answer)?;
    }
    let answer = run.step(Step::Finish, |store| guest.finish(store))?;
    ledger.take(Step::Finish, answer)?;
    Ok(ledger.spans)
}

/// What a stream has come to so far.
#[derive(Debug, Default)]
struct Ledger {
    pushed: u64,
    released: u64,
    spans: Vec<Span>,
    /// The labels so far: they are words of the guest's that clients and the journal are told.
    labels: BTreeSet<String>,
}

impl Ledger {
    /// Takes one answer in, or names what is wrong with it.
    fn take(&mut self, step: Step, answer: Result<Found, String>) -> Result<(), PluginFailure> {
        let found = answer.map_err(|text| step.failure("plugin_error", &text))?;
        if self.spans.len().saturating_add(found.spans.len()) > PLUGIN_SPANS_MAX {
            let detail = format!("gave more than {PLUGIN_SPANS_MAX} spans");
            return Err(step.failure("plugin_output", &detail));
        }
        for span in found.spans {
            let span = self
                .span(&span)
                .map_err(|detail| step.failure("plugin_output", &detail))?;
            self.spans.push(span);
        }
        self.release(step, found.release)
            .map_err(|detail| step.failure("plugin_output", &detail))
    }

    fn span(&mut self, span: &Stretch) -> Result<Span, String> {
        let wrong = |what: &str| {
            format!(
                "span of {} bytes at {}: {what} (released {}, pushed {})",
                span.length, span.offset, self.released, self.pushed
            )
        };
        let end = span
            .offset
            .checked_add(span.length)
            .filter(|end| *end <= self.pushed)
            .ok_or_else(|| wrong("ends beyond what was pushed"))?;
        if span.length == 0 {
            return Err(wrong("is empty"));
        }
        if span.offset < self.released {
            return Err(wrong("begins before the release mark"));
        }
        let (Ok(start), Ok(end)) = (usize::try_from(span.offset), usize::try_from(end)) else {
            return Err(wrong("is out of range"));
        };
        let kind = match &span.label {
            Some(text) => self.known(label(text)),
            None => LABEL.to_owned(),
        };
        Ok(Span {
            start,
            end,
            kind,
            ..Span::default()
        })
    }

    /// A label, or the fixed word where there are too many.
    fn known(&mut self, label: String) -> String {
        if self.labels.contains(&label) {
            return label;
        }
        if self.labels.len() >= PLUGIN_LABELS_MAX {
            return LABEL.to_owned();
        }
        self.labels.insert(label.clone());
        label
    }

    fn release(&mut self, step: Step, mark: u64) -> Result<(), String> {
        let pushed = self.pushed;
        if mark < self.released || mark > pushed {
            let released = self.released;
            return Err(format!(
                "release mark {mark} is not within {released} to {pushed}"
            ));
        }
        let lag_max = if step == Step::Finish {
            0
        } else {
            LAG_BYTES_MAX
        };
        if pushed - mark > lag_max {
            return Err(format!(
                "release mark {mark} lags more than {lag_max} bytes behind {pushed}"
            ));
        }
        self.released = mark;
        Ok(())
    }
}

/// The guest's label in the characters of a kind; a fixed word where nothing is left.
fn label(text: &str) -> String {
    let label: String = text
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
        .take(PLUGIN_LABEL_BYTES_MAX)
        .collect();
    if label.is_empty() {
        LABEL.to_owned()
    } else {
        label
    }
}
