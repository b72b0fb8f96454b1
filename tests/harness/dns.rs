//! A DNS server on loopback that knows the names of one test: it answers, says that there is nothing, or stays silent.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks for the end.
const TICK: Duration = Duration::from_millis(50);
/// The header of a message.
const HEADER: usize = 12;
const A: u16 = 1;
const AAAA: u16 = 28;

/// What a name is answered with.
#[derive(Debug, Clone)]
pub enum Zone {
    /// These addresses, by family; no address is an answer without records.
    Addresses(Vec<IpAddr>),
    /// Nothing is sent back.
    Silence,
}

/// A running server. A name that it does not know does not exist.
pub struct DnsServer {
    address: SocketAddr,
    asked: Arc<Mutex<HashMap<String, usize>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DnsServer {
    /// Starts a server for these names.
    #[must_use]
    pub fn start(zones: &[(&str, Zone)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(TICK)).unwrap();
        let address = socket.local_addr().unwrap();
        let zones: HashMap<String, Zone> = zones
            .iter()
            .map(|(name, zone)| ((*name).to_owned(), zone.clone()))
            .collect();
        let asked: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let over: Arc<AtomicBool> = Arc::default();
        let (counts, stop) = (Arc::clone(&asked), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0_u8; 1_500];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let (name, kind, end) = question(&buffer[..length]);
                if kind == A {
                    *counts.lock().unwrap().entry(name.clone()).or_default() += 1;
                }
                if let Some(answer) = answer(&buffer[..end], zones.get(&name), kind) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self {
            address,
            asked,
            over,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often it was asked for the IPv4 addresses of a name.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The name and type that a message asks for, and where the question ends.
fn question(message: &[u8]) -> (String, u16, usize) {
    let mut labels = Vec::new();
    let mut at = HEADER;
    while message[at] > 0 {
        let length = usize::from(message[at]);
        let label = &message[at + 1..=at + length];
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([message[at + 1], message[at + 2]]);
    (labels.join("."), kind, at + 5)
}

/// The answer to a message that was cut off behind its question.
fn answer(message: &[u8], zone: Option<&Zone>, kind: u16) -> Option<Vec<u8>> {
    let addresses = match zone {
        Some(Zone::Silence) => return None,
        Some(Zone::Addresses(addresses)) => Some(addresses.as_slice()),
        None => None,
    };
    let records: Vec<Vec<u8>> = addresses
        .unwrap_or_default()
        .iter()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(four), A) => Some(four.octets().to_vec()),
            (IpAddr::V6(six), AAAA) => Some(six.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut answer = message.to_vec();
    // An answer to a recursive question, and whether the name exists.
    answer[2..4].copy_from_slice(&[0x81, if addresses.is_some() { 0x80 } else { 0x83 }]);
    answer[4..HEADER].copy_from_slice(&[0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    for record in records {
        // The name of the question, its type, class IN, and a second to live.
        answer.extend_from_slice(&[0xC0, 0x0C]);
        answer.extend_from_slice(&kind.to_be_bytes());
        answer.extend_from_slice(&[0, 1, 0, 0, 0, 1]);
        answer.extend_from_slice(&u16::try_from(record.len()).unwrap().to_be_bytes());
        answer.extend_from_slice(&record);
    }
    Some(answer)
}
