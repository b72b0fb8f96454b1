//! What a text for `psql`, `mysql` or `sqlite3` does: statements, and the commands of the client itself.
//!
//! A text is cut at every `;`, also within quotes: so each statement begins at the beginning of a
//! piece, and a piece that begins with nothing known to read is not a reader.
//!
//! Must not: parse SQL. LIMIT: a function that the database's owner wrote may do anything; functions
//! count only if they are known to do more than read.

use super::super::model::Language;
use super::Effect;
use crate::policy::Capability;

const RUNS: &str = "can run a program through the database's client or server";
const WRITES: &str = "has a statement that is not known to only read";
const SHOWS: &str = "reads files of the server, or what it keeps of passwords";

/// What a statement that only reads begins with.
const READING: &[&str] = &[
    "abort", "begin", "commit", "desc", "describe", "end", "explain", "fetch", "help", "pragma",
    "rollback", "select", "show", "start", "status", "table", "use", "values", "with",
];
/// What makes a `with`, an `explain` or a `table` more than a reader, wherever it stands.
const CHANGING: &[&str] = &[
    "alter", "analyse", "analyze", "call", "copy", "create", "delete", "do", "drop", "execute",
    "grant", "insert", "into", "load", "merge", "replace", "revoke", "truncate", "update",
    "vacuum",
];
/// Functions that change something, sorted.
const CHANGING_FUNCTIONS: &[&str] = &[
    "benchmark",
    "cursor_to_xml",
    "edit",
    "fts3_tokenizer",
    "get_lock",
    "load_extension",
    "nextval",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "release_all_locks",
    "release_lock",
    "set_config",
    "setval",
    "sys_eval",
    "sys_exec",
    "table_to_xml",
    "writefile",
    "xp_cmdshell",
];
/// Functions and tables that show what is secret, sorted.
const SHOWING: &[&str] = &[
    "authentication_string",
    "fsdir",
    "load_file",
    "pg_authid",
    "pg_hba_file_rules",
    "pg_ls_dir",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_shadow",
    "pg_stat_file",
    "pg_user_mapping",
    "pg_user_mappings",
    "readfile",
    "user_mapping_options",
];
/// Functions of PostgreSQL that read, by how their names begin.
const READING_PG: &[&str] = &[
    "pg_backend_pid",
    "pg_blocking_pids",
    "pg_char_to_encoding",
    "pg_collation_for",
    "pg_column_",
    "pg_conf_load_time",
    "pg_control_",
    "pg_current_",
    "pg_database_",
    "pg_encoding_to_char",
    "pg_function_is_visible",
    "pg_get_",
    "pg_has_role",
    "pg_index_",
    "pg_indexes_size",
    "pg_is_",
    "pg_jit_available",
    "pg_last_",
    "pg_lock_status",
    "pg_postmaster_start_time",
    "pg_relation_",
    "pg_show_all_settings",
    "pg_size_",
    "pg_sleep",
    "pg_stat_get_",
    "pg_table_",
    "pg_tablespace_",
    "pg_total_relation_size",
    "pg_type_is_visible",
    "pg_typeof",
    "pg_wal_lsn_diff",
    "pg_walfile_name",
    "pg_xact_",
];
/// What `psql` does for `\` and one of these words, besides `\d` and its like.
const READING_PSQL: &[&str] = &[
    "?",
    "a",
    "conninfo",
    "crosstabview",
    "dconfig",
    "echo",
    "encoding",
    "errverbose",
    "gdesc",
    "gx",
    "h",
    "help",
    "l",
    "l+",
    "list",
    "list+",
    "pset",
    "q",
    "qecho",
    "quit",
    "sf",
    "sf+",
    "sv",
    "sv+",
    "t",
    "timing",
    "warn",
    "watch",
    "x",
    "z",
];
/// The same behind statements: what of it would run or write.
const ACTING_PSQL: &[&str] = &[
    "c",
    "cd",
    "connect",
    "copy",
    "e",
    "edit",
    "ef",
    "ev",
    "g",
    "gexec",
    "getenv",
    "gset",
    "i",
    "include",
    "include_relative",
    "ir",
    "lo_export",
    "lo_import",
    "lo_unlink",
    "o",
    "out",
    "password",
    "prompt",
    "restrict",
    "s",
    "set",
    "setenv",
    "w",
    "write",
];
/// The commands of `sqlite3` that look.
const READING_SQLITE: &[&str] = &[
    "bail",
    "changes",
    "databases",
    "dbconfig",
    "dbinfo",
    "dump",
    "echo",
    "eqp",
    "exit",
    "explain",
    "headers",
    "header",
    "help",
    "indexes",
    "indices",
    "limit",
    "lint",
    "mode",
    "nullvalue",
    "print",
    "quit",
    "schema",
    "separator",
    "sha3sum",
    "show",
    "stats",
    "tables",
    "timeout",
    "timer",
    "version",
    "width",
];
/// What `PRAGMA` shows.
const READING_PRAGMA: &[&str] = &[
    "collation_list",
    "compile_options",
    "database_list",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "journal_mode",
    "page_count",
    "page_size",
    "quick_check",
    "schema_version",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];
/// The words with which a line is for the client `mysql` itself.
const ACTING_MYSQL: &[&str] = &[
    "connect",
    "delimiter",
    "edit",
    "nopager",
    "notee",
    "pager",
    "source",
    "system",
    "tee",
];

/// What `text` does for a client.
pub(super) fn scan(language: Language, text: &str) -> Vec<Effect<'_>> {
    // Names are compared in small letters; the effects hold no part of the text.
    let lowered = text.to_ascii_lowercase();
    let mut effects = Vec::new();
    let mut add = |capability: Capability, why: &'static str| {
        let effect = Effect::Needs(capability, why);
        if !effects.contains(&effect) {
            effects.push(effect);
        }
    };
    match language {
        Language::Psql => psql(&lowered, &mut add),
        Language::Mysql => mysql(&lowered, &mut add),
        _ => sqlite(&lowered, &mut add),
    }
    functions(&lowered, &mut add);
    effects
}

type Add<'a> = dyn FnMut(Capability, &'static str) + 'a;

fn psql(text: &str, add: &mut Add<'_>) {
    if text.contains('`') {
        add(Capability::Execute, RUNS);
    }
    let is_command = text.trim_start().starts_with('\\');
    for (at, _) in text.match_indices('\\') {
        let word = text.get(at + 1..).unwrap_or_default();
        let end = word
            .find(|c: char| c.is_whitespace() || c == '\\' || c == '\'' || c == '"' || c == ';')
            .unwrap_or(word.len());
        let word = word.get(..end).unwrap_or_default();
        let acts = word.starts_with(['!', 'o', '|', 'w'])
            || ACTING_PSQL.contains(&word)
            || word.starts_with("lo_");
        let describes = word.starts_with('d')
            && word.len() <= 6
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '+');
        if acts || is_command && !describes && !READING_PSQL.contains(&word) && word != "watch" {
            add(Capability::Execute, RUNS);
        }
    }
    if !is_command {
        text.split(';').for_each(|piece| statement(piece, add));
    }
}

fn mysql(text: &str, add: &mut Add<'_>) {
    for line in text.split(['\n', ';']) {
        if ACTING_MYSQL.contains(&first_word(line)) {
            add(Capability::Execute, RUNS);
        }
    }
    // SECURITY: a comment that the server runs, and one that hides from this scanner what follows.
    if text.contains("/*!") || text.contains("/*m!") {
        add(Capability::Write, WRITES);
    }
    let mut rest = text;
    let mut pieces = rest;
    while let Some(at) = rest.find('\\') {
        let behind = rest.get(at + 1..).unwrap_or_default();
        if !behind.starts_with('g') {
            add(Capability::Execute, RUNS);
        }
        let whole = pieces.len() - rest.len() + at;
        let (piece, _) = pieces.split_at_checked(whole).unwrap_or((pieces, ""));
        piece.split(';').for_each(|piece| statement(piece, add));
        rest = behind.strip_prefix('g').unwrap_or(behind);
        pieces = rest;
    }
    pieces.split(';').for_each(|piece| statement(piece, add));
}

fn sqlite(text: &str, add: &mut Add<'_>) {
    for line in text.lines().map(str::trim_start) {
        if let Some(command) = line.strip_prefix('.') {
            let word = command.split_whitespace().next().unwrap_or_default();
            if !READING_SQLITE.contains(&word) || command.contains('|') {
                add(Capability::Execute, RUNS);
            }
        }
    }
    for piece in text.split(';') {
        if !piece.trim_start().starts_with('.') {
            statement(piece, add);
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_name(c)).filter(|word| !word.is_empty())
}

/// The word that a text begins with, brackets left out; empty where something else stands first.
fn first_word(text: &str) -> &str {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn statement(piece: &str, add: &mut Add<'_>) {
    if piece.trim().is_empty() {
        return;
    }
    let first = first_word(piece);
    let reads = match first {
        "pragma" => {
            let name = words(piece).nth(1).unwrap_or_default();
            !piece.contains('=') && !piece.contains('.') && READING_PRAGMA.contains(&name)
        }
        // A statement that locks or writes to a file says so by a word of its own.
        "select" | "show" | "values" => {
            let mut before = "";
            words(piece).all(|word| {
                let locks = matches!((before, word), ("for", "update" | "share"));
                before = word;
                word != "into" && !locks
            })
        }
        "explain" | "with" | "table" => {
            let plan = |word: &str| first == "explain" && matches!(word, "analyze" | "analyse");
            words(piece).all(|word| !CHANGING.contains(&word) || plan(word))
        }
        _ => READING.contains(&first),
    };
    if !reads {
        if words(piece).any(|word| word == "program") {
            add(Capability::Execute, RUNS);
        }
        add(Capability::Write, WRITES);
    }
}

fn functions(text: &str, add: &mut Add<'_>) {
    // SECURITY: a name may be spelled with escapes, and then no list finds it.
    if text.contains("u&") {
        add(Capability::Execute, RUNS);
    }
    if text.contains('*') && text.contains("mysql.user") || text.contains("mysql`.`user") {
        add(Capability::Secret, SHOWS);
    }
    let mut rest = text;
    // Each round passes a word and what stands before it.
    while let Some(start) = rest.find(is_name) {
        let from = rest.get(start..).unwrap_or_default();
        let end = from.find(|c| !is_name(c)).unwrap_or(from.len());
        let (word, behind) = from.split_at_checked(end).unwrap_or((from, ""));
        rest = behind;
        if SHOWING.binary_search(&word).is_ok() {
            add(Capability::Secret, SHOWS);
        }
        if CHANGING_FUNCTIONS.binary_search(&word).is_ok()
            || word.starts_with("dblink")
            || word.starts_with("lo_")
            || word.starts_with("pg_") && calls(behind) && !reads(word)
        {
            add(Capability::Write, WRITES);
        }
    }
}

fn reads(function: &str) -> bool {
    READING_PG.iter().any(|head| function.starts_with(head))
}

/// Whether a call follows, once a quote that closes the name is passed. A comment may stand between.
fn calls(behind: &str) -> bool {
    let behind = behind.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
    behind.starts_with(['(', '-', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_is_sorted() {
        assert!(CHANGING_FUNCTIONS.is_sorted());
        assert!(SHOWING.is_sorted());
    }
}
