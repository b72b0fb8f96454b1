//! What an operator asks about hosts: whether one can be reached and logged into, which keys it shows, and what
//! holds on it. No agent can ask for any of it.
//!
//! A ping runs `true` the way of every command where the policy lets it; where it does not, the gate logs in and
//! runs nothing. Contact is recorded before a host is asked, and not made where that cannot be recorded.
//!
//! Must not: run anything but through `run`, or write a key down that nobody has named by its fingerprint.

use super::login::Keys;
use super::notes::fields;
use super::run::micros;
use super::{House, Live, journal_refusal};
use crate::events::Watch;
use portcullis_core::answer::{Fault, Run, RunFault, Timing};
use portcullis_core::audit::{Durability, Stamp};
use portcullis_core::inventory::{Host, Target};
use portcullis_core::net::Network;
use portcullis_core::policy::{Contact, Limits, Refusal};
use portcullis_core::request::Alias;
use portcullis_mcp::gate::Caller;
use portcullis_ssh::{Scanned, Standing};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;

/// What a ping runs: it has no effect and no output.
pub(crate) const PING_COMMAND: &str = "true";

/// How a ping ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PingState {
    /// The command ran and exited with 0.
    Ok,
    /// Logged in; nothing was run.
    LoggedIn,
    /// The gate does not let itself to the host.
    Refused,
    /// No way leads to a login.
    Unreachable,
    /// Logged in, and the command did not end with 0.
    Failed,
}

impl PingState {
    /// The word in answers and records.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::LoggedIn => "logged_in",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
        }
    }

    /// Whether the host can be worked with.
    pub(crate) fn is_well(self) -> bool {
        matches!(self, Self::Ok | Self::LoggedIn)
    }
}

/// The answer to a ping.
#[derive(Debug, Clone)]
pub(crate) struct Ping {
    pub(crate) alias: Alias,
    pub(crate) state: PingState,
    /// Why it is not `ok`: a word for programs and a text for people.
    pub(crate) why: Option<(String, String)>,
    /// The address that answered.
    pub(crate) address: String,
    pub(crate) timing: Timing,
    pub(crate) total_us: u64,
}

/// What holds on a host, without secrets.
#[derive(Debug, Clone)]
pub(crate) struct Portrait {
    pub(crate) target: Target,
    pub(crate) limits: Limits,
    pub(crate) network: Arc<Network>,
    /// The digest of policy.yml; `None` where there is none, so that everything is refused.
    pub(crate) policy_digest: Option<String>,
    /// What policy.yml says of where host keys are.
    pub(crate) known_hosts_path: Option<String>,
    /// The keys that are recorded for the host, or why none are known.
    pub(crate) host_keys: Result<Vec<String>, String>,
}

/// The keys that a host shows, and how each stands to the records.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) host: Host,
    pub(crate) scanned: Scanned,
    pub(crate) standings: Vec<Standing>,
}

/// Why there was no contact.
pub(crate) enum NoContact {
    /// The caller's or the operator's fault.
    Fault(Fault),
    /// The gate refuses.
    Refused(Box<Refusal>),
    /// The host does not answer as it should.
    Unreachable(RunFault),
}

/// What is not accepted, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotAccepted {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

impl From<Fault> for NoContact {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<RunFault> for NoContact {
    fn from(fault: RunFault) -> Self {
        Self::Unreachable(fault)
    }
}

impl NoContact {
    /// The word for programs and the text for people.
    pub(crate) fn why(&self) -> (String, String) {
        match self {
            Self::Fault(fault) => (fault.code().to_owned(), fault.to_string()),
            Self::Refused(refusal) => (refusal.code.as_str().to_owned(), refusal.detail.clone()),
            Self::Unreachable(fault) => (fault.code.to_owned(), fault.message.to_owned()),
        }
    }
}

impl House {
    /// Asks a host for a sign of life, with `exec` by the command that has no effect. What it finds is an answer; a
    /// fault is only what cannot be asked.
    pub(super) async fn ping(
        self: &Arc<Self>,
        caller: Caller,
        alias: &str,
        exec: bool,
    ) -> Result<Ping, Fault> {
        let began = Instant::now();
        let host = self.target(&self.live(), alias)?.host;
        let mut ping = Ping {
            alias: host.alias,
            state: PingState::Refused,
            why: None,
            address: String::new(),
            timing: Timing::default(),
            total_us: 0,
        };
        let run = match exec {
            true => {
                let (caller, command) = (caller.clone(), PING_COMMAND.to_owned());
                Some(Arc::clone(self).run_request(caller, alias.to_owned(), command))
            }
            false => None,
        };
        match run {
            Some(run) => match run.await {
                Ok(Run::Ran(ran)) => {
                    ping.state = match ran.closing.state {
                        "completed" => PingState::Ok,
                        "unreachable" => PingState::Unreachable,
                        _ => PingState::Failed,
                    };
                    let said = |fault: &RunFault| (fault.code.to_owned(), fault.message.to_owned());
                    ping.why = match (ping.state, &ran.fault) {
                        (PingState::Ok, _) => None,
                        (_, Some(fault)) => Some(said(fault)),
                        (_, None) => Some((
                            ran.closing.state.to_owned(),
                            format!("the command ended with exit {}", ran.closing.exit_code),
                        )),
                    };
                    ping.timing = ran.timing;
                    ping.address = ran.closing.target_ip;
                }
                Ok(Run::Denied(denied)) => {
                    let refusal = denied.refusal;
                    if matches!(refusal.code.reason(), "network" | "journal") {
                        ping.why = Some((refusal.code.as_str().to_owned(), refusal.detail));
                    } else {
                        let why = (refusal.code.as_str().to_owned(), refusal.detail);
                        self.log_in(&caller, alias, &mut ping, Some(why)).await;
                    }
                }
                Err(fault) => {
                    ping.state = PingState::Unreachable;
                    ping.why = Some(NoContact::Fault(fault).why());
                }
            },
            None => self.log_in(&caller, alias, &mut ping, None).await,
        }
        ping.total_us = micros(began);
        Ok(ping)
    }

    /// The part of a ping that runs nothing.
    async fn log_in(
        &self,
        caller: &Caller,
        alias: &str,
        ping: &mut Ping,
        unrun: Option<(String, String)>,
    ) {
        let (live, origin) = (self.live(), self.origin(caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let began = Instant::now();
        let logging_in = async {
            let contact = self
                .contact(&live, stamp, alias, "ping", &mut ping.timing)
                .await?;
            let keys = self.keys(&live, stamp, &contact, caller);
            let access = keys.access_once(&contact).await?;
            Ok(self.engine.reach(&contact, &access).await?)
        };
        let reached: Result<_, NoContact> = tokio::select! {
            biased;
            reached = logging_in => reached,
            () = caller.stop.cancelled() => Err(NoContact::Fault(CANCELLED)),
        };
        match reached {
            Ok(reached) => {
                ping.state = PingState::LoggedIn;
                ping.why = unrun;
                ping.address = reached.peer.to_string();
                ping.timing.connect_us = reached.times.connect_us;
                ping.timing.authenticate_us = reached.times.authenticate_us;
            }
            Err(none) => {
                ping.state = match &none {
                    NoContact::Refused(_) => PingState::Refused,
                    NoContact::Fault(_) | NoContact::Unreachable(_) => PingState::Unreachable,
                };
                ping.why = Some(none.why());
            }
        }
        let code = ping.why.as_ref().map(|(code, _)| code.as_str());
        let more = fields([("state", json!(ping.state.as_str())), ("code", json!(code))]);
        let end = ("ping", ping.alias.as_str(), ping.address.as_str(), began);
        self.note_contact_end(stamp, end, more).await;
    }

    /// What contact reads its logins with.
    fn keys<'a>(
        &self,
        live: &'a Arc<Live>,
        stamp: Stamp<'_>,
        contact: &Contact,
        caller: &Caller,
    ) -> Keys<'a> {
        Keys {
            live,
            dirs: self.dirs(),
            watch: Watch::of(&self.reports(stamp)),
            credential: contact.target().credential.clone(),
            stop: caller.stop.clone(),
        }
    }

    /// Asks a host for its keys and compares them with the records.
    pub(super) async fn scan(&self, caller: &Caller, alias: &str) -> Result<Scan, NoContact> {
        let (live, origin) = (self.live(), self.origin(caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let began = Instant::now();
        let mut timing = Timing::default();
        let contact = self
            .contact(&live, stamp, alias, "scan_keys", &mut timing)
            .await?;
        let host = contact.target().host.clone();
        let scanning = async {
            let keys = self.keys(&live, stamp, &contact, caller);
            let hops = keys.access_on_the_way(&contact).await?;
            let scanned = self.engine.scan(&contact, hops.as_ref()).await;
            scanned.map_err(NoContact::from)
        };
        let scanned = tokio::select! {
            biased;
            scanned = scanning => scanned,
            () = caller.stop.cancelled() => Err(NoContact::Fault(CANCELLED)),
        };
        let (state, code, address, keys) = match &scanned {
            Ok(it) => {
                let prints = it.keys.iter().map(|key| key.fingerprint.clone());
                ("ok", None, it.peer.to_string(), prints.collect())
            }
            Err(none) => ("unreachable", Some(none.why().0), String::new(), Vec::new()),
        };
        let more = fields([
            ("state", json!(state)),
            ("code", json!(code)),
            ("fingerprints", json!(keys)),
        ]);
        let end = ("scan_keys", host.alias.as_str(), address.as_str(), began);
        self.note_contact_end(stamp, end, more).await;
        let scanned = scanned?;
        // Where no file is there yet, everything is new.
        // SECURITY: a file that is there and cannot be used may say that a key is revoked.
        let known_hosts = live.known_hosts_so_far().map_err(|fault| {
            tracing::error!(%fault, "no known_hosts");
            NoContact::Fault(Fault::Setup {
                code: "known_hosts_unavailable",
                message: "known_hosts is there and cannot be used, so nothing is said of the keys",
            })
        })?;
        let standings = known_hosts.standings(&host.host, host.port, &scanned.keys);
        Ok(Scan {
            host,
            scanned,
            standings,
        })
    }

    /// Writes the key with the named fingerprint down as the host's, where no record speaks against it.
    pub(super) async fn accept(
        &self,
        caller: &Caller,
        scan: &Scan,
        fingerprint: &str,
    ) -> Result<String, NotAccepted> {
        let refuse = |code, message: String, hint| {
            Err(NotAccepted {
                code,
                message,
                hint,
            })
        };
        let (host, keys) = (&scan.host, &scan.scanned.keys);
        let mut shown = keys.iter().zip(&scan.standings);
        let Some((key, standing)) = shown.find(|(key, _)| key.fingerprint == fingerprint) else {
            let message = format!(
                "{} shows no key with the fingerprint {fingerprint}",
                host.alias
            );
            let hint = "compare the fingerprint with the host's own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";
            return refuse("fingerprint_not_shown", message, hint);
        };
        match standing {
            Standing::New | Standing::Added if key.usable => {}
            Standing::New | Standing::Added => {
                let message = format!("the {} key of {} is too short", key.kind, host.alias);
                return refuse(
                    "host_key_short",
                    message,
                    "accept another key of the host, or make it a longer one",
                );
            }
            Standing::Known => return Ok(key.line(&host.host, host.port)),
            Standing::Changed => {
                let message = format!("{} shows another key than the recorded ones", host.alias);
                let hint = "find out why; if the host's keys were changed on purpose, remove the old lines (ssh-keygen -R) and scan again";
                return refuse("host_key_mismatch", message, hint);
            }
            Standing::Revoked => {
                let message = format!("the key of {} is recorded as revoked", host.alias);
                return refuse("host_key_revoked", message, "give the host another key");
            }
        }
        let (live, origin) = (self.live(), self.origin(caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let body = |outcome: &str| {
            fields([
                ("alias", json!(host.alias.as_str())),
                ("hostname", json!(host.host)),
                ("port", json!(host.port)),
                ("key_type", json!(key.kind)),
                ("fingerprint", json!(key.fingerprint)),
                ("outcome", json!(outcome)),
            ])
        };
        let noted = self.noted("host_key", Durability::Synced, stamp, body("accepted"));
        if noted.await.is_err() {
            let refusal = journal_refusal();
            return refuse("journal_unavailable", refusal.detail, "nothing was written");
        }
        let line = key.line(&host.host, host.port);
        let (dirs, text) = (self.dirs(), line.clone());
        let path = live.snapshot.policy.known_hosts_path.clone();
        let written =
            tokio::task::spawn_blocking(move || dirs.add_known_host(path.as_deref(), &text));
        let fault = match written.await {
            Ok(Ok(())) => return Ok(line),
            Ok(Err(fault)) => {
                Watch::of(&self.reports(stamp)).complain(&fault);
                (fault.to_string(), fault.hint())
            }
            Err(_) => ("the line was not written".to_owned(), ""),
        };
        self.note("host_key", Durability::Synced, stamp, body("not_written"))
            .await;
        refuse("known_hosts_unwritable", fault.0, fault.1)
    }

    /// Everything that holds on a host, without secrets.
    pub(super) async fn portrait(&self, caller: &Caller, alias: &str) -> Result<Portrait, Fault> {
        let host = self.describe(caller.clone(), alias.to_owned()).await?;
        let live = self.live();
        let target = self.target(&live, host.alias.as_str())?;
        let policy = &live.snapshot.policy;
        let host_keys = live.known_hosts();
        Ok(Portrait {
            limits: policy.limits_for(&target.host),
            network: policy.network_for(&target.host),
            policy_digest: live.under.policy_digest.clone(),
            known_hosts_path: policy.known_hosts_path.clone(),
            host_keys: host_keys
                .map(|keys| keys.fingerprints(&target.host.host, target.host.port))
                .map_err(ToOwned::to_owned),
            target,
        })
    }

    fn target(&self, live: &Live, alias: &str) -> Result<Target, Fault> {
        let alias = Alias::parse(alias).map_err(Fault::Input)?;
        let target = live.snapshot.inventory.resolve(&alias);
        target.ok_or(Fault::UnknownAlias(alias))
    }

    /// Resolves a host's name once, asks the address lists, and records what is about to be asked of whom.
    async fn contact(
        &self,
        live: &Live,
        stamp: Stamp<'_>,
        alias: &str,
        purpose: &'static str,
        timing: &mut Timing,
    ) -> Result<Contact, NoContact> {
        let target = self.target(live, alias)?;
        let resolving = Instant::now();
        let (addresses, hops) = self.resolve_way(stamp, &target).await;
        timing.resolve_us = micros(resolving);
        let host = target.host.clone();
        let user = target.credential.as_ref().map(|it| it.username.clone());
        let contact = live.snapshot.policy.contact(target, &addresses, &hops);
        let (code, addresses) = match &contact {
            Ok(contact) => (None, contact.addresses()),
            Err(refusal) => (Some(refusal.code.as_str()), addresses.as_slice()),
        };
        let body = fields([
            ("purpose", json!(purpose)),
            ("alias", json!(host.alias.as_str())),
            ("hostname", json!(host.host)),
            ("port", json!(host.port)),
            ("login", json!(user)),
            ("addresses", json!(addresses)),
            ("allowed", json!(code.is_none())),
            ("code", json!(code)),
        ]);
        let noted = self.noted("contact", Durability::Synced, stamp, body).await;
        let contact = contact.map_err(NoContact::Refused)?;
        noted.map_err(|_| NoContact::Refused(Box::new(journal_refusal())))?;
        Ok(contact)
    }

    async fn note_contact_end(
        &self,
        stamp: Stamp<'_>,
        (purpose, alias, address, began): (&str, &str, &str, Instant),
        more: Map<String, Value>,
    ) {
        let mut body = fields([
            ("purpose", json!(purpose)),
            ("alias", json!(alias)),
            ("target_ip", json!(address)),
            ("duration_ms", json!(micros(began) / 1_000)),
        ]);
        body.extend(more);
        self.note("contact_end", Durability::Written, stamp, body)
            .await;
    }
}

/// The answer to whoever takes a question back.
const CANCELLED: Fault = Fault::Setup {
    code: "cancelled",
    message: "taken back before the host had answered",
};
