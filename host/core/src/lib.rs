//! What Portcullis decides, without touching anything: no files, sockets, processes, environment,
//! threads, clocks or randomness. Time, randomness and every outside answer come in as arguments,
//! so each decision can be replayed in a test.
//!
//! The rooms form layers; a room sees only the ones above its own line:
//!
//! ```text
//! limits  text  secret  clock
//!   request  inventory  net  shell
//!     policy  redact
//!       output  audit
//!         answer
//!           config
//!             import
//! ```
//!
//! The values that prove something (`Decision`, `Authorized`, `Admitted`, `Journaled`, `Capped`,
//! `Sanitised`, `Redacted`) have no public constructor, are not `Clone` and cannot be deserialised;
//! `tests/proofs` holds a program for each that must not compile.

pub mod answer;
pub mod audit;
pub mod clock;
pub mod config;
pub mod import;
pub mod inventory;
pub mod limits;
pub mod net;
pub mod output;
pub mod policy;
pub mod redact;
pub mod request;
pub mod secret;
pub mod shell;
pub mod text;

/// A future that a port returns: boxed, so that ports stay object safe.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;
