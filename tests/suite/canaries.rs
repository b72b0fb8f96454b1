//! Where secrets come from and where they must not go: values of every kind pass through runs that succeed and
//! runs that fail against a real sshd, and afterwards no byte of them is found in anything that the gate wrote.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use portcullis_tests::sshd::{GateFolder, Sshd, user};
use portcullis_tests::stdio::{bytes_below, call, serve};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Sources of secrets, each with the value that it gives.
const SOURCES: [(&str, &str); 4] = [
    ("variable", "Canary-Env-q7Zt2mWx9bLr"),
    ("dotenv", "Canary-Dot-h4Kp8vNy3sFd"),
    ("file", "Canary-Fil-u6Jc1gTq5wRz"),
    ("program", "Canary-Exe-e2Bn7xHk9dVs"),
];
/// What stands in the secrets that are wrong or never needed.
const WRONG: &str = "Canary-Bad-y5Mf3pLg8cQj";
const PASSWORD: &str = "Canary-Pwd-a9Xr4zSk6nUe";

/// Characters in a line of a private key's file.
const LINE_CHARS: usize = 70;

struct Stage {
    server: Sshd,
    gate: GateFolder,
    /// Where the provider writes what it sees.
    seen: PathBuf,
}

fn private(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A key that a passphrase opens, let in by the server.
fn key(server: &Sshd, path: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        // One round: the time that it takes to try passphrases is not what is tested.
        .args([
            "-q", "-t", "ed25519", "-a", "1", "-C", "canary", "-N", passphrase, "-f",
        ])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    let authorized = server.key().with_file_name("authorized_keys");
    let all = fs::read_to_string(&authorized).unwrap() + &public;
    fs::write(authorized, all).unwrap();
}

/// A host for each source of a passphrase, one for a key without any, and some that fail.
fn stage() -> Stage {
    let server = Sshd::start();
    let plain = fs::read(server.key()).unwrap();
    let gate = GateFolder::new(server.port(), &user(), &plain, &server.known_host());
    let config = gate.config();
    let (keys, secrets) = (config.join("keys"), config.join("secrets"));
    let seen = gate.state().with_file_name("seen");

    let mut hosts = String::from("hosts:\n");
    let mut entries = String::from("entries:\n");
    let mut host = |alias: &str, key: &str, secret: &str| {
        hosts.push_str(&format!(
            "  - {{alias: {alias}, host: 127.0.0.1, port: {}, credentials: {alias}}}\n",
            server.port()
        ));
        entries.push_str(&format!(
            "  - {{name: {alias}, username: {}, key_path: {key}, password_secret: password{secret}}}\n",
            user()
        ));
    };
    for (source, value) in SOURCES {
        self::key(&server, &keys.join(source), value);
        host(
            source,
            source,
            &format!(", key_passphrase_secret: canary-{source}"),
        );
    }
    host("plain", "id_ed25519", "");
    host("wrong-passphrase", "file", ", key_passphrase_secret: wrong");
    host("missing-secret", "file", ", key_passphrase_secret: none");
    host(
        "failing-program",
        "file",
        ", key_passphrase_secret: failing",
    );
    host("no-passphrase", "file", "");
    host("no-key", "none", "");
    fs::write(config.join("servers.yml"), hosts).unwrap();
    fs::write(config.join("credentials.yml"), entries).unwrap();

    private(
        &secrets.join("canary-file"),
        &format!("{}\n", SOURCES[2].1),
        0o600,
    );
    private(&secrets.join("wrong"), WRONG, 0o600);
    private(&secrets.join("password"), PASSWORD, 0o600);
    private(
        &secrets.join(".env"),
        &format!("CANARY-DOTENV='{}'\n", SOURCES[1].1),
        0o600,
    );
    let program = gate.state().with_file_name("provider");
    private(
        &program,
        &format!(
            "#!/bin/sh\n/bin/cat /proc/self/environ > {}\n[ \"$1\" = failing ] && {{ echo {WRONG}; echo {WRONG} >&2; exit 3; }}\n\
             printf '{{\"data\":{{\"value\":\"%s\"}}}}' {}\n",
            seen.display(),
            SOURCES[3].1
        ),
        0o700,
    );
    let settings = format!(
        "secrets:\n  providers:\n    test:\n      command: [{}, \"{{key}}\"]\n      field: data.value\n  from:\n    canary-program: test\n    failing: test\n",
        program.display()
    );
    fs::write(config.join("portcullis.yml"), settings).unwrap();
    Stage { server, gate, seen }
}

impl Stage {
    fn command(&self, verb: &[&str]) -> Command {
        let mut command = self.gate.portcullis(verb);
        command
            .env("MCP_SSH_SECRET_CANARY_VARIABLE", SOURCES[0].1)
            .env("PORTCULLIS_LOG", "trace")
            .env("RUST_BACKTRACE", "full");
        command
    }

    /// Everything that must not be found, with a word for the report.
    fn needles(&self) -> Vec<(String, Vec<u8>)> {
        let mut secrets: Vec<(String, String)> = SOURCES
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        secrets.push(("wrong".to_owned(), WRONG.to_owned()));
        secrets.push(("password".to_owned(), PASSWORD.to_owned()));
        let mut needles = Vec::new();
        // Of a private key its text, and what the text stands for.
        let keys = SOURCES.iter().map(|(name, _)| *name).chain(["id_ed25519"]);
        for name in keys {
            let text = fs::read_to_string(self.gate.config().join("keys").join(name)).unwrap();
            let body: String = text
                .lines()
                .filter(|line| !line.starts_with("---"))
                .collect();
            let whole = base64::engine::general_purpose::STANDARD
                .decode(&body)
                .unwrap();
            // What lies here is the private part of a plain key, whatever its comment and padding; the public
            // part, which stands around it, may be seen.
            let (from, to) = (whole.len() - 74, whole.len() - 58);
            needles.push((format!("key {name}, bytes"), whole[from..to].to_vec()));
            // The text stands in lines; the longer part of one line is looked for.
            let (from, to) = (from.div_ceil(3) * 4, to / 3 * 4);
            let end_of_line = (from / LINE_CHARS + 1) * LINE_CHARS;
            let (from, to) = match end_of_line {
                end if end >= to => (from, to),
                end if end - from > to - end => (from, end),
                end => (end, to),
            };
            needles.push((
                format!("key {name}, text"),
                body.as_bytes()[from..to].to_vec(),
            ));
        }
        for (name, secret) in secrets {
            let bytes = secret.as_bytes();
            let hex = |upper: bool, prefix: &str| -> String {
                let each = |byte: &u8| match upper {
                    true => format!("{prefix}{byte:02X}"),
                    false => format!("{prefix}{byte:02x}"),
                };
                bytes.iter().map(each).collect()
            };
            let mut forms = vec![
                secret.clone(),
                hex(true, ""),
                hex(false, ""),
                hex(true, "%"),
                hex(false, "%"),
                hex(false, "\\x"),
            ];
            forms.push(secret.replace('-', "%2D"));
            forms.push(secret.chars().rev().collect());
            forms.push(bytes.iter().map(|byte| format!("{byte}, ")).collect());
            // In base64 a text looks different at each of three places; the ends belong to its neighbours.
            for shift in 0..3 {
                let shifted = [&[b' '; 3][..shift], bytes].concat();
                for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                    let coded = engine.encode(&shifted);
                    forms.push(coded[4..coded.len() - 4].to_owned());
                }
            }
            needles.extend(
                forms
                    .into_iter()
                    .map(|form| (format!("{name} as {form}"), form.into_bytes())),
            );
        }
        needles
    }
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

fn runs() -> Vec<(&'static str, bool)> {
    let good = SOURCES.iter().map(|(source, _)| (*source, true));
    let bad = [
        "wrong-passphrase",
        "missing-secret",
        "failing-program",
        "no-passphrase",
        "no-key",
    ];
    good.chain([("plain", true)])
        .chain(bad.map(|alias| (alias, false)))
        .collect()
}

#[test]
fn no_secret_is_found_in_anything_that_the_gate_writes() {
    let stage = stage();
    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    let mut keep = |what: String, output: Output| {
        written.push((format!("standard output of {what}"), output.stdout));
        written.push((format!("standard error of {what}"), output.stderr));
    };
    for (alias, succeeds) in runs() {
        let output = stage
            .command(&["run", alias, "echo hello", "--format", "json"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), succeeds, "{alias}: {text}");
        assert_eq!(text.contains("hello"), succeeds, "{alias}: {text}");
        keep(format!("run {alias}"), output);
    }
    for verb in [
        &["check", "--format", "json"][..],
        &["check"],
        &["audit", "verify"],
        &["plan", "plain", "echo x"],
    ] {
        keep(verb.join(" "), stage.command(verb).output().unwrap());
    }
    let mut calls = vec![
        ("ssh_list_hosts", json!({})),
        ("ssh_reload_config", json!({})),
    ];
    for (alias, _) in runs() {
        calls.push(("ssh_run", json!({"alias": alias, "command": "echo hello"})));
        calls.push(("ssh_describe_host", json!({"alias": alias})));
        calls.push(("ssh_plan", json!({"alias": alias, "command": "echo hello"})));
    }
    let (answers, errors, ended) = serve(&mut stage.command(&["serve", "--stdio"]), &calls);
    assert!(ended && answers.len() == calls.len(), "{errors}");
    let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let ran = answers
        .iter()
        .filter(|answer| answer.contains("\"exit_code\":0"))
        .count();
    assert_eq!(ran, SOURCES.len() + 1, "{answers:?}");
    assert!(errors.contains("secret provider test"), "{errors}");
    written.push(("answers".to_owned(), answers.concat().into_bytes()));
    written.push(("standard error of serve".to_owned(), errors.into_bytes()));
    written.push(("state".to_owned(), bytes_below(&stage.gate.state())));
    // What a child of the gate sees of its environment.
    let seen = fs::read(&stage.seen).unwrap();
    assert!(
        !holds(&seen, b"MCP_SSH_SECRET"),
        "the provider saw variables of the gate"
    );
    written.push(("environment of the provider".to_owned(), seen));

    let needles = stage.needles();
    assert!(needles.len() > 80);
    for (where_, bytes) in &written {
        for (what, needle) in &needles {
            assert!(
                !holds(bytes, needle),
                "{where_} holds {what}:\n{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }
    // The search finds what is there.
    let config = bytes_below(&stage.gate.config());
    assert!(
        needles
            .iter()
            .filter(|(_, needle)| holds(&config, needle))
            .count()
            > 5
    );
}

/// What the gate logged in with, as a host may print it: alone, in base64 beside other text, in percent form, and the
/// lines of the key without those that say what they are.
fn printed(stage: &Stage, source: &str, value: &str) -> String {
    let coded = base64::engine::general_purpose::STANDARD.encode(format!("u:{value}:p"));
    let key = fs::read_to_string(stage.gate.config().join("keys").join(source)).unwrap();
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with("--")).collect();
    let percent = value.replace('-', "%2D");
    format!("{value}\n{coded}\nq={percent}&x=1\n{}\n", lines.join("\n"))
}

#[test]
fn what_the_gate_logged_in_with_reaches_nobody_when_a_host_prints_it() {
    let stage = stage();
    let folder = tempfile::tempdir().unwrap();
    let policy = stage.gate.config().join("policy.yml");
    let text = fs::read_to_string(&policy).unwrap();
    let cat = format!("\"cat {}/*\"", folder.path().display());
    let text = text.replace("\"cat /srv/*\"", &cat).replace(
        "  max_seconds: 20\n",
        "  max_seconds: 20\n  output_spill_bytes: 100000\n",
    );
    fs::write(&policy, text).unwrap();
    let mut calls = Vec::new();
    let mut written = Vec::new();
    for (source, value) in SOURCES {
        let file = folder.path().join(source);
        fs::write(&file, printed(&stage, source, value)).unwrap();
        // The one prints it, the other has it in its own text as well.
        for command in [format!("cat {}", file.display()), format!("echo {value}")] {
            let run = stage
                .command(&["run", source, &command, "--format", "json"])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&run.stdout).into_owned();
            assert!(run.status.success(), "{source}: {text}");
            assert!(text.contains("known-secret"), "{source}: {text}");
            written.push((format!("run {source}"), [run.stdout, run.stderr].concat()));
            calls.push(("ssh_run", json!({"alias": source, "command": command})));
        }
    }
    let (answers, errors, ended) = serve(&mut stage.command(&["serve", "--stdio"]), &calls);
    assert!(ended && answers.len() == calls.len(), "{errors}");
    for answer in &answers {
        assert!(answer.to_string().contains("known-secret"), "{answer}");
        written.push(("an answer".to_owned(), answer.to_string().into_bytes()));
    }
    written.push(("standard error of serve".to_owned(), errors.into_bytes()));
    written.push(("state".to_owned(), bytes_below(&stage.gate.state())));
    let kept = bytes_below(&stage.gate.state().join("output"));
    assert!(holds(&kept, b"[REDACTED:known-secret"), "nothing is kept");
    let needles = stage.needles();
    for (where_, bytes) in &written {
        for (what, needle) in &needles {
            let text = String::from_utf8_lossy(bytes);
            assert!(!holds(bytes, needle), "{where_} holds {what}:\n{text}");
        }
    }
    // The search finds what a host printed.
    let printed = bytes_below(folder.path());
    let found = needles.iter().filter(|(_, needle)| holds(&printed, needle));
    assert!(found.count() > 3 * SOURCES.len());
}

/// A process that runs until it is told otherwise, after it has done one run with a secret.
fn serving(command: &mut Command, alias: &str) -> std::process::Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let run = json!({"alias": alias, "command": "echo hello"});
    let call = call(1, "ssh_run", &run);
    writeln!(child.stdin.as_mut().unwrap(), "{call}").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("\"exit_code\":0"), "{line}");
    child
}

/// Whether this machine writes the core of a process that allows it, into the folder that it runs in.
fn cores_are_written(folder: &Path) -> bool {
    let status = Command::new("sh")
        .args(["-c", "ulimit -c unlimited; kill -SEGV $$"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    let written = status.core_dumped();
    for entry in fs::read_dir(folder).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    written
}

/// Sends a signal until the process has ended by it. The runtime takes the first SIGSEGV that nothing caused for a
/// fault of the stack, and waits for it to happen again.
fn killed(child: &mut std::process::Child, signal: &str) -> std::process::ExitStatus {
    for _ in 0..200 {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(child.id().to_string())
            .status();
        assert!(sent.unwrap().success());
        std::thread::sleep(Duration::from_millis(50));
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
    }
    panic!("{signal} did not end the process");
}

#[test]
fn a_gate_that_is_killed_leaves_no_core() {
    let stage = stage();
    let folder = tempfile::tempdir().unwrap();
    if !cores_are_written(folder.path()) {
        eprintln!("this machine writes no cores at all; the limit is still looked at");
    }
    for signal in ["SEGV", "ABRT", "QUIT"] {
        // Started by something that allows cores of any size.
        let gate = stage.command(&["serve", "--stdio"]);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"])
            .arg(gate.get_program())
            .args(gate.get_args())
            .env("MCP_SSH_SECRET_CANARY_VARIABLE", SOURCES[0].1)
            .current_dir(folder.path());
        let mut child = serving(&mut shell, "variable");
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        let words: Vec<&str> = core.split_whitespace().skip(4).collect();
        assert_eq!(words[..2], ["0", "0"], "{core}");
        let status = killed(&mut child, signal);
        assert!(
            status.signal().is_some() && !status.core_dumped(),
            "{signal}: {status:?}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{signal}");
    }
    drop(stage.server);
}

/// How often each text stands in the memory of a process that can be written; `None` where it must not be read.
fn in_memory(pid: u32, texts: &[&str]) -> Option<Vec<usize>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut counts = vec![0; texts.len()];
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with("rw") || rest.ends_with("[vvar]") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = Vec::new();
        memory.seek(SeekFrom::Start(from)).unwrap();
        // What is mapped and not there cannot be read, and holds nothing.
        let _ = (&memory).take(to - from).read_to_end(&mut bytes);
        for (count, text) in counts.iter_mut().zip(texts) {
            *count += bytes
                .windows(text.len())
                .filter(|window| *window == text.as_bytes())
                .count();
        }
    }
    Some(counts)
}

#[test]
fn a_secret_that_was_used_is_not_left_in_memory() {
    let stage = stage();
    let keys = stage.gate.config().join("keys");
    let others = SOURCES
        .iter()
        .skip(1)
        .map(|(source, value)| (*source, *source, *value));
    for (alias, key, value) in others.chain([("plain", "id_ed25519", WRONG)]) {
        // What stands in the lines of the key, but for the first, which are the same in every key.
        let key = fs::read_to_string(keys.join(key)).unwrap();
        let lines = key.lines().filter(|line| !line.starts_with("---"));
        let lines: Vec<&str> = lines
            .skip(1)
            .map(|line| &line[..line.len().min(24)])
            .collect();
        let mut child = serving(&mut stage.command(&["serve", "--stdio"]), alias);
        // What is given in the environment stays there, and shows that the search finds what is there.
        let texts = [&[SOURCES[0].1, value][..], &lines].concat();
        let found = in_memory(child.id(), &texts);
        drop(child.stdin.take());
        child.wait().unwrap();
        let Some(found) = found else {
            eprintln!("SKIPPED: only root may look into the gate's memory");
            return;
        };
        assert!(found[0] > 0, "{alias}: the search has gone blind");
        assert!(
            found[1..].iter().all(|count| *count == 0),
            "{alias}: {found:?}"
        );
    }
}

/// As another user than root, what a process shows of itself belongs to that user, unless it has given it up.
#[test]
fn a_running_gate_shows_its_memory_and_environment_to_nobody_of_its_user() {
    const NOBODY: u32 = 65_534;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let owner = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = command.spawn().unwrap();
        // It gives it up at once, yet not before it runs.
        let end = Instant::now() + Duration::from_secs(10);
        let path = format!("/proc/{}/environ", child.id());
        let mut uid = fs::metadata(&path).unwrap().uid();
        while uid != 0 && program.ends_with("portcullis") && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
            uid = fs::metadata(&path).unwrap().uid();
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        uid
    };
    // A copy where another user may run it.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = folder.path().join("portcullis");
    fs::copy(portcullis_tests::portcullis(), &binary).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(owner(&binary, &["redact"]), 0);
    // Another program of the same user shows it.
    assert_ne!(owner(Path::new("/bin/cat"), &[]), 0);
}

#[test]
fn every_host_that_cannot_be_logged_into_says_so() {
    let rows = crate::doors::cases("client_build");
    assert!(!rows.is_empty());
    for row in rows {
        let gate = GateFolder::new(1, "demo", b"", "");
        let entries: Vec<_> = [&row["credentials"]]
            .into_iter()
            .filter(|entry| !entry.is_null())
            .collect();
        let put = |name: &str, value: serde_json::Value| {
            fs::write(gate.config().join(name), value.to_string()).unwrap()
        };
        put("servers.yml", json!({"hosts": [row["host"]]}));
        put("credentials.yml", json!({"entries": entries}));
        put(
            "policy.yml",
            json!({"known_hosts_path": "known_hosts", "rules": [{"action": "allow", "commands": ["uptime"]}]}),
        );
        let alias = row["host"]["alias"].as_str().unwrap_or("t");
        let output = gate.portcullis(&["run", alias, "uptime"]).output().unwrap();
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        assert_eq!(
            row["expect"] == "error",
            !output.status.success(),
            "{row}: {said}"
        );
        if let Some(part) = row["message_contains"].as_str() {
            assert!(
                said.to_lowercase().contains(&part.to_lowercase()),
                "{row}: {said}"
            );
        }
    }
}
