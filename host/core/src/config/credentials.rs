//! `credentials.yml`: how hosts are logged into, by the names of keys and secrets.
//!
//! Must not: hold a secret, or repeat any text of the file in a message: what stands in a wrong column
//! may be one.

use super::names::{path_text, secret_name, secret_variable, variable_name};
use super::shape::shape;
use super::tree::{At, Fields, Quoting, Reader, Refused, Version};
use super::{CREDENTIALS, ConfigFault};
use crate::inventory::{Credential, LoginMethod};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Longest name of an entry or of a remote user, in characters.
const NAME_CHARS_MAX: usize = 100;

shape! {
    /// `credentials.yml`: how hosts are logged into, by the names of keys and secrets. No secret stands in this
    /// file, and no fault repeats what stands in it.
    pub(super) struct Keys {
        required {
            /// The logins.
            entries: Vec<EntryKeys>,
        }
        optional {
            /// The version of this file's format.
            version: Version,
        }
    }
}

shape! {
    /// One login.
    #[schemars(rename = "Entry")]
    pub(super) struct EntryKeys {
        required {
            /// What `credentials` in servers.yml names; at most 100 characters without blanks. Unique.
            #[schemars(length(min = 1))]
            name: String,
            /// The user on the host; at most 100 characters without blanks. Give it no more than the rules of
            /// policy.yml need: the gate decides what is run, the host decides what that may do.
            #[schemars(length(min = 1))]
            username: String,
        }
        optional {
            /// The private key: a path beneath the keys directory (PORTCULLIS_KEYS_DIR, else `keys` inside or beside
            /// the configuration), or an absolute one inside it; never with `..`, never a link. At most 500
            /// characters. Default: none.
            key_path: Option<String>,
            /// The name of the secret that opens the key. It is looked up as the variable MCP_SSH_SECRET_NAME
            /// (upper case, `-` as `_`), then in `.env`, then as the file NAME of the secrets directory. Letters,
            /// digits, `-`, `_`; at most 100. Default: none, for a key without a passphrase.
            key_passphrase_secret: Option<SecretName>,
            /// An OpenSSH certificate of the key: a path like `key_path`. Default: none.
            certificate_path: Option<String>,
            /// The key that an agent signs with: its fingerprint as `ssh-add -l` prints it, `SHA256:` and 43 characters.
            /// The agent is the one at SSH_AUTH_SOCK when the gate starts. Default: none.
            #[schemars(regex(pattern = r"^\s*SHA256:[A-Za-z0-9+/]{43}\s*$"))]
            agent_key: Option<String>,
            /// The name of the secret that is the user's password, where a host takes no keys. Default: none.
            /// Prefer a key.
            password_secret: Option<SecretName>,
            /// What is tried, in this order, and nothing else: `key`, `certificate`, `agent`, `password`,
            /// `keyboard_interactive` (the password as the answer to the host's question). Where a host wants more than one of
            /// them, name them in its order. Default: the first of `certificate_path`, `key_path`, `agent_key` and
            /// `password_secret` that is there; the others are not tried.
            methods: Option<Vec<MethodWord>>,
            /// Variables that are looked at before all other places, by the key whose secret they hold. Needed
            /// where the environment names a secret without the prefix MCP_SSH_SECRET_. Default: none.
            env: Option<EnvKeys>,
        }
    }
}

shape! {
    /// Which variable holds which secret of the entry; ASCII letters, digits and `_`, not beginning with a digit, at
    /// most 100. Each stands only beside the key that names its secret.
    #[schemars(rename = "EntryEnv")]
    pub(super) struct EnvKeys {
        optional {
            /// The variable with the passphrase of the key.
            key_passphrase_secret: Option<VariableName>,
            /// The variable with the password.
            password_secret: Option<VariableName>,
        }
    }
}

/// A way to log in.
struct MethodWord;

impl JsonSchema for MethodWord {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Method".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": LoginMethod::WORDS.map(|(word, _)| word)})
    }
}

/// The name of a secret.
#[derive(JsonSchema)]
#[schemars(inline)]
struct SecretName(
    #[schemars(regex(pattern = r"^\s*[A-Za-z0-9_-]{0,100}\s*$"))]
    #[allow(dead_code, reason = "it is described, never built")]
    String,
);

/// The name of a variable.
#[derive(JsonSchema)]
#[schemars(inline)]
struct VariableName(
    #[schemars(regex(pattern = r"^\s*([A-Za-z_][A-Za-z0-9_]{0,99})?\s*$"))]
    #[allow(dead_code, reason = "it is described, never built")]
    String,
);

/// What the fingerprint of a key begins with.
const FINGERPRINT_PREFIX: &str = "SHA256:";
/// Characters of a fingerprint behind that: 256 bits in base64 without padding.
const FINGERPRINT_CHARS: usize = 43;

/// The seed system's key for a password in plain text; known here only to be refused by name.
const REFUSED: [Refused; 1] = [Refused {
    key: "password",
    message: "a password in plain text is not taken",
    hint: "Put it into a secret and name that: `password_secret: NAME`. The secret is the variable MCP_SSH_SECRET_<NAME>, a line of .env, or a file in the secrets directory.",
}];

/// What was read, as far as it could be.
pub(super) struct Credentials {
    /// The entries without a fault, in file order.
    pub(super) entries: Vec<Credential>,
    /// The names of all entries, those with other faults too; `None` where the file could not be read
    /// as far as that, so that nobody is told of a missing name that may be there.
    pub(super) names: Option<HashSet<String>>,
    /// What is wrong.
    pub(super) faults: Vec<ConfigFault>,
    /// What is legal and probably not meant.
    pub(super) warnings: Vec<ConfigFault>,
}

/// Reads the file; a file that does not exist or is empty has no entries.
pub(super) fn read(text: Option<&str>) -> Credentials {
    let mut reader = Reader::new(CREDENTIALS, Quoting::Forbidden);
    let mut walk = Walk::default();
    let mut complete = true;
    if let Some(text) = text.filter(|text| !super::yaml::is_empty(text)) {
        match reader.document(text) {
            Some(node) => {
                let root = reader.root(&node);
                complete = walk.document(&mut reader, &root);
            }
            None => complete = false,
        }
    }
    Credentials {
        entries: walk.entries,
        names: complete.then_some(walk.names),
        faults: reader.faults,
        warnings: reader.warnings,
    }
}

#[derive(Default)]
struct Walk {
    entries: Vec<Credential>,
    names: HashSet<String>,
    /// Which secret stands behind each environment variable.
    variables: HashMap<String, String>,
}

impl Walk {
    /// Whether every entry could be read at least as far as its name.
    fn document(&mut self, reader: &mut Reader, root: &At<'_>) -> bool {
        let Some(fields) = reader.map(root, Keys::KEYS) else {
            return false;
        };
        reader.version(&fields);
        let Some(list) = fields.get("entries") else {
            reader.missing(root, "entries");
            return false;
        };
        let Some(entries) = reader.list(&list) else {
            return false;
        };
        let mut named = true;
        for at in &entries {
            // Each entry is read even after one without a name, so that all faults are named.
            named &= self.entry(reader, at);
        }
        named
    }

    fn entry(&mut self, reader: &mut Reader, at: &At<'_>) -> bool {
        let Some(fields) = reader.map_but(at, EntryKeys::KEYS, &REFUSED) else {
            return false;
        };
        let name = plain_text(reader, at, &fields, "name");
        let username = plain_text(reader, at, &fields, "username");
        let key_path = key_file(reader, &fields, "key_path");
        let certificate_path = key_file(reader, &fields, "certificate_path");
        let agent_key = fingerprint(reader, &fields);
        let key_passphrase_secret = self.secret(reader, &fields, "key_passphrase_secret");
        let password_secret = self.secret(reader, &fields, "password_secret");
        let env = fields.some("env");
        let env = env.and_then(|at| reader.map(&at, EnvKeys::KEYS));
        let env = |reader: &mut Reader, key: &str, secret: &Option<String>| {
            variable(reader, env.as_ref()?, key, secret.is_some())
        };
        let key_passphrase_env = env(reader, "key_passphrase_secret", &key_passphrase_secret);
        let password_env = env(reader, "password_secret", &password_secret);
        let there = [
            (LoginMethod::Certificate, certificate_path.is_some()),
            (LoginMethod::Key, key_path.is_some()),
            (LoginMethod::Agent, agent_key.is_some()),
            (LoginMethod::Password, password_secret.is_some()),
        ];
        if certificate_path.is_some() && key_path.is_none() {
            let hint =
                "A certificate speaks for a key; one that an agent holds is used with `agent_key`.";
            reader.fault(
                at,
                "expected `key_path` beside `certificate_path`, got none",
                hint,
            );
        }
        let methods = methods(reader, at, &fields, &there);
        let Some(name) = name else { return false };
        if !self.names.insert(name.clone()) {
            reader.fault(at, "the entry's name is defined twice", "");
        }
        if let Some(username) = username {
            self.entries.push(Credential {
                name,
                username,
                key_path,
                key_passphrase_secret,
                key_passphrase_env,
                password_secret,
                password_env,
                certificate_path,
                agent_key,
                methods,
            });
        }
        true
    }

    fn secret(&mut self, reader: &mut Reader, fields: &Fields<'_>, key: &str) -> Option<String> {
        let (at, name) = reader.optional_text(fields, key)?;
        if let Err(fault) = secret_name(name) {
            reader.fault(
                &at,
                fault.to_string(),
                "Here stands the name of a secret, not the secret.",
            );
            return None;
        }
        let other = self
            .variables
            .entry(secret_variable(name))
            .or_insert_with(|| name.to_owned());
        if other != name {
            reader.fault(
                &at,
                "two names of secrets share one environment variable: they differ only in case, or in `-` and `_`",
                "Rename one of the two.",
            );
        }
        Some(name.to_owned())
    }
}

/// The path of a key or of what belongs to one.
fn key_file(reader: &mut Reader, fields: &Fields<'_>, key: &str) -> Option<String> {
    let (at, text) = reader.optional_text(fields, key)?;
    match path_text(text) {
        Ok(()) => Some(text.to_owned()),
        Err(fault) => {
            reader.fault(&at, fault.to_string(), "A key lies in the keys directory.");
            None
        }
    }
}

/// The fingerprint of the key that an agent holds.
fn fingerprint(reader: &mut Reader, fields: &Fields<'_>) -> Option<String> {
    let (at, text) = reader.optional_text(fields, "agent_key")?;
    let digits = text.strip_prefix(FINGERPRINT_PREFIX);
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    if digits.is_some_and(|d| d.len() == FINGERPRINT_CHARS && d.chars().all(base64)) {
        return Some(text.to_owned());
    }
    let hint = "`ssh-add -l` prints the fingerprints of the agent's keys.";
    reader.expected(&at, "a fingerprint such as SHA256: and 43 characters", hint);
    None
}

/// What is tried, in order: what the file says, or else the first that is there.
fn methods(
    reader: &mut Reader,
    entry: &At<'_>,
    fields: &Fields<'_>,
    there: &[(LoginMethod, bool)],
) -> Vec<LoginMethod> {
    let Some(at) = fields.some("methods") else {
        let mut usable = there.iter().filter(|(_, there)| *there);
        let Some((first, _)) = usable.next() else {
            reader.warn(
                entry,
                "the entry has neither a key nor a password, so nobody can log in with it",
                "Add `key_path`, `agent_key` or `password_secret`.",
            );
            return Vec::new();
        };
        // A certificate's key is part of it.
        let rest =
            usable.filter(|(m, _)| (*first, *m) != (LoginMethod::Certificate, LoginMethod::Key));
        if rest.count() > 0 {
            let message = format!("only `{}` is used to log in", first.needs());
            reader.warn(
                entry,
                message,
                "Write `methods`, in the order in which they are to be tried.",
            );
        }
        return vec![*first];
    };
    let mut methods = Vec::new();
    for at in reader.list(&at).unwrap_or_default() {
        let Some(method) = reader.word(&at, &LoginMethod::WORDS) else {
            continue;
        };
        let needs = method.needs();
        if methods.contains(&method) {
            reader.fault(&at, "the method stands twice", "");
        } else if fields.some(needs).is_none() {
            let message = format!("expected `{needs}` in the entry beside this method, got none");
            reader.fault(&at, message, "");
        } else {
            methods.push(method);
        }
    }
    if methods.is_empty() {
        reader.expected(&at, "a list of at least one method", "");
    }
    methods
}

/// The variable that the operator names for a secret of the entry.
fn variable(reader: &mut Reader, env: &Fields<'_>, key: &str, has_secret: bool) -> Option<String> {
    let (at, name) = reader.optional_text(env, key)?;
    if let Err(fault) = variable_name(name) {
        let hint = "Here stands the name of a variable, not the secret.";
        reader.fault(&at, fault.to_string(), hint);
        return None;
    }
    if !has_secret {
        reader.fault(
            &at,
            format!("expected `{key}` in the entry beside its variable, got none"),
            "The secret needs a name too: it stands in records and is looked for where the variable is not set.",
        );
    }
    Some(name.to_owned())
}

/// The name of an entry or of a remote user: no blanks, no control characters, not too long.
fn plain_text(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    let (at, text) = reader.required_text(at, fields, key)?;
    let odd = |c: char| c.is_control() || c.is_whitespace() || crate::text::is_hidden(c);
    if text.chars().count() > NAME_CHARS_MAX || text.chars().any(odd) {
        let message = format!(
            "expected at most {NAME_CHARS_MAX} characters without blanks and control characters"
        );
        reader.fault(&at, message, "");
        return None;
    }
    Some(text.to_owned())
}
