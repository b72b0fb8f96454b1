//! How the name of a host becomes addresses, as the settings say, and what is said where it does not.
//!
//! Must not: choose among addresses. The lists of the policy do.

use super::House;
use super::notes::fields;
use portcullis_core::audit::Stamp;
use portcullis_core::config::settings::dns::{Dns, Resolver};
use portcullis_core::inventory::Target;
use portcullis_core::limits::{DNS_LOOKUPS_PER_SECOND_MAX, RESOLVE_SECONDS_MAX};
use portcullis_ssh::{DnsResolver, DnsSettings, DnsTrouble};
use serde_json::json;
use std::net::IpAddr;
use std::time::Duration;

impl House {
    /// Asks for names as the settings that hold say, and forgets what was answered under others.
    pub(super) fn ask_names_as_set(&self) {
        if let Some(fault) = self
            .engine
            .set_dns(&settings(&self.live().snapshot.settings.dns))
        {
            tracing::error!(%fault, "names may not be resolved");
        }
    }

    /// The addresses of a target, and those of each host on the way to it.
    pub(super) async fn resolve_way(
        &self,
        stamp: Stamp<'_>,
        target: &Target,
    ) -> (Vec<IpAddr>, Vec<Vec<IpAddr>>) {
        let hops = target.hops.iter();
        let hops = hops.map(|hop| self.resolve(stamp, &hop.host.host));
        futures::join!(
            self.resolve(stamp, &target.host.host),
            futures::future::join_all(hops)
        )
    }

    /// The addresses of a host, asked for within the limits. What stands in the way is an event.
    async fn resolve(&self, stamp: Stamp<'_>, host: &str) -> Vec<IpAddr> {
        let resolved = self.engine.resolve(host).await;
        let hostname = ("hostname", json!(host));
        match resolved.trouble {
            None => {}
            Some(DnsTrouble::RateLimited) => {
                let limit = ("max_per_second", json!(DNS_LOOKUPS_PER_SECOND_MAX));
                tracing::warn!(hostname = host, "the name was asked for too often");
                self.reports(stamp)
                    .security("dns_rate_limit_exceeded", fields([hostname, limit]));
            }
            Some(DnsTrouble::TimedOut) => {
                let limit = ("timeout_seconds", json!(RESOLVE_SECONDS_MAX));
                tracing::warn!(hostname = host, "nobody answered for the name in time");
                self.reports(stamp)
                    .security("dns_lookup_timed_out", fields([hostname, limit]));
            }
        }
        resolved.addresses
    }
}

fn settings(dns: &Dns) -> DnsSettings {
    let resolver = match dns.resolver {
        Resolver::System => DnsResolver::System,
        Resolver::Hickory if dns.servers.is_empty() => DnsResolver::Direct,
        Resolver::Hickory => DnsResolver::Servers(dns.servers.clone()),
    };
    DnsSettings {
        resolver,
        cache: Duration::from_secs(dns.cache_seconds),
    }
}
