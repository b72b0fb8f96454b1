//! Which addresses may be dialled. Pure: addresses come in resolved, a verdict goes out.

use std::net::IpAddr;

/// One entry of a list, with the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the operator wrote.
    pub text: String,
    /// The network; a single address is a network of one.
    pub network: ipnet::IpNet,
}

/// The address lists of `policy.network`. A block wins over an allow; with no allow entry at all
/// everything that is not blocked is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Entries of `allow_ips` and `allow_cidrs`.
    pub allow: Vec<Entry>,
    /// Entries of `block_ips` and `block_cidrs`.
    pub block: Vec<Entry>,
}

/// What the lists say of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// May be dialled.
    Allowed,
    /// Stands in the named block entry.
    Blocked(String),
    /// There are allow entries and it stands in none.
    NotListed,
}

/// An IPv4-mapped IPv6 address as the IPv4 address it is; others as they are.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

impl Lists {
    /// Judges one address, after [`canonical`].
    #[must_use]
    pub fn judge(&self, address: IpAddr) -> Verdict {
        let address = canonical(address);
        if let Some(entry) = self
            .block
            .iter()
            .find(|entry| entry.network.contains(&address))
        {
            return Verdict::Blocked(entry.text.clone());
        }
        if self.allow.is_empty() || self.allow.iter().any(|e| e.network.contains(&address)) {
            Verdict::Allowed
        } else {
            Verdict::NotListed
        }
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
        let read = |texts: &[&str]| texts.iter().map(|t| Entry::cidr(t).unwrap()).collect();
        Lists {
            allow: read(allow),
            block: read(block),
        }
    }

    fn judge(lists: &Lists, address: &str) -> Verdict {
        lists.judge(address.parse().unwrap())
    }

    #[test]
    fn a_block_wins_over_an_allow() {
        let lists = lists(&["10.1.2.3"], &["10.1.0.0/16"]);
        assert_eq!(
            judge(&lists, "10.1.2.3"),
            Verdict::Blocked("10.1.0.0/16".to_owned())
        );
    }

    #[test]
    fn with_an_allow_list_the_rest_is_not_allowed() {
        let lists = lists(&["10.0.0.5/8"], &[]);
        assert_eq!(judge(&lists, "10.255.255.255"), Verdict::Allowed);
        assert_eq!(judge(&lists, "11.0.0.0"), Verdict::NotListed);
        assert_eq!(judge(&lists, "2001:db8::1"), Verdict::NotListed);
        assert_eq!(judge(&Lists::default(), "2001:db8::1"), Verdict::Allowed);
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_ipv6_spelling() {
        for block in ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:a00:0/104"] {
            let lists = lists(&[], &[block]);
            for address in ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203"] {
                let blocked = Verdict::Blocked(block.to_owned());
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
