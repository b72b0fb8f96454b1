//! An authorisation is used once.
use portcullis_core::policy::{Admitted, Authorized, Exec, Refused};
pub fn once(run: Authorized<Exec>, address: std::net::IpAddr) -> Result<Admitted, Box<Refused>> {
    run.admit(&[address])
}
