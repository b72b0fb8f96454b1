//! The SSH engine: the only room that reaches other machines, and the only one that knows russh.
//!
//! [`Engine::run`] takes a journaled run by value, and nothing else here starts anything on a host:
//! every function that sends an `exec` request is private. Only admitted addresses are dialled, the peer
//! of the socket is compared with them before the key exchange, the host key has to be one that `trust` knows from
//! [`KnownHosts`] or the inventory, and the command goes out in the wrapper of `watchdog`, so that its process tree ends
//! when the gate says so; where `signals` knows that the gate can end it without, in that of `plain`. The gate has two texts
//! of its own, a question and an ending, which are sent beside a journaled run only.
//!
//! Must not: decide what may run, open files, or show output to anyone. What a host sends is hostile:
//! it is counted, kept within bounds and handed on as [`portcullis_core::output::Raw`].

mod authenticate;
mod channel;
mod connect;
mod contact;
mod dial;
mod dns;
mod end;
mod engine;
mod fault;
mod identity;
mod known_hosts;
mod leash;
mod login;
mod names;
mod plain;
mod pool;
mod reader;
mod session;
mod signals;
pub mod target;
mod trust;
mod watchdog;
mod words;

pub use contact::{Reached, Scanned, ShownKey, Standing};
pub use dns::{DnsResolver, DnsSettings};
pub use end::{End, Ended, Guard, Phase, Termination, Times};
pub use engine::{Access, Engine, EngineSettings};
pub use identity::{CertificateFault, Identity, KeyFacts, KeyFault, KeyKind, UserCertificate};
pub use known_hosts::{HostKeyVerdict, KnownHosts, WeakRecord};
pub use login::{Login, Method, Methods};
pub use names::{DnsTrouble, Resolved};
pub use plain::unwrap_exec;
pub use pool::Generation;
pub use reader::Ear;
