//! The MCP server: rmcp lives here and only here.

pub mod gate;
