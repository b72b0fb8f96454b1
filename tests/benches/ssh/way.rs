//! The engine alone, in this process: a policy that allows a few programs, a decision, an admission, an opening record that
//! goes nowhere, and a run.

use crate::report::Times;
use portcullis_core::BoxFuture;
use portcullis_core::audit::{
    self, Door, Draft, Journaled, Origin, Receipt, Sink, SinkFault, Stamp, Under,
};
use portcullis_core::clock::Micros;
use portcullis_core::config;
use portcullis_core::inventory::{Credential, Host, LoginShell, Target, Watchdog};
use portcullis_core::policy::{Case, Hearing, Jury, Opinion, Outcome};
use portcullis_core::redact::Redactor;
use portcullis_core::request::{Alias, CommandLine, Principal, TaskId};
use portcullis_core::secret::Secret;
use portcullis_ssh::{
    Access, End, Ended, Engine, EngineSettings, Generation, Identity, KnownHosts, Methods,
};
use portcullis_tests::sshd::{Sshd, plain_user};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What the policy of every run here allows.
const RULES: &str = "rules: [{action: allow, commands: ['true', 'sleep *', 'head *']}]";

/// An engine and what it needs to reach one server.
pub(crate) struct Way {
    pub(crate) engine: Engine,
    access: Access<'static>,
    port: u16,
    user: String,
    watchdog: Watchdog,
}

struct NoJury;

impl Jury for NoJury {
    fn hear(&self, _: &Hearing<'_>) -> Vec<Opinion> {
        Vec::new()
    }
}

struct Paper;

impl Sink for Paper {
    fn append(&self, _: Draft) -> BoxFuture<'_, Result<Receipt, SinkFault>> {
        let receipt = Receipt {
            seq: 1,
            mac: "0".repeat(64),
        };
        Box::pin(async { Ok(receipt) })
    }
}

impl Way {
    /// A way without a connection.
    pub(crate) fn new(server: &Sshd) -> Arc<Self> {
        Self::guarded(server, Watchdog::default())
    }

    /// The same to a host that is guarded in this way.
    pub(crate) fn guarded(server: &Sshd, watchdog: Watchdog) -> Arc<Self> {
        let key = Secret::new(std::fs::read(server.key()).unwrap());
        let identity = Identity::from_key(&key, None).unwrap();
        Arc::new(Self {
            engine: Engine::new(EngineSettings::default()),
            access: Access {
                login: Box::new(Methods::key(identity)),
                hops: Vec::new(),
                known_hosts: Arc::new(KnownHosts::parse(server.known_host().as_bytes())),
                generation: Generation::fresh(),
            },
            port: server.port(),
            user: plain_user(),
            watchdog,
        })
    }

    /// A run of a command under limits, ready to be sent.
    pub(crate) async fn journaled(&self, command: &str, limits: &str) -> Journaled {
        let policy = format!("limits: {{deny_substrings: [], {limits}}}\n{RULES}\n");
        let (policy, _) = config::policy(&policy).unwrap();
        let line = CommandLine::parse(command).unwrap();
        let alias = Alias::parse("web1").unwrap();
        let task = TaskId::mint(&alias, &line, Micros(1), [7; 16]);
        let case = Case::new(Principal::local(0), self.target(alias), line);
        let Outcome::Granted(granted) = policy.decide(case, Vec::new()).conclude(&NoJury, false)
        else {
            panic!("{command} is refused");
        };
        let admitted = granted.admit(&[IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        let admitted = admitted.unwrap_or_else(|refused| panic!("{:?}", refused.refusal()));
        let redactor = Redactor::default();
        let (principal, call_id) = (Principal::local(0), "bench-1".to_owned());
        let origin = Origin::new(principal, Door::Cli, call_id, None, &redactor);
        let under = Under::default();
        let stamp = Stamp {
            origin: &origin,
            under: &under,
        };
        audit::open(&Paper, &redactor, &stamp, admitted, task, Micros(1))
            .await
            .unwrap_or_else(|failed| panic!("{}", failed.1))
    }

    fn target(&self, alias: Alias) -> Target {
        Target {
            hops: Vec::new(),
            host: Host {
                alias,
                host: "127.0.0.1".to_owned(),
                port: self.port,
                credentials: Some("c".to_owned()),
                tags: Vec::new(),
                description: String::new(),
                shell: LoginShell::default(),
                host_keys: Vec::new(),
                jump: Vec::new(),
                watchdog: self.watchdog,
            },
            credential: Some(Credential {
                name: "c".to_owned(),
                username: self.user.clone(),
                key_path: None,
                key_passphrase_secret: None,
                key_passphrase_env: None,
                password_secret: None,
                password_env: None,
                certificate_path: None,
                agent_key: None,
                methods: Vec::new(),
            }),
        }
    }

    /// Runs it and says how long that took, from what is journaled to the end.
    pub(crate) async fn timed(&self, journaled: Journaled) -> (Ended, Duration) {
        let stop = CancellationToken::new();
        let began = Instant::now();
        let ended = self.engine.run(journaled, &self.access, stop, None).await;
        (ended, began.elapsed())
    }

    /// Runs a command that has to succeed; how long that took, and the end with its parts.
    pub(crate) async fn run(&self, command: &str) -> (Ended, Duration) {
        let journaled = self.journaled(command, "").await;
        let (ended, took) = self.timed(journaled).await;
        assert_eq!(ended.end, End::Exited(0), "{command}: {:?}", ended.fault);
        (ended, took)
    }

    /// Runs a command until it is told to stop.
    pub(crate) async fn run_until(
        &self,
        command: &str,
        limits: &str,
        stop: CancellationToken,
    ) -> Ended {
        let journaled = self.journaled(command, limits).await;
        self.engine.run(journaled, &self.access, stop, None).await
    }
}

/// The times of runs of `true`, one after the other.
pub(crate) async fn in_a_row(way: &Way, count: usize) -> Times {
    let mut times = Times::default();
    for _ in 0..count {
        times.extend([nanoseconds(way.run("true").await.1)]);
    }
    times
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
