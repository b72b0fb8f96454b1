//! Which expressions of the MongoDB shell only look.
//!
//! Must not: understand JavaScript. An expression is a chain of names and of calls that are listed;
//! everything else needs `Execute`.

use super::Effect;
use crate::policy::Capability;

const RUNS: &str = "evaluates an expression that is not known to only read";
/// Functions that print what stands between their brackets.
const PRINTING: &[&str] = &[
    "print(",
    "printjson(",
    "printjsononeline(",
    "JSON.stringify(",
    "EJSON.stringify(",
    "tojson(",
];
/// Methods that look, sorted.
const LOOKING: &[&str] = &[
    "conf",
    "count",
    "countDocuments",
    "currentOp",
    "dataSize",
    "distinct",
    "estimatedDocumentCount",
    "explain",
    "find",
    "findOne",
    "forEach",
    "getCollection",
    "getCollectionInfos",
    "getCollectionNames",
    "getIndexes",
    "getLogComponents",
    "getMongo",
    "getName",
    "getProfilingStatus",
    "getReplicationInfo",
    "getSiblingDB",
    "hello",
    "help",
    "hostInfo",
    "isMaster",
    "limit",
    "pretty",
    "printReplicationInfo",
    "printSecondaryReplicationInfo",
    "printShardingStatus",
    "serverBuildInfo",
    "serverStatus",
    "size",
    "sort",
    "stats",
    "status",
    "storageSize",
    "toArray",
    "totalSize",
    "version",
];
/// Commands of `runCommand` and `adminCommand` that look, sorted.
const COMMANDS: &[&str] = &[
    "buildInfo",
    "collStats",
    "connPoolStats",
    "connectionStatus",
    "currentOp",
    "dbStats",
    "getParameter",
    "hello",
    "hostInfo",
    "isMaster",
    "listCollections",
    "listDatabases",
    "listIndexes",
    "ping",
    "replSetGetStatus",
    "serverStatus",
    "top",
];
/// What the shell shows by a word.
const SHOWN: &[&str] = &[
    "show dbs",
    "show databases",
    "show collections",
    "show tables",
    "show profile",
    "show log global",
    "show logs",
    "db",
];

/// What `text` does.
pub(super) fn scan(text: &str) -> Vec<Effect<'_>> {
    let looks = text
        .split(';')
        .map(str::trim)
        .all(|part| part.is_empty() || SHOWN.contains(&part) || looks(part));
    if looks {
        Vec::new()
    } else {
        vec![Effect::Needs(Capability::Execute, RUNS)]
    }
}

fn looks(part: &str) -> bool {
    let mut part = part;
    // Each round takes off a printing function.
    while let Some(inner) = PRINTING
        .iter()
        .find_map(|head| part.strip_prefix(head)?.strip_suffix(')'))
    {
        part = inner.trim();
    }
    let Some(mut rest) = ["db", "rs", "sh"]
        .iter()
        .find_map(|root| part.strip_prefix(root))
    else {
        return false;
    };
    while !rest.is_empty() {
        let Some(behind) = rest.strip_prefix('.') else {
            return false;
        };
        let end = behind
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$')
            .unwrap_or(behind.len());
        let (name, after) = behind.split_at_checked(end).unwrap_or((behind, ""));
        rest = after;
        if let Some(arguments) = after.strip_prefix('(') {
            let Some((arguments, after)) = arguments.split_once(')') else {
                return false;
            };
            if !is_plain(arguments) || !is_looking(name, arguments) {
                return false;
            }
            rest = after;
        } else if name.is_empty() {
            return false;
        }
    }
    true
}

fn is_looking(name: &str, arguments: &str) -> bool {
    if matches!(name, "runCommand" | "adminCommand") {
        let first: &str = arguments
            .trim_start_matches(['{', ' ', '"', '\''])
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        return COMMANDS.binary_search(&first).is_ok();
    }
    LOOKING.binary_search(&name).is_ok() && (name != "forEach" || arguments == "printjson")
}

/// Whether arguments are values: no call, no function, no operator that runs or writes.
fn is_plain(arguments: &str) -> bool {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ' ' | '_' | ':' | '{' | '}' | '[' | ']' | ',')
            || matches!(c, '"' | '\'' | '.' | '-' | '$' | '@' | '/' | '*' | '+')
    };
    arguments.chars().all(plain)
        && ![
            "$where",
            "$function",
            "$accumulator",
            "$out",
            "$merge",
            "function",
        ]
        .iter()
        .any(|word| arguments.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_is_sorted() {
        assert!(LOOKING.is_sorted());
        assert!(COMMANDS.is_sorted());
    }
}
