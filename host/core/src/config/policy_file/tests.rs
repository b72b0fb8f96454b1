//! Claims about `policy.yml`: a text in, faults or warnings out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
use super::*;

/// The line, path and message of each fault.
fn faults(text: &str) -> Vec<(u64, String, String)> {
    let faults = policy(text).map(drop).unwrap_err();
    faults
        .into_iter()
        .map(|fault| (fault.line, fault.path, fault.message))
        .collect()
}

fn warnings(text: &str) -> Vec<String> {
    let warnings = policy(text).unwrap_or_else(|faults| panic!("{faults:?}")).1;
    warnings.into_iter().map(|warning| warning.path).collect()
}

#[test]
fn an_empty_file_is_a_policy_that_denies_everything() {
    for text in ["", "# nothing\n", "{}", "rules: []", "rules:\n"] {
        let (policy, warnings) = policy(text).unwrap();
        assert_eq!((policy.rule_count(), warnings.len()), (0, 0), "{text:?}");
    }
}

#[test]
fn every_fault_names_its_line_and_key() {
    for (text, line, path) in [
        ("version: 3\n", 1, "version"),
        ("rules: {a: 1}\n", 1, "rules"),
        (
            "rules:\n- action: permit\n  commands: [x]\n",
            2,
            "rules[0].action",
        ),
        (
            "rules:\n- action: Allow\n  commands: [x]\n",
            2,
            "rules[0].action",
        ),
        (
            "rules:\n- action: allow\n  comands: [x]\n",
            3,
            "rules[0].comands",
        ),
        (
            "rules:\n- action: allow\n  tags: prod\n  commands: [x]\n",
            3,
            "rules[0].tags",
        ),
        (
            "rules:\n- action: allow\n  aliases:\n  commands: [x]\n",
            3,
            "rules[0].aliases",
        ),
        (
            "rules:\n- action: allow\n  commands: uptime\n",
            3,
            "rules[0].commands",
        ),
        (
            "rules:\n- action: allow\n  binary: docker\n",
            2,
            "rules[0].binary",
        ),
        ("rules:\n- action: deny\n  aliases: [x]\n", 2, "rules[0]"),
        (
            "rules:\n- action: allow\n  arg_prefix: [x]\n  commands: [x]\n",
            2,
            "rules[0].arg_prefix",
        ),
        (
            "rules:\n- simple_binaries: ['rm*']\n  action: deny\n",
            2,
            "rules[0].simple_binaries",
        ),
        (
            "rules:\n- action: allow\n  simple_binaries: [x]\n  simple_max_args: many\n",
            4,
            "rules[0].simple_max_args",
        ),
        (
            "rules:\n- action: allow\n  simple_binaries: [x]\n  simple_max_args: -1\n",
            4,
            "rules[0].simple_max_args",
        ),
        (
            "rules:\n- action: allow\n  simple_binaries: [x]\n  simple_max_args:\n",
            4,
            "rules[0].simple_max_args",
        ),
        (
            "rules:\n- action: allow\n  binary: x\n  arg_prefix: [y]\n  allow_extra_args: 'no'\n",
            5,
            "rules[0].allow_extra_args",
        ),
        (
            "rules:\n- action: allow\n  binary: x\n  path_args: {indices: [1]}\n",
            2,
            "rules[0].path_args",
        ),
        ("limits:\n  max_seconds: 0\n", 2, "limits.max_seconds"),
        ("limits:\n  max_seconds: 86401\n", 2, "limits.max_seconds"),
        ("limits:\n  max_seconds: abc\n", 2, "limits.max_seconds"),
        ("limits:\n  max_seconds: -1\n", 2, "limits.max_seconds"),
        ("limits:\n  max_seconds: 1.5\n", 2, "limits.max_seconds"),
        (
            "limits:\n  deny_substrings: rm\n",
            2,
            "limits.deny_substrings",
        ),
        ("limits:\n  deny_substrings:\n", 2, "limits.deny_substrings"),
        (
            "limits:\n  deny_substrings: ['shutdown*']\n",
            2,
            "limits.deny_substrings[0]",
        ),
        (
            "limits:\n  deny_substrings: [a, '*curl']\n",
            2,
            "limits.deny_substrings[1]",
        ),
        (
            "limits:\n  deny_substrings: [' ']\n",
            2,
            "limits.deny_substrings[0]",
        ),
        (
            "overrides:\n  aliases:\n    web1: {max_second: 1}\n",
            3,
            "overrides.aliases.web1.max_second",
        ),
        (
            "overrides:\n  tags:\n    prod: {max_seconds: 0}\n",
            3,
            "overrides.tags.prod.max_seconds",
        ),
        ("network:\n  allow: [10.0.0.0/8]\n", 2, "network.allow"),
        (
            "network:\n  allow_cidrs: 10.0.0.0/8\n",
            2,
            "network.allow_cidrs",
        ),
        ("network:\n  allow_cidrs:\n", 2, "network.allow_cidrs"),
        (
            "network:\n  allow_cidrs: [10.0.0.0/33]\n",
            2,
            "network.allow_cidrs[0]",
        ),
        (
            "network:\n  allow_ips: [10.0.0.1, web1]\n",
            2,
            "network.allow_ips[1]",
        ),
        (
            "network:\n  block_ips: [169.254.0.0/16]\n",
            2,
            "network.block_ips[0]",
        ),
        ("deny_commands: [standrad]\n", 1, "deny_commands[0]"),
        (
            "deny_commands:\n- programs: [rm]\n  paths: [sistem]\n",
            2,
            "deny_commands[0].paths[0]",
        ),
        (
            "deny_commands:\n- standard\n- flags: [-r]\n",
            3,
            "deny_commands[1].programs",
        ),
        (
            "rules:\n- action: deny\n  deny_commands: [{programs: [rm], flags: [r]}]\n",
            3,
            "rules[0].deny_commands[0].flags[0]",
        ),
        (
            "rules:\n- action: allow\n  commands: [ls]\n  deny_commands: [standard]\n",
            2,
            "rules[0].deny_commands",
        ),
    ] {
        let found = faults(text);
        let (at, key, message) = &found[0];
        assert_eq!((*at, key.as_str()), (line, path), "{text:?}: {message}");
    }
}

#[test]
fn all_faults_come_at_once() {
    let text = "limits: {max_seconds: 0, deny_substrings: ['x*']}\n\
                network: {allow_ips: [x], block_cidrs: [y]}\n\
                rules:\n- {action: allow, binary: a}\n- {action: deny, simple_binaries: ['b c']}\n";
    let paths: Vec<String> = faults(text).into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(
        paths,
        [
            "limits.max_seconds",
            "limits.deny_substrings[0]",
            "network.allow_ips[0]",
            "network.block_cidrs[0]",
            "rules[0].binary",
            "rules[1].simple_binaries",
        ]
    );
}

#[test]
fn a_misspelt_class_or_word_gets_a_suggestion() {
    for (text, suggestion) in [
        ("deny_commands: [standrad]", "`standard`"),
        (
            "deny_commands: [{programs: [rm], paths: [rooot]}]",
            "`root`",
        ),
        (
            "deny_commands: [{programs: [rm], paths: [wherever]}]",
            "classes are",
        ),
        ("deny_commands: ['rm -rf /']", "`deny_substrings`"),
    ] {
        let fault = policy(text).map(drop).unwrap_err().remove(0);
        assert!(fault.hint.contains(suggestion), "{text:?}: {fault:?}");
    }
}

#[test]
fn an_entry_with_an_unknown_key_or_nothing_in_it_is_a_fault() {
    for text in [
        "deny_commands: [{programs: [rm], flagz: [-r]}]",
        "deny_commands: [{programs: []}]",
        "deny_commands: [{programs: ['*']}]",
        "deny_commands: [{programs: [rm], flags: []}]",
        "deny_commands: [{programs: [rm], words: ['a||b']}]",
        "deny_commands: [{programs: [rm], at: [last]}]",
        "deny_commands: [{programs: [dd], paths: [root], at: [third]}]",
        "deny_commands: [standard, standard]",
        "deny_commands: [7]",
        "deny_commands:",
    ] {
        assert!(policy(text).is_err(), "{text:?}");
    }
}

#[test]
fn what_is_legal_and_not_meant_is_warned_of() {
    for (text, path) in [
        (
            "limits: {require_known_host: false}",
            "limits.require_known_host",
        ),
        (
            "limits: {host_key_auto_add: true}",
            "limits.host_key_auto_add",
        ),
        (
            "network: {require_known_host: false}",
            "network.require_known_host",
        ),
        (
            "overrides: {tags: {a: {require_known_host: false}}}",
            "overrides.tags.a.require_known_host",
        ),
        ("limits: {deny_substrings: []}", "limits.deny_substrings"),
        (
            "network: {block_cidrs: [10.0.0.0/8, 0.0.0.0/0]}",
            "network.block_cidrs[1]",
        ),
        (
            "rules: [{action: allow, commands: ['ls', '*']}]",
            "rules[0].commands[1]",
        ),
        (
            "rules: [{action: allow, commands: ['echo $(id)']}]",
            "rules[0].commands[0]",
        ),
        ("rules: [{action: allow, commands: []}]", "rules[0]"),
        ("rules: [{commands: [x]}]", "rules[0]"),
    ] {
        assert_eq!(warnings(text), [path], "{text}");
    }
    for text in [
        "limits: {require_known_host: true, host_key_auto_add: false}",
        "rules: [{action: deny, commands: ['*']}]",
        "version: 2\nrules: [{action: allow, commands: ['ls *']}]",
    ] {
        assert!(warnings(text).is_empty(), "{text}");
    }
}

#[test]
fn a_star_that_people_type_is_a_text() {
    for text in ["rm -rf *", "rm -rf /*", "chmod 777 /*", "rm *"] {
        assert!(!looks_like_a_glob(text), "{text}");
    }
    for text in [
        "shutdown*",
        "*shutdown",
        "mkfs.*",
        "*",
        "* x*",
        "a*b",
        "/*x",
    ] {
        assert!(looks_like_a_glob(text), "{text}");
    }
}

#[test]
fn json_is_read_as_well() {
    let (policy, _) = policy(r#"{"version": 1, "known_hosts_path": "/k", "limits": {"max_seconds": 5}, "rules": [{"action": "allow", "simple_binaries": ["uptime"], "simple_max_args": 6}]}"#).unwrap();
    assert_eq!(policy.rule_count(), 1);
    assert_eq!(policy.known_hosts_path.as_deref(), Some("/k"));
}

#[test]
fn a_number_in_quotes_is_no_number() {
    for text in [
        "limits: {max_seconds: '60'}",
        r#"{"rules": [{"action": "allow", "simple_binaries": ["x"], "simple_max_args": "6"}]}"#,
    ] {
        assert!(policy(text).is_err(), "{text}");
    }
}

#[test]
fn overrides_narrow_the_networks_of_the_hosts_that_they_are_about() {
    let text = "network: {allow_cidrs: [10.0.0.0/8]}\noverrides:\n  aliases:\n    db1: {network: {allow_ips: [10.0.0.5, 192.0.2.1]}}\n  tags:\n    prod: {network: {block_cidrs: [10.0.0.0/24]}, max_seconds: 5}\n";
    let (mut policy, warnings) = policy(text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let host = |alias: &str, tag: &str| {
        let servers = format!("hosts: [{{alias: {alias}, host: h, tags: [{tag}]}}]");
        let sources = crate::config::Sources {
            servers: Some(servers),
            ..crate::config::Sources::default()
        };
        let snapshot = crate::config::load(&sources, crate::config::Occasion::Start).unwrap();
        snapshot.inventory.hosts()[0].clone()
    };
    let hosts = [host("web1", "x"), host("web2", "prod"), host("db1", "prod")];
    for prepared in [false, true] {
        if prepared {
            policy.prepare(hosts.iter());
        }
        for (host, address, deciding) in [
            (&hosts[0], "10.0.0.5", None),
            (
                &hosts[0],
                "192.0.2.1",
                Some("no entry of network.allow_* matches"),
            ),
            (
                &hosts[1],
                "10.0.0.5",
                Some("overrides.tags.prod.network.block_cidrs: 10.0.0.0/24"),
            ),
            (&hosts[1], "10.0.1.5", None),
            (
                &hosts[2],
                "10.0.1.5",
                Some("no entry of overrides.aliases.db1.network.allow_* matches"),
            ),
            // An override cannot widen.
            (
                &hosts[2],
                "192.0.2.1",
                Some("no entry of network.allow_* matches"),
            ),
        ] {
            let verdict = policy.network_for(host).judge(address.parse().unwrap());
            assert_eq!(verdict.deciding().as_deref(), deciding, "{address}");
        }
    }
}

#[test]
fn networks_of_overrides_are_read_as_strictly_as_the_common_ones() {
    let found = faults("overrides: {tags: {db: {network: {allow_cidrs: [10.0.0.0/33]}}}}\n");
    assert_eq!(found[0].1, "overrides.tags.db.network.allow_cidrs[0]");
    let found = faults("overrides: {aliases: {a: {network: {allow: [10.0.0.1]}}}}\n");
    assert!(found[0].1.starts_with("overrides.aliases.a"), "{found:?}");
    let found = faults("limits: {network: {allow_ips: [10.0.0.1]}}\n");
    assert_eq!(found[0].1, "limits.network");
    let found = warnings("overrides: {tags: {db: {network: {}}}}\n");
    assert_eq!(found, ["overrides.tags.db.network"]);
}
