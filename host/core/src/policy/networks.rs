//! Which address lists a host is under: the common ones, and those of the overrides that are about it. Each host on the
//! way to another is under its own.
//!
//! Must not: judge addresses; `net` does.

use super::{Policy, Refusal};
use crate::inventory::{Credential, Host, Target};
use crate::net::{self, Lists, Network, Verdict};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The lists of a target and of the hosts on the way to it.
#[derive(Debug, Clone)]
pub(super) struct Networks {
    host: Arc<Network>,
    hops: Vec<Arc<Network>>,
}

/// The addresses that the lists admit.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) host: Vec<IpAddr>,
    hops: Vec<Vec<IpAddr>>,
}

/// One host of the way to a target, the last of which is the target, with the addresses that it may be reached at.
#[derive(Debug, Clone, Copy)]
pub struct Leg<'a> {
    host: &'a Host,
    credential: Option<&'a Credential>,
    addresses: &'a [IpAddr],
    network: &'a Network,
}

impl<'a> Leg<'a> {
    /// The host.
    #[must_use]
    pub fn host(&self) -> &'a Host {
        self.host
    }

    /// How it is logged into.
    #[must_use]
    pub fn credential(&self) -> Option<&'a Credential> {
        self.credential
    }

    /// The addresses that may be dialled, or asked for at the host before, in the resolver's order; at least one.
    #[must_use]
    pub fn addresses(&self) -> &'a [IpAddr] {
        self.addresses
    }

    /// Whether a connection's peer is one of them.
    #[must_use]
    pub fn admits(&self, peer: IpAddr) -> bool {
        let peer = net::canonical(peer);
        self.addresses.contains(&peer) && self.network.judge(peer) == Verdict::Allowed
    }
}

impl Policy {
    /// The lists of a target and of the hosts on the way to it.
    pub(super) fn networks(&self, target: &Target) -> Networks {
        let hops = target.hops.iter();
        Networks {
            host: self.network_for(&target.host),
            hops: hops.map(|hop| self.network_for(&hop.host)).collect(),
        }
    }
}

impl Networks {
    /// Keeps the addresses that the lists admit: of the target, and of each host on the way in order. A host that is
    /// not asked about has none.
    pub(super) fn admit(
        &self,
        target: &Target,
        resolved: &[IpAddr],
        hops: &[Vec<IpAddr>],
    ) -> Result<Addresses, Box<Refusal>> {
        let mut ways = Vec::new();
        for (index, (network, hop)) in self.hops.iter().zip(&target.hops).enumerate() {
            let found = hops.get(index).map_or(&[][..], Vec::as_slice);
            let admitted = super::gate::admitted(network, found);
            ways.push(admitted.map_err(|refusal| Box::new(refusal.on_the_way(&hop.host.alias)))?);
        }
        Ok(Addresses {
            host: super::gate::admitted(&self.host, resolved)?,
            hops: ways,
        })
    }

    /// The way to a target, whose last leg is the target.
    pub(super) fn legs<'a>(&'a self, target: &'a Target, addresses: &'a Addresses) -> Vec<Leg<'a>> {
        let hops = target.hops.iter().zip(&addresses.hops).zip(&self.hops);
        let hops = hops.map(|((hop, addresses), network)| Leg {
            host: &hop.host,
            credential: hop.credential.as_ref(),
            addresses,
            network,
        });
        let last = Leg {
            host: &target.host,
            credential: target.credential.as_ref(),
            addresses: &addresses.host,
            network: &self.host,
        };
        hops.chain([last]).collect()
    }
}

/// All places of a policy that list addresses. Names are exact, not globs.
#[derive(Debug, Clone, Default)]
pub struct NetworkLayers {
    base: Arc<Network>,
    aliases: BTreeMap<String, Arc<Lists>>,
    tags: BTreeMap<String, Arc<Lists>>,
}

impl NetworkLayers {
    /// The lists of all hosts, and those of some.
    #[must_use]
    pub fn new(
        base: Lists,
        aliases: BTreeMap<String, Lists>,
        tags: BTreeMap<String, Lists>,
    ) -> Self {
        let shared = |lists: BTreeMap<String, Lists>| {
            let each = lists.into_iter();
            each.map(|(name, lists)| (name, Arc::new(lists))).collect()
        };
        Self {
            base: Arc::new(Network::new(vec![Arc::new(base)])),
            aliases: shared(aliases),
            tags: shared(tags),
        }
    }

    /// The lists that a host is under.
    #[must_use]
    pub fn of(&self, host: &Host) -> Arc<Network> {
        let of_tags = host.tags.iter().filter_map(|tag| self.tags.get(tag));
        let of_alias = self.aliases.get(host.alias.as_str());
        let own: Vec<_> = of_tags.chain(of_alias).map(Arc::clone).collect();
        if own.is_empty() {
            return Arc::clone(&self.base);
        }
        Arc::new(self.base.with(own))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::inventory::LoginShell;
    use crate::net::{Entry, Verdict};
    use crate::request::Alias;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn lists(allow: &[&str]) -> Lists {
        let each = allow.iter();
        let allow = each.map(|text| ("allow_cidrs", Entry::cidr(text).unwrap()));
        Lists {
            path: "network".to_owned(),
            allow: allow.collect(),
            block: Vec::new(),
        }
    }

    fn host(alias: &str, tags: &[&str]) -> Host {
        Host {
            alias: Alias::parse(alias).unwrap(),
            host: "192.0.2.1".to_owned(),
            port: 22,
            credentials: None,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            description: String::new(),
            shell: LoginShell::default(),
            host_keys: Vec::new(),
            jump: Vec::new(),
            watchdog: crate::inventory::Watchdog::default(),
        }
    }

    #[test]
    fn hosts_without_lists_of_their_own_share_the_common_ones() {
        let own = BTreeMap::from([("db".to_owned(), lists(&["10.0.0.0/8"]))]);
        let layers = NetworkLayers::new(lists(&[]), BTreeMap::new(), own);
        let (plain, other) = (layers.of(&host("a", &[])), layers.of(&host("b", &["web"])));
        assert!(Arc::ptr_eq(&plain, &other));
        let (one, two) = (
            layers.of(&host("a", &["db"])),
            layers.of(&host("b", &["db"])),
        );
        assert!(one.is_of_the_same_lists(&two));
        assert!(!one.is_of_the_same_lists(&plain));
        assert!(one.has_allow_list() && !plain.has_allow_list());
    }

    fn some_lists() -> impl Strategy<Value = Lists> {
        let entry = (0_u8..4, 6_u8..=8)
            .prop_map(|(high, bits)| Entry::cidr(&format!("{}.0.0.0/{bits}", high * 64)).unwrap());
        let of = |key: &'static str, entry: BoxedStrategy<Entry>| {
            proptest::collection::vec(entry.prop_map(move |entry| (key, entry)), 0..3)
        };
        let entry = entry.boxed();
        (of("allow_cidrs", entry.clone()), of("block_cidrs", entry)).prop_map(|(allow, block)| {
            Lists {
                path: "network".to_owned(),
                allow,
                block,
            }
        })
    }

    proptest! {
        #[test]
        fn an_override_admits_what_every_list_admits_and_nothing_else(
            base in some_lists(),
            alias in some_lists(),
            tag in some_lists(),
            address in any::<u32>(),
            has_tag in any::<bool>(),
        ) {
            let address = IpAddr::from(std::net::Ipv4Addr::from(address));
            let mut all = vec![base.clone(), alias.clone()];
            let tags: &[&str] = if has_tag {
                all.push(tag.clone());
                &["db"]
            } else {
                &["web"]
            };
            let layers = NetworkLayers::new(
                base,
                BTreeMap::from([("web1".to_owned(), alias)]),
                BTreeMap::from([("db".to_owned(), tag)]),
            );
            let verdict = layers.of(&host("web1", tags)).judge(address);
            let expected = all.iter().all(|lists| lists.judge(address) == Verdict::Allowed);
            prop_assert_eq!(verdict == Verdict::Allowed, expected);
        }
    }
}
