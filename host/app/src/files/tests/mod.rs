//! Files that are read, and every way of asking for one that must not be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod attacks;
mod cases;
mod configuration;
mod racing;
mod trusting;

use super::*;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

/// A folder with `config`, `keys`, `secrets` and `plugins`, and something to steal beside them.
struct Stage {
    folder: TempDir,
    env: HashMap<String, OsString>,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "config",
            "keys/prod",
            "secrets/subdirectory",
            "plugins",
            "home",
        ] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for (name, text) in [
            ("outside", "outside"),
            ("keys/id_ed25519", "KEY"),
            ("keys/prod/id", "PROD"),
            ("secrets/password", " hunter2 \n"),
            ("plugins/a.wasm", "WASM"),
            ("config/servers.yml", "hosts: []\n"),
        ] {
            private(&folder.path().join(name), text);
        }
        Self {
            folder,
            env: HashMap::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(mut self, name: &str, value: &Path) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    fn env(&self) -> impl Fn(&str) -> Option<OsString> + '_ {
        |name| self.env.get(name).cloned()
    }

    fn dirs(&self) -> Dirs {
        self.try_dirs().unwrap()
    }

    fn try_dirs(&self) -> Result<Dirs, FileFault> {
        let (config, state) = (self.path("config"), self.path("state"));
        Dirs::open(Some(&config), Some(&state), &self.env())
    }

    /// A secret with these variables in the environment.
    fn secret(&self, name: &str, variables: &[(&str, &str)]) -> Result<Secret, FileFault> {
        self.named_secret((name, None), variables)
    }

    /// A secret whose entry may name a variable of its own.
    fn named_secret(
        &self,
        (name, variable): (&str, Option<&str>),
        variables: &[(&str, &str)],
    ) -> Result<Secret, FileFault> {
        let dirs = self.dirs();
        let env = |asked: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == asked);
            found.map(|(_, value)| OsString::from(value))
        };
        secrets::Sources {
            env: &env,
            place: &dirs.secrets,
            credentials: dirs.credentials.as_ref(),
            complain: &|_| {},
        }
        .find_named(name, variable)
    }

    fn found(&self, name: &str) -> Vec<u8> {
        self.secret(name, &[]).unwrap().expose().to_vec()
    }
}

/// Writes a file that only its owner can read.
fn private(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A secret, where nobody hears complaints.
fn quietly(dirs: &Dirs, name: &str) -> Result<Secret, FileFault> {
    dirs.secret(name, None, &|_| {})
}

/// The record of a fault.
fn recorded(fault: &FileFault) -> Value {
    fault.event().expect("a security event")
}

/// The fault of something that must not be read.
fn refused<T>(result: Result<T, FileFault>) -> FileFault {
    match result {
        Ok(_) => panic!("it was read"),
        Err(fault) => fault,
    }
}

/// The type and reason of a fault's security event.
fn event(fault: &FileFault) -> (String, String) {
    let event = recorded(fault);
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    assert_eq!(
        (text("level"), text("kind")),
        ("error".to_owned(), "security_audit".to_owned())
    );
    assert_eq!(text("type"), "security_event");
    for name in ["attempted_path", "resolved_path", "base_dir"] {
        assert!(event[name].is_string(), "{event}");
    }
    assert!(event["ts"].as_f64().unwrap() > 1.7e9);
    // 2025-11-02T14:36:07-0500
    let stamp = text("timestamp");
    assert_eq!((stamp.len(), &stamp[10..11]), (24, "T"), "{stamp}");
    (text("event_type"), text("reason"))
}

fn pair(event_type: &str, reason: &str) -> (String, String) {
    (event_type.to_owned(), reason.to_owned())
}

#[test]
fn a_key_is_read_by_a_relative_path_and_by_an_absolute_one_inside() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    assert_eq!(dirs.key("id_ed25519").unwrap().expose(), b"KEY");
    assert_eq!(dirs.key("prod/id").unwrap().expose(), b"PROD");
    assert_eq!(dirs.key("./prod//id").unwrap().expose(), b"PROD");
    let absolute = stage.path("keys/prod/id");
    assert_eq!(
        dirs.key(absolute.to_str().unwrap()).unwrap().expose(),
        b"PROD"
    );
}

#[test]
fn a_key_path_that_leads_out_is_refused_before_the_disk_is_looked_at() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let traversal = pair("path_traversal_attempt", "contains_traversal_pattern");
    for path in [
        "../outside",
        "prod/../id_ed25519",
        "..",
        "....//....//etc/passwd",
        "..\\outside",
        "a..b",
    ] {
        assert_eq!(event(&refused(dirs.key(path))), traversal, "{path}");
    }
    let outside = pair(
        "path_traversal_attempt",
        "absolute_path_outside_keys_directory",
    );
    let beside = format!("{}x/id", stage.path("keys").display());
    for path in [
        "/etc/passwd",
        "/",
        stage.path("outside").to_str().unwrap(),
        &beside,
    ] {
        assert_eq!(event(&refused(dirs.key(path))), outside, "{path}");
    }
    assert_eq!(
        event(&refused(dirs.key(""))),
        pair("file_validation_failed", "path_is_empty")
    );
}

#[test]
fn the_length_of_a_path_is_looked_at_first() {
    let stage = Stage::new();
    let fault = refused(stage.dirs().key(&"../".repeat(200)));
    assert_eq!(
        event(&fault),
        pair("input_length_limit_exceeded", "key_path_too_long")
    );
    let record = recorded(&fault);
    assert_eq!(
        (&record["field"], &record["length"], &record["max_length"]),
        (&"key_path".into(), &600.into(), &500.into())
    );
    let fault = refused(stage.secret(&"/".repeat(150), &[]));
    assert_eq!(
        event(&fault),
        pair("input_length_limit_exceeded", "secret_name_too_long")
    );
    assert_eq!(recorded(&fault)["length"], 150);
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    symlink(stage.path("outside"), stage.path("keys/link")).unwrap();
    symlink("id_ed25519", stage.path("keys/inner")).unwrap();
    symlink("nowhere", stage.path("keys/dangling")).unwrap();
    symlink(stage.path("keys/prod"), stage.path("keys/linked")).unwrap();
    symlink("/etc", stage.path("keys/etc")).unwrap();
    let pipe = stage.path("keys/pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        Mode::RWXU,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(stage.path("keys/socket")).unwrap();
    for (path, reason) in [
        ("link", "path_is_symlink"),
        ("inner", "path_is_symlink"),
        ("dangling", "path_is_symlink"),
        ("linked/id", "path_is_symlink"),
        ("etc/passwd", "path_is_symlink"),
        ("prod", "path_is_directory"),
        (".", "path_is_directory"),
        (stage.path("keys").to_str().unwrap(), "path_is_directory"),
        ("pipe", "path_not_regular_file"),
        ("socket", "path_not_regular_file"),
        ("missing", "file_not_found"),
        ("missing/id", "file_not_found"),
    ] {
        assert_eq!(
            event(&refused(dirs.key(path))),
            pair("file_validation_failed", reason),
            "{path}"
        );
    }
    assert!(dirs.key("id_ed25519/x").is_err());
}

#[test]
fn a_file_of_the_largest_size_is_read_and_one_byte_more_is_not() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let sized = |name: &str, size: u64| {
        fs::File::create(stage.path(name))
            .unwrap()
            .set_len(size)
            .unwrap();
    };
    sized("config/policy.yml", YAML_BYTES_MAX);
    assert_eq!(
        dirs.config_file("policy.yml").unwrap().unwrap().len() as u64,
        YAML_BYTES_MAX
    );
    sized("config/policy.yml", YAML_BYTES_MAX + 1);
    let fault = refused(dirs.config_file("policy.yml"));
    assert_eq!(
        event(&fault),
        pair("file_size_limit_exceeded", "yaml_file_too_large")
    );
    let record = recorded(&fault);
    assert_eq!(
        (&record["file_size"], &record["max_size"]),
        (&10_485_761.into(), &10_485_760.into())
    );
    sized("keys/id_ed25519", KEY_FILE_BYTES_MAX);
    assert!(dirs.key("id_ed25519").is_ok());
    sized("keys/id_ed25519", KEY_FILE_BYTES_MAX + 1);
    assert_eq!(
        event(&refused(dirs.key("id_ed25519"))).0,
        "file_size_limit_exceeded"
    );
    private(&stage.path("secrets/.env"), "#".repeat(102_400));
    assert_eq!(stage.found("password"), b"hunter2");
    private(&stage.path("secrets/.env"), "#".repeat(102_401));
    let fault = refused(stage.secret("password", &[]));
    assert_eq!(
        event(&fault),
        pair("file_size_limit_exceeded", "env_file_too_large")
    );
    assert_eq!(dirs.plugin("a.wasm", 4).unwrap(), b"WASM");
    assert_eq!(
        event(&refused(dirs.plugin("a.wasm", 3))).0,
        "file_size_limit_exceeded"
    );
}

#[test]
fn a_handle_stays_with_its_directory_when_the_path_is_exchanged() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    fs::rename(stage.path("keys"), stage.path("moved")).unwrap();
    fs::create_dir(stage.path("keys")).unwrap();
    fs::write(stage.path("keys/id_ed25519"), "FALSE").unwrap();
    assert_eq!(dirs.key("id_ed25519").unwrap().expose(), b"KEY");
}

#[test]
fn a_secret_comes_from_its_variable_then_env_file_then_file() {
    let stage = Stage::new();
    private(&stage.path("secrets/db-pass"), "from file\n");
    assert_eq!(stage.found("db-pass"), b"from file");
    private(
        &stage.path("secrets/.env"),
        "OTHER=x\nDB-PASS='from env file '\n",
    );
    assert_eq!(stage.found("db-pass"), b"from env file ");
    for variable in ["db-pass", "DB_PASS", "DB-PASS", "MCP_SSH_SECRET_db-pass"] {
        let found = stage.secret("db-pass", &[(variable, "no")]).unwrap();
        assert_eq!(found.expose(), b"from env file ", "{variable}");
    }
    let found = stage
        .secret("db-pass", &[("MCP_SSH_SECRET_DB_PASS", " from variable\n")])
        .unwrap();
    assert_eq!(found.expose(), b"from variable");
    private(
        &stage.path("secrets/.env"),
        "MCP_SSH_SECRET_DB_PASS=prefixed\n",
    );
    assert_eq!(stage.found("db-pass"), b"prefixed");
}

#[test]
fn an_empty_value_is_a_fault_and_not_the_next_source() {
    let stage = Stage::new();
    let empty = |result| assert!(matches!(refused(result).why(), Why::Empty));
    empty(stage.secret("password", &[("MCP_SSH_SECRET_PASSWORD", "")]));
    empty(stage.secret("password", &[("MCP_SSH_SECRET_PASSWORD", " \n")]));
    private(&stage.path("secrets/.env"), "PASSWORD=\"\"\n");
    empty(stage.secret("password", &[]));
    let said = |variables| refused(stage.secret("password", variables)).to_string();
    assert!(said(&[]).contains("/secrets/.env: "), "{}", said(&[]));
    let variable = said(&[("MCP_SSH_SECRET_PASSWORD", " ")]);
    assert!(variable.contains("MCP_SSH_SECRET_PASSWORD"), "{variable}");
    assert!(!variable.contains("secrets/password"), "{variable}");
    fs::remove_file(stage.path("secrets/.env")).unwrap();
    private(&stage.path("secrets/password"), "\n");
    empty(stage.secret("password", &[]));
}

#[test]
fn the_name_of_a_secret_is_judged_before_anything_is_looked_up() {
    let stage = Stage::new();
    let ask = |name: &str| {
        let dirs = stage.dirs();
        let sources = secrets::Sources {
            env: &|asked| panic!("{asked} was looked up"),
            place: &dirs.secrets,
            credentials: None,
            complain: &|_| {},
        };
        event(&refused(sources.find(name)))
    };
    for name in ["../outside", "..", "a/../b"] {
        assert_eq!(
            ask(name),
            pair("path_traversal_attempt", "path_outside_allowed_directory"),
            "{name}"
        );
    }
    assert_eq!(
        ask("/etc/passwd"),
        pair("path_traversal_attempt", "absolute_path_rejected")
    );
    for name in [".env", "a.b", "a b", "", "_-_", "пароль", "a\0b"] {
        assert_eq!(
            ask(name),
            pair("invalid_secret_name", "contains_invalid_characters"),
            "{name}"
        );
    }
}

/// A passphrase that was written where the name of a secret belongs is not told to anybody.
#[test]
fn what_stands_in_place_of_a_secrets_name_is_shown_only_where_it_is_a_path() {
    let stage = Stage::new();
    let (dirs, long) = (stage.dirs(), "Canary!".repeat(30));
    for (text, holds) in [
        ("S3cr3t!pass", vec!["punctuation"]),
        ("two words/and..more", vec!["blanks", "punctuation"]),
        ("pa/ss", vec!["punctuation"]),
        ("gehe\u{ef}m", vec!["non_ascii"]),
        (long.as_str(), vec!["punctuation"]),
    ] {
        let refusal = RefusedText {
            text: text.to_owned(),
            why: RefusedAs::SecretName(portcullis_core::config::secret_name(text).unwrap_err()),
        };
        for fault in [refused(quietly(&dirs, text)), dirs.refused(&refusal)] {
            let event = recorded(&fault);
            let told = format!("{fault} {fault:?} {event}");
            assert!(!told.contains(text), "{told}");
            assert_eq!(event["length"], text.chars().count());
            assert_eq!(event["holds"], serde_json::json!(holds));
        }
    }
    for path in ["../outside", "/etc/passwd", "a/../b"] {
        let fault = refused(quietly(&dirs, path));
        assert_eq!(recorded(&fault)["attempted_path"], path);
    }
}

#[test]
fn a_secret_that_is_no_regular_file_is_refused() {
    let stage = Stage::new();
    symlink("password", stage.path("secrets/linked")).unwrap();
    for (name, reason) in [
        ("subdirectory", "path_is_directory"),
        ("linked", "path_is_symlink"),
        ("missing", "file_not_found"),
    ] {
        let fault = refused(stage.secret(name, &[]));
        assert_eq!(event(&fault), pair("file_validation_failed", reason));
        assert_eq!(fault.file(), "credentials.yml");
    }
    symlink("password", stage.path("secrets/.env")).unwrap();
    assert_eq!(
        event(&refused(stage.secret("password", &[]))).1,
        "path_is_symlink"
    );
}

#[test]
fn a_secret_in_the_place_of_a_path_or_a_name_is_not_told() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW";
    let token = "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";
    for text in [
        format!("-----BEGIN OPENSSH PRIVATE KEY----- {body}"),
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n"),
        format!("{token}/{body}{}", "x".repeat(600)),
        format!("../{token}"),
        token.to_owned(),
    ] {
        for fault in [
            refused(dirs.key(&text)),
            refused(dirs.plugin(&text, 9)),
            refused(dirs.known_hosts(Some(&text))),
            refused(quietly(&dirs, &text)),
        ] {
            let told = format!("{fault} {fault:?} {}", recorded(&fault));
            let begun = text.contains("BEGIN") && told.contains("b3BlbnNzaC1r");
            assert!(!begun && !told.contains("GwCz55yi5"), "{told}");
        }
    }
}

#[test]
fn directories_are_looked_for_in_their_order() {
    let stage = Stage::new();
    let (named, own, peers, xdg) = (
        stage.path("a"),
        stage.path("b"),
        stage.path("c"),
        stage.path("d"),
    );
    fs::create_dir_all(xdg.join("portcullis")).unwrap();
    let stage = stage.set("XDG_CONFIG_HOME", &xdg);
    assert_eq!(config_dir(None, &stage.env()), Some(xdg.join("portcullis")));
    let stage = stage.set("MCP_SSH_CONFIG_DIR", &peers);
    assert_eq!(config_dir(None, &stage.env()), Some(peers));
    let stage = stage.set("PORTCULLIS_CONFIG_DIR", &own);
    assert_eq!(config_dir(None, &stage.env()), Some(own));
    assert_eq!(config_dir(Some(&named), &stage.env()), Some(named.clone()));
    let stage = stage
        .set("PORTCULLIS_CONFIG_DIR", Path::new(""))
        .set("MCP_SSH_CONFIG_DIR", Path::new(""));
    assert_eq!(config_dir(None, &stage.env()), Some(xdg.join("portcullis")));
    // A directory that was named and does not exist is a fault, not the next place.
    assert!(Dirs::open(Some(&named), None, &stage.env()).is_err());
}

#[test]
fn keys_lie_where_they_are_named_then_inside_then_beside_the_configuration() {
    let stage = Stage::new();
    let place = |stage: &Stage| stage.dirs().keys.path;
    assert_eq!(place(&stage), stage.path("keys"));
    fs::create_dir(stage.path("config/keys")).unwrap();
    assert_eq!(place(&stage), stage.path("config/keys"));
    let prod = stage.path("keys/prod");
    let stage = stage.set("MCP_SSH_KEYS_DIR", &prod);
    assert_eq!(place(&stage), prod);
    assert_eq!(stage.dirs().key("id").unwrap().expose(), b"PROD");
    let none = stage.path("none");
    let stage = stage.set("PORTCULLIS_KEYS_DIR", &none);
    assert!(stage.try_dirs().is_err());
}

#[test]
fn a_directory_that_is_missing_is_a_fault_only_when_it_is_needed() {
    let stage = Stage::new();
    for name in ["keys", "secrets", "plugins"] {
        fs::remove_dir_all(stage.path(name)).unwrap();
    }
    let dirs = stage.dirs();
    assert!(matches!(refused(dirs.key("id")).why(), Why::NoDirectory));
    assert!(matches!(
        refused(dirs.plugin("a.wasm", 9)).why(),
        Why::NoDirectory
    ));
    assert!(stage.secret("password", &[]).is_err());
    assert!(
        stage
            .secret("password", &[("MCP_SSH_SECRET_PASSWORD", "x")])
            .is_ok()
    );
}

#[test]
fn the_state_directory_is_made_for_its_owner_and_refused_if_others_can_write() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    assert!(!stage.path("state").exists());
    dirs.state().unwrap();
    let mode = |name: &str| fs::metadata(stage.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("state"), 0o700);
    dirs.state().unwrap();
    for open in [0o1777, 0o777, 0o770, 0o2770, 0o720] {
        fs::set_permissions(stage.path("state"), fs::Permissions::from_mode(open)).unwrap();
        assert!(
            matches!(refused(dirs.state()).why(), Why::Exposed),
            "{open:o}"
        );
    }
    fs::remove_dir(stage.path("state")).unwrap();
    fs::write(stage.path("state"), "").unwrap();
    assert!(dirs.state().is_err());
}

#[test]
fn the_state_is_where_it_is_named_then_the_users_own() {
    let stage = Stage::new();
    let (named, own, xdg) = (stage.path("a"), stage.path("b"), stage.path("c"));
    let stage = stage.set("XDG_STATE_HOME", &xdg);
    assert_eq!(
        places::state_dir(None, &stage.env()),
        Some(xdg.join("portcullis"))
    );
    let stage = stage.set("PORTCULLIS_STATE_DIR", &own);
    assert_eq!(places::state_dir(None, &stage.env()), Some(own));
    assert_eq!(places::state_dir(Some(&named), &stage.env()), Some(named));
}
