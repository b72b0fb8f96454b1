//! What is read of an Ansible inventory beside what the real `ansible-inventory` says of it, over generated
//! inventories: which hosts there are, their groups, and the values that hold.

use portcullis_core::import::{Inventory, Owner, Proposal, Text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Inventories of a run.
const INVENTORIES: u64 = 10;
/// Who logs in where nobody names a user.
const OWNER: &str = "operator";
const GROUPS: [&str; 6] = ["web", "db", "prod", "staging", "eu-west", "all"];

/// A small generator of numbers; the same seed gives the same inventory.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

fn variables(dice: &mut Dice, most: usize) -> Vec<String> {
    (0..dice.below(most + 1))
        .map(|_| {
            let (name, values): (&str, &[&str]) = match dice.below(5) {
                0 => (
                    "ansible_host",
                    &["10.0.0.1", "a.example.com", "\"b.example.com\""],
                ),
                1 => ("ansible_port", &["22", "2222", "'2200'"]),
                2 | 3 => ("ansible_user", &["deploy", "root", "'ops'"]),
                _ => (
                    "ansible_ssh_private_key_file",
                    &["~/.ssh/one", "/keys/two", "\"/keys/three\""],
                ),
            };
            format!("{name}={}", dice.one(values))
        })
        .collect()
}

/// An inventory as INI. Groups hold only later ones, so that none is within itself.
fn inventory(dice: &mut Dice) -> String {
    let hosts = [
        "h[1:3]",
        "h1",
        "h2:2022",
        "x-[a:c].example.com",
        "n[08:10]",
        "h3 ",
        "lone",
        "r[1:5:2]",
    ];
    let mut text = String::from("# made for a test\nungrouped1\n");
    for (index, group) in GROUPS.iter().enumerate() {
        if *group != "all" {
            text.push_str(&format!("[{group}]\n"));
            for _ in 0..1 + dice.below(3) {
                let variables = variables(dice, 2).join(" ");
                text.push_str(&format!("{} {variables}\n", dice.one(&hosts)));
            }
        }
        if *group != "all" && index + 2 < GROUPS.len() && dice.below(2) == 0 {
            let child = GROUPS[index + 1 + dice.below(GROUPS.len() - 2 - index)];
            text.push_str(&format!("[{group}:children]\n{child} # held\n"));
        }
        if dice.below(3) > 0 {
            text.push_str(&format!("[{group}:vars]\n"));
            for variable in variables(dice, 3) {
                text.push_str(&format!("{}\n", variable.replacen('=', " = ", 1)));
            }
            if *group != "all" && dice.below(4) == 0 {
                text.push_str(&format!("ansible_group_priority={}\n", dice.below(20)));
            }
        }
    }
    text
}

/// What is compared of a host: address, port, user, key's file, groups.
type Facts = (String, u16, String, Option<String>, BTreeSet<String>);

fn ansible(program: &Path, file: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .arg("-i")
        .arg(file)
        .env("ANSIBLE_LOCALHOST_WARNING", "false")
        .env("HOME", file.parent().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn expected(list: &Value) -> BTreeMap<String, Facts> {
    let groups = list.as_object().unwrap();
    let mut facts = BTreeMap::new();
    let texts = |value: &Value| -> Vec<String> {
        let members = value.as_array().map(Vec::as_slice).unwrap_or_default();
        members
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let names: BTreeSet<String> = groups
        .iter()
        .filter(|(name, _)| *name != "_meta")
        .flat_map(|(_, group)| texts(&group["hosts"]))
        .collect();
    for name in names {
        // Rounds of looking for groups that hold what was found.
        let mut held: BTreeSet<String> = BTreeSet::new();
        for _ in 0..groups.len() {
            for (group, value) in groups.iter().filter(|(group, _)| *group != "_meta") {
                let children = texts(&value["children"]);
                if texts(&value["hosts"]).contains(&name)
                    || children.iter().any(|child| held.contains(child))
                {
                    held.insert(group.clone());
                }
            }
        }
        held.remove("all");
        held.remove("ungrouped");
        let values = &list["_meta"]["hostvars"][&name];
        let text = |key: &str| match &values[key] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let key = text("ansible_ssh_private_key_file")
            .map(|path| path.rsplit('/').next().unwrap().to_owned());
        facts.insert(
            name.clone(),
            (
                text("ansible_host").unwrap_or(name),
                text("ansible_port").map_or(22, |port| port.parse().unwrap()),
                text("ansible_user").unwrap_or_else(|| OWNER.to_owned()),
                key,
                held,
            ),
        );
    }
    facts
}

fn proposed(name: &str, text: &str) -> BTreeMap<String, Facts> {
    let file = Text {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let owner = Owner {
        user: Some(OWNER.to_owned()),
    };
    let proposal: Proposal = Inventory::read(&file, owner)
        .and_then(|inventory| inventory.propose())
        .unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    assert!(proposal.skipped.is_empty(), "{:?}", proposal.skipped);
    proposal
        .hosts
        .iter()
        .map(|host| {
            let login = host.login.as_ref().unwrap();
            let login = proposal
                .logins
                .iter()
                .find(|known| known.name == *login)
                .unwrap();
            let facts = (
                host.host.clone(),
                host.port,
                login.user.clone(),
                login.key.clone(),
                host.tags.iter().cloned().collect(),
            );
            (host.alias.clone(), facts)
        })
        .collect()
}

#[test]
fn inventories_mean_what_ansible_inventory_says() {
    let Some(python) = std::env::var_os("PORTCULLIS_PYTHON") else {
        panic!("PORTCULLIS_PYTHON is not set: run cargo xtask test");
    };
    let program = PathBuf::from(python).with_file_name("ansible-inventory");
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for seed in 1..=INVENTORIES {
        let text = inventory(&mut Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let file = folder.path().join("hosts");
        fs::write(&file, &text).unwrap();
        let list: Value = serde_json::from_slice(&ansible(&program, &file, &["--list"])).unwrap();
        let expected = expected(&list);
        assert_eq!(proposed("hosts", &text), expected, "seed {seed}:\n{text}");
        compared += expected.len();
        // What the hint says: Ansible itself writes an inventory out as YAML, and that means the same.
        let yaml = ansible(&program, &file, &["--list", "--yaml", "--export"]);
        let yaml = String::from_utf8(yaml).unwrap();
        assert_eq!(
            proposed("hosts.yml", &yaml),
            expected,
            "seed {seed}:\n{yaml}"
        );
    }
    assert!(compared >= 60, "only {compared} hosts");
}
