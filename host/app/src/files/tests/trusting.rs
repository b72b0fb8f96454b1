//! Whose files are read, and what is said of those that should be better protected. The table of modes and owners
//! stands beside the rule, in `trust`; the rows about real files in the table of attacks.

use super::*;
use std::cell::RefCell;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_that_others_can_read_is_refused_with_its_event() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let key = stage.path("keys/id_ed25519");
    for open in [0o640, 0o604, 0o644, 0o660, 0o666] {
        mode(&key, open);
        let fault = refused(dirs.key("id_ed25519"));
        assert_eq!(
            event(&fault),
            pair(
                "insecure_file_permissions",
                "key_file_permissions_too_permissive"
            ),
            "{open:o}"
        );
        assert_eq!(recorded(&fault)["mode"], format!("{open:o}"));
        assert!(fault.is_permissions() && fault.hint().contains("chmod"));
    }
    mode(&key, 0o400);
    assert_eq!(dirs.key("id_ed25519").unwrap().expose(), b"KEY");
}

#[test]
fn a_secret_that_others_can_read_is_read_and_complained_of() {
    let stage = Stage::new();
    let heard = |name: &str| {
        let complaints = RefCell::new(Vec::new());
        let dirs = stage.dirs();
        let found = secrets::Sources {
            env: &|_| None,
            place: &dirs.secrets,
            credentials: None,
            complain: &|fault| complaints.borrow_mut().push(event(fault)),
        }
        .find(name)
        .map(|secret| secret.expose().to_vec());
        (found.ok(), complaints.into_inner())
    };
    let password = stage.path("secrets/password");
    assert_eq!(heard("password"), (Some(b"hunter2".to_vec()), Vec::new()));
    mode(&password, 0o644);
    let complaint = pair(
        "insecure_file_permissions",
        "secret_file_permissions_too_permissive",
    );
    assert_eq!(
        heard("password"),
        (Some(b"hunter2".to_vec()), vec![complaint])
    );
    mode(&password, 0o600);
    let env = stage.path("secrets/.env");
    private(&env, "PASSWORD=x\n");
    mode(&env, 0o644);
    let complaint = pair(
        "insecure_file_permissions",
        "env_file_permissions_too_permissive",
    );
    assert_eq!(heard("password"), (Some(b"x".to_vec()), vec![complaint]));
    mode(&env, 0o620);
    assert_eq!(heard("password").0, None);
}

#[test]
fn a_changed_env_file_holds_at_once() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let env = stage.path("secrets/.env");
    for value in ["first", "second"] {
        private(&env, format!("PASSWORD={value}\n"));
        assert_eq!(
            quietly(&dirs, "password").unwrap().expose(),
            value.as_bytes()
        );
    }
    fs::remove_file(&env).unwrap();
    assert_eq!(quietly(&dirs, "password").unwrap().expose(), b"hunter2");
}

#[test]
fn the_credentials_of_systemd_come_last() {
    let stage = Stage::new();
    let credentials = stage.path("credentials");
    fs::create_dir(&credentials).unwrap();
    private(&credentials.join("password"), "of systemd\n");
    private(&credentials.join("token"), "of systemd\n");
    let stage = stage.set("CREDENTIALS_DIRECTORY", &credentials);
    assert_eq!(stage.found("password"), b"hunter2");
    assert_eq!(stage.found("token"), b"of systemd");
    mode(&credentials.join("token"), 0o666);
    assert!(refused(stage.secret("token", &[])).is_permissions());
    symlink(stage.path("outside"), credentials.join("link")).unwrap();
    assert!(matches!(
        refused(stage.secret("link", &[])).why(),
        Why::Link
    ));
    assert!(refused(stage.secret("none", &[])).is_missing());
    let none = stage.path("none");
    let stage = stage.set("CREDENTIALS_DIRECTORY", &none);
    // Only a secret that is looked for there is missing, with the directory's name.
    assert_eq!(stage.found("password"), b"hunter2");
    let fault = refused(stage.secret("token", &[]));
    assert!(matches!(fault.why(), Why::NoDirectory));
    assert_eq!(
        recorded(&fault)["base_dir"],
        none.display().to_string().as_str()
    );
}
