//! A host that speaks SSH byte by byte, so that it can break every rule of it: each packet is written by the test,
//! sealed once keys are exchanged. It knows one set of algorithms (curve25519, Ed25519, AES-256-GCM, strict exchange).
//!
//! It judges nothing that the gate sends, and logs in whoever asks.

use portcullis_core::BoxFuture;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest::{Context, SHA256};
use ring::rand::SystemRandom;
use russh::keys::key::safe_rng;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::{Algorithm, PrivateKey, PublicKeyBase64 as _};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Message numbers.
pub(crate) mod number {
    pub(crate) const DISCONNECT: u8 = 1;
    pub(crate) const IGNORE: u8 = 2;
    pub(crate) const DEBUG: u8 = 4;
    pub(crate) const SERVICE_REQUEST: u8 = 5;
    pub(crate) const SERVICE_ACCEPT: u8 = 6;
    pub(crate) const EXT_INFO: u8 = 7;
    pub(crate) const KEXINIT: u8 = 20;
    pub(crate) const NEWKEYS: u8 = 21;
    pub(crate) const ECDH_INIT: u8 = 30;
    pub(crate) const ECDH_REPLY: u8 = 31;
    pub(crate) const AUTH_REQUEST: u8 = 50;
    pub(crate) const AUTH_FAILURE: u8 = 51;
    pub(crate) const AUTH_SUCCESS: u8 = 52;
    pub(crate) const AUTH_BANNER: u8 = 53;
    pub(crate) const AUTH_60: u8 = 60;
    pub(crate) const GLOBAL_REQUEST: u8 = 80;
    pub(crate) const OPEN: u8 = 90;
    pub(crate) const OPEN_CONFIRMATION: u8 = 91;
    pub(crate) const OPEN_FAILURE: u8 = 92;
    pub(crate) const WINDOW_ADJUST: u8 = 93;
    pub(crate) const DATA: u8 = 94;
    pub(crate) const EXTENDED_DATA: u8 = 95;
    pub(crate) const EOF: u8 = 96;
    pub(crate) const CLOSE: u8 = 97;
    pub(crate) const REQUEST: u8 = 98;
    pub(crate) const SUCCESS: u8 = 99;
    pub(crate) const FAILURE: u8 = 100;
}

/// The window and packet size that an honest host gives.
pub(crate) const WINDOW: u32 = 2_097_152;
pub(crate) const PACKET: u32 = 32_768;
/// How the host introduces itself.
const ID: &[u8] = b"SSH-2.0-Wire";
/// Longest packet of the gate that is read.
const READ_BYTES_MAX: u32 = 300_000;

/// What a host does with each connection.
pub(crate) type Script = Arc<dyn Fn(Wire) -> BoxFuture<'static, io::Result<()>> + Send + Sync>;

/// A script from a function.
pub(crate) fn script<Acting>(act: impl Fn(Wire) -> Acting + Send + Sync + 'static) -> Script
where
    Acting: Future<Output = io::Result<()>> + Send + 'static,
{
    Arc::new(move |wire| Box::pin(act(wire)))
}

/// A message under construction.
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    pub(crate) fn new(number: u8) -> Self {
        Self(vec![number])
    }

    /// The start of a message about a channel.
    pub(crate) fn on(number: u8, channel: u32) -> Self {
        Self::new(number).u32(channel)
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn flag(mut self, value: bool) -> Self {
        self.0.push(value.into());
        self
    }

    pub(crate) fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend(value);
        self
    }

    pub(crate) fn string(self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.u32(value.len() as u32).bytes(value)
    }
}

/// Reads the fields of a message of the gate.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u32(&mut self) -> u32 {
        let (head, rest) = self.0.split_at(4);
        self.0 = rest;
        u32::from_be_bytes(head.try_into().unwrap())
    }

    pub(crate) fn flag(&mut self) -> bool {
        let (head, rest) = self.0.split_at(1);
        self.0 = rest;
        head[0] != 0
    }

    pub(crate) fn string(&mut self) -> &'a [u8] {
        let length = self.u32() as usize;
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        head
    }
}

/// The algorithms that a host offers.
pub(crate) struct Names {
    pub(crate) exchange: String,
    pub(crate) key: String,
    pub(crate) cipher: String,
    pub(crate) mac: String,
    pub(crate) compression: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            exchange: "curve25519-sha256,kex-strict-s-v00@openssh.com".to_owned(),
            key: "ssh-ed25519".to_owned(),
            cipher: "aes256-gcm@openssh.com".to_owned(),
            mac: "hmac-sha2-256".to_owned(),
            compression: "none".to_owned(),
        }
    }
}

impl Names {
    pub(crate) fn message(&self) -> Message {
        let mut message = Message::new(number::KEXINIT).bytes(&[7; 16]);
        let both = [&self.cipher, &self.mac, &self.compression];
        message = message.string(&self.exchange).string(&self.key);
        for names in both {
            message = message.string(names).string(names);
        }
        message.string("").string("").flag(false).u32(0)
    }
}

/// The host's half of the exchange: its key, its value, and the signature over all of it.
pub(crate) struct Half {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// One direction, sealed.
struct Lane {
    key: LessSafeKey,
    nonce: [u8; 12],
}

impl Lane {
    fn new(key: &[u8], nonce: &[u8]) -> Self {
        Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap()),
            nonce: nonce[..12].try_into().unwrap(),
        }
    }

    /// The nonce of the next packet: the last eight bytes count.
    fn next(&mut self) -> Nonce {
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let count = u64::from_be_bytes(self.nonce[4..].try_into().unwrap());
        self.nonce[4..].copy_from_slice(&count.wrapping_add(1).to_be_bytes());
        nonce
    }
}

/// One connection, from the host's side.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    key: Arc<PrivateKey>,
    acts: Arc<AtomicUsize>,
    gate_id: Vec<u8>,
    gate_names: Option<Vec<u8>>,
    session: Option<Vec<u8>>,
    to_gate: Option<Lane>,
    from_gate: Option<Lane>,
    /// Writes each byte by itself.
    pub(crate) trickles: bool,
}

impl Wire {
    /// Says that the script has come to what it is about. A test asks for it, so that a script which is stuck before
    /// that shows nothing.
    pub(crate) fn act(&self) {
        self.acts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.trickles {
            return self.socket.write_all(bytes).await;
        }
        for byte in bytes {
            self.socket.write_all(&[*byte]).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Writes without end.
    pub(crate) async fn repeat(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.socket.write_all(bytes).await?;
        }
    }

    /// Reads until the gate hangs up.
    pub(crate) async fn hold(mut self) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        while self.socket.read(&mut buffer).await? > 0 {}
        Ok(())
    }

    /// Exchanges identifications.
    pub(crate) async fn identify(&mut self) -> io::Result<()> {
        self.write(&[ID, b"\r\n"].concat()).await?;
        while !self.gate_id.ends_with(b"\r\n") {
            self.gate_id.push(self.socket.read_u8().await?);
        }
        self.gate_id.truncate(self.gate_id.len() - 2);
        Ok(())
    }

    /// Sends one packet.
    pub(crate) async fn send(&mut self, message: Message) -> io::Result<()> {
        let packet = self.packet(&message.0);
        self.write(&packet).await
    }

    /// The bytes of one packet.
    pub(crate) fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let sealed = self.to_gate.is_some();
        let (block, apart) = if sealed { (16, 0) } else { (8, 4) };
        let mut padding = block - (apart + 1 + payload.len()) % block;
        if padding < 4 {
            padding += block;
        }
        let length = 1 + payload.len() + padding;
        let mut body = vec![padding as u8];
        body.extend(payload);
        body.resize(length, 0);
        let head = (length as u32).to_be_bytes();
        if let Some(lane) = &mut self.to_gate {
            let nonce = lane.next();
            let aad = Aad::from(head);
            lane.key
                .seal_in_place_append_tag(nonce, aad, &mut body)
                .unwrap();
        }
        [&head[..], &body].concat()
    }

    /// The payload of the gate's next packet.
    pub(crate) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let length = self.socket.read_u32().await?;
        assert!(length < READ_BYTES_MAX, "the gate sends {length} bytes");
        let tag = self.from_gate.as_ref().map_or(0, |_| AES_256_GCM.tag_len());
        let mut body = vec![0; length as usize + tag];
        self.socket.read_exact(&mut body).await?;
        if let Some(lane) = &mut self.from_gate {
            let nonce = lane.next();
            let aad = Aad::from(length.to_be_bytes());
            lane.key.open_in_place(nonce, aad, &mut body).unwrap();
        }
        let padding = usize::from(body[0]);
        Ok(body[1..length as usize - padding].to_vec())
    }

    /// The next packet with this number; what comes before it is dropped.
    pub(crate) async fn expect(&mut self, number: u8) -> io::Result<Vec<u8>> {
        loop {
            let payload = self.receive().await?;
            if payload.first() == Some(&number) {
                return Ok(payload);
            }
            if payload.first() == Some(&number::KEXINIT) {
                self.gate_names = Some(payload);
            }
        }
    }

    /// Exchanges keys as it should be, after the identifications.
    pub(crate) async fn exchange(&mut self) -> io::Result<()> {
        self.exchange_with(Names::default(), |_| {}).await
    }

    /// Exchanges keys with other names, or with another half than the right one.
    pub(crate) async fn exchange_with(
        &mut self,
        names: Names,
        change: impl FnOnce(&mut Half) + Send,
    ) -> io::Result<()> {
        let ours = names.message().0;
        let packet = self.packet(&ours);
        self.write(&packet).await?;
        let init = self.expect(number::ECDH_INIT).await?;
        let theirs = self.gate_names.take().expect("names come first");
        let gate_value = Fields(&init[1..]).string().to_vec();
        let secret = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
        let value = secret.compute_public_key().unwrap().as_ref().to_vec();
        let peer = UnparsedPublicKey::new(&X25519, &gate_value);
        let shared = agree_ephemeral(secret, &peer, mpint).unwrap();

        let key = self.key.public_key_bytes();
        let hashed = Message(Vec::new())
            .string(&self.gate_id)
            .string(ID)
            .string(&theirs)
            .string(&ours)
            .string(&key)
            .string(&gate_value)
            .string(&value)
            .bytes(&shared);
        let hash = digest(&[&hashed.0]);
        let mut signature = Vec::new();
        let signed = self.key.key_data().try_sign(&hash).unwrap();
        signed.encode(&mut signature).unwrap();
        let mut half = Half {
            key,
            value,
            signature,
        };
        change(&mut half);
        let reply = Message::new(number::ECDH_REPLY)
            .string(&half.key)
            .string(&half.value)
            .string(&half.signature);
        self.send(reply).await?;
        self.send(Message::new(number::NEWKEYS)).await?;

        let session = self.session.get_or_insert_with(|| hash.clone()).clone();
        let derive = |letter: u8| digest(&[&shared, &hash, &[letter], &session]);
        self.to_gate = Some(Lane::new(&derive(b'D'), &derive(b'B')));
        self.expect(number::NEWKEYS).await?;
        self.from_gate = Some(Lane::new(&derive(b'C'), &derive(b'A')));
        Ok(())
    }

    /// Takes the gate's first request to log in: user, service and way. Nothing is answered yet.
    pub(crate) async fn asked(&mut self) -> io::Result<Vec<u8>> {
        self.expect(number::SERVICE_REQUEST).await?;
        self.send(Message::new(number::SERVICE_ACCEPT).string("ssh-userauth"))
            .await?;
        self.expect(number::AUTH_REQUEST).await
    }

    /// Everything up to a login.
    pub(crate) async fn log_in(&mut self) -> io::Result<()> {
        self.identify().await?;
        self.exchange().await?;
        self.asked().await?;
        self.send(Message::new(number::AUTH_SUCCESS)).await
    }

    /// Takes the gate's request for a channel. Returns its number.
    pub(crate) async fn opened(&mut self) -> io::Result<u32> {
        let payload = self.expect(number::OPEN).await?;
        let mut fields = Fields(&payload[1..]);
        assert_eq!(fields.string(), b"session");
        Ok(fields.u32())
    }

    /// Opens a channel as number 0 with this window and packet size.
    pub(crate) async fn confirm(
        &mut self,
        channel: u32,
        window: u32,
        packet: u32,
    ) -> io::Result<()> {
        let message = Message::on(number::OPEN_CONFIRMATION, channel).u32(0);
        self.send(message.u32(window).u32(packet)).await
    }

    /// Takes the command that the gate sends.
    pub(crate) async fn told(&mut self) -> io::Result<Vec<u8>> {
        let payload = self.expect(number::REQUEST).await?;
        let mut fields = Fields(&payload[1..]);
        assert_eq!(fields.u32(), 0);
        assert_eq!(fields.string(), b"exec");
        fields.flag();
        Ok(fields.string().to_vec())
    }

    /// Everything up to a command that has begun. Returns the number of its channel.
    pub(crate) async fn begun(&mut self) -> io::Result<u32> {
        self.log_in().await?;
        let channel = self.opened().await?;
        self.confirm(channel, WINDOW, PACKET).await?;
        self.told().await?;
        self.send(Message::on(number::SUCCESS, channel)).await?;
        Ok(channel)
    }

    /// Standard output of the command.
    pub(crate) async fn print(&mut self, channel: u32, bytes: &[u8]) -> io::Result<()> {
        self.send(Message::on(number::DATA, channel).string(bytes))
            .await
    }

    /// Its exit status.
    pub(crate) async fn exit(&mut self, channel: u32, status: u32) -> io::Result<()> {
        let message = Message::on(number::REQUEST, channel).string("exit-status");
        self.send(message.flag(false).u32(status)).await
    }

    /// The end of its output, and of the channel.
    pub(crate) async fn close(&mut self, channel: u32) -> io::Result<()> {
        self.send(Message::on(number::EOF, channel)).await?;
        self.send(Message::on(number::CLOSE, channel)).await
    }
}

/// A number as SSH writes it in a hash.
fn mpint(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    let sign = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let body = [&[0][..usize::from(sign)], bytes].concat();
    Message(Vec::new()).string(body).0
}

fn digest(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// A host that is up. Stops when dropped.
pub(crate) struct Host {
    pub(crate) port: u16,
    pub(crate) known_hosts: String,
    acts: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Host {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = Arc::new(PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap());
        let line = key.public_key().to_openssh().unwrap();
        let acts = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&acts);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                socket.set_nodelay(true).unwrap();
                let wire = Wire {
                    socket,
                    key: Arc::clone(&key),
                    acts: Arc::clone(&counted),
                    gate_id: Vec::new(),
                    gate_names: None,
                    session: None,
                    to_gate: None,
                    from_gate: None,
                    trickles: false,
                };
                // An error is the gate's hanging up, which a test sees from the gate's side.
                connections.spawn(script(wire));
            }
        });
        Self {
            port,
            known_hosts: format!("[127.0.0.1]:{port} {line}\n"),
            acts,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// How often scripts came to what they are about.
    pub(crate) fn acts(&self) -> usize {
        self.acts.load(Ordering::Relaxed)
    }
}
