//! Reads a known_hosts file and says whether a host's key is the recorded one.
//!
//! Pure: bytes go in, a verdict comes out; reading the file is the caller's. The line format is that of
//! `sshd(8)`, section SSH_KNOWN_HOSTS FILE FORMAT, and `tests/known_hosts.rs` compares the matching with
//! `ssh-keygen -F`. Work is done on bytes, so that a comment in an odd encoding cannot hide a line, and
//! each line stands alone, so that a broken one costs itself and nothing else.
//!
//! Must not: learn keys, read files, or resolve names.
//!
//! What a certificate of a recorded authority is worth is `trust`'s to judge.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::{Certificate, PublicKey};
use sha1::Sha1;

/// Shortest RSA modulus that is not called weak, in bits.
const RSA_BITS_MIN: usize = 3_072;
/// Longest pattern of one host, in bytes; a longer one ends its line, as in OpenSSH.
const PATTERN_BYTES_MAX: usize = 1_023;
/// The default SSH port; names of hosts on other ports are recorded as `[name]:port`.
const SSH_PORT: u16 = 22;

/// What the records say of a key that a host shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyVerdict {
    /// The key is recorded for this host.
    Known,
    /// Nothing is recorded for this host.
    Unknown,
    /// Other keys are recorded for this host, of the same or of another type.
    Mismatch,
    /// The key is recorded as revoked. Wins over every other record.
    Revoked,
}

/// How a line names its hosts.
#[derive(Debug, Clone)]
enum Names {
    /// Comma-separated patterns, lower case.
    Patterns(Vec<u8>),
    /// Salt and HMAC-SHA1 of one name.
    Hashed { salt: Vec<u8>, digest: Vec<u8> },
}

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    Plain,
    /// The key of an authority, never a host's own.
    Authority,
    Revoked,
}

#[derive(Debug, Clone)]
struct Line {
    marker: Marker,
    names: Names,
    kind: String,
    blob: Vec<u8>,
}

/// The lines of a known_hosts file that could be read.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    lines: Vec<Line>,
}

impl KnownHosts {
    /// Reads a file's bytes. A line that cannot be read is skipped; with no line left every host is
    /// unknown, which refuses.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        Self {
            lines: bytes
                .split(|byte| *byte == b'\n')
                .filter_map(parse_line)
                .collect(),
        }
    }

    /// Judges the key that the host showed under the name that the operator uses for it. `blob` is the
    /// key in its wire form, without a comment.
    ///
    /// There is no judging by address: a key that is recorded for an address only says nothing of a
    /// name that happens to lead there.
    #[must_use]
    pub fn verify(&self, host: &str, port: u16, blob: &[u8]) -> HostKeyVerdict {
        if self.is_revoked(host, port, blob) {
            return HostKeyVerdict::Revoked;
        }
        let mut verdict = HostKeyVerdict::Unknown;
        for line in self.marked(Marker::Plain, &lookup_name(host, port)) {
            if line.blob == blob {
                return HostKeyVerdict::Known;
            }
            verdict = HostKeyVerdict::Mismatch;
        }
        verdict
    }

    /// Whether a key, a host's or an authority's, is recorded as revoked for a host.
    #[must_use]
    pub fn is_revoked(&self, host: &str, port: u16, blob: &[u8]) -> bool {
        let name = lookup_name(host, port);
        let bare = lookup_name(host, SSH_PORT);
        // SECURITY: revocations are looked at over the whole file, and also under the name without its port, so
        // that no order of lines and no port revives a revoked key.
        self.lines.iter().any(|line| {
            line.marker == Marker::Revoked
                && line.blob == blob
                && (line.names.matches(&name) || line.names.matches(&bare))
        })
    }

    /// Whether an authority is recorded that may vouch for a host.
    #[must_use]
    pub fn has_authority(&self, host: &str, port: u16) -> bool {
        let name = lookup_name(host, port);
        self.marked(Marker::Authority, &name).next().is_some()
    }

    /// Whether this authority is recorded as one that may vouch for a host.
    pub(crate) fn vouches(&self, host: &str, port: u16, authority: &[u8]) -> bool {
        let name = lookup_name(host, port);
        let mut lines = self.marked(Marker::Authority, &name);
        lines.any(|line| line.blob == authority)
    }

    /// The types of the keys that are recorded for a host, in file order, each once; e.g. `ssh-ed25519`.
    #[must_use]
    pub fn recorded_types(&self, host: &str, port: u16) -> Vec<String> {
        self.types(Marker::Plain, host, port)
    }

    /// The types of the keys of the authorities that may vouch for a host.
    #[must_use]
    pub fn authority_types(&self, host: &str, port: u16) -> Vec<String> {
        self.types(Marker::Authority, host, port)
    }

    fn types(&self, marker: Marker, host: &str, port: u16) -> Vec<String> {
        let mut kinds: Vec<String> = Vec::new();
        for line in self.marked(marker, &lookup_name(host, port)) {
            if !kinds.contains(&line.kind) {
                kinds.push(line.kind.clone());
            }
        }
        kinds
    }

    /// The keys that are recorded for a host, in file order, and then those of the authorities that may vouch for
    /// it: how, type and wire form.
    pub(crate) fn recorded(&self, host: &str, port: u16) -> Vec<(&'static str, &str, &[u8])> {
        let name = lookup_name(host, port);
        let mut recorded = Vec::new();
        for (marker, how) in [(Marker::Plain, ""), (Marker::Authority, "@cert-authority ")] {
            let all = self.lines.iter();
            let lines = all.filter(|line| line.marker == marker && line.names.matches(&name));
            recorded.extend(lines.map(|line| (how, line.kind.as_str(), line.blob.as_slice())));
        }
        recorded
    }

    /// The recorded host keys that are weak: DSA, which signs with SHA-1 only, and RSA of less than 3072 bits.
    #[must_use]
    pub fn weak(&self) -> Vec<WeakRecord> {
        let plain = self
            .lines
            .iter()
            .filter(|line| line.marker == Marker::Plain);
        plain
            .filter_map(|line| {
                let bits = match line.kind.as_str() {
                    "ssh-dss" => None,
                    "ssh-rsa" => match modulus_bits(&line.blob)? {
                        bits if bits < RSA_BITS_MIN => Some(bits),
                        _ => return None,
                    },
                    _ => return None,
                };
                let names = match &line.names {
                    Names::Patterns(names) => Some(String::from_utf8_lossy(names).into_owned()),
                    Names::Hashed { .. } => None,
                };
                Some(WeakRecord {
                    kind: line.kind.clone(),
                    bits,
                    names,
                })
            })
            .collect()
    }

    fn marked<'a>(&'a self, marker: Marker, name: &'a [u8]) -> impl Iterator<Item = &'a Line> {
        self.lines
            .iter()
            .filter(move |line| line.marker == marker && line.names.matches(name))
    }
}

/// A recorded host key that is weak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakRecord {
    /// The key's type.
    pub kind: String,
    /// The length of an RSA modulus in bits.
    pub bits: Option<usize>,
    /// The names as they are recorded; `None` where they are hashed. From the file: not cleaned.
    pub names: Option<String>,
}

/// The length of the modulus of an RSA key in its wire form: type, exponent, modulus.
fn modulus_bits(blob: &[u8]) -> Option<usize> {
    let mut rest = blob;
    let mut part = &[][..];
    for _ in 0..3 {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        (part, rest) = behind.split_at_checked(length)?;
    }
    let zeros = part.iter().take_while(|byte| **byte == 0).count();
    let first = part.get(zeros)?;
    let spare = usize::try_from(first.leading_zeros()).unwrap_or_default();
    Some((part.len() - zeros) * 8 - spare)
}

/// The name that a host is recorded under.
pub(crate) fn lookup_name(host: &str, port: u16) -> Vec<u8> {
    let host = host.to_ascii_lowercase();
    if port == SSH_PORT {
        host.into_bytes()
    } else {
        format!("[{host}]:{port}").into_bytes()
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Takes the next field, and the rest without leading blanks.
fn field(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| is_blank(*b)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, trim_blanks(rest))
}

fn trim_blanks(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .position(|b| !is_blank(*b))
        .unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

fn parse_line(line: &[u8]) -> Option<Line> {
    let line = trim_blanks(line.strip_suffix(b"\r").unwrap_or(line));
    if line.is_empty() || line.starts_with(b"#") {
        return None;
    }
    let (marker, line) = if line.starts_with(b"@") {
        match field(line) {
            (b"@revoked", rest) => (Marker::Revoked, rest),
            (b"@cert-authority", rest) => (Marker::Authority, rest),
            // SECURITY: a marker that is not understood may mean anything.
            _ => return None,
        }
    } else {
        (Marker::Plain, line)
    };
    let (names, rest) = field(line);
    if names.starts_with(b"@") {
        return None;
    }
    let (kind, rest) = field(rest);
    let (encoded, _comment) = field(rest);
    let blob = STANDARD.decode(encoded).ok()?;
    // The type stands twice, as a word and inside the key; a line where they differ is broken.
    if kind.is_empty() || kind_of(&blob)? != kind {
        return None;
    }
    // A certificate that is revoked is revoked with the key that it is for.
    let blob = match marker {
        Marker::Revoked => certified_key(&blob).unwrap_or(blob),
        Marker::Plain | Marker::Authority => blob,
    };
    Some(Line {
        marker,
        names: Names::parse(names)?,
        kind: String::from_utf8(kind.to_vec()).ok()?,
        blob,
    })
}

/// The key that a certificate in its wire form is for; nothing where it is no certificate.
fn certified_key(blob: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_bytes(blob).ok()?;
    PublicKey::from(certificate.public_key().clone())
        .to_bytes()
        .ok()
}

/// The type inside a key's wire form: a string with a length of four bytes before it.
fn kind_of(blob: &[u8]) -> Option<&[u8]> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

impl Names {
    fn parse(text: &[u8]) -> Option<Self> {
        let Some(hashed) = text.strip_prefix(b"|") else {
            return Some(Self::Patterns(text.to_ascii_lowercase()));
        };
        let mut parts = hashed.split(|byte| *byte == b'|');
        let (Some(b"1"), Some(salt), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        Some(Self::Hashed {
            salt: STANDARD.decode(salt).ok()?,
            digest: STANDARD.decode(digest).ok()?,
        })
    }

    fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Patterns(patterns) => matches_list(patterns, name),
            Self::Hashed { salt, digest } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|mac| mac.chain_update(name).verify_slice(digest).is_ok()),
        }
    }
}

/// Whether a list of patterns matches: at least one does, and no negated one does.
fn matches_list(patterns: &[u8], name: &[u8]) -> bool {
    let mut found = false;
    for pattern in patterns.split(|byte| *byte == b',') {
        if pattern.len() > PATTERN_BYTES_MAX {
            return false;
        }
        match pattern.strip_prefix(b"!") {
            Some(negated) if matches_pattern(negated, name) => return false,
            Some(_) => {}
            None => found |= matches_pattern(pattern, name),
        }
    }
    found
}

/// Matches `*` and `?`. On a mismatch only the last `*` is tried again, one byte further on, so the
/// work is bounded by the product of both lengths.
fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(from) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if wanted == byte || *wanted == b'?' => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]
    use super::*;
    use HostKeyVerdict::{Known, Mismatch, Revoked, Unknown};

    fn blob(kind: &str, body: u8) -> Vec<u8> {
        let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        blob.extend_from_slice(kind.as_bytes());
        blob.extend_from_slice(&[0, 0, 0, 4, body, body, body, body]);
        blob
    }

    fn key(body: u8) -> String {
        format!("ssh-ed25519 {}", STANDARD.encode(blob("ssh-ed25519", body)))
    }

    fn rsa(body: u8) -> String {
        format!("ssh-rsa {}", STANDARD.encode(blob("ssh-rsa", body)))
    }

    /// Judges key 1 of ed25519 for a host.
    fn check(file: &str, host: &str, port: u16) -> HostKeyVerdict {
        KnownHosts::parse(file.as_bytes()).verify(host, port, &blob("ssh-ed25519", 1))
    }

    fn hashed(name: &str) -> String {
        let salt = [7_u8; 20];
        let digest = Hmac::<Sha1>::new_from_slice(&salt)
            .unwrap()
            .chain_update(name)
            .finalize()
            .into_bytes();
        format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(digest))
    }

    #[test]
    fn an_exact_name_is_known_and_every_other_name_is_unknown() {
        let file = format!("web1 {}\n", key(1));
        assert_eq!(check(&file, "web1", 22), Known);
        assert_eq!(check(&file, "WEB1", 22), Known);
        for other in ["web", "web11", "xweb1", ""] {
            assert_eq!(check(&file, other, 22), Unknown, "{other:?}");
        }
        assert_eq!(check(&file, "web1", 2222), Unknown);
    }

    #[test]
    fn a_port_other_than_22_is_recorded_in_brackets() {
        let file = format!("[web1]:2222 {}\n", key(1));
        assert_eq!(check(&file, "web1", 2222), Known);
        assert_eq!(check(&file, "web1", 22), Unknown);
        assert_eq!(check(&file, "web1", 2223), Unknown);
    }

    #[test]
    fn lists_wildcards_and_negations_match_as_in_openssh() {
        let file = format!("10.0.0.5,*.Example.com,!bad.example.com {}\n", key(1));
        assert_eq!(check(&file, "10.0.0.5", 22), Known);
        assert_eq!(check(&file, "a.b.example.com", 22), Known);
        assert_eq!(check(&file, "bad.example.com", 22), Unknown);
        assert_eq!(check(&file, "example.com", 22), Unknown);
        let file = format!("web? {}\n", key(1));
        assert_eq!(check(&file, "web7", 22), Known);
        assert_eq!(check(&file, "web", 22), Unknown);
        let file = format!("!web1 {}\n", key(1));
        assert_eq!(check(&file, "web2", 22), Unknown);
    }

    #[test]
    fn a_hashed_name_is_known() {
        let file = format!("{} {}\n", hashed("web1"), key(1));
        assert_eq!(check(&file, "web1", 22), Known);
        assert_eq!(check(&file, "web2", 22), Unknown);
        let file = format!("{} {}\n", hashed("[web1]:2222"), key(1));
        assert_eq!(check(&file, "web1", 2222), Known);
    }

    #[test]
    fn a_broken_hash_is_skipped() {
        for name in [
            "|1|",
            "|2|AAAA|AAAA",
            "|1|AAAA",
            "|1|!!|AAAA",
            "|1|AAAA|AAAA|x",
        ] {
            let file = format!("{name} {}\nweb1 {}\n", key(2), key(1));
            assert_eq!(check(&file, "web1", 22), Known, "{name}");
        }
    }

    #[test]
    fn a_revoked_key_is_refused_wherever_its_line_stands() {
        for file in [
            format!("@revoked web1 {}\nweb1 {}\n", key(1), key(1)),
            format!("web1 {}\n@revoked * {}\n", key(1), key(1)),
            format!("web1 {}\n@revoked\t{} {}\n", key(1), hashed("web1"), key(1)),
        ] {
            assert_eq!(check(&file, "web1", 22), Revoked, "{file}");
        }
        let file = format!("[web1]:2222 {}\n@revoked web1 {}\n", key(1), key(1));
        assert_eq!(check(&file, "web1", 2222), Revoked);
        let file = format!("web1 {}\n@revoked web1 {}\n", key(1), key(2));
        assert_eq!(check(&file, "web1", 22), Known);
    }

    #[test]
    fn an_authority_is_never_a_host_key() {
        let file = format!("@cert-authority * {}\n", key(1));
        assert_eq!(check(&file, "web1", 22), Unknown);
        let file = format!("@unheard-of web1 {}\n", key(1));
        assert_eq!(check(&file, "web1", 22), Unknown);
        let file = format!("@revoked @cert-authority web1 {}\n", key(1));
        assert_eq!(check(&file, "web1", 22), Unknown);
    }

    #[test]
    fn either_of_two_recorded_keys_is_known() {
        let file = format!("web1 {}\nweb1 {}\n", key(2), key(1));
        assert_eq!(check(&file, "web1", 22), Known);
    }

    #[test]
    fn a_key_of_another_type_is_a_mismatch_and_not_unknown() {
        let file = format!("web1 {}\n", rsa(1));
        assert_eq!(check(&file, "web1", 22), Mismatch);
        assert_eq!(
            KnownHosts::parse(file.as_bytes()).recorded_types("web1", 22),
            ["ssh-rsa"]
        );
    }

    #[test]
    fn blanks_line_ends_comments_and_broken_lines_do_not_matter() {
        let mut file = b"# comment\n\n  \t\nno key here\nweb1 ssh-ed25519 !!!!\n".to_vec();
        file.extend_from_slice(b"\xff\xfe broken \xff\n");
        file.extend_from_slice(
            format!("\t web1 \t{}  a comment \r\n", key(1).replace(' ', "\t ")).as_bytes(),
        );
        let hosts = KnownHosts::parse(&file);
        assert_eq!(hosts.verify("web1", 22, &blob("ssh-ed25519", 1)), Known);
    }

    #[test]
    fn an_odd_byte_in_a_comment_does_not_hide_a_revocation() {
        let mut file = format!("web1 {}\n@revoked web1 {} caf", key(1), key(1)).into_bytes();
        file.extend_from_slice(b"\xe9\n");
        let hosts = KnownHosts::parse(&file);
        assert_eq!(hosts.verify("web1", 22, &blob("ssh-ed25519", 1)), Revoked);
    }

    #[test]
    fn a_line_whose_type_and_key_differ_is_skipped() {
        let file = format!("web1 ssh-rsa {}\n", STANDARD.encode(blob("ssh-ed25519", 1)));
        assert_eq!(check(&file, "web1", 22), Unknown);
    }

    #[test]
    fn an_address_that_is_recorded_does_not_vouch_for_a_name() {
        let file = format!("127.0.0.1 {}\n", key(1));
        assert_eq!(check(&file, "web1", 22), Unknown);
        assert_eq!(check(&file, "127.0.0.1", 22), Known);
    }

    #[test]
    fn recorded_types_leave_out_revocations_and_authorities() {
        let file = format!(
            "web1 {}\n@revoked web1 {}\n@cert-authority web1 {}\nweb1 {}\n",
            key(1),
            rsa(2),
            rsa(3),
            key(4)
        );
        assert_eq!(
            KnownHosts::parse(file.as_bytes()).recorded_types("web1", 22),
            ["ssh-ed25519"]
        );
    }

    #[test]
    fn many_stars_end_in_bounded_work() {
        let stars = "*a".repeat(500);
        let file = format!("{stars}b {}\n", key(1));
        assert_eq!(check(&file, &"a".repeat(5_000), 22), Unknown);
    }
}
