//! error: E0382
//! An authorisation cannot be used twice.
use portcullis_core::policy::{Admitted, Authorized, Exec, Refused};
pub fn twice(run: Authorized<Exec>, address: std::net::IpAddr) -> Result<Admitted, Box<Refused>> {
    let _first = run.admit(&[address])?;
    run.admit(&[address])
}
