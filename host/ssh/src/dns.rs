//! Who is asked for the addresses of a name: the DNS servers, by the gate itself, or the system's C library.
//!
//! Must not: cache or count; `names` does. The one room of this crate that leads to files: the library reads
//! /etc/resolv.conf and /etc/hosts when a resolver is built, and the C library whatever nsswitch.conf says.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::system_conf::read_system_conf;
use portcullis_core::limits::DNS_CACHE_SECONDS;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Most addresses that are taken from one look-up.
const ADDRESSES_MAX: usize = 16;
/// Longest time for one question to one server, in milliseconds, so that another try fits into the time for a name.
const QUESTION_MS_MAX: u64 = 2_000;
/// Time that one family's answer waits for the other family's, in milliseconds.
const OTHER_FAMILY_MS_MAX: u64 = 1_000;
/// Most threads that wait for the C library: nothing ends such a wait early.
const SYSTEM_THREADS_MAX: usize = 32;

/// Who is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DnsResolver {
    /// The servers of /etc/resolv.conf, after a look into /etc/hosts.
    #[default]
    Direct,
    /// These servers, after a look into /etc/hosts.
    Servers(Vec<SocketAddr>),
    /// The C library, as /etc/nsswitch.conf says.
    System,
}

/// How names become addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Who is asked.
    pub resolver: DnsResolver,
    /// How long an answer is kept; nothing is kept where it is zero.
    pub cache: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            resolver: DnsResolver::default(),
            cache: Duration::from_secs(DNS_CACHE_SECONDS),
        }
    }
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The addresses, each once; none where the name has none.
    Addresses(Vec<IpAddr>),
    /// Nobody answered in time.
    TimedOut,
}

/// Asks.
pub(crate) enum Asker {
    Direct(Box<TokioResolver>),
    System(Arc<Semaphore>),
}

impl Asker {
    /// One that can be asked, and what is wrong with the system's settings where they leave no server.
    pub(crate) fn new(resolver: &DnsResolver) -> (Self, Option<String>) {
        let (config, options, fault) = match resolver {
            DnsResolver::System => {
                let threads = Arc::new(Semaphore::new(SYSTEM_THREADS_MAX));
                return (Self::System(threads), None);
            }
            DnsResolver::Servers(servers) => {
                let servers = servers.iter().map(|address| {
                    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                    for connection in &mut connections {
                        connection.port = address.port();
                    }
                    NameServerConfig::new(address.ip(), true, connections)
                });
                let config = ResolverConfig::from_name_servers(servers.collect());
                (config, ResolverOpts::default(), None)
            }
            DnsResolver::Direct => match read_system_conf() {
                Ok((config, options)) => (config, options, None),
                Err(error) => {
                    let config = ResolverConfig::from_name_servers(Vec::new());
                    let fault = format!("/etc/resolv.conf names no server: {error}");
                    (config, ResolverOpts::default(), Some(fault))
                }
            },
        };
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        let own = builder.options_mut();
        *own = options;
        own.cache_size = 0;
        own.timeout = own.timeout.min(Duration::from_millis(QUESTION_MS_MAX));
        match builder.build() {
            Ok(resolver) => (Self::Direct(Box::new(resolver)), fault),
            Err(error) => {
                let threads = Arc::new(Semaphore::new(SYSTEM_THREADS_MAX));
                let fault = format!("the system is asked, because: {error}");
                (Self::System(threads), Some(fault))
            }
        }
    }

    /// Asks for a name. Whoever calls bounds the time.
    pub(crate) async fn ask(&self, name: &str) -> Answered {
        match self {
            Self::Direct(resolver) => direct(resolver, name).await,
            Self::System(threads) => system(Arc::clone(threads), name.to_owned()).await,
        }
    }
}

/// Asks for both families at once. A family that answers late is not waited for: a name that has an address in
/// /etc/hosts must not wait for a server that is not there.
async fn direct(resolver: &TokioResolver, name: &str) -> Answered {
    let four = family(resolver, name, RecordType::A);
    let six = family(resolver, name, RecordType::AAAA);
    tokio::pin!(four, six);
    let grace = Duration::from_millis(OTHER_FAMILY_MS_MAX);
    let (four, six) = tokio::select! {
        found = &mut four => {
            let other = late(found.is_ok(), grace, six).await;
            (found, other)
        }
        found = &mut six => {
            let other = late(found.is_ok(), grace, four).await;
            (other, found)
        }
    };
    match (four, six) {
        (Err(Answered::TimedOut), Err(_)) | (Err(_), Err(Answered::TimedOut)) => Answered::TimedOut,
        (four, six) => {
            let both = four.into_iter().chain(six).flatten();
            Answered::Addresses(distinct(both))
        }
    }
}

/// What the other family has, for a bounded time where one family has something already.
async fn late(
    has_some: bool,
    grace: Duration,
    other: impl Future<Output = Result<Vec<IpAddr>, Answered>>,
) -> Result<Vec<IpAddr>, Answered> {
    if !has_some {
        return other.await;
    }
    let nothing = Err(Answered::Addresses(Vec::new()));
    tokio::time::timeout(grace, other).await.unwrap_or(nothing)
}

/// The addresses of one family, at least one; an `Err` says why there is none.
async fn family(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
) -> Result<Vec<IpAddr>, Answered> {
    match resolver.lookup(name, kind).await {
        Ok(found) => {
            let records = found.answers().iter();
            let addresses: Vec<IpAddr> =
                records.filter_map(|record| record.data.ip_addr()).collect();
            if addresses.is_empty() {
                Err(Answered::Addresses(addresses))
            } else {
                Ok(addresses)
            }
        }
        Err(hickory_resolver::net::NetError::Timeout) => Err(Answered::TimedOut),
        Err(_) => Err(Answered::Addresses(Vec::new())),
    }
}

/// Asks the C library. Its wait cannot be ended, so its thread holds its place until it is over.
async fn system(threads: Arc<Semaphore>, name: String) -> Answered {
    let Ok(place) = threads.acquire_owned().await else {
        return Answered::Addresses(Vec::new());
    };
    let asking = tokio::task::spawn_blocking(move || {
        let found = (name.as_str(), 0).to_socket_addrs();
        let found = found.map(|all| distinct(all.map(|address| address.ip())));
        drop(place);
        found
    });
    Answered::Addresses(asking.await.ok().and_then(Result::ok).unwrap_or_default())
}

/// The addresses in canonical form, each once, within the bound.
fn distinct(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for address in found.map(|address| address.to_canonical()) {
        if addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}
