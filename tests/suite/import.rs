//! Importing through the command line: what is proposed is checked by the gate itself, and nothing is written where
//! something is.

use portcullis_tests::portcullis;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SSH: &str = "Include conf.d/*.conf\nHost web1 \"bad name\" we/ird\n  HostName %h.example.com\n  User deploy\n  Port 2222\n  \
                   IdentityFile ~/.ssh/id_web\nHost mad\u{1b}[31m\u{202e}\n  HostName 10.0.0.9\nHost *\n  User me\n";
const INCLUDED: &str = "Host inc1\n  HostName 10.0.0.8\n";
const ANSIBLE: &str = "[web]\nweb[01:03].example.com ansible_user=deploy ansible_password=hunter2hunter2\n[db]\ndb1 ansible_host=10.0.0.5\n\
                       [prod:children]\nweb\ndb\n";

fn run(home: &Path, arguments: &[&str]) -> Output {
    Command::new(portcullis())
        .args(arguments)
        .env("HOME", home)
        .env("USER", "operator")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn what_an_import_proposes_is_checked_without_faults_and_nothing_is_written_over() {
    let home = tempfile::tempdir().unwrap();
    let part = home.path().join(".ssh/conf.d");
    fs::create_dir_all(&part).unwrap();
    fs::write(part.join("a.conf"), INCLUDED).unwrap();
    for (kind, name, text, hosts) in [
        ("ssh-config", "config", SSH, 3),
        ("ansible", "hosts", ANSIBLE, 4),
    ] {
        let file = home.path().join(name);
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let out = home.path().join(format!("{name}-out"));
        let place = out.to_str().unwrap();
        let import = ["import", kind, file, "--out", place, "--format", "json"];
        let output = run(home.path(), &import);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{answer}");
        assert!(
            answer["hosts"].as_u64().unwrap() >= hosts,
            "{kind}: {answer}"
        );

        let check = run(
            home.path(),
            &["check", "--config", place, "--format", "json"],
        );
        let checked: Value = serde_json::from_slice(&check.stdout).unwrap();
        assert_eq!(check.status.code(), Some(0), "{checked}");
        assert_eq!(checked["hosts"], answer["hosts"]);

        let before = fs::read(out.join("servers.yml")).unwrap();
        let again = run(home.path(), &import);
        assert_eq!(again.status.code(), Some(2));
        assert_eq!(fs::read(out.join("servers.yml")).unwrap(), before);

        let printed = run(home.path(), &["import", kind, file]);
        let shown = String::from_utf8(printed.stdout).unwrap();
        assert_eq!(printed.status.code(), Some(0));
        assert!(shown.contains("# ---- credentials.yml ----"), "{shown}");
        let odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(
            !shown.contains(odd) && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_imported_is_a_fault_with_its_line_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    fs::write(&file, "Host a\n  Port many\n").unwrap();
    let out = home.path().join("out");
    let (file, place) = (file.to_str().unwrap(), out.to_str().unwrap());
    let output = run(
        home.path(),
        &[
            "import",
            "ssh-config",
            file,
            "--out",
            place,
            "--format",
            "json",
        ],
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &answer["line"]),
        (Some(3), &2.into())
    );
    assert!(!out.exists());
    let missing = run(home.path(), &["import", "ansible", "/nowhere/hosts"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(missing.stdout.is_empty());
}

#[test]
fn an_import_of_a_hostile_configuration_shows_no_secret_and_no_escape() {
    let folder = tempfile::tempdir().unwrap();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    fs::create_dir_all(home.join(".ssh/bad")).unwrap();
    fs::create_dir(&other).unwrap();
    let token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    fs::write(other.join("token"), format!("{token} x\n")).unwrap();
    fs::write(home.join(".ssh/bad/\u{1b}]0;owned\u{7}\u{202e}"), [0xFF]).unwrap();
    let config = home.join("config");
    let file = config.to_str().unwrap();
    for (text, follow, code, word) in [
        (
            "Host a\n  ProxyJump bob:Passw0rd@jump\n  IdentityFile TOKEN\n",
            false,
            0,
            "proxyjump jump",
        ),
        ("Include OTHER\nHost a\n", false, 3, "--follow-includes"),
        (
            "Include OTHER\nHost a\n",
            true,
            0,
            "1 lines that begin with no keyword",
        ),
        ("Include bad/*\n", false, 3, "UTF-8"),
    ] {
        let place = other.join("token");
        let text = text
            .replace("TOKEN", token)
            .replace("OTHER", place.to_str().unwrap());
        fs::write(&config, &text).unwrap();
        for format in ["human", "json"] {
            let mut arguments = vec!["import", "ssh-config", file, "--format", format];
            arguments.extend(follow.then_some("--follow-includes"));
            let output = run(&home, &arguments);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert_eq!(output.status.code(), Some(code), "{text}: {said}");
            assert!(said.contains(word), "{text}: {said}");
            let odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!said.contains(odd), "{said:?}");
            assert!(
                !said.contains(token) && !said.contains("Passw0rd"),
                "{said}"
            );
        }
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let home = tempfile::tempdir().unwrap();
    let page = |verb: &[&str]| {
        let mut arguments = vec!["man"];
        arguments.extend(verb);
        run(home.path(), &arguments)
    };
    for (verb, word) in [
        (&[][..], "SUBCOMMANDS"),
        (&["check"], "every fault"),
        (&["audit", "verify"], "chain"),
        (&["import", "ssh-config"], "OpenSSH"),
    ] {
        let output = page(verb);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{verb:?}");
        assert!(
            text.contains(".TH portcullis") && text.contains(word),
            "{verb:?}: {text}"
        );
    }
    assert_eq!(page(&["frobnicate"]).status.code(), Some(2));
}
