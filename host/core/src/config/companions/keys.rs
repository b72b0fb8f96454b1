//! The keys of `companions.yml`.
//!
//! Must not: read values.

use super::entry::{
    ARGS_MAX, CONCURRENCY_DEFAULT, CONCURRENCY_MAX, RESTARTS_DEFAULT, RESTARTS_MAX,
    TIMEOUT_SECONDS_DEFAULT, TIMEOUT_SECONDS_MAX,
};
use super::tools::TOOLS_MAX;
use super::{COMPANIONS_MAX, EffectWord};
use crate::config::shape::{shape, words};
use crate::config::tree::Version;
use std::collections::BTreeMap;

words! { TransportWord { Stdio, Http } }

shape! {
    /// `companions.yml`: other MCP servers whose tools workflows may call, and what is known of those tools. The
    /// file is read and checked; nothing calls a companion in this version.
    pub(in crate::config) struct Keys {
        required {
            /// The companions; at most 32.
            #[schemars(length(max = COMPANIONS_MAX))]
            companions: Vec<CompanionKeys>,
        }
        optional {
            /// The version of this file's format.
            version: Version,
        }
    }
}

shape! {
    /// One companion. `command` stands with the transport `stdio`, `url` with `http`.
    #[schemars(rename = "Companion")]
    pub(super) struct CompanionKeys {
        required {
            /// Its name in workflows and records: a lower-case letter, then lower-case letters, digits, `-`, `_`; at
            /// most 64. Unique.
            #[schemars(regex(pattern = r"^\s*[a-z][a-z0-9_-]{0,63}\s*$"))]
            name: String,
            /// How it is reached: as a child process, or over HTTP.
            transport: TransportWord,
        }
        optional {
            /// What it is, for people; at most 500 characters on one line. Default: empty.
            description: Option<String>,
            /// The program, an absolute path without `..`. It is started with the variables of `env` and `secrets` and
            /// no others.
            command: Option<String>,
            /// Its arguments; at most 64. No shell reads them. Default: none.
            #[schemars(length(max = ARGS_MAX))]
            args: Vec<String>,
            /// Variables with plain values. No secrets: they belong under `secrets`. Default: none.
            env: BTreeMap<String, String>,
            /// Variables whose values are secrets, with the secrets' names; the secrets are looked up as those of
            /// credentials.yml are. Default: none.
            secrets: BTreeMap<String, String>,
            /// The address, `https://…`, or `http://` on loopback; without a user, a password or a fragment.
            url: Option<String>,
            /// The name of the secret with the bearer token. Default: none.
            token_secret: Option<String>,
            /// Time for one call, in seconds. Raise it for tools that wait for something.
            #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX), extend("default" = TIMEOUT_SECONDS_DEFAULT))]
            timeout_seconds: u64,
            /// Most calls under way at once. Lower it for a companion that does one thing at a time.
            #[schemars(range(min = 1, max = CONCURRENCY_MAX), extend("default" = CONCURRENCY_DEFAULT))]
            concurrency_max: u64,
            /// Most restarts without a time of quiet between them before the companion is left alone.
            #[schemars(range(max = RESTARTS_MAX), extend("default" = RESTARTS_DEFAULT))]
            restarts_max: u64,
            /// What is known of its tools; at most 512. A tool that does not stand here is destructive, whatever it is
            /// called and whatever the companion says of it. Default: none.
            #[schemars(length(max = TOOLS_MAX))]
            tools: Vec<ToolKeys>,
        }
    }
}

shape! {
    /// What is known of one tool.
    #[schemars(rename = "Tool")]
    pub(super) struct ToolKeys {
        required {
            /// Its name as the companion lists it; letters, digits, `_`, `-`, `.`, `/`, at most 128. Unique within the
            /// companion.
            #[schemars(regex(pattern = r"^\s*[A-Za-z0-9_./-]{1,128}\s*$"))]
            name: String,
        }
        optional {
            /// What a call does. The more severe of this and of what the companion says holds.
            #[schemars(extend("default" = "destructive"))]
            effect: EffectWord,
            /// SHA-256 of its definition, 64 hex digits in quotes. Where the companion lists another definition the
            /// tool is not called. Default: pinned when a workflow is planned.
            #[schemars(regex(pattern = r"^\s*[0-9A-Fa-f]{64}\s*$"))]
            sha256: Option<String>,
            /// Whether a second call with the same parameters changes nothing more; only then is a call that may have
            /// been made made again.
            #[schemars(extend("default" = false))]
            idempotent: bool,
            /// The tool of this companion that undoes a call. Default: none.
            undo: Option<String>,
            /// The tool of this companion that tells whether a call was applied; its effect is `read`. Default: none.
            probe: Option<String>,
        }
    }
}
