//! What the name of a setting says about its value: nothing, that it is a secret, or that it is one
//! if it also looks like one. Sees names only.

use super::catalog::shipped;
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// The value is a secret whatever it looks like.
    Secret(&'static str),
    /// The value is a secret if it looks random.
    Perhaps(&'static str),
}

/// The fragments by which a name is found in the text.
#[rustfmt::skip]
pub(super) const FRAGMENTS: &[&str] = &[
    "pass", "assw", "pwd", "secret", "token", "credential", "key", "psk", "crumb", "csrf", "xsrf", "jwt", "auth", "sess", "sid=", "sid:",
    "salt", "seed", "pw=", "pw:", "pw\"", "signature", "sig=", "otp", "pat=", "pat:", "webhook", "dsn", "bearer", "connstr", "connectionstr",
];

/// The fragments without the signs behind them, whatever their case. None where it could not be built.
static MENTIONED: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let parts = FRAGMENTS
        .iter()
        .map(|part| part.trim_end_matches(['=', ':', '"']));
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(parts)
        .ok()
});

/// Whether a fragment stands anywhere in a name. In doubt there is one.
pub(super) fn has_fragment(name: &str) -> bool {
    MENTIONED
        .as_ref()
        .is_none_or(|search| search.is_match(name))
}

/// What a name says; `before` is the word before it, for `Unseal Key` and its like.
pub(super) fn judge(name: &str, before: &str) -> Option<Names> {
    let words = Words::of(name);
    let last = words
        .all()
        .rev()
        .find(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))?;
    let joined = words.joined.as_str();
    if joined.contains("public") && joined.contains("key") || joined == "usersigningkey" {
        return None;
    }
    let public = [
        "publishable",
        "certhash",
        "loadcredential",
        "importcredential",
    ];
    if joined.ends_with("manager") || public.iter().any(|part| joined.contains(part)) {
        return None;
    }
    if let Some(kind) = secret_noun(&words, before) {
        // An id beside a secret is public as often as not; only a random-looking one is masked.
        if last == "id" || last == "ids" {
            return Some(Names::Perhaps(kind));
        }
        let about = shipped().names.about.contains(last) && !ends_in_noun(joined, last);
        return (!about).then_some(Names::Secret(kind));
    }
    // The key of a cache, a row, an index; and the number of the public key that somebody signs with.
    let indexes = [
        "cache",
        "restore",
        "object",
        "partition",
        "sort",
        "foreign",
        "row",
    ];
    let before_key = joined
        .strip_suffix("keys")
        .or_else(|| joined.strip_suffix("key"));
    if before_key.is_some_and(|word| indexes.contains(&word)) {
        return None;
    }
    // A bare `key` after another word is one of a map, a cache or a table.
    if joined == "key" && !before.is_empty() {
        return None;
    }
    shipped()
        .names
        .perhaps
        .contains(last.trim_end_matches(|c: char| c.is_ascii_digit()))
        .then_some(Names::Perhaps("secret"))
}

/// Whether the last word of a name, which by itself says that the name is about a secret, is part of the noun
/// for one: `REDISCLI_AUTH`.
fn ends_in_noun(joined: &str, last: &str) -> bool {
    let mut nouns = shipped().names.nouns.iter().map(|row| row.noun.as_str());
    nouns.any(|noun| noun.ends_with(last) && joined.ends_with(noun))
}

/// Whether a name is of the half of a login that is secret though it is called an id.
pub(super) fn is_secret_id(name: &str) -> bool {
    Words::of(name).joined.ends_with("secretid")
}

fn secret_noun(words: &Words, before: &str) -> Option<&'static str> {
    let joined = words.joined.as_str();
    let is_pass = |word: &str| word.ends_with("pass") && !shipped().names.not_pass.contains(word);
    if words.all().any(is_pass)
        || (words.ends.len() > 1 && words.all().any(|word| word == "pwd" || word == "pw"))
    {
        return Some("password");
    }
    match joined {
        "keycontent" => return Some("password"),
        "pwd" | "pw" => return Some("password"),
        "psk" | "wpapsk" => return Some("passphrase"),
        "oldpwd" => return None,
        _ => {}
    }
    if joined.ends_with("pwd") || joined.ends_with("psk") {
        return Some("password");
    }
    if joined == "key"
        && [
            "unseal",
            "api",
            "secret",
            "access",
            "private",
            "encryption",
            "recovery",
            "license",
            "master",
            "account",
            "signing",
            "product",
            "activation",
            "licence",
            "join",
        ]
        .iter()
        .any(|word| before.eq_ignore_ascii_case(word))
    {
        return Some("api-key");
    }
    noun(joined)
}

/// The kind of the first noun of the file that stands in a name.
fn noun(joined: &str) -> Option<&'static str> {
    let nouns = &shipped().names.nouns;
    // `max_tokens` and `tokenizer` count words; a `token` among the words is one.
    let counts = |noun: &str| noun == "token" && joined.contains("tokeniz");
    let row = match &*NOUNS {
        Some(search) => search
            .find_overlapping_iter(joined)
            .map(|found| found.pattern().as_usize())
            .filter(|index| nouns.get(*index).is_some_and(|row| !counts(&row.noun)))
            .min()
            .and_then(|index| nouns.get(index)),
        None => nouns
            .iter()
            .find(|row| joined.contains(&row.noun) && !counts(&row.noun)),
    };
    row.map(|row| row.kind.as_str())
}

/// One searcher for all nouns. None where it could not be built.
static NOUNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let nouns = shipped().names.nouns.iter().map(|row| &row.noun);
    AhoCorasick::new(nouns).ok()
});

/// The words of a name, in lower case: cut at signs and where the case rises.
struct Words {
    joined: String,
    /// Where each word ends in the joined ones.
    ends: Vec<usize>,
}

impl Words {
    fn of(name: &str) -> Self {
        let mut words = Self {
            joined: String::with_capacity(name.len()),
            ends: Vec::with_capacity(name.len()),
        };
        let mut previous = b'_';
        for byte in name.bytes() {
            let rises = byte.is_ascii_uppercase() && previous.is_ascii_lowercase();
            if rises || !byte.is_ascii_alphanumeric() {
                words.end();
            }
            if byte.is_ascii_alphanumeric() {
                words.joined.push(char::from(byte.to_ascii_lowercase()));
            }
            previous = byte;
        }
        words.end();
        words
    }

    fn end(&mut self) {
        let end = self.joined.len();
        if end > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(end);
        }
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = &str> {
        (0..self.ends.len()).map(|index| {
            let start = index
                .checked_sub(1)
                .and_then(|before| self.ends.get(before))
                .copied()
                .unwrap_or(0);
            let end = self.ends.get(index).copied().unwrap_or(start);
            self.joined.get(start..end).unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "REDIS_PASS",
            "PassWord",
            "api-key",
            "API_KEY",
            "apiKey",
            "X-Auth-Token",
            "keyStorePassword",
            "client_secret",
            "SECRET_KEY_BASE",
            "AWS_SECRET_ACCESS_KEY",
            "PrivateKey",
            "aws_session_token",
            "_authToken",
            "psk",
            "Jenkins-Crumb",
            "MYSQL_PWD",
            "--storepass",
            "client-key-data",
            "userPassword1",
            "REDISCLI_AUTH",
        ] {
            assert!(matches!(judge(name, ""), Some(Names::Secret(_))), "{name}");
        }
    }

    #[test]
    fn names_about_secrets_are_not_of_secrets() {
        for name in [
            "passwordFile",
            "password_policy",
            "max_tokens",
            "tokenizer",
            "PasswordAuthentication",
            "secretName",
            "token_expires_in",
            "PublicKey",
            "bypass",
            "public_key",
            "token.py",
            "OLDPWD",
            "AWS_ACCESS_KEY_ID",
            "password-stdin",
            "keyboard",
            "monkey",
            "author",
        ] {
            assert!(!matches!(judge(name, ""), Some(Names::Secret(_))), "{name}");
        }
    }
}
