//! The literals by which the scout finds lines that the rules must see: parts of names, signs, and what stands in
//! lines of a known form. Each is looked for in every byte of every output, so what is common in logs is none.
//!
//! Must not: judge more than a few bytes around a literal.

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

/// What begins an address, a mark of the sanitiser, a flag of a program. The letter of a flag is judged in
/// full behind it.
#[rustfmt::skip]
pub(super) const SIGNS: &[&str] = &[
    SCHEME, ":\\/", ":\\\\", ":\\u0", "%3A%", "%3a%", MARK, " -p", " -u", " -a", " -w", " -s", " -c", " -x", " -k", " -n", " -h", " -b", LONG_FLAG,
];
pub(super) const SCHEME: &str = "://";
/// How the scheme of an address ends where JSON or another address holds it.
pub(super) const SCHEMES: [&str; 5] = [":\\/", ":\\\\", ":\\u0", "%3A%", "%3a%"];
pub(super) const MARK: &str = "<U+";
pub(super) const LONG_FLAG: &str = " --";

/// Further parts of names, with the sign behind them.
#[rustfmt::skip]
pub(super) const SIGNED_NAMES: &[&str] = &[
    "sid=", "sid:", "SID=", "SID:", "sig=", "Sig=", "SIG=", "pat=", "pat:", "PAT=", "auth=", "auth:", "auth\"", "auth =", "auth>", "Auth=", "Auth:",
    "Auth\"", "AUTH=", "AUTH:", "sess=", "sess:", "SESS=", "session=", "Session=", "session:", "Session:", "session\"", "Session\"", "session =", "Session =",
    "SESSION=", "SESSION:",
];

/// What stands in lines that the rules must see. Those of a row are looked for together, so a row holds ones
/// whose first four bytes are alike or have rare letters: the search compares where any mixture of them stands.
/// Rows of equal length keep it so.
#[rustfmt::skip]
pub(super) const SUSPECTS: [&[&str]; 16] = [
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
/// begins, how many letters of base64 follow at the least. All begin like one of [`NAMES`] or [`SIGNED_NAMES`],
/// so that looking for them costs nothing.
pub(super) const TELLING: &[(&str, &str, usize)] = &[
    ("", "AUTH PLAIN ", 8),
    ("", "AUTH LOGIN ", 8),
    ("\"", "AUTH\" \"", 1),
    ("stats ", "auth ", 1),
    ("> ", "PASS ", 0),
    ("C: ", "PASS ", 0),
    ("", "earer ", 16),
    ("", "EARER ", 16),
];

/// Whether what stands around a place puts its line under suspicion.
pub(super) fn tells(source: Source<'_>, at: usize) -> bool {
    TELLING.iter().any(|(before, literal, least)| {
        let after = at + literal.len();
        source.slice(at, after) == literal.as_bytes()
            && source.slice(at.saturating_sub(before.len()), at) == before.as_bytes()
            && source.run(after, *least, is_base64) == after + least
    })
}

/// The part of a name that a literal of [`TELLING`] is as well; the literal itself if it is none of them.
pub(super) fn untelling(literal: &'static str) -> Option<&'static str> {
    if !TELLING.iter().any(|(_, telling, _)| *telling == literal) {
        return Some(literal);
    }
    NAMES
        .iter()
        .chain(SIGNED_NAMES)
        .find(|name| literal.starts_with(**name))
        .copied()
}
