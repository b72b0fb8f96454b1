//! The one way of a command, as types. Each step consumes the value before it, and none of the
//! values has a public constructor, so nothing can be run that was not decided, heard and admitted.
//!
//! Must not: do IO. The jury (validators) and the resolver live elsewhere and are called or asked.

use super::networks::{Addresses, Leg, Networks};
use super::{Code, Judgement, Limits, Policy, Refusal};
use crate::inventory::Target;
use crate::net::{Network, Verdict as NetVerdict};
use crate::request::{Alias, CommandLine, Principal};
use crate::shell::{self, Script, Unanalysable};
use crate::text;
use std::net::IpAddr;

/// One request, ready to be decided: who, where, what.
#[derive(Debug)]
pub struct Case {
    principal: Principal,
    target: Target,
    line: CommandLine,
    script: Result<Script, Unanalysable>,
}

impl Case {
    /// Parses the line. A line that cannot be parsed still makes a case: it will be refused, and the
    /// refusal will be journaled like any other.
    #[must_use]
    pub fn new(principal: Principal, target: Target, line: CommandLine) -> Self {
        let script = shell::parse(line.as_str());
        Self {
            principal,
            target,
            line,
            script,
        }
    }

    /// On whose behalf.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Where.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What, as the caller wrote it.
    #[must_use]
    pub fn line(&self) -> &CommandLine {
        &self.line
    }

    /// What, as a tree, if it could be understood.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        self.script.as_ref().ok()
    }
}

/// A decided case. Made by [`Policy::decide`] alone.
#[derive(Debug)]
#[must_use]
pub struct Decision {
    case: Case,
    judgement: Judgement,
    rendered: String,
    limits: Limits,
    networks: Networks,
    validators: Vec<String>,
}

impl Policy {
    /// Decides a case. `validators` names the plugins that have to be heard before anything runs; a
    /// jury that answers for other names, or for fewer, makes the case refused.
    pub fn decide(&self, case: Case, validators: Vec<String>) -> Decision {
        let held = self.held(&case.target.host);
        let limits = held.limits.clone();
        let networks = self.networks(&case.target);
        let (judgement, rendered) = match &case.script {
            Ok(script) => (
                self.judge_under(&held, &case.target.host, &case.line, script),
                script.render(),
            ),
            Err(unanalysable) => (
                Judgement {
                    findings: Vec::new(),
                    refusal: Some(Refusal::unanalysable(unanalysable)),
                    bypass_attempt: self.bypass_attempt(&case.target.host, &case.line),
                },
                String::new(),
            ),
        };
        Decision {
            case,
            judgement,
            rendered,
            limits,
            networks,
            validators,
        }
    }
}

/// What a jury is shown.
#[derive(Debug, Clone, Copy)]
pub struct Hearing<'a> {
    /// The case.
    pub case: &'a Case,
    /// What the rules found.
    pub judgement: &'a Judgement,
    /// The text that would be sent.
    pub rendered: &'a str,
    /// The limits that would hold.
    pub limits: &'a Limits,
    /// Whether nothing will be run whatever the answer.
    pub dry_run: bool,
}

/// How a plugin failed, as its typed code and a text for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFailure {
    /// `plugin_timeout`, `plugin_memory`, `plugin_fuel`, `plugin_trap`, `plugin_output`,
    /// `plugin_load`, `plugin_capacity`, `plugin_error` or `plugin_missing`.
    pub code: &'static str,
    /// Which limit, which call; sanitised and bounded.
    pub detail: String,
}

/// What one validator says. There is no word for "allow".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to say against it.
    NoObjection,
    /// It must not run.
    Objection {
        /// The plugin's own word.
        code: String,
        /// Why, in one sentence.
        reason: String,
    },
    /// A human has to approve it first.
    RequireApproval {
        /// Why, in one sentence.
        reason: String,
    },
    /// The plugin failed: refused.
    Failed(PluginFailure),
}

/// One validator's verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// The plugin's name.
    pub plugin: String,
    /// What it says.
    pub verdict: Verdict,
    /// Whether the operator only watches this plugin: its verdict is recorded and not followed.
    pub observe: bool,
}

/// The validators, called by [`Decision::conclude`] and by nothing else.
pub trait Jury: Send + Sync {
    /// Hears every validator in order and returns one opinion for each.
    fn hear(&self, hearing: &Hearing<'_>) -> Vec<Opinion>;
}

/// How a decided and heard case ended.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// It does not run.
    Refused(Refused),
    /// It may run where the network allows it.
    Granted(Authorized<Exec>),
}

/// What both endings carry for records and answers.
#[derive(Debug)]
pub struct Heard {
    /// The case.
    pub case: Case,
    /// What the rules found.
    pub judgement: Judgement,
    /// The text that is or would have been sent.
    pub rendered: String,
    /// The limits that hold.
    pub limits: Limits,
    /// What the validators said.
    pub opinions: Vec<Opinion>,
}

/// A refused case, whole, so that it can be recorded and explained.
#[derive(Debug)]
#[must_use]
pub struct Refused {
    heard: Heard,
    refusal: Refusal,
}

impl Refused {
    /// Why.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The case and what was found.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.heard
    }
}

/// The capability to do one thing to one host. Not `Clone`, never deserialised.
#[derive(Debug)]
#[must_use]
pub struct Authorized<A> {
    heard: Heard,
    networks: Networks,
    action: A,
}

/// The action of running a rendered script.
#[derive(Debug)]
pub struct Exec {
    rendered: String,
}

impl Exec {
    /// The text to send.
    #[must_use]
    pub fn rendered(&self) -> &str {
        &self.rendered
    }
}

impl Decision {
    /// What the rules found.
    #[must_use]
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// Shows the case, what the rules found and the text that would be sent, as a jury would be shown them.
    pub fn shown<T>(&self, show: impl FnOnce(&Case, &Judgement, &str) -> T) -> T {
        show(&self.case, &self.judgement, &self.rendered)
    }

    /// The plugins that have to be heard.
    #[must_use]
    pub fn validators(&self) -> &[String] {
        &self.validators
    }

    /// Hears the validators, unless the rules refuse already, and ends the case. Strictest wins: an
    /// objection, a failure, a missing opinion or a wish for approval each refuse.
    pub fn conclude(self, jury: &dyn Jury, dry_run: bool) -> Outcome {
        let Self {
            case,
            judgement,
            rendered,
            limits,
            networks,
            validators,
        } = self;
        if let Some(refusal) = judgement.refusal.clone() {
            let heard = Heard {
                case,
                judgement,
                rendered,
                limits,
                opinions: Vec::new(),
            };
            return Outcome::Refused(Refused { heard, refusal });
        }
        let opinions = if validators.is_empty() {
            Vec::new()
        } else {
            jury.hear(&Hearing {
                case: &case,
                judgement: &judgement,
                rendered: &rendered,
                limits: &limits,
                dry_run,
            })
        };
        let refusal = refusal_of(&validators, &opinions);
        let heard = Heard {
            case,
            judgement,
            rendered: rendered.clone(),
            limits,
            opinions,
        };
        match refusal {
            Some(refusal) => Outcome::Refused(Refused { heard, refusal }),
            None => Outcome::Granted(Authorized {
                heard,
                networks,
                action: Exec { rendered },
            }),
        }
    }
}

/// SECURITY: the opinions must be exactly those of the validators that the snapshot names; a jury
/// that lost one on the way must not make the case pass.
fn refusal_of(validators: &[String], opinions: &[Opinion]) -> Option<Refusal> {
    let complete = validators.len() == opinions.len()
        && validators
            .iter()
            .zip(opinions)
            .all(|(name, opinion)| *name == opinion.plugin);
    if !complete {
        return Some(Refusal::validator_failed(
            "validators",
            &PluginFailure {
                code: "plugin_missing",
                detail: "not every configured validator was heard".to_owned(),
            },
        ));
    }
    opinions
        .iter()
        .filter(|opinion| !opinion.observe)
        .find_map(|opinion| match &opinion.verdict {
            Verdict::NoObjection => None,
            Verdict::Objection { code, reason } => {
                Some(Refusal::objection(&opinion.plugin, code, reason))
            }
            Verdict::RequireApproval { reason } => {
                Some(Refusal::approval_unavailable(&opinion.plugin, reason))
            }
            Verdict::Failed(failure) => Some(Refusal::validator_failed(&opinion.plugin, failure)),
        })
}

/// The addresses that the lists admit, each once and in the resolver's order, or why there are none.
pub(super) fn admitted(
    network: &Network,
    resolved: &[IpAddr],
) -> Result<Vec<IpAddr>, Box<Refusal>> {
    let mut admitted = Vec::new();
    let mut deciding: Vec<String> = Vec::new();
    for address in resolved
        .iter()
        .map(|address| crate::net::canonical(*address))
    {
        match network.judge(address) {
            NetVerdict::Allowed if !admitted.contains(&address) => admitted.push(address),
            NetVerdict::Allowed => {}
            verdict => deciding.extend(verdict.deciding()),
        }
    }
    if !admitted.is_empty() {
        return Ok(admitted);
    }
    Err(Box::new(if deciding.is_empty() {
        Refusal::dns_failed()
    } else {
        Refusal::network(deciding)
    }))
}

impl<A> Authorized<A> {
    /// The case and what was found.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// What may be done.
    #[must_use]
    pub fn action(&self) -> &A {
        &self.action
    }
}

impl Authorized<Exec> {
    /// Keeps the addresses that the lists admit. `resolved` are the addresses of the target's name,
    /// asked for once; only what is kept here is ever dialled. A target behind other hosts is not reached so.
    ///
    /// # Errors
    /// [`Refused`] when there is no address, or none that the lists admit.
    pub fn admit(self, resolved: &[IpAddr]) -> Result<Admitted, Box<Refused>> {
        self.admit_through(resolved, &[])
    }

    /// As [`admit`](Self::admit), over the hosts on the way: `hops` are the addresses of each of them, in order.
    ///
    /// # Errors
    /// [`Refused`] when the target, or a host on the way, has no address, or none that its lists admit.
    pub fn admit_through(
        self,
        resolved: &[IpAddr],
        hops: &[Vec<IpAddr>],
    ) -> Result<Admitted, Box<Refused>> {
        match self.networks.admit(&self.heard.case.target, resolved, hops) {
            Ok(addresses) => Ok(Admitted {
                heard: self.heard,
                networks: self.networks,
                action: self.action,
                addresses,
            }),
            Err(refusal) => Err(Box::new(Refused {
                heard: self.heard,
                refusal: *refusal,
            })),
        }
    }

    /// Ends the case for a reason outside the rules, e.g. a journal that cannot be written.
    pub fn refuse(self, refusal: Refusal) -> Refused {
        Refused {
            heard: self.heard,
            refusal,
        }
    }
}

/// An authorised run and the addresses that it may be made at.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    heard: Heard,
    networks: Networks,
    action: Exec,
    addresses: Addresses,
}

impl Admitted {
    /// The case and what was found.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// The text to send.
    #[must_use]
    pub fn rendered(&self) -> &str {
        &self.action.rendered
    }

    /// The addresses of the target that may be dialled, in the resolver's order; at least one.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses.host
    }

    /// The way to the target, whose last leg is the target.
    #[must_use]
    pub fn legs(&self) -> Vec<Leg<'_>> {
        self.networks.legs(&self.heard.case.target, &self.addresses)
    }

    /// Ends the case after all, e.g. because the journal cannot be written.
    pub fn refuse(self, refusal: Refusal) -> Refused {
        Refused {
            heard: self.heard,
            refusal,
        }
    }
}

const HINT_POLICY: &str = "Use ssh_plan to see what the policy says of a command; if this one is needed, ask the operator whether the policy should change.";
const HINT_DNS: &str = "SSH hostname resolution failed: DNS lookup failed. Check the host's name, and who is asked for names (dns in portcullis.yml).";
const HINT_NETWORK: &str = "Use ssh_plan to see the verdict; the operator's policy.network lists decide which addresses may be dialled.";

impl Refusal {
    /// A refusal by the rules, with the common hint.
    pub(super) fn policy(code: Code, detail: String) -> Self {
        Self {
            code,
            detail,
            hint: HINT_POLICY.to_owned(),
            capability: None,
            part: None,
            rule: None,
            offset: None,
            plugin: None,
            network: Vec::new(),
        }
    }

    pub(super) fn unanalysable(fault: &Unanalysable) -> Self {
        let mut refusal = Self::policy(
            Code::Unanalysable,
            format!(
                "The command cannot be analysed: {} at byte {}.",
                fault.reason.replace('_', " "),
                fault.offset
            ),
        );
        refusal.offset = Some(fault.offset);
        refusal
    }

    fn objection(plugin: &str, code: &str, reason: &str) -> Self {
        let (plugin, code) = (text::step(plugin), text::step(code));
        let reason = text::step(reason);
        let mut refusal = Self::policy(
            Code::Objection,
            format!("Validator {plugin} objects ({code}): {reason}"),
        );
        refusal.plugin = Some((plugin.into_string(), code.into_string()));
        refusal
    }

    fn validator_failed(plugin: &str, failure: &PluginFailure) -> Self {
        let plugin = text::step(plugin);
        let mut refusal = Self::policy(
            Code::ValidatorFailed,
            format!(
                "Validator {plugin} failed ({}), so nothing runs.",
                failure.code
            ),
        );
        refusal.hint =
            "A validator that fails refuses everything; the operator finds its fault in the log."
                .to_owned();
        refusal.plugin = Some((plugin.into_string(), failure.code.to_owned()));
        refusal
    }

    fn approval_unavailable(plugin: &str, reason: &str) -> Self {
        let (plugin, reason) = (text::step(plugin), text::step(reason));
        let mut refusal = Self::policy(
            Code::ApprovalUnavailable,
            format!("Validator {plugin} asks for a human's approval: {reason}"),
        );
        refusal.hint = "Approvals are not available on this server.".to_owned();
        refusal.plugin = Some((plugin.into_string(), "require_approval".to_owned()));
        refusal
    }

    fn dns_failed() -> Self {
        let mut refusal = Self::policy(Code::DnsFailed, "DNS resolution failed".to_owned());
        refusal.hint = HINT_DNS.to_owned();
        refusal
    }

    /// `deciding` names what refuses each address.
    fn network(mut deciding: Vec<String>) -> Self {
        deciding.sort_unstable();
        deciding.dedup();
        let mut refusal = Self::policy(
            Code::NetworkNotAllowed,
            "No resolved IPs allowed by policy.network".to_owned(),
        );
        refusal.network = deciding;
        refusal.hint = HINT_NETWORK.to_owned();
        refusal
    }

    /// The same of a host on the way, by its alias.
    pub(super) fn on_the_way(mut self, hop: &Alias) -> Self {
        self.detail = format!("{} (jump host {hop})", self.detail);
        let deciding = self.network.iter();
        self.network = deciding.map(|text| format!("{hop}: {text}")).collect();
        self
    }

    /// The host's credential, key or host keys cannot be used, so nothing runs.
    #[must_use]
    pub fn login_unavailable() -> Self {
        let mut refusal = Self::policy(
            Code::LoginUnavailable,
            "The gate has no usable login for this host.".to_owned(),
        );
        refusal.hint =
            "The operator finds the fault in the log; portcullis check names it.".to_owned();
        refusal
    }

    /// The journal cannot be written, so nothing runs.
    #[must_use]
    pub fn journal_unavailable() -> Self {
        let mut refusal = Self::policy(
            Code::JournalUnavailable,
            "The audit journal cannot be written, so nothing runs.".to_owned(),
        );
        refusal.hint = "Nothing was sent. The operator has to free space, or mend the state directory; reads and plans still work, and runs work again without a restart.".to_owned();
        refusal
    }
}
