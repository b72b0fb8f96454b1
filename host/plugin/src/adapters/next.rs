//! A version that does not exist, so that a host of two versions is tested before there are two.

use super::{Judging, Said, Validator, Version, World};
use crate::fence::Fence;
use crate::trial::Level;
use crate::validate::Question;
use portcullis_core::config::PluginKind;
use wasmtime::component::{HasSelf, InstancePre};
use wasmtime::{Result, Store};

mod generated {
    wasmtime::component::bindgen!({
        path: "tests/wit/next",
        world: "validator-plugin",
    });
}

use generated::portcullis::plugin::{log, types};

pub(super) const VERSION: Version = Version {
    prefix: "0.99.",
    link: |linker| {
        generated::ValidatorPlugin::add_to_linker::<_, HasSelf<Fence>>(linker, |fence| fence)
    },
    world,
};

fn world(kind: PluginKind, pre: InstancePre<Fence>) -> Result<World> {
    match kind {
        PluginKind::Validator => Ok(World::Validator(Box::new(
            generated::ValidatorPluginPre::new(pre)?,
        ))),
        PluginKind::Redactor => Err(wasmtime::Error::msg("version 0.99 has no redactors")),
    }
}

impl log::Host for Fence {
    fn say(&mut self, line: String) {
        self.note(Level::Info, &line);
    }
}

impl types::Host for Fence {}

impl Validator for generated::ValidatorPluginPre<Fence> {
    fn instantiate(&self, store: &mut Store<Fence>) -> Result<Box<dyn Judging>> {
        Ok(Box::new(self.instantiate(store)?))
    }
}

impl Judging for generated::ValidatorPlugin {
    fn validate(
        &self,
        store: &mut Store<Fence>,
        question: &Question,
        settings: &str,
    ) -> Result<std::result::Result<Said, String>> {
        let asked = types::Question {
            argv: question
                .leaves
                .iter()
                .map(|leaf| leaf.argv.clone())
                .collect(),
            on: question.alias.clone(),
            settings: settings.to_owned(),
        };
        let answer = self
            .portcullis_plugin_validator()
            .call_judge(store, &asked)?;
        Ok(Ok(match answer {
            types::Answer::Fine => Said::NoObjection,
            types::Answer::Stop => Said::Objection {
                code: "stop".to_owned(),
                reason: "it says stop".to_owned(),
            },
            types::Answer::AskAHuman => Said::RequireApproval("it wants a human".to_owned()),
        }))
    }
}
