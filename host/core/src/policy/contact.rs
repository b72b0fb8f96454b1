//! Contact with a host that runs nothing on it: to see whether it can be reached and logged into, or which keys it
//! shows. Held to the same address lists as a run; rules and validators judge commands, and here is none.
//!
//! Must not: lead to a run. A [`Contact`] holds no text to send, and nothing turns one into an [`super::Admitted`].

use super::networks::{Addresses, Leg, Networks};
use super::{Policy, Refusal};
use crate::inventory::Target;
use std::net::IpAddr;

/// A host that may be contacted, and the addresses that it may be contacted at.
#[derive(Debug)]
#[must_use]
pub struct Contact {
    target: Target,
    networks: Networks,
    addresses: Addresses,
}

impl Policy {
    /// Admits contact with a host. `resolved` are the addresses of the host's name, `hops` those of each host on the
    /// way, asked for once.
    ///
    /// # Errors
    /// The refusal, where there is no address or none that the lists admit.
    pub fn contact(
        &self,
        target: Target,
        resolved: &[IpAddr],
        hops: &[Vec<IpAddr>],
    ) -> Result<Contact, Box<Refusal>> {
        let networks = self.networks(&target);
        let addresses = networks.admit(&target, resolved, hops)?;
        Ok(Contact {
            target,
            networks,
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

    /// The addresses of the host that may be dialled, in the resolver's order; at least one.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses.host
    }

    /// The way to the host, whose last leg is the host.
    #[must_use]
    pub fn legs(&self) -> Vec<Leg<'_>> {
        self.networks.legs(&self.target, &self.addresses)
    }
}
