//! Contact with a host that runs nothing on it: to see whether it can be reached and logged into, or which keys it
//! shows. Held to the same address lists as a run; rules and validators judge commands, and here is none.
//!
//! Must not: lead to a run. A [`Contact`] holds no text to send, and nothing turns one into an [`super::Admitted`].

use super::{Policy, Refusal, gate};
use crate::inventory::Target;
use crate::net::{self, Network, Verdict};
use std::net::IpAddr;
use std::sync::Arc;

/// A host that may be contacted, and the addresses that it may be contacted at.
#[derive(Debug)]
#[must_use]
pub struct Contact {
    target: Target,
    network: Arc<Network>,
    addresses: Vec<IpAddr>,
}

impl Policy {
    /// Admits contact with a host. `resolved` are the addresses of the host's name, asked for once.
    ///
    /// # Errors
    /// The refusal, where there is no address or none that the lists admit.
    pub fn contact(&self, target: Target, resolved: &[IpAddr]) -> Result<Contact, Box<Refusal>> {
        let network = self.network_for(&target.host);
        let addresses = gate::admitted(&network, resolved)?;
        Ok(Contact {
            target,
            network,
            addresses,
        })
    }
}

impl Contact {
    /// The host, and how it is logged into.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The addresses that may be dialled, in the resolver's order; at least one.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Whether a connected socket's peer is one of them.
    #[must_use]
    pub fn admits_peer(&self, peer: IpAddr) -> bool {
        let peer = net::canonical(peer);
        self.addresses.contains(&peer) && self.network.judge(peer) == Verdict::Allowed
    }
}
