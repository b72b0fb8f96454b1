//! Plugins from the outside: the compiler as a process under limits; images between starts; reload; replay. `guide`: the
//! author's way from an empty directory to an enforced rule.

mod guide;

use portcullis_tests::sshd::GateFolder;
use portcullis_tests::{portcullis, repository};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Longest wait for a server to begin: looks, and the pause between two.
const LOOKS_MAX: usize = 6_000;
const LOOK: Duration = Duration::from_millis(20);

/// A folder of the gate. Nothing is run on a host here, so none is there.
fn gate() -> GateFolder {
    GateFolder::new(22, "tester", b"", "")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn every_example_answers_as_its_vectors_say() {
    let examples = repository().join("plugins/examples");
    let mut count = 0;
    for entry in fs::read_dir(&examples).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let component = portcullis_tests::guests().join(format!("{name}.wasm"));
        let output = Command::new(portcullis())
            .args(["plugin", "test", "--format", "json"])
            .arg(folder.join("vectors.yaml"))
            .arg("--component")
            .arg(component)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let vectors = answer["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 3, "{name}");
        for vector in vectors {
            assert!(vector["fuel"].as_u64().unwrap() > 0, "{vector}");
            assert!(
                vector["memory_bytes"].as_u64().unwrap() >= 65_536,
                "{vector}"
            );
        }
        count += 1;
    }
    assert!(count >= 6, "{count} examples");
}

#[test]
fn an_image_is_made_once_and_sealed() {
    let gate = gate().with_plugins();
    let images = images_after_two_checks(&gate);
    assert_eq!(images.len(), 2, "one for each plugin");
    let key = gate.state().join("plugins/image.key");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!key.starts_with(gate.state().join("plugins/images")));
}

fn images_after_two_checks(gate: &GateFolder) -> Vec<PathBuf> {
    fs::create_dir_all(gate.state()).unwrap();
    fs::set_permissions(gate.state(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut made = Vec::new();
    for _ in 0..2 {
        let output = gate.portcullis(&["check"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let listed = fs::read_dir(gate.state().join("plugins/images")).unwrap();
        let mut now: Vec<(PathBuf, std::time::SystemTime)> = listed
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path(), entry.metadata().unwrap().modified().unwrap())
            })
            .collect();
        now.sort();
        assert!(
            made.is_empty() || made == now,
            "made again: {made:?} {now:?}"
        );
        made = now;
    }
    made.into_iter().map(|(path, _)| path).collect()
}

/// Makes the bytes of a changed image of a good one, and of a good one of another component.
type Attack = fn(&[u8], &[u8]) -> Vec<u8>;

#[test]
fn a_changed_image_is_not_run_and_made_anew() {
    let gate = gate().with_plugins();
    let images = images_after_two_checks(&gate);
    let good: Vec<Vec<u8>> = images.iter().map(|path| fs::read(path).unwrap()).collect();
    let attacks: [Attack; 4] = [
        |bytes, _| {
            let mut bytes = bytes.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        },
        |bytes, _| bytes[..bytes.len() - 1].to_vec(),
        |_, _| Vec::new(),
        // The sealed image of another component.
        |_, other| other.to_vec(),
    ];
    for attack in attacks {
        let changed = attack(&good[0], &good[1]);
        fs::write(&images[0], &changed).unwrap();
        let output = gate.portcullis(&["check"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let now = fs::read(&images[0]).unwrap();
        assert!(now != changed && now.len() == good[0].len());
    }
    // With another key nothing that was sealed before is believed.
    fs::write(gate.state().join("plugins/image.key"), [7_u8; 32]).unwrap();
    let before = fs::read(&images[1]).unwrap();
    assert!(gate.portcullis(&["check"]).status().unwrap().success());
    assert_ne!(fs::read(&images[1]).unwrap(), before);
}

#[test]
fn the_compiler_is_a_process_under_limits() {
    let mut child = Command::new(portcullis())
        .arg("compile-plugin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // It limits itself before it reads; once it has read more than a pipe holds, it has.
    input.write_all(&vec![0_u8; 2_000_000]).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    for (what, most) in [
        ("Max address space", "4294967296"),
        ("Max cpu time", "240"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max open files", "32"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(what)).unwrap();
        let words: Vec<&str> = line[what.len()..].split_whitespace().collect();
        assert_eq!(&words[..2], [most, most], "{line}");
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    // What it was given is no component.
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(output.stdout.is_empty() && !output.stderr.is_empty());
}

#[test]
fn a_component_that_is_not_valid_inside_is_named_so_by_the_process_under_limits() {
    // A component around a module whose one function adds what is not there.
    let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x05\x01\x03\0\x6a\x0b";
    let mut bytes = b"\0asm\x0d\0\x01\0\x01".to_vec();
    bytes.push(u8::try_from(module.len()).unwrap());
    bytes.extend_from_slice(module);
    let gate = gate();
    let file = gate.config().join("odd.wasm");
    fs::write(&file, bytes).unwrap();
    let inspected = gate
        .portcullis(&["plugin", "inspect"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(inspected.status.code(), Some(5), "{}", text(&inspected));
    assert!(
        text(&inspected).contains("expected a valid component"),
        "{}",
        text(&inspected)
    );
}

#[test]
fn a_component_that_takes_too_much_to_compile_is_refused_and_the_gate_goes_on() {
    // A limit from outside, far lower than the gate's own: the child cannot get what it needs.
    let gate = gate().with_plugins();
    let command = format!(
        "ulimit -v 1000000; exec '{}' check --config '{}' --state '{}'",
        portcullis().display(),
        gate.config().display(),
        gate.state().display()
    );
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    // The child may not raise the limit, so nothing is compiled, and that is said.
    assert_eq!(output.status.code(), Some(5), "{}", text(&output));
    assert!(text(&output).contains("plugin_load"), "{}", text(&output));
}

#[test]
fn plugins_fit_a_limit_of_16_gib_on_address_space() {
    let gate = gate().with_plugins();
    let command = format!(
        "ulimit -v 16777216; exec '{}' check --config '{}' --state '{}'",
        portcullis().display(),
        gate.config().display(),
        gate.state().display()
    );
    let output = Command::new("sh")
        .args(["-c", &command])
        .env("PORTCULLIS_LOG", "warn")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        !text(&output).contains("cannot be reserved"),
        "{}",
        text(&output)
    );
}

/// A server of the gate; its standard error is read line by line.
struct Server {
    child: Child,
    errors: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(gate: &GateFolder) -> Self {
        let mut child = gate
            .portcullis(&["serve", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        // It says that it serves when it can be told to read again.
        let said = gate.state().join("servers").join(child.id().to_string());
        for _ in 0..LOOKS_MAX {
            if said.exists() {
                return Self { child, errors };
            }
            std::thread::sleep(LOOK);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("the server did not begin");
    }

    /// Reads lines up to one that holds a text, and gives it.
    fn until(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.errors.read_line(&mut line).unwrap(),
                0,
                "ended before {wanted}"
            );
            if line.contains(wanted) {
                return line;
            }
        }
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.errors.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_reload_from_the_command_line_reaches_running_servers_and_no_others() {
    let gate = gate().with_plugins();
    let none = gate
        .portcullis(&["plugin", "reload", "--format", "json"])
        .output()
        .unwrap();
    assert!(none.status.success(), "{}", text(&none));
    let said: Value = serde_json::from_slice(&none.stdout).unwrap();
    assert_eq!(said["servers"].as_array().unwrap().len(), 0);
    let mut server = Server::start(&gate);
    let told = gate
        .portcullis(&["plugin", "reload", "--format", "json"])
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(said["servers"], serde_json::json!([server.child.id()]));
    assert!(server.until("\"changes\"").contains("reloaded"));
    server.end();
}

#[test]
fn plugins_that_fail_their_vectors_are_not_put_into_force() {
    let gate = gate().with_plugins();
    let file = gate.config().join("plugins.yml");
    let entries = fs::read_to_string(&file).unwrap();
    let vectors = |expect: &str| {
        format!(
            "kind: validator\nsettings: {{deny: [/srv/private]}}\nvectors:\n  - {{name: private, command: cat /srv/private, expect: {expect}}}\n"
        )
    };
    let put = |expect: &str| {
        fs::write(gate.config().join("plugins/guard.yaml"), vectors(expect)).unwrap();
    };
    put("objection");
    let with = entries.replacen(
        "    kind: validator\n",
        "    kind: validator\n    vectors: guard.yaml\n",
        1,
    );
    fs::write(&file, with).unwrap();
    let mut server = Server::start(&gate);
    put("no_objection");
    let refused = gate.portcullis(&["plugin", "reload"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused));
    assert!(
        text(&refused).contains("vector \"private\""),
        "{}",
        text(&refused)
    );
    let killed = Command::new("kill")
        .args(["-HUP", &server.child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert!(server.until("\"changes\"").contains("kept"));
    server.end();
}

#[test]
fn a_plugin_is_added_pinned_and_its_bytes_hold() {
    let gate = gate();
    let add = |name: &str, extra: &[&str]| {
        let file = portcullis_tests::guests().join(format!("{name}.wasm"));
        let mut command = gate.portcullis(&["plugin", "add"]);
        command.arg(file).args(extra).output().unwrap()
    };
    fs::write(
        gate.config().join("plugins.yml"),
        "# mine\nversion: 1\nplugins: []\n",
    )
    .unwrap();
    let added = add(
        "path-guard",
        &["--settings", r#"{"deny": ["/srv/private"]}"#],
    );
    assert!(added.status.success(), "{}", text(&added));
    let added = add(
        "ticket-redactor",
        &[
            "--name",
            "tickets",
            "--mode",
            "observe",
            "--settings",
            r#"{"prefixes": ["OPS"]}"#,
        ],
    );
    assert!(added.status.success(), "{}", text(&added));
    let written = fs::read_to_string(gate.config().join("plugins.yml")).unwrap();
    assert!(written.starts_with("# mine\n"), "{written}");
    let listed = gate
        .portcullis(&["plugin", "list", "--format", "json"])
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<&str> = listed["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["path-guard", "tickets"]);
    assert_eq!(
        (
            &listed["plugins"][0]["pinned"],
            &listed["plugins"][1]["mode"]
        ),
        (&Value::Bool(true), &Value::from("observe"))
    );
    let planned = gate
        .portcullis(&["plan", "web1", "cat /srv/private"])
        .output()
        .unwrap();
    assert_eq!(planned.status.code(), Some(1), "{}", text(&planned));
    // What stands in its entry is not changed on the way, and not silently left either.
    for odd in [["--mode", "observe"], ["--settings", r#"{"deny": []}"#]] {
        let again = add("path-guard", &odd);
        assert_eq!(again.status.code(), Some(2), "{}", text(&again));
        assert!(text(&again).contains("plugins.yml"), "{}", text(&again));
    }
    let same = add("path-guard", &["--mode", "enforce"]);
    assert!(same.status.success(), "{}", text(&same));
    // Other bytes under the same name are not loaded.
    let component = gate.config().join("plugins/path-guard.wasm");
    fs::copy(
        portcullis_tests::guests().join("ticket-redactor.wasm"),
        &component,
    )
    .unwrap();
    let checked = gate.portcullis(&["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(5), "{}", text(&checked));
    let listed = gate.portcullis(&["plugin", "list"]).output().unwrap();
    assert_eq!(listed.status.code(), Some(5));
    assert!(
        text(&listed).contains("digest_mismatch"),
        "{}",
        text(&listed)
    );
    // Settings that the plugin itself cannot use are not its load's matter, settings that are no JSON are.
    let wrong = add("path-guard", &["--settings", "{"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
}

#[test]
fn a_candidate_is_replayed_over_the_decisions_of_the_journal() {
    let gate = gate();
    for command in ["uptime", "cat /srv/public", "cat /srv/private/x", "rm x"] {
        gate.portcullis(&["plan", "web1", command])
            .output()
            .unwrap();
    }
    let vectors = repository().join("plugins/examples/path-guard/vectors.yaml");
    let output = gate
        .portcullis(&["plugin", "replay", "--format", "json"])
        .arg(vectors)
        .arg("--component")
        .arg(portcullis_tests::guests().join("path-guard.wasm"))
        .args(["--settings", r#"{"deny": ["/srv/private"]}"#])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The rules refuse `rm`, so no validator would be asked about it.
    assert_eq!(
        (&said["decisions"], &said["asked"], &said["changed"]),
        (&4.into(), &3.into(), &1.into()),
        "{said}"
    );
    let change = &said["changes"][0];
    assert_eq!(
        (&change["command"], &change["would_be"]),
        (&"cat /srv/private/x".into(), &"objection".into())
    );
}

#[test]
fn a_candidate_redactor_is_replayed_over_a_text_without_showing_it() {
    let gate = gate().with_plugins();
    let input = gate.config().join("saved.txt");
    let secret = "password=hunter2hunter2";
    fs::write(&input, format!("ä OPS-1234 done\n{secret}\nsee DEV-77\n")).unwrap();
    let vectors = repository().join("plugins/examples/ticket-redactor/vectors.yaml");
    let replay = |input: &Path, more: &[&str]| {
        gate.portcullis(&["plugin", "replay"])
            .arg(&vectors)
            .arg("--component")
            .arg(portcullis_tests::guests().join("ticket-redactor.wasm"))
            .args(["--settings", r#"{"prefixes": ["DEV"]}"#, "--input"])
            .arg(input)
            .args(more)
            .output()
            .unwrap()
    };
    // The configured plugin masks OPS, the candidate DEV.
    let output = replay(&input, &["--plugin", "tickets", "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let places: Vec<String> = said["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{}:{} {}", it["line"], it["column"], it["would_be"]))
        .collect();
    assert_eq!(places, ["1:3 \"shown\"", "3:5 \"masked\""], "{said}");
    assert_eq!(
        (
            &said["masked_now"],
            &said["would_be_masked"],
            &said["followed"]
        ),
        (&1.into(), &1.into(), &"tickets".into())
    );
    // The gate's own rules came first.
    assert!(
        said["native_redactions"].as_object().unwrap().len() == 1,
        "{said}"
    );
    for output in [output, replay(&input, &[])] {
        for hidden in ["hunter2", "1234", "-77"] {
            assert!(!text(&output).contains(hidden), "{}", text(&output));
        }
    }
    let unknown = replay(&input, &["--plugin", "nobody"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", text(&unknown));
    let guard = repository().join("plugins/examples/path-guard/vectors.yaml");
    let wrong = gate
        .portcullis(&["plugin", "replay", "--input", "-"])
        .arg(guard)
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
}

#[test]
fn only_one_place_of_the_workspace_is_unsafe() {
    // In the guests it is the SDK's heap, inside the sandbox.
    for (folder, allowed) in [
        ("host", ["plugin/src/compile.rs"].as_slice()),
        ("tests", &[]),
        ("plugins", &["sdk/src/heap.rs"]),
    ] {
        let folder = repository().join(folder);
        let mut places = Vec::new();
        for file in portcullis_tests::rust_files(&folder) {
            let code = fs::read_to_string(&file).unwrap();
            let uses = code.lines().filter(|line| {
                let line = line.split("//").next().unwrap_or_default();
                let after = line.split("unsafe ").skip(1);
                let starts = ["{", "fn ", "impl", "extern", "trait"];
                after
                    .into_iter()
                    .any(|it| starts.iter().any(|start| it.starts_with(start)))
            });
            places.extend(uses.map(|_| file.clone()));
        }
        if folder.ends_with("host") {
            assert_eq!(places.len(), 1, "{places:?}");
        }
        places.dedup();
        let allowed: Vec<PathBuf> = allowed.iter().map(|file| folder.join(file)).collect();
        assert_eq!(places, allowed);
    }
}
