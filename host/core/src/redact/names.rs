//! What the name of a setting says about its value: nothing, that it is a secret, or that it is one
//! if it also looks like one. Sees names only.

use super::catalog::shipped;

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
    "pass", "pwd", "secret", "token", "credential", "key", "psk", "crumb", "csrf", "xsrf", "jwt", "auth", "sess", "sid=", "sid:",
    "salt", "seed", "pw=", "pw:", "pw\"", "signature", "sig=", "otp", "pat=", "pat:", "webhook", "dsn", "bearer", "connstr", "connectionstr",
];

/// What a name says; `before` is the word before it, for `Unseal Key` and its like.
pub(super) fn judge(name: &str, before: &str) -> Option<Names> {
    let words = words(name);
    let last = words
        .iter()
        .rev()
        .find(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))?;
    let joined = words.concat();
    if joined.contains("public") && joined.contains("key") {
        return None;
    }
    if joined.ends_with("manager") {
        return None;
    }
    if let Some(kind) = secret_noun(&words, &joined, before) {
        // An id beside a secret is public as often as not; only a random-looking one is masked.
        if last == "id" || last == "ids" {
            return (!joined.contains("accesskeyid")).then_some(Names::Perhaps(kind));
        }
        let about = shipped().names.about.contains(last);
        return (!about).then_some(Names::Secret(kind));
    }
    // A bare `key` after another word is one of a map, a cache or a table.
    if joined == "key" && !before.is_empty() {
        return None;
    }
    shipped()
        .names
        .perhaps
        .contains(last)
        .then_some(Names::Perhaps("secret"))
}

fn secret_noun(words: &[String], joined: &str, before: &str) -> Option<&'static str> {
    let is_pass =
        |word: &String| word.ends_with("pass") && !shipped().names.not_pass.contains(word);
    if words.iter().any(is_pass)
        || (words.len() > 1 && words.iter().any(|word| word == "pwd" || word == "pw"))
    {
        return Some("password");
    }
    match joined {
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
        ]
        .iter()
        .any(|word| before.eq_ignore_ascii_case(word))
    {
        return Some("api-key");
    }
    // `max_tokens` and `tokenizer` count words; a `token` among the words is one.
    shipped()
        .names
        .nouns
        .iter()
        .find(|row| {
            joined.contains(&row.noun) && (row.noun != "token" || !joined.contains("tokeniz"))
        })
        .map(|row| row.kind.as_str())
}

/// The words of a name, in lower case: cut at signs and where the case rises.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut previous = '_';
    for c in name.chars() {
        let rises = c.is_ascii_uppercase() && previous.is_ascii_lowercase();
        if (rises || !c.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
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
