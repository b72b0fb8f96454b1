//! Test vectors of a plugin: questions with the answers that its author expects. They are run by `portcullis
//! plugin test`, and whenever a plugin whose entry names them is loaded.
//!
//! Must not: ask anybody. What comes of a vector is the plugin crate's matter.

use super::plugins::{self, KindWord, LimitKeys, RuntimeWord};
use super::shape::{AnyValue, shape, words};
use super::tree::{At, Fields, Quoting, Reader, Version};
use super::{ConfigFault, PluginKind, PluginLimits, PluginRuntime, VECTORS};
use crate::limits::COMMAND_CHARS_MAX;
use crate::output::Stream;
use crate::request::Alias;

/// Most vectors of one file: they are run at every load.
const VECTORS_MAX: usize = 500;
/// Longest text of one vector, in bytes.
const TEXT_BYTES_MAX: usize = 65_536;
/// Most tags of one vector.
const TAGS_MAX: usize = 32;
/// Latest time of a vector: the year 9999.
const UNIX_TIME_MAX: u64 = 253_402_300_799;

shape! {
    /// `vectors.yaml`: what a plugin is asked and what it has to answer. `portcullis plugin test` runs them on the
    /// production engine; `vectors` in plugins.yml has them run at every load.
    pub(super) struct Keys {
        required {
            /// What the plugin is.
            kind: KindWord,
            /// The vectors; at most 500.
            #[schemars(length(min = 1, max = VECTORS_MAX))]
            vectors: Vec<VectorKeys>,
        }
        optional {
            /// The version of this file's format.
            version: Version,
            /// As in plugins.yml; the defaults of the limits hang on it.
            #[schemars(extend("default" = "native"))]
            runtime: RuntimeWord,
            /// As in plugins.yml.
            limits: Option<LimitKeys>,
            /// The settings that the vectors are written for, as in plugins.yml.
            #[schemars(extend("default" = {}))]
            settings: Option<AnyValue>,
        }
    }
}

shape! {
    /// One question. A validator has `command` and `expect`; a redactor has `text` and either `masked` or `expect:
    /// failed`.
    #[schemars(rename = "Vector")]
    pub(super) struct VectorKeys {
        required {
            /// What it shows, as a sentence.
            #[schemars(length(min = 1))]
            name: String,
        }
        optional {
            /// The command, as an agent would ask for it. It is parsed by the gate, and its effects are read from
            /// the gate's own data.
            #[schemars(length(min = 1))]
            command: Option<String>,
            /// The text of a stream.
            text: Option<String>,
            /// What has to come: for a redactor only `failed`.
            expect: ExpectWord,
            /// The exact code of the objection or failure; any where none is given.
            code: Option<String>,
            /// The stretches that have to be masked, in order, as their texts; none for an empty list.
            masked: Vec<String>,
            /// The host.
            #[schemars(extend("default" = "web1"))]
            alias: String,
            /// The host's tags.
            tags: Vec<String>,
            /// On whose behalf.
            #[schemars(extend("default" = "local:1000"))]
            principal: String,
            /// As whom the command would run on the host.
            login: Option<String>,
            /// Whether nothing would run.
            #[schemars(extend("default" = false))]
            dry_run: bool,
            /// The time of the decision in seconds since 1970; the fact `unix-time`.
            #[schemars(range(min = 0, max = UNIX_TIME_MAX), extend("default" = 0))]
            unix_time: u64,
            /// Which stream the text is of.
            #[schemars(extend("default" = "stdout"))]
            stream: StreamWord,
            /// Settings for this vector in place of the file's.
            settings: Option<AnyValue>,
        }
    }
}

words! { ExpectWord { NoObjection, Objection, RequireApproval, Failed } }
words! { StreamWord { Stdout, Stderr } }

/// A file of vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vectors {
    /// What the plugin is.
    pub kind: PluginKind,
    /// What carries it.
    pub runtime: PluginRuntime,
    /// The limits of each call.
    pub limits: PluginLimits,
    /// The settings that the vectors are written for, as JSON.
    pub settings: String,
    /// The vectors, in file order.
    pub vectors: Vec<Vector>,
}

/// One vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// What it shows.
    pub name: String,
    /// The host.
    pub alias: Alias,
    /// The host's tags.
    pub tags: Vec<String>,
    /// Settings in place of the file's.
    pub settings: Option<String>,
    /// The question and the answer.
    pub asked: Asked,
}

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A validator is asked about a command.
    Command {
        /// The command.
        command: String,
        /// On whose behalf.
        principal: String,
        /// As whom.
        login: Option<String>,
        /// Whether nothing would run.
        dry_run: bool,
        /// Seconds since 1970.
        unix_time: u64,
        /// What has to come.
        expect: Expect,
    },
    /// A redactor is given a text.
    Text {
        /// The text.
        text: String,
        /// Which stream it is of.
        stream: Stream,
        /// The texts that have to be masked, in order; `None` where it has to fail.
        masked: Option<Vec<String>>,
        /// The code of the failure, where one is named.
        code: Option<String>,
    },
}

/// What a validator has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Nothing against it.
    NoObjection,
    /// It must not run; with the code, where one is named.
    Objection(Option<String>),
    /// A human has to approve it first.
    RequireApproval,
    /// It fails; with the code, where one is named.
    Failed(Option<String>),
}

/// Reads vectors.
///
/// # Errors
/// Every fault, with line and column.
pub fn vectors(text: &str) -> Result<Vectors, Vec<ConfigFault>> {
    let mut reader = Reader::new(VECTORS, Quoting::Allowed);
    let node = reader.document(text);
    let read = node.as_ref().and_then(|node| {
        let root = reader.root(node);
        document(&mut reader, &root)
    });
    match read {
        Some(vectors) if reader.faults.is_empty() => Ok(vectors),
        _ => Err(reader.faults),
    }
}

fn document(reader: &mut Reader, root: &At<'_>) -> Option<Vectors> {
    let fields = reader.map(root, Keys::KEYS)?;
    reader.version(&fields);
    let kind = plugins::kind(reader, root, &fields);
    let runtime = plugins::runtime(reader, &fields);
    let (kind, runtime) = (kind?, runtime?);
    let limits = plugins::limits(reader, &fields, kind, runtime);
    let settings = match fields.some("settings") {
        Some(at) => plugins::settings(reader, &at),
        None => Some("{}".to_owned()),
    };
    let list = reader.required_list(root, &fields, "vectors");
    if list.is_empty() || list.len() > VECTORS_MAX {
        let message = format!("expected 1 to {VECTORS_MAX} vectors, got {}", list.len());
        reader.fault(root, message, "");
        return None;
    }
    let vectors = list.iter().map(|at| vector(reader, at, kind));
    let vectors: Vec<Option<Vector>> = vectors.collect();
    Some(Vectors {
        kind,
        runtime,
        limits: limits?,
        settings: settings?,
        vectors: vectors.into_iter().collect::<Option<_>>()?,
    })
}

fn vector(reader: &mut Reader, at: &At<'_>, kind: PluginKind) -> Option<Vector> {
    let fields = reader.map(at, VectorKeys::KEYS)?;
    let (_, name) = reader.required_text(at, &fields, "name")?;
    let alias_text = match fields.get("alias") {
        Some(at) => reader.text(&at)?,
        None => "web1",
    };
    let Ok(alias) = Alias::parse(alias_text) else {
        reader.fault(at, "expected an alias of a host", "");
        return None;
    };
    let tags = match fields.get("tags") {
        Some(at) => texts(reader, &at)?,
        None => Vec::new(),
    };
    if tags.len() > TAGS_MAX {
        reader.fault(at, format!("expected at most {TAGS_MAX} tags"), "");
        return None;
    }
    let settings = match fields.some("settings") {
        Some(at) => Some(plugins::settings(reader, &at)?),
        None => None,
    };
    let asked = match kind {
        PluginKind::Validator => command(reader, at, &fields)?,
        PluginKind::Redactor => stream(reader, at, &fields)?,
    };
    Some(Vector {
        name: name.to_owned(),
        alias,
        tags,
        settings,
        asked,
    })
}

fn code(reader: &mut Reader, fields: &Fields<'_>) -> Option<Option<String>> {
    match fields.some("code") {
        Some(at) => reader.text(&at).map(|text| Some(text.trim().to_owned())),
        None => Some(None),
    }
}

fn command(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>) -> Option<Asked> {
    foreign(reader, fields, &["text", "masked", "stream"], "validator")?;
    let (_, command) = reader.required_text(at, fields, "command")?;
    if command.chars().count() > COMMAND_CHARS_MAX {
        let message = format!("expected at most {COMMAND_CHARS_MAX} characters of command");
        reader.fault(at, message, "");
        return None;
    }
    let Some(expect_at) = fields.get("expect") else {
        reader.missing(at, "expect");
        return None;
    };
    let words = [
        ("no_objection", 0_u8),
        ("objection", 1),
        ("require_approval", 2),
        ("failed", 3),
    ];
    let word = reader.word(&expect_at, &words)?;
    let code = code(reader, fields)?;
    if code.is_some() && !matches!(word, 1 | 3) {
        reader.fault(at, "`code` stands with `objection` or `failed` only", "");
        return None;
    }
    let expect = match word {
        0 => Expect::NoObjection,
        1 => Expect::Objection(code),
        2 => Expect::RequireApproval,
        _ => Expect::Failed(code),
    };
    let principal = match fields.get("principal") {
        Some(at) => reader.text(&at)?.trim(),
        None => "local:1000",
    };
    let login = match fields.some("login") {
        Some(at) => Some(reader.text(&at)?.trim().to_owned()),
        None => None,
    };
    let dry_run = match fields.get("dry_run") {
        Some(at) => reader.boolean(&at)?,
        None => false,
    };
    let unix_time = match fields.get("unix_time") {
        Some(at) => reader.number(&at, 0, UNIX_TIME_MAX)?,
        None => 0,
    };
    Some(Asked::Command {
        command: command.to_owned(),
        principal: principal.to_owned(),
        login,
        dry_run,
        unix_time,
        expect,
    })
}

fn stream(reader: &mut Reader, at: &At<'_>, fields: &Fields<'_>) -> Option<Asked> {
    let others = ["command", "principal", "login", "dry_run", "unix_time"];
    foreign(reader, fields, &others, "redactor")?;
    let Some(text_at) = fields.get("text") else {
        reader.missing(at, "text");
        return None;
    };
    let text = reader.text(&text_at)?;
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("expected at most {TEXT_BYTES_MAX} bytes of text");
        reader.fault(&text_at, message, "");
        return None;
    }
    let which = match fields.get("stream") {
        Some(at) => reader.word(
            &at,
            &[("stdout", Stream::Stdout), ("stderr", Stream::Stderr)],
        )?,
        None => Stream::Stdout,
    };
    let masked = match (fields.get("masked"), fields.get("expect")) {
        (Some(at), None) => Some(texts(reader, &at)?),
        (None, Some(at)) => {
            reader.word(&at, &[("failed", ())])?;
            None
        }
        _ => {
            reader.fault(at, "expected either `masked` or `expect: failed`", "");
            return None;
        }
    };
    Some(Asked::Text {
        text: text.to_owned(),
        stream: which,
        masked,
        code: code(reader, fields)?,
    })
}

/// Keys that say something to the other kind only; read and not used, they would be a test that tests nothing.
fn foreign(reader: &mut Reader, fields: &Fields<'_>, keys: &[&str], kind: &str) -> Option<()> {
    let found = keys.iter().find_map(|key| Some((key, fields.get(key)?)));
    match found {
        Some((key, at)) => {
            reader.fault(&at, format!("`{key}` says nothing to a {kind}"), "");
            None
        }
        None => Some(()),
    }
}

fn texts(reader: &mut Reader, at: &At<'_>) -> Option<Vec<String>> {
    let list = reader.list(at)?;
    let texts = list.iter().map(|at| reader.text(at).map(str::to_owned));
    let texts: Vec<Option<String>> = texts.collect();
    texts.into_iter().collect()
}
