//! The SSH engine: the only room that reaches other machines, and the only one that knows russh.

mod known_hosts;
mod watchdog;

pub use known_hosts::{HostKeyVerdict, KnownHosts};
pub use watchdog::unwrap_exec;
