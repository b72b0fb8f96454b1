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

/// What a link leads through decides what is read as much as the directory does.
#[test]
fn a_configuration_link_through_a_directory_that_everybody_writes_is_refused() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    let open = stage.path("config/open");
    fs::create_dir_all(open.join("deep")).unwrap();
    for place in ["open", "open/deep"] {
        let file = stage.path("config").join(place).join("policy.yml");
        fs::write(file, place).unwrap();
    }
    let way = |mode, to: &str| {
        fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
        let link = stage.path("config/policy.yml");
        let _ = fs::remove_file(&link);
        symlink(to, link).unwrap();
        dirs.config_file("policy.yml")
    };
    for to in [
        "open/policy.yml",
        "open/deep/policy.yml",
        "open/../open/policy.yml",
    ] {
        assert!(way(0o755, to).unwrap().is_some(), "{to}");
        assert!(way(0o1777, to).unwrap().is_some(), "{to}");
        let fault = refused(way(0o777, to));
        assert!(matches!(fault.why(), Why::Exposed), "{to}: {fault}");
    }
    // A link to itself ends, and so does a chain of many.
    assert!(matches!(refused(way(0o755, "policy.yml")).why(), Why::Link));
}

#[test]
fn host_keys_are_no_file_of_the_system() {
    let stage = Stage::new();
    let dirs = stage.dirs();
    for path in [
        "/proc/self/environ",
        "/proc/version",
        "/sys/kernel/uevent_seqnum",
    ] {
        if Path::new(path).exists() {
            let fault = refused(dirs.known_hosts(Some(path)));
            assert!(matches!(fault.why(), Why::NotRegular), "{path}: {fault}");
        }
    }
}

/// As somebody does who keeps the old configuration beside the new one.
#[test]
fn a_directory_that_was_replaced_is_noticed_and_opened_anew() {
    for name in ["config", "keys", "secrets", "plugins"] {
        let stage = Stage::new();
        let dirs = stage.dirs();
        dirs.in_place().unwrap();
        let old = stage.path("old");
        fs::rename(stage.path(name), &old).unwrap();
        let gone = refused(dirs.in_place());
        assert!(matches!(gone.why(), Why::Replaced), "{name}: {gone}");
        fs::create_dir(stage.path(name)).unwrap();
        let fault = refused(dirs.in_place());
        assert!(matches!(fault.why(), Why::Replaced), "{name}: {fault}");
        assert!(fault.to_string().contains(name), "{fault}");
        assert!(fault.hint().contains("SIGHUP"));
        dirs.reopen(&stage.env()).unwrap().in_place().unwrap();
    }
    // The directory of host keys is opened when it is named.
    let stage = Stage::new();
    let dirs = stage.dirs();
    let other = stage.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("known_hosts"), "first").unwrap();
    let path = other.join("known_hosts");
    assert_eq!(dirs.known_hosts(path.to_str()).unwrap(), b"first");
    dirs.in_place().unwrap();
    fs::rename(&other, stage.path("old")).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(&path, "second").unwrap();
    assert!(matches!(refused(dirs.in_place()).why(), Why::Replaced));
    let again = dirs.reopen(&stage.env()).unwrap();
    assert_eq!(again.known_hosts(path.to_str()).unwrap(), b"second");
}
