//! Configuration files and host keys: where they may lie, and which links are followed.

use super::*;

#[test]
fn a_configuration_file_is_text_and_may_be_missing() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    assert_eq!(
        dirs.config_file("servers.yml").unwrap().as_deref(),
        Some("hosts: []\n")
    );
    assert_eq!(dirs.config_file("policy.yml").unwrap(), None);
    fs::write(stage.path("config/policy.yml"), b"\xff\xfe").unwrap();
    let fault = refused(dirs.config_file("policy.yml"));
    assert!(matches!(fault.why(), Why::Encoding));
    assert_eq!(fault.file(), "policy.yml");
}

/// As an orchestrator mounts configuration: every file a link into a folder that is exchanged as a whole.
#[test]
fn a_configuration_link_that_stays_beneath_loads_and_one_that_leads_out_is_refused() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let config = stage.path("config");
    for generation in ["..1", "..2"] {
        fs::create_dir(config.join(generation)).unwrap();
        fs::write(config.join(generation).join("policy.yml"), generation).unwrap();
    }
    symlink("..1", config.join("..data")).unwrap();
    symlink("..data/policy.yml", config.join("policy.yml")).unwrap();
    let read = || dirs.config_file("policy.yml");
    assert_eq!(read().unwrap().as_deref(), Some("..1"));
    symlink("..2", config.join("..new")).unwrap();
    fs::rename(config.join("..new"), config.join("..data")).unwrap();
    assert_eq!(read().unwrap().as_deref(), Some("..2"));

    fs::remove_file(config.join("..data")).unwrap();
    symlink(stage.path("home"), config.join("..data")).unwrap();
    fs::write(stage.path("home/policy.yml"), "outside").unwrap();
    let fault = refused(read());
    assert_eq!(
        event(&fault),
        pair("path_traversal_attempt", "path_outside_allowed_directory")
    );
    assert_eq!(recorded(&fault)["attempted_path"], "policy.yml");
    // A link to nothing is no missing file.
    fs::remove_file(config.join("..data")).unwrap();
    assert_eq!(
        event(&refused(read())),
        pair("file_validation_failed", "path_is_symlink")
    );
}

#[test]
fn a_file_that_grows_while_it_is_read_stays_within_its_bound() {
    // A file of the system whose size is said to be 0 and which holds more.
    let proc = Dir::open_ambient_dir("/proc/self", ambient_authority()).unwrap();
    let read = |max| reading::read(Kind::File("policy.yml"), &proc, Path::new("status"), max);
    assert!(matches!(read(16), Err(Why::TooLarge { .. })));
    assert!(read(1_048_576).unwrap().bytes.len() > 16);
}

#[test]
fn known_hosts_may_lie_anywhere_and_is_the_users_own_by_default() {
    let stage = Stage::new();
    let home = stage.path("home");
    let stage = stage.set("HOME", &home);
    let dirs = stage.dirs();
    let own = home.join(".ssh/known_hosts");
    for none in [None, Some(""), Some("  ")] {
        let fault = refused(dirs.known_hosts(none));
        assert!(fault.is_missing());
        assert_eq!(fault.file(), "policy.yml");
        // The place that was looked at, written as it is.
        assert_eq!(recorded(&fault)["resolved_path"], own.to_str().unwrap());
        assert!(fault.to_string().contains(own.to_str().unwrap()), "{fault}");
        assert!(!fault.to_string().contains('~'), "{fault}");
    }
    fs::create_dir(home.join(".ssh")).unwrap();
    let fault = refused(dirs.known_hosts(None));
    assert_eq!(recorded(&fault)["resolved_path"], own.to_str().unwrap());
    fs::write(&own, "own").unwrap();
    assert_eq!(dirs.known_hosts(None).unwrap(), b"own");
    assert_eq!(
        dirs.known_hosts(Some("~/.ssh/known_hosts")).unwrap(),
        b"own"
    );
    fs::write(stage.path("keys/known_hosts"), "beside the keys").unwrap();
    assert_eq!(
        dirs.known_hosts(Some("known_hosts")).unwrap(),
        b"beside the keys"
    );
    let outside = stage.path("outside");
    assert_eq!(dirs.known_hosts(outside.to_str()).unwrap(), b"outside");
    symlink(&outside, stage.path("link")).unwrap();
    assert!(matches!(
        refused(dirs.known_hosts(stage.path("link").to_str())).why(),
        Why::Link
    ));
    for path in ["../outside", "/", "/no/such/file"] {
        assert!(dirs.known_hosts(Some(path)).is_err(), "{path}");
    }
}

#[test]
fn the_folder_of_absolute_host_keys_is_opened_once() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let folder = stage.path("ssh");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("known_hosts"), "first").unwrap();
    let path = folder.join("known_hosts");
    let read = || dirs.known_hosts(path.to_str()).unwrap();
    assert_eq!(read(), b"first");
    fs::rename(&folder, stage.path("moved")).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(&path, "FALSE").unwrap();
    assert_eq!(read(), b"first");
    fs::write(stage.path("moved/known_hosts"), "renewed").unwrap();
    assert_eq!(read(), b"renewed");
}
