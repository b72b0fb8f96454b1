//! Version 0.1 of the interface, `wit/0.1`.

use super::{About, Finding, Found, Judging, Redactor, Said, Stretch, Validator, Version, World};
use crate::fence::Fence;
use crate::trial::Level;
use crate::validate::Question;
use portcullis_core::config::PluginKind;
use wasmtime::component::{HasSelf, InstancePre, ResourceAny};
use wasmtime::{Result, Store};

/// The world of validators, generated.
mod validator {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "validator-plugin",
    });
}

/// The world of redactors, generated.
mod redactor {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "redactor-plugin",
        with: { "portcullis:plugin/log@0.1.0": super::validator::portcullis::plugin::log },
    });
}

use redactor::exports::portcullis::plugin::redactor as finds;
use validator::portcullis::plugin::{log, types};

pub(super) const VERSION: Version = Version {
    prefix: "0.1.",
    link: |linker| {
        validator::ValidatorPlugin::add_to_linker::<_, HasSelf<Fence>>(linker, |fence| fence)
    },
    world,
};

fn world(kind: PluginKind, pre: InstancePre<Fence>) -> Result<World> {
    Ok(match kind {
        PluginKind::Validator => {
            World::Validator(Box::new(validator::ValidatorPluginPre::new(pre)?))
        }
        PluginKind::Redactor => World::Redactor(Box::new(redactor::RedactorPluginPre::new(pre)?)),
    })
}

impl log::Host for Fence {
    fn emit(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.note(level, &message);
    }
}

impl types::Host for Fence {}

impl Validator for validator::ValidatorPluginPre<Fence> {
    fn instantiate(&self, store: &mut Store<Fence>) -> Result<Box<dyn Judging>> {
        Ok(Box::new(self.instantiate(store)?))
    }
}

impl Judging for validator::ValidatorPlugin {
    fn validate(
        &self,
        store: &mut Store<Fence>,
        question: &Question,
        settings: &str,
    ) -> Result<std::result::Result<Said, String>> {
        let context = context(question, settings);
        let answer = self
            .portcullis_plugin_validator()
            .call_validate(store, &context)?;
        Ok(answer.map(|verdict| match verdict {
            types::Verdict::NoObjection => Said::NoObjection,
            types::Verdict::Objection(said) => Said::Objection {
                code: said.code,
                reason: said.reason,
            },
            types::Verdict::RequireApproval(reason) => Said::RequireApproval(reason),
        }))
    }
}

fn context(question: &Question, settings: &str) -> types::CommandContext {
    let leaf = |leaf: &crate::Leaf| types::Leaf {
        argv: leaf.argv.clone(),
        canonical: leaf.canonical.clone(),
        capabilities: leaf.capabilities.clone(),
        open_words: leaf.open_words.clone(),
    };
    types::CommandContext {
        alias: question.alias.clone(),
        tags: question.tags.clone(),
        principal: question.principal.clone(),
        command: question.command.clone(),
        leaves: question.leaves.iter().map(leaf).collect(),
        dry_run: question.dry_run,
        settings: settings.to_owned(),
        facts: question.facts.clone(),
    }
}

/// One instance and its stream.
struct Stream {
    instance: redactor::RedactorPlugin,
    stream: Option<ResourceAny>,
}

impl Redactor for redactor::RedactorPluginPre<Fence> {
    fn instantiate(&self, store: &mut Store<Fence>) -> Result<Box<dyn Finding>> {
        Ok(Box::new(Stream {
            instance: self.instantiate(store)?,
            stream: None,
        }))
    }
}

impl Finding for Stream {
    fn begin(&mut self, store: &mut Store<Fence>, about: &About<'_>) -> Result<()> {
        let context = finds::StreamContext {
            alias: about.alias.to_owned(),
            tags: about.tags.to_vec(),
            name: about.name.to_owned(),
            settings: about.settings.to_owned(),
        };
        let guest = self.instance.portcullis_plugin_redactor().stream();
        self.stream = Some(guest.call_constructor(store, &context)?);
        Ok(())
    }

    fn push(
        &mut self,
        store: &mut Store<Fence>,
        chunk: &[u8],
    ) -> Result<std::result::Result<Found, String>> {
        let stream = self.stream.ok_or_else(super::not_begun)?;
        let guest = self.instance.portcullis_plugin_redactor().stream();
        Ok(guest.call_push(store, stream, chunk)?.map(found))
    }

    fn finish(&mut self, store: &mut Store<Fence>) -> Result<std::result::Result<Found, String>> {
        let stream = self.stream.ok_or_else(super::not_begun)?;
        let guest = self.instance.portcullis_plugin_redactor().stream();
        Ok(guest.call_finish(store, stream)?.map(found))
    }
}

fn found(found: finds::Found) -> Found {
    let stretch = |span: finds::Span| Stretch {
        offset: span.offset,
        length: span.length,
        label: match span.style {
            finds::Style::Labelled => Some(span.label),
            finds::Style::Silent => None,
        },
    };
    Found {
        spans: found.spans.into_iter().map(stretch).collect(),
        release: found.release,
    }
}
