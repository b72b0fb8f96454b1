//! The literals by which the scout finds lines that the rules must see: parts of names, signs, and what stands in
//! lines of a known form. Each is looked for in every byte of every output, so what is common in logs is none.
//!
//! Must not: judge more than a few bytes around a literal.

use super::sieve::{self, Pattern};
use super::source::{Source, is_base64};

/// Parts of names that may be a secret's.
#[rustfmt::skip]
pub(super) const NAMES: &[&str] = &[
    "pass", "Pass", "PASS", "asswo", "ASSWO", "ecret", "ECRET", "oken", "OKEN", "dential", "DENTIAL", "rumb", "RUMB", "salt", "Salt", "SALT", "seed", "Seed", "SEED",
    "ignature", "IGNATURE", "ebhook", "EBHOOK", "onnstr", "onnStr", "ONNSTR", "ectionstr", "ectionStr", "ECTIONSTR", "ECTION_STR", "earer", "EARER",
    "ookie", "OOKIE", "uthtok", "UTHTOK", "uthoriz", "UTHORIZ",
    "sessid", "Sessid", "SESSID", "sessionid", "Sessionid", "SESSIONID", "sessionId", "SessionId", "session_", "Session_", "SESSION_",
];

/// Shorter ones.
#[rustfmt::skip]
pub(super) const SHORT_NAMES: &[&str] = &[
    "key", "Key", "KEY", "pwd", "Pwd", "PWD", "psk", "PSK", "jwt", "JWT", "srf", "SRF", "dsn", "DSN", "otp", "OTP", "pw=", "pw:", "pw\"", "PW=", "PW:",
];

/// What begins an address, and a mark of the sanitiser.
pub(super) const SCHEME: &str = "://";
/// How the scheme of an address ends where JSON or another address holds it.
const SCHEMES: [&str; 5] = [":\\/", ":\\\\", ":\\u0", "%3A%", "%3a%"];
pub(super) const MARK: &str = "<U+";
/// What begins a flag of a program, the letters that may follow in a short one, and those in a long one.
const FLAG: &str = " -";
const FLAG_LETTERS: &str = "puUawsScAXPkKNhbB";
const LONG_FLAG_LETTERS: &str = "uapcds";
/// What begins a hash.
pub(super) const HASH: u8 = b'$';

/// Further parts of names, with the sign behind them.
#[rustfmt::skip]
pub(super) const SIGNED_NAMES: &[&str] = &[
    "sid=", "sid:", "SID=", "SID:", "sig=", "Sig=", "SIG=", "pat=", "pat:", "PAT=", "auth=", "auth:", "auth\"", "auth =", "auth>", "Auth=", "Auth:",
    "Auth\"", "AUTH=", "AUTH:", "sess=", "sess:", "SESS=", "session=", "Session=", "session:", "Session:", "session\"", "Session\"", "session =", "Session =",
    "SESSION=", "SESSION:",
];

/// What stands in lines that the rules must see.
#[rustfmt::skip]
const SUSPECTS: &[&[&str]] = &[
    &["dentified ", "$ANSIBLE_V", "\"encrypt\"", "mqctl ", "encrypt = \""],
    &["DENTIFIED ", "asterauth ", "PuTTY-User", "cryptsetup", "cureString "],
    &[": XAUTH \"", "- BEGIN ", "- END ", ": EAP \"", "{SSHA"],
    &["sqli_connect(", "{ARGON", "SOURCE_NAME=", "/webhooks/", "createUser "],
    &[".pem \"", "nmcli ", "characters removed]", "che_peer ", ".p12 \""],
    &["qlplus ", "-END ", "-stdin", "vault login ", "-BEGIN "],
    &[">__construct('", "<<< ", "<<<'", "<<<\"", "519 a_"],
    &[" on #", "SCRAM-SHA", "ommunity", " on >", "OMMUNITY"],
    &["{SMD5", "{PBKDF", "pbkdf2", "radtest ", "webhook.office", "_authenticator"],
    &["bcrypt", "{CRYPT", ":*:*", ".key \"", "scrypt"],
    &["md5 7", ":5432:", ":5433:", ":6432:", "md5 0"],
    &["ndpw ", " /p:", "\"kty\"", "LOGIN ", "otpw "],
    &["cle:thin:", "]:587 ", "hooks.slack", "kinit", "com2sec "],
    &["{SHA", "rclone ", "mc alias", "tcdctl "],
    &["@tcp(", "@unix(", "htdigest ", "net use"],
    &["]:25 ", "]:465 ", "a0=\"", "{MD5}"],
];

/// Parts of names that put their line under suspicion by what stands around them: what is before, what
/// begins, how many letters of base64 follow at the least.
const TELLING: &[(&str, &str, usize)] = &[
    ("", "AUTH PLAIN ", 8),
    ("", "AUTH LOGIN ", 8),
    ("\"", "AUTH\" \"", 1),
    ("stats ", "auth ", 1),
    ("> ", "PASS ", 0),
    ("C: ", "PASS ", 0),
    ("", "earer ", 16),
    ("", "EARER ", 16),
];

/// A literal that is looked for.
#[derive(Debug, Clone)]
pub(super) struct Sign {
    pub(super) literal: &'static str,
    pub(super) kind: SignKind,
    /// Its first eight bytes, and which bits of them there are.
    eight: (u64, u64),
}

/// What a literal is.
#[derive(Debug, Clone)]
pub(super) enum SignKind {
    /// Of a name, which may end with a sign; `part` is nothing where it only tells.
    Name {
        part: Option<&'static str>,
        signed: bool,
        telling: bool,
    },
    /// A short part of a name.
    Short,
    Scheme,
    /// A scheme's end inside of something else.
    Escaped,
    Mark,
    Flag,
    Suspect,
    /// A mark inside of a token.
    Inner,
}

impl Sign {
    fn new(literal: &'static str, kind: SignKind) -> Self {
        Self {
            literal,
            kind,
            eight: (
                sieve::eight(literal.as_bytes()),
                u64::MAX >> (8 * 8_usize.saturating_sub(literal.len())),
            ),
        }
    }

    /// Whether it stands at the start of a text, whose first eight bytes are given.
    pub(super) fn begins(&self, text: &[u8], eight: u64) -> bool {
        let (bytes, known) = self.eight;
        eight & known == bytes
            && (self.literal.len() <= 8 || text.starts_with(self.literal.as_bytes()))
    }
}

/// All literals that are looked for, and what each may begin with. Of names that begin alike, only the first counts at
/// a place.
pub(super) fn signs() -> Vec<(Sign, Pattern)> {
    let mut told: Vec<&str> = TELLING.iter().map(|(_, literal, _)| *literal).collect();
    told.dedup();
    let named = NAMES.iter().chain(SIGNED_NAMES).copied();
    let plain = named.filter(|name| !told.iter().any(|told| told == name));
    let names = told.iter().copied().chain(plain).map(|literal| {
        let telling = told.contains(&literal);
        let part = if telling {
            untelling(literal)
        } else {
            Some(literal)
        };
        let kind = SignKind::Name {
            part,
            signed: part.is_some_and(|part| SIGNED_NAMES.contains(&part)),
            telling,
        };
        Sign::new(literal, kind)
    });
    let mut signs: Vec<Sign> = names.collect();
    let short = SHORT_NAMES.iter();
    signs.extend(short.map(|literal| Sign::new(literal, SignKind::Short)));
    let suspects = SUSPECTS.iter().flat_map(|row| row.iter());
    signs.extend(suspects.map(|literal| Sign::new(literal, SignKind::Suspect)));
    signs.extend(SCHEMES.map(|literal| Sign::new(literal, SignKind::Escaped)));
    signs.extend([
        Sign::new(SCHEME, SignKind::Scheme),
        Sign::new(MARK, SignKind::Mark),
        Sign::new("Q~", SignKind::Inner),
    ]);
    let with_pattern = |sign: Sign| {
        let pattern = sieve::pattern(sign.literal);
        (sign, pattern)
    };
    let mut signs: Vec<(Sign, Pattern)> = signs.into_iter().map(with_pattern).collect();
    let letters = |letters: &str| {
        letters
            .bytes()
            .fold(0, |all, letter| all | sieve::sign(letter))
    };
    let [blank, dash, ..] = sieve::pattern(FLAG);
    for (third, fourth) in [
        (letters(FLAG_LETTERS), sieve::ANY),
        (dash, letters(LONG_FLAG_LETTERS)),
    ] {
        let flag = Sign::new(FLAG, SignKind::Flag);
        signs.push((flag, [blank, dash, third, fourth]));
    }
    signs
}

/// Whether the blank and the dash at a place begin a flag that may hold a secret.
pub(super) fn is_flag(source: Source<'_>, at: usize) -> bool {
    let among = |letters: &str, byte: u8| letters.bytes().any(|letter| letter == byte);
    match source.at(at + 2) {
        b'-' => among(LONG_FLAG_LETTERS, source.at(at + 3)),
        byte => among(FLAG_LETTERS, byte),
    }
}

/// Whether what stands around a literal puts its line under suspicion.
pub(super) fn tells(source: Source<'_>, at: usize, sign: &Sign) -> bool {
    let SignKind::Name { telling: true, .. } = sign.kind else {
        return false;
    };
    let of_sign = TELLING
        .iter()
        .filter(|(_, literal, _)| *literal == sign.literal);
    of_sign.into_iter().any(|(before, literal, least)| {
        let after = at + literal.len();
        source.slice(at.saturating_sub(before.len()), at) == before.as_bytes()
            && source.run(after, *least, is_base64) == after + least
    })
}

/// The part of a name that a literal of [`TELLING`] is as well.
fn untelling(literal: &str) -> Option<&'static str> {
    let mut named = NAMES.iter().chain(SIGNED_NAMES);
    named.find(|name| literal.starts_with(**name)).copied()
}
