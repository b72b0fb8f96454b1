//! A validator that lets a database client read and nothing else.
//!
//! Settings: `{}`, or `{"clients": ["psql", "mysql"]}` for others than the usual ones. A client has to have its SQL on the
//! command line (`-c`, `-e`, `--command=`, `--execute=`), every statement has to begin with a word that reads, and none may
//! hold a word that writes. A client without SQL there would read it from its input, which nobody has judged.
//!
//! LIMIT: a statement is read as words. A function that writes (`SELECT purge()`) is not seen: give the login no right to.

use portcullis_plugin_sdk::{Context, Leaf, Validator, Verdict};

const CLIENTS: [&str; 4] = ["psql", "mysql", "mariadb", "sqlite3"];
/// Options whose value, or the rest of whose word, is SQL.
const OPTIONS: [&str; 2] = ["-c", "-e"];
const LONG_OPTIONS: [&str; 2] = ["--command", "--execute"];
const READS: [&str; 7] = [
    "select", "show", "explain", "describe", "desc", "with", "values",
];
const WRITES: [&str; 22] = [
    "insert", "update", "delete", "merge", "replace", "drop", "alter", "create", "truncate",
    "grant", "revoke", "copy", "call", "do", "into", "analyze", "vacuum", "set", "lock", "load",
    "attach", "exec",
];

#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Settings {
    clients: Option<Vec<String>>,
}

struct SqlReadOnly;

impl Validator for SqlReadOnly {
    fn validate(context: &Context) -> Result<Verdict, String> {
        let settings: Settings = serde_json::from_str(&context.settings).map_err(|fault| {
            format!("settings: expected {{\"clients\": [programs]}}, got: {fault}")
        })?;
        let is_client = |name: &str| match &settings.clients {
            Some(clients) => clients.iter().any(|client| client == name),
            None => CLIENTS.contains(&name),
        };
        for leaf in &context.leaves {
            let program = leaf.program().rsplit('/').next().unwrap_or_default();
            if is_client(program)
                && let Err(why) = judge(leaf, program)
            {
                return Ok(Verdict::objection("not_read_only", &why));
            }
            // `sudo -u postgres psql …`: what a wrapper runs is a client too.
            let wrapped = leaf.argv.iter().skip(1).any(|word| is_client(word));
            if wrapped && !is_client(program) {
                let why = format!("{program} runs a database client; name the client alone.");
                return Ok(Verdict::objection("not_read_only", &why));
            }
        }
        Ok(Verdict::NoObjection)
    }
}

portcullis_plugin_sdk::validator!(SqlReadOnly);

/// Whether every statement of a client's command line reads, or why not.
fn judge(leaf: &Leaf, program: &str) -> Result<(), String> {
    let mut found = 0_u32;
    let mut words = leaf.argv.iter().enumerate().skip(1).peekable();
    while let Some((position, word)) = words.next() {
        let open = |at: usize| {
            leaf.is_open(at).then_some(()).map_or(Ok(()), |()| {
                Err("Only the remote shell knows what the SQL is.".to_owned())
            })
        };
        if OPTIONS.contains(&word.as_str()) || LONG_OPTIONS.contains(&word.as_str()) {
            let (at, sql) = words.next().ok_or("An option for SQL has none.")?;
            open(at)?;
            statements(sql)?;
            found += 1;
        } else if let Some(sql) = joined(word) {
            open(position)?;
            statements(sql)?;
            found += 1;
        } else if program == "sqlite3"
            && !word.starts_with('-')
            && words.peek().is_none()
            && found == 0
            && position > 1
        {
            // `sqlite3 FILE SQL`
            open(position)?;
            statements(word)?;
            found += 1;
        } else if ["-f", "--file", "-i", "--init"]
            .iter()
            .any(|it| word.starts_with(it))
        {
            return Err(format!("{program} would run a file of SQL."));
        }
    }
    if found == 0 {
        return Err(format!("{program} would read SQL that nobody has judged."));
    }
    Ok(())
}

/// The SQL of a word like `-cSELECT 1` or `--command=SELECT 1`.
fn joined(word: &str) -> Option<&str> {
    let long = LONG_OPTIONS.iter();
    let mut long = long.filter_map(|it| word.strip_prefix(it)?.strip_prefix('='));
    let short = OPTIONS.iter();
    let mut short = short.filter_map(|it| word.strip_prefix(it));
    long.next().or_else(|| short.next())
}

fn statements(sql: &str) -> Result<(), String> {
    let sql = sql.to_ascii_lowercase();
    if sql.contains(['\\', '`']) || sql.contains("--") || sql.contains("/*") {
        return Err("The SQL has a client's command or a comment in it.".to_owned());
    }
    let mut some = false;
    for statement in sql.split(';') {
        let mut words = statement
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty());
        let Some(first) = words.next() else {
            continue;
        };
        some = true;
        if !READS.contains(&first) {
            return Err(format!("A statement begins with {first}."));
        }
        if let Some(word) = words.find(|word| WRITES.contains(word)) {
            return Err(format!("A statement has {word} in it."));
        }
    }
    if some {
        Ok(())
    } else {
        Err("There is no statement.".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn objects(argv: &[&str]) -> bool {
        let mut context = Context::of(&["x"], "{}");
        for leaf in &mut context.leaves {
            leaf.argv = argv.iter().map(|word| (*word).to_owned()).collect();
        }
        matches!(
            SqlReadOnly::validate(&context).unwrap(),
            Verdict::Objection(_)
        )
    }

    #[test]
    fn reading_is_let_through() {
        for argv in [
            &["psql", "-c", "SELECT * FROM t WHERE a = 'b'"][..],
            &["psql", "-d", "shop", "--command=select 1; show all;"],
            &["mysql", "-eSHOW TABLES"],
            &["sqlite3", "x.db", "select 1"],
            &["df", "-h"],
        ] {
            assert!(!objects(argv), "{argv:?}");
        }
    }

    #[test]
    fn everything_else_of_a_client_is_objected_to() {
        for argv in [
            &["psql"][..],
            &["psql", "-c"],
            &["psql", "-c", ""],
            &["psql", "-c", "DROP TABLE t"],
            &["psql", "-c", "select 1; delete from t"],
            &[
                "psql",
                "-c",
                "with x as (delete from t returning *) select * from x",
            ],
            &["psql", "-c", "select 1 into outfile 'x'"],
            &["psql", "-c", "select 1 \\! id"],
            &["psql", "-f", "x.sql", "-c", "select 1"],
            &["/usr/bin/psql", "-c", "UPDATE t SET a=1"],
            &["sudo", "psql", "-c", "select 1"],
        ] {
            assert!(objects(argv), "{argv:?}");
        }
    }

    #[test]
    fn sql_that_only_the_shell_knows_is_objected_to() {
        let mut context = Context::of(&["psql -c $query"], "{}");
        for leaf in &mut context.leaves {
            leaf.open_words.push(2);
        }
        let verdict = SqlReadOnly::validate(&context).unwrap();
        assert!(matches!(verdict, Verdict::Objection(_)));
    }
}
