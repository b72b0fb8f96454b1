//! Files that must load, and files whose every fault must be named at its place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;

const HOSTS: &str = "hosts:\n  - alias: web1\n    host: 10.0.0.11\n    credentials: admin\n";
const LOGINS: &str = "entries:\n  - name: admin\n    username: ubuntu\n    key_path: id_ed25519\n";
const PIN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn sources(servers: &str, credentials: &str) -> Sources {
    Sources {
        servers: Some(servers.to_owned()),
        credentials: Some(credentials.to_owned()),
        ..Sources::default()
    }
}

fn plugins(text: &str) -> Sources {
    Sources {
        plugins: Some(text.to_owned()),
        ..sources(HOSTS, LOGINS)
    }
}

fn loads(sources: &Sources) -> Snapshot {
    load(sources, Occasion::Start).unwrap_or_else(|faults| panic!("{}", shown(&faults)))
}

fn faults(sources: &Sources) -> Vec<ConfigFault> {
    load(sources, Occasion::Start).expect_err("the files load")
}

fn shown(faults: &[ConfigFault]) -> String {
    let line = |fault: &ConfigFault| format!("{fault} ({})\n", fault.hint);
    faults.iter().map(line).collect()
}

/// One host with one entry line more.
fn host_with(line: &str) -> Sources {
    sources(&format!("{HOSTS}    {line}\n"), LOGINS)
}

/// One login with one entry line more.
fn login_with(line: &str) -> Sources {
    sources(HOSTS, &format!("{LOGINS}    {line}\n"))
}

/// One pinned validator with one entry line more.
fn plugin_with(line: &str) -> Sources {
    plugins(&format!(
        "plugins:\n  - name: a\n    kind: validator\n    path: a.wasm\n    sha256: \"{PIN}\"\n    {line}\n"
    ))
}

#[test]
fn the_smallest_files_load_with_their_defaults() {
    let snapshot = loads(&sources(HOSTS, LOGINS));
    let host = &snapshot.inventory.hosts()[0];
    assert_eq!((host.port, host.tags.len()), (22, 0));
    let target = snapshot.inventory.resolve(&host.alias).unwrap();
    assert_eq!(target.credential.unwrap().username, "ubuntu");
    assert_eq!(snapshot.settings, Settings::default());
    assert_eq!(snapshot.plugins.len(), 0);
}

#[test]
fn every_shape_of_the_peers_files_loads() {
    for line in [
        "port: 2222",
        "port: \"2222\"",
        "port: 1",
        "port: 65535",
        "tags:",
        "tags: []",
        "tags: [a, b.c]",
        "description: ''",
        "description:",
    ] {
        loads(&host_with(line));
    }
    for line in [
        "password_secret: ''",
        "key_passphrase_secret: \"\"",
        "password_secret:",
        "password_secret: db-pass",
    ] {
        loads(&login_with(line));
    }
    assert_eq!(
        loads(&host_with("port: \"2222\"")).inventory.hosts()[0].port,
        2222
    );
    assert!(
        loads(&sources("hosts: []\n", ""))
            .inventory
            .hosts()
            .is_empty()
    );
    assert_eq!(loads(&sources("hosts: []\n", "")).warnings.len(), 2);
}

#[test]
fn a_wrong_value_of_a_host_is_a_fault_at_its_line() {
    for (line, path) in [
        ("port: 0", "hosts[0].port"),
        ("port: 65536", "hosts[0].port"),
        ("port: -1", "hosts[0].port"),
        ("port: abc", "hosts[0].port"),
        ("port: ''", "hosts[0].port"),
        ("port: '+22'", "hosts[0].port"),
        ("port: 22.0", "hosts[0].port"),
        ("port:", "hosts[0].port"),
        ("port: [22]", "hosts[0].port"),
        ("tags: production", "hosts[0].tags"),
        ("tags: {a: b}", "hosts[0].tags"),
        ("tags: [5]", "hosts[0].tags[0]"),
        ("tags: [a, 'b c']", "hosts[0].tags[1]"),
        ("tags: ['']", "hosts[0].tags[0]"),
        ("description: [a]", "hosts[0].description"),
        ("hsot: x", "hosts[0].hsot"),
    ] {
        let found = faults(&host_with(line));
        let fault = &found[0];
        assert_eq!(
            (fault.file, fault.line, fault.path.as_str()),
            (SERVERS, 5, path),
            "{line}: {}",
            shown(&found)
        );
        assert!(fault.column > 0, "{line}");
    }
}

#[test]
fn an_alias_or_an_address_that_no_tool_could_name_is_a_fault() {
    for alias in [
        "Proxmox Prod 01",
        "a/b",
        "''",
        "é",
        "5",
        "true",
        "[a]",
        &"a".repeat(101),
    ] {
        let text = format!("hosts:\n  - alias: {alias}\n    host: h\n    credentials: admin\n");
        assert_eq!(
            faults(&sources(&text, LOGINS))[0].path,
            "hosts[0].alias",
            "{alias}"
        );
    }
    for host in [
        "''",
        "-oProxyCommand=x",
        "'a b'",
        "a@b",
        "h;id",
        "'h\n'x",
        "5",
        "é.example",
        &"a".repeat(254),
    ] {
        let text = format!("hosts:\n  - alias: a\n    host: {host}\n    credentials: admin\n");
        assert!(!faults(&sources(&text, LOGINS)).is_empty(), "{host}");
    }
    for host in [
        "h",
        "web-1.example.com",
        "10.0.0.1",
        "\"2001:db8::1\"",
        "\"fe80::1%eth0\"",
    ] {
        loads(&sources(
            &format!("hosts:\n  - alias: a\n    host: {host}\n    credentials: admin\n"),
            LOGINS,
        ));
    }
}

#[test]
fn all_faults_of_all_files_come_in_one_go_in_order() {
    let sources = Sources {
        servers: Some("hosts:\n  - allias: a\n    host: h\n    port: 0\n  - alias: b\n    host: h\n    credentials: nobody\n".to_owned()),
        credentials: Some("entries:\n  - name: x\n    password: hunter2\n".to_owned()),
        policy: None,
        plugins: Some("plugins:\n  - name: a b\n    kind: judge\n".to_owned()),
        plugins_lock: None,
        portcullis: Some("audit: {stdout: true}\n".to_owned()),
        companions: Some("companions: [{name: c}]\n".to_owned()),
        unread: Vec::new(),
    };
    let found = load(&sources, Occasion::Reload).unwrap_err();
    let places: Vec<(&str, u64, &str)> = found
        .iter()
        .map(|fault| (fault.file, fault.line, fault.path.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (SERVERS, 2, "hosts[0].allias"),
            (SERVERS, 2, "hosts[0]"),
            (SERVERS, 4, "hosts[0].port"),
            (SERVERS, 7, "hosts[1].credentials"),
            (CREDENTIALS, 2, "entries[0]"),
            (CREDENTIALS, 3, "entries[0].password"),
            (POLICY, 0, ""),
            (PLUGINS, 2, "plugins[0]"),
            (PLUGINS, 2, "plugins[0]"),
            (PLUGINS, 2, "plugins[0].name"),
            (PLUGINS, 3, "plugins[0].kind"),
            (PORTCULLIS, 1, "audit.stdout"),
            (COMPANIONS, 1, "companions[0]"),
        ],
        "{}",
        shown(&found)
    );
    assert!(
        found
            .iter()
            .any(|fault| fault.hint == "Did you mean `alias`?")
    );
}

#[test]
fn a_duplicate_alias_and_a_dangling_credential_are_named_at_the_second_place() {
    let twice = format!("{HOSTS}  - alias: web1\n    host: h\n    credentials: admin\n");
    let found = faults(&sources(&twice, LOGINS));
    assert_eq!((found.len(), found[0].line), (1, 5), "{}", shown(&found));
    let found = faults(&sources(HOSTS, "entries: []\n"));
    assert_eq!(
        (found.len(), found[0].line, found[0].path.as_str()),
        (1, 4, "hosts[0].credentials")
    );
    let twice = format!("{LOGINS}  - name: admin\n    username: b\n    key_path: k\n");
    assert_eq!(faults(&sources(HOSTS, &twice))[0].path, "entries[1]");
}

#[test]
fn a_login_with_another_fault_is_not_called_missing() {
    let found = faults(&login_with("key_passphrase_secret: a.b"));
    assert_eq!(found.len(), 1, "{}", shown(&found));
    assert_eq!(found[0].path, "entries[0].key_passphrase_secret");
    let found = faults(&sources(HOSTS, "entries: [\n"));
    assert_eq!(found.len(), 1, "{}", shown(&found));
}

#[test]
fn a_plain_password_is_refused_with_a_hint() {
    let found = faults(&login_with("password: hunter2"));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].hint.contains("password_secret"),
        "{}",
        shown(&found)
    );
}

#[test]
fn no_fault_of_the_credentials_file_repeats_what_stands_in_it() {
    for text in [
        "entries:\n  - name: hunter2 hunter2\n    username: x\n",
        "entries:\n  - name: a\n    username: hun ter2hunter2\n    password: hunter2\n",
        "entries:\n  - name: a\n    username: [hunter2]\n    key_path: ../hunter2\n",
        "entries:\n  - name: a\n    username: b\n    password_secret: hunter2!\n",
        "entries:\n  - name: a\n    username: b\n    key_passphrase_secret: {hunter2: hunter2}\n",
        "entries:\n  - name: a\n    username: b\n    hunter2: hunter2\n",
        "entries: hunter2\n",
        "hunter2: hunter2\n",
        "hunter2\n",
        "entries:\n  - hunter2\n",
        "entries:\n  - {name: hunter2, name: hunter2}\n",
        "entries: [hunter2\n",
        "entries:\n  - name: &hunter2 x\n    username: *hunter2\n",
        "version: hunter2\nentries: []\n",
        "entries:\n  - {name: hunter2, username: u, key_path: k}\n  - {name: hunter2, username: u, key_path: k}\n",
    ] {
        let found = faults(&sources(HOSTS, text));
        assert!(
            found.iter().any(|fault| fault.file == CREDENTIALS),
            "{text}"
        );
        assert!(
            !format!("{found:?}").contains("hunter2"),
            "{text}: {}",
            shown(&found)
        );
    }
}

#[test]
fn secret_names_that_share_a_variable_are_a_fault_and_one_name_used_twice_is_not() {
    let logins = |a: &str, b: &str| {
        format!(
            "entries:\n  - name: admin\n    username: u\n    password_secret: {a}\n  - name: b\n    username: u\n    password_secret: {b}\n"
        )
    };
    loads(&sources(HOSTS, &logins("db-pass", "db-pass")));
    loads(&sources(HOSTS, &logins("db-pass", "db-pass2")));
    for (a, b) in [("db-pass", "db_pass"), ("db", "DB"), ("a-b_c", "A_B-C")] {
        let found = faults(&sources(HOSTS, &logins(a, b)));
        assert_eq!(
            (found.len(), found[0].path.as_str()),
            (1, "entries[1].password_secret")
        );
    }
}

#[test]
fn paths_and_names_at_their_bounds_load_and_one_past_them_do_not() {
    loads(&sources(
        HOSTS,
        &LOGINS.replace("id_ed25519", &"k".repeat(500)),
    ));
    loads(&login_with(&format!(
        "password_secret: {}",
        "s".repeat(100)
    )));
    for line in [
        format!("password_secret: {}", "s".repeat(101)),
        "password_secret: пароль".to_owned(),
    ] {
        assert_eq!(faults(&login_with(&line)).len(), 1, "{line}");
    }
    for path in [
        "k".repeat(501),
        "../k".to_owned(),
        "a/../k".to_owned(),
        "'..\\k'".to_owned(),
    ] {
        assert_eq!(
            faults(&sources(HOSTS, &LOGINS.replace("id_ed25519", &path)))[0].path,
            "entries[0].key_path"
        );
    }
}

#[test]
fn a_login_without_key_and_password_and_a_host_without_login_are_warned_about() {
    let snapshot = loads(&sources(
        "hosts:\n  - {alias: a, host: h}\n",
        "entries:\n  - {name: b, username: u}\n",
    ));
    let places: Vec<(&str, &str)> = snapshot
        .warnings
        .iter()
        .map(|warning| (warning.file, warning.path.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (SERVERS, "hosts[0]"),
            (CREDENTIALS, "entries[0]"),
            (POLICY, "")
        ]
    );
}

#[test]
fn a_missing_policy_denies_at_start_and_is_not_taken_at_reload() {
    let sources = sources(HOSTS, LOGINS);
    let snapshot = loads(&sources);
    assert_eq!(snapshot.policy.rule_count(), 0);
    assert_eq!(snapshot.warnings.len(), 1);
    let found = load(&sources, Occasion::Reload).unwrap_err();
    assert_eq!((found.len(), found[0].file), (1, POLICY));
}

#[test]
fn a_missing_or_emptied_servers_file_is_a_fault_on_every_occasion() {
    for servers in [
        None,
        Some(""),
        Some("# nothing\n"),
        Some("null\n"),
        Some("- a\n"),
        Some("hosts:\n"),
        Some("entries: []\n"),
    ] {
        for occasion in [Occasion::Start, Occasion::Reload] {
            let sources = Sources {
                servers: servers.map(str::to_owned),
                ..Sources::default()
            };
            let found = load(&sources, occasion).unwrap_err();
            assert_eq!(found[0].file, SERVERS, "{servers:?}");
        }
    }
}

#[test]
fn an_emptied_plugins_file_does_not_take_the_plugins_away() {
    for text in ["", "\n# x\n", "null\n", "plugins:\n", "version: 1\n"] {
        assert_eq!(faults(&plugins(text))[0].file, PLUGINS, "{text:?}");
    }
    assert!(loads(&plugins("plugins: []\n")).plugins.is_empty());
    let (with, without) = (loads(&plugin_with("")), loads(&sources(HOSTS, LOGINS)));
    assert_eq!(without.missing_since(&with)[0].file, PLUGINS);
    assert!(with.missing_since(&without).is_empty());
}

#[test]
fn plugins_keep_the_order_of_the_file_and_take_their_defaults_by_kind() {
    let text = format!(
        "plugins:\n  - {{name: z, kind: redactor, path: z.wasm, sha256: \"{PIN}\"}}\n  - {{name: a, kind: validator, path: d/a.wasm, dev: true, mode: observe, wasi: none}}\n"
    );
    let snapshot = loads(&plugins(&text));
    let [z, a] = &snapshot.plugins[..] else {
        panic!()
    };
    assert_eq!(
        (z.name.as_str(), z.kind, z.limits.wall_ms),
        ("z", PluginKind::Redactor, 250)
    );
    assert_eq!(
        (z.mode, z.wasi_inert, z.settings.as_str()),
        (PluginMode::Enforce, true, "{}")
    );
    assert_eq!(z.limits.memory_bytes, 32 * 1_048_576);
    assert_eq!(
        (a.kind, a.limits.wall_ms, a.sha256.as_ref()),
        (PluginKind::Validator, 50, None)
    );
    assert_eq!((a.mode, a.wasi_inert), (PluginMode::Observe, false));
    // One warning for the missing policy, one for `dev`, one for `observe`.
    assert_eq!(snapshot.warnings.len(), 3);
}

#[test]
fn the_settings_of_a_plugin_become_json() {
    let snapshot = loads(&plugin_with(
        "settings: {deny: [/etc/shadow, 7, 1.5, true, null], n: {m: \"x\"}}",
    ));
    let json: serde_json::Value = serde_json::from_str(&snapshot.plugins[0].settings).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"deny": ["/etc/shadow", 7, 1.5, true, null], "n": {"m": "x"}})
    );
    for number in [".inf", ".nan"] {
        assert_eq!(
            faults(&plugin_with(&format!("settings: {{a: {number}}}"))).len(),
            1,
            "{number}"
        );
    }
    let long = format!("settings: {{a: {}}}", "x".repeat(65_536));
    assert_eq!(faults(&plugin_with(&long))[0].path, "plugins[0].settings");
}

#[test]
fn a_limit_of_a_plugin_has_a_ceiling() {
    for (limit, at, past) in [
        ("wall_ms", 5_000_u64, 5_001_u64),
        ("fuel", 10_000_000_000, 10_000_000_001),
        ("memory_mib", 256, 257),
        ("component_mib", 8, 9),
    ] {
        loads(&plugin_with(&format!("limits: {{{limit}: {at}}}")));
        for bad in [past, 0] {
            let found = faults(&plugin_with(&format!("limits: {{{limit}: {bad}}}")));
            assert_eq!(found[0].path, format!("plugins[0].limits.{limit}"));
        }
    }
}

#[test]
fn a_plugin_that_is_not_pinned_or_lies_elsewhere_is_a_fault() {
    let entry = |rest: &str| format!("plugins:\n  - {{name: a, kind: validator, {rest}}}\n");
    for rest in [
        "path: a.wasm".to_owned(),
        "path: a.wasm, dev: false".to_owned(),
        format!("path: a.wasm, dev: true, sha256: \"{PIN}\""),
        "path: a.wasm, sha256: abc".to_owned(),
        format!("path: a.wasm, sha256: \"{}g\"", &PIN[1..]),
        format!("path: /a.wasm, sha256: \"{PIN}\""),
        format!("path: ../a.wasm, sha256: \"{PIN}\""),
        "path: a.wasm, dev: yes".to_owned(),
    ] {
        assert_eq!(faults(&plugins(&entry(&rest))).len(), 1, "{rest}");
    }
    let upper = entry(&format!("path: a.wasm, sha256: \"{}\"", PIN.to_uppercase()));
    assert_eq!(
        loads(&plugins(&upper)).plugins[0].sha256.as_deref(),
        Some(PIN)
    );
}

#[test]
fn the_gates_own_settings_are_read_and_unknown_ones_refused() {
    let with = |text: &str| Sources {
        portcullis: Some(text.to_owned()),
        ..sources(HOSTS, LOGINS)
    };
    assert!(
        !loads(&with("version: 1\naudit:\n  stderr: false\n"))
            .settings
            .audit
            .stderr
    );
    assert!(loads(&with("")).settings.audit.stderr);
    for text in [
        "version: 2\n",
        "audit: {stderr: no}\n",
        "audit: true\n",
        "journal: x\n",
        "- a\n",
    ] {
        assert_eq!(faults(&with(text))[0].file, PORTCULLIS, "{text}");
    }
}

#[test]
fn the_digest_tells_every_change_apart() {
    let base = sources(HOSTS, LOGINS);
    let mut digests = vec![loads(&base).digest];
    digests.push(loads(&sources(&format!("{HOSTS}#"), LOGINS)).digest);
    digests.push(
        loads(&Sources {
            portcullis: Some(String::new()),
            ..base.clone()
        })
        .digest,
    );
    digests.push(
        loads(&Sources {
            portcullis: Some("#".to_owned()),
            ..base.clone()
        })
        .digest,
    );
    assert_eq!(loads(&base).digest, digests[0]);
    assert!(digests.iter().all(|digest| digest.len() == 64));
    let all = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), all);
}

#[test]
fn duplicate_keys_aliases_and_tags_are_faults_in_every_file() {
    for text in [
        "a: 1\na: 2\n",
        "hosts: &x []\n",
        "hosts: !x []\n",
        "hosts: []\nhosts: []\n",
        "hosts: []\n---\nhosts: []\n",
    ] {
        assert!(!faults(&sources(text, LOGINS)).is_empty(), "{text}");
    }
}

/// The samples that operators begin with.
fn samples() -> Sources {
    let read = |name: &str| {
        let path = format!("{}/../../config/{name}", env!("CARGO_MANIFEST_DIR"));
        Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
    };
    Sources {
        servers: read(SERVERS),
        credentials: read(CREDENTIALS),
        policy: read(POLICY),
        plugins: read(PLUGINS),
        plugins_lock: None,
        portcullis: read(PORTCULLIS),
        companions: read(COMPANIONS),
        unread: Vec::new(),
    }
}

#[test]
fn the_samples_load_without_a_warning() {
    for occasion in [Occasion::Start, Occasion::Reload] {
        let snapshot =
            load(&samples(), occasion).unwrap_or_else(|found| panic!("{}", shown(&found)));
        assert_eq!(shown(&snapshot.warnings), "");
        assert_eq!(snapshot.inventory.hosts().len(), 3);
        assert_eq!(snapshot.settings, Settings::default());
    }
}

#[test]
fn the_sample_for_production_loads_without_a_warning_and_says_what_it_means() {
    let text = std::fs::read_to_string(format!(
        "{}/../../config/policy.production.yml",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();
    let (policy, warnings) = policy(&text).unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert_eq!(shown(&warnings), "");
    assert!(policy.rule_count() >= 7);
}

#[test]
fn a_rule_that_holds_on_no_host_is_warned_of() {
    let mut sources = samples();
    sources.policy = Some(
        "rules: [{action: deny, tags: [prodction], commands: [x]}, {action: allow, tags: [web], commands: [x]}]"
            .to_owned(),
    );
    let warnings = shown(&loads(&sources).warnings);
    assert!(warnings.contains("rules[0]"), "{warnings}");
    assert!(!warnings.contains("rules[1]"), "{warnings}");
}

#[test]
fn the_plugin_that_the_samples_describe_loads_with_the_defaults_they_name() {
    let text = std::fs::read_to_string(format!(
        "{}/../../config/plugins.yml",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();
    let (_, described) = text.split_once("\n# plugins:\n").unwrap();
    let described: String = described
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .fold("plugins:\n".to_owned(), |text, line| {
            format!("{text}{line}\n")
        });
    let described = loads(&plugins(&described)).plugins;
    let short = plugin_with("settings: {deny: [/etc/shadow, /root]}");
    let defaults = loads(&short).plugins;
    assert_eq!(described[0].limits, defaults[0].limits);
    assert_eq!(described[0].settings, defaults[0].settings);
    assert_eq!(
        (described[0].mode, described[0].wasi_inert),
        (defaults[0].mode, defaults[0].wasi_inert)
    );
}

#[test]
fn the_samples_allow_looking_and_deny_the_rest() {
    use crate::request::{Alias, CommandLine};
    let snapshot = loads(&samples());
    let allowed = |alias: &str, command: &str| {
        let target = snapshot
            .inventory
            .resolve(&Alias::parse(alias).unwrap())
            .unwrap();
        let line = CommandLine::parse(command).unwrap();
        let Ok(script) = crate::shell::parse(line.as_str()) else {
            return false;
        };
        snapshot
            .policy
            .judge(&target.host, &line, &script)
            .refusal
            .is_none()
    };
    for (alias, command) in [
        ("web1", "uptime"),
        ("db1", "df -h && free -m"),
        ("db1", "df -h /var"),
        ("web1", "systemctl status nginx"),
        ("web1", "tail -n 200 /var/log/syslog"),
        ("web1", "wc -l /var/log/nginx/access.log"),
        ("stage1", "systemctl restart nginx"),
        ("stage1", "sudo systemctl restart nginx"),
    ] {
        assert!(allowed(alias, command), "{alias}: {command}");
    }
    for (alias, command) in [
        ("web1", "rm -rf /tmp/x"),
        ("web1", "uptimed"),
        ("web1", "uptime; id -u; reboot"),
        ("web1", "systemctl restart nginx"),
        ("web1", "sudo systemctl restart nginx"),
        ("stage1", "sudo reboot"),
        ("stage1", "systemctl restart sshd"),
        ("web1", "tail -n 200 /var/log/../../etc/shadow"),
        ("web1", "cat /etc/shadow"),
        ("db1", "wc -l /var/log/nginx/access.log"),
        ("web1", "wc -l /etc/shadow"),
        ("web1", "df -h > /etc/passwd"),
    ] {
        assert!(!allowed(alias, command), "{alias}: {command}");
    }
    let limits = |alias: &str| {
        let target = snapshot
            .inventory
            .resolve(&Alias::parse(alias).unwrap())
            .unwrap();
        let limits = snapshot.policy.limits_for(&target.host);
        (limits.max_seconds, limits.max_output_bytes)
    };
    assert_eq!(
        (limits("db1"), limits("stage1")),
        ((30, 65_536), (60, 262_144))
    );
}
