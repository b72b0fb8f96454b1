//! Planning: the decision without the act. Everything up to the journal's opening record is the same as
//! for a run; the plan itself is recorded too.

use super::House;
use super::run::{Purpose, conclude};
use crate::events::Allowed;
use portcullis_core::answer::{Fault, Plan};
use portcullis_core::clock::Clock;
use portcullis_core::net::Verdict;
use portcullis_core::policy::{Case, Outcome};
use portcullis_core::request::sha256_hex;
use portcullis_mcp::gate::Caller;
use serde_json::{Map, json};

impl House {
    pub(super) async fn plan_request(
        &self,
        caller: Caller,
        alias: String,
        command: String,
    ) -> Result<Plan, Fault> {
        let live = self.live();
        let (request, target) = self.admit_request(&live, &caller.principal, &alias, &command)?;
        let host = target.host.clone();
        let case = Case::new(caller.principal.clone(), target, request.line.clone());
        let decision = live.snapshot.policy.decide(case, live.validators());
        let outcome = conclude(&live, decision, Purpose::Plan).await?;
        let (heard, refusal) = match &outcome {
            Outcome::Refused(refused) => (refused.heard(), Some(refused.refusal().clone())),
            Outcome::Granted(authorized) => (authorized.heard(), None),
        };
        self.note_bypass(&live, heard);

        let lists = live.snapshot.policy.network_for(&host);
        let addresses = self.engine.resolve(&host.host).await;
        let network = if addresses.is_empty() {
            "dns_failed"
        } else if addresses
            .iter()
            .any(|address| lists.judge(*address) == Verdict::Allowed)
        {
            "allowed"
        } else {
            "not_allowed"
        };

        let code = refusal.as_ref().map(|refusal| refusal.code.as_str());
        let allowed = if refusal.is_none() && network != "not_allowed" {
            Allowed::Yes
        } else {
            Allowed::No
        };
        self.events()
            .policy_decision(heard, code, allowed, self.clock.now());
        let body = Map::from_iter([
            ("alias".to_owned(), json!(host.alias.as_str())),
            ("hash".to_owned(), json!(request.line.hash16())),
            (
                "command".to_owned(),
                json!(live.redactor.mask(request.line.as_str()).0),
            ),
            ("allowed".to_owned(), json!(allowed == Allowed::Yes)),
            ("code".to_owned(), json!(code)),
            ("network".to_owned(), json!(network)),
            ("config".to_owned(), json!(live.snapshot.digest)),
        ]);
        self.note("plan", &caller.principal, body).await;

        Ok(Plan {
            alias: host.alias,
            command: request.line.as_str().to_owned(),
            hash: request.line.hash16(),
            allowed: allowed == Allowed::Yes,
            refusal,
            findings: heard.judgement.findings.clone(),
            opinions: heard.opinions.clone(),
            rendered_sha256: sha256_hex(heard.rendered.as_bytes()),
            rendered: heard.rendered.clone(),
            limits: heard.limits.clone(),
            network,
        })
    }
}
