#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
mod hostile;

use super::*;
use crate::config::{Occasion, Sources, load};

struct Files(Vec<(&'static str, &'static str)>);

impl Shelf for Files {
    fn find(&self, pattern: &str, _: Room) -> Result<Vec<Text>, String> {
        if pattern.ends_with("unreadable") {
            return Err("no UTF-8".to_owned());
        }
        let named = self.0.iter().filter(|(name, _)| *name == pattern);
        Ok(named.map(|(name, text)| of(name, text)).collect())
    }
}

fn of(name: &str, text: &str) -> Text {
    Text {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn owner() -> Owner {
    Owner {
        user: Some("me".to_owned()),
    }
}

fn ssh(text: &str) -> Proposal {
    SshConfig::read(&of("config", text), owner(), &NoShelf)
        .unwrap()
        .propose()
        .unwrap()
}

fn ansible(name: &str, text: &str) -> Proposal {
    Inventory::read(&of(name, text), owner())
        .unwrap()
        .propose()
        .unwrap()
}

fn refused(name: &str, text: &str) -> ImportFault {
    match Inventory::read(&of(name, text), owner()) {
        Ok(_) => panic!("{text:?} was taken"),
        Err(fault) => fault,
    }
}

/// What is proposed has to load without a fault.
fn loads(proposal: &Proposal) {
    let sources = Sources {
        servers: Some(proposal.servers_yml()),
        credentials: Some(proposal.credentials_yml()),
        ..Sources::default()
    };
    let snapshot = load(&sources, Occasion::Start).unwrap_or_else(|faults| {
        panic!(
            "{faults:?}\n{}\n{}",
            proposal.servers_yml(),
            proposal.credentials_yml()
        )
    });
    assert_eq!(snapshot.inventory.hosts().len(), proposal.hosts.len());
    for text in [proposal.servers_yml(), proposal.credentials_yml()] {
        let odd = |c: char| c.is_control() && c != '\n' || crate::text::is_hidden(c);
        assert!(!text.contains(odd), "{text:?}");
    }
}

#[test]
fn hosts_of_an_ssh_config_are_proposed_with_their_places() {
    let proposal = ssh(
        "Host web1 web2\n  HostName %h.example.com\n  Port 2222\n  User deploy\n  IdentityFile ~/.ssh/id_web\n\
                        Host *\n  User me2\n  IdentityFile ~/.ssh/other\n",
    );
    loads(&proposal);
    let host = &proposal.hosts[1];
    assert_eq!(
        (host.alias.as_str(), host.host.as_str(), host.port),
        ("web2", "web2.example.com", 2222)
    );
    assert_eq!(host.place.to_string(), "config:1");
    let text = proposal.servers_yml();
    assert!(text.contains("# Port from config:3\n"), "{text}");
    assert!(
        text.contains("not taken: IdentityFile ~/.ssh/other (config:8)"),
        "{text}"
    );
    assert_eq!(proposal.logins.len(), 1);
    assert_eq!(proposal.logins[0].user, "deploy");
    assert_eq!(proposal.logins[0].key.as_deref(), Some("id_web"));
    assert!(
        proposal
            .credentials_yml()
            .contains("key lies at ~/.ssh/id_web")
    );
}

#[test]
fn included_files_are_read_and_those_of_blocks_that_do_not_hold_set_nothing() {
    let files = Files(vec![
        ("~/.ssh/a", "User first\nHost b\nUser second\n"),
        ("/etc/b", "Host c\n  HostName c.example.com\n"),
    ]);
    let text = "Include a\nHost x\n  Include /etc/b\nHost c b\n  Port 23\nInclude none\n";
    let config = SshConfig::read(&of("config", text), owner(), &files).unwrap();
    let b = config.settings("b").unwrap();
    assert_eq!((b.user(), b.port()), (Some("first"), 23));
    // The file is included where only `x` holds.
    assert_eq!(config.settings("c").unwrap().hostname().unwrap(), "c");
    let proposal = config.propose().unwrap();
    loads(&proposal);
    let names: Vec<&str> = proposal
        .hosts
        .iter()
        .map(|host| host.alias.as_str())
        .collect();
    assert_eq!(names, ["b", "x", "c"]);
    assert!(
        proposal.notes[0].text.contains("~/.ssh/none"),
        "{:?}",
        proposal.notes
    );
    let endless = Files(vec![("~/.ssh/a", "Include a\n")]);
    let fault = SshConfig::read(&of("config", "Include a\n"), owner(), &endless).unwrap_err();
    assert!(fault.text.contains("16 deep"), "{fault}");
    let fault = SshConfig::read(&of("config", "\nInclude unreadable\n"), owner(), &endless);
    assert_eq!(fault.unwrap_err().place.line, 2);
}

#[test]
fn what_cannot_be_decided_is_named_and_sets_nothing() {
    let proposal = ssh(
        "Host web1\n  HostName 10.0.0.1\nMatch exec \"test -f /x\"\n  User evil\n\
                        Match host 10.0.0.1 final\n  User evil\nMatch host 10.9.* exec true\n  User evil\n\
                        Match host 10.0.0.1\n  User good\nHost jumped\n  ProxyJump bastion\n  ProxyCommand nc secret-word\n",
    );
    loads(&proposal);
    let text = proposal.servers_yml();
    assert_eq!(proposal.logins[0].user, "good");
    // What only a Match line speaks of is no host, and not passed over.
    assert!(
        text.contains("10.0.0.1 stands on a Match line and on no Host line"),
        "{text}"
    );
    assert!(!text.contains("evil") && !proposal.credentials_yml().contains("evil"));
    assert!(
        text.contains("the Match block of config:3")
            && text.contains("the Match block of config:5")
    );
    // One criterion that certainly does not hold decides.
    assert!(!text.contains("the Match block of config:7"), "{text}");
    assert!(
        text.contains("not taken: proxyjump bastion (config:12)"),
        "{text}"
    );
    assert!(!text.contains("secret-word"), "{text}");
}

#[test]
fn names_that_the_gate_does_not_take_are_renamed_or_reported() {
    let long = "x".repeat(150);
    let text = format!(
        "Host a/b a+b a-b \"two words\" {long}\n  HostName h.example.com\nHost bad\n  HostName %p.example.com\nHost -odd \u{202e}x\n"
    );
    let proposal = ssh(&text);
    loads(&proposal);
    let names: Vec<&str> = proposal
        .hosts
        .iter()
        .map(|host| host.alias.as_str())
        .collect();
    assert_eq!(names[..4], ["a-b", "a-b-2", "a-b-3", "two-words"]);
    assert_eq!(names[4].len(), crate::limits::ALIAS_CHARS_MAX);
    assert!(proposal.hosts[0].comments[0].contains("renamed from \"a/b\""));
    let skipped: Vec<&str> = proposal
        .skipped
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    assert_eq!(skipped, ["bad", "-odd", "x"]);
    assert_eq!(
        proposal.hosts.len() + skipped.len(),
        8,
        "nothing is dropped"
    );
    assert!(
        proposal
            .servers_yml()
            .contains("# Not proposed: bad (config:3): HostName (config:4)")
    );
}

#[test]
fn a_config_that_ssh_would_refuse_is_a_fault_with_its_line() {
    for (text, line) in [
        ("Host\n", 1),
        ("Host a\n  Port 0\n", 2),
        ("Host a\n  Port 70000\n", 2),
        ("Host a\n  User \"x\n", 2),
        ("Host a\n  User a b\n", 2),
        ("Host a\nMatch host\n", 2),
    ] {
        let fault = SshConfig::read(&of("config", text), owner(), &NoShelf)
            .and_then(|config| config.propose())
            .unwrap_err();
        assert_eq!(fault.place.line, line, "{text:?}: {fault}");
    }
    let many = format!("Host {}\n", "a ".repeat(10)).repeat(1);
    assert_eq!(ssh(&many).hosts.len(), 1, "one name, proposed once");
    let hosts: String = (0..=IMPORT_HOSTS_MAX)
        .map(|n| format!("Host h{n}\n"))
        .collect();
    let config = SshConfig::read(&of("config", &hosts), owner(), &NoShelf).unwrap();
    assert!(
        config
            .propose()
            .unwrap_err()
            .text
            .contains("at most 5000 hosts")
    );
}

#[test]
fn work_that_grows_faster_than_the_file_ends_at_its_bound() {
    let text = format!("Host a\n{}", "Host a*b*c*d*e*f*g*h*\n".repeat(50));
    let config = SshConfig::read(&of("config", &text), owner(), &NoShelf).unwrap();
    let name = "a".repeat(200);
    let mut budget = Budget { steps: 1_000 };
    let fault = config.settings_within(&name, &mut budget).unwrap_err();
    assert!(fault.text.contains("steps of work"), "{fault}");
    assert!(config.settings_within(&name, &mut Budget::new()).is_ok());
}

const INI: &str = "\
mail ansible_host=10.0.0.9
[web]
web[01:02].x ansible_user=deploy http_port=80
[db]
db1:2222 ansible_password='hunter2 x' ansible_host=\"{{ secret_place }}\"
local ansible_connection=local
[prod:children]
web
db
[prod:vars]
ansible_user=root
ansible_ssh_private_key_file=~/.ssh/prod
[all:vars]
ansible_port=2200
ansible_become=true
";

#[test]
fn hosts_of_an_ini_inventory_get_their_groups_as_tags_and_the_nearest_value() {
    let proposal = ansible("hosts", INI);
    loads(&proposal);
    let hosts: Vec<(&str, u16, Vec<&str>)> = proposal
        .hosts
        .iter()
        .map(|host| {
            let tags = host.tags.iter().map(String::as_str).collect();
            (host.alias.as_str(), host.port, tags)
        })
        .collect();
    assert_eq!(
        hosts,
        [
            ("mail", 2200, vec![]),
            ("web01.x", 2200, vec!["prod", "web"]),
            ("web02.x", 2200, vec!["prod", "web"]),
        ]
    );
    assert_eq!(proposal.hosts[0].host, "10.0.0.9");
    let logins: Vec<(&str, Option<&str>)> = proposal
        .logins
        .iter()
        .map(|login| (login.user.as_str(), login.key.as_deref()))
        .collect();
    assert_eq!(logins, [("me", None), ("deploy", Some("prod"))]);
    let skipped: Vec<&str> = proposal
        .skipped
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    assert_eq!(skipped, ["db1", "local"]);
    let text = proposal.servers_yml() + &proposal.credentials_yml();
    assert!(
        !text.contains("hunter2") && !text.contains("secret_place"),
        "{text}"
    );
    assert!(
        text.contains("not taken, no key for it: ansible_become (hosts:15)"),
        "{text}"
    );
}

#[test]
fn a_yaml_inventory_means_the_same_as_its_ini() {
    let yaml = "\
all:
  vars: {ansible_port: 2200, ansible_become: true}
  hosts:
    mail: {ansible_host: 10.0.0.9}
  children:
    prod:
      vars: {ansible_user: root, ansible_ssh_private_key_file: ~/.ssh/prod}
      children:
        web:
          hosts:
            web[01:02].x: {ansible_user: deploy, http_port: 80}
        db:
          hosts:
            db1:2222: {ansible_password: hunter2 x, ansible_host: '{{ secret_place }}'}
            local: {ansible_connection: local}
";
    let (yaml, ini) = (ansible("hosts.yml", yaml), ansible("hosts", INI));
    loads(&yaml);
    let part = |proposal: &Proposal| {
        let hosts = proposal.hosts.iter();
        let hosts: Vec<_> = hosts
            .map(|host| {
                (
                    host.alias.clone(),
                    host.host.clone(),
                    host.port,
                    host.login.clone(),
                    host.tags.clone(),
                )
            })
            .collect();
        let skipped: Vec<_> = proposal
            .skipped
            .iter()
            .map(|host| host.name.clone())
            .collect();
        (hosts, proposal.logins.clone(), skipped)
    };
    assert_eq!(part(&yaml), part(&ini));
    let text = yaml.servers_yml() + &yaml.credentials_yml();
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn five_thousand_hosts_are_proposed_and_load() {
    let proposal = ansible("hosts", "[all_of_them]\nhost-[0001:5000].example.com\n");
    assert_eq!(proposal.hosts.len(), IMPORT_HOSTS_MAX);
    loads(&proposal);
}

#[test]
fn groups_that_differ_stay_different_tags() {
    let long = "g".repeat(60);
    let text = format!("[a-b]\nh1\n[a+b]\nh1\n[{long}1]\nh1\n[{long}2]\nh1\n");
    let proposal = ansible("hosts", &text);
    loads(&proposal);
    let mut tags = proposal.hosts[0].tags.clone();
    assert_eq!(tags.len(), 4);
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "{tags:?}");
}

#[test]
fn the_deepest_group_wins_then_its_priority_then_its_name() {
    let text = "[a]\nh\n[b]\nh\n[c]\nh\n[a:vars]\nansible_user=a\n[b:vars]\nansible_user=b\n[top:children]\nc\n[c:vars]\n\
                ansible_user=c\n";
    assert_eq!(ansible("hosts", text).logins[0].user, "c");
    let text = "[a]\nh\n[b]\nh\n[a:vars]\nansible_user=a\nansible_group_priority=9\n[b:vars]\nansible_user=b\n";
    assert_eq!(ansible("hosts", text).logins[0].user, "a");
    let text = "[a]\nh\n[b]\nh\n[a:vars]\nansible_user=a\n[b:vars]\nansible_user=b\n";
    assert_eq!(ansible("hosts", text).logins[0].user, "b");
}

#[test]
fn an_inventory_that_is_broken_or_too_much_is_a_fault_that_shows_no_value() {
    for (name, text, words) in [
        ("hosts", "[web\n", "`]`"),
        ("hosts", "[web:things]\n", "hosts, children or vars"),
        ("hosts", "web1 hunter2\n", "key=value"),
        ("hosts", "web1 a='hunter2\n", "closing quote"),
        ("hosts", "web[1:\n", "`]`"),
        (
            "hosts",
            "[a:children]\nb\n[b:children]\na\n",
            "within itself",
        ),
        ("hosts", "[ghost:vars]\na=hunter2\n", "declared"),
        ("hosts", "#!/bin/sh\necho\n", "a program"),
        ("hosts.yml", "all: [hunter2]\n", "a mapping"),
        (
            "hosts.yml",
            "all:\n  hosts:\n    a: &x {p: hunter2}\n    b: *x\n",
            "anchors",
        ),
        ("hosts.yml", "all: {vars: {p: !vault hunter2}}\n", ""),
        ("hosts.yml", "all: {hosts: {a: , a: }}\n", "once"),
    ] {
        let fault = refused(name, text);
        assert!(fault.text.contains(words), "{text:?}: {fault}");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
    let fault = refused("hosts", &"web[1:4999] a=b c=d\n".repeat(100));
    assert!(fault.text.contains("at most"), "{fault}");
    let fault = refused("hosts", "a[1:4999]\nb[1:4999]\n");
    assert!(fault.text.contains("5000 hosts"), "{fault}");
}
