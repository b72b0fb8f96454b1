//! Addresses are admitted by the lists.
use portcullis_core::policy::{Admitted, Authorized, Exec, Refused};
pub fn admit(run: Authorized<Exec>, address: std::net::IpAddr) -> Result<Admitted, Box<Refused>> {
    run.admit(&[address])
}
