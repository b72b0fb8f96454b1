//! Planning: the decision without the act. Everything up to the journal's opening record is the same as
//! for a run; the plan itself is recorded too.

use super::House;
use super::run::{Purpose, conclude};
use portcullis_core::answer::{Fault, Plan};
use portcullis_core::audit::{self, Stamp};
use portcullis_core::clock::Clock;
use portcullis_core::policy::{Admitted, Authorized, Case, Exec, Heard, Outcome, Refusal, Refused};
use portcullis_core::request::sha256_hex;
use portcullis_mcp::gate::Caller;
use std::net::IpAddr;

/// How far a planned run would come.
enum Planned {
    /// To a host that the address lists admit.
    Admitted(Admitted),
    /// As far as can be said while the host's name has no address.
    Unresolved(Authorized<Exec>),
    /// Not at all.
    Refused(Refused),
}

impl Planned {
    fn of(outcome: Outcome, addresses: &[IpAddr], hops: &[Vec<IpAddr>]) -> Self {
        match outcome {
            Outcome::Refused(refused) => Self::Refused(refused),
            Outcome::Granted(authorized)
                if addresses.is_empty() || hops.iter().any(Vec::is_empty) =>
            {
                Self::Unresolved(authorized)
            }
            Outcome::Granted(authorized) => match authorized.admit_through(addresses, hops) {
                Ok(admitted) => Self::Admitted(admitted),
                Err(refused) => Self::Refused(*refused),
            },
        }
    }

    fn heard(&self) -> &Heard {
        match self {
            Self::Admitted(admitted) => admitted.heard(),
            Self::Unresolved(authorized) => authorized.heard(),
            Self::Refused(refused) => refused.heard(),
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Admitted(_) | Self::Unresolved(_) => None,
            Self::Refused(refused) => Some(refused.refusal()),
        }
    }

    /// What is known of the network: nothing where the rules or a validator refuse already.
    fn network(&self) -> &'static str {
        match self {
            Self::Admitted(_) => "allowed",
            Self::Unresolved(_) => "dns_failed",
            Self::Refused(refused) if refused.refusal().code.reason() == "network" => "not_allowed",
            Self::Refused(_) => "not_asked",
        }
    }
}

impl House {
    pub(super) async fn plan_request(
        &self,
        caller: Caller,
        alias: String,
        command: String,
    ) -> Result<Plan, Fault> {
        let (live, origin) = (self.live(), self.origin(&caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let (request, target) = self.admit_request(&live, stamp, &alias, &command).await?;
        let host = target.host.clone();
        let case = Case::new(caller.principal.clone(), target, request.line.clone());
        let decision = live.snapshot.policy.decide(case, live.validators());
        let outcome = conclude(&live, decision, Purpose::Plan).await?;
        self.note_breakers(&live, stamp).await;
        let (addresses, hops) = match &outcome {
            Outcome::Granted(granted) => {
                self.resolve_way(stamp, granted.heard().case.target()).await
            }
            Outcome::Refused(_) => (Vec::new(), Vec::new()),
        };
        let planned = Planned::of(outcome, &addresses, &hops);
        let (heard, refusal, network) = (planned.heard(), planned.refusal(), planned.network());
        self.note_bypass(&live.redactor, stamp, heard);

        let now = self.clock.now();
        let record = audit::Planned {
            heard,
            refusal,
            network,
        };
        let said = audit::plan(&self.journal, &live.redactor, &stamp, record, now).await;
        self.journal_said(&said, stamp).await;
        self.decided(stamp, heard, refusal, None, said.as_ref().ok());

        Ok(Plan {
            alias: host.alias,
            command: request.line.as_str().to_owned(),
            hash: request.line.hash16(),
            allowed: refusal.is_none(),
            refusal: refusal.cloned(),
            findings: heard.judgement.findings.clone(),
            opinions: heard.opinions.clone(),
            rendered_sha256: sha256_hex(heard.rendered.as_bytes()),
            rendered: heard.rendered.clone(),
            limits: heard.limits.clone(),
            network,
        })
    }
}
