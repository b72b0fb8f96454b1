//! A file that is not read: what was attempted, where that leads, and why not.
//!
//! Must not: hold what stands in a file. What a configuration names is masked and cut before it is kept; where a secret's
//! name belongs and no name stands, it may be the secret, and only its length and what is wrong with it are kept.

use super::kind::Kind;
use super::why::Why;
use jiff::Zoned;
use portcullis_core::config::SecretNameFault;
use portcullis_core::redact::Redactor;
use portcullis_core::text;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A file or directory that was not read, or one that was read and is complained of. The text is for
/// operators: it holds paths.
#[derive(Debug, thiserror::Error)]
#[error("{} {resolved}: {why}", kind.word())]
pub(crate) struct FileFault {
    kind: Kind,
    attempted: String,
    /// Where the attempt leads; only for people and logs, never to be opened.
    resolved: String,
    base: PathBuf,
    why: Box<Why>,
    /// What is told of a text that is not kept.
    unnamed: Option<Box<Unnamed>>,
}

/// A text that stands where a secret's name belongs and is none.
#[derive(Debug)]
struct Unnamed {
    chars: usize,
    /// The kinds of characters in it that no name has.
    holds: Vec<&'static str>,
    /// Whether it is a path that leads up, or an absolute one: an attempt at a file, not a slip of the pen.
    leads: Option<&'static str>,
}

impl FileFault {
    /// A fault of something that is named beneath a directory, or absolutely.
    pub(super) fn new(kind: Kind, attempted: &str, base: &Path, why: Why) -> Self {
        let unnamed = matches!(why, Why::Name(_)).then(|| Box::new(Unnamed::of(attempted)));
        let masked = match &unnamed {
            Some(unnamed) if !unnamed.is_path(attempted) => {
                format!("({} characters, not shown)", unnamed.chars)
            }
            _ => masked(attempted),
        };
        let hidden = unnamed
            .as_ref()
            .is_some_and(|unnamed| !unnamed.is_path(attempted));
        let resolved = if masked.is_empty() || hidden {
            base.to_owned()
        } else {
            base.join(&masked)
        };
        Self {
            kind,
            attempted: masked,
            resolved: resolved.display().to_string(),
            base: base.to_owned(),
            why: Box::new(why),
            unnamed,
        }
    }

    /// A fault of something whose place is not its name beneath the directory.
    pub(super) fn at(kind: Kind, attempted: &str, full: &Path, base: &Path, why: Why) -> Self {
        Self {
            resolved: masked(&full.display().to_string()),
            ..Self::new(kind, attempted, base, why)
        }
    }

    #[cfg(test)]
    pub(super) fn why(&self) -> &Why {
        &self.why
    }

    /// The configuration file that names what was not read; empty for the directories themselves.
    pub(crate) fn file(&self) -> &'static str {
        self.kind.named_in()
    }

    /// Whether the file is missing, not wrong.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(*self.why, Why::Missing | Why::NoDirectory)
    }

    /// Whether the file is there and its owner or its permissions are why it is not read.
    pub(crate) fn is_permissions(&self) -> bool {
        match &*self.why {
            Why::Writable { .. }
            | Why::Readable { .. }
            | Why::NoProgram { .. }
            | Why::Owner { .. }
            | Why::Exposed => true,
            Why::Io(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }

    /// How to mend it; empty where there is nothing to say.
    pub(crate) fn hint(&self) -> &'static str {
        match (&*self.why, self.kind) {
            (Why::NoConfig { .. }, _) => {
                "make one of them from the sample configuration, or name a directory with --config"
            }
            (Why::NoState, _) => "name a directory with --state or PORTCULLIS_STATE_DIR",
            (Why::Exposed, Kind::Program) => {
                "chmod go-w the directory, or name the program in another one"
            }
            (Why::Exposed, _) => "chmod 700 the directory, or name one beneath it",
            (Why::Replaced, _) => "SIGHUP opens every directory anew",
            (Why::NoProgram { .. }, _) => "chmod +x the program",
            (Why::Writable { .. } | Why::Readable { .. }, _) if self.kind.is_secret() => {
                "chmod 600 the file where the gate's user owns it; where root does, give it the gate's group and chmod 440"
            }
            (Why::Writable { .. } | Why::Readable { .. }, _) => "chmod go-w the file",
            (Why::Owner { .. }, _) => {
                "chown the file to the user that the gate runs as, or to root"
            }
            (Why::LeadsOut, _) => "put the file itself there, or a link that stays inside",
            (Why::OtherNames { .. }, _) => "copy the file, so that it has one name",
            (Why::Link, _) => "put the file itself there",
            (Why::Outside | Why::Missing | Why::NoDirectory, Kind::Key | Kind::Certificate) => {
                "keys lie in the directory `keys` of the configuration, or in PORTCULLIS_KEYS_DIR"
            }
            (Why::Missing | Why::NoDirectory | Why::Empty, Kind::Secret) => {
                "set MCP_SSH_SECRET_<NAME>, write the secret to a file of that name in the secrets directory, or name a provider in portcullis.yml"
            }
            (Why::Outside | Why::Missing | Why::NoDirectory, Kind::Plugin) => {
                "plugins lie in the directory `plugins` of the configuration, or in PORTCULLIS_PLUGINS_DIR"
            }
            (Why::Missing | Why::NoDirectory, Kind::KnownHosts) => {
                "set known_hosts_path in policy.yml, or make ~/.ssh/known_hosts"
            }
            _ => "",
        }
    }

    /// The security event, where the fault is one: what an attack or a tampered configuration looks like. It is
    /// the seed system's record; who asked is added by whoever writes it down.
    pub(crate) fn event(&self) -> Option<Value> {
        let (event_type, reason) = self.event_kind()?;
        let now = Zoned::now();
        let mut body = self.why.fields(self.kind);
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("level", json!("error"));
        put("kind", json!("security_audit"));
        put("type", json!("security_event"));
        put("event_type", json!(event_type));
        put(
            "ts",
            json!(now.timestamp().as_microsecond() as f64 / 1_000_000.0),
        );
        put(
            "timestamp",
            json!(now.strftime("%Y-%m-%dT%H:%M:%S%z").to_string()),
        );
        put("attempted_path", json!(self.attempted));
        put("resolved_path", json!(self.resolved));
        put("reason", json!(reason));
        put("base_dir", json!(self.base.display().to_string()));
        if self.kind == Kind::Secret {
            put("secret_name", json!(self.attempted));
        }
        if let Some(unnamed) = &self.unnamed {
            put("length", json!(unnamed.chars));
            put("holds", json!(unnamed.holds));
        }
        Some(Value::Object(body))
    }

    fn event_kind(&self) -> Option<(&'static str, &'static str)> {
        // A secret's name that is a path is an attempt at one, not a slip of the pen.
        if self.kind == Kind::Secret
            && matches!(*self.why, Why::Name(SecretNameFault::Characters))
            && let Some(reason) = self.unnamed.as_ref().and_then(|unnamed| unnamed.leads)
        {
            return Some(("path_traversal_attempt", reason));
        }
        self.why.event(self.kind)
    }
}

impl Unnamed {
    fn of(text: &str) -> Self {
        let leads = if text.contains("..") {
            Some("path_outside_allowed_directory")
        } else if text.starts_with('/') {
            Some("absolute_path_rejected")
        } else {
            None
        };
        let holds = [
            ("blanks", text.contains(char::is_whitespace)),
            ("control", text.contains(char::is_control)),
            ("non_ascii", !text.is_ascii()),
            ("punctuation", text.contains(is_odd)),
        ];
        Self {
            chars: text.chars().count(),
            holds: holds
                .into_iter()
                .filter_map(|(word, held)| held.then_some(word))
                .collect(),
            leads,
        }
    }

    /// Whether the text is a path beyond doubt, so that it can be shown. A slash alone stands in passphrases too.
    fn is_path(&self, text: &str) -> bool {
        self.leads.is_some() && (text.starts_with('/') || text.split('/').any(|step| step == ".."))
    }
}

fn is_odd(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '-' | '_')
}

/// SECURITY: what a configuration names may be of any length and hold anything, such as the key itself
/// where its path belongs.
fn masked(text: &str) -> String {
    static RULES: LazyLock<Redactor> = LazyLock::new(Redactor::default);
    RULES.mask(&text::step(text)).0
}
