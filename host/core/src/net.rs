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
