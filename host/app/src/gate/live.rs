//! The snapshot that holds: configuration, plugins, host keys, redaction rules. Built whole or not at all.

use crate::events::Watch;
use crate::files::{self, Dirs, FileFault};
use crate::plugins;
use crate::provider;
use portcullis_core::audit::Under;
use portcullis_core::config::{self, ConfigFault, HostRedaction, Occasion, Snapshot, Sources};
use portcullis_core::redact::Redactor;
use portcullis_core::request::{Alias, Principal, sha256_hex};
use portcullis_core::secret::Secret;
use portcullis_plugin::{LoadFault as PluginLoadFault, Plugins};
use portcullis_ssh::{Generation, KnownHosts};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How much is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything, at start. A missing policy denies everything; missing servers are a fault.
    Start,
    /// The YAML files; plugins stay what they are, whatever `plugins.yml` says now.
    Yaml,
    /// The YAML files and the plugins.
    Everything,
}

impl Scope {
    /// The word in records.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Yaml => "yaml",
            Self::Everything => "everything",
        }
    }
}

/// A whole configuration that holds.
pub(crate) struct Live {
    /// The files.
    pub(crate) snapshot: Snapshot,
    /// The loaded plugins.
    pub(crate) plugins: Arc<Plugins>,
    /// The native rules for what is recorded: all that the policy switches on anywhere.
    pub(crate) redactor: Redactor,
    /// The native rules for the output of each host, by alias.
    redactors: BTreeMap<String, Redactor>,
    /// What records say that a decision was made under.
    pub(crate) under: Under,
    /// Or why there are none, and whether that is because there is no file.
    known_hosts: Result<Arc<KnownHosts>, (String, bool)>,
    /// Tells the bytes of that file from others.
    known_hosts_mark: String,
    /// Which reading of the files this is. Runs under another one share no connection with those under this.
    pub(super) generation: Generation,
}

/// Why nothing was loaded.
#[derive(Debug)]
pub(crate) enum LoadFault {
    /// Files could not be read; beside them stands what is wrong with those that could be.
    Files(Vec<FileFault>, Vec<ConfigFault>),
    /// Files are wrong.
    Config(Vec<ConfigFault>),
    /// Plugins are refused or broken.
    Plugins(Vec<PluginLoadFault>),
}

impl LoadFault {
    /// Whether a plugin is at fault.
    pub(crate) fn is_plugin(&self) -> bool {
        matches!(self, Self::Plugins(_))
    }

    /// One line for each fault: where and what, never a value of a file.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.config_faults()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// The same as faults of configuration files.
    pub(crate) fn config_faults(&self) -> Vec<ConfigFault> {
        match self {
            Self::Files(files, others) => {
                let of_file = |fault: &FileFault| {
                    whole_file(fault.file(), fault.to_string(), fault.hint().to_owned())
                };
                files
                    .iter()
                    .map(of_file)
                    .chain(others.iter().cloned())
                    .collect()
            }
            Self::Config(faults) => faults.clone(),
            Self::Plugins(faults) => faults
                .iter()
                .map(|fault| {
                    let message =
                        format!("plugin {}: {} ({})", fault.plugin, fault.detail, fault.code);
                    whole_file("plugins.yml", message, fault.hint.clone())
                })
                .collect(),
        }
    }
}

fn whole_file(file: &'static str, message: String, hint: String) -> ConfigFault {
    ConfigFault {
        file,
        line: 0,
        column: 0,
        path: String::new(),
        message,
        hint,
    }
}

impl Live {
    /// The validators that have to be heard, in order.
    pub(crate) fn validators(&self) -> Vec<String> {
        self.plugins.validators()
    }

    /// The native rules for a host's output. A host that is not there has the strictest ones.
    pub(crate) fn redactor_of(&self, alias: &Alias) -> &Redactor {
        self.redactors.get(alias.as_str()).unwrap_or(&self.redactor)
    }

    /// What is legal and probably not meant.
    pub(crate) fn warnings(&self) -> Vec<ConfigFault> {
        let mut warnings = self.snapshot.warnings.clone();
        if let Err(fault) = self.known_hosts() {
            warnings.push(whole_file(
                "policy.yml",
                format!("no host can be reached: {fault}"),
                "set known_hosts_path, or make ~/.ssh/known_hosts; unknown host keys are never accepted".to_owned(),
            ));
        }
        warnings
    }

    /// What is wrong with the programs that are asked for secrets: those that will not be started, and those that are
    /// not there, which they need not be on the machine of whoever checks a configuration.
    pub(crate) fn program_faults(&self) -> (Vec<ConfigFault>, Vec<ConfigFault>) {
        let (mut refused, mut missing) = (Vec::new(), Vec::new());
        for (provider, program) in self.snapshot.settings.secrets.programs() {
            let Err(fault) = files::program(program) else {
                continue;
            };
            let list = if fault.is_missing() {
                &mut missing
            } else {
                &mut refused
            };
            let message = format!("secret provider {provider}: {fault}");
            list.push(whole_file(fault.file(), message, fault.hint().to_owned()));
        }
        (refused, missing)
    }

    /// The keys of the hosts, or why there are none.
    pub(super) fn known_hosts(&self) -> Result<Arc<KnownHosts>, &str> {
        match &self.known_hosts {
            Ok(known_hosts) => Ok(Arc::clone(known_hosts)),
            Err((fault, _)) => Err(fault),
        }
    }

    /// What [`look`] gives as long as no file has changed.
    pub(super) fn seen(&self) -> String {
        format!("{} {}", self.snapshot.digest, self.known_hosts_mark)
    }

    /// The recorded host keys for those who would record the first one: none where no file is there yet.
    pub(super) fn known_hosts_so_far(&self) -> Result<Arc<KnownHosts>, &str> {
        match &self.known_hosts {
            Err((_, true)) => Ok(Arc::default()),
            Ok(_) | Err((_, false)) => self.known_hosts(),
        }
    }

    /// A secret: from the provider that is named for it, and from nowhere else, or from where secrets lie. `None`
    /// where there is none; why not is for the operator's log, not for the caller.
    pub(super) async fn secret(
        &self,
        dirs: &Dirs,
        watch: &Watch,
        (name, variable): (&str, Option<&str>),
        stop: &CancellationToken,
    ) -> Option<Secret> {
        if let Some(order) = self.snapshot.settings.secrets.order(name) {
            let asked = provider::ask(&order, &|name| std::env::var_os(name), stop).await;
            return asked
                .inspect_err(|fault| {
                    tracing::error!(%fault, secret = name, "a secret cannot be read");
                    fault.tell(&|fault| watch.complain(fault));
                })
                .ok();
        }
        dirs.secret(name, variable, &|fault| watch.complain(fault))
            .inspect_err(|fault| {
                tracing::error!(%fault, hint = fault.hint(), "a secret cannot be read");
                watch.complain(fault);
            })
            .ok()
    }
}

/// Whom this process belongs to.
pub(crate) fn owner() -> Principal {
    Principal::local(rustix::process::getuid().as_raw())
}

/// Reads and checks everything that `scope` names. `old` is the snapshot that holds now, if one does.
pub(crate) async fn load(
    dirs: &Dirs,
    watch: &Watch,
    scope: Scope,
    old: Option<&Live>,
) -> Result<Live, LoadFault> {
    let (sources, unread) = read(dirs);
    for fault in &unread {
        watch.complain(fault);
    }
    let occasion = if scope == Scope::Start {
        Occasion::Start
    } else {
        Occasion::Reload
    };
    let mut snapshot = config::load(&sources, occasion).map_err(|faults| {
        for refused in config::refused_texts(&sources) {
            watch.complain(&dirs.refused(&refused));
        }
        if unread.is_empty() {
            LoadFault::Config(faults)
        } else {
            LoadFault::Files(unread, faults)
        }
    })?;
    if let Some(old) = old {
        // A file that vanished between two loads is a mishap, not a wish: `plugins.yml` gone would take the
        // validators away.
        let missing = snapshot.missing_since(&old.snapshot);
        if !missing.is_empty() {
            return Err(LoadFault::Config(missing));
        }
    }
    let mut digest = snapshot.digest.clone();
    let plugins = match (scope, old) {
        (Scope::Yaml, Some(old)) => {
            // Decided by the operator's signal or restart, never by a tool that an agent can call.
            digest = snapshot.keep_plugins_of(&old.snapshot);
            if digest != snapshot.digest {
                tracing::warn!(
                    "plugins.yml has changed: it waits for SIGHUP or `portcullis plugin reload`"
                );
            }
            Arc::clone(&old.plugins)
        }
        _ => {
            let before = old.map(|old| Arc::clone(&old.plugins));
            Arc::new(load_plugins(dirs, watch, &snapshot, before).await?)
        }
    };
    let known_hosts = dirs.known_hosts(snapshot.policy.known_hosts_path.as_deref());
    let known_hosts_mark = mark(&known_hosts);
    let known_hosts = watch
        .pass(known_hosts)
        .map(|bytes| Arc::new(KnownHosts::parse(&bytes)))
        .map_err(|fault| (fault.to_string(), fault.is_missing()));
    let under = Under {
        config_digest: digest,
        policy_digest: snapshot
            .files
            .iter()
            .find(|mark| mark.name == config::POLICY)
            .and_then(|mark| mark.sha256.clone()),
        plugins: plugins.identities(),
    };
    let redaction = &snapshot.redaction;
    let redactors = redaction.hosts.iter();
    let redactors = redactors.map(|(alias, rules)| (alias.clone(), tagged(rules)));
    Ok(Live {
        redactor: tagged(&redaction.records),
        redactors: redactors.collect(),
        snapshot,
        plugins,
        under,
        known_hosts,
        known_hosts_mark,
        generation: Generation::fresh(),
    })
}

/// The texts of the files, and why some could not be read.
fn read(dirs: &Dirs) -> (Sources, Vec<FileFault>) {
    let mut faults = Vec::new();
    let mut read = |name: &'static str| {
        dirs.config_file(name).unwrap_or_else(|fault| {
            faults.push((name, fault));
            None
        })
    };
    let mut sources = Sources {
        servers: read(config::SERVERS),
        credentials: read(config::CREDENTIALS),
        policy: read(config::POLICY),
        plugins: read(config::PLUGINS),
        plugins_lock: read(config::PLUGINS_LOCK),
        portcullis: read(config::PORTCULLIS),
        companions: read(config::COMPANIONS),
        unread: Vec::new(),
    };
    let (names, faults): (Vec<_>, Vec<_>) = faults.into_iter().unzip();
    sources.unread = names;
    (sources, faults)
}

/// The files as they are now, host keys included, without a look at what they say: another text where a byte differs.
pub(crate) fn look(dirs: &Dirs, live: &Live) -> String {
    let known_hosts = dirs.known_hosts(live.snapshot.policy.known_hosts_path.as_deref());
    format!("{} {}", read(dirs).0.digest(), mark(&known_hosts))
}

fn mark(file: &Result<Vec<u8>, FileFault>) -> String {
    match file {
        Ok(bytes) => sha256_hex(bytes),
        Err(fault) => fault.to_string(),
    }
}

/// A host's rules, with this process' key where its masks are to have tags. Without randomness there are no
/// tags, which shows less.
pub(crate) fn tagged(rules: &HostRedaction) -> Redactor {
    static KEY: LazyLock<Option<Zeroizing<[u8; 32]>>> = LazyLock::new(|| {
        let mut key = Zeroizing::new([0_u8; 32]);
        getrandom::fill(key.as_mut_slice()).ok().map(|()| key)
    });
    let redactor = rules.redactor.clone();
    match KEY.as_ref().filter(|_| rules.keyed_tags) {
        Some(key) => redactor.tagged(key.as_slice()),
        None => redactor,
    }
}

/// Reads and compiles the plugins; compiling takes long and must not hold up the server.
async fn load_plugins(
    dirs: &Dirs,
    watch: &Watch,
    snapshot: &Snapshot,
    before: Option<Arc<Plugins>>,
) -> Result<Plugins, LoadFault> {
    let gathered = plugins::gather(dirs, watch, &snapshot.plugins)?;
    let loaded = tokio::task::spawn_blocking(move || gathered.load(before.as_deref())).await;
    match loaded {
        Ok(plugins) => Ok(plugins?),
        Err(_) => Err(LoadFault::Plugins(Vec::new())),
    }
}

impl From<plugins::Fault> for LoadFault {
    fn from(fault: plugins::Fault) -> Self {
        match fault {
            plugins::Fault::File(fault) => Self::Files(vec![fault], Vec::new()),
            plugins::Fault::Vectors(faults) => Self::Config(faults),
            plugins::Fault::Plugins(faults) => Self::Plugins(faults),
        }
    }
}
