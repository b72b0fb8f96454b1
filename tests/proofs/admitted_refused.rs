//! error: E0616
//! An address cannot be added to what the lists admitted.
use portcullis_core::policy::{Admitted, Authorized, Exec, Refused};
pub fn admit(run: Authorized<Exec>, address: std::net::IpAddr) -> Result<Admitted, Box<Refused>> {
    let mut admitted = run.admit(&[address])?;
    admitted.addresses.push(address);
    Ok(admitted)
}
