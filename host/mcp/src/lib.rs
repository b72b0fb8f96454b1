//! The MCP server, and a small client for the demonstration: rmcp lives here and only here.
//!
//! The way of a call, each step in its own file:
//!
//! ```text
//! stdio ─ lines ─ strict ─ envelope ─ wire ─(rmcp)─ edge ─ arguments ─ gate ─ answers ─ shapes
//!                              ├── calls: which ids are under way, and how each is taken back
//!                              └── refusals: what never became a call, for the gate's records
//! ```
//!
//! Must not: decide, resolve or run anything ([`gate::Gate`] does), or write to standard output
//! anything but protocol.
//!
//! Known limits: standard input and output only (`tests/edges.rs` holds what that promises); no
//! resources, prompts, logging notifications or tasks.

mod answers;
mod arguments;
mod calls;
pub mod client;
mod edge;
mod envelope;
pub mod gate;
mod lines;
mod progress;
mod refusals;
mod schema;
mod serve;
mod shapes;
mod stdio;
mod strict;
mod tools;
mod wire;

pub use client::{CallFault, ChildStderr, Client, ConnectFault, ToolAnswer, connect_child};
pub use serve::{ENDING_MS_MAX, ServeFault, ServeSettings, serve_stdio};
