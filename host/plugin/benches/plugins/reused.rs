//! A validator whose instance is kept, which the gate never does: what the fresh instance of each call costs is the
//! difference. The engine has the same meters on.

use portcullis_plugin::Question;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, Store};

mod wit {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "validator-plugin",
    });
}

use wit::portcullis::plugin::{log, types};

struct Silent;

impl log::Host for Silent {
    fn emit(&mut self, _: log::Level, _: String) {}
}

impl types::Host for Silent {}

pub(crate) struct Reused {
    store: Store<Silent>,
    instance: wit::ValidatorPlugin,
    context: types::CommandContext,
}

impl Reused {
    pub(crate) fn new(bytes: &[u8], question: &Question, settings: &str) -> Self {
        let mut config = Config::new();
        config
            .consume_fuel(true)
            .epoch_interruption(true)
            .cranelift_nan_canonicalization(true)
            .concurrency_support(false);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, bytes).unwrap();
        let mut linker = Linker::new(&engine);
        wit::ValidatorPlugin::add_to_linker::<_, HasSelf<Silent>>(&mut linker, |it| it).unwrap();
        let mut store = Store::new(&engine, Silent);
        store.set_fuel(u64::MAX).unwrap();
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = wit::ValidatorPlugin::instantiate(&mut store, &component, &linker).unwrap();
        let leaf = |leaf: &portcullis_plugin::Leaf| types::Leaf {
            argv: leaf.argv.clone(),
            canonical: leaf.canonical.clone(),
            capabilities: leaf.capabilities.clone(),
            open_words: leaf.open_words.clone(),
        };
        let context = types::CommandContext {
            alias: question.alias.clone(),
            tags: question.tags.clone(),
            principal: question.principal.clone(),
            command: question.command.clone(),
            leaves: question.leaves.iter().map(leaf).collect(),
            dry_run: question.dry_run,
            settings: settings.to_owned(),
            facts: question.facts.clone(),
        };
        Self {
            store,
            instance,
            context,
        }
    }

    /// One call, armed as the gate arms it.
    pub(crate) fn ask(&mut self) {
        self.store.set_fuel(200_000_000).unwrap();
        self.store.set_epoch_deadline(u64::MAX / 2);
        let guest = self.instance.portcullis_plugin_validator();
        let answer = guest.call_validate(&mut self.store, &self.context).unwrap();
        assert!(matches!(answer, Ok(types::Verdict::Objection(_))));
    }
}
