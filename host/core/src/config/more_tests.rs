//! Claims about companions, reserved settings, variables of secrets, and what a reload names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use crate::answer::Names;
use crate::inventory::LoginMethod;
use crate::request::Alias;

const HOSTS: &str = "hosts:\n  - {alias: web1, host: 10.0.0.11, credentials: admin}\n  - {alias: db1, host: 10.0.0.12, credentials: admin}\n";
const LOGINS: &str = "entries:\n  - {name: admin, username: ubuntu, key_path: id_ed25519}\n";

fn base() -> Sources {
    Sources {
        servers: Some(HOSTS.to_owned()),
        credentials: Some(LOGINS.to_owned()),
        ..Sources::default()
    }
}

fn loads(sources: &Sources) -> Snapshot {
    load(sources, Occasion::Start).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(sources: &Sources) -> Vec<(u64, String, String)> {
    let faults = load(sources, Occasion::Start).expect_err("the files load");
    let place = |fault: ConfigFault| {
        (
            fault.line,
            fault.path,
            format!("{} {}", fault.message, fault.hint),
        )
    };
    faults.into_iter().map(place).collect()
}

fn logins(text: &str) -> Sources {
    Sources {
        credentials: Some(format!(
            "entries:\n  - name: admin\n    username: u\n{text}"
        )),
        ..base()
    }
}

#[test]
fn a_variable_stands_only_beside_the_secret_that_it_holds() {
    let both = logins(
        "    key_path: k\n    key_passphrase_secret: pass\n    password_secret: word\n    env: {key_passphrase_secret: DEPLOY_PASS, password_secret: _w1}\n",
    );
    let snapshot = loads(&both);
    let alias = crate::request::Alias::parse("web1").unwrap();
    let login = snapshot
        .inventory
        .resolve(&alias)
        .unwrap()
        .credential
        .unwrap();
    assert_eq!(login.key_passphrase_env.as_deref(), Some("DEPLOY_PASS"));
    assert_eq!(login.password_env.as_deref(), Some("_w1"));
    for (more, line) in [
        ("    env: {password_secret: X}\n", 4),
        (
            "    password_secret: s\n    env: {password_secret: hunter2-x}\n",
            5,
        ),
        (
            "    password_secret: s\n    env: {password_secret: 2hunter2}\n",
            5,
        ),
        ("    password_secret: s\n    env: {hunter2: X}\n", 5),
        ("    password_secret: s\n    env: hunter2\n", 5),
    ] {
        let found = faults(&logins(more));
        assert_eq!((found.len(), found[0].0), (1, line), "{more}: {found:?}");
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }
    let long = format!(
        "    password_secret: s\n    env: {{password_secret: {}}}\n",
        "X".repeat(101)
    );
    assert_eq!(faults(&logins(&long)).len(), 1);
}

fn methods(text: &str) -> Vec<LoginMethod> {
    let alias = crate::request::Alias::parse("web1").unwrap();
    let login = loads(&logins(text)).inventory.resolve(&alias).unwrap();
    login.credential.unwrap().methods
}

#[test]
fn what_is_tried_to_log_in_is_what_the_file_says_in_its_order() {
    use LoginMethod::{Agent, Certificate, Key, KeyboardInteractive, Password};
    let print = format!("SHA256:{}", "x".repeat(43));
    let all = format!(
        "    key_path: k\n    certificate_path: k-cert.pub\n    agent_key: {print}\n    password_secret: s\n"
    );
    assert_eq!(methods("    key_path: k\n    password_secret: s\n"), [Key]);
    assert_eq!(methods("    password_secret: s\n"), [Password]);
    assert_eq!(methods(&format!("    agent_key: {print}\n")), [Agent]);
    assert_eq!(methods(&all), [Certificate]);
    assert_eq!(methods(""), []);
    let order = "    methods: [keyboard_interactive, agent, certificate, key, password]\n";
    let expected = [KeyboardInteractive, Agent, Certificate, Key, Password];
    assert_eq!(methods(&format!("{all}{order}")), expected);
    let warned = loads(&logins(&all)).warnings;
    assert!(
        warned
            .iter()
            .any(|w| w.message.contains("only `certificate_path` is used")),
        "{warned:?}"
    );
    for wrong in [
        "    key_path: k\n    methods: [password]\n",
        "    key_path: k\n    methods: [key, key]\n",
        "    key_path: k\n    methods: [hunter2]\n",
        "    key_path: k\n    methods: []\n",
        "    key_path: k\n    methods: key\n",
        "    certificate_path: k-cert.pub\n",
        "    agent_key: MD5:hunter2\n",
        "    agent_key: SHA256:hunter2\n",
    ] {
        let found = faults(&logins(wrong));
        assert!(!found.is_empty(), "{wrong}");
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }
}

fn companions(text: &str) -> Sources {
    Sources {
        companions: Some(text.to_owned()),
        ..base()
    }
}

#[test]
fn a_companion_is_read_completely_and_warned_of() {
    let snapshot = loads(&companions(
        "companions:\n  - name: vm\n    transport: stdio\n    command: /bin/vm\n    args: [-q]\n    env: {A: b}\n    secrets: {P: vm-password}\n    tools:\n      - {name: get, effect: read}\n      - {name: off, undo: on, probe: get}\n      - {name: on, effect: write}\n  - {name: web, transport: http, url: 'https://a.example/mcp', token_secret: t}\n",
    ));
    let [vm, web] = &snapshot.companions[..] else {
        panic!("{:?}", snapshot.companions)
    };
    assert_eq!(
        (vm.timeout_seconds, vm.concurrency_max, vm.restarts_max),
        (30, 4, 5)
    );
    assert_eq!(vm.tools[1].effect, Effect::Destructive);
    assert!(matches!(&vm.transport, Transport::Stdio { command, .. } if command == "/bin/vm"));
    assert!(matches!(&web.transport, Transport::Http { url, .. } if url.ends_with("/mcp")));
    let warned: Vec<&str> = snapshot
        .warnings
        .iter()
        .map(|warning| warning.file)
        .collect();
    assert!(warned.contains(&COMPANIONS), "{warned:?}");
}

#[test]
fn what_is_wrong_with_a_companion_is_named_at_its_place() {
    let stdio = |more: &str| {
        format!(
            "companions:\n- {{name: c, transport: stdio, command: /c}}\n- {{name: d, transport: stdio, command: /c, {more}}}\n"
        )
    };
    for (text, line, path) in [
        (String::new(), 0, ""),
        ("companions:\n- {name: c, transport: stdio}\n".to_owned(), 2, "companions[0]"),
        ("companions:\n- {name: c, transport: stdio, command: c}\n".to_owned(), 2, "companions[0].command"),
        ("companions:\n- {name: c, transport: stdio, command: /a/../c}\n".to_owned(), 2, "companions[0].command"),
        ("companions:\n- {name: c, transport: http}\n".to_owned(), 2, "companions[0]"),
        ("companions:\n- {name: c, transport: http, url: 'http://a.example'}\n".to_owned(), 2, "companions[0].url"),
        ("companions:\n- {name: c, transport: http, url: 'http://localhost.example'}\n".to_owned(), 2, "companions[0].url"),
        ("companions:\n- {name: c, transport: http, url: 'https://u:p@a.example'}\n".to_owned(), 2, "companions[0].url"),
        ("companions:\n- {name: c, transport: http, url: 'https://a.example', args: [x]}\n".to_owned(), 2, "companions[0].args"),
        ("companions:\n- {name: c, transport: tcp, url: 'https://a.example'}\n".to_owned(), 2, "companions[0].transport"),
        (stdio("url: 'https://a.example'"), 3, "companions[1].url"),
        (stdio("env: {1A: x}"), 3, "companions[1].env.1A"),
        (stdio("env: {A: x}, secrets: {A: y}"), 3, "companions[1].secrets.A"),
        (stdio("secrets: {A: a/b}"), 3, "companions[1].secrets.A"),
        (stdio("tools: [{name: a, undo: b}]"), 3, "companions[1].tools[0].undo"),
        (stdio("tools: [{name: a, probe: b}]"), 3, "companions[1].tools[0].probe"),
        (stdio("tools: [{name: a}, {name: a}]"), 3, "companions[1].tools[1]"),
        (stdio("tools: [{name: a, effect: irreversible, undo: b}, {name: b}]"), 3, "companions[1].tools[0].undo"),
        (stdio("tools: [{name: a, undo: b}, {name: b, effect: read}]"), 3, "companions[1].tools[0].undo"),
        (stdio("tools: [{name: a, probe: b}, {name: b, effect: write}]"), 3, "companions[1].tools[0].probe"),
        (stdio("tools: [{name: a, sha256: abc}]"), 3, "companions[1].tools[0].sha256"),
        ("companions:\n- {name: c, transport: stdio, command: /c}\n- {name: c, transport: stdio, command: /c}\n".to_owned(), 3, "companions[1]"),
    ] {
        let found = faults(&companions(&text));
        assert_eq!((found.len(), found[0].0, found[0].1.as_str()), (1, line, path), "{text}: {found:?}");
    }
}

#[test]
fn what_this_version_does_not_do_is_a_fault_that_says_so() {
    for (text, path) in [
        ("transports: {http: {listen: 127.0.0.1}}", "transports.http"),
        ("transports: {http: true}", "transports.http"),
        ("transports: {stdio: false}", "transports.stdio"),
        ("principals: [{name: alice}]", "principals[0].name"),
        (
            "principals: [{name: 'local:*', roles: [viewer]}]",
            "principals[0].roles[0]",
        ),
        (
            "principals: [{name: 'local:*', roles: []}]",
            "principals[0].roles",
        ),
        ("roles: {viewer: {tools: [ssh_ping]}}", "roles"),
        ("approvals: {enabled: true}", "approvals.enabled"),
        ("approvals: {quorum: 2}", "approvals.quorum"),
        ("dns: {timeout_seconds: 1}", "dns.timeout_seconds"),
        ("dns: {queries_per_second: 20}", "dns.queries_per_second"),
        ("store: {kind: postgresql}", "store.kind"),
        ("store: {url: 'postgres://x'}", "store.url"),
    ] {
        let sources = Sources {
            portcullis: Some(format!("{text}\n")),
            ..base()
        };
        let found = faults(&sources);
        assert_eq!(
            (found.len(), found[0].1.as_str()),
            (1, path),
            "{text}: {found:?}"
        );
        assert!(
            found[0].2.contains("this version") && found[0].2.len() > 60,
            "{found:?}"
        );
    }
}

#[test]
fn every_fault_of_a_policy_is_named_and_what_is_sound_is_looked_at_too() {
    let sources = Sources {
        policy: Some(
            "limits: {max_seconds: 0, max_output: 1}\nnetwork: {allow_ips: x}\nrules:\n- {action: permit, commands: [a]}\n- {action: allow, comands: [a]}\n- {action: allow, binary: b}\n- {action: allow, commands: c, aliases: d}\n"
                .to_owned(),
        ),
        ..base()
    };
    let found: Vec<String> = faults(&sources)
        .into_iter()
        .map(|(_, path, _)| path)
        .collect();
    assert_eq!(
        found,
        [
            "limits.max_seconds",
            "limits.max_output",
            "network.allow_ips",
            "rules[0].action",
            "rules[1].comands",
            "rules[2].binary",
            "rules[3].commands",
            "rules[3].aliases",
        ]
    );
}

#[test]
fn a_fault_of_one_file_hides_none_of_another_and_invents_none() {
    let sources = Sources {
        credentials: Some("entries: [\n".to_owned()),
        policy: Some("version: 9\n".to_owned()),
        companions: Some("companions: x\n".to_owned()),
        ..base()
    };
    let files: Vec<&str> = load(&sources, Occasion::Start)
        .unwrap_err()
        .iter()
        .map(|fault| fault.file)
        .collect();
    assert_eq!(files, [CREDENTIALS, POLICY, COMPANIONS]);
    let unread = Sources {
        credentials: None,
        unread: vec![CREDENTIALS],
        ..sources
    };
    let files: Vec<&str> = load(&unread, Occasion::Start)
        .unwrap_err()
        .iter()
        .map(|fault| fault.file)
        .collect();
    assert_eq!(files, [POLICY, COMPANIONS]);
    let only = Sources {
        unread: vec![PLUGINS],
        ..base()
    };
    assert_eq!(load(&only, Occasion::Start).unwrap_err(), []);
    assert_ne!(only.digest(), base().digest());
}

fn listed(names: &Names) -> Vec<&str> {
    assert!(names.names.len() <= names.count);
    names.names.iter().map(String::as_str).collect()
}

#[test]
fn what_a_new_configuration_changes_is_named() {
    let old = Sources {
        policy: Some(
            "limits: {max_seconds: 5}\noverrides: {tags: {a: {max_seconds: 1}}}\nrules:\n- {name: one, action: allow, commands: [a]}\n- {action: allow, commands: [b]}\n- {name: gone, action: deny, commands: [c]}\n"
                .to_owned(),
        ),
        ..base()
    };
    let new = Sources {
        servers: Some("hosts:\n  - {alias: web1, host: 10.0.0.99, credentials: admin}\n  - {alias: new1, host: 10.0.0.12, credentials: admin}\n".to_owned()),
        policy: Some(
            "limits: {max_seconds: 6}\nnetwork: {block_ips: [10.0.0.1]}\nrules:\n# moved, and otherwise the same\n- {action: allow, commands: [b]}\n- {name: one, action: allow, commands: [a, z]}\n- {name: more, action: allow, commands: [d]}\n"
                .to_owned(),
        ),
        ..old.clone()
    };
    let (old, new) = (loads(&old), loads(&new));
    let found = changes(&old, &new);
    assert_eq!(found.files, [SERVERS, POLICY]);
    assert_eq!(listed(&found.hosts.added), ["new1"]);
    assert_eq!(listed(&found.hosts.removed), ["db1"]);
    assert_eq!(listed(&found.hosts.changed), ["web1"]);
    assert_eq!(listed(&found.rules.added), ["more"]);
    assert_eq!(listed(&found.rules.removed), ["gone"]);
    assert_eq!(listed(&found.rules.changed), ["one"]);
    assert_eq!(
        listed(&found.limits),
        ["limits.max_seconds", "overrides.tags.a"]
    );
    assert_eq!(listed(&found.policy), ["network"]);
    assert_eq!(changes(&new, &new), crate::answer::Changes::default());
}

#[test]
fn a_changed_login_changes_its_hosts_and_long_lists_are_cut_and_counted() {
    let other = Sources {
        credentials: Some(LOGINS.replace("ubuntu", "debian")),
        ..base()
    };
    let found = changes(&loads(&base()), &loads(&other));
    assert_eq!(listed(&found.hosts.changed), ["db1", "web1"]);
    let mut many = String::from("hosts:\n");
    for index in 0..50 {
        many.push_str(&format!(
            "  - {{alias: h{index}, host: h, credentials: admin}}\n"
        ));
    }
    let many = Sources {
        servers: Some(many),
        ..base()
    };
    let found = changes(&loads(&base()), &loads(&many));
    assert_eq!(
        (found.hosts.added.count, found.hosts.added.names.len()),
        (50, 20)
    );
}

#[test]
fn pins_of_host_keys_are_fingerprints_as_ssh_keygen_writes_them() {
    let digest = format!("SHA256:{}", "A".repeat(43));
    let read = |value: &str| {
        let sources = Sources {
            servers: Some(format!(
                "hosts: [{{alias: a, host: h, host_key: {value}}}]\n"
            )),
            ..Sources::default()
        };
        load(&sources, Occasion::Start)
            .map(|snapshot| snapshot.inventory.hosts()[0].host_keys.clone())
    };
    let typed = format!("ssh-ed25519 {digest}");
    for (value, pins) in [
        (digest.clone(), 1),
        (format!("'{typed}'"), 1),
        (format!("[{digest}, '{typed}']"), 2),
    ] {
        let found = read(&value).unwrap();
        assert_eq!(found.len(), pins, "{value}");
        assert!(found.iter().all(|pin| pin.fingerprint == digest));
        let last = found.last().unwrap();
        assert_eq!(last.kind.is_some(), value.contains("ssh-ed25519"));
    }
    for value in [
        String::new(),
        "[]".to_owned(),
        "7".to_owned(),
        format!("{digest}="),
        format!("MD5:{}", "A".repeat(43)),
        format!("SHA256:{}", "A".repeat(42)),
        // The last character carries bits that no digest of 32 bytes has.
        format!("SHA256:{}B", "A".repeat(42)),
        format!("'ssh-dss {digest}'"),
        format!("'ssh-ed25519  {digest}'"),
        format!("[{}]", [digest.as_str(); 9].join(", ")),
    ] {
        let faults = read(&value).unwrap_err();
        let path = faults[0].path.as_str();
        assert!(path.starts_with("hosts[0].host_key"), "{value}: {faults:?}");
    }
}

#[test]
fn a_way_over_jump_hosts_is_the_lists_own_order_behind_the_way_of_the_first() {
    let read = |hosts: &str| {
        let sources = Sources {
            servers: Some(format!("hosts:\n{hosts}")),
            credentials: Some("entries: [{name: c, username: u, key_path: k}]".to_owned()),
            ..Sources::default()
        };
        load(&sources, Occasion::Start)
    };
    let host = |alias: &str, jump: &str| {
        format!("- {{alias: {alias}, host: h, credentials: c, jump: [{jump}]}}\n")
    };
    let way = |hosts: &str, alias: &str| -> Vec<String> {
        let snapshot = read(hosts).unwrap_or_else(|faults| panic!("{faults:?}"));
        let target = snapshot
            .inventory
            .resolve(&Alias::parse(alias).unwrap())
            .unwrap();
        let hops = target.hops.iter().map(|hop| hop.host.alias.to_string());
        hops.collect()
    };
    let chain = [
        host("in", "b, c"),
        host("b", "a"),
        // Said of `c` itself; on the way to `in` it is reached from `b`.
        host("c", "x"),
        host("a", ""),
        host("x", ""),
    ]
    .concat();
    assert_eq!(way(&chain, "in"), ["a", "b", "c"]);
    assert_eq!(way(&chain, "c"), ["x"]);
    assert!(way(&chain, "a").is_empty());
    let long = |hops: usize| -> String {
        let hosts = (0..hops).map(|n| host(&format!("h{n}"), &format!("h{}", n + 1)));
        hosts.collect::<String>() + &host(&format!("h{hops}"), "")
    };
    assert_eq!(way(&long(4), "h0"), ["h4", "h3", "h2", "h1"]);
    for (hosts, said) in [
        (host("a", "b"), "does not exist"),
        (host("a", "a"), "comes back"),
        (host("a", "b") + &host("b", "a"), "comes back"),
        (host("a", "b, b") + &host("b", ""), "comes back"),
        (
            host("a", "b, c") + &host("b", "c") + &host("c", ""),
            "comes back",
        ),
        (long(5), "more than 4 hosts"),
        (
            host("a", "b") + "- {alias: b, host: h}\n",
            "names no credentials",
        ),
    ] {
        let faults = read(&hosts).unwrap_err();
        assert!(faults[0].message.contains(said), "{hosts}: {faults:?}");
        assert!(faults[0].line > 0, "{faults:?}");
    }
}

#[test]
fn each_host_on_the_way_is_under_its_own_lists() {
    let sources = Sources {
        servers: Some("hosts:\n- {alias: in, host: h, credentials: c, jump: [gate]}\n- {alias: gate, host: g, credentials: c}\n".to_owned()),
        credentials: Some("entries: [{name: c, username: u, key_path: k}]".to_owned()),
        policy: Some("network: {allow_cidrs: [10.0.0.0/8]}\noverrides: {aliases: {gate: {network: {allow_cidrs: [10.1.0.0/16]}}}}\n".to_owned()),
        ..Sources::default()
    };
    let snapshot = load(&sources, Occasion::Start).unwrap();
    let target = snapshot
        .inventory
        .resolve(&Alias::parse("in").unwrap())
        .unwrap();
    let address = |text: &str| vec![text.parse::<std::net::IpAddr>().unwrap()];
    let contact = |hops: &[Vec<std::net::IpAddr>]| {
        let contact = snapshot
            .policy
            .contact(target.clone(), &address("10.2.0.1"), hops);
        contact.map(|contact| {
            let legs = contact.legs();
            let legs = legs
                .iter()
                .map(|leg| (leg.host().alias.to_string(), leg.addresses().to_vec()));
            legs.collect::<Vec<_>>()
        })
    };
    let legs = contact(&[address("10.1.0.1")]).unwrap();
    assert_eq!(legs[0], ("gate".to_owned(), address("10.1.0.1")));
    assert_eq!(legs[1], ("in".to_owned(), address("10.2.0.1")));
    let refusal = contact(&[address("10.2.0.9")]).unwrap_err();
    assert_eq!(refusal.code.as_str(), "network_not_allowed");
    assert_eq!(
        refusal.network,
        ["gate: no entry of overrides.aliases.gate.network.allow_* matches"]
    );
    assert!(
        refusal.detail.contains("(jump host gate)"),
        "{}",
        refusal.detail
    );
    // A hop that nobody asked about, or that has no address, is not passed.
    for hops in [&[][..], &[Vec::new()]] {
        assert_eq!(contact(hops).unwrap_err().code.as_str(), "dns_failed");
    }
}
