//! Secrets in command lines: programs whose short flags hold a password, passwords piped into a
//! program, passwords that are a program's plain arguments. Long flags with a telling name are settings
//! like any other.

use super::source::{Found, Source, is_blank, is_word};
use super::values::{self, Form, Value, Written};

/// How much of a line is read as a command, in bytes.
const LINE_BYTES_MAX: usize = 4_096;
/// Most words of one line that are read.
const WORDS_MAX: usize = 512;

/// What a flag's word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// The secret.
    Secret,
    /// `user:secret`.
    AfterColon,
    /// `user%secret`.
    AfterPercent,
    /// `pass:secret`, as OpenSSL takes it.
    PassSource,
}

/// How a flag's word is tied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tied {
    /// In the same word only.
    Within,
    /// In the next word only.
    Next,
    /// Either.
    Either,
}

/// Programs, the word that must stand in the line (if any), a flag, how and what it holds.
type Rule = (
    &'static [&'static str],
    &'static str,
    &'static str,
    Tied,
    Holds,
);

const MYSQL: &[&str] = &[
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mysqlimport",
    "mysqlshow",
    "mysqlcheck",
    "mysqlsh",
    "mycli",
    "mariadb",
    "mariadb-dump",
    "mariadb-admin",
    "xtrabackup",
    "mariabackup",
];
const MONGO: &[&str] = &[
    "mongo",
    "mongosh",
    "mongodump",
    "mongorestore",
    "mongoexport",
    "mongoimport",
    "mongostat",
];
const LDAP: &[&str] = &[
    "ldapsearch",
    "ldapmodify",
    "ldapadd",
    "ldapdelete",
    "ldapwhoami",
    "ldappasswd",
    "ldapcompare",
];
const REGISTRY: &[&str] = &[
    "docker", "podman", "nerdctl", "buildah", "skopeo", "oras", "crane", "helm", "oc", "cf", "az",
    "regctl", "heroku",
];
const FETCH: &[&str] = &["curl", "http", "https", "xh", "curlie"];
const SNMP: &[&str] = &[
    "snmpwalk",
    "snmpget",
    "snmpset",
    "snmpbulkwalk",
    "snmpbulkget",
    "snmpgetnext",
    "snmptrap",
    "snmptable",
];
const SAMBA: &[&str] = &[
    "smbclient",
    "rpcclient",
    "smbget",
    "smbcacls",
    "wmic",
    "winexe",
];
const ARCHIVE: &[&str] = &["7z", "7za", "7zz", "7zr", "rar", "unrar"];

#[rustfmt::skip]
const RULES: &[Rule] = &[
    (MYSQL, "", "-p", Tied::Within, Holds::Secret),
    (&["sshpass"], "", "-p", Tied::Either, Holds::Secret),
    (REGISTRY, "login", "-p", Tied::Either, Holds::Secret),
    (&["redis-cli", "valkey-cli", "keydb-cli"], "", "-a", Tied::Next, Holds::Secret),
    (FETCH, "", "-u", Tied::Either, Holds::AfterColon), (FETCH, "", "-U", Tied::Either, Holds::AfterColon),
    (FETCH, "", "--user", Tied::Either, Holds::AfterColon), (FETCH, "", "--proxy-user", Tied::Either, Holds::AfterColon),
    (&["http", "https", "xh"], "", "-a", Tied::Next, Holds::AfterColon), (&["http", "https", "xh"], "", "--auth", Tied::Either, Holds::AfterColon),
    (MONGO, "", "-p", Tied::Either, Holds::Secret), (LDAP, "", "-w", Tied::Either, Holds::Secret),
    (&["ldappasswd"], "", "-s", Tied::Next, Holds::Secret), (&["ldappasswd"], "", "-a", Tied::Next, Holds::Secret),
    (SAMBA, "", "-U", Tied::Either, Holds::AfterPercent), (SAMBA, "", "--user", Tied::Either, Holds::AfterPercent),
    (SNMP, "", "-c", Tied::Either, Holds::Secret), (SNMP, "", "-A", Tied::Next, Holds::Secret), (SNMP, "", "-X", Tied::Next, Holds::Secret),
    (&["ipmitool", "mosquitto_pub", "mosquitto_sub", "sqlcmd", "bcp", "isql"], "", "-P", Tied::Either, Holds::Secret),
    (&["zip", "unzip"], "", "-P", Tied::Either, Holds::Secret), (ARCHIVE, "", "-p", Tied::Within, Holds::Secret), (ARCHIVE, "", "-hp", Tied::Within, Holds::Secret),
    (&["openssl"], "", "-passin", Tied::Next, Holds::PassSource), (&["openssl"], "", "-passout", Tied::Next, Holds::PassSource), (&["openssl"], "", "-pass", Tied::Next, Holds::PassSource),
    (&["openssl"], "enc", "-k", Tied::Next, Holds::Secret), (&["openssl"], "enc", "-K", Tied::Next, Holds::Secret),
    (&["cqlsh", "influx", "arangosh", "couchbase-cli", "rclone", "tabcmd", "vncpasswd", "plink", "pscp", "psftp", "jfrog", "jf"], "", "-p", Tied::Next, Holds::Secret),
    (&["plink", "pscp", "psftp", "putty"], "", "-pw", Tied::Next, Holds::Secret), (&["useradd", "usermod"], "", "-p", Tied::Next, Holds::Secret),
    (&["xfreerdp", "xfreerdp3", "wfreerdp"], "", "/p:", Tied::Within, Holds::Secret), (&["rdesktop"], "", "-p", Tied::Next, Holds::Secret),
    (&["ncftpget", "ncftpput", "ncftp", "lftp"], "", "-p", Tied::Next, Holds::Secret), (&["lftp"], "", "-u", Tied::Next, Holds::AfterColon),
    (&["kadmin", "kadmin.local"], "", "-w", Tied::Next, Holds::Secret), (&["kadmin", "kadmin.local"], "", "-pw", Tied::Next, Holds::Secret),
    (&["smbpasswd", "pdbedit"], "", "-w", Tied::Next, Holds::Secret), (&["ssh-keygen"], "", "-N", Tied::Next, Holds::Secret), (&["ssh-keygen"], "", "-P", Tied::Next, Holds::Secret),
    (&["nmcli"], "", "password", Tied::Next, Holds::Secret), (&["wpa_passphrase"], "", "", Tied::Next, Holds::Secret),
    (&["ansible-vault", "gpg", "gpg2"], "", "--passphrase", Tied::Either, Holds::Secret), (&["tailscale"], "", "--auth-key", Tied::Either, Holds::Secret),
];

/// Programs whose password is an ordinary word: the program, the word before, and which word it is
/// after that.
#[rustfmt::skip]
const POSITIONS: &[(&str, &str, usize)] = &[
    ("rabbitmqctl", "add_user", 2), ("rabbitmqctl", "change_password", 2), ("rabbitmqctl", "authenticate_user", 2), ("vault", "login", 1),
    ("net", "user", 2), ("mc", "set", 4), ("wpa_passphrase", "wpa_passphrase", 2), ("htdigest", "-c", 4), ("etcdctl", "passwd", 2),
];

/// The words that take a password from a pipe.
const PIPED: &[&str] = &[
    "--password-stdin",
    "--stdin",
    "--passphrase-fd",
    "chpasswd",
    "--with-token",
    "kinit",
    "-S",
    "cryptsetup",
    "smbpasswd",
    "ecryptfs-add-passphrase",
];

/// The literals by which command lines are found.
pub(super) fn starts() -> Vec<String> {
    let programs = RULES.iter().flat_map(|rule| rule.0.iter().copied());
    let positions = POSITIONS.iter().map(|rule| rule.0);
    let mut starts: Vec<String> = programs
        .chain(positions)
        .chain(["htpasswd", "net"])
        .map(|program| format!("{program} "))
        .collect();
    starts.extend(["echo ", "printf ", "<<<"].map(str::to_owned));
    starts.sort();
    starts.dedup();
    starts
}

/// One word of a command line: its place without quotes.
#[derive(Debug, Clone, Copy)]
struct Word {
    start: usize,
    end: usize,
}

/// Reads the rest of the line from `start` as commands. Returns how far it read.
pub(super) fn line(source: Source<'_>, start: usize, found: &mut Vec<Found>) -> usize {
    let before = source.before(start);
    if is_word(before) || matches!(before, b'-' | b'.') {
        return start + 1;
    }
    let end = source.line_end(start, LINE_BYTES_MAX);
    // A here-string stands after the command that reads it.
    let start = if source.has(start, "<<<") {
        source.line_start(start, LINE_BYTES_MAX)
    } else {
        start
    };
    let words = split(source, start, end);
    let mut program = 0;
    let mut echoed: Option<usize> = None;
    for index in 0..words.len() {
        let Some(word) = words.get(index).copied() else {
            break;
        };
        let text = source.str(word.start, word.end);
        let name = text.rsplit('/').next().unwrap_or(text);
        if matches!(name, "echo" | "printf") {
            echoed = Some(index);
        }
        if RULES.iter().any(|rule| rule.0.contains(&name))
            || POSITIONS.iter().any(|rule| rule.0 == name)
            || name == "htpasswd"
        {
            program = index;
        }
        flag(source, &words, program, index, found);
        position(source, &words, program, index, found);
        if let Some(first) = echoed.filter(|_| PIPED.contains(&name)) {
            // One reader is enough: a line full of them would find each word again for each.
            echoed = None;
            piped(source, &words, first, name, found);
        }
        if text.starts_with("<<<") {
            here_string(source, &words, index, found);
        }
    }
    end
}

/// The words of a line. Quotes hold a word together; pipes and semicolons are words of their own.
fn split(source: Source<'_>, start: usize, end: usize) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = start;
    while at < end && words.len() < WORDS_MAX {
        at = source.run(at, end - at, is_blank);
        if at >= end {
            break;
        }
        if matches!(source.at(at), b'|' | b';' | b'&') {
            words.push(Word {
                start: at,
                end: at + 1,
            });
            at += 1;
            continue;
        }
        let word = match values::quoted(source, at) {
            Some(value) => {
                at = value.end.min(end) + 1;
                Word {
                    start: value.start,
                    end: value.end.min(end),
                }
            }
            None => {
                let stop = source.run(at, end - at, |byte| {
                    !is_blank(byte) && !matches!(byte, b'|' | b'"' | b'\'')
                });
                let from = at;
                at = stop.max(from + 1);
                Word {
                    start: from,
                    end: stop,
                }
            }
        };
        words.push(word);
    }
    words
}

fn flag(source: Source<'_>, words: &[Word], program: usize, index: usize, found: &mut Vec<Found>) {
    let text = |at: usize| {
        words
            .get(at)
            .map_or("", |word| source.str(word.start, word.end))
    };
    let name = text(program).rsplit('/').next().unwrap_or_default();
    let word = text(index);
    for (_, needs, flag, tied, holds) in RULES.iter().filter(|rule| rule.0.contains(&name)) {
        let needed = needs.is_empty() || (program..index).any(|at| text(at) == *needs);
        if index <= program || !needed || flag.is_empty() || !word.starts_with(flag) {
            continue;
        }
        let Some(here) = words.get(index) else { return };
        let rest = source.run(here.start + flag.len(), 1, |byte| byte == b'=');
        let held = if word.len() > flag.len() {
            // `--user=x` and `-px` are values; `--username` is another flag.
            let joined = !flag.starts_with("--") || rest > here.start + flag.len();
            (*tied != Tied::Next && joined).then_some(Word {
                start: rest,
                end: here.end,
            })
        } else if *tied != Tied::Within {
            words.get(index + 1).copied()
        } else {
            // The shell joins `-p` and a quoted word that follows without a blank.
            words
                .get(index + 1)
                .copied()
                .filter(|next| next.start == here.end + 1)
        };
        if let Some(held) = held {
            found.extend(secret(source, held, *holds));
        }
    }
}

fn secret(source: Source<'_>, word: Word, holds: Holds) -> Option<Found> {
    let text = source.str(word.start, word.end);
    let from = match holds {
        Holds::Secret => 0,
        Holds::AfterColon => text.find([':', ','])? + 1,
        Holds::AfterPercent => text.find('%')? + 1,
        Holds::PassSource => text.strip_prefix("pass:").map(|_| 5)?,
    };
    let value = Value {
        start: word.start + from,
        end: word.end,
        form: Form::Quoted,
    };
    let next_flag = holds == Holds::Secret && text.starts_with('-');
    if next_flag
        || value.end - value.start < 3
        || values::is_placeholder(source, value, Written::Environment)
    {
        return None;
    }
    Found::new(value.start, value.end, "password")
}

fn position(
    source: Source<'_>,
    words: &[Word],
    program: usize,
    index: usize,
    found: &mut Vec<Found>,
) {
    let text = |at: usize| {
        words
            .get(at)
            .map_or("", |word| source.str(word.start, word.end))
    };
    let name = text(program).rsplit('/').next().unwrap_or_default();
    for (owner, before, after) in POSITIONS {
        let fits = name == *owner && text(index) == *before;
        if fits
            && (index > program || owner == before)
            && let Some(word) = words.get(index + after)
        {
            found.extend(secret(source, *word, Holds::Secret));
        }
    }
    // `htpasswd -b file user password`: the last word of its command.
    if name == "htpasswd"
        && index > program
        && text(index).starts_with('-')
        && text(index).contains('b')
    {
        let last = (index..words.len())
            .take_while(|at| !matches!(text(*at), "|" | ";" | "&"))
            .last();
        if let Some(word) = last
            .filter(|last| *last > index + 1)
            .and_then(|last| words.get(last))
        {
            found.extend(secret(source, *word, Holds::Secret));
        }
    }
}

/// The words of an `echo` whose output a program reads as a password.
fn piped(source: Source<'_>, words: &[Word], echo: usize, consumer: &str, found: &mut Vec<Found>) {
    let holds = if consumer == "chpasswd" {
        Holds::AfterColon
    } else {
        Holds::Secret
    };
    for word in words.iter().skip(echo + 1) {
        let text = source.str(word.start, word.end);
        if text == "|" {
            return;
        }
        if !text.starts_with('-') && text != "%s" {
            found.extend(secret(source, *word, holds));
        }
    }
}

/// `<<< word` after a program that reads a password.
fn here_string(source: Source<'_>, words: &[Word], index: usize, found: &mut Vec<Found>) {
    let reads = words
        .iter()
        .take(index)
        .any(|word| PIPED.contains(&source.str(word.start, word.end)));
    if reads && let Some(word) = words.get(index + 1) {
        found.extend(secret(source, *word, Holds::Secret));
    }
}
