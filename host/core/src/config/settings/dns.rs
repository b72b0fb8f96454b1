//! `dns:` how host names become addresses.
//!
//! Must not: say which addresses may be dialled. The lists of policy.yml do, whoever answered.

use crate::config::shape::{shape, words};
use crate::config::tree::{At, Reader, Refused};
use crate::config::value::Value;
use crate::limits::{DNS_CACHE_SECONDS, RESOLVE_SECONDS_MAX};
use std::net::{IpAddr, SocketAddr};

/// Longest time that an answer may be kept, in seconds.
const CACHE_SECONDS_MAX: u64 = 3_600;
/// Most servers that may be named.
const SERVERS_MAX: usize = 8;
/// The port of a server that names none.
const PORT_DEFAULT: u16 = 53;

/// Who is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resolver {
    /// The DNS servers, by the gate itself.
    #[default]
    Hickory,
    /// The system.
    System,
}

/// How host names become addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Who is asked.
    pub resolver: Resolver,
    /// The servers; those of the system where there are none.
    pub servers: Vec<SocketAddr>,
    /// Seconds that an answer is kept; 0 for not at all.
    pub cache_seconds: u64,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            resolver: Resolver::default(),
            servers: Vec::new(),
            cache_seconds: DNS_CACHE_SECONDS,
        }
    }
}

words! { ResolverWord { Hickory, System } }

shape! {
    /// How host names become addresses. A name is asked for at most ten times a second.
    #[schemars(rename = "Dns")]
    pub(super) struct Keys {
        optional {
            /// Who is asked: `hickory`, the DNS servers by the gate itself, after a look into /etc/hosts; or `system`, as
            /// /etc/nsswitch.conf says. Choose `system` where names come from somewhere else than DNS (mDNS, LDAP).
            #[schemars(extend("default" = "hickory"))]
            resolver: ResolverWord,
            /// The servers that `hickory` asks, as `ADDRESS` or `ADDRESS:PORT`, at most eight. Default: those of
            /// /etc/resolv.conf.
            #[schemars(length(min = 1, max = SERVERS_MAX), inner(regex(pattern = r"^\s*[0-9A-Fa-f:.\[\]]+\s*$")))]
            servers: Vec<String>,
            /// Seconds that an answer is kept; 0 for not at all. That a name has no address is kept for five at most.
            #[schemars(range(max = CACHE_SECONDS_MAX), extend("default" = DNS_CACHE_SECONDS))]
            cache_seconds: u64,
            /// Time for one name, in seconds. Fixed in this version.
            #[schemars(extend("default" = RESOLVE_SECONDS_MAX, "const" = RESOLVE_SECONDS_MAX))]
            timeout_seconds: u64,
        }
    }
}

/// Reads the section; a key that does not stand keeps its default.
pub(super) fn read(reader: &mut Reader, at: &At<'_>) -> Dns {
    let mut dns = Dns::default();
    let refused = Refused {
        key: "queries_per_second",
        message: "this version asks for a name ten times a second at most",
        hint: "Remove the key; raise `cache_seconds` where a server is asked too often.",
    };
    let Some(fields) = reader.map_but(at, Keys::KEYS, &[refused]) else {
        return dns;
    };
    let words = [("hickory", Resolver::Hickory), ("system", Resolver::System)];
    if let Some(at) = fields.get("resolver")
        && let Some(resolver) = reader.word(&at, &words)
    {
        dns.resolver = resolver;
    }
    if let Some(at) = fields.get("servers") {
        dns.servers = servers(reader, &at);
        if dns.resolver == Resolver::System {
            let message = "the system has servers of its own; these would not be asked";
            reader.fault(&at, message, "Remove the key, or `resolver: system`.");
        }
    }
    if let Some(at) = fields.get("cache_seconds")
        && let Some(seconds) = reader.number(&at, 0, CACHE_SECONDS_MAX)
    {
        dns.cache_seconds = seconds;
    }
    if let Some(at) = fields.get("timeout_seconds")
        && !matches!(at.value(), Value::Int(seconds) if *seconds == i128::from(RESOLVE_SECONDS_MAX))
    {
        let got = reader.got(&at);
        let message = format!(
            "the time for a name is {RESOLVE_SECONDS_MAX} seconds in this version, got {got}"
        );
        reader.fault(&at, message, "Remove the key.");
    }
    dns
}

fn servers(reader: &mut Reader, at: &At<'_>) -> Vec<SocketAddr> {
    let entries = reader.list(at).unwrap_or_default();
    if entries.is_empty() || entries.len() > SERVERS_MAX {
        reader.expected(at, &format!("1 to {SERVERS_MAX} servers"), "");
    }
    let mut servers = Vec::new();
    for at in entries {
        let Some(text) = reader.text(&at) else {
            continue;
        };
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address = bare.unwrap_or(text).parse::<IpAddr>();
        let address = address.map(|address| SocketAddr::new(address, PORT_DEFAULT));
        match address.or_else(|_| text.parse()) {
            Ok(server) => servers.push(server),
            Err(_) => reader.expected(
                &at,
                "an address, or ADDRESS:PORT",
                "A server is named by its address: a name would have to be asked for.",
            ),
        }
    }
    servers
}
