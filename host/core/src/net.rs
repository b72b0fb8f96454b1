//! Which addresses may be dialled. Pure: addresses come in resolved, a verdict goes out.
//!
//! A host is under several lists at once: those of `network`, and those of each override that is about it. An
//! address has to pass all of them, so an override can only narrow.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// One entry of a list, with the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the operator wrote.
    pub text: String,
    /// The network; a single address is a network of one.
    pub network: ipnet::IpNet,
}

/// The entries of one place of a policy, each with the key that it stands under. A block wins over an allow; with no
/// allow entry at all everything that is not blocked is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Where they stand: `network`, or `overrides.tags.db.network`.
    pub path: String,
    /// Entries of `allow_ips` and `allow_cidrs`.
    pub allow: Vec<(&'static str, Entry)>,
    /// Entries of `block_ips` and `block_cidrs`.
    pub block: Vec<(&'static str, Entry)>,
}

/// What the lists say of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// May be dialled.
    Allowed,
    /// Stands in a block entry.
    Blocked {
        /// The list, e.g. `network.block_cidrs`.
        list: String,
        /// The entry as it is written.
        entry: String,
    },
    /// There are allow entries and it stands in none.
    NotListed {
        /// The lists, e.g. `network.allow_*`.
        lists: String,
    },
}

impl Verdict {
    /// Which entry refuses, or that none allows; nothing for an address that may be dialled.
    #[must_use]
    pub fn deciding(&self) -> Option<String> {
        match self {
            Self::Allowed => None,
            Self::Blocked { list, entry } => Some(format!("{list}: {entry}")),
            Self::NotListed { lists } => Some(format!("no entry of {lists} matches")),
        }
    }
}

/// An IPv4-mapped IPv6 address as the IPv4 address it is; others as they are.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The IPv4 address that a network translates or tunnels an IPv6 address to: NAT64's well-known prefix and 6to4.
fn within(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let [a, b, c, d, e, f, g, h] = address.segments();
    let [high, low] = match (a, b) {
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => [g, h],
        (0x2002, high) => [high, c],
        _ => return None,
    };
    let bits = u32::from(high) << 16 | u32::from(low);
    Some(IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

impl Lists {
    /// Judges one address, after [`canonical`]. A block holds also for what an IPv6 address is only a way to.
    #[must_use]
    pub fn judge(&self, address: IpAddr) -> Verdict {
        let address = canonical(address);
        let within = within(address);
        let mut blocks = self.block.iter();
        let hit = blocks.find(|(_, entry)| {
            entry.network.contains(&address)
                || within.is_some_and(|within| entry.network.contains(&within))
        });
        if let Some((key, entry)) = hit {
            return Verdict::Blocked {
                list: format!("{}.{key}", self.path),
                entry: entry.text.clone(),
            };
        }
        let mut allows = self.allow.iter();
        if self.allow.is_empty() || allows.any(|(_, entry)| entry.network.contains(&address)) {
            Verdict::Allowed
        } else {
            Verdict::NotListed {
                lists: format!("{}.allow_*", self.path),
            }
        }
    }

    /// Whether not every address is allowed, blocks aside.
    fn narrows(&self) -> bool {
        !self.allow.is_empty() && !self.allow.iter().any(|(_, entry)| entry.is_everything())
    }
}

/// All lists that one host is under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    layers: Vec<Arc<Lists>>,
}

impl Network {
    /// These lists, all of which have to be passed.
    #[must_use]
    pub fn new(layers: Vec<Arc<Lists>>) -> Self {
        Self { layers }
    }

    /// The same with further lists.
    #[must_use]
    pub fn with(&self, further: impl IntoIterator<Item = Arc<Lists>>) -> Self {
        Self::new(self.layers.iter().cloned().chain(further).collect())
    }

    /// The lists, the common ones first.
    #[must_use]
    pub fn layers(&self) -> &[Arc<Lists>] {
        &self.layers
    }

    /// Judges one address, after [`canonical`]: a block anywhere wins, and each place that has allow entries has to
    /// have one for it.
    #[must_use]
    pub fn judge(&self, address: IpAddr) -> Verdict {
        let mut verdict = Verdict::Allowed;
        for lists in &self.layers {
            match lists.judge(address) {
                Verdict::Allowed => {}
                blocked @ Verdict::Blocked { .. } => return blocked,
                other @ Verdict::NotListed { .. } => {
                    if verdict == Verdict::Allowed {
                        verdict = other;
                    }
                }
            }
        }
        verdict
    }

    /// Whether some place names the addresses that may be dialled, instead of those that may not.
    #[must_use]
    pub fn has_allow_list(&self) -> bool {
        self.layers.iter().any(|lists| lists.narrows())
    }

    /// Whether the very same lists make up both, and not only equal ones: cheaper than a look at their entries.
    #[must_use]
    pub(crate) fn is_of_the_same_lists(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.layers, &other.layers);
        let mut pairs = ours.iter().zip(theirs);
        ours.len() == theirs.len() && pairs.all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
    }
}

/// Why a text is no entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Not an address.
    #[error("expected an IPv4 or IPv6 address; got another text")]
    Address,
    /// A network where one address is expected.
    #[error("expected one address; got a network")]
    Network,
    /// Not a network.
    #[error("expected a network such as 192.0.2.0/24 or 2001:db8::/32; got another text")]
    Cidr,
}

/// Bits of the prefix in front of an IPv4 address that is written as an IPv6 one.
const MAPPED_BITS: u8 = 96;

impl Entry {
    /// Reads one address. It is compared by value, so every spelling of it is the same entry.
    ///
    /// # Errors
    /// [`EntryFault::Network`] for a network, [`EntryFault::Address`] for anything else.
    pub fn address(text: &str) -> Result<Self, EntryFault> {
        let address: IpAddr = text.parse().map_err(|_| {
            if text.parse::<ipnet::IpNet>().is_ok() {
                EntryFault::Network
            } else {
                EntryFault::Address
            }
        })?;
        Ok(Self {
            text: text.to_owned(),
            network: ipnet::IpNet::from(canonical(address)),
        })
    }

    /// Reads a network; an address alone is a network of one, and bits behind the prefix are ignored.
    ///
    /// # Errors
    /// [`EntryFault::Cidr`].
    pub fn cidr(text: &str) -> Result<Self, EntryFault> {
        if let Ok(entry) = Self::address(text) {
            return Ok(entry);
        }
        let network: ipnet::IpNet = text.parse().map_err(|_| EntryFault::Cidr)?;
        Ok(Self {
            text: text.to_owned(),
            network: unmapped(network).trunc(),
        })
    }

    /// Whether every address of one family stands in the entry.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.network.prefix_len() == 0
    }
}

/// A network of IPv4 addresses that are written as IPv6 ones, as the IPv4 network it is; addresses are
/// compared after [`canonical`], so it would otherwise hold none of them.
fn unmapped(network: ipnet::IpNet) -> ipnet::IpNet {
    let address = canonical(network.addr());
    match network.prefix_len().checked_sub(MAPPED_BITS) {
        Some(bits) if network.addr().is_ipv6() && address.is_ipv4() => {
            ipnet::IpNet::new(address, bits).unwrap_or(network)
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn lists(allow: &[&str], block: &[&str]) -> Lists {
        let read = |key, texts: &[&str]| {
            let each = texts.iter();
            each.map(|text| (key, Entry::cidr(text).unwrap())).collect()
        };
        Lists {
            path: "network".to_owned(),
            allow: read("allow_cidrs", allow),
            block: read("block_cidrs", block),
        }
    }

    fn judge(lists: &Lists, address: &str) -> Verdict {
        lists.judge(address.parse().unwrap())
    }

    #[test]
    fn a_block_holds_for_what_an_ipv6_address_is_a_way_to() {
        let blocked = lists(&[], &["169.254.0.0/16"]);
        for way in [
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::ffff:169.254.169.254",
        ] {
            let verdict = judge(&blocked, way);
            assert!(
                matches!(verdict, Verdict::Blocked { .. }),
                "{way}: {verdict:?}"
            );
        }
        for other in [
            "64:ff9b::a9ff:1",
            "2002:a9ff::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
        ] {
            assert_eq!(judge(&blocked, other), Verdict::Allowed, "{other}");
        }
        // An allow entry is for the address itself.
        let allowed = lists(&["169.254.0.0/16"], &[]);
        let verdict = judge(&allowed, "64:ff9b::a9fe:a9fe");
        assert!(matches!(verdict, Verdict::NotListed { .. }), "{verdict:?}");
    }

    #[test]
    fn a_block_wins_over_an_allow_and_is_named() {
        let lists = lists(&["10.1.2.3"], &["10.1.0.0/16"]);
        let verdict = judge(&lists, "10.1.2.3");
        let deciding = verdict.deciding().unwrap();
        assert_eq!(deciding, "network.block_cidrs: 10.1.0.0/16");
    }

    #[test]
    fn with_an_allow_list_the_rest_is_not_allowed() {
        let lists = lists(&["10.0.0.5/8"], &[]);
        assert_eq!(judge(&lists, "10.255.255.255"), Verdict::Allowed);
        for address in ["11.0.0.0", "2001:db8::1"] {
            let deciding = judge(&lists, address).deciding();
            assert_eq!(deciding.unwrap(), "no entry of network.allow_* matches");
        }
        assert_eq!(judge(&Lists::default(), "2001:db8::1"), Verdict::Allowed);
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_ipv6_spelling() {
        for block in ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:a00:0/104"] {
            let lists = lists(&[], &[block]);
            for address in ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203"] {
                let blocked = Verdict::Blocked {
                    list: "network.block_cidrs".to_owned(),
                    entry: block.to_owned(),
                };
                assert_eq!(judge(&lists, address), blocked, "{block} {address}");
            }
            assert_eq!(
                judge(&lists, "::ffff:11.0.0.1"),
                Verdict::Allowed,
                "{block}"
            );
        }
    }

    #[test]
    fn an_address_is_compared_by_value() {
        let lists = lists(&[], &["2001:0db8:0:0::1"]);
        assert_ne!(judge(&lists, "2001:db8::1"), Verdict::Allowed);
    }

    #[test]
    fn what_is_neither_address_nor_network_is_a_fault() {
        for text in [
            "10.0.0.0/33",
            "10.0.0",
            "localhost",
            "",
            "fe80::1%eth0",
            "010.0.0.1",
            " 10.0.0.1",
        ] {
            assert_eq!(Entry::cidr(text), Err(EntryFault::Cidr), "{text:?}");
            assert_eq!(Entry::address(text), Err(EntryFault::Address), "{text:?}");
        }
        assert_eq!(Entry::address("169.254.0.0/16"), Err(EntryFault::Network));
    }
}
